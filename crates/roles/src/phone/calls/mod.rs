//! Calls as people know them: each owns its signalling, its session description and its sound.
//!
//! One file for each thing that people do: [dial], [incoming], [hold], [transfer], [conference]. What is
//! to be heard follows from the state of all calls ([sounding]); nothing else decides it.

mod cause;
mod conference;
mod dial;
mod history;
mod hold;
mod identity;
mod incoming;
mod room;
mod sounding;
mod transfer;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto::Time;
use proto::sdp::OfferAnswer;
use proto::sip::Reply;
use proto::sip::dialog::Dialog;
use proto::sip::endpoint::ClientId;
use proto::sip::flow::Flow;
use proto::sip::message::{Message, Method};
use proto::sip::uri::Uri;
use proto::sip::usage::Context;
use proto::sip::usage::call::{self, Call};

pub(super) use self::cause::Cause;
use self::cause::EndReason;
use super::accounts::Line;
use super::desk::Owner;
use super::event::{By, CallRef, EventKind};
use super::facts::{CallNumber, HistoryKind, Phase};
use super::locating::{Way, is_same_host};
use super::{Phone, Why};
use crate::sound::{BeforeAck, Figures, SessionId, SoundCommand};

pub(super) use dial::shown;
pub(super) use history::History;
pub use history::MOST_ENTRIES;
pub(super) use room::Origin;
pub(super) use sounding::Scene;

/// The most calls at once, whatever the settings allow.
pub(super) const MAX_CALLS: usize = 24;
/// The most calls remembered, those that are over among them.
const MAX_REMEMBERED: usize = 64;
/// How long the media side may take to say what it measured.
const FIGURES_WAIT: Duration = Duration::from_millis(250);
/// How long a call that is over is remembered, for a BYE that is challenged or repeated.
const AFTERLIFE: Duration = Duration::from_secs(33);

/// All calls of a phone.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) table: BTreeMap<CallNumber, Conversation>,
    pub(super) conference: Option<(CallNumber, CallNumber)>,
    pub(super) scene: Scene,
    last_number: CallNumber,
    last_session: SessionId,
    last_port: u16,
    redial: Option<(String, u8)>,
    auto_redial: Option<dial::AutoRedial>,
    /// When others had this phone call somebody by REFER; no more than are allowed.
    referred_at: Vec<Time>,
    busy_until: Option<Time>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) account: u8,
    pub(super) peer: Peer,
    /// What was dialled asks the server for somebody else's call: the server says whose.
    by_code: bool,
    /// The user that the other party's last From named, where it named another than before (RFC 4916).
    named: Option<String>,
    pub(super) outgoing: bool,
    pub(super) origin: Origin,
    pub(super) phase: Phase,
    pub(super) hold: hold::Hold,
    pub(super) answered_at: Option<Time>,
    /// It was answered, and the ACK of that has come or gone.
    acknowledged: bool,
    /// Nobody here took it up: it answered itself.
    by_itself: bool,
    /// Where it answers itself, it does so with the microphone off.
    answers_muted: bool,
    /// The person is not heard in it.
    pub(super) muted: bool,
    pub(super) diverted_from: Option<String>,
    /// The number that was called, where the settings show it.
    pub(super) called: Option<String>,
    /// How it rings here.
    pub(super) ring: Option<String>,
    pub(super) sound: Option<Box<Sound>>,
    /// The host that its signalling comes from.
    pub(super) home: Option<IpAddr>,
    transfer: Option<Box<transfer::Transfer>>,
    purpose: Purpose,
    signalling: Option<Box<Call>>,
    plan: Option<Box<dial::Plan>>,
    began_at: Time,
    timers: Vec<(Time, Due)>,
    cause: Option<Cause>,
    /// It stands in the list of calls.
    listed: bool,
    /// A 180 asks for this phone's own ringback tone, whatever sound came before it.
    own_ringback: bool,
}

/// The other party, as the screen shows it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Peer {
    pub(super) number: String,
    pub(super) name: String,
}

