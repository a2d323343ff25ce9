//! RTCP, RFC 3550 §6: reports, names and goodbyes, read without copying.

use super::packet::{read_u16, read_u32};
use crate::Time;
use std::fmt;
use std::time::Duration;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const SDES_END: u8 = 0;
const SDES_CNAME: u8 = 1;
const BLOCK_BYTES: usize = 24;
/// Report blocks that fit the five-bit count.
pub const BLOCKS_LIMIT: usize = 31;
/// Seconds between NTP's epoch (1900) and ours (1970).
const NTP_UNIX_SECS: u64 = 2_208_988_800;

/// Why a datagram is no compound RTCP packet. Its sender is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// A packet ends beyond the datagram, or is shorter than its counts say.
    Cut,
    /// A packet's version is not 2.
    Version(u8),
    /// The first packet is of this kind instead of a report (RFC 3550 §6.1).
    NotAReportFirst(u8),
    /// Padding before the last packet, or a count that cannot be.
    Padding,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Cut => write!(f, "the sender's RTCP packet ends beyond its datagram"),
            Flaw::Version(version) => write!(f, "the sender wrote RTCP version {version}; only 2 exists"),
            Flaw::NotAReportFirst(kind) => {
                write!(f, "the sender's RTCP begins with type {kind} instead of a report (200 or 201)")
            }
            Flaw::Padding => write!(f, "the sender's RTCP padding cannot be"),
        }
    }
}

impl std::error::Error for Flaw {}

/// A checked compound packet (RFC 3550 A.2).
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a>(&'a [u8]);

/// One packet of a compound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Item<'a> {
    /// From someone who sends sound, §6.4.1.
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What he sent.
        sender: SenderInfo,
        /// What he heard.
        blocks: Blocks<'a>,
    },
    /// From someone who only listens, §6.4.2.
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What he heard.
        blocks: Blocks<'a>,
    },
    /// The canonical name of a source, §6.5.1: the first that the packet holds.
    Name {
        /// Whose name.
        ssrc: u32,
        /// `user@host` by custom, but any bytes.
        cname: &'a [u8],
    },
    /// A source leaves, §6.6.
    Goodbye {
        /// The first of those who leave.
        ssrc: u32,
    },
    /// A kind that is not read here.
    Other(u8),
}

/// What a sender says of itself, §6.4.1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SenderInfo {
    /// The wall clock, see [`ntp_of`].
    pub ntp: u64,
    /// The same moment in units of the media clock.
    pub rtp_timestamp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub payload_bytes: u32,
}

/// What a receiver says of one source, §6.4.1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReportBlock {
    /// The source that was heard.
    pub ssrc: u32,
    /// Share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost so far; 24 bits with sign.
    pub lost: i32,
    /// Highest sequence number with its cycles.
    pub highest_sequence: u32,
    /// Interarrival jitter in units of the media clock.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time; 0 for none yet.
    pub last_report: u32,
    /// 65,536ths of a second since that report came.
    pub delay_since_last_report: u32,
}

/// The report blocks of one packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Blocks<'a>(&'a [u8]);

impl<'a> Compound<'a> {
    /// Checks a whole datagram.
    ///
    /// # Errors
    /// The first [`Flaw`] met from the front.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let mut rest = bytes;
        let mut first = true;
        while first || !rest.is_empty() {
            let (packet, after) = split(rest)?;
            if first && !matches!(packet.kind, SENDER_REPORT | RECEIVER_REPORT) {
                return Err(Flaw::NotAReportFirst(packet.kind));
            }
            if packet.padded && !after.is_empty() {
                return Err(Flaw::Padding);
            }
            packet.read()?;
            (rest, first) = (after, false);
        }
        Ok(Self(bytes))
    }

    /// The packets in their order.
    pub fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (packet, after) = split(rest).ok()?;
            rest = after;
            packet.read().ok()
        })
    }
}

impl<'a> Blocks<'a> {
    /// The blocks in their order, at most [`BLOCKS_LIMIT`].
    pub fn iter(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.0.chunks_exact(BLOCK_BYTES).map(ReportBlock::read)
    }
}

