//! REFER and the NOTIFYs that follow it (RFC 3515, 3891, 3892).

use super::{Call, Context, ErrandKind, Event, State};
use crate::sip::Reply;
use crate::sip::endpoint::ServerId;
use crate::sip::header::{Address, SubState, SubscriptionState, Termination};
use crate::sip::message::{Message, Method, Name};
use crate::sip::sipfrag::Sipfrag;
use crate::sip::uri::Uri;
use crate::sip::usage::notify::{Standing, notify};

/// What they ask us to call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refer {
    /// The URI to call, without its headers.
    pub to: String,
    /// The Replaces value, escapes undone: an attended transfer.
    pub replaces: Option<String>,
    /// The Referred-By value as it came.
    pub referred_by: Option<String>,
    /// `Refer-Sub: false`: no NOTIFY is wanted (RFC 4488).
    pub silent: bool,
}

/// The REFERs of one call, at most one each way.
#[derive(Debug, Default)]
pub(super) struct Refers {
    sent: Option<Sent>,
    received: Option<Received>,
}

#[derive(Debug)]
struct Sent {
    cseq: u32,
    /// How it came out has been told; what is still to come of it is answered and means nothing.
    over: bool,
}

#[derive(Debug)]
struct Received {
    id: ServerId,
    cseq: u32,
    accepted: bool,
    silent: bool,
}

impl Refers {
    /// Our REFER goes out once more.
    pub(super) fn renumbered(&mut self, cseq: u32) {
        if let Some(sent) = &mut self.sent {
            sent.cseq = cseq;
        }
    }

    pub(super) fn refused(&mut self) {
        self.sent = None;
    }
}

