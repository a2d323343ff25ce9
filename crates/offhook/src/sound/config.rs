//! How a phone's sound works, and what a session makes of offer and answer.

use media::tone::{Country, Segment, Tone as Melody};
use media::{Codec, NARROWBAND_HZ, WIDEBAND_HZ};
use proto::rtp::Format;
use proto::rtp::Impairment;
use proto::rtp::jitter::Delay;
use proto::rtp::session::{BeforeAck, Direction, SessionConfig};
use proto::sdp::offer_answer::{Agreed, Codec as AgreedCodec};
use roles::settings::{RtpSettings, SoundSettings};
use roles::sound::Tone;

use super::FRAME_MS;

/// How a phone's sound works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Samples per second at which sound is mixed, played and recorded: 8000 or 16000.
    pub rate_hz: u32,
    /// How long frames wait for those that are late.
    pub delay: Delay,
    /// Whose call progress tones are played.
    pub country: Country,
    /// Answer to where packets come from and not to where SDP says (RFC 4961).
    pub symmetric: bool,
    /// Send RTCP.
    pub rtcp: bool,
    /// How a digit sounds that the phone sends.
    pub key: Key,
}

/// How a digit sounds that the phone sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// How long, as a tone and as an event.
    pub tone_ms: u32,
    /// The pause after a tone.
    pub pause_ms: u32,
    /// The level of each of a tone's two frequencies.
    pub level_dbfs: f32,
}

impl Key {
    /// What any exchange understands, and no person waits for.
    pub const USUAL: Self = Self { tone_ms: 160, pause_ms: 80, level_dbfs: -16.0 };
}

impl Config {
    /// Mixing at 8 kHz, which costs nothing for G.711 and takes the upper half from G.722.
    pub const NARROWBAND: Self = Self {
        rate_hz: NARROWBAND_HZ,
        delay: Delay::Adaptive { min_ms: 40, max_ms: 240 },
        country: Country::International,
        symmetric: true,
        rtcp: true,
        key: Key::USUAL,
    };

    /// Mixing at 16 kHz: for phones that have G.722.
    pub const WIDEBAND: Self = Self { rate_hz: WIDEBAND_HZ, ..Self::NARROWBAND };

    /// What a phone's settings say; `wideband` where an account has G.722.
    pub fn of(sound: &SoundSettings, rtp: &RtpSettings, wideband: bool) -> Self {
        let (min_ms, max_ms) = (sound.adaptive_ms.0.into(), sound.adaptive_ms.1.into());
        let fixed = Delay::Fixed { delay_ms: sound.fixed_ms.into() };
        Self {
            delay: if sound.adaptive { Delay::Adaptive { min_ms, max_ms } } else { fixed },
            symmetric: rtp.symmetric,
            rtcp: sound.rtcp,
            key: Key {
                tone_ms: u32::from(sound.digit_ms).max(SHORTEST_KEY_MS),
                pause_ms: u32::from(sound.digit_pause_ms).max(SHORTEST_KEY_MS),
                // Two sines that are louder would clip.
                level_dbfs: -f32::from(sound.digit_level_db).max(LOUDEST_KEY_DB),
            },
            ..if wideband { Self::WIDEBAND } else { Self::NARROWBAND }
        }
    }

    /// Samples in a frame.
    pub const fn frame_samples(&self) -> usize {
        (self.rate_hz / 1000 * FRAME_MS) as usize
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::NARROWBAND
    }
}

/// The codec of [`media`] that was agreed.
pub(super) const fn codec(agreed: AgreedCodec) -> Codec {
    match agreed {
        AgreedCodec::Pcma => Codec::Pcma,
        AgreedCodec::Pcmu => Codec::Pcmu,
        AgreedCodec::G722 => Codec::G722,
    }
}

/// What may arrive, by its payload type; the agreed one comes first.
pub(super) fn formats(agreed: &Agreed) -> Vec<(u8, Codec)> {
    let first = (agreed.receive_payload_type, agreed.codec);
    let all = std::iter::once(&first).chain(&agreed.also_receive);
    all.map(|(number, of)| (*number, codec(*of))).collect()
}

