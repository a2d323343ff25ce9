"""A scriptable phone of PJSIP, by its Python binding: lines in, JSON lines out, as `offhook phone --stdio` does.

Started by `peers.Pjsua2` with the Python that has `pjsua2`. One process carries at most four calls.
Commands: dial NUMBER, answer, hangup, hold, resume, transfer NUMBER, consult NUMBER, complete, dtmf DIGITS,
info DIGITS, quit. They act on the newest call that is not over. PJSIP takes one change of a call at a time, and makes
some of its own (it names the one codec of several that were agreed): a command that meets one waits for its end.
"""

import argparse
import json
import os
import re
import select
import sys

import pjsua2 as pj

MEDIA_STATES = {
    pj.PJSUA_CALL_MEDIA_ACTIVE: "resumed",
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "held",
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote_hold",
}
SRTP = {"off": pj.PJMEDIA_SRTP_DISABLED, "optional": pj.PJMEDIA_SRTP_OPTIONAL, "required": pj.PJMEDIA_SRTP_MANDATORY}
TRANSPORTS = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}


# What PJSIP answers while another change of the session is under way.
BUSY = 70013


def tell(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Call(pj.Call):
    """One call: plays the source into it, records what comes, tells each change."""

    def __init__(self, phone, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(phone, call_id)
        self.phone = phone
        self.media = None

    def onCallState(self, parameters):
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY and info.role == pj.PJSIP_ROLE_UAC:
            tell("ringing", call=info.id, status=info.lastStatusCode)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            tell("answered", call=info.id, peer=info.remoteUri)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            tell("ended", call=info.id, status=info.lastStatusCode, reason=info.lastReason)
            self.phone.forget(self)

    def onCallMediaState(self, parameters):
        # The list lives no longer than the information that holds it.
        info = self.getInfo()
        for media in info.media:
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            state = MEDIA_STATES.get(media.status)
            if state in ("resumed", "remote_hold"):
                sound = self.getAudioMedia(media.index)
                self.phone.source.startTransmit(sound)
                sound.startTransmit(self.phone.recorder)
            if state and state != self.media:
                tell("media", call=self.getId(), state=state)
                self.media = state

    def onCallTsxState(self, parameters):
        self.phone.changed = True

    def onDtmfDigit(self, parameters):
        tell("dtmf", call=self.getId(), digit=parameters.digit)

    def onCallTransferRequest(self, parameters):
        tell("transfer_asked", call=self.getId(), to=parameters.dstUri)
        parameters.newCall = self.phone.add(Call(self.phone))

    def onCallTransferStatus(self, parameters):
        tell("transferred", call=self.getId(), status=parameters.statusCode, last=parameters.finalNotify)

    def onCallReplaced(self, parameters):
        tell("replaced", call=self.getId(), by=parameters.newCallId)
        self.phone.add(Call(self.phone, parameters.newCallId))


class Phone(pj.Account):
    """The account with its calls and its sound."""

    def __init__(self, domain, source, recording):
        super().__init__()
        self.domain = domain
        self.calls = []
        self.changed = False
        self.source = pj.AudioMediaPlayer()
        self.source.createPlayer(source)
        self.recorder = pj.AudioMediaRecorder()
        self.recorder.createRecorder(recording)

    def add(self, call):
        self.calls.append(call)
        return call

    def uri(self, number):
        return f"sip:{number}@{self.domain}"

    def forget(self, call):
        self.calls.remove(call)

    def newest(self):
        if not self.calls:
            raise ValueError("there is no call")
        return self.calls[-1]

    def onRegState(self, parameters):
        if parameters.code // 100 == 2 and parameters.expiration > 0:
            tell("registered", expires_s=parameters.expiration)
        elif parameters.code // 100 == 2:
            tell("unregistered")
        else:
            tell("registration_failed", status=parameters.code, reason=parameters.reason)

    def onIncomingCall(self, parameters):
        call = self.add(Call(self, parameters.callId))
        reply = pj.CallOpParam()
        # As phones do: the server says who may make it answer.
        answers = re.search(r"^Call-Info:.*answer-after=0", parameters.rdata.wholeMsg, re.IGNORECASE | re.MULTILINE)
        reply.statusCode = pj.PJSIP_SC_OK if answers else pj.PJSIP_SC_RINGING
        tell("incoming", call=parameters.callId, peer=call.getInfo().remoteUri, answers=bool(answers))
        call.answer(reply)

    def onMwiInfo(self, parameters):
        tell("mwi", body=parameters.rdata.wholeMsg.split("\r\n\r\n", 1)[-1])


def perform(phone, line):
    """Carries out one command."""
    word, _, rest = line.partition(" ")
    if word in ("dial", "consult"):
        if word == "consult":
            phone.newest().setHold(pj.CallOpParam())
        phone.add(Call(phone)).makeCall(phone.uri(rest), pj.CallOpParam(True))
    elif word == "answer":
        answered = pj.CallOpParam()
        answered.statusCode = pj.PJSIP_SC_OK
        phone.newest().answer(answered)
    elif word == "hangup":
        phone.newest().hangup(pj.CallOpParam())
    elif word == "hold":
        phone.newest().setHold(pj.CallOpParam())
    elif word == "resume":
        unheld = pj.CallOpParam(True)
        unheld.opt.flag = pj.PJSUA_CALL_UNHOLD
        phone.newest().reinvite(unheld)
    elif word == "transfer":
        phone.newest().xfer(phone.uri(rest), pj.CallOpParam())
    elif word == "complete":
        first, second = phone.calls[-2:]
        first.xferReplaces(second, pj.CallOpParam())
    elif word == "dtmf":
        phone.newest().dialDtmf(rest)
    elif word == "info":
        for digit in rest:
            key = pj.CallSendDtmfParam()
            key.method, key.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, digit
            phone.newest().sendDtmf(key)
    else:
        raise ValueError(f"no command is called {word}")


def read_arguments():
    parser = argparse.ArgumentParser()
    for name in ("address", "number", "secret", "server", "transport", "ca", "source", "recording", "srtp"):
        parser.add_argument(f"--{name}", default="")
    return parser.parse_args()


def start_endpoint(options):
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.logConfig.level = 5
    config.logConfig.consoleLevel = 5
    config.medConfig.noVad = True
    config.medConfig.hasIoqueue = True
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port = 5061 if options.transport == "tls" else 5060
    transport.boundAddress = options.address
    if options.transport == "tls":
        transport.tlsConfig.CaListFile = options.ca
        transport.tlsConfig.verifyServer = True
    endpoint.transportCreate(TRANSPORTS[options.transport], transport)
    endpoint.audDevManager().setNullDev()
    endpoint.libStart()
    return endpoint


def domain(options):
    return options.server.split(":")[0]


def account_config(options):
    config = pj.AccountConfig()
    config.idUri = f"sip:{options.number}@{domain(options)}"
    config.regConfig.registrarUri = f"sip:{options.server};transport={options.transport}"
    config.regConfig.timeoutSec = 600
    config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", options.number, 0, options.secret))
    config.sipConfig.proxies.append(f"sip:{options.server};transport={options.transport};lr")
    config.mediaConfig.transportConfig.boundAddress = options.address
    config.mediaConfig.srtpUse = SRTP[options.srtp or "off"]
    config.mediaConfig.srtpSecureSignaling = 0
    config.mwiConfig.enabled = False
    return config


def serve_lines(endpoint, phone):
    """Obeys until `quit` or until nobody says anything any more."""
    unread, waiting, ended = b"", [], False
    while not ended:
        endpoint.libHandleEvents(10)
        if phone.changed:
            phone.changed = False
            waiting = [line for line in waiting if not obey(phone, line)]
        if not select.select([0], [], [], 0)[0]:
            continue
        data = os.read(0, 65536)
        unread += data
        ended = not data
        while b"\n" in unread:
            line, _, unread = unread.partition(b"\n")
            if line.endswith(b" quit"):
                return
            if not obey(phone, line.decode()):
                waiting.append(line.decode())


def obey(phone, line):
    """Carries out a line and tells how it went; False when it has to wait for the end of another change."""
    identity, _, command = line.lstrip("@").partition(" ")
    try:
        perform(phone, command)
        tell("done", id=identity)
    except pj.Error as error:
        if error.status == BUSY:
            return False
        tell("error", id=identity, message=error.info())
    except ValueError as error:
        tell("error", id=identity, message=str(error))
    return True


def main():
    options = read_arguments()
    # The library logs to standard output by file descriptor; events keep that for themselves.
    events = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(events, "w")
    endpoint = start_endpoint(options)
    phone = Phone(domain(options), options.source, options.recording)
    phone.create(account_config(options))
    tell("ready", sip=options.address)
    serve_lines(endpoint, phone)
    endpoint.hangupAllCalls()
    phone.shutdown()
    for _ in range(50):
        endpoint.libHandleEvents(10)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
