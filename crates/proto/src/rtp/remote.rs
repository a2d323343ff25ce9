//! Where the far end is: told by signalling, learnt from its packets, then locked.
//!
//! Behind a NAT the address in SDP is often wrong (RFC 4961 symmetric RTP), yet whoever can send a
//! datagram here must not get the sound ("RTP bleed"). Sound is expected from two places: the address that
//! SDP names (media servers and session border controllers send from there) and the host that the
//! signalling comes from (a phone behind a NAT does). A packet from either is believed at once and takes
//! the place of a stranger at any time. A stranger is believed after half a second of packets that could be
//! the far end's (an agreed payload type, one SSRC, sequence numbers in a row, timestamps at the rate
//! of the clock), and only while nothing comes from the places where sound is expected. Once one of these
//! has been heard, a stranger must go on with the very stream that was heard there. A packet that SRTP has
//! verified is believed from anywhere; with SRTP the others never come here.

use super::format::Format;
use super::packet::Packet;
use crate::Time;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long a stranger must send what could be the far end's.
const TRIAL: Duration = Duration::from_millis(500);
/// His packets come no further apart.
const TRIAL_GAP: Duration = Duration::from_millis(120);
/// How far his timestamps may be from the clock, as a part of a second.
const TRIAL_JITTER: i64 = 8;
/// Strangers who are on trial at a time. One alone cannot keep the other from ending his trial.
const TRIALS: usize = 2;
/// Packets in a row that an expected source must show to take the place of another expected one.
const ROW_PACKETS: u8 = 3;
/// Sequence numbers of one row may skip this many.
const ROW_GAP: u16 = 10;
/// The locked source has left when nothing came for this long.
const SILENCE: Duration = Duration::from_secs(2);
/// One that has been heard for less than [`TRIAL`] has left sooner.
const YOUNG_SILENCE: Duration = Duration::from_millis(100);
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
    formats: Vec<Format>,
    locked: Option<Locked>,
    row: Option<Row>,
    trials: [Option<Trial>; TRIALS],
}

#[derive(Clone, Copy, Debug)]
struct Locked {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    /// The first packet from there.
    since: Time,
    /// The last one.
    at: Time,
}

/// Packets of one source, one after the other.
#[derive(Clone, Copy, Debug)]
struct Row {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    count: u8,
}

/// A stranger whose packets could be the far end's.
#[derive(Clone, Copy, Debug)]
struct Trial {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    first_timestamp: u32,
    since: Time,
    at: Time,
}

/// How much speaks for an address.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    /// Neither SDP nor signalling knows its host.
    Stranger,
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
    /// Its timestamp.
    pub timestamp: u32,
    /// What it holds.
    pub payload_type: u8,
    /// SRTP has proved that it is the far end's.
    pub authentic: bool,
}

impl Sighting {
    /// A packet that came from there; `authentic` where SRTP has proved that it is the far end's.
    pub const fn of(packet: &Packet<'_>, from: SocketAddr, authentic: bool) -> Self {
        let Packet { ssrc, sequence, timestamp, payload_type, .. } = *packet;
        Self { from, ssrc, sequence, timestamp, payload_type, authentic }
    }
}

impl Remote {
    /// `signalled` is what SDP says; without `symmetric` nothing else is ever sent to, and only
    /// that IP address is listened to.
    pub fn new(signalled: Option<SocketAddr>, symmetric: bool) -> Self {
        Self {
            symmetric,
            signalled,
            home: None,
            formats: Vec::new(),
            locked: None,
            row: None,
            trials: [None; TRIALS],
        }
    }

    /// A new address by signalling (re-INVITE): what was learnt is forgotten.
    pub fn signal(&mut self, address: Option<SocketAddr>) {
        if address != self.signalled {
            self.signalled = address;
            self.forget();
        }
    }

    /// Where the far end's signalling comes from, if that is known: its media may come from the same host.
    /// Another host than before forgets what was learnt.
    pub fn signal_home(&mut self, home: Option<IpAddr>) {
        if home != self.home {
            self.home = home;
            self.forget();
        }
    }

    /// What the far end may send. A stranger who sends anything else is not believed, whatever he does;
    /// where nothing has been agreed none is.
    pub fn agree(&mut self, formats: Vec<Format>) {
        self.formats = formats;
    }

