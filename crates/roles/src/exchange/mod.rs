//! The exchange: registrar, calls between extensions, lamps.
//!
//! ```text
//!  message ─► gate (ban) ─► door: overload, authentication
//!                                 ├► registrar            who is where
//!                                 ├► router ─► calls      a leg to the caller, legs to the called
//!                                 └► lamps                who watches whom
//! ```
//!
//! Each part owns its state and is lent the `Turn`: time, chance, the transactions, what is sent, told and
//! waited for. The door, the calls and the lamps need several neighbours: these are lent to them together (`Door`,
//! `Switchboard`, `LampBoard`). In this file each message, timer and event finds its owner; `obey` does the
//! same for commands.
//!
//! It is a back-to-back user agent: every leg is a dialog of its own, session descriptions pass with
//! nothing but their addresses changed, media goes through the relay. Nothing reaches the wire but
//! through a transaction; the one exception is a stateless answer to a stranger.

mod abilities;
mod answer;
mod authentication;
mod binding;
mod blocks;
mod budget;
mod calls;
mod check_sync;
mod codes;
mod command;
mod config;
mod dates;
mod directory;
mod door;
mod edit;
mod event;
mod extension;
mod facts;
mod figures;
mod gate;
mod ids;
mod lamps;
mod numbers;
mod obey;
mod overload;
mod ports;
mod qualify;
mod records;
mod registrar;
mod router;
mod secret;
mod size;
mod turn;
mod why;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::relay::{RelayCommand, RelayEvent};
use crate::role::{Input, Nothing, Output, Role};
use proto::sip::endpoint::{Config as EndpointConfig, Received, ServerId, Timeout};
use proto::sip::header::Termination;
use proto::sip::{Endpoint, Flow, FlowFault, Message, Method, Name, Reply, Strictness};
use proto::{Rng, Time, Wall};

use self::abilities::ALLOW;
use self::authentication::Authentication;
use self::blocks::Blocks;
use self::calls::{Calls, Switchboard};
use self::check_sync::CheckSyncs;
use self::directory::Directory;
use self::door::Door;
use self::gate::Gate;
use self::ids::{Alarm, Claim, ExtensionId, LegId, Owner, SubscriptionId};
use self::lamps::{LampBoard, Lamps};
use self::overload::Overload;
use self::ports::Ports;
use self::qualify::Qualifier;
use self::records::Records;
use self::registrar::{Asked, Registrar};
use self::router::Router;
use self::turn::Turn;

pub use self::answer::{Answer, ExtensionNow, ExtensionView, PasswordView};
pub use self::binding::Binding;
pub use self::blocks::{Area, Block};
pub use self::codes::Codes;
pub use self::command::{Command, What};
pub use self::config::{Answers, Config, Parking, Restored};
pub use self::edit::{Edit, Password};
pub use self::event::{Change, Event};
pub use self::extension::{
    DeviceAccount, Devices, Encryption, Extension, Forward, Intercom, Messages, Secret, check_number,
};
pub use self::facts::{Ban, Blocked, CallRecord, CallView, Package, Party, Subscription};
pub use self::figures::Figures;
pub use self::gate::Patience;
pub use self::numbers::check_numbers;
pub use self::ports::RelayPorts;
pub use self::registrar::Terms;
pub use self::secret::{FEWEST_CHARACTERS, check_secret};
pub use self::size::Limits;
pub use self::why::Why;

/// The Retry-After for an account that holds as much memory as it may, in seconds.
const FULL_RETRY_S: u32 = 10;
/// The most rows in one answer.
const MAX_ROWS: usize = 10_000;

type Out = Output<Event, RelayCommand, Change>;

/// An exchange.
#[derive(Debug)]
pub struct Exchange {
    config: Config,
    turn: Turn,
    gate: Gate,
    overload: Overload,
    authentication: Authentication,
    blocks: Blocks,
    directory: Directory,
    router: Router,
    registrar: Registrar,
    qualifier: Qualifier,
    check_syncs: CheckSyncs,
    calls: Calls,
    ports: Ports,
    records: Records,
    lamps: Lamps,
}

impl Exchange {
    /// Whether no call is under way, and none waits for the answer to its last message.
    pub fn has_no_calls(&self) -> bool {
        self.calls.legs.is_empty()
    }

