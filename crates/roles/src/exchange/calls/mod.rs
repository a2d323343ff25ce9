//! Calls: a leg to the caller, a leg to every device of the called, one of which answers.
//!
//! A leg is a dialog of its own ([`Call`]); a [`Bridge`] ties two of them together and passes on
//! what one side says to the other.

mod by_hand;
mod door;
mod events;
mod features;
mod fork;
mod keys;
mod legs;
mod media;
mod modify;
mod parking;
mod pickup;
mod station;
mod transfer;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use proto::Time;
use proto::sdp::OfferAnswer;
use proto::sip::endpoint::ServerId;
use proto::sip::header::Replaces;
use proto::sip::message::Name;
use proto::sip::usage::Identity;
use proto::sip::usage::call::Call;
use proto::sip::{Flow, Message, Reply};

use self::keys::SideMedia;
use self::parking::ParkedCalls;
use super::config::Config;
use super::directory::Directory;
use super::facts::{CallRecord, CallView, Peer};
use super::ids::{Alarm, CallId, ExtensionId, LegId};
use super::ports::{Place, Ports};
use super::records::Records;
use super::router::{Route, Router};
use super::turn::Turn;
use super::{Event, Output};
use crate::relay::{RelayCommand, RelayEvent, RelayFigures, RelayId, Side};

/// One dialog with one device.
#[derive(Debug)]
pub(super) struct Leg {
    /// The call it belongs to; none once that is over for it.
    pub(super) call: Option<CallId>,
    pub(super) side: Side,
    pub(super) machine: Call,
    /// Its user wants to stay unnamed (RFC 3323).
    hidden: bool,
    identity: Identity,
    pub(super) flow: Flow,
    pub(super) extension: Option<ExtensionId>,
    /// Our tag in its dialog.
    tag: Box<str>,
    invite: Option<ServerId>,
    /// Its last session description.
    remote_sdp: Vec<u8>,
    /// The other leg has made an offer and waits for this leg's answer.
    asked_by: Option<LegId>,
    /// Its ACK holds the answer that this leg waits for.
    answers_late: Option<LegId>,
    /// The offer that it has not answered yet was taken back; once it answers, the exchange sends it the description
    /// that holds.
    outdated: bool,
    /// Once the other leg has answered, this one gets a re-INVITE (a transfer of answered calls).
    rejoins: Option<Rejoin>,
    /// Our own end of its session, where it talks to the exchange itself.
    station: Option<Box<OfferAnswer>>,
    /// Whose INVITE is answered once this leg has answered (a takeover by Replaces).
    joined_by: Option<LegId>,
    /// The call that is made because this leg asked for a transfer.
    transfers: Option<CallId>,
    pub(super) ringing: bool,
    /// It holds: by its last description it receives nothing.
    pub(super) holds: bool,
    /// Its description before the offer that the other leg has not answered yet.
    pub(super) said_before: Option<Vec<u8>>,
    /// The extension that caused it: the caller, not the called.
    cause: Option<ExtensionId>,
    /// Bytes of texts and descriptions that it holds, as counted last.
    held_bytes: usize,
    alarm: Option<Time>,
}

/// How the other leg came to make the description that this one gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rejoin {
    /// It has answered this leg's last description.
    Offered,
    /// It was asked for an offer, and has made one.
    Asked,
}

/// Two sides of a conversation, or one that waits for the other.
#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) a: Option<LegId>,
    /// The legs that ring; after the answer the answering leg alone.
    pub(super) b: Vec<LegId>,
    pub(super) caller: Peer,
    pub(super) callee: Peer,
    /// The extension that caused it: the caller, or the one for whom it was made.
    cause: Option<ExtensionId>,
    started_at: Time,
    answered_at: Option<Time>,
    place: Place,
    /// Whether the relay has opened it.
    relayed: bool,
    /// The caller's offer; none where it asks the callee for one.
    offer: Option<Vec<u8>>,
    /// Further headers of the INVITE to the callee: Alert-Info, Diversion, Referred-By, …
    headers: Vec<(Name, String)>,
    /// The numbers that were called so far, so that forwards make no loop.
    visited: Vec<String>,
    /// Contacts of a redirection that are still to be called: number, and reason for Diversion.
    queue: VecDeque<(String, String)>,
    /// The best of the refusals so far.
    refusal: Option<u16>,
    /// The call is made for a transfer.
    transfer: Option<Transfer>,
    /// The devices that ring are the caller's own; once one has answered, this number is called.
    then: Option<String>,
    /// The service of the exchange that the caller talks to.
    service: Option<Service>,
    /// The media of the caller and of the called.
    sides: [SideMedia; 2],
    /// Who hears music because the other side holds: the caller, the called.
    music: [bool; 2],
    /// When it has rung long enough.
    no_answer_at: Option<Time>,
}

