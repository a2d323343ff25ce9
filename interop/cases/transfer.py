"""Transfers among our phone, PJSIP, baresip and linphone at our exchange; who hears whom afterwards is judged by tone."""

from lib import peers
from lib.case import Case
from lib.ends import FIRST_TALK_S, Baresip, Linphone, Ours, Pjsip, each_heard, talk
from lib.lab import need
from lib.ours import Exchange

PROGRAMS = {Pjsip: "python:pjsua2", Baresip: "baresip", Linphone: "linphonec"}
# linphone records on a clock of its own: on a busy machine its recording begins late.
LEAST_S, LEAST_OF_LINPHONE_S = 1.5, 1.0


def three(lab, kinds):
    """Our exchange, and three ends at it of these kinds; the first one is in a call with the second."""
    exchange = Exchange(lab, peers.SECRETS)
    ends = [kind(lab, number, exchange) for kind, number in zip(kinds, ("7001", "7002", "7003"))]
    transferor, transferee, _ = ends
    transferor.dial("7002")
    transferee.take_call()
    transferor.ringing()
    transferor.answered()
    talk(FIRST_TALK_S)
    return exchange, *ends


def blind(lab, kinds):
    exchange, transferor, transferee, target = three(lab, kinds)
    transferor.do(f"transfer {target_of(transferor, exchange)}")
    target.take_call()
    transferor.transferred()
    return afterwards(exchange, transferee, target)


def target_of(transferor, exchange):
    """What a transfer is asked to: some want a whole address."""
    return f"sip:7003@{exchange.address}" if isinstance(transferor, (Baresip, Linphone)) else "7003"


def attended(lab, kinds):
    exchange, transferor, transferee, target = three(lab, kinds)
    transferor.do("consult 7003")
    target.take_call()
    transferor.answered()
    talk(FIRST_TALK_S)
    transferor.do("complete")
    transferor.transferred()
    return afterwards(exchange, transferee, target)


def semi_attended(lab, kinds):
    exchange, transferor, transferee, target = three(lab, kinds)
    transferor.do("consult 7003")
    target.rings()
    transferor.ringing()
    transferor.do("complete")
    if type(transferor) is Ours:
        # Our phone gives its own call up and lets the transferee call, so the target rings anew.
        target.over()
        target.rings()
    target.do("answer")
    transferor.transferred()
    target.answered()
    return afterwards(exchange, transferee, target)


def cancelled(lab, kinds):
    exchange, transferor, transferee, target = three(lab, kinds)
    transferor.do("consult 7003")
    target.rings()
    transferor.ringing()
    transferor.hang_up()
    target.over()
    transferor.over()
    transferor.do("resume")
    talk(FIRST_TALK_S)
    return afterwards(exchange, transferor, transferee)


def refused(lab, kinds):
    exchange, transferor, transferee, target = three(lab, kinds)
    transferor.do("transfer 7003")
    target.rings()
    target.hang_up()
    transferor.transferred(status=603 if isinstance(target, Pjsip) else 486)
    if isinstance(transferor, Ours):
        resumed = transferor.phone.event("resumed")
        need(resumed.get("peer") == "7002", f"the call that comes back is with 7002, not {resumed}")
    talk(FIRST_TALK_S)
    return afterwards(exchange, transferor, transferee)


def attended_recoded(lab):
    """The two that are left last spoke other codings: baresip has PCMU alone, PJSIP was offered PCMA first."""
    exchange = Exchange(lab, peers.SECRETS)
    transferor = Ours(lab, "7001", exchange)
    transferee = Baresip(lab, "7002", exchange, settings=";audio_codecs=PCMU/8000/1")
    target = Pjsip(lab, "7003", exchange)
    transferor.dial("7002")
    transferee.take_call()
    transferor.ringing()
    first = transferor.answered()
    talk(FIRST_TALK_S)
    transferor.do("consult 7003")
    target.take_call()
    second = transferor.answered()
    codecs = first.get("codec"), second.get("codec")
    need(codecs == ("PCMU", "PCMA"), f"the calls should be PCMU and PCMA, and the phone says {codecs}")
    talk(FIRST_TALK_S)
    transferor.do("complete")
    transferor.transferred()
    return afterwards(exchange, transferee, target)


def afterwards(exchange, one, other):
    """Judges that those two talk."""
    talk()
    exchange.alive()
    with_linphone = isinstance(one, Linphone) or isinstance(other, Linphone)
    return each_heard(one, other, LEAST_OF_LINPHONE_S if with_linphone else LEAST_S)


# Where PJSIP has held baresip and takes the call back, baresip 1.0 records no more, also at a Kamailio: such a way
# is left out. linphone and PJSIP agree on speex between them, which no third end here has: where linphone moves
# PJSIP, the target refuses what PJSIP said last and is asked for an offer.
WAYS = {
    blind: ((Ours, Pjsip, Baresip), (Ours, Baresip, Pjsip), (Pjsip, Ours, Baresip), (Pjsip, Baresip, Ours),
            (Baresip, Ours, Pjsip), (Baresip, Pjsip, Ours), (Linphone, Ours, Pjsip),
            (Ours, Linphone, Pjsip), (Pjsip, Ours, Linphone), (Linphone, Pjsip, Baresip),
            (Linphone, Pjsip, Ours)),
    attended: ((Ours, Pjsip, Baresip), (Ours, Baresip, Pjsip), (Pjsip, Ours, Baresip),
               (Ours, Linphone, Pjsip), (Ours, Pjsip, Linphone)),
    semi_attended: ((Ours, Baresip, Pjsip), (Ours, Pjsip, Baresip), (Pjsip, Ours, Baresip),
                    (Ours, Linphone, Pjsip)),
    cancelled: ((Ours, Baresip, Pjsip), (Ours, Linphone, Pjsip), (Pjsip, Ours, Baresip)),
    refused: ((Ours, Baresip, Pjsip),),
}


def needs(kinds):
    """What those ends are made of."""
    return ("offhook", *(PROGRAMS[kind] for kind in kinds if kind in PROGRAMS), "tshark")


def cases():
    yield Case(
        "attended-recoded", "attended transfer: our phone moves baresip with PCMU to PJSIP with PCMA", attended_recoded,
        needs((Ours, Baresip, Pjsip)),
    )
    for how, ways in WAYS.items():
        manner = how.__name__.replace("_", "-")
        for kinds in ways:
            names = [kind.name for kind in kinds]
            yield Case(
                f"{manner}-{'-'.join(names)}", f"{manner} transfer: {names[0]} moves {names[1]} to {names[2]}",
                lambda lab, how=how, kinds=kinds: how(lab, kinds), needs(kinds),
            )


CASES = list(cases())
