//! TCP connections, put in order and cut into what they carry.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::speech::{SipHalf, Speech, Spoken, is_ftp, may_become_known, take_lines};
use super::tcp::{ACK, FIN, Half, Piece, RST, SYN, Segment};
use super::{http, looks_like_sip, tls, websocket};
use crate::doctor::tracks::{Carries, Connection, Tls, Tracks};
use crate::doctor::{Carrier, Path, Proof};

/// Connections that are followed at a time; the oldest gives way.
pub const OPEN_LIMIT: usize = 16_384;
/// Bytes that all connections hold because something before or after them is missing; the oldest gives way.
pub const HELD_LIMIT_BYTES: usize = 64 * 1_024 * 1_024;
/// Connections that are remembered for the report.
pub const TRACKS_LIMIT: usize = 65_536;
/// Bytes of each direction that are looked at before a connection counts as unknown.
const PREFIX_BYTES: usize = 2_048;
const SYNS_LIMIT: usize = 16;

/// Who hears: the tracks, the number of the connection, the way of what is said, whether the opening side
/// says it, and what.
pub type Hear<'h> = dyn FnMut(&mut Tracks, u32, &Arc<Path>, bool, Spoken<'_>) + 'h;

type Ends = (SocketAddr, SocketAddr);

/// All connections that are open.
#[derive(Debug, Default)]
pub struct Connections {
    open: HashMap<Ends, Open, BuildHasherDefault<std::hash::DefaultHasher>>,
    order: VecDeque<(Ends, u32)>,
    count: u32,
    held_bytes: usize,
}

#[derive(Debug)]
struct Open {
    number: u32,
    track: Option<u32>,
    /// Whether the lower end opened it.
    lower_opened: bool,
    paths: [Arc<Path>; 2],
    halves: [Half; 2],
    speech: Speech,
    finished: [bool; 2],
}

impl Connections {
    /// Takes one segment, of which the capture lacks `missing` bytes at the end.
    #[allow(clippy::too_many_arguments, reason = "a segment with its addresses, and who is lent and told")]
    pub fn take(
        &mut self,
        proof: Proof,
        (source, destination): (IpAddr, IpAddr),
        segment: &Segment<'_>,
        missing: usize,
        tracks: &mut Tracks,
        hear: &mut Hear<'_>,
    ) {
        let source = SocketAddr::new(source, segment.source_port);
        let destination = SocketAddr::new(destination, segment.destination_port);
        let is_lower = source <= destination;
        let ends = if is_lower { (source, destination) } else { (destination, source) };
        let begins = segment.flags & (SYN | ACK) == SYN;
        // A port used anew: the old connection is over whatever else the capture shows of it.
        if begins && self.open.get(&ends).is_some_and(|open| open.is_over() || open.has_data()) {
            self.close(ends, proof, tracks, hear);
        }
        if !self.open.contains_key(&ends) {
            if segment.flags & RST != 0 && segment.payload.is_empty() {
                return;
            }
            self.begin(ends, proof, source, destination, segment, tracks, hear);
        }
        let Some(open) = self.open.get_mut(&ends) else { return };
        let before = open.held_bytes();
        open.take(proof, is_lower, segment, missing, tracks, hear);
        self.held_bytes = (self.held_bytes + open.held_bytes()).saturating_sub(before);
        while self.held_bytes > HELD_LIMIT_BYTES {
            let Some((oldest, number)) = self.order.pop_front() else { return };
            if self.open.get(&oldest).is_some_and(|open| open.number == number) {
                self.close(oldest, proof, tracks, hear);
            }
        }
    }

