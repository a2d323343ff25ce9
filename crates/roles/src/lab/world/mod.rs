//! The simulated wire: parties, packets on their way, and a clock that leaps from deadline to deadline.
//!
//! Everything that chance decides comes from one seed, so the same seed gives the same run.

mod sending;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use proto::sip::flow::{Flow, Transport};
use proto::sip::locate::{Answer, Query, QueryKind};
use proto::{Rng, Time};
use serde_json::Value;

use super::nat::NatBox;
use super::party::{Does, Happens, Party};
use super::subnet::Subnet;
use super::wire::{Fate, Link, Passed};
use crate::role::Network;
use streams::Streams;

/// How many things may happen without time going on, before the world is held to be stuck.
const MAX_AT_ONCE: u32 = 100_000;
/// Where questions for names go, and from which ports.
const DNS_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 50, 53)), 53);
const FIRST_QUESTION_PORT: u16 = 50_000;
/// How long a resolver takes.
const DNS_WAIT: Duration = Duration::from_millis(5);

/// A party's place in the world.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SeatId(usize);

/// What a party told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When, by the world's clock.
    pub at: Time,
    /// Who.
    pub who: SeatId,
    /// What: an event of the `--stdio` contract.
    pub event: Value,
}

/// A party that never comes to rest, so that time cannot go on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stuck {
    /// Its name.
    pub who: String,
    /// Since when.
    pub at: Time,
    /// What it waits for, as it says.
    pub why: String,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, at, why } = self;
        write!(f, "{who} never comes to rest at {at}: its deadline does not move on ({why})")
    }
}

impl std::error::Error for Stuck {}

/// The simulated wire with all who stand on it.
#[derive(Debug)]
pub struct World<P> {
    now: Time,
    rng: Rng,
    seats: Vec<Seat<P>>,
    link: Link,
    links: BTreeMap<(IpAddr, IpAddr), Link>,
    nats: Vec<NatBox>,
    firewalls: BTreeSet<(IpAddr, IpAddr)>,
    streams: Streams,
    coming: BTreeMap<(Time, u64), Coming>,
    alarms: BTreeSet<(Time, usize)>,
    dns: BTreeMap<Query, Answer>,
    questions: u16,
    passed: Vec<Passed>,
    keeps_packets: bool,
    told: Vec<Told>,
    count: u64,
    at_once: u32,
}

#[derive(Debug)]
struct Seat<P> {
    name: String,
    ip: IpAddr,
    nat: Option<usize>,
    party: P,
    is_on: bool,
    ahead: Duration,
    alarm: Option<Time>,
}

/// What is on its way.
#[derive(Debug)]
enum Coming {
    /// To an address: who has it is found out on arrival.
    Datagram {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Bytes,
        /// Its place among those that have passed, where they are kept.
        kept: Option<usize>,
    },
    /// Over a connection, to a party.
    Piece {
        to: usize,
        flow: Flow,
        connection: u64,
        bytes: Bytes,
        kept: Option<usize>,
    },
    Failed {
        to: usize,
        flow: Flow,
        reason: String,
    },
    /// To a group or to all, heard by one of them.
    Group {
        to: usize,
        flow: Flow,
        bytes: Bytes,
        kept: Option<usize>,
    },
    Frame {
        to: usize,
        bytes: Bytes,
        kept: Option<usize>,
    },
    Resolved {
        to: usize,
        query: Query,
    },
    Start {
        to: usize,
    },
}

impl<P: Party> World<P> {
    /// An empty world at `now` where all packets travel by `link`.
    pub fn new(seed: u64, now: Time, link: Link) -> Self {
        Self {
            now,
            rng: Rng::from_number(seed),
            seats: Vec::new(),
            link,
            links: BTreeMap::new(),
            nats: Vec::new(),
            firewalls: BTreeSet::new(),
            streams: Streams::default(),
            coming: BTreeMap::new(),
            alarms: BTreeSet::new(),
            dns: BTreeMap::new(),
            questions: 0,
            passed: Vec::new(),
            keeps_packets: true,
            told: Vec::new(),
            count: 0,
            at_once: 0,
        }
    }

    /// The world's clock.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A seed for whoever needs chance of its own.
    pub fn seed(&mut self) -> [u8; 32] {
        self.rng.fork()
    }

    /// Gives `party` a place at `ip`, switched off.
    pub fn join(&mut self, name: &str, ip: IpAddr, party: P) -> SeatId {
        let seat = Seat {
            name: name.to_owned(),
            ip,
            nat: None,
            party,
            is_on: false,
            ahead: Duration::ZERO,
            alarm: None,
        };
        self.seats.push(seat);
        SeatId(self.seats.len() - 1)
    }

    /// Switches a party on after `wait`.
    pub fn switch_on(&mut self, who: SeatId, wait: Duration) {
        self.arrive(self.now + wait, Coming::Start { to: who.0 });
    }

