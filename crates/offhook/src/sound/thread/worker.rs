//! The loop: datagrams and commands as they come, frames when they are due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use proto::Time;
use roles::sound::{SessionId, SoundCommand, SoundEvent};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::{Command, PhoneId};
use crate::clock::Clock;
use crate::net::bind_media;
use crate::sound::tap::MediaTap;
use crate::sound::{Engine, Outlet};

/// Events taken from the kernel at a time.
const READY: usize = 256;
/// Larger than any packet of speech.
const DATAGRAM_BYTES: usize = 4_096;
/// Marks the event of the command channel; sockets count from 0.
const WAKE: u64 = u64::MAX;
/// The longest sleep, and the sleep while the owner does not take its events.
const IDLE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(10);
/// Key presses are dropped while so many events wait for the owner.
const WAITING_LIMIT: usize = 1_024;

/// What runs on the thread.
pub(super) struct Worker {
    inbox: mpsc::Receiver<Command>,
    wake: Arc<OwnedFd>,
    clock: Clock,
    phones: BTreeMap<PhoneId, Phone>,
    sockets: Sockets,
    post: Post,
    tap: Option<MediaTap>,
    /// A phone's entry counts while its engine has the same deadline.
    due: BinaryHeap<Reverse<(Time, PhoneId)>>,
    buffer: Box<[u8]>,
}

struct Phone {
    engine: Engine,
    dscp: u8,
    slots: BTreeMap<SessionId, usize>,
}

/// The sockets of all phones, watched by one epoll.
struct Sockets {
    epoll: OwnedFd,
    pairs: Vec<Option<Pair>>,
    free: Vec<usize>,
}

struct Pair {
    phone: PhoneId,
    session: SessionId,
    /// The address of RTP; RTCP's is one port above.
    local: SocketAddr,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

/// The events on their way to the owner.
struct Post {
    events: Sender<(PhoneId, SoundEvent)>,
    waiting: VecDeque<(PhoneId, SoundEvent)>,
}

/// Where the engine of one phone sends to.
struct Wire<'a> {
    now: Time,
    phone: PhoneId,
    slots: &'a BTreeMap<SessionId, usize>,
    sockets: &'a Sockets,
    post: &'a mut Post,
    tap: Option<&'a MediaTap>,
}

impl Worker {
    pub(super) fn new(
        inbox: mpsc::Receiver<Command>,
        wake: Arc<OwnedFd>,
        events: Sender<(PhoneId, SoundEvent)>,
        clock: Clock,
        tap: Option<MediaTap>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        Ok(Self {
            inbox,
            wake,
            clock,
            phones: BTreeMap::new(),
            sockets: Sockets { epoll, pairs: Vec::new(), free: Vec::new() },
            post: Post { events, waiting: VecDeque::new() },
            tap,
            due: BinaryHeap::new(),
            buffer: vec![0; DATAGRAM_BYTES].into(),
        })
    }

    pub(super) fn run(mut self) {
        let mut ready = Vec::with_capacity(READY);
        loop {
            ready.clear();
            let patience = self.patience();
            // An interrupted wait is one without events.
            let _ = epoll::wait(&self.sockets.epoll, spare_capacity(&mut ready), Some(&patience));
            // Commands first: a packet that came after a new agreement is to be heard by it.
            if ready.iter().any(|event| event.data.u64() == WAKE) && !self.obey() {
                return;
            }
            for token in ready.iter().map(|event| event.data.u64()).filter(|token| *token != WAKE) {
                self.receive(token);
            }
            self.tick();
            self.post.flush();
        }
    }

