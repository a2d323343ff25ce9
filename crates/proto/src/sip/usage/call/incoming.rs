//! The callee's half: provisional answers, 200, refusal, PRACK (RFC 3261 §13.3, RFC 3262).

use std::time::Duration;

use super::{Call, Context, Event, Farewell, State, modify, refer, sdp_of, session};
use crate::Time;
use crate::sip::Reply;
use crate::sip::dialog::Dialog;
use crate::sip::endpoint::ServerId;
use crate::sip::flow::Target;
use crate::sip::header::RAck;
use crate::sip::message::{Message, Name};

const T1: Duration = Duration::from_millis(500);

/// An INVITE that waits for our answer.
#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) invite: ServerId,
    peer_reliable: bool,
    /// They demand that every provisional response is reliable (RFC 3262 §3).
    must_be_reliable: bool,
    /// How the PRACK of the next reliable response will name it.
    next: RAck,
    unacknowledged: Option<Unacknowledged>,
    /// Status and session of a response that must be reliable and waits for the PRACK of the one before.
    queued: Option<(u16, Option<Vec<u8>>)>,
    /// The 200, where it waits for the PRACK of a session (RFC 3262 §3).
    answer: Option<Answer>,
    /// Their INVITE has no offer: ours is in our 200.
    asks_for_offer: bool,
    /// Their offer has its answer in a response that they have acknowledged (RFC 3262 §5).
    pub(super) answered_early: bool,
}

/// What a 200 says.
#[derive(Debug)]
struct Answer {
    sdp: Option<Vec<u8>>,
    headers: Vec<(Name, String)>,
}

/// A reliable provisional response that no PRACK has acknowledged.
#[derive(Debug)]
struct Unacknowledged {
    reply: Reply,
    has_sdp: bool,
    named: RAck,
    wait: Duration,
    resend_at: Time,
    give_up_at: Time,
}

impl Ringing {
    pub(super) fn resend_at(&self) -> Option<Time> {
        self.unacknowledged.as_ref().map(|u| u.resend_at)
    }
}

impl Call {
    /// Their INVITE, its transaction already standing. `None` where its headers cannot be read.
    pub fn incoming(
        invite: ServerId,
        request: &Message<'_>,
        local_tag: String,
        from: Target,
    ) -> Option<Self> {
        let dialog = Dialog::incoming(request, local_tag)?;
        let must_be_reliable = request.has_token(Name::Require, "100rel");
        let peer_reliable = must_be_reliable || request.has_token(Name::Supported, "100rel");
        let state = State::Ringing(Ringing {
            invite,
            peer_reliable,
            must_be_reliable,
            next: RAck { rseq: 1, cseq: request.cseq()? },
            unacknowledged: None,
            queued: None,
            answer: None,
            asks_for_offer: sdp_of(request).is_none(),
            answered_early: false,
        });
        let mut call = Self {
            dialog,
            caller: false,
            state,
            targets: vec![from],
            pinned: false,
            modify: modify::Modify::default(),
            refer: refer::Refers::default(),
            session: None,
            session_wish: session::Wish::from_request(request),
            local_sdp: Vec::new(),
            late_prack: None,
            errands: Vec::new(),
            takes_update: false,
            farewell: None,
        };
        call.learn_methods(request);
        Some(call)
    }

