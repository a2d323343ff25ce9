//! UDP datagrams in IPv4, read and built (RFC 791, RFC 768), for whoever speaks before having an address.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::checksum::Checksum;

const HEAD_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const UDP: u8 = 17;
const HOPS: u8 = 64;

/// A UDP datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// Who is to get it.
    pub to: SocketAddrV4,
    /// What it carries.
    pub bytes: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Reads what follows the EtherType; `None` where it is no whole UDP datagram in IPv4.
    ///
    /// The checksum of UDP is not looked at: between virtual machines it is often not filled in.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let head_bytes = usize::from(packet.first()? & 0x0f) * 4;
        let head = packet.get(..head_bytes).filter(|head| head.len() >= HEAD_BYTES && head[0] >> 4 == 4)?;
        let is_fragment = u16::from_be_bytes([head[6], head[7]]) & 0x3fff != 0;
        if is_fragment || head[9] != UDP || Checksum::default().add(head).finish() != 0 {
            return None;
        }
        let whole = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let carried = packet.get(head_bytes..whole)?;
        let (&[a, b, c, d, e, f, ..], _) = carried.split_first_chunk::<UDP_BYTES>()?;
        let length = usize::from(u16::from_be_bytes([e, f]));
        let ip = |first: usize| Ipv4Addr::from_octets(std::array::from_fn(|at| head[first + at]));
        Some(Self {
            from: SocketAddrV4::new(ip(12), u16::from_be_bytes([a, b])),
            to: SocketAddrV4::new(ip(16), u16::from_be_bytes([c, d])),
            bytes: carried.get(UDP_BYTES..length)?,
        })
    }
}

/// A datagram as it follows the EtherType; `None` where it is longer than IPv4 can carry.
pub fn datagram(from: SocketAddrV4, to: SocketAddrV4, bytes: &[u8]) -> Option<Vec<u8>> {
    let udp_bytes = UDP_BYTES + bytes.len();
    let whole = u16::try_from(HEAD_BYTES + udp_bytes).ok()?;
    let udp_length = udp_bytes as u16;
    let mut head = [0; HEAD_BYTES];
    (head[0], head[8], head[9]) = (0x45, HOPS, UDP);
    head[2..4].copy_from_slice(&whole.to_be_bytes());
    head[12..16].copy_from_slice(&from.ip().octets());
    head[16..].copy_from_slice(&to.ip().octets());
    let sum = Checksum::default().add(&head).finish();
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut udp = [0; UDP_BYTES];
    udp[..2].copy_from_slice(&from.port().to_be_bytes());
    udp[2..4].copy_from_slice(&to.port().to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    let pseudo = Checksum::default().add(&head[12..]).add(&[0, UDP]).add(&udp_length.to_be_bytes());
    // Zero would mean that there is no checksum, RFC 768.
    let sum = match pseudo.add(&udp).add(bytes).finish() {
        0 => u16::MAX,
        sum => sum,
    };
    udp[6..].copy_from_slice(&sum.to_be_bytes());
    Some([&head[..], &udp, bytes].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FROM: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
    const TO: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, 67);

    #[test]
    fn a_datagram_is_built_and_read() {
        let mut packet = datagram(FROM, TO, b"abc").expect("a datagram");
        assert_eq!(packet.len(), 31);
        // The frame's filling is not part of it.
        packet.resize(46, 0);
        assert_eq!(Datagram::parse(&packet), Some(Datagram { from: FROM, to: TO, bytes: b"abc" }));
        packet[8] = 1;
        assert_eq!(Datagram::parse(&packet), None, "the checksum of the head");
        assert_eq!(datagram(FROM, TO, &vec![0; 65_508]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(at in 0_usize..40, value: u8, cut in 0_usize..60) {
            let mut packet = datagram(FROM, TO, &[7; 20]).unwrap_or_default();
            packet[at] = value;
            packet.truncate(cut);
            let _ = Datagram::parse(&packet);
        }
    }
}
