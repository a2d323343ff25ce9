//! The desk phone: accounts, calls, keys and lamps behind one [`Role`].
//!
//! Everything that happens comes in as one [`Input`]; [`Phone::handle`] is one match on it. What follows
//! from the state of all parts (lamps, what is heard, holds and subscriptions that are still wanted) is
//! settled once at the end of each turn, so that no part has to tell another.

pub mod case_file;
pub mod command;
pub mod event;
pub mod view;

mod accounts;
mod attached;
mod calls;
mod configuration;
mod desk;
mod dialplan;
mod discover;
mod facts;
mod guesses;
mod kept;
mod keys;
mod lamp;
mod lamps;
mod locating;
mod log;
mod network;
mod obey;
mod provisioning;
mod requests;
mod restart;
mod screen;
mod trust;
mod waiting;
mod why;

#[cfg(test)]
mod tests;

use std::time::Duration;

use proto::Time;
use proto::sip::endpoint::{Received, Timeout};
use proto::sip::flow::{Flow, Transport};
use proto::sip::locate::{Answer, Query};
use proto::sip::message::Message;
use proto::sip::{FlowFault, Strictness, digest};

use accounts::{Account, Lines};
use calls::{Calls, Cause, Conversation, History};
use desk::{Desk, Out};
use discover::Discover;
use event::By;
use guesses::Guesses;
use lamps::{Ended, Key, Mailbox};
use waiting::Waiting;

pub use calls::MOST_ENTRIES as MOST_CALLS;
pub use command::{Command, CommandError, CommandKind};
pub use desk::{Change, PhoneSecret, Place, Wish};
pub use discover::Reason;
pub use event::{Event, EventKind};
pub use facts::{AccountState, AskedFile, CallNumber, ForwardReason, HistoryEntry, HistoryKind, Phase};
pub use kept::{Downloads, Firmware, NamedFiles, Sources};
pub use lamp::{Colour, Lamp, Meaning, Rhythm};
pub use network::{KeptLease, Why as NetworkWhy};
pub use restart::Restored;
pub use view::{Shown, View};
pub use why::Why;

use crate::role::{Input, InputOf, Network, Role};
use crate::settings::{AccountSettings, AtStart, KeyKind, KeySettings, PhoneSettings, Settings};
use crate::sound::{SoundCommand, SoundEvent};

/// How long a message stays on the screen.
const MESSAGE_SHOWN: Duration = Duration::from_secs(5);
/// The longest that saying goodbye to the servers may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A desk phone.
#[derive(Debug)]
pub struct Phone {
    desk: Desk,
    settings: Settings,
    /// What waits for a restart.
    at_start: AtStart,
    general: Box<PhoneSettings>,
    lines: Lines,
    calls: Calls,
    keys: Vec<Key>,
    mailboxes: Vec<Mailbox>,
    ended: Ended,
    history: History,
    message: Option<(String, Time)>,
    /// What was last told of the screen.
    on_screen: Box<Shown>,
    started_at: Time,
    chosen_account: Option<u8>,
    quitting: Option<Time>,
    restarting: Option<Restarting>,
    /// What went wrong with a flow last.
    flow_failure: Option<String>,
    waiting: Waiting,
    discover: Discover,
    /// Finds VLAN and address, where the phone owns its network socket.
    agent: Option<Box<network::Agent>>,
    kept_lease: Option<KeptLease>,
    /// Whether it has an address, by which accounts and provisioning have begun.
    has_begun: bool,
    /// Asks strangers who send check-sync for a password, where the settings want that.
    guard: Option<Box<digest::Guard>>,
    guesses: Guesses,
}

/// A restart that waits until the other parties of all calls know that they are over.
#[derive(Debug)]
struct Restarting {
    why: String,
    until: Time,
}

/// Why something cannot be done now, and what could be.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Refused {
    message: String,
    possible: Vec<String>,
}

impl Refused {
    fn new(message: impl Into<String>, possible: &[&str]) -> Self {
        Self { message: message.into(), possible: possible.iter().map(|&word| word.to_owned()).collect() }
    }
}

