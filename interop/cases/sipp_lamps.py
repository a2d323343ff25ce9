"""Our phone's lamps and messages, told by SIPp's scenarios of a server: as it should be, and on a bad day."""

from lib import peers
from lib.case import Case
from lib.lab import need

from .sipp_phone import phone_at

KEY = "linekey.2.type 16 linekey.2.line 1 linekey.2.value 7002"
LOOKS = {"idle": ("green", "steady"), "ringing": ("red", "flashing"), "busy": ("red", "steady")}
REFUSALS = {
    403: ("403 Forbidden", "X-Why: not yours to watch"),
    404: ("404 Not Found", "X-Why: nobody"),
    489: ("489 Bad Event", "Allow-Events: presence"),
}
SUMMARY = "application/simple-message-summary"
DIALOGS = "application/dialog-info+xml"


def watching(lab, scenario, **values):
    """A SIPp that plays this server, and a phone of ours at it that watches 7002 by key 2."""
    server = lab.address()
    notifier = peers.Sipp(lab, "server", scenario, address=server, values=values, limit_s=50)
    phone = phone_at(lab, server)
    phone.command(f"set {KEY}")
    return notifier, phone


def shows(*meanings, scenario):
    """A case in which the lamp must come to show these, one after the other."""

    def play(lab):
        notifier, phone = watching(lab, scenario)
        for meaning in meanings:
            lamp = phone.event("lamp", key=2, meaning=meaning)
            need((lamp["colour"], lamp["rhythm"]) == LOOKS[meaning], f"{meaning} must be {LOOKS[meaning]}, and is {lamp}")
        phone.command("set linekey.2.type 0")
        notifier.nothing_failed()

    return play


def refused(status):
    """A case in which the server refuses the subscription; the lamp must not pretend to know."""

    def play(lab):
        text, header = REFUSALS[status]
        _, phone = watching(lab, "watch-refused.xml", status=text, header=header)
        line = phone.event("log", timeout_s=10, having=f"{status}")
        lamps = [event["meaning"] for event in phone.events if event["event"] == "lamp" and event["key"] == 2]
        need(lamps and lamps[-1] not in LOOKS, f"refused with {status}, the lamp shows {lamps}")
        return f"the lamp shows {lamps[-1]}; the log says: {line['line']}"

    return play


def messages(lab):
    server = lab.address()
    mailbox = peers.Sipp(lab, "server", "waiting.xml", address=server, limit_s=50)
    phone = phone_at(lab, server)
    phone.command("set account.1.subscribe_mwi 1")
    phone.event("messages", new=2, old=8)
    phone.event("messages", new=0, old=8)
    phone.quit()
    mailbox.nothing_failed()
    return "2 new and 8 old, then none new"


def unasked(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", address=server, limit_s=50)
    phone = phone_at(lab, server)
    summary = "    Messages-Waiting: yes\n    Voice-Message: 3/1 (0/0)"
    say(lab, server, phone, "summary", event="message-summary", type=SUMMARY, body=summary, tag="", status="200")
    phone.event("messages", new=3, old=1)
    dialogs = '    <?xml version="1.0"?>\n    <dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:7002@x"/>'
    say(lab, server, phone, "dialogs", event="dialog", type=DIALOGS, body=dialogs, tag=";tag=none", status="481")
    phone.quit()
    return "waiting messages are taken unasked, a lamp's state is refused with 481"


def say(lab, server, phone, name, **values):
    """Lets SIPp tell our phone something once; the answer must be the one of the values."""
    peers.Sipp(
        lab, name, "told-unasked.xml", "-s", "7001", address=server, port=5070, values=values,
        target=f"{phone.address}:5060", calls=1, limit_s=10,
    ).finish()


NEEDS = ("offhook", "sipp")
CASES = [
    Case("phone-lamps", "our phone's lamp follows SIPp's notifications",
         shows("idle", "ringing", "busy", "idle", scenario="watched.xml"), NEEDS),
    Case("phone-lamps-badly-told", "a NOTIFY before the 200 and a lost one at our phone's lamp",
         shows("ringing", "busy", scenario="watched-badly.xml"), NEEDS),
    Case("phone-lamps-423", "SIPp wants a longer subscription of our phone's lamp", shows("busy", scenario="watched-longer.xml"), NEEDS),
    *(Case(f"phone-lamps-{status}", f"SIPp refuses our phone's lamp with {status}", refused(status), NEEDS) for status in REFUSALS),
    Case("phone-messages", "our phone's messages, subscribed at SIPp", messages, NEEDS),
    Case("phone-told-unasked", "SIPp tells our phone what it has not asked for", unasked, NEEDS),
]
