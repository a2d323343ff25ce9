"""Our phone at Kamailio: digest over UDP, TCP and TLS, and calls through it."""

import time

from lib import peers, tone
from lib.case import Case
from lib.lab import need
from lib.ours import Phone

TALK_S = 4


def phone_at(lab, server, transport, name, number, hz):
    """A phone of ours at Kamailio that plays a tone and records what it hears."""
    port = 5061 if transport == "tls" else 5060
    account = f"{number}:{peers.SECRETS[number]}@{server.address}:{port};transport={transport}"
    spoken = tone.write_tone(lab.folder / f"{name}-spoken.wav", hz, seconds=60)
    heard = lab.folder / f"{name}-heard.wav"
    trust = ["--ca", server.ca] if transport == "tls" else []
    phone = Phone(lab, name, "--account", account, "--audio", f"file:{spoken},{heard}", *trust)
    phone.event("registered")
    return phone, heard


def over(transport):
    def play(lab):
        # As it comes: it sends to the address that a Contact names.
        server = peers.Kamailio(lab, aliases=False)
        first, first_heard = phone_at(lab, server, transport, "first", "7001", 440)
        second, second_heard = phone_at(lab, server, transport, "second", "7002", 620)
        first.command("dial 7002")
        second.event("incoming")
        first.event("ringing")
        second.command("answer")
        first.event("answered")
        second.event("answered")
        time.sleep(TALK_S)
        second.command("hangup")
        first.event("ended", by="remote")
        for phone in (first, second):
            phone.quit()
        heard = tone.seconds_of(first_heard, 620), tone.seconds_of(second_heard, 440)
        need(min(heard) >= TALK_S / 2, f"the caller heard the callee for {heard[0]:g} s, the callee the caller for {heard[1]:g} s")
        for phone in (first, second):
            peers.check_capture(lab, phone.capture, least_sip=10)
        return f"registered and called over {transport}; heard each other for {heard[0]:g} and {heard[1]:g} s"

    return play


def watches(lab):
    server = peers.Kamailio(lab, presence=True, aliases=False)
    caller, _ = phone_at(lab, server, "udp", "caller", "7001", 440)
    called, _ = phone_at(lab, server, "udp", "called", "7002", 620)
    watcher, _ = phone_at(lab, server, "udp", "watcher", "7003", 830)
    watcher.command("set linekey.2.type 16 linekey.2.line 1 linekey.2.value 7002")
    shows = watcher_shows(watcher)
    shows("idle", "green", "steady")
    caller.command("dial 7002")
    called.event("incoming")
    shows("ringing", "red", "flashing")
    called.command("answer")
    caller.event("answered")
    shows("busy", "red", "steady")
    caller.command("hangup")
    called.event("ended", by="remote")
    shows("idle", "green", "steady")
    for phone in (caller, called, watcher):
        phone.quit()
    return "the lamp went idle, ringing, busy, idle by Kamailio's dialog-info of a real call"


def watcher_shows(watcher):
    def shows(meaning, colour, rhythm):
        lamp = watcher.event("lamp", key=2, meaning=meaning)
        need((lamp["colour"], lamp["rhythm"]) == (colour, rhythm), f"{meaning} must be {rhythm} {colour}, and is {lamp}")

    return shows


def distrusts(lab):
    server = peers.Kamailio(lab)
    account = f"7001:{peers.SECRETS['7001']}@{server.address}:5061;transport=tls"
    phone = Phone(lab, "phone", "--account", account, "--audio", "silent")
    failed = phone.event("registration_failed", timeout_s=40)
    need(not any(event.get("event") == "registered" for event in phone.events), "the phone registered all the same")
    told = [event["line"] for event in phone.events if event.get("event") == "log" and "certificate" in event["line"]]
    need(told, f"no line of the phone's log names the certificate; the event says {failed}")
    phone.quit()
    return "no registration where the authority is unknown, and the log says why"


def restarts(transport):
    """The server goes away and is back after two seconds: the phone tells it, registers anew, and is reached."""

    def play(lab):
        server = peers.Kamailio(lab, aliases=False)
        phone, _ = phone_at(lab, server, transport, "phone", "7001", 440)
        caller, _ = phone_at(lab, server, transport, "caller", "7002", 620)
        server.process.stop()
        for each in (phone, caller):
            failed = each.event("registration_failed")
            need(failed.get("status") is None and failed["reason"] != "Timeout", f"the event does not say why: {failed}")
        time.sleep(2)
        server.start()
        for each in (phone, caller):
            each.event("registered", timeout_s=45)
        caller.command("dial 7001")
        phone.event("incoming")
        phone.command("answer")
        caller.event("answered")
        phone.command("hangup")
        caller.event("ended", by="remote")
        for each in (phone, caller):
            each.quit()
        return "told why it was not registered, registered anew, and was called"

    return play


def by_its_own_certificate(lab):
    """As the how-tos make it: `openssl req -x509` alone, its common name the server's address, and that file given to the phone."""
    server = peers.Kamailio(lab, self_signed=True)
    phone, _ = phone_at(lab, server, "tls", "phone", "7001", 440)
    phone.quit()
    return "registered by the server's own certificate"


CASES = [
    Case("kamailio-lamps", "our phone watches a call at Kamailio", watches, ("offhook", "kamailio", "openssl", "tshark")),
    *(
        Case(f"kamailio-{transport}", f"our phones register at Kamailio over {transport} and call through it",
             over(transport), ("offhook", "kamailio", "openssl", "tshark"))
        for transport in ("udp", "tcp", "tls")
    ),
    *(
        Case(f"kamailio-restarts-{transport}", f"our phones register anew at a Kamailio that restarts, over {transport}",
             restarts(transport), ("offhook", "kamailio", "openssl"))
        for transport in ("tcp", "tls")
    ),
    Case("kamailio-tls-self-signed", "our phones trust a Kamailio by its self-signed certificate", by_its_own_certificate,
         ("offhook", "kamailio", "openssl", "tshark")),
    Case("kamailio-tls-unknown-ca", "our phone refuses a Kamailio whose authority it does not know", distrusts,
         ("offhook", "kamailio", "openssl")),
]
