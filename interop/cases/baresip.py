"""baresip at our exchange, and in calls with our phone, each hearing the other's tone."""

import time

from lib import peers, tone
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange, Phone

TALK_S = 4
BARESIP_HZ, PHONE_HZ = 620, 440


def registers_over(transport):
    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        server = exchange.address + (":5061" if transport == "tls" else "")
        phone = peers.Baresip(lab, "baresip", "7001", server, BARESIP_HZ, transport, ca=exchange.ca)
        phone.registered()
        phone.command("quit")
        need(phone.process.wait(10) == 0, "baresip did not end well")
        exchange.alive()
        return f"registered over {transport} with digest and took its leave"

    return play


def together(lab, account_options=""):
    """An exchange of ours, a baresip as 7001 and a phone of ours as 7002 that records, both registered."""
    exchange = Exchange(lab, peers.SECRETS)
    other = peers.Baresip(lab, "baresip", "7001", exchange.address, BARESIP_HZ, account_options=account_options)
    spoken = tone.write_tone(lab.folder / "spoken.wav", PHONE_HZ, seconds=60)
    heard = lab.folder / "heard.wav"
    account = f"7002:{peers.SECRETS['7002']}@{exchange.address}"
    phone = Phone(lab, "phone", "--account", account, "--audio", f"file:{spoken},{heard}")
    other.registered()
    phone.event("registered")
    return exchange, other, phone, heard


def check_sound(lab, exchange, other, phone, heard):
    """Talks, ends the call from our side, and judges what each side heard."""
    other.hears(PHONE_HZ, timeout_s=12)
    time.sleep(TALK_S / 2)
    phone.command("hangup")
    ended = phone.event("ended")
    other.event("CALL_CLOSED")
    phone.quit()
    exchange.alive()
    seconds = tone.seconds_of(heard, BARESIP_HZ)
    need(seconds >= TALK_S / 2, f"our phone heard baresip's {BARESIP_HZ} Hz for {seconds:g} s only")
    need((ended.get("rtp") or {}).get("rx_packets"), f"the phone counts no packets received: {ended}")
    peers.check_capture(lab, phone.capture, least_sip=8)
    return f"our phone heard baresip's tone for {seconds:g} s, baresip ours for 2 s or more"


def baresip_calls_phone(lab):
    exchange, other, phone, heard = together(lab)
    other.command("dial", f"sip:7002@{exchange.address}")
    incoming = phone.event("incoming")
    need("7001" in str(incoming.get("peer")), f"7001 calls, and the phone says {incoming}")
    other.event("CALL_RINGING")
    phone.command("answer")
    other.event("CALL_ESTABLISHED")
    phone.event("answered")
    return check_sound(lab, exchange, other, phone, heard)


def phone_calls_baresip(lab):
    exchange, other, phone, heard = together(lab)
    phone.command("dial 7001")
    other.event("CALL_ESTABLISHED")
    phone.event("answered")
    return check_sound(lab, exchange, other, phone, heard)


CASES = [
    *(
        Case(f"baresip-register-{transport}", f"baresip registers at our exchange over {transport}",
             registers_over(transport), ("offhook", "baresip"))
        for transport in ("udp", "tcp", "tls")
    ),
    Case("baresip-calls-phone", "baresip calls our phone through our exchange", baresip_calls_phone,
         ("offhook", "baresip", "tshark")),
    Case("phone-calls-baresip", "our phone calls baresip through our exchange", phone_calls_baresip,
         ("offhook", "baresip", "tshark")),
]
