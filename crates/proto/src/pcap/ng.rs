//! pcapng: sections, interfaces, packets, names and statistics.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::record::{Corrupt, MAX_PACKET_BYTES, Note, Order, Step};
use crate::Time;

/// The type of a section's first block, the same in both byte orders.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const PACKET_OBSOLETE: u32 = 2;
const PACKET_SIMPLE: u32 = 3;
const NAMES: u32 = 4;
const STATISTICS: u32 = 5;
const PACKET_ENHANCED: u32 = 6;

/// The longest block that is believed; decryption secrets may be long.
const MAX_BLOCK_BYTES: usize = 16 * 1_024 * 1_024;
/// Interfaces of one section that are kept.
pub const INTERFACES_LIMIT: usize = 4_096;
/// Names of one section that are told.
const NAMES_LIMIT: usize = 4_096;

/// What is known between two blocks.
#[derive(Debug)]
pub(super) struct Sections {
    order: Order,
    interfaces: Vec<Interface>,
    names: usize,
    /// Position within the block of names that is being told.
    name_at: usize,
    told_overflow: bool,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u16,
    snap_bytes: u32,
    resolution: Resolution,
    offset_s: i64,
    drops: u64,
}

/// How long one unit of a timestamp is.
#[derive(Clone, Copy, Debug)]
enum Resolution {
    /// 10^-n seconds.
    Decimal(u8),
    /// 2^-n seconds.
    Binary(u8),
}

impl Default for Sections {
    fn default() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), names: 0, name_at: 0, told_overflow: false }
    }
}

