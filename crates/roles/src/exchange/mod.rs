//! The exchange: registrar, calls between extensions, lamps.
//!
//! ```text
//!  message ─► gate (ban) ─► overload ─► authentication
//!                                 ├► registrar            who is where
//!                                 ├► router ─► calls      a leg to the caller, legs to the called
//!                                 └► lamps                who watches whom
//! ```
//!
//! Each part owns its state and is lent the `Turn`: time, chance, the transactions, what is sent, told and
//! waited for. Calls and lamps, which need several neighbours, are lent them together (`Switchboard`,
//! `LampBoard`).
//!
//! It is a back-to-back user agent: every leg is a dialog of its own, session descriptions pass with
//! nothing but their addresses changed, media goes through the relay. Nothing reaches the wire but
//! through a transaction, except what strangers are answered.

mod abilities;
mod answer;
mod authentication;
mod blocks;
mod budget;
mod calls;
mod check_sync;
mod command;
mod dates;
mod directory;
mod edit;
mod event;
mod facts;
mod figures;
mod gate;
mod ids;
mod lamps;
mod numbers;
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

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::relay::{RelayCommand, RelayEvent};
use crate::role::{Input, Nothing, Output, Role};
use proto::sip::endpoint::{ClientId, Config as EndpointConfig, Received, Timeout};
use proto::sip::{Endpoint, Flow, FlowFault, Message, Method, Name, Reply, Strictness};
use proto::{Rng, Time, Wall};

use self::authentication::Authentication;
use self::calls::{Calls, Switchboard};
use self::directory::Directory;
use self::gate::Gate;
use self::ids::{Alarm, ExtensionId, Owner, SubscriptionId};
use self::lamps::{LampBoard, Lamps};
use self::overload::Overload;
use self::ports::Ports;
use self::qualify::Qualifier;
use self::records::Records;
use self::registrar::{Asked, Registrar};
use self::turn::Turn;

pub use self::answer::{Answer, ExtensionView};
pub use self::blocks::{Area, Block};
pub use self::command::{Command, What};
pub use self::directory::{
    Binding, DeviceAccount, Devices, Encryption, Extension, Forward, Intercom, Messages, Secret, check_number,
};
pub use self::edit::{Edit, Password};
pub use self::event::{Change, Event};
pub use self::facts::{Ban, Blocked, CallRecord, CallView, Package, Party, Subscription};
pub use self::figures::Figures;
pub use self::gate::Patience;
pub use self::numbers::check_numbers;
pub use self::ports::RelayPorts;
pub use self::registrar::Terms;
pub use self::router::Codes;
pub use self::secret::{FEWEST_CHARACTERS, check_secret};
pub use self::size::Limits;
pub use self::why::Why;

/// What an exchange does with others' requests.
const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK";
/// The extensions of SIP that both legs understand.
const SUPPORTED: &str = "replaces, timer, 100rel, path";

/// What somebody is told to wait who holds as much memory as he may, in seconds.
const FULL_RETRY_S: u32 = 10;

/// What an exchange is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The realm of its accounts.
    pub realm: String,
    /// Whether challenges name SHA-256 beside MD5 (RFC 8760).
    pub offers_sha256: bool,
    /// Whether watchers are told what changed alone, once they know everything (RFC 4235 §3.2).
    pub partial_lamps: bool,
    /// What it calls itself in User-Agent and Server.
    pub user_agent: String,
    /// Where media is relayed.
    pub relay: RelayPorts,
    /// How long registrations last, and who may not register.
    pub terms: Terms,
    /// How patient it is with strangers.
    pub patience: Patience,
    /// Feature codes.
    pub codes: Codes,
    /// Where calls are parked.
    pub parking: Parking,
    /// Whether the relay has music for those who are held.
    pub music: bool,
    /// The most calls at a time; above it callers get 503 with Retry-After.
    pub max_calls: usize,
    /// The most bytes that peers can make it keep.
    pub limits: Limits,
    /// The most records of calls that are kept; the oldest make room.
    pub max_records: usize,
    /// How long a called extension rings, in seconds.
    pub ring_s: u16,
    /// The session timer asked for on each leg, in seconds; none where `None` (RFC 4028).
    pub session_s: Option<u32>,
    /// Every how many seconds devices over UDP are sent OPTIONS; never where `None`.
    pub qualify_s: Option<u32>,
    /// Answers that a strict exchange would not give.
    pub answers: Answers,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            realm: "offhook".into(),
            offers_sha256: false,
            partial_lamps: false,
            user_agent: "Offhook".into(),
            relay: RelayPorts::default(),
            terms: Terms::default(),
            patience: Patience::default(),
            codes: Codes::default(),
            parking: Parking::default(),
            music: false,
            max_calls: 20_000,
            limits: Limits::default(),
            max_records: 10_000,
            ring_s: 60,
            session_s: None,
            qualify_s: None,
            answers: Answers::default(),
        }
    }
}

