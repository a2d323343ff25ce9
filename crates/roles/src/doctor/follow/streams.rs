//! RTP and RTCP, found on any port, and what session descriptions say of them.

use std::hash::BuildHasherDefault;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proto::rtp::packet::{Packet, is_rtcp};
use proto::rtp::quality::{Impairment, mos_listening};
use proto::rtp::reception::{Order, Reception};
use proto::rtp::rtcp::{Compound, Item};

use super::ground::{Map, Mix};
use super::said::static_format;
use crate::doctor::tracks::{Gap, Leg, Sdp, Stream, Tracks};
use crate::doctor::{Carrier, Path, Proof};

/// Streams of one case.
pub const LIMIT: usize = 200_000;
/// Ways on which something was seen that may become a stream; when full, all are forgotten.
pub const UNKNOWN_LIMIT: usize = 32_768;
/// Addresses that session descriptions named.
pub const ANNOUNCED_LIMIT: usize = 200_000;
/// Packets in a row that make a stream where no session description names its address.
const EVIDENCE: usize = 3;
const GAPS_LIMIT: usize = 16;
const DIGITS_LIMIT: usize = 64;
const PAYLOAD_TYPES_LIMIT: usize = 8;
const SOURCES_LIMIT: usize = 8;
/// A silence that is told.
const GAP_US: u64 = 1_000_000;
const HIGH_JITTER_MS: f32 = 30.0;
/// The keys of RFC 4733 §3.2 by their numbers, `!` is the flash.
const KEYS: &[u8; 17] = b"0123456789*#ABCD!";

/// All streams of a case.
#[derive(Debug, Default)]
pub struct Streams {
    /// Ways of IPv4 as one number, since this is asked for each packet.
    flows: std::collections::HashMap<u128, u32, BuildHasherDefault<Mix>>,
    flows_v6: Map<(SocketAddr, SocketAddr), u32>,
    /// The streams of each way, the newest first.
    known: Vec<Vec<u32>>,
    open: Vec<Open>,
    unknown: Map<(SocketAddr, SocketAddr), Candidate>,
    announced: Map<SocketAddr, Announced>,
    /// Where RTCP reports on a source go to.
    by_source: Map<(u32, IpAddr), u32>,
}

/// What is counted while a stream runs.
#[derive(Debug)]
struct Open {
    reception: Reception,
    clock_hz: Option<u32>,
    highest: u16,
    sum_jitter_ms: f64,
    jitter_count: u64,
    high_since: Option<Proof>,
    timestamp: u32,
    /// Clock ticks since the first packet.
    ticks: u64,
    /// Packets that look encrypted, and that look clear.
    encrypted: [u32; 2],
    digit: Option<(u32, char)>,
    lost_in_gaps: u64,
}

/// A datagram that looks like RTP.
#[derive(Clone, Copy, Debug)]
struct Seen {
    proof: Proof,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload_bytes: u16,
    event: Option<[u8; 4]>,
}

#[derive(Debug, Default)]
struct Candidate {
    seen: Vec<Seen>,
}

/// What a session description said of an address.
#[derive(Clone, Debug)]
struct Announced {
    leg: u32,
    formats: Vec<(u8, Box<str>, u32)>,
}

impl Streams {
    /// Takes a datagram that is none of SIP, of which the capture lacks `missing` bytes; true where it is RTP
    /// or RTCP.
    pub fn take(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        (source, destination): (SocketAddr, SocketAddr),
        bytes: &[u8],
        missing: usize,
    ) -> bool {
        // The version, by which STUN, DTLS and TURN are told apart too (RFC 7983).
        if bytes.len() < 8 || bytes[0] >> 6 != 2 {
            return false;
        }
        if is_rtcp(bytes) {
            return self.report(tracks, source, destination, bytes);
        }
        let Ok(packet) = Packet::parse(bytes) else { return false };
        let seen = Seen {
            proof,
            payload_type: packet.payload_type,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
            payload_bytes: (packet.payload.len() + missing).min(usize::from(u16::MAX)) as u16,
            event: packet.payload.first_chunk::<4>().copied().filter(|_| packet.payload.len() + missing <= 8),
        };
        match self.flow(source, destination) {
            Some(flow) => {
                self.count(tracks, flow, source, destination, seen);
                true
            }
            None => self.consider(tracks, source, destination, seen),
        }
    }

