//! The cable, as the parts of the network agent see it: who we are, which tag frames bear, what goes out.

use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use proto::ethernet::{self, BROADCAST, Mac, Tag};
use proto::syslog::Severity;
use proto::{Rng, Time, arp, cdp, dhcp, ipv4, lldp};

use crate::phone::log;

/// What a turn of the agent works with and leaves behind.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) now: Time,
    pub(super) rng: Rng,
    /// How waits are spread: phones that are switched on together ask at different moments, each at its own.
    pub(super) spread: Rng,
    pub(super) mac: Mac,
    /// The tag of all frames but those of LLDP and CDP, which bear none.
    pub(super) tag: Option<Tag>,
    frames: Vec<Bytes>,
    notes: Vec<Note>,
}

/// A line for the phone's log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::phone) struct Note {
    pub(in crate::phone) tag: log::Tag,
    pub(in crate::phone) severity: Severity,
    pub(in crate::phone) text: String,
}

impl Link {
    pub(super) fn new(mac: Mac, seed: [u8; 32]) -> Self {
        let (frames, notes) = (Vec::new(), Vec::new());
        let [a, b, c, d, e, f] = mac;
        let spread = Rng::from_number(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        Self { now: Time::ZERO, rng: Rng::new(seed), spread, mac, tag: None, frames, notes }
    }

    /// What has gathered since the last call.
    pub(super) fn take(&mut self) -> (Vec<Bytes>, Vec<Note>) {
        (std::mem::take(&mut self.frames), std::mem::take(&mut self.notes))
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.write(log::Tag::Network, Severity::Informational, text.into());
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        self.write(log::Tag::Network, Severity::Warning, text.into());
    }

    pub(super) fn fault(&mut self, text: impl Into<String>) {
        self.write(log::Tag::Network, Severity::Error, text.into());
    }

    pub(super) fn write(&mut self, tag: log::Tag, severity: Severity, text: String) {
        self.notes.push(Note { tag, severity, text });
    }

    pub(super) fn send_lldp(&mut self, payload: &[u8]) {
        self.send(ethernet::frame(lldp::GROUP, self.mac, None, ethernet::LLDP, payload));
    }

    pub(super) fn send_cdp(&mut self, packet: &[u8]) {
        self.send(ethernet::cdp_frame(cdp::GROUP, self.mac, packet));
    }

    pub(super) fn send_arp(&mut self, packet: &arp::Packet) {
        let destination = if packet.is_request { BROADCAST } else { packet.target };
        self.send(ethernet::frame(destination, self.mac, self.tag, ethernet::ARP, &packet.to_bytes()));
    }

    /// Sends a DHCP message to one server, by the hardware address that its messages come from, or to all.
    pub(super) fn send_dhcp(&mut self, from: Ipv4Addr, server: Option<(Ipv4Addr, Mac)>, message: &[u8]) {
        let (ip, mac) = server.unwrap_or((Ipv4Addr::BROADCAST, BROADCAST));
        let from = SocketAddrV4::new(from, dhcp::CLIENT_PORT);
        let to = SocketAddrV4::new(ip, dhcp::SERVER_PORT);
        if let Some(packet) = ipv4::datagram(from, to, message) {
            self.send(ethernet::frame(mac, self.mac, self.tag, ethernet::IPV4, &packet));
        }
    }

    fn send(&mut self, frame: Vec<u8>) {
        self.frames.push(frame.into());
    }
}
