//! The caller's half: INVITE, its answers, ACK and CANCEL (RFC 3261 §13.2, §9.1).

use super::super::LONGEST_WAIT_S;
use super::{Call, Context, ErrandKind, Event, MAX_FORKS, State, modify, refer, sdp_of, session};
use crate::sip::dialog::Dialog;
use crate::sip::digest::Attempt;
use crate::sip::endpoint::{ClientId, SendError};
use crate::sip::flow::Target;
use crate::sip::header::{Address, SessionExpires};
use crate::sip::message::{Message, Method, Name};

/// What an INVITE says beyond its dialog.
#[derive(Clone, Debug, Default)]
pub struct Invitation {
    /// The offer; `None` asks the callee for one.
    pub sdp: Option<Vec<u8>>,
    /// Further headers: Replaces, Referred-By, Diversion, Privacy, …
    pub headers: Vec<(Name, String)>,
    /// Ask for a session timer of so many seconds (RFC 4028).
    pub session_s: Option<u32>,
    /// The callee is asked to refresh it; else nobody is named.
    pub refresher_is_callee: bool,
}

/// An INVITE under way.
#[derive(Debug)]
pub(super) struct Calling {
    invite: ClientId,
    invitation: Invitation,
    attempt: Attempt,
    forks: Vec<Dialog>,
    last_rseq: Vec<(String, u32)>,
    cancelled: bool,
    /// Tags of those who have answered the offer in a response that was acknowledged (RFC 3262 §5).
    answered_early: Vec<String>,
}

impl Calling {
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// The early dialog that has the answer to our offer, where that is one alone.
    pub(super) fn only_answered_early(&self) -> Option<&Dialog> {
        let [tag] = self.answered_early.as_slice() else { return None };
        self.fork(tag)
    }

    /// The early dialog with whoever has this tag.
    pub(super) fn fork(&self, tag: &str) -> Option<&Dialog> {
        self.forks.iter().find(|fork| fork.remote.tag == tag)
    }

    pub(super) fn fork_mut(&mut self, tag: &str) -> Option<&mut Dialog> {
        self.forks.iter_mut().find(|fork| fork.remote.tag == tag)
    }

    /// CANCEL, now or as soon as it is allowed (RFC 3261 §9.1).
    pub(super) fn cancel<O: Copy>(&mut self, ctx: &mut Context<'_, O>, reason: Option<&str>) {
        if !std::mem::replace(&mut self.cancelled, true) {
            ctx.endpoint.cancel(ctx.now, self.invite, reason, ctx.out);
        }
    }
}

impl Call {
    /// Calls: sends the INVITE of `dialog` to the first of `targets` that answers.
    ///
    /// # Errors
    /// Where `targets` is empty or too many requests are open.
    pub fn dial<O: Copy>(
        ctx: &mut Context<'_, O>,
        dialog: Dialog,
        targets: Vec<Target>,
        invitation: Invitation,
    ) -> Result<Self, SendError> {
        let mut call = Self {
            dialog,
            caller: true,
            state: State::Over,
            targets,
            pinned: false,
            modify: modify::Modify::default(),
            refer: refer::Refers::default(),
            session: None,
            session_wish: invitation
                .session_s
                .map(|seconds| session::Wish::new(seconds, invitation.refresher_is_callee)),
            local_sdp: invitation.sdp.clone().unwrap_or_default(),
            late_prack: None,
            errands: Vec::new(),
            takes_update: false,
            farewell: None,
        };
        call.invite(ctx, invitation, Attempt::default())?;
        Ok(call)
    }

    /// Whether that early dialog has the answer to our offer, so that they may make one of their own.
    pub(super) fn is_answered_early(&self, tag: &str) -> bool {
        matches!(&self.state, State::Calling(calling) if calling.answered_early.iter().any(|it| it == tag))
    }

    pub(super) fn is_invite(&self, id: ClientId) -> bool {
        matches!(&self.state, State::Calling(calling) if calling.invite == id)
    }

