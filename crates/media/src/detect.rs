//! What can be heard in a recording: the level of a frequency, the strongest frequency, DTMF keys.

use crate::NARROWBAND_HZ;
use crate::level::{FLOOR_DBFS, decibels, energy};
use crate::tone::{DTMF_HIGH_HZ, DTMF_KEYS, DTMF_LOW_HZ};
use std::f64::consts::TAU;

/// The share of a frequency in the whole sound, in decibels: near 0 when there is nothing else, and
/// [`FLOOR_DBFS`] when nothing sounds at all. The longer the sound, the narrower the ear: `1/seconds` Hz.
#[must_use]
pub fn level_of_frequency_db(pcm: &[i16], sample_rate_hz: u32, frequency_hz: f64) -> f32 {
    let total = energy(pcm);
    if total == 0.0 {
        return FLOOR_DBFS;
    }
    let power = goertzel(pcm.iter().map(|sample| f64::from(*sample)), sample_rate_hz, frequency_hz);
    // A pure sine of amplitude A over n samples has energy n·A²/2, and power (n·A/2)² at its frequency.
    decibels(2.0 * power / (total * pcm.len() as f64)).clamp(FLOOR_DBFS, 0.0)
}

/// The strongest frequency of a sound, within a few hertz; `None` when it is silent or shorter than 64 samples.
/// Looks at the first 2048 samples: cut out the stretch of interest.
#[must_use]
pub fn dominant_frequency_hz(pcm: &[i16], sample_rate_hz: u32) -> Option<f64> {
    let looked_at = pcm.get(..pcm.len().min(SPECTRUM_SAMPLES)).filter(|pcm| pcm.len() >= 64)?;
    if energy(looked_at) == 0.0 {
        return None;
    }
    let power_at = |frequency_hz: f64| goertzel(windowed(looked_at), sample_rate_hz, frequency_hz);
    let step_hz = f64::from(sample_rate_hz) / looked_at.len() as f64;
    let coarse_hz = (1..looked_at.len() / 2)
        .map(|bin| bin as f64 * step_hz)
        .map(|frequency_hz| (power_at(frequency_hz), frequency_hz))
        .max_by(|left, right| left.0.total_cmp(&right.0))?
        .1;
    Some(climb(coarse_hz, step_hz / 2.0, power_at))
}

/// Finds the keys pressed in a stream at 8 kHz, sample by sample.
#[derive(Clone, Debug, Default)]
pub struct DtmfDetector {
    block: Block,
    /// The key of the previous block.
    previous: Option<char>,
    /// The key that is held and was already reported.
    held: Option<char>,
}

impl DtmfDetector {
    /// Listens to more of the stream and calls `on_key` for each key that begins. A key must last for 40 ms, as
    /// ITU-T Q.24 asks of receivers.
    pub fn listen(&mut self, pcm: &[i16], mut on_key: impl FnMut(char)) {
        for sample in pcm {
            if let Some(key) = self.block.push(*sample).and_then(|heard| self.judge(heard)) {
                on_key(key);
            }
        }
    }

    /// Two equal blocks in a row make or end a key: one alone may be speech, or a gap within a tone.
    fn judge(&mut self, heard: Option<char>) -> Option<char> {
        let is_steady = heard == self.previous;
        self.previous = heard;
        if !is_steady || heard == self.held {
            return None;
        }
        self.held = heard;
        heard
    }
}

/// All keys in a recording at 8 kHz.
#[must_use]
pub fn dtmf_keys(pcm: &[i16]) -> String {
    let mut keys = String::new();
    DtmfDetector::default().listen(pcm, |key| keys.push(key));
    keys
}

/// Samples that the search for the strongest frequency looks at.
const SPECTRUM_SAMPLES: usize = 2048;

/// 12.75 ms at 8 kHz: short enough that a key of 40 ms covers two whole blocks wherever it begins, and long
/// enough to tell 697 from 770 Hz.
const BLOCK_SAMPLES: usize = 102;