    /// Takes a party off the wire without a word, as a power cut does; its connections break.
    pub fn switch_off(&mut self, who: SeatId) {
        self.break_streams(who, "the other end was switched off");
        let seat = &mut self.seats[who.0];
        seat.is_on = false;
        if let Some(alarm) = seat.alarm.take() {
            self.alarms.remove(&(alarm, who.0));
        }
    }

    /// Puts another party on the same place, switched off: the same machine after a restart.
    pub fn replace(&mut self, who: SeatId, party: P) -> P {
        self.switch_off(who);
        std::mem::replace(&mut self.seats[who.0].party, party)
    }

    /// Sets a party's clock ahead, as a laptop does that wakes up.
    pub fn jump(&mut self, who: SeatId, ahead: Duration) {
        self.seats[who.0].ahead += ahead;
        self.set_alarm(who.0);
    }

    /// Gives a party another address, as DHCP does.
    pub fn move_to(&mut self, who: SeatId, ip: IpAddr) {
        self.seats[who.0].ip = ip;
        self.tell(who.0, Happens::Network(Box::new(Network::at(ip))));
    }

    /// Makes packets between two addresses, both ways, travel by `link`.
    pub fn set_link(&mut self, one: IpAddr, other: IpAddr, link: Link) {
        self.links.insert((one, other), link);
        self.links.insert((other, one), link);
    }

    /// Lets no datagram but SIP pass from one address to another, as a firewall does that was opened
    /// for port 5060 alone.
    pub fn drop_sound(&mut self, from: IpAddr, to: IpAddr) {
        self.firewalls.insert((from, to));
    }

    /// Puts parties behind one NAT.
    pub fn hide(&mut self, inside: &[SeatId], nat: NatBox) {
        self.nats.push(nat);
        for who in inside {
            self.seats[who.0].nat = Some(self.nats.len() - 1);
        }
    }

    /// What the DNS answers; names that are not set have no records.
    pub fn set_dns(&mut self, query: Query, answer: Answer) {
        self.dns.insert(query, answer);
    }

    /// Breaks all connections of a party; the other ends learn why.
    pub fn break_streams(&mut self, who: SeatId, reason: &str) {
        for end in self.streams.end_all_of(who.0) {
            self.arrive(
                self.now,
                Coming::Failed { to: end.party, flow: end.flow, reason: reason.to_owned() },
            );
        }
    }

    /// Stops or resumes to keep what passes, for long runs.
    pub fn keep_packets(&mut self, keep: bool) {
        self.keeps_packets = keep;
    }

    /// What has passed, in the order of sending.
    pub fn passed(&self) -> &[Passed] {
        &self.passed
    }

    /// What was told since the last call.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// A party.
    pub fn party(&self, who: SeatId) -> &P {
        &self.seats[who.0].party
    }

    /// A party, to be changed; it is woken no earlier than its deadline asks.
    pub fn party_mut(&mut self, who: SeatId) -> &mut P {
        &mut self.seats[who.0].party
    }

    /// A party's name.
    pub fn name(&self, who: SeatId) -> &str {
        &self.seats[who.0].name
    }

    /// A party's own address.
    pub fn ip(&self, who: SeatId) -> IpAddr {
        self.seats[who.0].ip
    }

    /// Whose an address is: the party's itself, or the NAT's that hides it.
    pub fn name_at(&self, ip: IpAddr) -> Option<&str> {
        let own = self.seats.iter().find(|seat| seat.ip == ip);
        let hidden = || self.seats.iter().find(|seat| self.outer_of(seat) == Some(ip));
        own.or_else(hidden).map(|seat| &*seat.name)
    }

    /// Types a line at a party's keyboard.
    pub fn command(&mut self, who: SeatId, line: &str) {
        self.tell(who.0, Happens::Command(line));
    }

