//! What the relay itself says to a leg: the leg's own packets, a tone, music.

use media::codec::{Codec, Encoder};
use media::tone::{DEFAULT_LEVEL_DBFS, Generator};
use media::{NARROWBAND_HZ, WIDEBAND_HZ};
use proto::rtp::Packet;

use super::{Audio, Speech};

/// Milliseconds of sound in a packet.
pub(super) const FRAME_MS: u32 = 20;
/// Units of the RTP clock in a packet; G.722 counts 8 kHz too (RFC 3551 §4.5.2).
const TICKS: u32 = 160;
/// The most bytes of a packet's payload.
const PAYLOAD_BYTES: usize = 160;

/// One leg's own voice.
pub(super) enum Speaker {
    /// Its own packets come back.
    Echo,
    /// Packets are made.
    Voice(Box<Voice>),
}

/// Makes packets of sound.
pub(super) struct Voice {
    audio: Player,
    encoder: Encoder,
    rate_hz: u32,
    payload_type: u8,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    begun: bool,
}

enum Player {
    Tone(Box<Generator>),
    Samples { samples: std::sync::Arc<[i16]>, place: usize },
}

impl Speaker {
    pub(super) fn new(speech: Speech) -> Self {
        match speech {
            Speech::Echo => Self::Echo,
            Speech::Sound { of, codec, payload_type, ssrc } => {
                let rate_hz = if codec == Codec::G722 { WIDEBAND_HZ } else { NARROWBAND_HZ };
                let audio = match of {
                    Audio::Tone(tone) => {
                        Player::Tone(Box::new(Generator::new(tone, rate_hz, DEFAULT_LEVEL_DBFS)))
                    }
                    Audio::Samples(samples) => Player::Samples { samples, place: 0 },
                };
                Self::Voice(Box::new(Voice {
                    audio,
                    encoder: codec.encoder(),
                    rate_hz,
                    payload_type,
                    ssrc,
                    sequence: ssrc as u16,
                    timestamp: ssrc.rotate_left(16),
                    begun: false,
                }))
            }
        }
    }

    pub(super) fn is_echo(&self) -> bool {
        matches!(self, Self::Echo)
    }

    /// The next packet, into `out`; nothing where the leg's own packets come back.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) {
        if let Self::Voice(voice) = self {
            voice.next(out);
        }
    }
}

impl Voice {
    fn next(&mut self, out: &mut Vec<u8>) {
        let samples = (self.rate_hz * FRAME_MS / 1_000) as usize;
        let mut pcm = [0_i16; (WIDEBAND_HZ * FRAME_MS / 1_000) as usize];
        let frame = pcm.get_mut(..samples).unwrap_or_default();
        self.audio.fill(frame, self.rate_hz);
        let mut payload = [0; PAYLOAD_BYTES];
        let length = self.encoder.encode(frame, &mut payload);
        let packet = Packet {
            marker: !std::mem::replace(&mut self.begun, true),
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload: payload.get(..length).unwrap_or_default(),
            ..Packet::default()
        };
        packet.write(out);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(TICKS);
    }
}

impl Player {
    fn fill(&mut self, frame: &mut [i16], rate_hz: u32) {
        match self {
            Self::Tone(generator) => {
                generator.fill(frame);
            }
            Self::Samples { samples, place } if rate_hz == NARROWBAND_HZ => loop_into(samples, place, frame),
            Self::Samples { samples, place } => {
                let mut narrow = [0; TICKS as usize];
                loop_into(samples, place, &mut narrow);
                let after = samples.get(*place).copied().unwrap_or(0);
                double(&narrow, after, frame);
            }
        }
    }
}

/// Twice as many samples, those between in the middle of their neighbours; `after` is the next one.
fn double(narrow: &[i16], after: i16, wide: &mut [i16]) {
    let nexts = narrow.iter().skip(1).chain(std::iter::once(&after));
    for ((pair, sample), next) in wide.chunks_mut(2).zip(narrow).zip(nexts) {
        let middle = i32::midpoint(i32::from(*sample), i32::from(*next)) as i16;
        pair.iter_mut().zip([*sample, middle]).for_each(|(slot, sample)| *slot = sample);
    }
}

/// Samples over and over; none are silence.
fn loop_into(samples: &[i16], place: &mut usize, frame: &mut [i16]) {
    for slot in frame {
        *slot = samples.get(*place).copied().unwrap_or(0);
        *place = (*place + 1) % samples.len().max(1);
    }
}

#[cfg(test)]
mod tests {
    use media::tone::Tone;

    use super::*;

    fn packets(codec: Codec, audio: Audio, count: usize) -> Vec<Vec<u8>> {
        let speech = Speech::Sound { of: audio, codec, payload_type: 8, ssrc: 7 };
        let mut speaker = Speaker::new(speech);
        let packet = || {
            let mut out = Vec::new();
            speaker.next(&mut out);
            out
        };
        std::iter::repeat_with(packet).take(count).collect()
    }

    #[test]
    fn packets_follow_one_another() {
        for codec in Codec::ALL {
            let all = packets(codec, Audio::Tone(Tone::sine(1_000)), 3);
            let all: Vec<Packet<'_>> = all.iter().map(|bytes| Packet::parse(bytes).unwrap()).collect();
            assert!(all[0].marker && !all[1].marker);
            assert!(all.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
            assert!(all.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp.wrapping_add(160)));
            assert!(all.iter().all(|packet| packet.payload.len() == 160 && packet.ssrc == 7));
        }
    }

    #[test]
    fn samples_begin_again_and_none_are_silence() {
        let mut place = 0;
        let mut frame = [0; 5];
        loop_into(&[1, 2, 3], &mut place, &mut frame);
        assert_eq!(frame, [1, 2, 3, 1, 2]);
        let mut wide = [0; 6];
        double(&[1, 3, 5], 7, &mut wide);
        assert_eq!(wide, [1, 2, 3, 4, 5, 6]);
        loop_into(&[], &mut 0, &mut frame);
        assert_eq!(frame, [0; 5]);
    }
}
