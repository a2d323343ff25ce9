//! The subscription is too short for the server.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "BLF",
    slug: "blf-423",
    title: "The subscription is too short for the server",
    deck: "423 – Interval too small. The Expires value specified in the SIP message is too short.",
    teaches: "423 needs no person: look whether the SUBSCRIBE after it carries the time of Min-Expires.",
    desks: &[
        Desk::plain("7002", 800),
        Desk {
            name: "7007",
            tone_hz: 1000,
            settings: &[
                ("linekey.2.type", "16"),
                ("linekey.2.line", "1"),
                ("linekey.2.value", "7002"),
                ("account.1.blf.subscribe_period", "30"),
            ],
        },
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7002"]),
        Step::On("7007"),
        Step::Log("7007", "BLF 7002 Fail, 423 Interval Too Brief, again with 60s"),
        Step::Lamp("7007", "idle"),
    ],
    ladders: &[("7007", "blf")],
    verdict: &[],
    capture_at: "7007",
    whole: include_str!("ladders/blf-423.txt"),
};
