//! Capture files: those of others are read ([`Reader`]), what passes our own sockets is written as if it
//! had been seen on an Ethernet ([`Writer`]).
//!
//! A socket knows addresses, times and bytes, and nothing below them. [`Writer`] builds the rest:
//! Ethernet, IPv4 or IPv6, UDP or TCP with right checksums, so that Wireshark opens the file without
//! complaint and no privilege is needed to capture. The file is classic pcap with microseconds
//! (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>), LINKTYPE_ETHERNET.

pub mod ng;
pub mod read;
mod record;
mod snoop;

pub use read::{Item, Packet, Reader, is_capture};
pub use record::{Corrupt, MAX_PACKET_BYTES, Note};

use crate::Time;
use crate::checksum::Checksum;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Longest packet the file announces: the largest IP packet with its Ethernet header.
const SNAP_LENGTH: u32 = 65_535 + ETHERNET_BYTES as u32;
const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const LINKTYPE_ETHERNET: u32 = 1;
const ETHERNET_BYTES: usize = 14;
const UDP_BYTES: usize = 8;
const TCP_BYTES: usize = 20;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_ICMP_V6: u8 = 58;
/// How much of the packet an ICMP error quotes (RFC 1812 §4.3.2.3).
const MOST_QUOTED_BYTES: usize = 548;
/// TCP payload of one segment: what an Ethernet carries over IPv6.
const SEGMENT_BYTES: usize = 1_440;
/// Connections whose sequence numbers are kept; the one quiet for longest is forgotten first.
pub const CONNECTIONS_LIMIT: usize = 1_024;
const FLAG_FIN: u8 = 0x01;
const FLAG_SYN: u8 = 0x02;
const FLAG_RST: u8 = 0x04;
const FLAG_PUSH: u8 = 0x08;
const FLAG_ACK: u8 = 0x10;

/// What carried the bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// One datagram.
    Udp,
    /// A piece of a byte stream. TLS is written as TCP: what is captured is what a socket saw.
    Tcp,
}

/// Builds a capture in the caller's buffer; the caller owns the file.
#[derive(Debug, Default)]
pub struct Writer {
    connections: BTreeMap<Ends, Connection>,
    uses: u64,
    identification: u16,
}

/// Both ends of a connection, the lower first, so that both directions find it.
type Ends = (SocketAddr, SocketAddr);

#[derive(Clone, Copy, Debug)]
struct Connection {
    /// Next sequence number of the lower and of the higher end.
    next: [u32; 2],
    used: u64,
}

/// The bytes that a file of our own packets begins with.
pub fn file_header() -> [u8; 24] {
    header_of(LINKTYPE_ETHERNET as u16)
}

/// The bytes that a file of packets of this link type begins with.
pub fn header_of(link: u16) -> [u8; 24] {
    let mut header = [0; 24];
    header[..4].copy_from_slice(&MAGIC_MICROSECONDS.to_le_bytes());
    header[4..6].copy_from_slice(&2u16.to_le_bytes());
    header[6..8].copy_from_slice(&4u16.to_le_bytes());
    header[16..20].copy_from_slice(&SNAP_LENGTH.to_le_bytes());
    header[20..].copy_from_slice(&u32::from(link).to_le_bytes());
    header
}

