//! The last packets that passed a phone's sockets, for the support bundle.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use proto::Time;
use proto::pcap::{self, Writer};
use proto::sip::Transport;

use crate::net::Tap;

/// The most bytes that are kept.
const MOST_BYTES: usize = 2 * 1_024 * 1_024;

/// A ring of packets; clones are the same ring.
#[derive(Clone, Default)]
pub(super) struct Packets(Arc<Mutex<Ring>>);

#[derive(Default)]
struct Ring {
    packets: VecDeque<Packet>,
    bytes: usize,
}

struct Packet {
    at: Time,
    from: SocketAddr,
    to: SocketAddr,
    transport: Transport,
    bytes: Box<[u8]>,
}

impl Packets {
    /// What the sockets show their messages to; `next` sees them too.
    pub(super) fn tap(&self, mut next: Option<Tap>) -> Tap {
        let ring = self.clone();
        Box::new(move |at, from, to, transport, bytes| {
            ring.add(Packet { at, from, to, transport, bytes: bytes.into() });
            if let Some(next) = &mut next {
                next(at, from, to, transport, bytes);
            }
        })
    }

    fn add(&self, packet: Packet) {
        // A panic elsewhere leaves whole packets.
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += packet.bytes.len();
        ring.packets.push_back(packet);
        while ring.bytes > MOST_BYTES {
            let Some(oldest) = ring.packets.pop_front() else { break };
            ring.bytes -= oldest.bytes.len();
        }
    }

    /// A capture of them all, oldest first; `clean` may change bytes, but not how many there are.
    pub(super) fn to_pcap(&self, clean: impl Fn(&mut [u8])) -> Vec<u8> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = Writer::new();
        let mut file = pcap::file_header().to_vec();
        for packet in &ring.packets {
            let transport = match packet.transport {
                Transport::Udp => pcap::Transport::Udp,
                Transport::Tcp | Transport::Tls => pcap::Transport::Tcp,
            };
            let mut bytes = packet.bytes.clone();
            clean(&mut bytes);
            writer.write(packet.at, packet.from, packet.to, transport, &bytes, &mut file);
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_packets_make_room() {
        let packets = Packets::default();
        let mut tap = packets.tap(None);
        let at = SocketAddr::from(([127, 0, 0, 1], 5060));
        let bytes = vec![0; 60_000];
        for second in 0..100 {
            tap(Time::from_secs(second), at, at, Transport::Udp, &bytes);
        }
        let kept = MOST_BYTES / bytes.len();
        assert_eq!(packets.0.lock().unwrap().packets.len(), kept);
        assert!(packets.to_pcap(|_| {}).len() > kept * bytes.len());
    }
}
