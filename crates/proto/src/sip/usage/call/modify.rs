//! Changes of a standing session: re-INVITE and UPDATE, ours and theirs (RFC 3261 §14, RFC 3311).

use std::time::Duration;

use super::{Call, Context, Event, State, sdp_of, session};
use crate::Time;
use crate::sip::dialog::Dialog;
use crate::sip::digest::Attempt;
use crate::sip::endpoint::{ClientId, ServerId};
use crate::sip::header::SessionExpires;
use crate::sip::message::{Message, Method, Name};
use crate::sip::{Reply, body};

/// How often it is looked whether a change of theirs is done that ours waits for.
const AFTER_THEIRS: Duration = Duration::from_millis(100);

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Modify {
    sent: Option<Sent>,
    received: Option<Received>,
    unacknowledged: Option<Unacknowledged>,
}

/// An INVITE of ours whose 2xx made an offer: its ACK waits for the answer (RFC 3261 §13.2.2.4).
#[derive(Debug)]
struct Unacknowledged {
    invite: ClientId,
    cseq: u32,
}

#[derive(Debug)]
struct Sent {
    /// `None` while waiting to ask again after 491: nothing of ours is under way then.
    id: Option<ClientId>,
    method: Method,
    sdp: Option<Vec<u8>>,
    refresh: bool,
    attempt: Attempt,
    retry_at: Option<Time>,
}

#[derive(Debug)]
struct Received {
    id: ServerId,
    method: Method,
    cseq: u32,
    answered: bool,
}

impl Modify {
    pub(super) fn is_busy(&self) -> bool {
        self.sent.is_some() || self.received.is_some()
    }

    pub(super) fn is_sent_as(&self, id: ClientId) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.id == Some(id))
    }

    pub(super) fn is_reinvited_by(&self, id: ServerId) -> bool {
        let is_that = |received: &Received| received.id == id && received.method == Method::Invite;
        self.received.as_ref().is_some_and(is_that)
    }

    /// Whether our answer to this re-INVITE of theirs has not been acknowledged.
    pub(super) fn waits_for_ack(&self, id: ServerId) -> bool {
        self.received.as_ref().is_some_and(|received| received.id == id && received.answered)
    }

    /// Whether a change of ours was refused with 491 and waits to be asked for again.
    pub(super) fn waits_to_ask(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.id.is_none())
    }

    /// Whether an INVITE or an offer of ours has no answer yet.
    fn is_asking(&self) -> bool {
        let asks = |sent: &Sent| sent.id.is_some() && (sent.method == Method::Invite || sent.sdp.is_some());
        self.sent.as_ref().is_some_and(asks)
    }

    pub(super) fn retry_at(&self) -> Option<Time> {
        self.sent.as_ref()?.retry_at
    }

    /// The ACK of an INVITE of ours waits for our answer.
    pub(super) fn owe_ack(&mut self, invite: ClientId, cseq: u32) {
        self.unacknowledged = Some(Unacknowledged { invite, cseq });
    }

    /// The call ends: a re-INVITE of theirs that waits for an answer gets its 487, one of ours is waited for no
    /// longer.
    pub(super) fn abandon<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        if let Some(id) = self.sent.take().and_then(|sent| sent.id) {
            ctx.endpoint.give_up(ctx.now, id);
        }
        if let Some(received) = self.received.take() {
            if received.answered {
                ctx.acked(received.id);
            } else {
                ctx.reply(received.id, Reply::new(487));
            }
        }
    }

    /// They cancelled their re-INVITE.
    pub(super) fn cancelled<O: Copy>(&mut self, ctx: &mut Context<'_, O>, id: ServerId) -> Option<Event> {
        self.received.take_if(|received| received.id == id && !received.answered)?;
        ctx.reply(id, Reply::new(487));
        Some(Event::Withdrawn)
    }
}

