//! A subscription at the subscriber's side (RFC 6665 §4.1).

use std::time::Duration;

use super::{Context, LONGEST_WAIT_S, MOST_RAISES, Wait, Why};
use crate::Time;
use crate::sip::Reply;
use crate::sip::dialog::{Dialog, OutOfOrder, Party};
use crate::sip::digest::Attempt;
use crate::sip::endpoint::{ClientId, ServerId};
use crate::sip::flow::Target;
use crate::sip::header::{SubState, SubscriptionState, Termination};
use crate::sip::message::{Message, Method, Name};

/// Timer N: how long the first NOTIFY may take (RFC 6665 §4.1.2.4).
const TIMER_N: Duration = Duration::from_secs(32);
/// The least time between two requests for what was missed: a notifier that leaves versions out each time would have
/// us ask without end.
const MISSED_APART: Duration = Duration::from_secs(2);
/// A server that forgets the dialog again so soon is not asked anew at once.
const FORGOTTEN_APART: Duration = Duration::from_secs(30);

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Request-URI and To: `sip:7007@192.168.50.19`.
    pub resource: String,
    /// From.
    pub identity: Party,
    /// The Event value: `dialog`, `message-summary`.
    pub event: &'static str,
    /// The Accept value.
    pub accept: &'static str,
    /// Seconds asked for (deck: 3600).
    pub expires_s: u32,
    /// Seconds to wait after a refusal or time-out.
    pub retry_s: u32,
    /// Refresh so many seconds early; `None`: at half of the time.
    pub refresh_early_s: Option<u32>,
}

/// One subscription.
#[derive(Debug)]
pub struct Subscription {
    config: Config,
    dialog: Dialog,
    targets: Vec<Target>,
    state: State,
    asked_s: u32,
    /// How often a 423 was obeyed since the last SUBSCRIBE that was accepted or failed.
    raises: u8,
    /// When something missed was asked for last.
    missed_at: Option<Time>,
    /// When a 481 had us begin anew last.
    forgotten_at: Option<Time>,
    failures: u32,
    deadline: Option<(Time, Why)>,
    attempt: Attempt,
    stopping: bool,
    /// What a 200 granted before the first NOTIFY came, and when.
    granted: Option<(Time, u32)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Idle,
    /// SUBSCRIBE under way, or accepted and no NOTIFY yet.
    Asking(Option<ClientId>),
    Active(Option<ClientId>),
    Failed,
}

/// What just happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// 2xx: the server watches for us.
    Accepted,
    /// A NOTIFY with news came; it has been answered.
    Notified {
        /// What it says; of the media type that was asked for, if the server keeps to it.
        body: Vec<u8>,
    },
    /// 423: asked again for the time that the server wants at least.
    Raised {
        /// The server's phrase.
        reason: String,
        /// Seconds asked for now.
        expires_s: u32,
    },
    /// 481: the server forgot the dialog, and a fresh one has begun.
    Forgotten {
        /// The server's phrase.
        reason: String,
    },
    /// Refused, ended or unanswered; tried again unless `retry` is `None`.
    Failed {
        /// The final status; `None` where no answer came or a NOTIFY ended it.
        status: Option<u16>,
        /// The phrase, or the reason of Subscription-State.
        reason: String,
        /// Why the notifier ended it; `None` where it did not.
        termination: Option<Termination>,
        /// When the next attempt comes.
        retry: Option<Wait>,
    },
    /// Ended as we wanted.
    Ended,
}

impl Subscription {
    /// Not yet begun.
    pub fn new(config: Config, call_id: String, tag: String) -> Self {
        let dialog = fresh_dialog(&config, call_id, tag);
        let asked_s = config.expires_s;
        let (targets, state) = (Vec::new(), State::Idle);
        let attempt = Attempt::default();
        Self {
            config,
            dialog,
            targets,
            state,
            asked_s,
            raises: 0,
            missed_at: None,
            forgotten_at: None,
            failures: 0,
            deadline: None,
            attempt,
            stopping: false,
            granted: None,
        }
    }

