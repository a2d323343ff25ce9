//! Changes of a session (hold, resume, another address) asked for by one side and answered by the
//! other: re-INVITE and UPDATE end to end.

use proto::sip::Reply;

use super::keys::Half;
use super::{CallId, LegId, Switchboard};

impl Switchboard<'_> {
    /// One side wants a change: the other is asked.
    pub(super) fn on_offered(&mut self, call: CallId, id: LegId, sdp: Option<Vec<u8>>) {
        if self.calls.legs.get(&id).is_some_and(|leg| leg.station.is_some()) {
            return self.on_offered_to_station(call, id, sdp);
        }
        self.give_way(call, id);
        let asks_for_offer = sdp.is_none();
        let before = self.last_said(id).filter(|_| !asks_for_offer);
        let told = self.relayed_opt(call, id, sdp, (Half::Offer, Half::Offer));
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.said_before = before;
        }
        let asked = self
            .calls
            .peer_or_ringing(id)
            .filter(|peer| self.ask_leg(*peer, |call, ctx| call.modify(ctx, told)).unwrap_or_default());
        let Some(peer) = asked else {
            self.take_back(call, id);
            self.ask_leg(id, |call, ctx| call.refuse_offer(ctx, Reply::new(491)));
            return;
        };
        if let Some(leg) = self.calls.legs.get_mut(&peer) {
            leg.asked_by = Some(id);
        }
        if let Some(leg) = self.calls.legs.get_mut(&id).filter(|_| asks_for_offer) {
            leg.answers_late = Some(peer);
        }
    }

    /// A side that refused a change with 491 asks for its own before the change was asked for again: its own
    /// comes first, and the leg that asked before gets 491.
    fn give_way(&mut self, call: CallId, id: LegId) {
        let leg = self.calls.legs.get(&id).filter(|leg| leg.machine.waits_to_ask());
        let Some(asker) = leg.and_then(|leg| leg.asked_by) else { return };
        self.ask_leg(id, |call, _| call.ask_no_more());
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.asked_by = None;
        }
        if let Some(leg) = self.calls.legs.get_mut(&asker) {
            leg.answers_late = None;
        }
        self.take_back(call, asker);
        self.ask_leg(asker, |call, ctx| call.refuse_offer(ctx, Reply::new(491)));
    }

    /// A change that a side refused with 491 is asked for again.
    pub(super) fn ask_again(&mut self, call: CallId, id: LegId, sdp: Option<Vec<u8>>) {
        let asked = self.ask_leg(id, |call, ctx| call.modify(ctx, sdp)).unwrap_or_default();
        if !asked {
            self.on_modify_failed(call, id, Some(491));
        }
    }

    /// A side takes its offer back before the other has answered.
    pub(super) fn on_withdrawn(&mut self, call: CallId, id: LegId) {
        self.take_back(call, id);
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.answers_late = None;
        }
        let peer = self.calls.peer(id).and_then(|peer| self.calls.legs.get_mut(&peer));
        if let Some(leg) = peer.filter(|leg| leg.asked_by == Some(id)) {
            leg.asked_by = None;
            leg.outdated = true;
        }
    }

    /// A leg has answered an offer that was taken back meanwhile: the exchange sends it the other side's former
    /// description.
    fn after_withdrawal(&mut self, call: CallId, id: LegId, sdp: Option<Vec<u8>>) {
        self.relayed_opt(call, id, sdp, (Half::Answer, Half::Answer));
        // Where the leg was asked for an offer, no other leg will answer that offer: the next line makes an answer.
        self.ask_leg(id, |call, ctx| call.ack(ctx, None));
        let Some(peer) = self.calls.peer(id) else { return };
        let told = self.relayed_opt(call, peer, self.last_said(peer), (Half::Offer, Half::Offer));
        self.ask_leg(id, |call, ctx| call.modify(ctx, told));
    }

    /// Whether a leg has been asked for something that was taken back; asked once.
    fn is_outdated(&mut self, id: LegId) -> bool {
        self.calls.legs.get_mut(&id).is_some_and(|leg| std::mem::take(&mut leg.outdated))
    }

    /// A change that we asked for was answered, or the ACK of one brought the answer.
    pub(super) fn on_modified(&mut self, call: CallId, id: LegId, sdp: Option<Vec<u8>>) {
        if self.on_answered_to_station(call, id, sdp.as_deref()) {
            return;
        }
        if self.is_outdated(id) {
            return self.after_withdrawal(call, id, sdp);
        }
        if self.cannot_rejoin_by(id, sdp.as_deref()) {
            return self.rejoin_failed(id, Some(488));
        }
        let halves = self.halves_of_change(id);
        let told = self.relayed_opt(call, id, sdp, halves);
        self.set_music(call);
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        self.turn.changed_lamps.extend(leg.extension);
        if let Some(asker) = leg.asked_by.take() {
            if let Some(asker) = self.calls.legs.get_mut(&asker) {
                asker.said_before = None;
            }
            self.ask_leg(asker, |call, ctx| call.accept_offer(ctx, told));
        } else if let Some(joiner) = leg.joined_by.take() {
            self.ask_leg(joiner, |call, ctx| call.answer(ctx, told, &[]));
        } else if let Some(waiting) = leg.answers_late.take() {
            self.acknowledge(waiting, told);
        } else {
            self.after_rejoin(call, id, told);
        }
    }

    /// What a leg's answer to a change of ours is: an offer where it was asked for one; and what it is to
    /// the other side: an answer where that waits for one.
    fn halves_of_change(&self, id: LegId) -> (Half, Half) {
        let Some(leg) = self.calls.legs.get(&id) else { return (Half::Answer, Half::Answer) };
        let asker = leg.asked_by.or(leg.joined_by);
        let waits_late =
            |asker: LegId| self.calls.legs.get(&asker).is_some_and(|a| a.answers_late == Some(id));
        match asker {
            Some(asker) if waits_late(asker) => (Half::Offer, Half::Offer),
            Some(_) => (Half::Answer, Half::Answer),
            None if leg.answers_late.is_some() => (Half::Answer, Half::Answer),
            None if self.is_asked_to_rejoin(id) => (Half::Offer, Half::Offer),
            None => (Half::Answer, Half::Offer),
        }
    }

    /// The other side will not change: neither does this one.
    pub(super) fn on_modify_failed(&mut self, call: CallId, id: LegId, status: Option<u16>) {
        if self.is_outdated(id) {
            return;
        }
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        if let Some(asker) = leg.asked_by.take() {
            let status = status.filter(|status| !matches!(status, 401 | 407)).unwrap_or(488);
            self.take_back(call, asker);
            self.ask_leg(asker, |call, ctx| call.refuse_offer(ctx, Reply::new(status)));
        } else {
            self.rejoin_failed(id, status);
        }
    }

    /// The offer of a leg came to nothing: what it said before holds (RFC 3261 §14.1).
    fn take_back(&mut self, call: CallId, id: LegId) {
        let before = self.calls.legs.get_mut(&id).and_then(|leg| leg.said_before.take());
        self.relayed_opt(call, id, before, (Half::Offer, Half::Offer));
    }

    /// Sends the answer that a leg waits for: to the offer of its 2xx, or to that of its INVITE.
    pub(super) fn acknowledge(&mut self, id: LegId, sdp: Option<Vec<u8>>) {
        self.ask_leg(id, |call, ctx| match call.is_answered() {
            true => call.ack(ctx, sdp),
            false => call.answer(ctx, sdp, &[]),
        });
    }
}