/// The transfer that a call is made for.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    transferor: LegId,
    transferee: LegId,
    /// A command asked for it, not a REFER: the exchange hangs the transferor up once the target has answered.
    by_hand: bool,
}

/// What the exchange itself does at the other end of a leg.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Service {
    /// Everything comes back.
    Echo,
    /// A tone without end.
    TestTone,
    /// A few beeps, then the end.
    Confirmation,
    /// The leg waits at a parking place until a phone dials that place, or until the exchange calls the extension
    /// that parked it.
    Parked { place: ExtensionId, by: Option<ExtensionId> },
}

/// All calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    last_call: u64,
    last_leg: u64,
    pub(super) legs: BTreeMap<LegId, Leg>,
    pub(super) bridges: BTreeMap<CallId, Bridge>,
    tags: HashMap<Box<str>, LegId>,
    invites: HashMap<ServerId, LegId>,
    /// The legs of each extension.
    by_extension: BTreeMap<ExtensionId, Vec<LegId>>,
    /// Who called each extension last, for call return.
    last_callers: BTreeMap<ExtensionId, String>,
    /// Which call a place at the relay served, until the relay has told its figures; bounded by its
    /// places.
    closing: BTreeMap<RelayId, u64>,
    pub(super) parked: ParkedCalls,
    /// How many legs each extension is the cause of, those that have handed their call over among them.
    caused: BTreeMap<ExtensionId, usize>,
    /// What the legs hold of messages, in bytes.
    held_bytes: usize,
}

impl Calls {
    /// The calls under way, as others see them.
    pub(super) fn views(&self) -> Vec<CallView> {
        self.bridges.keys().filter_map(|id| self.view(*id)).collect()
    }

    /// The same, those from or to one number alone.
    pub(super) fn views_of(&self, number: Option<&str>) -> impl Iterator<Item = CallView> {
        let is_party = |call: &CallView, number| call.caller.number == number || call.callee.number == number;
        let all = self.bridges.keys().filter_map(|id| self.view(*id));
        all.filter(move |call| number.is_none_or(|number| is_party(call, number)))
    }

    /// Calls are numbered on from the last one.
    pub(super) fn new(last_call: u64) -> Self {
        Self { last_call, ..Self::default() }
    }

    /// The legs of an extension.
    pub(super) fn legs_of(&self, extension: ExtensionId) -> &[LegId] {
        self.by_extension.get(&extension).map(Vec::as_slice).unwrap_or_default()
    }

    /// Notes who called an extension last; `None` for a caller who stays unnamed.
    pub(super) fn note_caller(&mut self, extension: ExtensionId, caller: Option<String>) {
        match caller {
            Some(caller) => self.last_callers.insert(extension, caller),
            None => self.last_callers.remove(&extension),
        };
    }

    /// An extension is gone.
    pub(super) fn forget(&mut self, extension: ExtensionId) {
        self.last_callers.remove(&extension);
    }

    /// The leg whose dialog bears this tag of ours.
    pub(super) fn find_by_tag(&self, tag: &str) -> Option<LegId> {
        self.tags.get(tag).copied()
    }

    /// Whether a request belongs to the dialog of a leg, and comes from where that is.
    pub(super) fn is_in_dialog(&self, flow: Flow, message: &Message<'_>) -> bool {
        let leg = self.find_by_tag(message.to_tag()).and_then(|id| self.legs.get(&id));
        leg.is_some_and(|leg| leg.machine.owns_request(message) && legs::same_flow(leg.flow, flow))
    }

