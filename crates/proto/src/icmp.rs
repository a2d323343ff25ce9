//! ICMP errors, read (RFC 792, RFC 4443): what could not be delivered, and why.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Why a packet was not delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// No way to that network or host.
    Unreachable,
    /// The host lives and nothing listens at that port.
    PortUnreachable,
    /// A firewall forbids it.
    Prohibited,
    /// It is too long for the way.
    TooBig,
    /// It has gone through too many routers.
    TimeExceeded,
}

impl Why {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "destination unreachable",
            Self::PortUnreachable => "port unreachable",
            Self::Prohibited => "prohibited by a filter",
            Self::TooBig => "packet too big",
            Self::TimeExceeded => "time exceeded",
        }
    }
}

/// An error that came back, with the beginning of the packet that it is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Undelivered<'a> {
    /// Why.
    pub why: Why,
    /// The protocol of the packet: 6 TCP, 17 UDP.
    pub protocol: u8,
    /// Who had sent it; the port is 0 where it is cut off.
    pub from: SocketAddr,
    /// Whom it was to reach.
    pub to: SocketAddr,
    /// What is left of its payload: after the UDP header, or from the TCP header on.
    pub payload: &'a [u8],
}

impl<'a> Undelivered<'a> {
    /// Reads ICMP for IPv4, from its type on; `None` for what is no error about a packet.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let why = match (*bytes.first()?, *bytes.get(1)?) {
            (3, 3) => Why::PortUnreachable,
            (3, 4) => Why::TooBig,
            (3, 9 | 10 | 13) => Why::Prohibited,
            (3, _) => Why::Unreachable,
            (11, _) => Why::TimeExceeded,
            _ => return None,
        };
        let inner = bytes.get(8..)?;
        let header_bytes = usize::from(inner.first()? & 0x0f) * 4;
        if inner[0] >> 4 != 4 || header_bytes < 20 {
            return None;
        }
        let ip = |at: usize| Some(IpAddr::V4(Ipv4Addr::from(*inner.get(at..)?.first_chunk::<4>()?)));
        Self::about(why, *inner.get(9)?, ip(12)?, ip(16)?, inner.get(header_bytes..).unwrap_or_default())
    }

    /// Reads ICMP for IPv6, from its type on.
    pub fn parse_v6(bytes: &'a [u8]) -> Option<Self> {
        let why = match (*bytes.first()?, *bytes.get(1)?) {
            (1, 4) => Why::PortUnreachable,
            (1, 1 | 5) => Why::Prohibited,
            (1, _) => Why::Unreachable,
            (2, _) => Why::TooBig,
            (3, _) => Why::TimeExceeded,
            _ => return None,
        };
        let inner = bytes.get(8..)?;
        let ip = |at: usize| Some(IpAddr::V6(Ipv6Addr::from(*inner.get(at..)?.first_chunk::<16>()?)));
        Self::about(why, *inner.get(6)?, ip(8)?, ip(24)?, inner.get(40..).unwrap_or_default())
    }

    fn about(why: Why, protocol: u8, from: IpAddr, to: IpAddr, rest: &'a [u8]) -> Option<Self> {
        let port = |at: usize| match (protocol, rest.get(at..at + 2)) {
            (6 | 17, Some(port)) => u16::from_be_bytes([port[0], port[1]]),
            _ => 0,
        };
        let payload = if protocol == 17 { rest.get(8..).unwrap_or_default() } else { rest };
        let (from, to) = (SocketAddr::new(from, port(0)), SocketAddr::new(to, port(2)));
        Some(Self { why, protocol, from, to, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_unreachable_names_the_packet() {
        let mut bytes = vec![3, 3, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0];
        bytes.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 9, 0x13, 0xc4, 0x13, 0xce, 0, 20, 0, 0, b'R', b'E']);
        let told = Undelivered::parse(&bytes).expect("an error");
        assert_eq!((told.why, told.protocol, told.payload), (Why::PortUnreachable, 17, &b"RE"[..]));
        let ends = ["10.0.0.1:5060", "10.0.0.9:5070"].map(|text| text.parse().ok());
        assert_eq!([Some(told.from), Some(told.to)], ends);
    }

    #[test]
    fn what_is_cut_or_no_error_is_none() {
        for bytes in
            [&b""[..], b"\x03", b"\x03\x03\0\0\0\0\0\0", b"\x08\0\0\0\0\0\0\0", b"\x03\x03\0\0\0\0\0\0\x41\0"]
        {
            assert_eq!(Undelivered::parse(bytes), None);
            assert_eq!(Undelivered::parse_v6(bytes), None);
        }
    }
}
