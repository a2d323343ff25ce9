"""What else a call can do, between our phone and others: hold, digits, wide band, conference, pickup."""

from lib import peers, tone
from lib.case import Case
from lib.ends import FIRST_TALK_S, HZ, TALK_S, Baresip, Linphone, Ours, Pjsip, each_heard, talk
from lib.lab import need
from lib.ours import Exchange

DIGITS = "159*0#"
# DTMF Type and DTMF INFO Type of the phone's settings.
WAYS_OF_DIGITS = {
    "rfc4733": "account.1.dtmf.type 1",
    "info": "account.1.dtmf.type 2 account.1.dtmf.info_type 1",
}
WIDE = "account.1.codec.g722.enable 1 account.1.codec.g722.priority 1 account.1.codec.pcma.enable 0 account.1.codec.pcmu.enable 0"


def in_call(lab, other, settings="", theirs=""):
    """Our phone as 7001 in a call with the other as 7002, at our exchange."""
    exchange = Exchange(lab, peers.SECRETS)
    ours, theirs = Ours(lab, "7001", exchange, settings=settings), other(lab, "7002", exchange, settings=theirs)
    ours.dial("7002")
    theirs.take_call()
    told = ours.answered()
    return exchange, ours, theirs, told


def ended(exchange, ours, theirs):
    """Ends the call from our side, and judges the sound."""
    ours.hang_up()
    theirs.over()
    exchange.alive()
    return each_heard(ours, theirs)


def digits(other, settings):
    """A case in which our phone sends digits in one of its ways, and the other must get just these."""

    def play(lab):
        exchange, ours, theirs, _ = in_call(lab, other, settings)
        talk(FIRST_TALK_S)
        ours.phone.command(f"dtmf {DIGITS}", timeout_s=10)
        got = "".join(theirs.digit() for _ in DIGITS)
        need(got == DIGITS, f"our phone sent {DIGITS}, {theirs.name} got {got}")
        talk(FIRST_TALK_S)
        return f"{theirs.name} got {got}; {ended(exchange, ours, theirs)}"

    return play


def digits_come(other, command, how):
    """A case in which the other sends digits and our phone must tell just these."""

    def play(lab):
        exchange, ours, theirs, _ = in_call(lab, other)
        talk(FIRST_TALK_S)
        theirs.do(f"{command} {DIGITS}")
        told = [ours.phone.event("dtmf") for _ in DIGITS]
        got = "".join(event["digit"] for event in told)
        need(got == DIGITS, f"{theirs.name} sent {DIGITS}, our phone got {got}")
        ways = {event["how"] for event in told}
        need(ways == {how}, f"the digits came by {how}, and the phone says {ways}")
        # No sound during digits, and half a second of baresip's is lost: it sends from another address than it names.
        talk(2 * FIRST_TALK_S)
        return f"our phone got {got} by {how}; {ended(exchange, ours, theirs)}"

    return play


def wide_band(lab):
    exchange, ours, theirs, told = in_call(lab, Baresip, WIDE, ";audio_codecs=G722/16000/1")
    need(told.get("codec") == "G722", f"both have G.722 alone, and the phone says {told}")
    talk()
    return ended(exchange, ours, theirs)


def hears(theirs, number):
    """Fails the case unless the other heard this number's tone for most of a talk; returns a sentence on it."""
    heard_s = theirs.heard_s(number)
    need(heard_s >= TALK_S / 2, f"{theirs.name} should hear {HZ[number]} Hz for {TALK_S} s and heard it for {heard_s:g} s")
    return f"{theirs.name} heard {HZ[number]} Hz for {heard_s:g} s"


def music(other):
    """A case in which the other is held and hears the exchange's music."""

    def play(lab):
        folder = lab.subfolder("music")
        tone.write_tone(folder / "music.wav", HZ["7003"], seconds=20)
        exchange = Exchange(lab, peers.SECRETS, "--music", folder)
        ours, theirs = Ours(lab, "7001", exchange), other(lab, "7002", exchange)
        ours.dial("7002")
        theirs.take_call()
        ours.answered()
        talk(FIRST_TALK_S)
        ours.do("hold")
        talk()
        ours.do("resume")
        talk(FIRST_TALK_S)
        exchange.alive()
        return hears(theirs, "7003")

    return play


def echoes(other):
    """A case in which the other calls the echo test and hears itself."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        theirs = other(lab, "7002", exchange)
        theirs.dial("*43")
        theirs.answered()
        talk()
        exchange.alive()
        return hears(theirs, "7002")

    return play


def by_api(lab):
    """Calls made and led by HTTP: both ends are others'."""
    exchange = Exchange(lab, peers.SECRETS)
    caller, callee, target = Pjsip(lab, "7001", exchange), Baresip(lab, "7002", exchange), Pjsip(lab, "7003", exchange)
    call = exchange.ask("POST", "/api/calls", **{"from": "7001", "to": "7002"})["call"]
    caller.take_call()
    callee.take_call()
    talk(FIRST_TALK_S)
    exchange.ask("POST", f"/api/calls/{call}/transfer", party="caller", to="7003")
    target.take_call()
    callee.over()
    talk()
    exchange.alive()
    return each_heard(caller, target)


def codes(lab):
    """baresip sends its calls on by a code; our phone, where they end, calls back by another."""
    exchange = Exchange(lab, peers.SECRETS)
    caller, forwarding, ours = Pjsip(lab, "7001", exchange), Baresip(lab, "7002", exchange), Ours(lab, "7003", exchange)
    forwarding.dial("*727003")
    forwarding.answered()
    forwarding.over()
    caller.dial("7002")
    told = ours.rings()
    need(told.get("diverted_from") == "7002", f"7002 has sent the call on, and the phone says {told}")
    ours.hang_up()
    ours.over()
    caller.over()
    ours.dial("*69")
    caller.take_call()
    ours.answered()
    talk()
    exchange.alive()
    return each_heard(ours, caller)


