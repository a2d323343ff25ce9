//! The engine: all sound of one phone, without a thread, a socket or a clock.
//!
//! Its owner hands in commands and datagrams and calls [`Engine::tick`] when
//! [`Engine::next_deadline`] has come. Once the buffers of its sessions have grown it allocates
//! nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use media::mix::{Mixer, overlay};
use media::tone::{DEFAULT_LEVEL_DBFS, Generator};
use proto::{Rng, Time};
use roles::sound::{Figures, SessionId, SoundCommand, SoundEvent, Tone};

use super::config::melody;
use super::leg::{Leg, Terms};
use super::{Config, FRAME_MS, Sink, Source};

/// Sessions of one phone at a time: more than any phone has calls.
pub const SESSIONS_LIMIT: usize = 64;

/// After a standstill longer than this sound goes on from now instead of catching up.
const LAG_LIMIT: Duration = Duration::from_millis(300);

const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);

/// Where an engine's packets and events go.
pub trait Outlet {
    /// A datagram of a session, from its RTP port or, with `rtcp`, the one above.
    fn send(&mut self, session: SessionId, rtcp: bool, to: SocketAddr, bytes: &[u8]);

    /// Something for the phone to know.
    fn tell(&mut self, event: SoundEvent);
}

/// All sound of one phone.
pub struct Engine {
    config: Config,
    rng: Rng,
    cname: String,
    source: Box<dyn Source>,
    sink: Box<dyn Sink>,
    legs: BTreeMap<SessionId, Leg>,
    focus: Vec<SessionId>,
    muted: bool,
    tone: Option<(Tone, Generator)>,
    is_talking: bool,
    next_frame: Time,
    buffers: Buffers,
}

/// What a frame is made in.
struct Buffers {
    mixer: Mixer,
    microphone: Vec<i16>,
    earpiece: Vec<i16>,
    /// A tone, or what one far end is to hear.
    scratch: Vec<i16>,
    packet: Vec<u8>,
}

impl Engine {
    /// A silent phone with this microphone and earpiece; `seed` gives its RTP sources and its name in
    /// RTCP, which is random and names nobody (RFC 7022).
    pub fn new(config: Config, source: Box<dyn Source>, sink: Box<dyn Sink>, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let samples = config.frame_samples();
        Self {
            config,
            cname: rng.hex(24),
            rng,
            source,
            sink,
            legs: BTreeMap::new(),
            focus: Vec::new(),
            muted: false,
            tone: None,
            is_talking: false,
            next_frame: Time::NEVER,
            buffers: Buffers::new(samples),
        }
    }

    /// Does what the phone asks.
    pub fn command(&mut self, now: Time, command: SoundCommand, out: &mut impl Outlet) {
        match command {
            SoundCommand::Open { session, .. } => self.open(session, out),
            SoundCommand::Agree { session, agreed, held, before_ack, home } => {
                let terms = Terms { held, before_ack, home };
                let identity = (self.cname.as_str(), &mut self.rng);
                let Some(leg) = self.legs.get_mut(&session) else { return };
                leg.agree(now, &agreed, terms, &self.config, identity);
            }
            SoundCommand::Dtmf { session, digits, in_band } => {
                if let Some(leg) = self.legs.get_mut(&session) {
                    leg.press(&digits, in_band);
                }
            }
            SoundCommand::Tone(tone) => self.play(tone),
            SoundCommand::Focus(focus) => self.look_at(focus),
            SoundCommand::Mute(muted) => self.muted = muted,
            SoundCommand::Close { session } => self.close(now, session, out),
        }
        self.wake(now);
    }

    /// Takes a datagram of either port of a session; SRTP is decrypted in place.
    pub fn receive(
        &mut self,
        now: Time,
        session: SessionId,
        from: SocketAddr,
        bytes: &mut [u8],
        out: &mut impl Outlet,
    ) {
        let digit = self.legs.get_mut(&session).and_then(|leg| leg.receive(now, from, bytes));
        if let Some(digit) = digit {
            out.tell(SoundEvent::Digit { session, digit: digit.as_char() });
        }
    }

    /// Makes all frames that are due.
    pub fn tick(&mut self, now: Time, out: &mut impl Outlet) {
        if now.since(self.next_frame) > LAG_LIMIT {
            self.next_frame = now;
        }
        while self.next_frame <= now {
            let at = self.next_frame;
            self.next_frame += FRAME;
            self.frame(at, out);
            self.wake(at);
        }
    }

