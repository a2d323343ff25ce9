//! Phones and exchanges as parties of the simulated wire.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use proto::Time;
use proto::sip::flow::{Flow, Transport};
use serde_json::{Value, json};

use super::ears::{Ears, Sound};
use super::party::{Does, Happens, Party};
use super::relay::SimRelay;
use crate::exchange::{self, Ban, Binding, CallRecord, Exchange, Extension, Restored, Subscription};
use crate::phone::{self, Command, Phone, Place};
use crate::relay::RelayCommand;
use crate::role::{Input, InputOf, Network, Output, Role};
use crate::settings::Settings;
use crate::sound::SoundCommand;

/// A machine of ours.
pub enum Part {
    /// A desk phone.
    Phone(Box<PhonePart>),
    /// An exchange.
    Exchange(Box<ExchangePart>),
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Phone(_) => "Phone",
            Self::Exchange(_) => "Exchange",
        })
    }
}

impl Part {
    /// The phone, if it is one.
    pub fn phone(&mut self) -> Option<&mut PhonePart> {
        match self {
            Self::Phone(part) => Some(part),
            Self::Exchange(_) => None,
        }
    }

    /// The exchange, if it is one.
    pub fn exchange(&mut self) -> Option<&mut ExchangePart> {
        match self {
            Self::Exchange(part) => Some(part),
            Self::Phone(_) => None,
        }
    }

    /// The same machine after a restart: a phone with its settings, an exchange with what it kept.
    /// A phone's sound is new.
    pub fn restarted(&self, ears: impl FnOnce() -> Box<dyn Ears>, seed: [u8; 32], now: Time) -> Part {
        match self {
            Self::Phone(part) => {
                let settings = part.phone.settings().clone();
                Self::Phone(Box::new(PhonePart::new(settings, part.place.clone(), ears(), seed, now)))
            }
            Self::Exchange(part) => Self::Exchange(Box::new(part.restarted(seed, now))),
        }
    }
}

impl Party for Part {
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match self {
            Self::Phone(part) => part.handle(now, happens, out),
            Self::Exchange(part) => part.handle(now, happens, out),
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        match self {
            Self::Phone(part) => part.next_deadline(),
            Self::Exchange(part) => part.next_deadline(),
        }
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        match self {
            Self::Phone(part) => part.listens(transport, local),
            Self::Exchange(part) => part.listens(transport, local),
        }
    }
}

/// A phone with its ears.
pub struct PhonePart {
    phone: Phone,
    place: Place,
    ears: Box<dyn Ears>,
}

impl PhonePart {
    /// A phone that is switched off.
    pub fn new(settings: Settings, place: Place, ears: Box<dyn Ears>, seed: [u8; 32], now: Time) -> Self {
        Self { phone: Phone::new(settings, place.clone(), seed, now), place, ears }
    }

    /// The phone.
    pub fn phone(&self) -> &Phone {
        &self.phone
    }

    /// Its ears.
    pub fn ears(&mut self) -> &mut dyn Ears {
        &mut *self.ears
    }

    fn is_sip(&self, flow: &Flow) -> bool {
        flow.transport != Transport::Udp || flow.local.port() == self.place.udp_port
    }

    fn command(&mut self, now: Time, line: &str, out: &mut Vec<Does>) {
        match Command::parse(line) {
            Ok(command) => self.input(now, Input::Command(command), out),
            Err(error) => out.push(Does::Tell(json!({
                "event": "error", "id": error.id, "message": error.message, "possible": error.possible,
            }))),
        }
    }

    fn input(&mut self, now: Time, input: InputOf<'_, Phone>, out: &mut Vec<Does>) {
        let mut outputs = Vec::new();
        self.phone.handle(now, input, &mut outputs);
        for output in outputs {
            match output {
                Output::Transmit(transmit) => {
                    out.push(Does::Send { flow: transmit.flow, bytes: transmit.bytes });
                }
                // The simulated wire has no connections.
                Output::Vouch(_) | Output::Close(_) => {}
                Output::Resolve(query) => out.push(Does::Ask(query)),
                Output::Event(event) => out.push(Does::Tell(told(&event))),
                Output::Media(command) => self.play(now, command, out),
                // Settings live in the phone itself and come along when it is restarted.
                Output::Store(phone::Change::Setting { .. } | phone::Change::Call(_)) => {}
                _ => {}
            }
        }
    }

    fn play(&mut self, now: Time, command: SoundCommand, out: &mut Vec<Does>) {
        let mut sounds = Vec::new();
        self.ears.command(now, command, &mut sounds);
        self.perform(now, sounds, out);
    }