/// Why a call was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// A person dialled or was called.
    Plain,
    /// To ask somebody about another call, which may be transferred then.
    Consult(CallNumber),
    /// The other party of another call asked for it by REFER.
    Refer(CallNumber),
}

/// The sound of a call.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) session: SessionId,
    pub(super) port: u16,
    pub(super) talk: OfferAnswer,
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Due {
    /// It has rung long enough here.
    RungOut,
    /// It goes to the no-answer forward.
    Forward,
    /// It answers itself.
    AutoAnswer,
    /// It is turned away now: DND.
    TurnAway,
    /// It has rung long enough there.
    RingbackOut,
    /// The end is told without figures.
    TellEnd,
    /// It is forgotten.
    Forget,
    /// Whoever was to hang up did not.
    HangUp,
    /// Nobody says how a transfer gets on.
    TransferSilent,
}

impl Conversation {
    fn new(account: u8, peer: Peer, outgoing: bool, now: Time) -> Self {
        Self {
            account,
            peer,
            by_code: false,
            named: None,
            outgoing,
            origin: Origin { trusted: outgoing && account > 0, ip: None },
            phase: if outgoing { Phase::Dialling } else { Phase::Ringing },
            hold: hold::Hold::default(),
            answered_at: None,
            acknowledged: false,
            by_itself: false,
            answers_muted: false,
            muted: false,
            diverted_from: None,
            called: None,
            ring: None,
            sound: None,
            transfer: None,
            purpose: Purpose::Plain,
            signalling: None,
            plan: None,
            began_at: now,
            timers: Vec::new(),
            cause: None,
            listed: false,
            home: None,
            own_ringback: false,
        }
    }

    /// How much sound may leave before both sides have confirmed the call: until then nobody has shown that
    /// sound is wanted where the session description says.
    fn before_ack(&self) -> BeforeAck {
        match (self.acknowledged, self.by_itself) {
            (true, _) => BeforeAck::Acknowledged,
            (false, true) => BeforeAck::Nothing,
            (false, false) => BeforeAck::OneSecond,
        }
    }

    /// Whether a person still has to do with it.
    pub(super) fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Over | Phase::TurningAway)
    }

    /// Whether both sides talk, or could but for a hold.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Answering | Phase::Talking)
    }

    /// Whether its end has been told, here and to the other party.
    pub(super) fn is_quiet(&self) -> bool {
        let is_silent = self.signalling.as_ref().is_none_or(|call| call.is_silent());
        self.phase == Phase::Over && self.cause.is_none() && is_silent
    }

    fn wait(&mut self, at: Time, due: Due) {
        self.timers.push((at, due));
    }

    fn stop_waiting(&mut self) {
        self.timers.clear();
    }

    fn next_deadline(&self) -> Option<(Time, Why)> {
        let timer = self.timers.iter().map(|(at, _)| (*at, Why::Call)).min();
        let signalling = self.signalling.as_ref().and_then(|call| call.next_deadline());
        [timer, signalling.map(|(at, why)| (at, Why::Signalling(why)))].into_iter().flatten().min()
    }
}

impl Calls {
    /// The calls that a person still has to do with, oldest first.
    pub(super) fn live(&self) -> impl Iterator<Item = (CallNumber, &Conversation)> {
        self.table.iter().filter(|(_, call)| call.is_live()).map(|(number, call)| (*number, call))
    }

    /// The call that a person means without naming one: talked in, else dialled, else the last held.
    pub(super) fn focus(&self) -> Option<CallNumber> {
        let talking = |call: &Conversation| call.is_up() && !call.hold.is_on();
        let dialled =
            |call: &Conversation| matches!(call.phase, Phase::Dialling | Phase::Calling | Phase::Ringback);
        let newest = |wanted: &dyn Fn(&Conversation) -> bool| {
            self.live().filter(|(_, call)| wanted(call)).map(|(number, _)| number).last()
        };
        newest(&dialled).or_else(|| newest(&talking)).or_else(|| newest(&|call| call.is_up()))
    }