    /// Takes what an offer or answer says of a leg's addresses.
    pub fn announce(&mut self, leg: u32, sdp: &Sdp) {
        for media in &sdp.media {
            let Some(address) = media.address else { continue };
            if self.announced.len() >= ANNOUNCED_LIMIT {
                self.announced.clear();
            }
            let formats =
                media.formats.iter().map(|f| (f.payload_type, f.name.clone(), f.clock_hz)).collect();
            self.announced.insert(address, Announced { leg, formats });
        }
    }

    /// The case is over: what is known only at the end.
    pub fn finish(&mut self, tracks: &mut Tracks) {
        for index in 0..tracks.streams.len() {
            let Some(open) = self.open.get_mut(index) else { continue };
            let stream = &mut tracks.streams[index];
            let announced = whose(&self.announced, &tracks.legs, &stream.path);
            // What most packets are is known at the end alone.
            if let Some(announced) = announced.filter(|it| stream.leg.is_none_or(|leg| leg == it.leg)) {
                name_codec(stream, &announced.formats, None);
            }
            if let (None, Some(announced)) = (stream.leg, announced) {
                stream.leg = Some(announced.leg);
                if let Some(leg) = tracks.legs.get_mut(announced.leg as usize) {
                    leg.streams.push(index as u32);
                }
            }
            open.finish(stream);
        }
    }

    fn flow(&self, source: SocketAddr, destination: SocketAddr) -> Option<u32> {
        match way(source, destination) {
            Some(way) => self.flows.get(&way).copied(),
            None => self.flows_v6.get(&(source, destination)).copied(),
        }
    }

    /// Whether this is a stream: at once where a session description names its address, otherwise by its
    /// numbers running on.
    fn consider(
        &mut self,
        tracks: &mut Tracks,
        source: SocketAddr,
        destination: SocketAddr,
        seen: Seen,
    ) -> bool {
        let is_announced = self.announced.contains_key(&destination) || self.announced.contains_key(&source);
        if !is_announced && (is_service(source.port()) || is_service(destination.port())) {
            return false;
        }
        if self.unknown.len() >= UNKNOWN_LIMIT {
            self.unknown.clear();
        }
        let candidate = self.unknown.entry((source, destination)).or_default();
        let runs_on = candidate.seen.last().is_none_or(|last| {
            let step = seen.sequence.wrapping_sub(last.sequence);
            last.ssrc == seen.ssrc
                && (1..=50).contains(&step)
                && seen.proof.at.since(last.proof.at).as_secs() < 60
        });
        if !runs_on {
            candidate.seen.clear();
        }
        candidate.seen.push(seen);
        if !is_announced && candidate.seen.len() < EVIDENCE {
            return false;
        }
        let Some(candidate) = self.unknown.remove(&(source, destination)) else { return false };
        if self.known.len() >= LIMIT {
            tracks.leave_out("RTP streams");
            return true;
        }
        let flow = self.known.len() as u32;
        self.known.push(Vec::new());
        match way(source, destination) {
            Some(way) => drop(self.flows.insert(way, flow)),
            None => drop(self.flows_v6.insert((source, destination), flow)),
        }
        for seen in candidate.seen {
            self.count(tracks, flow, source, destination, seen);
        }
        true
    }

    fn count(
        &mut self,
        tracks: &mut Tracks,
        flow: u32,
        source: SocketAddr,
        destination: SocketAddr,
        seen: Seen,
    ) {
        let Some(streams) = self.known.get(flow as usize) else { return };
        let found = streams.iter().copied().find(|&index| {
            // Another capture of the case is another point of view of the same sound.
            tracks
                .streams
                .get(index as usize)
                .is_some_and(|stream| stream.ssrc == seen.ssrc && stream.first.file == seen.proof.file)
        });
        let index = match found {
            Some(index) => index,
            None if streams.len() >= SOURCES_LIMIT || tracks.streams.len() >= LIMIT => {
                return tracks.leave_out("RTP streams");
            }
            None => self.begin(tracks, flow, source, destination, seen),
        };
        let (Some(open), Some(stream)) =
            (self.open.get_mut(index as usize), tracks.streams.get_mut(index as usize))
        else {
            return;
        };
        open.count(stream, seen);
    }

