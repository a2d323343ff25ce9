//! The doctor: reads captures, logs and configuration files, and puts together what they show.
//!
//! Pure as the roles are, but no [`Role`](crate::Role): it sends nothing and waits for nothing. The
//! program reads files and hands over packets and lines; [`Tracks`] are the facts, each with its
//! [`Proof`]. Memory is bounded by what is open and by what is told.

pub mod capture;
pub mod compare;
pub mod extract;
pub mod filter;
mod finding;
pub mod follow;
pub mod json;
mod proof;
mod report;
mod rules;
#[cfg(test)]
mod tape;
#[cfg(test)]
mod tests;
pub mod tracks;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proto::Time;
use proto::pcap;
use proto::sip::framing::FramingError;

pub use finding::{Evidence, Finding, Severity};
pub use proof::{Carrier, Path, Proof};
pub use report::{accepted, explain_text, junit, report_text, verdict};
pub use rules::{Explanation, diagnose, document, explain, explanations};
pub use tracks::Tracks;

use capture::connections::Connections;
use capture::fragments::Fragments;
use capture::link::{Content, Frame};
use capture::speech::Spoken;
use capture::{Datagram, Inner, ip, link, looks_like_sip, tcp};
use follow::devices::Devices;
use follow::ground::Change;
use follow::network::Network;
use follow::sip::{Heard, Sip, descriptions};
use follow::streams::Streams;
use follow::transfers::Transfers;
use follow::{provisioning, texts};
use tracks::{EndsEarly, FileKind, FileTrack, Mac};

/// Tunnels in tunnels that are followed.
const MOST_TUNNELS: u8 = 4;
/// Inputs of one case.
pub const FILES_LIMIT: usize = 10_000;
const NOTES_LIMIT: usize = 32;
const STRETCHES_LIMIT: usize = 64;
/// Time that runs backwards by more is no mere disorder of the recording.
const BACKWARDS: std::time::Duration = std::time::Duration::from_secs(1);
/// No capture of telephones is silent for longer.
const LEAP: std::time::Duration = std::time::Duration::from_secs(86_400);
/// Lost pieces of datagrams that are told.
const LOST_LIMIT: usize = 1_000;
/// Bytes of messages that are kept for ladders.
pub const KEPT_BYTES_LIMIT: usize = 32 * 1_024 * 1_024;

/// Reads one case.
#[derive(Debug)]
pub struct Doctor {
    tracks: Tracks,
    /// When the case was collected: stamps without a year are of the year before it.
    collected: Time,
    fragments: Fragments,
    connections: Connections,
    protocols: Protocols,
    last: Proof,
}

/// What follows the protocols; apart from the connections, which tell it what they say.
#[derive(Debug, Default)]
struct Protocols {
    sip: Sip,
    streams: Streams,
    transfers: Transfers,
    network: Network,
    devices: Devices,
    watched: BTreeSet<Box<str>>,
    keeps_all: bool,
    kept: Vec<Kept>,
    kept_bytes: usize,
}

/// A SIP message that was kept whole, for a ladder.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Where.
    pub proof: Proof,
    /// Who sent it to whom.
    pub path: Path,
    /// Its Call-ID.
    pub call_id: Box<str>,
    /// The message.
    pub bytes: Vec<u8>,
}

/// One packet as the program read it.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// What [`Doctor::begin`] gave.
    pub file: u16,
    /// From 1.
    pub number: u32,
    /// Byte position of its record in the file.
    pub offset: u64,
    /// When.
    pub at: Time,
    /// LINKTYPE of its first byte.
    pub link: u16,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// How long it was on the wire.
    pub wire_bytes: u32,
}

/// What a packet brings along through its layers.
#[derive(Clone, Copy, Debug)]
struct Around {
    proof: Proof,
    mac: Option<Mac>,
    vlan: Option<u16>,
    tunnels: u8,
}

/// Reads one capture that is held in memory.
pub fn read_capture(name: &str, file: &[u8], collected: Time) -> Tracks {
    let mut doctor = Doctor::new(collected);
    let Some(index) = doctor.begin(name, FileKind::Capture) else { return doctor.finish() };
    let mut reader = pcap::Reader::new();
    reader.push(file);
    reader.filled(0);
    while let Some(item) = reader.next() {
        match item {
            pcap::Item::Packet(packet) => doctor.handle(&Captured {
                file: index,
                number: packet.number,
                offset: packet.offset,
                at: packet.at,
                link: packet.link,
                bytes: packet.bytes,
                wire_bytes: packet.wire_bytes,
            }),
            pcap::Item::Note(note) => doctor.note(index, &note),
        }
    }
    doctor.finish()
}

