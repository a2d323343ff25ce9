//! The switch speaks LLDP and names no VLAN.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "lldp-no-policy",
    title: "The switch speaks LLDP and names no VLAN",
    teaches: "LLDP without a network policy is no VLAN information: the phone stays in the untagged network.",
    machines: lan!(
        Neighbourhood { lldp: Says::Nothing, cdp: Says::Silent, relays: &[0], server: DHCP_AT },
        Gives { options: &[], refuses: false, ..GIVES }
    ),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "LLDP: switch sw1 port 1/0/7"),
        Step::Log("7001", "DHCP: 127.0.70.1 from 127.0.50.92 for 86400 s"),
        Step::Event("7001", "registered", &[], 10_000),
    ],
    verdict: &[("vlan.no-policy", "0021f2000001")],
    whole: include_str!("ladders/lldp-no-policy.txt"),
    ..NETWORK
};
