//! Traces: what passed, told in a line each, printed as a ladder, and held against the ladders of the deck.
//!
//! A [`Sight`] is one thing that was seen: a message, a packet, or what a person or a power cut did. The lab
//! makes them of its wire, the doctor of captures, where each knows its packet's number and offset.

mod act;
mod expected;
mod matching;
mod packet;
mod sip;
mod whole;

use std::net::{IpAddr, SocketAddr};

use proto::ethernet::{self, Frame};
use proto::sip::flow::Transport;
use proto::sip::message::Message;
use proto::{Time, ipv4};
use serde_json::{Value, json};

pub use act::{Act, merged};
pub use expected::{Actor, Expected, What, deck};
pub use matching::{Difference, check};
pub use packet::hardware_text;
pub use sip::info as sip_info;
pub use whole::first_difference;

/// One thing that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// When it left.
    pub at: Time,
    /// Who sent it, or did it.
    pub from: End,
    /// Who was to get it.
    pub to: End,
    /// What it is.
    pub kind: Kind,
    /// Where it stands in a capture.
    pub place: Option<Place>,
    /// The message: what follows the header of the layer below. For [`Kind::Act`] a text.
    pub bytes: &'a [u8],
}

/// Who sends or gets.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum End {
    /// An address with its port; port 0 where there is none (ICMP).
    Socket(SocketAddr),
    /// A hardware address, for frames without IP.
    Hardware([u8; 6]),
}

impl End {
    /// Its IP address.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Socket(socket) => Some(socket.ip()),
            Self::Hardware(_) => None,
        }
    }
}

impl From<SocketAddr> for End {
    fn from(socket: SocketAddr) -> Self {
        Self::Socket(socket)
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(socket) if socket.port() == 0 => write!(f, "{}", socket.ip()),
            Self::Socket(socket) => write!(f, "{socket}"),
            Self::Hardware(address) => f.write_str(&hardware_text(*address)),
        }
    }
}

/// Where a packet stands in a capture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The packet, counted from 1 as Wireshark does.
    pub packet: u64,
    /// Byte position of its record in the file.
    pub offset: u64,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A SIP message.
    Sip(Transport),
    /// RFC 1350.
    Tftp,
    /// The head of an HTTP message.
    Http,
    /// RFC 2131.
    Dhcp,
    /// RFC 1035.
    Dns,
    /// IEEE 802.1AB.
    Lldp,
    /// CDP.
    Cdp,
    /// RFC 826.
    Arp,
    /// An error of IPv4, from its type on.
    Icmp,
    /// An error of IPv6, from its type on.
    Icmp6,
    /// A TCP connection was refused or broken; there are no bytes.
    Reset,
    /// What a person, or whoever has the power switch, did.
    Act,
    /// Anything else: sound, keep-alives. Not printed.
    Other,
}

impl Kind {
    /// As a capture's list calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip(_) => "SIP",
            Self::Tftp => "TFTP",
            Self::Http => "HTTP",
            Self::Dhcp => "DHCP",
            Self::Dns => "DNS",
            Self::Lldp => "LLDP",
            Self::Cdp => "CDP",
            Self::Arp => "ARP",
            Self::Icmp => "ICMP",
            Self::Icmp6 => "ICMPv6",
            Self::Reset => "TCP",
            Self::Act => "act",
            Self::Other => "other",
        }
    }

    /// What a frame holds, and where that begins; LLDP, CDP, ARP and DHCP are told apart.
    pub fn of_frame(bytes: &[u8]) -> (Self, &[u8]) {
        let Some(frame) = Frame::parse(bytes) else { return (Self::Other, bytes) };
        if let Some(packet) = frame.cdp() {
            return (Self::Cdp, packet);
        }
        match frame.kind {
            ethernet::LLDP => (Self::Lldp, frame.payload),
            ethernet::ARP => (Self::Arp, frame.payload),
            ethernet::IPV4 => match ipv4::Datagram::parse(frame.payload) {
                Some(datagram) => {
                    let (from, to) = (datagram.from.into(), datagram.to.into());
                    (Self::recognise(Transport::Udp, from, to, datagram.bytes), datagram.bytes)
                }
                None => (Self::Other, frame.payload),
            },
            _ => (Self::Other, frame.payload),
        }
    }

    /// What a datagram or a message out of a stream most likely is: SIP by its form on any port, the others
    /// by their well-known ports.
    pub fn recognise(transport: Transport, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Self {
        let at = |port: u16| from.port() == port || to.port() == port;
        match transport {
            _ if Message::parse(bytes).is_ok() => Self::Sip(transport),
            Transport::Udp if at(67) || at(68) => Self::Dhcp,
            Transport::Udp if at(53) => Self::Dns,
            Transport::Udp if at(69) => Self::Tftp,
            Transport::Tcp if packet::is_http(bytes) => Self::Http,
            _ => Self::Other,
        }
    }
}

/// What a sight says, in one line; `None` where there is nothing to be told.
pub fn info(kind: Kind, bytes: &[u8]) -> Option<String> {
    let said = match kind {
        Kind::Sip(transport) => sip::info_over(transport, &Message::parse(bytes).ok()?),
        Kind::Tftp => packet::tftp(bytes)?,
        Kind::Http => packet::http(bytes)?,
        Kind::Dhcp => packet::dhcp(bytes)?,
        Kind::Dns => packet::dns(bytes)?,
        Kind::Lldp => packet::lldp(bytes)?,
        Kind::Cdp => packet::cdp(bytes)?,
        Kind::Arp => packet::arp(bytes)?,
        Kind::Icmp | Kind::Icmp6 => packet::icmp(kind, bytes)?,
        Kind::Reset => "TCP RST".to_owned(),
        Kind::Act => String::from_utf8_lossy(bytes).into_owned(),
        Kind::Other => return None,
    };
    // What came from the wire may not steer the terminal.
    Some(said.chars().filter(|c| !c.is_control()).collect())
}

