"""Our exchange's media relay under a sweep of all its ports, while others' phones behind a NAT talk through it."""

import socket
import struct
import threading
import time

from lib import peers
from lib.case import Case
from lib.ends import TALK_S, Baresip, Ours, Pjsip, each_heard, talk
from lib.lab import need
from lib.nat import Nat
from lib.ours import Exchange

# Where the relay's ports are unless told otherwise.
PORTS = range(20_000, 33_000, 2)
SWEEPS = 8
RINGING_S = 3
PCMA = 8


class Sweep:
    """Three packets of sound to each port at a time, from an address that nobody knows; what comes back is counted."""

    def __init__(self, lab, target):
        self.sent = 0
        self.heard = 0
        self._target = target
        self._over = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((lab.address(), 0))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self):
        """Ends it; how many packets were sent and heard."""
        self._over = True
        self._thread.join(30)
        self._listen()
        self._socket.close()
        return self.sent, self.heard

    def _run(self):
        for sweep in range(SWEEPS):
            for port in PORTS:
                if self._over:
                    return
                for number in range(3):
                    sequence = sweep * 3 + number
                    packet = struct.pack("!BBHII", 0x80, PCMA, sequence, sequence * 160, 0x5EE9) + bytes(160)
                    self._send(packet, port)
            self._listen()

    def _send(self, packet, port):
        try:
            self._socket.sendto(packet, (self._target, port))
            self.sent += 1
        except ConnectionRefusedError:
            # The kernel tells of an earlier packet that nobody listens there.
            pass

    def _listen(self):
        self._socket.setblocking(False)
        while True:
            try:
                self._socket.recv(2_000)
                self.heard += 1
            except ConnectionRefusedError:
                continue
            except BlockingIOError:
                break
        self._socket.setblocking(True)


def swept(other, transport="udp", srtp="off"):
    """A case in which the other is behind a NAT and calls our phone while all ports are swept."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        nat = Nat(lab, exchange, transport)
        ours = Ours(lab, "7001", exchange, srtp=srtp)
        theirs = other(lab, "7002", nat, transport, srtp=srtp)
        sweep = Sweep(lab, exchange.address)
        theirs.dial("7001")
        ours.rings()
        # The caller's port stands open: each sweep meets it before the caller's first packet.
        talk(RINGING_S)
        ours.do("answer")
        ours.answered()
        theirs.answered()
        talk()
        sent, heard = sweep.end()
        time.sleep(1)
        ours.hang_up()
        theirs.over()
        ours.over()
        nat.check()
        need(sent > len(PORTS), f"only {sent} packets were sent: no sweep")
        need(heard == 0, f"the sweep heard {heard} packets of the call")
        return f"{each_heard(ours, theirs, least_s=TALK_S * 0.8)}; {sent} packets of the sweep heard nothing"

    return play


def needs(other):
    return ("offhook", "tshark", "baresip" if other is Baresip else "python:pjsua2")


CASES = [
    case
    for other in (Baresip, Pjsip)
    for case in (
        Case(f"swept-{other.name}", f"all ports of our relay are swept while {other.name} behind a NAT calls our phone",
             swept(other), needs(other)),
        Case(f"swept-{other.name}-srtp", "the same with encrypted sound", swept(other, srtp="required"), needs(other)),
    )
] + [
    # baresip connects from 127.0.0.1 whatever address it is given, so that no sound comes from where its connection does.
    Case("swept-pjsip-tcp", "the same where pjsip signals over TCP", swept(Pjsip, "tcp"), needs(Pjsip)),
]
