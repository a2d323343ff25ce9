//! `--call ID --out`: which packets of a capture belong to one call, its sound and errors among them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use proto::sip::message::Message;

use super::Carrier;
use super::capture::{Inner, gre, ip, link, looks_like_sip, tcp, udp, vxlan};
use super::tracks::{Call, Tracks};

/// Tunnels in tunnels that are looked through.
const MOST_TUNNELS: u8 = 4;

/// Picks the packets of one call.
#[derive(Clone, Debug, Default)]
pub struct Extract {
    call_ids: BTreeSet<Box<str>>,
    /// Both ends of each stream of sound, and of its RTCP.
    sound: BTreeSet<(SocketAddr, SocketAddr)>,
    /// Both ends of the connections that carry its SIP.
    connections: BTreeSet<(SocketAddr, SocketAddr)>,
    /// Both hosts of its datagrams, for their fragments and for errors about them.
    hosts: BTreeSet<(IpAddr, IpAddr)>,
}

impl Extract {
    /// For one call of a case that was read to its end.
    pub fn new(tracks: &Tracks, call: &Call) -> Self {
        let mut extract = Self::default();
        let legs = call.legs.iter().filter_map(|&leg| tracks.legs.get(leg as usize));
        for leg in legs {
            extract.call_ids.insert((*leg.call_id).into());
            for transaction in tracks.of_leg(leg) {
                let path = &transaction.path;
                if path.carrier != Carrier::Udp {
                    extract.connections.insert(ordered(path.source, path.destination));
                }
                extract.hosts.insert(ordered(path.source.ip(), path.destination.ip()));
            }
            for stream in leg.streams.iter().filter_map(|&stream| tracks.streams.get(stream as usize)) {
                let next =
                    |address: SocketAddr| SocketAddr::new(address.ip(), address.port().saturating_add(1));
                let (from, to) = (stream.path.source, stream.path.destination);
                extract.sound.extend([ordered(from, to), ordered(next(from), next(to))]);
                extract.hosts.insert(ordered(from.ip(), to.ip()));
            }
        }
        extract
    }

    /// Whether a packet of this link type belongs to the call.
    pub fn wants(&self, link: u16, bytes: &[u8]) -> bool {
        self.wants_frame(&link::frame(link, bytes), 0)
    }

    fn wants_frame(&self, frame: &link::Frame<'_>, tunnels: u8) -> bool {
        matches!(frame.content, link::Content::Ip(bytes) if self.wants_ip(bytes, tunnels))
    }

    fn wants_ip(&self, bytes: &[u8], tunnels: u8) -> bool {
        let Some(packet) = ip::parse(bytes).filter(|_| tunnels <= MOST_TUNNELS) else { return false };
        let hosts = self.hosts.contains(&ordered(packet.source, packet.destination));
        if packet.fragment.is_some() {
            return hosts && packet.protocol == 17;
        }
        let ends = |source, destination| {
            ordered(SocketAddr::new(packet.source, source), SocketAddr::new(packet.destination, destination))
        };
        match packet.protocol {
            17 => {
                let Some(datagram) = udp(packet.payload, packet.missing) else { return false };
                if let Some(Inner::Ethernet(bytes)) = vxlan(&datagram) {
                    return self.wants_frame(&link::ethernet(bytes), tunnels + 1);
                }
                let ends = ends(datagram.source_port, datagram.destination_port);
                self.sound.contains(&ends) || self.is_of_call(datagram.payload)
            }
            6 => tcp::parse(packet.payload).is_some_and(|segment| {
                self.connections.contains(&ends(segment.source_port, segment.destination_port))
            }),
            1 | 58 => hosts,
            4 | 41 => self.wants_ip(packet.payload, tunnels + 1),
            47 => match gre(packet.payload) {
                Some(Inner::Ip(bytes)) => self.wants_ip(bytes, tunnels + 1),
                Some(Inner::Ethernet(bytes)) => self.wants_frame(&link::ethernet(bytes), tunnels + 1),
                None => false,
            },
            _ => false,
        }
    }

    fn is_of_call(&self, payload: &[u8]) -> bool {
        looks_like_sip(payload)
            && Message::parse(payload).is_ok_and(|message| self.call_ids.contains(message.call_id()))
    }
}

fn ordered<T: Ord>(a: T, b: T) -> (T, T) {
    if a <= b { (a, b) } else { (b, a) }
}
