//! The loop: one datagram for each event, from one leg to the other.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use proto::Time;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use tokio::sync::mpsc::UnboundedSender;

use super::leg::{Kind, Leg, Sockets, Verdict, take};
use super::speaker::{FRAME_MS, Speaker};
use super::{Command, Expected, Figures, RelayEvent, Side};
use crate::clock::Clock;

/// Events taken from the kernel at a time.
const EVENTS: usize = 256;
/// Larger than any packet of speech, smaller than any that a path carries whole.
const DATAGRAM_BYTES: usize = 4_096;
/// How often legs are looked after.
const SWEEP: Duration = Duration::from_secs(1);
/// Every how long the relay's own voice speaks.
const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);
/// Marks the event of the command channel; sockets count from 0.
const WAKE: u64 = u64::MAX;

/// What runs on the thread.
pub(super) struct Worker {
    inbox: mpsc::Receiver<Command>,
    wake: Arc<OwnedFd>,
    events: UnboundedSender<RelayEvent>,
    clock: Clock,
    epoll: OwnedFd,
    sessions: Vec<Option<Session>>,
    free: Vec<usize>,
    by_id: HashMap<u64, usize>,
    buffer: Box<[u8]>,
    clear: Vec<u8>,
    next_sweep: Time,
    /// Where the relay itself speaks.
    speaking: Vec<(u64, Side)>,
    /// When it does so next.
    next_frame: Time,
}

struct Session {
    id: u64,
    a: Leg,
    b: Leg,
    /// What A hears instead of B, and B instead of A.
    speakers: [Option<Speaker>; 2],
}

impl Session {
    fn leg(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    fn pair(&mut self, from: Side) -> (&mut Leg, &mut Leg) {
        match from {
            Side::A => (&mut self.a, &mut self.b),
            Side::B => (&mut self.b, &mut self.a),
        }
    }

    fn speaker(&mut self, side: Side) -> &mut Option<Speaker> {
        let [a, b] = &mut self.speakers;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    fn figures(&self) -> [Figures; 2] {
        [self.a.figures(), self.b.figures()]
    }
}

impl Worker {
    pub(super) fn new(
        inbox: mpsc::Receiver<Command>,
        wake: Arc<OwnedFd>,
        events: UnboundedSender<RelayEvent>,
        clock: Clock,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        Ok(Self {
            inbox,
            wake,
            events,
            clock,
            epoll,
            sessions: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            buffer: vec![0; DATAGRAM_BYTES].into(),
            clear: Vec::with_capacity(DATAGRAM_BYTES),
            next_sweep: Time::ZERO,
            speaking: Vec::new(),
            next_frame: Time::ZERO,
        })
    }

    pub(super) fn run(mut self) {
        let mut ready = Vec::with_capacity(EVENTS);
        loop {
            ready.clear();
            let patience = self.patience();
            // An interrupted wait is one without events.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&patience));
            let now = self.clock.now();
            // Commands first: a packet that came after a new description is to go where that says.
            if ready.iter().any(|event| event.data.u64() == WAKE) && !self.obey() {
                return;
            }
            for token in ready.iter().map(|event| event.data.u64()).filter(|token| *token != WAKE) {
                self.relay(now, token);
            }
            if !self.speaking.is_empty() && now >= self.next_frame {
                self.say(now);
            }
            if now >= self.next_sweep {
                self.next_sweep = now + SWEEP;
                for session in self.sessions.iter_mut().flatten() {
                    session.a.sweep();
                    session.b.sweep();
                }
            }
        }
    }

    /// How long the kernel may let us wait: until the next sweep, or until the relay speaks again.
    fn patience(&self) -> Timespec {
        if self.speaking.is_empty() {
            return Timespec { tv_sec: 1, tv_nsec: 0 };
        }
        let wait = self.next_frame.since(self.clock.now()).min(FRAME);
        Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) }
    }

    /// One packet to everybody whom the relay itself speaks to. Where it comes late by more than a few
    /// packets it leaves those out.
    fn say(&mut self, now: Time) {
        let late = now.since(self.next_frame) > FRAME * 5;
        self.next_frame = if late { now + FRAME } else { self.next_frame + FRAME };
        let mut packet = std::mem::take(&mut self.clear);
        for (id, side) in std::mem::take(&mut self.speaking) {
            let Some(session) = self.session(id) else { continue };
            let Some(speaker) = session.speaker(side) else { continue };
            packet.clear();
            speaker.next(&mut packet);
            if !packet.is_empty() {
                // Who cannot be reached hears nothing; there is nobody to be told.
                let _ = session.leg(side).send(Kind::Rtp, &mut packet);
            }
            self.speaking.push((id, side));
        }
        self.clear = packet;
    }