/// A block quieter than this is no key: -40 dBFS for each sample.
const LEAST_ENERGY: f64 = BLOCK_SAMPLES as f64 * 327.0 * 327.0;

/// The two frequencies of a key hold at least this share of the energy, or it is speech.
const LEAST_SHARE: f64 = 0.7;

/// How much stronger one of the two may be: 9 dB in power, more than lines ever twist them.
const MOST_TWIST: f64 = 8.0;

/// Some milliseconds of sound under eight resonators.
#[derive(Clone, Debug)]
struct Block {
    /// Four rows, then four columns.
    resonators: [Resonator; 8],
    energy: f64,
    count: usize,
}

impl Default for Block {
    fn default() -> Self {
        let resonator = |frequency_hz: u16| Resonator::new(f64::from(frequency_hz), NARROWBAND_HZ);
        let (low, high) = (DTMF_LOW_HZ.map(resonator), DTMF_HIGH_HZ.map(resonator));
        let resonators = [low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]];
        Self { resonators, energy: 0.0, count: 0 }
    }
}

impl Block {
    /// Takes one sample; at the end of a block answers which key sounded in it, if any.
    fn push(&mut self, sample: i16) -> Option<Option<char>> {
        let sample = f64::from(sample);
        self.resonators.iter_mut().for_each(|resonator| resonator.push(sample));
        self.energy += sample * sample;
        self.count += 1;
        (self.count == BLOCK_SAMPLES).then(|| std::mem::take(self).key())
    }

    fn key(&self) -> Option<char> {
        let powers = self.resonators.map(Resonator::power);
        let (row, low) = strongest(&powers[..4])?;
        let (column, high) = strongest(&powers[4..])?;
        let share = 2.0 * (low + high) / (self.energy * BLOCK_SAMPLES as f64);
        let is_key = self.energy >= LEAST_ENERGY
            && share >= LEAST_SHARE
            && low <= high * MOST_TWIST
            && high <= low * MOST_TWIST;
        is_key.then(|| DTMF_KEYS[row][column])
    }
}

fn strongest(powers: &[f64]) -> Option<(usize, f64)> {
    powers.iter().copied().enumerate().max_by(|left, right| left.1.total_cmp(&right.1))
}

/// Goertzel's recurrence: gathers the power at one frequency.
#[derive(Clone, Copy, Debug)]
struct Resonator {
    coefficient: f64,
    newer: f64,
    older: f64,
}

impl Resonator {
    fn new(frequency_hz: f64, sample_rate_hz: u32) -> Self {
        let step = TAU * frequency_hz / f64::from(sample_rate_hz);
        Self { coefficient: 2.0 * step.cos(), newer: 0.0, older: 0.0 }
    }

    fn push(&mut self, sample: f64) {
        (self.newer, self.older) = (sample + self.coefficient * self.newer - self.older, self.newer);
    }

    fn power(self) -> f64 {
        self.newer * self.newer + self.older * self.older - self.coefficient * self.newer * self.older
    }
}

fn goertzel(samples: impl Iterator<Item = f64>, sample_rate_hz: u32, frequency_hz: f64) -> f64 {
    let mut resonator = Resonator::new(frequency_hz, sample_rate_hz);
    samples.for_each(|sample| resonator.push(sample));
    resonator.power()
}

/// A Hann window, so that a strong frequency between two bins does not spill over the weak ones.
fn windowed(pcm: &[i16]) -> impl Iterator<Item = f64> {
    let step = TAU / pcm.len() as f64;
    pcm.iter()
        .enumerate()
        .map(move |(index, sample)| f64::from(*sample) * (0.5 - 0.5 * (step * index as f64).cos()))
}

