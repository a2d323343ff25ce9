"""What others do to a call and to a phone beside foreign phones: a forged CANCEL, intercom, a server of many addresses."""

import os
import socket
import time

from lib import peers
from lib.case import Case
from lib.ends import HZ, TALK_S
from lib.lab import Skipped, holds_udp, need, wait_until
from lib.ours import Exchange, Phone

from .sipp_stranger import ACK

BARESIP_HZ = 620


def forged_cancel(lab):
    exchange = Exchange(lab, peers.SECRETS)
    caller = peers.Baresip(lab, "baresip", "7001", exchange.address, BARESIP_HZ)
    phone = phone_of_ours(lab, exchange, "7002")
    caller.registered()
    caller.command("dial", f"sip:7002@{exchange.address}")
    phone.event("incoming")
    caller.event("CALL_RINGING")
    # The INVITE of baresip at the exchange, and that of the exchange at our phone.
    for capture, sender, target in (
        (exchange.capture, caller.address, exchange.address), (phone.capture, exchange.address, phone.address),
    ):
        status = cancelled(lab.address(), target, captured_invite(capture, sender))
        need(status == "481", f"a stranger's CANCEL got {status} from {target}")
    phone.command("answer")
    caller.event("CALL_ESTABLISHED")
    phone.event("answered")
    phone.command("hangup")
    caller.event("CALL_CLOSED")
    # The caller's own CANCEL is obeyed, also after a forged one.
    caller.command("dial", f"sip:7002@{exchange.address}")
    phone.event("incoming")
    caller.event("CALL_RINGING")
    cancelled(lab.address(), exchange.address, captured_invite(exchange.capture, caller.address))
    caller.command("hangup")
    ended = phone.event("ended", status=487)
    need(ended.get("by") == "remote", f"baresip gave up, and the phone says {ended}")
    phone.quit()
    exchange.alive()
    return "a stranger's CANCEL with the right branch got 481 from exchange and phone; baresip's own was obeyed"


def phone_of_ours(lab, exchange, number):
    """A phone of ours with one account at the exchange, registered."""
    phone = Phone(lab, f"phone-{number}", "--account", f"{number}:{peers.secret(number)}@{exchange.address}", "--audio", f"tone:{HZ[number]}")
    phone.event("registered")
    return phone


def captured_invite(capture, sender):
    """What names the last INVITE of that sender in a capture: Request-URI without the phone's token, which its server
    alone knows, headers, and the number of its CSeq."""
    def invites():
        texts = capture.read_bytes().split(b"INVITE sip:7002")[1:]
        heads = [text.split(b"\r\n\r\n")[0].decode(errors="replace") for text in texts if b"\r\n\r\n" in text]
        return [head for head in heads if f"SIP/2.0/UDP {sender}" in head]

    wait_until(f"an INVITE of {sender} in {capture.name}", invites)
    lines = ("INVITE sip:7002" + invites()[-1]).split("\r\n")
    named = {line.split(":")[0].lower(): line for line in lines[1:]}
    return lines[0].split(" ")[1].split(";line=")[0], [named[name] for name in ("via", "from", "to", "call-id")], named["cseq"].split()[1]


def cancelled(address, target, invite):
    """Sends a CANCEL of that INVITE from a stranger's address; the status of the answer."""
    uri, headers, number = invite
    headers = "\r\n".join(headers)
    text = f"CANCEL {uri} SIP/2.0\r\n{headers}\r\nMax-Forwards: 70\r\nCSeq: {number} CANCEL\r\nContent-Length: 0\r\n\r\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 5060))
        stranger.settimeout(3)
        stranger.sendto(text.encode(), (target, 5060))
        try:
            return stranger.recv(4096).split()[1].decode()
        except TimeoutError:
            return "no answer"


def intercom(lab):
    exchange = Exchange(lab, peers.SECRETS)
    callee = peers.Pjsua2(lab, "pjsip", "7002", exchange.address, HZ["7002"])
    callee.event("registered")
    config = lab.folder / "keys.cfg"
    config.write_text("#!version:1.0.0.1\nlinekey.6.type = 14\nlinekey.6.value = 7002\nlinekey.6.line = 1\n")
    phone = Phone(
        lab, "phone", "--account", f"7001:{peers.SECRETS['7001']}@{exchange.address}", "--audio", f"tone:{HZ['7001']}",
        "--config", config,
    )
    phone.event("registered")
    # The code is allowed unless told otherwise, the caller's own header is not.
    opens(phone, callee, "dial *807002")
    rings_only(phone, callee, "key 6")
    allow(exchange, "everybody")
    opens(phone, callee, "key 6")
    allow(exchange, "nobody")
    phone.command("dial *807002")
    ended = phone.event("ended")
    need(ended.get("status") == 403, f"nobody may open 7002, and the phone says {ended}")
    rings_only(phone, callee, "key 6")
    phone.quit()
    callee.quit()
    exchange.alive()
    seconds = callee.heard_s(HZ["7001"])
    need(seconds >= TALK_S / 2, f"PJSIP heard our phone for {seconds:g} s only")
    return f"PJSIP answered by itself by code and by header where 7002 allows it, and only rang elsewhere; {seconds:g} s heard"


