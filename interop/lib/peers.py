"""Other people's programs: SIPp, baresip, Kamailio, tshark, OpenSSL. Each as the cases need it."""

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import time

from . import tone
from .driven import Driven
from .lab import Failed, Skipped, fresh, holds_udp, listens, need, wait_until

NUMBERS = ("7001", "7002", "7003", "7004", "7005")
BARESIP_MODULES = "/usr/lib/baresip/modules"
KAMAILIO_MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
KAMAILIO_TABLES = "/usr/share/kamailio/dbtext/kamailio"
SIPP_ENDED_WELL = 0
# What SIPp notes of a request without credentials, which its scenario then challenges.
UNCHALLENGED = "authentication must be digest is"
# It cannot dissect, the frame is cut, or an expert calls it an error (0x800000).
FAULTY = "_ws.malformed || _ws.short || frame.cap_len < frame.len || _ws.expert.severity == 0x800000"


def secret(number):
    """The secret of an extension in all cases."""
    return f"secret-of-{number}-0000"


SECRETS = {number: secret(number) for number in NUMBERS}


def certificates(lab, address):
    """Makes a certification authority and a server certificate for `address`; returns (ca, certificate, key)."""
    folder = lab.subfolder("tls")
    ca, ca_key, request = folder / "ca.pem", folder / "ca.key", folder / "server.csr"
    certificate, key, extensions = folder / "server.pem", folder / "server.key", folder / "server.ext"
    extensions.write_text(f"subjectAltName=IP:{address}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    new_key = ["-newkey", "rsa:2048", "-nodes"]
    steps = [
        ["req", "-x509", *new_key, "-keyout", ca_key, "-out", ca, "-days", "30", "-subj", "/CN=interop authority"],
        ["req", *new_key, "-keyout", key, "-out", request, "-subj", f"/CN={address}"],
        ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-out", certificate,
         "-days", "30", "-extfile", extensions],
    ]
    openssl(lab, steps)
    return ca, certificate, key


