//! The server blocks this area.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "blocked-area",
    deck: "The server refuses phones of a network or an area.",
    title: "The server blocks this area",
    teaches: "The address is in force, and the exchange refuses all of its area: a 403 that follows the place and not the phone.",
    desks: &[Desk::with("7001", 600, &[("network.lldp.enable", "0"), ("network.cdp.enable", "0")])],
    machines: &[Actor { name: DHCP, ip: DHCP_IP, make: |ip, _, _| Box::new(DhcpServer::new(ip, ON_LINK)) }],
    exchange: |config, _| {
        config.terms.blocks.extend(Area::parse("north", "10.0.0.0/8\n127.0.0.0/8").ok().map(Block::Area));
    },
    steps: &[
        Step::On(EXCHANGE),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "DHCP: 127.0.70.1 from 127.0.50.92 for 86400 s"),
        Step::Event("7001", "registration_failed", &[("status", "403")], PATIENCE_MS),
    ],
    verdict: &[("reg.403", "7001")],
    whole: include_str!("ladders/blocked-area.txt"),
    ..NETWORK
};
