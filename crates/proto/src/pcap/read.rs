//! Capture files of others, read as they stream in.
//!
//! [`Reader`] takes bytes in pieces of any size and gives packets one by one, so that a file, a pipe and
//! a decompressor are one thing and memory holds no more than one piece and one record. It knows classic
//! pcap (both byte orders, microseconds, nanoseconds, the "modified" form with interface numbers,
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>), pcapng
//! (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>) and snoop (RFC 1761).

use super::record::{Corrupt, MAX_PACKET_BYTES, Note, Order, Step};
use super::{ng, snoop};
use crate::Time;

/// How much [`Reader::space`] offers at least.
const PIECE_BYTES: usize = 256 * 1_024;

/// Reads one capture.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Position in the file of the byte at `begin`.
    offset: u64,
    packets: u32,
    format: Option<Format>,
    over: bool,
    ended: bool,
}

/// What a reader gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// One packet.
    Packet(Packet<'a>),
    /// Something else worth knowing.
    Note(Note),
}

/// One packet as it was captured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// From 1, as Wireshark counts.
    pub number: u32,
    /// Byte position of its record in the file.
    pub offset: u64,
    /// When it was captured; [`Time::ZERO`] where the file tells no time.
    pub at: Time,
    /// What its first bytes are: a LINKTYPE_ of <https://www.tcpdump.org/linktypes.html>.
    pub link: u16,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// How long it was on the wire.
    pub wire_bytes: u32,
}

#[derive(Debug)]
enum Format {
    Classic(Classic),
    Ng(ng::Sections),
    Snoop(snoop::Snoop),
}

#[derive(Clone, Copy, Debug)]
struct Classic {
    order: Order,
    nanoseconds: bool,
    modified: bool,
    link: u16,
}

impl Reader {
    /// For a new file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for the next bytes of the file; tell by [`filled`](Self::filled) how many were put there.
    pub fn space(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.end < PIECE_BYTES {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
            let wanted = self.end + PIECE_BYTES;
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted.next_power_of_two(), 0);
            }
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// How many bytes were put into [`space`](Self::space); 0 is the end of the file.
    pub fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len());
        self.over |= bytes == 0;
    }

    /// Takes bytes: the same as [`space`](Self::space) and [`filled`](Self::filled).
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = self.space();
            let count = space.len().min(rest.len());
            let (now, later) = rest.split_at(count);
            space[..count].copy_from_slice(now);
            self.filled(count);
            rest = later;
        }
    }

    /// How many packets were given.
    pub fn packets(&self) -> u32 {
        self.packets
    }

    /// How many bytes of the file were read into packets and notes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the file is over, or cannot be read any further.
    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// The next packet or note; `None` where more bytes are needed or [`is_over`](Self::is_over).
    #[allow(clippy::should_implement_trait, reason = "an item borrows from the reader")]
    pub fn next(&mut self) -> Option<Item<'_>> {
        while !self.ended {
            let bytes = self.buffer.get(self.begin..self.end).unwrap_or_default();
            let step = match &mut self.format {
                None => begin(bytes, self.over).map(|(format, step)| {
                    self.format = Some(format);
                    step
                }),
                Some(Format::Classic(classic)) => Ok(classic.step(bytes)),
                Some(Format::Ng(sections)) => Ok(sections.step(bytes)),
                Some(Format::Snoop(snoop)) => Ok(snoop.step(bytes)),
            };
            match step.unwrap_or_else(|step| step) {
                Step::More if !self.over => return None,
                Step::More => return self.cut(),
                Step::Skip(count) => self.advance(count),
                Step::Note(count, mut note) => {
                    if let Note::Corrupt { offset, .. } = &mut note {
                        *offset = self.offset;
                    }
                    self.advance(count);
                    return Some(Item::Note(note));
                }
                Step::Stop(why) => {
                    self.ended = true;
                    return Some(Item::Note(Note::Corrupt { offset: self.offset, why }));
                }
                Step::Packet { record, at, link, from, to, wire_bytes } => {
                    let (offset, start) = (self.offset, self.begin);
                    self.advance(record);
                    self.packets = self.packets.saturating_add(1);
                    let bytes = self.buffer.get(start + from..start + to).unwrap_or_default();
                    let number = self.packets;
                    return Some(Item::Packet(Packet { number, offset, at, link, bytes, wire_bytes }));
                }
            }
        }
        None
    }

    fn advance(&mut self, count: usize) {
        let count = count.min(self.end - self.begin);
        self.begin += count;
        self.offset += count as u64;
    }

    fn cut(&mut self) -> Option<Item<'_>> {
        self.ended = true;
        let bytes = (self.end - self.begin) as u64;
        (bytes > 0).then_some(Item::Note(Note::Cut { offset: self.offset, bytes }))
    }
}

