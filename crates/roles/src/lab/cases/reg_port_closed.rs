//! Nobody listens at the server's port.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-port-closed",
    title: "Nobody listens at the server's port",
    deck: "A wrong port is answered by the machine (port unreachable) and never by the server.",
    teaches: "Somebody is there but nobody listens: compare port and transport of the account with those of the server.",
    desks: &[Desk::with("7001", 600, &[("account.1.sip_server.1.port", "5070")])],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "null")], 40_000),
    ],
    ladders: &[],
    verdict: &[("reg.icmp-port-unreachable", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/reg-port-closed.txt"),
};