impl ReportBlock {
    fn read(bytes: &[u8]) -> Self {
        let loss = read_u32(bytes, 4);
        Self {
            ssrc: read_u32(bytes, 0),
            fraction_lost: (loss >> 24) as u8,
            // Shifting out the fraction and back keeps the sign of the 24 bits.
            lost: (loss << 8) as i32 >> 8,
            highest_sequence: read_u32(bytes, 8),
            jitter: read_u32(bytes, 12),
            last_report: read_u32(bytes, 16),
            delay_since_last_report: read_u32(bytes, 20),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        let words = [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_report,
            self.delay_since_last_report,
        ];
        words.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
    }

    /// How long a packet takes there and back, RFC 3550 §6.4.1: `arrived_ntp` less the report's two
    /// fields. `None` where the far end has no sender report of ours yet or its figures cannot be.
    pub fn round_trip(&self, arrived_ntp: u64) -> Option<Duration> {
        if self.last_report == 0 {
            return None;
        }
        let arrived = middle_of(arrived_ntp);
        let units = arrived.wrapping_sub(self.last_report).wrapping_sub(self.delay_since_last_report) as i32;
        // A clock that counts in 65,536ths may round a loopback's trip to just below nothing.
        let units = if (-66..0).contains(&units) { 0 } else { u64::try_from(units).ok()? };
        Some(Duration::from_micros(units * 1_000_000 / 65_536))
    }
}

/// Appends one report: a sender report where `sender` is given, else a receiver report.
/// Blocks beyond [`BLOCKS_LIMIT`] do not fit and are left out.
pub fn write_report(out: &mut Vec<u8>, ssrc: u32, sender: Option<&SenderInfo>, blocks: &[ReportBlock]) {
    let blocks = blocks.get(..BLOCKS_LIMIT).unwrap_or(blocks);
    let kind = if sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    let start = begin(out, kind, blocks.len() as u8);
    out.extend_from_slice(&ssrc.to_be_bytes());
    if let Some(info) = sender {
        out.extend_from_slice(&info.ntp.to_be_bytes());
        out.extend_from_slice(&info.rtp_timestamp.to_be_bytes());
        out.extend_from_slice(&info.packets.to_be_bytes());
        out.extend_from_slice(&info.payload_bytes.to_be_bytes());
    }
    blocks.iter().for_each(|block| block.write(out));
    finish(out, start);
}

/// Appends a source description with the canonical name; more than 255 bytes of it are cut.
pub fn write_name(out: &mut Vec<u8>, ssrc: u32, cname: &[u8]) {
    let cname = cname.get(..255).unwrap_or(cname);
    let start = begin(out, SOURCE_DESCRIPTION, 1);
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(&[SDES_CNAME, cname.len() as u8]);
    out.extend_from_slice(cname);
    // At least one zero ends the list of items.
    out.push(0);
    finish(out, start);
}

/// Appends a goodbye of one source.
pub fn write_goodbye(out: &mut Vec<u8>, ssrc: u32) {
    let start = begin(out, GOODBYE, 1);
    out.extend_from_slice(&ssrc.to_be_bytes());
    finish(out, start);
}

/// The NTP timestamp of a moment: seconds since 1900 and their 2^32ths.
pub fn ntp_of(time: Time) -> u64 {
    let micros = time.as_micros() % 1_000_000;
    (time.as_secs().wrapping_add(NTP_UNIX_SECS) << 32) | ((micros << 32) / 1_000_000)
}

/// The middle 32 bits of an NTP timestamp: seconds and 65,536ths.
pub fn middle_of(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// A span in 65,536ths of a second, as `delay_since_last_report` wants it.
pub fn units_of(span: Duration) -> u32 {
    u32::try_from(span.as_micros().saturating_mul(65_536) / 1_000_000).unwrap_or(u32::MAX)
}

fn begin(out: &mut Vec<u8>, kind: u8, count: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0x80 | count & 0x1f, kind, 0, 0]);
    start
}

