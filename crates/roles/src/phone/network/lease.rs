//! What a DHCP server gave: an address for a time, and the facts of the network with it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proto::Time;
use proto::dhcp::{Message, SipServer, sip_servers, vlan_of};
use proto::ethernet::Mac;
use serde::{Deserialize, Serialize};

use crate::role::{Network, Vlan};

/// The longest lease: RFC 2131 §3.3, "infinity".
const FOR_EVER: u32 = u32::MAX;
/// A shorter lease would be renewed without end.
const LEAST_LEASE_S: u32 = 60;
/// A server that says nothing of it means a day.
const USUAL_LEASE_S: u32 = 86_400;
/// So many servers of one kind are kept.
const MOST_SERVERS: usize = 4;

/// An address that a phone asks for again after a restart (RFC 2131 §3.2).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeptLease {
    /// The address.
    pub ip: Ipv4Addr,
    /// The VLAN that it belongs to; none untagged.
    pub vlan: Option<u16>,
}

/// An address with its time.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) ip: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    /// Whom messages to the server are sent to: the server itself, or the router before it.
    pub(super) server_mac: Mac,
    pub(super) lease_s: u32,
    pub(super) renew_at: Time,
    pub(super) rebind_at: Time,
    pub(super) ends_at: Time,
    /// What an option says of the VLAN, and which option.
    pub(super) vlan: Option<(u8, u16)>,
    pub(super) facts: Facts,
}

/// What came with the address.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Facts {
    prefix_bits: u8,
    pub(super) gateway: Option<Ipv4Addr>,
    dns: Vec<Ipv4Addr>,
    ntp: Vec<Ipv4Addr>,
    domain: Option<String>,
    option_66: Option<String>,
    option_67: Option<String>,
    option_120: Option<String>,
}

/// Why an offer or acknowledgement is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unusable {
    /// It names no server.
    NoServer,
    /// No machine can have that address.
    NoAddress(Ipv4Addr),
    /// The address is that of the net itself, or of all its machines.
    OfTheNet(Ipv4Addr),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoServer => f.write_str("it names no server (option 54)"),
            Self::NoAddress(ip) => write!(f, "{ip} is no address of a machine"),
            Self::OfTheNet(ip) => write!(f, "{ip} is the address of the net, or of all its machines"),
        }
    }
}

impl Lease {
    /// Reads an offer or acknowledgement that came at `now` from that hardware address; the VLAN is looked for in
    /// `vlan_options`, the address of the settings in `url_options` before 66.
    pub(super) fn read(
        now: Time,
        from: Mac,
        message: &Message<'_>,
        vlan_options: &[u8],
        url_options: &[u8],
    ) -> Result<Self, Unusable> {
        let server = message.option_ip(54).ok_or(Unusable::NoServer)?;
        let ip = message.your_ip().unwrap_or(Ipv4Addr::UNSPECIFIED);
        // A server at the loopback gives addresses of the loopback: the lab's.
        let is_strange = ip.is_loopback() && !server.is_loopback();
        if ip.is_unspecified()
            || ip.is_multicast()
            || ip.is_broadcast()
            || ip.octets()[0] >= 240
            || is_strange
        {
            return Err(Unusable::NoAddress(ip));
        }
        let facts = Facts::read(ip, message, url_options)?;
        let lease_s = message.option_number(51).unwrap_or(USUAL_LEASE_S).max(LEAST_LEASE_S);
        let (renew_s, rebind_s) = times(lease_s, message.option_number(58), message.option_number(59));
        let after = |seconds: u32| match lease_s {
            FOR_EVER => Time::NEVER,
            _ => now + Duration::from_secs(u64::from(seconds)),
        };
        let vlan =
            vlan_options.iter().find_map(|code| Some((*code, vlan_of(&message.whole_option(*code)?)?)));
        Ok(Self {
            ip,
            server,
            server_mac: from,
            lease_s,
            renew_at: after(renew_s),
            rebind_at: after(rebind_s),
            ends_at: after(lease_s),
            vlan,
            facts,
        })
    }