impl Sections {
    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        let (Some(kind), Some(raw)) = (self.order.u32(bytes, 0), self.order.u32(bytes, 4)) else {
            return Step::More;
        };
        let mut length = raw;
        if kind == SECTION_HEADER {
            match self.read_order(bytes) {
                Some(Ok(said)) => length = said,
                Some(Err(why)) => return Step::Stop(why),
                None => return Step::More,
            }
        }
        let block = length as usize;
        if !(12..=MAX_BLOCK_BYTES).contains(&block) || !block.is_multiple_of(4) {
            return Step::Stop(Corrupt::BlockLength(length));
        }
        let Some(bytes) = bytes.get(..block) else { return Step::More };
        let body = bytes.get(8..block - 4).unwrap_or_default();
        match kind {
            SECTION_HEADER => {
                self.interfaces.clear();
                (self.names, self.told_overflow) = (0, false);
                Step::Skip(block)
            }
            INTERFACE => self.interface(body, block),
            PACKET_ENHANCED => self.packet(body, block, 20),
            PACKET_OBSOLETE => self.obsolete(body, block),
            PACKET_SIMPLE => self.simple(body, block),
            NAMES => self.names(body, block),
            STATISTICS => self.statistics(body, block),
            _ => Step::Skip(block),
        }
    }

    /// The length of a section header's block in the byte order that it sets.
    fn read_order(&mut self, bytes: &[u8]) -> Option<Result<u32, Corrupt>> {
        let order = match Order::Little.u32(bytes, 8)? {
            BYTE_ORDER_MAGIC => Order::Little,
            magic if magic == BYTE_ORDER_MAGIC.swap_bytes() => Order::Big,
            _ => return Some(Err(Corrupt::ByteOrder)),
        };
        self.order = order;
        order.u32(bytes, 4).map(Ok)
    }

    fn interface(&mut self, body: &[u8], block: usize) -> Step {
        let (Some(link), Some(snap_bytes)) = (self.order.u16(body, 0), self.order.u32(body, 4)) else {
            return Step::Stop(Corrupt::BlockLength(block as u32));
        };
        if self.interfaces.len() == INTERFACES_LIMIT {
            if std::mem::replace(&mut self.told_overflow, true) {
                return Step::Skip(block);
            }
            return Step::Note(block, Note::Corrupt { offset: 0, why: Corrupt::TooManyInterfaces });
        }
        let mut interface =
            Interface { link, snap_bytes, resolution: Resolution::Decimal(6), offset_s: 0, drops: 0 };
        for (code, value) in options(self.order, body.get(8..).unwrap_or_default()) {
            match (code, value) {
                (9, [power, ..]) if power & 0x80 == 0 => interface.resolution = Resolution::Decimal(*power),
                (9, [power, ..]) => interface.resolution = Resolution::Binary(power & 0x7f),
                (14, _) => interface.offset_s = self.long(value).unwrap_or(0) as i64,
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Step::Note(block, Note::SnapLength(snap_bytes))
    }

    fn long(&self, value: &[u8]) -> Option<u64> {
        let (first, second) = (self.order.u32(value, 0)?, self.order.u32(value, 4)?);
        let (high, low) = if self.order == Order::Little { (second, first) } else { (first, second) };
        Some(u64::from(high) << 32 | u64::from(low))
    }

    /// Interface, time, length kept, length on the wire, then the bytes at `from` of the body.
    fn packet(&mut self, body: &[u8], block: usize, from: usize) -> Step {
        let number = |at| self.order.u32(body, at);
        let (Some(index), Some(high), Some(low), Some(kept), Some(wire_bytes)) =
            (number(0), number(4), number(8), number(12), number(16))
        else {
            return Step::Stop(Corrupt::BlockLength(block as u32));
        };
        self.kept(index, (high, low), kept, wire_bytes, from, body.len(), block)
    }

    /// The packet block of the first drafts: interface and drops of 16 bits each.
    fn obsolete(&mut self, body: &[u8], block: usize) -> Step {
        let Some(index) = self.order.u16(body, 0) else {
            return Step::Stop(Corrupt::BlockLength(block as u32));
        };
        let number = |at| self.order.u32(body, at);
        let (Some(high), Some(low), Some(kept), Some(wire_bytes)) =
            (number(4), number(8), number(12), number(16))
        else {
            return Step::Stop(Corrupt::BlockLength(block as u32));
        };
        self.kept(index.into(), (high, low), kept, wire_bytes, 20, body.len(), block)
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of the block")]
    fn kept(
        &self,
        index: u32,
        (high, low): (u32, u32),
        kept: u32,
        wire_bytes: u32,
        from: usize,
        body_bytes: usize,
        block: usize,
    ) -> Step {
        let Some(interface) = self.interfaces.get(index as usize) else {
            return Step::Note(block, Note::Corrupt { offset: 0, why: Corrupt::NoSuchInterface(index) });
        };
        let to = from + kept as usize;
        if to > body_bytes || kept as usize > MAX_PACKET_BYTES {
            return Step::Note(block, Note::Corrupt { offset: 0, why: Corrupt::PacketLength(kept) });
        }
        let at = interface.time(u64::from(high) << 32 | u64::from(low));
        Step::Packet { record: block, at, link: interface.link, from: from + 8, to: to + 8, wire_bytes }
    }

    /// A packet without time, of the first interface.
    fn simple(&self, body: &[u8], block: usize) -> Step {
        let (Some(interface), Some(wire_bytes)) = (self.interfaces.first(), self.order.u32(body, 0)) else {
            return Step::Note(block, Note::Corrupt { offset: 0, why: Corrupt::NoSuchInterface(0) });
        };
        let limit = if interface.snap_bytes == 0 { u32::MAX } else { interface.snap_bytes };
        let kept = (body.len() - 4).min(wire_bytes.min(limit) as usize).min(MAX_PACKET_BYTES);
        Step::Packet {
            record: block,
            at: Time::ZERO,
            link: interface.link,
            from: 12,
            to: 12 + kept,
            wire_bytes,
        }
    }

    /// Tells one name a call; the block is done with after the last.
    fn names(&mut self, body: &[u8], block: usize) -> Step {
        while let Some((kind, value, next)) = record(self.order, body, self.name_at) {
            self.name_at = next;
            if kind == 0 || self.names == NAMES_LIMIT {
                break;
            }
            let split = match kind {
                1 => value.split_at_checked(4).and_then(|(a, name)| {
                    Some((IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(a).ok()?)), name))
                }),
                2 => value.split_at_checked(16).and_then(|(a, name)| {
                    Some((IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(a).ok()?)), name))
                }),
                _ => None,
            };
            let Some((address, name)) = split else { continue };
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            self.names += 1;
            return Step::Note(0, Note::Name(address, String::from_utf8_lossy(name).into_owned()));
        }
        self.name_at = 0;
        Step::Skip(block)
    }

    /// `isb_ifdrop` and `isb_osdrop` run through the section, so that only what is new is told.
    fn statistics(&mut self, body: &[u8], block: usize) -> Step {
        let Some(index) = self.order.u32(body, 0) else { return Step::Skip(block) };
        let dropped = options(self.order, body.get(12..).unwrap_or_default())
            .filter(|(code, _)| matches!(code, 5 | 7))
            .filter_map(|(_, value)| self.long(value))
            .fold(0u64, u64::saturating_add);
        let Some(interface) = self.interfaces.get_mut(index as usize) else { return Step::Skip(block) };
        let fresh = dropped.saturating_sub(interface.drops);
        interface.drops = interface.drops.max(dropped);
        if fresh == 0 { Step::Skip(block) } else { Step::Note(block, Note::Drops(fresh)) }
    }
}

impl Interface {
    fn time(&self, units: u64) -> Time {
        let units = u128::from(units);
        let micros = match self.resolution {
            Resolution::Decimal(power) if power <= 6 => units * 10u128.pow(6 - u32::from(power)),
            Resolution::Decimal(power) => units / 10u128.pow((u32::from(power) - 6).min(32)),
            Resolution::Binary(power) => (units * 1_000_000) >> power.min(127),
        };
        let micros = i128::try_from(micros).unwrap_or(i128::MAX);
        let moved = micros.saturating_add(i128::from(self.offset_s) * 1_000_000);
        Time::from_micros(u64::try_from(moved.max(0)).unwrap_or(u64::MAX))
    }
}

/// Code, value and where the next begins, of the record at `at`.
fn record(order: Order, bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let (code, length) = (order.u16(bytes, at)?, usize::from(order.u16(bytes, at + 2)?));
    let value = bytes.get(at + 4..at + 4 + length)?;
    Some((code, value, at + 4 + length.next_multiple_of(4)))
}

