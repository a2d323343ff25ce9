//! Files that were asked for: TFTP, HTTP and FTP.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use proto::tftp::packet::{Packet, options};

use super::ground::Map;
use super::said::{kept, text};
use crate::doctor::capture::http::header;
use crate::doctor::capture::speech::Spoken;
use crate::doctor::tracks::{Scheme, Tracks, Transfer, TransferResult};
use crate::doctor::{Path, Proof};

/// Transfers of one case.
pub const LIMIT: usize = 50_000;
/// Transfers and connections that are open; when full, all are forgotten.
pub const OPEN_LIMIT: usize = 16_384;
/// Bytes of a file's beginning that are kept.
const HEAD_BYTES: usize = 256;
const PIPELINE_LIMIT: usize = 64;

/// Which transfer a packet belongs to.
#[derive(Debug, Default)]
pub struct Transfers {
    /// TFTP by the client's address and the server's host: the server answers from a new port (RFC 1350 §4).
    tftp: Map<(SocketAddr, IpAddr), Tftp>,
    http: Map<u32, Http>,
    ftp: Map<u32, Ftp>,
    /// Where FTP data are expected, and for which control connection.
    expected: Map<SocketAddr, u32>,
    /// Data connections by number.
    data: Map<u32, u32>,
}

#[derive(Debug)]
struct Tftp {
    index: u32,
    server_port: Option<u16>,
    block_bytes: usize,
    last_block: u64,
    is_write: bool,
}

#[derive(Debug, Default)]
struct Http {
    /// Requests that wait for their answers.
    waiting: VecDeque<u32>,
    answering: Option<u32>,
}

#[derive(Debug, Default)]
struct Ftp {
    current: Option<u32>,
}

impl Transfers {
    /// Takes a datagram that may be TFTP; true where it is.
    pub fn datagram(&mut self, tracks: &mut Tracks, proof: Proof, path: Path, bytes: &[u8]) -> bool {
        if path.destination.port() == 69
            && let Some(packet) = Packet::parse(bytes)
        {
            return self.tftp_request(tracks, proof, path, &packet);
        }
        let from_client = self.tftp.contains_key(&(path.source, path.destination.ip()));
        let key = if from_client {
            (path.source, path.destination.ip())
        } else {
            (path.destination, path.source.ip())
        };
        let Some(open) = self.tftp.get_mut(&key) else { return false };
        let server_port = if from_client { path.destination.port() } else { path.source.port() };
        if *open.server_port.get_or_insert(server_port) != server_port {
            return false;
        }
        let (Some(packet), Some(transfer)) =
            (Packet::parse(bytes), tracks.transfers.get_mut(open.index as usize))
        else {
            return false;
        };
        transfer.last = proof;
        if !from_client {
            transfer.answered.get_or_insert(proof);
        }
        open.note(transfer, &packet, from_client);
        true
    }

    fn tftp_request(&mut self, tracks: &mut Tracks, proof: Proof, path: Path, packet: &Packet<'_>) -> bool {
        let (file, is_write) = match *packet {
            Packet::Read { file, .. } => (file, false),
            Packet::Write { file, .. } => (file, true),
            _ => return false,
        };
        let key = (path.source, path.destination.ip());
        if let Some(open) = self.tftp.get(&key)
            && let Some(transfer) = tracks.transfers.get_mut(open.index as usize)
            && transfer.answered.is_none()
            && *transfer.name == *text(file)
        {
            transfer.repeats += 1;
            transfer.last = proof;
            return true;
        }
        let verb = if is_write { "WRQ" } else { "RRQ" };
        let Some(index) = begin(tracks, proof, path, Scheme::Tftp, verb, text(file)) else { return true };
        if self.tftp.len() >= OPEN_LIMIT {
            self.tftp.clear();
        }
        // Until the server agrees to another size, a block has 512 bytes (RFC 2348).
        self.tftp.insert(key, Tftp { index, server_port: None, block_bytes: 512, last_block: 0, is_write });
        true
    }