    fn speak(&mut self, id: u64, side: Side, speaker: Option<Speaker>) {
        let now = self.clock.now();
        let Some(session) = self.session(id) else { return };
        let speaks = speaker.as_ref().is_some_and(|speaker| !speaker.is_echo());
        *session.speaker(side) = speaker;
        self.speaking.retain(|other| *other != (id, side));
        if speaks {
            self.next_frame = if self.speaking.is_empty() { now } else { self.next_frame };
            self.speaking.push((id, side));
        }
    }

    /// Takes all commands; false to end.
    fn obey(&mut self) -> bool {
        let mut count = [0; 8];
        // Before the commands are taken, so that one that comes meanwhile rings again.
        let _ = rustix::io::read(&*self.wake, &mut count);
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Open { id, sockets }) => self.open(id, *sockets),
                Ok(Command::Expect { id, side, expected }) => self.expect(id, side, *expected),
                Ok(Command::Speak { id, side, speaker }) => self.speak(id, side, speaker),
                Ok(Command::Ask { id }) => {
                    if let Some(figures) = self.session(id).map(|session| session.figures()) {
                        self.tell(RelayEvent::Figures { id, figures });
                    }
                }
                Ok(Command::Close { id }) => self.close(id),
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => return false,
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    fn open(&mut self, id: u64, [a, b]: [Sockets; 2]) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.sessions.push(None);
            self.sessions.len() - 1
        });
        for (socket, side, kind) in [
            (&a.rtp, Side::A, Kind::Rtp),
            (&a.rtcp, Side::A, Kind::Rtcp),
            (&b.rtp, Side::B, Kind::Rtp),
            (&b.rtcp, Side::B, Kind::Rtcp),
        ] {
            self.watch(socket, token(slot, side, kind));
        }
        self.sessions[slot] = Some(Session { id, a: Leg::new(a), b: Leg::new(b), speakers: [None, None] });
        self.by_id.insert(id, slot);
    }

    /// Fails only where the kernel has no memory left; the figures then show a leg without packets.
    fn watch(&self, socket: &UdpSocket, token: u64) {
        let _ = epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), epoll::EventFlags::IN);
    }

    fn expect(&mut self, id: u64, side: Side, expected: Expected) {
        if let Some(session) = self.session(id) {
            session.leg(side).expect(expected);
        }
    }

    /// The kernel stops watching a socket when it is closed.
    fn close(&mut self, id: u64) {
        let Some(slot) = self.by_id.remove(&id) else { return };
        let Some(session) = self.sessions.get_mut(slot).and_then(Option::take) else { return };
        self.free.push(slot);
        self.tell(RelayEvent::Closed { id, figures: session.figures() });
    }

    fn relay(&mut self, now: Time, token: u64) {
        let (slot, side, kind) = place(token);
        let Some(Some(session)) = self.sessions.get_mut(slot) else { return };
        let id = session.id;
        let echoes = session.speaker(side).as_ref().is_some_and(Speaker::is_echo);
        let spoken_to = session.speaker(side.other()).is_some();
        let (from_leg, to_leg) = session.pair(side);
        let Some((length, from)) = take(from_leg.socket(kind), &mut self.buffer) else { return };
        let bytes = self.buffer.get_mut(..length).unwrap_or_default();
        match from_leg.receive(now, kind, from, bytes) {
            Verdict::Forward { kind, length, newly_learnt } => {
                self.clear.clear();
                self.clear.extend_from_slice(bytes.get(..length).unwrap_or_default());
                let sent = match (echoes, spoken_to) {
                    (true, _) => from_leg.send(kind, &mut self.clear),
                    (false, true) => Ok(()),
                    (false, false) => to_leg.send(kind, &mut self.clear),
                };
                if sent.is_err() {
                    from_leg.count_undelivered();
                }
                if newly_learnt {
                    self.tell(RelayEvent::Learnt { id, side, from });
                }
            }
            Verdict::Stranger { first: true } => self.tell(RelayEvent::Stranger { id, side, from }),
            Verdict::Stranger { first: false } | Verdict::Drop => {}
        }
    }

    fn session(&mut self, id: u64) -> Option<&mut Session> {
        let slot = *self.by_id.get(&id)?;
        self.sessions.get_mut(slot)?.as_mut()
    }

    /// A driver that is gone will drop the relay too.
    fn tell(&self, event: RelayEvent) {
        let _ = self.events.send(event);
    }
}

fn token(slot: usize, side: Side, kind: Kind) -> u64 {
    (slot as u64) << 2 | u64::from(side == Side::B) << 1 | u64::from(kind == Kind::Rtcp)
}

fn place(token: u64) -> (usize, Side, Kind) {
    let side = if token & 2 == 0 { Side::A } else { Side::B };
    let kind = if token & 1 == 0 { Kind::Rtp } else { Kind::Rtcp };
    (usize::try_from(token >> 2).unwrap_or(usize::MAX), side, kind)
}