    /// The first call that rings here.
    pub(super) fn ringing(&self) -> Option<CallNumber> {
        self.live().find(|(_, call)| call.phase == Phase::Ringing).map(|(number, _)| number)
    }

    /// Whether a busy number is going to be called again.
    pub(super) fn redials(&self) -> bool {
        self.auto_redial.as_ref().is_some_and(|redial| redial.at < Time::NEVER)
    }

    /// When [`Phone::advance_calls`] wants to be called, and why.
    pub(super) fn next_deadline(&self) -> Option<(Time, Why)> {
        let calls = self.table.values().filter_map(Conversation::next_deadline);
        let busy = self.busy_until.map(|at| (at, Why::BusyTone));
        let redial = self.auto_redial.as_ref().map(|redial| (redial.at, Why::AutoRedial));
        calls.chain(busy).chain(redial).min()
    }

    /// The call that a message belongs to.
    pub(super) fn owner_of(&self, request: &Message<'_>) -> Option<CallNumber> {
        let mut calls = self.table.iter();
        calls
            .find(|(_, call)| call.signalling.as_ref().is_some_and(|it| it.owns_request(request)))
            .map(|(number, _)| *number)
    }

    /// The call whose INVITE has this Call-ID and From tag.
    pub(super) fn invited_by(&self, request: &Message<'_>) -> Option<CallNumber> {
        let same =
            |dialog: &Dialog| dialog.call_id == request.call_id() && dialog.remote.tag == request.from_tag();
        let mut calls = self.table.iter();
        calls
            .find(|(_, call)| call.signalling.as_ref().is_some_and(|it| same(it.dialog())))
            .map(|(number, _)| *number)
    }

    fn add(&mut self, call: Conversation) -> CallNumber {
        while self.table.len() >= MAX_REMEMBERED {
            let over = self.table.iter().find(|(_, call)| !call.is_live()).map(|(number, _)| *number);
            let Some(number) = over else { break };
            self.table.remove(&number);
        }
        self.last_number = self.last_number.wrapping_add(1).max(1);
        self.table.insert(self.last_number, call);
        self.last_number
    }
}

