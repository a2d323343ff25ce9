//! Forward always.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "forward-always",
    title: "Forward always",
    deck: "The phone answers 302 with Diversion: unconditional.",
    teaches: "302 comes from the phone; the server then calls the Contact of it.",
    desks: THREE,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002", "7007"]),
        Step::Say("7002", "forward always 7007"),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "forwarded", &[("to", "7007"), ("reason", "unconditional")], 15_000),
        Step::Event("7007", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Say("7007", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Hears("7007", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7007", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[("7002", "forward-always")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/forward-always.txt"),
};
