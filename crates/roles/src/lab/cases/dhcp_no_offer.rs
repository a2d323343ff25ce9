//! No DHCP server answers.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "dhcp-no-offer",
    title: "No DHCP server answers",
    teaches: "DISCOVER is repeated after 4, 8, 16, 32 and 64 s; without an address there is neither provisioning nor a registration.",
    machines: lan!(
        Neighbourhood { lldp: Says::Silent, cdp: Says::Silent, relays: &[], server: DHCP_AT },
        Gives { options: &[], refuses: false, ..GIVES }
    ),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Pass(30_000),
        Step::Log("7001", "DHCP: no server answers without a VLAN"),
    ],
    verdict: &[("dhcp.no-offer", "0021f2000001")],
    whole: include_str!("ladders/dhcp-no-offer.txt"),
    ..NETWORK
};
