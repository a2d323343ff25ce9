"""Transfers among our phone, PJSIP and baresip at our exchange; who hears whom afterwards is judged by tone."""

from lib import peers, tone
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange, Phone

HZ = {"7001": 440, "7002": 620, "7003": 830}
TALK_S = 3


class Ours:
    """Our phone in such a call."""

    def __init__(self, lab, number, exchange):
        self.number = number
        self.lab = lab
        spoken = tone.write_tone(lab.folder / f"{number}-spoken.wav", HZ[number], seconds=60)
        self.recording = lab.folder / f"{number}-heard.wav"
        account = f"{number}:{peers.SECRETS[number]}@{exchange.address}"
        self.phone = Phone(lab, f"phone-{number}", "--account", account, "--audio", f"file:{spoken},{self.recording}")
        self.phone.event("registered")

    def do(self, command):
        self.phone.command(command)

    def take_call(self):
        self.phone.event("incoming")
        self.phone.command("answer")
        self.phone.event("answered")

    def answered(self):
        self.phone.event("answered")

    def ringing(self):
        self.phone.event("ringing")

    def transferred(self):
        done = self.phone.event("transferred")
        need(done.get("status") == 200, f"the transfer did not succeed: {done}")

    def heard_s(self, number):
        if self.phone.process.ended() is None:
            self.phone.quit()
            peers.check_capture(self.lab, self.phone.capture, least_sip=8)
        return tone.seconds_of(self.recording, HZ[number])


class Pjsip(Ours):
    """PJSIP's phone; it takes the same commands and tells nearly the same events."""

    def __init__(self, lab, number, exchange):
        self.number = number
        self.phone = peers.Pjsua2(lab, f"pjsip-{number}", number, exchange.address, HZ[number])
        self.phone.event("registered")

    def transferred(self):
        done = self.phone.event("transferred", last=True)
        need(done.get("status") == 200, f"the transfer did not succeed: {done}")

    def heard_s(self, number):
        if self.phone.process.ended() is None:
            self.phone.quit()
        return self.phone.heard_s(HZ[number])


class Baresip:
    """baresip, which answers by itself."""

    def __init__(self, lab, number, exchange):
        self.number = number
        self.phone = peers.Baresip(lab, f"baresip-{number}", number, exchange.address, HZ[number])
        self.phone.registered()

    def take_call(self):
        self.phone.event("CALL_ESTABLISHED")

    def heard_s(self, number):
        return self.phone.heard_s(HZ[number])


def transfers(kinds, attended):
    """A case in which 7001 calls 7002 and transfers it to 7003; `kinds` are the three programs in this order."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        ends = [kind(lab, number, exchange) for kind, number in zip(kinds, ("7001", "7002", "7003"))]
        transferor, transferee, target = ends
        transferor.do("dial 7002")
        transferee.take_call()
        transferor.answered()
        if attended:
            transferor.do("consult 7003")
            target.take_call()
            transferor.answered()
            transferor.do("complete")
        else:
            transferor.do("transfer 7003")
            target.take_call()
        transferor.transferred()
        talk()
        exchange.alive()
        heard = transferee.heard_s("7003"), target.heard_s("7002")
        need(min(heard) >= TALK_S / 2, f"7002 heard 7003 for {heard[0]:g} s, 7003 heard 7002 for {heard[1]:g} s")
        return f"7002 and 7003 heard each other for {heard[0]:g} and {heard[1]:g} s"

    return play


def talk():
    import time

    time.sleep(TALK_S)


WAYS = {
    "phone-pjsip-baresip": (Ours, Pjsip, Baresip),
    "phone-baresip-pjsip": (Ours, Baresip, Pjsip),
    "pjsip-phone-baresip": (Pjsip, Ours, Baresip),
    "pjsip-baresip-phone": (Pjsip, Baresip, Ours),
}
CASES = [
    Case(f"{'attended' if attended else 'blind'}-{name}",
         f"{'attended' if attended else 'blind'} transfer: {' moves '.join(name.split('-')[:2])} to {name.split('-')[2]}",
         transfers(kinds, attended), ("offhook", "python:pjsua2", "baresip", "tshark"), limit_s=90)
    for attended in (False, True)
    for name, kinds in WAYS.items()
]
