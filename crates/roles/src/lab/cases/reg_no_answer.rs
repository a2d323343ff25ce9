//! The server does not answer.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-no-answer",
    title: "The server does not answer",
    deck: "The phone repeats its REGISTER, gives up after 32 seconds and tries again 30 seconds later.",
    teaches: "Repeated requests without any answer are a matter of the network or the address, not of the account.",
    desks: &[Desk::plain("7001", 600)],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "null")], 40_000),
        Step::Log("7001", "0 Register Fail, Timeout"),
        Step::Log("7001", "Reg terminated eReason=0"),
        Step::Log("7001", "0 Register Terminate(0), 30s later retry"),
        Step::On(EXCHANGE),
        Step::Event("7001", "registered", &[], 60_000),
    ],
    ladders: &[],
    verdict: &[("reg.timeout", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/reg-no-answer.txt"),
};
