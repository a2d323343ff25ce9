//! A call from address to address.

use super::prelude::*;

const ALLOWED: &[(&str, &str)] = &[("features.direct_ip_call_enable", "1"), ("account.1.enable", "0")];

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "direct-ip-call",
    title: "A call from address to address",
    deck: "Make sure the phone is disabled Allow IP Calls when he registers to the PBX server.",
    teaches: "With Allow IP Calls anybody who knows the address may ring; without it such a call gets 404.",
    desks: &[
        Desk { name: "7001", tone_hz: 600, settings: ALLOWED },
        Desk { name: "7002", tone_hz: 800, settings: ALLOWED },
        Desk { name: "7007", tone_hz: 1000, settings: &[("account.1.enable", "0")] },
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On("7001"),
        Step::On("7002"),
        Step::On("7007"),
        Step::Pass(100),
        Step::Say("7001", "dial 127.0.70.2"),
        Step::Event("7002", "incoming", &[("account", "0")], PATIENCE_MS),
        Step::Say("7002", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[600]),
        Step::Say("7002", "hangup"),
        Step::Event("7001", "ended", &[], PATIENCE_MS),
        Step::Say("7001", "dial 127.0.70.7"),
        Step::Event("7001", "ended", &[("status", "404")], PATIENCE_MS),
        Step::Refused("7007", "dial 127.0.70.2"),
    ],
    ladders: &[],
    verdict: &[("call.direct-ip", "127.0.70.7")],
    capture_at: "7001",
    whole: include_str!("ladders/direct-ip-call.txt"),
};