/// Tells the format by the first bytes.
fn begin(bytes: &[u8], over: bool) -> Result<(Format, Step), Step> {
    let needed = if over { Step::Stop(Corrupt::NotACapture) } else { Step::More };
    let Some(magic) = Order::Little.u32(bytes, 0) else { return Err(needed) };
    if magic == ng::SECTION_HEADER {
        return Ok((Format::Ng(ng::Sections::default()), Step::Skip(0)));
    }
    let known = |order: Order| {
        let (nanoseconds, modified) = match order.u32(bytes, 0)? {
            super::MAGIC_MICROSECONDS => (false, false),
            MAGIC_NANOSECONDS => (true, false),
            MAGIC_MODIFIED => (false, true),
            _ => return None,
        };
        Some((order, nanoseconds, modified))
    };
    if let Some((order, nanoseconds, modified)) = known(Order::Little).or_else(|| known(Order::Big)) {
        let (Some(snap), Some(link)) = (order.u32(bytes, 16), order.u32(bytes, 20)) else {
            return Err(Step::More);
        };
        let classic = Classic { order, nanoseconds, modified, link: link as u16 };
        return Ok((Format::Classic(classic), Step::Note(24, Note::SnapLength(snap))));
    }
    if bytes.len() < snoop::HEADER_BYTES && !over {
        return Err(Step::More);
    }
    match snoop::Snoop::begin(bytes) {
        Some(snoop) => Ok((Format::Snoop(snoop), Step::Skip(snoop::HEADER_BYTES))),
        None => Err(Step::Stop(Corrupt::NotACapture)),
    }
}

/// Whether a file that begins with these bytes is a capture.
pub fn is_capture(bytes: &[u8]) -> bool {
    let magic = [Order::Little, Order::Big].map(|order| order.u32(bytes, 0));
    magic.into_iter().flatten().any(|magic| {
        matches!(magic, super::MAGIC_MICROSECONDS | MAGIC_NANOSECONDS | MAGIC_MODIFIED | ng::SECTION_HEADER)
    }) || snoop::Snoop::begin(bytes).is_some()
}

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
/// A. Kuznetsov's form, whose records end with interface, protocol and packet type.
const MAGIC_MODIFIED: u32 = 0xa1b2_cd34;

