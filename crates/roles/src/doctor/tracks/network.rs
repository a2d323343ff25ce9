//! What the layers below told: addresses, neighbours, names, connections and errors.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::proof::{Path, Proof};

/// A hardware address.
pub type Mac = [u8; 6];

/// Twelve hex digits in lower case.
pub fn mac_text(mac: Mac) -> String {
    proto::text::hex(&mac)
}

/// The DHCP messages of one client.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The client (`chaddr`).
    pub mac: Mac,
    /// Its messages in order, at most 64.
    pub messages: Vec<DhcpMessage>,
    /// The address that a server acknowledged last.
    pub address: Option<IpAddr>,
    /// How long it was given for.
    pub lease_s: Option<u32>,
    /// Option 66 of the acknowledgement.
    pub option66: Option<Box<str>>,
    /// The VLAN that a DHCP option named (132, or the vendors').
    pub vlan: Option<u16>,
    /// Vendor class (option 60) of the client.
    pub vendor: Option<Box<str>>,
    /// Host name (option 12) of the client.
    pub host_name: Option<Box<str>>,
}

/// One DHCP message.
#[derive(Clone, Debug)]
pub struct DhcpMessage {
    /// Where.
    pub proof: Proof,
    /// Option 53: 1 DISCOVER, 2 OFFER, 3 REQUEST, 4 DECLINE, 5 ACK, 6 NAK, 7 RELEASE, 8 INFORM.
    pub kind: u8,
    /// The transaction.
    pub xid: u32,
    /// The address that it is about: offered, asked for or given.
    pub address: Option<IpAddr>,
    /// The server (option 54).
    pub server: Option<IpAddr>,
    /// The VLAN tag of the frame.
    pub vlan: Option<u16>,
    /// The options that a client asked for (option 55).
    pub wanted: Vec<u8>,
    /// Whether option 66 is in it.
    pub has_option66: bool,
    /// The message (option 56).
    pub text: Option<Box<str>>,
}

/// What a neighbour told by LLDP or CDP.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// Who sent the frames.
    pub mac: Mac,
    /// By which protocol.
    pub protocol: Discovery,
    /// The chassis or device id.
    pub name: Box<str>,
    /// The port.
    pub port: Box<str>,
    /// System description or platform.
    pub description: Box<str>,
    /// Whether it speaks LLDP-MED.
    pub speaks_med: bool,
    /// Whether it is an endpoint (a phone) rather than a switch.
    pub is_endpoint: bool,
    /// The VLAN for voice that it names: the network policy of LLDP-MED, or CDP's voice VLAN.
    pub voice_vlan: Option<u16>,
    /// The first frame.
    pub first: Proof,
    /// The last frame.
    pub last: Proof,
    /// How many frames.
    pub frames: u32,
}

/// A discovery protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Discovery {
    /// IEEE 802.1AB.
    Lldp,
    /// Cisco's.
    Cdp,
}

/// An ICMP error and the datagram that it quotes.
#[derive(Clone, Debug)]
pub struct IcmpError {
    /// Where.
    pub proof: Proof,
    /// Who tells it.
    pub from: IpAddr,
    /// Type and code of ICMP, or of ICMPv6 where `is_v6`.
    pub kind: (u8, u8),
    /// Whether it is ICMPv6.
    pub is_v6: bool,
    /// The way of the datagram that it quotes; none where too little is quoted.
    pub quoted: Option<Path>,
}

impl IcmpError {
    /// Whether the host lives and nothing listens on the port.
    pub fn is_port_unreachable(&self) -> bool {
        self.kind == if self.is_v6 { (1, 4) } else { (3, 3) }
    }
}

/// A TCP connection, or the attempt at one.
#[derive(Clone, Debug)]
pub struct Connection {
    /// From the side that opened it.
    pub path: Arc<Path>,
    /// The SYNs in order, at most 16.
    pub syns: Vec<Proof>,
    /// SYN and ACK of the other side.
    pub accepted: Option<Proof>,
    /// The first RST, and whether the opening side sent it.
    pub reset: Option<(Proof, bool)>,
    /// The first FIN, and whether the opening side sent it.
    pub finished: Option<(Proof, bool)>,
    /// Bytes from the opening side and to it.
    pub bytes: [u64; 2],
    /// Bytes that the capture lacks, from the opening side and to it.
    pub missing: [u64; 2],
    /// What it carries.
    pub carries: Carries,
    /// What TLS shows of itself.
    pub tls: Option<Box<Tls>>,
}

/// What a connection carries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Carries {
    /// Not known.
    #[default]
    Unknown,
    /// SIP.
    Sip,
    /// SIP in WebSocket frames.
    WebSocket,
    /// HTTP.
    Http,
    /// Commands of FTP.
    Ftp,
    /// TLS, so that nothing inside is seen.
    Tls,
}

/// What a TLS connection shows without its keys.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The name that the client asked for (SNI).
    pub server_name: Option<Box<str>>,
    /// The version that the server chose: 0x0303 is TLS 1.2, 0x0304 is TLS 1.3.
    pub version: Option<u16>,
    /// The highest version that the client offered.
    pub offered_version: Option<u16>,
    /// The server's certificate, in DER, where it travels in clear (up to TLS 1.2).
    pub certificate: Option<(Vec<u8>, Proof)>,
    /// Alerts: level, description, and whether the client sent it, at most 8. Those of TLS 1.3 are encrypted.
    pub alerts: Vec<(u8, u8, bool, Proof)>,
    /// ClientHello.
    pub client_hello: Option<Proof>,
    /// ServerHello.
    pub server_hello: Option<Proof>,
    /// Whether application data went both ways.
    pub established: bool,
}

/// A question to DNS and what came of it.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Who asks whom.
    pub path: Path,
    /// The name.
    pub name: Box<str>,
    /// 1 A, 28 AAAA, 33 SRV, 35 NAPTR.
    pub kind: u16,
    /// The question and its resends, at most 8.
    pub asked: Vec<Proof>,
    /// The answer.
    pub answered: Option<Proof>,
    /// RCODE of the answer: 0 no error, 2 SERVFAIL, 3 NXDOMAIN, 16 BADVERS; none where the answer was truncated.
    pub rcode: Option<u16>,
    /// The addresses, and the targets of SRV, at most 16.
    pub records: Vec<Box<str>>,
}

/// Two hardware addresses that claim one IP address.
#[derive(Clone, Debug)]
pub struct AddressConflict {
    /// The address.
    pub address: IpAddr,
    /// Who had it.
    pub first: (Mac, Proof),
    /// Who claims it too.
    pub second: (Mac, Proof),
}

/// An IP datagram of which fragments are missing.
#[derive(Clone, Debug)]
pub struct LostFragment {
    /// Its first fragment that was seen.
    pub proof: Proof,
    /// From where.
    pub source: IpAddr,
    /// To where.
    pub destination: IpAddr,
    /// Bytes that came.
    pub bytes: u32,
    /// Whether what came begins as SIP does.
    pub is_sip: bool,
    /// The beginning, at most 512 bytes, where its first fragment came.
    pub head: Vec<u8>,
}

/// Bytes on a SIP port, or that begin as SIP does, which are no SIP.
#[derive(Clone, Debug)]
pub struct NotSipMessage {
    /// Where.
    pub proof: Proof,
    /// Who sent it to whom.
    pub path: Path,
    /// What is wrong, in words.
    pub why: Box<str>,
    /// Byte position in the message.
    pub byte: u32,
}
