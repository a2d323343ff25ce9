"""Races, refusals and rare turns: SIPp's scenarios against our phone, and the same ones behind our exchange."""

import time

from lib import peers
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange, Phone

from .sipp import register
from .sipp_phone import phone_at


def at_phone(scenario, talk, settings="", limit_s=50):
    """A case in which SIPp is the server of our phone, plays this scenario, and `talk` drives the phone."""

    def play(lab):
        server = lab.address()
        callee = peers.Sipp(lab, "server", scenario, address=server, limit_s=limit_s)
        phone = phone_at(lab, server, settings=settings)
        phone.command("dial 7002")
        talk(phone)
        phone.quit()
        callee.nothing_failed()
        peers.check_capture(lab, phone.capture, least_sip=10)

    return play


def behind_exchange(scenario, talk, settings="", **values):
    """A case in which SIPp is a phone at our exchange, plays this scenario, and `talk` drives our phone, its caller."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        address = lab.address()
        register(lab, exchange, "7002", address, "register")
        callee = peers.Sipp(lab, "callee", scenario, address=address, values={"server": "callee", **values}, limit_s=50)
        phone = phone_at(lab, exchange.address, settings=settings)
        phone.command("dial 7002")
        talk(phone)
        phone.quit()
        callee.nothing_failed()
        exchange.alive()
        peers.check_capture(lab, exchange.capture, least_sip=10)

    return play


def hangs_up(phone):
    phone.event("answered")
    time.sleep(1)
    phone.command("hangup")
    phone.event("ended", by="local")


def gives_up(phone):
    phone.event("ringing")
    phone.command("hangup")
    phone.event("ended", by="local")


def holds(phone):
    phone.event("answered")
    phone.command("hold")
    phone.event("ended", by="remote")


def is_held(phone):
    phone.event("answered")
    phone.event("remote_hold")
    phone.event("remote_resume")
    phone.event("ended", by="remote")


def is_refused(phone):
    phone.event("ended", status=603)


def late_offer(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", address=server, limit_s=50)
    phone = phone_at(lab, server)
    calling = peers.Sipp(
        lab, "caller", "call-late.xml", "-s", "7001", address=server, port=5070, target=f"{phone.address}:5060",
        rows=["7002"], calls=1, limit_s=30,
    )
    phone.event("incoming")
    phone.command("answer")
    answered = phone.event("answered")
    need(answered.get("codec") == "PCMA", f"SIPp's answer names PCMA alone, and the phone says {answered}")
    calling.finish()
    ended = phone.event("ended", by="remote")
    need((ended.get("rtp") or {}).get("tx_packets"), f"the phone sent nothing after the late answer: {ended}")
    phone.quit()


def circle(lab):
    exchange = Exchange(lab, peers.SECRETS)
    sent_on = []
    for number, to in (("7002", "7003"), ("7003", "7002")):
        address = lab.address()
        register(lab, exchange, number, address, f"register-{number}")
        sent_on.append(peers.Sipp(lab, f"callee-{number}", "moved.xml", address=address, values={"to": f"{to}@{exchange.address}"}, limit_s=50))
    phone = Phone(lab, "phone", "--account", f"7001:{peers.SECRETS['7001']}@{exchange.address}", "--audio", "silent")
    phone.event("registered")
    phone.command("dial 7002")
    ended = phone.event("ended")
    need(ended.get("status", 0) >= 400, f"a call sent in circles must fail, and the phone says {ended}")
    phone.quit()
    exchange.alive()
    counted = []
    for callee in sent_on:
        callee.nothing_failed()
        counted.append(callee.counted()["good"])
    need(max(counted) <= 2, f"the call went round: {counted} INVITEs")
    return f"ended with {ended['status']} after {sum(counted)} redirections"


TIMER = "account.1.session_timer.enable = 1\naccount.1.session_timer.expires = 90\n"
RELIABLE = "account.1.100rel_enable = 1\n"
NEEDS = ("offhook", "sipp", "tshark")
CASES = [
    Case("phone-bye-crosses-hold", "SIPp's BYE crosses our phone's hold", at_phone("bye-crossing.xml", holds), NEEDS),
    Case("phone-session-timer", "SIPp wants a longer session interval (422)", at_phone("session-timer.xml", hangs_up, TIMER), NEEDS),
    Case("phone-reliable", "SIPp answers our phone reliably (PRACK)", at_phone("reliable.xml", hangs_up, RELIABLE), NEEDS),
    Case("phone-late-offer", "SIPp calls our phone without an offer", late_offer, NEEDS),
    Case("exchange-cancels", "a call is given up behind our exchange", behind_exchange("cancelled.xml", gives_up), NEEDS),
    Case("exchange-cancels-late", "our exchange's CANCEL crosses SIPp's answer", behind_exchange("cancelled-late.xml", gives_up), NEEDS),
    Case("exchange-forked", "SIPp rings in two dialogs behind our exchange", behind_exchange("forked.xml", hangs_up), NEEDS),
    Case("exchange-refused", "SIPp refuses behind our exchange", behind_exchange("refuse.xml", is_refused, status="603 Decline"), NEEDS),
    Case("exchange-reinvited", "SIPp holds, resumes and re-offers behind our exchange", behind_exchange("reinvite.xml", is_held), NEEDS),
    Case("exchange-bye-crosses-hold", "SIPp's BYE crosses a hold behind our exchange", behind_exchange("bye-crossing.xml", holds), NEEDS),
    Case("exchange-reliable", "SIPp answers our exchange reliably", behind_exchange("reliable.xml", hangs_up, RELIABLE), NEEDS),
    Case("exchange-redirected-in-circles", "two SIPps send a call to each other", circle, NEEDS),
]
