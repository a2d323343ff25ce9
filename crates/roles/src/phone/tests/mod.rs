//! Timelines: one phone, a server that is a few lines of text, and the deck's ladders between them.

mod calling;
mod changing;
mod chaos;
mod features;
mod fields;
mod guessing;
mod holding;
mod provisioning;
mod refusing;
mod registering;
mod replacing;
mod screen;
mod strangers;
mod switching;
mod telephone;
mod waiting;
mod watching;

use std::collections::VecDeque;
use std::time::Duration;

use proto::Time;
use proto::Wall;
use proto::sip::flow::{Flow, FlowFault, Transport};
use proto::sip::message::{Message, Method, Name};

use super::{Command, Event, EventKind, Phone, Place, Wish};
use crate::role::{Input, InputOf, Output, Role};
use crate::settings::{Model, Settings, Source};
use crate::sound::{SoundCommand, SoundEvent};

const PHONE: &str = "192.168.80.20:5060";
const SERVER: &str = "192.168.50.19:5060";
const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"YSAsterisk\", nonce=\"n\", qop=\"auth\", algorithm=MD5";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.168.50.19\r\ns=-\r\nc=IN IP4 192.168.50.19\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// A phone on a bench: what it sends, tells and plays is caught.
struct Bench {
    phone: Phone,
    now: Time,
    ladder: Vec<String>,
    sent: VecDeque<Vec<u8>>,
    events: Vec<EventKind>,
    wishes: Vec<Wish>,
    changes: Vec<super::Change>,
    fetches: VecDeque<crate::role::Fetch>,
    sockets: VecDeque<(crate::role::SocketId, crate::role::SocketRequest)>,
    datagrams: VecDeque<(crate::role::SocketId, std::net::SocketAddr, bytes::Bytes)>,
    played: Vec<SoundCommand>,
    cseq: u32,
    /// What the DNS was asked, and where the last message went.
    asked: Vec<proto::sip::locate::Query>,
    last_to: Option<std::net::SocketAddr>,
    last_flow: Option<Flow>,
}

impl Bench {
    fn new(settings: &[(&str, &str)]) -> Self {
        let mut all = Settings::new(Model::usual());
        let account = [
            ("account.1.enable", "1"),
            ("account.1.user_name", "7002"),
            ("account.1.display_name", "7002"),
            ("account.1.password", "secret-of-7002-long"),
            ("account.1.sip_server.1.address", "192.168.50.19"),
            ("account.1.nat.udp_update_enable", "0"),
        ];
        for (key, value) in account.iter().chain(settings) {
            all.set(key, value, Source::MacCfg).expect("an accepted value");
        }
        let now = Time::from_secs(1_641_377_386);
        let place = Place::new([192, 168, 80, 20].into());
        let phone = Phone::new(all, place, [7; 32], now);
        let (ladder, sent, events, wishes, played) = Default::default();
        Self {
            phone,
            now,
            ladder,
            sent,
            events,
            wishes,
            played,
            cseq: 100,
            asked: Vec::new(),
            last_to: None,
            last_flow: None,
            changes: Vec::new(),
            fetches: VecDeque::new(),
            sockets: VecDeque::new(),
            datagrams: VecDeque::new(),
        }
    }

    /// A phone that is switched on and registered, its ladder forgotten.
    fn registered(settings: &[(&str, &str)]) -> Self {
        let mut bench = Self::new(settings);
        bench.input(Input::Start);
        bench.serve_registration();
        bench.forget();
        bench
    }

    fn forget(&mut self) {
        self.ladder.clear();
        self.events.clear();
        self.played.clear();
    }

    /// Answers REGISTERs as the deck's server does, until none comes.
    fn serve_registration(&mut self) {
        while let Some(request) = self.take(Method::Register) {
            let authorized = Message::parse(&request).expect("sound").header(Name::Authorization).is_some();
            match authorized {
                false => self.answer(&request, "401 Unauthorized", CHALLENGE, ""),
                true => {
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let expires = if text.contains("Expires: 0") { "Expires: 0" } else { "Expires: 1800" };
                    self.answer(&request, "200 OK", expires, "");
                }
            }
        }
    }