    /// How long to sleep: until the next frame.
    fn patience(&self) -> Timespec {
        let longest = if self.post.waiting.is_empty() { IDLE } else { RETRY };
        let due = self.due.peek().map_or(Time::NEVER, |Reverse((due, _))| *due);
        let wait = due.since(self.clock.now()).min(longest);
        Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() }
    }

    /// Takes all commands; false to end.
    fn obey(&mut self) -> bool {
        let mut count = [0; 8];
        // Before the commands are taken, so that one that comes meanwhile rings again.
        let _ = rustix::io::read(&*self.wake, &mut count);
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Attach { phone, engine, dscp }) => {
                    self.detach(phone);
                    self.phones.insert(phone, Phone { engine: *engine, dscp, slots: BTreeMap::new() });
                }
                Ok(Command::Do { phone, command }) => self.command(phone, command),
                Ok(Command::Detach { phone }) => self.detach(phone),
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => {
                    self.end();
                    return false;
                }
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    fn command(&mut self, phone: PhoneId, command: SoundCommand) {
        if let SoundCommand::Open { session, local } = command
            && let Err(error) = self.open(phone, session, local)
        {
            self.post.put(phone, SoundEvent::Failed { session, reason: error.to_string() });
            return;
        }
        let closed = if let SoundCommand::Close { session } = command { Some(session) } else { None };
        self.drive(phone, |engine, now, wire| engine.command(now, command, wire));
        if let Some(session) = closed {
            self.release(phone, session);
        }
    }

    /// Binds the ports of a session.
    fn open(&mut self, phone: PhoneId, session: SessionId, local: SocketAddr) -> io::Result<()> {
        self.release(phone, session);
        let Some(owner) = self.phones.get_mut(&phone) else { return Ok(()) };
        let rtcp_port = local.port().checked_add(1).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "RTCP has no port above 65535; use a lower one")
        })?;
        let rtp = bind_media(local, owner.dscp)?;
        let rtcp = bind_media(SocketAddr::new(local.ip(), rtcp_port), owner.dscp)?;
        let slot = self.sockets.add(Pair { phone, session, local, rtp, rtcp })?;
        owner.slots.insert(session, slot);
        Ok(())
    }

    fn release(&mut self, phone: PhoneId, session: SessionId) {
        if let Some(slot) = self.phones.get_mut(&phone).and_then(|owner| owner.slots.remove(&session)) {
            self.sockets.remove(slot);
        }
    }

    /// Ends a phone's sessions, then the phone.
    fn detach(&mut self, phone: PhoneId) {
        while let Some(session) = self.phones.get(&phone).and_then(|owner| owner.engine.sessions().next()) {
            self.command(phone, SoundCommand::Close { session });
        }
        if let Some(owner) = self.phones.remove(&phone) {
            owner.slots.into_values().for_each(|slot| self.sockets.remove(slot));
        }
    }

    fn end(&mut self) {
        while let Some(phone) = self.phones.keys().next().copied() {
            self.detach(phone);
        }
        self.post.flush();
    }

    /// Takes one datagram; the kernel tells of the next.
    fn receive(&mut self, token: u64) {
        let Some((pair, rtcp)) = self.sockets.find(token) else { return };
        let Ok((length, from)) = pair.socket(rtcp).recv_from(&mut self.buffer) else { return };
        let (phone, session, local) = (pair.phone, pair.session, pair.local(rtcp));
        let mut buffer = std::mem::take(&mut self.buffer);
        let bytes = buffer.get_mut(..length).unwrap_or_default();
        if let Some(tap) = &self.tap {
            tap.saw(self.clock.now(), from, local, bytes);
        }
        self.drive(phone, |engine, now, wire| engine.receive(now, session, from, bytes, wire));
        self.buffer = buffer;
    }

    /// Makes the frames that are due.
    fn tick(&mut self) {
        let now = self.clock.now();
        while let Some(Reverse((due, phone))) = self.due.peek().copied().filter(|entry| entry.0.0 <= now) {
            self.due.pop();
            if self.phones.get(&phone).is_some_and(|owner| owner.engine.next_deadline() == due) {
                self.drive(phone, |engine, _, wire| engine.tick(now, wire));
            }
        }
    }

    /// Lets a phone's engine act, and notes its next deadline.
    fn drive(&mut self, phone: PhoneId, act: impl FnOnce(&mut Engine, Time, &mut Wire<'_>)) {
        let Some(owner) = self.phones.get_mut(&phone) else { return };
        let before = owner.engine.next_deadline();
        let now = self.clock.now();
        let (slots, sockets, post, tap) = (&owner.slots, &self.sockets, &mut self.post, self.tap.as_ref());
        act(&mut owner.engine, now, &mut Wire { now, phone, slots, sockets, post, tap });
        let after = owner.engine.next_deadline();
        if after != before && after != Time::NEVER {
            self.due.push(Reverse((after, phone)));
        }
    }
}

