//! A call from its INVITE to its answer: routing, ringing, forwarding, refusals.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proto::Time;
use proto::sip::message::Name;
use proto::sip::usage::call::Invitation;
use proto::sip::{Flow, Message, Reply, body};

use super::keys::{Half, is_acceptable};
use super::{Bridge, CallId, LegId, Peer, Switchboard};
use crate::exchange::binding::Binding;
use crate::exchange::ids::{Alarm, ExtensionId};
use crate::exchange::router::Route;
use crate::exchange::{Event, Output};

/// How often a call may be forwarded.
const MAX_FORWARDS: usize = 5;
/// The least session interval that is accepted, in seconds (RFC 4028 §5).
const MIN_SE_S: u32 = 90;
/// How many legs a caller may cause for each call that it may have: twice as many as an extension has devices by
/// default. Cancelled legs that are not answered yet count.
const LEGS_FOR_EACH_CALL: usize = 16;
/// Headers of the caller's INVITE that the callee gets unchanged. Diversion is not among them: the exchange writes
/// its own.
const PASSED_ON: [Name; 6] =
    [Name::AlertInfo, Name::CallInfo, Name::AnswerMode, Name::PrivAnswerMode, Name::Subject, Name::Privacy];
/// Words by which Alert-Info and Call-Info ask phones of any maker to answer without their person; blanks and
/// signs between their letters do not count.
const ANSWERING_WORDS: [&str; 8] =
    ["answer", "auto", "intercom", "handsfree", "speaker", "paging", "delay0", "pushtotalk"];