    /// The leg that a Replaces header names; from a watcher's point of view either tag may be ours.
    pub(super) fn find_replaced(&self, replaces: &Replaces<'_>) -> Option<LegId> {
        let turned = Replaces { to_tag: replaces.from_tag, from_tag: replaces.to_tag, ..*replaces };
        let named = |replaces: &Replaces<'_>| {
            let id = self.find_by_tag(replaces.to_tag)?;
            self.legs.get(&id).filter(|leg| leg.machine.is_named_by(replaces)).map(|_| id)
        };
        named(replaces).or_else(|| named(&turned))
    }

    /// Whether the caller wants to stay unnamed.
    fn hides_caller(&self, bridge: &Bridge) -> bool {
        let leg = bridge.a.or(bridge.transfer.map(|transfer| transfer.transferee));
        leg.and_then(|leg| self.legs.get(&leg)).is_some_and(|leg| leg.hidden)
    }

    /// The caller as the called and the watchers may see it.
    pub(super) fn seen_caller<'a>(&self, bridge: &'a Bridge) -> Cow<'a, Peer> {
        match self.hides_caller(bridge) {
            true => Cow::Owned(Peer::anonymous()),
            false => Cow::Borrowed(&bridge.caller),
        }
    }

    /// Whom those that ring see as the other side.
    fn shown_to_callee<'a>(&self, bridge: &'a Bridge) -> Cow<'a, Peer> {
        if bridge.then.is_some() { Cow::Borrowed(&bridge.callee) } else { self.seen_caller(bridge) }
    }

    /// The call of this number.
    pub(super) fn find_call(&self, number: u64) -> Option<CallId> {
        Some(CallId(number)).filter(|id| self.bridges.contains_key(id))
    }

    /// Whether `leg` is the one of this name.
    pub(super) fn is_leg(&self, id: LegId, leg: &Leg) -> bool {
        self.tags.get(&leg.tag) == Some(&id)
    }

    /// The host that a leg signals from.
    pub(super) fn home_of(&self, id: LegId) -> Option<IpAddr> {
        self.legs.get(&id).map(|leg| leg.flow.remote.ip())
    }

    fn next_call(&mut self) -> CallId {
        self.last_call += 1;
        CallId(self.last_call)
    }

    fn next_leg(&mut self) -> LegId {
        self.last_leg += 1;
        LegId(self.last_leg)
    }

    /// The call at a place of the relay.
    fn at_place(&self, relay: RelayId) -> Option<CallId> {
        self.bridges.iter().find(|(_, bridge)| bridge.place.relay == relay).map(|(id, _)| *id)
    }

    /// A call as others see it.
    fn view(&self, id: CallId) -> Option<CallView> {
        let bridge = self.bridges.get(&id)?;
        let holds = |leg: Option<&LegId>| leg.and_then(|leg| self.legs.get(leg)).is_some_and(|leg| leg.holds);
        Some(CallView {
            call: id.0,
            caller: bridge.caller.clone(),
            callee: bridge.callee.clone(),
            answered: bridge.answered_at.is_some(),
            caller_holds: holds(bridge.a.as_ref()),
            callee_holds: holds(bridge.b.first()),
            started_at_ms: bridge.started_at.as_millis(),
        })
    }

    /// The other calls of an extension.
    fn others_of(&self, extension: ExtensionId, call: CallId) -> BTreeSet<CallId> {
        let calls = self.legs_of(extension).iter().filter_map(|leg| self.legs.get(leg)?.call);
        calls.filter(|other| *other != call).collect()
    }

    /// How many of these calls ring for `caller`.
    fn ringing_for(&self, calls: &BTreeSet<CallId>, caller: &str) -> usize {
        let bridges = calls.iter().filter_map(|call| self.bridges.get(call));
        bridges.filter(|bridge| bridge.answered_at.is_none() && bridge.caller.number == caller).count()
    }

    /// How many legs an extension is the cause of.
    fn caused_by(&self, extension: ExtensionId) -> usize {
        self.caused.get(&extension).copied().unwrap_or_default()
    }

    /// What the legs hold of messages, in bytes.
    #[cfg(test)]
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Counts what a leg holds now.
    fn recount(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let now_bytes = leg.bytes();
        self.held_bytes = self.held_bytes + now_bytes - std::mem::replace(&mut leg.held_bytes, now_bytes);
    }

    /// The leg at the other side.
    pub(super) fn peer(&self, id: LegId) -> Option<LegId> {
        let bridge = self.bridges.get(&self.legs.get(&id)?.call?)?;
        match bridge.a {
            Some(a) if a == id => bridge.b.first().copied().filter(|_| bridge.answered_at.is_some()),
            a => a,
        }
    }

    /// The same, or before the call is answered the only leg that rings.
    pub(super) fn peer_or_ringing(&self, id: LegId) -> Option<LegId> {
        self.peer(id).or_else(|| match self.bridges.get(&self.legs.get(&id)?.call?)?.b.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }
}

impl Leg {
    /// What it holds of messages, in bytes.
    fn bytes(&self) -> usize {
        let dialog = self.machine.dialog();
        let texts = [
            &dialog.call_id,
            &dialog.local.uri,
            &dialog.local.tag,
            &dialog.remote.uri,
            &dialog.remote.tag,
            &dialog.target,
        ];
        let texts = texts.into_iter().chain(&dialog.routes).map(String::len).sum::<usize>();
        texts + self.remote_sdp.len() + self.said_before.as_ref().map_or(0, Vec::len)
    }
}

impl Bridge {
    /// Whether a device of the called rings.
    pub(super) fn rings(&self, calls: &Calls) -> bool {
        self.b.iter().filter_map(|leg| calls.legs.get(leg)).any(|leg| leg.ringing)
    }
}

/// The calls at work: their state, with what they are lent for a turn.
pub(super) struct Switchboard<'a> {
    pub(super) calls: &'a mut Calls,
    pub(super) turn: &'a mut Turn,
    pub(super) directory: &'a mut Directory,
    pub(super) router: &'a Router,
    pub(super) ports: &'a mut Ports,
    pub(super) records: &'a mut Records,
    pub(super) config: &'a Config,
}

