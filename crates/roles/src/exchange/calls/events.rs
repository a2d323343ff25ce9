//! What one leg reports is passed on to the other leg.

use proto::sip::Reply;
use proto::sip::usage::call::Event as CallEvent;

use super::keys::Half;
use super::{CallId, LegId, Switchboard};
use crate::exchange::{Event, Output};

impl Switchboard<'_> {
    pub(super) fn on_leg_event(&mut self, id: LegId, event: CallEvent) {
        let Some(call) = self.calls.legs.get(&id).and_then(|leg| leg.call) else {
            return self.on_leftover_event(id, event);
        };
        match event {
            CallEvent::Progress { status, sdp } => self.on_progress(call, id, status, sdp),
            CallEvent::Answered { sdp, needs_ack } => self.on_answered(call, id, sdp, needs_ack),
            CallEvent::Redirected { contacts, diversion, .. } => {
                self.on_redirected(call, id, &contacts, diversion);
            }
            CallEvent::Failed { status, .. } => self.on_branch_failed(call, id, status),
            CallEvent::Confirmed { sdp } => self.on_confirmed(call, id, sdp),
            CallEvent::Cancelled { .. } => self.end_call(call, "cancelled"),
            CallEvent::Offered { sdp } => self.on_offered(call, id, sdp),
            CallEvent::Withdrawn => self.on_withdrawn(call, id),
            CallEvent::Modified { sdp } => self.on_modified(call, id, sdp),
            CallEvent::ModifyFailed { status } => self.on_modify_failed(call, id, status),
            CallEvent::MayAskAgain { sdp } => self.ask_again(call, id, sdp),
            CallEvent::ReferReceived(refer) => self.on_refer(id, &refer),
            CallEvent::Info { content_type, body } => self.on_info(id, &content_type, body),
            CallEvent::Ended { reason, .. } => self.on_ended(call, id, &reason),
            CallEvent::Refreshed { .. }
            | CallEvent::ReferAccepted
            | CallEvent::ReferRefused { .. }
            | CallEvent::ReferProgress { .. } => {}
        }
    }

    /// An event of a leg that has handed its call over or was cancelled: all it may do is end.
    fn on_leftover_event(&mut self, id: LegId, event: CallEvent) {
        match event {
            CallEvent::Offered { .. } => {
                self.ask_leg(id, |call, ctx| call.refuse_offer(ctx, Reply::new(488)));
            }
            CallEvent::ReferReceived(_) => {
                self.ask_leg(id, |call, ctx| call.refuse_refer(ctx, 403));
            }
            CallEvent::Answered { .. } => self.hang_up_leg(id, None),
            _ => {}
        }
    }

    fn on_progress(&mut self, call: CallId, id: LegId, status: u16, sdp: Option<Vec<u8>>) {
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.ringing = true;
            self.turn.changed_lamps.extend(leg.extension);
        }
        let (status, sdp) = self.early_media(call, id, status, sdp);
        let Some(bridge) = self.calls.bridges.get(&call) else { return };
        if let Some(transfer) = bridge.transfer {
            self.transfer_progress(transfer, status);
        } else if let Some(a) = bridge.a {
            let reliable = sdp.is_some();
            self.ask_leg(a, |call, ctx| call.progress(ctx, status, sdp, reliable));
            let extension = self.calls.legs.get(&a).and_then(|leg| leg.extension);
            self.turn.changed_lamps.extend(extension);
        }
    }

    /// The early description that the caller gets. None while several devices ring: the caller has one dialog, and
    /// its first description would bind the device that answers (RFC 3261 §13.2.1). None either where the caller has
    /// made no offer.
    fn early_media(
        &mut self,
        call: CallId,
        id: LegId,
        status: u16,
        sdp: Option<Vec<u8>>,
    ) -> (u16, Option<Vec<u8>>) {
        let bridge = self.calls.bridges.get(&call);
        let one_answers = bridge.is_some_and(|bridge| bridge.b.len() < 2 && bridge.offer.is_some());
        match sdp {
            Some(sdp) if !one_answers => {
                if let Some(leg) = self.calls.legs.get_mut(&id) {
                    leg.remote_sdp = sdp;
                }
                (180, None)
            }
            sdp => (status, self.relayed_opt(call, id, sdp, (Half::Answer, Half::Answer))),
        }
    }

    fn on_answered(&mut self, call: CallId, id: LegId, sdp: Option<Vec<u8>>, needs_ack: bool) {
        self.cancel_branches(call, Some(id));
        if self.calls.bridges.get(&call).is_some_and(|bridge| bridge.then.is_some()) {
            return self.go_on_to_callee(call, id, sdp);
        }
        // Where a reliable 183 has brought the answer, the 200 has none (RFC 3261 §13.2.1); the caller may
        // not have had it reliably.
        let halves = self.halves_of_answer(call, needs_ack);
        let told = self.relayed_opt(call, id, sdp.or_else(|| self.last_said(id)), halves);
        self.mark_answered(call);
        let Some(bridge) = self.calls.bridges.get(&call) else { return };
        match (bridge.transfer, bridge.a) {
            (Some(transfer), _) => {
                self.transfer_answered(call, transfer, told, needs_ack.then_some(id));
            }
            (None, Some(a)) => {
                if let Some(leg) = self.calls.legs.get_mut(&a).filter(|_| needs_ack) {
                    leg.answers_late = Some(id);
                }
                self.tell_answer(a, told);
            }
            (None, None) => self.end_call(call, "nobody is left to talk to"),
        }
    }

    /// What the answer of the called is: an offer where the caller had made none; and what it is to the
    /// caller: an offer too where its leg is answered already.
    fn halves_of_answer(&self, call: CallId, needs_ack: bool) -> (Half, Half) {
        let Some(bridge) = self.calls.bridges.get(&call) else { return (Half::Answer, Half::Answer) };
        let caller = bridge.a.and_then(|a| self.calls.legs.get(&a));
        let stands = bridge.transfer.is_some() || caller.is_some_and(|leg| leg.machine.is_answered());
        match (needs_ack, stands) {
            (true, _) => (Half::Offer, Half::Offer),
            (false, true) => (Half::Answer, Half::Offer),
            (false, false) => (Half::Answer, Half::Answer),
        }
    }

    /// Tells the caller what the called has answered: by the answer to its INVITE, or by a re-INVITE
    /// where its own leg is answered already.
    pub(super) fn tell_answer(&mut self, a: LegId, told: Option<Vec<u8>>) {
        self.ask_leg(a, |call, ctx| {
            if call.is_answered() {
                call.modify(ctx, told);
            } else {
                call.answer(ctx, told, &[]);
            }
        });
    }

    pub(super) fn mark_answered(&mut self, call: CallId) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        if bridge.answered_at.is_none() {
            bridge.answered_at = Some(self.turn.now);
            self.turn.told.extend(self.calls.view(call).map(|view| Output::Event(Event::CallAnswered(view))));
            self.set_no_answer(call, None);
        }
        self.lamps_of_call(call);
    }

    /// The lamps of everybody in a call are to be told anew.
    pub(super) fn lamps_of_call(&mut self, call: CallId) {
        let Some(bridge) = self.calls.bridges.get(&call) else { return };
        let legs = bridge.a.iter().chain(&bridge.b).filter_map(|leg| self.calls.legs.get(leg));
        self.turn.changed_lamps.extend(legs.filter_map(|leg| leg.extension));
    }

    /// The ACK came; with the answer, where the caller had asked for an offer.
    fn on_confirmed(&mut self, call: CallId, id: LegId, sdp: Option<Vec<u8>>) {
        if self.on_answered_to_station(call, id, sdp.as_deref()) {
            return;
        }
        let waiting = self.calls.legs.get_mut(&id).and_then(|leg| leg.answers_late.take());
        if let Some(waiting) = waiting {
            let sdp = self.relayed_opt(call, id, sdp, (Half::Answer, Half::Answer));
            self.acknowledge(waiting, sdp);
        }
    }

    /// INFO of a device: pressed keys go to the other leg, anything else is dropped.
    fn on_info(&mut self, id: LegId, content_type: &str, body: Vec<u8>) {
        let known = ["application/dtmf-relay", "application/dtmf"];
        let Some(content_type) = known.into_iter().find(|known| *known == content_type) else { return };
        if let Some(peer) = self.calls.peer(id) {
            self.ask_leg(peer, |call, ctx| call.info(ctx, content_type, body));
        }
    }

    fn on_ended(&mut self, call: CallId, id: LegId, reason: &str) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        if bridge.answered_at.is_none() && bridge.a != Some(id) {
            return self.on_branch_failed(call, id, None);
        }
        let transfer = self.calls.legs.get(&id).and_then(|leg| leg.transfers);
        match transfer.filter(|transfer| self.calls.bridges.contains_key(transfer)) {
            Some(transfer) => self.transferor_left(call, id, transfer),
            None => self.end_call(call, reason),
        }
    }
}
