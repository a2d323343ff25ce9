//! Two phones register and talk.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "basic-call",
    title: "Two phones register and talk",
    deck: "At start a phone removes its old binding, then registers; each REGISTER is challenged once. A call is INVITE, 100, 180, 200, ACK and in the end BYE.",
    teaches: "What a healthy trace looks like: compare every broken one with it.",
    desks: TWO,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Event("7001", "ringing", &[], PATIENCE_MS),
        Step::Pass(1000),
        Step::Say("7002", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Event("7002", "answered", &[], PATIENCE_MS),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[("by", "remote")], PATIENCE_MS),
        Step::Event("7001", "ended", &[("by", "local")], PATIENCE_MS),
        Step::Pass(1000),
    ],
    ladders: &[("7001", "boot-register"), ("7002", "boot-register"), ("7002", "incoming-call")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/basic-call.txt"),
};