impl Switchboard<'_> {
    /// An INVITE of an extension whose password was right.
    pub(in crate::exchange) fn on_invite(&mut self, flow: Flow, message: &Message<'_>, caller: ExtensionId) {
        if let Some(reply) = self.unacceptable(message, caller) {
            return self.turn.answer(flow, message, reply);
        }
        let Some(leg) = self.incoming_leg(flow, message, caller) else { return };
        let too_short = self.calls.legs.get(&leg).is_some_and(|l| l.machine.session_too_small(MIN_SE_S));
        if too_short {
            return self.refuse_leg(leg, Reply::new(422).header(Name::MinSe, MIN_SE_S));
        }
        if let (Some(seconds), Some(leg)) = (self.config.session_s, self.calls.legs.get_mut(&leg)) {
            leg.machine.wish_session(seconds);
        }
        let rule = self.directory.get(caller).map(|entry| entry.extension.encryption).unwrap_or_default();
        if !is_acceptable(message.session_description().unwrap_or_default(), rule) {
            return self.refuse_leg(leg, Reply::new(488));
        }
        self.ask_leg(leg, |call, ctx| call.trying(ctx));
        if let Some(value) = message.text(Name::Replaces) {
            return self.on_replacing(leg, value);
        }
        match self.route(message.request_uri()) {
            Route::Extension(callee) => {
                let number = self.directory.number(callee);
                let headers = passed_on(message, self.may_open_by_headers(caller, callee));
                if let Some(call) = self.open_call(leg, caller, &number, headers) {
                    self.ring(call, callee);
                }
            }
            route => self.on_feature(leg, caller, route),
        }
    }

    /// The refusal of an INVITE that breaks a rule or a limit; none where it may go on.
    fn unacceptable(&self, message: &Message<'_>, caller: ExtensionId) -> Option<Reply> {
        if message.number(Name::MaxForwards) == Some(0) {
            return Some(Reply::new(483));
        }
        if let Err(fault) = message.check_body(&[body::SDP]) {
            return Some(fault.reply(&[body::SDP]));
        }
        let is_full = self.calls.bridges.len() >= self.config.max_calls
            || self.calls.held_bytes >= self.config.limits.calls_bytes;
        if is_full {
            return Some(Reply::new(503).header(Name::RetryAfter, 5));
        }
        let entry = self.directory.get(caller)?;
        let most_legs = LEGS_FOR_EACH_CALL * usize::from(entry.extension.max_calls.max(1));
        if self.calls.caused_by(caller) >= most_legs {
            return Some(Reply::new(503).header(Name::RetryAfter, 5));
        }
        let full = self.calls.legs_of(caller).len() >= usize::from(entry.extension.max_calls);
        full.then(|| Reply::new(486).reason("Too Many Calls"))
    }

    /// Opens a call of `leg` to `callee`; 503 where the relay has no room.
    pub(super) fn open_call(
        &mut self,
        leg: LegId,
        caller: ExtensionId,
        callee: &str,
        headers: Vec<(Name, String)>,
    ) -> Option<CallId> {
        let Some(call) = self.open_bridge(caller, callee, headers) else {
            self.refuse_leg(leg, Reply::new(503).header(Name::RetryAfter, 5));
            return None;
        };
        let offer = self.calls.legs.get_mut(&leg).map(|leg| {
            leg.call = Some(call);
            leg.remote_sdp.clone()
        });
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.a = Some(leg);
        }
        let offer = offer.filter(|sdp| !sdp.is_empty());
        let offer = self.relayed_opt(call, leg, offer, (Half::Offer, Half::Offer));
        let bridge = self.calls.bridges.get_mut(&call)?;
        bridge.offer = offer;
        self.turn.told.extend(self.calls.view(call).map(|view| Output::Event(Event::CallStarted(view))));
        Some(call)
    }

    /// A call without legs.
    pub(super) fn open_bridge(
        &mut self,
        caller: ExtensionId,
        callee: &str,
        headers: Vec<(Name, String)>,
    ) -> Option<CallId> {
        let place = self.ports.take(&mut self.turn.rng)?;
        let id = self.calls.next_call();
        let bridge = Bridge {
            a: None,
            b: Vec::new(),
            caller: self.peer_of(caller),
            callee: Peer { number: callee.to_owned(), display: String::new() },
            cause: Some(caller),
            started_at: self.turn.now,
            answered_at: None,
            place,
            relayed: false,
            offer: None,
            headers,
            visited: Vec::new(),
            queue: VecDeque::new(),
            refusal: None,
            transfer: None,
            then: None,
            service: None,
            sides: Default::default(),
            music: [false; 2],
            no_answer_at: None,
        };
        self.calls.bridges.insert(id, bridge);
        Some(id)
    }

    pub(super) fn peer_of(&self, id: ExtensionId) -> Peer {
        let extension = self.directory.get(id).map(|entry| &entry.extension);
        extension.map_or(Peer { number: String::new(), display: String::new() }, |extension| Peer {
            number: extension.number.clone(),
            display: extension.display.clone(),
        })
    }

    /// Rings all devices of an extension, or forwards the call where the extension wants that.
    pub(super) fn ring(&mut self, call: CallId, callee: ExtensionId) {
        let bridge = self.calls.bridges.get(&call);
        let hidden = bridge.is_some_and(|bridge| self.calls.hides_caller(bridge));
        let (Some(bridge), Some(entry)) = (self.calls.bridges.get_mut(&call), self.directory.get(callee))
        else {
            return;
        };
        let extension = &entry.extension;
        bridge.visited.push(extension.number.clone());
        bridge.callee = Peer { number: extension.number.clone(), display: extension.display.clone() };
        let caller = bridge.caller.number.clone();
        self.calls.note_caller(callee, Some(caller.clone()).filter(|_| !hidden));
        let forward = extension.forward.clone();
        let others = self.calls.others_of(callee, call);
        let busy = !others.is_empty();
        // One caller leaves room for others: at most half of the calls may ring for it.
        let most = usize::from(extension.max_calls);
        let for_caller = self.calls.ringing_for(&others, &caller);
        let full = others.len() >= most || for_caller >= most.div_ceil(2);
        let refused = (!extension.enabled || extension.do_not_disturb).then_some(480);
        if let Some(target) = forward.always {
            return self.forward(call, &target, "unconditional");
        }
        if let Some(target) = forward.busy.filter(|_| busy) {
            return self.forward(call, &target, "user-busy");
        }
        if let Some(status) = refused.or(full.then_some(486)) {
            return self.give_up(call, status);
        }
        let devices = self.devices_of(callee);
        self.ring_devices(call, callee, &devices);
        if self.calls.bridges.get(&call).is_some_and(|bridge| bridge.b.is_empty()) {
            match forward.no_answer {
                Some(target) => self.forward(call, &target, "unavailable"),
                None => self.give_up(call, 480),
            }
        }
    }

    pub(super) fn ring_devices(&mut self, call: CallId, callee: ExtensionId, devices: &[Arc<Binding>]) {
        let rule = self.directory.get(callee).map(|entry| entry.extension.encryption).unwrap_or_default();
        let offer = self.offer_by_rule(call, rule);
        for device in devices {
            let Some(bridge) = self.calls.bridges.get(&call) else { return };
            let invitation = Invitation {
                sdp: offer.clone(),
                headers: bridge.headers.clone(),
                session_s: self.config.session_s,
                ..Invitation::default()
            };
            if let Some(leg) = self.outgoing_leg(call, device, callee, invitation)
                && let Some(bridge) = self.calls.bridges.get_mut(&call)
            {
                bridge.b.push(leg);
            }
        }
        let own_s = self.directory.get(callee).map_or(0, |entry| entry.extension.forward.no_answer_s);
        let ring_s = if own_s == 0 { self.config.ring_s } else { own_s };
        let at = self.turn.now + Duration::from_secs(u64::from(ring_s.max(1)));
        self.set_no_answer(call, Some(at));
    }

    /// Sets or clears the time after which it has rung long enough.
    pub(super) fn set_no_answer(&mut self, call: CallId, at: Option<Time>) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        if let Some(old) = std::mem::replace(&mut bridge.no_answer_at, at) {
            self.turn.alarms.remove(&(old, Alarm::NoAnswer(call)));
        }
        self.turn.alarms.extend(at.map(|at| (at, Alarm::NoAnswer(call))));
    }

    /// Forwards a call; 482 where the target was called before, or after too many forwards.
    pub(super) fn forward(&mut self, call: CallId, target: &str, reason: &str) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        let from = bridge.callee.number.clone();
        if bridge.visited.len() > MAX_FORWARDS || bridge.visited.iter().any(|number| number == target) {
            return self.give_up(call, 482);
        }
        let host = proto::sip::uri::host_of(bridge.place.a.ip());
        let user = proto::sip::uri::escape(&from);
        let diversion = format!("<sip:{user}@{host}>;reason={reason}");
        bridge.headers.insert(0, (Name::Diversion, diversion));
        match self.route_number(target) {
            Route::Extension(callee) => self.ring(call, callee),
            _ => self.give_up(call, 404),
        }
    }

    /// A device answered with 3xx: the exchange calls its contacts one after the other until one takes the call.
    pub(super) fn on_redirected(
        &mut self,
        call: CallId,
        leg: LegId,
        contacts: &[String],
        diversion: Option<String>,
    ) {
        self.drop_branch(call, leg);
        let number = |uri: &String| Some(proto::sip::Uri::parse(uri)?.plain_user().into_owned());
        let targets: Vec<String> = contacts.iter().take(MAX_FORWARDS).filter_map(number).collect();
        self.cancel_branches(call, None);
        let reason = diversion.as_deref().and_then(|value| proto::sip::grammar::Params(value).get("reason"));
        let reason = reason.unwrap_or("unconditional").trim_matches('"').to_owned();
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.queue = targets.into_iter().map(|target| (target, reason.clone())).collect();
        }
        self.give_up(call, 404);
    }

    /// A device refused, or never answered.
    pub(super) fn on_branch_failed(&mut self, call: CallId, leg: LegId, status: Option<u16>) {
        self.drop_branch(call, leg);
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        let status = told_to_caller(status);
        bridge.refusal = Some(bridge.refusal.map_or(status, |before| better(before, status)));
        let nobody_rings = bridge.b.is_empty();
        // 6xx speaks for all devices (RFC 3261 §16.7 step 5).
        if status >= 600 {
            self.cancel_branches(call, None);
        }
        if nobody_rings || status >= 600 {
            self.all_refused(call);
        }
    }

    fn all_refused(&mut self, call: CallId) {
        let Some(bridge) = self.calls.bridges.get(&call) else { return };
        let status = bridge.refusal.unwrap_or(480);
        if bridge.then.is_some() {
            return self.give_up(call, status);
        }
        let callee = bridge.callee.number.clone();
        if is_about_session(status) && self.ask_for_offer(call, &callee) {
            return;
        }
        let forward = self.directory.find(&callee).and_then(|id| self.directory.get(id));
        let forward = forward.map(|entry| entry.extension.forward.clone()).unwrap_or_default();
        match (status, forward.busy, forward.no_answer) {
            (486, Some(target), _) => self.forward(call, &target, "user-busy"),
            (408 | 480, _, Some(target)) => self.forward(call, &target, "no-answer"),
            _ => self.give_up(call, status),
        }
    }

    /// It has rung long enough.
    pub(in crate::exchange) fn on_no_answer(&mut self, call: CallId) {
        let waiting = self.calls.bridges.get(&call).is_some_and(|bridge| bridge.answered_at.is_none());
        if !waiting {
            return;
        }
        self.cancel_branches(call, None);
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.refusal = Some(480);
        }
        self.all_refused(call);
    }

    /// Forwards the call to the next contact of a redirection. Without one it refuses the caller and ends the call.
    pub(super) fn give_up(&mut self, call: CallId, status: u16) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        if let Some((target, reason)) = bridge.queue.pop_front() {
            return self.forward(call, &target, &reason);
        }
        bridge.refusal = Some(status);
        if let Some(a) = bridge.a {
            self.refuse_leg(a, Reply::new(status));
        }
        self.end_call(call, proto::sip::build::reason_phrase(status));
    }

    /// The callee takes nothing of the caller's last description. That may hold less than the caller can, since it
    /// was agreed upon with another party. So the exchange asks the callee once for an offer of its own (RFC 3725
    /// §4.1). Whether any device was asked.
    fn ask_for_offer(&mut self, call: CallId, callee: &str) -> bool {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return false };
        let caller = bridge.a.and_then(|a| self.calls.legs.get(&a));
        let stands = bridge.transfer.is_some() || caller.is_some_and(|leg| leg.machine.is_answered());
        if bridge.offer.take_if(|_| stands).is_none() {
            return false;
        }
        let Some(callee) = self.directory.find(callee) else { return false };
        let devices = self.devices_of(callee);
        self.ring_devices(call, callee, &devices);
        self.calls.bridges.get(&call).is_some_and(|bridge| !bridge.b.is_empty())
    }

    fn drop_branch(&mut self, call: CallId, leg: LegId) {
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.b.retain(|other| *other != leg);
        }
        self.let_go(leg);
    }

    /// Cancels every device but one.
    pub(super) fn cancel_branches(&mut self, call: CallId, keep: Option<LegId>) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        let (kept, others) = bridge.b.iter().partition(|leg| Some(**leg) == keep);
        bridge.b = kept;
        let others: Vec<LegId> = others;
        let reason = keep.map(|_| "SIP;cause=200;text=\"Call completed elsewhere\"");
        for leg in others {
            self.let_go(leg);
            self.hang_up_leg(leg, reason);
        }
    }
}

