"""A load of TFTP downloads: many clients in one thread, each a transfer after the other (RFC 1350, no options)."""

import select
import socket
import struct
import time


class Client:
    """One client: an address of its own, and a port for each transfer, as phones have."""

    def __init__(self, server, name, poll, number):
        self._server, self._poll, self._own = server, poll, f"127.0.91.{number + 1}"
        self._request = struct.pack("!H", 1) + name.encode() + b"\0octet\0"
        self.begin()

    def begin(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((self._own, 0))
        self._poll.register(self.socket, select.EPOLLIN)
        self.bytes, self.next, self.asked = 0, 1, time.monotonic()
        self.socket.sendto(self._request, self._server)

    def take(self):
        """Takes a datagram; the bytes of the file where it is whole."""
        packet, sender = self.socket.recvfrom(2048)
        kind, block = struct.unpack_from("!HH", packet)
        if kind != 3:
            raise SystemExit(f"not a block: {packet[:80]!r}")
        self.asked = time.monotonic()
        self.socket.sendto(struct.pack("!HH", 4, block), sender)
        if block != self.next & 0xffff:
            return None
        self.next += 1
        self.bytes += len(packet) - 4
        if len(packet) == 516:
            return None
        self._poll.unregister(self.socket)
        self.socket.close()
        return self.bytes


def run(server, name, size, clients, seconds):
    """Downloads a second, and how many clients waited for more than a second for a block."""
    poll = select.epoll()
    all_ = [Client(server, name, poll, number) for number in range(clients)]
    by_file = {client.socket.fileno(): client for client in all_}
    done, late, end = 0, 0, time.monotonic() + seconds
    begun = time.monotonic()
    while time.monotonic() < end:
        for file, _ in poll.poll(0.1):
            client = by_file[file]
            got = client.take()
            if got is None:
                continue
            if got != size:
                raise SystemExit(f"{got} bytes instead of {size}")
            done += 1
            del by_file[file]
            client.begin()
            by_file[client.socket.fileno()] = client
        for client in all_:
            if time.monotonic() - client.asked > 1:
                late += 1
                client.asked = time.monotonic()
    return done / (time.monotonic() - begun), late
