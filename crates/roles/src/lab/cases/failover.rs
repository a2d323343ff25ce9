//! The outbound server fails and comes back.

use super::prelude::*;

const SERVERS: &[(&str, &str)] = &[
    ("account.1.outbound_proxy_enable", "1"),
    ("account.1.outbound_proxy.1.address", "127.0.50.19"),
    ("account.1.outbound_proxy.2.address", "127.0.50.20"),
    ("account.1.outbound_proxy_fallback_interval", "60"),
    ("linekey.2.type", "16"),
    ("linekey.2.line", "1"),
    ("linekey.2.value", "7002"),
];

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "failover",
    title: "The outbound server fails and comes back",
    deck: "Backup Outbound Server: where the first does not answer, the phone goes by the second.",
    teaches: "A server is given up after 32 s without an answer; lamps and calls go by the server that has the registration.",
    desks: &[
        Desk { name: "7001", tone_hz: 600, settings: SERVERS },
        Desk { name: "7002", tone_hz: 800, settings: SERVERS },
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On(BACKUP),
        Step::Up(&["7001", "7002"]),
        Step::Lamp("7001", "idle"),
        Step::Off(EXCHANGE),
        // Nobody says that a server is gone: the next registration finds it out.
        Step::Event("7001", "registration_failed", &[("status", "null")], 1_000_000),
        Step::Event("7001", "registered", &[], PATIENCE_MS),
        Step::Pass(40_000),
        Step::Log("7001", "Server 127.0.50.20"),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Lamp("7001", "ringing"),
        Step::Say("7002", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[600]),
        Step::On(EXCHANGE),
        // The call goes on by the backup while the registration goes back.
        Step::Pass(200_000),
        Step::Hears("7001", &[800]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[("peer", "7001")], PATIENCE_MS),
        Step::Lamp("7001", "ringing"),
        Step::Say("7001", "hangup"),
        Step::Lamp("7001", "idle"),
    ],
    ladders: &[],
    verdict: &[("reg.timeout", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/failover.txt"),
};
