//! The extension is disabled at the server.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "account-disabled",
    title: "The extension is disabled at the server",
    deck: "A disabled extension is refused with 403 although its password is right.",
    teaches: "The phone cannot tell this from a wrong password: look at the server.",
    desks: &[Desk::plain("7001", 600)],
    machines: &[],
    exchange: |_, extensions| extensions.iter_mut().for_each(|extension| extension.enabled = false),
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "403")], PATIENCE_MS),
        Step::Log("7001", "0 Register Fail, 403 Forbidden"),
    ],
    ladders: &[("7001", "register-403")],
    verdict: &[("reg.403", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/account-disabled.txt"),
};
