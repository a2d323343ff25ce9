//! One leg: two sockets, one far end, what it may send and what came.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use proto::Time;
use proto::rtp::Packet;
use proto::rtp::reception::{Order, Reception};
use proto::rtp::remote::{Remote, Sighting};
use proto::rtp::srtp::{Opener, Protector};

use super::{Expected, Figures};

/// The static audio payload types of RFC 3551 whose clock is 8 kHz end here; L16 has its own.
const STATIC_PAYLOAD_TYPES: u8 = 19;
/// RTCP types when looked at as RTP (RFC 5761 §4).
const RTCP_TYPES: std::ops::RangeInclusive<u8> = 192..=223;

/// The sockets of a leg.
pub(super) struct Sockets {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
}

/// Which of a leg's sockets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Rtp,
    Rtcp,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It is the far end's; the length of what it says in clear.
    Forward { kind: Kind, length: usize, newly_learnt: bool },
    /// It came from someone else, who is named once.
    Stranger { first: bool },
    /// Nothing to forward.
    Drop,
}

/// One leg.
pub(super) struct Leg {
    pub(super) sockets: Sockets,
    /// Where SDP wants sound; nowhere while it holds by 0.0.0.0.
    signalled: Option<SocketAddr>,
    /// Where SDP said last that its sound comes from.
    place: Option<SocketAddr>,
    remote: Remote,
    rtcp_from: Option<SocketAddr>,
    opener: Option<Opener>,
    protector: Option<Protector>,
    expected: Expected,
    reception: Reception,
    figures: Figures,
    told_stranger: bool,
    told_learnt: bool,
    /// To whom the kernel has bound the RTP socket.
    connected: Option<SocketAddr>,
    /// Whether RTP came since the last sweep.
    heard: bool,
}

impl Leg {
    pub(super) fn new(sockets: Sockets) -> Self {
        Self {
            sockets,
            signalled: None,
            place: None,
            remote: Remote::new(None, true),
            rtcp_from: None,
            opener: None,
            protector: None,
            expected: Expected::default(),
            reception: Reception::default(),
            figures: Figures::default(),
            told_stranger: false,
            told_learnt: false,
            connected: None,
            heard: false,
        }
    }

    /// Takes what a new SDP says. A key that stays keeps its state: begun anew it would repeat its
    /// key stream, or take replayed packets for new ones.
    pub(super) fn expect(&mut self, mut expected: Expected) {
        expected.rtp = expected.rtp.filter(|at| at.port() != 0 && !at.ip().is_unspecified());
        // A hold by 0.0.0.0 says nothing of where its sound comes from: that stays what it was.
        let place = expected.rtp.or(self.place);
        if (place, expected.home) != (self.place, self.expected.home) {
            self.disconnect();
            self.place = place;
            self.remote.signal(place);
            self.remote.signal_home(expected.home);
            self.rtcp_from = None;
            (self.told_stranger, self.told_learnt) = (false, false);
        }
        self.remote.agree(std::mem::take(&mut expected.formats));
        self.signalled = expected.rtp;
        if expected.receive_key != self.expected.receive_key {
            self.opener = expected.receive_key.as_ref().map(Opener::new);
        }
        if expected.send_key != self.expected.send_key {
            self.protector = expected.send_key.as_ref().map(Protector::new);
        }
        self.expected = expected;
    }

    /// Judges a datagram, opening it in place where the leg has a key.
    pub(super) fn receive(&mut self, now: Time, kind: Kind, from: SocketAddr, bytes: &mut [u8]) -> Verdict {
        let is_rtcp = kind == Kind::Rtcp || bytes.get(1).is_some_and(|byte| RTCP_TYPES.contains(byte));
        if is_rtcp { self.receive_rtcp(from, bytes) } else { self.receive_rtp(now, from, bytes) }
    }

