//! The network agent: finds the VLAN and the address of a phone that owns its network socket.
//!
//! It is fed with frames and tells what is to be sent, logged and set up. The VLAN comes from the first of LLDP, CDP,
//! the settings and a DHCP option that names one (deck, Network); the address from DHCP or the settings, and is used
//! once nobody else has it.

mod beat;
mod dhcp;
mod lease;
mod link;
mod neighbours;
#[cfg(test)]
mod tests;
mod why;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::ethernet::{self, Frame, LAST_VLAN, Mac, Tag};
use proto::{Time, arp, ipv4, lldp};

#[cfg(test)]
use crate::phone::log;
use crate::role::{Dscp, Network, Vlan, VlanSource};
use crate::settings::{ManualVlan, NetworkSettings};
use dhcp::{Client, Outcome, Words};
use link::{Link, Note};
use neighbours::{Neighbours, Wanted};

pub use lease::KeptLease;
pub use why::Why;

/// How long a phone listens for the switch before it takes what else names a VLAN: a switch answers within a second
/// of the phone's first frames, of which there are three.
const LISTENING: Duration = Duration::from_secs(3);
/// So many DISCOVERs without an answer show that a VLAN has no server.
const UNANSWERED: u32 = 3;
/// Probes before an address is used, and the wait after each (RFC 5227 §2.1.1, shortened for a person who waits).
const PROBES: u8 = 2;
const PROBE_WAIT: Duration = Duration::from_millis(500);
/// How long a static address is left alone that somebody else has, and how often a claim is answered (RFC 5227 §2.4).
const CLASH: Duration = Duration::from_secs(10);

/// What a phone tells its network of itself.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The interface, as it stands in the log.
    pub(super) interface: Arc<str>,
    pub(super) mac: Mac,
    pub(super) mac_text: String,
    pub(super) model: String,
    pub(super) version: String,
    pub(super) serial: String,
    pub(super) host_name: String,
    /// What it takes at most, in tenths of a watt.
    pub(super) decawatts: u16,
    /// What the settings say.
    pub(super) dscp: Dscp,
}

/// What the agent wants done.
#[derive(Debug)]
pub(super) enum Told {
    Frame(Bytes),
    Note(Note),
    /// The interface is to have this address and VLAN; none: it has no address any more.
    Place(Option<Box<Network>>),
    /// The address is to be asked for again after a restart.
    Lease(KeptLease),
}

/// Who names a VLAN, the first that does is obeyed (deck, Network; CDP beside LLDP).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rung {
    Lldp,
    Cdp,
    Manual,
    Dhcp,
    /// Nobody: frames without a tag.
    Nobody,
}

#[derive(Debug)]
enum Stage {
    Off,
    /// The cable is unplugged.
    Down,
    Listening(Time),
    /// DHCP looks for an address.
    Asking,
    /// Whether anybody has the address.
    Probing {
        ip: Ipv4Addr,
        left: u8,
        next: Time,
    },
    /// Somebody has the static address.
    Clashing(Time),
    Here,
}

/// The agent.
#[derive(Debug)]
pub(super) struct Agent {
    settings: NetworkSettings,
    who: Identity,
    link: Link,
    stage: Stage,
    neighbours: Neighbours,
    client: Client,
    rung: Rung,
    vlan: Option<Vlan>,
    /// The VLAN that a DHCP option has named.
    by_dhcp: Option<Vlan>,
    /// Whose VLANs have no server.
    barred: Vec<Rung>,
    kept: Option<KeptLease>,
    /// What the interface was told last.
    place: Option<Box<Network>>,
    defended: Option<Time>,
    told: Vec<Told>,
}

impl Agent {
    pub(super) fn new(
        settings: NetworkSettings,
        who: Identity,
        kept: Option<KeptLease>,
        seed: [u8; 32],
    ) -> Self {
        let words = Words {
            host_name: who.host_name.clone(),
            vendor_class: format!("Offhook {}", who.model),
            vlan_options: if settings.dhcp_vlan { settings.vlan_options.clone() } else { Vec::new() },
            url_options: settings.url_options.clone(),
        };
        Self {
            neighbours: Neighbours::new(&settings),
            client: Client::new(words),
            link: Link::new(who.mac, seed),
            stage: Stage::Off,
            rung: Rung::Nobody,
            vlan: None,
            by_dhcp: None,
            barred: Vec::new(),
            kept,
            place: None,
            defended: None,
            told: Vec::new(),
            settings,
            who,
        }
    }

