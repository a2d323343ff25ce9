//! The receiving half of a session: packets in as they come, frames of sound out.

use std::collections::VecDeque;

use media::plc::Concealer;
use media::resample::Resampler;
use media::{Codec, Decoder};
use proto::Time;
use proto::rtp::Packet;
use proto::rtp::jitter::{FRAME_LIMIT_BYTES, JitterBuffer, Pull};

use super::{Config, FRAME_MS};

/// The longest packet time that the jitter buffer tells is 200 ms.
const FRAME_MAX_MS: u32 = 200;

/// One far end's voice.
pub(super) struct Voice {
    /// What may come, by its payload type: each has all that it needs, for a far end that changes its mind
    /// must not make the media thread ask for memory.
    formats: Vec<(u8, Decoding)>,
    /// Which of them comes at present.
    at: usize,
    jitter: JitterBuffer,
    decoded: Vec<i16>,
    converted: Vec<i16>,
    /// Decoded and not yet heard; less than a frame is left before the next packet is taken.
    waiting: VecDeque<i16>,
}

/// The way from one codec's packets to the engine's samples.
struct Decoding {
    codec: Codec,
    decoder: Decoder,
    concealer: Concealer,
    /// None where the codec has the engine's rate.
    resampler: Option<Resampler>,
}

impl Decoding {
    fn new(codec: Codec, rate_hz: u32) -> Self {
        Self {
            codec,
            decoder: codec.decoder(),
            concealer: Concealer::new(codec.sample_rate_hz()),
            resampler: converter(codec.sample_rate_hz(), rate_hz),
        }
    }

    /// The most samples that a packet may hold.
    fn room(&self) -> usize {
        self.codec.samples_in(FRAME_MAX_MS).max(self.codec.samples_from_bytes(FRAME_LIMIT_BYTES))
    }

    /// The most samples that it may be converted to.
    fn converted_room(&self) -> usize {
        self.resampler.as_ref().map_or(0, |resampler| resampler.output_max(self.room()))
    }
}

impl Voice {
    /// A voice that may come in any of these formats and is expected in the first.
    pub(super) fn new(formats: &[(u8, Codec)], packet_ms: u32, config: &Config) -> Self {
        let first = formats.first().map_or(Codec::Pcma, |(_, codec)| *codec);
        let with_all = |(number, codec): &(u8, Codec)| (*number, Decoding::new(*codec, config.rate_hz));
        let formats: Vec<(u8, Decoding)> = formats.iter().map(with_all).collect();
        let room = |of: fn(&Decoding) -> usize| formats.iter().map(|(_, it)| of(it)).max().unwrap_or(0);
        let (decoded, converted) = (room(Decoding::room), room(Decoding::converted_room));
        Self {
            formats,
            at: 0,
            jitter: JitterBuffer::new(config.delay, first.rtp_clock_hz(), packet_ms),
            decoded: vec![0; decoded],
            converted: vec![0; converted],
            waiting: VecDeque::with_capacity(decoded.max(converted) + config.frame_samples()),
        }
    }

    /// The codec that comes at present.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.formats.get(self.at).map(|(_, decoding)| decoding.codec)
    }

    /// Whether it may come in just these formats.
    pub(super) fn comes_in(&self, formats: &[(u8, Codec)]) -> bool {
        self.formats.iter().map(|(number, decoding)| (*number, decoding.codec)).eq(formats.iter().copied())
    }

    /// Takes a packet of sound.
    pub(super) fn push(&mut self, now: Time, packet: &Packet<'_>) {
        self.jitter.push(now, packet);
    }

    /// The next frame at the engine's rate; silence where nobody speaks.
    pub(super) fn hear(&mut self, now: Time, frame: &mut [i16]) {
        while self.waiting.len() < frame.len() && self.decode_next(now) {}
        for sample in frame {
            *sample = self.waiting.pop_front().unwrap_or(0);
        }
    }

    /// Drops what waits, for a hold.
    pub(super) fn clear(&mut self) {
        self.jitter.clear();
        self.waiting.clear();
    }

    /// Packets that came too late to be heard.
    pub(super) fn late_packets(&self) -> u64 {
        self.jitter.stats().late
    }

    /// Decodes or conceals one packet's worth; false where there is none.
    fn decode_next(&mut self, now: Time) -> bool {
        let packet_ms = self.jitter.frame_ms().clamp(FRAME_MS, FRAME_MAX_MS);
        let pulled = self.jitter.pull(now);
        if let Pull::Frame(frame) = &pulled {
            // The far end may change its mind at any time.
            let format = self.formats.iter().position(|(number, _)| *number == frame.payload_type);
            self.at = format.unwrap_or(self.at);
        }
        let Some((_, decoding)) = self.formats.get_mut(self.at) else { return false };
        let count = match pulled {
            Pull::Empty => return false,
            Pull::Frame(frame) => {
                let count = decoding.decoder.decode(frame.payload, &mut self.decoded);
                decoding.concealer.received(&mut self.decoded[..count]);
                count
            }
            Pull::Missing => {
                // `decoded` has room for the longest frame.
                let count = decoding.codec.samples_in(packet_ms);
                decoding.concealer.lost(&mut self.decoded[..count]);
                count
            }
        };
        let decoded = &self.decoded[..count];
        match &mut decoding.resampler {
            Some(resampler) => {
                let count = resampler.process(decoded, &mut self.converted);
                self.waiting.extend(&self.converted[..count]);
            }
            None => self.waiting.extend(decoded),
        }
        true
    }
}

/// A resampler where the rates differ. Both are telephone rates, which every resampler takes.
pub(super) fn converter(from_hz: u32, to_hz: u32) -> Option<Resampler> {
    (from_hz != to_hz).then(|| Resampler::new(from_hz, to_hz).ok()).flatten()
}
