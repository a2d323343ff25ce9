//! The exchange restarts during a call.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Exchange",
    slug: "restart-mid-call",
    title: "The exchange restarts during a call",
    deck: "Registrations and subscriptions survive a restart; a call that stood then can be ended by both.",
    teaches: "After a restart phones need not register anew.",
    desks: &[Desk::plain("7001", 600), Desk::plain("7002", 800)],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::On("7002"),
        Step::Event("7001", "registered", &[], PATIENCE_MS),
        Step::Event("7002", "registered", &[], PATIENCE_MS),
        Step::Restart(EXCHANGE),
        Step::Pass(1000),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Event("7001", "ringing", &[], PATIENCE_MS),
        Step::Say("7002", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Event("7002", "answered", &[], PATIENCE_MS),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
};
