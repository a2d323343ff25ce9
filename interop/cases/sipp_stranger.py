"""SIPp as a stranger at our phone, and as a server that calls from another address than the phone registered at."""

import re

from lib import peers
from lib.case import Case
from lib.lab import need

from .sipp_phone import phone_at

# Every way to ask for an answer.
ASKING = (
    "Answer-Mode: Auto", "Priv-Answer-Mode: Auto;require", "Call-Info: <sip:h>;answer-after=0",
    "Alert-Info: <http://127.0.0.1>;info=alert-autoanswer",
)
ACK = """<send><![CDATA[

    ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    [last_Via:]
    Max-Forwards: 70
    [last_From:]
    [last_To:]
    Call-ID: [call_id]
    CSeq: [cseq] ACK
    Content-Length: 0

  ]]></send>"""


def at_server(lab, settings=""):
    """A phone of ours that is registered at SIPp."""
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", address=server, limit_s=90)
    return phone_at(lab, server, settings=settings)


def play(lab, phone, name, scenario, values):
    peers.Sipp(
        lab, name, scenario, "-s", "7001", address=lab.address(), values=values, target=f"{phone.address}:5060",
        rows=["666"], calls=1, limit_s=30,
    ).finish()


def refused(lab):
    phone = at_server(lab, "account.1.auto_answer = 1\n")
    for number, asks in enumerate(ASKING):
        values = {"method": "INVITE", "asks": asks, "status": "403", "ack": ACK}
        play(lab, phone, f"asks-{number}", "stranger-refused.xml", values)
    for method in ("REFER", "OPTIONS", "MESSAGE"):
        values = {"method": method, "asks": "Refer-To: <sip:0900@127.0.0.1>", "status": "403", "ack": ""}
        play(lab, phone, method.lower(), "stranger-refused.xml", values)
    values = {"method": "BYE", "asks": "Subject: nothing", "status": "403", "ack": ""}
    play(lab, phone, "bye", "stranger-refused.xml", values)
    values = {"method": "CANCEL", "asks": "Subject: nothing", "status": "481", "ack": ""}
    play(lab, phone, "cancel", "stranger-refused.xml", values)
    phone.quit()
    return f"{len(ASKING)} ways to ask for an answer, REFER, OPTIONS, MESSAGE, BYE and CANCEL came to nothing"


def rings(lab):
    phone = at_server(lab, "features.direct_ip_call_enable = 1\naccount.1.auto_answer = 1\n")
    for number, asks in enumerate(ASKING):
        play(lab, phone, f"rings-{number}", "stranger-rings.xml", {"asks": asks})
        incoming = phone.event("incoming")
        need(incoming.get("account") == 0, f"a stranger's call is no account's, and the phone says {incoming}")
        ended = phone.event("ended")
        need(ended.get("status") == 487, f"SIPp gave up, and the phone says {ended}")
    phone.quit()
    return "with Allow IP Calls a stranger's call rings and is not answered, whatever it asks for"


def by_token(lab):
    phone = at_server(lab)
    said = (lab.folder / "server.messages").read_text()
    contacts = re.findall(r"^Contact: <(sip:7001@[^>]*;line=[0-9a-f]{32})>", said, flags=re.MULTILINE)
    need(contacts, "no REGISTER gave a token to the registrar")
    values = {"uri": contacts[-1], "asks": "Call-Info: <sip:intercom>;answer-after=0"}
    play(lab, phone, "second", "call-by-token.xml", values)
    phone.event("answered")
    phone.quit()
    return "a server's second address called with the token of the registration, and was answered by itself"


NEEDS = ("offhook", "sipp")
CASES = [
    Case("phone-strangers-refused", "SIPp as a stranger asks our phone to answer, to call, to hang up", refused, NEEDS),
    Case("phone-strangers-ring", "SIPp as a stranger where Allow IP Calls is on", rings, NEEDS),
    Case("phone-called-by-token", "a server calls from another address than it registers at", by_token, NEEDS),
]
