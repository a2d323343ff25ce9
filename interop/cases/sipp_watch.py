"""SIPp watches extensions of our exchange (RFC 4235), and is refused by the book."""

from lib import peers
from lib.case import Case
from lib.ends import Ours
from lib.lab import wait_until
from lib.ours import Exchange

from .sipp import row

# What is asked, and how it has to be refused: status, header, words in it.
IN_VAIN = {
    404: {"service": "7999", "seconds": "600", "package": "dialog", "header": "CSeq", "words": "SUBSCRIBE"},
    423: {"service": "7002", "seconds": "5", "package": "dialog", "header": "Min-Expires", "words": "[1-9][0-9]"},
    489: {"service": "7002", "seconds": "600", "package": "presence", "header": "Allow-Events", "words": "dialog"},
}


def watches(lab):
    exchange = Exchange(lab, peers.SECRETS)
    caller, watched = Ours(lab, "7001", exchange), Ours(lab, "7002", exchange)
    watcher = lab.address()
    watching = peers.Sipp(
        lab, "watcher", "watch.xml", "-s", "7002", "-auth_uri", f"7002@{exchange.address}:5060", "-trace_logs", "-log_file",
        lab.folder / "watcher.told", address=watcher, target=exchange.address, rows=[row("7003")], calls=1, limit_s=60,
    )
    told = lab.folder / "watcher.told"

    def notified(words):
        wait_until(f"the watcher is told {words}", lambda: told.exists() and f"notified of {words}" in told.read_text())

    notified("state")
    caller.dial("7002")
    watched.rings()
    notified("early")
    watched.do("answer")
    caller.answered()
    notified("confirmed")
    caller.hang_up()
    watched.over()
    watching.finish()
    for phone in (caller, watched):
        phone.quit()
    exchange.alive()
    peers.check_capture(lab, exchange.capture, least_sip=20)
    return "idle, ringing, busy and idle again; the subscription ended with a last NOTIFY"


def in_vain(status):
    def play(lab):
        exchange = Exchange(lab, peers.SECRETS)
        asked = dict(IN_VAIN[status])
        service = asked.pop("service")
        peers.Sipp(
            lab, "watcher", "watch-in-vain.xml", "-s", service, "-auth_uri", f"{service}@{exchange.address}:5060",
            address=lab.address(), target=exchange.address, rows=[row("7003")], calls=1, limit_s=20,
            values={"status": str(status), **asked},
        ).finish()
        exchange.alive()

    return play


NEEDS = ("offhook", "sipp", "tshark")
CASES = [
    Case("watch-sipp", "SIPp watches an extension of our exchange", watches, NEEDS),
    *(Case(f"watch-sipp-{status}", f"SIPp's subscription is refused with {status}", in_vain(status), NEEDS) for status in IN_VAIN),
]
