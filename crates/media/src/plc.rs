//! Packet loss concealment: a lost frame is covered by repeating the last pitch period, and fades away when the
//! loss goes on. The manner and the times are those of ITU-T G.711 appendix I, without its delay: the seam at
//! the beginning of a loss is closed by bending the covering sound instead of holding the good one back.

use crate::level::saturate;

/// Covers the losses of one stream. Every frame passes through: [`Concealer::received`] for those that came,
/// [`Concealer::lost`] for those that did not.
#[derive(Clone, Debug)]
pub struct Concealer {
    /// What was heard lately, oldest first.
    history: Vec<i16>,
    /// The last pitch period, repeated during a loss; its first `period_samples` are in use.
    period: Vec<i16>,
    period_samples: usize,
    /// Where in the period the loss has come to.
    offset: usize,
    /// Samples covered since the last frame that came.
    lost_samples: usize,
    /// The step at the seam where the loss began, spread over the first samples.
    seam: i32,
    samples_per_ms: usize,
}

impl Concealer {
    /// A concealer that has heard nothing but silence, for a stream at 8 or 16 kHz.
    #[must_use]
    pub fn new(sample_rate_hz: u32) -> Self {
        let samples_per_ms = (sample_rate_hz / 1000).clamp(8, 48) as usize;
        Self {
            history: vec![0; HISTORY_MS * samples_per_ms],
            period: vec![0; PERIOD_MAX_MS * samples_per_ms],
            period_samples: 1,
            offset: 0,
            lost_samples: 0,
            seam: 0,
            samples_per_ms,
        }
    }

    /// Takes a frame that came. The first one after a loss is blended in place with what the covering sound
    /// would have gone on to, so that its beginning does not click.
    pub fn received(&mut self, frame: &mut [i16]) {
        if self.lost_samples > 0 {
            let blend = frame.len().min(self.blend_samples());
            for (index, sample) in frame.iter_mut().take(blend).enumerate() {
                let covering = i32::from(self.next_covering());
                let share = ((index + 1) * 256 / (blend + 1)) as i32;
                // Two samples weighted by shares that add to one lie between them.
                *sample = ((covering * (256 - share) + i32::from(*sample) * share) >> 8) as i16;
            }
            self.lost_samples = 0;
        }
        self.remember(frame);
    }

    /// Fills the place of a frame that did not come.
    pub fn lost(&mut self, out: &mut [i16]) {
        if self.lost_samples == 0 {
            self.begin_loss();
        }
        for sample in out.iter_mut() {
            *sample = self.next_covering();
        }
        self.remember(out);
    }

    /// Whether the covering sound has faded away, so that more of it would be silence.
    #[must_use]
    pub fn is_faded(&self) -> bool {
        self.lost_samples >= FADED_MS * self.samples_per_ms
    }

    /// Finds the pitch and keeps one period, whose end is blended into what came before its beginning: so the
    /// repetition has no seam.
    fn begin_loss(&mut self) {
        let end = self.history.len();
        let period_samples = self.pitch_period();
        let start = end - period_samples;
        self.period[..period_samples].copy_from_slice(&self.history[start..]);
        let blend = period_samples / 4;
        for index in 0..blend {
            let share = ((index + 1) * 256 / (blend + 1)) as i32;
            let before = i32::from(self.history[start - blend + index]);
            let sample = &mut self.period[period_samples - blend + index];
            *sample = ((i32::from(*sample) * (256 - share) + before * share) >> 8) as i16;
        }
        self.seam = i32::from(self.history[end - 1]) - i32::from(self.history[start - 1]);
        self.period_samples = period_samples;
        self.offset = 0;
    }

    fn next_covering(&mut self) -> i16 {
        let repeated = i32::from(self.period[self.offset]);
        self.offset = (self.offset + 1) % self.period_samples;
        let spread = SEAM_MS * self.samples_per_ms;
        let left = spread.saturating_sub(self.lost_samples) as i32;
        let bent = saturate(repeated + self.seam * left / spread as i32);
        let sample = saturate((i32::from(bent) * self.fade()) >> 15);
        self.lost_samples = self.lost_samples.saturating_add(1);
        sample
    }

    /// The factor of the covering sound, in 1/32768: full for 10 ms, then a fifth less every 10 ms.
    fn fade(&self) -> i32 {
        let (steady, faded) = (STEADY_MS * self.samples_per_ms, FADED_MS * self.samples_per_ms);
        let left = faded.saturating_sub(self.lost_samples.max(steady));
        (left * 32_768 / (faded - steady)) as i32
    }

    /// A quarter of the period, and longer after a long loss (appendix I, §I.2.7).
    fn blend_samples(&self) -> usize {
        let longer = self.lost_samples / 10 * 4;
        (self.period_samples / 4 + longer).min(10 * self.samples_per_ms)
    }

    /// The lag at which the last 20 ms resemble what came before them most: first every other lag on every
    /// other sample, then the neighbours of the best on all.
    fn pitch_period(&self) -> usize {
        let (shortest, longest) = (PERIOD_MIN_MS * self.samples_per_ms, PERIOD_MAX_MS * self.samples_per_ms);
        let best = self.most_alike((shortest..=longest).step_by(2), 2).unwrap_or(longest);
        let nearby = best.saturating_sub(1).max(shortest)..=(best + 1).min(longest);
        self.most_alike(nearby, 1).unwrap_or(best)
    }

