//! Forward when busy.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "forward-busy",
    title: "Forward when busy",
    deck: "In a call the phone answers 302 with Diversion: user-busy.",
    teaches: "Busy forward, where on, wins over call waiting.",
    desks: &[
        Desk::plain("7001", 600),
        Desk::plain("7002", 800),
        Desk::plain("7005", 900),
        Desk::plain("7007", 1000),
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002", "7005", "7007"]),
        Step::Say("7002", "forward busy 7007"),
        Step::Call("7005", "7002"),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "forwarded", &[("to", "7007"), ("reason", "user-busy")], PATIENCE_MS),
        Step::Event("7007", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Say("7007", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Hears("7007", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7007", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[("7002", "forward-busy")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/forward-busy.txt"),
};
