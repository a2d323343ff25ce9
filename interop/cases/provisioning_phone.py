"""Our phone fetches its settings from other people's servers, and is told to do so by SIPp."""

import os
import pathlib
import shutil
import socket
import threading

from lib import peers
from lib.case import Case
from lib.lab import Skipped, holds_udp, listens, need, wait_until
from lib.ours import Exchange, Phone

MAC = "0021f222b021"
USER, PASSWORD = "phones", "swordfish-tale"
# Where a program stands that cannot be installed beside another one of its kind.
TOOLS = pathlib.Path("target/interop-tools/usr/sbin")


def config_of(server):
    """The deck's file: an account at our exchange."""
    return (
        "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.user_name = 7001\n"
        f"account.1.password = {peers.SECRETS['7001']}\naccount.1.sip_server.1.address = {server}\n"
    )


def site(lab):
    """Our exchange, and a folder with the file of our phone that names it."""
    ours = Exchange(lab, peers.SECRETS)
    folder = lab.subfolder("served")
    (folder / f"{MAC}.cfg").write_text(config_of(ours.address))
    return folder


def fetches(lab, url, *arguments, settings=""):
    """The phone fetches its file from that folder, registers with it, and is told that others are missing."""
    config = lab.folder / "before.cfg"
    config.write_text(f"#!version:1.0.0.1\n{settings}")
    phone = Phone(lab, "phone", "--mac", MAC, "--profile", url, "--config", config, *arguments)
    done = phone.event("provisioned", timeout_s=20)
    statuses = [file["status"] for file in done["files"]]
    need(statuses == [404, 404, 404, 200], f"the files' statuses are {statuses}")
    phone.event("registered")
    phone.quit()
    return f"three names that are not there, then {done['files'][3]['bytes']} bytes; registered"


def program(name):
    """The path of a program, also where it was only unpacked."""
    unpacked = TOOLS / name
    found = shutil.which(name) or (str(unpacked.resolve()) if unpacked.exists() else None)
    if not found:
        raise Skipped(f"{name} is not installed")
    return found


def by_tftpd_hpa(lab):
    folder, address = site(lab), lab.address()
    if os.getuid() != 0:
        raise Skipped("in.tftpd changes its user, which needs root")
    lab.start("tftpd", ["in.tftpd", "-L", "-s", "-a", f"{address}:6969", folder])
    wait_until("in.tftpd", lambda: holds_udp(address, 6969))
    return fetches(lab, f"tftp://{address}:6969/")


def by_atftpd(lab):
    folder, address = site(lab), lab.address()
    atftpd = program("atftpd")
    user = "root" if os.getuid() == 0 else os.environ.get("USER", "nobody")
    lab.start("atftpd", [atftpd, "--daemon", "--no-fork", "--user", user, "--port", "6969",
                         "--bind-address", address, folder])
    wait_until("atftpd", lambda: holds_udp(address, 6969))
    return fetches(lab, f"tftp://{address}:6969/")


def by_dnsmasq(lab):
    folder, address = site(lab), lab.address()
    if os.getuid() != 0:
        raise Skipped("dnsmasq serves TFTP at port 69 alone, which needs root")
    lab.start("dnsmasq", ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--bind-interfaces",
                          f"--listen-address={address}", "--enable-tftp", f"--tftp-root={folder}", "--user=root"])
    wait_until("dnsmasq", lambda: holds_udp(address, 69))
    return fetches(lab, f"tftp://{address}/")


def by_vsftpd(passive):
    def play(lab):
        folder, address = site(lab), lab.address()
        config = lab.folder / "vsftpd.conf"
        folder.chmod(0o555)
        config.write_text(
            "listen=YES\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\nno_anon_password=NO\n"
            f"listen_address={address}\nlisten_port=2121\nanon_root={folder.resolve()}\nrun_as_launching_user=YES\n"
            f"seccomp_sandbox=NO\nconnect_from_port_20=NO\npasv_enable={'YES' if passive else 'NO'}\n"
        )
        try:
            lab.start("vsftpd", ["vsftpd", config])
            wait_until("vsftpd", lambda: listens(address, 2121))
            return fetches(lab, f"ftp://{address}:2121/")
        finally:
            folder.chmod(0o755)
    return play


