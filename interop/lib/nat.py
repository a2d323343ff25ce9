"""A NAT between a phone and its server, on loopback: the server sees the phone's SDP name an address where nobody is.

The phone takes `address` for its server. What it says goes on to the true one from another port of the phone's own address,
and its sound comes from there too: that is what a server sees of a phone behind a NAT.
"""

import re
import socket
import threading

from .lab import need

PRIVATE = "10.255.77.7"
DATAGRAM_BYTES = 65_535


class Nat:
    """The way from one phone to `server` and back, over UDP or TCP; it ends with the case."""

    def __init__(self, lab, server, transport="udp"):
        self.address = lab.address()
        self.ca = getattr(server, "ca", "")
        self.hidden = 0
        self._server = (server.address, 5060)
        run = self._carry_datagrams if transport == "udp" else self._take_connections
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._inner = socket.socket(socket.AF_INET, kind)
        self._inner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._inner.bind((self.address, 5060))
        threading.Thread(target=run, daemon=True).start()

    def check(self):
        """Fails the case where no session description of the phone went through."""
        need(self.hidden > 0, "no session description of the phone has passed the NAT")

    def _hide(self, message, phone):
        """A message of the phone with another address in its session description."""
        head, end, body = message.partition(b"\r\n\r\n")
        hidden = body.replace(f"c=IN IP4 {phone}".encode(), f"c=IN IP4 {PRIVATE}".encode())
        if hidden == body:
            return message
        self.hidden += 1
        length = f"Content-Length: {len(hidden)}".encode()
        return re.sub(rb"(?im)^(Content-Length|l)[ \t]*:[ \t]*\d+", length, head) + end + hidden

    def _carry_datagrams(self):
        outer, phone = None, None
        while True:
            message, came_from = self._inner.recvfrom(DATAGRAM_BYTES)
            phone = came_from
            if outer is None:
                outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                outer.bind((phone[0], 0))
                threading.Thread(target=self._carry_back, args=(outer, phone), daemon=True).start()
            outer.sendto(self._hide(message, phone[0]), self._server)

    def _carry_back(self, outer, phone):
        while True:
            message, _ = outer.recvfrom(DATAGRAM_BYTES)
            self._inner.sendto(message, phone)

    def _take_connections(self):
        self._inner.listen()
        while True:
            inner, phone = self._inner.accept()
            outer = socket.socket()
            outer.bind((phone[0], 0))
            outer.connect(self._server)
            threading.Thread(target=self._carry_stream, args=(outer, inner), daemon=True).start()
            hide = lambda message: self._hide(message, phone[0])  # noqa: E731
            threading.Thread(target=self._carry_stream, args=(inner, outer, hide), daemon=True).start()

    @staticmethod
    def _carry_stream(source, target, change=lambda message: message):
        """Message by message, so that what is changed keeps its length true."""
        unread = b""
        while piece := source.recv(DATAGRAM_BYTES):
            unread += piece
            while (end := unread.find(b"\r\n\r\n")) >= 0:
                length = re.search(rb"(?im)^(?:Content-Length|l)[ \t]*:[ \t]*(\d+)", unread[:end])
                size = end + 4 + (int(length.group(1)) if length else 0)
                if len(unread) < size:
                    break
                target.sendall(change(unread[:size]))
                unread = unread[size:]
        target.close()
