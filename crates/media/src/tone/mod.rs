//! The sounds a phone makes by itself: call progress tones, DTMF and plain sines.
//!
//! A tone is written as phones are configured, `F1[+F2[+F3[+F4]]]/milliseconds[,…]`: frequency 0 is a pause, and
//! 0 milliseconds last for ever. A leading `!` plays the segments once; otherwise they repeat.

use crate::level::sine_amplitude;
use std::str::FromStr;

/// The most segments in one tone.
pub const SEGMENTS_MAX: usize = 8;

/// The most frequencies sounding together.
pub const FREQUENCIES_MAX: usize = 4;

/// The frequencies a tone may be configured with.
pub const FREQUENCY_RANGE_HZ: std::ops::RangeInclusive<u16> = 200..=7000;

/// The longest segment that may be configured.
pub const DURATION_MAX_MS: u32 = 30_000;

/// The level of each frequency, at which all of [`FREQUENCIES_MAX`] together still do not clip.
pub const DEFAULT_LEVEL_DBFS: f32 = -16.0;

/// One stretch of a tone: up to four sines together, or a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Zero where there is none.
    frequencies_hz: [u16; FREQUENCIES_MAX],
    duration_ms: u32,
}

impl Segment {
    /// Some sines for some milliseconds (0: for ever). Frequencies after the fourth are left out.
    #[must_use]
    pub const fn new(frequencies_hz: &[u16], duration_ms: u32) -> Self {
        let mut segment = Self { frequencies_hz: [0; FREQUENCIES_MAX], duration_ms };
        let mut index = 0;
        while index < frequencies_hz.len() && index < FREQUENCIES_MAX {
            segment.frequencies_hz[index] = frequencies_hz[index];
            index += 1;
        }
        segment
    }

    /// Milliseconds; 0 is for ever.
    #[must_use]
    pub const fn duration_ms(&self) -> u32 {
        self.duration_ms
    }

    /// The frequencies that sound; none in a pause.
    pub fn frequencies_hz(&self) -> impl Iterator<Item = u16> {
        self.frequencies_hz.into_iter().filter(|frequency| *frequency > 0)
    }
}

/// A sequence of segments, repeated or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone {
    segments: [Segment; SEGMENTS_MAX],
    /// How many of them are in use.
    count: usize,
    repeats: bool,
}

impl Tone {
    /// Nothing at all.
    pub const SILENCE: Self = Self::once(&[]);

    /// Segments played over and over; those after the eighth are left out.
    #[must_use]
    pub const fn repeating(segments: &[Segment]) -> Self {
        let mut tone = Self::once(segments);
        tone.repeats = true;
        tone
    }

    /// Segments played once; those after the eighth are left out.
    #[must_use]
    pub const fn once(segments: &[Segment]) -> Self {
        let mut kept = [Segment::new(&[], 0); SEGMENTS_MAX];
        let mut count = 0;
        while count < segments.len() && count < SEGMENTS_MAX {
            kept[count] = segments[count];
            count += 1;
        }
        Self { segments: kept, count, repeats: false }
    }

    /// One frequency for ever.
    #[must_use]
    pub const fn sine(frequency_hz: u16) -> Self {
        Self::once(&[Segment::new(&[frequency_hz], 0)])
    }

    /// The two frequencies of a DTMF key (ITU-T Q.23) and a pause after them; `None` when it is no such key.
    #[must_use]
    pub fn dtmf(key: char, duration_ms: u32, pause_ms: u32) -> Option<Self> {
        let (low_hz, high_hz) = dtmf_frequencies_hz(key)?;
        let segments = [Segment::new(&[low_hz, high_hz], duration_ms), Segment::new(&[], pause_ms)];
        Some(Self::once(if pause_ms == 0 { &segments[..1] } else { &segments }))
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments[..self.count]
    }

    /// Whether the segments begin again after the last.
    #[must_use]
    pub const fn repeats(&self) -> bool {
        self.repeats
    }
}

/// The tones of a country (ITU-T E.180 supplement 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Country {
    /// The tones E.180 recommends, which most of Europe and Asia resemble.
    #[default]
    International,
    /// The precise tone plan of North America.
    UnitedStates,
    /// The United Kingdom, with its double ring.
    GreatBritain,
}

impl Country {
    /// The line is ready to be dialled.
    #[must_use]
    pub const fn dial(self) -> Tone {
        match self {
            Self::International => Tone::sine(425),
            Self::UnitedStates | Self::GreatBritain => Tone::once(&[Segment::new(&[350, 440], 0)]),
        }
    }

    /// The other phone rings.
    #[must_use]
    pub const fn ringback(self) -> Tone {
        match self {
            Self::International => on_off(&[425], 1000, 4000),
            Self::UnitedStates => on_off(&[440, 480], 2000, 4000),
            Self::GreatBritain => Tone::repeating(&[
                Segment::new(&[400, 450], 400),
                Segment::new(&[], 200),
                Segment::new(&[400, 450], 400),
                Segment::new(&[], 2000),
            ]),
        }
    }

