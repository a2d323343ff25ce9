//! WAV files held in memory: reading PCM of 16 bits, A-law and µ-law; writing PCM of 16 bits, also while the
//! length is not known yet.

use crate::g711::{decode_alaw, decode_ulaw};
use crate::resample::{RateError, resample};

/// The bytes before the sound in what [`header`] makes.
pub const HEADER_BYTES: usize = 44;

/// The sound of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wav {
    /// Samples per second, of each channel.
    pub sample_rate_hz: u32,
    /// 1 or 2.
    pub channels: u16,
    /// The samples, of two channels in turns.
    pub samples: Vec<i16>,
}

impl Wav {
    /// Reads a file. Unknown chunks are skipped; a length that goes beyond the end, as a recording leaves that
    /// was cut off, means "until the end".
    ///
    /// # Errors
    /// When the bytes are no WAV file, or hold something else than PCM of 16 bits, A-law or µ-law in one or two
    /// channels.
    pub fn parse(bytes: &[u8]) -> Result<Self, WavError> {
        if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
            return Err(WavError::NotWav);
        }
        let mut format: Option<Format> = None;
        let mut place = 12;
        while let Some(head) = bytes.get(place..place + 8) {
            let body = chunk_body(bytes, place + 8, little_32(&head[4..]));
            match &head[..4] {
                b"fmt " => format = Some(Format::parse(body, place + 8)?),
                b"data" => return Ok(format.ok_or(WavError::NoFormat { place })?.decode(body)),
                _ => {}
            }
            // Chunks begin at even places.
            place = place + 8 + body.len() + body.len() % 2;
        }
        Err(WavError::NoSound { place: bytes.len() })
    }

    /// The sound in one channel at another rate: the middle between two channels. This is how a file becomes
    /// what a call can send.
    ///
    /// # Errors
    /// When either rate cannot be converted.
    pub fn to_mono(&self, sample_rate_hz: u32) -> Result<Vec<i16>, RateError> {
        let mono = if self.channels == 2 { middle(&self.samples) } else { self.samples.clone() };
        if sample_rate_hz == self.sample_rate_hz {
            return Ok(mono);
        }
        resample(&mono, self.sample_rate_hz, sample_rate_hz)
    }

    /// The whole file, as PCM of 16 bits.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let sound_bytes = u32::try_from(self.samples.len() * 2).ok();
        let mut bytes = header(self.sample_rate_hz, self.channels, sound_bytes).to_vec();
        bytes.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        bytes
    }
}

/// The head of a file of PCM of 16 bits, to be followed by the samples in little-endian order.
///
/// A recording begins with the length `None`, which readers take for "until the end", appends its samples, and
/// writes the head once more over the first one from time to time: so it can be played even when it is cut off.
#[must_use]
pub fn header(sample_rate_hz: u32, channels: u16, sound_bytes: Option<u32>) -> [u8; HEADER_BYTES] {
    let sound_bytes = sound_bytes.unwrap_or(u32::MAX);
    let frame_bytes = channels.saturating_mul(2);
    let mut head = [0; HEADER_BYTES];
    head[..4].copy_from_slice(b"RIFF");
    head[4..8].copy_from_slice(&sound_bytes.saturating_add(36).to_le_bytes());
    head[8..16].copy_from_slice(b"WAVEfmt ");
    head[16..20].copy_from_slice(&16u32.to_le_bytes());
    head[20..22].copy_from_slice(&PCM.to_le_bytes());
    head[22..24].copy_from_slice(&channels.to_le_bytes());
    head[24..28].copy_from_slice(&sample_rate_hz.to_le_bytes());
    head[28..32].copy_from_slice(&sample_rate_hz.saturating_mul(u32::from(frame_bytes)).to_le_bytes());
    head[32..34].copy_from_slice(&frame_bytes.to_le_bytes());
    head[34..36].copy_from_slice(&16u16.to_le_bytes());
    head[36..40].copy_from_slice(b"data");
    head[40..].copy_from_slice(&sound_bytes.to_le_bytes());
    head
}

/// Writes samples as the bytes of a file until either slice ends; answers the bytes written.
pub fn samples_to_bytes(pcm: &[i16], out: &mut [u8]) -> usize {
    let places = out.as_chunks_mut::<2>().0;
    2 * places.iter_mut().zip(pcm).map(|(place, sample)| *place = sample.to_le_bytes()).count()
}