    fn begin(
        &mut self,
        tracks: &mut Tracks,
        flow: u32,
        source: SocketAddr,
        destination: SocketAddr,
        seen: Seen,
    ) -> u32 {
        let index = tracks.streams.len() as u32;
        let mut stream = new_stream(seen, Path { source, destination, carrier: Carrier::Udp });
        let announced = whose(&self.announced, &tracks.legs, &stream.path);
        if let Some(announced) = announced {
            stream.leg = Some(announced.leg);
            name_codec(&mut stream, &announced.formats, Some(seen.payload_type));
            if let Some(leg) = tracks.legs.get_mut(announced.leg as usize) {
                leg.streams.push(index);
            }
        }
        let open = Open::new(&stream, seen);
        self.by_source.insert((seen.ssrc, destination.ip()), index);
        tracks.streams.push(stream);
        self.open.push(open);
        if let Some(streams) = self.known.get_mut(flow as usize) {
            streams.insert(0, index);
        }
        index
    }

    /// RTCP of which the reports belong to a stream that is known.
    fn report(&mut self, tracks: &mut Tracks, source: SocketAddr, _: SocketAddr, bytes: &[u8]) -> bool {
        let Ok(compound) = Compound::parse(bytes) else { return false };
        for item in compound.items() {
            let (Item::SenderReport { blocks, .. } | Item::ReceiverReport { blocks, .. }) = item else {
                continue;
            };
            for block in blocks.iter() {
                // The receiver of the stream reports on it.
                let Some(&index) = self.by_source.get(&(block.ssrc, source.ip())) else { continue };
                let Some(stream) = tracks.streams.get_mut(index as usize) else { continue };
                let jitter_ms = block.jitter as f32 * 1_000.0 / stream.clock_hz.unwrap_or(8_000) as f32;
                stream.reported = Some((block.lost, jitter_ms));
            }
        }
        true
    }
}

/// Both addresses and ports of IPv4 as one number.
fn way(source: SocketAddr, destination: SocketAddr) -> Option<u128> {
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (source, destination) else { return None };
    let ips = u128::from(from.ip().to_bits()) << 96 | u128::from(to.ip().to_bits()) << 64;
    Some(ips | u128::from(from.port()) << 16 | u128::from(to.port()))
}

/// Ports on which RTP does not run, and other protocols that could be taken for it do.
fn is_service(port: u16) -> bool {
    matches!(
        port,
        53 | 67 | 68 | 69 | 123 | 137 | 138 | 161 | 162 | 443 | 500 | 514 | 1_900 | 4_500 | 5_353 | 5_355
    )
}

fn new_stream(seen: Seen, path: Path) -> Stream {
    let known = static_format(seen.payload_type);
    Stream {
        ssrc: seen.ssrc,
        path: Arc::new(path),
        payload_types: Vec::new(),
        codec: known.map(|(name, _)| name.into()),
        clock_hz: known.map(|(_, clock_hz)| clock_hz),
        ptime_ms: None,
        first: seen.proof,
        last: seen.proof,
        packets: 0,
        lost: 0,
        duplicates: 0,
        reordered: 0,
        bursts: 0,
        longest_burst: 0,
        jitter_ms: None,
        jitter_max_ms: None,
        jitter_high: None,
        gaps: Vec::new(),
        skew_ppm: None,
        mos: None,
        digits: Vec::new(),
        is_srtp: None,
        reported: None,
        leg: None,
    }
}

/// Name and clock of the payload type of most packets, as agreed; of the first packet where none was counted yet.
fn name_codec(stream: &mut Stream, formats: &[(u8, Box<str>, u32)], first: Option<u8>) {
    let most = stream.payload_types.iter().max_by_key(|(_, count, _)| *count);
    let wanted = most.map(|(payload_type, ..)| *payload_type).or(first);
    let found = formats.iter().find(|(payload_type, ..)| Some(*payload_type) == wanted);
    if let Some((_, name, clock_hz)) = found.filter(|(_, name, _)| !name.is_empty()) {
        stream.codec = Some(name.clone());
        stream.clock_hz = Some(*clock_hz).filter(|&clock_hz| clock_hz > 0).or(stream.clock_hz);
    }
}

