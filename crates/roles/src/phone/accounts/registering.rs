//! Registration of one account: locate, remove, register, refresh, fail over and back.

use std::net::SocketAddr;
use std::time::Duration;

use proto::sip::endpoint::ClientId;
use proto::sip::flow::{Flow, Transport};
use proto::sip::locate::{Answer, Query};
use proto::sip::message::{Message, Method, Name};
use proto::sip::usage::Wait;
use proto::sip::usage::register::{Config, Event, Registration};
use proto::sip::{Request, usage};

use super::super::desk::{Desk, Owner, Place};
use super::super::event::EventKind;
use super::super::locating::Located;
use super::super::log::registration as words;
use super::{Account, AccountState};
use crate::role::Output;
use crate::settings::{KeepAlive, RPort};

/// The wait after an attempt that did not even leave the phone (deck, Account Registration).
const FIRST_RETRY_S: u32 = 2;
/// How long an account whose connection broke waits at least, in milliseconds; twice as long at most. A server
/// that restarts is back by then.
const LOST_WAIT_MS: u64 = 2_500;
/// The longest wait where the settings name none.
const USUAL_LONGEST_RETRY_S: u32 = 1_800;

impl Account {
    /// Begins in up to `spread_s` seconds, so that a building's phones do not all speak at once.
    pub(in super::super) fn start(&mut self, desk: &mut Desk, spread_s: u32) {
        let wait_us = desk.rng.below(u64::from(spread_s) * 1_000_000 + 1);
        if spread_s == 0 {
            return self.begin(desk, 0);
        }
        self.begin_at = Some(desk.now + Duration::from_micros(wait_us));
    }

    /// Takes the binding back. Whether there is one to wait for.
    pub(in super::super) fn stop(&mut self, desk: &mut Desk) -> bool {
        (self.begin_at, self.keep_alive_at, self.leaving) = (None, None, true);
        let number = self.number();
        let Some(registration) = &mut self.registration else { return false };
        registration.stop(&mut self.line.context(desk, Owner::Registration(number)));
        registration.pending().is_some()
    }

    /// Whether its binding is being taken back.
    pub(in super::super) fn is_stopping(&self) -> bool {
        self.leaving && self.registration.as_ref().is_some_and(|it| it.pending().is_some())
    }

    /// Whether an answer to that request is for this account.
    pub(in super::super) fn awaits(&self, id: ClientId) -> bool {
        self.registration.as_ref().is_some_and(|it| it.pending() == Some(id))
    }

    /// Registers anew: the phone's address has changed.
    pub(in super::super) fn restart(&mut self, desk: &mut Desk) {
        let way = self.line.way;
        self.line.settle(desk, way);
        self.line.set_contact(self.line.identity.local, self.line.transport_of(way));
        self.begin(desk, way);
    }

    /// The DNS has answered, perhaps about one of this account's servers.
    pub(in super::super) fn on_resolved(&mut self, desk: &mut Desk, query: &Query, answer: &Answer) {
        for at in 0..self.line.ways.len() {
            match self.line.ways[at].answer(desk.now, query, answer) {
                Some(Located::Ask(queries)) => desk.out.extend(queries.into_iter().map(Output::Resolve)),
                Some(Located::Known) if at == self.trying && std::mem::take(&mut self.waiting) => {
                    self.register(desk);
                }
                _ => {}
            }
        }
        for way in &mut self.line.behind {
            if let Some(Located::Ask(queries)) = way.answer(desk.now, query, answer) {
                desk.out.extend(queries.into_iter().map(Output::Resolve));
            }
        }
    }

    pub(in super::super) fn on_response(
        &mut self,
        desk: &mut Desk,
        id: ClientId,
        from: SocketAddr,
        response: &Message<'_>,
    ) {
        let number = self.number();
        let Some(registration) = &mut self.registration else { return };
        if let Some(way) = self.line.ways.get_mut(self.trying)
            && way.prefer(from)
        {
            // The answer to a challenge goes to whoever has asked, not to a dead machine before him.
            registration.set_targets(way.targets.clone());
        }
        let mut context = self.line.context(desk, Owner::Registration(number));
        let event = registration.on_response(&mut context, id, response);
        self.on_event(desk, event);
        if self.state.is_registered() {
            self.line.granted_by(from);
        }
    }