    fn receive_rtp(&mut self, now: Time, from: SocketAddr, bytes: &mut [u8]) -> Verdict {
        let length = match &mut self.opener {
            Some(opener) => opener.open_rtp(bytes).ok(),
            None => Some(bytes.len()),
        };
        let packet = length.and_then(|length| Packet::parse(bytes.get(..length)?).ok());
        let (Some(length), Some(packet)) = (length, packet) else { return self.refuse(from) };
        let authentic = self.opener.is_some();
        if !self.remote.accept(now, Sighting::of(&packet, from, authentic)) {
            return self.stranger();
        }
        let media = (packet.payload_type <= STATIC_PAYLOAD_TYPES && !matches!(packet.payload_type, 10 | 11))
            .then_some(8_000);
        let order = self.reception.receive(
            now,
            packet.ssrc,
            packet.sequence,
            packet.timestamp,
            packet.payload.len(),
            media,
        );
        self.heard = true;
        if order == Order::Duplicate {
            return Verdict::Drop;
        }
        self.figures.learnt = Some(from);
        let newly_learnt = !std::mem::replace(&mut self.told_learnt, true);
        Verdict::Forward { kind: Kind::Rtp, length, newly_learnt }
    }

    /// RTCP is believed from the host that RTP is believed from, or with its key.
    fn receive_rtcp(&mut self, from: SocketAddr, bytes: &mut [u8]) -> Verdict {
        let length = match &mut self.opener {
            Some(opener) => opener.open_rtcp(bytes).ok(),
            None if self.remote.is_near(from) => Some(bytes.len()),
            None => return self.stranger(),
        };
        let Some(length) = length else { return self.refuse(from) };
        self.rtcp_from = Some(from);
        Verdict::Forward { kind: Kind::Rtcp, length, newly_learnt: false }
    }

    /// Sends what the other leg received; `packet` is in clear.
    pub(super) fn send(&mut self, kind: Kind, packet: &mut Vec<u8>) -> Result<(), Undelivered> {
        let to = match kind {
            Kind::Rtp => self.remote.address(),
            Kind::Rtcp => self.rtcp_address(),
        };
        // SDP's last word is where not to send; an address learnt before does not overrule it.
        let to = to.filter(|_| self.signalled.is_some()).ok_or(Undelivered)?;
        if let Some(protector) = &mut self.protector {
            let protected = match kind {
                Kind::Rtp => protector.protect_rtp(packet),
                Kind::Rtcp => protector.protect_rtcp(packet),
            };
            protected.map_err(|_| Undelivered)?;
        }
        let sent = match kind {
            Kind::Rtp if self.connected == Some(to) => self.sockets.rtp.send(packet),
            Kind::Rtp => self.sockets.rtp.send_to(packet, to),
            Kind::Rtcp => self.sockets.rtcp.send_to(packet, to),
        };
        sent.map(drop).map_err(|_| Undelivered)
    }

    /// Where its RTCP came from, unless its sound is another's by now; else one port above its sound.
    fn rtcp_address(&self) -> Option<SocketAddr> {
        let sound = self.remote.address()?;
        let is_its = |from: &SocketAddr| from.ip() == sound.ip() || self.opener.is_some();
        Some(self.rtcp_from.filter(is_its).unwrap_or_else(|| next_port(sound)))
    }

    pub(super) fn count_undelivered(&mut self) {
        self.figures.undelivered += 1;
    }

    pub(super) fn socket(&self, kind: Kind) -> &UdpSocket {
        match kind {
            Kind::Rtp => &self.sockets.rtp,
            Kind::Rtcp => &self.sockets.rtcp,
        }
    }

