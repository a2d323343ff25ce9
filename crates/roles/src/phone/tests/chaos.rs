//! A person and a server that do whatever they like, in any order: the phone says nothing unsound and comes
//! to rest.

use proptest::prelude::*;
use proto::sip::Strictness;

use super::*;

/// What happens next. Numbers choose among what there is, the newest as the likeliest.
#[derive(Clone, Debug)]
enum Act {
    /// The person does something.
    Command(usize),
    /// Somebody calls.
    Invite { headers: usize, body: usize },
    /// A caller gives up.
    Cancel { back: u32 },
    /// The server answers a request of the phone.
    Answer { request: usize, status: usize, headers: usize, body: usize },
    /// The server says something in a dialog.
    Within { message: usize, method: usize, headers: usize, body: usize },
    /// The server acknowledges what is to be acknowledged, and takes what is no INVITE.
    Settle,
    /// Time passes, in tenths of a second.
    Wait { tenths: u64 },
}

const COMMANDS: [&str; 34] = [
    "dial 7006",
    "dial 7007",
    "dial *43",
    "answer",
    "answer",
    "answer",
    "hangup",
    "hangup all",
    "reject",
    "reject 480",
    "hold",
    "mute on",
    "mute off",
    "resume",
    "dtmf 12#",
    "transfer 7008",
    "transfer 7008",
    "consult 7009",
    "consult 7009",
    "complete",
    "complete",
    "conference",
    "conference",
    "split",
    "dnd on",
    "dnd off",
    "forward always 7010",
    "forward always off",
    "forward no-answer 7011",
    "pickup 7007",
    "redial",
    "key 2",
    "key 3",
    "set account.1.auto_answer 1",
];
const STATUSES: [&str; 20] = [
    "100 Trying",
    "180 Ringing",
    "180 Ringing",
    "181 Forwarded",
    "183 Session Progress",
    "183 Session Progress",
    "200 OK",
    "200 OK",
    "200 OK",
    "200 OK",
    "202 Accepted",
    "302 Moved",
    "401 Unauthorized",
    "408 Timeout",
    "422 Too Small",
    "481 Gone",
    "486 Busy",
    "488 Not Here",
    "491 Pending",
    "603 Decline",
];
const METHODS: [&str; 12] = [
    "BYE", "INVITE", "INVITE", "UPDATE", "REFER", "NOTIFY", "NOTIFY", "INFO", "PRACK", "OPTIONS", "MESSAGE",
    "ACK",
];

fn act() -> impl Strategy<Value = Act> {
    let many = || 0..1_000_usize;
    prop_oneof![
        8 => many().prop_map(Act::Command),
        3 => (many(), many()).prop_map(|(headers, body)| Act::Invite { headers, body }),
        1 => (0..3_u32).prop_map(|back| Act::Cancel { back }),
        9 => (many(), many(), many(), many())
            .prop_map(|(request, status, headers, body)| Act::Answer { request, status, headers, body }),
        6 => (many(), many(), many(), many())
            .prop_map(|(message, method, headers, body)| Act::Within { message, method, headers, body }),
        6 => Just(Act::Settle),
        2 => prop_oneof![1..40_u64, 1..2_000_u64].prop_map(|tenths| Act::Wait { tenths }),
    ]
}

fn bodies(at: usize) -> String {
    match at % 7 {
        0 => String::new(),
        1 => SDP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap"),
        2 => SDP.replace("RTP/AVP 8 0", "RTP/AVP 18"),
        3 => SDP.replace("c=IN IP4 192.168.50.19", "c=IN IP4 0.0.0.0"),
        _ => SDP.to_owned(),
    }
}

fn pick(count: usize, at: usize) -> Option<usize> {
    let back = (at % 10) * (at % 10) / 10;
    count.checked_sub(1 + back % count.max(1))
}

struct Chaos {
    bench: Bench,
    /// Requests of the phone that have no final answer.
    waiting: Vec<Vec<u8>>,
    /// Messages that may have made a dialog.
    dialogs: Vec<Vec<u8>>,
    /// Answers of the phone to INVITEs, not acknowledged.
    unacknowledged: Vec<Vec<u8>>,
    serial: u32,
}