impl Phone {
    /// A phone that is still switched off: [`Input::Start`] switches it on.
    pub fn new(settings: Settings, place: Place, seed: [u8; 32], now: Time) -> Self {
        let general = Box::new(PhoneSettings::read(&settings));
        let product = format!("Offhook {} {}", settings.model().name, place.version);
        let mut desk = Desk::new(place, &general, &product, seed, now);
        desk.log.set_level(general.syslog.level);
        let discover = Discover::new(general.provision.clone(), settings.model());
        Self {
            desk,
            settings,
            at_start: AtStart::default(),
            general,
            lines: Lines::new(),
            calls: Calls::default(),
            keys: Vec::new(),
            mailboxes: Vec::new(),
            ended: Ended::default(),
            history: History::default(),
            message: None,
            on_screen: Box::default(),
            started_at: now,
            chosen_account: None,
            quitting: None,
            restarting: None,
            flow_failure: None,
            waiting: Waiting::default(),
            discover,
            agent: None,
            kept_lease: None,
            has_begun: false,
            guard: None,
            guesses: Guesses::default(),
        }
    }

    /// What is in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it knows of its network.
    pub fn network(&self) -> &Network {
        &self.desk.place.network
    }

    /// The parameters whose change waits for a restart.
    pub fn waits_for_restart(&self) -> impl Iterator<Item = crate::settings::Key> {
        self.at_start.waiting()
    }

    /// Its own address.
    pub fn ip(&self) -> std::net::IpAddr {
        self.desk.place.ip()
    }

    /// A server that it speaks to and the address that it speaks from, where a server is known.
    pub fn way_out(&self) -> Option<(std::net::SocketAddr, std::net::IpAddr)> {
        let server = self.lines.accounts.iter().find_map(|account| account.line.flow())?.remote;
        Some((server, self.ip()))
    }

    fn product(&self) -> String {
        format!("Offhook {} {}", self.settings.model().name, self.desk.place.version)
    }

    /// Shows a message for a while.
    fn show(&mut self, text: String) {
        self.message = Some((text, self.desk.now + MESSAGE_SHOWN));
    }

    fn start(&mut self) {
        self.desk.note("***system booting***");
        let product = self.product();
        self.desk.note(&format!("SW:{product}"));
        self.at_start = AtStart::default();
        match self.desk.place.interface.clone() {
            Some(interface) => self.start_network(interface),
            None => self.begin(),
        }
    }

    /// Everything that needs an address.
    fn begin(&mut self) {
        self.has_begun = true;
        self.reread(&[]);
        self.discover.start(&mut self.desk);
    }

    /// Puts other settings into force, each parameter at its moment.
    fn take_settings(&mut self, settings: Settings) {
        let before = std::mem::replace(&mut self.settings, settings);
        self.at_start.note(&before, &self.settings);
        self.reread(&self.settings.changed_since(&before));
    }

    /// Brings accounts and keys in line with the settings, of which `changed` are other ones now.
    fn reread(&mut self, changed: &[crate::settings::Key]) {
        let settings = self.at_start.in_force(&self.settings).into_owned();
        *self.general = PhoneSettings::read(&settings);
        self.desk.log.set_level(self.general.syslog.level);
        self.discover.take_rules(self.desk.now, self.general.provision.clone());
        self.reread_keys();
        if self.has_begun {
            self.reread_accounts(&settings, changed);
        }
    }

