//! The exchange's media relay on the simulated wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use proto::rtp::srtp::{MasterKey, Opener, Protector, Suite};
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

/// Passes RTP between the two legs of each call: to where SDP pointed until a leg's first packet shows
/// its true address, and from then on to and from that address alone.
#[derive(Debug, Default)]
pub struct SimRelay {
    calls: BTreeMap<RelayId, [Leg; 2]>,
}

#[derive(Debug)]
struct Leg {
    local: SocketAddr,
    pointed: Option<SocketAddr>,
    learnt: Option<SocketAddr>,
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
            RelayCommand::Point { relay, side, remote, srtp, .. } => {
                let leg = self.calls.get_mut(&relay)?.get_mut(index(side))?;
                leg.point(remote);
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
    pub fn receive(&mut self, local: SocketAddr, from: SocketAddr, bytes: &[u8]) -> Option<Forwarded> {
        let legs = self.calls.values_mut().find(|legs| legs.iter().any(|leg| leg.has(local)))?;
        let (here, there) = if legs[0].has(local) { (0, 1) } else { (1, 0) };
        let rtcp = legs[here].local != local;
        if !legs[here].welcomes(from, rtcp) {
            legs[here].figures.strangers += 1;
            return None;
        }
        let clear = legs[here].open(bytes, rtcp)?;
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
            learnt: None,
            learnt_rtcp: None,
            hears: None,
            srtp: None,
            opener: None,
            protector: None,
            figures: RelayFigures::default(),
        }
    }

    fn point(&mut self, remote: Option<SocketAddr>) {
        if self.pointed != remote {
            self.pointed = remote;
            self.learnt = None;
            self.learnt_rtcp = None;
        }
    }

    /// A key that stays keeps its state.
    fn set_keys(&mut self, srtp: Option<&AgreedSrtp>) {
        if self.srtp.as_ref() == srtp {
            return;
        }
        let key = |srtp: &AgreedSrtp, base64: &str| {
            let suite = Suite::from_name(srtp.suite.name())?;
            MasterKey::from_inline(suite, &format!("inline:{base64}")).ok()
        };
        self.opener = srtp.and_then(|srtp| key(srtp, &srtp.remote_key)).map(|key| Opener::new(&key));
        self.protector = srtp.and_then(|srtp| key(srtp, &srtp.local_key)).map(|key| Protector::new(&key));
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

    fn welcomes(&mut self, from: SocketAddr, rtcp: bool) -> bool {
        let learnt = if rtcp { &mut self.learnt_rtcp } else { &mut self.learnt };
        *learnt.get_or_insert(from) == from
    }

    fn way_out(&self, rtcp: bool) -> Option<(SocketAddr, SocketAddr)> {
        // A leg that holds by 0.0.0.0 is pointed nowhere and gets nothing.
        let pointed = self.pointed?;
        if rtcp {
            return Some((above(self.local), self.learnt_rtcp.unwrap_or(above(pointed))));
        }
        Some((self.local, self.learnt.unwrap_or(pointed)))
    }
}

#[cfg(test)]
mod tests {
    use proto::sdp::Codec;

    use super::*;
    use crate::relay::Speech;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn opened() -> SimRelay {
        let mut relay = SimRelay::default();
        relay.command(RelayCommand::Open {
            relay: 1,
            a: address("10.0.0.9:20000"),
            b: address("10.0.0.9:20002"),
        });
        for (side, remote) in [(Side::A, "10.0.0.1:10000"), (Side::B, "10.0.0.2:10000")] {
            relay.command(RelayCommand::Point {
                relay: 1,
                side,
                remote: Some(address(remote)),
                home: None,
                srtp: None,
            });
        }
        relay
    }

    #[track_caller]
    fn check(relay: &mut SimRelay, local: &str, from: &str, to: Option<&str>) {
        let forwarded = relay.receive(address(local), address(from), b"sound");
        assert_eq!(forwarded.map(|forwarded| forwarded.to), to.map(address));
    }

    #[test]
    fn packets_pass_to_the_other_leg_and_strangers_do_not() {
        let mut relay = opened();
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
    fn an_echo_comes_back_and_nothing_else_comes() {
        let mut relay = opened();
        let speech = Speech { sound: Sound::Echo, codec: Codec::Pcma, payload_type: 8 };
        relay.command(RelayCommand::Play { relay: 1, side: Side::A, speech: Some(speech) });
        check(&mut relay, "10.0.0.9:20000", "10.0.0.1:10000", Some("10.0.0.1:10000"));
        check(&mut relay, "10.0.0.9:20002", "10.0.0.2:10000", None);
        relay.command(RelayCommand::Play { relay: 1, side: Side::A, speech: None });
        check(&mut relay, "10.0.0.9:20002", "10.0.0.2:10000", Some("10.0.0.1:10000"));
    }

    #[test]
    fn who_holds_by_an_empty_address_gets_nothing() {
        let mut relay = opened();
        relay.command(RelayCommand::Point { relay: 1, side: Side::A, remote: None, home: None, srtp: None });
        check(&mut relay, "10.0.0.9:20002", "10.0.0.2:10000", None);
    }
}