/// Milliseconds of each packet to send: whole frames, up to what any receiver takes.
pub(super) fn packet_ms(agreed: &Agreed) -> u32 {
    (agreed.ptime_ms / FRAME_MS * FRAME_MS).clamp(FRAME_MS, PACKET_MAX_MS)
}

/// What was agreed, as the RTP session wants it.
pub(super) fn session_config(agreed: &Agreed, own: &Config, cname: &str) -> SessionConfig {
    let clock_rate_hz = agreed.codec.clock_hz();
    let (srtp_send, srtp_receive) = agreed.srtp.clone().map(|srtp| (srtp.local_key, srtp.remote_key)).unzip();
    SessionConfig {
        cname: cname.to_owned(),
        send: Format { payload_type: agreed.send_payload_type, clock_rate_hz },
        receive: formats(agreed)
            .iter()
            .map(|(payload_type, codec)| Format {
                payload_type: *payload_type,
                clock_rate_hz: codec.rtp_clock_hz(),
            })
            .collect(),
        dtmf_send: agreed.send_dtmf,
        dtmf_receive: agreed.receive_dtmf,
        ptime_ms: packet_ms(agreed),
        direction: direction(agreed.send, agreed.receive),
        remote: agreed.remote_rtp,
        remote_rtcp: agreed.remote_rtcp,
        rtcp_mux: false,
        symmetric: own.symmetric,
        before_ack: BeforeAck::Acknowledged,
        home: None,
        srtp_send,
        srtp_receive,
        impairment: (agreed.codec != AgreedCodec::G722).then_some(Impairment::G711_CONCEALED),
    }
}

/// The sound of a tone.
pub(super) fn melody(tone: Tone, country: Country) -> Melody {
    match tone {
        Tone::Dial => country.dial(),
        Tone::Ringback => country.ringback(),
        Tone::Busy => country.busy(),
        Tone::Congestion => country.congestion(),
        Tone::CallWaiting => country.call_waiting(),
        Tone::Ring => RING,
        Tone::AutoAnswer => BEEP,
    }
}

/// What a receiver of keys must recognise (ITU-T Q.24).
const SHORTEST_KEY_MS: u32 = 40;
const LOUDEST_KEY_DB: f32 = 6.0;

/// Beyond this receivers lose too much with each packet.
const PACKET_MAX_MS: u32 = 60;

/// A ring that cannot be taken for a call progress tone of any country.
const RING: Melody = Melody::repeating(&[
    Segment::new(&[800, 1000], 400),
    Segment::new(&[], 200),
    Segment::new(&[800, 1000], 400),
    Segment::new(&[], 2000),
]);

const BEEP: Melody = Melody::once(&[Segment::new(&[1000], 200)]);

const fn direction(send: bool, receive: bool) -> Direction {
    match (send, receive) {
        (true, true) => Direction::SendReceive,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::ReceiveOnly,
        (false, false) => Direction::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_obeyed_and_keys_stay_audible() {
        let mut sound =
            SoundSettings { adaptive: true, adaptive_ms: (60, 300), fixed_ms: 120, ..Default::default() };
        (sound.digit_ms, sound.digit_pause_ms, sound.digit_level_db) = (100, 10, 10);
        let rtp = RtpSettings { symmetric: true, ..RtpSettings::default() };
        let config = Config::of(&sound, &rtp, true);
        assert_eq!((config.rate_hz, config.symmetric, config.rtcp), (16_000, true, false));
        assert_eq!(config.delay, Delay::Adaptive { min_ms: 60, max_ms: 300 });
        assert_eq!(config.key, Key { tone_ms: 100, pause_ms: 40, level_dbfs: -10.0 });
        (sound.adaptive, sound.digit_level_db) = (false, 0);
        let config = Config::of(&sound, &rtp, false);
        assert_eq!((config.rate_hz, config.delay), (8_000, Delay::Fixed { delay_ms: 120 }));
        assert_eq!(config.key.level_dbfs, -6.0);
    }
}
