//! The server transaction for every method but INVITE: RFC 3261 §17.2.2, figure 8.

use super::{ServerStep, Timer, Timing, linger};
use crate::Time;

/// One request and the latest response to it.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    timing: Timing,
    reliable: bool,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Trying,
    Proceeding,
    Completed { until: Time },
    Terminated,
}

impl Server {
    /// The request has just arrived.
    pub fn start(timing: Timing, reliable: bool) -> Self {
        Self { timing, reliable, state: State::Trying }
    }

    /// A copy of the request has arrived.
    pub fn on_request(&self) -> ServerStep {
        match self.state {
            State::Proceeding | State::Completed { .. } => ServerStep::Send,
            State::Trying | State::Terminated => ServerStep::Nothing,
        }
    }

    /// The owner answers; [`ServerStep::Nothing`] if it had answered finally before.
    pub fn on_reply(&mut self, now: Time, status: u16) -> ServerStep {
        match (self.state, status) {
            (State::Trying | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                ServerStep::Send
            }
            (State::Trying | State::Proceeding, 200..) => {
                self.state = State::Completed { until: linger(self.reliable, now, self.timing.patience()) };
                ServerStep::Send
            }
            (State::Completed { .. } | State::Terminated, _) | (_, ..=99) => ServerStep::Nothing,
        }
    }

    /// Does what is due at `now`.
    pub fn on_timeout(&mut self, now: Time) -> ServerStep {
        match self.state {
            State::Completed { until } if now >= until => {
                self.state = State::Terminated;
                ServerStep::Terminated
            }
            _ => ServerStep::Nothing,
        }
    }

    /// When to call [`on_timeout`](Self::on_timeout), and why; none before the owner's final answer,
    /// and none once the transaction is over.
    pub fn deadline(&self) -> Option<(Time, Timer)> {
        match self.state {
            State::Completed { until } => Some((until, Timer::J)),
            State::Trying | State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether the owner has not answered finally yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::Timeline;
    use super::*;

    const UDP: bool = false;
    const TCP: bool = true;
    /// Stands for a copy of the request in a script of the owner's statuses.
    const COPY: u16 = 0;

    #[test]
    fn copies_are_answered_for_64_t1_over_udp() {
        check(
            UDP,
            &[(10, COPY), (40, 200), (540, COPY), (1_540, COPY), (32_039, COPY), (32_041, COPY)],
            "200 40; again 540 1540 32039; over 32040",
        );
    }

    #[test]
    fn over_tcp_nothing_is_kept_after_the_final_response() {
        check(TCP, &[(40, 401), (41, COPY)], "401 40; over 40");
    }

    #[test]
    fn a_provisional_response_is_repeated_for_copies() {
        check(UDP, &[(5, 100), (500, COPY), (900, 202)], "100 5; again 500; 202 900; over 32900");
    }

    #[test]
    fn only_one_final_response_counts() {
        check(
            UDP,
            &[(5, 404), (6, 200), (7, 100), (32_006, 500)],
            "404 5; refused 6 7; over 32005; refused 32006",
        );
        check(TCP, &[(1, 99)], "refused 1");
    }

    #[test]
    fn without_an_answer_it_waits_for_its_owner() {
        let mut server = Server::start(Timing::RFC_3261, UDP);
        assert_eq!(server.deadline(), None);
        assert_eq!(server.on_timeout(Time::from_secs(90)), ServerStep::Nothing);
        assert!(server.is_open());
    }

    /// Plays `inputs` (milliseconds, the owner's status or [`COPY`]) and leaps to the deadlines.
    #[track_caller]
    fn check(reliable: bool, inputs: &[(u64, u16)], expected: &str) {
        let mut inputs = inputs.iter().copied().peekable();
        let mut line = Timeline::default();
        let mut server = Server::start(Timing::RFC_3261, reliable);
        loop {
            match (inputs.peek().copied(), server.deadline()) {
                (Some((at, status)), due) if Timeline::input_is_first(Some(at), due) => {
                    inputs.next();
                    play(&mut server, Time::from_millis(at), status, &mut line);
                }
                (_, Some((now, _))) => {
                    assert_eq!(server.on_timeout(now), ServerStep::Terminated);
                    line.note("over", now);
                }
                (_, None) => break,
            }
        }
        line.expect(expected);
    }

    fn play(server: &mut Server, now: Time, status: u16, line: &mut Timeline) {
        match (status, server.is_open()) {
            (COPY, _) if server.on_request() == ServerStep::Send => line.note("again", now),
            (COPY, _) => {}
            (status, _) => match server.on_reply(now, status) {
                ServerStep::Send => line.note(&status.to_string(), now),
                _ => line.note("refused", now),
            },
        }
    }
}
