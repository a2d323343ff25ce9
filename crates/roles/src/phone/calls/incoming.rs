//! Being called: ring, wait, turn away, send elsewhere, answer (deck, SIP Call).

use std::time::Duration;

use proto::sdp::Description;
use proto::sip::Reply;
use proto::sip::endpoint::ServerId;
use proto::sip::flow::{Flow, Target};
use proto::sip::header::Replaces;
use proto::sip::message::{Message, Name};
use proto::sip::usage::call::Call;

use super::dial::Rejected;
use super::{CallNumber, Cause, Conversation, Due, EndReason, HistoryKind, Origin, Phase, Purpose, identity};
use crate::phone::Phone;
use crate::phone::desk::Owner;
use crate::phone::event::{By, EventKind};
use crate::phone::facts::ForwardReason;
use crate::settings::{AccountSettings, Forward, Forwards};
use crate::sound::{SoundCommand, Tone};

/// How long a call seems to ring before DND turns it away (deck, Call Forward).
const DND_WAIT: Duration = Duration::from_secs(1);
/// What the deck's phone says of it.
const DND_REASON: &str = "Q.850;cause=18;text=\"No User Responding\"";
/// The shortest session timer that is taken, in seconds (RFC 4028 §5).
const MIN_SESSION_S: u32 = 90;
/// The most Diversion entries of a call that may be forwarded once more.
const MAX_DIVERSIONS: usize = 5;

/// What the phone makes of a new call.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Fate {
    Ring,
    TurnAway,
    Refuse(u16),
    Forward { to: String, reason: ForwardReason },
}

impl Phone {
    /// An INVITE for an account of ours, its transaction standing.
    pub(in super::super) fn on_invite(
        &mut self,
        (id, flow, origin): (ServerId, Flow, Origin),
        request: &Message<'_>,
        account: u8,
    ) {
        let Some(line) = self.lines.line_ref(account) else { return };
        let (peer, hidden) = identity::caller(request, &line.settings);
        let from = Target { transport: flow.transport, remote: flow.remote, name: None };
        let pinned = line.pinned();
        let tag = self.desk.rng.hex(8);
        let Some(mut signalling) = Call::incoming(id, request, tag, from) else {
            return self.reply_plainly(id, account, Reply::new(400));
        };
        if origin.trusted {
            signalling.pin_to_all(pinned);
        }
        let mut call = Conversation::new(account, peer, false, self.desk.now);
        call.origin = origin;
        call.signalling = Some(Box::new(signalling));
        call.home = Some(flow.remote.ip());
        call.diverted_from = identity::diverted_from(request);
        call.called = identity::called(request).filter(|_| self.general.sip.show_called_number);
        call.ring = Some(self.ring_tone(account, request));
        let number = self.calls.add(call);
        self.speak(number, |call, context| call.trying(context));
        let fate = self.fate_of(number, request, hidden);
        if self.speak(number, |call, _| call.session_too_small(MIN_SESSION_S)) == Some(true) {
            return self.turn_down(number, Reply::new(422).header(Name::MinSe, MIN_SESSION_S));
        }
        if let Some(replaces) = request.text(Name::Replaces) {
            return self.on_replaces(number, replaces, request);
        }
        self.meet(number, fate, request);
    }

    fn meet(&mut self, number: CallNumber, fate: Fate, request: &Message<'_>) {
        match fate {
            Fate::Refuse(status) => self.turn_down(number, Reply::new(status)),
            Fate::Forward { to, reason } => self.forward_call(number, &to, reason),
            Fate::TurnAway => {
                self.speak(number, |call, context| call.progress(context, 180, None, false));
                let now = self.desk.now;
                if let Some(call) = self.calls.table.get_mut(&number) {
                    call.phase = Phase::TurningAway;
                    call.wait(now + DND_WAIT, Due::TurnAway);
                }
            }
            Fate::Ring if self.make_room(number) => self.ring(number, request),
            Fate::Ring => self.turn_down(number, Reply::new(486)),
        }
    }