    /// The case is over.
    pub fn finish(&mut self, proof: Proof, tracks: &mut Tracks, hear: &mut Hear<'_>) {
        while let Some((ends, number)) = self.order.pop_front() {
            if self.open.get(&ends).is_some_and(|open| open.number == number) {
                self.close(ends, proof, tracks, hear);
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "as of take")]
    fn begin(
        &mut self,
        ends: Ends,
        proof: Proof,
        source: SocketAddr,
        destination: SocketAddr,
        segment: &Segment<'_>,
        tracks: &mut Tracks,
        hear: &mut Hear<'_>,
    ) {
        while self.open.len() >= OPEN_LIMIT {
            let Some((oldest, number)) = self.order.pop_front() else { break };
            if self.open.get(&oldest).is_some_and(|open| open.number == number) {
                self.close(oldest, proof, tracks, hear);
            }
        }
        // Whoever answers SYN with SYN and ACK did not open; in the middle the lower port is the server's.
        let source_opened = match segment.flags & (SYN | ACK) {
            SYN => true,
            flags if flags == SYN | ACK => false,
            _ => source.port() >= destination.port(),
        };
        let path = Path { source, destination, carrier: Carrier::Tcp };
        let path = if source_opened { path } else { path.reversed() };
        let (there, back) = (Arc::new(path), Arc::new(path.reversed()));
        let track = (tracks.connections.len() < TRACKS_LIMIT).then_some(tracks.connections.len() as u32);
        match track {
            Some(_) => tracks.connections.push(Connection {
                path: Arc::clone(&there),
                syns: Vec::new(),
                accepted: None,
                reset: None,
                finished: None,
                bytes: [0; 2],
                missing: [0; 2],
                carries: Carries::Unknown,
                tls: None,
            }),
            None => tracks.leave_out("connections"),
        }
        self.count += 1;
        self.order.push_back((ends, self.count));
        self.open.insert(
            ends,
            Open {
                number: self.count,
                track,
                lower_opened: path.source == ends.0,
                paths: [there, back],
                halves: [Half::default(), Half::default()],
                speech: Speech::Unknown([Vec::new(), Vec::new()]),
                finished: [false; 2],
            },
        );
    }

    fn close(&mut self, ends: Ends, proof: Proof, tracks: &mut Tracks, hear: &mut Hear<'_>) {
        let Some(mut open) = self.open.remove(&ends) else { return };
        self.held_bytes = self.held_bytes.saturating_sub(open.held_bytes());
        for side in 0..2 {
            open.drain(side, proof, tracks, hear);
        }
        open.end(tracks, hear);
    }
}

impl Open {
    fn is_over(&self) -> bool {
        self.finished == [true; 2]
    }

    fn held_bytes(&self) -> usize {
        let speech = match &self.speech {
            Speech::Unknown(prefixes) => prefixes.iter().map(Vec::len).sum(),
            Speech::Sip(halves) => halves.iter().map(|half| half.framer.pending_bytes()).sum(),
            Speech::WebSocket(halves, _) => halves.iter().map(websocket::Half::held_bytes).sum(),
            Speech::Http(http) => http.halves.iter().map(http::Half::held_bytes).sum(),
            Speech::Ftp(lines) => lines.iter().map(Vec::len).sum(),
            Speech::Tls(halves) => halves.iter().map(tls::Half::held_bytes).sum(),
            Speech::Raw => 0,
        };
        self.halves.iter().map(Half::held_bytes).sum::<usize>() + speech
    }

    fn has_data(&self) -> bool {
        self.halves.iter().any(|half| half.position() > 0)
    }

