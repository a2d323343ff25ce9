"""Other people's clients fetch phones' files from our exchange: the same file by TFTP and HTTP, and none that is not theirs."""

import json
import subprocess
import xmlrpc.client

from lib import peers
from lib.case import Case
from lib.lab import Failed, need
from lib.ours import Exchange

MAC = "0021f222b021"
FILE = f"{MAC}.cfg"
# Past one block of 512 bytes, and a whole number of blocks: the last one is empty.
RING = bytes(range(256)) * 260


def server(lab):
    folder = lab.subfolder("files")
    (folder / "ring.wav").write_bytes(RING)
    address = lab.address()
    ours = Exchange(
        lab, peers.SECRETS, "--tftp", f"{address}:6969", "--http", f"{address}:8069", "--https", f"{address}:8443",
        "--ftp", f"{address}:2121", "--files", folder, "--device", f"{MAC};number=7001;label=Front Desk",
    )
    return ours, address


def check(ours, folder, transport):
    """What came is the phone's own configuration and a file byte for byte; the exchange has counted both."""
    text = (folder / FILE).read_text()
    need(text.startswith("#!version:1.0.0.1\n"), f"not a configuration: {text[:80]!r}")
    for line in ("account.1.enable = 1", "account.1.user_name = 7001", f"account.1.sip_server.1.address = {ours.address}"):
        need(line in text.splitlines(), f"no line {line!r} in {text!r}")
    need((folder / "ring.wav").read_bytes() == RING, "ring.wav came changed")
    rows = ours.ask("GET", "/api/transfers")["transfers"]
    for name in (FILE, "ring.wav"):
        row = next((row for row in rows if row["file"] == name and row["transport"] == transport), None)
        need(row and row["result"] == "ok", f"no row of {name} by {transport}: {rows}")
        need(row["bytes"] == (folder / name).stat().st_size, f"the row of {name} is of another size: {row}")
    served = ours.ask("GET", f"/api/devices/{MAC}")["now"]["served"]
    need(served and served[0]["transport"] == transport, f"the device does not know what it got: {served}")
    ours.alive()


def by_tftp(client):
    def play(lab):
        ours, address = server(lab)
        folder = lab.subfolder("got")
        for name in (FILE, "ring.wav"):
            status, printed = lab.run(f"{client}-{name}", argv(client, address, name, folder), timeout_s=30)
            need(status == 0 and (folder / name).exists(), f"{client} did not get {name}: {printed[-300:]}")
        status, _ = lab.run(f"{client}-missing", argv(client, address, "0021f222b099.cfg", folder), timeout_s=30)
        missing = folder / "0021f222b099.cfg"
        need(status != 0 or not missing.exists() or not missing.read_bytes(), "a file came that is not there")
        check(ours, folder, "tftp")
        return f"{client} got a configuration and {len(RING)} bytes in blocks"
    return play


def argv(client, address, name, folder):
    target = folder / name
    return {
        "tftp": ["tftp", "-m", "binary", address, "6969", "-c", "get", name, target],
        "atftp": ["atftp", "--option", "tsize", "--option", "blksize 1428", "--option", "windowsize 8",
                  "--get", "-r", name, "-l", target, address, "6969"],
        "busybox": ["busybox", "tftp", "-g", "-b", "1024", "-r", name, "-l", target, address, "6969"],
        "curl": ["curl", "-sSf", "-o", target, f"tftp://{address}:6969/{name}"],
    }[client]


def by_http(lab):
    ours, address = server(lab)
    folder = lab.subfolder("got")
    agent = "Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21"
    for scheme, port, transport in (("http", 8069, "http"), ("https", 8443, "https")):
        for name in (FILE, "ring.wav"):
            url = f"{scheme}://{address}:{port}/{name}"
            command = ["curl", "-sSf", "--cacert", ours.ca, "-A", agent, "-o", folder / name, url]
            status, printed = lab.run(f"curl-{scheme}-{name}", command, timeout_s=30)
            need(status == 0, f"curl did not get {url}: {printed}")
        check(ours, folder, transport)
    device = ours.ask("GET", f"/api/devices/{MAC}")
    need(device["now"]["firmware"] == "V0.7.3.1", f"its firmware is not known: {device['now']}")
    refused = {
        "of another vendor": ["-A", "Yealink SIP-T46S 66.85.0.5 00:21:f2:22:b0:21", f"http://{address}:8069/{FILE}"],
        "in another dialect": [f"http://{address}:8069/cfg{MAC}.xml"],
        "outside of the folder": ["--path-as-is", f"http://{address}:8069/../exchange/ca.pem"],
        "by a guessed secret": [f"http://{address}:8069/p/0123456789abcdef/{FILE}"],
    }
    for what, arguments in refused.items():
        printed = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *arguments], capture_output=True, text=True, timeout=30,
        ).stdout
        need(printed == "404", f"a file {what} was answered with {printed}")
    ours.alive()
    return "curl got both files by HTTP and by HTTPS with the certificate checked, and four things not"


