//! Two phones of one extension.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-multiple-devices",
    title: "Two phones of one extension",
    deck: "One extension may be registered by several phones; a call rings at all of them.",
    teaches: "The phone that answers gets the call, the other one a CANCEL.",
    desks: &[Desk::plain("7001a", 600), Desk::plain("7001b", 600), Desk::plain("7002", 800)],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001a", "7001b", "7002"]),
        Step::Say("7002", "dial 7001"),
        Step::Event("7001a", "incoming", &[("peer", "7002")], PATIENCE_MS),
        Step::Event("7001b", "incoming", &[("peer", "7002")], PATIENCE_MS),
        Step::Say("7001b", "answer"),
        Step::Event("7002", "answered", &[], PATIENCE_MS),
        Step::Event("7001a", "ended", &[], PATIENCE_MS),
        Step::Hears("7001b", &[800]),
        Step::Say("7002", "hangup"),
        Step::Event("7001b", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[("7001a", "boot-register"), ("7001b", "boot-register")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/reg-multiple-devices.txt"),
};
