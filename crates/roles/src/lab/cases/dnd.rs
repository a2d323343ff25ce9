//! Do not disturb.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "dnd",
    title: "Do not disturb",
    deck: "The phone answers 100 and 180, a second later 480 with Reason Q.850 18, so that the caller takes it for nobody at the desk.",
    teaches: "480 a second after 180 is DND; 486 is a person who refuses.",
    desks: TWO,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Say("7002", "dnd on"),
        Step::Say("7001", "dial 7002"),
        Step::Event("7001", "ended", &[("status", "480")], PATIENCE_MS),
    ],
    ladders: &[("7002", "dnd")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/dnd.txt"),
};