fn finish(out: &mut Vec<u8>, start: usize) {
    let length = (out.len() - start).next_multiple_of(4);
    out.resize(start + length, 0);
    if let Some([high, low]) = out.get_mut(start + 2..start + 4) {
        [*high, *low] = ((length / 4 - 1) as u16).to_be_bytes();
    }
}

struct Raw<'a> {
    count: usize,
    kind: u8,
    padded: bool,
    body: &'a [u8],
}

fn split(bytes: &[u8]) -> Result<(Raw<'_>, &[u8]), Flaw> {
    let [first, kind, ..] = *bytes else { return Err(Flaw::Cut) };
    if first >> 6 != 2 {
        return Err(Flaw::Version(first >> 6));
    }
    let end = (usize::from(read_u16(bytes, 2)) + 1) * 4;
    let (mut body, rest) = (bytes.get(4..end).ok_or(Flaw::Cut)?, bytes.get(end..).ok_or(Flaw::Cut)?);
    let padded = first & 0x20 != 0;
    if padded {
        let padding = usize::from(body.last().copied().unwrap_or(0));
        let kept = body.len().checked_sub(padding).filter(|_| padding > 0).ok_or(Flaw::Padding)?;
        body = body.get(..kept).ok_or(Flaw::Padding)?;
    }
    Ok((Raw { count: usize::from(first & 0x1f), kind, padded, body }, rest))
}

