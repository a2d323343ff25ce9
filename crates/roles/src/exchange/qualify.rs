//! Whether devices still answer: OPTIONS to each of them over UDP, now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proto::sip::endpoint::ClientId;
use proto::sip::message::{Method, Name};
use proto::sip::{Request, Transport};

use super::Event;
use super::binding::Binding;
use super::directory::Directory;
use super::ids::{Alarm, ExtensionId, Owner};
use super::turn::Turn;

/// Who is asked, and when.
#[derive(Debug)]
pub(super) struct Qualifier {
    /// Every how many seconds; never where `None`.
    every_s: Option<u32>,
    /// The extensions for which a wake-up is under way.
    set: BTreeSet<ExtensionId>,
    /// The OPTIONS under way, and to which contact.
    asked: BTreeMap<ExtensionId, Vec<(ClientId, String)>>,
}

impl Qualifier {
    pub(super) const fn new(every_s: Option<u32>) -> Self {
        Self { every_s, set: BTreeSet::new(), asked: BTreeMap::new() }
    }

    /// Sets the time of the next OPTIONS, where the exchange sends any.
    pub(super) fn ask_later(&mut self, turn: &mut Turn, id: ExtensionId) {
        let Some(every_s) = self.every_s else { return };
        if self.set.insert(id) {
            // Spread over the interval, so that a restart with many devices is no flood.
            let wait_ms = turn.rng.below(u64::from(every_s.max(1)) * 1_000);
            turn.wake_at(turn.now + Duration::from_millis(wait_ms), Alarm::Qualify(id));
        }
    }

    /// Asks every device of an extension.
    pub(super) fn ask(&mut self, turn: &mut Turn, directory: &Directory, id: ExtensionId) {
        self.asked.remove(&id);
        let bindings = directory.get(id).map(|entry| &*entry.bindings).unwrap_or_default();
        let Some(every_s) = self.every_s.filter(|_| !bindings.is_empty()) else {
            self.set.remove(&id);
            return;
        };
        let now = turn.now;
        let devices = bindings.iter().filter(|b| b.is_live(now) && b.flow().transport == Transport::Udp);
        let asked: Vec<(ClientId, String)> =
            devices.filter_map(|device| ask_device(turn, id, device)).collect();
        self.asked.insert(id, asked);
        turn.wake_at(now + Duration::from_secs(u64::from(every_s.max(1))), Alarm::Qualify(id));
    }

    /// A device has answered its OPTIONS, by any status, or has not.
    pub(super) fn on_answer(
        &mut self,
        turn: &mut Turn,
        directory: &mut Directory,
        id: ExtensionId,
        asked: ClientId,
        reachable: bool,
    ) {
        let Some(all) = self.asked.get_mut(&id) else { return };
        let Some(at) = all.iter().position(|(other, _)| *other == asked) else { return };
        let (_, contact) = all.swap_remove(at);
        let Some(entry) = directory.get_mut(id) else { return };
        let device = entry.bindings.iter_mut().find(|device| device.contact == contact);
        if let Some(device) = device.filter(|device| device.reachable != reachable) {
            Arc::make_mut(device).reachable = reachable;
            let number = device.number.clone();
            turn.tell(Event::Reachable { number, contact, reachable });
            turn.changed_lamps.insert(id);
        }
    }

    /// An extension is gone.
    pub(super) fn forget(&mut self, turn: &mut Turn, id: ExtensionId) {
        self.asked.remove(&id);
        if self.set.remove(&id) {
            turn.alarms.retain(|(_, alarm)| *alarm != Alarm::Qualify(id));
        }
    }
}

fn ask_device(turn: &mut Turn, id: ExtensionId, device: &Binding) -> Option<(ClientId, String)> {
    let host = proto::sip::uri::host_of(device.local.ip());
    let mut request = Request::new(Method::Options, &*device.contact);
    for route in &device.path {
        request = request.header(Name::Route, route);
    }
    request = request
        .header(Name::From, format_args!("<sip:{host}>;tag={}", turn.rng.hex(16)))
        .header(Name::To, format_args!("<{}>", device.contact))
        .header(Name::CallId, turn.rng.hex(24))
        .header(Name::CSeq, "1 OPTIONS")
        .header(Name::MaxForwards, 70)
        .header(Name::Contact, format_args!("<sip:{}>", device.local))
        .header(Name::UserAgent, &turn.product);
    let (targets, owner) = (device.targets(), Owner::Qualify(id));
    let sent = turn.endpoint.send(turn.now, &request, targets, device.local, owner, &mut turn.wire);
    sent.ok().map(|asked| (asked, device.contact.clone()))
}
