//! One direction of a TCP connection put in order (RFC 9293 §3.4), from a capture that may lack parts.

use std::collections::BTreeMap;

/// Bytes that wait for earlier ones; beyond this the missing ones are given up.
pub const PENDING_BYTES_LIMIT: usize = 256 * 1_024;
/// Segments that wait for earlier ones.
pub const PENDING_LIMIT: usize = 128;

/// A segment's header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment<'a> {
    /// Port of the sender.
    pub source_port: u16,
    /// Port of the receiver.
    pub destination_port: u16,
    /// The sequence number of its first byte.
    pub sequence: u32,
    /// The number that it acknowledges; meaningful with [`ACK`].
    pub acknowledged: u32,
    /// FIN, SYN, RST, PSH, ACK from bit 0.
    pub flags: u8,
    /// What it carries.
    pub payload: &'a [u8],
}

/// The sender is done.
pub const FIN: u8 = 0x01;
/// A connection begins.
pub const SYN: u8 = 0x02;
/// A connection is refused or broken off.
pub const RST: u8 = 0x04;
/// Something is acknowledged.
pub const ACK: u8 = 0x10;

/// Reads a segment; `None` where its header is cut or cannot be.
pub fn parse(bytes: &[u8]) -> Option<Segment<'_>> {
    let fixed = bytes.first_chunk::<20>()?;
    let number = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let head = usize::from(fixed[12] >> 4) * 4;
    Some(Segment {
        source_port: u16::from_be_bytes([fixed[0], fixed[1]]),
        destination_port: u16::from_be_bytes([fixed[2], fixed[3]]),
        sequence: number(4),
        acknowledged: number(8),
        flags: fixed[13],
        payload: bytes.get(head..).filter(|_| head >= 20)?,
    })
}

/// What a direction gives, in order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// The next bytes.
    Bytes(&'a [u8]),
    /// So many bytes are not in the capture.
    Gap(u64),
}

/// One direction.
#[derive(Debug, Default)]
pub struct Half {
    /// The sequence number of the byte that comes next; `None` before the first segment.
    next: Option<u32>,
    /// How many bytes came before it.
    position: u64,
    /// Segments beyond it, by position.
    pending: BTreeMap<u64, Vec<u8>>,
    pending_bytes: usize,
}

impl Half {
    /// The connection begins with this number.
    pub fn synchronize(&mut self, sequence: u32) {
        if self.next.is_none() {
            self.next = Some(sequence.wrapping_add(1));
        }
    }

