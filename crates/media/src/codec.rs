//! The codecs a call may agree on, and their two halves.

use crate::{NARROWBAND_HZ, WIDEBAND_HZ, g711, g722};
use std::str::FromStr;

/// A codec with a static payload type (RFC 3551 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 A-law, 64 kbit/s.
    Pcma,
    /// G.711 µ-law, 64 kbit/s.
    Pcmu,
    /// G.722 at 64 kbit/s: twice the bandwidth in the same bytes.
    G722,
}

impl Codec {
    /// Every codec, in the order of preference of a new account.
    pub const ALL: [Self; 3] = [Self::Pcma, Self::Pcmu, Self::G722];

    /// The codec of a static RTP payload type.
    #[must_use]
    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            9 => Some(Self::G722),
            _ => None,
        }
    }

    /// The static RTP payload type (RFC 3551 §6, table 4).
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }

    /// The encoding name as written in `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
        }
    }

    /// Samples per second of the sound itself.
    #[must_use]
    pub const fn sample_rate_hz(self) -> u32 {
        match self {
            Self::Pcma | Self::Pcmu => NARROWBAND_HZ,
            Self::G722 => WIDEBAND_HZ,
        }
    }

    /// Ticks per second of the RTP timestamp. G.722 says 8000 although it samples at 16000: an error of an early
    /// RFC that is kept for the sake of everything deployed (RFC 3551 §4.5.2).
    #[must_use]
    pub const fn rtp_clock_hz(self) -> u32 {
        NARROWBAND_HZ
    }

    /// Samples in a frame of so many milliseconds.
    #[must_use]
    pub const fn samples_in(self, frame_ms: u32) -> usize {
        (self.sample_rate_hz() / 1000) as usize * frame_ms as usize
    }

    /// Payload bytes in a frame of so many milliseconds: all three codecs send 64 kbit/s.
    #[must_use]
    pub const fn bytes_in(self, frame_ms: u32) -> usize {
        8 * frame_ms as usize
    }

    /// How far the RTP timestamp moves in a frame of so many milliseconds (it wraps, as the timestamp does).
    #[must_use]
    pub const fn rtp_ticks_in(self, frame_ms: u32) -> u32 {
        (self.rtp_clock_hz() / 1000).wrapping_mul(frame_ms)
    }

    /// Samples that so many payload bytes decode to.
    #[must_use]
    pub const fn samples_from_bytes(self, bytes: usize) -> usize {
        match self {
            Self::Pcma | Self::Pcmu => bytes,
            Self::G722 => bytes.saturating_mul(2),
        }
    }

    /// A fresh encoder, as at the beginning of a stream.
    #[must_use]
    pub fn encoder(self) -> Encoder {
        match self {
            Self::Pcma => Encoder::Pcma,
            Self::Pcmu => Encoder::Pcmu,
            Self::G722 => Encoder::G722(Box::default()),
        }
    }

    /// A fresh decoder, as at the beginning of a stream.
    #[must_use]
    pub fn decoder(self) -> Decoder {
        match self {
            Self::Pcma => Decoder::Pcma,
            Self::Pcmu => Decoder::Pcmu,
            Self::G722 => Decoder::G722(Box::default()),
        }
    }
}

impl FromStr for Codec {
    type Err = UnknownCodec;

    /// Reads an encoding name, which is case-insensitive (RFC 4855 §3).
    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name)).ok_or(UnknownCodec)
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that is none of [`Codec::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCodec;

impl std::fmt::Display for UnknownCodec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("no such codec here: offer PCMA, PCMU or G722")
    }
}

impl std::error::Error for UnknownCodec {}

/// The sending half of a codec, with whatever it remembers between frames.
#[derive(Clone, Debug)]
pub enum Encoder {
    /// A-law remembers nothing.
    Pcma,
    /// µ-law remembers nothing.
    Pcmu,
    /// G.722 predicts each sample from those before.
    G722(Box<g722::Encoder>),
}

impl Encoder {
    /// Codes samples at the codec's own rate until either slice ends; answers the bytes written.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        match self {
            Self::Pcma => g711::encode_alaw(pcm, out),
            Self::Pcmu => g711::encode_ulaw(pcm, out),
            Self::G722(encoder) => encoder.encode(pcm, out),
        }
    }

    /// The codec this is a half of.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        match self {
            Self::Pcma => Codec::Pcma,
            Self::Pcmu => Codec::Pcmu,
            Self::G722(_) => Codec::G722,
        }
    }
}

/// The receiving half of a codec, with whatever it remembers between frames.
#[derive(Clone, Debug)]
pub enum Decoder {
    /// A-law remembers nothing.
    Pcma,
    /// µ-law remembers nothing.
    Pcmu,
    /// G.722 predicts each sample from those before.
    G722(Box<g722::Decoder>),
}

impl Decoder {
    /// Decodes payload bytes until either slice ends; answers the samples written.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match self {
            Self::Pcma => g711::decode_alaw(payload, out),
            Self::Pcmu => g711::decode_ulaw(payload, out),
            Self::G722(decoder) => decoder.decode(payload, out),
        }
    }

    /// The codec this is a half of.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        match self {
            Self::Pcma => Codec::Pcma,
            Self::Pcmu => Codec::Pcmu,
            Self::G722(_) => Codec::G722,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_twenty_milliseconds_is_160_bytes_in_every_codec() {
        for (codec, samples) in [(Codec::Pcma, 160), (Codec::Pcmu, 160), (Codec::G722, 320)] {
            assert_eq!(codec.bytes_in(20), 160);
            assert_eq!(codec.samples_in(20), samples);
            assert_eq!(codec.samples_from_bytes(160), samples);
            assert_eq!(codec.rtp_ticks_in(20), 160);
        }
    }

    #[test]
    fn payload_types_and_names_lead_back() {
        for codec in Codec::ALL {
            assert_eq!(Codec::from_payload_type(codec.payload_type()), Some(codec));
            assert_eq!(codec.name().to_lowercase().parse(), Ok(codec));
            assert_eq!((codec.encoder().codec(), codec.decoder().codec()), (codec, codec));
        }
        assert_eq!(Codec::from_payload_type(18), None);
        assert_eq!("G729".parse::<Codec>(), Err(UnknownCodec));
    }

    #[test]
    fn silence_stays_silent_through_every_codec() {
        for codec in Codec::ALL {
            let (mut payload, mut sound) = ([0; 160], [99; 320]);
            assert_eq!(codec.encoder().encode(&[0; 320], &mut payload), 160);
            let samples = codec.decoder().decode(&payload, &mut sound);
            assert_eq!(samples, codec.samples_in(20));
            let loudest = sound[..samples].iter().map(|sample| sample.unsigned_abs()).max();
            assert!(loudest <= Some(16), "{codec} made {loudest:?} of nothing");
        }
    }
}
