//! The clock and the entropy: the two things that no pure machine may fetch for itself.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proto::{Time, Wall};

/// Wall-clock time that never runs backwards: anchored once, then counted monotonically.
///
/// A step of the system's clock (NTP, a person) therefore moves no deadline. Copies share the anchor.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Time,
    started: Instant,
}

impl Clock {
    /// Anchors at the system's present time; a system clock before 1970 counts as 1970.
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { anchor: Time::ZERO + unix, started: Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.anchor + self.started.elapsed()
    }

    /// How far the system's clock is from [`Self::now`]: it may have been set since the start.
    pub fn wall(&self) -> Wall {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall::showing(Time::ZERO + unix, self.now())
    }

    /// What the system's clock shows, for dates that people read.
    pub fn date(&self) -> Time {
        self.wall().at(self.now())
    }

    /// The monotonic moment of `deadline`, for a timer of the runtime.
    ///
    /// A deadline that has passed is now; one too far away for the system's clock is a day from now
    /// (a timer that fires early is asked again).
    pub fn instant(&self, deadline: Time) -> Instant {
        let wait = deadline.since(self.anchor);
        let far = Duration::from_secs(86_400);
        self.started.checked_add(wait.min(self.started.elapsed() + far)).unwrap_or(self.started)
    }
}

/// 32 unpredictable bytes from the operating system, for [`proto::Rng`].
///
/// # Errors
/// Where the system has no source of entropy; nothing may run without one.
pub fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| {
        io::Error::other(format!("this system gives no entropy ({error}); keys and tags cannot be made"))
    })?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_and_deadlines_come_back() {
        let clock = Clock::start();
        let (first, second) = (clock.now(), clock.now());
        assert!(first <= second && first > Time::from_secs(1_600_000_000));
        let deadline = first + Duration::from_millis(250);
        assert_eq!(clock.instant(deadline).duration_since(clock.started), deadline.since(clock.anchor));
        assert!(clock.instant(Time::ZERO) <= Instant::now());
        assert!(clock.instant(Time::NEVER) > Instant::now() + Duration::from_secs(3_600));
    }

    #[test]
    fn two_seeds_differ() {
        assert_ne!(seed().expect("entropy"), seed().expect("entropy"));
    }
}