    /// What the phone knows of its network by it.
    pub(super) fn network(&self, vlan: Option<Vlan>) -> Network {
        let Facts { prefix_bits, gateway, dns, ntp, domain, option_66, option_67, option_120 } =
            self.facts.clone();
        let all = |ips: Vec<Ipv4Addr>| ips.into_iter().map(IpAddr::V4).collect();
        Network {
            prefix_bits: Some(prefix_bits),
            gateway: gateway.map(IpAddr::V4),
            dns: all(dns),
            ntp: all(ntp),
            domain,
            option_66,
            option_67,
            // A server without a port is looked for in the DNS where it has a name.
            option_120: option_120.map(|host| (host, 0)),
            vlan,
            ..Network::at(IpAddr::V4(self.ip))
        }
    }
}

impl Facts {
    fn read(ip: Ipv4Addr, message: &Message<'_>, url_options: &[u8]) -> Result<Self, Unusable> {
        let mask = message.option_ip(1).filter(|mask| is_mask(*mask)).unwrap_or_else(|| usual_mask(ip));
        let prefix_bits = mask.to_bits().leading_ones() as u8;
        let host = ip.to_bits() & !mask.to_bits();
        if prefix_bits < 31 && (host == 0 || host == !mask.to_bits()) {
            return Err(Unusable::OfTheNet(ip));
        }
        let some = |code: u8| {
            let mut ips = message.option_ips(code);
            ips.truncate(MOST_SERVERS);
            ips
        };
        let first_120 = sip_servers(&message.whole_option(120).unwrap_or_default()).into_iter().next();
        let own_url = url_options.iter().find_map(|code| message.option_text(*code));
        Ok(Self {
            prefix_bits,
            gateway: message.option_ips(3).into_iter().next(),
            dns: some(6),
            ntp: some(42),
            domain: message.option_text(15),
            option_66: own_url.or_else(|| message.option_text(66)).or_else(|| url_in_43(message)),
            option_67: message.option_text(67),
            option_120: first_120.map(|server: SipServer| server.to_string()),
        })
    }

    /// Whether the router is in the net of the address; one elsewhere cannot be reached.
    pub(super) fn reaches_gateway(&self, ip: Ipv4Addr) -> bool {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_bits)).unwrap_or(0);
        self.gateway.is_none_or(|gateway| (gateway.to_bits() ^ ip.to_bits()) & mask == 0)
    }
}

/// Option 43 where it is the address of the settings' server as text, bare or in a piece of its own.
fn url_in_43(message: &Message<'_>) -> Option<String> {
    let value = message.whole_option(43)?;
    let is_url = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\0').trim();
        let is_one = text.contains("://") && text.chars().all(|c| c.is_ascii_graphic());
        is_one.then(|| text.to_owned())
    };
    if let Some(whole) = is_url(&value) {
        return Some(whole);
    }
    let mut rest = &value[..];
    while let [_, length, after @ ..] = rest {
        let piece = after.get(..usize::from(*length))?;
        if let Some(url) = is_url(piece) {
            return Some(url);
        }
        rest = &after[usize::from(*length)..];
    }
    None
}

fn is_mask(mask: Ipv4Addr) -> bool {
    let bits = mask.to_bits();
    bits.leading_ones() + bits.trailing_zeros() == 32 && bits != 0
}

/// The mask of the address' class, where the server says none.
fn usual_mask(ip: Ipv4Addr) -> Ipv4Addr {
    match ip.octets()[0] {
        0..128 => Ipv4Addr::new(255, 0, 0, 0),
        128..192 => Ipv4Addr::new(255, 255, 0, 0),
        _ => Ipv4Addr::new(255, 255, 255, 0),
    }
}

