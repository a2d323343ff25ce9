//! Three-way conference.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "conference",
    title: "Three-way conference",
    deck: "One phone joins two calls and mixes the sound.",
    teaches: "The server sees two ordinary calls: the mixing is the phone's.",
    desks: &[Desk::plain("7001", 600), Desk::plain("7002", 800), Desk::plain("7007", 1000)],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::On("7002"),
        Step::On("7007"),
        Step::Event("7001", "registered", &[], PATIENCE_MS),
        Step::Event("7002", "registered", &[], PATIENCE_MS),
        Step::Event("7007", "registered", &[], PATIENCE_MS),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Event("7001", "ringing", &[], PATIENCE_MS),
        Step::Say("7002", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Event("7002", "answered", &[], PATIENCE_MS),
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
};