impl Call {
    /// Offers a changed session by re-INVITE; `None` asks them for an offer. Before the call is answered it
    /// is UPDATE, where they take it and the first offer has its answer (RFC 3311 §5.1). While another
    /// change is under way, or this one cannot be yet, nothing happens and `false` is returned.
    pub fn modify<O: Copy>(&mut self, ctx: &mut Context<'_, O>, sdp: Option<Vec<u8>>) -> bool {
        let early = !self.is_confirmed() && sdp.is_some() && self.takes_update;
        let method = if early { Method::Update } else { Method::Invite };
        self.start_modify(ctx, method, sdp, false, Attempt::default())
    }

    /// The same by UPDATE (RFC 3311), which needs no ACK.
    pub fn update<O: Copy>(&mut self, ctx: &mut Context<'_, O>, sdp: Vec<u8>) -> bool {
        self.start_modify(ctx, Method::Update, Some(sdp), false, Attempt::default())
    }

    /// Answers the offer of a 2xx to an INVITE of ours without one; nothing happens where none waits
    /// (RFC 3261 §13.2.2.4).
    pub fn ack<O: Copy>(&mut self, ctx: &mut Context<'_, O>, sdp: Option<Vec<u8>>) {
        let Some(Unacknowledged { invite, cseq }) = self.modify.unacknowledged.take() else { return };
        if let Some(sdp) = &sdp {
            self.local_sdp.clone_from(sdp);
        }
        self.send_ack(ctx, invite, cseq, sdp);
    }

    /// Answers [`Event::Offered`]: with an answer, or with our offer where they sent none.
    pub fn accept_offer<O: Copy>(&mut self, ctx: &mut Context<'_, O>, sdp: Option<Vec<u8>>) {
        let Some(received) = self.modify.received.as_mut().filter(|r| !r.answered) else { return };
        received.answered = true;
        let (id, method) = (received.id, received.method);
        let mut reply = Reply::new(200).header(Name::Contact, &ctx.identity.contact);
        reply = reply.header(Name::Allow, ctx.identity.allow);
        if let Some(session) = &self.session {
            reply = session.tell(reply, false);
        }
        if let Some(sdp) = sdp {
            self.local_sdp.clone_from(&sdp);
            reply = reply.body("application/sdp", sdp);
        }
        ctx.reply(id, reply);
        if method == Method::Update {
            self.modify.received = None;
        }
    }

    /// Refuses [`Event::Offered`]; the session stays as it was.
    pub fn refuse_offer<O: Copy>(&mut self, ctx: &mut Context<'_, O>, reply: Reply) {
        if let Some(received) = self.modify.received.take_if(|r| !r.answered) {
            ctx.reply(received.id, reply);
        }
    }

