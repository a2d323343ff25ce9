//! What a link does to packets, and what has passed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use proto::ethernet::Mac;
use proto::pcap;
use proto::sip::flow::Transport;
use proto::{Rng, Time};

/// How packets travel between two addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link {
    /// The shortest way, in microseconds.
    pub latency_us: u64,
    /// What chance adds at most, in microseconds.
    pub jitter_us: u64,
    /// How many of a hundred datagrams are lost.
    pub loss_percent: u8,
    /// How many of a hundred datagrams come twice.
    pub duplicate_percent: u8,
    /// How many of a hundred datagrams are overtaken by later ones.
    pub reorder_percent: u8,
}

/// How long an overtaken datagram waits, in times of the link's latency.
const OVERTAKEN_BY: u64 = 20;

impl Link {
    /// One millisecond, and nothing goes wrong: a wire on a desk.
    pub const DESK: Link =
        Link { latency_us: 1_000, jitter_us: 0, loss_percent: 0, duplicate_percent: 0, reorder_percent: 0 };

    /// A bad line: 20 to 60 ms, and `percent` of a hundred datagrams lost, as many doubled and as many
    /// overtaken.
    pub const fn bad(percent: u8) -> Link {
        Link {
            latency_us: 20_000,
            jitter_us: 40_000,
            loss_percent: percent,
            duplicate_percent: percent,
            reorder_percent: percent,
        }
    }

    /// When a datagram that leaves now arrives: never, once or twice.
    pub(super) fn arrivals(&self, now: Time, rng: &mut Rng) -> Vec<Time> {
        if rng.percent(self.loss_percent) {
            return Vec::new();
        }
        let copies = if rng.percent(self.duplicate_percent) { 2 } else { 1 };
        (0..copies).map(|_| now + self.travel(rng)).collect()
    }

    fn travel(&self, rng: &mut Rng) -> Duration {
        let late = if rng.percent(self.reorder_percent) { self.latency_us * OVERTAKEN_BY } else { 0 };
        self.delay(rng) + Duration::from_micros(late)
    }

    /// The way of one piece of a stream, which is neither lost nor overtaken.
    pub(super) fn delay(&self, rng: &mut Rng) -> Duration {
        Duration::from_micros(self.latency_us + rng.below(self.jitter_us + 1))
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It arrived, once.
    Arrived,
    /// It arrived more than once.
    Doubled,
    /// The link lost it.
    Lost,
    /// Nobody was there, or nobody listened.
    Undeliverable,
    /// An attempt at a connection that the machine there refused.
    Refused,
}

/// One packet that passed the wire.
#[derive(Clone, Debug)]
pub struct Passed {
    /// When it was sent.
    pub at: Time,
    /// The sender's address as the receiver sees it: behind a NAT that of the NAT.
    pub from: SocketAddr,
    /// Where it was sent to.
    pub to: SocketAddr,
    /// How it travels.
    pub transport: Transport,
    /// What it holds.
    pub bytes: Bytes,
    /// What became of it.
    pub fate: Fate,
    /// The sender's own address, where a machine of the wire sent it: behind a NAT not the one that others see.
    pub sent_by: Option<SocketAddr>,
    /// Of a frame, which `bytes` then hold whole: whom it is sent to. Its ends have no ports.
    pub frame: Option<Mac>,
    /// When and at which address of its own each receiver got it; nothing where it was lost. Of an attempt
    /// at a connection that was refused: when that was, and by whom.
    pub got: Vec<(Time, SocketAddr)>,
}

impl Passed {
    /// As the machine at `ip` saw it, when it sent it or when it came: time, from, to. A packet that was lost
    /// stands at its sender alone, one that came twice stands twice.
    pub fn seen_at(&self, ip: IpAddr) -> Vec<(Time, SocketAddr, SocketAddr)> {
        let sent = self.sent_by.filter(|own| own.ip() == ip).map(|own| (self.at, own, self.to));
        let got = self.got.iter().filter(|(_, own)| own.ip() == ip).map(|&(at, own)| (at, self.from, own));
        sent.into_iter().chain(got).collect()
    }
}

/// What a capture at the machine at `ip` holds, in its order: the packets as that machine sent and got them.
pub fn captured_at(passed: &[Passed], ip: IpAddr) -> Vec<Passed> {
    let seen = passed.iter().flat_map(|packet| {
        let as_seen = move |(at, from, to)| match packet.frame {
            Some(_) => Passed { at, ..packet.clone() },
            None => Passed { at, from, to, ..packet.clone() },
        };
        packet.seen_at(ip).into_iter().map(as_seen)
    });
    let mut captured: Vec<Passed> = seen.collect();
    captured.sort_by_key(|packet| packet.at);
    captured
}

/// Packets as a capture file.
pub fn capture_file(passed: &[Passed]) -> Vec<u8> {
    let mut writer = pcap::Writer::new();
    let mut file = pcap::file_header().to_vec();
    for packet in passed {
        if packet.frame.is_some() {
            let bytes = packet.bytes.len() as u32;
            file.extend_from_slice(&pcap::record_head(packet.at, bytes, bytes));
            file.extend_from_slice(&packet.bytes);
            continue;
        }
        let transport = match packet.transport {
            Transport::Udp => pcap::Transport::Udp,
            Transport::Tcp | Transport::Tls => pcap::Transport::Tcp,
        };
        match (packet.fate, transport) {
            (Fate::Refused | Fate::Undeliverable, pcap::Transport::Tcp) => {
                let refused = packet.got.first().map(|(at, _)| *at);
                writer.refuse(packet.at, packet.from, packet.to, refused, &mut file);
            }
            // The machine got it and has nobody who listens there.
            (Fate::Undeliverable, pcap::Transport::Udp) if !packet.got.is_empty() => {
                writer.unreachable(packet.at, packet.from, packet.to, &packet.bytes, &mut file);
            }
            _ => writer.write(packet.at, packet.from, packet.to, transport, &packet.bytes, &mut file),
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(link: Link, lost: std::ops::Range<usize>, doubled: std::ops::Range<usize>) {
        let mut rng = Rng::from_number(1);
        let arrivals: Vec<_> = (0..1_000).map(|_| link.arrivals(Time::ZERO, &mut rng).len()).collect();
        let count = |copies| arrivals.iter().filter(|&&seen| seen == copies).count();
        assert!(lost.contains(&count(0)), "{} lost", count(0));
        assert!(doubled.contains(&count(2)), "{} doubled", count(2));
    }

    #[test]
    fn a_link_does_what_it_is_told() {
        check(Link::DESK, 0..1, 0..1);
        check(Link::bad(10), 70..130, 60..120);
        check(Link { loss_percent: 100, ..Link::DESK }, 1_000..1_001, 0..1);
    }

    #[test]
    fn a_desk_has_one_latency() {
        let mut rng = Rng::from_number(1);
        assert_eq!(Link::DESK.arrivals(Time::ZERO, &mut rng), [Time::from_millis(1)]);
    }
}