/// Parking places: numbers in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parking {
    /// The first number.
    pub first: u32,
    /// How many there are.
    pub count: u16,
    /// After how many seconds whoever parked a call is called.
    pub recall_s: u32,
}

impl Default for Parking {
    fn default() -> Self {
        Self { first: 800, count: 10, recall_s: 120 }
    }
}

/// What the deck's server answers and a strict one does not; set by lab cases alone.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// REGISTERs are answered with this status and nothing else.
    pub register: Option<u16>,
    /// SUBSCRIBEs are answered with this status and nothing else.
    pub subscribe: Option<u16>,
    /// Nothing is answered at all.
    pub silence: bool,
    /// It listens on UDP alone.
    pub udp_only: bool,
    /// Lamps are told by the deck's body: one dialog named after the extension, and its state.
    pub minimal_lamps: bool,
}

/// What an exchange finds again after a restart.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Who lives here.
    pub extensions: Vec<Extension>,
    /// Which devices they have.
    pub bindings: Vec<Binding>,
    /// Who watches whom.
    pub subscriptions: Vec<Subscription>,
    /// Who is banned.
    pub bans: Vec<Ban>,
    /// The calls that are over, the oldest first.
    pub records: Vec<CallRecord>,
    /// The feature codes, where they were set.
    pub codes: Option<Codes>,
}

type Out = Output<Event, RelayCommand, Change>;

/// An exchange.
#[derive(Debug)]
pub struct Exchange {
    config: Config,
    turn: Turn,
    gate: Gate,
    overload: Overload,
    authentication: Authentication,
    directory: Directory,
    registrar: Registrar,
    qualifier: Qualifier,
    calls: Calls,
    records: Records,
    lamps: Lamps,
    check_syncs: check_sync::CheckSyncs,
    ports: Ports,
    /// Devices that a rule has hit; bounded.
    blocked: VecDeque<Blocked>,
}

impl Exchange {
    /// With what it finds again; tags, branches and nonces follow from `seed`.
    pub fn new(mut config: Config, restored: Restored, seed: [u8; 32], now: Time) -> Self {
        config.codes = restored.codes.unwrap_or(config.codes);
        let mut rng = Rng::new(seed);
        let product = Some(config.user_agent.as_str().into());
        let limits = &config.limits;
        let endpoint = EndpointConfig {
            product,
            max_server_bytes: limits.requests_bytes,
            max_source_bytes: limits.source_bytes,
            max_account_bytes: limits.account_bytes,
            max_client_bytes: limits.own_requests_bytes,
            ..EndpointConfig::default()
        };
        let endpoint = Endpoint::new(endpoint, rng.fork());
        let authentication = Authentication::new(&config, &mut rng);
        let gate = Gate::new(config.patience.clone(), restored.bans);
        let overload = Overload::new(config.patience.late_ms);
        let ports = Ports::new(config.relay);
        let last_call = restored.records.iter().map(|record| record.call).max().unwrap_or(0);
        let (qualify_s, max_records, terms) = (config.qualify_s, config.max_records, config.terms.clone());
        let turn = Turn::new(now, endpoint, rng, &config.user_agent);
        let mut exchange = Self {
            config,
            turn,
            gate,
            overload,
            authentication,
            directory: Directory::default(),
            registrar: Registrar::new(terms),
            qualifier: Qualifier::new(qualify_s),
            calls: Calls::new(last_call),
            records: Records::new(restored.records, max_records),
            lamps: Lamps::default(),
            check_syncs: check_sync::CheckSyncs::default(),
            ports,
            blocked: VecDeque::new(),
        };
        exchange.restore(now, restored.extensions, restored.bindings, restored.subscriptions);
        exchange
    }

