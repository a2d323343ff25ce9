//! From one sampling rate to another, by a windowed sinc in as many phases as the ratio has.

use crate::level::saturate;

/// The rates that can be converted, in samples per second.
pub const RATE_RANGE_HZ: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// Converts a stream; it remembers the end of one frame for the beginning of the next.
#[derive(Clone, Debug)]
pub struct Resampler {
    /// How many output samples belong to `down` input samples.
    up: u32,
    down: u32,
    /// Where the next output sample lies after the latest input sample, in 1/`up` of an input sample.
    position: u32,
    /// One filter of `taps` coefficients for each phase, in 1/32768.
    phases: Vec<i16>,
    phase_count: u32,
    taps: usize,
    /// The latest input samples twice in a row, so that `taps` of them always lie together.
    history: Vec<i16>,
    /// Where the next input sample goes.
    cursor: usize,
}

impl Resampler {
    /// A converter between two rates; it holds a table whose size grows with their ratio.
    ///
    /// # Errors
    /// When a rate is outside [`RATE_RANGE_HZ`].
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, RateError> {
        for rate_hz in [from_hz, to_hz] {
            if !RATE_RANGE_HZ.contains(&rate_hz) {
                return Err(RateError { rate_hz });
            }
        }
        let common = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = (to_hz / common, from_hz / common);
        let phase_count = up.min(PHASES_MAX);
        let widening = f64::from(from_hz).max(f64::from(to_hz)) / f64::from(to_hz);
        let taps = if up == down { 1 } else { (f64::from(TAPS) * widening).ceil() as usize };
        Ok(Self {
            up,
            down,
            position: 0,
            phases: phase_table(phase_count, taps, widening),
            phase_count,
            taps,
            history: vec![0; 2 * taps],
            cursor: 0,
        })
    }

    /// The most samples that so many input samples become: the size of `out` that loses nothing.
    #[must_use]
    pub fn output_max(&self, input_samples: usize) -> usize {
        let samples = input_samples as u64 * u64::from(self.up);
        samples.div_ceil(u64::from(self.down)) as usize
    }

    /// Converts a frame and answers the samples written. What does not fit in `out` is lost, see
    /// [`Resampler::output_max`].
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        let mut written = 0;
        for sample in input {
            self.push(*sample);
            while self.position < self.up {
                if let Some(slot) = out.get_mut(written) {
                    *slot = self.sample_at(self.position);
                    written += 1;
                }
                self.position += self.down;
            }
            self.position -= self.up;
        }
        written
    }

    /// How much later the sound comes out, in input samples.
    #[must_use]
    pub fn delay_samples(&self) -> usize {
        self.taps / 2
    }

    fn push(&mut self, sample: i16) {
        self.history[self.cursor] = sample;
        self.history[self.cursor + self.taps] = sample;
        self.cursor = (self.cursor + 1) % self.taps;
    }

    /// `position` is below `up`, so the phase is below `phase_count`.
    fn sample_at(&self, position: u32) -> i16 {
        let phase = (u64::from(position) * u64::from(self.phase_count) / u64::from(self.up)) as usize;
        let filter = &self.phases[phase * self.taps..(phase + 1) * self.taps];
        let heard = &self.history[self.cursor..self.cursor + self.taps];
        let sum: i64 =
            filter.iter().zip(heard).map(|(factor, sample)| i64::from(*factor) * i64::from(*sample)).sum();
        saturate(((sum + 16_384) >> 15) as i32)
    }
}

/// Converts a whole recording.
///
/// # Errors
/// When a rate is outside [`RATE_RANGE_HZ`].
pub fn resample(pcm: &[i16], from_hz: u32, to_hz: u32) -> Result<Vec<i16>, RateError> {
    let mut resampler = Resampler::new(from_hz, to_hz)?;
    let mut out = vec![0; resampler.output_max(pcm.len())];
    let written = resampler.process(pcm, &mut out);
    out.truncate(written);
    Ok(out)
}

/// A rate outside [`RATE_RANGE_HZ`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateError {
    /// The rate asked for, in samples per second.
    pub rate_hz: u32,
}

impl std::fmt::Display for RateError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (least, most) = (RATE_RANGE_HZ.start(), RATE_RANGE_HZ.end());
        write!(
            formatter,
            "cannot convert {} samples per second: use {least} to {most}, best 8000",
            self.rate_hz
        )
    }
}

impl std::error::Error for RateError {}

/// Coefficients for each output sample at the lower of the two rates.
const TAPS: u32 = 48;

/// Odd ratios share their phases, so that no pair of rates makes a large table.
const PHASES_MAX: u32 = 1024;

/// Where the filter is half-way down, in parts of half the lower rate.
const CUTOFF: f64 = 0.92;

