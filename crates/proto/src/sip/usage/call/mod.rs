//! A call as signalling (RFC 3261 §13–15): one dialog with an INVITE at its beginning.
//!
//! [`Call`] is the same for both ends and for both legs of an exchange. Session descriptions are
//! bytes here: who owes an offer or an answer is known, what they say is not.

mod incoming;
mod modify;
mod outgoing;
mod refer;
mod session;

pub use outgoing::Invitation;
pub use refer::Refer;
pub use session::SessionTimer;

use self::incoming::says_answered_elsewhere;
use super::{Context, Why};
use crate::Time;
use crate::sip::dialog::Dialog;
use crate::sip::digest::Attempt;
use crate::sip::endpoint::{ClientId, SendError, ServerId};
use crate::sip::flow::Target;
use crate::sip::header::{RAck, Replaces};
use crate::sip::message::{Message, Method, Name};
use crate::sip::{Reply, Request, Uri};

/// What INFO may carry: a key that was pressed.
const DIGITS: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];
/// The most early dialogs that one INVITE may establish.
const MAX_FORKS: usize = 16;

/// One call.
#[derive(Debug)]
pub struct Call {
    dialog: Dialog,
    caller: bool,
    state: State,
    targets: Vec<Target>,
    /// Requests go where the flow came from instead of where Contact and Route point.
    pinned: bool,
    modify: modify::Modify,
    refer: refer::Refers,
    session: Option<SessionTimer>,
    session_wish: Option<session::Wish>,
    local_sdp: Vec<u8>,
    /// The RSeq of a provisional response of ours that was unacknowledged when the call was answered.
    late_prack: Option<RAck>,
    errands: Vec<Errand>,
    /// Their Allow names UPDATE (RFC 3311 §4).
    takes_update: bool,
    /// We hung up before their ACK came: BYE follows it.
    farewell: Option<Farewell>,
}

/// A BYE that waits for an ACK (RFC 3261 §15).
#[derive(Debug)]
struct Farewell {
    reason: Option<String>,
}

/// What is true until the next input.
#[derive(Debug)]
enum State {
    Calling(outgoing::Calling),
    Ringing(incoming::Ringing),
    /// We answered; their ACK is awaited.
    Answered {
        invite: ServerId,
        /// Our 200 has made the offer: it is for the ACK to answer.
        offers: bool,
    },
    Confirmed,
    Over,
}

/// A small request of ours inside the dialog, kept until it is answered.
#[derive(Debug)]
struct Errand {
    id: ClientId,
    kind: ErrandKind,
    /// As it was sent, but for credentials.
    request: Request,
    attempt: Attempt,
}

/// What it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ErrandKind {
    Bye,
    Info,
    Prack,
    Notify,
    Refer,
}

