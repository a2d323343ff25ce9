//! Datagrams out of their pieces (RFC 791 §3.2, RFC 8200 §4.5).

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::ip;
use crate::doctor::Proof;
use crate::doctor::tracks::LostFragment;

/// Datagrams that wait for pieces; the oldest gives way.
pub const DATAGRAMS_LIMIT: usize = 1_024;
/// Bytes of all pieces that wait.
pub const BYTES_LIMIT: usize = 8 * 1_024 * 1_024;
/// The most pieces of one datagram.
const PIECES_LIMIT: usize = 64;
/// The longest datagram.
const DATAGRAM_LIMIT: usize = 65_535;
/// How long a datagram waits, RFC 8200 §4.5.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a datagram's beginning that are kept for the report.
const HEAD_BYTES: usize = 512;

type Key = (IpAddr, IpAddr, u8, u32);

/// Pieces that wait for others.
#[derive(Debug, Default)]
pub struct Fragments {
    waiting: BTreeMap<Key, Waiting>,
    /// Keys in the order of their beginnings; some may be done.
    order: VecDeque<(Key, Proof)>,
    bytes: usize,
    lost: Vec<LostFragment>,
}

#[derive(Debug)]
struct Waiting {
    begun: Proof,
    pieces: BTreeMap<usize, Vec<u8>>,
    total: Option<usize>,
    bytes: usize,
}

impl Fragments {
    /// Takes a piece; gives the datagram once it is whole. A piece that the capture has cut makes none.
    pub fn take(&mut self, proof: Proof, packet: &ip::Packet<'_>) -> Option<Vec<u8>> {
        let fragment = packet.fragment?;
        self.expire(proof);
        let key = (packet.source, packet.destination, packet.protocol, fragment.identification);
        let end = fragment.offset + packet.payload.len();
        if end > DATAGRAM_LIMIT || packet.missing > 0 {
            return None;
        }
        let waiting = self.waiting.entry(key).or_insert_with(|| {
            self.order.push_back((key, proof));
            Waiting { begun: proof, pieces: BTreeMap::new(), total: None, bytes: 0 }
        });
        if !fragment.more {
            waiting.total = Some(end);
        }
        if waiting.pieces.len() < PIECES_LIMIT && !waiting.pieces.contains_key(&fragment.offset) {
            waiting.pieces.insert(fragment.offset, packet.payload.to_vec());
            waiting.bytes += packet.payload.len();
            self.bytes += packet.payload.len();
        }
        let whole = waiting.whole();
        if whole.is_some() {
            self.forget(key);
        }
        self.make_room();
        whole
    }

    /// What never became whole, so far; the caller keeps it.
    pub fn take_lost(&mut self) -> Vec<LostFragment> {
        std::mem::take(&mut self.lost)
    }

    /// Gives up all that waits.
    pub fn finish(&mut self) -> Vec<LostFragment> {
        while let Some((key, _)) = self.order.pop_front() {
            self.lose(key);
        }
        self.take_lost()
    }

    fn expire(&mut self, now: Proof) {
        while let Some((key, begun)) = self.order.front().copied() {
            let is_done = self.waiting.get(&key).is_none_or(|waiting| waiting.begun != begun);
            if !is_done && now.at.since(begun.at) <= PATIENCE {
                return;
            }
            self.order.pop_front();
            if !is_done {
                self.lose(key);
            }
        }
    }

    fn make_room(&mut self) {
        while self.waiting.len() > DATAGRAMS_LIMIT || self.bytes > BYTES_LIMIT {
            match self.order.pop_front() {
                Some((key, _)) => self.lose(key),
                None => return,
            }
        }
    }

    fn forget(&mut self, key: Key) -> Option<Waiting> {
        let waiting = self.waiting.remove(&key)?;
        self.bytes -= waiting.bytes;
        Some(waiting)
    }