/// The caller's headers that the callee gets; those that make a phone answer by itself only where the caller may
/// do that.
fn passed_on(message: &Message<'_>, may_open: bool) -> Vec<(Name, String)> {
    let values = PASSED_ON.iter().flat_map(|name| message.headers(*name).map(move |value| (*name, value)));
    let values = values.filter(|(name, value)| may_open || !asks_for_answer(*name, value));
    values.map(|(name, value)| (name, String::from_utf8_lossy(value).into_owned())).collect()
}

/// Whether a header can make a phone answer without its person (RFC 5373, `answer-after`, Alert-Info of many
/// makers). Those that only name a ring tone or a picture do not.
fn asks_for_answer(name: Name, value: &[u8]) -> bool {
    match name {
        Name::AnswerMode | Name::PrivAnswerMode => true,
        Name::AlertInfo | Name::CallInfo => {
            let text = String::from_utf8_lossy(value);
            let letters = proto::sip::uri::unescape(&text).to_ascii_lowercase();
            let letters: String = letters.chars().filter(char::is_ascii_alphanumeric).collect();
            ANSWERING_WORDS.iter().any(|word| letters.contains(word))
        }
        _ => false,
    }
}

/// The status that the caller gets for a device's refusal. A challenge or a redirection is not passed on.
const fn told_to_caller(status: Option<u16>) -> u16 {
    match status {
        None | Some(408 | 487 | 503) => 480,
        Some(401 | 407 | ..300) => 500,
        Some(status) => status,
    }
}

/// Whether a refusal says that the offer does not suit (RFC 3261 §21.4.26, §21.6.4).
pub(super) const fn is_about_session(status: u16) -> bool {
    matches!(status, 488 | 606)
}

/// Of two refusals the one that says more (RFC 3261 §16.7 step 6); of two that say as much the later.
const fn better(before: u16, after: u16) -> u16 {
    if rank(after) >= rank(before) { after } else { before }
}

/// How much a refusal says: 6xx most, then busy, then a fault of the request, then no answer.
const fn rank(status: u16) -> u8 {
    match status {
        600.. => 4,
        486 => 3,
        480 => 1,
        400..=499 => 2,
        _ => 0,
    }
}
