//! The exchange's media relay on the simulated wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use proto::Time;
use proto::rtp::Packet;
use proto::rtp::remote::{Remote, Sighting};
use proto::rtp::srtp::{Opener, Protector};
use proto::sdp::AgreedSrtp;

use super::ears::above;
use crate::relay::{RelayCommand, RelayEvent, RelayFigures, RelayId, Side, Sound};

/// A datagram that is passed on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Forwarded {
    /// The relay's own address.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// What it holds.
    pub bytes: Bytes,
}

/// Passes RTP between the two legs of each call, by the same judgement of addresses as the relay of the
/// program ([`Remote`]).
#[derive(Debug, Default)]
pub struct SimRelay {
    calls: BTreeMap<RelayId, [Leg; 2]>,
}

#[derive(Debug)]
struct Leg {
    local: SocketAddr,
    pointed: Option<SocketAddr>,
    /// Where SDP said last that its sound comes from.
    place: Option<SocketAddr>,
    remote: Remote,
    learnt_rtcp: Option<SocketAddr>,
    /// What the exchange itself says to it.
    hears: Option<Sound>,
    srtp: Option<AgreedSrtp>,
    opener: Option<Opener>,
    protector: Option<Protector>,
    figures: RelayFigures,
}

impl SimRelay {
    /// Does what the exchange asks and says what is to be told.
    pub fn command(&mut self, command: RelayCommand) -> Option<RelayEvent> {
        match command {
            RelayCommand::Open { relay, a, b } => {
                self.calls.insert(relay, [Leg::new(a), Leg::new(b)]);
                None
            }
            RelayCommand::Point { relay, side, remote, home, formats, srtp } => {
                let leg = self.calls.get_mut(&relay)?.get_mut(index(side))?;
                leg.point(remote);
                leg.remote.signal_home(home);
                leg.remote.agree(formats);
                leg.set_keys(srtp.as_deref());
                None
            }
            RelayCommand::Play { relay, side, speech } => {
                let leg = self.calls.get_mut(&relay)?.get_mut(index(side))?;
                leg.hears = speech.map(|speech| speech.sound);
                None
            }
            RelayCommand::Close { relay } => {
                let [a, b] = self.calls.remove(&relay)?;
                Some(RelayEvent::Closed { relay, a: a.figures, b: b.figures })
            }
        }
    }

    /// Takes a datagram that arrived at `local`; what is to be passed on.
    pub fn receive(
        &mut self,
        now: Time,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<Forwarded> {
        let legs = self.calls.values_mut().find(|legs| legs.iter().any(|leg| leg.has(local)))?;
        let (here, there) = if legs[0].has(local) { (0, 1) } else { (1, 0) };
        let rtcp = legs[here].local != local;
        let clear = legs[here].open(bytes, rtcp)?;
        if !legs[here].welcomes(now, from, &clear, rtcp) {
            legs[here].figures.strangers += 1;
            return None;
        }
        if !rtcp {
            legs[here].figures.packets += 1;
            legs[here].figures.bytes += bytes.len() as u64;
        }
        let out = match (legs[here].hears, legs[there].hears) {
            (Some(Sound::Echo), _) => &mut legs[here],
            // Whoever hears the exchange hears nobody else. Its tones need an engine that makes sound,
            // which this wire has not.
            (_, Some(_)) => return None,
            (_, None) => &mut legs[there],
        };
        let (from, to) = out.way_out(rtcp)?;
        let bytes = out.protect(clear, rtcp)?;
        Some(Forwarded { from, to, bytes: Bytes::from(bytes) })
    }

    /// Whether a port is open at `local`.
    pub fn listens(&self, local: SocketAddr) -> bool {
        self.calls.values().flatten().any(|leg| leg.has(local))
    }

    /// How many calls have their sound passed on.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }
}

fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

impl Leg {
    fn new(local: SocketAddr) -> Self {
        Self {
            local,
            pointed: None,
            place: None,
            remote: Remote::new(None, true),
            learnt_rtcp: None,
            hears: None,
            srtp: None,
            opener: None,
            protector: None,
            figures: RelayFigures::default(),
        }
    }

    fn point(&mut self, remote: Option<SocketAddr>) {
        self.pointed = remote;
        // A hold by 0.0.0.0 says nothing of where its sound comes from: that stays what it was.
        let place = remote.or(self.place);
        if self.place != place {
            self.place = place;
            self.remote.signal(place);
            self.learnt_rtcp = None;
        }
    }

    /// A key that stays keeps its state.
    fn set_keys(&mut self, srtp: Option<&AgreedSrtp>) {
        if self.srtp.as_ref() == srtp {
            return;
        }
        self.opener = srtp.map(|srtp| Opener::new(&srtp.remote_key));
        self.protector = srtp.map(|srtp| Protector::new(&srtp.local_key));
        self.srtp = srtp.cloned();
    }

    /// What a packet says in clear; none where it does not bear the leg's key.
    fn open(&mut self, bytes: &[u8], rtcp: bool) -> Option<Vec<u8>> {
        let mut clear = bytes.to_vec();
        if let Some(opener) = &mut self.opener {
            let opened = if rtcp { opener.open_rtcp(&mut clear) } else { opener.open_rtp(&mut clear) };
            clear.truncate(opened.ok()?);
        }
        Some(clear)
    }

    fn protect(&mut self, mut packet: Vec<u8>, rtcp: bool) -> Option<Vec<u8>> {
        if let Some(protector) = &mut self.protector {
            let done =
                if rtcp { protector.protect_rtcp(&mut packet) } else { protector.protect_rtp(&mut packet) };
            done.ok()?;
        }
        Some(packet)
    }