/// A line of a ladder.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Since the beginning.
    pub since_ms: u64,
    /// Who.
    pub from: String,
    /// To whom; the same for what somebody does.
    pub to: String,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub info: String,
    /// Where it stands in a capture.
    pub place: Option<Place>,
}

impl Row {
    /// As an object: `at_ms`, `from`, `to` (null for what somebody does), `protocol`, `info`, and in a capture
    /// `packet` and `offset`.
    pub fn to_json(&self) -> Value {
        let to = (self.kind != Kind::Act).then_some(&self.to);
        let mut row = json!({
            "at_ms": self.since_ms, "from": self.from, "to": to, "protocol": self.kind.name(), "info": self.info,
        });
        if let Some(place) = self.place {
            (row["packet"], row["offset"]) = (place.packet.into(), place.offset.into());
        }
        row
    }
}

/// The lines of a ladder; what says nothing is left out.
pub fn rows<'a>(
    sights: impl IntoIterator<Item = Sight<'a>>,
    start: Time,
    name: impl Fn(&End) -> String,
) -> Vec<Row> {
    let row = |sight: Sight<'_>| {
        Some(Row {
            since_ms: sight.at.since(start).as_millis() as u64,
            from: name(&sight.from),
            to: name(&sight.to),
            kind: sight.kind,
            info: info(sight.kind, sight.bytes)?,
            place: sight.place,
        })
    };
    sights.into_iter().filter_map(row).collect()
}

/// Rows as aligned lines: the packet's number where it has one, seconds, who to whom, what.
pub fn text(rows: &[Row]) -> String {
    let cell = |row: &Row| format!("{}.{:03}", row.since_ms / 1_000, row.since_ms % 1_000);
    let number = |row: &Row| row.place.map_or_else(String::new, |place| format!("#{}  ", place.packet));
    let width = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (packet, time) = (width(&|row| number(row).len()), width(&|row| cell(row).len()));
    let (from, to) = (width(&|row| row.from.chars().count()), width(&|row| row.to.chars().count()));
    let line = |row: &Row| {
        let (sign, receiver) = if row.kind == Kind::Act { ("·", "") } else { ("→", row.to.as_str()) };
        let (number, at, sender, said) = (number(row), cell(row), &row.from, &row.info);
        format!("{number:packet$}{at:>time$}  {sender:<from$} {sign} {receiver:<to$}  {said}\n")
    };
    rows.iter().map(line).collect()
}

/// The sights as aligned lines.
pub fn print<'a>(
    sights: impl IntoIterator<Item = Sight<'a>>,
    start: Time,
    name: impl Fn(&End) -> String,
) -> String {
    text(&rows(sights, start, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sights() -> Vec<Sight<'static>> {
        let bytes: &[&[u8]] = &[
            b"OPTIONS sip:7001@10.0.0.1 SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n",
            b"\x80\x08",
            b"SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\n\r\n",
        ];
        let ends: [SocketAddr; 2] =
            ["10.0.0.9:5060", "10.0.0.1:5060"].map(|text| text.parse().expect("an address"));
        let sight = |(n, &bytes): (usize, &&'static [u8])| Sight {
            at: Time::from_millis(9_999 + n as u64),
            from: ends[n / 2].into(),
            to: ends[1 - n / 2].into(),
            kind: Kind::recognise(Transport::Udp, ends[n / 2], ends[1 - n / 2], bytes),
            place: Some(Place { packet: 99 + n as u64, offset: 24 }),
            bytes,
        };
        bytes.iter().enumerate().map(sight).collect()
    }

    fn name(end: &End) -> String {
        let exchange: SocketAddr = "10.0.0.9:5060".parse().expect("an address");
        if *end == exchange.into() { "exchange".to_owned() } else { "7001".to_owned() }
    }

    #[test]
    fn lines_are_aligned_and_sound_is_left_out() {
        let placed = print(sights(), Time::ZERO, name);
        let expected = "#99   9.999  exchange → 7001      Request: OPTIONS sip:7001@10.0.0.1\n\
                        #101 10.001  7001     → exchange  Status: 200 OK (OPTIONS)\n";
        assert_eq!(placed.replace("#99  ", "#99 ").replace("#101  ", "#101 "), expected);
        let bare = sights().into_iter().map(|sight| Sight { place: None, ..sight });
        let text = print(bare, Time::ZERO, name);
        assert!(text.starts_with(" 9.999  exchange → 7001      Request: OPTIONS"), "{text}");
    }

    #[test]
    fn a_row_is_an_object() {
        let row = rows(sights(), Time::ZERO, name)[1].to_json();
        let expected = json!({
            "at_ms": 10_001, "from": "7001", "to": "exchange", "protocol": "SIP",
            "info": "Status: 200 OK (OPTIONS)", "packet": 101, "offset": 24,
        });
        assert_eq!(row, expected);
    }

    #[test]
    fn acts_stand_at_whoever_does_them() {
        let socket: SocketAddr = "10.0.0.1:0".parse().expect("an address");
        let act = Sight {
            at: Time::ZERO,
            from: socket.into(),
            to: socket.into(),
            kind: Kind::Act,
            place: None,
            bytes: b"dial 7002",
        };
        assert_eq!(print([act], Time::ZERO, name), "0.000  7001 ·       dial 7002\n");
    }
}