    fn perform(&mut self, now: Time, sounds: Vec<Sound>, out: &mut Vec<Does>) {
        for sound in sounds {
            match sound {
                Sound::Send { from, to, bytes } => {
                    let flow = Flow { transport: Transport::Udp, local: from, remote: to };
                    out.push(Does::Send { flow, bytes });
                }
                Sound::Tell(event) => self.input(now, Input::Heard(event), out),
            }
        }
    }

    fn wake(&mut self, now: Time, out: &mut Vec<Does>) {
        if self.ears.next_deadline().is_some_and(|due| due <= now) {
            let mut sounds = Vec::new();
            self.ears.tick(now, &mut sounds);
            self.perform(now, sounds, out);
        }
        if self.phone.next_deadline().is_some_and(|(due, _)| due <= now) {
            self.input(now, Input::Wake, out);
        }
    }
}

impl Party for PhonePart {
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match happens {
            Happens::Start => self.input(now, Input::Start, out),
            Happens::Packet { flow, bytes } if self.is_sip(&flow) => {
                self.input(now, Input::Message { flow, bytes, waited: Duration::ZERO }, out);
            }
            Happens::Packet { flow, bytes } => {
                let mut sounds = Vec::new();
                self.ears.receive(now, flow.local, flow.remote, bytes, &mut sounds);
                self.perform(now, sounds, out);
            }
            Happens::Failed { flow, reason } if self.is_sip(&flow) => {
                self.input(now, Input::FlowFailed { flow, reason }, out);
            }
            Happens::Failed { .. } => {}
            Happens::Resolved { query, answer } => {
                self.input(now, Input::Resolved { query, answer }, out);
            }
            Happens::Command(line) => self.command(now, line, out),
            Happens::Wake => self.wake(now, out),
            Happens::Address(ip) => {
                self.place.network = Network::at(ip);
                self.input(now, Input::Network(Box::new(Network::at(ip))), out);
            }
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let phone = self.phone.next_deadline().map(|(due, _)| due);
        [phone, self.ears.next_deadline()].into_iter().flatten().min()
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        local == self.place.listen(transport) || (transport == Transport::Udp && self.ears.listens(local))
    }
}

/// An exchange with its relay and what it keeps.
pub struct ExchangePart {
    exchange: Exchange,
    config: exchange::Config,
    ip: IpAddr,
    relay: SimRelay,
    kept: Kept,
}

/// What an exchange has asked to be kept: the store of the simulated wire.
#[derive(Clone, Debug, Default)]
struct Kept {
    extensions: BTreeMap<String, Extension>,
    bindings: BTreeMap<(String, String), Binding>,
    subscriptions: BTreeMap<String, Subscription>,
    bans: BTreeMap<(IpAddr, Option<String>), Ban>,
    records: BTreeMap<(u64, u64), CallRecord>,
    codes: Option<exchange::Codes>,
}

impl Kept {
    fn change(&mut self, change: exchange::Change) {
        use exchange::Change as C;
        match change {
            C::Extension(extension) => {
                self.extensions.insert(extension.number.clone(), *extension);
            }
            C::ExtensionRemoved { number } => {
                self.extensions.remove(&number);
            }
            C::Binding(binding) => {
                self.bindings
                    .insert((binding.number.clone(), binding.contact.clone()), Arc::unwrap_or_clone(binding));
            }
            C::BindingRemoved { number, contact } => {
                self.bindings.remove(&(number, contact));
            }
            C::Subscription(subscription) => {
                let tag = subscription.local_tag.clone();
                self.subscriptions.insert(tag, Arc::unwrap_or_clone(subscription));
            }
            C::SubscriptionRemoved { local_tag } => {
                self.subscriptions.remove(&local_tag);
            }
            C::CallRecord(record) => {
                self.records.insert((record.started_at_ms, record.call), record);
            }
            C::CallRecordRemoved { call, started_at_ms } => {
                self.records.remove(&(started_at_ms, call));
            }
            C::Codes(codes) => self.codes = Some(*codes),
            C::Ban(ban) => {
                self.bans.insert((ban.source, ban.account.clone()), ban);
            }
            C::BanRemoved { source, account } => {
                self.bans.remove(&(source, account));
            }
        }
    }

    fn restored(&self) -> Restored {
        Restored {
            extensions: self.extensions.values().cloned().collect(),
            bindings: self.bindings.values().cloned().collect(),
            subscriptions: self.subscriptions.values().cloned().collect(),
            bans: self.bans.values().cloned().collect(),
            records: self.records.values().cloned().collect(),
            codes: self.codes.clone(),
        }
    }
}

