//! Forward when nobody answers.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "forward-no-answer",
    title: "Forward when nobody answers",
    deck: "The phone rings for 10 seconds, then answers 302 with Diversion: no-answer.",
    teaches: "The time between 180 and 302 is the setting, in seconds.",
    desks: THREE,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002", "7007"]),
        Step::Say("7002", "forward no-answer 7007"),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[], PATIENCE_MS),
        Step::Event("7002", "forwarded", &[("to", "7007"), ("reason", "no-answer")], 15_000),
        Step::Event("7007", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Say("7007", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Hears("7007", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7007", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[("7002", "forward-no-answer")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/forward-no-answer.txt"),
};
