//! LLDP and CDP name different VLANs.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "cdp-conflict",
    title: "LLDP and CDP name different VLANs",
    teaches: "LLDP comes first; the phone works, and whoever obeys CDP is in another VLAN.",
    machines: lan!(
        Neighbourhood { lldp: Says::Vlan(50), cdp: Says::Vlan(60), relays: &[50, 60], server: DHCP_AT },
        Gives { options: &[], refuses: false, ..GIVES }
    ),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "VLAN 50, priority 5, named by LLDP"),
        Step::Log("7001", "CDP: voice VLAN 60"),
        Step::Log("7001", "DHCP: 127.0.70.1 from 127.0.50.92 for 86400 s"),
        Step::Event("7001", "registered", &[], 10_000),
    ],
    verdict: &[("vlan.conflict", "sw1")],
    whole: include_str!("ladders/cdp-conflict.txt"),
    ..NETWORK
};