def self_signed_certificate(lab, address):
    """Makes a certificate for `address` that signs itself, as openssl does it unless told otherwise; returns it twice, and its key."""
    folder = lab.subfolder("tls")
    certificate, key = folder / "server.pem", folder / "server.key"
    openssl(lab, [["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "30", "-subj", f"/CN={address}"]])
    return certificate, certificate, key


def openssl(lab, steps):
    """Lets openssl do these steps, one after the other."""
    for step in steps:
        status, printed = lab.run("openssl", ["openssl", *step], timeout_s=20)
        need(status == 0, f"openssl {step[0]} ended with {status}: {printed[-300:]}")


class Kamailio:
    """A registrar and proxy with digest (401 for REGISTER, 407 for the rest) on UDP, TCP and TLS; with `presence` it
    also tells watchers of the calls that go through it. Without `aliases` it sends where a Contact says and to no other port."""

    def __init__(self, lab, presence=False, self_signed=False, aliases=True):
        if presence and not os.path.exists(f"{KAMAILIO_MODULES}presence.so"):
            raise Skipped("kamailio-presence-modules is not installed")
        self.address = lab.address()
        folder = lab.subfolder("kamailio")
        made = self_signed_certificate if self_signed else certificates
        self.ca, certificate, key = made(lab, self.address)
        users = "\n".join(f'    $sht(users=>{number}) = "{secret}";' for number, secret in SECRETS.items())
        # It writes into its tables, so each has a copy.
        tables = folder / "tables"
        if presence:
            shutil.copytree(KAMAILIO_TABLES, tables, dirs_exist_ok=True)
        config = lab.template(
            "kamailio.cfg", folder / "kamailio.cfg", address=self.address, users=users,
            certificate=certificate, key=key, modules=KAMAILIO_MODULES, tables=tables,
        )
        defined = [name for name, wanted in (("PRESENCE", presence), ("ALIASES", aliases)) if wanted]
        argv = ["kamailio", *(word for name in defined for word in ("-A", name)), "-f", config, "-DD", "-E", "-P", folder / "pid", "-Y", folder, "-m", "64", "-M", "8"]
        self._lab, self._argv = lab, argv
        self.start()

    def start(self):
        """Starts it, and again after a stop: at the same address, and it knows no phone any more."""
        self.process = self._lab.start("kamailio", self._argv)
        wait_until("Kamailio's TLS listener", lambda: listens(self.address, 5061) or self._ended())

    def _ended(self):
        need(self.process.ended() is None, f"Kamailio did not start: {self.process.tail()}")
        return False


class Baresip:
    """A baresip with one account that plays one tone and records what it hears; driven by its JSON socket."""

    def __init__(self, lab, name, number, server, tone_hz, transport="udp", ca="", account_options="", answers="auto"):
        self.name = name
        self.address = lab.address()
        folder = lab.subfolder(name)
        self._recordings = fresh(folder / "recordings")
        source = tone.write_tone(folder / "source.wav", tone_hz, seconds=60)
        lab.template(
            "baresip.config", folder / "config", address=self.address, ca=ca, source=source,
            recordings=self._recordings, modules=BARESIP_MODULES,
        )
        account = (
            f"<sip:{number}@{server};transport={transport}>;auth_pass={SECRETS[number]}"
            f";regint=600;answermode={answers}{account_options}\n"
        )
        (folder / "accounts").write_text(account)
        (folder / "contacts").write_text("")
        self.process = lab.start(name, ["baresip", "-f", folder])
        wait_until(f"{name}'s control socket", lambda: listens(self.address, 4444))
        self._socket = socket.create_connection((self.address, 4444))
        self._socket.settimeout(0.1)
        self._unread = b""
        self.events = []
        self._taken = 0

    def registered(self, timeout_s=10):
        """Waits until baresip says that it is registered."""
        wait_until(f"{self.name} registered; its log ends: {self.process.tail()}", self._is_registered, timeout_s)

    def command(self, command, parameters=""):
        """Sends one of baresip's commands, as its menu knows them."""
        text = json.dumps({"command": command, "params": parameters, "token": command}).encode()
        self._socket.sendall(b"%d:%s," % (len(text), text))

    def event(self, kind, timeout_s=10):
        """The next event of this type behind the last one that was waited for."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self._receive()
            for index in range(self._taken, len(self.events)):
                if self.events[index].get("type") == kind:
                    self._taken = index + 1
                    return self.events[index]
        kinds = [event.get("type", "answer") for event in self.events]
        raise Failed(f"{self.name}: no {kind} within {timeout_s:g} s, only {kinds}; log: {self.process.tail()}")

    def hears(self, hz, seconds=2.0, timeout_s=8):
        """Waits until its recordings of the decoded sound hold this many seconds of the tone at `hz`."""
        wait_until(f"{self.name} hears {hz} Hz for {seconds:g} s", lambda: self.heard_s(hz) >= seconds, timeout_s)

    def heard_s(self, *tones_hz):
        """How many seconds of these tones those recordings hold."""
        return sum(tone.seconds_of(path, *tones_hz) for path in self._recordings.glob("*-dec.wav"))

    def _is_registered(self):
        return re.search(r"\} 200 OK .*\[\d+ binding", self.process.output())

    def _receive(self):
        try:
            self._unread += self._socket.recv(65536)
        except TimeoutError:
            return
        while match := re.match(rb"(\d+):", self._unread):
            start, length = match.end(), int(match.group(1))
            if len(self._unread) < start + length + 1:
                return
            self.events.append(json.loads(self._unread[start:start + length]))
            self._unread = self._unread[start + length + 1:]


class Linphone:
    """linphone's console with one account; plays one tone into each call and records what it hears."""

    def __init__(self, lab, name, number, server, tone_hz):
        self.name = name
        folder = lab.subfolder(name)
        home = fresh(folder / "home")
        (home / ".local/share/linphone").mkdir(parents=True)
        self.recording = folder / "heard.wav"
        source = tone.write_tone(folder / "source.wav", tone_hz, seconds=60)
        # It listens on every address, so it needs a port of its own.
        config = lab.template(
            "linphonerc", folder / "linphonerc", port=lab.port("127.0.0.1"), server=server, number=number, secret=SECRETS[number],
        )
        environment = {**os.environ, "HOME": str(home)}
        self.process = lab.start(name, ["linphonec", "-d", "4", "-c", config], stdin=subprocess.PIPE, environment=environment)
        self._read = 0
        for line in ("soundcard use files", f"record {self.recording}", f"play {source}"):
            self.command(line)

    def command(self, line):
        """Types a line."""
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def quit(self):
        """Ends it, and its call before."""
        if self.process.ended() is None:
            self.command("quit")
            self.process.wait(timeout_s=10)

    def says(self, pattern, timeout_s=10):
        """Waits until it prints this behind what was waited for before."""
        def found():
            match = re.compile(pattern).search(self.process.output(), self._read)
            if match:
                self._read = match.end()
            return match

        wait_until(f"{self.name} says `{pattern}`; its log ends: {self.process.tail()}", found, timeout_s)


class Pjsua2(Driven):
    """A phone of PJSIP with one account that plays one tone and records what it hears."""

    def __init__(self, lab, name, number, server, tone_hz, transport="udp", ca="", srtp="off"):
        self.address = lab.address()
        self.recording = lab.folder / f"{name}-heard.wav"
        source = tone.write_tone(lab.folder / f"{name}-source.wav", tone_hz, seconds=60)
        super().__init__(lab, name, [
            os.environ["INTEROP_PYTHON"], lab.root / "lib" / "pjsua2_phone.py", "--address", self.address,
            "--number", number, "--secret", SECRETS[number], "--server", server, "--transport", transport,
            "--ca", ca, "--source", source, "--recording", self.recording, "--srtp", srtp,
        ])

    def heard_s(self, *tones_hz):
        """How many seconds of these tones its recording holds; right once the phone has ended."""
        return tone.seconds_of(self.recording, *tones_hz)


class Sipp:
    """One SIPp that plays a scenario of `interop/scenarios` from an address of its own."""

    def __init__(self, lab, name, scenario, *arguments, address, port=5060, target=None, calls=None, limit_s=60,
                 rows=None, values=None, log_messages=True):
        self.name = name
        self._statistics = lab.folder / f"{name}.csv"
        self._statistics.unlink(missing_ok=True)
        argv = [
            "sipp", *([target] if target else []), "-sf", assembled(lab, scenario, values or {}), "-i", address,
            "-p", str(port), "-mi", address, "-nostdin", "-timeout", f"{limit_s}s", "-timeout_error",
            "-buff_size", "4194304", "-deadcall_wait", "0", "-trace_err",
            "-error_file", lab.folder / f"{name}.errors", "-trace_stat", "-stf", self._statistics, "-fd", "1",
            *arguments,
        ]
        if log_messages:
            argv += ["-trace_msg", "-message_file", lab.folder / f"{name}.messages"]
        if calls:
            argv += ["-m", str(calls)]
        if rows:
            table = lab.folder / f"{name}.rows"
            table.write_text("SEQUENTIAL\n" + "".join(f"{row}\n" for row in rows))
            argv += ["-inf", table]
        self._errors = lab.folder / f"{name}.errors"
        self._limit_s = limit_s
        self.process = lab.start(name, argv)
        if not target:
            wait_until(f"{name} at its port", lambda: holds_udp(address, port) or self._ended())

    def _ended(self):
        need(self.process.ended() is None, f"{self.name} did not start: {self._why()}")
        return False

    def finish(self):
        """Waits for the end; fails the case unless SIPp says that every call came out as the scenario says."""
        status = self.process.wait(self._limit_s + 10)
        counted = self.counted()
        need(
            status == SIPP_ENDED_WELL and counted["failed"] == 0,
            f"{self.name} ended with {status}, {counted['good']} good, {counted['failed']} failed: {self._why()}",
        )
        return counted

    def nothing_failed(self):
        """Ends a SIPp that runs on, once its scenario has come to its end for every call; fails the case if it does
        not, or if something came that the scenario does not allow."""
        before = time.monotonic()
        wait_until(f"{self.name} sees its calls' end", lambda: self._told_since(before) and not self.counted()["open"])
        self.process.stop()
        errors, counted = self._error_lines(), self.counted()
        need(counted["good"] and not counted["failed"], f"{self.name} counts {counted}: {self._why()}")
        need(not errors, f"{self.name}: {' | '.join(errors)[:900]}")

    def counted(self):
        """Calls that ended well, that failed, that are not over, and retransmissions, by SIPp's own statistics."""
        with open(self._statistics, newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        last = rows[-1] if rows else {}
        return {
            "good": int(last.get("SuccessfulCall(C)") or 0),
            "failed": int(last.get("FailedCall(C)") or 0),
            "open": int(last.get("CurrentCall") or 0),
            "retransmissions": int(last.get("Retransmissions(C)") or 0),
        }

    def _told_since(self, moment):
        age_s = time.time() - self._statistics.stat().st_mtime
        return age_s < time.monotonic() - moment

    def _why(self):
        return " | ".join(self._error_lines()[:6])[:900] or self.process.tail()

    def _error_lines(self):
        text = self._errors.read_text(errors="replace") if self._errors.exists() else ""
        entries = re.split(r"\d{4}-\d\d-\d\d\s+[\d:.]+\s+[\d.]+: ", text)[1:]
        return [entry.strip() for entry in entries if UNCHALLENGED not in entry]


def assembled(lab, scenario, values):
    """A scenario in the case's folder: each line `@name@` or `@name KEY=value; KEY=value@` is replaced by that part, in
    it `@KEY@` by its value; then each `@NAME@` by the case's value."""
    folder = lab.root / "scenarios"

    def part(match):
        text = (folder / "parts" / match.group(1)).read_text().rstrip("\n")
        return expand(filled(text, dict(pair.split("=", 1) for pair in (match.group(2) or "").split("; ") if pair)))

    def expand(text):
        return re.sub(r"^@([a-z-]+)(?: (.*))?@$", part, text, flags=re.MULTILINE)

    target = lab.folder / scenario
    # A case may let a scenario of a server be played by a phone at somebody else's.
    server = values.get("server", "server")
    target.write_text(filled(expand((folder / scenario).read_text().replace("@server@", f"@{server}@")), {key.upper(): value for key, value in values.items()}))
    return target


def filled(text, values):
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def authentication(number, password=None):
    """SIPp's keyword for digest; it has to stand in the table of rows, since it takes no field inside."""
    return f"[authentication username={number} password={password or secret(number)}]"


def frames(lab, capture, display_filter):
    """The numbers of the frames of a capture file that tshark finds by a display filter."""
    argv = ["tshark", "-n", "-r", capture, "-Y", display_filter, "-T", "fields", "-e", "frame.number"]
    for protocol in ("ip", "udp", "tcp"):
        argv += ["-o", f"{protocol}.check_checksum:TRUE"]
    process = lab.start("tshark", argv, pipe_output=True)
    numbers = process.stdout.read().decode().split()
    status = process.wait(60)
    need(status == 0, f"tshark cannot read {capture.name}: {process.tail()}")
    return numbers


def check_capture(lab, capture, least_sip=1, least_rtp=0, encrypted=False):
    """Fails the case unless tshark finds the SIP and RTP in a capture of ours and nothing malformed. Where the sound is
    `encrypted`, tshark reads its RTCP as if it were plain: that is not judged."""
    need(capture.exists(), f"there is no {capture.name}")
    malformed = frames(lab, capture, f"({FAULTY}) && !rtcp" if encrypted else FAULTY)
    need(not malformed, f"{capture.name}: tshark finds malformed frames or errors: {malformed[:10]}")
    sip, rtp = len(frames(lab, capture, "sip")), len(frames(lab, capture, "rtp"))
    need(sip >= least_sip, f"{capture.name}: {sip} SIP frames, not {least_sip} or more")
    need(rtp >= least_rtp, f"{capture.name}: {rtp} RTP frames, not {least_rtp} or more")
    return sip, rtp
