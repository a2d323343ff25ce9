"""Our own program, driven as its users drive it: `offhook phone --stdio` and `offhook serve --json`."""

import json
import time
import urllib.request

from .driven import READY_S, Driven
from .lab import Failed, Lines, need


class Phone(Driven):
    """A phone of ours at an address of its own, with a capture of all that it sends and receives. `before` are the words
    of a program that starts it."""

    def __init__(self, lab, name, *arguments, before=()):
        self.address = lab.address()
        self.capture = lab.folder / f"{name}.pcap"
        super().__init__(lab, name, [
            *before, lab.offhook, "phone", "--stdio", "--dir", lab.subfolder(f"{name}-data"),
            "--listen", self.address, "--pcap", self.capture, *arguments,
        ])


class Exchange:
    """An exchange of ours with the given extensions, on UDP and TCP at 5060 and TLS at 5061 of one address."""

    def __init__(self, lab, extensions, *arguments):
        self.address = lab.address()
        self.folder = lab.subfolder("exchange")
        self.ca = self.folder / "ca.pem"
        self.capture = lab.folder / "exchange.pcap"
        argv = [
            lab.offhook, "serve", "--json", "--dir", self.folder, "--sip", f"{self.address}:5060",
            "--sips", f"{self.address}:5061", "--pcap", self.capture, *arguments,
        ]
        for number, secret in extensions.items():
            argv += ["--extension", f"{number}:{secret}"]
        self.process = lab.start("exchange", argv, pipe_output=True)
        self._lines = Lines(self.process.stdout)
        self._transcript = open(lab.folder / "exchange.events", "w", buffering=1)
        self.web = self.event("ready", READY_S)["web"]

    def alive(self):
        """Fails the case when the exchange is no longer there."""
        ended = self.process.ended()
        need(ended is None, f"the exchange ended with status {ended}: {self.process.tail()}")

    def ask(self, method, path, **fields):
        """Asks its HTTP API, which stands at the address that it told when it was ready."""
        token = (self.folder / "web-token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps(fields).encode() if fields else None
        request = urllib.request.Request(self.web.rstrip("/") + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def event(self, name, timeout_s=10, **fields):
        """The next event `name` with these fields; those before it are passed over."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            line = self._lines.next(0.2)
            event = self._parsed(line) if line else {}
            if event.get("event") == name and all(event.get(key) == value for key, value in fields.items()):
                return event
            self.alive()
        raise Failed(f"the exchange: no event `{name}` with {fields} within {timeout_s:g} s: {self.process.tail()}")

    def _parsed(self, line):
        self._transcript.write(line + "\n")
        try:
            return json.loads(line)
        except ValueError:
            raise Failed(f"`serve --json` printed a line that is no JSON: {line[:200]}") from None
