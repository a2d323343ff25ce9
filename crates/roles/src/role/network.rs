//! What a machine knows of its network.

use std::net::{IpAddr, Ipv4Addr};

/// The facts of the network that a machine is in, as its DHCP client, its neighbours and its administrator
/// tell them. What is not known is `None`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Network {
    /// The machine's own address.
    pub ip: IpAddr,
    /// How many leading bits of the address name the network: its mask.
    pub prefix_bits: Option<u8>,
    /// The router.
    pub gateway: Option<IpAddr>,
    /// The DNS servers, in the order in which to ask them.
    pub dns: Vec<IpAddr>,
    /// The time servers.
    pub ntp: Vec<IpAddr>,
    /// The domain that names without one belong to.
    pub domain: Option<String>,
    /// DHCP option 66 (RFC 2132 §9.4): the provisioning server, a host or a URL.
    pub option_66: Option<String>,
    /// DHCP option 67 (RFC 2132 §9.5): the file to ask for.
    pub option_67: Option<String>,
    /// DHCP option 120 (RFC 3361): the SIP server, and its port; 0 asks the DNS.
    pub option_120: Option<(String, u16)>,
    /// The VLAN that the machine's frames are tagged for.
    pub vlan: Option<Vlan>,
    /// How the switch wants packets to be marked; none: as the settings say.
    pub dscp: Option<Dscp>,
}

/// How packets are marked (RFC 2474).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dscp {
    /// Those of SIP.
    pub signal: u8,
    /// Those of sound.
    pub sound: u8,
}

impl Network {
    /// A machine that has no address yet.
    pub fn nowhere() -> Self {
        Self::at(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Whether the machine has an address.
    pub fn has_address(&self) -> bool {
        !self.ip.is_unspecified()
    }

    /// A machine that knows its address alone.
    pub fn at(ip: IpAddr) -> Self {
        Self {
            ip,
            prefix_bits: None,
            gateway: None,
            dns: Vec::new(),
            ntp: Vec::new(),
            domain: None,
            option_66: None,
            option_67: None,
            option_120: None,
            vlan: None,
            dscp: None,
        }
    }
}

/// A virtual LAN (IEEE 802.1Q).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vlan {
    /// Its number, 1 to 4094.
    pub id: u16,
    /// The priority of what is sent, 0 to 7.
    pub priority: u8,
    /// Who named it.
    pub source: VlanSource,
}

/// Who named a VLAN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VlanSource {
    /// The settings.
    Manual,
    /// The switch, by LLDP-MED.
    Lldp,
    /// The switch, by CDP.
    Cdp,
    /// A DHCP option.
    Dhcp,
}
