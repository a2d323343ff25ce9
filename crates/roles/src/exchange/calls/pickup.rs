//! Pickup: a phone takes a call that rings at another extension (deck, BLF pickup and group pickup).

use proto::sdp::Description;
use proto::sip::Reply;

use super::keys::Half;
use super::{CallId, LegId, Switchboard};
use crate::exchange::ids::ExtensionId;

impl Switchboard<'_> {
    pub(super) fn on_pickup(&mut self, leg: LegId, caller: ExtensionId, extension: ExtensionId) {
        let Some(entry) = self.directory.get(extension) else { return };
        if !entry.extension.may_be_watched_by(&self.directory.number(caller)) {
            return self.refuse_leg(leg, Reply::new(403));
        }
        match self.ringing_call(extension) {
            Some(call) => self.pick_up(leg, call),
            None => self.refuse_leg(leg, Reply::new(404)),
        }
    }

    pub(super) fn on_group_pickup(&mut self, leg: LegId, caller: ExtensionId) {
        let own = self.directory.get(caller).and_then(|entry| entry.extension.pickup_group.clone());
        let members =
            self.directory.iter().filter(|(_, entry)| own.is_some() && entry.extension.pickup_group == own);
        let rings = members.filter(|(id, _)| *id != caller).find_map(|(id, _)| self.ringing_call(id));
        match rings {
            Some(call) => self.pick_up(leg, call),
            None => self.refuse_leg(leg, Reply::new(404)),
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
    pub(super) fn pick_up(&mut self, leg: LegId, call: CallId) {
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
            return self.refuse_leg(leg, Reply::new(488));
        };
        self.cancel_branches(call, None);
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        bridge.b = vec![leg];
        if let Some(own) = self.calls.legs.get_mut(&leg) {
            own.call = Some(call);
        }
        self.take_place(call, leg, Some(leg));
        self.mark_answered(call);
        let half = if stands { Half::Offer } else { Half::Answer };
        match meeting {
            Meeting::Both { offer, said } => {
                let told = self.relayed(call, leg, &said, (Half::Offer, half));
                let answer = self.offer_as_answer(call, &offer);
                self.ask_leg(leg, |call, ctx| call.answer(ctx, Some(answer), &[]));
                self.tell_caller(call, a, told, None);
            }
            Meeting::CallerAnswers(said) => {
                let told = self.relayed(call, leg, &said, (Half::Offer, Half::Offer));
                self.tell_caller(call, a, told, Some(leg));
            }
            Meeting::TakerAnswers => {
                let extension = self.calls.legs.get(&leg).and_then(|leg| leg.extension);
                let entry = extension.and_then(|extension| self.directory.get(extension));
                let rule = entry.map(|entry| entry.extension.encryption).unwrap_or_default();
                let offer = self.offer_by_rule(call, rule);
                if let Some(own) = self.calls.legs.get_mut(&leg) {
                    own.answers_late = Some(a);
                }
                self.ask_leg(leg, |call, ctx| call.answer(ctx, offer, &[]));
            }
        }
    }

    /// Sends the caller the description of the leg that took the call; `waiting` gets the caller's answer to it.
    fn tell_caller(&mut self, call: CallId, a: LegId, told: Vec<u8>, waiting: Option<LegId>) {
        match self.calls.bridges.get(&call).and_then(|bridge| bridge.transfer) {
            Some(transfer) => self.transfer_answered(call, transfer, Some(told), waiting),
            None => {
                if let Some(leg) = self.calls.legs.get_mut(&a) {
                    leg.answers_late = waiting;
                }
                self.tell_answer(a, Some(told));
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
