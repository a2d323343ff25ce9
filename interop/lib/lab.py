"""One case's room: its folder, its addresses in 127.0.0.0/8, and the processes it started."""

import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time

STOP_GRACE_S = 4
FIRST_NETWORK, NETWORKS = 60, 180


class Failed(Exception):
    """The case did not come out as it must; the text says what was seen instead."""


class Skipped(Exception):
    """The case cannot be played here; the text says why."""


def need(condition, why):
    """Fails the case with `why` unless `condition` holds."""
    if not condition:
        raise Failed(why)


def wait_until(what, condition, timeout_s=10.0):
    """Returns the first true answer of `condition`, asked every 50 ms; fails the case after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.05)


class Process:
    """A started program in a process group of its own, its output kept in a file."""

    def __init__(self, name, argv, log_path, cwd, stdin=None, pipe_output=False, environment=None):
        self.name = name
        self.log_path = log_path
        self._log = open(log_path, "ab")
        self._popen = subprocess.Popen(
            [str(word) for word in argv],
            cwd=cwd,
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipe_output else self._log,
            stderr=self._log,
            env=environment,
            start_new_session=True,
        )
        self.stdin = self._popen.stdin
        self.stdout = self._popen.stdout

    @property
    def pid(self):
        return self._popen.pid

    def ended(self):
        """The exit status, or None while it runs."""
        return self._popen.poll()

    def wait(self, timeout_s):
        """Waits for the end and returns the exit status; fails the case when it takes longer."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs after {timeout_s:g} s; its output ends: {self.tail()}") from None

    def output(self):
        """Everything it wrote to its log so far."""
        return self.log_path.read_text(errors="replace")

    def tail(self, lines=4):
        """The last lines of the log, for an error message."""
        return " | ".join(self.output().split("\n")[-lines - 1:]).strip(" |")

    def stop(self):
        """Asks the program to end, and ends its group by force when it does not listen."""
        if self.ended() is None:
            self._signal(signal.SIGTERM)
            try:
                self._popen.wait(STOP_GRACE_S)
            except subprocess.TimeoutExpired:
                pass
        self._signal(signal.SIGKILL)
        self._popen.wait()
        for stream in (self._log, self.stdin, self.stdout):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass

    def _signal(self, number):
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass


class Lines:
    """The lines of a stream, read by a thread, so that a case can wait for one with a limit."""

    def __init__(self, stream):
        self._queue = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def next(self, timeout_s):
        """The next line, or None when none came in time or the stream ended."""
        try:
            return self._queue.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None

    def _read(self, stream):
        try:
            for line in stream:
                self._queue.put(line.decode(errors="replace").rstrip("\n"))
        except (OSError, ValueError):
            pass


class Lab:
    """What a case gets to play with. Use as a context: leaving it stops every process of the case."""

    def __init__(self, name, number, network, root, folder, offhook):
        self.name = name
        self.root = root
        self.folder = folder
        self.offhook = offhook
        self._number = number
        self._network = FIRST_NETWORK + network % NETWORKS
        self._addresses = 0
        self._processes = []
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.stop()

    def address(self):
        """A loopback address that no other case, no other part of this case and hardly another run uses."""
        self._addresses += 1
        return f"127.{self._network}.{self._number}.{self._addresses}"

    def port(self, address):
        """A TCP port that is free on `address` now."""
        with socket.socket() as probe:
            probe.bind((address, 0))
            return probe.getsockname()[1]

    def subfolder(self, name):
        """A folder of this case, made when it is not there."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def template(self, template, target, **values):
        """Copies `interop/etc/TEMPLATE` to `target` with every `@NAME@` replaced by its value."""
        text = (self.root / "etc" / template).read_text()
        for name, value in values.items():
            text = text.replace(f"@{name.upper()}@", str(value))
        target.write_text(text)
        return target

    def start(self, name, argv, stdin=None, pipe_output=False, environment=None):
        """Starts a program that lives until the case ends, unless it is stopped before."""
        log_path = self.folder / f"{name}.log"
        process = Process(name, argv, log_path, self.folder, stdin, pipe_output, environment)
        self._processes.append(process)
        return process

    def run(self, name, argv, timeout_s):
        """Runs a program to its end; returns the exit status and what it printed."""
        process = self.start(name, argv)
        status = process.wait(timeout_s)
        return status, process.output()


# What the kernel's table says of a TCP socket that listens.
LISTENS = " 00000000:0000 0A "


def listens(address, port):
    """Whether a TCP listener stands there, by the kernel's table: some programs mind a connection that only asks."""
    return f" {as_in_table(address, port)}{LISTENS}" in pathlib.Path("/proc/net/tcp").read_text()


def holds_udp(address, port):
    """Whether some socket is bound to this UDP address and port, by the kernel's table."""
    return f" {as_in_table(address, port)} " in pathlib.Path("/proc/net/udp").read_text()


def as_in_table(address, port):
    """An IPv4 address and port as the kernel's tables write them."""
    return f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"


def fresh(path):
    """An empty folder at `path`, whatever was there before."""
    shutil.rmtree(path, ignore_errors=True)
    pathlib.Path(path).mkdir(parents=True)
    return pathlib.Path(path)