    /// The cable is plugged in or unplugged; a phone that is switched on has one.
    pub(super) fn on_link(&mut self, now: Time, is_up: bool) {
        self.link.now = now;
        match (is_up, matches!(self.stage, Stage::Off | Stage::Down)) {
            (true, true) => {
                self.by_dhcp = None;
                self.barred.clear();
                self.neighbours.start(now);
                self.stage = Stage::Listening(now);
                if self.neighbours.listens() {
                    self.stage = Stage::Listening(now + LISTENING);
                }
            }
            (false, false) => {
                self.link.warn(format!("{}: the cable is unplugged", self.who.interface));
                self.client.stop();
                self.neighbours.stop();
                // The address stays: after a short break calls go on, if the server still gives it.
                self.stage = Stage::Down;
            }
            _ => {}
        }
        self.advance(now);
    }

    /// The phone is switched off or starts again: neighbours and server are told.
    pub(super) fn stop(&mut self, now: Time) {
        self.link.now = now;
        self.neighbours.say_goodbye(&mut self.link);
        self.neighbours.stop();
        self.client.release(&mut self.link);
        self.stage = Stage::Off;
        self.leave();
    }

    /// The phone starts again: its neighbours learn that it is away.
    pub(super) fn say_goodbye(&mut self, now: Time) {
        self.link.now = now;
        self.neighbours.say_goodbye(&mut self.link);
        self.neighbours.stop();
    }

    /// What is to be done since the last call.
    pub(super) fn take_told(&mut self) -> Vec<Told> {
        let (frames, notes) = self.link.take();
        let mut told: Vec<Told> = notes.into_iter().map(Told::Note).collect();
        told.extend(frames.into_iter().map(Told::Frame));
        told.append(&mut self.told);
        told
    }

    pub(super) fn next_deadline(&self) -> Option<(Time, Why)> {
        let stage = match self.stage {
            Stage::Listening(until) => Some((until, Why::Listening)),
            Stage::Probing { next, .. } | Stage::Clashing(next) => Some((next, Why::Probe)),
            Stage::Off | Stage::Down | Stage::Asking | Stage::Here => None,
        };
        let lldp = self.neighbours.next_lldp().map(|at| (at, Why::Lldp));
        let cdp = self.neighbours.next_cdp().map(|at| (at, Why::Cdp));
        [stage, lldp, cdp, self.client.next_deadline()].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, now: Time) {
        self.link.now = now;
        let ip = self.ip();
        self.neighbours.speak(&mut self.link, &self.who, ip, self.vlan);
        match self.stage {
            Stage::Listening(until) if until <= now => self.choose(),
            Stage::Probing { ip, left, next } if next <= now => self.probe(ip, left),
            Stage::Clashing(until) if until <= now => self.find_address(),
            _ => {}
        }
        if let Some(outcome) = self.client.advance(&mut self.link) {
            self.on_outcome(outcome);
        }
    }

    /// Takes a frame from the cable.
    pub(super) fn on_frame(&mut self, now: Time, bytes: &[u8]) {
        self.link.now = now;
        let Some(frame) = Frame::parse(bytes).filter(|frame| frame.source != self.link.mac) else { return };
        if matches!(self.stage, Stage::Off | Stage::Down) {
            return;
        }
        if frame.kind == ethernet::LLDP && frame.destination == lldp::GROUP {
            if self.neighbours.on_lldp(&mut self.link, frame.payload) {
                self.on_switch(Rung::Lldp);
            }
        } else if let Some(packet) = frame.cdp() {
            if self.neighbours.on_cdp(&mut self.link, packet) {
                self.on_switch(Rung::Cdp);
            }
        } else if frame.vlan() == self.vlan.map(|vlan| vlan.id) {
            self.on_own_vlan(&frame);
        }
    }

    fn on_own_vlan(&mut self, frame: &Frame<'_>) {
        if frame.kind == ethernet::ARP {
            if let Some(packet) = arp::Packet::parse(frame.payload) {
                self.on_arp(&packet);
            }
            return;
        }
        let is_ours = frame.kind == ethernet::IPV4
            && (frame.destination == self.link.mac || frame.destination == ethernet::BROADCAST);
        let datagram = ipv4::Datagram::parse(frame.payload).filter(|_| is_ours);
        let Some(datagram) = datagram.filter(|it| it.to.port() == proto::dhcp::CLIENT_PORT) else { return };
        let Some(message) = proto::dhcp::Message::parse(datagram.bytes) else { return };
        if let Some(outcome) = self.client.on_message(&mut self.link, frame.source, &message) {
            self.on_outcome(outcome);
        }
    }

    /// The switch wants something else of voice than before.
    fn on_switch(&mut self, rung: Rung) {
        self.barred.retain(|barred| *barred != rung);
        match self.stage {
            // LLDP comes first; CDP waits for it as long as the phone listens.
            Stage::Listening(_) if rung == Rung::Cdp && self.neighbours.listens_to_lldp() => {}
            Stage::Listening(_) => self.choose(),
            _ if self.best() != (self.rung, self.vlan) => self.choose(),
            // The same VLAN with another DSCP.
            _ => self.tell_place(),
        }
    }

