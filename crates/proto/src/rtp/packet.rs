//! One RTP packet, RFC 3550 §5.1: read without copying, written into the caller's buffer.

use std::fmt;

/// Bytes of the header without contributors and extension.
pub const FIXED_HEADER_BYTES: usize = 12;
/// Contributing sources that fit the four-bit count.
pub const CONTRIBUTORS_LIMIT: usize = 15;

/// An RTP packet whose parts point into the datagram.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Packet<'a> {
    /// First packet of a talkspurt, or of a DTMF event.
    pub marker: bool,
    /// 0 to 127, as agreed in SDP.
    pub payload_type: u8,
    /// Counts packets, modulo 2^16.
    pub sequence: u16,
    /// Counts units of the payload's clock, modulo 2^32.
    pub timestamp: u32,
    /// Who speaks.
    pub ssrc: u32,
    /// The contributing sources, four bytes each; see [`Packet::contributors`].
    pub csrc: &'a [u8],
    /// The header extension, RFC 3550 §5.3.1.
    pub extension: Option<Extension<'a>>,
    /// What the payload type says it is.
    pub payload: &'a [u8],
    /// Bytes of padding behind the payload, its own count included; 0 for none.
    pub padding_bytes: u8,
}

/// A header extension: an identifier and whole 32-bit words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extension<'a> {
    /// Defined by the profile; `0xBEDE` for RFC 8285.
    pub profile: u16,
    /// The words, in bytes.
    pub data: &'a [u8],
}

/// Why a datagram is no RTP packet. The sender of the datagram is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// Fewer bytes than a header has.
    TooShort,
    /// The first two bits are not 2: keep-alive, STUN, or not RTP at all.
    Version(u8),
    /// The contributors end beyond the datagram.
    ContributorsCut,
    /// The extension ends beyond the datagram.
    ExtensionCut,
    /// The padding count is zero or reaches into the header.
    Padding(u8),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::TooShort => write!(f, "the sender's datagram is shorter than an RTP header (12 bytes)"),
            Flaw::Version(version) => write!(f, "the sender wrote RTP version {version}; only 2 exists"),
            Flaw::ContributorsCut => write!(f, "the sender's CSRC list ends beyond its datagram"),
            Flaw::ExtensionCut => write!(f, "the sender's header extension ends beyond its datagram"),
            Flaw::Padding(count) => write!(f, "the sender claims {count} bytes of padding, which cannot be"),
        }
    }
}

impl std::error::Error for Flaw {}

impl<'a> Packet<'a> {
    /// Reads a whole datagram.
    ///
    /// # Errors
    /// The first [`Flaw`] met from the front.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let header = Header::parse(bytes)?;
        let body = bytes.get(header.bytes..).ok_or(Flaw::TooShort)?;
        let padding_bytes = if header.padded { padding_of(body)? } else { 0 };
        let payload_bytes = body.len().saturating_sub(usize::from(padding_bytes));
        Ok(Self {
            marker: header.marker,
            payload_type: header.payload_type,
            sequence: header.sequence,
            timestamp: header.timestamp,
            ssrc: header.ssrc,
            csrc: bytes.get(FIXED_HEADER_BYTES..header.csrc_end).unwrap_or_default(),
            extension: header.extension(bytes),
            payload: body.get(..payload_bytes).unwrap_or_default(),
            padding_bytes,
        })
    }

    /// The contributing sources, at most [`CONTRIBUTORS_LIMIT`].
    pub fn contributors(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrc.chunks_exact(4).map(|word| read_u32(word, 0))
    }

    /// Appends the packet to `out`.
    ///
    /// Contributors beyond [`CONTRIBUTORS_LIMIT`] and extension words beyond 65,535 do not fit the
    /// format and are left out; an extension is filled with zeros to a whole word.
    pub fn write(&self, out: &mut Vec<u8>) {
        let csrc_count = (self.csrc.len() / 4).min(CONTRIBUTORS_LIMIT);
        let flags = u8::from(self.padding_bytes > 0) << 5 | u8::from(self.extension.is_some()) << 4;
        out.push(0x80 | flags | csrc_count as u8);
        out.push(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        out.extend_from_slice(self.csrc.get(..csrc_count * 4).unwrap_or_default());
        if let Some(extension) = &self.extension {
            extension.write(out);
        }
        out.extend_from_slice(self.payload);
        if self.padding_bytes > 0 {
            out.resize(out.len() + usize::from(self.padding_bytes) - 1, 0);
            out.push(self.padding_bytes);
        }
    }
}

impl Extension<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let words = self.data.len().div_ceil(4).min(usize::from(u16::MAX));
        let data = self.data.get(..words * 4).unwrap_or(self.data);
        out.extend_from_slice(&self.profile.to_be_bytes());
        out.extend_from_slice(&(words as u16).to_be_bytes());
        out.extend_from_slice(data);
        out.resize(out.len() + words * 4 - data.len(), 0);
    }
}

