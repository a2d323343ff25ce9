//! The media engine as the ears of a phone on the simulated wire: real samples in virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use media::NARROWBAND_HZ;
use media::detect::level_of_frequency_db;
use media::level::rms_dbfs;
use proto::Time;
use roles::lab::ears::{Ears, Sound};
use roles::sound::{SessionId, SoundCommand, SoundEvent};

use crate::sound::engine::Outlet;
use crate::sound::{Config, Engine, Recording, Sine, Sink};

/// The most that is kept of what one phone hears, in samples: ten minutes.
const RECORDING_LIMIT: usize = 600 * NARROWBAND_HZ as usize;
/// Below this the earpiece is silent.
const SILENCE_DBFS: f32 = -50.0;
/// A tone of a conference of four still stands this far above the rest.
const PRESENT_DB: f32 = -12.0;

/// What one phone's person hears: lately, for the next question, and from the beginning.
#[derive(Clone)]
pub(super) struct Listener {
    lately: Recording,
    all: Recording,
    candidates_hz: Vec<u16>,
}

impl Listener {
    /// A person who knows these tones.
    pub(super) fn new(candidates_hz: Vec<u16>) -> Self {
        let (lately, all) = (Recording::new(RECORDING_LIMIT), Recording::new(RECORDING_LIMIT));
        Self { lately, all, candidates_hz }
    }

    /// The earpiece.
    pub(super) fn sink(&self) -> Box<dyn Sink> {
        Box::new(Both(self.lately.clone(), self.all.clone()))
    }

    /// Passes over what was heard up to now.
    pub(super) fn forget(&self) {
        drop(self.lately.take());
    }

    /// The tones that stand out of what was heard since the last question.
    pub(super) fn tones(&self) -> Vec<u16> {
        tones(&self.lately.take(), &self.candidates_hz)
    }

    /// Everything that is heard.
    pub(super) fn all(&self) -> Recording {
        self.all.clone()
    }
}

/// One phone's engine, with its listener.
pub(super) struct EngineEars {
    engine: Engine,
    open: BTreeMap<SessionId, SocketAddr>,
    listener: Listener,
}

impl EngineEars {
    /// Ears whose person hums at `tone_hz`.
    pub(super) fn new(tone_hz: u16, listener: Listener, seed: [u8; 32]) -> Self {
        let source = Sine::new(tone_hz, NARROWBAND_HZ);
        let engine = Engine::new(Config::NARROWBAND, Box::new(source), listener.sink(), seed);
        Self { engine, open: BTreeMap::new(), listener }
    }

    fn session_at(&self, local: SocketAddr) -> Option<SessionId> {
        let rtp_or_rtcp = |rtp: &SocketAddr| *rtp == local || above(*rtp) == local;
        self.open.iter().find(|(_, rtp)| rtp_or_rtcp(rtp)).map(|(session, _)| *session)
    }
}

impl Ears for EngineEars {
    fn command(&mut self, now: Time, command: SoundCommand, out: &mut Vec<Sound>) {
        if let SoundCommand::Open { session, local } = &command {
            self.open.insert(*session, *local);
        }
        let closed = match &command {
            SoundCommand::Close { session } => Some(*session),
            _ => None,
        };
        self.engine.command(now, command, &mut Way { open: &self.open, out });
        if let Some(session) = closed {
            self.open.remove(&session);
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
        if let Some(session) = self.session_at(local) {
            let mut packet = bytes.to_vec();
            self.engine.receive(now, session, from, &mut packet, &mut Way { open: &self.open, out });
        }
    }

    fn tick(&mut self, now: Time, out: &mut Vec<Sound>) {
        self.engine.tick(now, &mut Way { open: &self.open, out });
    }

    fn next_deadline(&self) -> Option<Time> {
        Some(self.engine.next_deadline()).filter(|at| *at != Time::NEVER)
    }

    fn listens(&self, local: SocketAddr) -> bool {
        self.session_at(local).is_some()
    }

    fn take_heard_hz(&mut self) -> Vec<u16> {
        self.listener.tones()
    }

    fn hang_up(&mut self, now: Time) {
        // Nobody is told: the phone that had these sessions is gone.
        let mut unheard = Vec::new();
        let sessions: Vec<SessionId> = self.open.keys().copied().collect();
        for session in sessions {
            self.command(now, SoundCommand::Close { session }, &mut unheard);
        }
    }
}

/// Which of the tones stand out of these samples.
fn tones(samples: &[i16], candidates_hz: &[u16]) -> Vec<u16> {
    if rms_dbfs(samples) < SILENCE_DBFS {
        return Vec::new();
    }
    let present = |hz: &&u16| level_of_frequency_db(samples, NARROWBAND_HZ, f64::from(**hz)) > PRESENT_DB;
    let mut heard: Vec<u16> = candidates_hz.iter().filter(present).copied().collect();
    heard.sort_unstable();
    heard
}

/// The engine's outlet: sessions become addresses.
struct Way<'a> {
    open: &'a BTreeMap<SessionId, SocketAddr>,
    out: &'a mut Vec<Sound>,
}

impl Outlet for Way<'_> {
    fn send(&mut self, session: SessionId, rtcp: bool, to: SocketAddr, bytes: &[u8]) {
        if let Some(rtp) = self.open.get(&session) {
            let from = if rtcp { above(*rtp) } else { *rtp };
            self.out.push(Sound::Send { from, to, bytes: bytes.to_vec().into() });
        }
    }

    fn tell(&mut self, event: SoundEvent) {
        self.out.push(Sound::Tell(event));
    }
}

struct Both(Recording, Recording);

impl Sink for Both {
    fn hear(&mut self, frame: &[i16]) {
        self.0.hear(frame);
        self.1.hear(frame);
    }
}

/// The RTCP address of an RTP address.
fn above(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1))
}
