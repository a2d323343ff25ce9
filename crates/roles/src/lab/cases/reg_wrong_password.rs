//! The password is wrong.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-wrong-password",
    title: "The password is wrong",
    deck: "The phone answers the challenge and is refused with 403 Forbidden; its line light turns red.",
    teaches: "A second refusal after a challenge means the secret or the user name, never the network.",
    desks: &[Desk::with("7005", 900, &[("account.1.password", "a-password-that-is-not-its-own")])],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7005"),
        Step::Event("7005", "registration_failed", &[("status", "403")], PATIENCE_MS),
        Step::Log("7005", "0 Register Fail, 403 Forbidden"),
    ],
    ladders: &[("7005", "register-403")],
    verdict: &[("reg.403", "7005")],
    capture_at: "7005",
    whole: include_str!("ladders/reg-wrong-password.txt"),
};
