"""Sound encrypted with keys in SDP (RFC 4568), and signalling by TLS, with baresip and PJSIP at our exchange.

An end that requires SRTP refuses a call without it, so a call that stands with sound is an encrypted one.
"""

from lib import peers
from lib.case import Case
from lib.ends import TALK_S, Baresip, Ours, Pjsip, each_heard, talk
from lib.lab import need
from lib.ours import Exchange

OTHERS = (Baresip, Pjsip)
NOT_ACCEPTABLE = 488


def calls(other, other_srtp, our_srtp, *secure):
    """A case in which the other calls our phone and then, where `secure` has two, is called by it, with sound each time.

    `secure` says whether our phone's own leg is encrypted: keys end at the exchange.
    """

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        ours = Ours(lab, "7001", exchange, srtp=our_srtp)
        theirs = other(lab, "7002", exchange, srtp=other_srtp)
        ways = ((theirs, ours), (ours, theirs))
        for (caller, called), expected in zip(ways, secure):
            caller.dial(called.number)
            told = [called.take_call(), caller.answered()]
            ours_told = told[0] if called is ours else told[1]
            need(ours_told.get("secure") is expected, f"secure must be {expected}, and the phone says {ours_told}")
            talk()
            ours.hang_up()
            theirs.over()
            ours.over()
        # Of two calls each has to be heard.
        return each_heard(ours, theirs, least_s=TALK_S * (len(secure) - 0.5))

    return play


def we_refuse(other):
    """A case in which our phone requires SRTP and the other has none: no call, and both learn why."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        ours = Ours(lab, "7001", exchange, srtp="required")
        theirs = other(lab, "7002", exchange)
        theirs.dial("7001")
        refusal = theirs.over()
        need(str(NOT_ACCEPTABLE) in str(refusal), f"{theirs.name} must learn {NOT_ACCEPTABLE}, and says {refusal}")
        need(not any(event["event"] == "incoming" for event in ours.phone.events), "the phone rang for a call that it refuses")
        ours.dial("7002")
        ended = ours.over()
        need(not any(event["event"] == "answered" for event in ours.phone.events), f"a call without SRTP stood: {ended}")
        ours.quit()
        return f"{theirs.name} without SRTP learned {refusal.get('status', refusal.get('param'))}; ours ended with {ended.get('status')}"

    return play


def they_refuse(other):
    """A case in which the other requires SRTP and our phone has none."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        ours = Ours(lab, "7001", exchange)
        theirs = other(lab, "7002", exchange, srtp="required")
        ours.dial("7002")
        ended = ours.over()
        need(ended.get("status") == NOT_ACCEPTABLE, f"{theirs.name} refuses with {NOT_ACCEPTABLE}, and the phone says {ended}")
        ours.quit()

    return play


def by_tls(other):
    """A case in which both ends speak TLS to our exchange, with certificates checked."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        ours = Ours(lab, "7001", exchange, "tls")
        theirs = other(lab, "7002", exchange, "tls")
        for caller, called in ((ours, theirs), (theirs, ours)):
            caller.dial(called.number)
            called.take_call()
            caller.answered()
            talk()
            theirs.hang_up()
            ours.over(by="remote")
            theirs.over()
        return each_heard(ours, theirs, least_s=TALK_S * 1.5)

    return play


def needs(other):
    return ("offhook", "tshark", "baresip" if other is Baresip else "python:pjsua2")


CASES = [
    case
    for other in OTHERS
    for case in (
        Case(f"srtp-required-{other.name}", f"{other.name} and our phone both require SRTP",
             calls(other, "required", "required", True, True), needs(other)),
        Case(f"srtp-optional-{other.name}", f"{other.name} and our phone both can SRTP, none requires it",
             calls(other, "optional", "optional", True, True), needs(other)),
        # An offer that can do without SRTP is RTP/AVP with a key, which these two refuse where they require it.
        Case(f"srtp-asked-{other.name}", f"{other.name} requires SRTP and calls our phone, which can",
             calls(other, "required", "optional", True), needs(other)),
        # Whom we call, our exchange reaches without keys; our own leg keeps those that it offered.
        Case(f"srtp-none-{other.name}", f"{other.name} has no SRTP, our phone could: encrypted on our leg alone where we call",
             calls(other, "off", "optional", False, True), needs(other)),
        Case(f"srtp-refused-{other.name}", f"our phone requires SRTP, {other.name} has none", we_refuse(other), needs(other)),
        Case(f"srtp-wanting-{other.name}", f"{other.name} requires SRTP, our phone has none", they_refuse(other), needs(other)),
        Case(f"tls-{other.name}", f"{other.name} and our phone at our exchange by TLS", by_tls(other), needs(other)),
    )
]
