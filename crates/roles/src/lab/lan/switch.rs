//! A switch that knows VLANs: LLDP-MED, CDP, and a DHCP relay in the VLANs that have one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use proto::Time;
use proto::cdp;
use proto::dhcp::{Message, SERVER_PORT};
use proto::ethernet::{self, Frame, Mac, Tag};
use proto::lldp::{self, Policy, VOICE};
use proto::sip::flow::{Flow, Transport};

use super::{from_client, mac_of, to_client};
use crate::dhcp_service::To;
use crate::lab::host::Machine;
use crate::lab::party::{Does, Happens, Party};
use crate::lab::subnet::Subnet;

/// How often it speaks, once it has heard a telephone.
const INTERVAL: Duration = Duration::from_secs(30);
/// When it speaks CDP first, whoever listens.
const FIRST_CDP: Duration = Duration::from_millis(100);
/// Clients whose VLAN it remembers; the first makes room.
const MOST_CLIENTS: usize = 64;

/// What the switch tells of voice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Says {
    /// It does not speak the protocol.
    Silent,
    /// It speaks and names no VLAN.
    Nothing,
    /// It names a VLAN.
    Vlan(u16),
}

/// How a switch is set up.
#[derive(Clone, Copy, Debug)]
pub struct Neighbourhood {
    /// What it says by LLDP.
    pub lldp: Says,
    /// What it says by CDP.
    pub cdp: Says,
    /// The VLANs in which it relays DHCP; 0: frames without a tag.
    pub relays: &'static [u16],
    /// Where it relays DHCP to, as the cases write addresses.
    pub server: Ipv4Addr,
}

/// The switch.
#[derive(Debug)]
pub struct Switch {
    ip: Ipv4Addr,
    mac: Mac,
    plan: Neighbourhood,
    server: IpAddr,
    /// When it speaks LLDP next; none before it has heard an end point.
    next: Option<Time>,
    next_cdp: Option<Time>,
    clients: BTreeMap<Mac, Option<Tag>>,
}

impl Switch {
    /// A switch at `ip` that is switched off.
    pub fn new(ip: IpAddr, plan: Neighbourhood) -> Self {
        let server = Subnet::of(ip).ip(IpAddr::V4(plan.server));
        let ip = match ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        Self { ip, mac: mac_of(ip), plan, server, next: None, next_cdp: None, clients: BTreeMap::new() }
    }

    fn on_frame(&mut self, now: Time, bytes: &[u8], out: &mut Vec<Does>) {
        let Some(frame) = Frame::parse(bytes) else { return };
        if frame.kind == ethernet::LLDP {
            // A switch speaks LLDP-MED where it has heard an end point (TIA-1057 §11.2).
            if lldp::Advert::parse(frame.payload)
                .is_some_and(|advert| advert.is_endpoint() && advert.ttl_s > 0)
            {
                self.say_lldp(out);
                self.next = Some(now + INTERVAL);
            }
        } else if let Some(packet) = frame.cdp() {
            if cdp::Advert::parse(packet).is_some_and(|advert| advert.voice_vlan_asked.is_some()) {
                self.say_cdp(out);
            }
        } else if let Some(message) = from_client(&frame) {
            self.relay(&frame, message, out);
        }
    }

    fn wake(&mut self, now: Time, out: &mut Vec<Does>) {
        if self.next.take_if(|next| *next <= now).is_some() {
            self.say_lldp(out);
            self.next = Some(now + INTERVAL);
        }
        if self.next_cdp.take_if(|next| *next <= now).is_some() {
            self.say_cdp(out);
            self.next_cdp = Some(now + 2 * INTERVAL);
        }
    }

    fn say_lldp(&self, out: &mut Vec<Does>) {
        let draft =
            lldp::Draft::of_switch(self.mac, "1/0/7", 120).text(5, "sw1").capabilities(4, 4).port_vlan(1);
        let draft = match self.plan.lldp {
            Says::Silent => return,
            Says::Nothing => draft,
            Says::Vlan(vlan) => draft.med_capabilities(0b11, 4).policy(&Policy {
                application: VOICE,
                unknown: false,
                tagged: true,
                vlan,
                priority: 5,
                dscp: 46,
            }),
        };
        let frame = ethernet::frame(lldp::GROUP, self.mac, None, ethernet::LLDP, &draft.finish());
        out.push(Does::Frame(frame.into()));
    }

    fn say_cdp(&self, out: &mut Vec<Does>) {
        let draft = cdp::Draft::new("sw1", 180).text(3, "1/0/7").capabilities(8).native_vlan(1);
        let draft = match self.plan.cdp {
            Says::Silent => return,
            Says::Nothing => draft,
            Says::Vlan(vlan) => draft.voice_vlan(vlan),
        };
        out.push(Does::Frame(ethernet::cdp_frame(cdp::GROUP, self.mac, &draft.finish()).into()));
    }

    /// Brings a client's message to the server (RFC 1542 §4.1).
    fn relay(&mut self, frame: &Frame<'_>, message: &[u8], out: &mut Vec<Does>) {
        if !self.plan.relays.contains(&frame.vlan().unwrap_or(0)) {
            return;
        }
        if self.clients.len() >= MOST_CLIENTS && !self.clients.contains_key(&frame.source) {
            self.clients.pop_first();
        }
        self.clients.insert(frame.source, frame.tag);
        let mut bytes = message.to_vec();
        let Some(head) = bytes.first_chunk_mut::<28>() else { return };
        head[3] = head[3].saturating_add(1);
        head[24..].copy_from_slice(&self.ip.octets());
        let local = SocketAddr::new(IpAddr::V4(self.ip), SERVER_PORT);
        let flow =
            Flow { transport: Transport::Udp, local, remote: SocketAddr::new(self.server, SERVER_PORT) };
        out.push(Does::Send { flow, bytes: bytes.into() });
    }

    /// Brings the server's answer to the client, in its VLAN.
    fn on_answer(&self, bytes: &[u8], out: &mut Vec<Does>) {
        let Some(message) = Message::parse(bytes).filter(|message| !message.is_request()) else { return };
        let Some(tag) = self.clients.get(&message.hardware()) else { return };
        let frame = to_client((self.mac, self.ip), *tag, To::Everybody, bytes);
        out.extend(frame.map(|frame| Does::Frame(frame.into())));
    }
}

impl Party for Switch {
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        match happens {
            Happens::Frame(bytes) => self.on_frame(now, bytes, out),
            Happens::Packet { flow, bytes } if flow.local.port() == SERVER_PORT => self.on_answer(bytes, out),
            Happens::Start if self.plan.cdp != Says::Silent => self.next_cdp = Some(now + FIRST_CDP),
            Happens::Wake => self.wake(now, out),
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        [self.next, self.next_cdp].into_iter().flatten().min()
    }

    fn listens(&self, transport: Transport, local: SocketAddr) -> bool {
        transport == Transport::Udp && local == SocketAddr::new(IpAddr::V4(self.ip), SERVER_PORT)
    }
}

impl Machine for Switch {
    fn restart(&mut self, _seed: [u8; 32], _now: Time) {
        (self.next, self.next_cdp) = (None, None);
        self.clients.clear();
    }
}
