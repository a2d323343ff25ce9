//! Overload: which new requests get 503, before the exchange looks anything up for them.

use std::time::Duration;

use proto::Time;
use proto::sip::Method;

use super::Event;
use super::ids::Alarm;
use super::turn::Turn;

/// How long each new message must have come late until the first one gets 503.
const RUSH: Duration = Duration::from_millis(200);
/// How long after being behind the exchange already counts a little delay as too much.
const CAREFUL: Duration = Duration::from_secs(2);

/// A time in which more requests come than the exchange can serve.
#[derive(Clone, Copy, Debug)]
struct Behind {
    /// Until when a little delay is too much.
    careful_until: Time,
    /// How many requests had got 503 before.
    shed_before: u64,
}

/// A time in which each new request has waited long.
#[derive(Clone, Copy, Debug)]
struct Late {
    since: Time,
    last: Time,
}

/// Whether the exchange keeps up with the requests that come.
#[derive(Debug)]
pub(super) struct Overload {
    /// How long messages may wait for their turn until new calls get 503.
    late: Duration,
    /// Set while the exchange is behind, and shortly after.
    behind: Option<Behind>,
    /// New requests wait long for their turn.
    waits: Option<Late>,
    /// Requests that were answered by 503.
    shed: u64,
}

impl Overload {
    pub(super) fn new(late_ms: u32) -> Self {
        Self { late: Duration::from_millis(late_ms.into()), behind: None, waits: None, shed: 0 }
    }

    /// How many requests got 503.
    pub(super) const fn shed(&self) -> u64 {
        self.shed
    }

    /// Whether a new request that has waited so long gets 503. The first one tells that the exchange is behind. No
    /// sender is punished for it.
    pub(super) fn is_too_much(
        &mut self,
        turn: &mut Turn,
        is_home: bool,
        method: Option<Method>,
        waited: Duration,
    ) -> bool {
        let was_behind = self.behind.is_some();
        let is_too_much = self.weigh(turn.now, is_home, method, waited);
        if is_too_much && !was_behind {
            let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            turn.tell(Event::Behind { waited_ms });
            turn.wake_at(turn.now + CAREFUL, Alarm::Careful);
        }
        is_too_much
    }

    /// Turns strangers away first, then calls of known devices, and their registrations last.
    fn weigh(&mut self, now: Time, is_home: bool, method: Option<Method>, waited: Duration) -> bool {
        let careful = self.behind.is_some_and(|behind| now < behind.careful_until);
        let late = if careful { self.late / 4 } else { self.late };
        let lasts = self.lasts(now, waited >= late / 2);
        let is_call = method == Some(Method::Invite);
        let is_too_much = (lasts || careful)
            && waited >= late / 2
            && (waited >= late * 2 || is_call && waited >= late || !is_home);
        if is_too_much {
            let shed_before = self.behind.map_or(self.shed, |behind| behind.shed_before);
            self.behind = Some(Behind { careful_until: now + CAREFUL, shed_before });
            self.shed += 1;
        }
        is_too_much
    }

    /// Whether new requests have been late for longer than a rush lasts.
    fn lasts(&mut self, now: Time, is_late: bool) -> bool {
        let before = self.waits.filter(|late| is_late && now.since(late.last) < RUSH);
        let since = before.map_or(now, |late| late.since);
        self.waits = is_late.then_some(Late { since, last: now });
        now.since(since) >= RUSH
    }

    /// Tells that the exchange is in time again, once it is.
    pub(super) fn on_careful(&mut self, turn: &mut Turn) {
        let Some(Behind { careful_until, shed_before }) = self.behind else { return };
        if turn.now < careful_until {
            turn.wake_at(careful_until, Alarm::Careful);
        } else {
            self.behind = None;
            turn.tell(Event::InTime { turned_away: self.shed - shed_before });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_what_can_be_done_is_for_those_who_are_known() {
        let longest = |is_home, method, is_careful| {
            let is_taken = |waited_ms: &u64| {
                let mut overload = Overload::new(100);
                let careful_until = Time::from_secs(u64::from(is_careful));
                overload.behind = Some(Behind { careful_until, shed_before: 0 });
                let mut weigh = |at_ms| {
                    let waited = Duration::from_millis(*waited_ms);
                    overload.weigh(Time::from_millis(at_ms), is_home, Some(method), waited)
                };
                let early = [700, 800].map(&mut weigh);
                assert!(is_careful || early == [false; 2], "a rush");
                !weigh(900)
            };
            (0..1_000).take_while(is_taken).count()
        };
        assert_eq!(longest(false, Method::Register, false), 50, "a stranger");
        assert_eq!(longest(true, Method::Register, false), 200);
        assert_eq!(longest(true, Method::Invite, false), 100);
        assert_eq!(longest(true, Method::Invite, true), 25, "not long after");
        assert_eq!(longest(true, Method::Register, true), 50);
        assert_eq!(longest(false, Method::Options, true), 13);
    }

    #[test]
    fn a_rush_that_is_over_soon_turns_nobody_away() {
        let mut overload = Overload::new(160);
        let mut weigh = |at_ms, waited_ms| {
            let waited = Duration::from_millis(waited_ms);
            overload.weigh(Time::from_millis(at_ms), false, Some(Method::Invite), waited)
        };
        // Not run for a second; then what has come meanwhile, and what comes in time.
        assert!((1_000..1_190).all(|at_ms| !weigh(at_ms, 1_000)));
        assert!(!weigh(1_190, 0));
        assert!(!weigh(1_200, 1_000), "another one");
        assert!(!weigh(5_000, 1_000), "and another one, with nothing in between");
        assert!(!weigh(5_100, 1_000));
        assert!(weigh(5_200, 1_000), "this one lasts");
    }
}