/// What just happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A provisional answer above 100 came.
    Progress {
        /// 180, 181, 182, 183.
        status: u16,
        /// Early media.
        sdp: Option<Vec<u8>>,
    },
    /// 2xx came. With `needs_ack` our INVITE had no offer: `sdp` is one, and [`Call::ack`] answers it.
    Answered {
        /// Their answer, or their offer.
        sdp: Option<Vec<u8>>,
        /// Whether [`Call::ack`] is owed.
        needs_ack: bool,
    },
    /// 3xx came (RFC 3261 §21.3).
    Redirected {
        /// 301, 302, …
        status: u16,
        /// The Contact URIs, best first.
        contacts: Vec<String>,
        /// The Diversion value as it came.
        diversion: Option<String>,
    },
    /// The call did not come about.
    Failed {
        /// The final status; `None` where no answer came.
        status: Option<u16>,
        /// The phrase, or what went wrong in words.
        reason: String,
        /// Seconds, from Retry-After; an hour at most.
        retry_after_s: Option<u32>,
    },
    /// Their ACK came: the dialog is confirmed. Holds their answer if our 200 held the offer.
    Confirmed {
        /// The body of the ACK.
        sdp: Option<Vec<u8>>,
    },
    /// They cancelled before we answered; 487 has been sent.
    Cancelled {
        /// Whether Reason says that somebody else answered (RFC 3326, `SIP;cause=200`).
        answered_elsewhere: bool,
    },
    /// They want to change the session: [`Call::accept_offer`] or [`Call::refuse_offer`] is owed.
    Offered {
        /// Their offer; `None` where they ask us for one.
        sdp: Option<Vec<u8>>,
    },
    /// They took [`Event::Offered`] back by a CANCEL; 487 has been sent and nothing is owed.
    Withdrawn,
    /// Our change of the session was answered.
    Modified {
        /// Their answer.
        sdp: Option<Vec<u8>>,
    },
    /// Our change was refused (or nobody answered: `None`); the session is as before.
    ModifyFailed {
        /// The final status.
        status: Option<u16>,
    },
    /// Our change was refused with 491, and the wait after that is over (RFC 3261 §14.1): it may be asked for
    /// again, by [`Call::modify`].
    MayAskAgain {
        /// What was offered.
        sdp: Option<Vec<u8>>,
    },
    /// Our refresh of the session timer was answered (RFC 4028 §7.2).
    Refreshed {
        /// The interval that begins now, in seconds.
        interval_s: u32,
    },
    /// They ask us to call somebody: [`Call::accept_refer`] or [`Call::refuse_refer`] is owed.
    ReferReceived(Refer),
    /// Our REFER was accepted.
    ReferAccepted,
    /// Our REFER was refused, or nobody answered.
    ReferRefused {
        /// The final status.
        status: Option<u16>,
    },
    /// How the call that we asked for gets on.
    ReferProgress {
        /// The status of the sipfrag.
        status: u16,
        /// Whether no more will be told.
        over: bool,
    },
    /// INFO came; it has been answered.
    Info {
        /// Its media type.
        content_type: String,
        /// Its body.
        body: Vec<u8>,
    },
    /// The call is over.
    Ended {
        /// Whether they hung up; else the network failed us.
        by_remote: bool,
        /// In words: the Reason text, `BYE`, `no ACK`, …
        reason: String,
    },
}

impl Call {
    /// The dialog.
    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    /// Whether a request of theirs belongs to this call: to its dialog, or before it is answered to an early
    /// one of those whom it rings at.
    pub fn owns_request(&self, request: &Message<'_>) -> bool {
        let of_fork = |calling: &outgoing::Calling| {
            calling.fork(request.from_tag()).is_some_and(|fork| fork.owns_request(request))
        };
        self.dialog.owns_request(request)
            || matches!(&self.state, State::Calling(calling) if of_fork(calling))
    }

    /// Whether we sent the first INVITE.
    pub fn is_caller(&self) -> bool {
        self.caller
    }

