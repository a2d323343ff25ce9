//! The server does not know the account.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-unknown-account",
    title: "The server does not know the account",
    deck: "Some servers answer 404 to an account that they do not know, others 403; here it is 403.",
    teaches: "A strict server does not say whether an account exists: the trace is that of a wrong password, so check both.",
    desks: &[Desk::plain("7005", 900)],
    machines: &[],
    exchange: |_, extensions| extensions.clear(),
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7005"),
        Step::Event("7005", "registration_failed", &[("status", "403")], PATIENCE_MS),
        Step::Log("7005", "0 Register Fail, 403 Forbidden"),
    ],
    ladders: &[("7005", "register-403")],
    verdict: &[("reg.403", "7005")],
    capture_at: "7005",
    whole: include_str!("ladders/reg-unknown-account.txt"),
};
