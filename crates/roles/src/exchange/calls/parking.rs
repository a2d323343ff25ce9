//! Parked calls: a leg waits at a parking place until a phone dials that place (deck, Call Park).

use std::collections::BTreeMap;
use std::time::Duration;

use proto::sdp::SrtpPolicy;
use proto::sip::Reply;

use super::keys::{Half, was_secure};
use super::{CallId, LegId, Service, Switchboard};
use crate::exchange::ids::{Alarm, ExtensionId};
use crate::exchange::turn::Turn;
use crate::exchange::{Event, Output};

/// Which call waits at which parking place; bounded by the places.
#[derive(Debug, Default)]
pub(in crate::exchange) struct ParkedCalls(BTreeMap<ExtensionId, CallId>);

impl ParkedCalls {
    /// The call that waits at a place.
    pub(in crate::exchange) fn at(&self, place: ExtensionId) -> Option<CallId> {
        self.0.get(&place).copied()
    }

    /// How many calls wait.
    pub(in crate::exchange) fn count(&self) -> usize {
        self.0.len()
    }

    /// A call waits at a place from now on.
    pub(super) fn put(&mut self, turn: &mut Turn, place: ExtensionId, call: CallId) {
        self.0.insert(place, call);
        turn.changed_lamps.insert(place);
    }

    /// The place is free again.
    pub(super) fn take(&mut self, turn: &mut Turn, place: ExtensionId) {
        self.0.remove(&place);
        turn.changed_lamps.insert(place);
    }
}

impl Switchboard<'_> {
    /// Parks the transferee: a leg has asked for a transfer to a parking place, or to any that is free.
    pub(super) fn park(&mut self, id: LegId, transferee: LegId, wanted: Option<ExtensionId>) {
        let is_free = |place: &ExtensionId| self.calls.parked.at(*place).is_none();
        let place = wanted.or_else(|| self.directory.places().find(is_free)).filter(is_free);
        let Some(place) = place else {
            self.ask_leg(id, |call, ctx| call.refuse_refer(ctx, 486));
            return;
        };
        if !self.may_change(transferee) {
            self.ask_leg(id, |call, ctx| call.refuse_refer(ctx, 491));
            return;
        }
        let extension = |leg: LegId| self.calls.legs.get(&leg).and_then(|leg| leg.extension);
        let (by, parked) = (extension(id), extension(transferee));
        let number = self.directory.number(place);
        let Some(call) = self.open_bridge(parked.unwrap_or(place), &number, Vec::new()) else {
            self.ask_leg(id, |call, ctx| call.refuse_refer(ctx, 503));
            return;
        };
        self.ask_leg(id, |call, ctx| {
            call.accept_refer(ctx);
            call.notify_refer(ctx, 200, true);
        });
        self.leave(transferee, id);
        self.take_place(call, transferee, None);
        let said = self.calls.legs.get(&transferee).map(|leg| was_secure(&leg.remote_sdp));
        let srtp = match said.unwrap_or_default() {
            (_, true) => SrtpPolicy::Required,
            (true, false) => SrtpPolicy::Optional,
            (false, false) => SrtpPolicy::Off,
        };
        let mut station = self.station(call, srtp);
        let offer = station.offer().to_bytes();
        self.occupy(call, transferee, Service::Parked { place, by }, station);
        self.mark_answered(call);
        let number = self.directory.number(place);
        let caller = parked.map(|parked| self.directory.number(parked)).unwrap_or_default();
        self.turn.told.push(Output::Event(Event::Parked { call: call.0, place: number, caller }));
        let recall_at = self.turn.now + Duration::from_secs(u64::from(self.config.parking.recall_s.max(1)));
        self.turn.alarms.insert((recall_at, Alarm::ServiceOver(call)));
        if self.ask_leg(transferee, |call, ctx| call.modify(ctx, Some(offer))) != Some(true) {
            self.end_call(call, "the parked side is busy changing its session");
        }
    }

    /// The leg that dials a parking place takes the call that waits there.
    pub(super) fn retrieve(&mut self, leg: LegId, place: ExtensionId) {
        let Some(call) = self.calls.parked.at(place) else {
            return self.refuse_leg(leg, Reply::new(404));
        };
        let waiting = self.calls.bridges.get(&call).and_then(|bridge| bridge.a);
        if !waiting.is_some_and(|parked| self.may_change(parked)) {
            return self.refuse_leg(leg, Reply::new(491));
        }
        let Some(parked) = self.vacate(call) else { return };
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.b = vec![leg];
        }
        self.take_place(call, leg, Some(leg));
        let offer = self.last_said(leg);
        let answers_late = offer.is_none().then_some(parked);
        let told = self.relayed_opt(call, leg, offer, (Half::Offer, Half::Offer));
        if let Some(own) = self.calls.legs.get_mut(&leg) {
            own.answers_late = answers_late;
        }
        if let Some(parked) = self.calls.legs.get_mut(&parked) {
            parked.joined_by = Some(leg);
        }
        if self.ask_leg(parked, |call, ctx| call.modify(ctx, told)) != Some(true) {
            self.end_call(call, "the parked side is busy changing its session");
        }
    }

    /// A parked call was not retrieved in time: the exchange calls the extension that parked it.
    pub(super) fn recall(&mut self, call: CallId, by: Option<ExtensionId>) {
        let (Some(parked), Some(by)) = (self.vacate(call), by) else {
            return self.end_call(call, "parked for too long");
        };
        let offer = self.relayed_unheld(call, parked, self.last_said(parked));
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.offer = offer;
            bridge.answered_at = None;
        }
        self.ring(call, by);
    }
}
