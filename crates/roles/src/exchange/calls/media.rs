//! What legs say of their media, led through the relay.

use std::net::SocketAddr;

use proto::sdp::{Codec, Description};

use super::keys::Half;
use super::{CallId, LegId, Switchboard};
use crate::exchange::Output;
use crate::exchange::ports::Place;
use crate::relay::{RelayCommand, Side, Sound, Speech};

/// What a description is to the leg that makes it, and to the leg that gets it.
type Halves = (Half, Half);
/// How a description is led to the relay.
type Redirect = fn(&mut Description, usize, SocketAddr);

impl Switchboard<'_> {
    /// Takes what a leg says of its media, tells the relay, and returns what the other side is told.
    /// What cannot be read, or speaks of no audio, passes as it is.
    pub(super) fn relayed(&mut self, call: CallId, from: LegId, sdp: &[u8], halves: Halves) -> Vec<u8> {
        let redirect = if self.config.music { Description::redirect_sounding } else { Description::redirect };
        self.relayed_by(redirect, call, from, sdp, halves)
    }

    /// The same as an offer to somebody whom the leg has not talked to: without a hold that was not meant
    /// for him.
    pub(super) fn relayed_unheld(
        &mut self,
        call: CallId,
        from: LegId,
        sdp: Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let halves = (Half::Offer, Half::Offer);
        sdp.map(|sdp| self.relayed_by(Description::redirect_unheld, call, from, &sdp, halves))
    }

    /// What a leg said last of its media.
    pub(super) fn last_said(&self, id: LegId) -> Option<Vec<u8>> {
        self.calls.legs.get(&id).map(|leg| leg.remote_sdp.clone()).filter(|sdp| !sdp.is_empty())
    }

    fn relayed_by(
        &mut self,
        redirect: Redirect,
        call: CallId,
        from: LegId,
        sdp: &[u8],
        (said, told): Halves,
    ) -> Vec<u8> {
        let home = self.calls.home_of(from);
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return sdp.to_vec() };
        let place = bridge.place;
        let side = if bridge.a == Some(from) { Side::A } else { Side::B };
        let peer = if side == Side::A { bridge.b.first().copied() } else { bridge.a };
        let at = if side == Side::A { place.b } else { place.a };
        let Some(led) = led_through(sdp, at, redirect) else { return sdp.to_vec() };
        let Led { mut description, index, remote, holds } = led;
        let [a, b] = &mut bridge.sides;
        let (own, other) = if side == Side::A { (a, b) } else { (b, a) };
        own.hear(&description, index, remote, said);
        own.is_at(home);
        other.tell(&mut description, index, told, &mut self.turn.rng);
        let answers_nothing = said == Half::Answer && !self.is_sending(peer);
        if let Some(leg) = self.calls.legs.get_mut(&from) {
            let holds = if answers_nothing { leg.holds } else { holds };
            leg.side = side;
            leg.remote_sdp = sdp.to_vec();
            if std::mem::replace(&mut leg.holds, holds) != holds {
                self.turn.changed_lamps.extend(leg.extension);
            }
        }
        self.open_relay(call);
        self.point_relay(call);
        description.to_bytes()
    }

    /// Whether a leg sends sound by what it said last. An offer to send nothing can be answered in one way
    /// only: the answer says nothing of a hold.
    fn is_sending(&self, id: Option<LegId>) -> bool {
        let said = id.and_then(|id| Description::parse(&self.calls.legs.get(&id)?.remote_sdp).ok());
        let audio = said.as_ref().and_then(|said| Some((said, said.audio_index()?)));
        audio.is_none_or(|(said, index)| said.direction_of(index).sends())
    }

    /// Opens the relay for a call that speaks of sound for the first time: its sockets cost more than
    /// anything else of a call that has none.
    pub(super) fn open_relay(&mut self, call: CallId) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        if !std::mem::replace(&mut bridge.relayed, true) {
            let Place { relay, a, b } = bridge.place;
            self.turn.told.push(Output::Media(RelayCommand::Open { relay, a, b }));
        }
    }

    /// An offer that the called side would have been told, as the answer to an offer of its own.
    pub(super) fn offer_as_answer(&mut self, call: CallId, offer: &[u8]) -> Vec<u8> {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return offer.to_vec() };
        let Ok(mut description) = Description::parse(offer) else { return offer.to_vec() };
        let Some(index) = description.audio_index() else { return offer.to_vec() };
        let [_, callee] = &mut bridge.sides;
        callee.tell(&mut description, index, Half::Answer, &mut self.turn.rng);
        self.point_relay(call);
        description.to_bytes()
    }

    /// Where one side holds and music is set, the other side hears it; where nobody holds any more, the
    /// other side again.
    pub(super) fn set_music(&mut self, call: CallId) {
        let Some(bridge) = self.calls.bridges.get(&call).filter(|_| self.config.music) else { return };
        let (Some(a), Some(b)) = (bridge.a, bridge.b.first().copied()) else { return };
        for (side, listener, holder) in [(Side::A, a, b), (Side::B, b, a)] {
            let said = |id: LegId| {
                let leg = self.calls.legs.get(&id)?;
                Description::parse(&leg.remote_sdp).ok()
            };
            let holds = said(holder).as_ref().is_some_and(is_held);
            let speech = said(listener).as_ref().filter(|_| holds).and_then(music_for);
            self.play_music(call, side, speech);
        }
    }

    fn play_music(&mut self, call: CallId, side: Side, speech: Option<Speech>) {
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        let [a, b] = &mut bridge.music;
        let playing = if side == Side::A { a } else { b };
        if std::mem::replace(playing, speech.is_some()) != speech.is_some() {
            let relay = bridge.place.relay;
            self.turn.told.push(Output::Media(RelayCommand::Play { relay, side, speech }));
        }
    }

    /// The same where there is something said at all.
    pub(super) fn relayed_opt(
        &mut self,
        call: CallId,
        from: LegId,
        sdp: Option<Vec<u8>>,
        halves: Halves,
    ) -> Option<Vec<u8>> {
        sdp.map(|sdp| self.relayed(call, from, &sdp, halves))
    }
}