    fn take(
        &mut self,
        proof: Proof,
        is_lower: bool,
        segment: &Segment<'_>,
        missing: usize,
        tracks: &mut Tracks,
        hear: &mut Hear<'_>,
    ) {
        let side = usize::from(is_lower != self.lower_opened);
        if let Some(track) = self.track.and_then(|index| tracks.connections.get_mut(index as usize)) {
            note_flags(track, segment.flags, side, proof);
        }
        if segment.flags & SYN != 0 {
            self.halves[side].synchronize(segment.sequence);
        }
        // TCP Fast Open aside, a SYN carries nothing.
        let sequence = segment.sequence.wrapping_add(u32::from(segment.flags & SYN != 0));
        let Self { halves, speech, paths, track, number, .. } = self;
        let [opener, other] = halves;
        let (mine, theirs) = if side == 0 { (opener, other) } else { (other, opener) };
        let mut mouth = Mouth { speech, paths, track: *track, number: *number, proof, tracks, hear };
        if segment.flags & ACK != 0 {
            theirs.acknowledged(segment.acknowledged, &mut |piece| mouth.piece(1 - side, piece));
        }
        mine.take(sequence, segment.payload, missing, &mut |piece| mouth.piece(side, piece));
        if segment.flags & (FIN | RST) != 0 {
            self.finished[side] = true;
            if segment.flags & RST != 0 {
                self.finished = [true; 2];
            }
            if self.is_over() {
                self.end(tracks, hear);
            }
        }
    }

    fn drain(&mut self, side: usize, proof: Proof, tracks: &mut Tracks, hear: &mut Hear<'_>) {
        let Self { halves, speech, paths, track, number, .. } = self;
        let mut mouth = Mouth { speech, paths, track: *track, number: *number, proof, tracks, hear };
        halves[side].finish(&mut |piece| mouth.piece(side, piece));
    }

    /// Tells those that wait for the end.
    fn end(&mut self, tracks: &mut Tracks, hear: &mut Hear<'_>) {
        let Self { speech, paths, number, .. } = self;
        match speech {
            Speech::Http(http) => {
                for (side, half) in http.halves.iter_mut().enumerate() {
                    half.finish(&mut |_| hear(tracks, *number, &paths[side], side == 0, Spoken::HttpEnd));
                }
            }
            Speech::Unknown(_) | Speech::Raw => hear(tracks, *number, &paths[0], true, Spoken::RawEnd),
            _ => {}
        }
    }
}

fn note_flags(track: &mut Connection, flags: u8, side: usize, proof: Proof) {
    match flags & (SYN | ACK) {
        SYN if side == 0 && track.syns.len() < SYNS_LIMIT => track.syns.push(proof),
        both if both == SYN | ACK && side == 1 => {
            track.accepted.get_or_insert(proof);
        }
        _ => {}
    }
    if flags & RST != 0 {
        track.reset.get_or_insert((proof, side == 0));
    }
    if flags & FIN != 0 {
        track.finished.get_or_insert((proof, side == 0));
    }
}

/// Cuts what one direction gives, and tells it.
struct Mouth<'m, 'h> {
    speech: &'m mut Speech,
    paths: &'m [Arc<Path>; 2],
    track: Option<u32>,
    number: u32,
    proof: Proof,
    tracks: &'m mut Tracks,
    hear: &'m mut Hear<'h>,
}

impl Mouth<'_, '_> {
    fn piece(&mut self, side: usize, piece: Piece<'_>) {
        let track = self.track.and_then(|index| self.tracks.connections.get_mut(index as usize));
        match (piece, track) {
            (Piece::Bytes(bytes), Some(track)) => track.bytes[side] += bytes.len() as u64,
            (Piece::Gap(count), Some(track)) => track.missing[side] += count,
            _ => {}
        }
        match piece {
            Piece::Bytes(bytes) => self.bytes(side, bytes),
            Piece::Gap(count) => self.gap(side, count),
        }
    }

    fn tell(&mut self, side: usize, spoken: Spoken<'_>) {
        (self.hear)(self.tracks, self.number, &self.paths[side], side == 0, spoken);
    }

