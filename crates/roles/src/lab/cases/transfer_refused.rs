//! A transfer to nobody.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "transfer-refused",
    title: "A transfer to nobody",
    deck: "The target does not exist: the NOTIFY says 404 and the call comes back.",
    teaches: "A transfer that fails must not lose the call.",
    desks: &[Desk::plain("7001", 600), Desk::plain("7002", 800)],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::On("7002"),
        Step::Event("7001", "registered", &[], PATIENCE_MS),
        Step::Event("7002", "registered", &[], PATIENCE_MS),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Event("7001", "ringing", &[], PATIENCE_MS),
        Step::Say("7002", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Event("7002", "answered", &[], PATIENCE_MS),
        Step::Say("7001", "transfer 7999"),
        Step::Event("7001", "transferred", &[("status", "404")], PATIENCE_MS),
        Step::Event("7001", "resumed", &[], PATIENCE_MS),
        Step::Hears("7002", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
};
