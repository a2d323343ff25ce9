//! The exchange as the other end of a leg: echo, tones, confirmations of settings, parking places.
//!
//! A call of this kind has one leg. What its device offers is answered by the exchange itself
//! ([`OfferAnswer`]), and the relay speaks to it ([`RelayCommand::Play`]).

use std::time::Duration;

use proto::Time;
use proto::sdp::{Codec, Description, Local, OfferAnswer, SrtpPolicy};
use proto::sip::Reply;

use super::keys::{Half, SideMedia, fresh, was_secure};
use super::{CallId, LegId, Service, Switchboard};
use crate::exchange::ids::{Alarm, ExtensionId};
use crate::exchange::{Event, Output};
use crate::relay::{RelayCommand, Side, Sound, Speech};

/// How long a confirmation sounds, in milliseconds.
const CONFIRMATION_MS: u64 = 1_500;

impl Switchboard<'_> {
    /// Answers an incoming leg in person. `false` where no codec is common to both: then the leg
    /// still waits for an answer.
    pub(super) fn serve(
        &mut self,
        now: Time,
        leg: LegId,
        caller: ExtensionId,
        code: &str,
        service: Service,
    ) -> bool {
        let Some(call) = self.open_call(now, leg, caller, code, Vec::new()) else { return true };
        let mut station = self.station(now, call, SrtpPolicy::Optional);
        let said = self.calls.legs.get(&leg).map(|leg| leg.remote_sdp.clone()).unwrap_or_default();
        let Some(told) = answer_or_offer(&mut station, &said) else {
            if let Some(bridge) = self.calls.bridges.get_mut(&call) {
                bridge.a = None;
            }
            self.let_go(leg);
            self.end_call(now, call, "no common codec");
            return false;
        };
        let lasts_ms = matches!(service, Service::Confirmation).then_some(CONFIRMATION_MS);
        self.occupy(call, leg, service, station);
        self.mark_answered(now, call);
        self.ask_leg(now, leg, |call, ctx| call.answer(ctx, Some(told), &[]));
        self.speak(call, leg);
        let over = lasts_ms.map(|ms| (now + Duration::from_millis(ms), Alarm::ServiceOver(call)));
        self.turn.alarms.extend(over);
        true
    }

    /// Our end of a session on the caller's side of a call.
    fn station(&mut self, now: Time, call: CallId, srtp: SrtpPolicy) -> OfferAnswer {
        let at = self.calls.bridges.get(&call).map(|bridge| bridge.place.a);
        let at = at.unwrap_or_else(|| (self.config.relay.address, 0).into());
        let mut local = Local::new(at.ip(), at.port());
        local.username = "-".to_owned();
        local.codecs = Codec::ALL.to_vec();
        local.srtp = srtp;
        local.srtp_keys = fresh(&mut self.turn.rng);
        OfferAnswer::new(local, now.as_secs())
    }

    fn occupy(&mut self, call: CallId, leg: LegId, service: Service, station: OfferAnswer) {
        if let Some(leg) = self.calls.legs.get_mut(&leg) {
            leg.station = Some(Box::new(station));
        }
        if let Service::Parked { place, .. } = service {
            self.calls.parked.insert(place, call);
            self.turn.changed_lamps.insert(place);
        }
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.service = Some(service);
        }
    }

    /// The leg belongs to a person again.
    fn vacate(&mut self, call: CallId) -> Option<LegId> {
        let bridge = self.calls.bridges.get_mut(&call)?;
        let leg = bridge.a?;
        if let Some(Service::Parked { place, .. }) = bridge.service.take() {
            self.calls.parked.remove(&place);
            self.turn.changed_lamps.insert(place);
        }
        let relay = bridge.place.relay;
        bridge.sides.iter_mut().for_each(SideMedia::forget_told);
        self.turn.told.push(Output::Media(RelayCommand::Play { relay, side: Side::A, speech: None }));
        if let Some(leg) = self.calls.legs.get_mut(&leg) {
            leg.station = None;
        }
        Some(leg)
    }

    /// Tells the relay where the leg of a service is, and what it hears there.
    fn speak(&mut self, call: CallId, leg: LegId) {
        let home = self.calls.home_of(leg);
        let agreed = self.calls.legs.get(&leg).and_then(|leg| leg.station.as_ref()?.agreed().cloned());
        let Some(agreed) = agreed else { return };
        self.open_relay(call);
        let Some(bridge) = self.calls.bridges.get(&call) else { return };
        let Some(service) = &bridge.service else { return };
        let (relay, side) = (bridge.place.relay, Side::A);
        let speech = agreed.send.then(|| Speech {
            sound: service.sound(),
            codec: agreed.codec,
            payload_type: agreed.send_payload_type,
        });
        let formats = agreed.receivable();
        let srtp = agreed.srtp.map(Box::new);
        let point = RelayCommand::Point { relay, side, remote: agreed.remote_rtp, home, formats, srtp };
        self.turn.told.push(Output::Media(point));
        self.turn.told.push(Output::Media(RelayCommand::Play { relay, side, speech }));
    }

    /// The device of a service changes its session.
    pub(super) fn on_offered_to_station(&mut self, now: Time, call: CallId, id: LegId, sdp: Option<Vec<u8>>) {
        let station = self.calls.legs.get_mut(&id).and_then(|leg| leg.station.as_mut());
        let told = station.and_then(|station| answer_or_offer(station, &sdp.unwrap_or_default()));
        self.ask_leg(now, id, |call, ctx| match told {
            Some(told) => call.accept_offer(ctx, Some(told)),
            None => call.refuse_offer(ctx, Reply::new(488)),
        });
        self.speak(call, id);
    }

    /// The device of a service has answered an offer of ours; `false` where the leg is no service's.
    pub(super) fn on_answered_to_station(
        &mut self,
        now: Time,
        call: CallId,
        id: LegId,
        sdp: Option<&[u8]>,
    ) -> bool {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return false };
        let Some(station) = leg.station.as_mut() else { return false };
        let Some(sdp) = sdp else { return true };
        let answer = Description::parse(sdp).ok();
        let agreed = answer.and_then(|answer| station.receive_answer(&answer).ok()).is_some();
        leg.remote_sdp = sdp.to_vec();
        if agreed || !station.is_waiting() {
            self.speak(call, id);
        } else {
            self.end_call(now, call, "no common codec");
        }
        true
    }

    /// The deadline of a confirmation tone or of a parked call.
    pub(in crate::exchange) fn on_service_over(&mut self, now: Time, call: CallId) {
        let service = self.calls.bridges.get(&call).and_then(|bridge| bridge.service.as_ref());
        match service {
            Some(Service::Confirmation) => self.end_call(now, call, "confirmed"),
            Some(Service::Parked { by, .. }) => {
                let by = *by;
                self.recall(now, call, by);
            }
            Some(Service::Echo | Service::TestTone) | None => {}
        }
    }

    /// Parks the transferee: a leg has asked for a transfer to a parking place, or to any that is free.
    pub(super) fn park(&mut self, now: Time, id: LegId, transferee: LegId, wanted: Option<ExtensionId>) {
        let free = |place: &ExtensionId| !self.calls.parked.contains_key(place);
        let place = wanted.or_else(|| self.directory.places().find(free)).filter(free);
        let Some(place) = place else {
            self.ask_leg(now, id, |call, ctx| call.refuse_refer(ctx, 486));
            return;
        };
        if !self.may_change(transferee) {
            self.ask_leg(now, id, |call, ctx| call.refuse_refer(ctx, 491));
            return;
        }
        let extension = |leg: LegId| self.calls.legs.get(&leg).and_then(|leg| leg.extension);
        let (by, parked) = (extension(id), extension(transferee));
        let number = self.directory.number(place);
        let Some(call) = self.open_bridge(now, parked.unwrap_or(place), &number, Vec::new()) else {
            self.ask_leg(now, id, |call, ctx| call.refuse_refer(ctx, 503));
            return;
        };
        self.ask_leg(now, id, |call, ctx| {
            call.accept_refer(ctx);
            call.notify_refer(ctx, 200, true);
        });
        self.leave(now, transferee, id);
        self.take_place(call, transferee, None);
        let said = self.calls.legs.get(&transferee).map(|leg| was_secure(&leg.remote_sdp));
        let srtp = match said.unwrap_or_default() {
            (_, true) => SrtpPolicy::Required,
            (true, false) => SrtpPolicy::Optional,
            (false, false) => SrtpPolicy::Off,
        };
        let mut station = self.station(now, call, srtp);
        let offer = station.offer().to_bytes();
        self.occupy(call, transferee, Service::Parked { place, by }, station);
        self.mark_answered(now, call);
        let number = self.directory.number(place);
        let caller = parked.map(|parked| self.directory.number(parked)).unwrap_or_default();
        self.turn.told.push(Output::Event(Event::Parked { call: call.0, place: number, caller }));
        let recall_at = now + Duration::from_secs(u64::from(self.config.parking.recall_s.max(1)));
        self.turn.alarms.insert((recall_at, Alarm::ServiceOver(call)));
        if self.ask_leg(now, transferee, |call, ctx| call.modify(ctx, Some(offer))) != Some(true) {
            self.end_call(now, call, "the parked side is busy changing its session");
        }
    }

    /// The leg that dials a parking place takes the call that waits there.
    pub(super) fn retrieve(&mut self, now: Time, leg: LegId, place: ExtensionId) {
        let Some(call) = self.calls.parked.get(&place).copied() else {
            return self.refuse_leg(now, leg, Reply::new(404));
        };
        let waiting = self.calls.bridges.get(&call).and_then(|bridge| bridge.a);
        if !waiting.is_some_and(|parked| self.may_change(parked)) {
            return self.refuse_leg(now, leg, Reply::new(491));
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
        if self.ask_leg(now, parked, |call, ctx| call.modify(ctx, told)) != Some(true) {
            self.end_call(now, call, "the parked side is busy changing its session");
        }
    }

    /// A parked call was not retrieved in time: the exchange calls the extension that parked it.
    fn recall(&mut self, now: Time, call: CallId, by: Option<ExtensionId>) {
        let (Some(parked), Some(by)) = (self.vacate(call), by) else {
            return self.end_call(now, call, "parked for too long");
        };
        let offer = self.relayed_unheld(call, parked, self.last_said(parked));
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.offer = offer;
            bridge.answered_at = None;
        }
        self.ring(now, call, by);
    }
}

impl Service {
    const fn sound(&self) -> Sound {
        match self {
            Self::Echo => Sound::Echo,
            Self::TestTone => Sound::TestTone,
            Self::Confirmation => Sound::Confirmation,
            Self::Parked { .. } => Sound::Music,
        }
    }
}

/// Our answer to what a device said, or our offer where it said nothing.
fn answer_or_offer(station: &mut OfferAnswer, said: &[u8]) -> Option<Vec<u8>> {
    if said.is_empty() {
        return Some(station.offer().to_bytes());
    }
    let offer = Description::parse(said).ok()?;
    station.receive_offer(&offer).ok().map(|answer| answer.description.to_bytes())
}