    fn most_alike(&self, lags: impl Iterator<Item = usize>, step: usize) -> Option<usize> {
        let likeness = |lag: usize| (self.likeness(lag, step), lag);
        lags.map(likeness).max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, lag)| lag)
    }

    /// The correlation at a lag, divided by the strength of the earlier stretch.
    fn likeness(&self, lag: usize, step: usize) -> f32 {
        let end = self.history.len();
        let window = WINDOW_MS * self.samples_per_ms;
        let late = self.history[end - window..].iter().step_by(step);
        let early = self.history[end - window - lag..end - lag].iter().step_by(step);
        let (mut product, mut strength) = (0.0f32, 1.0f32);
        for (late, early) in late.zip(early) {
            product += f32::from(*late) * f32::from(*early);
            strength += f32::from(*early) * f32::from(*early);
        }
        product / strength.sqrt()
    }

    fn remember(&mut self, frame: &[i16]) {
        let kept = frame.len().min(self.history.len());
        self.history.copy_within(kept.., 0);
        let place = self.history.len() - kept;
        self.history[place..].copy_from_slice(&frame[frame.len() - kept..]);
    }
}

/// The highest pitch looked for is 200 Hz, the lowest 66 Hz.
const PERIOD_MIN_MS: usize = 5;
const PERIOD_MAX_MS: usize = 15;

/// The stretch whose likeness is looked for.
const WINDOW_MS: usize = 20;

/// The window, the longest lag before it, and the blend before the period fit in.
const HISTORY_MS: usize = 40;

/// The covering sound is as loud as the last good one for so long,
const STEADY_MS: usize = 10;

/// and silent after this.
const FADED_MS: usize = 60;

/// The step at the beginning of a loss is spread over this.
const SEAM_MS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::{peak, rms_dbfs};
    use crate::tone::{Generator, Tone};
    use proptest::prelude::*;

    #[test]
    fn a_short_loss_in_a_vowel_is_hardly_heard() {
        for rate_hz in [8_000, 16_000] {
            let frame_samples = rate_hz as usize / 100;
            let spoken = vowel(rate_hz, 20 * frame_samples);
            let heard = lose(&spoken, frame_samples, &[10], rate_hz);
            let gap = 10 * frame_samples..11 * frame_samples;
            let error: Vec<i16> = spoken[gap.clone()]
                .iter()
                .zip(&heard[gap.clone()])
                .map(|(left, right)| left - right)
                .collect();
            let ratio_db = rms_dbfs(&spoken[gap]) - rms_dbfs(&error);
            assert!(ratio_db > 10.0, "at {rate_hz} the gap is covered with {ratio_db} dB");
        }
    }

    /// A pitch below all that are looked for: no repetition fits, so both seams have far to go.
    #[test]
    fn no_seam_jumps() {
        for lost in 5..15 {
            let mut spoken = vec![0; 3_200];
            Generator::new(Tone::sine(40), 8_000, -14.0).fill(&mut spoken);
            let heard = lose(&spoken, 144, &[lost], 8_000);
            assert!(
                steepest(&heard) < 1_000,
                "with frame {lost} lost there is a step of {}",
                steepest(&heard)
            );
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence() {
        let mut concealer = Concealer::new(8_000);
        for frame in vowel(8_000, 800).chunks_mut(160) {
            concealer.received(frame);
        }
        let mut covered = [0; 640];
        concealer.lost(&mut covered);
        let loudness: Vec<f32> = covered.chunks(80).map(rms_dbfs).collect();
        assert!(loudness[..6].is_sorted_by(|left, right| *left >= right - 1.0), "{loudness:?}");
        assert!(loudness[0] > -20.0 && loudness[4] < loudness[0] - 6.0, "{loudness:?}");
        assert_eq!(peak(&covered[480..]), 0);
        assert!(concealer.is_faded());
        concealer.received(&mut [0; 160]);
        assert!(!concealer.is_faded());
    }

    #[test]
    fn a_stream_without_loss_is_left_alone() {
        let spoken = vowel(8_000, 1_600);
        assert_eq!(lose(&spoken, 160, &[], 8_000), spoken);
    }

    #[test]
    fn a_loss_before_the_first_frame_is_silent() {
        let mut covered = [9; 160];
        Concealer::new(8_000).lost(&mut covered);
        assert_eq!(covered, [0; 160]);
    }

    #[test]
    fn the_loudest_sound_saturates() {
        let mut concealer = Concealer::new(8_000);
        let mut square: Vec<i16> =
            (0..400).map(|index| if index % 90 < 45 { i16::MAX } else { i16::MIN }).collect();
        concealer.received(&mut square);
        let mut covered = [0; 80];
        concealer.lost(&mut covered);
        assert!(covered.contains(&i16::MIN) && covered.contains(&i16::MAX), "{covered:?}");
    }

    proptest! {
        #[test]
        fn any_sound_and_any_losses_are_survived(
            frames in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<i16>(), 0..500)), 0..20),
            rate_hz in any::<u32>(),
        ) {
            let mut concealer = Concealer::new(rate_hz);
            for (came, mut frame) in frames {
                if came { concealer.received(&mut frame) } else { concealer.lost(&mut frame) }
            }
        }
    }

    /// 150 Hz with overtones.
    fn vowel(rate_hz: u32, samples: usize) -> Vec<i16> {
        let tone: Tone = "300+450+600+900/0".parse().unwrap();
        let mut pcm = vec![0; samples];
        Generator::new(tone, rate_hz, -18.0).fill(&mut pcm);
        pcm
    }

    fn lose(spoken: &[i16], frame_samples: usize, lost: &[usize], rate_hz: u32) -> Vec<i16> {
        let mut concealer = Concealer::new(rate_hz);
        let mut heard = spoken.to_vec();
        for (index, frame) in heard.chunks_mut(frame_samples).enumerate() {
            if lost.contains(&index) {
                frame.fill(0);
                concealer.lost(frame);
            } else {
                concealer.received(frame);
            }
        }
        heard
    }

    fn steepest(pcm: &[i16]) -> u16 {
        pcm.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap_or(0)
    }
}