impl Call {
    /// Asks them to call `to` (a Refer-To value, angle brackets included). `false` while an earlier
    /// REFER is under way.
    pub fn refer<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        to: String,
        headers: Vec<(Name, String)>,
    ) -> bool {
        if self.refer.sent.as_ref().is_some_and(|sent| !sent.over) || !self.is_confirmed() {
            return false;
        }
        let mut request = self
            .dialog
            .request(Method::Refer)
            .header(Name::Supported, "replaces")
            .header(Name::Event, "refer")
            .header(Name::Contact, &ctx.identity.contact);
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        request = request.header(Name::ReferTo, &to).header(Name::Allow, ctx.identity.allow);
        self.refer.sent = Some(Sent { cseq: self.dialog.local_cseq, over: false });
        let sent = self.errand(ctx, request, ErrandKind::Refer);
        if !sent {
            self.refer.refused();
        }
        sent
    }

    /// Nobody says any more how our REFER gets on: another may be sent.
    pub fn give_up_refer(&mut self) {
        if let Some(sent) = &mut self.refer.sent {
            sent.over = true;
        }
    }

    /// 202, and the first NOTIFY (`100 Trying`, RFC 3515 §2.4.4).
    pub fn accept_refer<O: Copy>(&mut self, ctx: &mut Context<'_, O>) {
        let Some(received) = self.refer.received.as_mut().filter(|r| !r.accepted) else { return };
        received.accepted = true;
        let mut reply = Reply::new(202).header(Name::Contact, &ctx.identity.contact);
        if received.silent {
            reply = reply.header(Name::ReferSub, "false");
        }
        let id = received.id;
        ctx.reply(id, reply);
        self.notify_refer(ctx, 100, false);
    }

    /// Refuses their REFER.
    pub fn refuse_refer<O: Copy>(&mut self, ctx: &mut Context<'_, O>, status: u16) {
        if let Some(received) = self.refer.received.take_if(|r| !r.accepted) {
            ctx.reply(received.id, Reply::new(status));
        }
    }

    /// Tells them how the call that they asked for gets on; with `over` for the last time.
    pub fn notify_refer<O: Copy>(&mut self, ctx: &mut Context<'_, O>, status: u16, over: bool) {
        let Some(received) = self.refer.received.as_ref().filter(|r| r.accepted) else { return };
        let (silent, cseq) = (received.silent, received.cseq);
        if over {
            self.refer.received = None;
        }
        if silent || self.is_over() {
            return;
        }
        let standing =
            if over { Standing::Over(Termination::NoResource) } else { Standing::Active { expires_s: 60 } };
        let phrase = crate::sip::build::reason_phrase(status);
        let event = format_args!("refer;id={cseq}");
        let request = notify(&mut self.dialog, event, standing, &ctx.identity.contact)
            .body("message/sipfrag;version=2.0", format!("SIP/2.0 {status} {phrase}\r\n"));
        self.errand(ctx, request, ErrandKind::Notify);
    }

    /// Whether they still wait to be told about the call that they asked for.
    pub fn owes_refer_outcome(&self) -> bool {
        self.refer.received.as_ref().is_some_and(|r| r.accepted)
    }

    pub(super) fn on_refer<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ServerId,
        request: &Message<'_>,
    ) -> Option<Event> {
        if !matches!(self.state, State::Confirmed | State::Answered { .. }) || self.refer.received.is_some() {
            ctx.reply(id, Reply::new(491));
            return None;
        }
        let mut targets = request.values(Name::ReferTo);
        let address = targets.next().and_then(Address::parse);
        // RFC 3515 §2.4.2: exactly one Refer-To.
        let (Some(address), None) = (address, targets.next()) else {
            ctx.reply(id, Reply::new(400).reason("Bad Refer-To"));
            return None;
        };
        let Some(uri) = Uri::parse(address.uri) else {
            ctx.reply(id, Reply::new(400).reason("Bad Refer-To"));
            return None;
        };
        // A phone can be asked to call, and for nothing else (RFC 3515 §2.4.2 leaves the method to who is asked).
        if uri.params.get("method").is_some_and(|method| method != "INVITE") {
            ctx.reply(id, Reply::new(501).reason("Only INVITE Is Referred"));
            return None;
        }
        let silent = request.text(Name::ReferSub).is_some_and(|v| v.trim().eq_ignore_ascii_case("false"));
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        self.refer.received = Some(Received { id, cseq, accepted: false, silent });
        Some(Event::ReferReceived(Refer {
            to: Uri::as_request_uri(address.uri).into_owned(),
            replaces: uri.header("Replaces").map(String::from),
            referred_by: request.text(Name::ReferredBy).map(str::to_owned),
            silent,
        }))
    }

    pub(super) fn on_refer_notify<O: Copy>(
        &mut self,
        ctx: &mut Context<'_, O>,
        id: ServerId,
        request: &Message<'_>,
    ) -> Option<Event> {
        let package = request.text(Name::Event).and_then(crate::sip::header::Event::parse);
        let ours = package.is_some_and(|event| {
            event.package.eq_ignore_ascii_case("refer")
                && match (event.params.number("id"), &self.refer.sent) {
                    (Some(id), Some(sent)) => id == sent.cseq,
                    (None, Some(_)) => true,
                    (_, None) => false,
                }
        });
        if !ours {
            ctx.reply(id, Reply::new(481));
            return None;
        }
        ctx.reply(id, Reply::new(200));
        let state = request.text(Name::SubscriptionState).map(SubscriptionState::parse);
        let over = state.is_some_and(|state| state.state == SubState::Terminated);
        let fragment = request.content("message/sipfrag").and_then(|body| Sipfrag::parse(body).ok());
        let status = fragment.map(|fragment| fragment.status);
        let known = match &mut self.refer.sent {
            Some(sent) => {
                let now_over = sent.over || over || status >= Some(200);
                std::mem::replace(&mut sent.over, now_over)
            }
            None => true,
        };
        if over {
            self.refer.sent = None;
        }
        match status.filter(|_| !known) {
            Some(status) => Some(Event::ReferProgress { status, over: over || status >= 200 }),
            None if over && !known => Some(Event::ReferProgress { status: 500, over }),
            None => None,
        }
    }
}