impl Outlet for Wire<'_> {
    /// What the kernel does not take is lost, as it would be on the way.
    fn send(&mut self, session: SessionId, rtcp: bool, to: SocketAddr, bytes: &[u8]) {
        let slot = self.slots.get(&session).and_then(|slot| self.sockets.pairs.get(*slot));
        let Some(Some(pair)) = slot else { return };
        if pair.socket(rtcp).send_to(bytes, to).is_ok()
            && let Some(tap) = self.tap
        {
            tap.saw(self.now, pair.local(rtcp), to, bytes);
        }
    }

    fn tell(&mut self, event: SoundEvent) {
        self.post.put(self.phone, event);
    }
}

impl Sockets {
    /// The kernel stops watching a socket when it is closed, also after an error here.
    fn add(&mut self, pair: Pair) -> io::Result<usize> {
        let slot = self.free.last().copied().unwrap_or(self.pairs.len());
        for (socket, rtcp) in [(&pair.rtp, false), (&pair.rtcp, true)] {
            let data = epoll::EventData::new_u64((slot as u64) << 1 | u64::from(rtcp));
            epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN)?;
        }
        if self.free.pop().is_none() {
            self.pairs.push(None);
        }
        self.pairs[slot] = Some(pair);
        Ok(slot)
    }

    fn remove(&mut self, slot: usize) {
        if self.pairs.get_mut(slot).and_then(Option::take).is_some() {
            self.free.push(slot);
        }
    }

    /// Whose token it is, and whether it is that of RTCP.
    fn find(&self, token: u64) -> Option<(&Pair, bool)> {
        let pair = self.pairs.get(usize::try_from(token >> 1).ok()?)?.as_ref()?;
        Some((pair, token & 1 == 1))
    }
}

impl Pair {
    fn socket(&self, rtcp: bool) -> &UdpSocket {
        if rtcp { &self.rtcp } else { &self.rtp }
    }

    fn local(&self, rtcp: bool) -> SocketAddr {
        SocketAddr::new(self.local.ip(), self.local.port().saturating_add(u16::from(rtcp)))
    }
}

impl Post {
    /// Closings and failures answer commands, so their number is bounded by them.
    fn put(&mut self, phone: PhoneId, event: SoundEvent) {
        let is_key = matches!(event, SoundEvent::Digit { .. });
        if !is_key || self.waiting.len() < WAITING_LIMIT {
            self.waiting.push_back((phone, event));
        }
    }

    /// An owner that is gone will stop the thread too.
    fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
                self.waiting.push_front(event);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_dropped_while_nobody_listens_and_closings_are_not() {
        let (events, mut owner) = tokio::sync::mpsc::channel(4);
        let mut post = Post { events, waiting: VecDeque::new() };
        let closed = || SoundEvent::Closed { session: 1, figures: Default::default() };
        for _ in 0..WAITING_LIMIT * 2 {
            post.put(7, SoundEvent::Digit { session: 1, digit: '5' });
        }
        post.put(7, closed());
        let mut seen = Vec::new();
        while !post.waiting.is_empty() {
            post.flush();
            seen.extend(std::iter::from_fn(|| owner.try_recv().ok()));
        }
        assert_eq!((seen.len(), seen.pop()), (WAITING_LIMIT + 1, Some((7, closed()))));
    }
}
