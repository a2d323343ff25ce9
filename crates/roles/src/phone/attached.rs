//! A phone that owns its network socket: the network agent and the rest of the phone.

use std::sync::Arc;

use proto::Time;

use super::desk::{Change, Wish};
use super::log::Tag;
use super::network::{Agent, Identity, KeptLease, Told};
use super::{Phone, Why};
use crate::role::{Dscp, Network, Output};

impl Phone {
    /// The address that it had before it was switched off.
    pub(super) fn restore_lease(&mut self, lease: KeptLease) {
        self.kept_lease = Some(lease);
    }

    /// The address that it is to ask for after a restart.
    pub(super) fn kept_lease(&self) -> Option<KeptLease> {
        self.kept_lease
    }

    /// Finds VLAN and address; accounts and provisioning wait for them.
    pub(super) fn start_network(&mut self, interface: Arc<str>) {
        self.desk.place.network = Network::nowhere();
        let place = &self.desk.place;
        let (model, mac_text) = (self.settings.model(), place.mac_text());
        let settings = self.general.network.clone();
        let set = settings.host_name.clone();
        let who = Identity {
            interface,
            mac: place.mac,
            model: model.name.to_owned(),
            version: place.version.to_string(),
            serial: place.serial.to_string(),
            host_name: if set.is_empty() { format!("{}-{mac_text}", model.name) } else { set },
            mac_text,
            decawatts: model.adapter.map_or(0, |adapter| adapter.decawatts()),
            dscp: Dscp { signal: self.general.rtp.signal_dscp, sound: self.general.rtp.audio_dscp },
        };
        if settings.wants_pppoe {
            self.desk.warn_as(Tag::Network, "PPPoE is done by the system of this machine; DHCP is asked");
        }
        let mut agent = Agent::new(settings, who, self.kept_lease, self.desk.rng.fork());
        agent.on_link(self.desk.now, true);
        self.agent = Some(Box::new(agent));
    }

    pub(super) fn on_frame(&mut self, bytes: &[u8]) {
        if let Some(agent) = &mut self.agent {
            agent.on_frame(self.desk.now, bytes);
        }
    }

    pub(super) fn on_link(&mut self, is_up: bool) {
        if let Some(agent) = &mut self.agent {
            agent.on_link(self.desk.now, is_up);
        }
    }

    pub(super) fn advance_network(&mut self) {
        if let Some(agent) = &mut self.agent {
            agent.advance(self.desk.now);
        }
    }

    pub(super) fn next_network_deadline(&self) -> Option<(Time, Why)> {
        let (at, why) = self.agent.as_ref()?.next_deadline()?;
        Some((at, Why::Network(why)))
    }

    /// The phone is switched off: its neighbours know, and its address is free for others.
    pub(super) fn leave_network(&mut self) {
        if let Some(agent) = &mut self.agent {
            agent.stop(self.desk.now);
        }
        self.settle_network();
    }

    /// The phone starts again: it keeps its address, its neighbours learn that it is away.
    pub(super) fn say_goodbye_to_neighbours(&mut self) {
        if let Some(agent) = &mut self.agent {
            agent.say_goodbye(self.desk.now);
        }
        self.settle_network();
    }

    /// Hands over what the agent wants done.
    pub(super) fn settle_network(&mut self) {
        let Some(agent) = &mut self.agent else { return };
        for told in agent.take_told() {
            match told {
                Told::Frame(frame) => self.desk.out.push(Output::SendFrame(frame)),
                Told::Note(note) => self.desk.write(note.tag, note.severity, &note.text),
                Told::Place(network) => self.desk.wish(Wish::Place(network)),
                Told::Lease(lease) => {
                    self.kept_lease = Some(lease);
                    self.desk.keep(Change::Lease(lease));
                }
            }
        }
    }
}
