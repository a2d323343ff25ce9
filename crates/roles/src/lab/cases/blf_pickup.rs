//! A call is taken by its lamp.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "BLF",
    slug: "blf-pickup",
    title: "A call is taken by its lamp",
    deck: "Pressing the key of a lamp that flashes dials the pickup code and the extension.",
    teaches: "The call that was taken ends at the phone that rang.",
    desks: &[
        Desk::plain("7001", 600),
        Desk::plain("7002", 800),
        Desk {
            name: "7007",
            tone_hz: 1000,
            settings: &[("linekey.2.type", "16"), ("linekey.2.line", "1"), ("linekey.2.value", "7002")],
        },
    ],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::On("7002"),
        Step::Event("7001", "registered", &[], PATIENCE_MS),
        Step::Event("7002", "registered", &[], PATIENCE_MS),
        Step::On("7007"),
        Step::Event(
            "7007",
            "lamp",
            &[("key", "2"), ("colour", "green"), ("rhythm", "steady"), ("meaning", "idle")],
            PATIENCE_MS,
        ),
        Step::Say("7001", "dial 7002"),
        Step::Event(
            "7007",
            "lamp",
            &[("key", "2"), ("colour", "red"), ("rhythm", "flashing"), ("meaning", "ringing")],
            PATIENCE_MS,
        ),
        Step::Say("7007", "key 2"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Hears("7001", &[1000]),
        Step::Hears("7007", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7007", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
};