    fn reread_accounts(&mut self, settings: &Settings, changed: &[crate::settings::Key]) {
        let wanted: Vec<AccountSettings> =
            AccountSettings::read_all(settings).into_iter().filter(AccountSettings::can_register).collect();
        self.end_calls_of_others(&wanted);
        let before = std::mem::take(&mut self.lines.accounts);
        let place = &self.desk.place;
        let stays = |account: &Account| {
            let number = account.number();
            let anew = changed.iter().any(|key| key.registers_anew(number));
            let wanted = wanted.iter().find(|wanted| wanted.number == number);
            !anew && wanted.is_some_and(|wanted| account.line.has_servers_of(wanted, place))
        };
        let (mut kept, gone): (Vec<_>, Vec<_>) = before.into_iter().partition(stays);
        for account in gone {
            self.lines.leave(&mut self.desk, account);
        }
        let spread_s = self.general.sip.start_delay_s;
        for settings in wanted {
            if let Some(account) = kept.iter_mut().find(|account| account.number() == settings.number) {
                account.take_settings(settings, &self.general, &self.desk.place);
                continue;
            }
            let mut account = Account::new(settings, &self.general, &self.desk.place, self.settings.model());
            account.start(&mut self.desk, spread_s);
            kept.push(account);
        }
        kept.sort_by_key(Account::number);
        self.lines.accounts = kept;
        self.lines.take_general(&self.general, &self.desk.place);
    }

    /// Hangs up the calls of accounts that are about to be switched off: nobody could do so afterwards.
    fn end_calls_of_others(&mut self, wanted: &[AccountSettings]) {
        let stays = |number: u8| number == 0 || wanted.iter().any(|wanted| wanted.number == number);
        let ending: Vec<_> =
            self.calls.live().filter(|(_, call)| !stays(call.account)).map(|(n, _)| n).collect();
        for number in ending {
            self.hang_up_call(number, Cause::new(None, "the account was switched off", By::Local));
        }
    }

    fn reread_keys(&mut self) {
        let set = |key: &KeySettings| key.kind != KeyKind::None;
        let wanted: Vec<KeySettings> =
            KeySettings::read_all(&self.settings).into_iter().filter(set).collect();
        for at in 0..self.keys.len() {
            if !wanted.contains(&self.keys[at].settings) {
                self.end_key(at);
            }
        }
        let mut before = std::mem::take(&mut self.keys);
        let mut key = |settings: KeySettings| {
            let same = before.iter().position(|key| key.settings == settings);
            same.map_or_else(|| Key::new(settings), |at| before.swap_remove(at))
        };
        self.keys = wanted.into_iter().map(&mut key).collect();
        for gone in before.into_iter().filter(|key| key.lamp.is_some()) {
            let number = gone.settings.number;
            if !self.keys.iter().any(|key| key.settings.number == number) {
                let Lamp { colour, rhythm, meaning } = Lamp::default();
                self.desk.tell(EventKind::Lamp { key: number, colour, rhythm, meaning });
            }
        }
    }

    fn on_message(&mut self, flow: Flow, bytes: &[u8]) {
        self.desk.trace("Recv", bytes, flow);
        // What is no message at all, a keep-alive among it, deserves no answer.
        let Ok(message) = Message::parse(bytes) else { return };
        if self.is_hushed(flow, &message) {
            return;
        }
        if let Err(flaw) = message.check(Strictness::Lenient) {
            return self.on_flawed(flow, &message, &flaw);
        }
        let desk = &mut self.desk;
        match desk.endpoint.receive(desk.now, flow, &message, &mut desk.transmits) {
            Received::NewRequest(new) => {
                self.desk.new = Some(new);
                self.on_request(flow, &message);
            }
            Received::Response { id, owner } => self.on_response(flow, owner, id, &message),
            Received::Cancel(id) => self.on_cancel(flow, id, &message),
            Received::Ack => {
                if let Some(number) = self.calls.owner_of(&message) {
                    self.on_call_request(number, None, &message);
                }
            }
            Received::Nothing | Received::Merged | Received::StrayResponse => {}
        }
    }

    /// A message that cannot be acted upon: a request is told why.
    fn on_flawed(&mut self, flow: Flow, message: &Message<'_>, flaw: &proto::sip::message::Flaw) {
        let text = format!("message from {} refused: {flaw}", flow.remote);
        self.desk.warn_of("broken messages", flow.remote.ip(), &text);
        let answerable = message.is_request() && message.via().is_some();
        if answerable && message.method() != Some(proto::sip::Method::Ack) {
            let reply = proto::sip::Reply::new(flaw.kind.status());
            self.desk.endpoint.refuse(flow, message, &reply, &mut self.desk.transmits);
        }
    }

