//! Where the far end is: told by signalling, learnt from its packets, then locked.
//!
//! Behind a NAT the address in SDP is often wrong (RFC 4961 symmetric RTP), yet whoever can send a
//! datagram here must not get the sound ("RTP bleed"). So sources have ranks: the signalled address is
//! believed at once, also after another had been; its host and the one that signalling comes from need
//! packets in a row; anybody else needs them too, and half a second of them where both hosts are the
//! same: then there is no NAT, yet a host may send from another of its addresses. Once locked, the far end
//! goes on from elsewhere after a silence: from any address with the same stream, from an equal one with
//! a new stream, from a lower one never. A packet that was authenticated by SRTP is believed from anywhere.

use crate::Time;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Packets in a row that an unexpected source must show.
const PROBATION_PACKETS: u8 = 3;
/// As many must a source show of which neither SDP nor signalling knows the host, where those two agree.
const FOREIGN_PACKETS: u8 = 25;
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
    home: Option<IpAddr>,
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

/// How much speaks for an address.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    /// Neither SDP nor signalling knows its host.
    Foreign,
    /// The host that SDP names, or that signalling comes from.
    Host,
    /// The address that SDP names.
    Signalled,
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
        Self { symmetric, signalled, home: None, locked: None, candidate: None }
    }

    /// A new address by signalling (re-INVITE): what was learnt is forgotten.
    pub fn signal(&mut self, address: Option<SocketAddr>) {
        if address != self.signalled {
            *self = Self { home: self.home, ..Self::new(address, self.symmetric) };
        }
    }

    /// Where the far end's signalling comes from, if that is known: its media may come from the same host.
    /// Another host than before forgets what was learnt.
    pub fn signal_home(&mut self, home: Option<IpAddr>) {
        if home != self.home {
            *self = Self { home, ..Self::new(self.signalled, self.symmetric) };
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

    /// True where nobody is left who could take the far end's place while it speaks: it is where SDP says,
    /// or behind a NAT where its signalling comes from.
    pub fn is_settled(&self) -> bool {
        let behind_nat = |from: SocketAddr| self.home == Some(from.ip()) && !self.has_no_nat();
        self.locked.is_some_and(|locked| self.signalled == Some(locked.from) || behind_nat(locked.from))
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
        let rank = self.rank(seen.from);
        let packets = match rank {
            Rank::Signalled => 1,
            Rank::Foreign if self.has_no_nat() => FOREIGN_PACKETS,
            Rank::Foreign | Rank::Host => PROBATION_PACKETS,
        };
        let Some(locked) = self.locked else { return Some(packets) };
        let silence = now.since(locked.at);
        if locked.from == seen.from {
            return Some(if silence >= SSRC_SILENCE { 1 } else { PROBATION_PACKETS });
        }
        let before = self.rank(locked.from);
        if rank > before {
            return Some(packets);
        }
        let same_stream = locked.ssrc == seen.ssrc && seen.sequence.wrapping_sub(locked.sequence) < 1_000;
        let patience = match same_stream {
            true => SAME_STREAM_SILENCE,
            false if rank == before => SILENCE,
            false => return None,
        };
        (silence >= patience).then_some(packets)
    }

    fn rank(&self, from: SocketAddr) -> Rank {
        let hosts = [self.signalled.map(|signalled| signalled.ip()), self.home];
        if self.signalled == Some(from) {
            Rank::Signalled
        } else if hosts.contains(&Some(from.ip())) {
            Rank::Host
        } else {
            Rank::Foreign
        }
    }

    /// True where the far end signals from the host that its SDP names, and where SDP names none: media
    /// from elsewhere is then hardly its own.
    fn has_no_nat(&self) -> bool {
        let Some(home) = self.home else { return false };
        self.signalled.is_none_or(|signalled| signalled.ip() == home)
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

    /// Four packets of a source that is not locked, from the given time on.
    fn row(at_ms: u64, from: &str, ssrc: u32, third: bool) -> [(u64, &str, u32, u16, bool); 4] {
        let packet = |step: u16, accepted| (at_ms + u64::from(step) * 20, from, ssrc, 50 + step, accepted);
        [packet(0, false), packet(1, false), packet(2, third), packet(3, third)]
    }

    #[test]
    fn after_silence_a_new_stream_comes_from_an_equal_address() {
        let mut remote = symmetric();
        check(&mut remote, &row(0, NAT, 1, true), NAT);
        check(&mut remote, &row(1_900, OTHER, 2, false), NAT);
        check(&mut remote, &row(2_200, OTHER, 3, true), OTHER);
    }

    #[test]
    fn after_silence_no_new_stream_comes_from_a_lower_address() {
        let mut remote = symmetric();
        check(&mut remote, &[(0, SIGNALLED, 1, 1, true)], SIGNALLED);
        check(&mut remote, &row(60_000, OTHER, 2, false), SIGNALLED);
        check(&mut remote, &row(61_000, "10.0.0.1:777", 3, false), SIGNALLED);
    }

    #[test]
    fn the_signalled_address_takes_its_place_from_whoever_was_there_first() {
        let mut remote = symmetric();
        check(&mut remote, &row(0, OTHER, 2, true), OTHER);
        assert!(!remote.is_settled());
        check(&mut remote, &[(85, SIGNALLED, 1, 1, true), (90, OTHER, 2, 54, false)], SIGNALLED);
        let mut remote = symmetric();
        check(&mut remote, &row(0, OTHER, 2, true), OTHER);
        check(&mut remote, &row(65, "10.0.0.1:777", 3, true), "10.0.0.1:777");
        check(&mut remote, &[(130, OTHER, 2, 54, false)], "10.0.0.1:777");
    }

    #[test]
    fn without_nat_a_few_packets_of_a_stranger_are_not_believed() {
        let mut remote = symmetric();
        remote.signal_home(Some("10.0.0.1".parse().unwrap()));
        check(&mut remote, &row(0, OTHER, 2, false), SIGNALLED);
        check(&mut remote, &row(100, "10.0.0.1:777", 3, true), "10.0.0.1:777");
        check(&mut remote, &[(200, SIGNALLED, 1, 1, true)], SIGNALLED);
        check(&mut remote, &row(60_000, OTHER, 1, false), SIGNALLED);
    }

    #[test]
    fn a_host_that_sends_from_another_of_its_addresses_is_heard_after_half_a_second() {
        let mut remote = symmetric();
        remote.signal_home(Some("10.0.0.1".parse().unwrap()));
        let packet = |n: u16| (u64::from(n) * 20, OTHER, 2, n, n >= 25);
        let packets: Vec<_> = (1..30).map(packet).collect();
        check(&mut remote, &packets, OTHER);
        check(&mut remote, &[(600, SIGNALLED, 1, 1, true)], SIGNALLED);
    }

    #[test]
    fn behind_a_nat_the_host_of_the_signalling_comes_first() {
        let mut remote = symmetric();
        remote.signal_home(Some("192.0.2.7".parse().unwrap()));
        check(&mut remote, &row(0, OTHER, 2, true), OTHER);
        check(&mut remote, &row(65, NAT, 1, true), NAT);
        assert!(remote.is_settled());
        check(&mut remote, &row(9_000, OTHER, 2, false), NAT);
        // It signals from elsewhere now: what was learnt is void.
        remote.signal_home(Some("198.51.100.9".parse().unwrap()));
        check(&mut remote, &row(9_100, OTHER, 2, true), OTHER);
    }

    #[test]
    fn without_an_address_the_host_of_the_signalling_is_heard_first() {
        let mut remote = Remote::new(None, true);
        remote.signal_home(Some("192.0.2.7".parse().unwrap()));
        let refused = row(0, OTHER, 2, false);
        for (at_ms, from, ssrc, sequence, _) in refused {
            let seen = Sighting { from: from.parse().unwrap(), ssrc, sequence, authentic: false };
            assert!(!remote.accept(Time::from_millis(at_ms), seen));
        }
        check(&mut remote, &row(100, NAT, 1, true), NAT);
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