    /// Once a second: a live leg is bound to its far end, so that the kernel drops everybody else; a
    /// silent one is let loose, so that a far end whose NAT has moved it can be learnt again. A leg
    /// with a key stays loose: its packets prove themselves. So does one whose place another may take.
    pub(super) fn sweep(&mut self) {
        let heard = std::mem::take(&mut self.heard);
        let locked = self.remote.address().filter(|_| self.remote.is_settled() && self.opener.is_none());
        match (heard, locked) {
            (true, Some(to)) if self.connected != Some(to) => {
                self.connected = self.sockets.rtp.connect(to).ok().map(|()| to);
            }
            (true, Some(_)) => {}
            _ => self.disconnect(),
        }
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            packets: self.reception.packets(),
            bytes: self.reception.bytes(),
            lost: self.reception.lost(),
            jitter_ms: self.reception.jitter_ms(),
            ..self.figures.clone()
        }
    }

    fn disconnect(&mut self) {
        if self.connected.take().is_some() {
            // Fails for no socket that was connected.
            let _ = rustix::net::connect_unspec(&self.sockets.rtp);
        }
    }

    fn refuse(&mut self, from: SocketAddr) -> Verdict {
        if !self.remote.is_near(from) {
            return self.stranger();
        }
        self.figures.refused += 1;
        Verdict::Drop
    }

    /// While nobody is locked, the far end itself is on probation.
    fn stranger(&mut self) -> Verdict {
        if !self.remote.is_locked() {
            return Verdict::Drop;
        }
        self.figures.strangers += 1;
        Verdict::Stranger { first: !std::mem::replace(&mut self.told_stranger, true) }
    }
}

/// A packet that could not go out.
pub(super) struct Undelivered;

/// Takes one datagram; none where there is none after all, or where it was an error of an earlier one.
pub(super) fn take(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket.recv_from(buffer) {
        Ok(taken) => Some(taken),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => socket.recv_from(buffer).ok(),
        Err(_) => None,
    }
}

