//! The phones have no codec in common.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "codec-mismatch",
    title: "The phones have no codec in common",
    deck: "The called phone answers 488 Not Acceptable Here.",
    teaches: "Compare the m= lines of both sides: no payload type of the one is in the other.",
    desks: &[
        Desk {
            name: "7001",
            tone_hz: 600,
            settings: &[("account.1.codec.pcmu.enable", "0"), ("account.1.codec.g722.enable", "0")],
        },
        Desk {
            name: "7002",
            tone_hz: 800,
            settings: &[("account.1.codec.pcma.enable", "0"), ("account.1.codec.g722.enable", "0")],
        },
    ],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::On("7002"),
        Step::Event("7001", "registered", &[], PATIENCE_MS),
        Step::Event("7002", "registered", &[], PATIENCE_MS),
        Step::Say("7001", "dial 7002"),
        Step::Event("7001", "ended", &[("status", "488")], PATIENCE_MS),
    ],
    ladders: &[],
};