    fn has(&self, local: SocketAddr) -> bool {
        self.local == local || above(self.local) == local
    }

    fn welcomes(&mut self, now: Time, from: SocketAddr, clear: &[u8], rtcp: bool) -> bool {
        let authentic = self.opener.is_some();
        if rtcp {
            let welcome = authentic || self.remote.is_near(from);
            self.learnt_rtcp = if welcome { Some(from) } else { self.learnt_rtcp };
            return welcome;
        }
        let packet = Packet::parse(clear).ok();
        packet.is_some_and(|packet| self.remote.accept(now, Sighting::of(&packet, from, authentic)))
    }

    fn way_out(&self, rtcp: bool) -> Option<(SocketAddr, SocketAddr)> {
        // A leg that holds by 0.0.0.0 is pointed nowhere and gets nothing.
        let pointed = self.pointed?;
        let sound = self.remote.address().unwrap_or(pointed);
        if rtcp {
            let learnt = self.learnt_rtcp.filter(|from| from.ip() == sound.ip());
            return Some((above(self.local), learnt.unwrap_or(above(sound))));
        }
        Some((self.local, sound))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proto::rtp::Format;
    use proto::sdp::Codec;

    use super::*;
    use crate::relay::Speech;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn opened(home: Option<&str>) -> SimRelay {
        let mut relay = SimRelay::default();
        relay.command(RelayCommand::Open {
            relay: 1,
            a: address("10.0.0.9:20000"),
            b: address("10.0.0.9:20002"),
        });
        for (side, remote) in [(Side::A, "10.0.0.1:10000"), (Side::B, "10.0.0.2:10000")] {
            let home = home.filter(|_| side == Side::B).map(|home| address(home).ip());
            relay.command(point(side, Some(remote), home));
        }
        relay
    }

    fn point(side: Side, remote: Option<&str>, home: Option<IpAddr>) -> RelayCommand {
        let formats = vec![Format { payload_type: 8, clock_rate_hz: 8_000 }];
        RelayCommand::Point { relay: 1, side, remote: remote.map(address), home, formats, srtp: None }
    }

    /// The packet of that number in a stream of 20 ms.
    fn rtp(sequence: u16) -> Vec<u8> {
        let timestamp = u32::from(sequence) * 160;
        let mut bytes = Vec::new();
        Packet { payload_type: 8, sequence, timestamp, ssrc: 5, payload: &[0x55; 160], ..Packet::default() }
            .write(&mut bytes);
        bytes
    }

    #[track_caller]
    fn check(relay: &mut SimRelay, local: &str, from: &str, to: Option<&str>) {
        let rtcp = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let bytes = if address(local).port().is_multiple_of(2) { rtp(1) } else { rtcp.to_vec() };
        let forwarded = relay.receive(Time::ZERO, address(local), address(from), &bytes);
        assert_eq!(forwarded.map(|forwarded| forwarded.to), to.map(address));
    }

    #[test]
    fn packets_pass_to_the_other_leg_and_strangers_do_not() {
        let mut relay = opened(Some("203.0.113.1:5060"));
        check(&mut relay, "10.0.0.9:20000", "10.0.0.1:10000", Some("10.0.0.2:10000"));
        check(&mut relay, "10.0.0.9:20001", "10.0.0.1:10001", Some("10.0.0.2:10001"));
        check(&mut relay, "10.0.0.9:20000", "10.6.6.6:10000", None);
        check(&mut relay, "10.0.0.9:20002", "203.0.113.1:777", Some("10.0.0.1:10000"));
        check(&mut relay, "10.0.0.9:20000", "10.0.0.1:10000", Some("203.0.113.1:777"));
        let Some(RelayEvent::Closed { a, b, .. }) = relay.command(RelayCommand::Close { relay: 1 }) else {
            panic!("no figures");
        };
        assert_eq!((a.packets, a.strangers, b.packets), (2, 1, 1));
        assert!(!relay.listens(address("10.0.0.9:20000")));
    }

    #[test]
    fn a_stranger_is_heard_after_half_a_second() {
        let mut relay = opened(None);
        let mut said = (0..).map(|number: u16| {
            let at = Time::from_millis(u64::from(number) * 20);
            let local = address("10.0.0.9:20002");
            relay.receive(at, local, address("10.6.6.6:1"), &rtp(number)).is_some()
        });
        assert_eq!(said.position(|passed| passed), Some(25));
    }

    #[test]
    fn an_echo_comes_back_and_nothing_else_comes() {
        let mut relay = opened(None);
        let speech = Speech { sound: Sound::Echo, codec: Codec::Pcma, payload_type: 8 };
        relay.command(RelayCommand::Play { relay: 1, side: Side::A, speech: Some(speech) });
        check(&mut relay, "10.0.0.9:20000", "10.0.0.1:10000", Some("10.0.0.1:10000"));
        check(&mut relay, "10.0.0.9:20002", "10.0.0.2:10000", None);
        relay.command(RelayCommand::Play { relay: 1, side: Side::A, speech: None });
        check(&mut relay, "10.0.0.9:20002", "10.0.0.2:10000", Some("10.0.0.1:10000"));
    }

    #[test]
    fn who_holds_by_an_empty_address_gets_nothing() {
        let mut relay = opened(None);
        relay.command(point(Side::A, None, None));
        check(&mut relay, "10.0.0.9:20002", "10.0.0.2:10000", None);
    }
}
