//! The server cannot serve.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-unavailable",
    title: "The server cannot serve",
    deck: "A server that is overloaded or in maintenance answers 503 Service Unavailable; the phone waits and tries again.",
    teaches: "503 is the server's own state: the account is right, wait or look at the server. The trace ends at the 503: the phone asks again when Retry-After or its own interval is over.",
    desks: &[Desk::plain("7001", 600)],
    machines: &[],
    exchange: |config, _| config.answers.register = Some(503),
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "503")], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("reg.503", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/reg-unavailable.txt"),
};
