//! From the first byte of a packet to IP: link layers, tags and tunnels.
//!
//! Own code and no `etherparse`: the doctor asks four things of a frame, for millions of frames, and the
//! link layers of captures (cooked, loopback, PPPoE) are what that crate leaves to its caller.

use crate::doctor::tracks::Mac;

/// A frame without its link layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// Who sent it, where the link layer says so.
    pub source: Option<Mac>,
    /// The VLAN of its innermost tag.
    pub vlan: Option<u16>,
    /// What it carries.
    pub content: Content<'a>,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content<'a> {
    /// IPv4 or IPv6.
    Ip(&'a [u8]),
    /// RFC 826, from the hardware type on.
    Arp(&'a [u8]),
    /// IEEE 802.1AB, from the first TLV on.
    Lldp(&'a [u8]),
    /// Cisco Discovery Protocol, from the version on.
    Cdp(&'a [u8]),
    /// Something else, or too short.
    Other,
}

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const LLDP: u16 = 0x88cc;
const PPPOE_SESSION: u16 = 0x8864;
/// Tags of 802.1Q and QinQ, and those that were used before the latter had a number.
const TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// More tags than any network stacks.
const MOST_TAGS: usize = 8;

/// Whether [`frame`] knows a LINKTYPE.
pub fn is_known(link: u16) -> bool {
    matches!(link, 0 | 1 | 12 | 14 | 101 | 108 | 113 | 228 | 229 | 276)
}

/// Takes the link layer off.
pub fn frame(link: u16, bytes: &[u8]) -> Frame<'_> {
    match link {
        1 => ethernet(bytes),
        0 | 108 => plain(loopback(bytes)),
        12 | 14 | 101 | 228 | 229 => plain(Content::Ip(bytes)),
        113 => cooked(bytes, 14, 6, 4, 16),
        276 => cooked(bytes, 0, 12, 11, 20),
        _ => plain(Content::Other),
    }
}

fn plain(content: Content<'_>) -> Frame<'_> {
    Frame { source: None, vlan: None, content }
}

/// Takes an Ethernet header with its tags off.
pub fn ethernet(bytes: &[u8]) -> Frame<'_> {
    let Some((kind, rest)) = bytes.get(12..).and_then(kind_and_rest) else { return plain(Content::Other) };
    let source = bytes.get(6..12).and_then(|mac| Mac::try_from(mac).ok());
    let (vlan, content) = tagged(kind, rest);
    Frame { source, vlan, content }
}

/// Linux cooked capture: where the protocol, the address and its length stand, and how long the head is.
fn cooked(bytes: &[u8], kind_at: usize, address_at: usize, length_at: usize, head: usize) -> Frame<'_> {
    let (Some(rest), Some((kind, _))) = (bytes.get(head..), bytes.get(kind_at..).and_then(kind_and_rest))
    else {
        return plain(Content::Other);
    };
    let six = bytes.get(length_at) == Some(&6) || (length_at == 4 && bytes.get(4..6) == Some(&[0, 6]));
    let source = bytes.get(address_at..address_at + 6).filter(|_| six);
    let (vlan, content) = tagged(kind, rest);
    Frame { source: source.and_then(|mac| Mac::try_from(mac).ok()), vlan, content }
}

/// The address family stands first, in the order of the machine that captured; the version says enough.
fn loopback(bytes: &[u8]) -> Content<'_> {
    match bytes.get(4).map(|first| first >> 4) {
        Some(4 | 6) => Content::Ip(bytes.get(4..).unwrap_or_default()),
        _ => Content::Other,
    }
}

fn kind_and_rest(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (kind, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*kind), rest))
}

fn tagged(mut kind: u16, mut rest: &[u8]) -> (Option<u16>, Content<'_>) {
    let mut vlan = None;
    for _ in 0..MOST_TAGS {
        if !TAGS.contains(&kind) {
            break;
        }
        let Some((tag, after)) = kind_and_rest(rest) else { return (vlan, Content::Other) };
        let Some((next, after)) = kind_and_rest(after) else { return (vlan, Content::Other) };
        // VLAN 0 is a priority without a VLAN.
        vlan = Some(tag & 0x0fff).filter(|&id| id != 0).or(vlan);
        (kind, rest) = (next, after);
    }
    (vlan, content(kind, rest))
}