/// One filter for each phase, each normalised to pass a constant unchanged.
fn phase_table(phase_count: u32, taps: usize, widening: f64) -> Vec<i16> {
    if taps == 1 {
        return vec![i16::MAX; phase_count as usize];
    }
    (0..phase_count)
        .flat_map(|phase| {
            let offset = f64::from(phase) / f64::from(phase_count);
            let weights: Vec<f64> =
                (0..taps).map(|tap| weight(tap as f64 - offset, taps, widening)).collect();
            let sum: f64 = weights.iter().sum();
            weights.into_iter().map(move |weight| (32_768.0 * weight / sum).round() as i16)
        })
        .collect()
}

/// A sinc under a Blackman window, both centred on the middle tap.
fn weight(tap: f64, taps: usize, widening: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    let half = taps as f64 / 2.0;
    let from_centre = tap - half + 1.0;
    let angle = PI * from_centre * CUTOFF / widening;
    let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
    let share = (from_centre / half).clamp(-1.0, 1.0) / 2.0;
    sinc * (0.42 + 0.5 * (TAU * share).cos() + 0.08 * (2.0 * TAU * share).cos())
}

fn greatest_common_divisor(left: u32, right: u32) -> u32 {
    if right == 0 { left } else { greatest_common_divisor(right, left % right) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::level_of_frequency_db;
    use crate::level::rms_dbfs;
    use crate::tone::{Generator, Tone};
    use proptest::prelude::*;

    #[test]
    fn a_tone_keeps_its_pitch_and_level_between_all_telephone_rates() {
        for (from_hz, to_hz) in [(8, 16), (16, 8), (8, 48), (48, 8), (16, 48), (48, 16)] {
            for frequency_hz in [300, 1000, 3000] {
                check_tone(frequency_hz, from_hz * 1000, to_hz * 1000);
            }
        }
        check_tone(1000, 44_100, 8_000);
        check_tone(1000, 8_000, 44_100);
        check_tone(1000, 11_025, 16_000);
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_gone() {
        for frequency_hz in [4_500, 5_000, 7_000] {
            let low = resample(&play(frequency_hz, 16_000), 16_000, 8_000).unwrap();
            assert!(
                rms_dbfs(&low[100..]) < -60.0,
                "{frequency_hz} Hz is left with {}",
                rms_dbfs(&low[100..])
            );
        }
    }

    #[test]
    fn equal_rates_change_nothing_that_is_heard() {
        let pcm = play(1000, 8_000);
        let same = resample(&pcm, 8_000, 8_000).unwrap();
        assert!(pcm.iter().zip(&same).all(|(left, right)| left.abs_diff(*right) <= 1));
    }

    #[test]
    fn frames_make_the_same_stream_as_the_whole() {
        let pcm = play(440, 16_000);
        let mut resampler = Resampler::new(16_000, 48_000).unwrap();
        let mut framed = Vec::new();
        for frame in pcm.chunks(320) {
            let mut out = [0; 960];
            assert_eq!(resampler.process(frame, &mut out), 960);
            framed.extend(out);
        }
        assert_eq!(framed, resample(&pcm, 16_000, 48_000).unwrap());
    }

    #[test]
    fn a_rate_nobody_uses_is_refused() {
        for (from_hz, to_hz) in [(0, 8_000), (8_000, 0), (192_001, 8_000), (8_000, u32::MAX)] {
            assert!(Resampler::new(from_hz, to_hz).is_err());
        }
        let said = RateError { rate_hz: 7 }.to_string();
        assert!(said.contains("4000 to 192000"), "{said}");
    }

    #[test]
    fn the_oddest_pair_of_rates_has_a_small_table() {
        let resampler = Resampler::new(192_000, 4_001).unwrap();
        assert!(resampler.phases.len() < 4 << 20, "{} coefficients", resampler.phases.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_sound_at_any_rate_has_its_length(
            pcm in prop::collection::vec(any::<i16>(), 0..400),
            from_hz in 4_000u32..50_000,
            to_hz in 4_000u32..50_000,
        ) {
            let mut resampler = Resampler::new(from_hz, to_hz).unwrap();
            let most = resampler.output_max(pcm.len());
            let mut out = vec![0; most + 1];
            prop_assert_eq!(resampler.process(&pcm, &mut out), most);
        }
    }

    #[track_caller]
    fn check_tone(frequency_hz: u16, from_hz: u32, to_hz: u32) {
        let pcm = play(frequency_hz, from_hz);
        let converted = resample(&pcm, from_hz, to_hz).unwrap();
        let settled = &converted[to_hz as usize / 50..];
        let share_db = level_of_frequency_db(settled, to_hz, f64::from(frequency_hz));
        assert!(share_db > -0.02, "{frequency_hz} Hz {from_hz}->{to_hz}: {share_db} dB of it is the tone");
        let change_db = rms_dbfs(settled) - rms_dbfs(&pcm);
        assert!(change_db.abs() < 0.3, "{frequency_hz} Hz {from_hz}->{to_hz}: {change_db} dB louder");
    }

    /// Half a second of a sine.
    fn play(frequency_hz: u16, rate_hz: u32) -> Vec<i16> {
        let mut pcm = vec![0; rate_hz as usize / 2];
        Generator::new(Tone::sine(frequency_hz), rate_hz, -10.0).fill(&mut pcm);
        pcm
    }
}
