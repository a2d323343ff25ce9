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
        Desk::with(
            "7001",
            600,
            &[("account.1.codec.pcmu.enable", "0"), ("account.1.codec.g722.enable", "0")],
        ),
        Desk::with(
            "7002",
            800,
            &[("account.1.codec.pcma.enable", "0"), ("account.1.codec.g722.enable", "0")],
        ),
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Say("7001", "dial 7002"),
        Step::Event("7001", "ended", &[("status", "488")], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("call.488-codec", "7002")],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/codec-mismatch.txt"),
};
