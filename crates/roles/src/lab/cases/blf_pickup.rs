//! A call is taken by its lamp.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "BLF",
    slug: "blf-pickup",
    title: "A call is taken by its lamp",
    deck: "Pressing the key of a lamp that flashes dials the pickup code and the extension.",
    teaches: "The call that was taken ends at the phone that rang.",
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
        Step::Say("7007", "key 2"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Hears("7001", &[1000]),
        Step::Hears("7007", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7007", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: "7007",
    whole: include_str!("ladders/blf-pickup.txt"),
};
