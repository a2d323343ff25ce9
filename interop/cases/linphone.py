"""linphone's console at our exchange, in calls with our phone."""

from lib import peers
from lib.case import Case
from lib.ends import FIRST_TALK_S, Linphone, Ours, each_heard, talk
from lib.ours import Exchange

# linphone records on a clock of its own: on a busy machine its recording begins late.
LEAST_S = 1.0


def together(lab):
    exchange = Exchange(lab, peers.SECRETS)
    return exchange, Ours(lab, "7001", exchange), Linphone(lab, "7002", exchange)


def calls(ours_first):
    """A case in which one of the two calls the other."""

    def play(lab):
        exchange, ours, theirs = together(lab)
        caller, called = (ours, theirs) if ours_first else (theirs, ours)
        caller.dial(called.number)
        called.take_call()
        caller.answered()
        talk()
        called.hang_up()
        ours.over()
        theirs.over()
        exchange.alive()
        return each_heard(ours, theirs, LEAST_S)

    return play


def holds(lab):
    exchange, ours, theirs = together(lab)
    ours.dial("7002")
    theirs.take_call()
    ours.answered()
    talk(FIRST_TALK_S)
    theirs.do("hold")
    ours.phone.event("remote_hold")
    theirs.phone.says("paused")
    theirs.do("resume")
    ours.phone.event("remote_resume")
    talk()
    ours.hang_up()
    theirs.over()
    exchange.alive()
    return each_heard(ours, theirs, LEAST_S)


NEEDS = ("offhook", "linphonec", "tshark")
CASES = [
    Case("linphone-calls-phone", "linphone calls our phone", calls(ours_first=False), NEEDS),
    Case("phone-calls-linphone", "our phone calls linphone", calls(ours_first=True), NEEDS),
    Case("linphone-holds", "linphone holds and resumes a call with our phone", holds, NEEDS),
]