impl ExchangePart {
    /// An exchange at `ip`, ports 5060 and 5061, for these extensions.
    pub fn new(
        config: exchange::Config,
        extensions: Vec<Extension>,
        ip: IpAddr,
        seed: [u8; 32],
        now: Time,
    ) -> Self {
        let extensions =
            extensions.into_iter().map(|extension| (extension.number.clone(), extension)).collect();
        let kept = Kept { extensions, ..Kept::default() };
        Self::with(config, kept, ip, seed, now)
    }

    /// How many devices are registered, as far as the store knows.
    pub fn bindings(&self) -> usize {
        self.kept.bindings.len()
    }

    /// How many calls have their sound relayed.
    pub fn relayed_calls(&self) -> usize {
        self.relay.calls()
    }

    fn with(config: exchange::Config, kept: Kept, ip: IpAddr, seed: [u8; 32], now: Time) -> Self {
        let exchange = Exchange::new(config.clone(), kept.restored(), seed, now);
        Self { exchange, config, ip, relay: SimRelay::default(), kept }
    }

    /// The same exchange after a restart in which it lost all but its extensions.
    pub fn forgetful(&self, seed: [u8; 32], now: Time) -> Self {
        let kept = Kept { extensions: self.kept.extensions.clone(), ..Kept::default() };
        Self::with(self.config.clone(), kept, self.ip, seed, now)
    }

    fn restarted(&self, seed: [u8; 32], now: Time) -> Self {
        Self::with(self.config.clone(), self.kept.clone(), self.ip, seed, now)
    }

    fn input(
        &mut self,
        now: Time,
        input: Input<'_, exchange::Command, crate::relay::RelayEvent>,
        out: &mut Vec<Does>,
    ) {
        let mut outputs = Vec::new();
        self.exchange.handle(now, input, &mut outputs);
        for output in outputs {
            match output {
                Output::Transmit(transmit) => {
                    out.push(Does::Send { flow: transmit.flow, bytes: transmit.bytes });
                }
                // The simulated wire has no connections.
                Output::Vouch(_) | Output::Close(_) => {}
                Output::Resolve(query) => out.push(Does::Ask(query)),
                Output::Event(event) => out.push(Does::Tell(told(&event))),
                Output::Media(command) => self.relay(now, command, out),
                Output::Store(change) => self.kept.change(change),
                _ => {}
            }
        }
    }

    fn relay(&mut self, now: Time, command: RelayCommand, out: &mut Vec<Does>) {
        if let Some(event) = self.relay.command(command) {
            self.input(now, Input::Heard(event), out);
        }
    }

    fn pass_on(&mut self, flow: Flow, bytes: &[u8], out: &mut Vec<Does>) {
        let forwarded = self.relay.receive(flow.local, flow.remote, bytes);
        out.extend(forwarded.map(|forwarded| {
            let flow = Flow { transport: Transport::Udp, local: forwarded.from, remote: forwarded.to };
            Does::Send { flow, bytes: forwarded.bytes }
        }));
    }

    fn sip(&self, transport: Transport) -> SocketAddr {
        SocketAddr::new(self.ip, transport.default_port())
    }
}

impl Party for ExchangePart {
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match happens {
            Happens::Start => self.input(now, Input::Start, out),
            Happens::Packet { flow, bytes } if flow.local == self.sip(flow.transport) => {
                self.input(now, Input::Message { flow, bytes, waited: Duration::ZERO }, out);
            }
            Happens::Packet { flow, bytes } => self.pass_on(flow, bytes, out),
            Happens::Failed { flow, reason } if flow.local == self.sip(flow.transport) => {
                self.input(now, Input::FlowFailed { flow, reason }, out);
            }
            Happens::Failed { .. } | Happens::Address(_) => {}
            Happens::Resolved { query, answer } => {
                self.input(now, Input::Resolved { query, answer }, out);
            }
            Happens::Command(line) => match serde_json::from_str(line) {
                Ok(command) => self.input(now, Input::Command(command), out),
                Err(error) => out.push(Does::Tell(json!({ "event": "error", "message": error.to_string() }))),
            },
            Happens::Wake => self.input(now, Input::Wake, out),
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        self.exchange.next_deadline().map(|(due, _)| due)
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        let heard = transport == Transport::Udp || !self.config.answers.udp_only;
        local == self.sip(transport) && heard || transport == Transport::Udp && self.relay.listens(local)
    }
}

/// An event as JSON; events are plain data with text keys, so this cannot fail.
fn told(event: &impl serde::Serialize) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}
