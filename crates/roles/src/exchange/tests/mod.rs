//! Timelines of a whole exchange: bytes of phones in, bytes to phones out.

mod attacks;
mod calls;
mod changing;
mod chaos;
mod commands;
mod encrypting;
mod forking;
mod guarding;
mod lamps;
mod moving;
mod registering;
mod services;
mod soak;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use proto::sip::digest::{Attempt, Client, Credentials, Secret as Password};
use proto::sip::{Transmit, Transport, Uri};

use super::*;
use crate::relay::RelayFigures;

/// An exchange with the phones 7001, 7002 and 7003, and a ladder of what went over the wire.
struct Bench {
    exchange: Exchange,
    now: Time,
    /// How long each message has waited for its turn.
    waited: Duration,
    ladder: Vec<String>,
    /// The last messages to each address, the newest last.
    inbox: BTreeMap<SocketAddr, Vec<String>>,
    media: Vec<RelayCommand>,
    changes: Vec<Change>,
    events: Vec<Event>,
    vouched: Vec<(Flow, u32)>,
    closed: Vec<Flow>,
}

/// A phone that says what the test lets it say.
struct Phone {
    number: &'static str,
    address: SocketAddr,
    auth: Client,
    rng: Rng,
    branch: u32,
    cseq: u32,
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n";

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let numbers = ["7001", "7002", "7003"];
        let extensions = numbers.map(|number| Extension::new(number, "offhook", "secret")).to_vec();
        Self::restored(config, Restored { extensions, ..Restored::default() })
    }

    fn restored(config: Config, restored: Restored) -> Self {
        Self::restored_at(config, restored, Time::from_secs(1_000))
    }

    fn restored_at(config: Config, restored: Restored, now: Time) -> Self {
        Self {
            exchange: Exchange::new(config, restored, [7; 32], now),
            now,
            waited: Duration::ZERO,
            ladder: Vec::new(),
            inbox: BTreeMap::new(),
            media: Vec::new(),
            changes: Vec::new(),
            events: Vec::new(),
            vouched: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// A phone's message arrives; `name` is its place in the ladder.
    fn say(&mut self, phone: &Phone, message: &str) {
        self.ladder.push(format!("{}>s {}", phone.number, first_words(message)));
        let flow = flow_from(phone.address);
        self.give(Input::Message { flow, bytes: message.as_bytes(), waited: self.waited });
    }

    /// Messages wait so long, and have done so for longer than a rush lasts.
    fn fall_behind(&mut self, waited: Duration) {
        self.waited = waited;
        let mut somebody = Phone::new("7009");
        for _ in 0..2 {
            let request = somebody.register("3600");
            self.say(&somebody, &request);
            self.pass(Duration::from_millis(100));
        }
    }

    fn command(&mut self, what: What) -> Answer {
        self.give(Input::Command(Command { id: 1, what }));
        match self.events.pop() {
            Some(Event::Done { id: 1, answer }) => answer,
            other => panic!("no answer but {other:?}"),
        }
    }

    /// Time passes; every deadline on the way is met.
    fn wait(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((due, _)) = self.exchange.next_deadline().filter(|(due, _)| *due <= until) {
            self.now = self.now.max(due);
            self.give(Input::Wake);
        }
        self.now = until;
    }

    fn give(&mut self, input: Input<'_, Command, RelayEvent>) {
        let mut out = Vec::new();
        self.exchange.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Transmit(transmit) => self.sent(&transmit),
                Output::Media(command) => self.media.push(command),
                Output::Store(change) => self.changes.push(change),
                Output::Event(event) => self.events.push(event),
                Output::Vouch { flow, account } => self.vouched.push((flow, account)),
                Output::Close(flow) => self.closed.push(flow),
                other => panic!("an exchange asks for no such thing: {other:?}"),
            }
        }
    }

    fn sent(&mut self, transmit: &Transmit) {
        let text = String::from_utf8(transmit.bytes.to_vec()).expect("text");
        let parsed = Message::parse(&transmit.bytes).expect("a message");
        assert_eq!(parsed.check(Strictness::Strict), Ok(()), "{text}");
        let address = transmit.flow.remote;
        self.ladder.push(format!("s>{} {}", number_at(address), first_words(&text)));
        self.inbox.entry(address).or_default().push(text);
    }

    /// The place of the call whose relay was opened last.
    fn place(&self) -> crate::relay::RelayId {
        let opened = self.media.iter().rev().find_map(|command| match command {
            RelayCommand::Open { relay, .. } => Some(*relay),
            _ => None,
        });
        opened.expect("a relay is open")
    }

    /// How the media line begins that leads to that side of the relay opened last.
    fn audio(&self, side: crate::relay::Side) -> String {
        let port = 20_000 + 4 * self.place() + if side == crate::relay::Side::A { 0 } else { 2 };
        format!("m=audio {port} ")
    }

    /// The newest message to a phone that begins like this.
    fn heard(&self, phone: &Phone, beginning: &str) -> String {
        let all = self.inbox.get(&phone.address).map(Vec::as_slice).unwrap_or_default();
        let found = all.iter().rev().find(|text| text.starts_with(beginning));
        found.unwrap_or_else(|| panic!("{} has not heard {beginning}: {all:#?}", phone.number)).clone()
    }

    fn register(&mut self, phone: &mut Phone) {
        let request = phone.register("3600");
        self.say(phone, &request);
        phone.challenged(&self.heard(phone, "SIP/2.0 401"));
        let request = phone.register("3600");
        self.say(phone, &request);
        self.heard(phone, "SIP/2.0 200");
    }

    /// Registers the three phones and begins a new ladder.
    fn ready(&mut self) -> [Phone; 3] {
        let mut phones = [Phone::new("7001"), Phone::new("7002"), Phone::new("7003")];
        phones.iter_mut().for_each(|phone| self.register(phone));
        self.ladder.clear();
        phones
    }

    /// Checks what went over the wire since the last check.
    #[track_caller]
    fn check(&mut self, expected: &str) {
        let seen = std::mem::take(&mut self.ladder).join("; ");
        assert_eq!(seen, expected);
    }
}

