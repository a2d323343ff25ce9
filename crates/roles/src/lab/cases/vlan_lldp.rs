//! The switch names the voice VLAN by LLDP.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "vlan-lldp",
    title: "The switch names the voice VLAN by LLDP",
    teaches: "LLDP-MED comes before all: the phone asks, the switch answers within a second, and DHCP begins in the VLAN. With its address the phone is another neighbour (MSAP), and says so.",
    machines: lan!(
        Neighbourhood { lldp: Says::Vlan(50), cdp: Says::Silent, relays: &[50], server: DHCP_AT },
        Gives { options: &[], refuses: false, ..GIVES }
    ),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "LLDP: voice VLAN 50, priority 5, DSCP 46"),
        Step::Log("7001", "VLAN 50, priority 5, named by LLDP"),
        Step::Log("7001", "DHCP: 127.0.70.1 from 127.0.50.92 for 86400 s"),
        Step::Log("7001", "MSAP has changed for port eth0.1, sending a shutdown LLDPDU"),
        Step::Event("7001", "registered", &[], 10_000),
    ],
    whole: include_str!("ladders/vlan-lldp.txt"),
    ..NETWORK
};
