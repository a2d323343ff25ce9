//! The exchange has all the calls it may have.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Exchange",
    slug: "overload",
    title: "The exchange has all the calls it may have",
    deck: "503 Service Unavailable, with Retry-After.",
    teaches: "503 is the state of the server: the same call works once others have ended.",
    desks: THREE,
    machines: &[],
    exchange: |config, _| config.max_calls = 1,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002", "7007"]),
        Step::Call("7001", "7002"),
        Step::Say("7007", "dial 7001"),
        Step::Event("7007", "ended", &[("status", "503")], PATIENCE_MS),
        Step::Hears("7001", &[800]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
        Step::Call("7007", "7001"),
        Step::Say("7007", "hangup"),
        Step::Event("7001", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("call.503", "7001")],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/overload.txt"),
};
