//! An exchange as a machine of the simulated wire.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proto::Time;
use proto::sip::flow::Transport;
use serde_json::{Value, json};

use super::host::{Effect, Granted, Host, Side};
use super::relay::SimRelay;
use crate::exchange::{self, Ban, Binding, CallRecord, Exchange, Extension, Restored, Subscription};
use crate::relay::{RelayCommand, RelayEvent};
use crate::role::Nothing;

/// An exchange with its relay and what it keeps.
pub type ExchangePart = Host<Exchange, ExchangeSide>;

/// What an exchange has beside the wire: its relay and its store.
pub struct ExchangeSide {
    config: exchange::Config,
    ip: IpAddr,
    relay: SimRelay,
    kept: Kept,
    /// It listens at every port.
    has_all_ports: bool,
}

impl ExchangePart {
    /// An exchange at `ip`, ports 5060 and 5061, for these extensions.
    pub fn exchange_at(
        ip: IpAddr,
        config: exchange::Config,
        extensions: Vec<Extension>,
        seed: [u8; 32],
        now: Time,
    ) -> Self {
        let mut rng = proto::Rng::new(seed);
        let extensions =
            extensions.into_iter().map(|extension| (extension.number.clone(), extension)).collect();
        let kept = Kept { extensions, ..Kept::default() };
        let exchange = Exchange::new(config.clone(), kept.restored(), rng.fork(), now);
        Self::new(
            exchange,
            ExchangeSide { config, ip, relay: SimRelay::default(), kept, has_all_ports: false },
            ip,
            rng.fork(),
        )
    }

    /// It listens at every port, in the place of an exchange of others whose port is not known.
    #[must_use]
    pub fn at_all_ports(mut self) -> Self {
        self.side().has_all_ports = true;
        self
    }

    /// How many devices are registered, as far as the store knows.
    pub fn bindings(&mut self) -> usize {
        self.side().kept.bindings.len()
    }

    /// How many calls have their sound relayed.
    pub fn relayed_calls(&mut self) -> usize {
        self.side().relay.calls()
    }
}

impl Side<Exchange> for ExchangeSide {
    fn listens_for_sip(&self, transport: Transport, local: SocketAddr) -> bool {
        let heard = transport == Transport::Udp || !self.config.answers.udp_only;
        let is_own_port = self.has_all_ports || local.port() == transport.default_port();
        heard && local.ip() == self.ip && is_own_port
    }

    fn read(&self, line: &str) -> Result<exchange::Command, Value> {
        serde_json::from_str(line).map_err(|error| json!({ "event": "error", "message": error.to_string() }))
    }

    fn media(&mut self, _: Time, command: RelayCommand, out: &mut Vec<Effect<RelayEvent>>) {
        out.extend(self.relay.command(command).map(Effect::Tell));
    }

    fn receive(
        &mut self,
        now: Time,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Effect<RelayEvent>>,
    ) {
        let forwarded = self.relay.receive(now, local, from, bytes);
        out.extend(forwarded.map(|it| Effect::Send { from: it.from, to: it.to, bytes: it.bytes }));
    }

    fn listens(&self, local: SocketAddr) -> bool {
        self.relay.listens(local)
    }

    fn keep(&mut self, change: exchange::Change) {
        self.kept.change(change);
    }

    fn grant(&mut self, wish: Nothing) -> Granted {
        match wish {}
    }

    fn forget(&mut self) -> bool {
        self.kept = Kept { extensions: std::mem::take(&mut self.kept.extensions), ..Kept::default() };
        true
    }

    fn again(&mut self, _: &Exchange, seed: [u8; 32], now: Time) -> Exchange {
        self.relay = SimRelay::default();
        Exchange::new(self.config.clone(), self.kept.restored(), seed, now)
    }
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
