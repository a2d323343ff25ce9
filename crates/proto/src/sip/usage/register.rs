//! Registration (RFC 3261 §10.2) as one machine: remove, register, refresh, retry, give up.

use std::time::Duration;

use super::{Context, LONGEST_WAIT_S, MOST_RAISES, Wait, Why};
use crate::Time;
use crate::sip::dialog::{Dialog, Party};
use crate::sip::digest::{Attempt, Refusal};
use crate::sip::endpoint::ClientId;
use crate::sip::flow::Target;
use crate::sip::header::Address;
use crate::sip::line_token::LineToken;
use crate::sip::message::{Message, Method, Name};
use crate::sip::uri::Uri;

/// The shortest time between a registration and its refresh, in seconds, however short the grant.
const LEAST_REFRESH_S: u32 = 2;

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
    /// Stands in the Contact, for the registrar alone.
    pub token: Option<LineToken>,
}

/// One account's registration.
#[derive(Debug)]
pub struct Registration {
    config: Config,
    dialog: Dialog,
    targets: Vec<Target>,
    state: State,
    asked_s: u32,
    /// How often this attempt obeyed a 423.
    raises: u8,
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
        /// When the next attempt comes.
        retry: Wait,
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
            raises: 0,
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
            401 | 407 => match ctx.challenged(&mut self.attempt, response) {
                Ok(()) => self.ask(ctx, purpose),
                Err(Some(refusal @ Refusal::OtherRealm { .. })) => {
                    Some(self.fail_with(ctx.now, Some(status), refusal.to_string(), None))
                }
                Err(_) => Some(self.fail(ctx.now, Some(response))),
            },
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
        self.raises = 0;
        let failed = self.ask(ctx, purpose);
        failed.or((purpose == Purpose::Register).then_some(Event::Registering))
    }

    /// Sends a REGISTER; an event only where that was not possible.
    fn ask<O: Copy>(&mut self, ctx: &mut Context<'_, O>, purpose: Purpose) -> Option<Event> {
        let expires_s = if purpose == Purpose::Register { self.asked_s } else { 0 };
        let contact = self.contact(ctx);
        let mut request = self
            .dialog
            .request(Method::Register)
            .header(Name::Contact, &contact)
            .header(Name::Expires, expires_s)
            .header(Name::Allow, ctx.identity.allow)
            .header(Name::Supported, ctx.identity.supported);
        if purpose == Purpose::Register && self.has_left(&contact) {
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
                let retry = Wait::new(None, self.config.retry_first_s);
                self.state = State::Failed;
                self.deadline = Some((ctx.now + retry.time(), Why::RegistrationRetry));
                Some(Event::Failed { status: None, reason: error.to_string(), retry })
            }
        }
    }

    /// Our Contact as the registrar alone sees it.
    fn contact<O: Copy>(&self, ctx: &Context<'_, O>) -> String {
        let contact = &ctx.identity.contact;
        self.config.token.as_ref().map_or_else(|| contact.clone(), |token| token.added_to(contact))
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
        let granted = granted_s(response, &self.contact(ctx), self.config.token.as_ref());
        let expires_s = granted.unwrap_or(self.asked_s);
        if expires_s == 0 {
            // Nothing is bound; to ask again at once would be asked for ever.
            return self.fail_with(ctx.now, None, "the server granted 0 seconds".into(), None);
        }
        // Who grants or wants more than the setting says may have gone wrong: an hour is soon enough to find out.
        let sure_s = expires_s.min(self.config.expires_s.max(LONGEST_WAIT_S));
        let early_s = self.config.refresh_early_s.unwrap_or(sure_s / 2).min(sure_s / 2);
        let wait = Duration::from_secs(u64::from((sure_s - early_s).max(LEAST_REFRESH_S)));
        self.state = State::Registered;
        self.bound = true;
        self.bound_contact = self.contact(ctx);
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
        let larger = response.number(Name::MinExpires).filter(|&min| min > self.asked_s);
        match larger.filter(|_| self.raises < MOST_RAISES) {
            Some(min) => {
                self.asked_s = min;
                self.raises += 1;
                self.attempt = Attempt::default();
                let failed = self.ask(ctx, purpose);
                Some(failed.unwrap_or(Event::Raised { expires_s: min }))
            }
            None => Some(self.fail(ctx.now, Some(response))),
        }
    }

    fn fail(&mut self, now: Time, response: Option<&Message<'_>>) -> Event {
        let reason = response.map_or_else(|| "Timeout".to_owned(), |response| response.reason().into_owned());
        let asked_s = response.and_then(Message::retry_after_s);
        self.fail_with(now, response.and_then(Message::status), reason, asked_s)
    }

    fn fail_with(&mut self, now: Time, status: Option<u16>, reason: String, asked_s: Option<u32>) -> Event {
        let wait_s = self.config.retry_s.saturating_mul(1 << self.failures.min(10));
        let wait_s = wait_s.min(self.config.retry_max_s.max(self.config.retry_s));
        let retry = Wait::new(asked_s, wait_s);
        self.failures += 1;
        self.bound = false;
        self.state = State::Failed;
        self.deadline = Some((now + retry.time(), Why::RegistrationRetry));
        Event::Failed { status, reason, retry }
    }
}

/// Seconds granted to our Contact: its `expires`, else the Expires header (RFC 3261 §10.2.4). Ours is the one
/// that we wrote; where the server writes contacts anew, the only one with our token, or the only one at all.
fn granted_s(response: &Message<'_>, contact: &str, token: Option<&LineToken>) -> Option<u32> {
    let contacts: Vec<Address<'_>> = response.values(Name::Contact).filter_map(Address::parse).collect();
    let ours = Address::parse(contact.as_bytes())?;
    let ours = ours.parsed_uri()?;
    let written = |address: &&Address<'_>| address.parsed_uri().is_some_and(|uri| is_same_place(&uri, &ours));
    let marked = |address: &&Address<'_>| {
        token.zip(address.parsed_uri()).is_some_and(|(token, uri)| token.is_in(&uri))
    };
    let only =
        |some: Vec<&Address<'_>>| some.first().filter(|_| some.len() == 1).and_then(|it| expires_s(it));
    let own = contacts.iter().find(written).map(expires_s);
    let own = own.unwrap_or_else(|| {
        only(contacts.iter().filter(marked).collect()).or_else(|| only(contacts.iter().collect()))
    });
    own.or_else(|| response.number(Name::Expires))
}

fn expires_s(contact: &Address<'_>) -> Option<u32> {
    contact.params.number("expires")
}

/// Whether two URIs lead to the same place: user, host, port and transport (RFC 3261 §19.1.4). An IPv6 address may be
/// written in several ways (RFC 5954 §4.2).
fn is_same_place(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let transport = |uri: &Uri<'_>| uri.transport().unwrap_or_default();
    let port = |uri: &Uri<'_>| uri.port.unwrap_or(transport(uri).default_port());
    a.plain_user() == b.plain_user()
        && a.is_same_host(b)
        && port(a) == port(b)
        && transport(a) == transport(b)
}

/// Our address as the server saw it (RFC 3581 §4).
fn seen_as(response: &Message<'_>) -> Option<std::net::SocketAddr> {
    let via = response.via()?;
    let host = via.params.get("received").unwrap_or(via.host);
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    let port = via.rport().flatten().or(via.port).unwrap_or(5060);
    Some(std::net::SocketAddr::new(ip, port))
}
