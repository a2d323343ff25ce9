"""Our own program, driven as its users drive it: `offhook phone --stdio` and `offhook serve --json`."""

import json
import subprocess
import time

from .lab import Failed, Lines, need

READY_S = 10


class Phone:
    """A phone of ours: commands go in as lines, events come out as JSON lines and are all kept."""

    def __init__(self, lab, name, *arguments, listen=None):
        self.name = name
        self.address = listen or lab.address()
        self.capture = lab.folder / f"{name}.pcap"
        argv = [
            lab.offhook, "phone", "--stdio", "--dir", lab.subfolder(f"{name}-data"),
            "--listen", self.address, "--pcap", self.capture, *arguments,
        ]
        self.process = lab.start(name, argv, stdin=subprocess.PIPE, pipe_output=True)
        self._lines = Lines(self.process.stdout)
        self.events = []
        self._taken = set()
        self._commands = 0
        self._transcript = open(lab.folder / f"{name}.events", "w", buffering=1)
        self.ready = self.event("ready", timeout_s=READY_S)

    def command(self, line, timeout_s=5):
        """Sends a command and waits for its `done`; fails the case on `error`."""
        self._commands += 1
        identity = f"c{self._commands}"
        self._send(f"@{identity} {line}")
        answer = self._take(lambda event: event.get("id") == identity and event["event"] in ("done", "error"), timeout_s)
        need(answer, f"{self.name}: `{line}` was not answered within {timeout_s:g} s; {self._state()}")
        need(answer["event"] == "done", f"{self.name}: `{line}` was refused: {answer.get('message')}")

    def event(self, name, timeout_s=10, **fields):
        """The oldest event `name` with these fields that no call has returned before."""
        def fits(event):
            return event.get("event") == name and all(event.get(key) == value for key, value in fields.items())

        found = self._take(fits, timeout_s)
        wanted = " ".join([name, *(f"{key}={value}" for key, value in fields.items())])
        need(found, f"{self.name}: no event `{wanted}` within {timeout_s:g} s; {self._state()}")
        return found

    def quit(self, timeout_s=10):
        """Ends the phone as a person would and checks that it says goodbye properly."""
        self._send("quit")
        status = self.process.wait(timeout_s)
        need(status == 0, f"{self.name}: `quit` ended with status {status}: {self.process.tail()}")

    def _send(self, line):
        try:
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()
        except OSError as error:
            raise Failed(f"{self.name}: does not take `{line}` ({error}): {self.process.tail()}") from None

    def _take(self, fits, timeout_s):
        deadline = time.monotonic() + timeout_s
        index = 0
        while True:
            while index < len(self.events):
                if index not in self._taken and fits(self.events[index]):
                    self._taken.add(index)
                    return self.events[index]
                index += 1
            line = self._lines.next(min(0.2, deadline - time.monotonic()))
            if line is not None:
                self._keep(line)
            elif time.monotonic() >= deadline or self.process.ended() is not None:
                return None

    def _keep(self, line):
        self._transcript.write(line + "\n")
        try:
            self.events.append(json.loads(line))
        except ValueError:
            raise Failed(f"{self.name}: standard output has a line that is no JSON: {line[:200]}") from None

    def _state(self):
        told = json.dumps([event for event in self.events if event.get("event") != "log"][-4:])
        ended = self.process.ended()
        return f"last events: {told}" + ("" if ended is None else f"; ended with {ended}: {self.process.tail()}")


class Exchange:
    """An exchange of ours with the given extensions, on UDP and TCP at 5060 and TLS at 5061 of one address."""

    def __init__(self, lab, extensions, *arguments):
        self.address = lab.address()
        self.folder = lab.subfolder("exchange")
        self.ca = self.folder / "ca.pem"
        argv = [
            lab.offhook, "serve", "--json", "--dir", self.folder, "--sip", f"{self.address}:5060",
            "--sips", f"{self.address}:5061", "--web", f"{self.address}:8088", *arguments,
        ]
        for number, secret in extensions.items():
            argv += ["--extension", f"{number}:{secret}"]
        self.process = lab.start("exchange", argv, pipe_output=True)
        self._lines = Lines(self.process.stdout)
        self._wait_until_ready()

    def alive(self):
        """Fails the case when the exchange is no longer there."""
        ended = self.process.ended()
        need(ended is None, f"the exchange ended with status {ended}: {self.process.tail()}")

    def _wait_until_ready(self):
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            line = self._lines.next(0.2)
            if line and json.loads(line).get("event") == "ready":
                return
            self.alive()
        raise Failed(f"the exchange was not ready within {READY_S} s: {self.process.tail()}")
