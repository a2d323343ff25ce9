//! A phone behind a NAT that does not ask for rport.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-nat-no-rport",
    title: "A phone behind a NAT that does not ask for rport",
    deck: "If the network environment involves NAT, you can set the RPort to Enable Direct Process and try again.",
    teaches: "Without rport the answers go to the port that Via names, where the router knows nobody (RFC 3581).",
    desks: &[
        Desk { name: "7001", tone_hz: 600, settings: &[("account.1.nat.rport", "0")] },
        Desk::plain("7002", 800),
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::Hide("7001"),
        Step::On(EXCHANGE),
        Step::Up(&["7002"]),
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "null")], 40_000),
        Step::Log("7001", "0 Register Fail, Timeout"),
        Step::Say("7001", "set account.1.nat.rport 2"),
        Step::Event("7001", "registered", &[], PATIENCE_MS),
        Step::Call("7002", "7001"),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[600]),
        Step::Say("7002", "hangup"),
        Step::Event("7001", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("nat.no-rport", "7001")],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/reg-nat-no-rport.txt"),
};
