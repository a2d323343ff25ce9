//! Ethernet frames, read and built (IEEE 802.3, tags: IEEE 802.1Q, SNAP: IEEE 802).

/// A hardware address.
pub type Mac = [u8; 6];

/// Everybody on the link.
pub const BROADCAST: Mac = [0xff; 6];
/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of LLDP (IEEE 802.1AB §8.3).
pub const LLDP: u16 = 0x88cc;
/// EtherType of a tag (IEEE 802.1Q §9.6).
pub const TAG: u16 = 0x8100;
/// The highest VLAN (IEEE 802.1Q §9.6): 4095 is reserved, 0 is none.
pub const LAST_VLAN: u16 = 4_094;

/// Destination, source, type.
const HEAD_BYTES: usize = 14;
const TAG_BYTES: usize = 4;
/// A shorter frame is filled with zeros (IEEE 802.3 §4.2.3.3; without the frame check sequence).
const LEAST_BYTES: usize = 60;
/// A smaller number in place of the EtherType is a length (IEEE 802.3 §3.2.6).
const FIRST_TYPE: u16 = 0x0600;
/// SNAP header of CDP: LLC, then the vendor's prefix and its protocol.
const SNAP_CDP: [u8; 8] = [0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x20, 0x00];

/// The tag of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tag {
    /// The VLAN, 0 to 4095; 0 marks a priority alone.
    pub vlan: u16,
    /// The priority, 0 to 7.
    pub priority: u8,
}

/// A frame without its check sequence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// Who is to get it.
    pub destination: Mac,
    /// Who sent it.
    pub source: Mac,
    /// Its outer tag.
    pub tag: Option<Tag>,
    /// The EtherType; below 0x0600 a length.
    pub kind: u16,
    /// What it carries, with the bytes that fill a short frame.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame; `None` where its head is cut off.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let destination: Mac = std::array::from_fn(|at| head[at]);
        let source: Mac = std::array::from_fn(|at| head[6 + at]);
        let kind = u16::from_be_bytes([head[12], head[13]]);
        if kind != TAG {
            return Some(Self { destination, source, tag: None, kind, payload: rest });
        }
        let (&[high, low, kind_high, kind_low], payload) = rest.split_first_chunk::<TAG_BYTES>()?;
        let tag = Tag { vlan: u16::from_be_bytes([high & 0x0f, low]), priority: high >> 5 };
        let kind = u16::from_be_bytes([kind_high, kind_low]);
        Some(Self { destination, source, tag: Some(tag), kind, payload })
    }

    /// The VLAN that its tag names; none where it has no tag, or one for the priority alone.
    pub fn vlan(&self) -> Option<u16> {
        self.tag.map(|tag| tag.vlan).filter(|vlan| *vlan != 0)
    }

    /// What follows the SNAP header of CDP, where this is CDP.
    pub fn cdp(&self) -> Option<&'a [u8]> {
        if self.kind >= FIRST_TYPE {
            return None;
        }
        self.payload.get(..usize::from(self.kind))?.strip_prefix(&SNAP_CDP)
    }
}

/// A frame without its check sequence, filled up to the shortest that may be sent.
pub fn frame(destination: Mac, source: Mac, tag: Option<Tag>, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LEAST_BYTES.max(HEAD_BYTES + TAG_BYTES + payload.len()));
    bytes.extend_from_slice(&destination);
    bytes.extend_from_slice(&source);
    if let Some(Tag { vlan, priority }) = tag {
        bytes.extend_from_slice(&TAG.to_be_bytes());
        bytes.extend_from_slice(&(u16::from(priority & 7) << 13 | vlan & 0x0fff).to_be_bytes());
    }
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().max(LEAST_BYTES), 0);
    bytes
}

/// A frame of CDP; `packet` begins with CDP's version.
pub fn cdp_frame(destination: Mac, source: Mac, packet: &[u8]) -> Vec<u8> {
    let payload = [&SNAP_CDP[..], packet].concat();
    // A longer packet than a frame holds cannot be sent; whoever builds CDP keeps its texts short.
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).min(FIRST_TYPE - 1);
    frame(destination, source, None, length, &payload)
}

/// The frame with its tag taken off and told apart; the frame itself where it has none.
pub fn untagged(bytes: &[u8]) -> Option<(Option<Tag>, Vec<u8>)> {
    let read = Frame::parse(bytes)?;
    Some((read.tag, frame(read.destination, read.source, None, read.kind, read.payload)))
}

/// The frame with this tag in place of its own.
pub fn tagged(bytes: &[u8], tag: Option<Tag>) -> Option<Vec<u8>> {
    let read = Frame::parse(bytes)?;
    Some(frame(read.destination, read.source, tag, read.kind, read.payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: Mac = [0, 0x21, 0xf2, 0, 0, 1];

    #[test]
    fn a_tag_is_written_and_read() {
        let tag = Tag { vlan: 50, priority: 5 };
        let bytes = frame(BROADCAST, ONE, Some(tag), IPV4, &[1, 2, 3]);
        assert_eq!((bytes.len(), &bytes[12..18]), (60, &[0x81, 0, 0xa0, 50, 8, 0][..]));
        let read = Frame::parse(&bytes).expect("a frame");
        assert_eq!(
            (read.tag, read.vlan(), read.kind, &read.payload[..3]),
            (Some(tag), Some(50), IPV4, &[1, 2, 3][..])
        );
        let (taken, plain) = untagged(&bytes).expect("a frame");
        assert_eq!((taken, Frame::parse(&plain).and_then(|frame| frame.tag)), (Some(tag), None));
        let other = tagged(&plain, Some(Tag { vlan: 0, priority: 5 })).expect("a frame");
        assert_eq!(Frame::parse(&other).and_then(|frame| frame.vlan()), None, "a priority alone");
    }

    #[test]
    fn cdp_is_found_by_its_snap_header() {
        let bytes = cdp_frame([1, 0, 0x0c, 0xcc, 0xcc, 0xcc], ONE, b"\x02\xb4\0\0");
        assert_eq!(Frame::parse(&bytes).and_then(|frame| frame.cdp()), Some(&b"\x02\xb4\0\0"[..]));
        let lldp = frame([1, 0x80, 0xc2, 0, 0, 0x0e], ONE, None, LLDP, b"x");
        assert_eq!(Frame::parse(&lldp).and_then(|frame| frame.cdp()), None);
        let mut lies = bytes;
        (lies[12], lies[13]) = (5, 0xff);
        assert_eq!(Frame::parse(&lies).and_then(|frame| frame.cdp()), None, "a length that lies");
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(read) = Frame::parse(&bytes) {
                let _ = (read.cdp(), read.vlan(), untagged(&bytes), tagged(&bytes, read.tag));
            }
        }

        #[test]
        fn what_is_built_is_read(vlan in 0_u16..4096, priority in 0_u8..8, payload in proptest::collection::vec(any::<u8>(), 46..100)) {
            let tag = Some(Tag { vlan, priority });
            let bytes = frame(BROADCAST, ONE, tag, LLDP, &payload);
            let read = Frame::parse(&bytes);
            prop_assert_eq!(read, Some(Frame { destination: BROADCAST, source: ONE, tag, kind: LLDP, payload: &payload }));
        }
    }
}
