//! The DHCP service (RFC 2131 §4.3): gives addresses out of pools, by hardware address where one is reserved, to
//! clients on the link and behind relays.

mod config;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use proto::Time;
use proto::dhcp::{Draft, Kind, Message};
use proto::ethernet::Mac;

pub use config::{Class, Config, Fault, Pool};

/// How long an offer holds that nobody takes (RFC 2131 §4.3.1 leaves it to the server).
const OFFERED: Duration = Duration::from_secs(60);
/// How long an address is left alone that somebody has declined.
const DECLINED: Duration = Duration::from_secs(3_600);
/// Answers are not filled up to the size that clients of BOOTP expect (RFC 1542 §2.1), as those of the deck's server.
const LEAST_BYTES: usize = 0;

/// Where an answer goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum To {
    /// To the relay that the question came by, at the port of servers.
    Relay(Ipv4Addr),
    /// To everybody on the link, at the port of clients.
    Everybody,
    /// To a client on the link that has this hardware address, at this address.
    Client(Mac, Ipv4Addr),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Where it goes.
    pub to: To,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// An address and who has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Who has it; none: whoever declined it knows.
    pub mac: Option<Mac>,
    /// Until when.
    pub until: Time,
    /// Whether the client has taken it; else it is offered.
    pub is_taken: bool,
}

/// The service. It holds as many leases as its pools have addresses.
#[derive(Clone, Debug)]
pub struct Service {
    config: Config,
    leases: BTreeMap<Ipv4Addr, Lease>,
}

impl Service {
    /// A service without leases.
    pub fn new(config: Config) -> Self {
        Self { config, leases: BTreeMap::new() }
    }

    /// The leases that hold at `now`, by address.
    pub fn leases(&self, now: Time) -> impl Iterator<Item = (Ipv4Addr, Lease)> {
        self.leases.iter().filter(move |(_, lease)| lease.until > now).map(|(ip, lease)| (*ip, *lease))
    }

    /// Takes a client's message; what is to be answered, where anything is.
    pub fn receive(&mut self, now: Time, bytes: &[u8]) -> Option<Answer> {
        let asked = Message::parse(bytes).filter(Message::is_request)?;
        let pool = self.config.pool_of(&asked)?.clone();
        match asked.kind {
            Kind::Discover => {
                let ip = self.find(now, &pool, &asked)?;
                self.put(ip, asked.hardware(), now + OFFERED, false);
                Some(self.answer(Kind::Offer, &asked, &pool, ip))
            }
            Kind::Request => self.on_request(now, &pool, &asked),
            Kind::Decline => {
                let ip = asked.option_ip(50).filter(|_| self.is_ours(&asked))?;
                let until = now + DECLINED;
                if self.is_of(ip, asked.hardware()) {
                    self.leases.insert(ip, Lease { mac: None, until, is_taken: true });
                }
                None
            }
            Kind::Release => {
                let ip = asked.client_ip().filter(|_| self.is_ours(&asked))?;
                if self.is_of(ip, asked.hardware()) {
                    self.leases.remove(&ip);
                }
                None
            }
            Kind::Inform => {
                let ip = asked.client_ip()?;
                let draft = self.draft(Kind::Ack, &asked);
                let bytes = self.more(pool.options(draft), &asked, &pool).finish(LEAST_BYTES);
                Some(Answer { to: To::Client(asked.hardware(), ip), bytes })
            }
            Kind::Offer | Kind::Ack | Kind::Nak => None,
        }
    }

    fn on_request(&mut self, now: Time, pool: &Pool, asked: &Message<'_>) -> Option<Answer> {
        let mac = asked.hardware();
        let server = asked.option_ip(54);
        if server.is_some_and(|server| server != self.config.server) {
            // The client has taken another server's offer.
            self.leases.retain(|_, lease| lease.mac != Some(mac) || lease.is_taken);
            return None;
        }
        let ip = asked.option_ip(50).or_else(|| asked.client_ip())?;
        let fits = pool.holds(ip) || self.config.reserved(mac) == Some(ip);
        let is_free = self.is_of(ip, mac) || (server.is_none() && self.may_have(now, pool, ip, mac));
        if fits && is_free {
            self.leases.retain(|other, lease| lease.mac != Some(mac) || *other == ip);
            self.put(ip, mac, now + Duration::from_secs(u64::from(self.config.lease_s)), true);
            return Some(self.answer(Kind::Ack, asked, pool, ip));
        }
        let why =
            if fits { "the address belongs to another client" } else { "the address is not of this network" };
        let draft = self.draft(Kind::Nak, asked).option(56, why.as_bytes());
        // A client that has a wrong address hears what is sent to all alone (RFC 2131 §4.3.2).
        let to = asked.relay_ip().map_or(To::Everybody, To::Relay);
        Some(Answer { to, bytes: draft.finish(LEAST_BYTES) })
    }