    fn forget(&mut self) {
        (self.locked, self.row, self.trials) = (None, None, [None; TRIALS]);
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
    /// or has been for a while behind a NAT where its signalling comes from.
    pub fn is_settled(&self) -> bool {
        let behind_nat = |locked: &Locked| {
            let elsewhere = self.signalled.is_some_and(|signalled| Some(signalled.ip()) != self.home);
            elsewhere && self.home == Some(locked.from.ip()) && !locked.is_young()
        };
        self.locked.is_some_and(|locked| self.signalled == Some(locked.from) || behind_nat(&locked))
    }

    /// True where a datagram from here may be of the far end, by its IP address alone.
    pub fn is_near(&self, from: SocketAddr) -> bool {
        let known = [self.signalled, self.locked.map(|locked| locked.from)];
        let known = known.into_iter().flatten().map(|known| known.ip());
        known.chain(self.home).any(|known| known == from.ip())
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
        let rank = self.rank(seen.from);
        if !self.symmetric && self.signalled.is_some_and(|signalled| signalled.ip() != seen.from.ip()) {
            return false;
        }
        let Some(locked) = self.locked else { return rank > Rank::Stranger || self.stands_trial(now, seen) };
        let silence = now.since(locked.at);
        if locked.from == seen.from {
            return silence >= SSRC_SILENCE || self.is_row(seen);
        }
        let before = self.rank(locked.from);
        if rank > before {
            return true;
        }
        let same_stream = locked.ssrc == seen.ssrc && seen.sequence.wrapping_sub(locked.sequence) < 1_000;
        let patience = match (same_stream, rank == before) {
            (true, _) => SAME_STREAM_SILENCE,
            (false, true) if locked.is_young() => YOUNG_SILENCE,
            (false, true) => SILENCE,
            (false, false) => return false,
        };
        let gone = silence >= patience;
        gone && if rank == Rank::Stranger { self.stands_trial(now, seen) } else { self.is_row(seen) }
    }

    fn rank(&self, from: SocketAddr) -> Rank {
        let hosts = [self.signalled.map(|signalled| signalled.ip()), self.home];
        if self.signalled == Some(from) {
            Rank::Signalled
        } else if hosts.contains(&Some(from.ip())) {
            Rank::Host
        } else {
            Rank::Stranger
        }
    }

    /// Whether an expected source has sent enough in a row.
    fn is_row(&mut self, seen: &Sighting) -> bool {
        let follows = |row: &Row| {
            let ahead = seen.sequence.wrapping_sub(row.sequence);
            row.from == seen.from && row.ssrc == seen.ssrc && (1..=ROW_GAP).contains(&ahead)
        };
        let count = self.row.filter(follows).map_or(0, |row| row.count).saturating_add(1);
        let (from, ssrc, sequence) = (seen.from, seen.ssrc, seen.sequence);
        self.row = Some(Row { from, ssrc, sequence, count });
        count >= ROW_PACKETS
    }

    /// Whether a stranger has done for long enough what the far end would do.
    fn stands_trial(&mut self, now: Time, seen: &Sighting) -> bool {
        let format = self.formats.iter().find(|format| format.payload_type == seen.payload_type);
        let Some(clock_rate_hz) = format.map(|format| format.clock_rate_hz) else { return false };
        let is_his = |trial: &Trial| trial.from == seen.from && trial.ssrc == seen.ssrc;
        let is_free = |trial: &Option<Trial>| trial.is_none_or(|trial| now.since(trial.at) > TRIAL_GAP);
        let his = self.trials.iter().position(|trial| trial.as_ref().is_some_and(is_his));
        let place = his.or_else(|| self.trials.iter().position(is_free));
        let Some(slot) = place.and_then(|place| self.trials.get_mut(place)) else { return false };
        let goes_on = slot.filter(|trial| is_his(trial) && trial.is_followed_by(now, seen, clock_rate_hz));
        let begins = Trial::begin(now, seen);
        let trial = slot.insert(goes_on.map_or(begins, |before| Trial {
            since: before.since,
            first_timestamp: before.first_timestamp,
            ..begins
        }));
        now.since(trial.since) >= TRIAL
    }

    fn lock(&mut self, now: Time, seen: &Sighting) {
        self.row = None;
        self.trials = [None; TRIALS];
        let (from, ssrc, sequence) = (seen.from, seen.ssrc, seen.sequence);
        let since = self.locked.filter(|locked| locked.from == from).map_or(now, |locked| locked.since);
        self.locked = Some(Locked { from, ssrc, sequence, since, at: now });
    }
}

impl Locked {
    /// Heard for less time than a stranger's trial takes.
    fn is_young(&self) -> bool {
        self.at.since(self.since) < TRIAL
    }
}

impl Trial {
    const fn begin(now: Time, seen: &Sighting) -> Self {
        let Sighting { from, ssrc, sequence, timestamp, .. } = *seen;
        Self { from, ssrc, sequence, first_timestamp: timestamp, since: now, at: now }
    }

