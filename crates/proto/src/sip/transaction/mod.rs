//! The four transactions of RFC 3261 §17, as amended by RFC 6026.
//!
//! A machine knows neither messages nor transports. It is told of a status, a copy or the time, and
//! answers with the one step that its owner has to take; the owner holds the bytes. `deadline` says
//! when it wants to be woken, and by which of the RFC's timers.

pub mod client;
pub mod client_invite;
pub mod key;
pub mod server;
pub mod server_invite;
pub(crate) mod slab;
pub mod timers;

use std::time::Duration;

pub use client::Client;
pub use client_invite::{Cancel, ClientInvite};
pub use server::Server;
pub use server_invite::ServerInvite;
pub use timers::{TimerId, TimerQueue};

use crate::Time;

/// The three times from which all others follow (RFC 3261 §17.1.1.1, table 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    t1_us: u32,
    t2_us: u32,
    t4_us: u32,
}

impl Timing {
    /// The RFC's own values: 0.5 s, 4 s and 5 s.
    pub const RFC_3261: Self = Self { t1_us: 500_000, t2_us: 4_000_000, t4_us: 5_000_000 };

    /// T1 is the round-trip time expected, T2 the longest pause between two copies, T4 how long a
    /// message may wander in the network.
    ///
    /// Each is taken as at least a millisecond and at most an hour, T2 as at least T1: a pause of
    /// zero would send without end.
    pub fn new(t1: Duration, t2: Duration, t4: Duration) -> Self {
        let t1_us = bounded_us(t1);
        Self { t1_us, t2_us: bounded_us(t2).max(t1_us), t4_us: bounded_us(t4) }
    }

    /// The round-trip time expected.
    pub const fn t1(self) -> Duration {
        Duration::from_micros(self.t1_us as u64)
    }

    /// The longest pause between two copies.
    pub const fn t2(self) -> Duration {
        Duration::from_micros(self.t2_us as u64)
    }

    /// How long a message may wander in the network.
    pub const fn t4(self) -> Duration {
        Duration::from_micros(self.t4_us as u64)
    }

    /// 64·T1: how long an answer is waited for.
    pub const fn patience(self) -> Duration {
        Duration::from_micros(self.t1_us as u64 * 64)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::RFC_3261
    }
}

fn bounded_us(wait: Duration) -> u32 {
    wait.clamp(Duration::from_millis(1), Duration::from_secs(3_600)).as_micros() as u32
}

/// Why a transaction wants to be woken: the names of RFC 3261 table 4 and RFC 6026 §8.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// Send the INVITE again.
    A,
    /// Nobody answered the INVITE: give up.
    B,
    /// Stop acknowledging copies of a refusal.
    D,
    /// Send the request again.
    E,
    /// Nobody answered the request: give up.
    F,
    /// Send the refusal of an INVITE again.
    G,
    /// The refusal was never acknowledged: give up.
    H,
    /// Stop absorbing copies of the ACK.
    I,
    /// Stop answering copies of the request.
    J,
    /// Stop absorbing copies of the response.
    K,
    /// Stop absorbing copies of an accepted INVITE.
    L,
    /// Stop passing on further 2xx responses.
    M,
    /// The owner is slow: send a 100 for it (RFC 3261 §17.2.1, 200 ms).
    Trying,
    /// A cancelled INVITE never got its final response: give up (RFC 3261 §9.1).
    Cancelled,
    /// Send the 2xx again (RFC 3261 §13.3.1.4).
    Accept,
    /// The 2xx was never acknowledged: give up (RFC 3261 §13.3.1.4).
    Ack,
    /// The transport failed: try the next target (RFC 3263 §4.3).
    Transport,
}

/// What the owner of a client transaction has to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientStep {
    /// Nothing.
    Nothing,
    /// Send the request again.
    Send,
    /// Pass the response up.
    Pass,
    /// Pass the response up and acknowledge it.
    PassAndAck,
    /// Acknowledge again; the response is a copy.
    Ack,
    /// Pass the response up and send the CANCEL that waited for it.
    PassAndCancel,
    /// Nobody answered; the transaction is over. Treated as a 408 (RFC 3261 §8.1.3.1).
    TimedOut,
    /// The transaction is over.
    Terminated,
}

