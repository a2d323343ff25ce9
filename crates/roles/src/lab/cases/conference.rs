//! Three-way conference.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "conference",
    title: "Three-way conference",
    deck: "One phone joins two calls and mixes the sound.",
    teaches: "The server sees two ordinary calls: the mixing is the phone's.",
    desks: THREE,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002", "7007"]),
        Step::Call("7001", "7002"),
        Step::Say("7001", "consult 7007"),
        Step::Event("7007", "incoming", &[], PATIENCE_MS),
        Step::Say("7007", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Say("7001", "conference"),
        Step::Pass(1000),
        Step::Hears("7001", &[800, 1000]),
        Step::Hears("7002", &[600, 1000]),
        Step::Hears("7007", &[600, 800]),
        Step::Say("7001", "hangup all"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
        Step::Event("7007", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/conference.txt"),
};