impl Phone {
    fn new(number: &'static str) -> Self {
        Self::with_password(number, "secret")
    }

    fn with_password(number: &'static str, password: &str) -> Self {
        let last: u8 = number[3..].parse().expect("a digit");
        let secret = Password::Password(password.into());
        let credentials = Credentials { username: number.into(), secret, realm: None };
        Self {
            number,
            address: SocketAddr::new([192, 0, 2, last].into(), 5_060),
            auth: Client::new(credentials, false),
            rng: Rng::from_number(u64::from(last)),
            branch: 0,
            cseq: 0,
        }
    }

    fn challenged(&mut self, response: &str) {
        let response = Message::parse(response.as_bytes()).expect("sound");
        self.auth.challenged(&mut Attempt::default(), &response, true).expect("a new challenge");
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.number, self.address)
    }

    fn register(&mut self, expires: &str) -> String {
        let contact = self.contact();
        self.register_contact(&contact, expires)
    }

    fn register_contact(&mut self, contact: &str, expires: &str) -> String {
        let number = self.number;
        let fields = format!("Contact: {contact}\r\nExpires: {expires}\r\nUser-Agent: Test/1\r\n");
        let to = format!("<sip:{number}@192.0.2.100>");
        self.request("REGISTER", "sip:192.0.2.100", &to, "", &format!("reg-{number}"), &fields, "")
    }

    fn invite(&mut self, callee: &str, call_id: &str, fields: &str) -> String {
        self.invite_saying(callee, call_id, fields, SDP)
    }

    fn invite_with(&mut self, callee: &str, call_id: &str, sdp: &str) -> String {
        self.invite_saying(callee, call_id, "", sdp)
    }

    fn invite_saying(&mut self, callee: &str, call_id: &str, fields: &str, sdp: &str) -> String {
        let to = format!("<sip:{callee}@192.0.2.100>");
        let fields = format!("Contact: {}\r\n{fields}", self.contact());
        self.request("INVITE", &format!("sip:{callee}@192.0.2.100"), &to, "", call_id, &fields, sdp)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a message")]
    fn request(
        &mut self,
        method: &str,
        uri: &str,
        to: &str,
        from_tag: &str,
        call_id: &str,
        fields: &str,
        body: &str,
    ) -> String {
        self.cseq += 1;
        let Self { number, address, cseq, .. } = *self;
        let from_tag = if from_tag.is_empty() { "f" } else { from_tag };
        let credentials = self.auth.headers(method, uri, body.as_bytes(), &mut self.rng);
        let credentials: String =
            credentials.into_iter().map(|(name, value)| format!("{}: {value}\r\n", name.as_str())).collect();
        let typed = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.branch += 1;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{number}x{};rport\r\n\
             From: <sip:{number}@192.0.2.100>;tag={from_tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n{fields}{credentials}{typed}\
             Content-Length: {}\r\n\r\n{body}",
            self.branch,
            body.len()
        )
    }

    /// The ACK of an answer to an INVITE of ours, in its transaction where it is a refusal.
    fn ack(&mut self, invite: &str, answer: &str) -> String {
        let (asked, answered) = (
            Message::parse(invite.as_bytes()).expect("sound"),
            Message::parse(answer.as_bytes()).expect("sound"),
        );
        let via = line(invite, "Via: ");
        let refused = answered.status().is_some_and(|status| status >= 300);
        let via = if refused { via } else { via.replace(";rport", "a;rport") };
        let uri = if refused { asked.request_uri().to_owned() } else { contact_of(answer) };
        let cseq = asked.cseq().map_or(0, |cseq| cseq.number);
        format!(
            "ACK {uri} SIP/2.0\r\n{via}\r\n{}\r\n{}\r\nCall-ID: {}\r\nCSeq: {cseq} ACK\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            line(invite, "From: "),
            line(answer, "To: "),
            asked.call_id()
        )
    }

    /// An answer to a request of the exchange.
    fn answer(&self, request: &str, status: u16, fields: &str, body: &str) -> String {
        let to = line(request, "To: ");
        let tag = if to.contains(";tag=") { String::new() } else { format!(";tag=t{}", self.number) };
        let typed = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "SIP/2.0 {status} {}\r\n{}\r\n{}\r\n{to}{tag}\r\n{}\r\n{}\r\nContact: {}\r\n{fields}{typed}\
             Content-Length: {}\r\n\r\n{body}",
            proto::sip::build::reason_phrase(status),
            line(request, "Via: "),
            line(request, "From: "),
            line(request, "Call-ID: "),
            line(request, "CSeq: "),
            self.contact(),
            body.len()
        )
    }

    /// A request inside the dialog that an INVITE of ours and its 200 made.
    fn within(&mut self, answer: &str, method: &str, fields: &str, body: &str) -> String {
        let to = line(answer, "To: ").trim_start_matches("To: ").to_owned();
        let from = Message::parse(answer.as_bytes()).expect("sound").from_tag().to_owned();
        let call_id = line(answer, "Call-ID: ").trim_start_matches("Call-ID: ").to_owned();
        let fields = format!("Contact: {}\r\n{fields}", self.contact());
        self.request(method, &contact_of(answer), &to, &from, &call_id, &fields, body)
    }

    /// A request inside the dialog that an INVITE of the exchange made.
    fn within_called(&mut self, invite: &str, method: &str, fields: &str, body: &str) -> String {
        let from = Message::parse(invite.as_bytes()).expect("sound");
        let to = line(invite, "From: ").trim_start_matches("From: ").to_owned();
        let tag = format!("t{}", self.number);
        let fields = format!("Contact: {}\r\n{fields}", self.contact());
        self.request(method, &contact_of(invite), &to, &tag, from.call_id(), &fields, body)
    }
}

fn flow_from(remote: SocketAddr) -> Flow {
    let local = SocketAddr::new([192, 0, 2, 100].into(), 5_060);
    Flow { transport: Transport::Udp, local, remote }
}

/// A message that has no body, with a session description.
fn with_body(message: &str, sdp: &str) -> String {
    let typed = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    message.replace("Content-Length: 0\r\n\r\n", &typed)
}

/// The line of a message that begins like this.
#[track_caller]
fn line(message: &str, beginning: &str) -> String {
    let found = message.lines().find(|line| line.starts_with(beginning));
    found.unwrap_or_else(|| panic!("no {beginning} in {message}")).to_owned()
}

fn contact_of(message: &str) -> String {
    let contact = line(message, "Contact: ");
    let uri = contact.split(['<', '>']).nth(1).expect("a URI").to_owned();
    assert!(Uri::parse(&uri).is_some());
    uri
}

fn number_at(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.octets()[3] < 10 => format!("700{}", ip.octets()[3]),
        ip => ip.to_string(),
    }
}

fn first_words(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    match line.strip_prefix("SIP/2.0 ") {
        Some(status) => &status[..3],
        None => line.split(' ').next().unwrap_or_default(),
    }
}
