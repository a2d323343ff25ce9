//! Calls made and led by command: what a web page's or a program's click does.

use std::sync::Arc;

use proto::sdp::{Local, OfferAnswer};

use super::{CallId, LegId, Switchboard, Transfer};
use crate::exchange::binding::Binding;
use crate::exchange::facts::Party;
use crate::exchange::ids::ExtensionId;
use crate::exchange::router::Route;
use crate::exchange::{Event, Output};

impl Switchboard<'_> {
    /// Rings the devices of `from`; the one that answers is connected to `to` (RFC 3725 §4.4, with the
    /// relay's own address as the first offer, so that no device has to wait with an open answer).
    pub(in crate::exchange) fn originate(&mut self, from: &str, to: &str) -> Result<u64, String> {
        let Some(caller) = self.directory.find(from) else {
            return Err(format!("there is no extension {from}"));
        };
        if !matches!(self.route_number(to), Route::Extension(_)) {
            return Err(format!("there is no extension {to}"));
        }
        let is_off = |number: &str| {
            let entry = self.directory.find(number).and_then(|id| self.directory.get(id));
            entry.is_some_and(|entry| !entry.extension.enabled)
        };
        if let Some(number) = [from, to].into_iter().find(|number| is_off(number)) {
            return Err(format!("extension {number} is switched off"));
        }
        let devices = self.devices_of(caller);
        if devices.is_empty() {
            return Err(format!("no device of {from} is registered and answers"));
        }
        if self.calls.bridges.len() >= self.config.max_calls {
            return Err("the exchange has all the calls that it may have".to_owned());
        }
        let Some(call) = self.open_bridge(caller, to, Vec::new()) else {
            return Err("the media relay has no room".to_owned());
        };
        let display = self.directory.find(to).map(|id| self.peer_of(id).display).unwrap_or_default();
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            let at = bridge.place.b;
            let offer = OfferAnswer::new(Local::new(at.ip(), at.port()), self.turn.now.as_secs()).offer();
            bridge.offer = Some(offer.to_bytes());
            bridge.then = Some(to.to_owned());
            bridge.callee.display = display;
        }
        self.turn.told.extend(self.calls.view(call).map(|view| Output::Event(Event::CallStarted(view))));
        self.ring_devices(call, caller, &devices);
        Ok(call.0)
    }

    /// The devices of an extension that can be rung.
    pub(super) fn devices_of(&self, id: ExtensionId) -> Vec<Arc<Binding>> {
        let bindings = self.directory.get(id).map(|entry| &*entry.bindings).unwrap_or_default();
        bindings.iter().filter(|device| device.is_live(self.turn.now) && device.reachable).cloned().collect()
    }

    /// A device of the caller has answered: now the called is called, with what the device offered.
    pub(super) fn go_on_to_callee(&mut self, call: CallId, id: LegId, sdp: Option<Vec<u8>>) {
        self.set_no_answer(call, None);
        let Some(bridge) = self.calls.bridges.get_mut(&call) else { return };
        let Some(to) = bridge.then.take() else { return };
        bridge.a = Some(id);
        bridge.b.clear();
        let offer = self.relayed_unheld(call, id, sdp);
        if let Some(bridge) = self.calls.bridges.get_mut(&call) {
            bridge.offer = offer;
        }
        match self.route_number(&to) {
            Route::Extension(callee) => self.ring(call, callee),
            _ => self.give_up(call, 404),
        }
    }

    /// Leads one party of an answered call to another number; the other party is hung up once the
    /// target has answered.
    pub(in crate::exchange) fn transfer(&mut self, call: u64, party: Party, to: &str) -> Result<u64, String> {
        let legs = self.calls.find_call(call).and_then(|id| {
            let bridge = self.calls.bridges.get(&id)?;
            bridge.answered_at?;
            Some((bridge.a?, *bridge.b.first()?))
        });
        let Some((a, b)) = legs else {
            return Err(format!("there is no answered call {call}"));
        };
        let Route::Extension(target) = self.route_number(to) else {
            return Err(format!("there is no extension {to}"));
        };
        let (transferee, transferor) = if party == Party::Caller { (a, b) } else { (b, a) };
        let pending = self.calls.legs.get(&transferor).and_then(|leg| leg.transfers);
        if pending.is_some_and(|other| self.calls.bridges.contains_key(&other)) {
            return Err(format!("call {call} is being transferred already"));
        }
        let transfer = Transfer { transferor, transferee, by_hand: true };
        let Some(new) = self.open_transfer(transfer, target, Vec::new()) else {
            return Err("the media relay has no room".to_owned());
        };
        self.ring(new, target);
        Ok(new.0)
    }
}
