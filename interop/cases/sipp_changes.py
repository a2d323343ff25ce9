"""Changes that SIPp makes or refuses inside our phone's calls: UPDATE, a transfer that comes to nothing, tel URIs."""

from lib.case import Case
from lib.lab import need

from .sipp_races import NEEDS, RELIABLE, TIMER, at_phone, hangs_up


# SIPp counts a keep-alive as a fault, and these calls outlast its interval.
QUIET = "account.1.nat.udp_update_enable=0\n"


def takes_the_call_back(phone):
    phone.event("answered")
    phone.command("transfer 7003")
    phone.event("held")
    told = phone.event("transferred", timeout_s=40)
    need(told.get("status") is None, f"nobody said how the transfer came out, and the phone says {told}")
    phone.event("resumed")
    phone.command("hangup")
    phone.event("ended", by="local")


def is_refreshed(phone):
    phone.event("answered")
    while "Session Refreshed, 90s" not in phone.event("log", timeout_s=60)["line"]:
        pass
    phone.command("hangup")
    phone.event("ended", by="local")


CASES = [
    Case("phone-refer-silent", "SIPp accepts a transfer and says no more (timer N)", at_phone("refer-silent.xml", takes_the_call_back, QUIET), NEEDS),
    Case("phone-refresh-update", "our phone refreshes its session at SIPp by UPDATE", at_phone("refresh-update.xml", is_refreshed, TIMER + QUIET, limit_s=90), NEEDS),
    Case("phone-update-early", "SIPp's UPDATE comes before its answer", at_phone("update-early.xml", hangs_up, RELIABLE), NEEDS),
    Case("phone-moved-to-tel", "SIPp sends our phone's call to a tel URI", at_phone("moved-to-tel.xml", hangs_up), NEEDS),
]