    /// Who names the VLAN, by the order of the deck, and which.
    fn best(&self) -> (Rung, Option<Vlan>) {
        let wanted = |wanted: Option<Wanted>| {
            wanted.map(|wanted| match wanted {
                Wanted::Vlan(vlan) => Some(vlan),
                Wanted::Untagged => None,
            })
        };
        let by_hand = self.settings.manual_vlan.map(|ManualVlan { id, priority }| {
            let source = VlanSource::Manual;
            Vlan { id, priority, source }
        });
        let all = [
            (Rung::Lldp, wanted(self.neighbours.by_lldp)),
            (Rung::Cdp, wanted(self.neighbours.by_cdp)),
            (Rung::Manual, by_hand.map(Some)),
            (Rung::Dhcp, self.by_dhcp.map(Some)),
        ];
        let named = all.into_iter().filter(|(rung, _)| !self.barred.contains(rung));
        let mut named = named.filter_map(|(rung, vlan)| Some((rung, vlan?)));
        named.next().unwrap_or((Rung::Nobody, None))
    }

    /// Goes to the VLAN that is to be used now, and looks for an address there.
    fn choose(&mut self) {
        let (rung, vlan) = self.best();
        let is_other = vlan.map(|it| it.id) != self.vlan.map(|it| it.id);
        if !is_other && matches!(self.stage, Stage::Here) {
            (self.rung, self.vlan) = (rung, vlan);
            self.link.tag = vlan.map(|vlan| Tag { vlan: vlan.id, priority: vlan.priority });
            return self.tell_place();
        }
        self.client.release(&mut self.link);
        if is_other {
            self.leave();
        }
        (self.rung, self.vlan) = (rung, vlan);
        self.link.tag = vlan.map(|vlan| Tag { vlan: vlan.id, priority: vlan.priority });
        match vlan {
            Some(vlan) => {
                let Vlan { id, priority, .. } = vlan;
                self.link.note(format!("VLAN {id}, priority {priority}, named by {}", rung.name()));
            }
            None if is_other || rung != Rung::Nobody => self.link.note("no VLAN: frames leave without a tag"),
            None => {}
        }
        self.find_address();
    }

    /// Looks for an address in the present VLAN.
    fn find_address(&mut self) {
        if let Some(fixed) = &self.settings.fixed {
            self.stage = Stage::Probing { ip: fixed.ip, left: PROBES, next: self.link.now };
            return self.probe(fixed.ip, PROBES);
        }
        self.stage = Stage::Asking;
        let here = self.vlan.map(|vlan| vlan.id);
        let before = self.kept.filter(|kept| kept.vlan == here).map(|kept| kept.ip);
        self.client.start(&mut self.link, before);
    }

