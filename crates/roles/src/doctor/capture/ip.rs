//! IPv4 and IPv6 headers (RFC 791, RFC 8200).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One IP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// The sender.
    pub source: IpAddr,
    /// The receiver.
    pub destination: IpAddr,
    /// The protocol of the payload: 1 ICMP, 6 TCP, 17 UDP, 47 GRE, 58 ICMPv6.
    pub protocol: u8,
    /// What it carries, as far as it was captured.
    pub payload: &'a [u8],
    /// How many payload bytes are missing from the capture.
    pub missing: usize,
    /// Which piece of a datagram it is, where it is one.
    pub fragment: Option<Fragment>,
}

/// A piece of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment {
    /// What the pieces of one datagram have in common.
    pub identification: u32,
    /// Where its bytes belong.
    pub offset: usize,
    /// Whether others follow it.
    pub more: bool,
}

/// Extension headers of one packet that are looked through.
const MOST_EXTENSIONS: usize = 12;

/// Reads the header; `None` where it is none or is cut.
pub fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
    match bytes.first()? >> 4 {
        4 => parse_v4(bytes),
        6 => parse_v6(bytes),
        _ => None,
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn parse_v4(bytes: &[u8]) -> Option<Packet<'_>> {
    let fixed = bytes.first_chunk::<20>()?;
    let head = usize::from(fixed[0] & 0x0f) * 4;
    let rest = bytes.get(head..).filter(|_| head >= 20)?;
    // A length of 0 is what a network card sees that cuts large segments itself.
    let total = match usize::from(u16::from_be_bytes([fixed[2], fixed[3]])) {
        0 => bytes.len(),
        total => total,
    };
    let length = total.checked_sub(head)?;
    let flags = u16::from_be_bytes([fixed[6], fixed[7]]);
    let (offset, more) = (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0);
    let identification = u16::from_be_bytes([fixed[4], fixed[5]]).into();
    let payload = rest.get(..length).unwrap_or(rest);
    Some(Packet {
        source: IpAddr::V4(Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15])),
        destination: IpAddr::V4(Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19])),
        protocol: fixed[9],
        payload,
        missing: length - payload.len(),
        fragment: (more || offset > 0).then_some(Fragment { identification, offset, more }),
    })
}

fn parse_v6(bytes: &[u8]) -> Option<Packet<'_>> {
    let fixed = bytes.first_chunk::<40>()?;
    let rest = bytes.get(40..)?;
    let length = match usize::from(u16::from_be_bytes([fixed[4], fixed[5]])) {
        0 => rest.len(),
        length => length,
    };
    let captured = rest.get(..length).unwrap_or(rest);
    let address = |at: usize| -> Option<IpAddr> {
        Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?)))
    };
    let (protocol, payload, fragment) = extensions(fixed[6], captured)?;
    Some(Packet {
        source: address(8)?,
        destination: address(24)?,
        protocol,
        payload,
        missing: length - captured.len(),
        fragment,
    })
}

/// Looks through the extension headers (RFC 8200 §4): the protocol, the payload, and the piece it is.
fn extensions(mut protocol: u8, mut bytes: &[u8]) -> Option<(u8, &[u8], Option<Fragment>)> {
    let mut fragment = None;
    for _ in 0..MOST_EXTENSIONS {
        let length = match protocol {
            0 | 43 | 60 | 135 | 139 | 140 => usize::from(*bytes.get(1)?) * 8 + 8,
            51 => usize::from(*bytes.get(1)?) * 4 + 8,
            44 => {
                let flags = short(bytes, 2)?;
                let identification = u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?);
                let (offset, more) = (usize::from(flags & 0xfff8), flags & 1 != 0);
                fragment = (more || offset > 0).then_some(Fragment { identification, offset, more });
                8
            }
            _ => return Some((protocol, bytes, fragment)),
        };
        protocol = *bytes.first()?;
        bytes = bytes.get(length..)?;
        if fragment.is_some_and(|fragment| fragment.offset > 0) {
            break;
        }
    }
    Some((protocol, bytes, fragment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(flags: u16, total: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 0, 0xab, 0xcd, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[6..8].copy_from_slice(&flags.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn lengths_of_ipv4() {
        let check = |total, payload: &[u8], kept: &[u8], missing| {
            let bytes = v4(0, total, payload);
            let packet = parse(&bytes).unwrap();
            assert_eq!((packet.payload, packet.missing, packet.fragment), (kept, missing, None));
        };
        check(24, b"abcd", b"abcd", 0);
        check(22, b"abcd", b"ab", 0);
        check(30, b"abcd", b"abcd", 6);
        check(0, b"abcd", b"abcd", 0);
        assert_eq!(parse(&v4(0, 10, b"")), None);
        assert_eq!(parse(&[0x41; 30]), None);
        assert_eq!(parse(&[]), None);
    }

    #[test]
    fn pieces() {
        let fragment = |flags| parse(&v4(flags, 24, b"abcd")).unwrap().fragment;
        assert_eq!(fragment(0x2000), Some(Fragment { identification: 0xabcd, offset: 0, more: true }));
        assert_eq!(fragment(185), Some(Fragment { identification: 0xabcd, offset: 1_480, more: false }));
        assert_eq!(fragment(0x4000), None);
    }

    #[test]
    fn extension_headers_of_ipv6() {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 20, 0, 64];
        bytes.extend([0x20; 32]);
        bytes.extend([44, 0, 1, 4, 0, 0, 0, 0]);
        bytes.extend([17, 0, 0x05, 0xa9, 0, 0, 0, 9]);
        bytes.extend(b"abcd");
        let packet = parse(&bytes).unwrap();
        assert_eq!((packet.protocol, packet.payload), (17, &b"abcd"[..]));
        assert_eq!(packet.fragment, Some(Fragment { identification: 9, offset: 1_448, more: true }));
        for length in 0..bytes.len() {
            let _ = parse(&bytes[..length]);
        }
    }

    #[test]
    fn extension_headers_without_end_are_given_up() {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 200, 0, 64];
        bytes.extend([0; 32]);
        bytes.extend([0; 200]);
        assert_eq!(parse(&bytes).unwrap().protocol, 0);
    }
}
