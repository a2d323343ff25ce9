//! A DHCP option names the VLAN.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "vlan-dhcp",
    title: "A DHCP option names the VLAN",
    teaches: "The phone asks without a tag, reads option 132, gives the address back and asks again in the VLAN.",
    machines: lan!(
        Neighbourhood { lldp: Says::Silent, cdp: Says::Silent, relays: &[0, 100], server: DHCP_AT },
        Gives { options: &[(132, "100")], refuses: false, ..GIVES }
    ),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "DHCP: option 132 names VLAN 100"),
        Step::Log("7001", "DHCP: gives 127.0.70.1 back"),
        Step::Log("7001", "VLAN 100, priority 0, named by DHCP"),
        Step::Log("7001", "DHCP: 127.0.70.1 from 127.0.50.92 for 86400 s"),
        Step::Event("7001", "registered", &[], 10_000),
    ],
    whole: include_str!("ladders/vlan-dhcp.txt"),
    ..NETWORK
};
