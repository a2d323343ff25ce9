//! The sending half of a session: frames of sound in, encoded packets out.

use std::collections::VecDeque;

use media::resample::Resampler;
use media::tone::{Generator, Tone};
use media::{Codec, Encoder};

use super::voice::converter;
use super::{Config, FRAME_MS, Key};

/// Keys that may wait to be sent as tones.
pub(super) const KEYS_LIMIT: usize = 128;

/// What is said to one far end.
pub(super) struct Speech {
    encoder: Encoder,
    rate_hz: u32,
    /// None where the codec has the engine's rate.
    resampler: Option<Resampler>,
    converted: Vec<i16>,
    /// The packet that is being filled, at the codec's rate.
    packet: Vec<i16>,
    filled: usize,
    payload: Vec<u8>,
    keys: VecDeque<char>,
    key: Option<Generator>,
    manner: Key,
}

impl Speech {
    pub(super) fn new(codec: Codec, packet_ms: u32, config: &Config) -> Self {
        Self {
            encoder: codec.encoder(),
            rate_hz: config.rate_hz,
            resampler: converter(config.rate_hz, codec.sample_rate_hz()),
            converted: vec![0; codec.samples_in(FRAME_MS)],
            packet: vec![0; codec.samples_in(packet_ms)],
            filled: 0,
            payload: vec![0; codec.bytes_in(packet_ms)],
            keys: VecDeque::with_capacity(KEYS_LIMIT),
            key: None,
            manner: config.key,
        }
    }

    /// Queues a key to be sent as a tone; one beyond [`KEYS_LIMIT`] and what is no key are left out.
    pub(super) fn press(&mut self, key: char) {
        if self.keys.len() < KEYS_LIMIT {
            self.keys.push_back(key);
        }
    }

    /// Takes the keys that another packet time or codec left.
    pub(super) fn inherit(&mut self, before: &mut Self) {
        self.keys.append(&mut before.keys);
        self.key = before.key.take();
    }

    /// Adds a frame at the engine's rate, or a key's tone in its place; a payload when a packet is full.
    pub(super) fn add(&mut self, frame: &mut [i16]) -> Option<&[u8]> {
        self.dial(frame);
        match &mut self.resampler {
            Some(resampler) => {
                let count = resampler.process(frame, &mut self.converted);
                append(&mut self.packet, &mut self.filled, &self.converted[..count]);
            }
            None => append(&mut self.packet, &mut self.filled, frame),
        }
        if self.filled < self.packet.len() {
            return None;
        }
        self.filled = 0;
        let bytes = self.encoder.encode(&self.packet, &mut self.payload);
        self.payload.get(..bytes)
    }

    /// Key tones take the place of speech.
    fn dial(&mut self, frame: &mut [i16]) {
        if self.key.is_none() {
            let Key { tone_ms, pause_ms, level_dbfs } = self.manner;
            let tone = self.keys.pop_front().and_then(|key| Tone::dtmf(key, tone_ms, pause_ms));
            self.key = tone.map(|tone| Generator::new(tone, self.rate_hz, level_dbfs));
        }
        let Some(key) = &mut self.key else { return };
        if !key.fill(frame) {
            self.key = None;
        }
    }
}

/// Fills up a packet; packets are whole frames, so nothing is left over.
fn append(packet: &mut [i16], filled: &mut usize, samples: &[i16]) {
    let room = packet.get_mut(*filled..).unwrap_or_default();
    *filled += room.iter_mut().zip(samples).map(|(room, sample)| *room = *sample).count();
}
