//! The exchange restarts during a call.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Exchange",
    slug: "restart-mid-call",
    title: "The exchange restarts during a call",
    deck: "Registrations and subscriptions survive a restart; a call that stood then can be ended by both.",
    teaches: "The sound of a call ends with the exchange and each side hangs up; phones need not register anew.",
    desks: TWO,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Call("7001", "7002"),
        Step::Hears("7001", &[800]),
        Step::Restart(EXCHANGE),
        Step::Pass(1000),
        Step::Hears("7001", &[]),
        Step::Say("7001", "hangup"),
        Step::Event("7001", "ended", &[], PATIENCE_MS),
        Step::Say("7002", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
        Step::Call("7001", "7002"),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/restart-mid-call.txt"),
};
