"""What an exchange owes its phones: the way of a registration, each leg by itself, one device that speaks for all."""

from lib import peers
from lib.case import Case
from lib.lab import need
from lib.ours import Exchange

from .sipp import register, row
from .sipp_phone import phone_at
from .sipp_races import hangs_up


def is_called(lab, exchange, callee):
    """Our phone calls 7002, where SIPp answers and hangs up by its scenario; the phone."""
    phone = phone_at(lab, exchange.address)
    phone.command("dial 7002")
    hangs_up(phone)
    phone.quit()
    callee.nothing_failed()
    exchange.alive()
    return phone


def leg_alone(scenario, *arguments):
    """A case in which SIPp is a phone at our exchange and plays this scenario, of which our phone, its caller, knows
    nothing: the exchange does it on that leg alone."""

    def play(lab):
        exchange = Exchange(lab, peers.SECRETS, *arguments)
        address = lab.address()
        register(lab, exchange, "7002", address, "register")
        callee = peers.Sipp(lab, "callee", scenario, address=address, values={"server": "callee"}, limit_s=50)
        phone = is_called(lab, exchange, callee)
        peers.check_capture(lab, exchange.capture, least_sip=10)
        asked = peers.frames(lab, phone.capture, "sip.Method == PRACK or sip.Status-Code == 422")
        need(not asked, f"the caller's leg was drawn in: frames {asked}")

    return play


def path(lab):
    exchange = Exchange(lab, peers.SECRETS)
    address = lab.address()
    peers.Sipp(
        lab, "register", "register-path.xml", address=address, target=exchange.address, rows=[row("7002")], calls=1, limit_s=10,
    ).finish()
    is_called(lab, exchange, peers.Sipp(lab, "callee", "answer-path.xml", address=address, limit_s=50))
    return "Path came back, was the Route of the INVITE, and Record-Route that of the BYE"


def declined(lab):
    exchange = Exchange(lab, peers.SECRETS)
    devices = []
    for name, scenario in (("declines", "declined.xml"), ("rings", "cancelled.xml")):
        address = lab.address()
        register(lab, exchange, "7002", address, f"register-{name}")
        devices.append(peers.Sipp(lab, name, scenario, address=address, values={"server": "callee"}, limit_s=50))
    phone = phone_at(lab, exchange.address)
    phone.command("dial 7002")
    ended = phone.event("ended")
    need(ended.get("status") == 603, f"one device declined for all, and the phone says {ended}")
    phone.quit()
    for device in devices:
        device.nothing_failed()
    exchange.alive()
    return "603 of one device cancelled the other and reached the caller"


def update_early(lab):
    exchange = Exchange(lab, peers.SECRETS)
    address = lab.address()
    register(lab, exchange, "7002", address, "register")
    callee = peers.Sipp(lab, "callee", "answer-update-early.xml", address=address, values={"server": "callee"}, limit_s=50)
    peers.Sipp(
        lab, "caller", "call-update-early.xml", "-s", "7002", "-auth_uri", f"7002@{exchange.address}:5060", address=lab.address(), target=exchange.address, rows=[row("7001")], calls=1,
        limit_s=20,
    ).finish()
    callee.nothing_failed()
    exchange.alive()
    peers.check_capture(lab, exchange.capture, least_sip=20)
    updates = peers.frames(lab, exchange.capture, "sip.Method == UPDATE")
    need(len(updates) == 4, f"two changes on two legs are four UPDATEs: frames {updates}")
    return "UPDATE before the answer, by either side, reached the other and brought its answer back"


NEEDS = ("offhook", "sipp", "tshark")
CASES = [
    Case("exchange-path", "a call goes by the proxies of SIPp's registration (RFC 3327)", path, NEEDS),
    Case("exchange-declined-by-one", "one of two SIPps declines for both", declined, NEEDS),
    Case("exchange-reliable-alone", "SIPp answers reliably a caller who does not know that (PRACK)", leg_alone("reliable.xml"), NEEDS),
    Case("exchange-update-early", "SIPp calls SIPp: both change the session before the answer (UPDATE)", update_early, NEEDS),
    Case("exchange-session-timer", "SIPp wants a longer session interval than our exchange (422)", leg_alone("session-timer.xml", "--session", "90"), NEEDS),
]
