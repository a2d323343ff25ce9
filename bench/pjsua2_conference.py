"""A phone of PJSIP that takes every call and mixes all of them with a tone of its own, until it is ended."""

import argparse

import pjsua2 as pj


class Call(pj.Call):
    def __init__(self, phone, call_id):
        super().__init__(phone, call_id)
        self.phone, self.sound = phone, None

    def onCallMediaState(self, parameters):
        info = self.getInfo()
        if any(media.status == pj.PJSUA_CALL_MEDIA_ACTIVE for media in info.media):
            self.sound = self.getAudioMedia(-1)
            self.phone.source.startTransmit(self.sound)
            for other in self.phone.calls:
                if other is not self and other.sound:
                    self.sound.startTransmit(other.sound)
                    other.sound.startTransmit(self.sound)


class Phone(pj.Account):
    def __init__(self, source):
        super().__init__()
        self.calls = []
        self.source = pj.AudioMediaPlayer()
        self.source.createPlayer(source)

    def onIncomingCall(self, parameters):
        call = Call(self, parameters.callId)
        self.calls.append(call)
        answered = pj.CallOpParam()
        answered.statusCode = pj.PJSIP_SC_OK
        call.answer(answered)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("address", "number", "secret", "server", "source"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.logConfig.level = 0
    config.medConfig.noVad = True
    config.medConfig.hasIoqueue = True
    # As ours: G.711 is mixed at its own rate, and nothing is cancelled.
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8_000
    config.medConfig.ecTailLen = 0
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = 5060, options.address
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.audDevManager().setNullDev()
    endpoint.libStart()
    account = pj.AccountConfig()
    account.idUri = f"sip:{options.number}@{options.server.split(':')[0]}"
    account.regConfig.registrarUri = f"sip:{options.server}"
    account.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", options.number, 0, options.secret))
    account.sipConfig.proxies.append(f"sip:{options.server};lr")
    account.mediaConfig.transportConfig.boundAddress = options.address
    phone = Phone(options.source)
    phone.create(account)
    while True:
        # Sound has threads of its own; this one only waits.
        endpoint.libHandleEvents(200)


if __name__ == "__main__":
    main()
