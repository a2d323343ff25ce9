"""Phones out of their box that boot at once: PnP, four files by HTTP, REGISTER with digest; each at an address of its own.

Written for this by hand, so that no fault of our parser hides on both sides. Loopback only.
"""

import asyncio
import hashlib
import re
import socket
import time

GROUP = ("224.0.1.75", 5060)
REPEATS_S = (0.5, 1, 2, 4, 4, 4)


def mac(number):
    return f"0021f4{number:06x}"


def header(message, name):
    found = re.search(rb"(?im)^" + name + rb": *(.*?)\r$", message)
    return found[1].decode() if found else ""


class Phone:
    def __init__(self, number):
        self.mac, self.own = mac(number), f"127.92.{number // 250}.{number % 250 + 1}"
        self.loop = asyncio.get_running_loop()
        self.repeats = 0

    def datagrams(self, port):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self.own))
        made.bind((self.own, port))
        return made

    async def ask(self, udp, message, to, fits):
        """Sends a request, again where nothing comes, until an answer fits."""
        for wait in REPEATS_S:
            await self.loop.sock_sendto(udp, message, to)
            until = self.loop.time() + wait
            while True:
                try:
                    async with asyncio.timeout_at(until):
                        answer, sender = await self.loop.sock_recvfrom(udp, 8192)
                except TimeoutError:
                    self.repeats += 1
                    break
                if fits(answer):
                    return answer, sender
        raise SystemExit(f"{self.own}: no answer to {message[:60]!r}")

    async def folder(self):
        """Asks by PnP; the address of its folder."""
        udp = self.datagrams(0)
        port = udp.getsockname()[1]
        subscribe = (
            f"SUBSCRIBE sip:MAC{self.mac}@224.0.1.75 SIP/2.0\r\nVia: SIP/2.0/UDP {self.own}:{port};branch=z9hG4bK{self.mac};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:MAC{self.mac}@224.0.1.75>;tag={self.mac}\r\nTo: <sip:MAC{self.mac}@224.0.1.75>\r\n"
            f"Call-ID: pnp-{self.mac}\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:{self.own}:{port}>\r\nExpires: 0\r\n"
            f'Event: ua-profile;profile-type="device";vendor="Flyingvoice";model="FIP14G";version="V0.7.3.1"\r\n'
            "Accept: application/url\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        notify, sender = await self.ask(udp, subscribe, GROUP, lambda answer: answer.startswith(b"NOTIFY "))
        copied = "".join(f"{name}: {header(notify, name.encode())}\r\n" for name in ("Via", "From", "To", "Call-ID", "CSeq"))
        await self.loop.sock_sendto(udp, f"SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n".encode(), sender)
        udp.close()
        return notify.split(b"\r\n\r\n", 1)[1].decode().strip()

    async def get(self, url):
        """A file by a connection of its own; none where it is not there."""
        host, port, path = re.fullmatch(r"http://([\d.]+):(\d+)(/.*)", url).groups()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as tcp:
            tcp.bind((self.own, 0))
            await self.loop.sock_connect(tcp, (host, int(port)))
            agent = f"Flyingvoice FIP14G V0.7.3.1 {':'.join(self.mac[at:at + 2] for at in range(0, 12, 2)).upper()}"
            request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n"
            await self.loop.sock_sendall(tcp, request.encode())
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer.split(b"\r\n\r\n", 1)[1]) < int(header(answer, b"content-length") or 0):
                more = await self.loop.sock_recv(tcp, 65536)
                if not more:
                    break
                answer += more
        head, body = answer.split(b"\r\n\r\n", 1)
        return body.decode() if head.split(b" ")[1] == b"200" else None

    async def register(self, said):
        """Registers as the file says."""
        udp = self.datagrams(5060)
        user, server = said["user_name"], (said["sip_server.1.address"], int(said["sip_server.1.port"]))
        uri = f"sip:{server[0]}:{server[1]}"

        def register(sequence, more):
            return (
                f"REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.own}:5060;branch=z9hG4bKr{sequence}{self.mac};rport\r\nMax-Forwards: 70\r\n"
                f"From: <sip:{user}@{server[0]}>;tag=r{self.mac}\r\nTo: <sip:{user}@{server[0]}>\r\nCall-ID: register-{self.mac}\r\n"
                f"CSeq: {sequence} REGISTER\r\nContact: <sip:{user}@{self.own}:5060>\r\nExpires: 3600\r\n{more}Content-Length: 0\r\n\r\n"
            ).encode()

        def answers(sequence):
            return lambda answer: answer.startswith(b"SIP/2.0 ") and header(answer, b"cseq") == f"{sequence} REGISTER"

        challenge, _ = await self.ask(udp, register(1, ""), server, answers(1))
        offers = [line.decode() for line in re.findall(rb"(?im)^www-authenticate: *(.*?)\r$", challenge)]
        offer = next(line for line in offers if "MD5" in line or "algorithm" not in line)
        part = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', offer)}
        digest = lambda text: hashlib.md5(text.encode()).hexdigest()
        secret = digest(f"{said['auth_name']}:{part['realm']}:{said['password']}")
        response = digest(f"{secret}:{part['nonce']}:00000001:{self.mac}:auth:{digest(f'REGISTER:{uri}')}")
        proof = (f'Authorization: Digest username="{said["auth_name"]}", realm="{part["realm"]}", nonce="{part["nonce"]}", uri="{uri}", '
                 f'response="{response}", algorithm=MD5, cnonce="{self.mac}", qop=auth, nc=00000001\r\n')
        answer, _ = await self.ask(udp, register(2, proof), server, answers(2))
        udp.close()
        if not answer.startswith(b"SIP/2.0 200 "):
            raise SystemExit(f"{self.own}: not registered: {answer[:60]!r}")

    async def boot(self):
        folder = await self.folder()
        files = [await self.get(folder + name) for name in
                 (f"{self.mac}.boot", "y000000000000.boot", "y000000000000.cfg", f"{self.mac}.cfg")]
        said = dict(re.findall(r"(?m)^account\.1\.(\S+) = (.*)$", files[-1]))
        await self.register(said)
        return time.monotonic()


async def boot_all(count):
    phones = [Phone(number) for number in range(count)]
    begun = time.monotonic()
    done = await asyncio.gather(*(phone.boot() for phone in phones))
    return sorted(one - begun for one in done), sum(phone.repeats for phone in phones)


def run(count):
    """Seconds after which each phone is registered, rising; and how many requests were sent again."""
    return asyncio.run(boot_all(count))