    /// The other phone is busy.
    #[must_use]
    pub const fn busy(self) -> Tone {
        match self {
            Self::International => on_off(&[425], 500, 500),
            Self::UnitedStates => on_off(&[480, 620], 500, 500),
            Self::GreatBritain => on_off(&[400], 375, 375),
        }
    }

    /// The call cannot be carried.
    #[must_use]
    pub const fn congestion(self) -> Tone {
        match self {
            Self::International => on_off(&[425], 250, 250),
            Self::UnitedStates => on_off(&[480, 620], 250, 250),
            Self::GreatBritain => Tone::repeating(&[
                Segment::new(&[400], 400),
                Segment::new(&[], 350),
                Segment::new(&[400], 225),
                Segment::new(&[], 525),
            ]),
        }
    }

    /// Another call waits behind this one.
    #[must_use]
    pub const fn call_waiting(self) -> Tone {
        match self {
            Self::International => on_off(&[425], 200, 4000),
            Self::UnitedStates => on_off(&[440], 300, 10_000),
            Self::GreatBritain => on_off(&[400], 100, 3000),
        }
    }
}

impl FromStr for Tone {
    type Err = ToneError;

    fn from_str(text: &str) -> Result<Self, ToneError> {
        let (repeats, list) = match text.trim().strip_prefix('!') {
            Some(list) => (false, list),
            None => (true, text),
        };
        let mut tone = Self { repeats, ..Self::SILENCE };
        for segment in list.split(',') {
            let slot = tone.segments.get_mut(tone.count).ok_or(ToneError::TooManySegments)?;
            tone.count += 1;
            *slot = parse_segment(segment.trim()).map_err(|fault| fault.at(tone.count))?;
        }
        Ok(tone)
    }
}

impl std::fmt::Display for Tone {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut before = if self.repeats { "" } else { "!" };
        for segment in self.segments() {
            formatter.write_str(before)?;
            before = ",";
            let mut plus = "";
            for frequency in segment.frequencies_hz() {
                write!(formatter, "{plus}{frequency}")?;
                plus = "+";
            }
            let pause = if plus.is_empty() { "0" } else { "" };
            write!(formatter, "{pause}/{}", segment.duration_ms)?;
        }
        Ok(())
    }
}

/// Why a configured tone cannot be read. Segments are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToneError {
    /// More than [`SEGMENTS_MAX`].
    TooManySegments,
    /// A segment without its slash or without one of its numbers.
    NotASegment {
        /// Which.
        segment: usize,
    },
    /// More than [`FREQUENCIES_MAX`] in one segment.
    TooManyFrequencies {
        /// Which.
        segment: usize,
    },
    /// Outside [`FREQUENCY_RANGE_HZ`].
    Frequency {
        /// Where.
        segment: usize,
    },
    /// Above [`DURATION_MAX_MS`].
    Duration {
        /// Where.
        segment: usize,
    },
}

impl ToneError {
    fn at(self, segment: usize) -> Self {
        match self {
            Self::TooManySegments => self,
            Self::NotASegment { .. } => Self::NotASegment { segment },
            Self::TooManyFrequencies { .. } => Self::TooManyFrequencies { segment },
            Self::Frequency { .. } => Self::Frequency { segment },
            Self::Duration { .. } => Self::Duration { segment },
        }
    }
}

impl std::fmt::Display for ToneError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooManySegments => write!(formatter, "the tone has more than {SEGMENTS_MAX} segments"),
            Self::NotASegment { segment } => {
                write!(formatter, "segment {segment} of the tone is not written like 350+440/500")
            }
            Self::TooManyFrequencies { segment } => {
                write!(
                    formatter,
                    "segment {segment} of the tone joins more than {FREQUENCIES_MAX} frequencies"
                )
            }
            Self::Frequency { segment } => write!(
                formatter,
                "segment {segment} of the tone has a frequency that is neither 0 (a pause) nor 200 to 7000 Hz"
            ),
            Self::Duration { segment } => write!(
                formatter,
                "segment {segment} of the tone is longer than {DURATION_MAX_MS} ms; 0 lasts for ever"
            ),
        }
    }
}

impl std::error::Error for ToneError {}

/// Plays a tone into frames.
#[derive(Clone, Debug)]
pub struct Generator {
    tone: Tone,
    sample_rate_hz: u32,
    amplitude: f64,
    oscillators: [Oscillator; FREQUENCIES_MAX],
    /// Which segment sounds.
    segment: usize,
    /// Samples left of it; `None` for ever.
    remaining: Option<u64>,
}

impl Generator {
    /// At the beginning of a tone, each of whose frequencies sounds at `level_dbfs`.
    #[must_use]
    pub fn new(tone: Tone, sample_rate_hz: u32, level_dbfs: f32) -> Self {
        let mut generator = Self {
            tone,
            sample_rate_hz,
            amplitude: f64::from(sine_amplitude(level_dbfs)),
            oscillators: [Oscillator::default(); FREQUENCIES_MAX],
            segment: 0,
            remaining: Some(0),
        };
        generator.begin_segment();
        generator
    }