    /// Whether a packet of the same source is what comes next.
    fn is_followed_by(&self, now: Time, seen: &Sighting, clock_rate_hz: u32) -> bool {
        let in_row = (1..=ROW_GAP).contains(&seen.sequence.wrapping_sub(self.sequence));
        let in_time = now.since(self.at) <= TRIAL_GAP;
        let clock_rate_hz = i64::from(clock_rate_hz);
        let elapsed_us = i64::try_from(now.since(self.since).as_micros()).unwrap_or(i64::MAX);
        let expected = elapsed_us.saturating_mul(clock_rate_hz) / 1_000_000;
        let advanced = i64::from(seen.timestamp.wrapping_sub(self.first_timestamp));
        in_row && in_time && (advanced - expected).abs() <= clock_rate_hz / TRIAL_JITTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALLED: &str = "10.0.0.1:10000";
    const NAT: &str = "192.0.2.7:40000";
    const OTHER: &str = "198.51.100.9:5000";
    const THIRD: &str = "203.0.113.77:6000";

    fn sighting(from: &str, ssrc: u32, sequence: u16) -> Sighting {
        let timestamp = u32::from(sequence) * 160;
        Sighting { from: from.parse().unwrap(), ssrc, sequence, timestamp, payload_type: 8, authentic: false }
    }

    /// (at ms, from, ssrc, sequence, accepted) for each packet, then where sound goes.
    #[track_caller]
    fn check(remote: &mut Remote, packets: &[(u64, &str, u32, u16, bool)], address: &str) {
        for &(at_ms, from, ssrc, sequence, accepted) in packets {
            let seen = sighting(from, ssrc, sequence);
            assert_eq!(remote.accept(Time::from_millis(at_ms), seen), accepted, "at {at_ms} ms from {from}");
        }
        assert_eq!(remote.address(), Some(address.parse().unwrap()));
    }

    /// Sends a second of sound, a packet each 20 ms as `change` makes it of its number; when it was first
    /// believed.
    fn first_believed_ms(
        remote: &mut Remote,
        begin_ms: u64,
        from: &str,
        change: impl Fn(u16, &mut Sighting, &mut u64),
    ) -> Option<u64> {
        let packet = |number: u16| {
            let mut seen = sighting(from, 9, number);
            let mut at_ms = begin_ms + u64::from(number) * 20;
            change(number, &mut seen, &mut at_ms);
            (at_ms, seen)
        };
        let mut packets = (0..50).map(packet);
        let believed = packets.find(|(at_ms, seen)| remote.accept(Time::from_millis(*at_ms), *seen));
        believed.map(|(at_ms, _)| at_ms - begin_ms)
    }

    fn symmetric() -> Remote {
        let mut remote = Remote::new(Some(SIGNALLED.parse().unwrap()), true);
        remote.agree(vec![Format { payload_type: 8, clock_rate_hz: 8_000 }]);
        remote
    }

    fn behind_nat() -> Remote {
        let mut remote = symmetric();
        remote.signal_home(Some("192.0.2.7".parse().unwrap()));
        remote
    }

    /// Four packets of a source, from the given time on; whether the first two and the others are believed.
    fn row(
        at_ms: u64,
        from: &str,
        ssrc: u32,
        (first, third): (bool, bool),
    ) -> [(u64, &str, u32, u16, bool); 4] {
        let packet = |step: u16, accepted| (at_ms + u64::from(step) * 20, from, ssrc, 50 + step, accepted);
        [packet(0, first), packet(1, first), packet(2, third), packet(3, third)]
    }

    const AT_ONCE: (bool, bool) = (true, true);
    const IN_A_ROW: (bool, bool) = (false, true);
    const NEVER: (bool, bool) = (false, false);

    #[test]
    fn a_packet_from_either_expected_address_is_believed_at_once() {
        check(&mut symmetric(), &[(0, SIGNALLED, 1, 1, true)], SIGNALLED);
        check(&mut behind_nat(), &[(0, SIGNALLED, 1, 1, true)], SIGNALLED);
        check(&mut behind_nat(), &[(0, NAT, 1, 1, true)], NAT);
        check(&mut behind_nat(), &[(0, "10.0.0.1:4", 1, 1, true)], "10.0.0.1:4");
        let mut unknown = Remote::new(None, true);
        unknown.signal_home(Some("192.0.2.7".parse().unwrap()));
        check(&mut unknown, &[(0, NAT, 1, 1, true)], NAT);
    }

    #[test]
    fn a_stranger_is_believed_after_half_a_second_by_the_clock() {
        for mut remote in [symmetric(), behind_nat()] {
            assert_eq!(first_believed_ms(&mut remote, 0, OTHER, |_, _, _| {}), Some(500));
            assert_eq!(remote.address(), Some(OTHER.parse().unwrap()));
        }
        let long = |number: u16, seen: &mut Sighting, at_ms: &mut u64| {
            (seen.timestamp, *at_ms) = (u32::from(number) * 480, u64::from(number) * 60);
        };
        assert_eq!(first_believed_ms(&mut symmetric(), 0, OTHER, long), Some(540));
    }

    #[test]
    fn a_stranger_is_not_believed_for_what_the_far_end_would_not_send() {
        let check = |what: &str, change: &dyn Fn(u16, &mut Sighting, &mut u64)| {
            assert_eq!(first_believed_ms(&mut behind_nat(), 0, OTHER, change), None, "{what}");
        };
        check("hundreds of packets at once", &|number, _, at_ms| *at_ms = u64::from(number));
        check("a payload type that was not agreed", &|_, seen, _| seen.payload_type = 0);
        check("timestamps of another clock", &|number, seen, _| seen.timestamp = u32::from(number) * 320);
        check("timestamps that stand still", &|_, seen, _| seen.timestamp = 0);
        check("numbers out of a row", &|number, seen, _| seen.sequence = number * 77);
        check("one number for ever", &|_, seen, _| seen.sequence = 5);
        check("a new source each time", &|number, seen, _| seen.ssrc = number.into());
        check("a packet now and then", &|number, seen, at_ms| {
            (seen.timestamp, *at_ms) = (u32::from(number) * 1_600, u64::from(number) * 200);
        });
        let mut nothing_agreed = behind_nat();
        nothing_agreed.agree(Vec::new());
        assert_eq!(first_believed_ms(&mut nothing_agreed, 0, OTHER, |_, _, _| {}), None);
    }

    #[test]
    fn a_sweep_of_others_does_not_hinder_a_trial() {
        let mut remote = behind_nat();
        for step in 0..25 {
            let at = Time::from_millis(step * 20);
            let swept = format!("203.0.113.9:{}", 1_000 + step);
            assert!(!remote.accept(at, sighting(&swept, 3, 1)));
            assert!(!remote.accept(at, sighting(OTHER, 2, step as u16)));
        }
        check(&mut remote, &[(500, OTHER, 2, 25, true)], OTHER);
    }

    #[test]
    fn an_expected_address_takes_its_place_from_a_stranger_at_any_time() {
        for expected in [SIGNALLED, NAT, "10.0.0.1:777"] {
            let mut remote = behind_nat();
            assert!(first_believed_ms(&mut remote, 0, OTHER, |_, _, _| {}).is_some());
            assert!(!remote.is_settled());
            check(&mut remote, &[(520, OTHER, 9, 26, true), (530, expected, 1, 1, true)], expected);
            check(&mut remote, &[(540, OTHER, 9, 27, false)], expected);
        }
    }

    #[test]
    fn a_stranger_cannot_break_into_a_live_stream() {
        for expected in [SIGNALLED, NAT] {
            let mut remote = behind_nat();
            for step in 0..200u16 {
                let at_ms = u64::from(step) * 20;
                let packets = [
                    (at_ms, expected, 1, step, true),
                    (at_ms + 5, OTHER, 2, step, false),
                    (at_ms + 6, THIRD, 1, step, false),
                ];
                check(&mut remote, &packets, expected);
            }
        }
    }

    #[test]
    fn after_silence_an_expected_address_needs_a_row_to_follow_another() {
        let mut remote = behind_nat();
        for step in 0..50u16 {
            check(&mut remote, &[(u64::from(step) * 20, NAT, 1, step, true)], NAT);
        }
        check(&mut remote, &row(2_000, "192.0.2.7:555", 2, NEVER), NAT);
        check(&mut remote, &row(3_100, "192.0.2.7:555", 3, IN_A_ROW), "192.0.2.7:555");
    }

    #[test]
    fn who_was_heard_for_a_moment_only_is_followed_sooner() {
        let mut remote = behind_nat();
        check(&mut remote, &[(0, "192.0.2.7:555", 2, 1, true)], "192.0.2.7:555");
        assert!(!remote.is_settled());
        check(&mut remote, &row(110, NAT, 1, IN_A_ROW), NAT);
    }

    #[test]
    fn after_silence_a_stranger_needs_the_same_stream() {
        let mut remote = symmetric();
        check(&mut remote, &[(0, SIGNALLED, 1, u16::MAX, true)], SIGNALLED);
        assert_eq!(first_believed_ms(&mut remote, 60_000, OTHER, |_, _, _| {}), None);
        let same = |_: u16, seen: &mut Sighting, _: &mut u64| seen.ssrc = 1;
        assert_eq!(first_believed_ms(&mut remote, 70_000, OTHER, same), Some(500));
    }

    #[test]
    fn after_silence_another_stranger_may_follow() {
        let mut remote = symmetric();
        assert!(first_believed_ms(&mut remote, 0, OTHER, |_, _, _| {}).is_some());
        for step in 26..60u16 {
            assert!(remote.accept(Time::from_millis(u64::from(step) * 20), sighting(OTHER, 9, step)));
        }
        let another = |_: u16, seen: &mut Sighting, _: &mut u64| seen.ssrc = 10;
        assert_eq!(first_believed_ms(&mut remote, 1_200, THIRD, another), None);
        assert_eq!(first_believed_ms(&mut remote, 4_000, THIRD, another), Some(500));
    }

    #[test]
    fn the_address_of_sdp_comes_before_the_host_of_the_signalling() {
        let mut remote = behind_nat();
        check(&mut remote, &row(0, NAT, 2, AT_ONCE), NAT);
        check(&mut remote, &[(85, SIGNALLED, 1, 1, true), (90, NAT, 2, 54, false)], SIGNALLED);
        assert!(remote.is_settled());
    }

    #[test]
    fn another_host_of_the_signalling_forgets_what_was_learnt() {
        let mut remote = behind_nat();
        for step in 0..30u16 {
            check(&mut remote, &[(u64::from(step) * 20, NAT, 1, step, true)], NAT);
        }
        assert!(remote.is_settled());
        remote.signal_home(Some("198.51.100.9".parse().unwrap()));
        check(&mut remote, &row(9_100, OTHER, 2, AT_ONCE), OTHER);
    }

    #[test]
    fn a_rebound_nat_is_followed_soon() {
        let mut remote = behind_nat();
        let moved = "192.0.2.7:41000";
        let packets = [
            (0, NAT, 1, 1, true),
            (220, moved, 1, 12, false),
            (240, moved, 1, 13, false),
            (260, moved, 1, 14, true),
        ];
        check(&mut remote, &packets, moved);
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
        assert!(remote.accept(Time::from_millis(20), Sighting { authentic: true, ..sighting(OTHER, 1, 2) }));
        assert_eq!(remote.address(), Some(OTHER.parse().unwrap()));
    }

    #[test]
    fn without_symmetric_only_the_signalled_host_is_heard_and_sent_to() {
        let mut remote = Remote::new(Some(SIGNALLED.parse().unwrap()), false);
        remote.agree(vec![Format { payload_type: 8, clock_rate_hz: 8_000 }]);
        remote.signal_home(Some("192.0.2.7".parse().unwrap()));
        assert_eq!(first_believed_ms(&mut remote, 0, OTHER, |_, _, _| {}), None);
        let packets = [(2_000, NAT, 1, 1, false), (2_080, "10.0.0.1:777", 1, 1, true)];
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

    #[test]
    fn addresses_of_ip_version_6() {
        let mut remote = Remote::new(Some("[2001:db8::1]:4000".parse().unwrap()), true);
        remote.agree(vec![Format { payload_type: 8, clock_rate_hz: 8_000 }]);
        remote.signal_home(Some("2001:db8:7::1".parse().unwrap()));
        assert_eq!(first_believed_ms(&mut remote, 0, "[2001:db8:bad::9]:4", |_, _, _| {}), Some(500));
        check(&mut remote, &[(600, "[2001:db8:7::1]:5", 1, 1, true)], "[2001:db8:7::1]:5");
    }
}