fn content(kind: u16, rest: &[u8]) -> Content<'_> {
    match kind {
        IPV4 | IPV6 => Content::Ip(rest),
        ARP => Content::Arp(rest),
        LLDP => Content::Lldp(rest),
        PPPOE_SESSION => pppoe(rest),
        // A length: IEEE 802.3 with LLC.
        0..=1_500 => logical_link(rest),
        _ => Content::Other,
    }
}

/// RFC 2516 §4 with the protocol of PPP.
fn pppoe(bytes: &[u8]) -> Content<'_> {
    match bytes.get(6..8) {
        Some([0x00, 0x21 | 0x57]) => Content::Ip(bytes.get(8..).unwrap_or_default()),
        _ => Content::Other,
    }
}

/// LLC with SNAP: Cisco's protocols and whatever else has an Ethernet type.
fn logical_link(bytes: &[u8]) -> Content<'_> {
    let Some(rest) = bytes.strip_prefix(&[0xaa, 0xaa, 0x03]) else { return Content::Other };
    match rest {
        [0x00, 0x00, 0x0c, 0x20, 0x00, rest @ ..] => Content::Cdp(rest),
        [0, 0, 0, high, low, rest @ ..] => match u16::from_be_bytes([*high, *low]) {
            kind if kind > 1_500 => content(kind, rest),
            _ => Content::Other,
        },
        _ => Content::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(link: u16, head: &[u8], vlan: Option<u16>) {
        let bytes = [head, b"\x45rest"].concat();
        let frame = frame(link, &bytes);
        assert_eq!((frame.vlan, frame.content), (vlan, Content::Ip(b"\x45rest")), "{link} {head:02x?}");
    }

    #[test]
    fn each_link_layer() {
        let macs = [1, 2, 3, 4, 5, 6, 0, 0x21, 0xf2, 0x22, 0xb0, 0x21];
        let ethernet = |rest: &[u8]| [&macs[..], rest].concat();
        check(1, &ethernet(&[0x08, 0]), None);
        check(1, &ethernet(&[0x81, 0, 0xa0, 50, 0x08, 0]), Some(50));
        check(1, &ethernet(&[0x81, 0, 0xa0, 0, 0x08, 0]), None);
        check(1, &ethernet(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 50, 0x08, 0]), Some(50));
        check(1, &ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 7, 0, 0x21]), None);
        check(1, &ethernet(&[0, 13, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0]), None);
        check(101, &[], None);
        check(228, &[], None);
        check(0, &[2, 0, 0, 0], None);
        check(108, &[0, 0, 0, 24], None);
        check(113, &[0, 0, 0, 1, 0, 6, 0, 0x21, 0xf2, 1, 2, 3, 0, 0, 8, 0], None);
        let mut cooked2 = [0; 20];
        cooked2[..2].copy_from_slice(&[0x08, 0]);
        check(276, &cooked2, None);
    }

    #[test]
    fn senders_are_told() {
        let mut bytes = [0u8; 20];
        bytes[..2].copy_from_slice(&[0x08, 0]);
        (bytes[11], bytes[12], bytes[17]) = (6, 0xaa, 0xbb);
        assert_eq!(frame(276, &bytes).source, Some([0xaa, 0, 0, 0, 0, 0xbb]));
        assert_eq!(
            frame(113, &[0, 0, 0, 1, 0, 6, 9, 8, 7, 6, 5, 4, 0, 0, 8, 0, 0x45]).source,
            Some([9, 8, 7, 6, 5, 4])
        );
        assert_eq!(frame(113, &[0, 0, 3, 4, 0, 0, 9, 8, 7, 6, 5, 4, 0, 0, 8, 0, 0x45]).source, None);
    }

    #[test]
    fn discovery_protocols() {
        let macs = [0; 12];
        let lldp = [&macs[..], &[0x88, 0xcc, 2, 7]].concat();
        assert_eq!(frame(1, &lldp).content, Content::Lldp(&[2, 7]));
        let cdp = [&macs[..], &[0, 9, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 2]].concat();
        assert_eq!(frame(1, &cdp).content, Content::Cdp(&[2]));
    }

    #[test]
    fn short_frames_are_nothing() {
        for link in [0, 1, 101, 108, 113, 276, 9_999] {
            for length in 0..14 {
                let content = frame(link, &[0u8; 14][..length]).content;
                assert!(matches!(content, Content::Other | Content::Ip(_)), "{link} {length}");
            }
        }
    }
}