    fn bytes(&mut self, side: usize, bytes: &[u8]) {
        let Self { speech, paths, number, tracks, hear, track, proof } = self;
        let (path, from_opener, number) = (&paths[side], side == 0, *number);
        let mut tell = |spoken: Spoken<'_>| hear(tracks, number, path, from_opener, spoken);
        match speech {
            Speech::Unknown(_) => self.recognise(side, bytes),
            Speech::Sip(halves) => halves[side].take(bytes, &mut tell),
            Speech::WebSocket(halves, for_sip) => halves[side].take(bytes, &mut |message| {
                if *for_sip || looks_like_sip(message) {
                    tell(Spoken::Sip(message, Carrier::WebSocket, None));
                }
            }),
            Speech::Http(http) => {
                if http.take(side, bytes, &mut tell) {
                    **speech = Speech::WebSocket(Box::default(), http.for_sip);
                    self.carries(Carries::WebSocket);
                }
            }
            Speech::Ftp(lines) => take_lines(&mut lines[side], bytes, &mut tell),
            Speech::Tls(halves) => {
                let mut unseen = Tls::default();
                let noted = track.and_then(|index| tracks.connections.get_mut(index as usize));
                let noted = noted.map_or(&mut unseen, |track| track.tls.get_or_insert_default());
                halves[side].take(bytes, side == 0, *proof, noted);
                noted.established |= halves.iter().all(tls::Half::sent_data);
            }
            Speech::Raw => {
                tell(Spoken::Raw(bytes));
                // A capture may begin in the middle of a message; the next one shows what this is.
                if looks_like_sip(bytes) {
                    **speech = Speech::Unknown([Vec::new(), Vec::new()]);
                    self.recognise(side, bytes);
                }
            }
        }
    }

    fn recognise(&mut self, side: usize, bytes: &[u8]) {
        let Speech::Unknown(prefixes) = &mut *self.speech else { return };
        prefixes[side].extend_from_slice(bytes);
        let seen = &prefixes[side];
        let from_server = side == 1;
        let found = if seen.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            None
        } else if looks_like_sip(seen) {
            Some((Carries::Sip, Speech::Sip(Box::default())))
        } else if http::is_http(seen) {
            Some((Carries::Http, Speech::Http(Box::default())))
        } else if tls::is_tls(seen) {
            Some((Carries::Tls, Speech::Tls(Box::default())))
        } else if is_ftp(seen, from_server, self.paths[0].destination.port()) {
            Some((Carries::Ftp, Speech::Ftp(Box::default())))
        } else if may_become_known(seen) && seen.len() < PREFIX_BYTES {
            None
        } else {
            Some((Carries::Unknown, Speech::Raw))
        };
        let Some((carries, speech)) = found else { return };
        let Speech::Unknown(seen) = std::mem::replace(self.speech, speech) else { return };
        self.carries(carries);
        // What the other side said before belongs to it too.
        for (side, bytes) in seen.into_iter().enumerate() {
            if !bytes.is_empty() {
                self.again(side, &bytes);
            }
        }
    }

    /// Hands on what was kept while the protocol was not known.
    fn again(&mut self, side: usize, bytes: &[u8]) {
        match self.speech {
            Speech::Raw => self.tell(side, Spoken::Raw(bytes)),
            _ => self.bytes(side, bytes),
        }
    }

    fn carries(&mut self, carries: Carries) {
        if let Some(track) = self.track.and_then(|index| self.tracks.connections.get_mut(index as usize)) {
            track.carries = carries;
        }
    }

    fn gap(&mut self, side: usize, count: u64) {
        match &mut *self.speech {
            Speech::Sip(halves) => {
                halves[side] = SipHalf { framer: proto::sip::framing::Framer::new(), lost: true }
            }
            Speech::WebSocket(halves, _) => halves[side].gap(),
            Speech::Http(http) => http.halves[side].gap(count),
            Speech::Tls(halves) => halves[side].gap(),
            Speech::Ftp(lines) => lines[side].clear(),
            Speech::Unknown(prefixes) => prefixes[side].clear(),
            Speech::Raw => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Time;

    const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 1], 40_000);
    const SERVER: ([u8; 4], u16) = ([192, 0, 2, 2], 5_060);
    const OPTIONS: &str = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";

