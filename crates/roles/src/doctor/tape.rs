//! Captures, logs and configuration files that tests make up, packet by packet.

use std::net::{IpAddr, SocketAddr};

use proto::Time;
use proto::pcap;

use crate::doctor::compare::Trace;
use crate::doctor::tracks::FileKind;
use crate::doctor::{Captured, Doctor, Finding, Tracks, diagnose};

pub(in crate::doctor) const PHONE: &str = "192.168.80.23:5060";
pub(in crate::doctor) const OTHER: &str = "192.168.80.24:5060";
pub(in crate::doctor) const SERVER: &str = "192.168.50.19:5060";

pub(in crate::doctor) const FIN: u8 = 1;
pub(in crate::doctor) const SYN: u8 = 2;
pub(in crate::doctor) const RST: u8 = 4;
pub(in crate::doctor) const ACK: u8 = 16;

/// A case as it is put together; the times are milliseconds.
#[derive(Default)]
pub(in crate::doctor) struct Tape {
    packets: Vec<(u64, Vec<u8>, usize)>,
    texts: Vec<(&'static str, FileKind, String)>,
    drops: Option<u64>,
}

impl Tape {
    pub(in crate::doctor) fn frame(mut self, ms: u64, bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        self.packets.push((ms, bytes, length));
        self
    }

    /// The last packet, of which so many bytes were kept.
    pub(in crate::doctor) fn cut_to(mut self, bytes: usize) -> Self {
        if let Some((_, kept, _)) = self.packets.last_mut() {
            kept.truncate(bytes);
        }
        self
    }

    pub(in crate::doctor) fn udp(self, ms: u64, from: &str, to: &str, payload: impl AsRef<[u8]>) -> Self {
        self.frame(ms, ethernet(None, 0x0800, &ip(from, to, 17, &udp(from, to, payload.as_ref()))))
    }

    /// A datagram from that hardware address, in that VLAN.
    pub(in crate::doctor) fn udp_of(
        self,
        ms: u64,
        mac: [u8; 6],
        vlan: Option<u16>,
        way: (&str, &str),
        payload: &[u8],
    ) -> Self {
        let mut bytes = ethernet(vlan, 0x0800, &ip(way.0, way.1, 17, &udp(way.0, way.1, payload)));
        bytes[6..12].copy_from_slice(&mac);
        self.frame(ms, bytes)
    }

    pub(in crate::doctor) fn tcp(
        self,
        ms: u64,
        way: (&str, &str),
        flags: u8,
        numbers: (u32, u32),
        payload: impl AsRef<[u8]>,
    ) -> Self {
        let (from, to) = (address(way.0), address(way.1));
        let mut segment = [from.port(), to.port()].map(u16::to_be_bytes).concat();
        segment.extend([numbers.0, numbers.1].map(u32::to_be_bytes).concat());
        segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(payload.as_ref());
        self.frame(ms, ethernet(None, 0x0800, &ip(way.0, way.1, 6, &segment)))
    }

    /// A connection that is opened, carries what both sides say in turn (true: the client), and is closed.
    pub(in crate::doctor) fn stream(
        mut self,
        mut ms: u64,
        client: &str,
        server: &str,
        said: &[(bool, &[u8])],
    ) -> Self {
        let (there, back) = ((client, server), (server, client));
        self = self.tcp(ms, there, SYN, (0, 0), "").tcp(ms + 1, back, SYN | ACK, (0, 1), "");
        let mut numbers = [1_u32, 1];
        for (by_client, bytes) in said {
            ms += 5;
            let side = usize::from(!by_client);
            let way = if *by_client { there } else { back };
            self = self.tcp(ms, way, ACK, (numbers[side], numbers[1 - side]), bytes);
            numbers[side] += bytes.len() as u32;
        }
        self.tcp(ms + 5, there, FIN | ACK, (numbers[0], numbers[1]), "")
            .tcp(ms + 6, back, FIN | ACK, (numbers[1], numbers[0] + 1), "")
            .tcp(ms + 7, there, ACK, (numbers[0] + 1, numbers[1] + 1), "")
    }

    /// ICMP port unreachable of the receiver, for a datagram of that way.
    pub(in crate::doctor) fn unreachable(self, ms: u64, from: &str, to: &str) -> Self {
        let mut bytes = vec![3, 3, 0, 0, 0, 0, 0, 0];
        bytes.extend(ip(from, to, 17, &udp(from, to, b"REGISTER")));
        self.frame(ms, ethernet(None, 0x0800, &ip(to, from, 1, &bytes)))
    }