    /// A server answered a call or a subscription. Where it is another than the one that has the
    /// registration, that one is silent: the account registers with the server that answers.
    pub(in super::super) fn answered_by(&mut self, desk: &mut Desk, from: SocketAddr) {
        let used = self.line.ways.get_mut(self.line.way);
        if used.is_some_and(|way| way.prefer(from)) || self.leaving || !self.state.is_registered() {
            return;
        }
        let others = self.line.ways.iter().position(|way| way.has(from));
        let Some(way) = others.filter(|_| self.trying == self.line.way) else { return };
        desk.note(&words::silent(self.log_index(), &self.line.ways[self.line.way].host));
        self.begin(desk, way);
    }

    pub(in super::super) fn on_request_failed(&mut self, desk: &mut Desk, id: ClientId) {
        let number = self.number();
        let Some(registration) = &mut self.registration else { return };
        let mut context = self.line.context(desk, Owner::Registration(number));
        let event = registration.on_request_failed(&mut context, id);
        self.on_event(desk, event);
    }

    pub(in super::super) fn on_deadline(&mut self, desk: &mut Desk) {
        if self.begin_at.take_if(|at| *at <= desk.now).is_some() {
            self.tried = 0;
            self.begin(desk, 0);
        }
        if self.keep_alive_at.is_some_and(|at| at <= desk.now) {
            self.keep_alive(desk);
        }
        let due = self.registration.as_ref().and_then(Registration::next_deadline);
        let Some((_, why)) = due.filter(|(at, _)| *at <= desk.now) else { return };
        if why == usage::Why::RegistrationRetry {
            // Servers may have moved since, and the first of them may be back.
            self.tried = 0;
            return self.begin(desk, 0);
        }
        let way = self.line.way;
        if why == usage::Why::RegistrationRefresh
            && self.line.ways.get(way).is_some_and(|it| it.is_stale(desk.now))
        {
            // The DNS may name another place by now, or the better one again (RFC 3263 §4.3).
            if let Some(registration) = &mut self.registration {
                registration.await_targets();
            }
            return self.begin(desk, way);
        }
        let number = self.number();
        let Some(registration) = &mut self.registration else { return };
        let event = registration.on_deadline(&mut self.line.context(desk, Owner::Registration(number)));
        self.on_event(desk, event);
    }

    /// Registers with the server `way`; asks for its address first.
    fn begin(&mut self, desk: &mut Desk, way: usize) {
        self.begin_at = None;
        if std::mem::replace(&mut self.trying, way) != way {
            self.line.forget_realm();
        }
        self.locate_others(desk);
        let Some(server) = self.line.ways.get_mut(way) else { return };
        match server.locate(desk.now, &mut desk.rng) {
            Located::Known => self.register(desk),
            Located::Ask(queries) => {
                self.waiting = true;
                if !self.state.is_registered() {
                    self.state = AccountState::Locating;
                }
                desk.out.extend(queries.into_iter().map(Output::Resolve));
            }
        }
    }

    /// Finds out where the other servers are: to ask them when the one in use is silent, and to know their
    /// calls.
    fn locate_others(&mut self, desk: &mut Desk) {
        let trying = self.trying;
        let ways = self.line.ways.iter_mut().enumerate().filter(|(at, _)| *at != trying).map(|(_, way)| way);
        for way in ways.chain(&mut self.line.behind) {
            if let Located::Ask(queries) = way.locate(desk.now, &mut desk.rng) {
                desk.out.extend(queries.into_iter().map(Output::Resolve));
            }
        }
    }

    fn register(&mut self, desk: &mut Desk) {
        let way = self.trying;
        let targets = self.line.ways.get(way).map(|way| way.by_dns.clone()).unwrap_or_default();
        if targets.is_empty() {
            return self.on_unreachable(desk);
        }
        self.line.settle(desk, way);
        let (number, config) = (self.number(), self.config(&desk.place));
        let line = &mut self.line;
        let registration = self.registration.get_or_insert_with(|| {
            let call_id = format!("{}-{}", desk.rng.hex(17), desk.rng.hex(8));
            Registration::new(config, call_id, desk.rng.hex(8))
        });
        let event = registration.start(&mut line.context(desk, Owner::Registration(number)), targets);
        if !self.state.is_registered() {
            self.state = AccountState::Registering;
        }
        self.on_event(desk, event);
    }

