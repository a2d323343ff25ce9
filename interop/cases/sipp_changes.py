"""Changes that SIPp makes or refuses inside our phone's calls: UPDATE, a transfer that comes to nothing, tel URIs."""

import time

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


def holds_as_well(phone):
    phone.event("answered")
    phone.event("remote_hold")
    phone.command("hold")
    phone.event("held")
    phone.event("remote_resume")
    phone.command("resume")
    phone.event("resumed")
    phone.command("hangup")
    phone.event("ended", by="local")


def holds_by_its_answer(phone):
    phone.event("answered")
    phone.command("hold")
    phone.event("held", timeout_s=2)
    # Longer than a change waits after 491: what is held is not asked for again.
    time.sleep(5)
    phone.command("hangup")
    phone.event("ended", by="local")


def takes_another_tag(phone):
    answered = phone.event("answered")
    need(answered.get("secure") is True, f"the call must be encrypted, and the phone says {answered}")
    told = [event["line"] for event in phone.events if event.get("event") == "log" and "crypto tag 7" in event["line"]]
    need(told, "the log says nothing of the tag")
    phone.command("hangup")
    phone.event("ended", by="local")


CASES = [
    Case("phone-both-hold", "SIPp and our phone hold each other, and resume", at_phone("both-hold.xml", holds_as_well, QUIET), NEEDS),
    Case("phone-crossed", "SIPp refuses a hold with 491 and asks for a change itself", at_phone("crossed.xml", holds_by_its_answer, QUIET), NEEDS),
    Case("phone-renumbered", "SIPp answers our phone's encrypted call under another crypto tag",
         at_phone("renumbered.xml", takes_another_tag, QUIET + "account.1.srtp_encryption=2\n"), NEEDS),
    Case("phone-refer-silent", "SIPp accepts a transfer and says no more (timer N)", at_phone("refer-silent.xml", takes_the_call_back, QUIET), NEEDS),
    Case("phone-refresh-update", "our phone refreshes its session at SIPp by UPDATE", at_phone("refresh-update.xml", is_refreshed, TIMER + QUIET, limit_s=90), NEEDS),
    Case("phone-update-early", "SIPp's UPDATE comes before its answer", at_phone("update-early.xml", hangs_up, RELIABLE), NEEDS),
    Case("phone-moved-to-tel", "SIPp sends our phone's call to a tel URI", at_phone("moved-to-tel.xml", hangs_up), NEEDS),
]