    fn on_response(
        &mut self,
        flow: Flow,
        owner: desk::Owner,
        id: proto::sip::endpoint::ClientId,
        response: &Message<'_>,
    ) {
        use desk::Owner as O;
        self.take_next_nonce(flow, owner, id, response);
        match owner {
            O::Registration(number) => {
                if let Some(account) = registering(&mut self.lines, number, id) {
                    account.on_response(&mut self.desk, id, flow.remote, response);
                }
            }
            O::Call(number) => {
                // What is said inside a call goes where the call goes and tells nothing about servers.
                let begins = self.calls.table.get(&number).filter(|call| call.answered_at.is_none());
                self.answered_by(begins.map(|call| call.account), flow);
                if let Some(call) = self.calls.table.get_mut(&number) {
                    call.home = Some(flow.remote.ip());
                }
                self.on_call_response(number, id, response);
            }
            O::Key(number) => {
                let key = self.keys.iter().find(|key| key.settings.number == number);
                self.answered_by(key.map(|key| key.settings.account), flow);
                self.on_subscription_response(owner, id, response);
            }
            O::Messages(account) => {
                self.answered_by(Some(account), flow);
                self.on_subscription_response(owner, id, response);
            }
            O::KeepAlive => {}
        }
    }

    /// A server names the nonce of the next request in a 2xx (RFC 7616 §3.5).
    fn take_next_nonce(
        &mut self,
        flow: Flow,
        owner: desk::Owner,
        id: proto::sip::endpoint::ClientId,
        response: &Message<'_>,
    ) {
        use desk::Owner as O;
        if !response.status().is_some_and(|status| (200..300).contains(&status)) {
            return;
        }
        let account = match owner {
            O::Registration(number) => {
                let account = registering(&mut self.lines, number, id);
                let is_proven = account.is_none_or(|account| account.line.accepted(response));
                return self.judge_proof(is_proven, flow);
            }
            O::Call(number) => self.calls.table.get(&number).map(|call| call.account),
            O::Key(number) => {
                self.keys.iter().find(|it| it.settings.number == number).map(|it| it.settings.account)
            }
            O::Messages(account) => Some(account),
            _ => None,
        };
        let account = account.and_then(|number| self.lines.account(number));
        if let Some(account) = account.filter(|account| account.line.is_server(flow.remote)) {
            let is_proven = account.line.accepted(response);
            self.judge_proof(is_proven, flow);
        }
    }

    /// A wrong proof is told and hinders nothing: proxies that change a request make it wrong as well.
    fn judge_proof(&mut self, is_proven: bool, flow: Flow) {
        if !is_proven {
            let remote = flow.remote;
            self.desk.warn(&format!("{remote}: its rspauth is wrong: it does not know the password, or a proxy changed the request"));
        }
    }

    /// An answer came to a request of that account.
    fn answered_by(&mut self, account: Option<u8>, flow: Flow) {
        if let Some(account) = account.and_then(|number| self.lines.account(number)) {
            account.answered_by(&mut self.desk, flow.remote);
        }
    }

    fn on_request_failed(&mut self, owner: desk::Owner, id: proto::sip::endpoint::ClientId) {
        use desk::Owner as O;
        match owner {
            O::Registration(number) => {
                if let Some(account) = registering(&mut self.lines, number, id) {
                    account.on_request_failed(&mut self.desk, id);
                }
            }
            O::Call(number) => self.on_call_request_failed(number, id),
            O::Key(_) | O::Messages(_) => self.on_subscription_failed(owner, id),
            O::KeepAlive => {}
        }
    }

