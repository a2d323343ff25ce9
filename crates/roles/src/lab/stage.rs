//! The simulated wire as a stage for cases.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proto::Time;
use serde_json::Value;

use super::ears::Ears;
use super::exchange_part::ExchangePart;
use super::host::Machine;
use super::nat::{NatBox, NatKind};
use super::parts::Part;
use super::phone_part::PhonePart;
use super::script::{BACKUP, BACKUP_IP, Case, Desk, EXCHANGE, EXCHANGE_IP, Stage};
use super::subnet::Subnet;
use super::wire::{Link, Passed};
use super::world::{SeatId, World};
use crate::phone::Place;
use crate::role::Network;

/// When virtual time begins: the day of the deck's first trace.
const BEGINNING: Time = Time::from_secs(1_640_959_118);

/// The address that the world sees of whoever is hidden.
const NAT_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 99, 1));
/// What is on its way after the last step has arrived by then.
const SETTLING: Duration = Duration::from_millis(200);
/// How long the router remembers a way without a packet from inside.
const NAT_MEMORY: Duration = Duration::from_secs(120);

/// A case's machines on the simulated wire, all switched off.
#[derive(Debug)]
pub struct Simulated {
    world: World<Part>,
    seats: Vec<(String, SeatId)>,
    subnet: Subnet,
    told: VecDeque<(String, Value)>,
}

impl Simulated {
    /// Sets the stage: an exchange and a phone for each desk, with the ears that `ears` makes.
    ///
    /// # Errors
    /// A setting of a desk that no phone takes, in words.
    pub fn new(
        case: &Case,
        link: Link,
        seed: u64,
        ears: impl FnMut(&Desk, [u8; 32]) -> Box<dyn Ears>,
    ) -> Result<Self, String> {
        Self::at(Subnet::USUAL, case, link, seed, ears)
    }

    /// The same with the machines in another subnet.
    ///
    /// # Errors
    /// As [`Simulated::new`].
    pub fn at(
        subnet: Subnet,
        case: &Case,
        link: Link,
        seed: u64,
        mut ears: impl FnMut(&Desk, [u8; 32]) -> Box<dyn Ears>,
    ) -> Result<Self, String> {
        let mut world = World::new(seed, BEGINNING, link);
        let (config, extensions) = case.exchange(subnet);
        let mut seats = Vec::new();
        for (name, ip) in [(EXCHANGE, EXCHANGE_IP), (BACKUP, BACKUP_IP)] {
            let ip = subnet.ip(ip);
            let mut config = config.clone();
            config.relay.address = ip;
            let exchange = ExchangePart::exchange_at(ip, config, extensions.clone(), world.seed(), BEGINNING);
            seats.push((name.to_owned(), world.join(name, ip, Part::Exchange(Box::new(exchange)))));
        }
        for (desk, last) in case.desks.iter().zip(1_u8..) {
            let ip = desk.ip(subnet);
            let mut place = Place::new(ip);
            place.mac[5] = last;
            place.sources.pnp = !case.machines.is_empty() && !case.has_cable();
            if case.has_cable() {
                place.interface = Some("eth0".into());
                place.network = Network::nowhere();
            }
            let (ears, seed) = (ears(desk, world.seed()), world.seed());
            let phone = PhonePart::phone_at(place, desk.settings(subnet)?, ears, seed, BEGINNING);
            let id = world.join(desk.name, ip, Part::Phone(Box::new(phone)));
            seats.push((desk.name.to_owned(), id));
        }
        for actor in case.machines {
            let ip = subnet.ip(actor.ip);
            let machine = (actor.make)(ip, world.seed(), BEGINNING);
            let id = world.join(actor.name, ip, Part::Other(machine));
            seats.push((actor.name.to_owned(), id));
        }
        Ok(Self { world, seats, subnet, told: VecDeque::new() })
    }

    /// The wire with all who stand on it.
    pub fn world(&mut self) -> &mut World<Part> {
        &mut self.world
    }

    /// Somebody's place; the exchange's where the name is unknown.
    pub fn seat(&self, who: &str) -> SeatId {
        let found = self.seats.iter().find(|(name, _)| name == who);
        found.unwrap_or(&self.seats[0]).1
    }

    /// Switches a machine on; it stands before the next step.
    fn start(&mut self, seat: SeatId) {
        self.world.switch_on(seat, Duration::ZERO);
        // A party that never rests tells nothing more: the step that waits for it says so.
        let _ = self.world.run_for(Duration::ZERO);
    }

    fn collect(&mut self) {
        let world = &mut self.world;
        let told = world.take_told();
        self.told.extend(told.into_iter().map(|told| (world.name(told.who).to_owned(), told.event)));
    }
}

impl Stage for Simulated {
    fn switch(&mut self, who: &str, on: bool) {
        let seat = self.seat(who);
        match on {
            true => self.start(seat),
            false => self.world.switch_off(seat),
        }
    }

    fn restart(&mut self, who: &str) {
        let seat = self.seat(who);
        let (seed, now) = (self.world.seed(), self.world.now());
        self.world.switch_off(seat);
        self.world.party_mut(seat).restart(seed, now);
        self.start(seat);
    }

    fn forget(&mut self, who: &str) -> bool {
        let seat = self.seat(who);
        let (seed, now) = (self.world.seed(), self.world.now());
        self.world.switch_off(seat);
        let forgot = self.world.party_mut(seat).forget(seed, now);
        self.start(seat);
        forgot
    }

    fn hide(&mut self, who: &str) -> bool {
        let seat = self.seat(who);
        self.world.hide(&[seat], NatBox::new(self.subnet.ip(NAT_IP), NatKind::Symmetric, NAT_MEMORY));
        true
    }

    fn drop_sound(&mut self, from: &str, to: &str) -> bool {
        let (from, to) = (self.ip(from), self.ip(to));
        self.world.drop_sound(from, to);
        true
    }

    fn say(&mut self, who: &str, line: &str) {
        let seat = self.seat(who);
        self.world.command(seat, line);
    }

    fn next_told(&mut self, within: Duration) -> Option<(String, Value)> {
        let end = self.world.now() + within;
        loop {
            self.collect();
            if let Some(told) = self.told.pop_front() {
                return Some(told);
            }
            // A party that never rests tells nothing more either; the step that waits for it says so.
            if !self.world.step(end).unwrap_or(false) {
                return None;
            }
        }
    }

    fn listen(&mut self, who: &str, time: Duration) -> Vec<u16> {
        let seat = self.seat(who);
        let take = |world: &mut World<Part>| {
            world.party_mut(seat).phone().map_or_else(Vec::new, |phone| phone.ears().take_heard_hz())
        };
        take(&mut self.world);
        // As above: who never rests is not heard.
        let _ = self.world.run_for(time);
        take(&mut self.world)
    }

    fn settle(&mut self) {
        // As above.
        let _ = self.world.run_for(SETTLING);
        self.collect();
    }

    fn keeps_order(&self) -> bool {
        true
    }

    fn now(&self) -> Time {
        self.world.now()
    }

    fn passed(&self) -> &[Passed] {
        self.world.passed()
    }

    fn subnet(&self) -> Subnet {
        self.subnet
    }

    fn knows(&self, who: &str) -> bool {
        self.seats.iter().any(|(name, _)| name == who)
    }

    fn ip(&self, who: &str) -> IpAddr {
        self.world.ip(self.seat(who))
    }

    fn name(&self, ip: IpAddr) -> String {
        self.world.name_at(ip).map_or_else(|| ip.to_string(), str::to_owned)
    }
}