impl Open {
    fn new(stream: &Stream, seen: Seen) -> Self {
        Self {
            reception: Reception::default(),
            clock_hz: stream.clock_hz,
            highest: seen.sequence.wrapping_sub(1),
            sum_jitter_ms: 0.0,
            jitter_count: 0,
            high_since: None,
            timestamp: seen.timestamp,
            ticks: 0,
            encrypted: [0; 2],
            digit: None,
            lost_in_gaps: 0,
        }
    }

    fn count(&mut self, stream: &mut Stream, seen: Seen) {
        let is_event = self.note_payload_type(stream, seen);
        let clock_hz = self.clock_hz.filter(|_| !is_event);
        let bytes = usize::from(seen.payload_bytes);
        let order =
            self.reception.receive(seen.proof.at, seen.ssrc, seen.sequence, seen.timestamp, bytes, clock_hz);
        match order {
            Order::Fresh => self.note_advance(stream, seen),
            Order::Restart => self.highest = seen.sequence,
            Order::Stray | Order::Duplicate => return,
            Order::Reordered => {}
        }
        if !is_event {
            self.note_jitter(stream, seen.proof);
            self.note_encryption(seen);
            if order == Order::Fresh {
                self.ticks += u64::from(seen.timestamp.wrapping_sub(self.timestamp).min(u32::MAX / 2));
                self.timestamp = seen.timestamp;
            }
        }
        stream.last = seen.proof;
    }

    /// Counts the payload type; true where it is a DTMF event.
    fn note_payload_type(&mut self, stream: &mut Stream, seen: Seen) -> bool {
        let types = &mut stream.payload_types;
        match types.iter().position(|(payload_type, ..)| *payload_type == seen.payload_type) {
            Some(at) => types[at].1 += 1,
            None if types.len() < PAYLOAD_TYPES_LIMIT => types.push((seen.payload_type, 1, seen.proof)),
            None => {}
        }
        // Four bytes of a dynamic type are an event: no codec has so little sound in a packet.
        let Some(event) = seen.event.filter(|_| seen.payload_type >= 96 && seen.payload_bytes == 4) else {
            return false;
        };
        let is_event = event[0] <= 16 && event[1] & 0x40 == 0;
        if is_event && self.digit.is_none_or(|(timestamp, _)| timestamp != seen.timestamp) {
            let digit = KEYS.get(usize::from(event[0])).map_or('?', |&key| char::from(key));
            self.digit = Some((seen.timestamp, digit));
            if stream.digits.len() < DIGITS_LIMIT {
                stream.digits.push((digit, seen.proof));
            }
        }
        is_event
    }

    fn note_advance(&mut self, stream: &mut Stream, seen: Seen) {
        let missing = u32::from(seen.sequence.wrapping_sub(self.highest).saturating_sub(1));
        self.highest = seen.sequence;
        if missing > 1 {
            stream.bursts += 1;
        }
        stream.longest_burst = stream.longest_burst.max(missing);
        let silence = seen.proof.at.as_micros().saturating_sub(stream.last.at.as_micros());
        if silence >= GAP_US && seen.proof.number != stream.first.number {
            self.lost_in_gaps += u64::from(missing);
            if stream.gaps.len() < GAPS_LIMIT {
                stream.gaps.push(Gap { before: stream.last, after: seen.proof, lost: missing });
            }
        }
    }

    fn note_jitter(&mut self, stream: &mut Stream, proof: Proof) {
        let Some(jitter_ms) = self.reception.jitter_ms().filter(|_| self.reception.packets() > 1) else {
            return;
        };
        self.sum_jitter_ms += f64::from(jitter_ms);
        self.jitter_count += 1;
        if stream.jitter_max_ms.is_none_or(|highest| jitter_ms > highest) {
            stream.jitter_max_ms = Some(jitter_ms);
        }
        if jitter_ms < HIGH_JITTER_MS {
            self.high_since = None;
            return;
        }
        let since = *self.high_since.get_or_insert(proof);
        let lasts_ms = proof.at.since(since.at).as_millis() as u64;
        if stream.jitter_high.is_none_or(|(longest, _)| lasts_ms > longest) {
            stream.jitter_high = Some((lasts_ms, since));
        }
    }

