//! The VLAN that is set by hand is not the switch's.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "vlan-mismatch",
    title: "The VLAN that is set by hand is not the switch's",
    teaches: "With LLDP and CDP switched off the phone hears nothing of VLAN 50, and asks for an address where no server is.",
    desks: &[Desk::with(
        "7001",
        600,
        &[
            ("network.lldp.enable", "0"),
            ("network.cdp.enable", "0"),
            ("network.vlan.internet_port_enable", "1"),
            ("network.vlan.internet_port_vid", "70"),
        ],
    )],
    machines: lan!(
        Neighbourhood { lldp: Says::Silent, cdp: Says::Vlan(50), relays: &[50], server: DHCP_AT },
        Gives { options: &[], refuses: false, ..GIVES }
    ),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "VLAN 70, priority 0, named by the settings"),
        Step::Pass(30_000),
        Step::Log("7001", "DHCP: no server answers in VLAN 70"),
    ],
    verdict: &[("vlan.mismatch", "0021f2000001")],
    whole: include_str!("ladders/vlan-mismatch.txt"),
    ..NETWORK
};