/// Options up to the end mark.
fn options(order: Order, bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (code, value, next) = record(order, bytes, at)?;
        at = next;
        (code != 0).then_some((code, value))
    })
}

#[cfg(test)]
mod tests {
    use super::super::read::{Item, Reader};
    use super::*;

    fn number(big: bool, n: u32) -> [u8; 4] {
        if big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    fn short(big: bool, n: u16) -> [u8; 2] {
        if big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = number(big, 12 + body.len() as u32);
        [&number(big, kind)[..], &length, &body, &length].concat()
    }

    fn section(big: bool) -> Vec<u8> {
        let body = [&number(big, BYTE_ORDER_MAGIC)[..], &short(big, 1), &short(big, 0), &[0xff; 8]].concat();
        block(big, SECTION_HEADER, &body)
    }

    fn option(big: bool, code: u16, value: &[u8]) -> Vec<u8> {
        let mut out = [short(big, code), short(big, value.len() as u16)].concat();
        out.extend(value);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    fn interface(big: bool, link: u16, options: &[u8]) -> Vec<u8> {
        block(big, INTERFACE, &[&short(big, link)[..], &[0, 0], &number(big, 0), options].concat())
    }

    fn packet(big: bool, index: u32, units: u64, bytes: &[u8]) -> Vec<u8> {
        let numbers = [index, (units >> 32) as u32, units as u32, bytes.len() as u32, 99];
        let head: Vec<u8> = numbers.into_iter().flat_map(|n| number(big, n)).collect();
        block(big, PACKET_ENHANCED, &[&head[..], bytes].concat())
    }

    fn read(file: &[u8]) -> Vec<String> {
        let mut reader = Reader::new();
        reader.push(file);
        reader.filled(0);
        let mut seen = Vec::new();
        while let Some(item) = reader.next() {
            seen.push(match item {
                Item::Packet(p) => format!("{} {} {} {:?}", p.number, p.link, p.at.as_micros(), p.bytes),
                Item::Note(note) => note.to_string(),
            });
        }
        seen
    }

    #[test]
    fn two_sections_of_different_order_each_with_its_interfaces() {
        let mut file = Vec::new();
        for big in [false, true] {
            file.extend(section(big));
            file.extend(interface(big, 1, &[]));
            file.extend(interface(big, 113, &option(big, 9, &[9])));
            file.extend(packet(big, 0, 1_000_005, b"ab"));
            file.extend(packet(big, 1, 1_000_005_900, b"c"));
        }
        let snap = "snap length 0 bytes";
        let expected = [
            snap,
            snap,
            "1 1 1000005 [97, 98]",
            "2 113 1000005 [99]",
            snap,
            snap,
            "3 1 1000005 [97, 98]",
            "4 113 1000005 [99]",
        ];
        assert_eq!(read(&file), expected);
    }

    #[test]
    fn binary_times_offsets_names_and_drops() {
        let options = [option(false, 9, &[0x80 | 10]), option(false, 14, &100u64.to_le_bytes())].concat();
        let mut file =
            [section(false), interface(false, 1, &options), packet(false, 0, 1_536, b"x")].concat();
        let name = option(false, 1, b"\xc0\x00\x02\x01pbx.example\0");
        file.extend(block(false, NAMES, &[&name[..], &[0; 4]].concat()));
        for drops in [5u64, 5, 8] {
            let body = [&[0; 12][..], &option(false, 5, &drops.to_le_bytes())].concat();
            file.extend(block(false, STATISTICS, &body));
        }
        let expected = [
            "snap length 0 bytes",
            "1 1 101500000 [120]",
            "192.0.2.1 is pbx.example",
            "5 packets were dropped while capturing",
            "3 packets were dropped while capturing",
        ];
        assert_eq!(read(&file), expected);
    }

    #[test]
    fn what_cannot_be_is_told_and_skipped() {
        let mut lying = packet(false, 0, 1, b"abcd");
        lying[20..24].copy_from_slice(&9_999u32.to_le_bytes());
        let file = [
            section(false),
            interface(false, 1, &[]),
            packet(false, 7, 1, b"x"),
            lying,
            packet(false, 0, 1, b"y"),
        ];
        let seen = read(&file.concat());
        assert_eq!(
            seen[1..],
            [
                "at byte 48: the file does not describe interface 7",
                "at byte 84: a packet of 9999 bytes does not fit its block",
                "1 1 1 [121]",
            ]
        );
        let mut broken = section(false);
        broken.extend(number(false, 6));
        broken.extend(number(false, 7));
        broken.extend([0; 8]);
        assert_eq!(read(&broken), ["at byte 28: a block cannot be 7 bytes long"]);
    }

    #[test]
    fn the_interfaces_are_bounded() {
        let mut file = section(false);
        for _ in 0..INTERFACES_LIMIT + 10 {
            file.extend(interface(false, 1, &[]));
        }
        let seen = read(&file);
        assert_eq!(seen.len(), INTERFACES_LIMIT + 1);
        assert!(seen[INTERFACES_LIMIT].ends_with("more interfaces than are kept"));
    }
}