    pub(super) fn on_invite_response<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        response: &Message<'_>,
        status: u16,
    ) -> Option<Event> {
        match status {
            ..=100 => None,
            101..=199 => self.on_provisional(ctx, response, status),
            200..=299 => self.on_answer(ctx, response),
            _ => self.on_refusal(ctx, response, status),
        }
    }

    fn invite<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        invitation: Invitation,
        attempt: Attempt,
    ) -> Result<(), SendError> {
        let mut request = self.dialog.request(Method::Invite).header(Name::Contact, &ctx.identity.contact);
        request = request.header(Name::Allow, ctx.identity.allow);
        if !ctx.identity.supported.is_empty() {
            request = request.header(Name::Supported, ctx.identity.supported);
        }
        if let Some(wish) = &self.session_wish {
            request = wish.ask(request);
        }
        for (name, value) in &invitation.headers {
            request = request.header(*name, value);
        }
        if let Some(sdp) = &invitation.sdp {
            request = request.body("application/sdp", sdp.clone());
        }
        let invite = ctx.send(request, &self.targets)?;
        self.state = State::Calling(Calling {
            invite,
            invitation,
            attempt,
            forks: Vec::new(),
            last_rseq: Vec::new(),
            cancelled: false,
            answered_early: Vec::new(),
        });
        Ok(())
    }

    fn on_provisional<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        response: &Message<'_>,
        status: u16,
    ) -> Option<Event> {
        self.learn_methods(response);
        let early = self.dialog.established_by(response);
        let State::Calling(calling) = &mut self.state else { return None };
        let known = calling.forks.iter().any(|fork| fork.remote.tag == early.remote.tag);
        if !early.remote.tag.is_empty() && !known && calling.forks.len() < MAX_FORKS {
            calling.forks.push(early.clone());
        }
        if response.has_token(Name::Require, "100rel") && !self.acknowledge_provisional(ctx, early, response)
        {
            return None;
        }
        Some(Event::Progress { status, sdp: sdp_of(response) })
    }

    /// PRACK (RFC 3262 §4). Whether the response is new.
    fn acknowledge_provisional<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        early: Dialog,
        response: &Message<'_>,
    ) -> bool {
        let (Some(rseq), Some(cseq)) = (response.number(Name::RSeq), response.cseq()) else { return true };
        let State::Calling(calling) = &mut self.state else { return false };
        let known = calling.last_rseq.iter().position(|(tag, _)| *tag == early.remote.tag);
        match known {
            // Copies and those out of order are not acknowledged.
            Some(at) if rseq != calling.last_rseq[at].1.wrapping_add(1) => return false,
            Some(at) => calling.last_rseq[at].1 = rseq,
            None if calling.last_rseq.len() >= MAX_FORKS => return false,
            None => calling.last_rseq.push((early.remote.tag.clone(), rseq)),
        }
        if sdp_of(response).is_some() && !calling.answered_early.contains(&early.remote.tag) {
            calling.answered_early.push(early.remote.tag.clone());
        }
        let mut fork = early;
        self.dialog.local_cseq += 1;
        fork.local_cseq = self.dialog.local_cseq - 1;
        let request = fork
            .request(Method::Prack)
            .header(Name::RAck, format_args!("{rseq} {} {}", cseq.number, cseq.method));
        let targets = self.next_targets(&fork);
        self.errand_to(ctx, request, ErrandKind::Prack, Attempt::default(), &targets);
        true
    }

    fn on_answer<O: Copy>(&mut self, ctx: &mut Context<'_, O>, response: &Message<'_>) -> Option<Event> {
        let cseq = response.cseq()?.number;
        let State::Calling(calling) = &mut self.state else { return None };
        let (invite, cancelled) = (calling.invite, calling.cancelled);
        let offered = calling.invitation.sdp.is_some();
        let early = calling.fork(response.to_tag()).and_then(|fork| fork.remote_cseq);
        self.learn_methods(response);
        self.dialog = self.dialog.established_by(response);
        self.dialog.remote_cseq = early;
        self.state = State::Confirmed;
        if cancelled {
            // CANCEL crossed the 200: the call stands and must be ended (RFC 3261 §9.1).
            self.send_ack(ctx, invite, cseq, None);
            self.send_bye(ctx, None);
            return Some(Event::Failed {
                status: Some(487),
                reason: "cancelled as it was answered".into(),
                retry_after_s: None,
            });
        }
        self.start_session(ctx, response);
        if offered {
            self.send_ack(ctx, invite, cseq, None);
        } else {
            self.modify.owe_ack(invite, cseq);
        }
        Some(Event::Answered { sdp: sdp_of(response), needs_ack: !offered })
    }

    /// A second 2xx from another fork: acknowledged, then ended (RFC 3261 §13.2.2.4).
    pub fn on_late_answer<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ClientId,
        response: &Message<'_>,
    ) {
        let (Some(200..=299), Some(cseq)) = (response.status(), response.cseq()) else { return };
        if cseq.method != Method::Invite || response.to_tag() == self.dialog.remote.tag {
            return;
        }
        let mut fork = self.dialog.established_by(response);
        self.send_ack_in(ctx, &fork, id, cseq.number, None);
        let bye = fork.request(Method::Bye);
        let targets = self.next_targets(&fork);
        self.errand_to(ctx, bye, ErrandKind::Bye, Attempt::default(), &targets);
    }

    pub(super) fn send_ack<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        invite: ClientId,
        cseq: u32,
        sdp: Option<Vec<u8>>,
    ) {
        self.send_ack_in(ctx, &self.dialog, invite, cseq, sdp);
    }

    /// Sends the ACK of a 2xx in its dialog, which may be that of a fork (RFC 3261 §13.2.2.4).
    fn send_ack_in<O: Copy>(
        &self,
        ctx: &mut Context<'_, O>,
        dialog: &Dialog,
        invite: ClientId,
        cseq: u32,
        sdp: Option<Vec<u8>>,
    ) {
        let mut request = dialog.request_with_cseq(Method::Ack, cseq);
        request = request.header(Name::Contact, &ctx.identity.contact);
        request = request.header(Name::UserAgent, &ctx.identity.user_agent);
        if let Some(sdp) = sdp {
            request = request.body("application/sdp", sdp);
        }
        request.rport = ctx.identity.rport;
        let targets = self.next_targets(dialog);
        // Without a transaction there is no copy of the 2xx that would ask for this ACK again.
        let _ = ctx.endpoint.ack(invite, &request, targets, ctx.identity.local, ctx.out);
    }

    fn on_refusal<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        response: &Message<'_>,
        status: u16,
    ) -> Option<Event> {
        let State::Calling(calling) = &mut self.state else { return None };
        let again = !calling.cancelled
            && match status {
                401 | 407 => ctx.may_retry(&mut calling.attempt, response),
                422 => self.session_wish.as_mut().is_some_and(|wish| wish.raise(response)),
                _ => false,
            };
        if again {
            let (invitation, attempt) = (std::mem::take(&mut calling.invitation), calling.attempt);
            if self.invite(ctx, invitation, attempt).is_ok() {
                return None;
            }
        }
        self.end(ctx);
        if (300..400).contains(&status) {
            let mut contacts: Vec<_> = response.headers(Name::Contact).flat_map(Address::parse_all).collect();
            contacts.sort_by_key(|contact| std::cmp::Reverse(preference(contact)));
            return Some(Event::Redirected {
                status,
                contacts: contacts
                    .into_iter()
                    .take(MAX_FORKS)
                    .map(|contact| contact.uri.to_owned())
                    .collect(),
                diversion: response.text(Name::Diversion).map(str::to_owned),
            });
        }
        Some(Event::Failed {
            status: Some(status),
            reason: response.reason().into_owned(),
            retry_after_s: response.retry_after_s().map(|asked_s| asked_s.min(LONGEST_WAIT_S)),
        })
    }

    fn start_session<O: Copy>(&mut self, ctx: &mut Context<'_, O>, response: &Message<'_>) {
        let said = response.text(Name::SessionExpires).and_then(SessionExpires::parse);
        self.session = session::SessionTimer::for_caller(ctx.now, said, self.session_wish.as_ref());
    }
}

/// The `q` of a Contact in thousandths; 1 where it has none (RFC 3261 §20.10).
fn preference(contact: &Address<'_>) -> u16 {
    let q = contact.params.get("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
    (q.clamp(0.0, 1.0) * 1_000.0) as u16
}