    /// Fills a frame; after the end of the tone with silence. Answers whether anything is left to play.
    pub fn fill(&mut self, out: &mut [i16]) -> bool {
        let mut rest = out;
        while !rest.is_empty() {
            if self.is_finished() {
                rest.fill(0);
                return false;
            }
            let length = self.remaining.map_or(rest.len(), |left| rest.len().min(left as usize));
            let (stretch, after) = rest.split_at_mut(length);
            self.sound(stretch);
            rest = after;
            self.advance(length);
        }
        !self.is_finished()
    }

    /// Whether the last segment has been played.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.segment >= self.tone.count
    }

    fn sound(&mut self, out: &mut [i16]) {
        for sample in out {
            let sum: f64 = self.oscillators.iter_mut().map(Oscillator::next_sample).sum();
            // A conversion from floating point saturates.
            *sample = sum.round() as i16;
        }
    }

    fn advance(&mut self, samples: usize) {
        let Some(left) = &mut self.remaining else { return };
        *left = left.saturating_sub(samples as u64);
        if *left == 0 {
            self.segment += 1;
            if self.tone.repeats && self.is_finished() {
                self.segment = 0;
            }
            self.begin_segment();
        }
    }

    fn begin_segment(&mut self) {
        let Some(segment) = self.tone.segments().get(self.segment) else { return };
        // A segment shorter than one sample still takes one, so that a tone of nothing else makes progress.
        let samples = u64::from(segment.duration_ms) * u64::from(self.sample_rate_hz) / 1000;
        self.remaining = (segment.duration_ms > 0).then_some(samples.max(1));
        for (oscillator, frequency_hz) in self.oscillators.iter_mut().zip(segment.frequencies_hz) {
            *oscillator = Oscillator::new(frequency_hz, self.sample_rate_hz, self.amplitude);
        }
    }
}

/// A sine by the recurrence `sin(n+1) = 2·cos(w)·sin(n) - sin(n-1)`: one multiplication for each sample.
#[derive(Clone, Copy, Debug, Default)]
struct Oscillator {
    coefficient: f64,
    current: f64,
    previous: f64,
}

impl Oscillator {
    /// Begins at zero. Silent for frequency zero and for what the rate cannot carry, which would fold down to
    /// another frequency.
    fn new(frequency_hz: u16, sample_rate_hz: u32, amplitude: f64) -> Self {
        if frequency_hz == 0 || u32::from(frequency_hz) * 2 >= sample_rate_hz {
            return Self::default();
        }
        let step = std::f64::consts::TAU * f64::from(frequency_hz) / f64::from(sample_rate_hz);
        Self { coefficient: 2.0 * step.cos(), current: 0.0, previous: -amplitude * step.sin() }
    }

    fn next_sample(&mut self) -> f64 {
        let sample = self.current;
        self.current = self.coefficient * sample - self.previous;
        self.previous = sample;
        sample
    }
}

/// The rows and columns of a telephone's keys (ITU-T Q.23).
pub(crate) const DTMF_LOW_HZ: [u16; 4] = [697, 770, 852, 941];
pub(crate) const DTMF_HIGH_HZ: [u16; 4] = [1209, 1336, 1477, 1633];
pub(crate) const DTMF_KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

fn dtmf_frequencies_hz(key: char) -> Option<(u16, u16)> {
    let key = key.to_ascii_uppercase();
    let row = DTMF_KEYS.iter().position(|row| row.contains(&key))?;
    let column = DTMF_KEYS[row].iter().position(|candidate| *candidate == key)?;
    Some((DTMF_LOW_HZ[row], DTMF_HIGH_HZ[column]))
}

const fn on_off(frequencies_hz: &[u16], on_ms: u32, off_ms: u32) -> Tone {
    Tone::repeating(&[Segment::new(frequencies_hz, on_ms), Segment::new(&[], off_ms)])
}

/// Faults are found here without knowing which segment it is: the caller says so with [`ToneError::at`].
fn parse_segment(text: &str) -> Result<Segment, ToneError> {
    let malformed = ToneError::NotASegment { segment: 0 };
    let (frequencies, duration) = text.split_once('/').ok_or(malformed)?;
    let mut segment = Segment { duration_ms: number(duration).ok_or(malformed)?, ..Segment::default() };
    if segment.duration_ms > DURATION_MAX_MS {
        return Err(ToneError::Duration { segment: 0 });
    }
    for (index, frequency) in frequencies.split('+').enumerate() {
        let slot =
            segment.frequencies_hz.get_mut(index).ok_or(ToneError::TooManyFrequencies { segment: 0 })?;
        let frequency_hz = u16::try_from(number(frequency).ok_or(malformed)?).unwrap_or(u16::MAX);
        if frequency_hz != 0 && !FREQUENCY_RANGE_HZ.contains(&frequency_hz) {
            return Err(ToneError::Frequency { segment: 0 });
        }
        *slot = frequency_hz;
    }
    Ok(segment)
}

/// Digits and nothing else (`u32` itself would take a sign); too many of them are a large number.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