    /// With what it finds again; tags, branches and nonces follow from `seed`.
    pub fn new(config: Config, restored: Restored, seed: [u8; 32], now: Time) -> Self {
        let mut rng = Rng::new(seed);
        let limits = &config.limits;
        let endpoint = EndpointConfig {
            product: Some(config.user_agent.as_str().into()),
            max_server_bytes: limits.requests_bytes,
            max_source_bytes: limits.source_bytes,
            max_account_bytes: limits.account_bytes,
            max_client_bytes: limits.own_requests_bytes,
            ..EndpointConfig::default()
        };
        let endpoint = Endpoint::new(endpoint, rng.fork());
        let authentication = Authentication::new(&config.realm, config.offers_sha256, &mut rng);
        let last_call = restored.records.iter().map(|record| record.call).max().unwrap_or(0);
        let codes = restored.codes.unwrap_or_else(|| config.codes.clone());
        let mut exchange = Self {
            turn: Turn::new(now, endpoint, rng, &config.user_agent),
            gate: Gate::new(config.patience.clone(), restored.bans),
            overload: Overload::new(config.patience.late_ms),
            authentication,
            blocks: Blocks::new(config.terms.blocks.clone()),
            directory: Directory::default(),
            router: Router::new(codes),
            registrar: Registrar::new(config.terms.clone()),
            qualifier: Qualifier::new(config.qualify_s),
            check_syncs: CheckSyncs::default(),
            calls: Calls::new(last_call),
            ports: Ports::new(config.relay),
            records: Records::new(restored.records, config.max_records),
            lamps: Lamps::default(),
            config,
        };
        exchange.restore(now, restored.extensions, restored.bindings, restored.subscriptions);
        exchange
    }

