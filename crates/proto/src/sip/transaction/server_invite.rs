//! The server transaction of an INVITE: RFC 3261 §17.2.1 and figure 7, as replaced by RFC 6026 §8.5,
//! with the user agent's duty to repeat its 2xx (RFC 3261 §13.3.1.4).

use std::time::Duration;

use super::{Backoff, ServerStep, Timer, Timing, earlier, linger};
use crate::Time;

/// One INVITE, the latest response to it and its ACK.
#[derive(Clone, Copy, Debug)]
pub struct ServerInvite {
    timing: Timing,
    reliable: bool,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing has been answered yet.
    Fresh {
        trying_at: Time,
    },
    /// A provisional response has been sent.
    Proceeding,
    Completed {
        resend: Backoff,
        give_up: Time,
    },
    Confirmed {
        until: Time,
    },
    /// The 2xx is repeated until it is acknowledged, whatever the transport: a hop further on may
    /// lose it.
    Accepted {
        resend: Backoff,
        give_up: Time,
    },
    /// The 2xx is acknowledged.
    Established {
        until: Time,
    },
    Terminated,
}

/// How long the owner may think before the caller hears a 100 (RFC 3261 §17.2.1).
const TRYING_WAIT: Duration = Duration::from_millis(200);

impl ServerInvite {
    /// The INVITE has just arrived.
    pub fn start(now: Time, timing: Timing, reliable: bool) -> Self {
        Self { timing, reliable, state: State::Fresh { trying_at: now + TRYING_WAIT } }
    }

    /// A copy of the INVITE has arrived.
    pub fn on_request(&self) -> ServerStep {
        match self.state {
            State::Proceeding | State::Completed { .. } => ServerStep::Send,
            // An accepted INVITE's copies are absorbed (RFC 6026 §7.1).
            _ => ServerStep::Nothing,
        }
    }

    /// The owner answers; [`ServerStep::Nothing`] if it had answered finally before.
    pub fn on_reply(&mut self, now: Time, status: u16) -> ServerStep {
        let (State::Fresh { .. } | State::Proceeding, 100..) = (self.state, status) else {
            return ServerStep::Nothing;
        };
        let give_up = now + self.timing.patience();
        self.state = match status {
            ..=199 => State::Proceeding,
            200..=299 => State::Accepted { resend: Backoff::start(now, self.timing.t1()), give_up },
            300.. => State::Completed { resend: Backoff::unless(self.reliable, now, self.timing), give_up },
        };
        ServerStep::Send
    }

    /// An ACK has arrived: of this transaction, where it refused, or for its 2xx, as only the
    /// owner's dialog can tell.
    pub fn on_ack(&mut self, now: Time) -> ServerStep {
        match self.state {
            State::Completed { .. } => {
                self.state = State::Confirmed { until: linger(self.reliable, now, self.timing.t4()) };
                ServerStep::Nothing
            }
            State::Accepted { give_up, .. } => {
                self.state = State::Established { until: give_up };
                ServerStep::Ack
            }
            State::Established { .. } => ServerStep::Ack,
            State::Fresh { .. } | State::Proceeding | State::Confirmed { .. } | State::Terminated => {
                ServerStep::Nothing
            }
        }
    }

    /// Does what is due at `now`.
    pub fn on_timeout(&mut self, now: Time) -> ServerStep {
        match &mut self.state {
            State::Fresh { trying_at } if now >= *trying_at => {
                self.state = State::Proceeding;
                ServerStep::Trying
            }
            State::Completed { give_up, .. } if now >= *give_up => self.end(ServerStep::TimedOut),
            State::Accepted { give_up, .. } if now >= *give_up => self.end(ServerStep::AckMissing),
            State::Completed { resend, .. } | State::Accepted { resend, .. } if now >= resend.at => {
                *resend = resend.doubled(now, self.timing.t2());
                ServerStep::Send
            }
            State::Confirmed { until } | State::Established { until } if now >= *until => {
                self.end(ServerStep::Terminated)
            }
            _ => ServerStep::Nothing,
        }
    }

    /// When to call [`on_timeout`](Self::on_timeout), and why; none while the owner rings, and none
    /// once the transaction is over.
    pub fn deadline(&self) -> Option<(Time, Timer)> {
        match self.state {
            State::Fresh { trying_at } => Some((trying_at, Timer::Trying)),
            State::Completed { resend, give_up } => earlier((resend.at, Timer::G), (give_up, Timer::H)),
            State::Confirmed { until } => Some((until, Timer::I)),
            State::Accepted { resend, give_up } => earlier((resend.at, Timer::Accept), (give_up, Timer::Ack)),
            State::Established { until } => Some((until, Timer::L)),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether the owner has not answered finally yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Fresh { .. } | State::Proceeding)
    }