    /// Takes what a TCP connection says.
    pub fn hear(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        (connection, path, from_opener): (u32, &Path, bool),
        spoken: Spoken<'_>,
    ) {
        match spoken {
            Spoken::HttpHead(head) if from_opener => self.http_request(tracks, proof, connection, path, head),
            Spoken::HttpHead(head) => self.http_answer(tracks, proof, connection, head),
            Spoken::HttpBody(body) if !from_opener => {
                let index = self.http.get(&connection).and_then(|http| http.answering);
                if let Some(transfer) = index.and_then(|index| tracks.transfers.get_mut(index as usize)) {
                    note_bytes(transfer, body, proof);
                }
            }
            Spoken::HttpEnd if !from_opener => {
                let Some(http) = self.http.get_mut(&connection) else { return };
                let Some(index) = http.answering.take() else { return };
                if let Some(transfer) = tracks.transfers.get_mut(index as usize) {
                    transfer.result = result_of_http(transfer.status);
                }
            }
            Spoken::FtpLine(line) if from_opener => self.ftp_command(tracks, proof, connection, path, line),
            Spoken::FtpLine(line) => self.ftp_reply(tracks, proof, connection, path, line),
            Spoken::Raw(bytes) => self.data(tracks, proof, connection, path, from_opener, bytes),
            Spoken::RawEnd => drop(self.data.remove(&connection)),
            _ => {}
        }
    }

    fn http_request(&mut self, tracks: &mut Tracks, proof: Proof, connection: u32, path: &Path, head: &[u8]) {
        let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let mut words = line.split(|byte| byte.is_ascii_whitespace());
        let (verb, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Some(index) = begin(tracks, proof, *path, Scheme::Http, &text(verb), text(target)) else {
            return;
        };
        if let Some(transfer) = tracks.transfers.get_mut(index as usize) {
            transfer.host = header(head, "Host").map(kept);
            transfer.user_agent = header(head, "User-Agent").map(kept);
        }
        if self.http.len() >= OPEN_LIMIT {
            self.http.clear();
        }
        let http = self.http.entry(connection).or_default();
        if http.waiting.len() < PIPELINE_LIMIT {
            http.waiting.push_back(index);
        }
    }

    fn http_answer(&mut self, tracks: &mut Tracks, proof: Proof, connection: u32, head: &[u8]) {
        let Some(http) = self.http.get_mut(&connection) else { return };
        let line = String::from_utf8_lossy(head.split(|&byte| byte == b'\n').next().unwrap_or_default());
        let mut words = line.trim().splitn(3, ' ').skip(1);
        let status = words.next().and_then(|status| status.parse().ok());
        if status == Some(100) {
            return;
        }
        http.answering = http.waiting.pop_front();
        let Some(transfer) = http.answering.and_then(|index| tracks.transfers.get_mut(index as usize)) else {
            return;
        };
        transfer.answered.get_or_insert(proof);
        transfer.last = proof;
        transfer.status = status;
        transfer.text = words.next().map(kept);
        transfer.content_type = header(head, "Content-Type").map(kept);
        transfer.announced_bytes = header(head, "Content-Length").and_then(|length| length.parse().ok());
        transfer.result = match result_of_http(status) {
            TransferResult::Complete => TransferResult::Stalled,
            refused => refused,
        };
    }

    fn ftp_command(&mut self, tracks: &mut Tracks, proof: Proof, connection: u32, path: &Path, line: &[u8]) {
        if self.ftp.len() >= OPEN_LIMIT {
            self.ftp.clear();
        }
        let ftp = self.ftp.entry(connection).or_default();
        let line = String::from_utf8_lossy(line);
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            verb @ ("RETR" | "STOR") => {
                ftp.current = begin(tracks, proof, *path, Scheme::Ftp, verb, kept(rest.trim()))
            }
            // The login is the beginning of a transfer that may never come to its name.
            "USER" => ftp.current = begin(tracks, proof, *path, Scheme::Ftp, "USER", "".into()),
            "PORT" | "EPRT" => {
                if let Some(address) = active(rest, path.source.ip()) {
                    self.expect(address, connection);
                }
            }
            _ => {}
        }
    }

