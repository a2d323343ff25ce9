"""PJSIP's phone and ours through our exchange: sound both ways, hold, and key tones."""

from lib import peers, tone
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange, Phone

PJSIP_HZ, PHONE_HZ = 620, 440
TALK_S = 3
DIGITS = "159*0#"


def together(lab, transport="udp"):
    """An exchange of ours, a PJSIP phone as 7001 and a phone of ours as 7002 that records, both registered."""
    exchange = Exchange(lab, peers.SECRETS)
    server = exchange.address + (":5061" if transport == "tls" else "")
    other = peers.Pjsua2(lab, "pjsip", "7001", server, PJSIP_HZ, transport, ca=exchange.ca)
    spoken = tone.write_tone(lab.folder / "spoken.wav", PHONE_HZ, seconds=60)
    heard = lab.folder / "heard.wav"
    account = f"7002:{peers.SECRETS['7002']}@{exchange.address}"
    phone = Phone(lab, "phone", "--account", account, "--audio", f"file:{spoken},{heard}")
    other.event("registered")
    phone.event("registered")
    return exchange, other, phone, heard


def check_sound(lab, exchange, other, phone, heard):
    """Ends both phones and judges what each heard."""
    phone.quit()
    other.quit()
    exchange.alive()
    ours, theirs = tone.seconds_of(heard, PJSIP_HZ), other.heard_s(PHONE_HZ)
    need(min(ours, theirs) >= TALK_S / 2, f"our phone heard PJSIP for {ours:g} s, PJSIP ours for {theirs:g} s")
    peers.check_capture(lab, phone.capture, least_sip=8)
    return f"our phone heard PJSIP's tone for {ours:g} s, PJSIP ours for {theirs:g} s"


def talk():
    import time

    time.sleep(TALK_S)


def pjsip_calls(transport):
    def play(lab):
        exchange, other, phone, heard = together(lab, transport)
        other.command("dial 7002")
        phone.event("incoming")
        other.event("ringing")
        phone.command("answer")
        other.event("answered")
        phone.event("answered")
        talk()
        other.command("hangup")
        phone.event("ended", by="remote")
        return check_sound(lab, exchange, other, phone, heard)

    return play


def phone_calls(lab):
    exchange, other, phone, heard = together(lab)
    phone.command("dial 7001")
    other.event("incoming")
    phone.event("ringing")
    other.command("answer")
    phone.event("answered")
    other.event("media", state="resumed")
    talk()
    phone.command("hangup")
    other.event("ended")
    return check_sound(lab, exchange, other, phone, heard)


def holds(lab):
    exchange, other, phone, heard = together(lab)
    phone.command("dial 7001")
    other.event("incoming")
    other.command("answer")
    phone.event("answered")
    other.event("media", state="resumed")
    other.command("hold")
    phone.event("remote_hold")
    other.event("media", state="held")
    other.command("resume")
    phone.event("remote_resume")
    other.event("media", state="resumed")
    talk()
    other.command("hangup")
    phone.event("ended", by="remote")
    return check_sound(lab, exchange, other, phone, heard)


def key_tones(lab):
    exchange, other, phone, heard = together(lab)
    phone.command("dial 7001")
    other.event("incoming")
    other.command("answer")
    phone.event("answered")
    other.event("media", state="resumed")
    phone.command(f"dtmf {DIGITS}", timeout_s=10)
    for digit in DIGITS:
        other.event("dtmf", digit=digit)
    other.command(f"dtmf {DIGITS}")
    for digit in DIGITS:
        phone.event("dtmf", digit=digit)
    talk()
    phone.command("hangup")
    other.event("ended")
    return check_sound(lab, exchange, other, phone, heard)


NEEDS = ("offhook", "python:pjsua2", "tshark")
CASES = [
    *(
        Case(f"pjsua2-calls-phone-{transport}", f"PJSIP calls our phone, itself on {transport}", pjsip_calls(transport), NEEDS)
        for transport in ("udp", "tcp", "tls")
    ),
    Case("phone-calls-pjsua2", "our phone calls PJSIP", phone_calls, NEEDS),
    Case("pjsua2-holds-phone", "PJSIP holds and resumes a call with our phone", holds, NEEDS),
    Case("pjsua2-key-tones", "key tones (RFC 4733) go both ways between PJSIP and our phone", key_tones, NEEDS),
]
