//! A lamp that watches an extension.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "BLF",
    slug: "blf-watch",
    title: "A lamp that watches an extension",
    deck: "SUBSCRIBE, 200, NOTIFY, 200; steady green is available, flashing red rings, steady red is busy.",
    teaches: "Each change of the lamp is one NOTIFY; the body says which.",
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
        Step::Say("7002", "answer"),
        Step::Event(
            "7007",
            "lamp",
            &[("key", "2"), ("colour", "red"), ("rhythm", "steady"), ("meaning", "busy")],
            PATIENCE_MS,
        ),
        Step::Say("7001", "hangup"),
        Step::Event(
            "7007",
            "lamp",
            &[("key", "2"), ("colour", "green"), ("rhythm", "steady"), ("meaning", "idle")],
            PATIENCE_MS,
        ),
    ],
    ladders: &[("7007", "blf")],
};