    fn config(&self, place: &Place) -> Config {
        let settings = &self.line.settings;
        let (mac, line) = (settings.registration.with_mac, settings.registration.with_line);
        let mac = mac.then(|| ("Mac", place.mac_text()));
        let line = line.then(|| ("Line", settings.number.to_string()));
        let (shortest, longest) = settings.registration.back_off_s;
        let retry_s = settings.registration.retry_interval_s.max(shortest).max(1);
        Config {
            registrar: self.line.registrar(),
            identity: self.line.party(),
            expires_s: settings.servers[0].expires_s,
            refresh_early_s: settings.registration.refresh_lead_s,
            remove_first: settings.registration.unregister_at_start,
            retry_s,
            retry_max_s: if longest == 0 { USUAL_LONGEST_RETRY_S } else { longest },
            retry_first_s: FIRST_RETRY_S,
            headers: mac.into_iter().chain(line).collect(),
            token: self.line.token.clone(),
        }
    }

    fn on_event(&mut self, desk: &mut Desk, event: Option<Event>) {
        match event {
            None => {}
            Some(Event::Registering) => {
                desk.note(&words::registering(self.log_index(), &self.line.address_of_record()));
            }
            Some(Event::Raised { expires_s }) => {
                desk.note(&words::raised(self.log_index(), expires_s));
            }
            Some(Event::Registered { expires_s, seen_as }) => self.on_registered(desk, expires_s, seen_as),
            Some(Event::Failed { status, reason, retry }) => self.on_failed(desk, status, reason, retry),
            Some(Event::Removed) => {
                self.state = AccountState::Unregistered;
                self.registration = None;
                desk.note(&words::removed(self.log_index()));
                desk.tell(EventKind::Unregistered { account: self.number() });
            }
        }
    }

    fn on_registered(&mut self, desk: &mut Desk, expires_s: u32, seen_as: Option<SocketAddr>) {
        (self.failures, self.tried, self.lost) = (0, 0, false);
        let changed = std::mem::replace(&mut self.line.way, self.trying) != self.trying;
        let host = self.line.ways.get(self.trying).map(|way| way.host.to_string()).unwrap_or_default();
        let moved = seen_as.filter(|seen| self.must_move_to(*seen));
        self.state = AccountState::Registered { expires_s };
        desk.note(&words::registered(self.log_index(), expires_s));
        if changed {
            desk.note(&words::server(self.log_index(), &host));
        }
        desk.tell(EventKind::Registered { account: self.number(), expires_s });
        let moved_before = std::mem::replace(&mut self.moved, moved.is_some());
        match moved {
            // "Enable Direct Process": the address that the server sees is registered instead.
            Some(seen) if !moved_before => {
                self.line.set_contact(seen, self.line.transport_of(self.trying));
                return self.register(desk);
            }
            // Who sees another address in each answer would have us register for ever.
            Some(seen) => desk.warn(&words::moves(self.log_index(), seen)),
            None => {}
        }
        if self.keep_alive_at.is_none() {
            self.plan_keep_alive(desk);
        }
        let fallback_s = self.line.settings.registration.outbound_fallback_s;
        if self.line.way > 0 && self.begin_at.is_none() {
            self.begin_at = Some(desk.now + Duration::from_secs(u64::from(fallback_s.max(10))));
        }
    }

    fn must_move_to(&self, seen: SocketAddr) -> bool {
        self.line.settings.nat.rport == RPort::DirectProcess
            && self.line.transport_of(self.trying) == Transport::Udp
            && ![">", ";"].iter().any(|end| self.line.identity.contact.contains(&format!("@{seen}{end}")))
    }

    fn on_failed(&mut self, desk: &mut Desk, status: Option<u16>, reason: String, retry: Wait) {
        let index = self.log_index();
        desk.note(&words::failed(index, status, &reason));
        desk.note(words::TERMINATED);
        // The log line is the deck's (`Timeout`); the event and the account's state tell the cause.
        let reason = desk.unsent.clone().unwrap_or(reason);
        self.line.forget_realm();
        self.tried += 1;
        self.failures += 1;
        let next = (self.trying + 1) % self.line.ways.len().max(1);
        let elsewhere = matches!(status, None | Some(503)) && self.tried < self.line.ways.len();
        let mut retry_in_s = if elsewhere { 0 } else { retry.seconds };
        if self.lost && !elsewhere {
            // RFC 5626 §4.5: a random wait from half of the time to all of it.
            retry_in_s -= desk.rng.below(u64::from(retry_in_s / 2) + 1) as u32;
            let at = desk.now + Duration::from_secs(u64::from(retry_in_s));
            self.begin_at = Some(self.begin_at.map_or(at, |before| before.min(at)));
        }
        self.state = AccountState::Failed { status, reason: reason.clone() };
        if let Some(asked_s) = retry.asked_s.filter(|_| !elsewhere) {
            desk.warn(&words::too_long(index, asked_s, retry_in_s));
        }
        desk.note(&words::retry(index, retry_in_s));
        desk.tell(EventKind::RegistrationFailed { account: self.number(), status, reason, retry_in_s });
        if elsewhere && !self.leaving {
            self.begin(desk, next);
        }
    }