def by_ftp(client):
    def play(lab):
        ours, address = server(lab)
        folder = lab.subfolder("got")
        for name in (FILE, "ring.wav"):
            url = f"ftp://{address}:2121/{name}"
            for way, argv in ftp_ways(client, url, folder / name).items():
                (folder / name).unlink(missing_ok=True)
                status, printed = lab.run(f"{client}-{way}-{name}", argv, timeout_s=30)
                need(status == 0 and (folder / name).exists(), f"{client} {way} did not get {url}: {printed[-300:]}")
                check_one(folder, name)
        check(ours, folder, "ftp")
        missing = ftp_ways(client, f"ftp://{address}:2121/0021f222b099.cfg", folder / "missing")["passive"]
        status, _ = lab.run(f"{client}-missing", missing, timeout_s=30)
        need(status != 0, "a file came that is not there")
        return f"{client} got a configuration and {len(RING)} bytes, passive and where it can active"
    return play


def check_one(folder, name):
    got = (folder / name).read_bytes()
    need(got == RING if name == "ring.wav" else b"account.1.user_name" in got, f"{name} came changed")


def ftp_ways(client, url, target):
    """The ways in which a client opens the data connection."""
    def lftp(passive):
        settings = f"set ftp:passive-mode {passive}; set net:max-retries 1; set net:timeout 5; set ftp:fix-pasv-address off"
        return ["lftp", "-c", f"{settings}; get {url} -o {target}"]

    return {
        "lftp": {"passive": lftp("on"), "active": lftp("off")},
        "wget": {"passive": ["wget", "-q", "-t1", "-O", target, url],
                 "active": ["wget", "-q", "-t1", "--no-passive-ftp", "-O", target, url]},
        "curl": {"passive": ["curl", "-sSf", "-o", target, url],
                 "pasv": ["curl", "-sSf", "--disable-epsv", "-o", target, url],
                 "active": ["curl", "-sSf", "--ftp-port", "-", "-o", target, url],
                 "port": ["curl", "-sSf", "--ftp-port", "-", "--disable-eprt", "-o", target, url]},
    }[client]


# What tshark tells of each frame, in one run: to start it costs more than to read a capture.
FRAME_FIELDS = ("frame.number", "frame.protocols", "frame.cap_len", "frame.len", "_ws.malformed", "_ws.expert.severity", "tftp.opcode")
WARNING, ERROR = 0x600000, 0x800000
TFTP_ERROR = "5"


def read_frames(lab, slug, capture):
    argv = ["tshark", "-n", "-r", capture, "-T", "fields", "-E", "separator=|", "-E", "aggregator=;"]
    for protocol in ("ip", "udp", "tcp"):
        argv += ["-o", f"{protocol}.check_checksum:TRUE"]
    status, text = lab.run(f"{slug}-frames", argv + [part for field in FRAME_FIELDS for part in ("-e", field)], timeout_s=60)
    need(status == 0, f"tshark cannot read {capture.name}: {text[-300:]}")
    return [line.split("|") for line in text.splitlines() if line.count("|") == len(FRAME_FIELDS) - 1]


def is_wrong(kept, whole, malformed, severities, opcode):
    """Whether a frame is cut or broken, or tshark warns of it; that a file is not there is no fault of the frame."""
    severities = [int(severity, 0) for severity in severities.split(";") if severity]
    worst = max(severities, default=0)
    return bool(malformed) or kept != whole or worst >= ERROR or worst == WARNING and opcode != TFTP_ERROR


