//! The client transaction for every method but INVITE: RFC 3261 §17.1.2, figure 6.

use super::{Backoff, ClientStep, Timer, Timing, earlier, linger};
use crate::Time;

/// One request and its final response.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    timing: Timing,
    reliable: bool,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Trying { resend: Backoff, give_up: Time },
    Proceeding { resend: Backoff, give_up: Time },
    Completed { until: Time },
    Terminated,
}

impl Client {
    /// The request has just been sent.
    pub fn start(now: Time, timing: Timing, reliable: bool) -> Self {
        let resend = Backoff::unless(reliable, now, timing);
        Self { timing, reliable, state: State::Trying { resend, give_up: now + timing.patience() } }
    }

    /// A response of this transaction has arrived.
    pub fn on_response(&mut self, now: Time, status: u16) -> ClientStep {
        match (self.state, status) {
            (State::Trying { resend, give_up } | State::Proceeding { resend, give_up }, 100..=199) => {
                self.state = State::Proceeding { resend, give_up };
                ClientStep::Pass
            }
            (State::Trying { .. } | State::Proceeding { .. }, 200..) => {
                self.state = State::Completed { until: linger(self.reliable, now, self.timing.t4()) };
                ClientStep::Pass
            }
            // Copies of the final response are absorbed (§17.1.2.2).
            (State::Completed { .. } | State::Terminated, _) | (_, ..=99) => ClientStep::Nothing,
        }
    }

    /// Does what is due at `now`.
    pub fn on_timeout(&mut self, now: Time) -> ClientStep {
        let (timing, resend) = (self.timing, ClientStep::Send);
        match &mut self.state {
            State::Trying { give_up, .. } | State::Proceeding { give_up, .. } if now >= *give_up => {
                self.end(ClientStep::TimedOut)
            }
            State::Trying { resend: timer, .. } if now >= timer.at => {
                *timer = timer.doubled(now, timing.t2());
                resend
            }
            State::Proceeding { resend: timer, .. } if now >= timer.at => {
                *timer = Backoff::start(now, timing.t2());
                resend
            }
            State::Completed { until } if now >= *until => self.end(ClientStep::Terminated),
            _ => ClientStep::Nothing,
        }
    }

    /// When to call [`on_timeout`](Self::on_timeout), and why; none once the transaction is over.
    pub fn deadline(&self) -> Option<(Time, Timer)> {
        match self.state {
            State::Trying { resend, give_up } | State::Proceeding { resend, give_up } => {
                earlier((resend.at, Timer::E), (give_up, Timer::F))
            }
            State::Completed { until } => Some((until, Timer::K)),
            State::Terminated => None,
        }
    }

    /// Whether no final response has come yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    fn end(&mut self, step: ClientStep) -> ClientStep {
        self.state = State::Terminated;
        step
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::timeline::Timeline;
    use super::*;

    const UDP: bool = false;
    const TCP: bool = true;

    #[test]
    fn unanswered_over_udp_is_sent_again_then_given_up() {
        check(UDP, &[], "send 0 500 1500 3500 7500 11500 15500 19500 23500 27500 31500; timed out 32000");
    }

    #[test]
    fn a_provisional_response_slows_sending_to_t2() {
        check(
            UDP,
            &[(200, 100)],
            "send 0; 100 200; send 500 4500 8500 12500 16500 20500 24500 28500; timed out 32000",
        );
    }

    #[test]
    fn unanswered_over_tcp_is_sent_once() {
        check(TCP, &[(200, 100)], "send 0; 100 200; timed out 32000");
    }

    #[test]
    fn copies_of_the_final_response_are_absorbed_for_t4() {
        check(
            UDP,
            &[(40, 200), (540, 200), (700, 100), (900, 486), (5_041, 200)],
            "send 0; 200 40; over 5040",
        );
    }

    #[test]
    fn over_tcp_nothing_is_waited_for_after_the_final_response() {
        check(TCP, &[(40, 100), (90, 401)], "send 0; 100 40; 401 90; over 90");
    }

    #[test]
    fn a_late_final_response_still_counts_and_a_later_one_does_not() {
        check(TCP, &[(31_999, 200)], "send 0; 200 31999; over 31999");
        check(TCP, &[(32_001, 200)], "send 0; timed out 32000");
    }

    #[test]
    fn no_status_below_100_counts() {
        check(TCP, &[(5, 0), (6, 99)], "send 0; timed out 32000");
    }

    #[test]
    fn the_times_are_the_owners() {
        let timing =
            Timing::new(Duration::from_millis(100), Duration::from_millis(300), Duration::from_secs(1));
        check_with(
            timing,
            UDP,
            &[(1_150, 100), (1_300, 200)],
            "send 0 100 300 600 900; 100 1150; send 1200; 200 1300; over 2300",
        );
    }

    #[test]
    fn a_late_wake_up_sends_one_copy_only() {
        let mut client = Client::start(Time::ZERO, Timing::RFC_3261, UDP);
        assert_eq!(client.on_timeout(Time::from_millis(499)), ClientStep::Nothing);
        assert_eq!(client.on_timeout(Time::from_millis(9_000)), ClientStep::Send);
        assert_eq!(client.deadline(), Some((Time::from_millis(10_000), Timer::E)));
        assert!(client.is_open());
        assert_eq!(client.on_timeout(Time::from_millis(99_000)), ClientStep::TimedOut);
        assert!(!client.is_open());
        assert_eq!(client.deadline(), None);
    }

    #[track_caller]
    fn check(reliable: bool, responses: &[(u64, u16)], expected: &str) {
        check_with(Timing::RFC_3261, reliable, responses, expected);
    }

    /// Plays `responses` (milliseconds, status) and leaps from deadline to deadline to the end.
    #[track_caller]
    fn check_with(timing: Timing, reliable: bool, responses: &[(u64, u16)], expected: &str) {
        let mut responses = responses.iter().copied().peekable();
        let mut line = Timeline::default();
        let mut client = Client::start(Time::ZERO, timing, reliable);
        line.note("send", Time::ZERO);
        loop {
            let (now, status, step) = match (responses.peek().copied(), client.deadline()) {
                (Some((at, status)), due) if Timeline::input_is_first(Some(at), due) => {
                    responses.next();
                    let now = Time::from_millis(at);
                    (now, status, client.on_response(now, status))
                }
                (_, Some((now, _))) => (now, 0, client.on_timeout(now)),
                (_, None) => break,
            };
            match step {
                ClientStep::Send => line.note("send", now),
                ClientStep::Pass => line.note(&status.to_string(), now),
                ClientStep::TimedOut => line.note("timed out", now),
                ClientStep::Terminated => line.note("over", now),
                ClientStep::Nothing => {}
                step => panic!("{step:?} is no step of this machine"),
            }
        }
        line.expect(expected);
    }
}
