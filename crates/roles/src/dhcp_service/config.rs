//! What a DHCP service gives to whom.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proto::dhcp::{Draft, Message};
use proto::ethernet::Mac;

/// So many addresses a pool may have.
const MOST_ADDRESSES: u32 = 65_536;

/// What a service gives.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its own address.
    pub server: Ipv4Addr,
    /// Where addresses come from: one pool a network.
    pub pools: Vec<Pool>,
    /// Addresses that belong to one client.
    pub reservations: BTreeMap<Mac, Ipv4Addr>,
    /// How long an address is given for, in seconds.
    pub lease_s: u32,
    /// What kinds of devices are told beside.
    pub classes: Vec<Class>,
}

/// The addresses of one network.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The first.
    pub first: Ipv4Addr,
    /// The last.
    pub last: Ipv4Addr,
    /// How many leading bits name the network.
    pub prefix_bits: u8,
    /// The router.
    pub gateway: Option<Ipv4Addr>,
    /// The DNS servers.
    pub dns: Vec<Ipv4Addr>,
    /// Options of this network alone, each with its value; they are told where a client asks for them.
    pub own_options: Vec<(u8, Vec<u8>)>,
}

/// A kind of devices.
#[derive(Clone, Debug)]
pub struct Class {
    /// What their vendor class (option 60) begins with; empty: all devices.
    pub vendor: String,
    /// What they are told where they ask for it: options and their values.
    pub options: Vec<(u8, Vec<u8>)>,
}

/// What is wrong with a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The last address comes before the first.
    Backwards,
    /// The addresses are of different networks.
    TwoNetworks,
    /// More addresses than a service holds.
    TooLarge,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Backwards => f.write_str("the last address comes before the first"),
            Self::TwoNetworks => f.write_str("first and last address are of different networks"),
            Self::TooLarge => write!(f, "a pool has at most {MOST_ADDRESSES} addresses"),
        }
    }
}

impl std::error::Error for Fault {}

impl Config {
    /// The pool for a client: of its relay's network, of the address that it has, or the first.
    pub(super) fn pool_of(&self, asked: &Message<'_>) -> Option<&Pool> {
        match asked.relay_ip().or_else(|| asked.client_ip()) {
            Some(ip) => self.pools.iter().find(|pool| pool.is_network_of(ip)),
            None => {
                self.pools.iter().find(|pool| pool.is_network_of(self.server)).or_else(|| self.pools.first())
            }
        }
    }

    pub(super) fn reserved(&self, mac: Mac) -> Option<Ipv4Addr> {
        self.reservations.get(&mac).copied()
    }

    pub(super) fn owner_of(&self, ip: Ipv4Addr) -> Option<Mac> {
        self.reservations.iter().find(|(_, reserved)| **reserved == ip).map(|(mac, _)| *mac)
    }
}

impl Pool {
    /// The addresses from `first` to `last` of a network of so many bits.
    ///
    /// # Errors
    /// [`Fault`] where they are no pool.
    pub fn new(first: Ipv4Addr, last: Ipv4Addr, prefix_bits: u8) -> Result<Self, Fault> {
        let (gateway, dns, own_options) = (None, Vec::new(), Vec::new());
        let pool = Self { first, last, prefix_bits, gateway, dns, own_options };
        match last.to_bits().checked_sub(first.to_bits()) {
            None => Err(Fault::Backwards),
            Some(_) if !pool.is_network_of(last) => Err(Fault::TwoNetworks),
            Some(more) if more >= MOST_ADDRESSES => Err(Fault::TooLarge),
            Some(_) => Ok(pool),
        }
    }

    pub(super) fn holds(&self, ip: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&ip)
    }

    /// Its addresses but for those that no machine can have.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let hosts = !self.mask();
        let all = (self.first.to_bits()..=self.last.to_bits()).map(Ipv4Addr::from_bits);
        let is_host = move |ip: &Ipv4Addr| {
            hosts <= 1 || !matches!(ip.to_bits() & hosts, host if host == 0 || host == hosts)
        };
        all.filter(is_host)
    }

    /// Mask, router and DNS.
    pub(super) fn options(&self, draft: Draft) -> Draft {
        let draft = draft.option(1, &self.mask().to_be_bytes());
        let draft = self.gateway.into_iter().fold(draft, |draft, ip| draft.option(3, &ip.octets()));
        let dns: Vec<u8> = self.dns.iter().flat_map(Ipv4Addr::octets).collect();
        if dns.is_empty() { draft } else { draft.option(6, &dns) }
    }

    fn is_network_of(&self, ip: Ipv4Addr) -> bool {
        (ip.to_bits() ^ self.first.to_bits()) & self.mask() == 0
    }

    fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix_bits.min(32))).unwrap_or(0)
    }
}

impl Class {
    pub(super) fn has(&self, vendor: &str) -> bool {
        vendor.starts_with(&self.vendor)
    }
}