    /// Bytes that wait for earlier ones.
    pub fn held_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// How many bytes were given or skipped.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes a segment's bytes, of which the capture lacks `missing` at the end.
    pub fn take(&mut self, sequence: u32, bytes: &[u8], missing: usize, give: &mut dyn FnMut(Piece<'_>)) {
        if bytes.is_empty() && missing == 0 {
            return;
        }
        let next = *self.next.get_or_insert(sequence);
        let ahead = i64::from(sequence.wrapping_sub(next) as i32);
        if ahead > 0 {
            return self.keep(ahead as u64, bytes, give);
        }
        let known = ahead.unsigned_abs() as usize;
        if known < bytes.len() {
            self.give(bytes.get(known..).unwrap_or_default(), give);
        }
        let end = bytes.len() + missing;
        if missing > 0 && known < end {
            self.skip((end - known.max(bytes.len())) as u64, give);
        }
        self.give_pending(give);
    }

    /// The other side has all bytes up to this number, so what the capture lacks of them never comes.
    pub fn acknowledged(&mut self, number: u32, give: &mut dyn FnMut(Piece<'_>)) {
        let Some(next) = self.next else { return };
        if self.pending.is_empty() || (number.wrapping_sub(next) as i32) <= 0 {
            return;
        }
        let until = self.position + u64::from(number.wrapping_sub(next));
        let first = self.pending.keys().next().copied().unwrap_or(until);
        if first <= until && first > self.position {
            self.skip(first - self.position, give);
            self.give_pending(give);
        }
    }

    /// The connection is over: gives what waits, with its gaps.
    pub fn finish(&mut self, give: &mut dyn FnMut(Piece<'_>)) {
        while !self.pending.is_empty() {
            self.skip_to_pending(give);
        }
    }

    fn keep(&mut self, ahead: u64, bytes: &[u8], give: &mut dyn FnMut(Piece<'_>)) {
        let at = self.position + ahead;
        let longer = self.pending.get(&at).is_none_or(|kept| kept.len() < bytes.len());
        if longer && !bytes.is_empty() {
            let before = self.pending.insert(at, bytes.to_vec());
            self.pending_bytes += bytes.len();
            self.pending_bytes -= before.map_or(0, |before| before.len());
        }
        while self.pending_bytes > PENDING_BYTES_LIMIT || self.pending.len() > PENDING_LIMIT {
            self.skip_to_pending(give);
        }
    }

    fn skip_to_pending(&mut self, give: &mut dyn FnMut(Piece<'_>)) {
        if let Some(&first) = self.pending.keys().next()
            && first > self.position
        {
            self.skip(first - self.position, give);
        }
        self.give_pending(give);
    }

    fn give_pending(&mut self, give: &mut dyn FnMut(Piece<'_>)) {
        while let Some(first) = self.pending.first_entry() {
            let at = *first.key();
            if at > self.position {
                return;
            }
            let bytes = first.remove();
            self.pending_bytes -= bytes.len();
            let known = usize::try_from(self.position - at).unwrap_or(usize::MAX);
            if let Some(fresh) = bytes.get(known..).filter(|fresh| !fresh.is_empty()) {
                self.give(fresh, give);
            }
        }
    }

    fn give(&mut self, bytes: &[u8], give: &mut dyn FnMut(Piece<'_>)) {
        self.advance(bytes.len() as u64);
        give(Piece::Bytes(bytes));
    }

    fn skip(&mut self, count: u64, give: &mut dyn FnMut(Piece<'_>)) {
        self.advance(count);
        give(Piece::Gap(count));
    }

    fn advance(&mut self, count: u64) {
        self.position += count;
        self.next = self.next.map(|next| next.wrapping_add(count as u32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(half: &mut Half, segments: &[(u32, &[u8])]) -> String {
        let mut all = String::new();
        let mut give = |piece: Piece<'_>| match piece {
            Piece::Bytes(bytes) => all.push_str(&String::from_utf8_lossy(bytes)),
            Piece::Gap(count) => all.push_str(&format!("[{count}]")),
        };
        for (sequence, bytes) in segments {
            half.take(*sequence, bytes, 0, &mut give);
        }
        half.finish(&mut give);
        all
    }

    fn check(segments: &[(u32, &[u8])], expected: &str) {
        let mut half = Half::default();
        half.synchronize(u32::MAX - 2);
        let from = (u32::MAX - 1, 0);
        let moved: Vec<_> = segments.iter().map(|(at, bytes)| (from.0.wrapping_add(*at), *bytes)).collect();
        assert_eq!(run(&mut half, &moved), expected);
    }

    #[test]
    fn order_overlap_and_loss_over_the_end_of_the_numbers() {
        check(&[(0, b"abc"), (3, b"def")], "abcdef");
        check(&[(3, b"def"), (0, b"abc")], "abcdef");
        check(&[(0, b"abc"), (0, b"abc"), (3, b"d")], "abcd");
        check(&[(0, b"abc"), (1, b"bcde")], "abcde");
        check(&[(0, b"a"), (4, b"ef"), (2, b"cde"), (1, b"b")], "abcdef");
        check(&[(0, b"abc"), (5, b"fg")], "abc[2]fg");
        check(&[(2, b"c")], "[2]c");
    }

    #[test]
    fn a_capture_that_begins_in_the_middle() {
        assert_eq!(run(&mut Half::default(), &[(77, b"abc"), (80, b"d")]), "abcd");
    }

    #[test]
    fn what_was_acknowledged_and_not_captured_is_a_gap_at_once() {
        let (mut half, mut seen) = (Half::default(), Vec::new());
        half.synchronize(0);
        let mut give = |piece: Piece<'_>| seen.push(format!("{piece:?}"));
        half.take(11, b"later", 0, &mut give);
        half.acknowledged(16, &mut give);
        assert_eq!(seen, ["Gap(10)", "Bytes([108, 97, 116, 101, 114])"]);
    }

    #[test]
    fn a_packet_cut_by_the_snap_length_leaves_a_gap() {
        let (mut half, mut seen) = (Half::default(), Vec::new());
        let mut give = |piece: Piece<'_>| seen.push(format!("{piece:?}"));
        half.take(1, b"ab", 3, &mut give);
        half.take(6, b"f", 0, &mut give);
        assert_eq!(seen, ["Bytes([97, 98])", "Gap(3)", "Bytes([102])"]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut half = Half::default();
        half.synchronize(0);
        let mut gaps = 0;
        for step in 1..10_000u32 {
            half.take(step * 2_000, &[0; 1_000], 0, &mut |piece| {
                gaps += u32::from(matches!(piece, Piece::Gap(_)))
            });
            assert!(half.pending.len() <= PENDING_LIMIT && half.pending_bytes <= PENDING_BYTES_LIMIT);
        }
        assert!(gaps > 9_000);
    }

    proptest! {
        #[test]
        fn any_order_of_overlapping_segments_gives_the_stream(
            cuts in proptest::collection::vec((0usize..40, 1usize..12), 1..40), first: u32
        ) {
            let stream: Vec<u8> = (0..52).map(|n| b'a' + n % 26).collect();
            let mut half = Half::default();
            half.synchronize(first.wrapping_sub(1));
            let mut all = Vec::new();
            let mut gaps = 0;
            let mut give = |piece: Piece<'_>| match piece {
                Piece::Bytes(bytes) => all.extend_from_slice(bytes),
                Piece::Gap(count) => gaps += count,
            };
            for (at, length) in cuts.iter().chain([(0, 52)].iter()) {
                half.take(first.wrapping_add(*at as u32), &stream[*at..(at + length).min(52)], 0, &mut give);
            }
            prop_assert_eq!((all, gaps), (stream, 0));
        }
    }
}