    /// The dialog, for the owner's tables.
    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    /// Whether the server keeps us told.
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Active(_))
    }

    /// The SUBSCRIBE under way.
    pub fn pending(&self) -> Option<ClientId> {
        match self.state {
            State::Asking(id) | State::Active(id) => id,
            State::Idle | State::Failed => None,
        }
    }

    /// Begins, or begins anew, in a fresh dialog.
    pub fn start<O: Copy>(&mut self, ctx: &mut Context<'_, O>, targets: Vec<Target>) {
        self.targets = targets;
        self.stopping = false;
        self.begin(ctx);
    }

    /// Ends it: `Expires: 0` (deck, BLF).
    pub fn stop<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        self.stopping = true;
        self.deadline = None;
        if self.is_active() {
            self.state = State::Active(self.ask_anew(ctx, 0));
        } else {
            self.state = State::Idle;
        }
    }

    /// Asks now instead of at the next refresh: a partial body was missed (RFC 4235 §4.1).
    pub fn refresh<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        if self.state != State::Active(None) {
            return;
        }
        let may_ask_at = self.missed_at.map_or(ctx.now, |at| at + MISSED_APART);
        if may_ask_at <= ctx.now {
            self.missed_at = Some(ctx.now);
            self.state = State::Active(self.ask_anew(ctx, self.asked_s));
        } else if self.deadline.is_none_or(|(at, _)| at > may_ask_at) {
            self.deadline = Some((may_ask_at, Why::SubscriptionRefresh));
        }
    }

    /// An answer to our SUBSCRIBE.
    pub fn on_response<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ClientId,
        response: &Message<'_>,
    ) -> Option<Event> {
        let status = response.status()?;
        if self.pending() != Some(id) || status < 200 {
            return None;
        }
        match status {
            200..=299 => self.on_accepted(ctx, response),
            401 | 407 if ctx.may_retry(&mut self.attempt, response) => {
                let id = self.ask(ctx, if self.stopping { 0 } else { self.asked_s });
                self.set_pending(id);
                None
            }
            423 if self.raise(response) => {
                let id = self.ask_anew(ctx, self.asked_s);
                self.set_pending(id);
                Some(Event::Raised { reason: response.reason().into_owned(), expires_s: self.asked_s })
            }
            // The server forgot the dialog: subscribe anew at once (RFC 6665 §4.1.2.2, deck: 481).
            481 if self.is_active() && !self.stopping && !self.was_just_forgotten(ctx.now) => {
                self.forgotten_at = Some(ctx.now);
                self.begin(ctx);
                Some(Event::Forgotten { reason: response.reason().into_owned() })
            }
            _ => Some(self.fail(
                ctx.now,
                Some(status),
                response.reason().into_owned(),
                response.retry_after_s(),
            )),
        }
    }

    /// No answer, or it could not be sent.
    pub fn on_request_failed<O: Copy>(&mut self, ctx: &mut Context<'_, O>, id: ClientId) -> Option<Event> {
        (self.pending() == Some(id)).then(|| self.fail(ctx.now, None, "Timeout".into(), None))
    }

    /// Whether a NOTIFY belongs to this subscription; it may come before the 200 that names the
    /// notifier's tag (RFC 6665 §4.1.2.4).
    pub fn owns_notify(&self, request: &Message<'_>) -> bool {
        request.call_id() == self.dialog.call_id
            && request.to_tag() == self.dialog.local.tag
            && (self.dialog.remote.tag.is_empty() || request.from_tag() == self.dialog.remote.tag)
            && self.state != State::Idle
    }

    /// A NOTIFY of this subscription.
    pub fn on_notify<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ServerId,
        request: &Message<'_>,
    ) -> Option<Event> {
        let event = request.text(Name::Event).and_then(crate::sip::header::Event::parse);
        if event.is_none_or(|event| !event.package.eq_ignore_ascii_case(self.config.event)) {
            ctx.reply(id, Reply::new(489).header(Name::AllowEvents, self.config.event));
            return None;
        }
        if self.dialog.remote.tag.is_empty() {
            request.from_tag().clone_into(&mut self.dialog.remote.tag);
            self.dialog.routes =
                Dialog::incoming(request, String::new()).map(|dialog| dialog.routes).unwrap_or_default();
        }
        if self.dialog.receive(request) == Err(OutOfOrder::OldCSeq) {
            ctx.reply(id, Reply::new(500).reason("CSeq Out Of Order"));
            return None;
        }
        ctx.reply(id, Reply::new(200).header(Name::Contact, &ctx.identity.contact));
        let state = SubscriptionState::parse(request.text(Name::SubscriptionState).unwrap_or("active"));
        if state.state == SubState::Terminated {
            return self.on_terminated(ctx, &state);
        }
        let is_first = matches!(self.state, State::Asking(_));
        if let State::Asking(pending) = self.state {
            self.state = State::Active(pending);
        }
        // The newest word counts; who says nothing of time changes nothing (RFC 6665 §4.1.3).
        match (state.expires_s, self.granted.take()) {
            (Some(expires_s), _) => self.schedule_refresh(ctx.now, expires_s),
            (None, Some((at, expires_s))) if is_first => self.schedule_refresh(at, expires_s),
            (None, None) if is_first => self.schedule_refresh(ctx.now, self.asked_s),
            (None, _) => {}
        }
        // What is of another type is handed on as it is, so that whoever reads it can tell.
        let body = request.content(self.config.accept).unwrap_or(request.body());
        (!body.is_empty()).then(|| Event::Notified { body: body.to_vec() })
    }

    /// The deadline has come.
    pub fn on_deadline<O: Copy>(&mut self, ctx: &mut Context<'_, O>) -> Option<Event> {
        let (_, why) = self.deadline.take_if(|(at, _)| *at <= ctx.now)?;
        match (why, self.state) {
            (Why::SubscriptionRefresh, State::Active(None)) => {
                self.state = State::Active(self.ask_anew(ctx, self.asked_s));
                self.deadline.get_or_insert((ctx.now + TIMER_N, Why::SubscriptionRefresh));
                None
            }
            (Why::NotifyMissing, State::Asking(_)) => {
                Some(self.fail(ctx.now, None, "accepted, but no NOTIFY came".into(), None))
            }
            (Why::SubscriptionRetry, _) => {
                self.begin(ctx);
                None
            }
            _ => None,
        }
    }

    /// When to call [`on_deadline`](Self::on_deadline), and why.
    pub fn next_deadline(&self) -> Option<(Time, Why)> {
        self.deadline
    }

    fn begin<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        let call_id = format!("{}@{}", ctx.rng.hex(24), ctx.identity.local.ip());
        self.dialog = fresh_dialog(&self.config, call_id, ctx.rng.hex(8));
        self.granted = None;
        let id = self.ask_anew(ctx, self.asked_s);
        self.state = State::Asking(id);
        // What could not be sent is tried again; what was sent has its answer or its time-out.
        let retry = Duration::from_secs(u64::from(self.config.retry_s.max(1)));
        self.deadline = id.is_none().then(|| (ctx.now + retry, Why::SubscriptionRetry));
    }

    fn ask_anew<O: Copy>(&mut self, ctx: &mut Context<'_, O>, expires_s: u32) -> Option<ClientId> {
        self.attempt = Attempt::default();
        self.ask(ctx, expires_s)
    }

    fn ask<O: Copy>(&mut self, ctx: &mut Context<'_, O>, expires_s: u32) -> Option<ClientId> {
        let request = self
            .dialog
            .request(Method::Subscribe)
            .header(Name::Contact, &ctx.identity.contact)
            .header(Name::Expires, expires_s)
            .header(Name::Event, self.config.event)
            .header(Name::Accept, self.config.accept)
            .header(Name::Supported, ctx.identity.supported)
            .header(Name::Allow, ctx.identity.allow);
        ctx.send(request, &self.targets).ok()
    }

    fn set_pending(&mut self, id: Option<ClientId>) {
        match &mut self.state {
            State::Asking(pending) | State::Active(pending) => *pending = id,
            State::Idle | State::Failed => {}
        }
    }

    fn on_accepted<O: Copy>(&mut self, ctx: &mut Context<'_, O>, response: &Message<'_>) -> Option<Event> {
        self.set_pending(None);
        self.failures = 0;
        self.raises = 0;
        if self.stopping {
            self.state = State::Idle;
            self.deadline = None;
            return Some(Event::Ended);
        }
        if self.dialog.remote.tag.is_empty() || self.dialog.remote.tag == response.to_tag() {
            let (remote_cseq, cseq) = (self.dialog.remote_cseq, self.dialog.local_cseq);
            self.dialog = self.dialog.established_by(response);
            (self.dialog.remote_cseq, self.dialog.local_cseq) = (remote_cseq, cseq);
        }
        let expires_s = response.number(Name::Expires).unwrap_or(self.asked_s);
        match self.state {
            State::Asking(_) => {
                self.granted = Some((ctx.now, expires_s));
                self.deadline = Some((ctx.now + TIMER_N, Why::NotifyMissing));
            }
            _ => self.schedule_refresh(ctx.now, expires_s),
        }
        Some(Event::Accepted)
    }

    fn raise(&mut self, response: &Message<'_>) -> bool {
        let larger = response.number(Name::MinExpires).filter(|&min| min > self.asked_s);
        match larger.filter(|_| self.raises < MOST_RAISES) {
            Some(min) => {
                self.asked_s = min;
                self.raises += 1;
                true
            }
            None => false,
        }
    }

    fn was_just_forgotten(&self, now: Time) -> bool {
        self.forgotten_at.is_some_and(|at| now.since(at) < FORGOTTEN_APART)
    }

    fn schedule_refresh(&mut self, now: Time, expires_s: u32) {
        // No notifier may lengthen what was asked for (RFC 6665 §4.2.1.1); an hour is soon enough to find out.
        let expires_s = expires_s.min(self.config.expires_s.max(LONGEST_WAIT_S));
        let early_s = self.config.refresh_early_s.unwrap_or(expires_s / 2).min(expires_s / 2);
        let wait = Duration::from_secs(u64::from((expires_s - early_s).max(1)));
        self.deadline = Some((now + wait, Why::SubscriptionRefresh));
    }

    /// The notifier ended it: what to do depends on its reason (RFC 6665 §4.1.3).
    fn on_terminated<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        state: &SubscriptionState<'_>,
    ) -> Option<Event> {
        if self.stopping {
            self.state = State::Idle;
            self.deadline = None;
            return Some(Event::Ended);
        }
        use Termination::{Deactivated, GiveUp, Invariant, NoResource, Probation, Rejected, Timeout};
        let reason = state.reason.unwrap_or(Termination::Other.name()).to_owned();
        let why = Termination::from_name(&reason);
        let retry_s = match (why, state.retry_after_s) {
            (Rejected | NoResource | Invariant, _) => {
                self.state = State::Failed;
                self.deadline = None;
                return Some(Event::Failed { status: None, reason, termination: Some(why), retry: None });
            }
            (Deactivated | Timeout, _) => 1,
            (_, Some(seconds)) => seconds,
            (Probation | GiveUp, None) => self.config.retry_s,
            _ => 1,
        };
        Some(match self.fail(ctx.now, None, reason, Some(retry_s)) {
            Event::Failed { status, reason, retry, .. } => {
                Event::Failed { status, reason, termination: Some(why), retry }
            }
            other => other,
        })
    }

    fn fail(&mut self, now: Time, status: Option<u16>, reason: String, retry_after_s: Option<u32>) -> Event {
        if self.stopping {
            self.state = State::Idle;
            return Event::Ended;
        }
        let wait_s = self.config.retry_s.saturating_mul(1 << self.failures.min(6)).min(3_600);
        let retry = Wait::new(retry_after_s, wait_s);
        self.failures += 1;
        self.raises = 0;
        self.state = State::Failed;
        self.deadline = Some((now + retry.time(), Why::SubscriptionRetry));
        Event::Failed { status, reason, termination: None, retry: Some(retry) }
    }
}

fn fresh_dialog(config: &Config, call_id: String, tag: String) -> Dialog {
    let local = config.identity.clone().with_tag(tag);
    let remote = Party::new("", config.resource.clone());
    Dialog::outgoing(call_id, local, remote, config.resource.clone())
}