impl Doctor {
    /// A new case that was collected at about this time.
    pub fn new(collected: Time) -> Self {
        Self {
            tracks: Tracks::default(),
            collected,
            fragments: Fragments::default(),
            connections: Connections::default(),
            protocols: Protocols::default(),
            last: Proof { at: Time::ZERO, file: 0, number: 0, offset: 0 },
        }
    }

    /// Keeps the messages of these Call-IDs whole, up to [`KEPT_BYTES_LIMIT`] in all.
    pub fn watch(&mut self, call_ids: impl IntoIterator<Item = Box<str>>) {
        self.protocols.watched.extend(call_ids);
    }

    /// Keeps all messages whole, up to [`KEPT_BYTES_LIMIT`] in all.
    pub fn watch_all(&mut self) {
        self.protocols.keeps_all = true;
    }

    /// The messages that were kept, in the order of their packets.
    pub fn take_kept(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.protocols.kept)
    }

    /// Begins an input; `None` where there are more than [`FILES_LIMIT`].
    pub fn begin(&mut self, name: &str, kind: FileKind) -> Option<u16> {
        if self.tracks.files.len() >= FILES_LIMIT {
            self.tracks.leave_out("files");
            return None;
        }
        let (packets, lines) = if kind == FileKind::Capture { (Some(0), None) } else { (None, Some(0)) };
        self.tracks.files.push(FileTrack {
            name: name.to_owned(),
            kind,
            packets,
            lines,
            ..FileTrack::default()
        });
        Some(self.tracks.files.len() as u16 - 1)
    }

    /// Takes what a capture tells besides packets.
    pub fn note(&mut self, file: u16, note: &pcap::Note) {
        let Some(track) = self.tracks.files.get_mut(usize::from(file)) else { return };
        match note {
            pcap::Note::SnapLength(0) => {}
            pcap::Note::SnapLength(bytes) => {
                track.snap_bytes = Some(track.snap_bytes.map_or(*bytes, |known| known.min(*bytes)));
            }
            pcap::Note::Drops(count) => track.drops = Some(track.drops.unwrap_or(0) + count),
            pcap::Note::Name(..) => {}
            pcap::Note::Cut { offset, .. } => {
                self.ends_early(file, *offset, "the file ends within a record");
                self.remark(file, note.to_string());
            }
            pcap::Note::Corrupt { offset, why } => {
                if why.ends_reading() {
                    self.ends_early(file, *offset, &why.to_string());
                }
                self.remark(file, note.to_string());
            }
        }
    }

    /// Says that a file cannot be read beyond that byte, counted after decompression.
    pub fn ends_early(&mut self, file: u16, offset: u64, why: &str) {
        let after = Some(self.last).filter(|last| last.file == file && last.number > 0);
        if let Some(track) = self.tracks.files.get_mut(usize::from(file)) {
            let why = why.to_owned();
            track.ends_early.get_or_insert(EndsEarly { offset, why, after });
        }
    }

    /// Keeps a sentence about a file.
    pub fn remark(&mut self, file: u16, text: String) {
        if let Some(track) = self.tracks.files.get_mut(usize::from(file))
            && track.notes.len() < NOTES_LIMIT
            && !track.notes.contains(&text)
        {
            track.notes.push(text);
        }
    }

    /// Takes one packet. Packets of one capture come in its order.
    pub fn handle(&mut self, packet: &Captured<'_>) {
        let Captured { file, number, offset, at, link, bytes, wire_bytes } = *packet;
        let proof = Proof { at, file, number, offset };
        let Some(track) = self.tracks.files.get_mut(usize::from(file)) else { return };
        note_packet(track, proof, bytes.len(), wire_bytes, self.last);
        self.last = proof;
        if !link::is_known(link) {
            return self.remark(file, format!("packets of link type {link} are not read"));
        }
        let cut = (wire_bytes as usize).saturating_sub(bytes.len());
        let frame = link::frame(link, bytes);
        self.frame(Around { proof, mac: None, vlan: None, tunnels: 0 }, &frame, cut);
    }

    /// Takes one line of a log.
    pub fn line(&mut self, file: u16, number: u32, text: &str) {
        if let Some(track) = self.tracks.files.get_mut(usize::from(file)) {
            track.lines = Some(u64::from(number));
        }
        let proof = Proof { at: Time::ZERO, file, number, offset: 0 };
        texts::line(&mut self.tracks, proof, text, self.collected);
    }

    /// Takes a configuration or boot file.
    pub fn config(&mut self, file: u16, text: &str) {
        let Some(track) = self.tracks.files.get_mut(usize::from(file)) else { return };
        track.lines = Some(text.lines().count() as u64);
        let is_boot = track.kind == FileKind::Boot;
        texts::config(&mut self.tracks, file, text, is_boot);
    }

    /// The case is over: gives its tracks.
    pub fn finish(mut self) -> Tracks {
        let lost = self.fragments.finish();
        self.tracks.lost_fragments.extend(lost);
        self.tracks.lost_fragments.truncate(LOST_LIMIT);
        let Self { connections, protocols, tracks, last, .. } = &mut self;
        connections.finish(*last, tracks, &mut |tracks, number, path, opener, spoken| {
            protocols.spoken(tracks, *last, (number, path, opener), spoken);
        });
        protocols.sip.finish(tracks);
        protocols.streams.finish(tracks);
        protocols.devices.finish(tracks);
        provisioning::finish(tracks);
        note_encrypted(tracks);
        self.tracks
    }

    fn frame(&mut self, around: Around, frame: &Frame<'_>, cut: usize) {
        let around = Around { mac: frame.source.or(around.mac), vlan: frame.vlan.or(around.vlan), ..around };
        match frame.content {
            Content::Ip(bytes) => self.ip(around, bytes, cut),
            Content::Arp(bytes) => self.protocols.network.arp(&mut self.tracks, around.proof, bytes),
            Content::Lldp(bytes) => {
                self.protocols.network.lldp(
                    &mut self.tracks,
                    around.proof,
                    around.mac.unwrap_or_default(),
                    bytes,
                );
            }
            Content::Cdp(bytes) => {
                self.protocols.network.cdp(
                    &mut self.tracks,
                    around.proof,
                    around.mac.unwrap_or_default(),
                    bytes,
                );
            }
            Content::Other => {}
        }
    }

    fn ip(&mut self, around: Around, bytes: &[u8], cut: usize) {
        let Some(mut packet) = ip::parse(bytes) else { return };
        // What a card hands over that cuts segments itself says no length.
        packet.missing = packet.missing.max(if packet.missing > 0 {
            0
        } else {
            cut.min(65_535) * usize::from(is_short(bytes))
        });
        if packet.fragment.is_none() {
            return self.transport(around, &packet);
        }
        let whole = self.fragments.take(around.proof, &packet);
        let lost = self.fragments.take_lost();
        if self.tracks.lost_fragments.len() < LOST_LIMIT {
            self.tracks.lost_fragments.extend(lost);
        }
        if let Some(whole) = whole {
            self.transport(around, &ip::Packet { payload: &whole, fragment: None, missing: 0, ..packet });
        }
    }

    fn transport(&mut self, around: Around, packet: &ip::Packet<'_>) {
        match packet.protocol {
            17 => {
                if let Some(datagram) = capture::udp(packet.payload, packet.missing) {
                    self.udp(around, packet, &datagram);
                }
            }
            6 => self.tcp(around, packet),
            1 | 58 => self.icmp(around, packet),
            4 | 41 if around.tunnels < MOST_TUNNELS => {
                self.ip(Around { tunnels: around.tunnels + 1, ..around }, packet.payload, packet.missing);
            }
            47 => self.tunnel(around, capture::gre(packet.payload), packet.missing),
            _ => {}
        }
    }

    fn tunnel(&mut self, around: Around, inner: Option<Inner<'_>>, missing: usize) {
        if around.tunnels >= MOST_TUNNELS {
            return;
        }
        let around = Around { tunnels: around.tunnels + 1, mac: None, vlan: None, ..around };
        match inner {
            Some(Inner::Ip(bytes)) => self.ip(around, bytes, missing),
            Some(Inner::Ethernet(bytes)) => self.frame(around, &link::ethernet(bytes), missing),
            None => {}
        }
    }

    fn udp(&mut self, around: Around, packet: &ip::Packet<'_>, datagram: &Datagram<'_>) {
        let inner = capture::vxlan(datagram);
        if inner.is_some() {
            return self.tunnel(around, inner, datagram.missing);
        }
        let source = SocketAddr::new(packet.source, datagram.source_port);
        let destination = SocketAddr::new(packet.destination, datagram.destination_port);
        self.protocols.datagram(
            &mut self.tracks,
            around,
            Path { source, destination, carrier: Carrier::Udp },
            datagram,
        );
    }

    fn tcp(&mut self, around: Around, packet: &ip::Packet<'_>) {
        let Some(segment) = tcp::parse(packet.payload) else { return };
        let Self { connections, protocols, tracks, .. } = self;
        if let Some(mac) = around.mac {
            protocols.devices.seen(mac, packet.source, around.vlan);
        }
        let addresses = (packet.source, packet.destination);
        connections.take(
            around.proof,
            addresses,
            &segment,
            packet.missing,
            tracks,
            &mut |tracks, number, path, opener, spoken| {
                protocols.spoken(tracks, around.proof, (number, path, opener), spoken);
            },
        );
    }

    fn icmp(&mut self, around: Around, packet: &ip::Packet<'_>) {
        let is_v6 = packet.protocol == 58;
        let Self { protocols, tracks, .. } = self;
        let index = protocols.network.icmp(tracks, around.proof, packet.source, is_v6, packet.payload);
        if let Some(index) = index {
            protocols.sip.undelivered(tracks, index);
        }
    }
}