def captures_of_cases(lab):
    """Every provisioning case of the lab leaves a capture; tshark reads PnP, TFTP, HTTP, DNS and check-sync in them."""
    _, listed = lab.run("list", [lab.offhook, "lab", "--list", "--json"], timeout_s=20)
    cases = [case["case"] for case in json.loads(listed) if case["topic"] == "Auto provisioning" and not case["real_only"]]
    need(len(cases) >= 15, f"the lab has the cases {cases}")
    found = dict.fromkeys(("sip", "tftp", "http", "dns"), 0)
    for slug in cases:
        capture = lab.folder / f"{slug}.pcap"
        status, printed = lab.run(slug, [lab.offhook, "lab", slug, "--once", "--pcap", capture], timeout_s=60)
        need(status == 0, f"{slug} fails: {printed[-300:]}")
        frames = read_frames(lab, slug, capture)
        wrong = [number for number, protocols, *faults in frames if is_wrong(*faults)]
        need(not wrong, f"{slug}: tshark complains of frames {wrong[:10]}")
        for protocol in found:
            found[protocol] += sum(protocol in protocols.split(":") for _, protocols, *_ in frames)
    need(all(found.values()), f"frames by protocol: {found}")
    return f"{len(cases)} captures: " + ", ".join(f"{count} frames of {name.upper()}" for name, count in found.items())


def by_xml_rpc(lab):
    """Python's client works on the redirection service's table; curl is led where the table says."""
    ours, address = server(lab)
    token = (ours.folder / "web-token").read_text().strip()
    place = ours.web.removeprefix("http://").rstrip("/")
    office = "http://192.0.2.80/office/"
    with xmlrpc.client.ServerProxy(f"http://admin:{token}@{place}/xmlrpc") as client:
        redirect = client.redirect
        need(redirect.registerDevice("00:15:65:aa:bb:cc", "office") == [False, "Error:Invalid server"], "there is no such server yet")
        need(redirect.addServer("office", office) == [True, "OK"], "a server is not added")
        need(redirect.registerDevices(["00-15-65-aa-bb-cc", "001565AABBCD"], "office") == [True, "OK"], "phones are not taken")
        need(redirect.registerDevice("001565aabbcd", "office") == [False, "Error:Existing MAC(s):001565aabbcd"], "one is taken twice")
        need(redirect.registerDevice("001565aabbcd", "office", True) == [True, "OK"], "an override is not taken")
        need(redirect.checkDevice("001565aabbcc") == [True, "Registered"], "it is not registered")
        need(redirect.listDevices() == [True, [["001565aabbcc", "office"], ["001565aabbcd", "office"]]], "the list is another one")
        _, printed = lab.run("led", ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", f"http://{address}:8069/rps/001565aabbcc"], 10)
        need(printed.strip() == f"302 {office}", f"the phone is led to {printed}")
        need(redirect.deRegisterDevices(["001565aabbcc", "001565aabbcd"]) == [True, "OK"], "phones stay")
        need(redirect.listDevices() == [True, []], "the list is not empty")
        try:
            redirect.dance()
            raise Failed("a method that is none is answered")
        except xmlrpc.client.Fault as fault:
            need(fault.faultCode == -32601, f"the fault is {fault}")
    ours.alive()
    return "eleven calls; curl is led to the office"


CASES = [
    Case("provision-xmlrpc", "Python's XML-RPC client works on the redirection service's table", by_xml_rpc, ("offhook", "curl")),
    Case("provision-tshark", "tshark reads the captures of all provisioning cases without complaint", captures_of_cases, ("offhook", "tshark")),
    Case("provision-lftp", "lftp fetches them by FTP, passive and active", by_ftp("lftp"), ("offhook", "lftp")),
    Case("provision-wget", "wget fetches them by FTP, passive and active", by_ftp("wget"), ("offhook", "wget")),
    Case("provision-curl-ftp", "curl fetches them by FTP: EPSV, PASV, EPRT, PORT", by_ftp("curl"), ("offhook", "curl")),
    Case("provision-tftp-hpa", "tftp-hpa fetches a phone's files", by_tftp("tftp"), ("offhook", "tftp")),
    Case("provision-atftp", "atftp fetches them in larger blocks and windows", by_tftp("atftp"), ("offhook", "atftp")),
    Case("provision-busybox", "BusyBox's tftp fetches them", by_tftp("busybox"), ("offhook", "busybox")),
    Case("provision-curl-tftp", "curl fetches them by TFTP, as the deck's phones do", by_tftp("curl"), ("offhook", "curl")),
    Case("provision-curl", "curl fetches them by HTTP and HTTPS", by_http, ("offhook", "curl")),
]
