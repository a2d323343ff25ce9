//! The sound of a phone on the simulated wire: who opens RTP sessions, speaks and listens.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto::rtp::Format;
use proto::rtp::Impairment;
use proto::rtp::dtmf::Digit;
use proto::rtp::session::{Direction, Received, RtpSession, SessionConfig};
use proto::sdp::offer_answer::Agreed;
use proto::{Rng, Time};

use super::host::Effect;
use crate::sound::{BeforeAck, Figures, SessionId, SoundCommand, SoundEvent};

/// What ears do: send from the own RTP or RTCP address, or tell the phone.
pub type Sound = Effect<SoundEvent>;

/// The sound side of one phone.
pub trait Ears {
    /// Does what the phone asks.
    fn command(&mut self, now: Time, command: SoundCommand, out: &mut Vec<Sound>);
    /// Takes a datagram that arrived at `local`.
    fn receive(&mut self, now: Time, local: SocketAddr, from: SocketAddr, bytes: &[u8], out: &mut Vec<Sound>);
    /// Sends what is due.
    fn tick(&mut self, now: Time, out: &mut Vec<Sound>);
    /// When [`Ears::tick`] is to be called.
    fn next_deadline(&self) -> Option<Time>;
    /// Whether an RTP or RTCP port is open at `local`.
    fn listens(&self, local: SocketAddr) -> bool;
    /// The tones, in hertz, that were heard since the last call.
    fn take_heard_hz(&mut self) -> Vec<u16>;
    /// Closes all sessions without a word: the phone starts again.
    fn hang_up(&mut self, now: Time);
}

/// How much sound a packet carries.
const PACKET_MS: u64 = 20;
/// The most tones that one packet can name.
const MAX_TONES: usize = 16;
/// How long a far end's tones count as present.
const PRESENT: Duration = Duration::from_millis(100);
/// How long a key sounds.
const KEY_MS: u32 = 100;

/// Ears without samples: a packet names the tones that it would carry, so that a test can tell who
/// heard whom at a thousandth of the cost. Sessions, figures, keys and SRTP are the real ones.
#[derive(Debug)]
pub struct ToneEars {
    tone_hz: u16,
    rng: Rng,
    legs: BTreeMap<SessionId, Leg>,
    focus: Vec<SessionId>,
    muted: bool,
    next: Option<Time>,
    heard: BTreeSet<u16>,
}

#[derive(Debug)]
struct Leg {
    local: SocketAddr,
    agreed: Option<(RtpSession, String)>,
    tones: (Time, Vec<u16>),
}

impl ToneEars {
    /// Ears whose person hums at `tone_hz`; 0 for silence.
    pub fn new(tone_hz: u16, seed: [u8; 32]) -> Self {
        Self {
            tone_hz,
            rng: Rng::new(seed),
            legs: BTreeMap::new(),
            focus: Vec::new(),
            muted: false,
            next: None,
            heard: BTreeSet::new(),
        }
    }

    fn agree(
        &mut self,
        now: Time,
        id: SessionId,
        (agreed, before_ack, home): (&Agreed, BeforeAck, Option<IpAddr>),
    ) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let config = SessionConfig { before_ack, home, ..session_config(agreed) };
        match &mut leg.agreed {
            Some((session, codec)) => {
                session.reconfigure(config);
                *codec = agreed.codec.to_string();
            }
            None => {
                let session = RtpSession::new(now, config, &mut self.rng);
                leg.agreed = Some((session, agreed.codec.to_string()));
            }
        }
        self.next.get_or_insert(now + Duration::from_millis(PACKET_MS));
    }

    fn close(&mut self, now: Time, id: SessionId, out: &mut Vec<Sound>) {
        let Some(mut leg) = self.legs.remove(&id) else { return };
        let figures =
            leg.agreed.as_ref().map_or_else(Figures::default, |(session, codec)| figures(session, codec));
        if let Some((session, _)) = &mut leg.agreed {
            let mut bytes = Vec::new();
            if let Some(to) = session.goodbye(now, &mut bytes) {
                out.push(Sound::Send { from: above(leg.local), to, bytes: bytes.into() });
            }
        }
        self.focus.retain(|&focused| focused != id);
        out.push(Sound::Tell(SoundEvent::Closed { session: id, figures }));
    }

    fn press(&mut self, id: SessionId, digits: &str) {
        let Some((session, _)) = self.legs.get_mut(&id).and_then(|leg| leg.agreed.as_mut()) else { return };
        for digit in digits.chars().filter_map(Digit::from_char) {
            // A queue that is full loses keys, as a person's fingers would.
            let _ = session.press(digit, KEY_MS);
        }
    }

    /// What session `id` is to hear: the person, and the others of a conference.
    fn spoken_to(&self, now: Time, id: SessionId) -> Vec<u16> {
        if !self.focus.contains(&id) {
            return Vec::new();
        }
        let own = (self.tone_hz > 0 && !self.muted).then_some(self.tone_hz);
        let others = self.focus.iter().filter(|&&other| other != id).filter_map(|other| self.legs.get(other));
        let present = others.filter(|leg| now.since(leg.tones.0) < PRESENT);
        own.into_iter().chain(present.flat_map(|leg| leg.tones.1.iter().copied())).take(MAX_TONES).collect()
    }

    fn speak(&mut self, now: Time, id: SessionId, out: &mut Vec<Sound>) {
        let payload = payload(&self.spoken_to(now, id));
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some((session, _)) = &mut leg.agreed else { return };
        let mut bytes = Vec::new();
        if let Some(to) = session.send(now, &payload, false, &mut bytes) {
            out.push(Sound::Send { from: leg.local, to, bytes: bytes.into() });
        }
        let mut report = Vec::new();
        if let Some(to) = session.tick(now, &mut self.rng, &mut report) {
            out.push(Sound::Send { from: above(leg.local), to, bytes: report.into() });
        }
    }
}