    fn ftp_reply(&mut self, tracks: &mut Tracks, proof: Proof, connection: u32, path: &Path, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let Some(code) = line.get(..3).and_then(|code| code.parse::<u16>().ok()) else { return };
        if line.as_bytes().get(3) == Some(&b'-') {
            return;
        }
        let passive = match code {
            227 => passive(&line),
            229 => extended(&line).map(|port| SocketAddr::new(path.source.ip(), port)),
            _ => None,
        };
        if let Some(address) = passive {
            self.expect(address, connection);
        }
        let Some(ftp) = self.ftp.get_mut(&connection) else { return };
        let Some(transfer) = ftp.current.and_then(|index| tracks.transfers.get_mut(index as usize)) else {
            return;
        };
        let is_login = &*transfer.verb == "USER";
        match code {
            // A password is wanted, a type or a directory was taken: nothing of the file.
            _ if is_login && code < 400 && code != 230 => return,
            230 if is_login => transfer.result = TransferResult::Complete,
            125 | 150 => transfer.result = TransferResult::Stalled,
            226 | 250 if !is_login => transfer.result = TransferResult::Complete,
            550 | 553 => transfer.result = TransferResult::NotFound,
            400..600 => transfer.result = TransferResult::Refused,
            _ => return,
        }
        transfer.answered.get_or_insert(proof);
        transfer.last = proof;
        transfer.status = Some(code);
        transfer.text = line.get(4..).map(|text| kept(text.trim()));
    }

    fn expect(&mut self, address: SocketAddr, connection: u32) {
        if self.expected.len() >= OPEN_LIMIT {
            self.expected.clear();
        }
        self.expected.insert(address, connection);
    }

    fn data(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        number: u32,
        path: &Path,
        from_opener: bool,
        bytes: &[u8],
    ) {
        // The path is that of the speaker; the data connection goes to the expected address.
        let opened_to = if from_opener { path.destination } else { path.source };
        let control = match self.data.get(&number) {
            Some(&control) => control,
            None => {
                let Some(control) = self.expected.remove(&opened_to) else { return };
                if self.data.len() >= OPEN_LIMIT {
                    self.data.clear();
                }
                self.data.insert(number, control);
                control
            }
        };
        let index = self.ftp.get(&control).and_then(|ftp| ftp.current);
        if let Some(transfer) = index.and_then(|index| tracks.transfers.get_mut(index as usize)) {
            note_bytes(transfer, bytes, proof);
        }
    }
}

fn begin(
    tracks: &mut Tracks,
    proof: Proof,
    path: Path,
    scheme: Scheme,
    verb: &str,
    name: Box<str>,
) -> Option<u32> {
    if tracks.transfers.len() >= LIMIT {
        tracks.leave_out("transfers");
        return None;
    }
    tracks.transfers.push(Transfer {
        client: path.source,
        server: path.destination,
        scheme,
        name,
        host: None,
        verb: verb.into(),
        user_agent: None,
        asked: proof,
        repeats: 0,
        answered: None,
        last: proof,
        bytes: 0,
        announced_bytes: None,
        status: None,
        text: None,
        content_type: None,
        head: Vec::new(),
        result: TransferResult::Unanswered,
    });
    Some(tracks.transfers.len() as u32 - 1)
}

fn note_bytes(transfer: &mut Transfer, bytes: &[u8], proof: Proof) {
    transfer.bytes += bytes.len() as u64;
    transfer.last = proof;
    let room = HEAD_BYTES.saturating_sub(transfer.head.len()).min(bytes.len());
    transfer.head.extend_from_slice(bytes.get(..room).unwrap_or_default());
}

fn result_of_http(status: Option<u16>) -> TransferResult {
    match status {
        Some(101 | 200..400) => TransferResult::Complete,
        Some(404 | 410) => TransferResult::NotFound,
        Some(_) => TransferResult::Refused,
        None => TransferResult::Stalled,
    }
}