impl<'a> Raw<'a> {
    fn read(&self) -> Result<Item<'a>, Flaw> {
        match self.kind {
            SENDER_REPORT => self.sender_report(),
            RECEIVER_REPORT => Ok(Item::ReceiverReport { ssrc: self.ssrc()?, blocks: self.blocks(4)? }),
            SOURCE_DESCRIPTION if self.count > 0 => self.name(),
            GOODBYE if self.count > 0 => Ok(Item::Goodbye { ssrc: self.ssrc()? }),
            kind => Ok(Item::Other(kind)),
        }
    }

    fn ssrc(&self) -> Result<u32, Flaw> {
        if self.body.len() < 4 { Err(Flaw::Cut) } else { Ok(read_u32(self.body, 0)) }
    }

    fn sender_report(&self) -> Result<Item<'a>, Flaw> {
        let blocks = self.blocks(24)?;
        let sender = SenderInfo {
            ntp: u64::from(read_u32(self.body, 4)) << 32 | u64::from(read_u32(self.body, 8)),
            rtp_timestamp: read_u32(self.body, 12),
            packets: read_u32(self.body, 16),
            payload_bytes: read_u32(self.body, 20),
        };
        Ok(Item::SenderReport { ssrc: self.ssrc()?, sender, blocks })
    }

    fn blocks(&self, start: usize) -> Result<Blocks<'a>, Flaw> {
        self.body.get(start..start + self.count * BLOCK_BYTES).map(Blocks).ok_or(Flaw::Cut)
    }

    fn name(&self) -> Result<Item<'a>, Flaw> {
        let ssrc = self.ssrc()?;
        let mut items = self.body.get(4..).unwrap_or_default();
        while let [kind, length, after @ ..] = items
            && *kind != SDES_END
        {
            let value = after.get(..usize::from(*length)).ok_or(Flaw::Cut)?;
            if *kind == SDES_CNAME {
                return Ok(Item::Name { ssrc, cname: value });
            }
            items = after.get(value.len()..).unwrap_or_default();
        }
        Ok(Item::Other(self.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn compound(sender: Option<&SenderInfo>, blocks: &[ReportBlock]) -> Vec<u8> {
        let mut out = Vec::new();
        write_report(&mut out, 0x1122_3344, sender, blocks);
        write_name(&mut out, 0x1122_3344, b"7001@192.168.80.23");
        write_goodbye(&mut out, 0x1122_3344);
        out
    }

    #[test]
    fn a_compound_comes_back() {
        let sender =
            SenderInfo { ntp: 0xe569_1234_8000_0000, rtp_timestamp: 160, packets: 9, payload_bytes: 1_440 };
        let block =
            ReportBlock { ssrc: 5, fraction_lost: 12, lost: -3, jitter: 40, ..ReportBlock::default() };
        let bytes = compound(Some(&sender), &[block]);
        let items: Vec<_> = Compound::parse(&bytes).unwrap().items().collect();
        let [Item::SenderReport { ssrc: 0x1122_3344, sender: read, blocks }, name, bye] = items[..] else {
            panic!("{items:?}")
        };
        assert_eq!((read, blocks.iter().collect::<Vec<_>>()), (sender, vec![block]));
        assert_eq!(name, Item::Name { ssrc: 0x1122_3344, cname: b"7001@192.168.80.23" });
        assert_eq!(bye, Item::Goodbye { ssrc: 0x1122_3344 });
    }

    #[test]
    fn a_listener_reports_without_sender_part() {
        let bytes = compound(None, &[]);
        let first = Compound::parse(&bytes).unwrap().items().next();
        assert!(matches!(first, Some(Item::ReceiverReport { ssrc: 0x1122_3344, .. })));
    }

    #[test]
    fn each_flaw_has_its_name() {
        let check =
            |bytes: &[u8], flaw: Flaw| assert_eq!(Compound::parse(bytes).err(), Some(flaw), "{bytes:?}");
        let good = compound(None, &[ReportBlock::default()]);
        check(b"", Flaw::Cut);
        check(&good[..good.len() - 1], Flaw::Cut);
        check(&[0x40, 201, 0, 1, 0, 0, 0, 0], Flaw::Version(1));
        check(&[0x81, 203, 0, 1, 0, 0, 0, 0], Flaw::NotAReportFirst(203));
        check(&[0x81, 201, 0, 1, 0, 0, 0, 0], Flaw::Cut);
        check(&[0xa0, 201, 0, 1, 0, 0, 0, 9], Flaw::Padding);
        check(&[0xa0, 201, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0x80, 201, 0, 1, 0, 0, 0, 0], Flaw::Padding);
        check(&[0x80, 201, 0, 1, 0, 0, 0, 0, 0x81, 202, 0, 2, 0, 0, 0, 0, 1, 200, 0, 0], Flaw::Cut);
    }

    #[test]
    fn the_round_trip_is_what_is_left() {
        let sent = Time::from_secs(1_700_000_000);
        let held = Duration::from_millis(2_300);
        let trip = Duration::from_millis(64);
        let block = ReportBlock {
            last_report: middle_of(ntp_of(sent)),
            delay_since_last_report: units_of(held),
            ..ReportBlock::default()
        };
        let measured = block.round_trip(ntp_of(sent + held + trip)).unwrap();
        assert!(measured.abs_diff(trip) < Duration::from_micros(50), "{measured:?}");
        assert_eq!(block.round_trip(ntp_of(sent + held)), Some(Duration::ZERO));
        assert_eq!(block.round_trip(ntp_of(sent)), None);
        assert_eq!(ReportBlock::default().round_trip(ntp_of(sent)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(mut bytes in vec(any::<u8>(), 0..120), shape in 0usize..4) {
            // Random bytes seldom pass the first check; begin as a report does.
            if let (Some(head), 1..) = (bytes.get_mut(..4), shape) {
                head.copy_from_slice(&[0x80 | shape as u8, 199 + shape as u8, 0, 7]);
            }
            if let Ok(compound) = Compound::parse(&bytes) {
                for item in compound.items() {
                    if let Item::SenderReport { blocks, .. } | Item::ReceiverReport { blocks, .. } = item {
                        prop_assert!(blocks.iter().count() <= BLOCKS_LIMIT);
                    }
                }
            }
        }

        #[test]
        fn a_block_survives_its_bytes(
            ssrc: u32, fraction_lost: u8, lost in -0x80_0000..0x80_0000, highest_sequence: u32, jitter: u32,
            last_report: u32, delay_since_last_report: u32,
        ) {
            let block = ReportBlock {
                ssrc, fraction_lost, lost, highest_sequence, jitter, last_report, delay_since_last_report,
            };
            let mut bytes = Vec::new();
            block.write(&mut bytes);
            prop_assert_eq!(ReportBlock::read(&bytes), block);
        }
    }
}
