//! Two phones forward to each other.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "forward-loop",
    title: "Two phones forward to each other",
    deck: "A forwards to B, and B forwards to A.",
    teaches: "482 Loop Detected comes from the server: follow the Diversion headers of the INVITEs to see the circle.",
    desks: THREE,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002", "7007"]),
        Step::Say("7002", "forward always 7007"),
        Step::Say("7007", "forward always 7002"),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "forwarded", &[("to", "7007")], PATIENCE_MS),
        Step::Event("7007", "forwarded", &[("to", "7002")], PATIENCE_MS),
        Step::Event("7001", "ended", &[("status", "482")], PATIENCE_MS),
    ],
    ladders: &[("7002", "forward-always"), ("7007", "forward-always")],
    verdict: &[("forward.loop", "7002")],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/forward-loop.txt"),
};