impl Switchboard<'_> {
    /// Whom a URI means.
    fn route(&self, uri: &str) -> Route {
        self.router.route(self.directory, uri)
    }

    /// Whom a number means.
    fn route_number(&self, number: &str) -> Route {
        self.router.route_number(self.directory, number)
    }

    /// Ends a call, whatever its state.
    pub(super) fn end_call(&mut self, id: CallId, reason: &str) {
        let Some(bridge) = self.calls.bridges.remove(&id) else { return };
        let legs = bridge.a.iter().chain(&bridge.b);
        let transfers: Vec<CallId> =
            legs.clone().filter_map(|leg| self.calls.legs.get(leg)?.transfers).collect();
        for leg in legs {
            self.dismiss(*leg);
        }
        if let Some(transfer) = bridge.transfer {
            self.transfer_failed(transfer, bridge.refusal.unwrap_or(487));
        }
        self.close(id, &bridge, reason);
        for transfer in transfers {
            self.end_call(transfer, "the transferred side has hung up");
        }
    }

    /// What is left when the legs are gone: the relay's place, the record.
    fn close(&mut self, id: CallId, bridge: &Bridge, reason: &str) {
        if let Some(at) = bridge.no_answer_at {
            self.turn.alarms.remove(&(at, Alarm::NoAnswer(id)));
        }
        if let Some(Service::Parked { place, .. }) = bridge.service {
            self.calls.parked.take(self.turn, place);
        }
        let relay = bridge.place.relay;
        if bridge.relayed {
            self.turn.told.push(Output::Media(RelayCommand::Close { relay }));
            self.calls.closing.insert(relay, id.0);
        } else {
            self.ports.give_back(relay);
        }
        let wall = self.turn.wall;
        let date_ms = |moment: Time| wall.at(moment).as_millis();
        let record = CallRecord {
            call: id.0,
            caller: bridge.caller.number.clone(),
            callee: bridge.callee.number.clone(),
            started_at_ms: date_ms(bridge.started_at),
            answered_at_ms: bridge.answered_at.map(date_ms),
            ended_at_ms: date_ms(self.turn.now),
            reason: reason.to_owned(),
            from_caller: None,
            from_callee: None,
        };
        self.records.keep(self.turn, record);
    }

    /// The relay has measured a call that is over.
    fn on_measured(&mut self, relay: RelayId, from_caller: RelayFigures, from_callee: RelayFigures) {
        let Some(call) = self.calls.closing.remove(&relay) else { return };
        self.records.measured(self.turn, call, from_caller, from_callee);
    }

    /// An event of the relay.
    pub(super) fn on_relay(&mut self, event: RelayEvent) {
        match event {
            RelayEvent::Closed { relay, a, b } => {
                self.ports.give_back(relay);
                self.on_measured(relay, a, b);
            }
            RelayEvent::Stranger { relay, side, from } => {
                let call = self.calls.at_place(relay).map(|CallId(number)| number);
                let side = if side == Side::A { "caller" } else { "callee" };
                self.turn.told.push(Output::Event(Event::MediaStranger { call, side, from }));
            }
            RelayEvent::Failed { relay, reason } => self.on_relay_failed(relay, reason),
        }
    }

    /// A call without sound is of no use: the exchange refuses its caller, or hangs both sides up.
    fn on_relay_failed(&mut self, relay: RelayId, reason: String) {
        if self.calls.closing.remove(&relay).is_some() {
            // It was never open.
            return self.ports.give_back(relay);
        }
        self.turn.told.push(Output::Event(Event::RelayFailed { relay, reason }));
        let Some(call) = self.calls.at_place(relay) else { return };
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        bridge.refusal = Some(503);
        let caller = bridge.a.filter(|_| bridge.answered_at.is_none());
        if let Some(caller) = caller {
            self.refuse_leg(caller, Reply::new(503).header(Name::RetryAfter, 5));
        }
        self.end_call(call, "the media relay has no room");
    }

    /// The ACK of a 2xx.
    pub(super) fn on_ack(&mut self, message: &Message<'_>) {
        let Some(id) = self.calls.find_by_tag(message.to_tag()) else { return };
        let ours = self.calls.legs.get(&id).is_some_and(|leg| leg.machine.owns_request(message));
        if ours {
            self.with_leg(id, |call, ctx| call.on_ack(ctx, message));
        }
    }

    /// A 200 of ours was never acknowledged.
    pub(super) fn on_ack_missing(&mut self, invite: ServerId) {
        if let Some(id) = self.calls.invites.get(&invite).copied() {
            self.with_leg(id, |call, ctx| call.on_ack_missing(ctx, invite));
        }
    }
}
