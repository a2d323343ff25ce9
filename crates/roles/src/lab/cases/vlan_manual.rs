//! The VLAN is set by hand.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "vlan-manual",
    title: "The VLAN is set by hand",
    teaches: "The switch is silent: after three seconds the VLAN of the settings is used, before any DHCP option.",
    desks: &[Desk::with(
        "7001",
        600,
        &[("network.vlan.internet_port_enable", "1"), ("network.vlan.internet_port_vid", "70")],
    )],
    machines: lan!(
        Neighbourhood { lldp: Says::Silent, cdp: Says::Silent, relays: &[0, 70], server: DHCP_AT },
        Gives { options: &[(132, "100")], refuses: false, ..GIVES }
    ),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "VLAN 70, priority 0, named by the settings"),
        Step::Log("7001", "DHCP: 127.0.70.1 from 127.0.50.92 for 86400 s"),
        Step::Event("7001", "registered", &[], 10_000),
    ],
    whole: include_str!("ladders/vlan-manual.txt"),
    ..NETWORK
};
