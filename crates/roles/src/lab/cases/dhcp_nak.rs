//! The DHCP server refuses the address.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "dhcp-nak",
    title: "The DHCP server refuses the address",
    teaches: "NAK sends the phone back to DISCOVER; a server that always refuses is asked more and more slowly.",
    machines: lan!(
        Neighbourhood { lldp: Says::Silent, cdp: Says::Silent, relays: &[0], server: DHCP_AT },
        Gives { options: &[], refuses: true, ..GIVES }
    ),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(SWITCH),
        Step::On(DHCP),
        Step::On("7001"),
        Step::Log("7001", "DHCP: 127.0.50.92 refuses the address (NAK): wrong network"),
        Step::Pass(5_000),
    ],
    verdict: &[("dhcp.nak", "0021f2000001")],
    whole: include_str!("ladders/dhcp-nak.txt"),
    ..NETWORK
};
