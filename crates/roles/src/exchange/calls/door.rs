//! What comes to a leg from outside: whether it comes from where the leg is, or by whoever knows its password.

use proto::Time;
use proto::sip::endpoint::ServerId;
use proto::sip::{Flow, Message, Reply, Target};

use super::LegId;
use super::legs::same_flow;
use crate::exchange::Exchange;
use crate::exchange::abilities::unsupported;

impl Exchange {
    /// A request in the dialog of a leg: from where the leg is, or by whoever knows its password.
    pub(in crate::exchange) fn on_leg_request(
        &mut self,
        now: Time,
        id: LegId,
        flow: Flow,
        message: &Message<'_>,
    ) {
        let Some(leg) = self.calls.legs.get(&id) else { return };
        if !leg.machine.owns_request(message) {
            self.turn_away(now, flow, message, Reply::new(481));
            return;
        }
        if !same_flow(leg.flow, flow) && !self.follow(now, id, flow, message) {
            return;
        }
        if let Some(leg) = self.calls.legs.get_mut(&id).filter(|leg| leg.flow != flow) {
            // A device that has opened its connection anew: what it is told goes there too.
            leg.flow = flow;
            leg.machine.pin_to(Target { transport: flow.transport, remote: flow.remote, name: None });
        }
        let extension = self.calls.legs.get(&id).and_then(|leg| leg.extension);
        if let Some(extension) = extension {
            // Whatever it holds, what stands can be ended.
            let _ = self.turn.endpoint.charge(extension.number());
        }
        if let Some(reply) = unsupported(message) {
            return self.turn.answer(flow, message, reply);
        }
        let server = self.turn.endpoint.accept(now, flow, message);
        self.switchboard().with_leg(now, id, |call, ctx| call.on_request(ctx, server, message));
        if self.calls.legs.get(&id).is_some_and(|leg| leg.machine.is_reinvited_by(server)) {
            self.switchboard().remember_invite(id, server);
        }
    }

    /// A device speaks from another address: it must prove who it is, then the leg follows it.
    fn follow(&mut self, now: Time, id: LegId, flow: Flow, message: &Message<'_>) -> bool {
        let source = proto::sip::digest::Presented::by(message, flow.remote.ip(), self.realm());
        let expected = self.calls.legs.get(&id).and_then(|leg| leg.extension);
        if source.header.is_none() || expected.is_none() {
            return self.authenticate(now, flow, message).is_some() && expected.is_none();
        }
        let proven = self.authenticate(now, flow, message) == expected;
        if let Some(leg) = self.calls.legs.get_mut(&id).filter(|_| proven) {
            leg.flow = flow;
            leg.machine.pin_to(Target { transport: flow.transport, remote: flow.remote, name: None });
        }
        proven
    }

    /// A CANCEL of an INVITE of theirs. Whoever has seen the branch may know it; the caller alone sits where
    /// the INVITE came from, maybe at another port since (NATs rebind).
    pub(in crate::exchange) fn on_cancel(
        &mut self,
        now: Time,
        flow: Flow,
        invite: ServerId,
        message: &Message<'_>,
    ) {
        let source = flow.remote.ip().to_canonical();
        let origin = self.turn.endpoint.origin(invite);
        if origin.is_none_or(|origin| origin.remote.ip().to_canonical() != source) {
            self.turn_away(now, flow, message, Reply::new(481));
            return;
        }
        let sent = self.turn.wire.len();
        let is_news = self.turn.endpoint.cancelled(flow, message, invite, &mut self.turn.wire);
        if !is_news {
            return self.limit_answers(now, flow, sent);
        }
        if let Some(id) = self.calls.invites.get(&invite).copied() {
            self.switchboard().with_leg(now, id, |call, ctx| call.on_cancel(ctx, invite, message));
        }
    }
}
