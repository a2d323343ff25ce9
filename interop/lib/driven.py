"""A phone that is driven by lines on its standard input and tells events as JSON lines: ours, and PJSIP's."""

import json
import subprocess
import time

from .lab import Failed, Lines, need

READY_S = 10


class Driven:
    """A running phone of that kind. Every event is kept, also in `NAME.events` of the case's folder."""

    def __init__(self, lab, name, argv):
        self.name = name
        self.process = lab.start(name, argv, stdin=subprocess.PIPE, pipe_output=True)
        self.events = []
        self._lines = Lines(self.process.stdout)
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

    def event(self, name, timeout_s=10, having="", **fields):
        """The oldest event `name` with these fields (and `having` somewhere in it) that no call has returned before."""
        def fits(event):
            right = event.get("event") == name and all(event.get(key) == value for key, value in fields.items())
            return right and having in json.dumps(event)

        found = self._take(fits, timeout_s)
        wanted = " ".join([name, *(f"{key}={value}" for key, value in fields.items())])
        need(found, f"{self.name}: no event `{wanted}` within {timeout_s:g} s; {self._state()}")
        return found

    def quit(self, timeout_s=10):
        """Ends the phone as a person would and checks that it says goodbye properly."""
        self._send("@quit quit")
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