/// A description whose audio goes to the relay, and that has no other stream.
struct Led {
    description: Description,
    /// Which of its streams is the audio.
    index: usize,
    /// Where that went before.
    remote: Option<SocketAddr>,
    /// Whether its side holds.
    holds: bool,
}

fn led_through(sdp: &[u8], at: SocketAddr, redirect: Redirect) -> Option<Led> {
    let mut description = Description::parse(sdp).ok()?;
    let index = description.audio_index()?;
    let remote = description.rtp_address_of(index).filter(|remote| !remote.ip().is_unspecified());
    let holds = is_held(&description);
    description.refuse_others(index);
    description.remove_ice();
    redirect(&mut description, index, at);
    Some(Led { description, index, remote, holds })
}

/// Whether a description says that its side listens to nothing (RFC 3264 §8.4).
fn is_held(description: &Description) -> bool {
    let Some(index) = description.audio_index() else { return false };
    let nowhere = description.connection_of(index).is_some_and(|connection| connection.is_unspecified());
    nowhere || !description.direction_of(index).receives()
}

/// How a side that can listen wants its music coded.
fn music_for(description: &Description) -> Option<Speech> {
    let index = description.audio_index()?;
    let media = description.media.get(index)?;
    if !description.direction_of(index).receives() {
        return None;
    }
    let (payload_type, codec) = media.payload_types().find_map(|pt| Some((pt, Codec::of(media, pt)?)))?;
    Some(Speech { sound: Sound::Music, codec, payload_type })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: &str = "v=0\r\no=- 1 2 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 8\r\na=sendonly\r\nm=video 4002 RTP/AVP 99\r\n";

    #[test]
    fn audio_goes_through_the_relay_and_nothing_else_goes() {
        let at = "192.0.2.1:20000".parse().expect("sound");
        let led = led_through(HELD.as_bytes(), at, Description::redirect).expect("a description");
        let Led { description, remote, .. } = led;
        let told = String::from_utf8(description.to_bytes()).expect("text");
        assert!(told.contains("c=IN IP4 192.0.2.1\r\n") && told.contains("m=audio 20000 "), "{told}");
        assert!(told.contains("m=video 0 ") && told.contains("a=sendonly"), "{told}");
        assert_eq!(remote, Some("10.0.0.1:4000".parse().expect("sound")));
    }
}