    /// PCMA, PCMU and G.722 have 8 bytes for each millisecond; SRTP adds 10 or 4 bytes (RFC 3711 §4.2, §5.2).
    fn note_encryption(&mut self, seen: Seen) {
        if !matches!(seen.payload_type, 0 | 8 | 9) || seen.payload_bytes < 40 {
            return;
        }
        match seen.payload_bytes % 40 {
            0 => self.encrypted[1] = self.encrypted[1].saturating_add(1),
            4 | 10 => self.encrypted[0] = self.encrypted[0].saturating_add(1),
            _ => {}
        }
    }

    fn finish(&mut self, stream: &mut Stream) {
        stream.packets = self.reception.packets();
        stream.lost = self.reception.lost().unwrap_or(0);
        stream.duplicates = self.reception.duplicates();
        stream.reordered = self.reception.reordered();
        stream.ptime_ms = self.reception.ptime_ms();
        stream.jitter_ms =
            (self.jitter_count > 0).then(|| (self.sum_jitter_ms / self.jitter_count as f64) as f32);
        stream.is_srtp = match self.encrypted {
            [0, 0] => None,
            [encrypted, clear] => Some(encrypted > clear),
        };
        stream.skew_ppm = self.skew(stream);
        let impairment = stream.codec.as_deref().and_then(impairment);
        let counted = stream.packets + stream.lost.saturating_sub(self.lost_in_gaps);
        let lost = stream.lost.saturating_sub(self.lost_in_gaps) as f32 / counted.max(1) as f32;
        stream.mos =
            impairment.filter(|_| stream.packets > 1).map(|impairment| mos_listening(impairment, lost));
    }

    /// Only over half a minute without a gap, where a single late packet weighs little.
    fn skew(&self, stream: &Stream) -> Option<f32> {
        let seconds = stream.last.at.since(stream.first.at).as_secs_f64();
        if seconds < 30.0 || !stream.gaps.is_empty() || self.reception.restarts() > 0 {
            return None;
        }
        let played = self.ticks as f64 / f64::from(self.clock_hz?);
        Some(((played / seconds - 1.0) * 1e6) as f32).filter(|skew| skew.abs() < 50_000.0)
    }
}

/// What a codec costs, ITU-T G.113 Appendix I. `None` for those of which it says nothing.
fn impairment(codec: &str) -> Option<Impairment> {
    let figures = |equipment, loss_robustness| Some(Impairment { equipment, loss_robustness });
    match codec.to_ascii_uppercase().as_str() {
        "PCMA" | "PCMU" => Some(Impairment::G711_CONCEALED),
        "G729" => figures(11.0, 19.0),
        "G723" => figures(15.0, 16.1),
        "GSM-EFR" => figures(5.0, 10.0),
        _ => None,
    }
}