    fn on_outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Given => self.on_given(),
            Outcome::Renewed => self.tell_place(),
            Outcome::Lost => {
                self.kept = None;
                self.leave();
                self.stage = Stage::Asking;
            }
            Outcome::NoAnswer(UNANSWERED) => self.on_no_server(),
            Outcome::NoAnswer(_) => {}
        }
    }

    /// A server gives an address. In an untagged network it may name the VLAN in which another is to be asked for.
    fn on_given(&mut self) {
        let Some(lease) = self.client.lease() else { return };
        let (ip, named) = (lease.ip, lease.vlan);
        let may_move = self.rung == Rung::Nobody && !self.barred.contains(&Rung::Dhcp);
        match named.filter(|_| may_move) {
            Some((option, id @ 1..=LAST_VLAN)) => {
                self.link.note(format!("DHCP: option {option} names VLAN {id}"));
                let priority = self.settings.vlan_priority;
                self.by_dhcp = Some(Vlan { id, priority, source: VlanSource::Dhcp });
                return self.choose();
            }
            Some((option, id)) => {
                let text = format!(
                    "DHCP: option {option}: VLAN {id} is none that frames can have (1 to {LAST_VLAN})"
                );
                self.link.warn(format!("{text}; it is not used"));
            }
            None => {}
        }
        self.stage = Stage::Probing { ip, left: PROBES, next: self.link.now };
        self.probe(ip, PROBES);
    }

    fn on_no_server(&mut self) {
        let place =
            self.vlan.map_or_else(|| "without a VLAN".to_owned(), |vlan| format!("in VLAN {}", vlan.id));
        self.link.fault(format!("DHCP: no server answers {place}"));
        if !self.settings.vlan_change {
            return;
        }
        match self.rung {
            // Nowhere is a server: all are tried again.
            Rung::Nobody => {
                self.by_dhcp = None;
                self.barred.clear();
            }
            rung => self.barred.push(rung),
        }
        if self.best() != (self.rung, self.vlan) {
            self.choose();
        }
    }

    /// Asks whether anybody has the address; where nobody has answered, it is the phone's.
    fn probe(&mut self, ip: Ipv4Addr, left: u8) {
        if left > 0 {
            self.link.send_arp(&arp::Packet::probe(self.link.mac, ip));
            self.stage = Stage::Probing { ip, left: left - 1, next: self.link.now + PROBE_WAIT };
            return;
        }
        self.stage = Stage::Here;
        self.link.send_arp(&arp::Packet::announcement(self.link.mac, ip));
        if let Some(lease) = self.client.lease() {
            let text = format!("DHCP: {} from {} for {} s", lease.ip, lease.server, lease.lease_s);
            if !lease.facts.reaches_gateway(ip) {
                let router = lease.facts.gateway.map_or_else(String::new, |it| it.to_string());
                self.link
                    .warn(format!("DHCP: the router {router} is not in the net of {ip}; it is not used"));
            }
            self.link.note(text);
            let kept = KeptLease { ip, vlan: self.vlan.map(|vlan| vlan.id) };
            if self.kept.replace(kept) != Some(kept) {
                self.told.push(Told::Lease(kept));
            }
        }
        self.tell_place();
        self.neighbours.on_address(&mut self.link, &self.who.interface, Some(ip));
    }

    fn on_arp(&mut self, packet: &arp::Packet) {
        let claims = |ip: Ipv4Addr| packet.sender_ip == ip;
        let probes =
            |ip: Ipv4Addr| packet.is_request && packet.sender_ip.is_unspecified() && packet.target_ip == ip;
        match self.stage {
            Stage::Probing { ip, .. } if claims(ip) || probes(ip) => self.on_conflict(ip, packet.sender),
            Stage::Here => {
                let Some(ip) = self.ip().filter(|ip| claims(*ip)) else { return };
                let may = self.defended.is_none_or(|last| self.link.now.since(last) >= CLASH);
                if may {
                    self.defended = Some(self.link.now);
                    let other = proto::text::hex(&packet.sender);
                    self.link.fault(format!("IP address conflict: {other} has {ip} too"));
                    self.link.send_arp(&arp::Packet::announcement(self.link.mac, ip));
                }
            }
            _ => {}
        }
    }

    fn on_conflict(&mut self, ip: Ipv4Addr, other: Mac) {
        let other = proto::text::hex(&other);
        self.link.fault(format!("IP address conflict: {other} has {ip}"));
        self.kept = None;
        match self.settings.fixed {
            Some(_) => self.stage = Stage::Clashing(self.link.now + CLASH),
            None => {
                self.client.decline(&mut self.link);
                self.stage = Stage::Asking;
            }
        }
        self.leave();
    }

    /// The address is the phone's no more.
    fn leave(&mut self) {
        if self.place.take().is_some() {
            self.told.push(Told::Place(None));
            self.neighbours.on_address(&mut self.link, &self.who.interface, None);
        }
    }

    /// Tells address and facts where they are others than before.
    fn tell_place(&mut self) {
        let Some(mut network) = self.network().filter(|_| matches!(self.stage, Stage::Here)) else { return };
        network.dscp = self.neighbours.dscp;
        let prefers_own = self.settings.prefers_static_dns || self.settings.fixed.is_some();
        if prefers_own && !self.settings.static_dns.is_empty() {
            network.dns.clone_from(&self.settings.static_dns);
        }
        if self.place.as_deref() != Some(&network) {
            self.place = Some(Box::new(network.clone()));
            self.told.push(Told::Place(Some(Box::new(network))));
        }
    }

    fn network(&self) -> Option<Network> {
        if let Some(fixed) = &self.settings.fixed {
            return Some(Network {
                prefix_bits: Some(fixed.prefix_bits),
                gateway: fixed.gateway.map(IpAddr::V4),
                vlan: self.vlan,
                ..Network::at(IpAddr::V4(fixed.ip))
            });
        }
        let lease = self.client.lease()?;
        let mut network = lease.network(self.vlan);
        if !lease.facts.reaches_gateway(lease.ip) {
            network.gateway = None;
        }
        Some(network)
    }

    /// The address that the phone uses.
    fn ip(&self) -> Option<Ipv4Addr> {
        match self.place.as_ref()?.ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        }
    }
}

impl Rung {
    const fn name(self) -> &'static str {
        match self {
            Self::Lldp => "LLDP",
            Self::Cdp => "CDP",
            Self::Manual => "the settings",
            Self::Dhcp => "DHCP",
            Self::Nobody => "nobody",
        }
    }
}
