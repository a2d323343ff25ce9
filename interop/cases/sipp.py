"""SIPp against our exchange and against our phone."""

from lib import peers, tone
from lib.case import Case
from lib.lab import need, wait_until
from lib.ours import Exchange, Phone

REGISTRATIONS = 200
CALLS = 1000
CALLS_PER_S = 50


def row(number, secret=None):
    """A row of SIPp's table: the number, and the keyword for its digest."""
    return f"{number};{peers.authentication(number, secret)}"


def register(lab, exchange, number, address, name):
    """Registers one extension from SIPp's address, with digest."""
    peers.Sipp(
        lab, name, "register.xml", address=address, target=exchange.address, rows=[row(number)], calls=1, limit_s=10,
    ).finish()


def registers(lab):
    exchange = Exchange(lab, peers.SECRETS)
    rows = [row(number) for number in peers.SECRETS]
    sipp = peers.Sipp(
        lab, "register", "register.xml", "-r", "50", address=lab.address(), target=exchange.address, rows=rows,
        calls=REGISTRATIONS, limit_s=30,
    )
    counted = sipp.finish()
    exchange.alive()
    need(counted["good"] == REGISTRATIONS, f"{counted['good']} of {REGISTRATIONS} registrations were taken")
    return f"{counted['good']} registrations with digest, {counted['retransmissions']} retransmissions"


def wrong_secret(lab):
    exchange = Exchange(lab, peers.SECRETS)
    address = lab.address()
    wrong = [row("7001", "not-the-secret-0000"), row("7999", "not-the-secret-0000")]
    peers.Sipp(
        lab, "refused", "register-refused.xml", address=address, target=exchange.address, rows=wrong, calls=2, limit_s=20,
    ).finish()
    register(lab, exchange, "7001", lab.address(), "right-afterwards")
    return "a wrong secret and an unknown number were refused, the right secret was taken after it"


def thousand_calls(lab):
    exchange = Exchange(lab, peers.SECRETS)
    caller, callee = lab.address(), lab.address()
    register(lab, exchange, "7001", caller, "register-caller")
    register(lab, exchange, "7002", callee, "register-callee")
    answering = peers.Sipp(lab, "callee", "answer.xml", address=callee, limit_s=110, log_messages=False)
    calling = peers.Sipp(
        lab, "caller", "call.xml", "-s", "7002", "-r", str(CALLS_PER_S), "-l", "200", address=caller,
        target=exchange.address, rows=[row("7001")], calls=CALLS, limit_s=90, log_messages=False,
    )
    counted = calling.finish()
    exchange.alive()
    wait_until("the callee counts every call", lambda: answering.counted()["good"] >= CALLS, 5)
    need(answering.counted()["failed"] == 0, f"the callee lost calls: {answering.counted()}")
    need(counted["good"] == CALLS, f"{counted['good']} of {CALLS} calls came out well")
    return f"{CALLS} calls with digest at {CALLS_PER_S}/s, none lost, {counted['retransmissions']} retransmissions"


def phone_calls_sipp(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", "-rtp_echo", address=server, limit_s=50)
    spoken = tone.write_tone(lab.folder / "spoken.wav", 440, seconds=30)
    heard = lab.folder / "heard.wav"
    phone = Phone(lab, "phone", "--account", f"7001:{peers.SECRETS['7001']}@{server}", "--audio", f"file:{spoken},{heard}")
    phone.event("registered")
    phone.command("dial 7002")
    phone.event("ringing")
    answered = phone.event("answered")
    need(answered.get("codec") == "PCMA", f"SIPp's SDP names PCMA alone, the phone says {answered.get('codec')}")
    wait_for_sound(4)
    phone.command("hangup")
    ended = phone.event("ended")
    need(ended.get("by") == "local", f"the phone hung up, and says {ended}")
    phone.quit()
    seconds = tone.seconds_of(heard, 440)
    need(seconds >= 2, f"the phone's own tone came back from SIPp for {seconds:g} s only")
    peers.check_capture(lab, phone.capture, least_sip=10, least_rtp=200)
    return f"registered and called with digest that SIPp checked; {seconds:g} s of echo heard"


def sipp_calls_phone(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", address=server, limit_s=50)
    phone = Phone(lab, "phone", "--account", f"7001:{peers.SECRETS['7001']}@{server}", "--audio", "tone:440")
    phone.event("registered")
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
    peers.check_capture(lab, phone.capture, least_sip=6, least_rtp=150)
    return "rang, was answered, sent its sound, and took the BYE"


def wait_for_sound(seconds):
    """Lets a call talk; the only time in a case that passes by the clock alone."""
    import time

    time.sleep(seconds)


CASES = [
    Case("sipp-register", "SIPp registers at our exchange with digest", registers, ("offhook", "sipp")),
    Case("sipp-wrong-secret", "SIPp is refused with a wrong secret", wrong_secret, ("offhook", "sipp")),
    Case("sipp-1000-calls", "1,000 calls of SIPp through our exchange", thousand_calls, ("offhook", "sipp"), limit_s=150),
    Case("phone-calls-sipp", "our phone registers at SIPp and calls it", phone_calls_sipp, ("offhook", "sipp", "tshark")),
    Case("sipp-calls-phone", "SIPp calls our phone", sipp_calls_phone, ("offhook", "sipp", "tshark")),
]
