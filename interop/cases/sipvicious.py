"""SIPVicious, the scanner that every public exchange meets, against ours: it must learn nothing."""

import pathlib
import sys

from lib import peers
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange, Phone

GUESSES = 60
METHODS = ("REGISTER", "INVITE", "OPTIONS")
TOOLS = ("offhook", "svmap", "svwar", "svcrack")
# A name that nobody minds.
DISGUISE = "Grandstream GXP2170 1.0.11.23"


def known(lab):
    """By its own name it is banned at its first message."""
    exchange = Exchange(lab, peers.SECRETS)
    for method in METHODS:
        found = run(lab, f"svmap-{method.lower()}", ["svmap"], "-m", method, exchange.address)
        need("found nothing" in found and f"{exchange.address}:5060 " not in found, f"svmap by {method} finds the exchange: {found[-300:]}")
    look_for_numbers(lab, exchange, lambda tool: [tool])
    reason = exchange.event("banned")["reason"]
    alive_elsewhere(lab, exchange)
    return f"svmap finds nothing, svwar no number, svcrack no secret; 7001 registers elsewhere; banned: {reason}"


def disguised(lab):
    """Under another name it is read, and still learns nothing: every number is answered alike, and guesses end in a ban."""
    exchange = Exchange(lab, peers.SECRETS)
    program = [sys.executable, pathlib.Path(peers.__file__).with_name("disguised.py")]
    found = run(lab, "svmap", [*program, "svmap", DISGUISE], exchange.address)
    need(f"{exchange.address}:5060 " in found, f"svmap in disguise does not find the exchange, so this case shows nothing: {found[-300:]}")
    look_for_numbers(lab, exchange, lambda tool: [*program, tool, DISGUISE])
    reason = exchange.event("banned")["reason"]
    need("password" in reason, f"banned because of: {reason}")
    alive_elsewhere(lab, exchange)
    return f"svmap finds the exchange, svwar no number, svcrack no secret; 7001 registers elsewhere; banned: {reason}"


def look_for_numbers(lab, exchange, program):
    for method in METHODS:
        found = run(lab, f"svwar-{method.lower()}", program("svwar"), "--force", "-m", method, "-e", "6998-7008", exchange.address)
        listed = [number for number in peers.SECRETS if f"| {number} " in found]
        need(not listed, f"svwar by {method} tells {', '.join(listed)} from numbers that do not exist")
    words = lab.folder / "words"
    words.write_text("".join(f"guess-number-{n}\n" for n in range(GUESSES)))
    cracked = run(lab, "svcrack", program("svcrack"), "-u", "7001", "-d", words, exchange.address)
    need("| 7001 " not in cracked, "svcrack says that it found the secret, which was not among its words")


def alive_elsewhere(lab, exchange):
    exchange.alive()
    account = f"7001:{peers.SECRETS['7001']}@{exchange.address}"
    phone = Phone(lab, "phone", "--account", account, "--audio", "silent")
    phone.event("registered")
    phone.quit()


def run(lab, name, program, *arguments):
    """Runs one of the tools from an address of its own and returns what it printed."""
    _, printed = lab.run(name, [*program, "-b", lab.address(), *arguments], timeout_s=60)
    need("no such option" not in printed and "Traceback" not in printed, f"{program} did not run: {printed[-300:]}")
    return printed


CASES = [
    Case("sipvicious", "SIPVicious finds no extension and no secret", known, TOOLS, limit_s=200),
    Case("sipvicious-disguised", "SIPVicious under another name finds no extension and no secret", disguised, TOOLS, limit_s=200),
]
