"""The ends of a call, ours and others', under the same words, so that a case can mix them as it likes.

Each has a number and a tone of its own; who heard whom is judged by the tones in the recordings.
"""

import time

from . import peers, tone
from .lab import need
from .ours import Phone

HZ = {"7001": 440, "7002": 620, "7003": 830}
# baresip names a recording by the second in which it begins, and begins anew with each change of the session: a
# change in the first second would write over what was heard.
FIRST_TALK_S = 1.2
TALK_S = 3


def server_at(server, transport):
    """The address by which a client names a server on this transport."""
    return server.address + (":5061" if transport == "tls" else "")


class Ours:
    """Our phone. `settings` are set before anything else; `srtp` is `off`, `optional` or `required`."""

    name = "phone"
    SRTP = {"off": "0", "optional": "1", "required": "2"}

    def __init__(self, lab, number, server, transport="udp", srtp="off", settings=""):
        self.lab, self.number, self.srtp = lab, number, srtp
        spoken = tone.write_tone(lab.folder / f"{number}-spoken.wav", HZ[number], seconds=60)
        self.recording = lab.folder / f"{number}-heard.wav"
        account = f"{number}:{peers.SECRETS[number]}@{server_at(server, transport)};transport={transport}"
        trust = ["--ca", server.ca] if transport == "tls" else []
        audio = f"file:{spoken},{self.recording}"
        self.phone = Phone(lab, f"phone-{number}", "--account", account, "--audio", audio, *trust)
        self.phone.event("registered")
        wanted = [f"account.1.srtp_encryption {self.SRTP[srtp]}"] if srtp != "off" else []
        wanted += [settings] if settings else []
        if wanted:
            self.do(f"set {' '.join(wanted)}")

    def do(self, command):
        """Does what its lines can say."""
        self.phone.command(command)

    def dial(self, number):
        self.do(f"dial {number}")

    def take_call(self):
        self.phone.event("incoming")
        self.do("answer")
        return self.answered()

    def rings(self):
        """Waits for a call; leaves it ringing."""
        return self.phone.event("incoming")

    def ringing(self):
        """Waits until its own call rings at the far end."""
        return self.phone.event("ringing")

    def answered(self):
        return self.phone.event("answered")

    def hang_up(self):
        self.do("hangup")

    def over(self, **fields):
        """Waits for the end of a call and returns what was told of it."""
        return self.phone.event("ended", **fields)

    def transferred(self, status=200):
        done = self.phone.event("transferred")
        need(done.get("status") == status, f"the transfer should have come to {status}: {done}")

    def digit(self):
        """The next digit that came."""
        return self.phone.event("dtmf")["digit"]

    def quit(self):
        if self.phone.process.ended() is None:
            self.phone.quit()
            peers.check_capture(self.lab, self.phone.capture, least_sip=6, encrypted=self.srtp != "off")

    def heard_s(self, *numbers):
        """How long it heard all of these at once, in seconds; ends it."""
        self.quit()
        return tone.seconds_of(self.recording, *(HZ[number] for number in numbers))


class Pjsip(Ours):
    """PJSIP's phone; it takes the same commands and tells nearly the same events."""

    name = "pjsip"

    def __init__(self, lab, number, server, transport="udp", srtp="off", settings=""):
        self.number = number
        self.phone = peers.Pjsua2(
            lab, f"pjsip-{number}", number, server_at(server, transport), HZ[number], transport, ca=getattr(server, "ca", ""),
            srtp=srtp,
        )
        self.phone.event("registered")

    def answered(self):
        told = self.phone.event("answered")
        self.phone.event("media", state="resumed")
        return told

    def transferred(self, status=200):
        done = self.phone.event("transferred", last=True)
        need(done.get("status") == status, f"the transfer should have come to {status}: {done}")

    def over(self, **fields):
        return self.phone.event("ended")

    def held_by_other(self):
        self.phone.event("media", state="remote_hold")

    def resumed_by_other(self):
        self.phone.event("media", state="resumed")

    def quit(self):
        if self.phone.process.ended() is None:
            self.phone.quit()

    def heard_s(self, *numbers):
        self.quit()
        return tone.seconds_of(self.phone.recording, *(HZ[number] for number in numbers))