    /// What becomes of a new call: forwards first, then DND, then whether there is room for it.
    fn fate_of(&self, number: CallNumber, request: &Message<'_>, hidden: bool) -> Fate {
        let Some(call) = self.calls.table.get(&number) else { return Fate::Refuse(404) };
        let Some(line) = self.lines.line_ref(call.account) else { return Fate::Refuse(404) };
        let settings = &line.settings;
        if hidden && settings.anonymous.reject.enabled {
            return Fate::Refuse(self.general.refuse.anonymous);
        }
        if line.is_secure_only() && request.session_description().is_none() {
            return Fate::Refuse(488);
        }
        // A stranger is not told where the person is.
        let forwards = self.forwards_for(settings, request).filter(|_| self.is_forwarded_at_all(call));
        let forward =
            |target: Option<&str>, reason| target.map(|to| Fate::Forward { to: to.to_owned(), reason });
        if let Some(fate) =
            forward(forwards.and_then(|it| self.forward_to(&it.always)), ForwardReason::Unconditional)
        {
            return fate;
        }
        let dnd = self.general.dnd_of(settings);
        let on_a_call = self.calls.live().any(|(at, _)| at != number);
        let waiting = self.general.call_waiting.switch.enabled;
        let busy = forward(forwards.and_then(|it| self.forward_to(&it.busy)), ForwardReason::UserBusy);
        match busy {
            Some(fate) if dnd || on_a_call => fate,
            _ if dnd => Fate::TurnAway,
            _ if on_a_call && !waiting => Fate::Refuse(486),
            _ => Fate::Ring,
        }
    }

    /// Whether calls that come from there are forwarded: from strangers only where the settings take them as
    /// anybody else.
    fn is_forwarded_at_all(&self, call: &Conversation) -> bool {
        call.origin.trusted || call.account > 0
    }