impl Ears for ToneEars {
    fn command(&mut self, now: Time, command: SoundCommand, out: &mut Vec<Sound>) {
        match command {
            SoundCommand::Open { session, local } => {
                self.legs.insert(session, Leg { local, agreed: None, tones: (Time::ZERO, Vec::new()) });
            }
            SoundCommand::Agree { session, agreed, before_ack, home, .. } => {
                self.agree(now, session, (&agreed, before_ack, home));
            }
            SoundCommand::Dtmf { session, digits, .. } => self.press(session, &digits),
            SoundCommand::Focus(sessions) => self.focus = sessions,
            SoundCommand::Mute(muted) => self.muted = muted,
            SoundCommand::Close { session } => self.close(now, session, out),
            SoundCommand::Tone(_) => {}
        }
    }

    fn receive(
        &mut self,
        now: Time,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Sound>,
    ) {
        let at = |leg: &Leg| leg.local == local || above(leg.local) == local;
        let Some((&id, leg)) = self.legs.iter_mut().find(|(_, leg)| at(leg)) else { return };
        let Some((session, _)) = &mut leg.agreed else { return };
        match session.receive(now, from, &mut bytes.to_vec()) {
            Received::Media { packet, .. } => {
                leg.tones = (now, tones(packet.payload));
                if self.focus.contains(&id) {
                    self.heard.extend(&leg.tones.1);
                }
            }
            Received::Dtmf(digit) => {
                out.push(Sound::Tell(SoundEvent::Digit { session: id, digit: digit.as_char() }));
            }
            _ => {}
        }
    }

    fn tick(&mut self, now: Time, out: &mut Vec<Sound>) {
        let Some(due) = self.next.filter(|&due| due <= now) else { return };
        let sessions: Vec<SessionId> = self.legs.keys().copied().collect();
        for id in sessions {
            self.speak(now, id, out);
        }
        // After a jump of the clock nobody speaks faster to make up for it.
        let next = due.max(now - Duration::from_millis(PACKET_MS)) + Duration::from_millis(PACKET_MS);
        self.next = (!self.legs.is_empty()).then_some(next);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.next
    }

    fn listens(&self, local: SocketAddr) -> bool {
        self.legs.values().any(|leg| leg.local == local || above(leg.local) == local)
    }

    fn take_heard_hz(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.heard).into_iter().collect()
    }

    fn hang_up(&mut self, _: Time) {
        self.legs.clear();
        self.focus.clear();
        self.next = None;
    }
}

/// Ears that neither speak nor hear, for long runs about signalling alone.
#[derive(Debug, Default)]
pub struct Deaf;

impl Ears for Deaf {
    fn command(&mut self, _: Time, command: SoundCommand, out: &mut Vec<Sound>) {
        if let SoundCommand::Close { session } = command {
            out.push(Sound::Tell(SoundEvent::Closed { session, figures: Figures::default() }));
        }
    }

    fn receive(&mut self, _: Time, _: SocketAddr, _: SocketAddr, _: &[u8], _: &mut Vec<Sound>) {}

    fn tick(&mut self, _: Time, _: &mut Vec<Sound>) {}

    fn next_deadline(&self) -> Option<Time> {
        None
    }

    fn listens(&self, _: SocketAddr) -> bool {
        false
    }

    fn take_heard_hz(&mut self) -> Vec<u16> {
        Vec::new()
    }

    fn hang_up(&mut self, _: Time) {}
}

/// The RTCP address of a session.
pub(super) fn above(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1))
}

/// A packet that names tones: how many, then each as two bytes; the rest is filled up.
fn payload(tones: &[u16]) -> Vec<u8> {
    let count = tones.len().min(MAX_TONES);
    let mut bytes = vec![count as u8];
    bytes.extend(tones.iter().take(count).flat_map(|tone| tone.to_be_bytes()));
    bytes.resize(160, 0);
    bytes
}

fn tones(payload: &[u8]) -> Vec<u16> {
    let Some((&count, rest)) = payload.split_first() else { return Vec::new() };
    let tone = |pair: &[u8]| u16::from_be_bytes([pair[0], pair[1]]);
    rest.chunks_exact(2).take(usize::from(count).min(MAX_TONES)).map(tone).collect()
}