    /// The address for a client: the one that is reserved for it, the one that it has or had, the one that it asks
    /// for, the first that is free.
    fn find(&self, now: Time, pool: &Pool, asked: &Message<'_>) -> Option<Ipv4Addr> {
        let mac = asked.hardware();
        if let Some(reserved) = self.config.reserved(mac) {
            return Some(reserved).filter(|ip| self.may_have(now, pool, *ip, mac));
        }
        let own = self.leases.iter().find(|(ip, lease)| lease.mac == Some(mac) && pool.holds(**ip));
        let wished = asked.option_ip(50).filter(|ip| pool.holds(*ip) && self.may_have(now, pool, *ip, mac));
        let free = || pool.addresses().find(|ip| self.may_have(now, pool, *ip, mac));
        own.map(|(ip, _)| *ip).or(wished).or_else(free)
    }

    /// Whether the client can have the address: nobody else has it, and it is nobody else's.
    fn may_have(&self, now: Time, pool: &Pool, ip: Ipv4Addr, mac: Mac) -> bool {
        let others = self.leases.get(&ip).filter(|lease| lease.mac != Some(mac) && lease.until > now);
        let reserved = self.config.owner_of(ip).is_some_and(|owner| owner != mac);
        others.is_none() && !reserved && ip != self.config.server && Some(ip) != pool.gateway
    }

    fn is_of(&self, ip: Ipv4Addr, mac: Mac) -> bool {
        self.leases.get(&ip).is_some_and(|lease| lease.mac == Some(mac))
    }

    fn is_ours(&self, asked: &Message<'_>) -> bool {
        asked.option_ip(54).is_none_or(|server| server == self.config.server)
    }

    fn put(&mut self, ip: Ipv4Addr, mac: Mac, until: Time, is_taken: bool) {
        let has = self.leases.get(&ip).is_some_and(|lease| lease.mac == Some(mac) && lease.is_taken);
        // An offer takes nothing from a lease that its client has.
        if !has || is_taken {
            self.leases.insert(ip, Lease { mac: Some(mac), until, is_taken });
        }
    }

    fn answer(&self, kind: Kind, asked: &Message<'_>, pool: &Pool, ip: Ipv4Addr) -> Answer {
        let draft = self.draft(kind, asked).your_ip(ip);
        let draft = match asked.client_ip() {
            Some(has) if kind == Kind::Ack => draft.client_ip(has),
            _ => draft,
        };
        let (renew_s, rebind_s) = (self.config.lease_s / 2, (u64::from(self.config.lease_s) * 7 / 8) as u32);
        let lease = |draft: Draft| {
            let draft = draft.option(51, &self.config.lease_s.to_be_bytes());
            draft.option(58, &renew_s.to_be_bytes()).option(59, &rebind_s.to_be_bytes())
        };
        let bytes = self.more(lease(pool.options(draft)), asked, pool).finish(LEAST_BYTES);
        let to = match (asked.relay_ip(), asked.client_ip()) {
            (Some(relay), _) => To::Relay(relay),
            (None, Some(has)) => To::Client(asked.hardware(), has),
            (None, None) if asked.wants_broadcast() => To::Everybody,
            (None, None) => To::Client(asked.hardware(), ip),
        };
        Answer { to, bytes }
    }

    /// In the order of the deck's server: 53 54 1 3 6 51 58 59 66.
    fn draft(&self, kind: Kind, asked: &Message<'_>) -> Draft {
        Draft::reply(kind, asked).option(54, &self.config.server.octets())
    }

    /// What the class of the client is told, where it asks for it.
    fn more(&self, draft: Draft, asked: &Message<'_>, pool: &Pool) -> Draft {
        let vendor = asked.option_text(60).unwrap_or_default();
        let classes = self.config.classes.iter().filter(|class| class.has(&vendor));
        let mut told = Vec::new();
        let mut draft = draft;
        for (code, value) in pool.own_options.iter().chain(classes.flat_map(|class| &class.options)) {
            if asked.asks_for(*code) && !told.contains(code) {
                told.push(*code);
                draft = draft.option(*code, value);
            }
        }
        draft
    }
}