    pub(super) fn on_offer<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ServerId,
        request: &Message<'_>,
    ) -> Option<Event> {
        let method = request.method()?;
        self.learn_methods(request);
        if let Err(fault) = request.check_body(&[body::SDP]) {
            ctx.reply(id, fault.reply(&[body::SDP]));
            return None;
        }
        let said = request.text(Name::SessionExpires).and_then(SessionExpires::parse);
        if said.is_some_and(|said| said.seconds < session::MIN_SE_S) {
            ctx.reply(id, Reply::new(422).header(Name::MinSe, session::MIN_SE_S));
            return None;
        }
        let sdp = sdp_of(request);
        // An UPDATE without an offer gets in nobody's way (RFC 3311 §5.2).
        let changes = method == Method::Invite || sdp.is_some();
        // Glare: both ask at once (RFC 3261 §14.2).
        if changes && self.modify.is_asking() {
            ctx.reply(id, Reply::new(491));
            return None;
        }
        // Their first offer, or their last one, has no answer yet (RFC 3311 §5.2, RFC 3261 §14.2).
        let unanswered = self.modify.received.as_ref().is_some_and(|r| !r.answered);
        if changes && unanswered {
            let wait_s = ctx.rng.below(10);
            ctx.reply(id, Reply::new(500).header(Name::RetryAfter, wait_s));
            return None;
        }
        if let Some(old) = self.modify.received.take_if(|old| changes && old.answered) {
            // A new re-INVITE says as much as the ACK that got lost.
            ctx.acked(old.id);
        }
        if let (Some(said), Some(session)) = (said, &mut self.session) {
            session.refreshed(ctx.now, Some(said), false);
        }
        if !changes {
            let reply = Reply::new(200).header(Name::Contact, &ctx.identity.contact);
            let reply = self.session.as_ref().map_or(reply.clone(), |session| session.tell(reply, false));
            ctx.reply(id, reply);
            return None;
        }
        if let Some(reply) = self.too_early(ctx, request) {
            ctx.reply(id, reply);
            return None;
        }
        let cseq = request.cseq()?.number;
        self.modify.received = Some(Received { id, method, cseq, answered: false });
        Some(Event::Offered { sdp })
    }

    /// The dialog in which the first offer has its answer although the call has none (RFC 3262 §5): none
    /// where several of the called have answered that.
    fn early_dialog(&self) -> Option<Dialog> {
        match &self.state {
            State::Calling(calling) => calling.only_answered_early().cloned(),
            State::Ringing(ringing) => ringing.answered_early.then(|| self.dialog.clone()),
            State::Answered { .. } | State::Confirmed | State::Over => None,
        }
    }

    /// The refusal of an offer that comes before the first one has its answer (RFC 3311 §5.2), and of an
    /// INVITE before the first one is answered and that acknowledged (RFC 3261 §14.2): a lost ACK comes with
    /// the next copy of our 200.
    fn too_early<O: Copy>(&self, ctx: &mut Context<'_, O>, request: &Message<'_>) -> Option<Reply> {
        let invites = request.method() == Some(Method::Invite);
        match &self.state {
            State::Calling(calling) if calling.is_cancelled() => Some(Reply::new(487)),
            State::Calling(_) if invites || !self.is_answered_early(request.from_tag()) => {
                Some(Reply::new(491))
            }
            State::Answered { offers, .. } if *offers || invites => Some(Reply::new(491)),
            State::Ringing(ringing) if invites || !ringing.answered_early => {
                Some(Reply::new(500).header(Name::RetryAfter, ctx.rng.below(10)))
            }
            _ => None,
        }
    }

    pub(super) fn on_modify_ack<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        request: &Message<'_>,
    ) -> Option<Event> {
        let cseq = request.cseq()?.number;
        let received = self.modify.received.take_if(|r| r.answered && r.cseq == cseq)?;
        ctx.acked(received.id);
        let sdp = sdp_of(request)?;
        Some(Event::Modified { sdp: Some(sdp) })
    }

    pub(super) fn on_modify_response<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ClientId,
        response: &Message<'_>,
        status: u16,
    ) -> Option<Event> {
        if status < 200 {
            return None;
        }
        let mut sent = self.modify.sent.take()?;
        if status < 300 {
            return self.on_modified(ctx, id, response, sent);
        }
        if matches!(status, 401 | 407) && ctx.may_retry(&mut sent.attempt, response) {
            self.start_modify(ctx, sent.method, sent.sdp, sent.refresh, sent.attempt);
            return None;
        }
        if status == 491 {
            let wait = self.glare_wait(ctx);
            self.modify.sent = Some(Sent { id: None, retry_at: Some(ctx.now + wait), ..sent });
            return None;
        }
        if self.is_lost(Some(status)) {
            return Some(self.lose(ctx, Some(status)));
        }
        if sent.refresh && self.asks_otherwise(&sent, response, status) {
            self.refresh(ctx);
            return None;
        }
        self.change_failed(ctx.now, &sent, Some(status))
    }

    /// Whether a refused refresh is to be asked for in another way: with the interval that a 422 wants
    /// (RFC 4028 §7.4), or by re-INVITE where UPDATE is not taken after all.
    fn asks_otherwise(&mut self, sent: &Sent, response: &Message<'_>, status: u16) -> bool {
        let no_update = sent.method == Method::Update && matches!(status, 405 | 420 | 501);
        if no_update {
            self.takes_update = false;
        }
        let raised = || response.number(Name::MinSe).filter(|_| status == 422);
        no_update || self.session.as_mut().zip(raised()).is_some_and(|(session, min)| session.raise(min))
    }

    /// Nobody answered our change.
    pub(super) fn on_modify_unanswered<O: Copy>(&mut self, ctx: &mut Context<'_, O>) -> Option<Event> {
        let sent = self.modify.sent.take()?;
        match self.is_lost(None) {
            true => Some(self.lose(ctx, None)),
            false => self.change_failed(ctx.now, &sent, None),
        }
    }

    /// The session is as before; a mere refresh is tried again until the session expires.
    fn change_failed(&mut self, now: Time, sent: &Sent, status: Option<u16>) -> Option<Event> {
        if sent.refresh
            && let Some(session) = &mut self.session
        {
            session.try_again(now);
        }
        (!sent.refresh).then_some(Event::ModifyFailed { status })
    }

    fn on_modified<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ClientId,
        response: &Message<'_>,
        sent: Sent,
    ) -> Option<Event> {
        self.learn_methods(response);
        self.dialog.refresh_target(response);
        if sent.method == Method::Invite {
            let cseq = response.cseq()?.number;
            match sent.sdp {
                Some(_) => self.send_ack(ctx, id, cseq, None),
                None => self.modify.owe_ack(id, cseq),
            }
        }
        let said = response.text(Name::SessionExpires).and_then(SessionExpires::parse);
        if let Some(session) = &mut self.session {
            session.refreshed(ctx.now, said, true);
        }
        if let Some(sdp) = sent.sdp {
            self.local_sdp = sdp;
        }
        let interval_s = self.session.as_ref().map_or(0, |session| session.interval_s);
        Some(match sent.refresh {
            true => Event::Refreshed { interval_s },
            false => Event::Modified { sdp: sdp_of(response) },
        })
    }

    pub(super) fn start_modify<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        method: Method,
        sdp: Option<Vec<u8>>,
        refresh: bool,
        attempt: Attempt,
    ) -> bool {
        let early = self.early_dialog().filter(|_| method == Method::Update);
        if !(self.is_confirmed() || early.is_some()) || self.modify.is_busy() {
            return false;
        }
        let request = match early {
            Some(mut early) => {
                self.dialog.local_cseq += 1;
                early.local_cseq = self.dialog.local_cseq - 1;
                early.request(method)
            }
            None => self.dialog.request(method),
        };
        let mut request = request.header(Name::Contact, &ctx.identity.contact);
        request = request.header(Name::Allow, ctx.identity.allow);
        if !ctx.identity.supported.is_empty() {
            request = request.header(Name::Supported, ctx.identity.supported);
        }
        if let Some(session) = &self.session {
            request = session.ask(request, true);
        }
        if let Some(sdp) = &sdp {
            request = request.body("application/sdp", sdp.clone());
        }
        let Ok(id) = self.send(ctx, request) else { return false };
        self.modify.sent = Some(Sent { id: Some(id), method, sdp, refresh, attempt, retry_at: None });
        true
    }

    /// Forgets the change that waits to be asked for again after 491; whether there was one.
    pub fn ask_no_more(&mut self) -> bool {
        self.modify.sent.take_if(|sent| sent.id.is_none()).is_some()
    }

    /// The wait after a 491 is over: a refresh is asked for again, of another change the owner is told, for
    /// the session may be another one by now. A change of theirs that is under way comes first.
    pub(super) fn after_glare<O: Copy>(&mut self, ctx: &mut Context<'_, O>) -> Option<Event> {
        let theirs = self.modify.received.is_some();
        let waiting =
            self.modify.sent.as_mut().filter(|sent| sent.retry_at.is_some_and(|at| at <= ctx.now))?;
        if theirs {
            waiting.retry_at = Some(ctx.now + AFTER_THEIRS);
            return None;
        }
        let sent = self.modify.sent.take()?;
        if sent.refresh {
            self.refresh(ctx);
            return None;
        }
        Some(Event::MayAskAgain { sdp: sent.sdp })
    }

    /// RFC 3261 §14.1: 2.1 to 4 s for whoever made the Call-ID, 0 to 2 s for the other.
    fn glare_wait<O: Copy>(&self, ctx: &mut Context<'_, O>) -> Duration {
        let steps = if self.caller { 210 + ctx.rng.below(191) } else { ctx.rng.below(201) };
        Duration::from_millis(steps * 10)
    }
}
