//! Why the network agent waits.

use std::fmt;

/// What its next deadline is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// The switch may still name a VLAN.
    Listening,
    /// The next LLDP frame.
    Lldp,
    /// The next CDP packet.
    Cdp,
    /// The next DISCOVER.
    Discover,
    /// The next REQUEST.
    Request,
    /// The lease is to be renewed.
    Renewal,
    /// Any server is asked to renew the lease.
    Rebinding,
    /// DHCP is left alone after NAK or DECLINE.
    DhcpPause,
    /// Whether anybody has the address.
    Probe,
    /// The next question for the time.
    Clock,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listening => "the switch may name a VLAN",
            Self::Lldp => "LLDP",
            Self::Cdp => "CDP",
            Self::Discover => "DHCP, DISCOVER again",
            Self::Request => "DHCP, REQUEST again",
            Self::Renewal => "DHCP, T1: the lease is renewed",
            Self::Rebinding => "DHCP, T2: any server is asked",
            Self::DhcpPause => "DHCP, a pause after NAK or DECLINE",
            Self::Probe => "ARP, whether anybody has the address",
            Self::Clock => "SNTP",
        })
    }
}