    /// The forwards that hold for a call; none for callers that are never forwarded, and for calls
    /// that have been forwarded too often or by this very phone.
    fn forwards_for<'a>(
        &'a self,
        settings: &'a AccountSettings,
        request: &Message<'_>,
    ) -> Option<&'a Forwards> {
        let rules = &self.general.forward_rules;
        let caller = request.from().map(|from| from.user().into_owned()).unwrap_or_default();
        let diversions = || request.values(Name::Diversion);
        let looped = diversions()
            .filter_map(proto::sip::header::Diversion::parse)
            .any(|diversion| diversion.by.user() == settings.user);
        let never =
            rules.never_forwarded.contains(&caller) || looped || diversions().count() >= MAX_DIVERSIONS;
        self.general.forwards_of(settings).filter(|_| !never)
    }

    /// The number of a forward that is on; none where it goes abroad and must not.
    fn forward_to<'a>(&self, forward: &'a Forward) -> Option<&'a str> {
        let abroad = |to: &str| to.starts_with('+') || to.starts_with("00");
        forward.active().filter(|to| self.general.forward_rules.international || !abroad(to))
    }

    fn ring(&mut self, number: CallNumber, request: &Message<'_>) {
        let offer = request.session_description();
        if !self.open_sound(number) {
            return self.turn_down(number, Reply::new(486));
        }
        if let Err(why) = self.try_offer(number, offer) {
            self.note_call(number, &format!("Call refused: {}", why.text));
            return self.turn_down(number, why.reply());
        }
        let now = self.desk.now;
        let call_ref = self.call_ref(number);
        let reliable = self.is_reliable(number);
        self.speak(number, |call, context| call.progress(context, 180, None, reliable));
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        call.plan = None;
        call.hold.offer = offer.map(<[u8]>::to_vec);
        if let Some(ringing_s) = self.general.dialling.ringing_s {
            call.wait(now + Duration::from_secs(u64::from(ringing_s)), Due::RungOut);
        }
        let (name, diverted_from) = (call.peer.name.clone(), call.diverted_from.clone());
        let (called, ring) = (call.called.clone(), call.ring.clone().unwrap_or_default());
        self.plan_no_answer_forward(number, request);
        self.plan_auto_answer(number, request);
        self.note_call(number, &format!("Incoming From:< {}", call_ref.peer));
        self.desk.tell(EventKind::Incoming { call: call_ref, name, diverted_from, called, ring });
    }

    /// The ring tone of a call: what its Alert-Info stands for, else the account's, else the phone's.
    fn ring_tone(&self, account: u8, request: &Message<'_>) -> String {
        let rings = &self.general.rings;
        let settings = self.lines.line_ref(account).map(|line| &line.settings);
        let asked =
            request.text(Name::AlertInfo).filter(|_| settings.is_some_and(|it| it.ring_by_alert_info));
        let by_text = rings.by_alert_info.iter().find(|(text, _)| asked.is_some_and(|it| it.contains(text)));
        let own = settings.and_then(|settings| settings.ring_tone.clone());
        by_text.map(|(_, ring)| ring.clone()).or(own).unwrap_or_else(|| rings.usual.clone())
    }

    fn is_reliable(&self, number: CallNumber) -> bool {
        let account = self.calls.table.get(&number).map(|call| call.account);
        let line = account.and_then(|account| self.lines.line_ref(account));
        line.is_some_and(|line| line.settings.reliable_provisional)
    }

    /// Whether an offer could be taken, tried on a copy: a phone must not ring for a call that it
    /// cannot answer.
    fn try_offer(&self, number: CallNumber, offer: Option<&[u8]>) -> Result<(), Rejected> {
        let sound = self.calls.table.get(&number).and_then(|call| call.sound.as_ref());
        let (Some(offer), Some(sound)) = (offer, sound) else { return Ok(()) };
        let offer = Description::parse(offer).map_err(|error| Rejected::new(400, 399, error))?;
        let tried = sound.talk.clone().receive_offer(&offer);
        tried.map(|_| ()).map_err(|why| Rejected::new(why.status(), why.warning(), why))
    }

    fn plan_no_answer_forward(&mut self, number: CallNumber, request: &Message<'_>) {
        let Some(call) = self.calls.table.get(&number) else { return };
        let Some(line) = self.lines.line_ref(call.account) else { return };
        if !self.is_forwarded_at_all(call) {
            return;
        }
        let Some(forwards) = self.forwards_for(&line.settings, request) else { return };
        let wait = Duration::from_secs(u64::from(forwards.no_answer_after_s));
        if self.forward_to(&forwards.no_answer).is_none() {
            return;
        }
        let at = self.desk.now + wait;
        if let Some(call) = self.calls.table.get_mut(&number) {
            call.wait(at, Due::Forward);
        }
    }

    fn plan_auto_answer(&mut self, number: CallNumber, request: &Message<'_>) {
        let Some(call) = self.calls.table.get(&number) else { return };
        if !call.origin.trusted {
            return self.note_asks_in_vain(number, request, "it does not come from the server");
        }
        let rule = &self.general.auto_answer;
        let own = self.lines.line_ref(call.account).is_some_and(|line| line.settings.auto_answer);
        let others = self.calls.live().count() > 1;
        let intercom = &self.general.intercom;
        let listed = intercom.callers.is_empty() || intercom.callers.contains(&call.peer.number);
        let asked = (intercom.allowed && listed).then(|| asks_for_answer(request)).flatten();
        let wait_s = match asked {
            Some(after_s) if !others || intercom.barge => after_s,
            _ if own && !(others && rule.first_call_only) => rule.delay_s,
            _ => return self.note_asks_in_vain(number, request, "the settings do not allow it now"),
        };
        let (muted, tone) =
            if asked.is_some() { (intercom.muted, intercom.tone) } else { (rule.muted, rule.tone) };
        if tone {
            self.desk.sound(SoundCommand::Tone(Some(Tone::AutoAnswer)));
        }
        let at = self.desk.now + Duration::from_secs(u64::from(wait_s));
        if let Some(call) = self.calls.table.get_mut(&number) {
            call.answers_muted = muted;
            call.wait(at, Due::AutoAnswer);
        }
    }

    /// Tells that a call which wants to be answered by itself only rings.
    fn note_asks_in_vain(&mut self, number: CallNumber, request: &Message<'_>, why: &str) {
        if asks_for_answer(request).is_some() {
            self.note_call(number, &format!("Call {number} asks to be answered by itself and rings: {why}"));
        }
    }

    /// Answers a call that nobody takes up: it is not heard before the caller has confirmed it.
    pub(super) fn answer_by_itself(&mut self, number: CallNumber) {
        if let Some(call) = self.calls.table.get_mut(&number) {
            call.by_itself = true;
            call.muted = call.answers_muted;
        }
        self.answer_call(number);
    }

    /// Answers a call that rings here; another one that is talked in is held.
    pub(in super::super) fn answer_call(&mut self, number: CallNumber) {
        if let Some(other) = self.talked_in().filter(|other| *other != number) {
            self.set_hold(other, true);
        }
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        if call.phase != Phase::Ringing {
            return;
        }
        let offer = call.hold.offer.take();
        let answer = match self.answer_to(number, offer.as_deref()) {
            Ok(answer) => answer,
            Err(why) => return self.turn_down(number, why.reply()),
        };
        if let Some(call) = self.calls.table.get_mut(&number) {
            call.stop_waiting();
            call.phase = Phase::Answering;
            call.answered_at = Some(self.desk.now);
        }
        if offer.is_some() {
            self.agree(number);
        }
        self.speak(number, |call, context| call.answer(context, Some(answer), &[]));
        self.note_call(number, "Answered");
    }

    /// Their ACK came; it may hold the answer to our offer.
    pub(super) fn on_confirmed(&mut self, number: CallNumber, sdp: Option<Vec<u8>>) {
        if let Some(call) = self.calls.table.get_mut(&number) {
            call.acknowledged = true;
        }
        let waiting = self.calls.table.get(&number).and_then(|call| call.sound.as_ref());
        if waiting.is_some_and(|sound| sound.talk.is_waiting()) {
            let answer = sdp.ok_or_else(|| "the ACK has no answer to our offer".to_owned());
            if let Err(why) = answer.and_then(|sdp| self.take_answer(number, &sdp)) {
                return self.hang_up_call(number, Cause::new(Some(488), why, By::Local));
            }
        } else {
            self.agree(number);
        }
        self.stand(number);
    }

    /// They gave up before it was answered here.
    pub(super) fn on_cancelled(&mut self, number: CallNumber, answered_elsewhere: bool) {
        let reason = match answered_elsewhere {
            true => EndReason::AnsweredElsewhere,
            false => "cancelled".into(),
        };
        self.finish(number, Cause::new(Some(487), reason, By::Remote));
    }

    /// A person rejects a call that rings here.
    pub(in super::super) fn reject(&mut self, number: CallNumber, status: Option<u16>) {
        let status = status.unwrap_or(self.general.refuse.reject);
        self.speak(number, |call, context| call.refuse(context, Reply::new(status)));
        if let Some(call) = self.calls.table.get_mut(&number) {
            // Whoever rejects a call has not missed it.
            call.answered_at = None;
        }
        let phrase = proto::sip::build::reason_phrase(status);
        self.remember_as(number, HistoryKind::Received, 0);
        self.finish(number, Cause::new(Some(status), phrase, By::Local));
    }

    /// The phone itself refuses a call; nobody heard it ring.
    pub(super) fn turn_down(&mut self, number: CallNumber, reply: Reply) {
        let cause = Cause::new(Some(reply.status), reply.reason.clone(), By::Local);
        let rang = self.calls.table.get(&number).is_some_and(|call| !call.timers.is_empty());
        self.speak(number, |call, context| call.refuse(context, reply));
        if rang {
            return self.finish(number, cause);
        }
        self.remember_as(number, HistoryKind::Missed, 0);
        self.forget_silently(number, cause);
    }

    /// DND: the caller is told that nobody responds.
    pub(super) fn turn_away(&mut self, number: CallNumber) {
        let status = self.general.refuse.dnd;
        let reply = Reply::new(status).header(Name::Reason, DND_REASON);
        self.speak(number, |call, context| call.refuse(context, reply));
        self.note_call(number, &format!("Do Not Disturb, {status}"));
        self.remember_as(number, HistoryKind::Missed, 0);
        self.forget_silently(number, Cause::new(Some(status), "do not disturb", By::Local));
    }

    /// It rang here in vain.
    pub(super) fn ring_out(&mut self, number: CallNumber) {
        let status = self.general.refuse.no_answer;
        self.speak(number, |call, context| call.refuse(context, Reply::new(status)));
        self.finish(number, Cause::new(Some(status), "nobody answered", By::Local));
    }

    /// It rang here in vain, and goes to the no-answer forward.
    pub(super) fn forward_unanswered(&mut self, number: CallNumber) {
        let Some(call) = self.calls.table.get(&number).filter(|call| call.phase == Phase::Ringing) else {
            return;
        };
        let line = self.lines.line_ref(call.account);
        let forwards = line.and_then(|line| self.general.forwards_of(&line.settings));
        let to = forwards.and_then(|forwards| self.forward_to(&forwards.no_answer)).map(str::to_owned);
        if let Some(to) = to {
            self.forward_call(number, &to, ForwardReason::NoAnswer);
        }
    }

    /// 302 with Contact and Diversion (deck, Call Forward; RFC 5806).
    fn forward_call(&mut self, number: CallNumber, to: &str, reason: ForwardReason) {
        let call_ref = self.call_ref(number);
        let Some(line) = self.lines.line_ref(call_ref.account) else { return };
        let contact = format!("<{}>", line.address_with_port(to));
        let mut reply = Reply::new(302).header(Name::Contact, contact);
        if self.general.forward_rules.diversion {
            let spelled = match reason {
                ForwardReason::NoAnswer if line.settings.advanced.diversion_with_blank => "no answer",
                other => other.name(),
            };
            let by = &line.identity.contact;
            reply = reply.header(Name::Diversion, format_args!("{by};reason={spelled}"));
        }
        let reply = reply.header(Name::Allow, line.identity.allow);
        self.speak(number, |call, context| call.refuse(context, reply));
        self.note_call(number, &format!("Forwarded To:< {to}, {}", reason.name()));
        self.remember_as(number, HistoryKind::Forwarded, 0);
        self.desk.tell(EventKind::Forwarded { call: call_ref, to: to.to_owned(), reason });
        let rang = self.calls.table.get(&number).is_some_and(|call| !call.timers.is_empty());
        let cause = Cause::new(Some(302), "forwarded", By::Local);
        if rang { self.finish(number, cause) } else { self.forget_silently(number, cause) }
    }

    /// A person sends a call that rings here elsewhere.
    pub(in super::super) fn deflect(&mut self, number: CallNumber, to: &str) {
        self.forward_call(number, to, ForwardReason::Deflection);
    }

    /// Ends a call of which nobody was told.
    fn forget_silently(&mut self, number: CallNumber, cause: Cause) {
        let now = self.desk.now;
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        call.stop_waiting();
        call.phase = Phase::Over;
        call.wait(now + super::AFTERLIFE, Due::Forget);
        let session = call.sound.take().map(|sound| sound.session);
        let text = format!("Call {number} turned away, {}", cause.reason);
        let stranger = call.origin.ip.filter(|_| !call.origin.trusted);
        if let Some(session) = session {
            self.desk.sound(SoundCommand::Close { session });
        }
        match stranger {
            Some(source) => self.desk.warn_of("calls turned away", source, &text),
            None => self.note_call(number, &text),
        }
    }

    /// INVITE with Replaces: the call takes the place of another (RFC 3891 §3).
    fn on_replaces(&mut self, number: CallNumber, value: &str, request: &Message<'_>) {
        let Some(replaces) = Replaces::parse(value) else { return self.turn_down(number, Reply::new(400)) };
        // It would answer itself.
        if self.calls.table.get(&number).is_none_or(|call| !call.origin.trusted) {
            return self.turn_down(number, Reply::new(403));
        }
        let named = |call: &Conversation| {
            call.signalling.as_ref().is_some_and(|signalling| signalling.is_named_by(&replaces))
        };
        let old = self.calls.table.iter().find(|(at, call)| **at != number && named(call));
        let Some((old, phase, outgoing)) = old.map(|(at, call)| (*at, call.phase, call.outgoing)) else {
            return self.turn_down(number, Reply::new(481));
        };
        let refusal = match phase {
            Phase::Over => Some(603),
            Phase::Talking | Phase::Answering if replaces.early_only => Some(486),
            Phase::Talking | Phase::Answering => None,
            // Only whoever began an early dialog may have it replaced.
            Phase::Calling | Phase::Ringback if outgoing => None,
            _ => Some(481),
        };
        if let Some(status) = refusal {
            return self.turn_down(number, Reply::new(status));
        }
        let offer = request.session_description().map(<[u8]>::to_vec);
        if !self.open_sound(number) {
            return self.turn_down(number, Reply::new(486));
        }
        if let Err(why) = self.try_offer(number, offer.as_deref()) {
            return self.turn_down(number, why.reply());
        }
        self.replace(number, old, offer);
    }

    fn replace(&mut self, number: CallNumber, old: CallNumber, offer: Option<Vec<u8>>) {
        let held = self.calls.table.get(&old).is_some_and(|call| call.hold.is_wanted());
        let purpose = self.calls.table.get(&old).map_or(Purpose::Plain, |call| call.purpose);
        if let Some(call) = self.calls.table.get_mut(&number) {
            call.hold.offer = offer;
            call.purpose = purpose;
        }
        self.note_call(number, &format!("Call {old} replaced by call {number}"));
        self.hang_up_call(old, Cause::new(None, "replaced", By::Remote));
        self.answer_by_itself(number);
        if held {
            self.set_hold(number, true);
        }
    }

    /// Refuses an INVITE of which no call could be made.
    fn reply_plainly(&mut self, id: ServerId, account: u8, reply: Reply) {
        if let Some(line) = self.lines.line(account) {
            line.context(&mut self.desk, Owner::KeepAlive).reply(id, reply);
        }
    }
}