    /// Whether a final response has been sent that nobody has acknowledged yet.
    pub fn awaits_ack(&self) -> bool {
        matches!(self.state, State::Completed { .. } | State::Accepted { .. })
    }

    fn end(&mut self, step: ServerStep) -> ServerStep {
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
    /// Stands for a copy of the INVITE in a script of the owner's statuses.
    const COPY: u16 = 0;
    /// Stands for an ACK.
    const ACK: u16 = 1;

    #[test]
    fn a_slow_owner_is_covered_by_a_100() {
        check(UDP, &[(100, COPY), (500, COPY), (600, 180), (700, COPY)], "trying 200; send 500 600 700");
    }

    #[test]
    fn a_quick_owner_answers_itself() {
        check(UDP, &[(0, 100), (3, 180), (500, COPY)], "send 0 3 500");
    }

    #[test]
    fn an_unacknowledged_refusal_is_repeated_over_udp() {
        check(
            UDP,
            &[(0, 486)],
            "send 0 500 1500 3500 7500 11500 15500 19500 23500 27500 31500; timed out 32000",
        );
    }

    #[test]
    fn an_unacknowledged_refusal_is_sent_once_over_tcp() {
        check(TCP, &[(0, 486), (40, COPY)], "send 0 40; timed out 32000");
    }

    #[test]
    fn the_ack_ends_the_copies_of_a_refusal() {
        check(UDP, &[(0, 486), (510, ACK), (520, ACK), (600, COPY)], "send 0 500; over 5510");
        check(TCP, &[(0, 486), (30, ACK)], "send 0; over 30");
    }

    #[test]
    fn a_lost_ack_is_won_by_a_copy_of_the_refusal() {
        check(UDP, &[(0, 486), (1_000, COPY), (1_510, ACK)], "send 0 500 1000 1500; over 6510");
    }

    #[test]
    fn an_unacknowledged_2xx_is_repeated_whatever_the_transport() {
        let expected = "send 0 500 1500 3500 7500 11500 15500 19500 23500 27500 31500; ack missing 32000";
        check(UDP, &[(0, 200)], expected);
        check(TCP, &[(0, 200)], expected);
    }

    #[test]
    fn an_acknowledged_2xx_rests_until_timer_l() {
        check(
            UDP,
            &[(0, 200), (100, COPY), (510, ACK), (900, ACK), (1_000, COPY)],
            "send 0 500; ack 510 900; over 32000",
        );
    }

    #[test]
    fn a_stray_ack_changes_nothing() {
        check(UDP, &[(10, ACK), (20, 180), (30, ACK), (40, 200)], {
            "send 20 40 540 1540 3540 7540 11540 15540 19540 23540 27540 31540; ack missing 32040"
        });
    }

    #[test]
    fn only_one_final_response_counts() {
        check(TCP, &[(0, 200), (5, 486), (6, 180), (7, ACK)], "send 0; refused 5 6; ack 7; over 32000");
        check(TCP, &[(0, 486), (5, 200), (6, ACK)], "send 0; refused 5; over 6");
    }

    #[test]
    fn while_it_rings_the_owner_decides() {
        let mut server = ServerInvite::start(Time::ZERO, Timing::RFC_3261, UDP);
        assert_eq!(server.on_reply(Time::ZERO, 180), ServerStep::Send);
        assert_eq!(server.deadline(), None);
        assert!(server.is_open());
    }

    /// Plays `inputs` (milliseconds, the owner's status, [`COPY`] or [`ACK`]), leaping to deadlines.
    #[track_caller]
    fn check(reliable: bool, inputs: &[(u64, u16)], expected: &str) {
        let mut inputs = inputs.iter().copied().peekable();
        let mut line = Timeline::default();
        let mut server = ServerInvite::start(Time::ZERO, Timing::RFC_3261, reliable);
        loop {
            let (now, input, step) = match (inputs.peek().copied(), server.deadline()) {
                (Some((at, input)), due) if Timeline::input_is_first(Some(at), due) => {
                    inputs.next();
                    let now = Time::from_millis(at);
                    (now, input, play(&mut server, now, input))
                }
                (_, Some((now, _))) => (now, COPY, server.on_timeout(now)),
                (_, None) => break,
            };
            match step {
                ServerStep::Send => line.note("send", now),
                ServerStep::Trying => line.note("trying", now),
                ServerStep::Ack => line.note("ack", now),
                ServerStep::AckMissing => line.note("ack missing", now),
                ServerStep::TimedOut => line.note("timed out", now),
                ServerStep::Terminated => line.note("over", now),
                ServerStep::Nothing if input >= 100 => line.note("refused", now),
                ServerStep::Nothing => {}
            }
        }
        line.expect(expected);
    }

    fn play(server: &mut ServerInvite, now: Time, input: u16) -> ServerStep {
        match input {
            COPY => server.on_request(),
            ACK => server.on_ack(now),
            status => server.on_reply(now, status),
        }
    }
}