/// What stands before the bytes of a packet: its time, how many bytes are kept, and how long it was.
pub fn record_head(at: Time, kept_bytes: u32, wire_bytes: u32) -> [u8; 16] {
    let mut head = [0; 16];
    head[..4].copy_from_slice(&(at.as_secs() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&((at.as_micros() % 1_000_000) as u32).to_le_bytes());
    head[8..12].copy_from_slice(&kept_bytes.to_le_bytes());
    head[12..].copy_from_slice(&wire_bytes.to_le_bytes());
    head
}

impl Writer {
    /// A writer that has seen no connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what passed from `source` to `destination` to `out`.
    ///
    /// A datagram is one frame, whatever an Ethernet's limit is; one longer than UDP can carry is
    /// cut to its first 65,507 bytes (65,527 over IPv6). A stream's bytes become segments; before
    /// the first of a connection stands its handshake. Where the families of the addresses differ,
    /// both are written as IPv6.
    pub fn write(
        &mut self,
        at: Time,
        source: SocketAddr,
        destination: SocketAddr,
        transport: Transport,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) {
        let path = Path::new(source, destination);
        match transport {
            Transport::Udp => self.write_datagram(at, &path, bytes, out),
            Transport::Tcp => self.write_stream(at, &path, bytes, out),
        }
    }

    /// Appends an attempt at a TCP connection that came to nothing; `at_end` is when the other side refused it,
    /// if it did.
    pub fn refuse(
        &mut self,
        at: Time,
        source: SocketAddr,
        destination: SocketAddr,
        at_end: Option<Time>,
        out: &mut Vec<u8>,
    ) {
        let path = Path::new(source, destination);
        self.write_segment(at, &path, (0, 0), FLAG_SYN, &[], out);
        if let Some(at) = at_end {
            self.write_segment(at, &path.reversed(), (0, 1), FLAG_RST | FLAG_ACK, &[], out);
        }
    }

    /// Appends a datagram for which nobody listens, and the ICMP port unreachable that comes back for it
    /// (RFC 792, RFC 4443 §3.1).
    pub fn unreachable(
        &mut self,
        at: Time,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) {
        let path = Path::new(source, destination);
        self.write_datagram(at, &path, bytes, out);
        let mut quoted = Vec::new();
        path.write_ip(PROTOCOL_UDP, UDP_BYTES + bytes.len(), self.identification, &mut quoted);
        quoted.extend_from_slice(&udp_header(&path, bytes));
        quoted.extend_from_slice(bytes);
        quoted.truncate(MOST_QUOTED_BYTES);
        let back = path.reversed();
        let is_v4 = source.is_ipv4() && destination.is_ipv4();
        let (protocol, kind, code) = if is_v4 { (PROTOCOL_ICMP, 3, 3) } else { (PROTOCOL_ICMP_V6, 1, 4) };
        let mut header = [kind, code, 0, 0, 0, 0, 0, 0];
        let sum = if is_v4 {
            Checksum::default()
        } else {
            back.pseudo_header(protocol, header.len() + quoted.len())
        };
        let checksum = sum.add(&header).add(&quoted).finish();
        header[2..4].copy_from_slice(&checksum.to_be_bytes());
        self.write_frame(at, &back, protocol, &header, &quoted, out);
    }

    /// Appends the end of a TCP connection and forgets it; nothing where it was not seen.
    pub fn close(&mut self, at: Time, source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
        let path = Path::new(source, destination);
        let Some(connection) = self.connections.remove(&path.ends()) else { return };
        let [mine, theirs] = connection.seen_from(path.is_lower());
        self.write_segment(at, &path, (mine, theirs), FLAG_FIN | FLAG_ACK, &[], out);
        let (mine, back) = (mine.wrapping_add(1), path.reversed());
        self.write_segment(at, &back, (theirs, mine), FLAG_FIN | FLAG_ACK, &[], out);
        self.write_segment(at, &path, (mine, theirs.wrapping_add(1)), FLAG_ACK, &[], out);
    }

    fn write_datagram(&mut self, at: Time, path: &Path, bytes: &[u8], out: &mut Vec<u8>) {
        let bytes = bytes.get(..path.datagram_limit()).unwrap_or(bytes);
        let header = udp_header(path, bytes);
        self.write_frame(at, path, PROTOCOL_UDP, &header, bytes, out);
    }

    fn write_stream(&mut self, at: Time, path: &Path, bytes: &[u8], out: &mut Vec<u8>) {
        if !self.connections.contains_key(&path.ends()) {
            self.open(at, path, out);
        }
        for piece in bytes.chunks(SEGMENT_BYTES) {
            let Some([mine, theirs]) = self.take_sequence(path, piece.len()) else { return };
            self.write_segment(at, path, (mine, theirs), FLAG_PUSH | FLAG_ACK, piece, out);
        }
    }

    /// The handshake that a capture of the whole connection would show.
    fn open(&mut self, at: Time, path: &Path, out: &mut Vec<u8>) {
        let back = path.reversed();
        self.write_segment(at, path, (0, 0), FLAG_SYN, &[], out);
        self.write_segment(at, &back, (0, 1), FLAG_SYN | FLAG_ACK, &[], out);
        self.write_segment(at, path, (1, 1), FLAG_ACK, &[], out);
        self.make_room();
        self.uses += 1;
        self.connections.insert(path.ends(), Connection { next: [1, 1], used: self.uses });
    }

    fn make_room(&mut self) {
        if self.connections.len() < CONNECTIONS_LIMIT {
            return;
        }
        let quietest = self.connections.iter().min_by_key(|(_, connection)| connection.used);
        if let Some(ends) = quietest.map(|(ends, _)| *ends) {
            self.connections.remove(&ends);
        }
    }

    /// The sequence numbers of both sides for a piece of this side, which then has moved on.
    fn take_sequence(&mut self, path: &Path, piece_bytes: usize) -> Option<[u32; 2]> {
        self.uses += 1;
        let connection = self.connections.get_mut(&path.ends())?;
        connection.used = self.uses;
        let numbers = connection.seen_from(path.is_lower());
        connection.next[usize::from(!path.is_lower())] = numbers[0].wrapping_add(piece_bytes as u32);
        Some(numbers)
    }

    fn write_segment(
        &mut self,
        at: Time,
        path: &Path,
        (sequence, acknowledged): (u32, u32),
        flags: u8,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) {
        let acknowledged = if flags & FLAG_ACK == 0 { 0 } else { acknowledged };
        let header = tcp_header(path, sequence, acknowledged, flags, bytes);
        self.write_frame(at, path, PROTOCOL_TCP, &header, bytes, out);
    }

    fn write_frame(
        &mut self,
        at: Time,
        path: &Path,
        protocol: u8,
        header: &[u8],
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) {
        let carried = header.len() + bytes.len();
        let frame_bytes = (ETHERNET_BYTES + path.ip_bytes() + carried) as u32;
        out.extend_from_slice(&record_head(at, frame_bytes, frame_bytes));
        self.identification = self.identification.wrapping_add(1);
        path.write_ethernet(out);
        path.write_ip(protocol, carried, self.identification, out);
        out.extend_from_slice(header);
        out.extend_from_slice(bytes);
    }
}

impl Connection {
    /// Next sequence numbers of the speaking and of the hearing side.
    fn seen_from(&self, lower: bool) -> [u32; 2] {
        let [low, high] = self.next;
        if lower { [low, high] } else { [high, low] }
    }
}

/// Who speaks to whom, in one family.
#[derive(Clone, Copy, Debug)]
struct Path {
    source: SocketAddr,
    destination: SocketAddr,
}

impl Path {
    fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        if source.is_ipv4() == destination.is_ipv4() {
            return Self { source, destination };
        }
        Self { source: as_ipv6(source), destination: as_ipv6(destination) }
    }

    fn reversed(&self) -> Self {
        Self { source: self.destination, destination: self.source }
    }

    fn is_lower(&self) -> bool {
        self.source <= self.destination
    }

    fn ends(&self) -> Ends {
        if self.is_lower() { (self.source, self.destination) } else { (self.destination, self.source) }
    }

    fn ip_bytes(&self) -> usize {
        if self.source.is_ipv4() { IPV4_BYTES } else { IPV6_BYTES }
    }

    fn datagram_limit(&self) -> usize {
        // The length of IPv4 counts its own header, that of IPv6 does not.
        let counted = if self.source.is_ipv4() { IPV4_BYTES } else { 0 };
        usize::from(u16::MAX) - counted - UDP_BYTES
    }

    fn write_ethernet(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&hardware_address(self.destination.ip()));
        out.extend_from_slice(&hardware_address(self.source.ip()));
        let kind: u16 = if self.source.is_ipv4() { 0x0800 } else { 0x86dd };
        out.extend_from_slice(&kind.to_be_bytes());
    }

    fn write_ip(&self, protocol: u8, carried: usize, identification: u16, out: &mut Vec<u8>) {
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = [0; IPV4_BYTES];
                header[0] = 0x45;
                header[2..4].copy_from_slice(&((IPV4_BYTES + carried) as u16).to_be_bytes());
                header[4..6].copy_from_slice(&identification.to_be_bytes());
                (header[6], header[8], header[9]) = (DO_NOT_FRAGMENT, HOPS, protocol);
                header[12..16].copy_from_slice(&source.octets());
                header[16..].copy_from_slice(&destination.octets());
                let checksum = Checksum::default().add(&header).finish();
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
                out.extend_from_slice(&header);
            }
            (source, destination) => {
                out.extend_from_slice(&[0x60, 0, 0, 0]);
                out.extend_from_slice(&(carried as u16).to_be_bytes());
                out.extend_from_slice(&[protocol, HOPS]);
                out.extend_from_slice(&ipv6_octets(source));
                out.extend_from_slice(&ipv6_octets(destination));
            }
        }
    }

    /// The part of the checksum that stands for addresses, protocol and length (RFC 9293 §3.1,
    /// RFC 8200 §8.1).
    fn pseudo_header(&self, protocol: u8, carried: usize) -> Checksum {
        let mut sum = Checksum::default();
        for address in [self.source.ip(), self.destination.ip()] {
            sum = match address {
                IpAddr::V4(address) => sum.add(&address.octets()),
                IpAddr::V6(address) => sum.add(&address.octets()),
            };
        }
        sum.add(&[0, protocol]).add(&(carried as u32).to_be_bytes())
    }
}