/// Why a file cannot be played. Places are bytes from the beginning of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WavError {
    /// It does not begin as a WAV file does.
    NotWav,
    /// The sound comes before its format.
    NoFormat {
        /// Of the sound.
        place: usize,
    },
    /// There is a format, but no sound.
    NoSound {
        /// The end of the file.
        place: usize,
    },
    /// The format is shorter than 16 bytes.
    ShortFormat {
        /// Of the format.
        place: usize,
    },
    /// Neither PCM of 16 bits nor A-law nor µ-law of 8.
    Coding {
        /// Of the format.
        place: usize,
        /// The number of the coding (1 PCM, 3 floating point, 6 A-law, 7 µ-law, 85 MP3).
        coding: u16,
        /// Bits in each sample.
        bits: u16,
    },
    /// No channel, or more than two.
    Channels {
        /// Of the format.
        place: usize,
        /// How many.
        channels: u16,
    },
    /// Zero samples per second.
    Rate {
        /// Of the format.
        place: usize,
    },
}

impl std::fmt::Display for WavError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotWav => write!(formatter, "the file is no WAV: it does not begin with RIFF and WAVE"),
            Self::NoFormat { place } => {
                write!(
                    formatter,
                    "the WAV file is damaged: at byte {place} its sound comes before its format"
                )
            }
            Self::NoSound { place } => {
                write!(formatter, "the WAV file is cut off: it ends at byte {place} before its sound")
            }
            Self::ShortFormat { place } => {
                write!(formatter, "the WAV file is damaged: its format at byte {place} is too short")
            }
            Self::Coding { place, coding, bits } => write!(
                formatter,
                "the WAV file has coding {coding} with {bits} bits (byte {place}), not PCM with 16, A-law or µ-law"
            ),
            Self::Channels { place, channels } => {
                write!(formatter, "the WAV file has {channels} channels (byte {place}), not 1 or 2")
            }
            Self::Rate { place } => {
                write!(formatter, "the WAV file has zero samples per second (byte {place})")
            }
        }?;
        formatter.write_str("; convert it with: sox FILE -r 8000 -c 1 -b 16 -e signed-integer NEW.wav")
    }
}

impl std::error::Error for WavError {}

/// The numbers of codings in a format chunk (RFC 2361).
const PCM: u16 = 1;
const ALAW: u16 = 6;
const ULAW: u16 = 7;
/// The true number stands further behind.
const EXTENSIBLE: u16 = 0xFFFE;

#[derive(Clone, Copy)]
enum Coding {
    Pcm16,
    Alaw,
    Ulaw,
}

struct Format {
    coding: Coding,
    channels: u16,
    sample_rate_hz: u32,
}

impl Format {
    fn parse(body: &[u8], place: usize) -> Result<Self, WavError> {
        let fixed = body.get(..16).ok_or(WavError::ShortFormat { place })?;
        let mut coding = little_16(fixed);
        if coding == EXTENSIBLE {
            coding = little_16(body.get(24..26).ok_or(WavError::ShortFormat { place })?);
        }
        let (channels, sample_rate_hz) = (little_16(&fixed[2..]), little_32(&fixed[4..]));
        let coding = match (coding, little_16(&fixed[14..])) {
            (PCM, 16) => Coding::Pcm16,
            (ALAW, 8) => Coding::Alaw,
            (ULAW, 8) => Coding::Ulaw,
            (coding, bits) => return Err(WavError::Coding { place, coding, bits }),
        };
        if !(1..=2).contains(&channels) {
            return Err(WavError::Channels { place, channels });
        }
        if sample_rate_hz == 0 {
            return Err(WavError::Rate { place });
        }
        Ok(Self { coding, channels, sample_rate_hz })
    }

    /// A last frame that is incomplete is left out.
    fn decode(self, sound: &[u8]) -> Wav {
        let mut samples = match self.coding {
            Coding::Pcm16 => sound.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect(),
            Coding::Alaw => expanded(sound, decode_alaw),
            Coding::Ulaw => expanded(sound, decode_ulaw),
        };
        samples.truncate(samples.len() - samples.len() % usize::from(self.channels));
        Wav { sample_rate_hz: self.sample_rate_hz, channels: self.channels, samples }
    }
}

fn expanded(sound: &[u8], decode: fn(&[u8], &mut [i16]) -> usize) -> Vec<i16> {
    let mut samples = vec![0; sound.len()];
    decode(sound, &mut samples);
    samples
}

/// A chunk's bytes, fewer than it says when the file ends before.
fn chunk_body(bytes: &[u8], start: usize, length: u32) -> &[u8] {
    let end = start.saturating_add(length as usize).min(bytes.len());
    bytes.get(start..end).unwrap_or_default()
}

/// Callers hold at least two bytes.
fn little_16(bytes: &[u8]) -> u16 {
    bytes.first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// Callers hold at least four bytes.
fn little_32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn middle(stereo: &[i16]) -> Vec<i16> {
    stereo.as_chunks::<2>().0.iter().map(|[left, right]| left.midpoint(*right)).collect()
}

#[cfg(test)]
mod tests;