    /// Whether both sides agreed that the call stands.
    pub fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Confirmed)
    }

    /// Whether we answered or they did.
    pub fn is_answered(&self) -> bool {
        matches!(self.state, State::Confirmed | State::Answered { .. })
    }

    /// Whether nothing more can happen.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Whether nothing more can happen and no request of ours waits for its answer.
    pub fn is_silent(&self) -> bool {
        self.is_over() && self.errands.is_empty()
    }

    /// Whether this is a re-INVITE of theirs that waits for an answer of ours, or for its ACK.
    pub fn is_reinvited_by(&self, id: ServerId) -> bool {
        self.modify.is_reinvited_by(id)
    }

    /// Whether a change of the session is under way, ours or theirs.
    pub fn is_modifying(&self) -> bool {
        self.modify.is_busy()
    }

    /// Whether a change of ours was refused with 491 and waits to be asked for again. Nothing of ours is
    /// under way then.
    pub fn waits_to_ask(&self) -> bool {
        self.modify.waits_to_ask()
    }

    /// Whether a Replaces header names this call (RFC 3891 §3).
    pub fn is_named_by(&self, replaces: &Replaces<'_>) -> bool {
        self.dialog.is_named_by(replaces)
    }

    /// The running session timer.
    pub fn session(&self) -> Option<&SessionTimer> {
        self.session.as_ref()
    }

    /// Requests go where the other end's packets come from, whatever its Contact says: the way of
    /// a server with phones behind NAT.
    pub fn pin_to(&mut self, target: Target) {
        self.pin_to_all(vec![target]);
    }

    /// The same for several, of which the first that answers is taken: an outbound server and its
    /// backup. Nothing changes where there is none.
    pub fn pin_to_all(&mut self, targets: Vec<Target>) {
        if !targets.is_empty() {
            self.targets = targets;
            self.pinned = true;
        }
    }

    /// The address that the next request goes to.
    pub fn next_ip(&self) -> Option<std::net::IpAddr> {
        self.next_targets(&self.dialog).first().map(|target| target.remote.ip())
    }

    /// The other end moved (address change) or we did.
    pub fn set_targets(&mut self, targets: Vec<Target>) {
        self.targets = targets;
    }

    /// An answer to one of our requests.
    pub fn on_response<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ClientId,
        response: &Message<'_>,
    ) -> Option<Event> {
        let status = response.status()?;
        if self.is_invite(id) {
            return self.on_invite_response(ctx, response, status);
        }
        if self.modify.is_sent_as(id) {
            return self.on_modify_response(ctx, id, response, status);
        }
        let at = self.errands.iter().position(|errand| errand.id == id)?;
        if status < 200 {
            return None;
        }
        let errand = self.errands.swap_remove(at);
        self.on_errand_response(ctx, errand, response, status)
    }

    /// One of our requests was never answered, or could not be sent.
    pub fn on_request_failed<O: Copy>(&mut self, ctx: &mut Context<'_, O>, id: ClientId) -> Option<Event> {
        if self.is_invite(id) {
            self.end(ctx);
            return Some(Event::Failed { status: None, reason: "no answer".into(), retry_after_s: None });
        }
        if self.modify.is_sent_as(id) {
            return self.on_modify_unanswered(ctx);
        }
        let at = self.errands.iter().position(|errand| errand.id == id)?;
        match self.errands.swap_remove(at).kind {
            ErrandKind::Refer => {
                self.refer.refused();
                Some(Event::ReferRefused { status: None })
            }
            ErrandKind::Info if self.is_lost(None) => Some(self.lose(ctx, None)),
            ErrandKind::Bye | ErrandKind::Info | ErrandKind::Prack | ErrandKind::Notify => None,
        }
    }

    /// Whether an answer inside the dialog, or none, says that the far end is gone (RFC 3261 §12.2.1.2).
    fn is_lost(&self, status: Option<u16>) -> bool {
        matches!(status, None | Some(408 | 481)) && self.is_answered()
    }

    /// The far end is gone: BYE, in case only the way was lost (RFC 3261 §12.2.1.2).
    fn lose<O: Copy>(&mut self, ctx: &mut Context<'_, O>, status: Option<u16>) -> Event {
        self.send_bye(ctx, None);
        let reason = match status {
            Some(481) => "the far end forgot the call (481)",
            Some(_) => "the far end is not reached (408)",
            None => "the far end does not answer",
        };
        Event::Ended { by_remote: false, reason: reason.into() }
    }

    /// A request of theirs inside this dialog, its transaction already standing.
    pub fn on_request<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ServerId,
        request: &Message<'_>,
    ) -> Option<Event> {
        let early = match &mut self.state {
            State::Calling(calling) => calling.fork_mut(request.from_tag()),
            _ => None,
        };
        if early.unwrap_or(&mut self.dialog).receive(request).is_err() {
            ctx.reply(id, Reply::new(500).reason("CSeq Out Of Order"));
            return None;
        }
        let method = request.method()?;
        // What was hung up is gone but for BYE itself and for what is told of a transfer (RFC 3515 §2.4.6).
        let is_gone = match self.farewell {
            Some(_) => !matches!(method, Method::Bye | Method::Notify | Method::Prack),
            None => self.is_over() && !matches!(method, Method::Bye | Method::Notify),
        };
        if is_gone {
            ctx.reply(id, Reply::new(481));
            return None;
        }
        match method {
            Method::Bye => self.on_bye(ctx, id, request),
            Method::Invite | Method::Update => self.on_offer(ctx, id, request),
            Method::Prack => self.on_prack(ctx, id, request),
            Method::Refer => self.on_refer(ctx, id, request),
            Method::Notify => self.on_refer_notify(ctx, id, request),
            Method::Info => on_info(ctx, id, request),
            Method::Options => {
                ctx.reply(id, Reply::new(200).header(Name::Allow, ctx.identity.allow));
                None
            }
            _ => {
                ctx.reply(id, Reply::new(405).header(Name::Allow, ctx.identity.allow));
                None
            }
        }
    }

    /// Hangs up, cancels or refuses, whatever the state asks for. Silent where all is over.
    pub fn hang_up<O: Copy>(&mut self, ctx: &mut Context<'_, O>, reason: Option<&str>) {
        match &mut self.state {
            State::Calling(calling) => calling.cancel(ctx, reason),
            State::Ringing(_) => self.refuse(ctx, Reply::new(486)),
            // The callee sends no BYE before the ACK came or its time is over (RFC 3261 §15); until then
            // the 200 is repeated.
            State::Answered { .. } => {
                self.farewell.get_or_insert_with(|| Farewell { reason: reason.map(str::to_owned) });
            }
            State::Confirmed => self.send_bye(ctx, reason),
            State::Over => {}
        }
    }

    /// Sends INFO (RFC 6086; DTMF by `application/dtmf-relay`).
    pub fn info<O: Copy>(&mut self, ctx: &mut Context<'_, O>, content_type: &'static str, body: Vec<u8>) {
        let request = self.dialog.request(Method::Info).body(content_type, body);
        self.errand(ctx, request, ErrandKind::Info);
    }

    /// A deadline of ours has come.
    pub fn on_deadline<O: Copy>(&mut self, ctx: &mut Context<'_, O>) -> Option<Event> {
        if let Some(ended) = self.resend_provisional(ctx) {
            return Some(ended);
        }
        if let Some(told) = self.after_glare(ctx) {
            return Some(told);
        }
        self.on_session_deadline(ctx)
    }

    /// When [`on_deadline`](Self::on_deadline) wants to be called, and why.
    pub fn next_deadline(&self) -> Option<(Time, Why)> {
        let provisional = match &self.state {
            State::Ringing(ringing) => ringing.resend_at().map(|at| (at, Why::ProvisionalResend)),
            _ => None,
        };
        let glare = self.modify.retry_at().map(|at| (at, Why::Glare));
        let session = self.session.as_ref().filter(|_| self.is_answered()).map(SessionTimer::deadline);
        [provisional, glare, session].into_iter().flatten().min()
    }

    /// Nothing more can happen: no copy of an answer of ours is sent, and nothing under way goes on.
    fn end<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        if let State::Answered { invite, .. } = self.state {
            ctx.acked(invite);
        }
        self.modify.abandon(ctx);
        self.state = State::Over;
    }

    fn send_bye<O: Copy>(&mut self, ctx: &mut Context<'_, O>, reason: Option<&str>) {
        // Each 2xx is acknowledged, whatever comes of it (RFC 3261 §13.2.2.4).
        self.ack(ctx, None);
        self.end(ctx);
        let request = self.dialog.request(Method::Bye).header_opt(Name::Reason, reason);
        self.errand(ctx, request, ErrandKind::Bye);
    }

    fn on_bye<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ServerId,
        request: &Message<'_>,
    ) -> Option<Event> {
        if matches!(self.state, State::Calling(_)) {
            // The called may not end an early dialog so (RFC 3261 §15): the answer to the INVITE says what is.
            ctx.reply(id, Reply::new(481));
            return None;
        }
        ctx.reply(id, Reply::new(200));
        let mut elsewhere = false;
        if let State::Ringing(ringing) = &self.state {
            elsewhere = says_answered_elsewhere(request);
            // A caller may end an early dialog by BYE (RFC 3261 §15): the INVITE gets its 487.
            let invite = ringing.invite;
            ctx.reply(invite, Reply::new(487).to_tag(self.dialog.local.tag.clone()));
        }
        if self.is_over() {
            return None;
        }
        self.end(ctx);
        if elsewhere {
            return Some(Event::Cancelled { answered_elsewhere: true });
        }
        let text = request.reasons().find_map(|reason| reason.text.map(String::from));
        Some(Event::Ended { by_remote: true, reason: text.unwrap_or_else(|| "BYE".into()) })
    }

    fn on_errand_response<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        mut errand: Errand,
        response: &Message<'_>,
        status: u16,
    ) -> Option<Event> {
        if matches!(status, 401 | 407) && ctx.may_retry(&mut errand.attempt, response) {
            return self.errand_again(ctx, errand);
        }
        match errand.kind {
            ErrandKind::Refer if status < 300 => Some(Event::ReferAccepted),
            ErrandKind::Refer => {
                self.refer.refused();
                Some(Event::ReferRefused { status: Some(status) })
            }
            // The dialog is gone at their side (RFC 3261 §12.2.1.2); of an early one the INVITE's answer tells.
            ErrandKind::Info | ErrandKind::Prack | ErrandKind::Notify if self.is_lost(Some(status)) => {
                Some(self.lose(ctx, Some(status)))
            }
            ErrandKind::Bye | ErrandKind::Info | ErrandKind::Prack | ErrandKind::Notify => None,
        }
    }

    /// Sends a challenged request once more, now with credentials.
    fn errand_again<O: Copy>(&mut self, ctx: &mut Context<'_, O>, errand: Errand) -> Option<Event> {
        self.dialog.local_cseq += 1;
        let number = self.dialog.local_cseq;
        let Errand { kind, request, attempt, .. } = errand;
        if kind == ErrandKind::Refer {
            // Their NOTIFYs name the REFER that they have accepted (RFC 3515 §2.4.6).
            self.refer.renumbered(number);
        }
        let sent = self.send_errand(ctx, request.renumbered(number), kind, attempt);
        (!sent && kind == ErrandKind::Refer).then(|| {
            self.refer.refused();
            Event::ReferRefused { status: None }
        })
    }

    fn errand<O: Copy>(&mut self, ctx: &mut Context<'_, O>, request: Request, kind: ErrandKind) -> bool {
        self.send_errand(ctx, request, kind, Attempt::default())
    }

    /// An errand that cannot be sent changes nothing that the far end knows of.
    fn send_errand<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        request: Request,
        kind: ErrandKind,
        attempt: Attempt,
    ) -> bool {
        let targets = self.next_targets(&self.dialog);
        self.errand_to(ctx, request, kind, attempt, &targets)
    }

    /// An errand to where the dialog of a fork, or our own, has its next hop.
    fn errand_to<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        request: Request,
        kind: ErrandKind,
        attempt: Attempt,
        targets: &[Target],
    ) -> bool {
        let sent = ctx.send(request.clone(), targets);
        if let Ok(id) = sent {
            self.errands.push(Errand { id, kind, request, attempt });
        }
        sent.is_ok()
    }

    /// Notes whether they take UPDATE, where a message of theirs says so (RFC 3311 §4).
    fn learn_methods(&mut self, message: &Message<'_>) {
        if message.header(Name::Allow).is_some() {
            self.takes_update = message.has_token(Name::Allow, "UPDATE");
        }
    }

    /// Sends a request of this dialog to its next hop.
    fn send<O: Copy>(&mut self, ctx: &mut Context<'_, O>, request: Request) -> Result<ClientId, SendError> {
        let targets = self.next_targets(&self.dialog);
        ctx.send(request, &targets)
    }

    /// Where the next request of a dialog goes (RFC 3261 §12.2.1.1): the first route or the Contact where it is
    /// an address, else, or when pinned, where the first request went or came from.
    fn next_targets(&self, dialog: &Dialog) -> Vec<Target> {
        let first = self.targets.first();
        let hop = Uri::parse(dialog.next_hop()).filter(|_| !self.pinned);
        let ip = hop.as_ref().and_then(Uri::ip);
        match (hop, ip, first) {
            (Some(uri), Some(ip), Some(first)) => {
                let transport = uri.transport().unwrap_or(first.transport);
                let port = uri.port.unwrap_or(transport.default_port());
                let remote = std::net::SocketAddr::new(ip, port);
                let name = first.name.clone().filter(|_| transport == first.transport);
                vec![Target { transport, remote, name }]
            }
            _ => self.targets.clone(),
        }
    }
}

/// INFO: digits are taken, and one that says nothing; what else there may be is refused (RFC 6086 §4.2.2).
fn on_info<O: Copy>(ctx: &mut Context<'_, O>, id: ServerId, request: &Message<'_>) -> Option<Event> {
    let content_type = request.content_type().unwrap_or_default();
    let body = request.body();
    if !body.is_empty() && !DIGITS.contains(&&*content_type) {
        ctx.reply(id, Reply::new(415).header(Name::Accept, DIGITS.join(", ")));
        return None;
    }
    ctx.reply(id, Reply::new(200));
    Some(Event::Info { content_type, body: body.to_vec() })
}

/// The session description of a message, if it carries one.
fn sdp_of(message: &Message<'_>) -> Option<Vec<u8>> {
    message.session_description().map(<[u8]>::to_vec)
}