impl Tftp {
    fn note(&mut self, transfer: &mut Transfer, packet: &Packet<'_>, from_client: bool) {
        match *packet {
            Packet::OptionAck { options: agreed } => {
                for (name, value) in options(agreed) {
                    let number: Option<u64> =
                        std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                    match number {
                        Some(number) if name.eq_ignore_ascii_case(b"blksize") => {
                            self.block_bytes = number.min(65_464) as usize
                        }
                        Some(number) if name.eq_ignore_ascii_case(b"tsize") => {
                            transfer.announced_bytes = Some(number)
                        }
                        _ => {}
                    }
                }
                transfer.result = TransferResult::Stalled;
            }
            Packet::Data { block, bytes } if from_client == self.is_write => {
                // The number wraps after 65,535 blocks.
                let expected = (self.last_block + 1) as u16;
                if block != expected {
                    return;
                }
                self.last_block += 1;
                note_bytes(transfer, bytes, transfer.last);
                let is_last = bytes.len() < self.block_bytes;
                transfer.result = if is_last { TransferResult::Complete } else { TransferResult::Stalled };
            }
            Packet::Error { code, message } => {
                transfer.status = Some(code);
                transfer.text = Some(text(message));
                // Some clients end a transfer of which they only wanted the size by an error.
                transfer.result = if code == 1 { TransferResult::NotFound } else { TransferResult::Refused };
            }
            _ => {}
        }
    }
}

/// `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2)`, RFC 959 §4.2.
fn passive(line: &str) -> Option<SocketAddr> {
    let digits = |c: char| !c.is_ascii_digit() && c != ',';
    let list = line.get(4..)?.split(digits).find(|part| part.matches(',').count() == 5)?;
    numbers(list)
}

fn numbers(list: &str) -> Option<SocketAddr> {
    let numbers: Vec<u8> = list.trim().split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    let [a, b, c, d, high, low] = *numbers else { return None };
    Some(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low]))))
}

/// `229 Entering Extended Passive Mode (|||port|)`, RFC 2428 §3.
fn extended(line: &str) -> Option<u16> {
    line.split('|').find_map(|part| part.parse().ok())
}