    fn lose(&mut self, key: Key) {
        let Some(waiting) = self.forget(key) else { return };
        let mut head = waiting.pieces.get(&0).cloned().unwrap_or_default();
        head.truncate(HEAD_BYTES);
        // The lost pieces are told at least as often as they are asked for, hence the bound.
        if self.lost.len() < DATAGRAMS_LIMIT {
            self.lost.push(LostFragment {
                proof: waiting.begun,
                source: key.0,
                destination: key.1,
                bytes: waiting.bytes as u32,
                is_sip: key.2 == 17 && head.get(8..).is_some_and(super::looks_like_sip),
                head,
            });
        }
    }
}

impl Waiting {
    /// The datagram, if no piece of it is missing. Where pieces overlap, the earlier bytes stay.
    fn whole(&self) -> Option<Vec<u8>> {
        let total = self.total?;
        let mut all = Vec::new();
        for (&offset, piece) in &self.pieces {
            if offset > all.len() {
                return None;
            }
            all.extend_from_slice(piece.get(all.len() - offset..).unwrap_or_default());
        }
        (all.len() >= total).then(|| {
            all.truncate(total);
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Time;

    fn proof(secs: u64) -> Proof {
        Proof { at: Time::from_secs(secs), file: 0, number: 1, offset: 0 }
    }

    fn piece(identification: u32, offset: usize, more: bool, payload: &[u8]) -> ip::Packet<'_> {
        let address = IpAddr::from([192, 0, 2, 1]);
        let fragment = Some(ip::Fragment { identification, offset, more });
        ip::Packet { source: address, destination: address, protocol: 17, payload, missing: 0, fragment }
    }

    fn check(pieces: &[(usize, bool, &[u8])], whole: Option<&[u8]>) {
        let mut fragments = Fragments::default();
        let mut last = None;
        for &(offset, more, bytes) in pieces {
            last = fragments.take(proof(0), &piece(7, offset, more, bytes)).or(last);
        }
        assert_eq!(last.as_deref(), whole);
        assert_eq!(fragments.waiting.is_empty(), whole.is_some());
        assert_eq!(fragments.bytes == 0, whole.is_some());
    }

    #[test]
    fn in_any_order_and_overlapping() {
        let whole = Some(&b"abcdefghIJ"[..]);
        check(&[(0, true, b"abcdefgh"), (8, false, b"IJ")], whole);
        check(&[(8, false, b"IJ"), (0, true, b"abcdefgh")], whole);
        check(&[(8, false, b"IJ"), (8, false, b"IJ"), (0, true, b"abcdefgh")], whole);
        check(&[(0, true, b"abcdefgh"), (0, true, b"ABCDEFGH"), (8, false, b"IJ")], whole);
        check(&[(0, true, b"abcdefgh"), (4, false, b"xxxxIJ")], whole);
        check(&[(0, true, b"abcdefgh"), (16, false, b"IJ")], None);
        check(&[(0, true, b"abcdefgh")], None);
    }

    #[test]
    fn what_is_missing_after_a_minute_is_told() {
        let mut fragments = Fragments::default();
        let head = [&[0u8; 8][..], b"INVITE sip:7002@h SIP/2.0\r\n"].concat();
        fragments.take(proof(0), &piece(7, 0, true, &head));
        fragments.take(proof(61), &piece(8, 0, true, b"other"));
        let lost = fragments.take_lost();
        assert_eq!(lost.iter().map(|lost| (lost.is_sip, lost.bytes)).collect::<Vec<_>>(), [(true, 35)]);
        assert_eq!(fragments.finish().len(), 1);
    }

    #[test]
    fn a_million_pieces_are_bounded() {
        let mut fragments = Fragments::default();
        for identification in 0..1_000_000 {
            fragments.take(proof(0), &piece(identification, 8, true, &[0; 100]));
        }
        assert_eq!(fragments.waiting.len(), DATAGRAMS_LIMIT);
        assert!(fragments.order.len() <= DATAGRAMS_LIMIT + 1);
        assert!(fragments.lost.len() <= DATAGRAMS_LIMIT);
        for offset in 0..8_000 {
            fragments.take(proof(0), &piece(u32::MAX, offset * 8, true, &[0; 100]));
        }
        assert!(fragments.bytes <= BYTES_LIMIT);
    }
}