/// Whether an IPv4 packet says a length of 0.
fn is_short(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first >> 4 == 4) && bytes.get(2..4) == Some(&[0, 0])
}

fn note_packet(track: &mut FileTrack, proof: Proof, kept: usize, wire_bytes: u32, last: Proof) {
    track.packets = Some(u64::from(proof.number));
    if kept < wire_bytes as usize {
        track.cut_packets += 1;
    }
    if proof.at == Time::ZERO {
        return;
    }
    note_stretch(track, proof, last);
    track.from = Some(track.from.map_or(proof.at, |from| from.min(proof.at)));
    track.to = Some(track.to.map_or(proof.at, |to| to.max(proof.at)));
    let back = last.at.since(proof.at).as_micros() as u64;
    if last.file == proof.file && last.number > 0 && back > 1_000_000 && track.backwards.is_none() {
        track.backwards = Some((proof, back));
    }
}

/// Keeps until when time runs evenly.
fn note_stretch(track: &mut FileTrack, proof: Proof, last: Proof) {
    let follows = last.file == proof.file && last.number > 0;
    let leaps = last.at.since(proof.at) > BACKWARDS || proof.at.since(last.at) > LEAP;
    let is_new = follows && leaps && last.at != Time::ZERO && track.stretches.len() < STRETCHES_LIMIT;
    match track.stretches.last_mut() {
        Some((_, end)) if !is_new => *end = (*end).max(proof.at),
        _ => track.stretches.push((proof.number, proof.at)),
    }
}

