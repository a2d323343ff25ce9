//! What a NOTIFY says: the dialogs of an extension, a parking place, a mailbox.

use std::borrow::Cow;
use std::net::SocketAddr;

use proto::event::dialog_info::{self, CallDirection, DialogEntry, DialogInfo, DialogState, Party as Side};
use proto::event::mwi::{self, MessageCounts, MessageSummary};
use proto::sip::uri::{escape, host_of};

use super::{LampBoard, LampBody, Package};
use crate::exchange::calls::Leg;
use crate::exchange::extension::Messages;
use crate::exchange::ids::{ExtensionId, SubscriptionId};

impl LampBoard<'_> {
    /// What a subscription tells now.
    pub(super) fn body(
        &mut self,
        id: SubscriptionId,
        latest: &mut Option<LampBody>,
    ) -> (&'static str, String) {
        let Some(lamp) = self.lamps.all.get(&id) else { return (dialog_info::MEDIA_TYPE, String::new()) };
        let (watched, version, host) = (lamp.watched, lamp.kept.version, lamp.kept.local);
        match lamp.kept.package {
            Package::Dialog if self.config.partial_lamps => {
                (dialog_info::MEDIA_TYPE, self.lamp_body(watched, version, host, id))
            }
            Package::Dialog => {
                let body = match latest.take() {
                    Some(latest) if (latest.version, latest.host) == (version, host) => latest,
                    _ => {
                        let text = self.lamp_body(watched, version, host, id);
                        LampBody { version, host, text }
                    }
                };
                (dialog_info::MEDIA_TYPE, latest.insert(body).text.clone())
            }
            Package::MessageSummary => (mwi::MEDIA_TYPE, self.messages_body(watched, host)),
        }
    }

    fn messages_body(&self, watched: ExtensionId, host: SocketAddr) -> String {
        let Some(entry) = self.directory.get(watched) else { return String::new() };
        let Messages { new, old } = entry.extension.messages;
        let mailbox = identity(&entry.extension.number, host);
        let counts = MessageCounts { new, old, ..MessageCounts::default() };
        MessageSummary::of_voice(Some(&mailbox), counts).to_string()
    }

    fn lamp_body(
        &mut self,
        watched: ExtensionId,
        version: u32,
        host: SocketAddr,
        id: SubscriptionId,
    ) -> String {
        let Some(entry) = self.directory.get(watched) else { return String::new() };
        if entry.is_place {
            return self.place_body(watched, &entry.extension.number, host, version);
        }
        let dialogs: Vec<DialogEntry> = self
            .calls
            .legs_of(watched)
            .iter()
            .filter_map(|leg| self.calls.legs.get(leg))
            .filter_map(|leg| self.dialog_entry(leg, &entry.extension.number))
            .take(dialog_info::MAX_DIALOGS)
            .collect();
        if self.config.answers.minimal_lamps {
            let state =
                dialogs.iter().map(|dialog| dialog.state).find(|state| *state == DialogState::Confirmed);
            let state = state.or(dialogs.first().map(|dialog| dialog.state)).unwrap_or_default();
            return dialog_info::minimal(&entry.extension.number, &host.to_string(), version, state);
        }
        let registered =
            entry.bindings.iter().any(|binding| binding.is_live(self.turn.now) && binding.reachable);
        let entity = identity(&entry.extension.number, host);
        let lamp = self.lamps.all.get_mut(&id).filter(|_| self.config.partial_lamps);
        let (full, dialogs) = match lamp.and_then(|lamp| lamp.told.replace(dialogs.clone())) {
            Some(known) => (false, difference(&known, dialogs)),
            None => (true, dialogs),
        };
        DialogInfo { entity, version, full, dialogs, registered: Some(registered) }.to_xml()
    }

    /// A parking place as its watchers see it: a dialog of the parked caller.
    fn place_body(&self, place: ExtensionId, number: &str, host: SocketAddr, version: u32) -> String {
        let bridge = self.calls.parked.at(place).and_then(|call| self.calls.bridges.get(&call));
        let leg = bridge.and_then(|bridge| self.calls.legs.get(&bridge.a?));
        let parked = leg.zip(bridge).map(|(leg, bridge)| {
            let dialog = leg.machine.dialog();
            let caller = self.calls.seen_caller(bridge);
            let uri = |number: &str| Some(identity(number, host));
            DialogEntry {
                id: dialog.local.tag.clone(),
                call_id: Some(dialog.call_id.clone()),
                direction: Some(CallDirection::Recipient),
                state: DialogState::Confirmed,
                local: Side { identity: uri(number), ..Side::default() },
                remote: Side {
                    identity: uri(&caller.number),
                    display: Some(caller.display.clone()),
                    ..Side::default()
                },
                parked: true,
                ..DialogEntry::default()
            }
        });
        let entity = identity(number, host);
        let dialogs = parked.into_iter().collect();
        DialogInfo { entity, version, full: true, dialogs, registered: None }.to_xml()
    }

    /// A leg as its watchers see it; `None` where it is over.
    fn dialog_entry(&self, leg: &Leg, number: &str) -> Option<DialogEntry> {
        let bridge = self.calls.bridges.get(&leg.call?)?;
        // The device behind a leg that we dialled was called.
        let called = leg.machine.is_caller();
        let state = match (leg.machine.is_answered(), called || bridge.rings(self.calls)) {
            (true, _) => DialogState::Confirmed,
            (false, true) => DialogState::Early,
            (false, false) => DialogState::Trying,
        };
        let dialog = leg.machine.dialog();
        let is_caller = bridge.a.is_some_and(|a| self.calls.is_leg(a, leg));
        let other = if is_caller { Cow::Borrowed(&bridge.callee) } else { self.calls.seen_caller(bridge) };
        let uri = |number: &str| Some(identity(number, leg.flow.local));
        Some(DialogEntry {
            id: dialog.local.tag.clone(),
            call_id: Some(dialog.call_id.clone()),
            // From the watched device's point of view its own tag is local.
            local_tag: Some(dialog.remote.tag.clone()).filter(|tag| !tag.is_empty()),
            remote_tag: Some(dialog.local.tag.clone()),
            direction: Some(if called { CallDirection::Recipient } else { CallDirection::Initiator }),
            state,
            local: Side { identity: uri(number), rendering: leg.holds.then_some(false), ..Side::default() },
            remote: Side {
                identity: uri(&other.number),
                display: Some(other.display.clone()),
                ..Side::default()
            },
            ..DialogEntry::default()
        })
    }
}

/// The address of a number; what an outside caller is named may need escapes (RFC 3261 §25.1).
fn identity(number: &str, host: SocketAddr) -> String {
    format!("sip:{}@{}", escape(number), host_of(host.ip()))
}

/// What of the dialogs is new or different, and those that are over.
fn difference(known: &[DialogEntry], now: Vec<DialogEntry>) -> Vec<DialogEntry> {
    let over = known.iter().filter(|old| now.iter().all(|new| new.id != old.id));
    let over = over.map(|old| DialogEntry { state: DialogState::Terminated, ..old.clone() });
    let over: Vec<DialogEntry> = over.collect();
    now.into_iter().filter(|new| !known.contains(new)).chain(over).collect()
}