def allow(exchange, whom):
    exchange.ask("PUT", "/api/extensions/7002", intercom=whom)


def opens(phone, callee, command):
    phone.command(command)
    callee.event("incoming", answers=True)
    callee.event("answered")
    phone.event("answered")
    time.sleep(TALK_S)
    phone.command("hangup")
    phone.event("ended")
    callee.event("ended")


def rings_only(phone, callee, command):
    phone.command(command)
    callee.event("incoming", answers=False)
    phone.event("ringing")
    phone.command("hangup")
    ended = phone.event("ended")
    need(ended.get("by") == "local", f"the call only rings, and the phone says {ended}")
    callee.event("ended")


def many_homes(lab):
    if os.geteuid():
        raise Skipped("a resolver of its own for the phone needs root")
    exchange = Exchange(lab, peers.SECRETS)
    nobody, second, names = lab.address(), lab.address(), lab.address()
    lab.start("dnsmasq", [
        "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces", f"--listen-address={names}", "--user=root",
        f"--pid-file={lab.folder / 'dnsmasq.pid'}", "--conf-file=/dev/null", "--local=/test/",
        "--srv-host=_sip._udp.office.test,gone.office.test,5060,10", "--srv-host=_sip._udp.office.test,home.office.test,5060,20",
        "--srv-host=_sip._udp.office.test,others.office.test,5060,30", f"--host-record=gone.office.test,{nobody}",
        f"--host-record=home.office.test,{exchange.address}", f"--host-record=others.office.test,{second}",
        f"--host-record=others.office.test,{lab.address()}",
    ])
    wait_until("dnsmasq at its port", lambda: holds_udp(names, 53))
    resolver = lab.folder / "resolv.conf"
    resolver.write_text(f"nameserver {names}\noptions timeout:1 attempts:1\n")
    config = lab.folder / "names.cfg"
    rows = {
        "enable": 1, "user_name": 7001, "password": peers.SECRETS["7001"], "sip_server.1.address": "office.test",
        "sip_server.1.port": 0, "sip_server.1.transport_type": 3,
    }
    config.write_text("#!version:1.0.0.1\n" + "".join(f"account.1.{name} = {value}\n" for name, value in rows.items()))
    seen = f"mount --bind '{resolver}' /etc/resolv.conf && exec \"$@\""
    phone = Phone(
        lab, "phone", "--audio", "tone:440", "--config", config,
        before=("unshare", "--mount", "sh", "-c", seen, "sh"),
    )
    # Timer F is over before the next target is asked.
    phone.event("registered", timeout_s=60)
    # Each address of the server may call, also one that the phone has never sent to; nobody else may.
    refused = {"method": "INVITE", "asks": "Subject: nothing", "status": "403", "ack": ACK}
    peers.Sipp(
        lab, "stranger", "stranger-refused.xml", "-s", "7001", address=lab.address(), values=refused,
        target=f"{phone.address}:5060", rows=["666"], calls=1, limit_s=30,
    ).finish()
    calling = peers.Sipp(
        lab, "second", "call-direct.xml", "-s", "7001", address=second, target=f"{phone.address}:5060", rows=["7002"], calls=1, limit_s=30,
    )
    phone.event("incoming")
    phone.command("answer")
    phone.event("answered")
    calling.finish()
    phone.event("ended", by="remote")
    phone.command("dial *43")
    phone.event("answered", timeout_s=40)
    phone.command("hangup")
    phone.event("ended", by="local")
    phone.quit(timeout_s=40)
    exchange.alive()
    past = peers.frames(lab, phone.capture, f"sip.Method == REGISTER and ip.dst == {nobody}")
    need(past, "the first target of the name was never asked")
    return "registered past a target where nobody is, was called from the server's other address; a stranger got 403"


CASES = [
    Case("cancel-forged", "a stranger cancels baresip's call, at our exchange and at our phone", forged_cancel, ("offhook", "baresip")),
    Case("intercom-pjsip", "our phone opens PJSIP by code and by header, where the extension allows it", intercom, ("offhook", "python:pjsua2")),
    Case("many-homes", "our phone at a name with several targets and addresses, by dnsmasq", many_homes, ("offhook", "sipp", "dnsmasq", "unshare", "tshark"), limit_s=180),
]