    /// The calls with what they are lent for this turn.
    fn switchboard(&mut self) -> Switchboard<'_> {
        let Self { calls, turn, directory, ports, records, config, .. } = self;
        Switchboard { calls, turn, directory, ports, records, config }
    }

    /// The lamps with what they are lent for this turn.
    fn lamp_board(&mut self) -> LampBoard<'_> {
        let Self { lamps, turn, calls, directory, config, .. } = self;
        LampBoard { lamps, turn, calls, directory, config }
    }

    /// The calls under way.
    pub fn calls(&self) -> Vec<CallView> {
        self.calls.views()
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
            self.lamp_board().restore_subscription(now, subscription);
        }
        for record in self.records.iter().rev() {
            if let Some(callee) = self.directory.find(&record.callee) {
                self.calls.note_caller(callee, Some(record.caller.clone()));
            }
        }
    }

    fn on_message(&mut self, now: Time, flow: Flow, bytes: &[u8], waited: Duration) {
        let banned_by_hand = self.gate.ban_at(now, flow.remote.ip()).map(|ban| ban.by_hand);
        let message = Message::parse(bytes).ok();
        let passes = |by_hand| message.as_ref().is_some_and(|it| self.passes_ban(now, flow, it, by_hand));
        if banned_by_hand.is_some_and(|by_hand| !passes(by_hand)) {
            if flow.transport.is_reliable() {
                self.turn.told.push(Output::Close(flow));
            }
            return;
        }
        let Some(message) = message.filter(|_| !self.config.answers.silence) else { return };
        if let Err(flaw) = message.check(Strictness::Lenient) {
            if message.method().is_some_and(|method| method != Method::Ack) {
                let reply = Reply::new(flaw.kind.status()).reason(flaw.kind.text());
                self.turn_away(now, flow, &message, reply);
            }
            return;
        }
        if size::is_too_large(&message) {
            // A response that large is no answer: its request ends by its own time.
            if let Some(reply) = size::refusal(&message) {
                self.turn_away(now, flow, &message, reply);
            }
            return;
        }
        let sent = self.turn.wire.len();
        match self.turn.endpoint.receive(now, flow, &message, &mut self.turn.wire) {
            Received::Nothing | Received::Merged if message.is_request() => {
                self.limit_answers(now, flow, sent);
            }
            Received::Nothing | Received::Merged | Received::StrayResponse => {}
            Received::NewRequest => self.on_request(now, flow, &message, waited),
            Received::Ack => self.switchboard().on_ack(now, &message),
            Received::Cancel(invite) => self.on_cancel(now, flow, invite, &message),
            Received::Response { id, owner } => match owner {
                Owner::Leg(leg) => self.switchboard().on_leg_response(now, leg, id, &message),
                Owner::Lamp(lamp) => self.lamp_board().on_notify_response(now, lamp, message.status()),
                Owner::Qualify(extension) => self.on_qualified(extension, id, true),
                Owner::CheckSync => self.on_check_synced(id, message.status()),
            },
        }
    }

    fn on_request(&mut self, now: Time, flow: Flow, message: &Message<'_>, waited: Duration) {
        if !message.to_tag().is_empty() {
            return self.on_request_in_dialog(now, flow, message);
        }
        if self.shed(now, flow, message, waited) {
            return;
        }
        let Some(id) = self.authenticate(now, flow, message) else { return };
        if !self.turn.endpoint.charge(id.number()) {
            self.turn_away(now, flow, message, Reply::new(503).header(Name::RetryAfter, FULL_RETRY_S));
            return;
        }
        if let Some(reply) = abilities::unsupported(message) {
            return self.answer(now, flow, message, reply);
        }
        let answers = &self.config.answers;
        let method = message.method().unwrap_or(Method::Other);
        let forced = match method {
            Method::Register => answers.register,
            Method::Subscribe => answers.subscribe,
            _ => None,
        };
        match (forced, method) {
            (Some(status), _) => self.answer(now, flow, message, self.forced(status, method)),
            (None, Method::Register) => self.on_register(flow, message, id),
            (None, Method::Invite) => self.switchboard().on_invite(now, flow, message, id),
            (None, Method::Subscribe) => self.lamp_board().on_subscribe(now, flow, message, id),
            (None, Method::Options) => self.on_options(now, flow, message),
            // The calls that an extension has are transferred inside their dialogs.
            (None, Method::Refer) => self.answer(now, flow, message, Reply::new(403)),
            (None, Method::Bye | Method::Notify | Method::Info | Method::Update | Method::Prack) => {
                self.answer(now, flow, message, Reply::new(481));
            }
            (None, _) => self.answer(now, flow, message, Reply::new(405).header(Name::Allow, ALLOW)),
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

    fn on_request_in_dialog(&mut self, now: Time, flow: Flow, message: &Message<'_>) {
        let tag = message.to_tag();
        if let Some(leg) = self.calls.find_by_tag(tag) {
            return self.on_leg_request(now, leg, flow, message);
        }
        if message.method() == Some(Method::Subscribe)
            && let Some(lamp) = self.lamps.find_by_tag(tag)
        {
            return self.on_resubscribe(now, lamp, flow, message);
        }
        self.turn_away(now, flow, message, Reply::new(481));
    }

    /// A refresh or the end of a subscription: from where its watcher is, or by whoever knows its password.
    fn on_resubscribe(&mut self, now: Time, id: SubscriptionId, flow: Flow, message: &Message<'_>) {
        let Some(watcher) = self.lamps.watcher_of(id, message) else {
            self.turn_away(now, flow, message, Reply::new(481));
            return;
        };
        let watcher = self.directory.find(watcher);
        if !self.lamps.is_from_watcher(id, flow) {
            let Some(proven) = self.authenticate(now, flow, message) else { return };
            if watcher != Some(proven) {
                return self.turn.answer(flow, message, Reply::new(403));
            }
        }
        self.lamp_board().on_resubscribe(now, id, flow, message);
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

    /// A device has answered OPTIONS, or has not.
    fn on_qualified(&mut self, id: ExtensionId, asked: ClientId, reachable: bool) {
        self.qualifier.on_answer(&mut self.turn, &mut self.directory, id, asked, reachable);
    }

    /// Answers a request at once, within a transaction.
    fn answer(&mut self, _now: Time, flow: Flow, message: &Message<'_>, reply: Reply) {
        self.turn.answer(flow, message, reply);
    }

    fn run_due(&mut self, now: Time) {
        while let Some(timeout) = self.turn.endpoint.handle_timeout(now, &mut self.turn.wire) {
            match timeout {
                Timeout::TimedOut { id, owner } | Timeout::TransportFailed { id, owner } => match owner {
                    Owner::Leg(leg) => self.switchboard().on_leg_request_failed(now, leg, id),
                    Owner::Lamp(lamp) => self.lamp_board().on_notify_response(now, lamp, None),
                    Owner::Qualify(extension) => self.on_qualified(extension, id, false),
                    Owner::CheckSync => self.on_check_synced(id, None),
                },
                Timeout::AckMissing(server) => self.switchboard().on_ack_missing(now, server),
            }
        }
        while let Some((at, alarm)) = self.turn.alarms.first().copied().filter(|(at, _)| *at <= now) {
            self.turn.alarms.remove(&(at, alarm));
            match alarm {
                Alarm::Leg(leg) => self.switchboard().on_leg_alarm(now, leg),
                Alarm::NoAnswer(call) => self.switchboard().on_no_answer(now, call),
                Alarm::ServiceOver(call) => self.switchboard().on_service_over(now, call),
                Alarm::Leftover(leg) => self.switchboard().hang_up_leg(now, leg, None),
                Alarm::Expiry(extension) => {
                    self.registrar.on_expiry(&mut self.turn, &mut self.directory, extension);
                }
                Alarm::Lamp(lamp) => self.lamp_board().on_subscription_over(now, lamp, "timeout"),
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
        self.turn.now = now;
        match input {
            Input::Message { flow, bytes, waited } => self.on_message(now, flow, bytes, waited),
            Input::FlowFailed { flow, fault: FlowFault::Broken, .. } => {
                self.turn.endpoint.flow_failed(now, flow);
            }
            Input::FlowFailed { flow, fault: FlowFault::Undelivered, .. } => {
                self.turn.endpoint.unreachable(now, flow.remote);
            }
            Input::Command(command) => self.obey(now, command),
            Input::Wall(wall) => self.on_wall(wall),
            Input::Heard(event) => self.switchboard().on_relay(now, event),
            Input::Settings(never) => match never {},
            Input::Start | Input::Wake | Input::Resolved { .. } | Input::Network(_) => {}
            // It opens no socket of its own and downloads nothing.
            Input::Datagram { .. } | Input::Socket { .. } | Input::Frame(_) | Input::Fetched(_) => {}
        }
        self.run_due(now);
        self.lamp_board().tell_lamps(now);
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
