//! Registration (RFC 3261 §10.2) as one machine: remove, register, refresh, retry, give up.

use std::time::Duration;

use super::{Context, Why};
use crate::Time;
use crate::sip::dialog::{Dialog, Party};
use crate::sip::digest::Attempt;
use crate::sip::endpoint::ClientId;
use crate::sip::flow::Target;
use crate::sip::header::Address;
use crate::sip::message::{Message, Method, Name};

/// How one account registers.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Request-URI: `sip:192.168.50.19`.
    pub registrar: String,
    /// From and To.
    pub identity: Party,
    /// Seconds asked for.
    pub expires_s: u32,
    /// Refresh so many seconds early; `None`: at half of the time (RFC 5626 §4.4.1 asks for no less).
    pub refresh_early_s: Option<u32>,
    /// Remove old bindings of this contact first, as the deck's phone does at start.
    pub remove_first: bool,
    /// Seconds to wait after a refusal or time-out (deck: 30).
    pub retry_s: u32,
    /// The longest wait as failures repeat.
    pub retry_max_s: u32,
    /// Seconds to wait after a failure to send (deck: 2).
    pub retry_first_s: u32,
    /// Further headers, by name: `Mac`, `Line`.
    pub headers: Vec<(&'static str, String)>,
}

/// One account's registration.
#[derive(Debug)]
pub struct Registration {
    config: Config,
    dialog: Dialog,
    targets: Vec<Target>,
    state: State,
    asked_s: u32,
    failures: u32,
    attempt: Attempt,
    bound: bool,
    /// The Contact of the binding that stands, so that it is not left behind when that changes.
    bound_contact: String,
    deadline: Option<(Time, Why)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Idle,
    Asking { id: ClientId, purpose: Purpose },
    Registered,
    Failed,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    RemoveThenRegister,
    Register,
    Remove,
}

/// What just happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A REGISTER for a binding was sent.
    Registering,
    /// 423: asked again for the time that the server wants at least.
    Raised {
        /// Seconds asked for now.
        expires_s: u32,
    },
    /// 200: bound for so many seconds.
    Registered {
        /// Seconds granted.
        expires_s: u32,
        /// Our address as the server sees it, from Via received and rport.
        seen_as: Option<std::net::SocketAddr>,
    },
    /// Refused, or no answer.
    Failed {
        /// The final status; `None` where no answer came.
        status: Option<u16>,
        /// The phrase.
        reason: String,
        /// Seconds until the next attempt.
        retry_s: u32,
    },
    /// The binding is removed.
    Removed,
}

impl Registration {
    /// Not yet begun.
    pub fn new(config: Config, call_id: String, tag: String) -> Self {
        let local = config.identity.clone().with_tag(tag);
        let dialog = Dialog::outgoing(call_id, local, config.identity.clone(), config.registrar.clone());
        let asked_s = config.expires_s;
        Self {
            config,
            dialog,
            targets: Vec::new(),
            state: State::Idle,
            asked_s,
            failures: 0,
            attempt: Attempt::default(),
            bound: false,
            bound_contact: String::new(),
            deadline: None,
        }
    }

    /// Whether a binding stands.
    pub fn is_registered(&self) -> bool {
        self.bound
    }

    /// The REGISTER under way.
    pub fn pending(&self) -> Option<ClientId> {
        match self.state {
            State::Asking { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Where REGISTERs go.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The same places in another order: the one that answers comes first.
    pub fn set_targets(&mut self, targets: Vec<Target>) {
        self.targets = targets;
    }

    /// Begins, or begins anew with other targets (failover, change of address).
    pub fn start<O: Copy>(&mut self, ctx: &mut Context<'_, O>, targets: Vec<Target>) -> Option<Event> {
        self.targets = targets;
        self.deadline = None;
        if std::mem::take(&mut self.config.remove_first) {
            return self.ask_anew(ctx, Purpose::RemoveThenRegister);
        }
        self.ask_anew(ctx, Purpose::Register)
    }

    /// Removes the binding.
    pub fn stop<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        if self.state != State::Idle && !self.targets.is_empty() {
            self.deadline = None;
            self.ask_anew(ctx, Purpose::Remove);
        }
    }

    /// An answer.
    pub fn on_response<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ClientId,
        response: &Message<'_>,
    ) -> Option<Event> {
        let State::Asking { id: asked, purpose } = self.state else { return None };
        let status = response.status()?;
        if asked != id || status < 200 {
            return None;
        }
        match status {
            200..=299 => self.on_success(ctx, purpose, response),
            401 | 407 if ctx.may_retry(&mut self.attempt, response) => self.ask(ctx, purpose),
            423 => self.on_too_brief(ctx, purpose, response),
            _ => Some(self.fail(ctx.now, Some(response))),
        }
    }

    /// No answer, or it could not be sent.
    pub fn on_request_failed<O: Copy>(&mut self, ctx: &mut Context<'_, O>, id: ClientId) -> Option<Event> {
        if self.pending() != Some(id) {
            return None;
        }
        Some(self.fail(ctx.now, None))
    }

    /// The deadline has come.
    pub fn on_deadline<O: Copy>(&mut self, ctx: &mut Context<'_, O>) -> Option<Event> {
        self.deadline.take_if(|(at, _)| *at <= ctx.now)?;
        if let State::Asking { .. } = self.state {
            return None;
        }
        self.ask_anew(ctx, Purpose::Register)
    }

    /// The refresh waits until [`start`](Self::start) says where to.
    pub fn await_targets(&mut self) {
        self.deadline = None;
    }

    /// When to call [`on_deadline`](Self::on_deadline), and why.
    pub fn next_deadline(&self) -> Option<(Time, Why)> {
        self.deadline
    }

    /// A REGISTER that has not been challenged yet. Tells that it went out, or that it could not.
    fn ask_anew<O: Copy>(&mut self, ctx: &mut Context<'_, O>, purpose: Purpose) -> Option<Event> {
        self.attempt = Attempt::default();
        let failed = self.ask(ctx, purpose);
        failed.or((purpose == Purpose::Register).then_some(Event::Registering))
    }

    /// Sends a REGISTER; an event only where that was not possible.
    fn ask<O: Copy>(&mut self, ctx: &mut Context<'_, O>, purpose: Purpose) -> Option<Event> {
        let expires_s = if purpose == Purpose::Register { self.asked_s } else { 0 };
        let mut request = self
            .dialog
            .request(Method::Register)
            .header(Name::Contact, &ctx.identity.contact)
            .header(Name::Expires, expires_s)
            .header(Name::Allow, ctx.identity.allow)
            .header(Name::Supported, ctx.identity.supported);
        if purpose == Purpose::Register && self.has_left(&ctx.identity.contact) {
            request = request.header(Name::Contact, format!("{};expires=0", self.bound_contact));
        }
        for (name, value) in &self.config.headers {
            request = request.named(name, value);
        }
        match ctx.send(request, &self.targets) {
            Ok(id) => {
                self.state = State::Asking { id, purpose };
                None
            }
            Err(error) => {
                let retry_s = self.config.retry_first_s.max(1);
                self.state = State::Failed;
                self.deadline =
                    Some((ctx.now + Duration::from_secs(u64::from(retry_s)), Why::RegistrationRetry));
                Some(Event::Failed { status: None, reason: error.to_string(), retry_s })
            }
        }
    }

    /// Whether a binding stands at another Contact than this one.
    fn has_left(&self, contact: &str) -> bool {
        !self.bound_contact.is_empty() && self.bound_contact != contact
    }

    fn on_success<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        purpose: Purpose,
        response: &Message<'_>,
    ) -> Option<Event> {
        match purpose {
            Purpose::RemoveThenRegister => {
                // The deck's phone begins its registration without credentials, as after a cold start.
                if let Some(auth) = ctx.auth.as_deref_mut() {
                    auth.forget();
                }
                self.ask_anew(ctx, Purpose::Register)
            }
            Purpose::Remove => {
                self.state = State::Idle;
                self.bound = false;
                self.bound_contact.clear();
                self.deadline = None;
                Some(Event::Removed)
            }
            Purpose::Register => Some(self.on_registered(ctx, response)),
        }
    }