/// Walks to the top of a single peak with ever smaller steps.
fn climb(start: f64, first_step: f64, height: impl Fn(f64) -> f64) -> f64 {
    let (mut best, mut step) = (start, first_step);
    let mut highest = height(best);
    for _ in 0..8 {
        for candidate in [best - step, best + step] {
            let reached = height(candidate);
            if reached > highest {
                (best, highest) = (candidate, reached);
            }
        }
        step /= 2.0;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{DEFAULT_LEVEL_DBFS, Generator, Tone};
    use proptest::prelude::*;

    #[test]
    fn a_sine_is_found_among_others() {
        let mut pcm = play("440/0", 8_000);
        assert!(level_of_frequency_db(&pcm, 8_000, 440.0) > -0.01);
        assert!(level_of_frequency_db(&pcm, 8_000, 880.0) < -40.0);
        pcm = play("440+880/0", 8_000);
        for frequency_hz in [440.0, 880.0] {
            assert!((level_of_frequency_db(&pcm, 8_000, frequency_hz) + 3.01).abs() < 0.05);
        }
        assert_eq!(level_of_frequency_db(&[0; 80], 8_000, 440.0), FLOOR_DBFS);
        assert_eq!(level_of_frequency_db(&[], 8_000, 440.0), FLOOR_DBFS);
    }

    #[test]
    fn the_strongest_frequency_is_found_between_bins() {
        for frequency_hz in [200, 441, 1003, 2999, 3700] {
            let found = dominant_frequency_hz(&play(&format!("{frequency_hz}/0"), 2_000), 8_000).unwrap();
            assert!((found - f64::from(frequency_hz)).abs() < 1.0, "{frequency_hz} was taken for {found}");
        }
        assert_eq!(dominant_frequency_hz(&[0; 2000], 8_000), None);
        assert_eq!(dominant_frequency_hz(&[1; 63], 8_000), None);
    }

    #[test]
    fn every_key_is_heard_once() {
        let dialled = "1234567890*#ABCD11";
        assert_eq!(dtmf_keys(&dial(dialled, 80, 80)), dialled);
    }

    #[test]
    fn a_key_of_forty_milliseconds_is_heard_wherever_it_begins() {
        for offset in 0..BLOCK_SAMPLES {
            let mut pcm = vec![0; offset];
            pcm.extend(dial("5", 40, 60));
            assert_eq!(dtmf_keys(&pcm), "5", "beginning at sample {offset}");
        }
    }

    #[test]
    fn neither_tones_nor_silence_nor_noise_are_keys() {
        for tone in ["425/0", "350+440/0", "440+480/0", "480+620/0", "697/0", "697+770/0"] {
            assert_eq!(dtmf_keys(&play(tone, 16_000)), "", "{tone}");
        }
        assert_eq!(dtmf_keys(&[0; 8000]), "");
        let noise: Vec<i16> =
            (0..16_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 16) as i16).collect();
        assert_eq!(dtmf_keys(&noise), "");
    }

    proptest! {
        #[test]
        fn what_was_dialled_is_heard(dialled in "[0-9*#A-D]{0,8}", press_ms in 50u32..120, gap_ms in 50u32..120) {
            prop_assert_eq!(dtmf_keys(&dial(&dialled, press_ms, gap_ms)), dialled);
        }
    }

    fn dial(keys: &str, press_ms: u32, gap_ms: u32) -> Vec<i16> {
        keys.chars()
            .flat_map(|key| {
                let tone = Tone::dtmf(key, press_ms, gap_ms).unwrap();
                let mut pcm = vec![0; 8 * (press_ms + gap_ms) as usize];
                Generator::new(tone, 8_000, DEFAULT_LEVEL_DBFS).fill(&mut pcm);
                pcm
            })
            .collect()
    }

    fn play(tone: &str, samples: usize) -> Vec<i16> {
        let mut pcm = vec![0; samples];
        Generator::new(tone.parse().unwrap(), 8_000, DEFAULT_LEVEL_DBFS).fill(&mut pcm);
        pcm
    }
}