/// T1 and T2 (RFC 2131 §4.4.5): a half and seven eighths, where the server's own are not in order.
fn times(lease_s: u32, renew_s: Option<u32>, rebind_s: Option<u32>) -> (u32, u32) {
    let (half, most) = (lease_s / 2, (u64::from(lease_s) * 7 / 8) as u32);
    let (renew_s, rebind_s) = (renew_s.unwrap_or(half), rebind_s.unwrap_or(most));
    if 0 < renew_s && renew_s < rebind_s && rebind_s < lease_s { (renew_s, rebind_s) } else { (half, most) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::dhcp::{Draft, Kind};

    const IP: [u8; 4] = [192, 168, 50, 54];

    fn read(ip: [u8; 4], options: &[(u8, &[u8])]) -> Result<Lease, Unusable> {
        let draft = Draft::request(Kind::Ack, 1, [0; 6]).your_ip(ip.into()).option(54, &[192, 168, 50, 2]);
        let bytes = options.iter().fold(draft, |draft, (code, value)| draft.option(*code, value)).finish(0);
        let message = Message::parse(&bytes).expect("a message");
        Lease::read(Time::ZERO, [7; 6], &message, &[132], &[160])
    }

    #[test]
    fn all_that_a_server_tells_is_kept() {
        let lease = read(
            IP,
            &[
                (1, &[255, 255, 255, 0]),
                (3, &[192, 168, 50, 1]),
                (6, &[192, 168, 50, 1, 0, 0, 0, 0, 192, 168, 50, 3]),
                (15, b"example.com"),
                (42, &[192, 168, 50, 5]),
                (51, &3_600_u32.to_be_bytes()),
                (66, b"tftp://192.168.50.92\0"),
                (67, b"phone.boot"),
                (120, b"\0\x03pbx\x07example\0"),
                (132, b"100"),
            ],
        )
        .expect("a lease");
        let network = lease.network(None);
        assert_eq!((network.prefix_bits, network.dns.len(), network.ntp.len()), (Some(24), 2, 1));
        assert_eq!(network.option_66.as_deref(), Some("tftp://192.168.50.92"));
        assert_eq!(
            (network.option_67.as_deref(), network.domain.as_deref()),
            (Some("phone.boot"), Some("example.com"))
        );
        assert_eq!((network.option_120, lease.vlan), (Some(("pbx.example".to_owned(), 0)), Some((132, 100))));
        assert_eq!((lease.renew_at, lease.rebind_at), (Time::from_secs(1_800), Time::from_secs(3_150)));
        assert!(lease.facts.reaches_gateway(lease.ip));
    }

    #[test]
    fn an_option_of_the_settings_or_43_stands_for_66() {
        let url = |options: &[(u8, &[u8])]| read(IP, options).ok().and_then(|lease| lease.facts.option_66);
        assert_eq!(url(&[(66, b"a"), (160, b"http://b/")]).as_deref(), Some("http://b/"));
        assert_eq!(url(&[(43, b"http://c/")]).as_deref(), Some("http://c/"));
        assert_eq!(url(&[(43, b"\x01\x01x\x02\x09http://d/")]).as_deref(), Some("http://d/"));
        assert_eq!(url(&[(43, b"\x01\x99x")]), None);
    }

    #[test]
    fn what_no_machine_can_have_is_not_taken() {
        for ip in [[0, 0, 0, 0], [255, 255, 255, 255], [224, 0, 1, 75], [127, 0, 0, 1], [250, 1, 1, 1]] {
            assert_eq!(read(ip, &[]).err(), Some(Unusable::NoAddress(ip.into())));
        }
        for last in [0, 255] {
            let ip = [192, 168, 50, last];
            assert_eq!(read(ip, &[(1, &[255, 255, 255, 0])]).err(), Some(Unusable::OfTheNet(ip.into())));
        }
        let far = read(IP, &[(1, &[255, 255, 255, 0]), (3, &[10, 0, 0, 1])]).expect("a lease");
        assert!(!far.facts.reaches_gateway(far.ip));
    }

    #[test]
    fn times_that_are_not_in_order_are_the_standard_s() {
        assert_eq!(times(3_600, Some(60), Some(120)), (60, 120));
        assert_eq!(times(3_600, Some(120), Some(60)), (1_800, 3_150));
        assert_eq!(times(3_600, Some(0), Some(60)), (1_800, 3_150));
        assert_eq!(times(60, Some(100), Some(200)), (30, 52));
        let lease = read(IP, &[(51, &[0xff; 4])]).expect("a lease");
        assert_eq!(lease.renew_at, Time::NEVER, "a lease without an end");
        assert_eq!(read(IP, &[(51, &[0; 4])]).expect("a lease").ends_at, Time::from_secs(60));
    }
}