    fn input(&mut self, input: InputOf<'_, Phone>) {
        let mut out = Vec::new();
        self.phone.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Transmit(transmit) => {
                    self.ladder.push(format!("p>s {}", step(&transmit.bytes)));
                    (self.last_to, self.last_flow) = (Some(transmit.flow.remote), Some(transmit.flow));
                    self.sent.push_back(transmit.bytes.to_vec());
                }
                Output::Event(Event { what, .. }) => self.events.push(what),
                Output::Media(command) => {
                    if let SoundCommand::Close { session } = command {
                        let figures = crate::sound::Figures { tx_packets: Some(50), ..Default::default() };
                        self.played.push(command);
                        self.input(Input::Heard(SoundEvent::Closed { session, figures }));
                    } else {
                        self.played.push(command);
                    }
                }
                Output::Resolve(query) => self.asked.push(query),
                Output::Wish(wish) => self.wishes.push(wish),
                Output::Store(change) => self.changes.push(change),
                Output::Fetch(fetch) => self.fetches.push_back(*fetch),
                Output::Socket { socket, request } => self.sockets.push_back((socket, request)),
                Output::SendDatagram { socket, to, bytes } => self.datagrams.push_back((socket, to, bytes)),
                _ => {}
            }
        }
    }

    fn command(&mut self, line: &str) {
        let command = Command::parse(line).expect(line);
        self.input(Input::Command(command));
        if let Some(EventKind::Error { message, .. }) = self.last_answer() {
            panic!("{line}: {message}");
        }
    }

    /// The error that a command gives.
    fn refused(&mut self, line: &str) -> String {
        self.input(Input::Command(Command::parse(line).expect(line)));
        match self.last_answer() {
            Some(EventKind::Error { message, .. }) => message.clone(),
            other => panic!("{line} gave {other:?}"),
        }
    }

    /// What the last command was answered.
    fn last_answer(&self) -> Option<&EventKind> {
        let is_answer =
            |event: &&EventKind| matches!(event, EventKind::Done { .. } | EventKind::Error { .. });
        self.events.iter().rev().find(is_answer)
    }

    /// Lets time pass, from deadline to deadline.
    fn wait_ms(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        for _ in 0..10_000 {
            match self.phone.next_deadline() {
                Some((at, _)) if at <= until => {
                    self.now = at.max(self.now);
                    self.input(Input::Wake);
                }
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("the phone never comes to rest: {:?}", self.phone.next_deadline());
    }

    /// The next request of that method that the phone has sent.
    fn take(&mut self, method: Method) -> Option<Vec<u8>> {
        let is =
            |bytes: &Vec<u8>| Message::parse(bytes).is_ok_and(|message| message.method() == Some(method));
        let at = self.sent.iter().position(is)?;
        self.sent.remove(at)
    }

    /// The last thing that the phone has sent.
    fn last(&self) -> String {
        self.sent.back().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }

    /// The same without the token of the registration.
    fn last_shown(&self) -> String {
        proto::sip::line_token::without_token(&self.last()).into_owned()
    }

    fn receive(&mut self, text: &str) {
        self.receive_from(SERVER, text);
    }

    fn receive_from(&mut self, remote: &str, text: &str) {
        self.ladder.push(format!("s>p {}", step(text.as_bytes())));
        let flow = Flow {
            transport: Transport::Udp,
            local: PHONE.parse().expect("an address"),
            remote: remote.parse().expect("an address"),
        };
        self.input(Input::Message { flow, bytes: text.as_bytes(), waited: Duration::ZERO });
    }

    /// The server's answer to a request of the phone, with the tag `srv`.
    fn answer(&mut self, request: &[u8], status: &str, headers: &str, body: &str) {
        let message = Message::parse(request).expect("sound");
        let text = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned();
        let to = text(Name::To);
        let tag = if to.contains("tag=") || status.starts_with("100") { "" } else { ";tag=srv" };
        let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.receive(&format!(
            "SIP/2.0 {status}\r\nVia: {};received=192.168.80.20\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\n\
             CSeq: {}\r\nContact: <sip:7006@192.168.50.19:5060>\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
            text(Name::Via),
            text(Name::From),
            text(Name::CallId),
            text(Name::CSeq),
            body.len(),
        ));
    }

    /// A request of the server outside of calls.
    fn request(&mut self, method: &str, call_id: &str, headers: &str, body: &str) {
        let kind = match headers {
            _ if body.is_empty() => "",
            _ if headers.contains("Event: dialog") => "Content-Type: application/dialog-info+xml\r\n",
            _ if headers.contains("Event: message-summary") => {
                "Content-Type: application/simple-message-summary\r\n"
            }
            _ => "Content-Type: application/sdp\r\n",
        };
        let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
        self.cseq += 1;
        let cseq = self.cseq;
        self.receive(&format!(
            "{method} sip:7002@192.168.80.20:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {SERVER};branch=z9hG4bK{call_id}{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: \"Jack\" <sip:7007@192.168.50.19>;tag=f{call_id}\r\nTo: <sip:7002@192.168.80.20>\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:7007@192.168.50.19:5060>\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len(),
        ));
    }

    /// A request of the server inside the call that `message`, an answer of the phone, belongs to.
    fn request_inside(&mut self, message: &[u8], method: &str, headers: &str, body: &str) {
        self.request_inside_from(SERVER, message, method, headers, body);
    }

    /// The same from another address.
    fn request_inside_from(
        &mut self,
        from_at: &str,
        message: &[u8],
        method: &str,
        headers: &str,
        body: &str,
    ) {
        let message = Message::parse(message).expect("sound");
        let text = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned();
        let ours = message.is_request();
        let (from, to) = match ours {
            // Of a request of the phone we know our own tag only by having given it.
            true => (with_tag(&text(Name::To)), text(Name::From)),
            false => (text(Name::From), text(Name::To)),
        };
        let kind = match (body.is_empty(), method) {
            (true, _) => "",
            (false, "NOTIFY") => "Content-Type: message/sipfrag\r\n",
            (false, _) => "Content-Type: application/sdp\r\n",
        };
        let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
        let cseq = match method {
            "ACK" => message.cseq().map_or(0, |cseq| cseq.number),
            _ => {
                self.cseq += 1;
                self.cseq
            }
        };
        let branch = self.cseq;
        self.receive_from(from_at, &format!(
            "{method} sip:7002@192.168.80.20:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {from_at};branch=z9hG4bKi{branch}{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:7007@192.168.50.19:5060>\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
            text(Name::CallId),
            body.len(),
        ));
    }

    /// The last answer of the phone with that status.
    fn reply(&self, status: u16) -> Vec<u8> {
        let is =
            |bytes: &&Vec<u8>| Message::parse(bytes).is_ok_and(|message| message.status() == Some(status));
        self.sent
            .iter()
            .rev()
            .find(is)
            .unwrap_or_else(|| panic!("no {status} was sent: {:?}", self.ladder))
            .clone()
    }

    /// Dials and is answered; the INVITE that was.
    fn talk(&mut self, number: &str) -> Vec<u8> {
        self.command(&format!("dial {number}"));
        let mut invite = self.take(Method::Invite).expect("an INVITE");
        if Message::parse(&invite).expect("sound").header(Name::Authorization).is_none() {
            self.answer(&invite, "401 Unauthorized", CHALLENGE, "");
            invite = self.take(Method::Invite).expect("an INVITE with credentials");
        }
        self.answer(&invite, "100 Trying", "", "");
        self.answer(&invite, "180 Ringing", "", "");
        self.answer(&invite, "200 OK", "", SDP);
        invite
    }

    /// Is called and answers; the 200.
    fn be_called(&mut self, call_id: &str) -> Vec<u8> {
        self.request("INVITE", call_id, "", SDP);
        self.command("answer");
        let ok = self.reply(200);
        self.request_inside(&ok, "ACK", "", "");
        ok
    }

    /// Calls, and gives up before anybody answers.
    fn call_in_vain(&mut self, call_id: &str) {
        self.request("INVITE", call_id, "", SDP);
        let cseq = self.cseq;
        self.receive(&format!(
            "CANCEL sip:7002@192.168.80.20:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {SERVER};branch=z9hG4bK{call_id}{cseq};rport\r\n\
             From: \"Jack\" <sip:7007@192.168.50.19>;tag=f{call_id}\r\nTo: <sip:7002@192.168.80.20>\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} CANCEL\r\nContent-Length: 0\r\n\r\n"
        ));
    }

    /// Answers the phone's re-INVITE or other request of that method with 200.
    fn accept(&mut self, method: Method, body: &str) -> Vec<u8> {
        let request = self.take(method).unwrap_or_else(|| panic!("no {method} was sent: {:?}", self.ladder));
        self.answer(&request, "200 OK", "", body);
        request
    }

    /// The ladder so far, compared with one of the deck's.
    #[track_caller]
    fn check(&mut self, ladder: &str) {
        assert_eq!(self.ladder.join("; "), ladder);
        self.ladder.clear();
    }

    /// The names of the events so far, but for the log, lamps and the screen.
    #[track_caller]
    fn check_events(&mut self, names: &str) {
        let told: Vec<String> = self.events.drain(..).filter_map(|event| name_of(&event)).collect();
        assert_eq!(told.join(" "), names);
    }

    fn log(&self) -> String {
        self.phone.log().collect::<Vec<_>>().join("\n")
    }
}

fn with_tag(to: &str) -> String {
    if to.contains("tag=") { to.to_owned() } else { format!("{to};tag=srv") }
}

/// The name of an event, with what tests care for.
fn name_of(event: &EventKind) -> Option<String> {
    let json = serde_json::to_value(event).expect("plain data");
    let name = json["event"].as_str().unwrap_or_default();
    let detail = match name {
        "log" | "lamp" | "screen" => return None,
        "ended" => format!("({},{})", json["status"], json["by"].as_str().unwrap_or_default()),
        "transferred" | "registration_failed" => format!("({})", json["status"]),
        "forwarded" => format!("({},{})", json["to"].as_str()?, json["reason"].as_str()?),
        _ => String::new(),
    };
    Some(format!("{name}{detail}"))
}

/// A message as the ladders name it.
fn step(bytes: &[u8]) -> String {
    let Ok(message) = Message::parse(bytes) else { return format!("{} bytes", bytes.len()) };
    let Some(method) = message.method() else {
        return message.status().map(|status| status.to_string()).unwrap_or_default();
    };
    let body = String::from_utf8_lossy(message.body());
    let mut notes = Vec::new();
    if matches!(method, Method::Register | Method::Subscribe) && message.number(Name::Expires) == Some(0) {
        notes.push("expires 0".to_owned());
    }
    for direction in ["sendonly", "inactive", "recvonly"] {
        if body.contains(&format!("a={direction}\r\n")) {
            notes.push(direction.to_owned());
        }
    }
    if body.contains("c=IN IP4 0.0.0.0") {
        notes.push("c=0.0.0.0".to_owned());
    }
    if message.text(Name::ReferTo).is_some_and(|to| to.contains("Replaces")) {
        notes.push("Replaces".to_owned());
    }
    if let Some(rest) = body.strip_prefix("SIP/2.0 ") {
        notes.push(rest.get(..3).unwrap_or_default().to_owned());
    }
    if notes.is_empty() { method.to_string() } else { format!("{method}({})", notes.join(", ")) }
}