impl Protocols {
    fn datagram(&mut self, tracks: &mut Tracks, around: Around, path: Path, datagram: &Datagram<'_>) {
        let (proof, bytes) = (around.proof, datagram.payload);
        // RTP is nearly all of a capture that holds it, and begins as nothing else does.
        if bytes.first().is_some_and(|first| first >> 6 == 2)
            && self.streams.take(tracks, proof, (path.source, path.destination), bytes, datagram.missing)
        {
            return;
        }
        if let Some(mac) = around.mac {
            self.devices.seen(mac, path.source.ip(), around.vlan);
        }
        let ports = [path.source.port(), path.destination.port()];
        if looks_like_sip(bytes) {
            return self.message(tracks, proof, path, bytes, None);
        }
        let is_known = match ports {
            [67 | 68, 67 | 68] => self.network.dhcp(tracks, proof, around.vlan, bytes),
            [53, _] | [_, 53] => self.network.dns(tracks, proof, path, bytes),
            [_, 514] => texts::syslog(tracks, proof, bytes),
            _ => self.transfers.datagram(tracks, proof, path, bytes),
        };
        if !is_known && ports.contains(&5_060) && bytes.len() > 4 && !is_stun(bytes) {
            self.message(tracks, proof, path, bytes, None);
        }
    }

    fn message(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        path: Path,
        bytes: &[u8],
        broken: Option<FramingError>,
    ) {
        if self.keeps_all || !self.watched.is_empty() {
            self.keep(tracks, proof, path, bytes);
        }
        let Some(heard) = self.sip.take(tracks, proof, path, bytes, broken) else { return };
        self.learn(tracks, proof, &heard);
    }

