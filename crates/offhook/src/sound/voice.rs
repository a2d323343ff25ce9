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
    codec: Codec,
    jitter: JitterBuffer,
    decoder: Decoder,
    concealer: Concealer,
    /// None where the codec has the engine's rate.
    resampler: Option<Resampler>,
    decoded: Vec<i16>,
    converted: Vec<i16>,
    /// Decoded and not yet heard; less than a frame is left before the next packet is taken.
    waiting: VecDeque<i16>,
}

impl Voice {
    pub(super) fn new(codec: Codec, packet_ms: u32, config: &Config) -> Self {
        let decoded = codec.samples_in(FRAME_MAX_MS).max(codec.samples_from_bytes(FRAME_LIMIT_BYTES));
        let resampler = converter(codec.sample_rate_hz(), config.rate_hz);
        let converted = resampler.as_ref().map_or(0, |resampler| resampler.output_max(decoded));
        Self {
            codec,
            jitter: JitterBuffer::new(config.delay, codec.rtp_clock_hz(), packet_ms),
            decoder: codec.decoder(),
            concealer: Concealer::new(codec.sample_rate_hz()),
            resampler,
            decoded: vec![0; decoded],
            converted: vec![0; converted],
            waiting: VecDeque::with_capacity(decoded.max(converted) + config.frame_samples()),
        }
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
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
        let concealed = self.codec.samples_in(self.jitter.frame_ms().clamp(FRAME_MS, FRAME_MAX_MS));
        let count = match self.jitter.pull(now) {
            Pull::Empty => return false,
            Pull::Frame(frame) => {
                let count = self.decoder.decode(frame.payload, &mut self.decoded);
                self.concealer.received(&mut self.decoded[..count]);
                count
            }
            Pull::Missing => {
                // `decoded` has room for the longest frame.
                self.concealer.lost(&mut self.decoded[..concealed]);
                concealed
            }
        };
        self.queue(count);
        true
    }

    fn queue(&mut self, count: usize) {
        let decoded = &self.decoded[..count];
        match &mut self.resampler {
            Some(resampler) => {
                let count = resampler.process(decoded, &mut self.converted);
                self.waiting.extend(&self.converted[..count]);
            }
            None => self.waiting.extend(decoded),
        }
    }
}

/// A resampler where the rates differ. Both are telephone rates, which every resampler takes.
pub(super) fn converter(from_hz: u32, to_hz: u32) -> Option<Resampler> {
    (from_hz != to_hz).then(|| Resampler::new(from_hz, to_hz).ok()).flatten()
}
