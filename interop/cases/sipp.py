"""SIPp against our exchange: registrations, wrong secrets, and a thousand calls."""

from lib import peers
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange

REGISTRATIONS = 200
CALLS = 1000
# An extension of ours has at most eight calls at once, so the calls are shared out.
PAIRS = 5
CALLS_PER_S = 10
# SIPp makes up for a moment in which it was not run; more than this many at once it does not make then.
AT_ONCE = 6


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
    callers = [str(number) for number in range(7101, 7101 + PAIRS)]
    callees = [str(number) for number in range(7201, 7201 + PAIRS)]
    exchange = Exchange(lab, {number: peers.secret(number) for number in callers + callees})
    answering, calling = [], []
    for callee in callees:
        address = lab.address()
        register(lab, exchange, callee, address, f"register-{callee}")
        answering.append(peers.Sipp(lab, f"callee-{callee}", "answer.xml", address=address, limit_s=110, log_messages=False))
    for caller, callee in zip(callers, callees):
        address = lab.address()
        register(lab, exchange, caller, address, f"register-{caller}")
        calling.append(call(lab, exchange, caller, callee, address))
    counted = [sipp.finish() for sipp in calling]
    exchange.alive()
    for sipp in answering:
        sipp.nothing_failed()
    good = sum(each["good"] for each in counted)
    need(good == CALLS, f"{good} of {CALLS} calls came out well")
    again = sum(each["retransmissions"] for each in counted)
    return f"{CALLS} calls with digest at {PAIRS * CALLS_PER_S}/s, none lost, {again} retransmissions"


def call(lab, exchange, caller, callee, address):
    """Starts one SIPp that makes its share of the calls."""
    # By itself SIPp computes its digest for another URI than the request's, which RFC 7616 §3.4.6 has us refuse.
    digest_for = ["-auth_uri", f"{callee}@{exchange.address}:5060"]
    return peers.Sipp(
        lab, f"caller-{caller}", "call.xml", "-s", callee, "-r", str(CALLS_PER_S), "-l", str(AT_ONCE), *digest_for,
        address=address, target=exchange.address, rows=[row(caller)], calls=CALLS // PAIRS, limit_s=90, log_messages=False,
    )


CASES = [
    Case("sipp-register", "SIPp registers at our exchange with digest", registers, ("offhook", "sipp")),
    Case("sipp-wrong-secret", "SIPp is refused with a wrong secret", wrong_secret, ("offhook", "sipp")),
    Case("sipp-1000-calls", "1,000 calls of SIPp through our exchange", thousand_calls, ("offhook", "sipp"), limit_s=150),
]
