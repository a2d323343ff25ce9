//! One session of a phone: an RTP session between a voice and a speech.

use std::net::{IpAddr, SocketAddr};

use media::Codec;
use proto::rtp::Digit;
use proto::rtp::session::{BeforeAck, Received, RtpSession, SessionConfig};
use proto::sdp::offer_answer::Agreed;
use proto::{Rng, Time};
use roles::sound::Figures;

use super::Config;
use super::config::{codec, formats, packet_ms, session_config};
use super::speech::Speech;
use super::voice::Voice;

/// A session, from its opening on.
pub(super) struct Leg {
    /// The person hears it.
    pub(super) focused: bool,
    held: bool,
    /// What the far end said in this frame.
    pub(super) heard: Vec<i16>,
    /// None until something is agreed.
    talk: Option<Talk>,
}

/// What holds beside an offer and its answer.
pub(super) struct Terms {
    /// This phone holds the call.
    pub(super) held: bool,
    pub(super) before_ack: BeforeAck,
    /// The host that the signalling comes from.
    pub(super) home: Option<IpAddr>,
}

struct Talk {
    rtp: RtpSession,
    voice: Voice,
    speech: Speech,
    /// What is said.
    codec: Codec,
    packet_ms: u32,
    rtcp: bool,
    key_ms: u32,
}

impl Leg {
    pub(super) fn new(config: &Config, focused: bool) -> Self {
        Self { focused, held: false, heard: vec![0; config.frame_samples()], talk: None }
    }

    /// Whether it takes part in what the person hears and says.
    pub(super) fn is_live(&self) -> bool {
        self.focused && !self.held && self.talk.is_some()
    }

    /// Takes what an offer and answer agreed; what stays the same goes on without a click.
    pub(super) fn agree(
        &mut self,
        now: Time,
        agreed: &Agreed,
        Terms { held, before_ack, home }: Terms,
        config: &Config,
        identity: (&str, &mut Rng),
    ) {
        let (cname, rng) = identity;
        let session = SessionConfig { before_ack, home, ..session_config(agreed, config, cname) };
        let (codec, packet_ms) = (codec(agreed.codec), packet_ms(agreed));
        let formats = formats(agreed);
        match &mut self.talk {
            Some(talk) => {
                talk.rtp.reconfigure(session);
                talk.renew(codec, &formats, packet_ms, config);
            }
            None => {
                self.talk = Some(Talk {
                    rtp: RtpSession::new(now, session, rng),
                    voice: Voice::new(&formats, packet_ms, config),
                    speech: Speech::new(codec, packet_ms, config),
                    codec,
                    packet_ms,
                    rtcp: config.rtcp,
                    key_ms: config.key.tone_ms,
                });
            }
        }
        self.held = held;
        if let Some(talk) = self.talk.as_mut().filter(|_| held || !agreed.receive) {
            talk.voice.clear();
        }
    }

    /// Takes a datagram; a key that was pressed comes back.
    pub(super) fn receive(&mut self, now: Time, from: SocketAddr, bytes: &mut [u8]) -> Option<Digit> {
        let talk = self.talk.as_mut()?;
        match talk.rtp.receive(now, from, bytes) {
            Received::Media { packet, .. } => talk.voice.push(now, &packet),
            Received::Dtmf(digit) => return Some(digit),
            _ => {}
        }
        None
    }

    /// Fetches what the far end said in this frame.
    pub(super) fn listen(&mut self, now: Time) {
        match self.talk.as_mut().filter(|_| !self.held) {
            Some(talk) => talk.voice.hear(now, &mut self.heard),
            None => self.heard.fill(0),
        }
    }

    /// Says a frame: perhaps a packet in `packet`, and where it goes.
    pub(super) fn say(&mut self, now: Time, frame: &mut [i16], packet: &mut Vec<u8>) -> Option<SocketAddr> {
        let talk = self.talk.as_mut()?;
        let payload = talk.speech.add(frame)?;
        talk.rtp.send(now, payload, false, packet)
    }

    /// Reports by RTCP when it is time to.
    pub(super) fn report(&mut self, now: Time, rng: &mut Rng, packet: &mut Vec<u8>) -> Option<SocketAddr> {
        self.talk.as_mut().filter(|talk| talk.rtcp)?.rtp.tick(now, rng, packet)
    }

    /// Sends keys as events, or as tones where that was asked for or no event was agreed.
    pub(super) fn press(&mut self, digits: &str, in_band: bool) {
        let Some(talk) = &mut self.talk else { return };
        let by_tone = in_band || talk.rtp.config().dtmf_send.is_none();
        for digit in digits.chars().filter_map(Digit::from_char) {
            if by_tone {
                talk.speech.press(digit.as_char());
            } else {
                // Keys beyond those that may wait are left out.
                let _ = talk.rtp.press(digit, talk.key_ms);
            }
        }
    }

    /// The last report and what was measured.
    pub(super) fn close(mut self, now: Time, packet: &mut Vec<u8>) -> (Option<SocketAddr>, Figures) {
        let to = self.talk.as_mut().filter(|talk| talk.rtcp).and_then(|talk| talk.rtp.goodbye(now, packet));
        (to, self.figures())
    }

    fn figures(&mut self) -> Figures {
        let Some(talk) = &mut self.talk else { return Figures::default() };
        talk.rtp.set_late(talk.voice.late_packets());
        let stats = talk.rtp.stats();
        Figures {
            codec: talk.voice.codec().map(|codec| codec.name().to_owned()),
            tx_packets: Some(stats.sent.packets),
            rx_packets: Some(stats.received.packets),
            rx_lost: stats.received.lost,
            jitter_ms: stats.received.jitter_ms.map(hundredths),
            mos: stats.received.mos.map(hundredths),
        }
    }
}

impl Talk {
    /// The halves begin anew where codec or packet time changed.
    fn renew(&mut self, codec: Codec, formats: &[(u8, Codec)], packet_ms: u32, config: &Config) {
        if !self.voice.comes_in(formats) {
            self.voice = Voice::new(formats, packet_ms, config);
        }
        if codec != self.codec || packet_ms != self.packet_ms {
            let mut before = std::mem::replace(&mut self.speech, Speech::new(codec, packet_ms, config));
            self.speech.inherit(&mut before);
            self.codec = codec;
            self.packet_ms = packet_ms;
        }
    }
}

/// More digits would be a pretence.
fn hundredths(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}