const DO_NOT_FRAGMENT: u8 = 0x40;
const HOPS: u8 = 64;

fn udp_header(path: &Path, bytes: &[u8]) -> [u8; UDP_BYTES] {
    let length = UDP_BYTES + bytes.len();
    let mut header = [0; UDP_BYTES];
    header[..2].copy_from_slice(&path.source.port().to_be_bytes());
    header[2..4].copy_from_slice(&path.destination.port().to_be_bytes());
    header[4..6].copy_from_slice(&(length as u16).to_be_bytes());
    let checksum = path.pseudo_header(PROTOCOL_UDP, length).add(&header).add(bytes).finish();
    // Zero would mean that there is no checksum, RFC 768.
    let checksum = if checksum == 0 { u16::MAX } else { checksum };
    header[6..].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn tcp_header(path: &Path, sequence: u32, acknowledged: u32, flags: u8, bytes: &[u8]) -> [u8; TCP_BYTES] {
    let mut header = [0; TCP_BYTES];
    header[..2].copy_from_slice(&path.source.port().to_be_bytes());
    header[2..4].copy_from_slice(&path.destination.port().to_be_bytes());
    header[4..8].copy_from_slice(&sequence.to_be_bytes());
    header[8..12].copy_from_slice(&acknowledged.to_be_bytes());
    (header[12], header[13]) = ((TCP_BYTES as u8 / 4) << 4, flags);
    header[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    let sum = path.pseudo_header(PROTOCOL_TCP, TCP_BYTES + bytes.len()).add(&header).add(bytes);
    header[16..18].copy_from_slice(&sum.finish().to_be_bytes());
    header
}

/// A locally administered address that tells the hosts of a capture apart.
fn hardware_address(address: IpAddr) -> [u8; 6] {
    let [.., a, b, c, d] = ipv6_octets(address);
    [0x02, 0, a, b, c, d]
}

fn ipv6_octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn as_ipv6(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(IpAddr::from(ipv6_octets(address.ip())), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PHONE: &str = "192.168.80.23:5060";
    const SERVER: &str = "192.168.50.19:5060";
    const PHONE_6: &str = "[2001:db8::23]:5060";
    const SERVER_6: &str = "[2001:db8::19]:5060";

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// The frames of what a writer wrote, each with its record header taken off and checked.
    fn frames(mut file: &[u8]) -> Vec<&[u8]> {
        let mut frames = Vec::new();
        while !file.is_empty() {
            let length = u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize;
            assert_eq!(file[8..12], file[12..16]);
            frames.push(&file[16..16 + length]);
            file = &file[16 + length..];
        }
        frames
    }

    /// Both checksums of a frame are right: adding them to what they cover gives all ones.
    fn check_sums(frame: &[u8]) {
        let ip = &frame[ETHERNET_BYTES..];
        let (addresses, protocol, carried) = if ip[0] >> 4 == 4 {
            assert_eq!(Checksum::default().add(&ip[..IPV4_BYTES]).finish(), 0);
            assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), ip.len());
            (&ip[12..20], ip[9], &ip[IPV4_BYTES..])
        } else {
            assert_eq!(usize::from(u16::from_be_bytes([ip[4], ip[5]])), ip.len() - IPV6_BYTES);
            (&ip[8..40], ip[6], &ip[IPV6_BYTES..])
        };
        let pseudo = Checksum::default().add(addresses).add(&[0, protocol]);
        assert_eq!(pseudo.add(&(carried.len() as u32).to_be_bytes()).add(carried).finish(), 0);
    }

    fn write(writer: &mut Writer, from: &str, to: &str, transport: Transport, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        writer.write(
            Time::from_micros(1_642_064_993_668_313),
            address(from),
            address(to),
            transport,
            bytes,
            &mut out,
        );
        frames(&out).into_iter().for_each(check_sums);
        out
    }

    #[test]
    fn the_file_header() {
        let header = file_header();
        assert_eq!(header[..8], [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
        assert_eq!(header[20..], [1, 0, 0, 0]);
    }

    /// The first packet of the deck's one-way audio page has 214 bytes and this time.
    #[test]
    fn an_rtp_packet_of_the_deck() {
        let file = write(
            &mut Writer::new(),
            "192.168.80.23:10000",
            "192.168.50.19:10002",
            Transport::Udp,
            &[0x80; 172],
        );
        assert_eq!(u32::from_le_bytes(file[..4].try_into().unwrap()), 1_642_064_993);
        assert_eq!(u32::from_le_bytes(file[4..8].try_into().unwrap()), 668_313);
        let frame = frames(&file)[0];
        assert_eq!(frame.len(), 214);
        assert_eq!(frame[26..34], [192, 168, 80, 23, 192, 168, 50, 19]);
        assert_eq!(frame[34..42][..6], [0x27, 0x10, 0x27, 0x12, 0, 180]);
    }

    #[test]
    fn a_large_datagram_is_one_frame() {
        let check = |from, to, length: usize, frame_bytes: usize| {
            let file = write(&mut Writer::new(), from, to, Transport::Udp, &vec![7; length]);
            assert_eq!(frames(&file).iter().map(|frame| frame.len()).collect::<Vec<_>>(), [frame_bytes]);
        };
        check(PHONE, SERVER, 0, 42);
        check(PHONE, SERVER, 4_000, 4_042);
        check(PHONE, SERVER, 70_000, 14 + 65_535);
        check(PHONE_6, SERVER_6, 1_401, 1_463);
        check(PHONE_6, SERVER_6, 70_000, 14 + 40 + 65_535);
        check(PHONE, SERVER_6, 10, 72);
    }

    /// Sequence, acknowledgement, flags and payload length of each IPv4 segment.
    fn segments(file: &[u8]) -> Vec<(u32, u32, u8, usize)> {
        let number = |frame: &[u8], at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        frames(file)
            .iter()
            .map(|frame| (number(frame, 38), number(frame, 42), frame[47], frame.len() - 54))
            .collect()
    }

    #[test]
    fn a_stream_has_a_handshake_and_counts_its_bytes() {
        let mut writer = Writer::new();
        let file = write(&mut writer, PHONE, SERVER, Transport::Tcp, &[b'r'; 2_000]);
        let opening = [(0, 0, 0x02, 0), (0, 1, 0x12, 0), (1, 1, 0x10, 0)];
        assert_eq!(segments(&file)[..3], opening);
        assert_eq!(segments(&file)[3..], [(1, 1, 0x18, 1_440), (1_441, 1, 0x18, 560)]);
        let file = write(&mut writer, SERVER, PHONE, Transport::Tcp, &[b'o'; 300]);
        assert_eq!(segments(&file), [(1, 2_001, 0x18, 300)]);
        let file = write(&mut writer, PHONE, SERVER, Transport::Tcp, b"\r\n\r\n");
        assert_eq!(segments(&file), [(2_001, 301, 0x18, 4)]);
        let mut file = Vec::new();
        writer.close(Time::ZERO, address(SERVER), address(PHONE), &mut file);
        assert_eq!(segments(&file), [(301, 2_005, 0x11, 0), (2_005, 302, 0x11, 0), (302, 2_006, 0x10, 0)]);
        frames(&file).into_iter().for_each(check_sums);
        file.clear();
        writer.close(Time::ZERO, address(SERVER), address(PHONE), &mut file);
        assert!(file.is_empty());
    }

    #[test]
    fn the_connections_are_bounded() {
        let mut writer = Writer::new();
        for port in 0..CONNECTIONS_LIMIT as u16 + 50 {
            write(&mut writer, &format!("192.0.2.1:{port}"), SERVER, Transport::Tcp, b"x");
        }
        assert_eq!(writer.connections.len(), CONNECTIONS_LIMIT);
        let newest = (address(SERVER), address("192.0.2.1:1073"));
        assert!(writer.connections.contains_key(&(newest.0.min(newest.1), newest.0.max(newest.1))));
    }

    proptest! {
        #[test]
        fn every_frame_is_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..3_000), tcp: bool, six: bool, back: bool,
        ) {
            let (from, to) = if six { (PHONE_6, SERVER_6) } else { (PHONE, SERVER) };
            let (from, to) = if back { (to, from) } else { (from, to) };
            let transport = if tcp { Transport::Tcp } else { Transport::Udp };
            let file = write(&mut Writer::new(), from, to, transport, &bytes);
            let head = if six { 54 } else { 34 } + if tcp { 20 } else { 8 };
            let carried: usize = frames(&file).iter().map(|frame| frame.len() - head).sum();
            prop_assert_eq!(carried, bytes.len());
        }
    }
}
