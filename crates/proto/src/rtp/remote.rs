//! Where the far end is: told by signalling, learnt from its packets, then locked.
//!
//! Behind a NAT the address in SDP is often wrong (RFC 4961 symmetric RTP), yet whoever can send a
//! datagram here must not get the sound. So the signalled address is believed at once; any other
//! needs packets in a row, and once locked, the old one must first fall silent. A packet that was
//! authenticated by SRTP is believed from anywhere.

use crate::Time;
use std::net::SocketAddr;
use std::time::Duration;

/// Packets in a row that an unexpected source must show.
const PROBATION_PACKETS: u8 = 3;
/// Sequence numbers of one row may skip this many.
const ROW_GAP: u16 = 10;
/// The locked source has left when nothing came for this long.
const SILENCE: Duration = Duration::from_secs(2);
/// The same stream from elsewhere (a NAT rebinding) is believed sooner.
const SAME_STREAM_SILENCE: Duration = Duration::from_millis(200);
/// A new SSRC at the locked address is believed at once after this much silence of the old one.
const SSRC_SILENCE: Duration = Duration::from_millis(100);

/// What is known of the far end's address.
#[derive(Debug)]
pub struct Remote {
    symmetric: bool,
    signalled: Option<SocketAddr>,
    locked: Option<Locked>,
    candidate: Option<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Locked {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    at: Time,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    count: u8,
}

/// A packet as far as this module cares.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Where it came from.
    pub from: SocketAddr,
    /// Its source.
    pub ssrc: u32,
    /// Its sequence number.
    pub sequence: u16,
    /// SRTP has proved that it is the far end's.
    pub authentic: bool,
}

impl Remote {
    /// `signalled` is what SDP says; without `symmetric` nothing else is ever sent to, and only
    /// that IP address is listened to.
    pub fn new(signalled: Option<SocketAddr>, symmetric: bool) -> Self {
        Self { symmetric, signalled, locked: None, candidate: None }
    }

    /// A new address by signalling (re-INVITE): what was learnt is forgotten.
    pub fn signal(&mut self, address: Option<SocketAddr>) {
        if address != self.signalled {
            *self = Self::new(address, self.symmetric);
        }
    }

    /// Where to send.
    pub fn address(&self) -> Option<SocketAddr> {
        if self.symmetric { self.locked.map(|locked| locked.from).or(self.signalled) } else { self.signalled }
    }

    /// True once packets have been believed.
    pub fn is_locked(&self) -> bool {
        self.locked.is_some()
    }

    /// True where a datagram from here may be of the far end, by its IP address alone.
    pub fn is_near(&self, from: SocketAddr) -> bool {
        let known = [self.signalled, self.locked.map(|locked| locked.from)];
        known.into_iter().flatten().any(|known| known.ip() == from.ip())
    }

    /// True where the packet is the far end's. An untrue one may count towards its trust.
    pub fn accept(&mut self, now: Time, seen: Sighting) -> bool {
        let accepted = seen.authentic || self.continues(&seen) || self.is_trusted(now, &seen);
        if accepted {
            self.lock(now, &seen);
        }
        accepted
    }

    fn continues(&self, seen: &Sighting) -> bool {
        self.locked.is_some_and(|locked| locked.from == seen.from && locked.ssrc == seen.ssrc)
    }

    fn is_trusted(&mut self, now: Time, seen: &Sighting) -> bool {
        if !self.symmetric && self.signalled.is_some() && !self.is_near(seen.from) {
            return false;
        }
        let needed = self.needed(now, seen);
        needed.is_some_and(|needed| self.count(seen) >= needed)
    }

    /// How many packets in a row the source must show; `None` while it is not listened to.
    fn needed(&self, now: Time, seen: &Sighting) -> Option<u8> {
        let Some(locked) = self.locked else {
            return Some(if self.signalled == Some(seen.from) { 1 } else { PROBATION_PACKETS });
        };
        let silence = now.since(locked.at);
        if locked.from == seen.from {
            return Some(if silence >= SSRC_SILENCE { 1 } else { PROBATION_PACKETS });
        }
        let same_stream = locked.ssrc == seen.ssrc && seen.sequence.wrapping_sub(locked.sequence) < 1_000;
        let patience = if same_stream { SAME_STREAM_SILENCE } else { SILENCE };
        (silence >= patience).then_some(PROBATION_PACKETS)
    }

    fn count(&mut self, seen: &Sighting) -> u8 {
        let follows = |candidate: &Candidate| {
            let ahead = seen.sequence.wrapping_sub(candidate.sequence);
            candidate.from == seen.from && candidate.ssrc == seen.ssrc && (1..=ROW_GAP).contains(&ahead)
        };
        let count = self.candidate.filter(follows).map_or(0, |candidate| candidate.count).saturating_add(1);
        let (from, ssrc, sequence) = (seen.from, seen.ssrc, seen.sequence);
        self.candidate = Some(Candidate { from, ssrc, sequence, count });
        count
    }

