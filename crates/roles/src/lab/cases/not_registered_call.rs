//! A call without registration.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "not-registered-call",
    title: "A call without registration",
    deck: "A phone whose account is not registered does not call unless it is told to.",
    teaches: "No INVITE on the wire at all: look at the registration first.",
    desks: &[Desk::plain("7001", 600)],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "null")], 40_000),
        Step::Refused("7001", "dial 7002"),
    ],
    ladders: &[],
    verdict: &[("reg.timeout", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/not-registered-call.txt"),
};
