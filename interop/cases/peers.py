"""The others among themselves: what proves that a failure of a later case is not the harness's or theirs."""

from lib import peers
from lib.case import Case
from lib.lab import need


def sipp_calls_sipp(lab):
    server, caller = lab.address(), lab.address()
    answering = peers.Sipp(lab, "server", "server.xml", address=server, limit_s=20)
    row = f"7001;{peers.authentication('7001')}"
    calling = peers.Sipp(
        lab, "caller", "call.xml", "-s", "7002", "-r", "20", address=caller, target=server, rows=[row], calls=50,
    )
    good = calling.finish()["good"]
    need(answering.process.ended() is None, f"the answering SIPp ended: {answering.process.tail()}")
    return f"{good} calls with digest"


def baresip_echo_sipp(lab):
    server = lab.address()
    peers.Sipp(lab, "server", "server.xml", "-rtp_echo", address=server, limit_s=30)
    phone = peers.Baresip(lab, "phone", "7001", server, tone_hz=440)
    phone.registered()
    phone.command("dial", f"sip:7002@{server}")
    phone.event("CALL_ESTABLISHED")
    phone.hears(440)
    phone.command("hangup")
    phone.event("CALL_CLOSED")
    return "baresip registered at SIPp and heard its own tone come back"


def pjsua2_baresip(lab):
    server = peers.Kamailio(lab)
    first = peers.Pjsua2(lab, "first", "7001", server.address, 440)
    second = peers.Baresip(lab, "second", "7002", server.address, 620)
    first.event("registered")
    second.registered()
    first.command("dial 7002")
    first.event("answered")
    first.event("media", state="resumed")
    second.hears(440)
    first.command("hold")
    first.event("media", state="held")
    first.command("resume")
    first.event("media", state="resumed")
    first.command("hangup")
    second.event("CALL_CLOSED")
    first.quit()
    need(first.heard_s(620) >= 1, f"PJSIP heard baresip for {first.heard_s(620):g} s only")
    return "PJSIP called, held and resumed; both heard each other"


def over(transport):
    def play(lab):
        server = peers.Kamailio(lab)
        first = peers.Baresip(lab, "first", "7001", server.address + port(transport), 440, transport, ca=server.ca)
        second = peers.Baresip(lab, "second", "7002", server.address + port(transport), 620, transport, ca=server.ca)
        first.registered()
        second.registered()
        first.command("dial", f"sip:7002@{server.address}{port(transport)}")
        first.event("CALL_ESTABLISHED")
        first.hears(620)
        second.hears(440)
        first.command("hangup")
        second.event("CALL_CLOSED")
        return f"two baresips registered over {transport} and heard each other"

    return play


def port(transport):
    """The port part of Kamailio's address for this transport."""
    return ":5061" if transport == "tls" else ""


CASES = [
    Case("peers-sipp", "SIPp calls SIPp with digest", sipp_calls_sipp, ("sipp",)),
    Case("peers-pjsua2-baresip", "PJSIP calls baresip through Kamailio", pjsua2_baresip,
         ("python:pjsua2", "baresip", "kamailio", "openssl")),
    Case("peers-baresip-sipp", "baresip calls SIPp", baresip_echo_sipp, ("baresip", "sipp")),
    *(
        Case(f"peers-kamailio-{transport}", f"baresip calls baresip through Kamailio over {transport}",
             over(transport), ("baresip", "kamailio", "openssl"))
        for transport in ("udp", "tcp", "tls")
    ),
]