class Baresip:
    """baresip; `settings` is the tail of its account's line."""

    name = "baresip"
    SRTP = {"off": "", "optional": ";mediaenc=srtp", "required": ";mediaenc=srtp-mand"}

    def __init__(self, lab, number, server, transport="udp", srtp="off", settings=""):
        self.number = number
        self.server = server
        self.transport = transport
        self.phone = peers.Baresip(
            lab, f"baresip-{number}", number, server_at(server, transport), HZ[number], transport,
            ca=getattr(server, "ca", ""), account_options=self.SRTP[srtp] + settings, answers="manual",
        )
        self.phone.registered()

    def do(self, command):
        """Does one of the few things that its menu shares with the others."""
        word, _, rest = command.partition(" ")
        words = {"transfer": "transfer", "hold": "hold", "resume": "resume", "dtmf": "sndcode", "hangup": "hangup", "answer": "accept"}
        self.phone.command(words[word], rest)

    def dial(self, number):
        self.phone.command("dial", f"sip:{number}@{server_at(self.server, self.transport)}")

    def take_call(self):
        self.rings()
        self.do("answer")
        return self.answered()

    def rings(self):
        return self.phone.event("CALL_INCOMING")

    def ringing(self):
        return self.phone.event("CALL_RINGING")

    def answered(self):
        return self.phone.event("CALL_ESTABLISHED")

    def hang_up(self):
        self.phone.command("hangup")

    def over(self, **fields):
        return self.phone.event("CALL_CLOSED")

    def transferred(self, status=200):
        """It tells nothing of a transfer that went well: it hangs up."""
        if status == 200:
            self.over()
        else:
            self.phone.event("CALL_TRANSFER_FAILED")

    def digit(self):
        return self.phone.event("CALL_DTMF_START")["param"]

    def held_by_other(self):
        """It tells what it was offered only by its session's description, which the next change replaces."""
        talk(FIRST_TALK_S)

    def resumed_by_other(self):
        talk(FIRST_TALK_S)

    def quit(self):
        """It stays, since it has an end of its own only with its case."""

    def heard_s(self, *numbers):
        return self.phone.heard_s(*(HZ[number] for number in numbers))


class Linphone:
    """linphone's console, on UDP."""

    name = "linphone"

    def __init__(self, lab, number, server):
        self.number = number
        self.server = server
        self.phone = peers.Linphone(lab, f"linphone-{number}", number, server.address, HZ[number])
        self.phone.says(r"Register refresher \[200\]")

    def do(self, command):
        word, _, rest = command.partition(" ")
        self.phone.command({"hold": "pause", "hangup": "terminate"}.get(word, word) + (f" {rest}" if rest else ""))

    def dial(self, number):
        self.phone.command(f"call sip:{number}@{self.server.address}")

    def take_call(self):
        self.rings()
        self.do("answer")
        self.answered()

    def rings(self):
        self.phone.says("Receiving new incoming call")

    def ringing(self):
        self.phone.says(r"Call \d+ to .* ringing")

    def answered(self):
        self.phone.says("Media streams established")

    def transferred(self, status=200):
        """It hangs up once it is told that the target has answered."""
        need(status == 200, "linphone tells no other end of a transfer")
        self.over()

    def hang_up(self):
        self.do("hangup")

    def over(self, **fields):
        self.phone.says(r"Call \d+ with .* ended")

    def heard_s(self, *numbers):
        """How long it heard all of these at once, in seconds; ends it, since it writes the length at the end."""
        self.phone.quit()
        return tone.seconds_of(self.phone.recording, *(HZ[number] for number in numbers))


def talk(seconds=TALK_S):
    """Lets the ends talk; what they heard is judged afterwards."""
    time.sleep(seconds)


def each_heard(one, other, least_s=TALK_S / 2):
    """Fails the case unless the two heard each other; returns a sentence on it."""
    heard = one.heard_s(other.number), other.heard_s(one.number)
    names = f"{one.name} {one.number}", f"{other.name} {other.number}"
    said = f"{names[0]} heard {names[1]} for {heard[0]:g} s, was heard for {heard[1]:g} s"
    need(min(heard) >= least_s, said)
    return said