/// `PORT h1,h2,h3,h4,p1,p2` or `EPRT |1|address|port|`.
fn active(argument: &str, source: IpAddr) -> Option<SocketAddr> {
    if let Some(address) = numbers(argument) {
        return Some(address);
    }
    let mut parts = argument.trim().trim_matches('|').split('|').skip(1);
    let ip = parts.next()?.parse().unwrap_or(source);
    Some(SocketAddr::new(ip, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Carrier;
    use proto::Time;

    const PROOF: Proof = Proof { at: Time::ZERO, file: 0, number: 1, offset: 0 };

    fn path(source: &str, destination: &str) -> Path {
        Path {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            carrier: Carrier::Udp,
        }
    }

    fn show(tracks: &Tracks) -> Vec<String> {
        let shown = tracks.transfers.iter().map(|t| {
            format!("{} {} {} {} {:?}", t.scheme.name(), t.name, t.result.name(), t.bytes, t.announced_bytes)
        });
        shown.collect()
    }

    /// Datagrams of TFTP, each with whether the client sends it.
    fn tftp(datagrams: &[(bool, &[u8])]) -> Vec<String> {
        let (mut transfers, mut tracks) = (Transfers::default(), Tracks::default());
        for (step, (from_client, bytes)) in datagrams.iter().enumerate() {
            let way = match (step, from_client) {
                (0, _) => path("192.168.50.54:2000", "192.168.50.165:69"),
                (_, true) => path("192.168.50.54:2000", "192.168.50.165:49000"),
                (_, false) => path("192.168.50.165:49000", "192.168.50.54:2000"),
            };
            assert!(transfers.datagram(&mut tracks, PROOF, way, bytes));
        }
        show(&tracks)
    }

    #[test]
    fn tftp_of_the_deck() {
        let request = (true, &b"\0\x010021f222b021.cfg\0octet\0tsize\x000\0blksize\x00512\0"[..]);
        let agreed = (false, &b"\0\x06tsize\x00514\0blksize\x00512\0"[..]);
        let block = |number: u8, bytes: usize| [&[0, 3, 0, number][..], &vec![b'a'; bytes]].concat();
        let (first, second) = (block(1, 512), block(2, 2));
        let all =
            [request, agreed, (true, &b"\0\x04\0\0"[..]), (false, &first), (false, &first), (false, &second)];
        assert_eq!(tftp(&all), ["tftp 0021f222b021.cfg ok 514 Some(514)"]);
        assert_eq!(tftp(&all[..4]), ["tftp 0021f222b021.cfg stalled 512 Some(514)"]);
        assert_eq!(tftp(&all[..1]), ["tftp 0021f222b021.cfg unanswered 0 None"]);
        let missing = (false, &b"\0\x05\0\x01File not found\0"[..]);
        assert_eq!(tftp(&[request, missing]), ["tftp 0021f222b021.cfg not-found 0 None"]);
    }

    #[test]
    fn http_answers_belong_to_their_requests() {
        let (mut transfers, mut tracks) = (Transfers::default(), Tracks::default());
        let (there, back) = (path("192.0.2.1:2000", "192.0.2.2:80"), path("192.0.2.2:80", "192.0.2.1:2000"));
        let mut hear = |opener, spoken| {
            let way = if opener { &there } else { &back };
            transfers.hear(&mut tracks, PROOF, (1, way, opener), spoken);
        };
        hear(true, Spoken::HttpHead(b"GET /a.boot HTTP/1.1\r\nHost: h\r\nUser-Agent: Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21"));
        hear(true, Spoken::HttpHead(b"GET /a.cfg HTTP/1.1\r\nHost: h"));
        hear(false, Spoken::HttpHead(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0"));
        hear(false, Spoken::HttpEnd);
        hear(false, Spoken::HttpHead(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain"));
        hear(false, Spoken::HttpBody(b"abc"));
        hear(false, Spoken::HttpEnd);
        hear(true, Spoken::HttpHead(b"GET /late HTTP/1.1"));
        assert_eq!(
            show(&tracks),
            ["http /a.boot not-found 0 Some(0)", "http /a.cfg ok 3 Some(3)", "http /late unanswered 0 None"]
        );
        assert_eq!(tracks.transfers[1].head, b"abc");
    }

    #[test]
    fn ftp_with_its_data_connection() {
        let (mut transfers, mut tracks) = (Transfers::default(), Tracks::default());
        let (there, back) = (path("192.0.2.1:2000", "192.0.2.2:21"), path("192.0.2.2:21", "192.0.2.1:2000"));
        let data = path("192.0.2.2:5001", "192.0.2.1:2001");
        let mut hear = |number, way: &Path, opener, spoken: Spoken<'_>| {
            transfers.hear(&mut tracks, PROOF, (number, way, opener), spoken);
        };
        let mut say = |lines: &[(bool, &str)], with_data: bool| {
            for (opener, line) in lines {
                hear(1, if *opener { &there } else { &back }, *opener, Spoken::FtpLine(line.as_bytes()));
            }
            if with_data {
                hear(2, &data, false, Spoken::Raw(b"content"));
            }
        };
        say(
            &[
                (true, "USER x"),
                (false, "331 password"),
                (true, "PASS y"),
                (false, "230 welcome"),
                (true, "PASV"),
                (false, "227 Entering Passive Mode (192,0,2,2,19,137)."),
                (true, "RETR a.cfg"),
                (false, "150 here"),
            ],
            true,
        );
        say(&[(false, "226 done"), (true, "RETR b.cfg"), (false, "550 no such file")], false);
        assert_eq!(show(&tracks)[..2], ["ftp  ok 0 None", "ftp a.cfg ok 7 None"]);
        assert_eq!(show(&tracks)[2], "ftp b.cfg not-found 0 None");
        assert_eq!(extended("229 Entering Extended Passive Mode (|||5001|)"), Some(5_001));
        assert_eq!(active("|1|192.0.2.9|5001|", data.source.ip()), "192.0.2.9:5001".parse().ok());
    }
}