fn next_port(mut address: SocketAddr) -> SocketAddr {
    address.set_port(address.port().saturating_add(1));
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::rtp::Format;
    use proto::rtp::srtp::{MasterKey, Suite};

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        socket.set_nonblocking(true).expect("set");
        socket
    }

    fn rtp(sequence: u8) -> [u8; 13] {
        [0x80, 8, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 1, 0x55]
    }

    #[test]
    fn a_hold_loses_nothing_of_what_the_holder_says() {
        let phone = socket();
        let from = phone.local_addr().expect("bound");
        let mut leg = Leg::new(Sockets { rtp: socket(), rtcp: socket() });
        for (sequence, signalled, told) in [(1, Some(from), true), (2, None, false), (3, Some(from), true)] {
            leg.expect(Expected { rtp: signalled, ..Expected::default() });
            let verdict = leg.receive(Time::ZERO, Kind::Rtp, from, &mut rtp(sequence));
            assert!(matches!(verdict, Verdict::Forward { length: 13, .. }), "{sequence}: {verdict:?}");
            assert_eq!(leg.send(Kind::Rtp, &mut vec![1, 2, 3]).is_ok(), told, "{sequence}");
        }
        assert_eq!(leg.figures().lost, Some(0));
    }

    #[test]
    fn a_live_leg_is_bound_to_its_far_end_and_a_silent_one_let_loose() {
        let (phone, stranger) = (socket(), socket());
        // A port of its own choice, as in service: one that the kernel chose would be lost when let loose.
        let rtp_socket = UdpSocket::bind("127.0.53.1:20000").expect("bound");
        rtp_socket.set_nonblocking(true).expect("set");
        let mut leg = Leg::new(Sockets { rtp: rtp_socket, rtcp: socket() });
        let [at, from, other] =
            [&leg.sockets.rtp, &phone, &stranger].map(|socket| socket.local_addr().expect("bound"));
        leg.expect(Expected { rtp: Some(from), ..Expected::default() });
        let mut buffer = [0; 100];
        let verdict = leg.receive(Time::ZERO, Kind::Rtp, from, &mut rtp(1));
        assert_eq!(verdict, Verdict::Forward { kind: Kind::Rtp, length: 13, newly_learnt: true });

        leg.sweep();
        stranger.send_to(&rtp(1), at).expect("sent");
        phone.send_to(&rtp(2), at).expect("sent");
        assert_eq!(
            take(&leg.sockets.rtp, &mut buffer),
            Some((13, from)),
            "the kernel dropped the stranger's"
        );
        assert_eq!(take(&leg.sockets.rtp, &mut buffer), None);
        assert!(leg.send(Kind::Rtp, &mut vec![1, 2, 3]).is_ok());
        assert_eq!(phone.recv(&mut buffer).expect("comes"), 3);

        // One who sends from another port is not bound: where SDP says that he is, he may be yet.
        leg.expect(Expected { rtp: Some(other), home: Some(from.ip()), ..Expected::default() });
        leg.receive(Time::ZERO, Kind::Rtp, from, &mut rtp(1));
        assert!(leg.remote.is_locked());
        leg.sweep();
        stranger.send_to(&rtp(1), at).expect("sent");
        assert_eq!(take(&leg.sockets.rtp, &mut buffer), Some((13, other)), "where SDP says that it is");
        leg.expect(Expected { rtp: Some(from), ..Expected::default() });
        leg.receive(Time::ZERO, Kind::Rtp, from, &mut rtp(4));

        leg.sweep();
        leg.sweep();
        stranger.send_to(&rtp(1), at).expect("sent");
        assert_eq!(take(&leg.sockets.rtp, &mut buffer), Some((13, other)), "open to a far end that moved");
        assert_eq!(
            leg.receive(Time::from_millis(20), Kind::Rtp, other, &mut rtp(1)),
            Verdict::Stranger { first: true }
        );
    }
    #[test]
    fn a_stranger_is_heard_after_half_a_second_and_gives_way_with_all_that_was_his() {
        let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let (phone, stranger) = (address("192.0.2.7:4000"), address("198.51.100.9:5000"));
        let mut leg = Leg::new(Sockets { rtp: socket(), rtcp: socket() });
        leg.expect(Expected {
            rtp: Some(address("10.0.0.1:4000")),
            home: Some(phone.ip()),
            formats: vec![Format { payload_type: 8, clock_rate_hz: 8_000 }],
            ..Expected::default()
        });
        let said = |leg: &mut Leg, number: u8, from| {
            let mut bytes = rtp(number);
            bytes[4..8].copy_from_slice(&(u32::from(number) * 160).to_be_bytes());
            let verdict = leg.receive(Time::from_millis(u64::from(number) * 20), Kind::Rtp, from, &mut bytes);
            matches!(verdict, Verdict::Forward { .. })
        };
        assert_eq!((0..50).find(|number| said(&mut leg, *number, stranger)), Some(25));
        let report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let his = address("198.51.100.9:5001");
        assert_ne!(leg.receive(Time::from_millis(510), Kind::Rtcp, his, &mut report.clone()), Verdict::Drop);
        assert_eq!(leg.rtcp_address(), Some(his));

        assert!(said(&mut leg, 26, phone));
        assert!(!said(&mut leg, 27, stranger));
        assert_eq!(
            (leg.remote.address(), leg.rtcp_address()),
            (Some(phone), Some(address("192.0.2.7:4001")))
        );
    }

    #[test]
    fn what_srtp_has_not_verified_is_not_looked_at() {
        let mut rng = proto::Rng::from_number(1);
        let key = MasterKey::generate(Suite::AesCm128HmacSha1_80, &mut rng);
        let from: SocketAddr = "192.0.2.7:4000".parse().expect("an address");
        let mut leg = Leg::new(Sockets { rtp: socket(), rtcp: socket() });
        leg.expect(Expected {
            rtp: Some(from),
            home: Some(from.ip()),
            formats: vec![Format { payload_type: 8, clock_rate_hz: 8_000 }],
            receive_key: Some(key.clone()),
            ..Expected::default()
        });
        // Not even from where it is expected.
        leg.receive(Time::ZERO, Kind::Rtp, from, &mut rtp(1));
        assert!(!leg.remote.is_locked());
        let elsewhere = "198.51.100.9:5000".parse().expect("an address");
        let mut sealed = rtp(1).to_vec();
        Protector::new(&key).protect_rtp(&mut sealed).expect("sealed");
        leg.receive(Time::ZERO, Kind::Rtp, elsewhere, &mut sealed);
        assert_eq!(leg.remote.address(), Some(elsewhere));
    }
}