/// Who named an end of this way. What the receiver named counts; behind a NAT the sender's own description
/// is as good. A relay gives the port of a leg that was not answered to the one that was (a call that is
/// picked up), so an answered leg comes first.
fn whose<'a>(announced: &'a Map<SocketAddr, Announced>, legs: &[Leg], path: &Path) -> Option<&'a Announced> {
    let is_answered = |it: &&Announced| legs.get(it.leg as usize).is_some_and(|leg| leg.answered.is_some());
    let named = || [path.destination, path.source].into_iter().filter_map(|end| announced.get(&end));
    named().find(is_answered).or_else(|| named().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Time;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn proof(number: u32, ms: u64) -> Proof {
        Proof { at: Time::from_millis(ms), file: 0, number, offset: 0 }
    }

    fn packet(payload_type: u8, ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
        let timestamp = u32::from(sequence) * 160;
        let packet = Packet {
            marker: false,
            payload_type,
            sequence,
            timestamp,
            ssrc,
            csrc: &[],
            extension: None,
            payload,
            padding_bytes: 0,
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        bytes
    }

    /// Sends packets 20 ms apart by their numbers; those in `lost` do not come.
    fn run(numbers: std::ops::Range<u16>, lost: &[u16], payload: &[u8]) -> Tracks {
        let (mut streams, mut tracks) = (Streams::default(), Tracks::default());
        let (from, to) = (address("192.0.2.1:10000"), address("192.0.2.2:11780"));
        for number in numbers.filter(|number| !lost.contains(number)) {
            let bytes = packet(8, 7, number, payload);
            streams.take(&mut tracks, proof(number.into(), u64::from(number) * 20), (from, to), &bytes, 0);
        }
        streams.finish(&mut tracks);
        tracks
    }

    #[test]
    fn a_stream_without_session_description_is_found_whole() {
        let tracks = run(1..101, &[], &[0xd5; 160]);
        let stream = &tracks.streams[0];
        assert_eq!((stream.packets, stream.lost, stream.first.number), (100, 0, 1));
        assert_eq!(
            (stream.codec.as_deref(), stream.ptime_ms, stream.is_srtp),
            (Some("PCMA"), Some(20), Some(false))
        );
        assert!(stream.mos.unwrap() > 4.3 && stream.jitter_ms.unwrap() < 0.1);
    }

    #[test]
    fn loss_bursts_and_gaps() {
        let tracks = run(1..301, &[10, 20, 21, 22], &[0xd5; 170]);
        let stream = &tracks.streams[0];
        assert_eq!((stream.lost, stream.bursts, stream.longest_burst), (4, 1, 3));
        assert_eq!((stream.gaps.len(), stream.is_srtp), (0, Some(true)));
        let silent: Vec<u16> = (100..160).collect();
        let tracks = run(1..301, &silent, &[0xd5; 160]);
        let gap = tracks.streams[0].gaps[0];
        assert_eq!((gap.before.number, gap.after.number, gap.lost), (99, 160, 60));
        assert!(tracks.streams[0].mos.unwrap() > 4.3, "a gap is told apart from loss");
    }

    #[test]
    fn chance_is_no_stream() {
        let (mut streams, mut tracks) = (Streams::default(), Tracks::default());
        let (from, to) = (address("192.0.2.1:10000"), address("192.0.2.2:11780"));
        for number in 0..50u16 {
            let bytes = packet(8, number.into(), number.wrapping_mul(7_919), &[0; 20]);
            streams.take(&mut tracks, proof(number.into(), 0), (from, to), &bytes, 0);
        }
        assert!(tracks.streams.is_empty());
        assert!(!streams.take(&mut tracks, proof(1, 0), (from, to), b"SIP/2.0 200 OK", 0));
    }

    #[test]
    fn one_packet_to_an_announced_address_is_a_stream() {
        let (mut streams, mut tracks) = (Streams::default(), Tracks::default());
        let (from, to) = (address("192.0.2.1:10000"), address("192.0.2.2:11780"));
        let format =
            crate::doctor::tracks::SdpFormat { payload_type: 96, name: "opus".into(), clock_hz: 48_000 };
        let media = crate::doctor::tracks::SdpMedia {
            address: Some(to),
            formats: vec![format],
            ..Default::default()
        };
        streams.announce(4, &Sdp { media: vec![media], ..Sdp::default() });
        streams.take(&mut tracks, proof(1, 0), (from, to), &packet(96, 7, 1, &[0; 40]), 0);
        let stream = &tracks.streams[0];
        assert_eq!(
            (stream.codec.as_deref(), stream.clock_hz, stream.leg),
            (Some("opus"), Some(48_000), Some(4))
        );
    }

    #[test]
    fn the_tables_are_bounded() {
        let (mut streams, mut tracks) = (Streams::default(), Tracks::default());
        for number in 0..(UNKNOWN_LIMIT as u32 + 10) {
            let from = SocketAddr::from((number.to_be_bytes(), 4_000));
            streams.take(
                &mut tracks,
                proof(1, 0),
                (from, address("192.0.2.2:11780")),
                &packet(8, 7, 1, &[0; 160]),
                0,
            );
        }
        assert!(streams.unknown.len() <= UNKNOWN_LIMIT && tracks.streams.is_empty());
        let to = address("192.0.2.2:4000");
        for ssrc in 0..100 {
            for sequence in 0..3 {
                streams.take(
                    &mut tracks,
                    proof(1, 0),
                    (address("192.0.2.1:4000"), to),
                    &packet(8, ssrc, sequence, &[0; 160]),
                    0,
                );
            }
        }
        assert!(tracks.streams.len() <= SOURCES_LIMIT && tracks.left_out["RTP streams"] > 0);
    }
}