impl Chaos {
    fn new() -> Self {
        let settings = [
            ("account.1.100rel_enable", "1"),
            ("account.1.session_timer.enable", "1"),
            ("linekey.2.type", "16"),
            ("linekey.2.value", "7007"),
            ("linekey.3.type", "3"),
            ("linekey.3.value", "7012"),
        ];
        let bench = Bench::registered(&settings);
        let none = Vec::new;
        Self { bench, waiting: none(), dialogs: none(), unacknowledged: none(), serial: 0 }
    }

    /// Reads what the phone has sent.
    fn read(&mut self) {
        for bytes in std::mem::take(&mut self.bench.sent) {
            let message = Message::parse(&bytes).expect("a message");
            assert_eq!(message.check(Strictness::Strict), Ok(()), "{}", String::from_utf8_lossy(&bytes));
            let of_invite = message.cseq().is_some_and(|cseq| cseq.method == Method::Invite);
            match (message.method(), message.status()) {
                (Some(Method::Ack), _) => {}
                (Some(method), _) => {
                    let known = |other: &Vec<u8>| {
                        let other = Message::parse(other).expect("sound");
                        other.header(Name::Via) == message.header(Name::Via) && other.method() == Some(method)
                    };
                    if !self.waiting.iter().any(known) {
                        self.waiting.push(bytes.clone());
                    }
                    if method == Method::Invite {
                        self.dialogs.push(bytes);
                    }
                }
                (None, Some(101..=299)) if of_invite => {
                    self.dialogs.push(bytes.clone());
                    if message.status() >= Some(200) {
                        self.unacknowledged.push(bytes);
                    }
                }
                _ => {}
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list: one arm for each act")]
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Command(at) => {
                let command = Command::parse(COMMANDS[at % COMMANDS.len()]).expect("a command");
                self.bench.input(Input::Command(command));
            }
            Act::Invite { headers, body } => {
                self.serial += 1;
                let headers = match headers % 5 {
                    0 => "Supported: 100rel, timer\r\nAllow: INVITE, ACK, CANCEL, BYE, UPDATE",
                    1 => "Require: 100rel",
                    2 => "Alert-Info: <http://x>;info=alert-autoanswer;delay=0",
                    3 => "Session-Expires: 120\r\nSupported: timer",
                    _ => "",
                };
                self.bench.request("INVITE", &format!("in-{}", self.serial), headers, &bodies(body));
            }
            Act::Cancel { back } => {
                let call_id = format!("in-{}", self.serial.saturating_sub(back));
                let of_call = |bytes: &&Vec<u8>| {
                    let message = Message::parse(bytes).expect("sound");
                    message.call_id() == call_id && !message.is_request()
                };
                let Some(cseq) = self.dialogs.iter().rev().find(of_call).map(|bytes| {
                    Message::parse(bytes)
                        .ok()
                        .and_then(|message| message.cseq())
                        .map_or(0, |cseq| cseq.number)
                }) else {
                    return;
                };
                self.bench.receive(&format!(
                    "CANCEL sip:7002@192.168.80.20:5060 SIP/2.0\r\n\
                     Via: SIP/2.0/UDP {SERVER};branch=z9hG4bK{call_id}{cseq};rport\r\nMax-Forwards: 70\r\n\
                     From: \"Jack\" <sip:7007@192.168.50.19>;tag=f{call_id}\r\nTo: <sip:7002@192.168.80.20>\r\n\
                     Call-ID: {call_id}\r\nCSeq: {cseq} CANCEL\r\nContent-Length: 0\r\n\r\n"
                ));
            }
            Act::Answer { request, status, headers, body } => {
                let Some(at) = pick(self.waiting.len(), request) else { return };
                let status = STATUSES[status % STATUSES.len()];
                let request = match status.starts_with('1') {
                    true => self.waiting[at].clone(),
                    false => self.waiting.remove(at),
                };
                let message = Message::parse(&request).expect("sound");
                let says = matches!(message.method(), Some(Method::Invite | Method::Update));
                let reliable = format!("Require: 100rel\r\nRSeq: {}", headers % 3);
                let headers = match (status.get(..3).unwrap_or_default(), headers % 2) {
                    ("401", _) => CHALLENGE,
                    ("422", _) => "Min-SE: 600",
                    ("180" | "183", 0) if says => &reliable,
                    (_, 0) => "Supported: timer\r\nSession-Expires: 120;refresher=uac",
                    _ => "Allow: INVITE, ACK, CANCEL, BYE, UPDATE",
                };
                let body = if says && !status.starts_with("100") { bodies(body) } else { String::new() };
                self.bench.answer(&request, status, headers, &body);
            }
            Act::Within { message, method, headers, body } => {
                let Some(message) = pick(self.dialogs.len(), message).map(|at| self.dialogs[at].clone())
                else {
                    return;
                };
                let method = METHODS[method % METHODS.len()];
                let rack = Message::parse(&message).expect("sound").cseq();
                let rack = rack.map_or(0, |cseq| cseq.number);
                let (headers, body) = match (method, headers % 3) {
                    ("REFER", 0) => (
                        "Refer-To: <sip:7013@192.168.50.19?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>"
                            .to_owned(),
                        String::new(),
                    ),
                    ("REFER", _) => ("Refer-To: <sip:7013@192.168.50.19>".to_owned(), String::new()),
                    ("NOTIFY", at) => {
                        let state = if at == 0 { "active" } else { "terminated;reason=noresource" };
                        let status = ["100 Trying", "180 Ringing", "200 OK", "486 Busy"][body % 4];
                        let headers = format!("Event: refer\r\nSubscription-State: {state}");
                        (headers, format!("SIP/2.0 {status}\r\n"))
                    }
                    ("PRACK", at) => (format!("RAck: {at} {rack} INVITE"), String::new()),
                    ("INVITE" | "UPDATE" | "ACK", _) => (String::new(), bodies(body)),
                    _ => (String::new(), String::new()),
                };
                self.bench.request_inside(&message, method, &headers, &body);
            }
            Act::Settle => {
                for answer in std::mem::take(&mut self.unacknowledged) {
                    self.bench.request_inside(&answer, "ACK", "", "");
                }
                let waiting = std::mem::take(&mut self.waiting);
                let is_invite = |bytes: &Vec<u8>| bytes.starts_with(b"INVITE");
                let (invites, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_invite);
                self.waiting = invites;
                for request in others {
                    let says = request.starts_with(b"UPDATE");
                    self.bench.answer(&request, "200 OK", "Expires: 1800", if says { SDP } else { "" });
                }
            }
            Act::Wait { tenths } => self.bench.wait_ms(tenths * 100),
        }
        self.read();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn a_phone_comes_to_rest_whatever_it_is_told(acts in proptest::collection::vec(act(), 1..150)) {
        let mut chaos = Chaos::new();
        for act in &acts {
            chaos.act(act);
        }
        let bench = &mut chaos.bench;
        // The person hangs up, and the server is silent.
        bench.input(Input::Command(Command::parse("hangup all").expect("a command")));
        bench.wait_ms(400_000);
        let calls = bench.phone.view().calls.len();
        prop_assert_eq!(calls, 0, "{:#?} {:?}", bench.ladder, bench.phone.view().calls);
        let of = |wanted: fn(&SoundCommand) -> bool| bench.played.iter().filter(|command| wanted(command)).count();
        let opened = of(|command| matches!(command, SoundCommand::Open { .. }));
        let closed = of(|command| matches!(command, SoundCommand::Close { .. }));
        prop_assert_eq!(opened, closed, "{:#?}", bench.ladder);
        let endpoint = &bench.phone.desk.endpoint;
        prop_assert_eq!(endpoint.server_count(), 0, "{:#?}", bench.ladder);
        // A REGISTER and a SUBSCRIBE may be under way again.
        prop_assert!(endpoint.client_count() <= 3, "{} {:#?}", endpoint.client_count(), bench.ladder);
    }
}
