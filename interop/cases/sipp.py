"""SIPp against our exchange: registrations, wrong secrets, and a thousand calls."""

from lib import peers
from lib.case import Case
from lib.lab import need, wait_until
from lib.ours import Exchange

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


CASES = [
    Case("sipp-register", "SIPp registers at our exchange with digest", registers, ("offhook", "sipp")),
    Case("sipp-wrong-secret", "SIPp is refused with a wrong secret", wrong_secret, ("offhook", "sipp")),
    Case("sipp-1000-calls", "1,000 calls of SIPp through our exchange", thousand_calls, ("offhook", "sipp"), limit_s=150),
]