    fn on_registered<O: Copy>(&mut self, ctx: &mut Context<'_, O>, response: &Message<'_>) -> Event {
        let expires_s = granted_s(response, &ctx.identity.contact).unwrap_or(self.asked_s).max(1);
        let early_s = self.config.refresh_early_s.unwrap_or(expires_s / 2).min(expires_s / 2);
        let wait = Duration::from_secs(u64::from((expires_s - early_s).max(1)));
        self.state = State::Registered;
        self.bound = true;
        self.bound_contact.clone_from(&ctx.identity.contact);
        self.failures = 0;
        self.deadline = Some((ctx.now + wait, Why::RegistrationRefresh));
        Event::Registered { expires_s, seen_as: seen_as(response) }
    }

    /// 423: ask for what the server wants at least (RFC 3261 §10.2.8).
    fn on_too_brief<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        purpose: Purpose,
        response: &Message<'_>,
    ) -> Option<Event> {
        match response.number(Name::MinExpires).filter(|&min| min > self.asked_s) {
            Some(min) => {
                self.asked_s = min;
                self.attempt = Attempt::default();
                let failed = self.ask(ctx, purpose);
                Some(failed.unwrap_or(Event::Raised { expires_s: min }))
            }
            None => Some(self.fail(ctx.now, Some(response))),
        }
    }

    fn fail(&mut self, now: Time, response: Option<&Message<'_>>) -> Event {
        let wait_s = self.config.retry_s.saturating_mul(1 << self.failures.min(10));
        let wait_s = wait_s.min(self.config.retry_max_s.max(self.config.retry_s));
        let asked = response.and_then(|response| response.number(Name::RetryAfter));
        let retry_s = asked.unwrap_or(wait_s).max(1);
        self.failures += 1;
        self.bound = false;
        self.state = State::Failed;
        self.deadline = Some((now + Duration::from_secs(u64::from(retry_s)), Why::RegistrationRetry));
        Event::Failed {
            status: response.and_then(Message::status),
            reason: response.map_or_else(|| "Timeout".to_owned(), |response| response.reason().into_owned()),
            retry_s,
        }
    }
}

/// Seconds granted to our contact: its `expires`, else the Expires header (RFC 3261 §10.2.4).
fn granted_s(response: &Message<'_>, contact: &str) -> Option<u32> {
    let ours = Address::parse(contact.as_bytes())?;
    let same = |address: &Address<'_>| {
        let (Some(a), Some(b)) = (address.parsed_uri(), ours.parsed_uri()) else { return false };
        a.plain_user() == b.plain_user()
            && a.host.eq_ignore_ascii_case(b.host)
            && a.port.or(Some(5060)) == b.port.or(Some(5060))
    };
    let mut contacts = response.values(Name::Contact).filter_map(Address::parse);
    let own = contacts.find(same).and_then(|address| address.params.number("expires"));
    own.or_else(|| response.number(Name::Expires))
}

/// Our address as the server saw it (RFC 3581 §4).
fn seen_as(response: &Message<'_>) -> Option<std::net::SocketAddr> {
    let via = response.via()?;
    let host = via.params.get("received").unwrap_or(via.host);
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    let port = via.rport().flatten().or(via.port).unwrap_or(5060);
    Some(std::net::SocketAddr::new(ip, port))
}
