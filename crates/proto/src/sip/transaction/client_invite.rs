//! The client transaction of an INVITE: RFC 3261 §17.1.1 and figure 5, as replaced by RFC 6026 §8.4.

use std::time::Duration;

use super::{Backoff, ClientStep, Timer, Timing, earlier, linger};
use crate::Time;

/// One INVITE, its responses and the ACK of a refusal.
#[derive(Clone, Copy, Debug)]
pub struct ClientInvite {
    timing: Timing,
    reliable: bool,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Calling {
        resend: Backoff,
        give_up: Time,
        cancel_waits: bool,
    },
    /// `give_up` is [`Time::NEVER`] until a CANCEL has been sent.
    Proceeding {
        give_up: Time,
    },
    Completed {
        until: Time,
    },
    Accepted {
        until: Time,
    },
    Terminated,
}

/// When the CANCEL for an INVITE may be sent (RFC 3261 §9.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cancel {
    /// Now.
    Now,
    /// With the first provisional response: [`ClientStep::PassAndCancel`].
    AfterProvisional,
    /// Never: a final response has come, or it is cancelled already.
    Never,
}

/// A server on an unreliable transport may repeat a refusal this long, whatever its T1
/// (RFC 3261 §17.1.1.2).
const TIMER_D_MIN: Duration = Duration::from_secs(32);

impl ClientInvite {
    /// The INVITE has just been sent.
    pub fn start(now: Time, timing: Timing, reliable: bool) -> Self {
        let resend = Backoff::unless(reliable, now, timing);
        let give_up = now + timing.patience();
        Self { timing, reliable, state: State::Calling { resend, give_up, cancel_waits: false } }
    }

    /// A response of this transaction has arrived.
    pub fn on_response(&mut self, now: Time, status: u16) -> ClientStep {
        match (self.state, status) {
            (State::Calling { cancel_waits: true, .. }, 100..=199) => {
                self.state = State::Proceeding { give_up: now + self.timing.patience() };
                ClientStep::PassAndCancel
            }
            (State::Calling { .. }, 100..=199) => {
                self.state = State::Proceeding { give_up: Time::NEVER };
                ClientStep::Pass
            }
            (State::Proceeding { .. }, 100..=199) => ClientStep::Pass,
            (State::Calling { .. } | State::Proceeding { .. }, 200..=299) => {
                self.state = State::Accepted { until: now + self.timing.patience() };
                ClientStep::Pass
            }
            (State::Calling { .. } | State::Proceeding { .. }, 300..) => {
                let wait = self.timing.patience().max(TIMER_D_MIN);
                self.state = State::Completed { until: linger(self.reliable, now, wait) };
                ClientStep::PassAndAck
            }
            (State::Completed { .. }, 300..) => ClientStep::Ack,
            // Copies, and the 2xx of other branches of a fork (RFC 6026 §7.2).
            (State::Accepted { .. }, 200..=299) => ClientStep::Pass,
            _ => ClientStep::Nothing,
        }
    }

    /// The owner wants the INVITE cancelled; asked once, the answer after that is
    /// [`Cancel::Never`], and [`Cancel::AfterProvisional`] repeats itself.
    pub fn cancel(&mut self, now: Time) -> Cancel {
        match &mut self.state {
            State::Calling { cancel_waits, .. } => {
                *cancel_waits = true;
                Cancel::AfterProvisional
            }
            State::Proceeding { give_up } if *give_up == Time::NEVER => {
                *give_up = now + self.timing.patience();
                Cancel::Now
            }
            _ => Cancel::Never,
        }
    }

    /// Does what is due at `now`.
    pub fn on_timeout(&mut self, now: Time) -> ClientStep {
        match &mut self.state {
            State::Calling { give_up, .. } | State::Proceeding { give_up } if now >= *give_up => {
                self.end(ClientStep::TimedOut)
            }
            State::Calling { resend, .. } if now >= resend.at => {
                // Timer A grows without T2 (§17.1.1.2); timer B ends it.
                *resend = resend.doubled(now, self.timing.patience());
                ClientStep::Send
            }
            State::Completed { until } | State::Accepted { until } if now >= *until => {
                self.end(ClientStep::Terminated)
            }
            _ => ClientStep::Nothing,
        }
    }

    /// When to call [`on_timeout`](Self::on_timeout), and why; none while the far side rings, where
    /// how long is the owner's to decide, and none once the transaction is over.
    pub fn deadline(&self) -> Option<(Time, Timer)> {
        match self.state {
            State::Calling { resend, give_up, .. } => earlier((resend.at, Timer::A), (give_up, Timer::B)),
            State::Proceeding { give_up: Time::NEVER } | State::Terminated => None,
            State::Proceeding { give_up } => Some((give_up, Timer::Cancelled)),
            State::Completed { until } => Some((until, Timer::D)),
            State::Accepted { until } => Some((until, Timer::M)),
        }
    }

