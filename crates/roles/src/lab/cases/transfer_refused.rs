//! A transfer to nobody.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "transfer-refused",
    title: "A transfer to nobody",
    deck: "The target does not exist: the NOTIFY says 404 and the call comes back.",
    teaches: "A transfer that fails must not lose the call.",
    desks: TWO,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Call("7001", "7002"),
        Step::Say("7001", "transfer 7999"),
        Step::Event("7001", "transferred", &[("status", "404")], PATIENCE_MS),
        Step::Event("7001", "resumed", &[], PATIENCE_MS),
        Step::Hears("7002", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("transfer.failed-404", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/transfer-refused.txt"),
};
