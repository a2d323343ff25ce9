//! From a packet to what it says: link layer, IP, fragments, TCP, and the protocols above.

pub mod connections;
pub mod fragments;
pub mod http;
pub mod ip;
pub mod link;
pub mod speech;
pub mod tcp;
pub mod tls;
pub mod websocket;

use memchr::{memchr, memmem};

/// One datagram of UDP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram<'a> {
    /// Port of the sender.
    pub source_port: u16,
    /// Port of the receiver.
    pub destination_port: u16,
    /// What it carries, as far as it was captured.
    pub payload: &'a [u8],
    /// How many payload bytes the capture lacks.
    pub missing: usize,
}

/// Reads the header of UDP, of whose IP packet the capture lacks `missing` bytes.
pub fn udp(bytes: &[u8], missing: usize) -> Option<Datagram<'_>> {
    let fixed = bytes.first_chunk::<8>()?;
    let length = usize::from(u16::from_be_bytes([fixed[4], fixed[5]])).saturating_sub(8);
    let rest = bytes.get(8..)?;
    let payload = if length > 0 { rest.get(..length).unwrap_or(rest) } else { rest };
    Some(Datagram {
        source_port: u16::from_be_bytes([fixed[0], fixed[1]]),
        destination_port: u16::from_be_bytes([fixed[2], fixed[3]]),
        payload,
        missing: missing.min(length.saturating_sub(payload.len())),
    })
}

/// What a tunnel carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inner<'a> {
    /// An IP packet.
    Ip(&'a [u8]),
    /// An Ethernet frame.
    Ethernet(&'a [u8]),
}

/// Takes GRE off (RFC 2784, RFC 2890), with ERSPAN type II, by which switches mirror.
pub fn gre(bytes: &[u8]) -> Option<Inner<'_>> {
    let [flags, _, high, low, ..] = *bytes else { return None };
    let optional = [0x80, 0x20, 0x10].iter().filter(|&&bit| flags & bit != 0).count();
    let rest = bytes.get(4 + optional * 4..)?;
    match u16::from_be_bytes([high, low]) {
        0x0800 | 0x86dd => Some(Inner::Ip(rest)),
        0x6558 => Some(Inner::Ethernet(rest)),
        0x88be => Some(Inner::Ethernet(rest.get(if flags & 0x10 == 0 { 0 } else { 8 }..)?)),
        _ => None,
    }
}

/// Takes VXLAN off (RFC 7348).
pub fn vxlan<'a>(datagram: &Datagram<'a>) -> Option<Inner<'a>> {
    // 4789 is assigned, 8472 is what Linux took before.
    if !matches!(datagram.destination_port, 4_789 | 8_472) {
        return None;
    }
    let head = datagram.payload.first_chunk::<8>()?;
    let is_header = head[0] & 0x08 != 0 && head[1..4] == [0; 3] && head[7] == 0;
    is_header.then(|| Inner::Ethernet(datagram.payload.get(8..).unwrap_or_default()))
}

/// Whether bytes begin as a SIP message does, line breaks before it aside.
pub fn looks_like_sip(bytes: &[u8]) -> bool {
    let skipped = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let bytes = bytes.get(skipped..).unwrap_or_default();
    if bytes.starts_with(b"SIP/2.0 ") {
        return true;
    }
    // A method is a token of capitals; this one look decides for nearly all other datagrams.
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return false;
    }
    let line = bytes.get(..memchr(b'\n', bytes).unwrap_or(bytes.len().min(2_048))).unwrap_or(bytes);
    memmem::find(line, b" SIP/2.0").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sip_is_known_by_its_first_line() {
        let check = |text: &str, expected| assert_eq!(looks_like_sip(text.as_bytes()), expected, "{text}");
        check("REGISTER sip:192.168.50.19 SIP/2.0\r\n", true);
        check("\r\n\r\nSIP/2.0 200 OK\r\n", true);
        check("INVITE sip:7001@pbx.example SIP/2.0", true);
        check("GET /mac.cfg HTTP/1.1\r\nX: SIP/2.0\r\n", false);
        check("\r\n\r\n", false);
        check("", false);
    }

    #[test]
    fn lengths_of_udp() {
        let check = |length: u8, missing, expected: &[u8], lacks| {
            let bytes = [&[0x13, 0xc4, 0x13, 0xc6, 0, length, 0, 0][..], b"abcd"].concat();
            let datagram = udp(&bytes, missing).unwrap();
            assert_eq!((datagram.payload, datagram.missing), (expected, lacks));
            assert_eq!((datagram.source_port, datagram.destination_port), (5_060, 5_062));
        };
        check(12, 0, b"abcd", 0);
        check(10, 0, b"ab", 0);
        check(20, 8, b"abcd", 8);
        check(0, 0, b"abcd", 0);
        assert_eq!(udp(&[0; 7], 0), None);
    }

    #[test]
    fn tunnels() {
        assert_eq!(gre(&[0, 0, 8, 0, 0x45]), Some(Inner::Ip(&[0x45])));
        assert_eq!(gre(&[0x20, 0, 0x86, 0xdd, 1, 2, 3, 4, 0x60]), Some(Inner::Ip(&[0x60])));
        assert_eq!(gre(&[0, 0, 0x65, 0x58, 9]), Some(Inner::Ethernet(&[9])));
        assert_eq!(
            gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            Some(Inner::Ethernet(&[9]))
        );
        assert_eq!(gre(&[0x80, 0, 8]), None);
        let inner = |port, payload: &'static [u8]| {
            vxlan(&Datagram { source_port: 50_000, destination_port: port, payload, missing: 0 })
        };
        assert_eq!(inner(4_789, &[8, 0, 0, 0, 0, 0, 7, 0, 9]), Some(Inner::Ethernet(&[9])));
        assert_eq!(inner(5_060, &[8, 0, 0, 0, 0, 0, 7, 0, 9]), None);
        assert_eq!(inner(4_789, b"SIP/2.0 200 OK"), None);
    }
}
