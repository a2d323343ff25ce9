//! Legs: made, spoken to, told, removed.

use std::borrow::Cow;

use proto::sip::dialog::{Dialog, Party};
use proto::sip::endpoint::{ClientId, ServerId};
use proto::sip::usage::call::{Call, Event as CallEvent, Invitation};
use proto::sip::usage::{Context, Identity};
use proto::sip::{Flow, Message, Name, Reply, Target, Transport};

use super::{CallId, Leg, LegId, Switchboard};
use crate::exchange::abilities::{ALLOW, SUPPORTED};
use crate::exchange::binding::Binding;
use crate::exchange::facts::ANONYMOUS_URI;
use crate::exchange::ids::{Alarm, ExtensionId, Owner};
use crate::relay::Side;

/// Where we offer nothing: an offer that came reliably would have to be answered in the PRACK (RFC 3262
/// §5), before the caller has answered.
const SUPPORTED_WITHOUT_OFFER: &str = "replaces, timer";
/// The digits of our tags.
const TAG_DIGITS: usize = 16;

impl Switchboard<'_> {
    /// Who we are towards one device, as `number`.
    fn identity(&self, flow: Flow, number: &str) -> Identity {
        let transport = match flow.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        Identity {
            local: flow.local,
            contact: format!("<sip:{}@{}{transport}>", proto::sip::uri::escape(number), flow.local),
            user_agent: self.config.user_agent.clone(),
            allow: ALLOW,
            supported: SUPPORTED,
            rport: true,
        }
    }

    /// A leg from an INVITE of theirs; `None` where it cannot be read, and it has been answered.
    pub(super) fn incoming_leg(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        extension: ExtensionId,
    ) -> Option<LegId> {
        let server = self.turn.accept(flow, message);
        let tag = self.turn.rng.hex(TAG_DIGITS);
        let target = Target { transport: flow.transport, remote: flow.remote, name: None };
        let Some(mut machine) = Call::incoming(server, message, tag.clone(), target.clone()) else {
            self.turn.reply(server, Reply::new(400));
            return None;
        };
        machine.pin_to(target);
        let called = message.to().and_then(|to| to.parsed_uri());
        let number = called.map(|uri| uri.plain_user().into_owned()).unwrap_or_default();
        let identity = self.identity(flow, &number);
        let id = self.add_leg(machine, identity, flow, Some(extension), &tag, Side::A);
        self.calls.invites.insert(server, id);
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.invite = Some(server);
            leg.remote_sdp = message.session_description().unwrap_or_default().to_vec();
            leg.hidden = wants_no_name(message);
        }
        self.calls.recount(id);
        Some(id)
    }

    /// A leg to one device of an extension. `None` where nothing could be sent.
    pub(super) fn outgoing_leg(
        &mut self,
        call: CallId,
        binding: &Binding,
        extension: ExtensionId,
        invitation: Invitation,
    ) -> Option<LegId> {
        let bridge = self.calls.bridges.get(&call)?;
        let (flow, host) = (binding.flow(), proto::sip::uri::host_of(binding.local.ip()));
        let (tag, call_id) = (self.turn.rng.hex(TAG_DIGITS), self.turn.rng.hex(24));
        let (cause, other) = (bridge.cause, self.calls.shown_to_callee(bridge));
        let hidden = matches!(&other, Cow::Owned(_));
        let user = proto::sip::uri::escape(&other.number);
        let uri = if hidden { ANONYMOUS_URI.to_owned() } else { format!("sip:{user}@{host}") };
        let local = Party::new(&*other.display, uri).with_tag(&*tag);
        let user = proto::sip::uri::escape(&binding.number);
        let remote = Party::new("", format!("sip:{user}@{host}"));
        let mut dialog = Dialog::outgoing(call_id, local, remote, binding.contact.clone());
        dialog.routes.clone_from(&binding.path);
        let mut identity = self.identity(flow, &other.number);
        if invitation.sdp.is_none() {
            identity.supported = SUPPORTED_WITHOUT_OFFER;
        }
        let id = self.calls.next_leg();
        let mut ctx = Context {
            now: self.turn.now,
            endpoint: &mut self.turn.endpoint,
            out: &mut self.turn.wire,
            rng: &mut self.turn.rng,
            auth: None,
            identity: &identity,
            owner: Owner::Leg(id),
        };
        let mut machine = Call::dial(&mut ctx, dialog, binding.targets(), invitation).ok()?;
        machine.pin_to_all(binding.targets());
        self.insert_leg(id, machine, identity, flow, Some(extension), cause, &tag, Side::B);
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.call = Some(call);
        }
        Some(id)
    }

    fn add_leg(
        &mut self,
        machine: Call,
        identity: Identity,
        flow: Flow,
        extension: Option<ExtensionId>,
        tag: &str,
        side: Side,
    ) -> LegId {
        let id = self.calls.next_leg();
        self.insert_leg(id, machine, identity, flow, extension, extension, tag, side);
        id
    }

    #[expect(clippy::too_many_arguments, reason = "every field of a leg that is known at its birth")]
    fn insert_leg(
        &mut self,
        id: LegId,
        machine: Call,
        identity: Identity,
        flow: Flow,
        extension: Option<ExtensionId>,
        cause: Option<ExtensionId>,
        tag: &str,
        side: Side,
    ) {
        let leg = Leg {
            call: None,
            side,
            machine,
            hidden: false,
            identity,
            flow,
            extension,
            tag: tag.into(),
            invite: None,
            remote_sdp: Vec::new(),
            asked_by: None,
            answers_late: None,
            outdated: false,
            rejoins: None,
            station: None,
            joined_by: None,
            transfers: None,
            ringing: false,
            holds: false,
            said_before: None,
            cause,
            held_bytes: 0,
            alarm: None,
        };
        self.calls.tags.insert(tag.into(), id);
        self.calls.legs.insert(id, leg);
        if let Some(cause) = cause {
            *self.calls.caused.entry(cause).or_default() += 1;
        }
        self.calls.recount(id);
        if let Some(extension) = extension {
            self.calls.by_extension.entry(extension).or_default().push(id);
        }
        self.turn.changed_lamps.extend(extension);
    }

    /// Lets a leg do something, and acts upon what comes of it.
    pub(super) fn with_leg(
        &mut self,
        id: LegId,
        act: impl FnOnce(&mut Call, &mut Context<'_, Owner>) -> Option<CallEvent>,
    ) {
        let event = self.ask_leg(id, act).flatten();
        if let Some(event) = event {
            self.on_leg_event(id, event);
        }
        self.settle(id);
    }

    /// Lets a leg do something of which no event can come.
    pub(super) fn ask_leg<R>(
        &mut self,
        id: LegId,
        act: impl FnOnce(&mut Call, &mut Context<'_, Owner>) -> R,
    ) -> Option<R> {
        let leg = self.calls.legs.get_mut(&id)?;
        let mut ctx = Context {
            now: self.turn.now,
            endpoint: &mut self.turn.endpoint,
            out: &mut self.turn.wire,
            rng: &mut self.turn.rng,
            auth: None,
            identity: &leg.identity,
            owner: Owner::Leg(id),
        };
        let result = act(&mut leg.machine, &mut ctx);
        self.calls.recount(id);
        self.settle(id);
        Some(result)
    }

    /// After every step: the leg's alarm is set, or the leg is gone if nothing more can happen and no
    /// call wants it.
    fn settle(&mut self, id: LegId) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        let is_wanted = leg.call.is_some_and(|call| self.calls.bridges.contains_key(&call));
        let over = leg.machine.is_over() && !is_wanted;
        let due = leg.machine.next_deadline().map(|(at, _)| at).filter(|_| !over);
        if leg.alarm != due {
            if let Some(at) = leg.alarm {
                self.turn.alarms.remove(&(at, Alarm::Leg(id)));
            }
            leg.alarm = due;
            self.turn.alarms.extend(due.map(|at| (at, Alarm::Leg(id))));
        }
        if over {
            self.remove_leg(id);
        }
    }

    fn remove_leg(&mut self, id: LegId) {
        let Some(leg) = self.calls.legs.remove(&id) else { return };
        self.calls.held_bytes -= leg.held_bytes;
        if let Some(cause) = leg.cause
            && let Some(count) = self.calls.caused.get_mut(&cause)
        {
            *count -= 1;
            if *count == 0 {
                self.calls.caused.remove(&cause);
            }
        }
        self.calls.tags.remove(&leg.tag);
        if let Some(invite) = leg.invite {
            self.calls.invites.remove(&invite);
        }
        if let Some(extension) = leg.extension
            && let Some(legs) = self.calls.by_extension.get_mut(&extension)
        {
            legs.retain(|other| *other != id);
            if legs.is_empty() {
                self.calls.by_extension.remove(&extension);
            }
        }
        self.turn.changed_lamps.extend(leg.extension);
    }

    /// The leg no longer belongs to a call.
    pub(super) fn let_go(&mut self, id: LegId) {
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.call = None;
            self.turn.changed_lamps.extend(leg.extension);
        }
        self.settle(id);
    }

    /// Hangs up, cancels or refuses.
    pub(in crate::exchange) fn hang_up_leg(&mut self, id: LegId, reason: Option<&str>) {
        self.ask_leg(id, |call, ctx| call.hang_up(ctx, reason));
    }

    /// A re-INVITE that its device may cancel.
    pub(super) fn remember_invite(&mut self, id: LegId, server: ServerId) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        if let Some(old) = leg.invite.replace(server) {
            self.calls.invites.remove(&old);
        }
        self.calls.invites.insert(server, id);
    }

    pub(in crate::exchange) fn on_leg_response(&mut self, leg: LegId, id: ClientId, message: &Message<'_>) {
        self.with_leg(leg, |call, ctx| {
            if call.is_answered() {
                call.on_late_answer(ctx, id, message);
            }
            call.on_response(ctx, id, message)
        });
    }

    pub(in crate::exchange) fn on_leg_request_failed(&mut self, leg: LegId, id: ClientId) {
        self.with_leg(leg, |call, ctx| call.on_request_failed(ctx, id));
    }

    pub(in crate::exchange) fn on_leg_alarm(&mut self, id: LegId) {
        if let Some(leg) = self.calls.legs.get_mut(&id) {
            leg.alarm = None;
        }
        self.with_leg(id, |call, ctx| call.on_deadline(ctx));
    }

    /// Refuses an incoming leg.
    pub(super) fn refuse_leg(&mut self, id: LegId, reply: Reply) {
        let reply = reply.header(Name::Server, &self.config.user_agent);
        self.ask_leg(id, |call, ctx| call.refuse(ctx, reply));
    }
}

/// Whether a caller asks that the called do not learn who he is (RFC 3323 §4.2, RFC 3325 §9.3).
fn wants_no_name(message: &Message<'_>) -> bool {
    let unnamed = message.from().is_some_and(|from| from.uri.eq_ignore_ascii_case(ANONYMOUS_URI));
    let asked = message.text(Name::Privacy).unwrap_or_default();
    let asks = |kind: &str| ["id", "user", "header"].iter().any(|own| kind.trim().eq_ignore_ascii_case(own));
    unnamed || asked.split(';').any(asks)
}

/// A connection may be opened anew from another port; a datagram may not.
pub(super) fn same_flow(known: Flow, flow: Flow) -> bool {
    let reliable = known.transport.is_reliable();
    known.transport == flow.transport
        && known.remote.ip() == flow.remote.ip()
        && (reliable || known.remote.port() == flow.remote.port())
}
