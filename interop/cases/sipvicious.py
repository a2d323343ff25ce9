"""SIPVicious, the scanner that every public exchange meets, against ours: it must learn nothing."""

from lib import peers
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange, Phone

GUESSES = 60


def scanned(lab):
    exchange = Exchange(lab, peers.SECRETS)
    scanner = lab.address()
    for method in ("REGISTER", "INVITE", "OPTIONS"):
        found = run(lab, f"svwar-{method.lower()}", "svwar", scanner, "--force", "-m", method, "-e", "6998-7008", exchange.address)
        listed = [number for number in peers.SECRETS if f"| {number} " in found]
        need(not listed, f"svwar by {method} tells {', '.join(listed)} from numbers that do not exist")
    words = lab.folder / "words"
    words.write_text("".join(f"guess-number-{n}\n" for n in range(GUESSES)))
    cracked = run(lab, "svcrack", "svcrack", scanner, "-u", "7001", "-d", words, exchange.address)
    need("| 7001 " not in cracked, "svcrack says that it found the secret, which was not among its words")
    ban = exchange.event("banned")
    exchange.alive()
    account = f"7001:{peers.SECRETS['7001']}@{exchange.address}"
    phone = Phone(lab, "phone", "--account", account, "--audio", "silent")
    phone.event("registered")
    phone.quit()
    return "no extension was told from a number that does not exist, no secret found; 7001 still registers elsewhere; " \
        f"the scanner was banned: {ban['reason']}"


def run(lab, name, program, address, *arguments):
    """Runs one of the tools from an address of its own and returns what it printed."""
    _, printed = lab.run(name, [program, "-b", address, *arguments], timeout_s=60)
    need("no such option" not in printed and "Traceback" not in printed, f"{program} did not run: {printed[-300:]}")
    return printed


CASES = [
    Case("sipvicious", "SIPVicious finds no extension and no secret", scanned,
         ("offhook", "svwar", "svcrack"), limit_s=200),
]