    /// 100 Trying.
    pub fn trying<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        if let State::Ringing(ringing) = &self.state {
            ctx.reply(ringing.invite, Reply::new(100));
        }
    }

    /// 180, 181 or 183, reliably where `reliable` and the peer knows how, or where it insists (RFC 3262).
    pub fn progress<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        status: u16,
        sdp: Option<Vec<u8>>,
        reliable: bool,
    ) {
        let State::Ringing(ringing) = &mut self.state else { return };
        if ringing.must_be_reliable && ringing.unacknowledged.is_some() {
            ringing.queued = Some((status, sdp));
            return;
        }
        let mut reply = Reply::new(status)
            .to_tag(self.dialog.local.tag.clone())
            .header(Name::Contact, &ctx.identity.contact)
            .header(Name::Allow, ctx.identity.allow);
        let has_sdp = sdp.is_some();
        if let Some(sdp) = sdp {
            self.local_sdp.clone_from(&sdp);
            reply = reply.body("application/sdp", sdp);
        }
        // A second reliable response may only leave once the first is acknowledged (RFC 3262 §3).
        if (reliable || ringing.must_be_reliable) && ringing.peer_reliable && ringing.unacknowledged.is_none()
        {
            let named = ringing.next;
            ringing.next.rseq += 1;
            reply = reply.header(Name::Require, "100rel").header(Name::RSeq, named.rseq);
            ringing.unacknowledged = Some(Unacknowledged {
                reply: reply.clone(),
                has_sdp,
                named,
                wait: T1,
                resend_at: ctx.now + T1,
                give_up_at: ctx.now + T1 * 64,
            });
        }
        let invite = ringing.invite;
        ctx.reply(invite, reply);
    }

    /// 200: the call is answered, at once or when the session that was told reliably is acknowledged.
    pub fn answer<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        sdp: Option<Vec<u8>>,
        headers: &[(Name, String)],
    ) {
        let State::Ringing(ringing) = &mut self.state else { return };
        let invite = ringing.invite;
        if ringing.unacknowledged.as_ref().is_some_and(|waiting| waiting.has_sdp) {
            ringing.answer = Some(Answer { sdp, headers: headers.to_vec() });
            return;
        }
        let offers = ringing.asks_for_offer;
        self.late_prack = ringing.unacknowledged.take().map(|waiting| waiting.named);
        let mut reply = Reply::new(200)
            .to_tag(self.dialog.local.tag.clone())
            .header(Name::Contact, &ctx.identity.contact)
            .header(Name::Allow, ctx.identity.allow);
        if !ctx.identity.supported.is_empty() {
            reply = reply.header(Name::Supported, ctx.identity.supported);
        }
        for (name, value) in headers {
            reply = reply.header(*name, value);
        }
        self.session = session::SessionTimer::for_callee(ctx.now, self.session_wish.as_ref());
        if let Some(timer) = &self.session {
            reply = timer.tell(reply, false);
        }
        if let Some(sdp) = sdp {
            self.local_sdp.clone_from(&sdp);
            reply = reply.body("application/sdp", sdp);
        }
        ctx.reply(invite, reply);
        self.state = State::Answered { invite, offers };
    }

    /// Refuses or redirects: 3xx, 4xx, 5xx, 6xx.
    pub fn refuse<O: Copy>(&mut self, ctx: &mut Context<'_, O>, reply: Reply) {
        let State::Ringing(ringing) = &self.state else { return };
        let invite = ringing.invite;
        ctx.reply(invite, reply.to_tag(self.dialog.local.tag.clone()));
        self.end(ctx);
    }

    /// The session interval that they ask for is below ours (RFC 4028 §9): answer 422.
    pub fn session_too_small(&self, min_s: u32) -> bool {
        self.session_wish.as_ref().is_some_and(|wish| wish.is_below(min_s))
    }

    /// Asks for a session timer of so many seconds where their INVITE asked for none; we refresh it then,
    /// so that they need not know what it is (RFC 4028 §9).
    pub fn wish_session(&mut self, seconds: u32) {
        if self.session_wish.is_none() {
            self.session_wish = Some(session::Wish::new(seconds, true));
        }
    }

    /// Their ACK, to our 200 or to the answer of their re-INVITE.
    pub fn on_ack<O: Copy>(&mut self, ctx: &mut Context<'_, O>, request: &Message<'_>) -> Option<Event> {
        if let State::Answered { invite, .. } = self.state {
            ctx.acked(invite);
            self.state = State::Confirmed;
            if let Some(Farewell { reason }) = self.farewell.take() {
                self.send_bye(ctx, reason.as_deref());
                return None;
            }
            return Some(Event::Confirmed { sdp: sdp_of(request) });
        }
        self.on_modify_ack(ctx, request)
    }

    /// They cancelled; the 200 to the CANCEL has been sent.
    pub fn on_cancel<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ServerId,
        request: &Message<'_>,
    ) -> Option<Event> {
        match &self.state {
            State::Ringing(ringing) if ringing.invite == id => {}
            _ => return self.modify.cancelled(ctx, id),
        }
        ctx.reply(id, Reply::new(487).to_tag(self.dialog.local.tag.clone()));
        self.end(ctx);
        Some(Event::Cancelled { answered_elsewhere: says_answered_elsewhere(request) })
    }

    /// Our 200 was repeated for 64*T1 and never acknowledged (RFC 3261 §13.3.1.4, §14.2).
    pub fn on_ack_missing<O: Copy>(&mut self, ctx: &mut Context<'_, O>, id: ServerId) -> Option<Event> {
        let missing = match self.state {
            State::Answered { invite, .. } => invite == id,
            State::Confirmed => self.modify.waits_for_ack(id),
            State::Calling(_) | State::Ringing(_) | State::Over => false,
        };
        if !missing {
            return None;
        }
        let farewell = self.farewell.take();
        self.send_bye(ctx, farewell.as_ref().and_then(|farewell| farewell.reason.as_deref()));
        // A user who hung up before the ACK has been told already.
        farewell
            .is_none()
            .then(|| Event::Ended { by_remote: false, reason: "the answer was never acknowledged".into() })
    }

    pub(super) fn on_prack<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ServerId,
        request: &Message<'_>,
    ) -> Option<Event> {
        let named = request.header(Name::RAck).and_then(RAck::parse);
        let (mut queued, mut answer) = (None, None);
        let awaited = match &mut self.state {
            State::Ringing(ringing) => {
                let awaited = ringing.unacknowledged.take_if(|u| Some(u.named) == named);
                ringing.answered_early |= awaited.as_ref().is_some_and(|u| u.has_sdp);
                if awaited.is_some() {
                    (queued, answer) = (ringing.queued.take(), ringing.answer.take());
                }
                awaited.is_some()
            }
            // The call was answered before the PRACK came (RFC 3262 §3).
            _ => self.late_prack.take_if(|late| Some(*late) == named).is_some(),
        };
        let mut reply = Reply::new(if awaited { 200 } else { 481 });
        if awaited && sdp_of(request).is_some() && !self.local_sdp.is_empty() {
            // An offer in a PRACK is owed an answer there (RFC 3262 §5): the session stays as it is.
            reply = reply.body("application/sdp", self.local_sdp.clone());
        }
        ctx.reply(id, reply);
        if let Some(Answer { sdp, headers }) = answer {
            self.answer(ctx, sdp, &headers);
        } else if let Some((status, sdp)) = queued {
            self.progress(ctx, status, sdp, true);
        }
        None
    }

    /// Repeats a reliable provisional response; the call ends where no PRACK comes (RFC 3262 §3).
    pub(super) fn resend_provisional<O: Copy>(&mut self, ctx: &mut Context<'_, O>) -> Option<Event> {
        let State::Ringing(ringing) = &mut self.state else { return None };
        let invite = ringing.invite;
        let waiting = ringing.unacknowledged.as_mut().filter(|u| u.resend_at <= ctx.now)?;
        if waiting.give_up_at <= ctx.now {
            self.refuse(ctx, Reply::new(504).reason("Provisional Response Not Acknowledged"));
            let reason = "a reliable answer was never acknowledged".to_owned();
            return Some(Event::Ended { by_remote: false, reason });
        }
        waiting.wait *= 2;
        waiting.resend_at = (ctx.now + waiting.wait).min(waiting.give_up_at);
        let reply = waiting.reply.clone();
        ctx.reply(invite, reply);
        None
    }
}
/// Whether a CANCEL, or a BYE in its place, says that another device has answered (RFC 3326).
pub(super) fn says_answered_elsewhere(request: &Message<'_>) -> bool {
    request.reasons().any(|reason| reason.protocol.eq_ignore_ascii_case("SIP") && reason.cause == Some(200))
}
