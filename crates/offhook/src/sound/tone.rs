//! Microphones that need no device: silence, a sine, samples.

use media::tone::{DEFAULT_LEVEL_DBFS, Generator, Tone};

use super::{Sink, Source};

/// Says nothing and forgets what it hears.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl Source for Silence {
    fn fill(&mut self, frame: &mut [i16]) {
        frame.fill(0);
    }
}

impl Sink for Silence {
    fn hear(&mut self, _frame: &[i16]) {}
}

/// Hums one frequency.
#[derive(Clone, Debug)]
pub struct Sine {
    generator: Generator,
}

impl Sine {
    /// A sine at a level that a conference of four does not clip.
    pub fn new(frequency_hz: u16, rate_hz: u32) -> Self {
        Self { generator: Generator::new(Tone::sine(frequency_hz), rate_hz, DEFAULT_LEVEL_DBFS) }
    }
}

impl Source for Sine {
    fn fill(&mut self, frame: &mut [i16]) {
        self.generator.fill(frame);
    }
}

/// Says the same samples over and over, in each conversation from the beginning.
#[derive(Clone, Debug)]
pub struct Samples {
    samples: Vec<i16>,
    place: usize,
}

impl Samples {
    /// Samples at the rate of the engine; none are silence.
    pub fn new(samples: Vec<i16>) -> Self {
        Self { samples, place: 0 }
    }
}

impl Source for Samples {
    fn fill(&mut self, frame: &mut [i16]) {
        for slot in frame {
            *slot = self.samples.get(self.place).copied().unwrap_or(0);
            self.place = (self.place + 1) % self.samples.len().max(1);
        }
    }

    fn rewind(&mut self) {
        self.place = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_repeat_and_begin_anew() {
        let mut source = Samples::new(vec![1, 2, 3]);
        let mut frame = [0; 4];
        source.fill(&mut frame);
        assert_eq!(frame, [1, 2, 3, 1]);
        source.rewind();
        source.fill(&mut frame[..2]);
        assert_eq!(frame[..2], [1, 2]);
        Samples::new(Vec::new()).fill(&mut frame);
        assert_eq!(frame, [0; 4]);
    }
}
