//! Several captures of one case: the messages that they have in common tell how their clocks differ.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use proto::Time;

use super::ground::Map;
use crate::doctor::Proof;
use crate::doctor::tracks::Tracks;

/// Messages that are remembered to be found again in another capture.
pub const MESSAGES_LIMIT: usize = 300_000;
/// Differences of one pair of captures that are looked at.
const SAMPLES_LIMIT: usize = 1_024;

/// What was seen in which capture at what time.
#[derive(Debug, Default)]
pub struct Clocks {
    /// For each message: the capture that showed it first, when, and how often.
    first: Map<u64, (u16, Time)>,
    /// Differences in microseconds of a later capture to an earlier one.
    samples: BTreeMap<(u16, u16), Vec<i64>>,
}

/// The bytes of a message as one number.
pub fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Clocks {
    /// Whether another capture has shown the message already.
    pub fn is_known(&mut self, proof: Proof, hash: u64) -> bool {
        if let Some(&(file, at)) = self.first.get(&hash) {
            if file == proof.file {
                return false;
            }
            let samples = self.samples.entry((proof.file, file)).or_default();
            if samples.len() < SAMPLES_LIMIT && at > Time::ZERO && proof.at > Time::ZERO {
                samples.push(proof.at.as_micros() as i64 - at.as_micros() as i64);
            }
            return true;
        }
        if self.first.len() < MESSAGES_LIMIT {
            self.first.insert(hash, (proof.file, proof.at));
        }
        false
    }

    /// Tells each capture how far its clock is ahead of the first one that it has something in common with.
    pub fn finish(&mut self, tracks: &mut Tracks) {
        let mut told: BTreeMap<u16, i64> = BTreeMap::new();
        for (&(file, earlier), samples) in &mut self.samples {
            samples.sort_unstable();
            let Some(&middle) = samples.get(samples.len() / 2) else { continue };
            // Through a capture between, where the first has nothing in common.
            let ahead = middle + told.get(&earlier).copied().unwrap_or(0);
            told.entry(file).or_insert(ahead);
        }
        for (file, ahead) in told {
            if let Some(track) = tracks.files.get_mut(usize::from(file)) {
                track.clock_ahead_us = Some(ahead);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tracks::FileTrack;

    fn proof(file: u16, us: u64) -> Proof {
        Proof { at: Time::from_micros(us), file, number: 1, offset: 0 }
    }

    #[test]
    fn the_middle_of_the_differences_counts() {
        let mut clocks = Clocks::default();
        for message in 0..5 {
            assert!(!clocks.is_known(proof(0, 1_000_000 + message), message));
        }
        for (message, late) in [(0, 300), (1, 310), (2, 90_000), (3, 305), (4, 290)] {
            assert!(clocks.is_known(proof(1, 3_000_000 + message + late), message));
        }
        assert!(!clocks.is_known(proof(0, 1_500_000), 0), "a resend in the same capture");
        let mut tracks =
            Tracks { files: vec![FileTrack::default(), FileTrack::default()], ..Tracks::default() };
        clocks.finish(&mut tracks);
        assert_eq!((tracks.files[0].clock_ahead_us, tracks.files[1].clock_ahead_us), (None, Some(2_000_305)));
    }

    #[test]
    fn messages_are_bounded() {
        let mut clocks = Clocks::default();
        for message in 0..(MESSAGES_LIMIT as u64 + 10) {
            clocks.is_known(proof(0, 1), message);
        }
        assert_eq!(clocks.first.len(), MESSAGES_LIMIT);
    }
}