    /// RTP packets of 20 ms each from that time on; `of` gives the payload type of each and how late it comes in
    /// milliseconds, or `None` for one that is lost.
    pub(in crate::doctor) fn rtp(
        mut self,
        ms: u64,
        way: (&str, &str),
        count: u16,
        of: fn(u16) -> Option<(u8, u64)>,
    ) -> Self {
        let source = address(way.0).port();
        for number in 0..count {
            let Some((kind, late_ms)) = of(number) else { continue };
            let mut bytes = vec![0x80, kind];
            bytes.extend(number.to_be_bytes());
            bytes.extend((u32::from(number) * 160).to_be_bytes());
            bytes.extend((0x1234_0000 + u32::from(source)).to_be_bytes());
            bytes.extend([0xd5; 160]);
            self = self.udp(ms + 20 * u64::from(number) + late_ms, way.0, way.1, bytes);
        }
        self
    }

    pub(in crate::doctor) fn text(mut self, name: &'static str, kind: FileKind, text: &str) -> Self {
        self.texts.push((name, kind, text.to_owned()));
        self
    }

    pub(in crate::doctor) fn log(self, lines: &str) -> Self {
        let dated = lines.lines().map(|line| match line.strip_prefix('+') {
            Some(line) => format!("{line}\n"),
            None => format!("<Tue Nov 2 15:28:24 2021> ipphone[30593]: {line}\n"),
        });
        let text = dated.collect::<String>();
        self.text("sys.log", FileKind::Log, &text)
    }

    pub(in crate::doctor) fn config(self, text: &str) -> Self {
        self.text("0021f222b021.cfg", FileKind::Config, text)
    }

    /// The capture says that so many packets were dropped.
    pub(in crate::doctor) fn drops(mut self, count: u64) -> Self {
        self.drops = Some(count);
        self
    }

    /// Packets in the order of their times, whatever the order in which they were written down.
    pub(in crate::doctor) fn sorted(mut self) -> Self {
        self.packets.sort_by_key(|(ms, ..)| *ms);
        self
    }

    pub(in crate::doctor) fn tracks(self) -> Tracks {
        self.read(Doctor::new(Time::from_secs(1_700_000_000))).finish()
    }

    /// With all messages.
    pub(in crate::doctor) fn trace(self) -> Trace {
        let mut doctor = Doctor::new(Time::from_secs(1_700_000_000));
        doctor.watch_all();
        let mut doctor = self.read(doctor);
        Trace { kept: doctor.take_kept(), tracks: doctor.finish() }
    }

    fn read(mut self, mut doctor: Doctor) -> Doctor {
        if !self.packets.is_empty() {
            let file = doctor.begin("a.pcap", FileKind::Capture).expect("room");
            let mut offset = 24;
            for (number, (ms, bytes, wire_bytes)) in (1..).zip(&self.packets) {
                let at = Time::from_millis(1_640_000_000_000 + ms);
                let wire_bytes = *wire_bytes as u32;
                doctor.handle(&Captured { file, number, offset, at, link: 1, bytes, wire_bytes });
                offset += 16 + bytes.len() as u64;
            }
            if let Some(drops) = self.drops.take() {
                doctor.note(file, &pcap::Note::Drops(drops));
            }
        }
        for (name, kind, text) in &self.texts {
            let file = doctor.begin(name, *kind).expect("room");
            match kind {
                FileKind::Log => (1..).zip(text.lines()).for_each(|(at, line)| doctor.line(file, at, line)),
                _ => doctor.config(file, text),
            }
        }
        doctor
    }