impl Phone {
    /// Lets a call speak in its dialog.
    fn speak<R>(
        &mut self,
        number: CallNumber,
        what: impl FnOnce(&mut Call, &mut Context<'_, Owner>) -> R,
    ) -> Option<R> {
        let call = self.calls.table.get_mut(&number)?;
        let line = self.lines.line_of_call(call.account)?;
        let signalling = call.signalling.as_deref_mut()?;
        let proves_itself = is_by_server(line, call.origin, signalling);
        let mut context = line.context(&mut self.desk, Owner::Call(number));
        context.auth.take_if(|_| !proves_itself);
        Some(what(signalling, &mut context))
    }

    /// How events name a call.
    fn call_ref(&self, number: CallNumber) -> CallRef {
        let call = self.calls.table.get(&number);
        let peer = call.map(|call| call.peer.number.clone()).unwrap_or_default();
        CallRef { call: number, account: call.map_or(0, |call| call.account), peer }
    }

    /// A line of the log about a call, behind its account's place.
    pub(super) fn note_call(&mut self, number: CallNumber, text: &str) {
        let account = self.calls.table.get(&number).map_or(0, |call| call.account);
        self.desk.note(&format!("{} {text}", account.saturating_sub(1)));
    }

    /// An answer to a request of a call.
    pub(super) fn on_call_response(&mut self, number: CallNumber, id: ClientId, response: &Message<'_>) {
        self.refresh_peer(number, response);
        let event = self.speak(number, |call, context| {
            let event = call.on_response(context, id, response);
            if event.is_none() {
                // Perhaps a second phone answered the same INVITE.
                call.on_late_answer(context, id, response);
            }
            event
        });
        self.on_call_event(number, event.flatten());
    }

    /// Shows whom the server says the call has reached, where the settings believe it (RFC 3325, RFC 4916).
    fn refresh_peer(&mut self, number: CallNumber, message: &Message<'_>) {
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let Some(line) = self.lines.line_ref(call.account) else { return };
        let settings = &line.settings;
        let is_late = message.is_request() || call.answered_at.is_some();
        let is_believed = match is_late {
            true => settings.refresh_identity,
            false => call.by_code || settings.called_from.contains(&crate::settings::Identity::Pai),
        };
        if !is_believed {
            return;
        }
        let before = call.named.as_deref().or(call.signalling.as_ref().map(|it| &*it.dialog().remote.uri));
        let renamed = message.from().filter(|_| message.is_request() && call.answered_at.is_some());
        let renamed = renamed.filter(|from| before.is_some_and(|before| !same_user(before, from.uri)));
        if let Some(from) = &renamed {
            call.named = Some(from.uri.to_owned());
        }
        let peer = identity::connected(message).or(renamed.map(|from| identity::peer(&from)));
        let Some(peer) = peer.filter(|peer| *peer != call.peer) else { return };
        call.peer = peer;
        let name = call.peer.name.clone();
        let call = self.call_ref(number);
        self.desk.tell(EventKind::PeerChanged { call, name });
    }

    /// A call that asks the server for somebody else's: until the server says whose it is, it is `peer`'s.
    pub(super) fn is_call_of(&mut self, number: CallNumber, peer: Peer) {
        if let Some(call) = self.calls.table.get_mut(&number) {
            (call.by_code, call.peer) = (true, peer);
        }
    }

    /// A request of a call that was not answered or could not be sent.
    pub(super) fn on_call_request_failed(&mut self, number: CallNumber, id: ClientId) {
        let event = self.speak(number, |call, context| call.on_request_failed(context, id)).flatten();
        self.on_call_event(number, event);
    }

    /// A request inside a call: its transaction stands, but for an ACK.
    pub(super) fn on_call_request(
        &mut self,
        number: CallNumber,
        id: Option<proto::sip::endpoint::ServerId>,
        request: &Message<'_>,
    ) {
        self.refresh_peer(number, request);
        let from = id.and_then(|id| self.desk.endpoint.origin(id));
        let event = match id {
            _ if request.method() == Some(Method::Ack) => {
                self.speak(number, |call, context| call.on_ack(context, request)).flatten()
            }
            Some(id) => self.speak(number, |call, context| call.on_request(context, id, request)).flatten(),
            None => None,
        };
        match event {
            Some(call::Event::ReferReceived(refer)) if !self.is_over(number) => {
                let by_server = from.is_some_and(|flow| self.comes_by_server(number, flow));
                self.on_refer(number, refer, by_server);
            }
            event => self.on_call_event(number, event),
        }
    }

    fn is_over(&self, number: CallNumber) -> bool {
        self.calls.table.get(&number).is_none_or(|call| call.phase == Phase::Over)
    }

    /// Whether a request inside a call comes from the account's server: from one of its addresses, or from where the
    /// server's INVITE came.
    fn comes_by_server(&self, number: CallNumber, flow: Flow) -> bool {
        let Some(call) = self.calls.table.get(&number).filter(|call| call.origin.trusted) else {
            return false;
        };
        let is_origin = call.origin.ip.is_some_and(|ip| is_same_host(ip, flow.remote.ip()));
        is_origin || self.trusts(call.account, flow, None)
    }

    /// A CANCEL, which counts where it comes from the address of its INVITE, or from another of the server's:
    /// whoever else knows the branch changes nothing by it.
    pub(super) fn on_cancel(
        &mut self,
        flow: Flow,
        id: proto::sip::endpoint::ServerId,
        request: &Message<'_>,
    ) {
        let source = flow.remote.ip();
        let origin = self.desk.endpoint.origin(id);
        let from_there = origin.is_some_and(|origin| is_same_host(origin.remote.ip(), source));
        if !from_there && !self.is_by_servers(flow, request) {
            let text = format!("CANCEL from {} ignored: its call comes from elsewhere", flow.remote);
            self.desk.warn_of("foreign CANCEL", source, &text);
            return self.refuse(flow, request, Reply::new(481));
        }
        let desk = &mut self.desk;
        if !desk.endpoint.cancelled(flow, request, id, &mut desk.transmits) {
            return;
        }
        let Some(number) = self.calls.invited_by(request) else { return };
        let event = self.speak(number, |call, context| call.on_cancel(context, id, request)).flatten();
        self.on_call_event(number, event);
    }

    /// Whether a CANCEL comes from another address of the server whose call it takes back.
    fn is_by_servers(&self, flow: Flow, cancel: &Message<'_>) -> bool {
        let uri = Uri::parse(cancel.request_uri());
        let call = self.calls.invited_by(cancel).and_then(|number| self.calls.table.get(&number));
        call.is_some_and(|call| call.origin.trusted && self.trusts(call.account, flow, uri.as_ref()))
    }

    /// A 200 of ours that nobody acknowledged.
    pub(super) fn on_ack_missing(&mut self, id: proto::sip::endpoint::ServerId) {
        for number in self.calls.table.keys().copied().collect::<Vec<_>>() {
            let event = self.speak(number, |call, context| call.on_ack_missing(context, id)).flatten();
            self.on_call_event(number, event);
        }
    }

    /// Does everything that is due in calls.
    pub(super) fn advance_calls(&mut self) {
        let now = self.desk.now;
        self.calls.busy_until.take_if(|at| *at <= now);
        for number in self.calls.table.keys().copied().collect::<Vec<_>>() {
            let due = self.speak(number, |call, context| {
                let due = call.next_deadline().is_some_and(|(at, _)| at <= now);
                due.then(|| call.on_deadline(context)).flatten()
            });
            self.on_call_event(number, due.flatten());
            while let Some(due) = self.take_due(number) {
                self.on_due(number, due);
            }
        }
        self.advance_auto_redial();
    }

    fn take_due(&mut self, number: CallNumber) -> Option<Due> {
        let now = self.desk.now;
        let timers = &mut self.calls.table.get_mut(&number)?.timers;
        let at = timers.iter().position(|(at, _)| *at <= now)?;
        Some(timers.remove(at).1)
    }

    fn on_due(&mut self, number: CallNumber, due: Due) {
        match due {
            Due::RungOut => self.ring_out(number),
            Due::Forward => self.forward_unanswered(number),
            Due::AutoAnswer => self.answer_by_itself(number),
            Due::TurnAway => self.turn_away(number),
            Due::RingbackOut => self.ringback_out(number),
            Due::TellEnd => self.tell_end(number, Figures::default()),
            Due::HangUp => self.hang_up_call(number, Cause::new(None, "transferred", By::Local)),
            Due::TransferSilent => self.on_transfer_silent(number),
            Due::Forget => {
                self.calls.table.remove(&number);
            }
        }
    }

    /// Translates what happened in a call's dialog.
    fn on_call_event(&mut self, number: CallNumber, event: Option<call::Event>) {
        use call::Event as E;
        let Some(event) = event else { return };
        if self.calls.table.get(&number).is_none_or(|call| call.phase == Phase::Over) {
            return self.on_transfer_event(number, &event);
        }
        match event {
            E::Progress { status, sdp } => self.on_progress(number, status, sdp),
            E::Answered { sdp, .. } => self.on_answered(number, sdp),
            E::Redirected { status, contacts, .. } => self.on_redirected(number, status, contacts),
            E::Failed { status, reason, .. } => {
                let reason = self.desk.unsent.clone().unwrap_or(reason);
                self.on_failed(number, status, reason);
            }
            E::Confirmed { sdp } => self.on_confirmed(number, sdp),
            E::Cancelled { answered_elsewhere } => self.on_cancelled(number, answered_elsewhere),
            E::Offered { sdp } => self.on_offered(number, sdp),
            E::Modified { sdp } => self.on_modified(number, sdp),
            E::ModifyFailed { status } => self.on_modify_failed(number, status),
            E::MayAskAgain { .. } => self.take_back_offer(number),
            E::Refreshed { interval_s } => {
                self.note_call(number, &format!("Session Refreshed, {interval_s}s"));
            }
            // Of a call that is over, or told before: there is nobody to call for.
            E::ReferReceived(_) => {}
            E::Info { content_type, body } => self.on_info(number, &content_type, &body),
            E::Ended { by_remote, reason } => {
                let by = if by_remote { By::Remote } else { By::Network };
                self.finish(number, Cause::new(None, reason, by));
            }
            // An offer is answered at once here: nothing is left to take back.
            E::Withdrawn => {}
            E::ReferAccepted | E::ReferRefused { .. } | E::ReferProgress { .. } => {
                self.on_transfer_event(number, &event);
            }
        }
    }

    /// Ends a call for the person at once, whatever the wire still has to say.
    pub(super) fn hang_up_call(&mut self, number: CallNumber, cause: Cause) {
        self.speak(number, |call, context| call.hang_up(context, None));
        self.finish(number, cause);
    }

    /// The call is over: closes its sound and tells, with what was measured, how it ended.
    fn finish(&mut self, number: CallNumber, cause: Cause) {
        let now = self.desk.now;
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        if call.phase == Phase::Over {
            return;
        }
        call.stop_waiting();
        call.phase = Phase::Over;
        call.plan = None;
        call.wait(now + AFTERLIFE, Due::Forget);
        let text = match cause.status {
            Some(status) => format!("Call {number} ended, {status} {}", cause.reason),
            None => format!("Call {number} ended, {}", cause.reason),
        };
        let by_remote = cause.by == By::Remote;
        call.cause = Some(cause);
        let session = call.sound.as_ref().map(|sound| sound.session);
        let busy_tone = Duration::from_secs(u64::from(self.general.dialling.busy_tone_s));
        if by_remote && call.answered_at.is_some() && !busy_tone.is_zero() {
            self.calls.busy_until = Some(now + busy_tone);
        }
        call.wait(now + session.map_or(Duration::ZERO, |_| FIGURES_WAIT), Due::TellEnd);
        if let Some(session) = session {
            self.desk.sound(SoundCommand::Close { session });
        }
        self.note_call(number, &text);
        self.remember(number);
        self.after_end(number);
        if session.is_none() {
            self.take_timer(number, Due::TellEnd);
            self.tell_end(number, Figures::default());
        }
    }

    /// What other calls make of the end of this one.
    fn after_end(&mut self, number: CallNumber) {
        self.leave_conference(number);
        self.on_consulted_ended(number);
        self.on_referred_ended(number);
        self.go_on_after(number);
    }

    fn tell_end(&mut self, number: CallNumber, rtp: Figures) {
        let now = self.desk.now;
        let call_ref = self.call_ref(number);
        let Some(call) = self.calls.table.get_mut(&number) else { return };
        let Some(cause) = call.cause.take() else { return };
        call.sound = None;
        let duration = call.answered_at.map(|at| now.since(at)).unwrap_or_default();
        let status = cause.status.filter(|_| call.answered_at.is_none());
        self.desk.tell(EventKind::Ended {
            call: call_ref,
            status,
            reason: cause.reason.to_string(),
            by: cause.by,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            rtp,
        });
    }

    fn take_timer(&mut self, number: CallNumber, due: Due) {
        if let Some(call) = self.calls.table.get_mut(&number) {
            call.timers.retain(|(_, waiting)| *waiting != due);
        }
    }
}

/// Whether two addresses name the same user, whatever is escaped (RFC 3261 §19.1.4).
fn same_user(one: &str, other: &str) -> bool {
    let user = |uri| Uri::parse(uri).map(|uri| uri.plain_user().into_owned());
    user(one) == user(other)
}

/// Whether what is said in a call goes to the account's server, which alone may ask for the password. A
/// stranger, and a party whose phone is reached directly, could guess it from one answer.
fn is_by_server(line: &Line, origin: Origin, signalling: &Call) -> bool {
    let by_server = |ip: IpAddr| {
        line.is_server(SocketAddr::new(ip, 0)) || origin.ip.is_some_and(|origin| is_same_host(origin, ip))
    };
    origin.trusted && signalling.next_ip().is_none_or(by_server)
}
