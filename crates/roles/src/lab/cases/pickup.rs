//! A ringing call is taken by code.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "pickup",
    title: "A ringing call is taken by code",
    deck: "*04 and an extension take the call that rings there.",
    teaches: "The call that was taken ends at the phone that rang.",
    desks: THREE,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Up(&["7007"]),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[], PATIENCE_MS),
        Step::Say("7007", "pickup 7002"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
        Step::Hears("7001", &[1000]),
        Step::Hears("7007", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7007", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/pickup.txt"),
};