    /// Sends a datagram from anywhere, as a stranger does.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        self.send_datagram(from, to, bytes, None);
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// [`Stuck`] where a party asks to be woken again and again at the same moment.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Stuck> {
        self.run_until(self.now + time)
    }

    /// Lets time pass until `end`.
    ///
    /// # Errors
    /// As [`World::run_for`].
    pub fn run_until(&mut self, end: Time) -> Result<(), Stuck> {
        while self.step(end)? {}
        Ok(())
    }

    /// Lets the next thing happen; false where nothing does up to `end`, which it then is.
    ///
    /// # Errors
    /// As [`World::run_for`].
    pub fn step(&mut self, end: Time) -> Result<bool, Stuck> {
        let arrival = self.coming.keys().next().copied();
        let alarm = self.alarms.first().copied();
        let arrival_at = arrival.map_or(Time::NEVER, |(at, _)| at);
        let alarm_at = alarm.map_or(Time::NEVER, |(at, _)| at);
        let at = arrival_at.min(alarm_at);
        if at > end || at == Time::NEVER {
            self.now = self.now.max(end);
            return Ok(false);
        }
        self.leap(at, alarm)?;
        match (arrival, alarm) {
            (Some(key), _) if arrival_at <= alarm_at => self.deliver(key),
            (_, Some((_, seat))) => self.tell(seat, Happens::Wake),
            _ => {}
        }
        Ok(true)
    }

    fn leap(&mut self, at: Time, alarm: Option<(Time, usize)>) -> Result<(), Stuck> {
        self.at_once = if at > self.now { 0 } else { self.at_once + 1 };
        self.now = self.now.max(at);
        if self.at_once <= MAX_AT_ONCE {
            return Ok(());
        }
        let who = alarm.map_or("a packet", |(_, seat)| &self.seats[seat].name).to_owned();
        let why = alarm.map_or_else(String::new, |(_, seat)| self.seats[seat].party.why());
        Err(Stuck { who, at: self.now, why })
    }

    fn deliver(&mut self, key: (Time, u64)) {
        match self.coming.remove(&key) {
            Some(Coming::Datagram { from, to, bytes, kept }) => self.deliver_datagram(from, to, &bytes, kept),
            Some(Coming::Piece { to, flow, connection, bytes, kept }) if self.streams.stands(connection) => {
                // As the wire saw it: whoever opened the connection names it without its port.
                let port = kept.and_then(|at| self.passed.get(at)).map_or(0, |packet| packet.to.port());
                self.note_arrival(kept, SocketAddr::new(self.seats[to].ip, port));
                self.tell(to, Happens::Packet { flow, bytes: &bytes });
            }
            Some(Coming::Group { to, flow, bytes, kept }) => {
                self.note_arrival(kept, SocketAddr::new(self.seats[to].ip, flow.local.port()));
                self.tell(to, Happens::Packet { flow, bytes: &bytes });
            }
            Some(Coming::Frame { to, bytes, kept }) => {
                if self.seats[to].is_on {
                    self.note_arrival(kept, SocketAddr::new(self.seats[to].ip, 0));
                }
                self.tell(to, Happens::Frame(&bytes));
            }
            Some(Coming::Failed { to, flow, reason }) => self.tell(to, Happens::Failed { flow, reason }),
            Some(Coming::Resolved { to, query }) => {
                let answer = self.dns.get(&query).cloned().unwrap_or(Answer::Records(Vec::new()));
                self.tell(to, Happens::Resolved { query, answer });
            }
            Some(Coming::Start { to }) => {
                self.seats[to].is_on = true;
                self.tell(to, Happens::Start);
            }
            Some(Coming::Piece { .. }) | None => {}
        }
    }

    fn deliver_datagram(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], kept: Option<usize>) {
        let Some((seat, local)) = self.inside(from, to) else { return };
        if self.seats[seat].is_on {
            self.note_arrival(kept, local);
        }
        if self.seats[seat].is_on && self.seats[seat].party.listens(Transport::Udp, local) {
            let flow = Flow { transport: Transport::Udp, local, remote: from };
            self.tell(seat, Happens::Packet { flow, bytes });
        }
    }

    fn note_arrival(&mut self, kept: Option<usize>, local: SocketAddr) {
        if let Some(packet) = kept.and_then(|at| self.passed.get_mut(at)) {
            packet.got.push((self.now, local));
        }
    }

    /// Whom a datagram to `to` reaches, and at which address of its own.
    fn inside(&mut self, from: SocketAddr, to: SocketAddr) -> Option<(usize, SocketAddr)> {
        if let Some(seat) = self.seats.iter().position(|seat| seat.ip == to.ip() && seat.nat.is_none()) {
            return Some((seat, to));
        }
        let nat = self.nats.iter().position(|nat| nat.outer() == to.ip())?;
        let local = self.nats[nat].inbound(self.now, to.port(), from)?;
        let seat = self.seats.iter().position(|seat| seat.ip == local.ip() && seat.nat == Some(nat))?;
        Some((seat, local))
    }

    fn tell(&mut self, at: usize, happens: Happens<'_>) {
        let seat = &mut self.seats[at];
        if !seat.is_on {
            return;
        }
        let mut does = Vec::new();
        seat.party.handle(self.now + seat.ahead, happens, &mut does);
        self.set_alarm(at);
        for one in does {
            self.perform(at, one);
        }
    }

    fn set_alarm(&mut self, at: usize) {
        let seat = &mut self.seats[at];
        if let Some(before) = seat.alarm.take() {
            self.alarms.remove(&(before, at));
        }
        let deadline = seat.party.next_deadline().filter(|&deadline| seat.is_on && deadline < Time::NEVER);
        if let Some(deadline) = deadline {
            let alarm = (deadline - seat.ahead).max(self.now);
            seat.alarm = Some(alarm);
            self.alarms.insert((alarm, at));
        }
    }

    fn arrive(&mut self, at: Time, coming: Coming) {
        self.count += 1;
        self.coming.insert((at, self.count), coming);
    }

    /// Keeps what passed; its place, where it is kept.
    fn keep(&mut self, passed: Passed) -> Option<usize> {
        self.keeps_packets.then(|| {
            self.passed.push(passed);
            self.passed.len() - 1
        })
    }
}

/// Whether an address is a group's or everybody's.
fn is_for_many(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}