    /// A connection broke. Whether it was the one of this account's binding: then it registers anew, at once for
    /// a server that has restarted, but not all phones of a building in the same moment; after that with the waits
    /// of RFC 5626 §4.5.
    pub(in super::super) fn on_connection_lost(&mut self, desk: &mut Desk, flow: Flow, reason: &str) -> bool {
        let own = self.line.flow();
        let is_own = own.is_some_and(|own| (own.transport, own.remote) == (flow.transport, flow.remote));
        self.line.leave_port(flow);
        if !is_own || self.leaving || !self.state.is_registered() {
            return false;
        }
        let wait_ms = LOST_WAIT_MS + desk.rng.below(LOST_WAIT_MS);
        let retry_in_s = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
        self.state = AccountState::Failed { status: None, reason: reason.to_owned() };
        desk.warn(&words::failed(self.log_index(), None, reason));
        desk.note(&words::retry(self.log_index(), retry_in_s));
        let (account, reason) = (self.number(), reason.to_owned());
        desk.tell(EventKind::RegistrationFailed { account, status: None, reason, retry_in_s });
        self.begin_at = Some(desk.now + Duration::from_millis(wait_ms));
        self.lost = true;
        true
    }

    /// No address is known for the server: nothing left the phone.
    fn on_unreachable(&mut self, desk: &mut Desk) {
        let host = self.line.ways.get(self.trying).map(|way| way.host.to_string()).unwrap_or_default();
        let reason = format!("no address is known for {host}; check the server's name and the DNS");
        self.tried += 1;
        self.failures += 1;
        if self.tried < self.line.ways.len() {
            return self.begin(desk, (self.trying + 1) % self.line.ways.len());
        }
        let longest_s = self.line.settings.registration.retry_interval_s.max(FIRST_RETRY_S);
        let retry_in_s = FIRST_RETRY_S.saturating_mul(1 << (self.failures - 1).min(10)).min(longest_s);
        self.state = AccountState::Failed { status: None, reason: reason.clone() };
        desk.warn(&words::failed(self.log_index(), None, &reason));
        desk.note(&words::retry(self.log_index(), retry_in_s));
        desk.tell(EventKind::RegistrationFailed { account: self.number(), status: None, reason, retry_in_s });
        self.begin_at = Some(desk.now + Duration::from_secs(u64::from(retry_in_s)));
    }

    fn plan_keep_alive(&mut self, desk: &Desk) {
        let nat = &self.line.settings.nat;
        let wanted = nat.keep_alive != KeepAlive::Off && self.state.is_registered();
        let wait = Duration::from_secs(u64::from(nat.keep_alive_interval_s.max(15)));
        self.keep_alive_at = wanted.then(|| desk.now + wait);
    }

    /// Keeps the way through a NAT open (deck, RPort; RFC 5626 §3.5.1).
    fn keep_alive(&mut self, desk: &mut Desk) {
        self.plan_keep_alive(desk);
        let Some(flow) = self.line.flow().filter(|_| self.state.is_registered()) else { return };
        match self.line.settings.nat.keep_alive {
            KeepAlive::Off => {}
            KeepAlive::Dummy => desk.send_raw(flow, b"\r\n"),
            KeepAlive::Crlf => desk.send_raw(flow, b"\r\n\r\n"),
            KeepAlive::Options => self.keep_alive_request(desk, Method::Options),
            KeepAlive::Notify => self.keep_alive_request(desk, Method::Notify),
        }
    }

    fn keep_alive_request(&mut self, desk: &mut Desk, method: Method) {
        let (party, to) = (self.line.party(), self.line.registrar());
        let mut dialog = self.line.dialog(desk, party, to);
        let targets = self.line.targets();
        let mut request: Request = dialog.request(method).header(Name::Contact, &self.line.identity.contact);
        if method == Method::Notify {
            request = request.header(Name::Event, "keep-alive");
        }
        // One that cannot be sent is made up for by the next.
        let _ = self.line.context(desk, Owner::KeepAlive).send(request, &targets);
    }
}