    /// Whether no final response has come yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding { .. })
    }

    fn end(&mut self, step: ClientStep) -> ClientStep {
        self.state = State::Terminated;
        step
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::Timeline;
    use super::*;

    const UDP: bool = false;
    const TCP: bool = true;
    /// Stands for the owner's wish in a script of statuses.
    const CANCEL: u16 = 0;

    #[test]
    fn unanswered_over_udp_is_sent_seven_times() {
        check(UDP, &[], "send 0 500 1500 3500 7500 15500 31500; timed out 32000");
    }

    #[test]
    fn unanswered_over_tcp_is_sent_once() {
        check(TCP, &[], "send 0; timed out 32000");
    }

    #[test]
    fn a_provisional_response_stops_both_timers() {
        check(UDP, &[(600, 100), (700, 180), (90_000, 183)], "send 0 500; 100 600; 180 700; 183 90000");
    }

    #[test]
    fn a_refusal_is_acknowledged_as_often_as_it_comes() {
        check(
            UDP,
            &[(40, 100), (90, 486), (590, 486), (600, 180), (700, 200), (1_590, 486)],
            "send 0; 100 40; 486 90; ack 90 590 1590; over 32090",
        );
    }

    #[test]
    fn timer_d_is_32_seconds_however_short_t1_is() {
        let short = Duration::from_millis(10);
        let timing = Timing::new(short, short, short);
        check_with(timing, UDP, &[(5, 603)], "send 0; 603 5; ack 5; over 32005");
    }

    #[test]
    fn a_refusal_over_tcp_ends_at_once() {
        check(TCP, &[(90, 486), (91, 486)], "send 0; 486 90; ack 90; over 90");
    }

    #[test]
    fn every_2xx_of_a_fork_goes_up_until_timer_m() {
        check(
            UDP,
            &[(40, 180), (90, 200), (95, 200), (100, 180), (200, 486), (32_089, 202), (32_091, 200)],
            "send 0; 180 40; 200 90 95; 202 32089; over 32090",
        );
        check(TCP, &[(90, 200)], "send 0; 200 90; over 32090");
    }

    #[test]
    fn a_cancel_waits_for_a_provisional_response() {
        check(
            UDP,
            &[(100, CANCEL), (600, 100), (610, 180), (700, 487)],
            "send 0; later 100; send 500; 100 600; cancel 600; 180 610; 487 700; ack 700; over 32700",
        );
    }

    #[test]
    fn a_cancel_while_ringing_is_sent_once() {
        check(
            TCP,
            &[(40, 180), (100, CANCEL), (200, CANCEL), (300, 487)],
            "send 0; 180 40; cancel 100; never 200; 487 300; ack 300; over 300",
        );
    }

    #[test]
    fn a_cancelled_invite_is_given_up_after_64_t1() {
        check(
            UDP,
            &[(40, 180), (100, CANCEL), (20_000, 180)],
            "send 0; 180 40; cancel 100; 180 20000; timed out 32100",
        );
    }

    #[test]
    fn a_cancel_that_never_met_a_provisional_ends_with_timer_b() {
        check(TCP, &[(100, CANCEL)], "send 0; later 100; timed out 32000");
    }

    #[test]
    fn a_cancel_that_crosses_the_answer_is_not_sent() {
        check(
            TCP,
            &[(100, CANCEL), (600, 200), (610, CANCEL)],
            "send 0; later 100; 200 600; never 610; over 32600",
        );
        check(TCP, &[(10, 404), (20, CANCEL)], "send 0; 404 10; ack 10; over 10; never 20");
    }

    #[track_caller]
    fn check(reliable: bool, inputs: &[(u64, u16)], expected: &str) {
        check_with(Timing::RFC_3261, reliable, inputs, expected);
    }

    /// Plays `inputs` (milliseconds, status or [`CANCEL`]) and leaps from deadline to deadline.
    #[track_caller]
    fn check_with(timing: Timing, reliable: bool, inputs: &[(u64, u16)], expected: &str) {
        let mut inputs = inputs.iter().copied().peekable();
        let mut line = Timeline::default();
        let mut client = ClientInvite::start(Time::ZERO, timing, reliable);
        line.note("send", Time::ZERO);
        loop {
            match (inputs.peek().copied(), client.deadline()) {
                (Some((at, status)), due) if Timeline::input_is_first(Some(at), due) => {
                    inputs.next();
                    play(&mut client, Time::from_millis(at), status, &mut line);
                }
                (_, Some((now, _))) => match client.on_timeout(now) {
                    ClientStep::Send => line.note("send", now),
                    ClientStep::TimedOut => line.note("timed out", now),
                    ClientStep::Terminated => line.note("over", now),
                    step => panic!("{step:?} is no step of a timeout"),
                },
                (_, None) => break,
            }
        }
        line.expect(expected);
    }

    fn play(client: &mut ClientInvite, now: Time, status: u16, line: &mut Timeline) {
        if status == CANCEL {
            return match client.cancel(now) {
                Cancel::Now => line.note("cancel", now),
                Cancel::AfterProvisional => line.note("later", now),
                Cancel::Never => line.note("never", now),
            };
        }
        let step = client.on_response(now, status);
        if matches!(step, ClientStep::Pass | ClientStep::PassAndAck | ClientStep::PassAndCancel) {
            line.note(&status.to_string(), now);
        }
        match step {
            ClientStep::PassAndAck | ClientStep::Ack => line.note("ack", now),
            ClientStep::PassAndCancel => line.note("cancel", now),
            _ => {}
        }
    }
}
