//! Somebody's machine that has an address out of the pool of a DHCP server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proto::Time;
use proto::arp::Packet;
use proto::ethernet::{self, Frame, Mac};
use proto::sip::flow::Transport;

use super::mac_of;
use crate::lab::host::Machine;
use crate::lab::party::{Does, Happens, Party};

/// The machine.
#[derive(Debug)]
pub struct Squatter {
    ip: Ipv4Addr,
    mac: Mac,
}

impl Squatter {
    /// A machine at `ip` that is switched off.
    pub fn new(ip: IpAddr) -> Self {
        let ip = match ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        Self { ip, mac: mac_of(ip) }
    }
}

impl Party for Squatter {
    fn handle(&mut self, _now: Time, happens: Happens<'_>, out: &mut Vec<Does>) {
        let Happens::Frame(bytes) = happens else { return };
        let asked = Frame::parse(bytes).filter(|frame| frame.kind == ethernet::ARP);
        let Some(frame) = asked else { return };
        let asks = Packet::parse(frame.payload).filter(|it| it.is_request && it.target_ip == self.ip);
        if let Some(answer) = asks.map(|packet| packet.answer(self.mac)) {
            let frame = ethernet::frame(frame.source, self.mac, frame.tag, ethernet::ARP, &answer.to_bytes());
            out.push(Does::Frame(frame.into()));
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        None
    }

    fn listens(&self, _transport: Transport, _local: SocketAddr) -> bool {
        false
    }
}

impl Machine for Squatter {
    fn restart(&mut self, _seed: [u8; 32], _now: Time) {}
}