fn figures(session: &RtpSession, codec: &str) -> Figures {
    let stats = session.stats();
    let hears = stats.received.packets > 0;
    Figures {
        codec: Some(codec.to_owned()),
        tx_packets: Some(stats.sent.packets),
        rx_packets: Some(stats.received.packets),
        rx_lost: stats.received.lost.filter(|_| hears),
        jitter_ms: stats.received.jitter_ms.map(f64::from),
        mos: stats.received.mos.map(f64::from),
    }
}

fn session_config(agreed: &Agreed) -> SessionConfig {
    let clock_rate_hz = agreed.codec.clock_hz();
    let format = |payload_type| Format { payload_type, clock_rate_hz };
    let (srtp_send, srtp_receive) = agreed.srtp.clone().map(|srtp| (srtp.local_key, srtp.remote_key)).unzip();
    SessionConfig {
        send: format(agreed.send_payload_type),
        receive: vec![format(agreed.receive_payload_type)],
        dtmf_send: agreed.send_dtmf,
        dtmf_receive: agreed.receive_dtmf,
        direction: direction(agreed),
        remote_rtcp: agreed.remote_rtcp,
        srtp_send,
        srtp_receive,
        impairment: Some(Impairment::G711_CONCEALED),
        ..SessionConfig::g711(agreed.send_payload_type, agreed.remote_rtp)
    }
}

fn direction(agreed: &Agreed) -> Direction {
    match (agreed.send, agreed.receive) {
        (true, true) => Direction::SendReceive,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::ReceiveOnly,
        (false, false) => Direction::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::sdp::offer_answer::Codec;

    const ONE: &str = "10.0.0.1:10000";
    const TWO: &str = "10.0.0.2:10000";

    fn agreed(remote: &str) -> Box<Agreed> {
        Box::new(Agreed {
            codec: Codec::Pcma,
            send_payload_type: 8,
            receive_payload_type: 8,
            also_receive: Vec::new(),
            send_dtmf: Some(101),
            receive_dtmf: Some(101),
            ptime_ms: 20,
            remote_rtp: remote.parse().ok(),
            remote_rtcp: None,
            send: true,
            receive: true,
            srtp: None,
        })
    }

    fn ears(tone_hz: u16, local: &str, remote: &str) -> ToneEars {
        let mut ears = ToneEars::new(tone_hz, [tone_hz as u8; 32]);
        let local = local.parse().expect("an address");
        for command in [
            SoundCommand::Open { session: 1, local },
            SoundCommand::Agree {
                session: 1,
                agreed: agreed(remote),
                held: false,
                before_ack: BeforeAck::Acknowledged,
                home: None,
            },
            SoundCommand::Focus(vec![1]),
        ] {
            ears.command(Time::ZERO, command, &mut Vec::new());
        }
        ears
    }

    /// A second of talk; what the second heard and was told.
    fn talk(one: &mut ToneEars, two: &mut ToneEars) -> (Vec<u16>, Vec<SoundEvent>) {
        let mut told = Vec::new();
        while let Some(due) = one.next_deadline().filter(|&due| due <= Time::from_secs(1)) {
            let mut out = Vec::new();
            one.tick(due, &mut out);
            for sound in out {
                let Sound::Send { from, to, bytes } = sound else { continue };
                let mut heard = Vec::new();
                two.receive(due, to, from, &bytes, &mut heard);
                told.extend(heard.into_iter().filter_map(|sound| match sound {
                    Sound::Tell(event) => Some(event),
                    Sound::Send { .. } => None,
                }));
            }
        }
        (two.take_heard_hz(), told)
    }

    #[test]
    fn one_hears_the_others_tone_and_keys() {
        let (mut one, mut two) = (ears(440, ONE, TWO), ears(700, TWO, ONE));
        one.command(
            Time::ZERO,
            SoundCommand::Dtmf { session: 1, digits: "5".into(), in_band: false },
            &mut Vec::new(),
        );
        let (heard, told) = talk(&mut one, &mut two);
        assert_eq!(heard, [440]);
        assert_eq!(told, [SoundEvent::Digit { session: 1, digit: '5' }]);
    }

    #[test]
    fn a_closed_session_tells_its_figures() {
        let (mut one, mut two) = (ears(440, ONE, TWO), ears(700, TWO, ONE));
        talk(&mut one, &mut two);
        let mut out = Vec::new();
        two.command(Time::from_secs(1), SoundCommand::Close { session: 1 }, &mut out);
        let Some(Sound::Tell(SoundEvent::Closed { figures, .. })) = out.last() else { panic!("{out:?}") };
        assert_eq!((figures.rx_packets, figures.rx_lost, figures.tx_packets), (Some(50), Some(0), Some(0)));
        assert!(!two.listens(TWO.parse().expect("an address")));
    }

    #[test]
    fn nobody_is_heard_who_is_muted() {
        let (mut one, mut two) = (ears(440, ONE, TWO), ears(700, TWO, ONE));
        one.command(Time::ZERO, SoundCommand::Mute(true), &mut Vec::new());
        assert!(talk(&mut one, &mut two).0.is_empty());
    }
}
