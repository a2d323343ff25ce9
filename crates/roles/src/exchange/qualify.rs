//! Whether devices still answer: OPTIONS to each of them over UDP, now and then.

use std::sync::Arc;
use std::time::Duration;

use proto::Time;
use proto::sip::endpoint::ClientId;
use proto::sip::message::{Method, Name};
use proto::sip::{Request, Transport};

use super::directory::{Binding, ExtensionId};
use super::{Alarm, Event, Exchange, Output, Owner};

impl Exchange {
    /// Sets the time of the next OPTIONS, where the exchange sends any.
    pub(super) fn qualify_later(&mut self, now: Time, id: ExtensionId) {
        let Some(every_s) = self.config.qualify_s else { return };
        let set =
            self.directory.get_mut(id).is_some_and(|entry| std::mem::replace(&mut entry.qualify_set, true));
        if !set {
            // Spread over the interval, so that a restart with many devices is no flood.
            let wait_ms = self.turn.rng.below(u64::from(every_s.max(1)) * 1_000);
            self.turn.alarms.insert((now + Duration::from_millis(wait_ms), Alarm::Qualify(id)));
        }
    }

    /// Asks every device of an extension.
    pub(super) fn qualify(&mut self, now: Time, id: ExtensionId) {
        let (Some(every_s), Some(entry)) = (self.config.qualify_s, self.directory.get_mut(id)) else {
            return;
        };
        entry.asked.clear();
        if entry.bindings.is_empty() {
            entry.qualify_set = false;
            return;
        }
        let devices =
            entry.bindings.iter().filter(|b| b.is_live(now) && b.flow().transport == Transport::Udp);
        let devices: Vec<Arc<Binding>> = devices.cloned().collect();
        for device in devices {
            self.ask_device(now, id, &device);
        }
        self.turn.alarms.insert((now + Duration::from_secs(u64::from(every_s.max(1))), Alarm::Qualify(id)));
    }

    fn ask_device(&mut self, now: Time, id: ExtensionId, device: &Binding) {
        let host = proto::sip::uri::host_of(device.local.ip());
        let mut request = Request::new(Method::Options, &*device.contact);
        for route in &device.path {
            request = request.header(Name::Route, route);
        }
        request = request
            .header(Name::From, format_args!("<sip:{host}>;tag={}", self.turn.rng.hex(16)))
            .header(Name::To, format_args!("<{}>", device.contact))
            .header(Name::CallId, self.turn.rng.hex(24))
            .header(Name::CSeq, "1 OPTIONS")
            .header(Name::MaxForwards, 70)
            .header(Name::Contact, format_args!("<sip:{}>", device.local))
            .header(Name::UserAgent, &self.config.user_agent);
        let (targets, owner) = (device.targets(), Owner::Qualify(id));
        let sent = self.turn.endpoint.send(now, &request, targets, device.local, owner, &mut self.turn.wire);
        if let (Ok(asked), Some(entry)) = (sent, self.directory.get_mut(id)) {
            entry.asked.push((asked, device.contact.clone()));
        }
    }

    /// A device has answered, with whatever status, or has not.
    pub(super) fn on_qualified(&mut self, _now: Time, id: ExtensionId, asked: ClientId, reachable: bool) {
        let Some(entry) = self.directory.get_mut(id) else { return };
        let Some(at) = entry.asked.iter().position(|(other, _)| *other == asked) else { return };
        let (_, contact) = entry.asked.swap_remove(at);
        let device = entry.bindings.iter_mut().find(|device| device.contact == contact);
        if let Some(device) = device.filter(|device| device.reachable != reachable) {
            Arc::make_mut(device).reachable = reachable;
            let number = device.number.clone();
            self.turn.told.push(Output::Event(Event::Reachable { number, contact, reachable }));
            self.changed_lamps.insert(id);
        }
    }
}