impl Classic {
    fn step(&self, bytes: &[u8]) -> Step {
        let head = if self.modified { 24 } else { 16 };
        let number = |at| self.order.u32(bytes, at);
        let (Some(seconds), Some(fraction), Some(kept), Some(wire_bytes)) =
            (number(0), number(4), number(8), number(12))
        else {
            return Step::More;
        };
        if kept as usize > MAX_PACKET_BYTES {
            return Step::Stop(Corrupt::RecordLength(kept));
        }
        let record = head + kept as usize;
        if bytes.len() < record {
            return Step::More;
        }
        let micros = if self.nanoseconds { fraction / 1_000 } else { fraction };
        let at = Time::from_micros(u64::from(seconds) * 1_000_000 + u64::from(micros));
        Step::Packet { record, at, link: self.link, from: head, to: record, wire_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcap::{Transport, Writer, file_header};
    use proptest::prelude::*;

    /// What a reader gives of a file that comes in pieces of `piece` bytes: packets as number, offset,
    /// microseconds, link, bytes and length on the wire; notes as text.
    fn read(file: &[u8], piece: usize) -> Vec<String> {
        let mut reader = Reader::new();
        let mut seen = Vec::new();
        let mut take = |reader: &mut Reader| {
            while let Some(item) = reader.next() {
                seen.push(match item {
                    Item::Packet(p) => {
                        let micros = p.at.as_micros();
                        format!(
                            "{} {} {micros} {} {:?} {}",
                            p.number, p.offset, p.link, p.bytes, p.wire_bytes
                        )
                    }
                    Item::Note(note) => note.to_string(),
                });
            }
        };
        for piece in file.chunks(piece.max(1)) {
            reader.push(piece);
            take(&mut reader);
        }
        reader.filled(0);
        take(&mut reader);
        assert!(reader.is_over());
        seen
    }

    fn check(file: &[u8], expected: &[&str]) {
        for piece in [1, 7, 4_096] {
            assert_eq!(read(file, piece), expected, "in pieces of {piece}");
        }
    }

    /// A file of one record of three bytes, each number in the given order.
    fn classic(magic: u32, big: bool, fraction: u32) -> Vec<u8> {
        let number = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut file = number(magic).to_vec();
        file.extend([0; 12]);
        file.extend(number(96));
        file.extend(number(113));
        file.extend([number(1), number(fraction), number(3), number(60)].concat());
        if magic == MAGIC_MODIFIED {
            file.extend([0; 8]);
        }
        file.extend(b"abc");
        file
    }

    #[test]
    fn each_form_of_classic_pcap() {
        let packet = "1 24 1000005 113 [97, 98, 99] 60";
        for big in [false, true] {
            check(&classic(crate::pcap::MAGIC_MICROSECONDS, big, 5), &["snap length 96 bytes", packet]);
            check(&classic(MAGIC_NANOSECONDS, big, 5_900), &["snap length 96 bytes", packet]);
            check(&classic(MAGIC_MODIFIED, big, 5), &["snap length 96 bytes", packet]);
        }
    }

    #[test]
    fn a_cut_file_says_where() {
        let file = classic(MAGIC_NANOSECONDS, true, 5);
        check(
            &file[..file.len() - 1],
            &["snap length 96 bytes", "the file ends within the record at byte 24, after 18 bytes of it"],
        );
        check(&file[..10], &["the file ends within the record at byte 0, after 10 bytes of it"]);
        check(b"GIF", &["at byte 0: this is no pcap, pcapng or snoop file"]);
        check(
            b"<html>\n<body>no capture at all</body>",
            &["at byte 0: this is no pcap, pcapng or snoop file"],
        );
        check(b"", &["at byte 0: this is no pcap, pcapng or snoop file"]);
    }

    #[test]
    fn a_length_that_lies_ends_the_file_without_taking_memory() {
        let mut file = classic(crate::pcap::MAGIC_MICROSECONDS, false, 5);
        file[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        check(&file, &["snap length 96 bytes", "at byte 24: a record cannot be 4294967295 bytes long"]);
    }

    #[test]
    fn what_the_writer_writes_is_read() {
        let mut file = file_header().to_vec();
        let address = |text: &str| text.parse().unwrap();
        let (from, to) = (address("192.0.2.1:5060"), address("192.0.2.2:5060"));
        Writer::new().write(Time::from_micros(1_500_007), from, to, Transport::Udp, b"hello", &mut file);
        let mut reader = Reader::new();
        reader.push(&file);
        assert_eq!(reader.next(), Some(Item::Note(Note::SnapLength(super::super::SNAP_LENGTH))));
        let Some(Item::Packet(packet)) = reader.next() else { panic!("a packet") };
        assert_eq!((packet.at.as_micros(), packet.link, packet.wire_bytes), (1_500_007, 1, 47));
        assert!(packet.bytes.ends_with(b"hello"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            magic in 0usize..7, mut bytes in proptest::collection::vec(any::<u8>(), 0..2_000), piece in 1usize..600
        ) {
            let magics = [crate::pcap::MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, MAGIC_MODIFIED, ng::SECTION_HEADER];
            if let Some(magic) = magics.get(magic) {
                bytes.splice(..0, magic.to_le_bytes());
            } else if magic == 4 {
                bytes.splice(..0, *b"snoop\0\0\0\0\0\0\x02\0\0\0\x04");
            }
            let pieces = read(&bytes, piece);
            prop_assert_eq!(pieces, read(&bytes, usize::MAX));
        }
    }
}
