//! When a phone speaks to its neighbours: fast at first, then at the interval of the settings.

use std::time::Duration;

use proto::Time;

/// So many frames in a row after the link is up or a neighbour is new (TIA-1057 §11.2.1, medFastStart) …
const FAST_FRAMES: u8 = 3;
/// … so far apart.
const FAST: Duration = Duration::from_secs(1);

/// The beat of one protocol.
#[derive(Clone, Debug, Default)]
pub(super) struct Beat {
    interval: Duration,
    fast_left: u8,
    next: Option<Time>,
}

impl Beat {
    pub(super) fn every(interval_s: u16) -> Self {
        Self { interval: Duration::from_secs(u64::from(interval_s.max(1))), fast_left: 0, next: None }
    }

    /// The link is up, or a neighbour is new: one frame at once, the others each a second later.
    pub(super) fn start_fast(&mut self, now: Time) {
        self.fast_left = FAST_FRAMES;
        self.next = Some(now);
    }

    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    pub(super) fn is_running(&self) -> bool {
        self.next.is_some()
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.next
    }

    /// Whether a frame is due now; the next one follows.
    pub(super) fn strikes(&mut self, now: Time) -> bool {
        let is_due = self.next.is_some_and(|next| next <= now);
        if is_due {
            self.fast_left = self.fast_left.saturating_sub(1);
            self.next = Some(now + if self.fast_left > 0 { FAST } else { self.interval });
        }
        is_due
    }

    /// How long a neighbour keeps what it was told: four intervals (802.1AB §9.2.5.6, msgTxHold).
    pub(super) fn hold_s(&self) -> u16 {
        u16::try_from(self.interval.as_secs().saturating_mul(4)).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_fast_frames_then_the_interval() {
        let mut beat = Beat::every(60);
        assert!(!beat.is_running() && !beat.strikes(Time::from_secs(5)));
        beat.start_fast(Time::ZERO);
        let mut at = Vec::new();
        while let Some(next) = beat.next().filter(|next| next.as_secs() < 130) {
            assert!(beat.strikes(next) && !beat.strikes(next));
            at.push(next.as_secs());
        }
        assert_eq!(at, [0, 1, 2, 62, 122]);
        assert_eq!(
            (beat.hold_s(), Beat::every(3_600).hold_s(), Beat::every(65_000).hold_s()),
            (240, 14_400, u16::MAX)
        );
    }
}
