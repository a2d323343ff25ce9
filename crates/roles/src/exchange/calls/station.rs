//! The exchange as the other end of a leg: echo, tones, confirmations of settings, parking places.
//!
//! A call of this kind has one leg. What its device offers is answered by the exchange itself
//! ([`OfferAnswer`]), and the relay speaks to it ([`RelayCommand::Play`]).

use std::time::Duration;

use proto::sdp::{Codec, Description, Local, OfferAnswer, SrtpPolicy};
use proto::sip::Reply;

use super::keys::{SideMedia, fresh};
use super::{CallId, LegId, Service, Switchboard};
use crate::exchange::Output;
use crate::exchange::ids::{Alarm, ExtensionId};
use crate::relay::{RelayCommand, Side, Sound, Speech};

/// How long a confirmation sounds, in milliseconds.
const CONFIRMATION_MS: u64 = 1_500;

impl Switchboard<'_> {
    /// Answers an incoming leg in person. `false` where no codec is common to both: then the leg
    /// still waits for an answer.
    pub(super) fn serve(&mut self, leg: LegId, caller: ExtensionId, code: &str, service: Service) -> bool {
        let Some(call) = self.open_call(leg, caller, code, Vec::new()) else { return true };
        let mut station = self.station(call, SrtpPolicy::Optional);
        let said = self.calls.legs.get(&leg).map(|leg| leg.remote_sdp.clone()).unwrap_or_default();
        let Some(told) = answer_or_offer(&mut station, &said) else {
            if let Some(bridge) = self.calls.bridges.get_mut(&call) {
                bridge.a = None;
            }
            self.let_go(leg);
            self.end_call(call, "no common codec");
            return false;
        };
        let lasts_ms = matches!(service, Service::Confirmation).then_some(CONFIRMATION_MS);
        self.occupy(call, leg, service, station);
        self.mark_answered(call);
        self.ask_leg(leg, |call, ctx| call.answer(ctx, Some(told), &[]));
        self.speak(call, leg);
        let over = lasts_ms.map(|ms| (self.turn.now + Duration::from_millis(ms), Alarm::ServiceOver(call)));
        self.turn.alarms.extend(over);
        true
    }

    /// Our end of a session on the caller's side of a call.
    pub(super) fn station(&mut self, call: CallId, srtp: SrtpPolicy) -> OfferAnswer {
        let at = self.calls.bridges.get(&call).map(|bridge| bridge.place.a);
        let at = at.unwrap_or_else(|| (self.config.relay.address, 0).into());
        let mut local = Local::new(at.ip(), at.port());
        local.username = "-".to_owned();
        local.codecs = Codec::ALL.to_vec();
        local.srtp = srtp;
        local.srtp_keys = fresh(&mut self.turn.rng);
        OfferAnswer::new(local, self.turn.now.as_secs())
    }

    pub(super) fn occupy(&mut self, call: CallId, leg: LegId, service: Service, station: OfferAnswer) {
        if let Some(leg) = self.calls.legs.get_mut(&leg) {
            leg.station = Some(Box::new(station));
        }
        if let Service::Parked { place, .. } = service {
            self.calls.parked.put(self.turn, place, call);
        }
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.service = Some(service);
        }
    }

    /// The leg belongs to a person again.
    pub(super) fn vacate(&mut self, call: CallId) -> Option<LegId> {
        let bridge = self.calls.bridges.get_mut(&call)?;
        let leg = bridge.a?;
        if let Some(Service::Parked { place, .. }) = bridge.service.take() {
            self.calls.parked.take(self.turn, place);
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
    pub(super) fn on_offered_to_station(&mut self, call: CallId, id: LegId, sdp: Option<Vec<u8>>) {
        let station = self.calls.legs.get_mut(&id).and_then(|leg| leg.station.as_mut());
        let told = station.and_then(|station| answer_or_offer(station, &sdp.unwrap_or_default()));
        self.ask_leg(id, |call, ctx| match told {
            Some(told) => call.accept_offer(ctx, Some(told)),
            None => call.refuse_offer(ctx, Reply::new(488)),
        });
        self.speak(call, id);
    }

    /// The device of a service has answered an offer of ours; `false` where the leg is no service's.
    pub(super) fn on_answered_to_station(&mut self, call: CallId, id: LegId, sdp: Option<&[u8]>) -> bool {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return false };
        let Some(station) = leg.station.as_mut() else { return false };
        let Some(sdp) = sdp else { return true };
        let answer = Description::parse(sdp).ok();
        let agreed = answer.and_then(|answer| station.receive_answer(&answer).ok()).is_some();
        leg.remote_sdp = sdp.to_vec();
        if agreed || !station.is_waiting() {
            self.speak(call, id);
        } else {
            self.end_call(call, "no common codec");
        }
        true
    }

    /// The deadline of a confirmation tone or of a parked call.
    pub(in crate::exchange) fn on_service_over(&mut self, call: CallId) {
        let service = self.calls.bridges.get(&call).and_then(|bridge| bridge.service.as_ref());
        match service {
            Some(Service::Confirmation) => self.end_call(call, "confirmed"),
            Some(Service::Parked { by, .. }) => {
                let by = *by;
                self.recall(call, by);
            }
            Some(Service::Echo | Service::TestTone) | None => {}
        }
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
