//! Requests in the dialog of a leg.

use proto::sip::endpoint::ServerId;
use proto::sip::{Flow, Message, Target};

use super::legs::same_flow;
use super::{Calls, LegId, Switchboard};
use crate::exchange::abilities::unsupported;
use crate::exchange::ids::Claim;

impl Calls {
    /// How far a request that bears the tag of a leg has shown that it is the leg's own.
    pub(in crate::exchange) fn claim(&self, id: LegId, flow: Flow, message: &Message<'_>) -> Claim {
        match self.legs.get(&id).filter(|leg| leg.machine.owns_request(message)) {
            Some(leg) if same_flow(leg.flow, flow) => Claim::Own,
            Some(leg) => leg.extension.map_or(Claim::Foreign, Claim::Unproven),
            None => Claim::Foreign,
        }
    }
}

impl Switchboard<'_> {
    /// A request in the dialog of a leg, which has shown that it is the leg's own.
    pub(in crate::exchange) fn on_leg_request(&mut self, id: LegId, flow: Flow, message: &Message<'_>) {
        let Some(leg) = self.calls.legs.get_mut(&id) else { return };
        if leg.flow != flow {
            // The device has moved, or has opened its connection anew: the leg follows it.
            leg.flow = flow;
            leg.machine.pin_to(Target { transport: flow.transport, remote: flow.remote, name: None });
        }
        if let Some(extension) = leg.extension {
            // However much memory the account holds: a call that exists can be ended.
            let _ = self.turn.charge(extension.number());
        }
        if let Some(reply) = unsupported(message) {
            return self.turn.answer(flow, message, reply);
        }
        let server = self.turn.accept(flow, message);
        self.with_leg(id, |call, ctx| call.on_request(ctx, server, message));
        if self.calls.legs.get(&id).is_some_and(|leg| leg.machine.is_reinvited_by(server)) {
            self.remember_invite(id, server);
        }
    }

    /// A CANCEL of an INVITE that is not answered yet.
    pub(in crate::exchange) fn on_cancel(&mut self, invite: ServerId, message: &Message<'_>) {
        if let Some(id) = self.calls.invites.get(&invite).copied() {
            self.with_leg(id, |call, ctx| call.on_cancel(ctx, invite, message));
        }
    }
}
