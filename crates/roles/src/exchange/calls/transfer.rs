//! Transfers (RFC 3515, 3891): the transferor leaves, and the exchange joins transferee and target.
//!
//! The exchange calls the target itself, so the transferee need not know REFER.
//! It joins two answered legs by two re-INVITEs: the transferee gets the target's last description as an offer,
//! and the target then gets the answer. A description that was an answer may hold less than its phone can. Where
//! it does not suit, the exchange asks the transferee, or the target that it calls, for an offer.

use std::time::Duration;

use proto::sdp::Description;
use proto::sip::Reply;
use proto::sip::header::Replaces;
use proto::sip::message::Name;
use proto::sip::usage::call::Refer;

use super::fork::is_about_session;
use super::keys::{Half, SideMedia};
use super::{CallId, LegId, Rejoin, Switchboard, Transfer};
use crate::exchange::ids::{Alarm, ExtensionId};
use crate::exchange::router::Route;

/// How long a transferor may keep its leg once its call has gone, in seconds.
const LEFTOVER_S: u64 = 5;

impl Switchboard<'_> {
    /// A leg asks by REFER to be replaced by another party.
    pub(super) fn on_refer(&mut self, id: LegId, refer: &Refer) {
        let Some(transferee) = self.calls.peer(id) else {
            self.ask_leg(id, |call, ctx| call.refuse_refer(ctx, 603));
            return;
        };
        match refer.replaces.as_deref() {
            Some(value) => self.attended(id, transferee, value),
            None => self.blind(id, transferee, refer),
        }
    }

    /// Blind: the target is called for the transferee, who stays with the transferor until it answers.
    fn blind(&mut self, id: LegId, transferee: LegId, refer: &Refer) {
        let target = match self.route(&refer.to) {
            Route::Extension(target) => target,
            Route::Place(place) => return self.park(id, transferee, Some(place)),
            Route::Park(place) => return self.park(id, transferee, place),
            _ => {
                self.ask_leg(id, |call, ctx| call.accept_refer(ctx));
                self.ask_leg(id, |call, ctx| call.notify_refer(ctx, 404, true));
                return;
            }
        };
        let headers = refer.referred_by.clone().map(|value| (Name::ReferredBy, value)).into_iter().collect();
        let transfer = Transfer { transferor: id, transferee, by_hand: false };
        let Some(call) = self.open_transfer(transfer, target, headers) else {
            self.ask_leg(id, |call, ctx| call.refuse_refer(ctx, 503));
            return;
        };
        self.ask_leg(id, |call, ctx| call.accept_refer(ctx));
        self.ring(call, target);
    }

    /// A call to the target of a transfer, with the transferee's offer. `None` where the relay has no
    /// room.
    pub(super) fn open_transfer(
        &mut self,
        transfer: Transfer,
        target: ExtensionId,
        headers: Vec<(Name, String)>,
    ) -> Option<CallId> {
        let transferee = transfer.transferee;
        let leg = self.calls.legs.get(&transferee)?;
        let caller = leg.extension.unwrap_or(target);
        let number = self.directory.number(target);
        let call = self.open_bridge(caller, &number, headers)?;
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.transfer = Some(transfer);
            bridge.a = Some(transferee);
        }
        if let Some(leg) = self.calls.legs.get_mut(&transfer.transferor) {
            leg.transfers = Some(call);
        }
        let offer = self.relayed_unheld(call, transferee, self.last_said(transferee));
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            // Until the target answers, the transferee belongs to its old call.
            bridge.a = None;
            bridge.offer = offer;
        }
        Some(call)
    }

    /// The transferor hangs up before the target has answered: the transferee waits alone.
    pub(super) fn transferor_left(&mut self, call: CallId, id: LegId, transfer: CallId) {
        let Some(transferee) = self.calls.peer(id) else {
            return self.end_call(call, "nobody is left to talk to");
        };
        self.leave(transferee, id);
        self.take_place(transfer, transferee, None);
    }

    pub(super) fn transfer_progress(&mut self, transfer: Transfer, status: u16) {
        self.ask_leg(transfer.transferor, |call, ctx| call.notify_refer(ctx, status, false));
    }

    pub(super) fn transfer_failed(&mut self, transfer: Transfer, status: u16) {
        self.ask_leg(transfer.transferor, |call, ctx| call.notify_refer(ctx, status, true));
    }

    /// The target of a blind transfer answers: the transferee moves over to it. Where the target has made
    /// an offer it `waits` for the transferee's answer.
    pub(super) fn transfer_answered(
        &mut self,
        call: CallId,
        transfer: Transfer,
        told: Option<Vec<u8>>,
        waits: Option<LegId>,
    ) {
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.transfer = None;
        }
        self.ask_leg(transfer.transferor, |call, ctx| call.notify_refer(ctx, 200, true));
        if !self.calls.legs.contains_key(&transfer.transferee) {
            return self.end_call(call, "the transferred side has hung up");
        }
        if self.calls.legs.get(&transfer.transferee).is_some_and(|leg| leg.call != Some(call)) {
            self.leave(transfer.transferee, transfer.transferor);
            self.take_place(call, transfer.transferee, None);
        }
        if transfer.by_hand {
            self.hang_up_leg(transfer.transferor, None);
        }
        let target = self.calls.peer(transfer.transferee);
        if let Some(target) = target.filter(|target| waits.is_none() && !self.has_sound(*target)) {
            return self.ask_to_rejoin(call, target, transfer.transferee);
        }
        if let Some(leg) = self.calls.legs.get_mut(&transfer.transferee) {
            leg.answers_late = waits;
        }
        if self.ask_leg(transfer.transferee, |call, ctx| call.modify(ctx, told)) != Some(true) {
            self.end_call(call, "the transferred side is busy changing its session");
        }
    }

    /// Attended: the transferee takes the transferor's place in another call of the transferor.
    fn attended(&mut self, id: LegId, transferee: LegId, value: &str) {
        let replaced = Replaces::parse(value).and_then(|replaces| self.calls.find_replaced(&replaces));
        let own = replaced.filter(|other| *other != id && self.same_extension(id, *other));
        let second = own.and_then(|own| Some((own, self.calls.legs.get(&own)?.call?)));
        let Some((own, call)) = second else {
            self.ask_leg(id, |call, ctx| call.refuse_refer(ctx, 481));
            return;
        };
        if let Some(status) = self.cannot_be_handed_over(transferee, own) {
            self.ask_leg(id, |call, ctx| call.refuse_refer(ctx, status));
            return;
        }
        self.ask_leg(id, |call, ctx| call.accept_refer(ctx));
        let Some(target) = self.calls.peer(own) else {
            return self.attended_while_ringing(id, transferee, own, call);
        };
        self.ask_leg(id, |call, ctx| call.notify_refer(ctx, 200, true));
        self.leave(transferee, id);
        self.take_place(call, transferee, Some(own));
        self.dismiss(own);
        self.hang_up_leg(id, None);
        self.rejoin(call, transferee, target);
    }

    /// Why nobody can take the place of a transferor in its second call, `own`, as a status: that call
    /// still rings at the transferor itself (RFC 3891 §3), the exchange alone is at its other end, or a
    /// session changes just now.
    fn cannot_be_handed_over(&self, transferee: LegId, own: LegId) -> Option<u16> {
        let machine = &self.calls.legs.get(&own)?.machine;
        match (machine.is_answered(), self.calls.peer(own)) {
            (false, _) if machine.is_caller() => Some(481),
            (false, _) => None,
            (true, None) => Some(603),
            (true, Some(target)) => {
                let busy = !self.may_change(transferee) || !self.may_change(target);
                busy.then_some(491)
            }
        }
    }

    /// Whether a leg can be offered another session at once.
    pub(super) fn may_change(&self, id: LegId) -> bool {
        let machine = self.calls.legs.get(&id).map(|leg| &leg.machine);
        machine.is_some_and(|machine| machine.is_confirmed() && !machine.is_modifying())
    }

    /// The target still rings: the transferee waits for its answer as after a blind transfer.
    fn attended_while_ringing(&mut self, id: LegId, transferee: LegId, own: LegId, call: CallId) {
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.a = None;
            bridge.transfer = Some(Transfer { transferor: id, transferee, by_hand: false });
        }
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.transfers = Some(call);
        }
        self.let_go(own);
        self.refuse_leg(own, Reply::new(487));
    }

    fn same_extension(&self, one: LegId, other: LegId) -> bool {
        let extension = |id: LegId| self.calls.legs.get(&id).and_then(|leg| leg.extension);
        extension(one).is_some() && extension(one) == extension(other)
    }

    /// A leg leaves its call for another one; what is left of the old call ends.
    pub(super) fn leave(&mut self, leaving: LegId, left: LegId) {
        let Some(call) = self.calls.legs.get(&leaving).and_then(|leg| leg.call) else { return };
        if let Some(leg) = self.calls.legs.get_mut(&leaving) {
            leg.call = None;
            leg.asked_by = None;
            leg.answers_late = None;
        }
        if let Some(leg) = self.calls.legs.get_mut(&left) {
            leg.transfers = None;
        }
        self.let_go(left);
        self.turn.alarms.insert((self.turn.now + Duration::from_secs(LEFTOVER_S), Alarm::Leftover(left)));
        if let Some(bridge) = self.calls.bridges.remove(&call) {
            // Another leg may have taken the transferor's place.
            let stays = |leg: &LegId| *leg != leaving && *leg != left;
            bridge.a.iter().chain(&bridge.b).copied().filter(stays).for_each(|leg| self.dismiss(leg));
            self.close(call, &bridge, "transferred");
        }
    }

    /// Puts a leg into a call, in the place of another leg or into a free place. A leg that is there all the same is
    /// hung up.
    pub(super) fn take_place(&mut self, call: CallId, id: LegId, instead_of: Option<LegId>) {
        let home = self.calls.home_of(id);
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        let party = self.calls.legs.get(&id).and_then(|leg| leg.extension);
        let as_callee = instead_of.is_some_and(|old| bridge.b.contains(&old));
        if instead_of.is_some() {
            let said = self.calls.legs.get(&id).map(|leg| &*leg.remote_sdp).unwrap_or_default();
            let [a, b] = &mut bridge.sides;
            *(if as_callee { b } else { a }) = SideMedia::of(said, home);
        }
        let before = if as_callee {
            std::mem::replace(&mut bridge.b, vec![id])
        } else {
            bridge.a.replace(id).into_iter().collect()
        };
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.call = Some(call);
        }
        for displaced in before.into_iter().filter(|leg| *leg != id && Some(*leg) != instead_of) {
            self.dismiss(displaced);
        }
        let Some(peer) = party.map(|extension| self.peer_of(extension)) else { return };
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            *(if as_callee { &mut bridge.callee } else { &mut bridge.caller }) = peer;
        }
        self.lamps_of_call(call);
    }

    /// A leg whose place is taken goes.
    pub(super) fn dismiss(&mut self, id: LegId) {
        self.let_go(id);
        self.hang_up_leg(id, None);
    }

    /// Joins two answered legs: `first` gets the last description of `second` as an offer, or is asked for an
    /// offer where that has nothing in common with what it said itself.
    fn rejoin(&mut self, call: CallId, first: LegId, second: LegId) {
        if let Some(leg) = self.calls.legs.get_mut(&first) {
            leg.answers_late = None;
            leg.asked_by = None;
        }
        if !self.have_common_sound(first, second) {
            return self.ask_to_rejoin(call, first, second);
        }
        let told = self.relayed_unheld(call, second, self.last_said(second));
        if let Some(leg) = self.calls.legs.get_mut(&second) {
            leg.rejoins = Some(Rejoin::Offered);
        }
        let asked = self.ask_leg(first, |call, ctx| call.modify(ctx, told));
        if asked != Some(true) {
            self.end_call(call, "the transferred side is busy changing its session");
        }
    }

    /// The first of two joined legs has answered: the second gets its description.
    pub(super) fn after_rejoin(&mut self, call: CallId, id: LegId, told: Option<Vec<u8>>) {
        let Some(peer) = self.calls.peer(id) else { return };
        let Some(leg) = self.calls.legs.get_mut(&peer) else { return };
        let Some(rejoin) = leg.rejoins.take() else { return };
        if rejoin == Rejoin::Asked {
            leg.answers_late = Some(id);
        }
        let told = self.ask_leg(peer, |call, ctx| call.modify(ctx, told));
        if rejoin == Rejoin::Asked && told != Some(true) {
            self.end_call(call, "the target is busy changing its session");
        }
    }

    /// Joins two answered legs the other way: `first` is asked for an offer, which `second` gets.
    fn ask_to_rejoin(&mut self, call: CallId, first: LegId, second: LegId) {
        if let Some(leg) = self.calls.legs.get_mut(&second) {
            leg.rejoins = Some(Rejoin::Asked);
        }
        if self.ask_leg(first, |call, ctx| call.modify(ctx, None)) != Some(true) {
            self.end_call(call, "a side is busy changing its session");
        }
    }

    /// Whether what two legs said last can be answers to each other; true where one has said nothing.
    fn have_common_sound(&self, one: LegId, other: LegId) -> bool {
        let said = |id| self.last_said(id).and_then(|said| Description::parse(&said).ok());
        said(one).zip(said(other)).is_none_or(|(mut one, mut other)| one.meet(&mut other))
    }

    /// Whether what a leg said last speaks of sound.
    fn has_sound(&self, id: LegId) -> bool {
        self.calls.legs.get(&id).is_some_and(|leg| speaks_of_sound(&leg.remote_sdp))
    }

    /// Whether an answer to what the other leg last said has no coding of sound in it.
    pub(super) fn cannot_rejoin_by(&self, id: LegId, answer: Option<&[u8]>) -> bool {
        self.rejoining(id) == Some(Rejoin::Offered) && answer.is_some_and(|answer| !speaks_of_sound(answer))
    }

    /// Whether a leg has been asked for an offer so that it can be joined to another.
    pub(super) fn is_asked_to_rejoin(&self, id: LegId) -> bool {
        self.rejoining(id) == Some(Rejoin::Asked)
    }

    /// How a leg came to say what the other side is to be told, where it is joined to that just now.
    fn rejoining(&self, id: LegId) -> Option<Rejoin> {
        self.calls.legs.get(&self.calls.peer(id)?)?.rejoins
    }

    /// A leg takes nothing of what the other one last said, or none at all: it is asked for an offer of its
    /// own, or the call ends.
    pub(super) fn rejoin_failed(&mut self, id: LegId, status: Option<u16>) {
        let narrow = status.is_some_and(is_about_session) && self.rejoining(id) == Some(Rejoin::Offered);
        let call = self.calls.legs.get(&id).and_then(|leg| leg.call);
        match (call, self.calls.peer(id)) {
            (Some(call), Some(peer)) if narrow => self.ask_to_rejoin(call, id, peer),
            (Some(call), _) => self.end_call(call, "the transferred side refused the new session"),
            (None, _) => {}
        }
    }

    /// An INVITE that takes the place of a leg (RFC 3891 §3): a pickup where it rings, else a takeover.
    pub(super) fn on_replacing(&mut self, id: LegId, value: &str) {
        let replaces = Replaces::parse(value);
        let found = replaces.and_then(|replaces| self.calls.find_replaced(&replaces));
        let found = found.and_then(|old| Some((old, self.calls.legs.get(&old)?.call?)));
        let Some((old, call)) = found else { return self.refuse_leg(id, Reply::new(481)) };
        let Some(bridge) = self.calls.bridges.get(&call) else { return };
        let answered = bridge.answered_at.is_some();
        if answered && replaces.is_some_and(|replaces| replaces.early_only) {
            return self.refuse_leg(id, Reply::new(486));
        }
        if !self.may_pick_up(id, old) {
            return self.refuse_leg(id, Reply::new(403));
        }
        if !answered {
            return self.pick_up(id, call);
        }
        let Some(peer) = self.calls.peer(old) else { return self.refuse_leg(id, Reply::new(481)) };
        if !self.may_change(peer) {
            return self.refuse_leg(id, Reply::new(491));
        }
        self.take_place(call, id, Some(old));
        self.dismiss(old);
        let offer = self.last_said(id);
        let answers_late = offer.is_none().then_some(peer);
        let told = self.relayed_opt(call, id, offer, (Half::Offer, Half::Offer));
        if let Some(own) = self.calls.legs.get_mut(&id) {
            own.answers_late = answers_late;
        }
        if let Some(leg) = self.calls.legs.get_mut(&peer) {
            leg.joined_by = Some(id);
        }
        self.ask_leg(peer, |call, ctx| call.modify(ctx, told));
    }
}

fn speaks_of_sound(sdp: &[u8]) -> bool {
    Description::parse(sdp).is_ok_and(|description| description.has_sound())
}