/// After how many seconds the caller wants the call to answer itself: Call-Info `answer-after`,
/// Alert-Info, Answer-Mode (RFC 5373).
fn asks_for_answer(request: &Message<'_>) -> Option<u32> {
    let call_info = request.headers(Name::CallInfo).find_map(|value| {
        let text = std::str::from_utf8(value).ok()?;
        let (_, after) = text.split_once("answer-after=")?;
        let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok().map(|after_s| after_s.min(60))
    });
    let alert = request.headers(Name::AlertInfo).any(|value| {
        let text = String::from_utf8_lossy(value).to_ascii_lowercase();
        ["alert-autoanswer", "auto answer", "autoanswer", "ring-answer", "intercom"]
            .iter()
            .any(|word| text.contains(word))
    });
    let mode = [Name::AnswerMode, Name::PrivAnswerMode].into_iter().any(|name| {
        request.text(name).is_some_and(|value| {
            value.split(';').next().is_some_and(|mode| mode.trim().eq_ignore_ascii_case("auto"))
        })
    });
    call_info.or((alert || mode).then_some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_may_ask_for_an_answer() {
        let check = |header: &str, after: Option<u32>| {
            let text = format!("INVITE sip:a@b SIP/2.0\r\n{header}\r\n\r\n");
            let request = Message::parse(text.as_bytes()).expect("a message");
            assert_eq!(asks_for_answer(&request), after, "{header}");
        };
        check("Call-Info: <sip:h>;answer-after=3", Some(3));
        check("Call-Info: <sip:h>;answer-after=999999", Some(60));
        check("Alert-Info: <http://h>;info=alert-autoanswer", Some(0));
        check("Answer-Mode: Auto;require", Some(0));
        check("Answer-Mode: Manual", None);
        check("Alert-Info: <http://h>;info=external", None);
    }
}