    fn on_flow_failed(&mut self, flow: Flow, fault: FlowFault, reason: String) {
        let now = self.desk.now;
        match fault {
            FlowFault::Broken => self.desk.endpoint.flow_failed(now, flow),
            FlowFault::Closed => self.desk.endpoint.flow_closed(now, flow),
            FlowFault::Undelivered if self.desk.endpoint.unreachable(now, flow.remote) => {}
            FlowFault::Undelivered => return,
        }
        self.desk.warn(&format!("{flow}: {reason}"));
        self.on_connection_lost(flow, &reason);
        self.flow_failure = Some(reason);
    }

    /// The connection by which the server reaches the phone is gone: accounts register anew over another, and
    /// their keys subscribe anew (RFC 5626 §4.5). Until then their lamps tell that nothing is known.
    fn on_connection_lost(&mut self, flow: Flow, reason: &str) {
        if flow.transport == Transport::Udp {
            return;
        }
        for account in &mut self.lines.accounts {
            if !account.on_connection_lost(&mut self.desk, flow, reason) {
                continue;
            }
            let number = account.number();
            let own = |key: &&mut Key| key.settings.account == number;
            self.keys.iter_mut().filter(own).for_each(|key| key.watched = None);
            let own = |mailbox: &&mut Mailbox| mailbox.account == number;
            self.mailboxes.iter_mut().filter(own).for_each(Mailbox::ask_again);
        }
    }

    fn on_resolved(&mut self, query: &Query, answer: &Answer) {
        for account in &mut self.lines.accounts {
            account.on_resolved(&mut self.desk, query, answer);
        }
        self.on_call_resolved(query, answer);
    }

    /// The network gives other facts. With another address the phone registers anew and moves its calls;
    /// with another SIP server of option 120 the accounts that follow it register there.
    fn on_network(&mut self, network: Network) {
        let before = std::mem::replace(&mut self.desk.place.network, network);
        if !self.desk.place.network.has_address() {
            return self.desk.warn("the phone has no address");
        }
        if !self.has_begun {
            return self.begin();
        }
        if self.desk.place.ip() != before.ip {
            self.on_new_address();
        }
        if self.desk.place.network.option_120 != before.option_120 {
            self.reread(&[]);
        }
    }

    fn on_new_address(&mut self) {
        self.desk.note(&format!("IP address changed to {}", self.desk.place.ip()));
        for account in &mut self.lines.accounts {
            account.restart(&mut self.desk);
        }
        self.move_calls();
        self.move_subscriptions();
    }

    /// Does everything that is due.
    fn advance(&mut self) {
        let now = self.desk.now;
        while let Some(timeout) = self.desk.endpoint.handle_timeout(now, &mut self.desk.transmits) {
            match timeout {
                Timeout::TimedOut { id, owner } => self.on_request_failed(owner, id),
                Timeout::TransportFailed { id, owner } => {
                    self.desk.unsent.clone_from(&self.flow_failure);
                    self.on_request_failed(owner, id);
                    self.desk.unsent = None;
                }
                Timeout::AckMissing(id) => self.on_ack_missing(id),
            }
        }
        for account in &mut self.lines.accounts {
            if account.next_deadline().is_some_and(|(at, _)| at <= now) {
                account.on_deadline(&mut self.desk);
            }
        }
        self.advance_calls();
        self.advance_subscriptions();
        self.advance_provisioning();
        self.advance_network();
        self.message.take_if(|(_, until)| *until <= now);
        self.desk.sum_up();
    }

    /// Brings everything that follows from the state in line with it.
    fn settle(&mut self) {
        self.settle_holds();
        self.settle_moves();
        self.settle_sound();
        self.settle_subscriptions();
        self.settle_lamps();
        self.settle_screen();
        self.settle_waiting();
        self.settle_provisioning();
        let calls = &self.calls.table;
        let speaks = |number: u8| calls.values().any(|call| call.account == number && !call.is_quiet());
        self.lines.leaving.retain(|account| account.is_stopping() || speaks(account.number()));
        let is_quiet = calls.values().all(Conversation::is_quiet);
        let now = self.desk.now;
        let gone = self.lines.have_left() && is_quiet;
        if self.quitting.take_if(|until| gone || *until <= now).is_some() {
            self.leave_network();
            self.desk.wish(Wish::SwitchOff);
        }
        if let Some(Restarting { why, .. }) = self.restarting.take_if(|it| is_quiet || it.until <= now) {
            self.say_goodbye_to_neighbours();
            self.desk.restart(&why);
        }
    }