def by_nginx(lab):
    """Basic is answered only where the phone is set to it."""
    folder, address = site(lab), lab.address()
    (lab.folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    config = lab.folder / "nginx.conf"
    config.write_text(
        f"pid {lab.folder.resolve()}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n"
        + "".join(f"  {kind}_temp_path {lab.folder.resolve()}/{kind};\n"
                  for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        + f"  access_log {lab.folder.resolve()}/access.log;\n"
        f"  server {{ listen {address}:8080; root {folder.resolve()};\n"
        f"    auth_basic phones; auth_basic_user_file {lab.folder.resolve()}/users; }}\n}}\n"
    )
    lab.start("nginx", ["nginx", "-p", lab.folder, "-c", config.resolve(), "-g", "daemon off; user root;"
                        if os.getuid() == 0 else "daemon off;"])
    wait_until("nginx", lambda: listens(address, 8080))
    login = f"auto_provision.server.username = {USER}\nauto_provision.server.password = {PASSWORD}\n"
    refused = Phone(lab, "refused", "--mac", "0021f222b022", "--profile", f"http://{address}:8080/",
                    "--config", written(lab, "digest.cfg", login))
    failed = refused.event("provision_failed")
    need("in clear" in failed["reason"], f"the phone says {failed['reason']}")
    refused.quit()
    said = fetches(lab, f"http://{address}:8080/", settings=login + "auto_provision.advanced.http_authentication = 0\n")
    log = (lab.folder / "access.log").read_text()
    need("Offhook FIP14G" in log and MAC.upper()[:2] in log, f"the User-Agent is not in the log: {log[-200:]}")
    return said + "; Basic only where it is set"


def by_lighttpd(lab):
    """Digest, as lighttpd speaks it."""
    folder, address = site(lab), lab.address()
    (lab.folder / "users").write_text(f"{USER}:{PASSWORD}\n")
    config = lab.folder / "lighttpd.conf"
    config.write_text(
        f'server.bind = "{address}"\nserver.port = 8080\nserver.document-root = "{folder.resolve()}"\n'
        f'server.modules = ("mod_auth", "mod_authn_file")\nauth.backend = "plain"\n'
        f'auth.backend.plain.userfile = "{lab.folder.resolve()}/users"\n'
        'auth.require = ("/" => ("method" => "digest", "realm" => "phones", "require" => "valid-user"))\n'
    )
    lab.start("lighttpd", ["lighttpd", "-D", "-f", config.resolve()])
    wait_until("lighttpd", lambda: listens(address, 8080))
    login = f"auto_provision.server.username = {USER}\nauto_provision.server.password = {PASSWORD}\n"
    return fetches(lab, f"http://{address}:8080/", settings=login)


def written(lab, name, settings):
    path = lab.folder / name
    path.write_text(f"#!version:1.0.0.1\n{settings}")
    return path


class Group:
    """Stands in the group of PnP for a program that cannot join it, and passes on what is said there."""

    GROUP = "224.0.1.75"

    def __init__(self, inside):
        self._inside = inside
        self._asker = None
        self._heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._heard.bind((self.GROUP, 5060))
        member = socket.inet_aton(self.GROUP) + socket.inet_aton("127.0.0.1")
        self._heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self._own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._own.bind((inside[0], 0))
        for work in (self._to_inside, self._to_asker):
            threading.Thread(target=work, daemon=True).start()

    def _to_inside(self):
        while True:
            bytes_, asker = self._heard.recvfrom(4096)
            if b"MAC0021f222b045" in bytes_:
                self._asker = asker
                self._own.sendto(bytes_, self._inside)

    def _to_asker(self):
        while True:
            bytes_, sender = self._own.recvfrom(4096)
            self._own.sendto(bytes_, self._asker if sender == self._inside else self._inside)


def sipp_is_asked_by_pnp(lab):
    """SIPp answers the phone's SUBSCRIBE as a PnP server does; the phone answers its NOTIFY."""
    folder = site(lab)
    (folder / "0021f222b045.cfg").write_text((folder / f"{MAC}.cfg").read_text())
    address = lab.address()
    lab.start("nginx-less", ["python3", "-m", "http.server", "8000", "--bind", address, "--directory", folder])
    wait_until("the files", lambda: listens(address, 8000))
    responder = peers.Sipp(lab, "responder", "pnp.xml", address=address, values={"url": f"http://{address}:8000/"},
                           calls=1, limit_s=30)
    Group((address, 5060))
    phone = Phone(lab, "phone", "--mac", "0021f222b045", "--pnp")
    source = phone.event("provision_source")
    need(source["source"] == "pnp" and source["url"] == f"http://{address}:8000/", f"the source is {source}")
    phone.event("registered")
    responder.finish()
    phone.quit()
    return "SUBSCRIBE to the group, NOTIFY with application/url, 200; registered with what was there"


def sipp_sends_the_deck_s_check_sync(lab):
    """No branch, no tag, no Max-Forwards: the deck's phone answers 200 and restarts, and so does ours."""
    folder = site(lab)
    address = lab.address()
    lab.start("files", ["python3", "-m", "http.server", "8000", "--bind", address, "--directory", folder])
    wait_until("the files", lambda: listens(address, 8000))
    config = written(lab, "anybody.cfg", "auto_provision.advanced.check_sync_from = 2\n")
    phone = Phone(lab, "phone", "--mac", MAC, "--profile", f"http://{address}:8000/", "--config", config)
    phone.event("registered")
    sender = peers.Sipp(lab, "sender", "check-sync.xml", "-cid_str", "1234@%s", address=address, port=7778, target=f"{phone.address}:5060",
                        calls=1, limit_s=20)
    sender.finish()
    phone.event("reboot")
    need(phone.event("resync")["why"] == "start", "the phone does not start again")
    phone.event("registered")
    phone.quit()
    text = (lab.folder / "sender.messages").read_text()
    sent = text[text.index("NOTIFY sip:"):].split("\n\n")[0]
    deck = sent.replace(phone.address, "192.168.20.2").replace(address, "192.168.20.165")
    size = len(deck.strip().replace("\n", "\r\n").encode()) + 4
    need(size == 256, f"with the deck's addresses the message has {size} bytes, not 256: {deck!r}")
    return "answered 200, restarted, fetched, registered; the message is the deck's, 256 bytes"


CASES = [
    Case("fetch-tftpd-hpa", "our phone fetches its settings from tftpd-hpa", by_tftpd_hpa, ("offhook", "in.tftpd")),
    Case("fetch-atftpd", "our phone fetches its settings from atftpd", by_atftpd, ("offhook",)),
    Case("fetch-dnsmasq", "our phone fetches its settings from dnsmasq", by_dnsmasq, ("offhook", "dnsmasq")),
    Case("fetch-vsftpd", "our phone fetches its settings from vsftpd, passive", by_vsftpd(True), ("offhook", "vsftpd")),
    Case("fetch-vsftpd-active", "vsftpd refuses passive: our phone goes active", by_vsftpd(False), ("offhook", "vsftpd")),
    Case("fetch-nginx", "our phone proves itself to nginx by Basic", by_nginx, ("offhook", "nginx")),
    Case("fetch-lighttpd", "our phone proves itself to lighttpd by Digest", by_lighttpd, ("offhook", "lighttpd")),
    Case("fetch-pnp-sipp", "SIPp answers our phone's PnP question", sipp_is_asked_by_pnp, ("offhook", "sipp")),
    Case("fetch-check-sync-sipp", "SIPp sends the deck's check-sync", sipp_sends_the_deck_s_check_sync, ("offhook", "sipp")),
]