/// What the owner of a server transaction has to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServerStep {
    /// Nothing.
    Nothing,
    /// Send the latest response, for the first time or again.
    Send,
    /// Send a 100, and keep it as the latest response.
    Trying,
    /// Pass the ACK up.
    Ack,
    /// The 2xx was never acknowledged; the transaction is over, and the session should end with a
    /// BYE (RFC 3261 §13.3.1.4).
    AckMissing,
    /// The refusal was never acknowledged; the transaction is over.
    TimedOut,
    /// The transaction is over.
    Terminated,
}

/// A message that is sent again and again, with pauses that double.
#[derive(Clone, Copy, Debug)]
struct Backoff {
    at: Time,
    pause_us: u32,
}

impl Backoff {
    /// Nothing is to be sent again.
    const NEVER: Self = Self { at: Time::NEVER, pause_us: 0 };

    fn start(now: Time, pause: Duration) -> Self {
        Self { at: now + pause, pause_us: pause.as_micros() as u32 }
    }

    /// The first pause is T1; a reliable transport needs no copies.
    fn unless(reliable: bool, now: Time, timing: Timing) -> Self {
        if reliable { Self::NEVER } else { Self::start(now, timing.t1()) }
    }

    fn doubled(self, now: Time, longest: Duration) -> Self {
        let pause = Duration::from_micros(u64::from(self.pause_us) * 2);
        Self::start(now, pause.min(longest))
    }
}

/// When a state ends that only waits for copies to die out.
fn linger(reliable: bool, now: Time, wait: Duration) -> Time {
    if reliable { now } else { now + wait }
}

/// The first of two deadlines; the second where they are equal.
fn earlier(first: (Time, Timer), second: (Time, Timer)) -> Option<(Time, Timer)> {
    let earlier = if first.0 < second.0 { first } else { second };
    (earlier.0 != Time::NEVER).then_some(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_reason_are_bounded() {
        let timing = Timing::new(Duration::ZERO, Duration::ZERO, Duration::MAX);
        assert_eq!(timing.t1(), Duration::from_millis(1));
        assert_eq!(timing.t2(), timing.t1());
        assert_eq!(timing.t4(), Duration::from_secs(3_600));
        assert_eq!(Timing::new(timing.t4(), timing.t1(), timing.t1()).patience().as_secs(), 64 * 3_600);
    }

    #[test]
    fn a_machine_is_small() {
        assert!(size_of::<ClientInvite>() <= 56, "{}", size_of::<ClientInvite>());
        assert!(size_of::<ServerInvite>() <= 56, "{}", size_of::<ServerInvite>());
        assert!(size_of::<Client>() <= 56, "{}", size_of::<Client>());
        assert!(size_of::<Server>() <= 32, "{}", size_of::<Server>());
    }
}

/// A ladder as text: what happened, and at which milliseconds.
#[cfg(test)]
mod timeline {
    use super::*;

    #[derive(Default)]
    pub(super) struct Timeline {
        text: String,
        latest: String,
    }

    impl Timeline {
        pub(super) fn note(&mut self, what: &str, at: Time) {
            if self.latest != what {
                self.text += if self.text.is_empty() { "" } else { "; " };
                self.text += what;
                self.latest = what.to_owned();
            }
            self.text += &format!(" {}", at.as_millis());
        }

        /// Whether the next input, at `input_ms`, comes before the next deadline.
        pub(super) fn input_is_first(input_ms: Option<u64>, deadline: Option<(Time, Timer)>) -> bool {
            input_ms.is_some_and(|at| deadline.is_none_or(|(due, _)| Time::from_millis(at) < due))
        }

        #[track_caller]
        pub(super) fn expect(self, expected: &str) {
            assert_eq!(self.text, expected);
        }
    }
}