    /// The door with what it is lent for this turn.
    fn door(&mut self) -> Door<'_> {
        let Self { turn, gate, overload, authentication, blocks, directory, .. } = self;
        Door { turn, gate, overload, authentication, blocks, directory }
    }

    /// The calls with what they are lent for this turn.
    fn switchboard(&mut self) -> Switchboard<'_> {
        let Self { calls, turn, directory, router, ports, records, config, .. } = self;
        Switchboard { calls, turn, directory, router, ports, records, config }
    }

    /// The lamps with what they are lent for this turn.
    fn lamp_board(&mut self) -> LampBoard<'_> {
        let Self { lamps, turn, calls, directory, router, config, .. } = self;
        LampBoard { lamps, turn, calls, directory, router, config }
    }

    /// The calls under way.
    pub fn calls(&self) -> Vec<CallView> {
        self.calls.views()
    }

    /// The devices that are registered at `now`, of one extension or of all.
    pub fn registrations(&self, now: Time, number: Option<&str>) -> Vec<Arc<Binding>> {
        self.directory.devices(now, number).take(MAX_ROWS).cloned().collect()
    }

    /// How many there are of everything at `now`.
    pub fn figures(&self, now: Time) -> Figures {
        let devices = || self.directory.devices(now, None);
        let calls = self.calls();
        Figures {
            extensions: self.directory.people().count(),
            devices: devices().count(),
            reachable: devices().filter(|device| device.reachable).count(),
            calls: calls.len(),
            answered: calls.iter().filter(|call| call.answered).count(),
            parked: self.calls.parked.count(),
            legs: self.calls.legs.len(),
            subscriptions: self.lamps.iter().count(),
            records: self.records.iter().count(),
            bans: self.gate.bans(now).count(),
            shed: self.overload.shed(),
            client_transactions: self.turn.endpoint.client_count(),
            server_transactions: self.turn.endpoint.server_count(),
        }
    }

    /// The realm, which is part of every [`Secret`].
    pub fn realm(&self) -> &str {
        &self.config.realm
    }

    fn restore(
        &mut self,
        now: Time,
        extensions: Vec<Extension>,
        bindings: Vec<Binding>,
        subscriptions: Vec<Subscription>,
    ) {
        for extension in extensions {
            self.directory.set(extension);
        }
        let Parking { first, count, .. } = self.config.parking;
        for number in (first..).take(usize::from(count)) {
            let password = self.turn.rng.hex(32);
            self.directory.set_place(&number.to_string(), &self.config.realm, &password);
        }
        for binding in bindings.into_iter().filter(|binding| binding.is_live(now)) {
            let Some(id) = self.directory.find(&binding.number) else { continue };
            let expires_at = Time::from_secs(binding.expires_at_s);
            self.gate.settle(now, binding.remote.ip());
            if let Some(entry) = self.directory.get_mut(id) {
                entry.bindings.push(Arc::new(binding));
            }
            self.registrar.expire_at(&mut self.turn, id, expires_at);
            self.qualifier.ask_later(&mut self.turn, id);
        }
        for subscription in subscriptions {
            self.lamp_board().restore_subscription(subscription);
        }
        for record in self.records.iter().rev() {
            if let Some(callee) = self.directory.find(&record.callee) {
                self.calls.note_caller(callee, Some(record.caller.clone()));
            }
        }
    }

    fn on_message(&mut self, now: Time, flow: Flow, bytes: &[u8], waited: Duration) {
        let message = Message::parse(bytes).ok();
        if self.is_banned(flow, message.as_ref()) {
            if flow.transport.is_reliable() {
                self.turn.told.push(Output::Close(flow));
            }
            return;
        }
        let Some(message) = message.filter(|_| !self.config.answers.silence) else { return };
        if let Err(flaw) = message.check(Strictness::Lenient) {
            if message.method().is_some_and(|method| method != Method::Ack) {
                let reply = Reply::new(flaw.kind.status()).reason(flaw.kind.text());
                self.door().turn_away(flow, &message, reply);
            }
            return;
        }
        if size::is_too_large(&message) {
            // A response that large is no answer: its request ends by its own time.
            if let Some(reply) = size::refusal(&message) {
                self.door().turn_away(flow, &message, reply);
            }
            return;
        }
        let sent = self.turn.wire.len();
        match self.turn.endpoint.receive(now, flow, &message, &mut self.turn.wire) {
            Received::Nothing | Received::Merged if message.is_request() => {
                self.door().limit_answers(flow, sent);
            }
            Received::Nothing | Received::Merged | Received::StrayResponse => {}
            Received::NewRequest(new) => {
                self.turn.new = Some(new);
                self.on_request(flow, &message, waited);
            }
            Received::Ack => self.switchboard().on_ack(&message),
            Received::Cancel(invite) => self.on_cancel(flow, invite, &message),
            Received::Response { id, owner } => match owner {
                Owner::Leg(leg) => self.switchboard().on_leg_response(leg, id, &message),
                Owner::Lamp(lamp) => self.lamp_board().on_notify_response(lamp, message.status()),
                Owner::Qualify(extension) => {
                    self.qualifier.on_answer(&mut self.turn, &mut self.directory, extension, id, true);
                }
                Owner::CheckSync => self.check_syncs.on_answer(&mut self.turn, id, message.status()),
            },
        }
    }

    /// Whether a message is dropped since its source is banned. Read all the same are responses, requests of
    /// transactions and dialogs that exist, and, unless an administrator has set the ban, a password that answers a
    /// challenge.
    fn is_banned(&mut self, flow: Flow, message: Option<&Message<'_>>) -> bool {
        let Some(ban) = self.gate.ban_at(self.turn.now, flow.remote.ip()) else { return false };
        let by_hand = ban.by_hand;
        let Some(message) = message else { return true };
        let is_known = message.status().is_some()
            || self.turn.endpoint.knows(message)
            || self.calls.is_in_dialog(flow, message)
            || self.lamps.is_in_dialog(flow, message);
        !is_known && (by_hand || !self.door().answers_challenge(flow, message))
    }

    fn on_request(&mut self, flow: Flow, message: &Message<'_>, waited: Duration) {
        if !message.to_tag().is_empty() {
            return self.on_request_in_dialog(flow, message);
        }
        if self.door().sheds(flow, message, waited) {
            return;
        }
        let Some(id) = self.door().authenticate(flow, message) else { return };
        if !self.turn.charge(id.number()) {
            let reply = Reply::new(503).header(Name::RetryAfter, FULL_RETRY_S);
            return self.door().turn_away(flow, message, reply);
        }
        if let Some(reply) = abilities::unsupported(message) {
            return self.turn.answer(flow, message, reply);
        }
        self.on_request_of(id, flow, message);
    }

    /// A request outside a dialog, of an extension whose password was right.
    fn on_request_of(&mut self, id: ExtensionId, flow: Flow, message: &Message<'_>) {
        let answers = &self.config.answers;
        let method = message.method().unwrap_or(Method::Other);
        let forced = match method {
            Method::Register => answers.register,
            Method::Subscribe => answers.subscribe,
            _ => None,
        };
        match (forced, method) {
            (Some(status), _) => self.turn.answer(flow, message, self.forced(status, method)),
            (None, Method::Register) => self.on_register(flow, message, id),
            (None, Method::Invite) => self.switchboard().on_invite(flow, message, id),
            (None, Method::Subscribe) => self.lamp_board().on_subscribe(flow, message, id),
            (None, Method::Options) => {
                abilities::on_options(&mut self.turn, &self.directory, &self.router, flow, message);
            }
            // The calls that an extension has are transferred inside their dialogs.
            (None, Method::Refer) => self.turn.answer(flow, message, Reply::new(403)),
            (None, Method::Bye | Method::Notify | Method::Info | Method::Update | Method::Prack) => {
                self.turn.answer(flow, message, Reply::new(481));
            }
            (None, _) => self.turn.answer(flow, message, Reply::new(405).header(Name::Allow, ALLOW)),
        }
    }

    /// An answer that a case of the lab wants, with what its status needs to be understood.
    fn forced(&self, status: u16, method: Method) -> Reply {
        let reply = Reply::new(status);
        match (status, method) {
            (423, Method::Register) => reply.header(Name::MinExpires, self.config.terms.min_s),
            (423, _) => reply.header(Name::MinExpires, lamps::MIN_S),
            (489, _) => reply.header(Name::AllowEvents, abilities::EVENTS),
            (503, _) => reply.header(Name::RetryAfter, 30),
            _ => reply,
        }
    }

    fn on_request_in_dialog(&mut self, flow: Flow, message: &Message<'_>) {
        let tag = message.to_tag();
        if let Some(leg) = self.calls.find_by_tag(tag) {
            return self.on_leg_request(leg, flow, message);
        }
        if message.method() == Some(Method::Subscribe)
            && let Some(lamp) = self.lamps.find_by_tag(tag)
        {
            return self.on_resubscribe(lamp, flow, message);
        }
        self.door().turn_away(flow, message, Reply::new(481));
    }

    /// A request in the dialog of a leg.
    fn on_leg_request(&mut self, id: LegId, flow: Flow, message: &Message<'_>) {
        let claim = self.calls.claim(id, flow, message);
        if self.is_proven(claim, flow, message) {
            self.switchboard().on_leg_request(id, flow, message);
        }
    }

    /// A refresh or the end of a subscription.
    fn on_resubscribe(&mut self, id: SubscriptionId, flow: Flow, message: &Message<'_>) {
        let claim = self.lamps.claim(&self.directory, id, flow, message);
        if self.is_proven(claim, flow, message) {
            self.lamp_board().on_resubscribe(id, flow, message);
        }
    }

    /// Whether a request inside a dialog is its other party's: it comes from where that is, or shows its password.
    /// Where not, it has been answered, or gets no answer.
    fn is_proven(&mut self, claim: Claim, flow: Flow, message: &Message<'_>) -> bool {
        match claim {
            Claim::Own => true,
            Claim::Unproven(party) => self.door().proves(flow, message, party),
            Claim::Foreign => {
                self.door().turn_away(flow, message, Reply::new(481));
                false
            }
        }
    }

    /// A CANCEL of an INVITE. Others may have seen its branch, but only the caller sends from the address that the
    /// INVITE came from, maybe from another port since (NATs rebind).
    fn on_cancel(&mut self, flow: Flow, invite: ServerId, message: &Message<'_>) {
        let source = flow.remote.ip().to_canonical();
        let origin = self.turn.endpoint.origin(invite);
        if origin.is_none_or(|origin| origin.remote.ip().to_canonical() != source) {
            return self.door().turn_away(flow, message, Reply::new(481));
        }
        let sent = self.turn.wire.len();
        if self.turn.endpoint.cancelled(flow, message, invite, &mut self.turn.wire) {
            self.switchboard().on_cancel(invite, message);
        } else {
            self.door().limit_answers(flow, sent);
        }
    }

    /// A REGISTER of an extension whose password was right.
    fn on_register(&mut self, flow: Flow, message: &Message<'_>, id: ExtensionId) {
        let Self { turn, registrar, directory, qualifier, authentication, .. } = self;
        let user = authentication.device_user(directory, flow, message);
        let asked = Asked { flow, message, user: user.as_deref() };
        if registrar.on_register(turn, directory, asked, id) {
            qualifier.ask_later(turn, id);
        }
    }

    /// The wall clock was set. What is kept with a date is kept anew, so that the next start finds it by that
    /// clock.
    fn on_wall(&mut self, wall: Wall) {
        self.turn.wall = wall;
        self.directory.keep_devices(&mut self.turn);
        self.lamps.keep_all(&mut self.turn);
        self.gate.keep_bans(&mut self.turn);
    }

    fn run_due(&mut self, now: Time) {
        while let Some(timeout) = self.turn.endpoint.handle_timeout(now, &mut self.turn.wire) {
            match timeout {
                Timeout::TimedOut { id, owner } | Timeout::TransportFailed { id, owner } => match owner {
                    Owner::Leg(leg) => self.switchboard().on_leg_request_failed(leg, id),
                    Owner::Lamp(lamp) => self.lamp_board().on_notify_response(lamp, None),
                    Owner::Qualify(extension) => {
                        self.qualifier.on_answer(&mut self.turn, &mut self.directory, extension, id, false);
                    }
                    Owner::CheckSync => self.check_syncs.on_answer(&mut self.turn, id, None),
                },
                Timeout::AckMissing(server) => self.switchboard().on_ack_missing(server),
            }
        }
        while let Some((at, alarm)) = self.turn.alarms.first().copied().filter(|(at, _)| *at <= now) {
            self.turn.alarms.remove(&(at, alarm));
            match alarm {
                Alarm::Leg(leg) => self.switchboard().on_leg_alarm(leg),
                Alarm::NoAnswer(call) => self.switchboard().on_no_answer(call),
                Alarm::ServiceOver(call) => self.switchboard().on_service_over(call),
                Alarm::Leftover(leg) => self.switchboard().hang_up_leg(leg, None),
                Alarm::Expiry(extension) => {
                    self.registrar.on_expiry(&mut self.turn, &mut self.directory, extension);
                }
                Alarm::Lamp(lamp) => self.lamp_board().on_subscription_over(lamp, Termination::Timeout),
                Alarm::Qualify(extension) => {
                    self.qualifier.ask(&mut self.turn, &self.directory, extension);
                }
                Alarm::Careful => self.overload.on_careful(&mut self.turn),
                Alarm::HeldBack => self.authentication.on_held_back(&mut self.turn),
            }
        }
    }
}