def parks(lab):
    exchange = Exchange(lab, peers.SECRETS)
    theirs, parked, taker = Pjsip(lab, "7001", exchange), Baresip(lab, "7002", exchange), Ours(lab, "7003", exchange)
    theirs.dial("7002")
    parked.take_call()
    theirs.answered()
    talk(FIRST_TALK_S)
    theirs.do("transfer 800")
    told = exchange.event("parked")
    need(told["place"] == "800", f"the call was sent to 800, and the exchange says {told}")
    talk(FIRST_TALK_S)
    taker.dial("800")
    taker.answered()
    talk()
    exchange.alive()
    return each_heard(taker, parked)


def nothing_in_common(lab):
    exchange = Exchange(lab, peers.SECRETS)
    ours = Ours(lab, "7001", exchange, settings="account.1.codec.pcmu.enable 0")
    Baresip(lab, "7002", exchange, settings=";audio_codecs=PCMU/8000/1")
    ours.dial("7002")
    ended = ours.over()
    need(ended.get("status") == 488, f"the call should end with 488: {ended}")
    exchange.alive()
    return f"our phone is told {ended['status']} {ended['reason']}"


def holds(other):
    """A case in which each side holds and takes the call back; both hear each other again afterwards."""

    def play(lab):
        exchange, ours, theirs, _ = in_call(lab, other)
        talk(FIRST_TALK_S)
        ours.do("hold")
        ours.phone.event("held")
        theirs.held_by_other()
        ours.do("resume")
        ours.phone.event("resumed")
        theirs.resumed_by_other()
        theirs.do("hold")
        ours.phone.event("remote_hold")
        theirs.do("resume")
        ours.phone.event("remote_resume")
        talk()
        return ended(exchange, ours, theirs)

    return play


def conference(lab):
    exchange, ours, first, _ = in_call(lab, Pjsip)
    second = Baresip(lab, "7003", exchange)
    ours.do("consult 7003")
    second.take_call()
    ours.answered()
    ours.do("conference")
    talk()
    ours.do("hangup all")
    first.over()
    second.over()
    exchange.alive()
    heard = {
        ours.name: ours.heard_s("7002", "7003"),
        first.name: first.heard_s("7001", "7003"),
        second.name: second.heard_s("7001", "7002"),
    }
    said = ", ".join(f"{name} for {seconds:g} s" for name, seconds in heard.items())
    need(min(heard.values()) >= TALK_S / 2, f"each must hear both others at once: {said}")
    return f"each heard both others at once: {said}"


def picks_up(other, code):
    """A case in which 7001, ringing at nobody, is picked up by the other with a feature code."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        caller, ringing = Ours(lab, "7003", exchange), Ours(lab, "7001", exchange)
        theirs = other(lab, "7002", exchange)
        caller.dial("7001")
        ringing.rings()
        caller.ringing()
        theirs.dial(code)
        theirs.answered()
        caller.answered()
        ringing.over()
        talk()
        exchange.alive()
        return each_heard(caller, theirs)

    return play


BARESIP, PJSIP = ("offhook", "tshark", "baresip"), ("offhook", "tshark", "python:pjsua2")
NEEDS = {Baresip: BARESIP, Pjsip: PJSIP}
CASES = [
    *(
        Case(f"digits-{way}-{other.name}", f"our phone's digits by {way} at {other.name}", digits(other, settings), NEEDS[other])
        for way, settings in WAYS_OF_DIGITS.items() for other in NEEDS
    ),
    Case("digits-from-baresip", "baresip's digits (RFC 4733) at our phone", digits_come(Baresip, "dtmf", "rtp"), BARESIP),
    Case("digits-from-pjsip-info", "PJSIP's digits by INFO at our phone", digits_come(Pjsip, "info", "info"), PJSIP),
    Case("g722-baresip", "a call with baresip in G.722", wide_band, BARESIP),
    Case("music-pjsip", "PJSIP is held and hears music", music(Pjsip), PJSIP),
    Case("music-linphone", "linphone is held and hears music", music(Linphone), ("offhook", "tshark", "linphonec")),
    *(Case(f"echo-{other.name}", f"{other.name} calls the echo test", echoes(other), NEEDS[other]) for other in NEEDS),
    Case("codes", "baresip forwards PJSIP by a code to our phone, which calls back by a code", codes, (*PJSIP, "baresip")),
    Case("calls-by-api", "PJSIP is called and led on by the HTTP API", by_api, (*PJSIP, "baresip")),
    Case("park", "PJSIP parks baresip by a transfer, our phone takes it", parks, (*PJSIP, "baresip")),
    Case("no-common-codec", "our phone with PCMA calls baresip with PCMU", nothing_in_common, BARESIP),
    Case("hold-baresip", "our phone and baresip hold each other", holds(Baresip), BARESIP),
    Case("hold-pjsip", "our phone and PJSIP hold each other", holds(Pjsip), PJSIP),
    Case("conference", "our phone joins PJSIP and baresip", conference, (*PJSIP, "baresip")),
    *(
        Case(f"pickup-{other.name}", f"{other.name} picks up a call that rings at our phone", picks_up(other, "*047001"), NEEDS[other])
        for other in NEEDS
    ),
]