    fn keep(&mut self, tracks: &mut Tracks, proof: Proof, path: Path, bytes: &[u8]) {
        let Ok(message) = proto::sip::message::Message::parse(bytes) else { return };
        let is_wanted = self.keeps_all || self.watched.contains(message.call_id());
        if is_wanted && self.kept_bytes + bytes.len() > KEPT_BYTES_LIMIT {
            tracks.leave_out("messages that were to be kept");
        } else if is_wanted {
            self.kept_bytes += bytes.len();
            self.kept.push(Kept { proof, path, call_id: message.call_id().into(), bytes: bytes.to_vec() });
        }
    }

    /// What a message tells those who do not follow SIP: addresses of sound, names of devices, who scans.
    fn learn(&mut self, tracks: &mut Tracks, proof: Proof, heard: &Heard) {
        if !matches!(heard.change, Change::Begun | Change::Answered(_)) {
            return;
        }
        let Some(transaction) = tracks.transactions.get(heard.id.0 as usize).and_then(Option::as_deref)
        else {
            return;
        };
        if let Some(leg) = heard.leg
            && let Some((_, _, sdp)) = descriptions(transaction).last()
        {
            self.streams.announce(leg, sdp);
            note_unjudged(&mut tracks.files, proof, sdp);
        }
        let status = match heard.change {
            Change::Answered(index) => transaction.answers.get(index).map(|answer| answer.status),
            _ => None,
        };
        if status.is_none_or(|status| status >= 200) {
            self.devices.request(transaction, proof, status);
        }
        let (path, request) = (Arc::clone(&transaction.path), transaction.request.as_ref());
        match heard.change {
            Change::Begun => {
                let user_agent = request.and_then(|request| request.user_agent.clone());
                let registers = transaction.method == proto::sip::Method::Register;
                let account = request.filter(|_| registers).map(|request| request.to.user.clone());
                if user_agent.is_some() || account.is_some() {
                    self.devices.named(tracks, path.source.ip(), user_agent.as_deref(), account.as_deref());
                }
            }
            Change::Answered(index) => {
                let said = transaction.answers.get(index).and_then(|answer| answer.said.as_ref());
                if let Some(server) = said.and_then(|said| said.server.clone()) {
                    self.devices.named(tracks, path.destination.ip(), Some(&server), None);
                }
            }
            _ => {}
        }
    }

    fn spoken(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        (number, path, opener): (u32, &Arc<Path>, bool),
        spoken: Spoken<'_>,
    ) {
        match spoken {
            Spoken::Sip(bytes, carrier, broken) => {
                self.message(tracks, proof, Path { carrier, ..**path }, bytes, broken);
            }
            Spoken::HttpHead(head) => {
                if opener && let Some(user_agent) = capture::http::header(head, "User-Agent") {
                    self.devices.named(tracks, path.source.ip(), Some(&follow::said::kept(user_agent)), None);
                }
                self.transfers.hear(tracks, proof, (number, path, opener), spoken);
            }
            _ => self.transfers.hear(tracks, proof, (number, path, opener), spoken),
        }
    }
}

/// TLS towards a port of SIP is signalling that nobody but its ends can read.
fn note_encrypted(tracks: &mut Tracks) {
    let is_sip = |port: u16| matches!(port, 5_060..=5_061);
    for connection in &tracks.connections {
        let hello = connection.tls.as_ref().and_then(|tls| tls.client_hello.or(tls.server_hello));
        let Some(proof) = hello.filter(|_| is_sip(connection.path.destination.port())) else { continue };
        if let Some(file) = tracks.files.get_mut(usize::from(proof.file)) {
            file.unjudged.entry("encrypted signalling").or_insert(proof);
        }
    }
}

/// RFC 8489 §5: the magic cookie.
fn is_stun(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42])
}

fn note_unjudged(files: &mut [FileTrack], proof: Proof, sdp: &tracks::Sdp) {
    let Some(file) = files.get_mut(usize::from(proof.file)) else { return };
    for media in sdp.media.iter().filter(|media| media.port > 0) {
        let what = match &*media.kind {
            "image" => "fax (T.38)",
            "video" => "video",
            _ => continue,
        };
        file.unjudged.entry(what).or_insert(proof);
    }
}

/// Whether an address is of this host or link alone.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
        }
    }
}
