//! A lamp that watches an extension.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "BLF",
    slug: "blf-watch",
    title: "A lamp that watches an extension",
    deck: "SUBSCRIBE, 200, NOTIFY, 200; steady green is available, flashing red rings, steady red is busy.",
    teaches: "Each change of the lamp is one NOTIFY; the body says which.",
    desks: &[Desk::plain("7001", 600), Desk::plain("7002", 800), Desk::with("7007", 1000, WATCHES_7002)],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::On("7007"),
        Step::Lamp("7007", "idle"),
        Step::Say("7001", "dial 7002"),
        Step::Lamp("7007", "ringing"),
        Step::Say("7002", "answer"),
        Step::Lamp("7007", "busy"),
        Step::Say("7001", "hangup"),
        Step::Lamp("7007", "idle"),
    ],
    ladders: &[("7007", "blf")],
    verdict: &[],
    capture_at: "7007",
    whole: include_str!("ladders/blf-watch.txt"),
};