    fn lock(&mut self, now: Time, seen: &Sighting) {
        self.candidate = None;
        let (from, ssrc, sequence) = (seen.from, seen.ssrc, seen.sequence);
        self.locked = Some(Locked { from, ssrc, sequence, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALLED: &str = "10.0.0.1:10000";
    const NAT: &str = "192.0.2.7:40000";
    const OTHER: &str = "198.51.100.9:5000";

    /// (at ms, from, ssrc, sequence, accepted) for each packet, then where sound goes.
    fn check(remote: &mut Remote, packets: &[(u64, &str, u32, u16, bool)], address: &str) {
        for &(at_ms, from, ssrc, sequence, accepted) in packets {
            let seen = Sighting { from: from.parse().unwrap(), ssrc, sequence, authentic: false };
            assert_eq!(remote.accept(Time::from_millis(at_ms), seen), accepted, "at {at_ms} ms from {from}");
        }
        assert_eq!(remote.address(), Some(address.parse().unwrap()));
    }

    fn symmetric() -> Remote {
        Remote::new(Some(SIGNALLED.parse().unwrap()), true)
    }

    #[test]
    fn the_signalled_address_is_believed_at_once() {
        check(&mut symmetric(), &[(0, SIGNALLED, 1, 1, true)], SIGNALLED);
    }

    #[test]
    fn another_needs_three_in_a_row() {
        let packets =
            [(0, NAT, 1, 1, false), (20, NAT, 1, 2, false), (40, NAT, 1, 3, true), (60, NAT, 1, 4, true)];
        check(&mut symmetric(), &packets, NAT);
        let packets = [(0, NAT, 1, 1, false), (20, OTHER, 2, 9, false), (40, NAT, 1, 2, false)];
        check(&mut symmetric(), &packets, SIGNALLED);
        check(
            &mut symmetric(),
            &[(0, NAT, 1, 1, false), (20, NAT, 1, 1, false), (40, NAT, 1, 900, false)],
            SIGNALLED,
        );
    }

    #[test]
    fn a_stranger_cannot_break_into_a_live_stream() {
        let mut remote = symmetric();
        for step in 0..200u16 {
            let at_ms = u64::from(step) * 20;
            let packets = [
                (at_ms, SIGNALLED, 1, step, true),
                (at_ms + 5, OTHER, 2, step, false),
                (at_ms + 6, OTHER, 1, step, false),
            ];
            check(&mut remote, &packets, SIGNALLED);
        }
    }

    #[test]
    fn after_silence_a_new_source_is_learnt() {
        let mut remote = symmetric();
        check(&mut remote, &[(0, SIGNALLED, 1, 1, true), (1_900, OTHER, 2, 1, false)], SIGNALLED);
        let packets = [(2_100, OTHER, 2, 2, false), (2_120, OTHER, 2, 3, false), (2_140, OTHER, 2, 4, true)];
        check(&mut remote, &packets, OTHER);
    }

    #[test]
    fn a_rebound_nat_is_followed_soon() {
        let mut remote = symmetric();
        let packets = [
            (0, SIGNALLED, 1, 1, true),
            (220, NAT, 1, 12, false),
            (240, NAT, 1, 13, false),
            (260, NAT, 1, 14, true),
        ];
        check(&mut remote, &packets, NAT);
    }

    #[test]
    fn a_new_ssrc_at_the_same_address() {
        let mut remote = symmetric();
        check(&mut remote, &[(0, SIGNALLED, 1, 1, true), (150, SIGNALLED, 2, 7, true)], SIGNALLED);
        let packets =
            [(160, SIGNALLED, 3, 1, false), (170, SIGNALLED, 3, 2, false), (180, SIGNALLED, 3, 3, true)];
        check(&mut remote, &packets, SIGNALLED);
    }

    #[test]
    fn an_authentic_packet_is_believed_from_anywhere() {
        let mut remote = symmetric();
        check(&mut remote, &[(0, SIGNALLED, 1, 1, true)], SIGNALLED);
        let seen = Sighting { from: OTHER.parse().unwrap(), ssrc: 1, sequence: 2, authentic: true };
        assert!(remote.accept(Time::from_millis(20), seen));
        assert_eq!(remote.address(), Some(OTHER.parse().unwrap()));
    }

    #[test]
    fn without_symmetric_only_the_signalled_host_is_heard_and_sent_to() {
        let mut remote = Remote::new(Some(SIGNALLED.parse().unwrap()), false);
        let port = "10.0.0.1:777";
        let packets = [
            (0, OTHER, 1, 1, false),
            (20, OTHER, 1, 2, false),
            (40, OTHER, 1, 3, false),
            (60, OTHER, 1, 4, false),
            (80, port, 1, 1, false),
            (100, port, 1, 2, false),
            (120, port, 1, 3, true),
        ];
        check(&mut remote, &packets, SIGNALLED);
    }

    #[test]
    fn a_new_signalled_address_forgets_the_old() {
        let mut remote = symmetric();
        check(&mut remote, &[(0, SIGNALLED, 1, 1, true)], SIGNALLED);
        remote.signal(Some(OTHER.parse().unwrap()));
        assert!(!remote.is_locked());
        check(&mut remote, &[(20, OTHER, 5, 1, true)], OTHER);
    }
}
