"""Our phone against SIPp's scenarios of a server: calls both ways, refusals, and races."""

import time

from lib import peers, tone
from lib.case import Case
from lib.lab import need
from lib.ours import Phone

TALK_S = 4
REFUSALS = {404: "Not Found", 480: "Temporarily Unavailable", 486: "Busy Here", 503: "Service Unavailable", 603: "Decline"}


def phone_at(lab, server, audio="tone:440", settings=""):
    """A phone of ours with the account 7001 and these settings (lines of a cfg), registered at a server."""
    config = lab.folder / "phone.cfg"
    config.write_text(f"#!version:1.0.0.1\n{settings}")
    phone = Phone(
        lab, "phone", "--account", f"7001:{peers.SECRETS['7001']}@{server}", "--audio", audio, "--config", config,
    )
    phone.event("registered")
    return phone


def phone_calls(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", "-rtp_echo", address=server, limit_s=50)
    spoken = tone.write_tone(lab.folder / "spoken.wav", 440, seconds=30)
    heard = lab.folder / "heard.wav"
    phone = phone_at(lab, server, f"file:{spoken},{heard}")
    phone.command("dial 7002")
    phone.event("ringing")
    answered = phone.event("answered")
    need(answered.get("codec") == "PCMA", f"SIPp's SDP names PCMA alone, the phone says {answered.get('codec')}")
    time.sleep(TALK_S)
    phone.command("hangup")
    ended = phone.event("ended")
    need(ended.get("by") == "local", f"the phone hung up, and says {ended}")
    phone.quit()
    seconds = tone.seconds_of(heard, 440)
    need(seconds >= TALK_S / 2, f"the phone's own tone came back from SIPp for {seconds:g} s only")
    peers.check_capture(lab, phone.capture, least_sip=10)
    return f"registered and called with digest that SIPp checked; {seconds:g} s of echo heard"


def phone_is_called(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", address=server, limit_s=50)
    phone = phone_at(lab, server)
    calling = peers.Sipp(
        lab, "caller", "call-direct.xml", "-s", "7001", address=server, port=5070,
        target=f"{phone.address}:5060", rows=["7002"], calls=1, limit_s=30,
    )
    incoming = phone.event("incoming")
    need("7002" in str(incoming.get("peer")), f"7002 calls, and the phone says {incoming}")
    phone.command("answer")
    phone.event("answered")
    calling.finish()
    ended = phone.event("ended")
    need(ended.get("by") == "remote", f"SIPp hung up, and the phone says {ended}")
    phone.quit()
    peers.check_capture(lab, phone.capture, least_sip=6)
    return "rang, was answered, sent its sound, and took the BYE"


def refused(lab):
    server = lab.address()
    registrar = peers.Sipp(lab, "registrar", "server.xml", address=server, limit_s=50)
    phone = phone_at(lab, server)
    registrar.process.stop()
    for status, reason in REFUSALS.items():
        values = {"status": f"{status} {reason}"}
        callee = peers.Sipp(lab, f"refuses-{status}", "refuse.xml", address=server, values=values, limit_s=30)
        phone.command("dial 7002")
        ended = phone.event("ended")
        need(ended.get("status") == status, f"SIPp refused with {status}, and the phone says {ended}")
        callee.nothing_failed()
    return f"told apart: {', '.join(map(str, REFUSALS))}"


def cancels(scenario):
    def play(lab):
        server = lab.address()
        callee = peers.Sipp(lab, "server", scenario, address=server, limit_s=50)
        phone = phone_at(lab, server)
        phone.command("dial 7002")
        phone.event("ringing")
        phone.command("hangup")
        ended = phone.event("ended")
        need(ended.get("by") == "local", f"the phone gave up the call, and says {ended}")
        callee.nothing_failed()
        phone.quit()
        peers.check_capture(lab, phone.capture, least_sip=10)

    return play


def forked(lab):
    server = lab.address()
    callee = peers.Sipp(lab, "server", "forked.xml", address=server, limit_s=50)
    phone = phone_at(lab, server)
    phone.command("dial 7002")
    phone.event("answered")
    time.sleep(1)
    phone.command("hangup")
    phone.event("ended")
    callee.nothing_failed()


def reinvited(lab):
    server = lab.address()
    callee = peers.Sipp(lab, "server", "reinvite.xml", address=server, limit_s=50)
    phone = phone_at(lab, server)
    phone.command("dial 7002")
    phone.event("answered")
    phone.event("remote_hold")
    phone.event("remote_resume")
    ended = phone.event("ended")
    need(ended.get("by") == "remote", f"SIPp hung up, and the phone says {ended}")
    callee.nothing_failed()
    phone.quit()
    peers.check_capture(lab, phone.capture, least_sip=20)


def holds(lab):
    server = lab.address()
    callee = peers.Sipp(lab, "server", "held.xml", address=server, limit_s=50)
    phone = phone_at(lab, server)
    phone.command("dial 7002")
    phone.event("answered")
    phone.command("hold")
    phone.event("held")
    phone.command("resume")
    phone.event("resumed")
    phone.command("hangup")
    phone.event("ended")
    callee.nothing_failed()


def turned_away(command, status, header, words, least_s=0.0):
    """A case in which the phone, told `command`, must answer a call with this status and this header."""

    def play(lab):
        server = lab.address()
        peers.Sipp(lab, "server", "server.xml", address=server, limit_s=50)
        phone = phone_at(lab, server)
        phone.command(command)
        started = time.monotonic()
        values = {"status": str(status), "header": header, "words": words}
        peers.Sipp(
            lab, "caller", "call-turned-away.xml", "-s", "7001", address=server, port=5070, values=values,
            target=f"{phone.address}:5060", rows=["7002"], calls=1, limit_s=30,
        ).finish()
        took_s = time.monotonic() - started
        need(took_s >= least_s, f"the call was turned away after {took_s:.1f} s, not {least_s:g} s or more")
        if status == 302:
            told = phone.event("forwarded")
            need("7003" in str(told.get("to")), f"the call went to 7003, and the phone says {told}")
        phone.quit()

    return play


NEEDS = ("offhook", "sipp", "tshark")
CASES = [
    Case("phone-calls-sipp", "our phone registers at SIPp and calls it", phone_calls, NEEDS),
    Case("sipp-calls-phone", "SIPp calls our phone", phone_is_called, NEEDS),
    Case("phone-refused", "SIPp refuses our phone's calls, each refusal told apart", refused, NEEDS),
    Case("phone-cancels", "our phone gives up a call that rings at SIPp", cancels("cancelled.xml"), NEEDS),
    Case("phone-cancels-late", "our phone's CANCEL crosses SIPp's answer", cancels("cancelled-late.xml"), NEEDS),
    Case("phone-forked", "our phone's call rings at two places, the second answers", forked, NEEDS),
    Case("phone-reinvited", "SIPp holds, resumes and re-offers in our phone's call", reinvited, NEEDS),
    Case("phone-holds", "our phone holds and resumes; SIPp judges each offer", holds, NEEDS),
    Case("phone-forwards-always", "our phone sends SIPp's call on, with the reason",
         turned_away("forward always 7003", 302, "Diversion", "reason=.*unconditional"), NEEDS),
    Case("phone-forwards-no-answer", "our phone sends SIPp's call on after ten seconds",
         turned_away("forward no-answer 7003", 302, "Diversion", "reason=.*no-answer", least_s=10), NEEDS),
    Case("phone-do-not-disturb", "our phone on DND refuses SIPp's call as the deck shows",
         turned_away("dnd on", 480, "Reason", "Q[.]850;cause=18", least_s=1), NEEDS),
]