    /// When [`Engine::tick`] is to be called; [`Time::NEVER`] while there is nothing to hear or say.
    pub fn next_deadline(&self) -> Time {
        self.next_frame
    }

    /// The sessions that are open, in the order of their numbers.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.legs.keys().copied()
    }

    fn open(&mut self, session: SessionId, out: &mut impl Outlet) {
        if self.legs.len() >= SESSIONS_LIMIT {
            let reason = format!("this phone has {SESSIONS_LIMIT} calls with sound; end one first");
            out.tell(SoundEvent::Failed { session, reason });
            return;
        }
        self.legs.insert(session, Leg::new(&self.config, self.focus.contains(&session)));
    }

    fn close(&mut self, now: Time, session: SessionId, out: &mut impl Outlet) {
        let mut figures = Figures::default();
        if let Some(leg) = self.legs.remove(&session) {
            let (to, measured) = leg.close(now, &mut self.buffers.packet);
            figures = measured;
            if let Some(to) = to {
                out.send(session, true, to, &self.buffers.packet);
            }
        }
        out.tell(SoundEvent::Closed { session, figures });
    }

    /// The tone that sounds already goes on without a click.
    fn play(&mut self, tone: Option<Tone>) {
        if tone == self.tone.as_ref().map(|(tone, _)| *tone) {
            return;
        }
        self.tone = tone.map(|tone| {
            let melody = melody(tone, self.config.country);
            (tone, Generator::new(melody, self.config.rate_hz, DEFAULT_LEVEL_DBFS))
        });
    }

    fn look_at(&mut self, focus: Vec<SessionId>) {
        self.focus = focus;
        for (session, leg) in &mut self.legs {
            leg.focused = self.focus.contains(session);
        }
    }

    /// Frames begin when there is something to hear or say, and end after it.
    fn wake(&mut self, now: Time) {
        if self.legs.is_empty() && self.tone.is_none() {
            self.next_frame = Time::NEVER;
        } else if self.next_frame == Time::NEVER {
            self.next_frame = now;
        }
    }

    fn frame(&mut self, now: Time, out: &mut impl Outlet) {
        self.listen(now);
        self.speak(now, out);
        self.hear();
    }

    /// Everybody who can be heard goes into the mixer.
    fn listen(&mut self, now: Time) {
        let Buffers { mixer, microphone, .. } = &mut self.buffers;
        let was_talking = std::mem::replace(&mut self.is_talking, self.legs.values().any(Leg::is_live));
        if self.is_talking && !was_talking {
            self.source.rewind();
        }
        if self.is_talking {
            self.source.fill(microphone);
        }
        if self.muted || !self.is_talking {
            microphone.fill(0);
        }
        mixer.clear();
        mixer.add(microphone);
        for leg in self.legs.values_mut() {
            leg.listen(now);
            if leg.is_live() {
                mixer.add(&leg.heard);
            }
        }
    }

    /// Each far end hears all but itself; one that is held or out of focus hears silence.
    fn speak(&mut self, now: Time, out: &mut impl Outlet) {
        let Buffers { mixer, scratch, packet, .. } = &mut self.buffers;
        for (session, leg) in &mut self.legs {
            if leg.is_live() {
                mixer.without(&leg.heard, scratch);
            } else {
                scratch.fill(0);
            }
            if let Some(to) = leg.say(now, scratch, packet) {
                out.send(*session, false, to, packet);
            }
            if let Some(to) = leg.report(now, &mut self.rng, packet) {
                out.send(*session, true, to, packet);
            }
        }
    }

    /// The person hears all but himself, and a tone over it.
    fn hear(&mut self) {
        let Buffers { mixer, microphone, earpiece, scratch, .. } = &mut self.buffers;
        mixer.without(microphone, earpiece);
        if let Some((_, generator)) = &mut self.tone {
            let goes_on = generator.fill(scratch);
            overlay(earpiece, scratch);
            if !goes_on {
                self.tone = None;
            }
        }
        self.sink.hear(earpiece);
    }
}

impl Buffers {
    fn new(samples: usize) -> Self {
        Self {
            mixer: Mixer::new(samples),
            microphone: vec![0; samples],
            earpiece: vec![0; samples],
            scratch: vec![0; samples],
            packet: Vec::with_capacity(2_048),
        }
    }
}
