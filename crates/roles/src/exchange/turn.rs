//! What each part of the exchange is lent while it works: time, chance, the transactions, and the lists of what
//! it sends, tells and waits for.

use std::collections::BTreeSet;

use proto::sip::endpoint::{NewRequest, ServerId};
use proto::sip::{Endpoint, Flow, Message, Name, Reply, Transmit};
use proto::{Rng, Time, Wall};

use super::ids::{Alarm, ExtensionId, Owner};
use super::{Change, Event, Out, Output};

/// Lent to each part of the exchange while that part works. It holds what several parts need.
#[derive(Debug)]
pub(super) struct Turn {
    /// The time of this turn.
    pub(super) now: Time,
    /// The wall clock, by which dates in events and in the store are written.
    pub(super) wall: Wall,
    pub(super) endpoint: Endpoint<Owner>,
    /// What the endpoint has found out about the request in hand, where that is new.
    pub(super) new: Option<NewRequest>,
    pub(super) rng: Rng,
    /// What is to be sent.
    pub(super) wire: Vec<Transmit>,
    /// Events, changes for the store and commands for the relay.
    pub(super) told: Vec<Out>,
    /// Deadlines, the earliest first.
    pub(super) alarms: BTreeSet<(Time, Alarm)>,
    /// Extensions whose watchers get a NOTIFY at the end of the turn.
    pub(super) changed_lamps: BTreeSet<ExtensionId>,
    /// Extensions that get a NOTIFY with their count of messages at the end of the turn.
    pub(super) changed_messages: BTreeSet<ExtensionId>,
    /// What the exchange calls itself.
    pub(super) product: String,
}

impl Turn {
    pub(super) fn new(now: Time, endpoint: Endpoint<Owner>, rng: Rng, product: &str) -> Self {
        Self {
            now,
            wall: Wall::default(),
            endpoint,
            new: None,
            rng,
            wire: Vec::new(),
            told: Vec::new(),
            alarms: BTreeSet::new(),
            changed_lamps: BTreeSet::new(),
            changed_messages: BTreeSet::new(),
            product: product.to_owned(),
        }
    }

    /// Tells persons and programs an event.
    pub(super) fn tell(&mut self, event: Event) {
        self.told.push(Output::Event(event));
    }

    /// Has the store keep a change before anything of this turn is sent.
    pub(super) fn keep(&mut self, change: Change) {
        self.told.push(Output::Store(change));
    }

    /// Wakes up at a time.
    pub(super) fn wake_at(&mut self, at: Time, alarm: Alarm) {
        self.alarms.insert((at, alarm));
    }

    /// Answers a request without memory (RFC 3261 §8.2.7).
    pub(super) fn refuse(&mut self, flow: Flow, message: &Message<'_>, reply: Reply) {
        let reply = reply.header(Name::Server, &self.product);
        self.endpoint.refuse(flow, message, &reply, &mut self.wire);
    }

    /// Opens the transaction of the request in hand.
    pub(super) fn accept(&mut self, flow: Flow, message: &Message<'_>) -> ServerId {
        self.endpoint.accept(self.now, self.new, flow, message)
    }

    /// Charges the request in hand to an account; whether the account may hold more.
    pub(super) fn charge(&mut self, account: u32) -> bool {
        self.new.as_mut().is_none_or(|new| self.endpoint.charge(new, account))
    }

    /// Answers a request at once, within a transaction.
    pub(super) fn answer(&mut self, flow: Flow, message: &Message<'_>, reply: Reply) {
        let server = self.accept(flow, message);
        self.reply(server, reply);
    }

    /// Answers a request that has a transaction.
    pub(super) fn reply(&mut self, server: ServerId, reply: Reply) {
        let reply = reply.header(Name::Server, &self.product);
        // A transaction that is over was answered before, by a CANCEL or a BYE that came first.
        let _ = self.endpoint.reply(self.now, server, &reply, &mut self.wire);
    }
}
