//! The last packets that passed a phone's sockets, for the support bundle.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use proto::Time;
use proto::pcap::{self, Writer};
use proto::sip::Transport;

use crate::net::Tap;
use crate::sound::tap::Seen;

/// The most bytes that are kept of messages.
const MOST_BYTES: usize = 2 * 1_024 * 1_024;
/// The most packets that are kept of sound: two minutes of a call.
const MOST_SOUND_PACKETS: usize = 12_000;
/// The most bytes that are kept of a report (RTCP).
const MOST_REPORT_BYTES: usize = 256;

/// A ring of packets; clones are the same ring.
#[derive(Clone, Default)]
pub(super) struct Packets(Arc<Mutex<Ring>>);

#[derive(Default)]
struct Ring {
    packets: VecDeque<Packet>,
    bytes: usize,
    sound: VecDeque<Packet>,
}

struct Packet {
    at: Time,
    from: SocketAddr,
    to: SocketAddr,
    transport: Transport,
    /// What is kept of it, from the beginning on.
    bytes: Box<[u8]>,
    /// How long it was.
    length: usize,
}

impl Packets {
    /// What the sockets show their messages to; `next` sees them too.
    pub(super) fn tap(&self, mut next: Option<Tap>) -> Tap {
        let ring = self.clone();
        Box::new(move |at, from, to, transport, bytes| {
            ring.add(Packet { at, from, to, transport, bytes: bytes.into(), length: bytes.len() });
            if let Some(next) = &mut next {
                next(at, from, to, transport, bytes);
            }
        })
    }

    /// What the sound shows its packets to; `next` sees them too. Only their headers are kept: what was said,
    /// and the keys that were pressed, are nobody's business.
    pub(super) fn media_tap(&self, mut next: Option<Seen>) -> Seen {
        let ring = self.clone();
        Box::new(move |packet| {
            let bytes = packet.bytes();
            let kept = bytes.get(..header_bytes(bytes)).unwrap_or(bytes);
            ring.add_sound(Packet {
                at: packet.at,
                from: packet.from,
                to: packet.to,
                transport: Transport::Udp,
                bytes: kept.into(),
                length: bytes.len(),
            });
            if let Some(next) = &mut next {
                next(packet);
            }
        })
    }

    fn add_sound(&self, packet: Packet) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.sound.len() >= MOST_SOUND_PACKETS {
            ring.sound.pop_front();
        }
        ring.sound.push_back(packet);
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

    /// A capture of them all, oldest first, sound with zeros in the place of what was said; `clean` may
    /// change bytes, but not how many there are.
    pub(super) fn to_pcap(&self, clean: impl Fn(&mut [u8])) -> Vec<u8> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = Writer::new();
        let mut file = pcap::file_header().to_vec();
        let mut all: Vec<&Packet> = ring.packets.iter().chain(&ring.sound).collect();
        all.sort_by_key(|packet| packet.at);
        for packet in all {
            let transport = match packet.transport {
                Transport::Udp => pcap::Transport::Udp,
                Transport::Tcp | Transport::Tls => pcap::Transport::Tcp,
            };
            let mut bytes = packet.bytes.to_vec();
            clean(&mut bytes);
            bytes.resize(packet.length, 0);
            writer.write(packet.at, packet.from, packet.to, transport, &bytes, &mut file);
        }
        file
    }
}

/// How much of a packet is its header (RFC 3550 §5.1); a report is kept whole.
fn header_bytes(bytes: &[u8]) -> usize {
    const FIXED_BYTES: usize = 12;
    match bytes {
        [_, 192..=223, ..] => MOST_REPORT_BYTES,
        [first, ..] => FIXED_BYTES + 4 * usize::from(first & 0x0f),
        [] => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::tap::MediaWriter;

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

    #[test]
    fn sound_is_kept_by_its_headers() {
        let packets = Packets::default();
        let (tap, writer) = MediaWriter::start(packets.media_tap(None)).unwrap();
        let at = SocketAddr::from(([127, 0, 0, 1], 4000));
        let sound = [&[0x80, 8, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7][..], &[0x55; 160]].concat();
        let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
        tap.saw(Time::from_secs(1), at, at, &sound);
        tap.saw(Time::from_secs(2), at, at, &report);
        drop((tap, writer));
        let mut message = packets.tap(None);
        message(Time::from_secs(0), at, at, Transport::Udp, b"OPTIONS");
        let file = packets.to_pcap(|_| {});
        let holds = |wanted: &[u8]| file.windows(wanted.len()).any(|window| window == wanted);
        assert!(holds(&[&sound[..12], &[0; 160]].concat()) && holds(&report));
        assert!(!holds(&[0x55; 8]), "nobody is overheard");
        assert!(file[24..].windows(7).position(|window| window == b"OPTIONS") < Some(100), "by time");
    }

    #[test]
    fn the_oldest_sound_makes_room_and_no_message() {
        let packets = Packets::default();
        let at = SocketAddr::from(([127, 0, 0, 1], 4000));
        packets.tap(None)(Time::ZERO, at, at, Transport::Udp, b"OPTIONS");
        for number in 0..2 * MOST_SOUND_PACKETS {
            packets.add_sound(Packet {
                at: Time::from_millis(number as u64),
                from: at,
                to: at,
                transport: Transport::Udp,
                bytes: [0; 12].into(),
                length: 172,
            });
        }
        let ring = packets.0.lock().unwrap();
        assert_eq!((ring.sound.len(), ring.packets.len()), (MOST_SOUND_PACKETS, 1));
    }
}