/// True where a datagram on a port shared by RTP and RTCP is RTCP (RFC 5761 §4).
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes.get(1), Some(192..=223))
}

/// What stands before the payload. SRTP needs it alone, while the padding is still encrypted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    /// Length of everything before the payload.
    pub(super) bytes: usize,
    csrc_end: usize,
    padded: bool,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let [first, second, ..] = *bytes else { return Err(Flaw::TooShort) };
        if first >> 6 != 2 {
            return Err(Flaw::Version(first >> 6));
        }
        if bytes.len() < FIXED_HEADER_BYTES {
            return Err(Flaw::TooShort);
        }
        let csrc_end = FIXED_HEADER_BYTES + usize::from(first & 0x0f) * 4;
        if bytes.len() < csrc_end {
            return Err(Flaw::ContributorsCut);
        }
        let end = if first & 0x10 == 0 { csrc_end } else { extension_end(bytes, csrc_end)? };
        Ok(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: read_u16(bytes, 2),
            timestamp: read_u32(bytes, 4),
            ssrc: read_u32(bytes, 8),
            bytes: end,
            csrc_end,
            padded: first & 0x20 != 0,
        })
    }

    fn extension<'a>(&self, bytes: &'a [u8]) -> Option<Extension<'a>> {
        let data = bytes.get(self.csrc_end + 4..self.bytes)?;
        Some(Extension { profile: read_u16(bytes, self.csrc_end), data })
    }
}

fn extension_end(bytes: &[u8], start: usize) -> Result<usize, Flaw> {
    if bytes.len() < start + 4 {
        return Err(Flaw::ExtensionCut);
    }
    let end = start + 4 + usize::from(read_u16(bytes, start + 2)) * 4;
    if bytes.len() < end { Err(Flaw::ExtensionCut) } else { Ok(end) }
}

fn padding_of(body: &[u8]) -> Result<u8, Flaw> {
    let count = body.last().copied().unwrap_or(0);
    if count == 0 || usize::from(count) > body.len() { Err(Flaw::Padding(count)) } else { Ok(count) }
}

/// Two bytes in network order; zero beyond the end, which callers have ruled out.
pub(super) fn read_u16(bytes: &[u8], at: usize) -> u16 {
    match bytes.get(at..) {
        Some([a, b, ..]) => u16::from_be_bytes([*a, *b]),
        _ => 0,
    }
}

/// Four bytes in network order; zero beyond the end, which callers have ruled out.
pub(super) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..) {
        Some([a, b, c, d, ..]) => u32::from_be_bytes([*a, *b, *c, *d]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// The PCMA packet of the deck's one-way audio page: SSRC, Seq and Time as Wireshark shows them.
    #[test]
    fn the_decks_first_packet() {
        let bytes = [0x80, 0x08, 0xef, 0x1e, 0x00, 0x02, 0x03, 0xa0, 0x20, 0x94, 0x8b, 0x74, 0xd5, 0xd5];
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!((packet.payload_type, packet.sequence, packet.timestamp), (8, 61_214, 132_000));
        assert_eq!((packet.ssrc, packet.payload), (0x2094_8B74, &[0xd5, 0xd5][..]));
    }

    #[test]
    fn each_flaw_has_its_name() {
        let check = |bytes: &[u8], flaw: Flaw| assert_eq!(Packet::parse(bytes), Err(flaw), "{bytes:?}");
        check(b"", Flaw::TooShort);
        check(b"\r\n\r\n", Flaw::Version(0));
        check(&[0x80; 11], Flaw::TooShort);
        check(&[0x82, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], Flaw::ContributorsCut);
        check(&[0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2], Flaw::ExtensionCut);
        check(&[0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1], Flaw::ExtensionCut);
        check(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Flaw::Padding(0));
        check(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], Flaw::Padding(2));
    }

    #[test]
    fn rtcp_is_told_apart_by_its_second_byte() {
        assert!(is_rtcp(&[0x80, 200]) && is_rtcp(&[0x81, 201]));
        assert!(!is_rtcp(&[0x80, 0x80 | 8]) && !is_rtcp(&[0x80, 0x80 | 101]) && !is_rtcp(b""));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let mut again = Vec::new();
                packet.write(&mut again);
                prop_assert_eq!(Packet::parse(&again), Ok(packet));
            }
        }

        #[test]
        fn what_is_written_is_read(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            csrc in vec(any::<u8>(), 0..=15).prop_map(|v| v.repeat(4)),
            extension in proptest::option::of((any::<u16>(), vec(any::<u8>(), 0..9).prop_map(|v| v.repeat(4)))),
            payload in vec(any::<u8>(), 0..300), padding_bytes: u8,
        ) {
            let extension = extension.as_ref().map(|(profile, data)| Extension { profile: *profile, data });
            let packet = Packet {
                marker, payload_type, sequence, timestamp, ssrc, csrc: &csrc, extension,
                payload: &payload, padding_bytes,
            };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
            prop_assert_eq!(packet.contributors().count(), csrc.len() / 4);
        }
    }
}
