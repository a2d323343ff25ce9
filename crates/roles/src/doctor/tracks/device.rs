//! Devices, their restarts, and those who scan.

use std::net::IpAddr;

use super::super::proof::Proof;
use super::network::Mac;

/// One telephone or server, by its hardware address or, where that is not seen, by its address.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Its addresses, at most 8.
    pub addresses: Vec<IpAddr>,
    /// What it calls itself, in SIP or HTTP.
    pub user_agent: Option<Box<str>>,
    /// The model out of it.
    pub model: Option<Box<str>>,
    /// The firmware out of it.
    pub firmware: Option<Box<str>>,
    /// The VLAN tag of its frames.
    pub vlan: Option<u16>,
    /// The switch port it hangs on, as the switch names itself.
    pub neighbour: Option<Box<str>>,
    /// The accounts that it registers, at most 32.
    pub accounts: Vec<Box<str>>,
}

/// A phone that started again.
#[derive(Clone, Debug)]
pub struct Reboot {
    /// Which: address, where packets show it.
    pub address: Option<IpAddr>,
    /// Which: by its log file.
    pub file: Option<u16>,
    /// The first sign of the start: DHCP, PnP, a REGISTER with a new Call-ID, a line of the log.
    pub started: Proof,
    /// What the sign is.
    pub sign: &'static str,
    /// The NOTIFY `check-sync` before it, with whether it asks for a restart.
    pub check_sync: Option<(Proof, bool)>,
    /// The last sign of life before it.
    pub before: Option<Proof>,
    /// Whether it had taken its registrations back.
    pub said_farewell: bool,
}

/// One source that tries many numbers.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// From where.
    pub address: IpAddr,
    /// What it calls itself.
    pub user_agent: Option<Box<str>>,
    /// Its first requests, at most 12.
    pub proofs: Vec<Proof>,
    /// How many requests it sent.
    pub requests: u64,
    /// How many different users it named, counted up to 1,000.
    pub users: u32,
    /// How many of its requests brought credentials that were refused.
    pub refused: u64,
    /// How many were answered by 2xx.
    pub accepted: u64,
}
