//! A conference: each member hears all the others and not himself.

use crate::level::saturate;

/// Adds up one frame of everybody. For each frame: [`Mixer::clear`], [`Mixer::add`] for each member, then
/// [`Mixer::without`] for each member.
#[derive(Clone, Debug)]
pub struct Mixer {
    /// Wider than a sample, so that only what is heard saturates and the order of adding does not matter.
    sum: Vec<i32>,
}

impl Mixer {
    /// A mixer of frames of at most so many samples; what is longer is cut.
    #[must_use]
    pub fn new(frame_samples: usize) -> Self {
        Self { sum: vec![0; frame_samples] }
    }

    /// Begins a frame.
    pub fn clear(&mut self) {
        self.sum.fill(0);
    }

    /// Adds what one member says. A short frame counts as silent at its end.
    pub fn add(&mut self, spoken: &[i16]) {
        for (sum, sample) in self.sum.iter_mut().zip(spoken) {
            *sum = sum.saturating_add(i32::from(*sample));
        }
    }

    /// What a member hears who himself added `spoken`: all but that. Samples beyond the frame are silent.
    pub fn without(&self, spoken: &[i16], heard: &mut [i16]) {
        let own = spoken.iter().copied().chain(std::iter::repeat(0));
        let sums = self.sum.iter().copied().chain(std::iter::repeat(0));
        // `own` counts only within the frame, where it was added.
        for (index, ((heard, sum), own)) in heard.iter_mut().zip(sums).zip(own).enumerate() {
            let own = if index < self.sum.len() { own } else { 0 };
            *heard = saturate(sum.saturating_sub(i32::from(own)));
        }
    }

    /// What somebody hears who said nothing: everybody, as a recording does.
    pub fn whole(&self, heard: &mut [i16]) {
        self.without(&[], heard);
    }
}

/// Adds one frame onto another with saturation, as a call waiting tone is laid over a talk.
pub fn overlay(onto: &mut [i16], added: &[i16]) {
    for (sample, added) in onto.iter_mut().zip(added) {
        *sample = sample.saturating_add(*added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_of_three_hears_the_other_two() {
        let spoken: [[i16; 2]; 3] = [[100, -100], [20, 20], [3, 30_000]];
        let mut mixer = Mixer::new(2);
        spoken.iter().for_each(|frame| mixer.add(frame));
        check(&mixer, &spoken[0], [23, 30_020]);
        check(&mixer, &spoken[1], [103, 29_900]);
        check(&mixer, &spoken[2], [120, -80]);
        check(&mixer, &[], [123, 29_920]);
    }

    #[test]
    fn only_what_is_heard_saturates() {
        let mut mixer = Mixer::new(2);
        for _ in 0..3 {
            mixer.add(&[i16::MAX, i16::MIN]);
        }
        mixer.add(&[i16::MIN, i16::MAX]);
        check(&mixer, &[], [i16::MAX, i16::MIN]);
        mixer.clear();
        check(&mixer, &[], [0, 0]);
    }

    #[test]
    fn a_frame_of_another_length_is_cut_or_filled() {
        let mut mixer = Mixer::new(2);
        mixer.add(&[5, 6, 7]);
        mixer.add(&[1]);
        let mut heard = [9; 3];
        mixer.without(&[1], &mut heard);
        assert_eq!(heard, [5, 6, 0]);
        mixer.without(&[5, 6, 7], &mut heard);
        assert_eq!(heard, [1, 0, 0]);
    }

    #[test]
    fn an_overlay_saturates() {
        let mut pcm = [1, i16::MAX, i16::MIN];
        overlay(&mut pcm, &[1, 1, -1]);
        assert_eq!(pcm, [2, i16::MAX, i16::MIN]);
    }

    proptest! {
        #[test]
        fn of_two_members_each_hears_exactly_the_other(left: [i16; 8], right: [i16; 8]) {
            let mut mixer = Mixer::new(8);
            mixer.add(&left);
            mixer.add(&right);
            let mut heard = [0; 8];
            mixer.without(&left, &mut heard);
            prop_assert_eq!(heard, right);
        }
    }

    #[track_caller]
    fn check(mixer: &Mixer, spoken: &[i16], expected: [i16; 2]) {
        let mut heard = [0; 2];
        mixer.without(spoken, &mut heard);
        assert_eq!(heard, expected);
    }
}