    /// Starts again once the calls have ended, each with BYE and its event.
    fn restart(&mut self, why: &str) {
        self.obey_hang_up_all();
        let until = self.desk.now + GOODBYE;
        self.restarting.get_or_insert_with(|| Restarting { why: why.to_owned(), until });
    }

    /// Says goodbye: hangs up, ends subscriptions, takes bindings back.
    fn quit(&mut self) {
        self.obey_hang_up_all();
        self.end_subscriptions();
        for account in &mut self.lines.accounts {
            account.stop(&mut self.desk);
        }
        self.quitting = Some(self.desk.now + GOODBYE);
    }
}

/// The account, present or leaving, whose REGISTER that is.
fn registering(lines: &mut Lines, number: u8, id: proto::sip::endpoint::ClientId) -> Option<&mut Account> {
    let mut all = lines.accounts.iter_mut().chain(&mut lines.leaving);
    all.find(|account| account.number() == number && account.awaits(id))
}

impl Role for Phone {
    type Command = Command;
    type Event = Event;
    type Media = SoundCommand;
    type Heard = SoundEvent;
    type Change = Change;
    type Settings = Settings;
    type Wish = Wish;
    type Why = Why;

    fn handle(&mut self, now: Time, input: InputOf<'_, Self>, out: &mut Vec<Out>) {
        (self.desk.now, self.desk.new) = (now, None);
        match input {
            Input::Start => self.start(),
            Input::Message { flow, bytes, .. } => self.on_message(flow, bytes),
            Input::FlowFailed { flow, fault, reason } => self.on_flow_failed(flow, fault, reason),
            Input::Resolved { query, answer } => self.on_resolved(&query, &answer),
            Input::Command(command) => self.on_command(command),
            Input::Heard(event) => self.on_sound(event),
            Input::Wake => {}
            Input::Network(network) => self.on_network(*network),
            Input::Settings(settings) => self.take_settings(settings),
            Input::Datagram { socket, from, bytes } => {
                self.discover.on_datagram(&mut self.desk, socket, from, bytes);
            }
            Input::Socket { socket, event } => self.discover.on_socket(&mut self.desk, socket, event),
            Input::Fetched(fetched) => self.on_fetched(*fetched),
            Input::Wall(wall) => self.desk.wall = wall,
            Input::Frame(bytes) => self.on_frame(bytes),
            Input::Link(is_up) => self.on_link(is_up),
        }
        self.advance();
        self.settle();
        self.settle_network();
        self.desk.flush(out);
    }

    fn next_deadline(&self) -> Option<(Time, Why)> {
        let endpoint = self.desk.endpoint.next_deadline().map(|(at, timer)| (at, Why::Transaction(timer)));
        let accounts = self.lines.accounts.iter().filter_map(Account::next_deadline);
        let message = self.message.as_ref().map(|(_, until)| (*until, Why::Screen));
        let restarting = self.restarting.as_ref().map(|it| (it.until, Why::Goodbye));
        let quitting = self.quitting.map(|until| (until, Why::Goodbye)).into_iter().chain(restarting);
        let calls = self.calls.next_deadline();
        let waiting = self.waiting.next_deadline();
        let subscriptions = self.next_subscription_deadline();
        let provisioning = self.discover.next_deadline();
        let network = self.next_network_deadline();
        let sums = self.desk.repeats.owes().map(|at| (at, Why::Log));
        let of_person = network.into_iter().chain(message).chain(sums).chain(quitting).chain(waiting);
        accounts.chain(endpoint).chain(calls).chain(subscriptions).chain(provisioning).chain(of_person).min()
    }
}