impl Role for Exchange {
    type Command = Command;
    type Event = Event;
    type Media = RelayCommand;
    type Heard = RelayEvent;
    type Change = Change;
    type Settings = Nothing;
    type Wish = Nothing;
    type Why = Why;

    fn handle(&mut self, now: Time, input: Input<'_, Command, RelayEvent>, out: &mut Vec<Out>) {
        (self.turn.now, self.turn.new) = (now, None);
        match input {
            Input::Message { flow, bytes, waited } => self.on_message(now, flow, bytes, waited),
            Input::FlowFailed { flow, fault: FlowFault::Broken, .. } => {
                self.turn.endpoint.flow_failed(now, flow);
            }
            Input::FlowFailed { flow, fault: FlowFault::Closed, .. } => {
                self.turn.endpoint.flow_closed(now, flow);
            }
            Input::FlowFailed { flow, fault: FlowFault::Undelivered, .. } => {
                self.turn.endpoint.unreachable(now, flow.remote);
            }
            Input::Command(command) => self.obey(now, command),
            Input::Wall(wall) => self.on_wall(wall),
            Input::Heard(event) => self.switchboard().on_relay(event),
            Input::Settings(never) => match never {},
            Input::Start | Input::Wake | Input::Resolved { .. } | Input::Network(_) => {}
            // It opens no socket of its own and downloads nothing.
            Input::Datagram { .. }
            | Input::Socket { .. }
            | Input::Frame(_)
            | Input::Link(_)
            | Input::Fetched(_) => {}
        }
        self.run_due(now);
        self.lamp_board().tell_lamps();
        let wall = self.turn.wall;
        if wall != Wall::default() {
            self.turn.told.iter_mut().for_each(|told| dates::write(wall, told));
        }
        out.append(&mut self.turn.told);
        out.extend(self.turn.wire.drain(..).map(Output::Transmit));
    }

    fn next_deadline(&self) -> Option<(Time, Why)> {
        let alarm = self.turn.alarms.first().map(|(at, alarm)| (*at, alarm.why()));
        let timer = self.turn.endpoint.next_deadline().map(|(at, timer)| (at, Why::Transaction(timer)));
        [alarm, timer].into_iter().flatten().min()
    }
}