    /// Segments as whether the client sends, sequence number, flags and text; what was heard.
    fn hear(server_port: u16, segments: &[(bool, u32, u8, &str)]) -> (Vec<String>, Tracks) {
        let (mut connections, mut tracks) = (Connections::default(), Tracks::default());
        let mut heard = Vec::new();
        let mut ear = |_: &mut Tracks, _: u32, _: &Arc<Path>, client: bool, spoken: Spoken<'_>| {
            let who = if client { "c" } else { "s" };
            heard.push(match spoken {
                Spoken::Sip(bytes, carrier, broken) => {
                    let broken = if broken.is_some() { " broken" } else { "" };
                    format!("{who} {} {}{broken}", carrier.name(), bytes.len())
                }
                Spoken::HttpHead(head) => format!("{who} head {}", head.len()),
                Spoken::HttpBody(body) => format!("{who} body {}", body.len()),
                Spoken::HttpEnd => format!("{who} end"),
                Spoken::FtpLine(line) => format!("{who} {}", String::from_utf8_lossy(line)),
                Spoken::Raw(bytes) => format!("{who} raw {}", bytes.len()),
                Spoken::RawEnd => format!("{who} over"),
            });
        };
        let mut proof = Proof { at: Time::ZERO, file: 0, number: 0, offset: 0 };
        for &(from_client, sequence, flags, text) in segments {
            proof.number += 1;
            let (source, destination) = if from_client {
                (CLIENT, (SERVER.0, server_port))
            } else {
                ((SERVER.0, server_port), CLIENT)
            };
            let segment = Segment {
                source_port: source.1,
                destination_port: destination.1,
                sequence,
                acknowledged: 0,
                flags,
                payload: text.as_bytes(),
            };
            let addresses = (IpAddr::from(source.0), IpAddr::from(destination.0));
            connections.take(proof, addresses, &segment, 0, &mut tracks, &mut ear);
        }
        connections.finish(proof, &mut tracks, &mut ear);
        (heard, tracks)
    }

    #[test]
    fn sip_in_parts_and_several_in_a_segment() {
        let two = format!("{OPTIONS}{OPTIONS}");
        let (first, second) = two.split_at(10);
        let (heard, tracks) = hear(
            5_060,
            &[
                (true, 0, SYN, ""),
                (false, 100, SYN | ACK, ""),
                (true, 11, ACK, second),
                (true, 1, ACK, first),
                (true, 1, ACK, first),
                (false, 101, ACK, "\r\n"),
                (false, 103, ACK | RST, ""),
            ],
        );
        assert_eq!(heard, ["c tcp 48", "c tcp 48"]);
        let connection = &tracks.connections[0];
        assert_eq!(
            (connection.carries, connection.bytes, connection.missing),
            (Carries::Sip, [96, 2], [0, 0])
        );
        assert_eq!(connection.path.source.port(), 40_000);
        assert_eq!(connection.syns.len(), 1);
        assert!(connection.accepted.is_some() && connection.reset.is_some_and(|(_, opener)| !opener));
    }

    #[test]
    fn after_a_loss_the_next_message_is_found() {
        let (heard, tracks) = hear(
            5_060,
            &[
                (true, 0, SYN, ""),
                (true, 1, ACK, &OPTIONS[..20]),
                (true, 49, ACK, OPTIONS),
                (true, 97, ACK, OPTIONS),
            ],
        );
        assert_eq!(heard, ["c tcp 48", "c tcp 48"]);
        assert_eq!(tracks.connections[0].missing, [28, 0]);
    }

    #[test]
    fn a_capture_that_begins_in_a_message() {
        let (heard, _) =
            hear(5_060, &[(true, 77, ACK, "Max-Forwards: 70\r\n\r\n"), (true, 97, ACK, OPTIONS)]);
        assert_eq!(heard.last().map(String::as_str), Some("c tcp 48"));
    }

    #[test]
    fn no_content_length_is_told() {
        let (heard, _) = hear(5_060, &[(true, 1, ACK, "OPTIONS sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n")]);
        assert_eq!(heard, ["c tcp 38 broken"]);
    }

    #[test]
    fn http_and_its_upgrade() {
        let (heard, tracks) = hear(
            80,
            &[
                (true, 1, ACK, "GET /mac.cfg HTTP/1.1\r\nHost: a\r\n\r\n"),
                (false, 1, ACK, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
            ],
        );
        assert_eq!(heard, ["c head 30", "c end", "s head 34", "s body 3", "s end"]);
        assert_eq!(tracks.connections[0].carries, Carries::Http);
        let (heard, tracks) = hear(
            80,
            &[
                (true, 1, ACK, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
                (false, 1, ACK, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
                (false, 57, ACK, "\u{1}\u{3}SIP"),
            ],
        );
        assert_eq!(heard.len(), 4, "{heard:?}");
        assert_eq!(tracks.connections[0].carries, Carries::WebSocket);
    }

    #[test]
    fn ftp_and_what_is_not_known() {
        let (heard, _) = hear(21, &[(false, 1, ACK, "220 ready\r\n"), (true, 1, ACK, "USER x\r\n")]);
        assert_eq!(heard, ["s 220 ready", "c USER x"]);
        let (heard, _) = hear(2_000, &[(false, 1, ACK, "\u{1}\u{2}")]);
        assert_eq!(heard, ["s raw 2", "c over"]);
    }

    #[test]
    fn what_connections_hold_is_bounded() {
        let (mut connections, mut tracks) = (Connections::default(), Tracks::default());
        let proof = Proof { at: Time::ZERO, file: 0, number: 0, offset: 0 };
        let payload = [b'x'; 1_400];
        for number in 0..2_000u16 {
            for step in 1..100u32 {
                let (sequence, flags) = (step * 3_000, ACK);
                let segment = Segment {
                    source_port: number + 1,
                    destination_port: 80,
                    sequence,
                    acknowledged: 0,
                    flags,
                    payload: &payload,
                };
                let syn = Segment { sequence: 0, flags: SYN, payload: b"", ..segment };
                let addresses = (IpAddr::from(CLIENT.0), IpAddr::from(SERVER.0));
                if step == 1 {
                    connections.take(proof, addresses, &syn, 0, &mut tracks, &mut |_, _, _, _, _| ());
                }
                connections.take(proof, addresses, &segment, 0, &mut tracks, &mut |_, _, _, _, _| ());
            }
        }
        let held: usize = connections
            .order
            .iter()
            .filter_map(|(ends, _)| connections.open.get(ends))
            .map(Open::held_bytes)
            .sum();
        assert_eq!(held, connections.held_bytes);
        assert!(held <= HELD_LIMIT_BYTES && held > HELD_LIMIT_BYTES / 2, "{held}");
    }

    #[test]
    fn connections_are_bounded() {
        let (mut connections, mut tracks) = (Connections::default(), Tracks::default());
        let proof = Proof { at: Time::ZERO, file: 0, number: 0, offset: 0 };
        for number in 0..(TRACKS_LIMIT as u32 + 100) {
            let segment = Segment {
                source_port: (number >> 16) as u16 + 1,
                destination_port: number as u16,
                sequence: 0,
                acknowledged: 0,
                flags: SYN,
                payload: b"",
            };
            let addresses = (IpAddr::from(CLIENT.0), IpAddr::from(SERVER.0));
            connections.take(proof, addresses, &segment, 0, &mut tracks, &mut |_, _, _, _, _| ());
        }
        assert!(connections.open.len() <= OPEN_LIMIT && connections.order.len() <= OPEN_LIMIT);
        assert_eq!((tracks.connections.len(), tracks.left_out["connections"]), (TRACKS_LIMIT, 100));
    }
}