    pub(in crate::doctor) fn findings(self) -> Vec<Finding> {
        diagnose(&self.tracks())
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn ethernet(vlan: Option<u16>, kind: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if let Some(vlan) = vlan {
        bytes.extend(0x8100_u16.to_be_bytes());
        bytes.extend(vlan.to_be_bytes());
    }
    bytes.extend(kind.to_be_bytes());
    bytes.extend(content);
    bytes
}

/// A frame that a machine sends for itself: LLDP, CDP, ARP.
pub(in crate::doctor) fn frame_of(mac: [u8; 6], kind: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = ethernet(None, kind, content);
    bytes[6..12].copy_from_slice(&mac);
    bytes
}

fn ip(from: &str, to: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (address(from).ip(), address(to).ip()) else { panic!("IPv4") };
    let mut bytes = vec![0x45, 0];
    bytes.extend((payload.len() as u16 + 20).to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    bytes.extend(payload);
    bytes
}

fn udp(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = [address(from).port(), address(to).port(), payload.len() as u16 + 8, 0]
        .map(u16::to_be_bytes)
        .concat();
    bytes.extend(payload);
    bytes
}

/// The first fragment of a datagram whose rest never comes.
pub(in crate::doctor) fn fragment(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = ip(from, to, 17, &udp(from, to, payload));
    bytes[4..8].copy_from_slice(&[0, 9, 0x20, 0]);
    ethernet(None, 0x0800, &bytes)
}

/// What two sides say to each other in one dialog.
#[derive(Clone, Copy)]
pub(in crate::doctor) struct Talk {
    id: &'static str,
    from: &'static str,
    to: &'static str,
    tags: [&'static str; 2],
    via: &'static str,
    uri: &'static str,
}

pub(in crate::doctor) const fn talk(id: &'static str, from: &'static str, to: &'static str) -> Talk {
    Talk { id, from, to, tags: ["f", ""], via: PHONE, uri: "" }
}

impl Talk {
    /// Within the dialog that the first answer made.
    pub(in crate::doctor) fn inside(self) -> Self {
        Self { tags: ["f", "t"], ..self }
    }

    /// As the other side speaks within the dialog.
    pub(in crate::doctor) fn back(self) -> Self {
        Self { from: self.to, to: self.from, tags: ["t", "f"], via: SERVER, ..self }
    }

    pub(in crate::doctor) fn via(self, via: &'static str) -> Self {
        Self { via, ..self }
    }

    pub(in crate::doctor) fn uri(self, uri: &'static str) -> Self {
        Self { uri, ..self }
    }

    /// A request; `more` are whole lines of headers, after an empty one the body.
    pub(in crate::doctor) fn ask(&self, method: &str, cseq: u32, more: &str) -> String {
        let uri = if self.uri.is_empty() { format!("sip:{}@h", self.to) } else { self.uri.to_owned() };
        let line = format!("{method} {uri} SIP/2.0");
        self.message(&line, (method, cseq), self.tags[1], ";rport", more)
    }

    /// An answer.
    pub(in crate::doctor) fn tell(&self, status: u16, method: &str, cseq: u32, more: &str) -> String {
        let to_tag = if self.tags[1].is_empty() { "t" } else { self.tags[1] };
        let to_tag = if status == 100 { "" } else { to_tag };
        self.message(&format!("SIP/2.0 {status} Said"), (method, cseq), to_tag, ";rport=5060", more)
    }

    fn message(
        &self,
        line: &str,
        (method, cseq): (&str, u32),
        to_tag: &str,
        rport: &str,
        more: &str,
    ) -> String {
        let (head, body) = more.split_once("\n\n").unwrap_or((more.trim_end(), ""));
        let (body, Self { id, from, to, tags, via, .. }) = (body.replace('\n', "\r\n"), *self);
        let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let branch = format!("{id}{}{cseq}{method}", tags[0]).replace("ACK", "INVITE");
        let mut lines = vec![
            line.to_owned(),
            format!("Via: SIP/2.0/UDP {via};branch=z9hG4bK{branch}{rport}"),
            format!("From: <sip:{from}@h>;tag={}", tags[0]),
            format!("To: <sip:{to}@h>{to_tag}"),
            format!("Call-ID: {id}"),
            format!("CSeq: {cseq} {method}"),
        ];
        lines.extend(head.lines().map(str::to_owned));
        if !head.contains("Content-Length") {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        format!("{}\r\n\r\n{body}", lines.join("\r\n"))
    }
}

/// A session description as the end of `more`, with the head that says so.
pub(in crate::doctor) fn sdp(at: &str, profile: &str, formats: &str, more: &str) -> String {
    let (host, port) = at.rsplit_once(':').expect("a port");
    format!(
        "Contact: <sip:x@{host}:5060>\nContent-Type: application/sdp\n\nv=0\no=x 1 1 IN IP4 {host}\ns=-\nc=IN IP4 {host}\nt=0 0\n\
         m=audio {port} {profile} {formats}\n{more}"
    )
}

pub(in crate::doctor) const CREDENTIALS: &str =
    "Authorization: Digest username=\"7001\", realm=\"a\", nonce=\"n\", response=\"x\"\n";
pub(in crate::doctor) const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\"\n";
