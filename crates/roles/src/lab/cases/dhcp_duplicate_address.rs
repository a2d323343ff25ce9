//! Somebody has the address already.

use super::prelude::*;

/// Somebody's machine with a fixed address, which the pool begins with.
const OTHER_AT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 70, 0));
const FROM_OTHER: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(127, 0, 70, 0), Ipv4Addr::new(127, 0, 70, 9));
const ON_LINK: Neighbourhood =
    Neighbourhood { lldp: Says::Silent, cdp: Says::Silent, relays: &[0], server: DHCP_AT };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "dhcp-duplicate-address",
    title: "Somebody has the address already",
    teaches: "The phone asks by ARP before it uses an address, declines one that somebody has, and gets another after ten seconds.",
    machines: &[
        Actor { name: "other", ip: OTHER_AT, make: |ip, _, _| Box::new(Squatter::new(ip)) },
        Actor { name: SWITCH, ip: SWITCH_IP, make: |ip, _, _| Box::new(Switch::new(ip, ON_LINK)) },
        Actor {
            name: DHCP,
            ip: DHCP_IP,
            make: |ip, _, _| Box::new(DhcpServer::new(ip, Gives { pool: FROM_OTHER, ..GIVES })),
        },
    ],
    steps: &[
        Step::On("other"),
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "has 127.0.70.0"),
        Step::Pass(10_000),
        Step::Log("7001", "DHCP: 127.0.70.1 from 127.0.50.92 for 86400 s"),
        Step::Event("7001", "registered", &[], 10_000),
    ],
    verdict: &[("dhcp.duplicate-ip", "127.0.70.0")],
    whole: include_str!("ladders/dhcp-duplicate-address.txt"),
    ..NETWORK
};
