"""A server on a bad day, played by SIPp: it changes its realm or its nonce, restarts, sends a call elsewhere, and grants
little time; and a system whose clock is set."""

import re
import time
from pathlib import Path

from lib import peers
from lib.case import Case
from lib.lab import need, wait_until
from lib.ours import Phone

from .sipp_lamps import watching
from .sipp_phone import phone_at

# SIPp counts what it does not expect as a fault; a keep-alive is such.
QUIET = "account.1.nat.udp_update_enable = 0\n"
# A registration is refreshed five seconds after it is made, and tried again three after it failed.
SOON = "account.1.sip_server.1.expires = 30\naccount.1.register_expires_overlap = 25\naccount.1.reg_fail_retry_interval = 3\n"


def registers(requests):
    """What SIPp has seen of REGISTERs."""
    return [text for text in re.split(r"(?m)^-{10,}.*$", requests) if "\nREGISTER sip:" in text]


def realm_moves(lab):
    server = lab.address()
    first = peers.Sipp(lab, "first", "server.xml", address=server, limit_s=80)
    phone = phone_at(lab, server, settings=QUIET + SOON)
    first.process.stop()
    peers.Sipp(lab, "second", "realm-moved.xml", address=server, limit_s=80)
    failed = phone.event("registration_failed", timeout_s=30)
    need("realm" in failed["reason"] and "two.example" in failed["reason"], f"the reason names no realm: {failed}")
    phone.event("registered", timeout_s=60)
    return f"refused once: {failed['reason']}"


def next_nonce(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "next-nonce.xml", address=server, limit_s=50)
    phone = phone_at(lab, server, settings=QUIET)
    warned = phone.event("log", having="rspauth")
    phone.quit()
    last = registers((lab.folder / "server.messages").read_text())[-1]
    need('nonce="next-1"' in last and "nc=00000001" in last, f"the next request is {last}")
    return warned["line"]


def restarts(lab):
    server = lab.address()
    first = peers.Sipp(lab, "first", "server.xml", address=server, limit_s=80)
    phone = phone_at(lab, server, settings=QUIET)
    first.process.stop()
    phone.command("dial 7002")
    time.sleep(2)
    second = peers.Sipp(lab, "second", "server.xml", address=server, limit_s=80)
    phone.event("answered")
    phone.command("hangup")
    phone.event("ended", by="local")
    second.nothing_failed()
    begun = time.monotonic()
    phone.command("dial 7002")
    ended = phone.event("ended")
    lasted_s = time.monotonic() - begun
    need("no server listens" in ended["reason"] and lasted_s < 6, f"after {lasted_s:.1f} s: {ended}")
    return f"the call came through; later one ended after {lasted_s:.1f} s: {ended['reason']}"


def moved_to_two(lab):
    server, nobody, somebody = lab.address(), lab.address(), lab.address()
    peers.Sipp(lab, "nobody", "not-found.xml", address=nobody, limit_s=50)
    peers.Sipp(lab, "somebody", "answer.xml", address=somebody, limit_s=50)
    values = {"first": nobody, "second": somebody}
    peers.Sipp(lab, "server", "moved-to-two.xml", address=server, values=values, limit_s=50)
    phone = phone_at(lab, server, settings=QUIET)
    phone.command("dial 7002")
    phone.event("answered")
    phone.command("hangup")
    phone.event("ended", by="local")
    phone.quit()
    for name in ("nobody", "somebody"):
        seen = (lab.folder / f"{name}.messages").read_text()
        need("INVITE sip:700" in seen, f"{name} was not asked")
        need("Authorization" not in seen, f"{name} was shown credentials")


def taken_elsewhere(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", address=server, limit_s=50)
    phone = phone_at(lab, server, settings=QUIET)
    calling = peers.Sipp(
        lab, "caller", "taken-elsewhere.xml", "-s", "7001", address=server, port=5070,
        target=f"{phone.address}:5060", rows=["7002"], calls=1, limit_s=30,
    )
    phone.event("incoming")
    phone.event("ended", by="remote")
    calling.finish()
    phone.command("history")
    history = phone.event("history")
    missed = [call for call in history["calls"] if call["kind"] == "missed"]
    need(not missed, f"answered elsewhere, and listed as missed: {missed}")


def watched_shortly(lab):
    notifier, phone = watching(lab, "watched-shortly.xml")
    phone.event("lamp", key=2, meaning="busy")
    messages = lab.folder / "server.messages"
    asked = lambda: len(re.findall(r"(?m)^SUBSCRIBE sip:.*(?:\n.+)*\nExpires: [1-9]", messages.read_text().replace("\r", "")))
    wait_until("the subscription is refreshed", lambda: asked() >= 2, timeout_s=10)
    phone.command("set linekey.2.type 0")
    notifier.nothing_failed()


def clock_is_set(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", address=server, limit_s=50)
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    ahead = lab.folder / "ahead"
    ahead.write_text("+0")
    words = ("env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={ahead}", "FAKETIME_NO_CACHE=1",
             "FAKETIME_DONT_FAKE_MONOTONIC=1")
    config = lab.folder / "phone.cfg"
    config.write_text(f"#!version:1.0.0.1\n{QUIET}")
    account = f"7001:{peers.SECRETS['7001']}@{server}"
    phone = Phone(lab, "phone", "--account", account, "--config", config, before=words)
    year = int(phone.event("registered")["at"][:4])
    ahead.write_text("+800d")
    phone.command("dial 7002")
    answered = phone.event("answered")
    need(int(answered["at"][:4]) >= year + 2, f"the clock is two years ahead, and the phone says {answered['at']}")
    phone.command("hangup")
    phone.event("ended", by="local")
    phone.command("history")
    dialled = phone.event("history")["calls"][0]["at"]
    need(int(dialled[:4]) >= year + 2, f"the history says {dialled}")
    phone.quit()
    return f"registered in {year}, called at {answered['at']}"


NEEDS = ("offhook", "sipp")
CASES = [
    Case("phone-realm-moves", "SIPp comes back under another realm", realm_moves, NEEDS, limit_s=120),
    Case("phone-next-nonce", "SIPp names the nonce of the next request and a wrong rspauth", next_nonce, NEEDS),
    Case("phone-server-restarts", "SIPp is away for two seconds of our phone's call, and then for good", restarts, NEEDS),
    Case("phone-moved-to-two", "SIPp sends our phone's call to two others, the first knows nobody", moved_to_two, NEEDS),
    Case("phone-taken-elsewhere", "SIPp takes its call back: answered elsewhere", taken_elsewhere, NEEDS),
    Case("phone-lamps-shortly", "SIPp grants eight seconds by its 200 alone, and tells the end", watched_shortly, NEEDS),
    Case("phone-clock-set", "the system's clock is set under our phone (libfaketime)", clock_is_set, (*NEEDS, "faketime")),
]
