//! Captures of snoop, RFC 1761.

use super::record::{Corrupt, MAX_PACKET_BYTES, Note, Order, Step};
use crate::Time;

/// What stands before the first record.
pub(super) const HEADER_BYTES: usize = 16;
const RECORD_HEAD_BYTES: usize = 24;

/// What is known between two records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snoop {
    link: u16,
    drops: u32,
}

impl Snoop {
    /// Reads the file's header.
    pub(super) fn begin(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"snoop\0\0\0") || Order::Big.u32(bytes, 8)? != 2 {
            return None;
        }
        let link = match Order::Big.u32(bytes, 12)? {
            // IEEE 802.3 and Ethernet.
            0 | 4 => 1,
            // IP over whatever, as Solaris writes it for its inner interfaces.
            12 => 101,
            _ => u16::MAX,
        };
        Some(Self { link, drops: 0 })
    }

    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        let number = |at| Order::Big.u32(bytes, at);
        let (Some(wire_bytes), Some(kept), Some(record), Some(drops), Some(seconds), Some(micros)) =
            (number(0), number(4), number(8), number(12), number(16), number(20))
        else {
            return Step::More;
        };
        let (kept, record_bytes) = (kept as usize, record as usize);
        let too_long = record_bytes > MAX_PACKET_BYTES + RECORD_HEAD_BYTES + 8;
        if too_long || record_bytes < RECORD_HEAD_BYTES + kept {
            return Step::Stop(Corrupt::RecordLength(record));
        }
        if bytes.len() < record_bytes {
            return Step::More;
        }
        // The count runs through the file, so that only what is new is told, before its packet.
        if let Some(fresh) = drops.checked_sub(self.drops).filter(|&fresh| fresh > 0) {
            self.drops = drops;
            return Step::Note(0, Note::Drops(fresh.into()));
        }
        let at = Time::from_micros(u64::from(seconds) * 1_000_000 + u64::from(micros));
        let (from, to) = (RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + kept);
        Step::Packet { record: record_bytes, at, link: self.link, from, to, wire_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::{Item, Reader};
    use super::*;

    #[test]
    fn a_record_with_drops_and_padding() {
        let mut file = b"snoop\0\0\0\0\0\0\x02\0\0\0\x04".to_vec();
        for number in [60u32, 3, 28, 7, 1, 5] {
            file.extend(number.to_be_bytes());
        }
        file.extend(b"abc\0");
        let mut reader = Reader::new();
        reader.push(&file);
        assert_eq!(reader.next(), Some(Item::Note(Note::Drops(7))));
        let Some(Item::Packet(packet)) = reader.next() else { panic!("a packet") };
        assert_eq!((packet.bytes, packet.link, packet.offset), (&b"abc"[..], 1, 16));
        assert_eq!((packet.at.as_micros(), packet.wire_bytes), (1_000_005, 60));
        assert_eq!(reader.next(), None);
    }
}
