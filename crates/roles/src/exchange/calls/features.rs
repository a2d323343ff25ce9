//! Feature codes: pickup, call return, intercom, forwarding and do-not-disturb by dialling, and what the
//! exchange itself answers.

use proto::Time;
use proto::sdp::Description;
use proto::sip::{Name, Reply};

use super::keys::Half;
use super::{CallId, LegId, Service, Switchboard};
use crate::exchange::directory::Entry;
use crate::exchange::ids::ExtensionId;
use crate::exchange::router::{ForwardKind, Route};

impl Switchboard<'_> {
    /// A feature code was dialled, or a number that means nothing (404).
    pub(super) fn on_feature(&mut self, now: Time, leg: LegId, caller: ExtensionId, route: Route) {
        match route {
            Route::Pickup(extension) => self.on_pickup(now, leg, caller, extension),
            Route::GroupPickup => self.on_group_pickup(now, leg, caller),
            Route::CallReturn => self.on_call_return(now, leg, caller),
            Route::Intercom(callee) => self.on_intercom(now, leg, caller, callee),
            Route::Place(place) => self.retrieve(now, leg, place),
            Route::Echo => self.on_service(now, leg, caller, Service::Echo),
            Route::TestTone => self.on_service(now, leg, caller, Service::TestTone),
            Route::Forward(kind, target) => self.on_forward_code(now, leg, caller, kind, target),
            Route::DoNotDisturb => {
                self.directory.change(self.turn, caller, |own| own.do_not_disturb = !own.do_not_disturb);
                self.confirm(now, leg, caller);
            }
            Route::Extension(_) | Route::Park(_) | Route::Nobody => {
                self.refuse_leg(now, leg, Reply::new(404))
            }
        }
    }

    /// A setting was changed: the phone hears a confirmation tone, or gets 480 with a phrase where it has none of our
    /// codecs.
    fn confirm(&mut self, now: Time, leg: LegId, caller: ExtensionId) {
        let code = self.dialled(leg);
        if !self.serve(now, leg, caller, &code, Service::Confirmation) {
            self.refuse_leg(now, leg, Reply::new(480).reason("Setting Stored"));
        }
    }

    fn on_service(&mut self, now: Time, leg: LegId, caller: ExtensionId, service: Service) {
        let code = self.dialled(leg);
        if !self.serve(now, leg, caller, &code, service) {
            self.refuse_leg(now, leg, Reply::new(488));
        }
    }

    /// What was dialled by an incoming leg.
    fn dialled(&self, leg: LegId) -> String {
        let uri = self.calls.legs.get(&leg).map(|leg| leg.machine.dialog().local.uri.clone());
        let user = uri.as_deref().and_then(proto::sip::Uri::parse).map(|uri| uri.plain_user().into_owned());
        user.unwrap_or_default()
    }

    /// Calls an extension whose phone is to answer by itself; 486 where that is on a call.
    fn on_intercom(&mut self, now: Time, leg: LegId, caller: ExtensionId, callee: ExtensionId) {
        let number = self.directory.number(caller);
        let may_open = |entry: &Entry| entry.extension.may_be_opened_by(&number);
        if !self.directory.get(callee).is_some_and(may_open) {
            return self.refuse_leg(now, leg, Reply::new(403));
        }
        let Some(entry) = self.directory.get(callee) else { return };
        if !self.calls.legs_of(callee).is_empty() {
            return self.refuse_leg(now, leg, Reply::new(486));
        }
        let (number, host) = (entry.extension.number.clone(), self.config.relay.address);
        let headers = vec![
            (Name::CallInfo, format!("<sip:{host}>;answer-after=0")),
            (Name::AlertInfo, format!("<http://{host}>;info=alert-autoanswer;delay=0")),
        ];
        if let Some(call) = self.open_call(now, leg, caller, &number, headers) {
            self.ring(now, call, callee);
        }
    }

    /// Whether headers of the caller's INVITE may make the called phone answer by itself.
    pub(super) fn may_open_by_headers(&self, caller: ExtensionId, callee: ExtensionId) -> bool {
        let number = self.directory.number(caller);
        self.directory.get(callee).is_some_and(|entry| entry.extension.may_be_opened_by_headers_of(&number))
    }

    fn on_forward_code(
        &mut self,
        now: Time,
        leg: LegId,
        caller: ExtensionId,
        kind: ForwardKind,
        target: Option<String>,
    ) {
        let is_known = |number: &str| matches!(self.route_number(number), Route::Extension(_));
        let unknown = target.as_deref().is_some_and(|number| !is_known(number));
        if unknown {
            return self.refuse_leg(now, leg, Reply::new(404));
        }
        self.directory.change(self.turn, caller, |own| match kind {
            ForwardKind::Always => own.forward.always = target,
            ForwardKind::Busy => own.forward.busy = target,
            ForwardKind::NoAnswer => own.forward.no_answer = target,
        });
        self.confirm(now, leg, caller);
    }

    fn on_call_return(&mut self, now: Time, leg: LegId, caller: ExtensionId) {
        let last = self.calls.last_callers.get(&caller).cloned();
        let target = last.and_then(|number| self.directory.find(&number));
        let Some(target) = target else { return self.refuse_leg(now, leg, Reply::new(404)) };
        let number = self.directory.number(target);
        if let Some(call) = self.open_call(now, leg, caller, &number, Vec::new()) {
            self.ring(now, call, target);
        }
    }

    fn on_pickup(&mut self, now: Time, leg: LegId, caller: ExtensionId, extension: ExtensionId) {
        let Some(entry) = self.directory.get(extension) else { return };
        if !entry.extension.may_be_watched_by(&self.directory.number(caller)) {
            return self.refuse_leg(now, leg, Reply::new(403));
        }
        match self.ringing_call(extension) {
            Some(call) => self.pick_up(now, leg, call),
            None => self.refuse_leg(now, leg, Reply::new(404)),
        }
    }

    fn on_group_pickup(&mut self, now: Time, leg: LegId, caller: ExtensionId) {
        let own = self.directory.get(caller).and_then(|entry| entry.extension.pickup_group.clone());
        let members =
            self.directory.iter().filter(|(_, entry)| own.is_some() && entry.extension.pickup_group == own);
        let rings = members.filter(|(id, _)| *id != caller).find_map(|(id, _)| self.ringing_call(id));
        match rings {
            Some(call) => self.pick_up(now, leg, call),
            None => self.refuse_leg(now, leg, Reply::new(404)),
        }
    }

    /// The call that rings longest at an extension.
    fn ringing_call(&self, extension: ExtensionId) -> Option<CallId> {
        let legs = self.calls.legs_of(extension).iter().filter_map(|id| self.calls.legs.get(id));
        let waiting = legs.filter(|leg| leg.machine.is_caller()).filter_map(|leg| leg.call);
        waiting
            .filter(|call| {
                let bridge = self.calls.bridges.get(call).filter(|bridge| bridge.answered_at.is_none());
                bridge.is_some_and(|bridge| bridge.a.is_some() || bridge.transfer.is_some())
            })
            .min()
    }

    /// Whether the caller may take over a leg of another extension.
    pub(super) fn may_pick_up(&self, id: LegId, old: LegId) -> bool {
        let extension = |id: LegId| self.calls.legs.get(&id).and_then(|leg| leg.extension);
        let (Some(own), Some(other)) = (extension(id), extension(old)) else { return false };
        let number = self.directory.number(own);
        self.directory.get(other).is_some_and(|entry| entry.extension.may_be_watched_by(&number))
    }

    /// The leg that dialled the code takes a call that rings at another extension. A caller whose own leg was
    /// answered before (after a transfer, a recall, a call made by hand) gets a re-INVITE.
    pub(super) fn pick_up(&mut self, now: Time, leg: LegId, call: CallId) {
        let bridge = self.calls.bridges.get(&call);
        let transfer = bridge.and_then(|bridge| bridge.transfer);
        let waiting = bridge.and_then(|bridge| bridge.a).or(transfer.map(|transfer| transfer.transferee));
        let stands = waiting.and_then(|a| self.calls.legs.get(&a)).is_some_and(|a| a.machine.is_answered());
        let offers = (bridge.and_then(|bridge| bridge.offer.as_deref()), self.last_said(leg));
        let meeting = match offers {
            (Some(offer), Some(said)) => met(offer, &said),
            (None, Some(said)) => Some(Meeting::CallerAnswers(said)),
            (Some(_), None) if !stands => Some(Meeting::TakerAnswers),
            (_, None) => None,
        };
        let Some((a, meeting)) = waiting.zip(meeting) else {
            return self.refuse_leg(now, leg, Reply::new(488));
        };
        self.cancel_branches(now, call, None);
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        bridge.b = vec![leg];
        if let Some(own) = self.calls.legs.get_mut(&leg) {
            own.call = Some(call);
        }
        self.take_place(call, leg, Some(leg));
        self.mark_answered(now, call);
        let half = if stands { Half::Offer } else { Half::Answer };
        match meeting {
            Meeting::Both { offer, said } => {
                let told = self.relayed(call, leg, &said, (Half::Offer, half));
                let answer = self.offer_as_answer(call, &offer);
                self.ask_leg(now, leg, |call, ctx| call.answer(ctx, Some(answer), &[]));
                self.tell_caller(now, call, a, told, None);
            }
            Meeting::CallerAnswers(said) => {
                let told = self.relayed(call, leg, &said, (Half::Offer, Half::Offer));
                self.tell_caller(now, call, a, told, Some(leg));
            }
            Meeting::TakerAnswers => {
                let extension = self.calls.legs.get(&leg).and_then(|leg| leg.extension);
                let entry = extension.and_then(|extension| self.directory.get(extension));
                let rule = entry.map(|entry| entry.extension.encryption).unwrap_or_default();
                let offer = self.offer_by_rule(call, rule);
                if let Some(own) = self.calls.legs.get_mut(&leg) {
                    own.answers_late = Some(a);
                }
                self.ask_leg(now, leg, |call, ctx| call.answer(ctx, offer, &[]));
            }
        }
    }

    /// Sends the caller the description of the leg that took the call; `waiting` gets the caller's answer to it.
    fn tell_caller(&mut self, now: Time, call: CallId, a: LegId, told: Vec<u8>, waiting: Option<LegId>) {
        match self.calls.bridges.get(&call).and_then(|bridge| bridge.transfer) {
            Some(transfer) => self.transfer_answered(now, call, transfer, Some(told), waiting),
            None => {
                if let Some(leg) = self.calls.legs.get_mut(&a) {
                    leg.answers_late = waiting;
                }
                self.tell_answer(now, a, Some(told));
            }
        }
    }
}

/// How the leg that takes a call and the caller agree upon a session.
enum Meeting {
    /// Both have offered: each is answered with what both can, as the other offered it.
    Both { offer: Vec<u8>, said: Vec<u8> },
    /// Only the taker has offered: the caller gets that offer, and the taker gets the caller's answer.
    CallerAnswers(Vec<u8>),
    /// Only the caller has offered: the taker gets that offer, and the caller gets the taker's answer.
    TakerAnswers,
}

/// Two offers as answers to each other; `None` where they have nothing in common.
fn met(first: &[u8], second: &[u8]) -> Option<Meeting> {
    let (mut first, mut second) = (Description::parse(first).ok()?, Description::parse(second).ok()?);
    let meet = first.meet(&mut second);
    meet.then(|| Meeting::Both { offer: first.to_bytes(), said: second.to_bytes() })
}
