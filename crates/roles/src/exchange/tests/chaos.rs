//! Phones that do whatever they like, in any order: the exchange says nothing unsound and keeps nothing.

use proptest::prelude::*;

use super::edit::Edit;
use super::extension::{Encryption, Forward};
use super::*;

/// What happens next. Numbers choose among what there is, the newest as the likeliest.
#[derive(Clone, Debug)]
enum Act {
    /// A phone calls somebody.
    Invite { phone: usize, callee: usize, offer: usize, fields: usize },
    /// It calls another one, which answers at once.
    Talk { phone: usize, callee: usize },
    /// It answers a request that waits.
    Answer { phone: usize, request: usize, status: usize, fields: usize, body: usize },
    /// It does what a good phone does: acknowledges, and takes what is no INVITE.
    Settle { phone: usize },
    /// It sends a request in a dialog.
    Within { phone: usize, dialog: usize, method: usize, fields: usize, body: usize },
    /// It takes an INVITE back.
    Cancel { phone: usize, invite: usize },
    /// It sends once more what it sent last.
    Repeat { phone: usize },
    /// It watches somebody, or no more.
    Watch { phone: usize, watched: usize, expires: usize },
    /// It registers, or no more.
    Register { phone: usize, expires: usize },
    /// Somebody uses the API.
    Command { kind: usize, call: u64, number: usize },
    /// The relay has no ports.
    RelayFails { relay: u32 },
    /// Time passes, in tenths of a second.
    Wait { tenths: u64 },
}

const CALLEES: [&str; 14] = [
    "7001", "7002", "7003", "7001", "7002", "7003", "*047001", "*047002", "*047003", "800", "801", "*43",
    "*69", "7999",
];
const STATUSES: [u16; 16] = [100, 180, 181, 183, 183, 200, 200, 200, 200, 302, 401, 408, 481, 486, 488, 603];
const METHODS: [&str; 12] = [
    "BYE", "INVITE", "INVITE", "UPDATE", "UPDATE", "REFER", "REFER", "REFER", "INFO", "PRACK", "NOTIFY",
    "OPTIONS",
];
const CAN: &str = "Supported: 100rel, timer, replaces\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n";

fn act() -> impl Strategy<Value = Act> {
    let (phone, many) = (0..3_usize, 0..1_000_usize);
    let five = || (0..3_usize, 0..1_000_usize, 0..1_000_usize, 0..1_000_usize, 0..1_000_usize);
    prop_oneof![
        4 => (phone.clone(), many.clone(), many.clone(), many.clone())
            .prop_map(|(phone, callee, offer, fields)| Act::Invite { phone, callee, offer, fields }),
        3 => (phone.clone(), 0..3_usize).prop_map(|(phone, callee)| Act::Talk { phone, callee }),
        10 => five().prop_map(|(phone, request, status, fields, body)| {
            Act::Answer { phone, request, status, fields, body }
        }),
        10 => phone.clone().prop_map(|phone| Act::Settle { phone }),
        8 => five().prop_map(|(phone, dialog, method, fields, body)| {
            Act::Within { phone, dialog, method, fields, body }
        }),
        1 => (phone, many.clone()).prop_map(|(phone, invite)| Act::Cancel { phone, invite }),
        1 => (0..3_usize).prop_map(|phone| Act::Repeat { phone }),
        1 => (0..3_usize, many.clone(), many.clone())
            .prop_map(|(phone, watched, expires)| Act::Watch { phone, watched, expires }),
        1 => (0..3_usize, many.clone()).prop_map(|(phone, expires)| Act::Register { phone, expires }),
        2 => (many.clone(), 1..12_u64, many)
            .prop_map(|(kind, call, number)| Act::Command { kind, call, number }),
        1 => (0..6_u32).prop_map(|relay| Act::RelayFails { relay }),
        2 => prop_oneof![1..40_u64, 1..2_000_u64].prop_map(|tenths| Act::Wait { tenths }),
    ]
}

fn bodies(at: usize) -> String {
    match at % 6 {
        0 => String::new(),
        1 => SDP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap"),
        2 => SDP.replace("RTP/AVP 8", "RTP/AVP 18"),
        _ => SDP.to_owned(),
    }
}

fn edit(at: usize) -> Edit {
    let number = || Some(CALLEES[at % 4].to_owned());
    match at % 8 {
        0 => Edit { do_not_disturb: Some(at.is_multiple_of(16)), ..Edit::default() },
        1 => Edit { enabled: Some(!at.is_multiple_of(4)), ..Edit::default() },
        2 => Edit { max_calls: Some((at % 3) as u8), ..Edit::default() },
        3 => Edit { forward: Some(Forward { always: number(), ..Forward::default() }), ..Edit::default() },
        4 => Edit { forward: Some(Forward { busy: number(), ..Forward::default() }), ..Edit::default() },
        5 => {
            let forward = Forward { no_answer: number(), no_answer_s: 5, ..Forward::default() };
            Edit { forward: Some(forward), ..Edit::default() }
        }
        6 => Edit { encryption: Some(Encryption::Always), ..Edit::default() },
        _ => Edit { forward: Some(Forward::default()), enabled: Some(true), ..Edit::default() },
    }
}

/// One of them, the last as the likeliest.
fn pick<T>(all: &[T], at: usize) -> Option<usize> {
    let back = (at % 10) * (at % 10) / 10;
    all.len().checked_sub(1 + back % all.len().max(1))
}

/// One phone's view.
#[derive(Default)]
struct Seen {
    /// Its INVITEs outside a dialog, and those within.
    invites: Vec<String>,
    /// Requests that it has not answered for good.
    waiting: Vec<String>,
    /// By what its dialogs came about: an answer that it heard, or an INVITE.
    dialogs: Vec<String>,
    /// Answers to INVITEs that it has not acknowledged.
    unacknowledged: Vec<String>,
    /// How much of what came it has looked at.
    read: usize,
    /// What it said last.
    said: String,
}

struct Chaos {
    bench: Bench,
    phones: [Phone; 3],
    seen: [Seen; 3],
    serial: u32,
}

impl Chaos {
    fn new() -> Self {
        let mut bench = Bench::with(Config { session_s: Some(1_800), ..Config::default() });
        let phones = bench.ready();
        bench.inbox.clear();
        Self { bench, phones, seen: Default::default(), serial: 0 }
    }

    /// Every phone reads what has come.
    fn read(&mut self) {
        for (phone, seen) in self.phones.iter().zip(&mut self.seen) {
            let all = self.bench.inbox.get(&phone.address).map(Vec::as_slice).unwrap_or_default();
            for text in &all[seen.read.min(all.len())..] {
                let via = line(text, "Via: ");
                let known = |other: &String| other.contains(&via) && first_words(other) == first_words(text);
                let of_invite = line(text, "CSeq: ").ends_with(" INVITE");
                match text.strip_prefix("SIP/2.0 ").map(|status| status.as_bytes()[0]) {
                    Some(b'1') if text.contains(";tag=") && text.contains("\r\nContact: ") => {
                        seen.dialogs.push(text.clone());
                    }
                    Some(b'2') if of_invite && text.contains("\r\nContact: ") => {
                        seen.dialogs.push(text.clone());
                        seen.unacknowledged.push(text.clone());
                    }
                    Some(b'3'..) if of_invite => seen.unacknowledged.push(text.clone()),
                    None if !text.starts_with("ACK") && !seen.waiting.iter().any(known) => {
                        seen.waiting.push(text.clone());
                    }
                    _ => {}
                }
            }
            seen.read = all.len();
        }
    }

    fn replaces(&self, at: usize) -> Option<String> {
        let dialogs = &self.seen[at % 3].dialogs;
        let message = Message::parse(dialogs[pick(dialogs, at / 3)?].as_bytes()).ok()?;
        let (to, from) = (message.to_tag(), message.from_tag());
        let tag = format!("t700{}", at % 3 + 1);
        let to = if to.is_empty() { &tag } else { to };
        Some(format!("{};to-tag={to};from-tag={from}", message.call_id()))
    }

    fn refer_to(&self, phone: usize, at: usize) -> String {
        let park = ["*5", "*5801"];
        let target = CALLEES.iter().chain(&park).nth(at % (CALLEES.len() + 2)).unwrap_or(&"7001");
        match self.replaces(at / 20 * 3 + phone).filter(|_| at.is_multiple_of(2)) {
            Some(replaces) => {
                let escaped = replaces.replace(';', "%3B").replace('=', "%3D");
                format!("Refer-To: <sip:{target}@192.0.2.100?Replaces={escaped}>\r\n")
            }
            None => format!("Refer-To: <sip:{target}@192.0.2.100>\r\n"),
        }
    }

    fn acknowledge(&mut self, phone: usize, answer: &str) {
        let seen = &self.seen[phone];
        let cseq = line(answer, "CSeq: ");
        let own = |invite: &&String| {
            line(invite, "Call-ID: ") == line(answer, "Call-ID: ") && line(invite, "CSeq: ") == cseq
        };
        let Some(invite) = seen.invites.iter().rev().find(own) else { return };
        let ack = self.phones[phone].ack(invite, answer);
        let late = answer.starts_with("SIP/2.0 2") && line(invite, "Content-Length: ").ends_with(": 0");
        let ack = if late { with_body(&ack, SDP) } else { ack };
        self.say(phone, ack);
    }

    fn say(&mut self, phone: usize, text: String) {
        self.bench.say(&self.phones[phone], &text);
        self.seen[phone].said = text;
    }

    #[expect(clippy::too_many_lines, reason = "a list: one arm for each act")]
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Invite { phone, callee, offer, fields } => {
                self.serial += 1;
                let replaces = self.replaces(fields).filter(|_| fields.is_multiple_of(5));
                let replaces = replaces.map(|value| format!("Replaces: {value}\r\n")).unwrap_or_default();
                let can = if fields.is_multiple_of(2) { CAN } else { "" };
                let (callee, call_id) = (CALLEES[callee % CALLEES.len()], format!("chaos-{}", self.serial));
                let own = &mut self.phones[phone];
                let invite = own.invite_saying(callee, &call_id, &format!("{can}{replaces}"), &bodies(offer));
                self.seen[phone].invites.push(invite.clone());
                self.say(phone, invite);
            }
            Act::Talk { phone, callee } => {
                self.act(&Act::Invite { phone, callee, offer: 3, fields: 2 });
                self.act(&Act::Answer { phone: callee, request: 0, status: 5, fields: 0, body: 3 });
                self.act(&Act::Settle { phone });
            }
            Act::Answer { phone, request, status, fields, body } => {
                let seen = &mut self.seen[phone];
                let Some(at) = pick(&seen.waiting, request) else { return };
                let text = seen.waiting[at].clone();
                let status = STATUSES[status % STATUSES.len()];
                if status >= 200 {
                    seen.waiting.remove(at);
                }
                let invites = text.starts_with("INVITE");
                let reliable = fields.is_multiple_of(2) && invites && (101..200).contains(&status);
                let reliable = if reliable {
                    format!("Require: 100rel\r\nRSeq: {}\r\n", fields % 3)
                } else {
                    String::new()
                };
                if invites && (101..300).contains(&status) {
                    seen.dialogs.push(text.clone());
                }
                let says = invites || text.starts_with("UPDATE");
                let body = if says && status > 100 { bodies(body) } else { String::new() };
                let own = &self.phones[phone];
                let answer = own.answer(&text, status, &format!("{CAN}{reliable}"), &body);
                self.say(phone, answer);
            }
            Act::Settle { phone } => {
                for answer in std::mem::take(&mut self.seen[phone].unacknowledged) {
                    self.acknowledge(phone, &answer);
                }
                let waiting = std::mem::take(&mut self.seen[phone].waiting);
                let (invites, others) = waiting.into_iter().partition(|text| text.starts_with("INVITE"));
                self.seen[phone].waiting = invites;
                let others: Vec<String> = others;
                for text in others {
                    let body = if text.starts_with("UPDATE") { SDP } else { "" };
                    let ok = self.phones[phone].answer(&text, 200, "", body);
                    self.say(phone, ok);
                }
            }
            Act::Within { phone, dialog, method, fields, body } => {
                let dialogs = &self.seen[phone].dialogs;
                let Some(text) = pick(dialogs, dialog).map(|at| dialogs[at].clone()) else { return };
                let method = METHODS[method % METHODS.len()];
                let extra = match method {
                    "REFER" => self.refer_to(phone, fields),
                    "PRACK" => {
                        let cseq = line(&text, "CSeq: ").trim_start_matches("CSeq: ").to_owned();
                        format!("RAck: {} {cseq}\r\n", fields % 3)
                    }
                    "NOTIFY" => "Event: refer\r\nSubscription-State: active\r\n".to_owned(),
                    _ => String::new(),
                };
                let says = matches!(method, "INVITE" | "UPDATE" | "PRACK");
                let body = if says { bodies(body) } else { String::new() };
                let own = &mut self.phones[phone];
                let request = if text.starts_with("SIP/2.0") {
                    own.within(&text, method, &extra, &body)
                } else {
                    own.within_called(&text, method, &extra, &body)
                };
                if method == "INVITE" {
                    self.seen[phone].invites.push(request.clone());
                }
                self.say(phone, request);
            }
            Act::Cancel { phone, invite } => {
                let invites = &self.seen[phone].invites;
                let Some(invite) = pick(invites, invite).map(|at| &invites[at]) else { return };
                let head = invite.split("Content-").next().unwrap_or_default();
                let cancel = format!("{head}Content-Length: 0\r\n\r\n").replace("INVITE", "CANCEL");
                self.say(phone, cancel);
            }
            Act::Repeat { phone } => {
                let said = self.seen[phone].said.clone();
                if !said.is_empty() {
                    self.bench.say(&self.phones[phone], &said);
                }
            }
            Act::Watch { phone, watched, expires } => {
                let own = &mut self.phones[phone];
                let watched = ["7001", "7002", "7003", "800", "7999"][watched % 5];
                let event = ["dialog", "message-summary", "presence"][expires % 7 / 3];
                let expires = [0, 60, 600, 3_600][expires % 4];
                let fields =
                    format!("Contact: {}\r\nEvent: {event}\r\nExpires: {expires}\r\n", own.contact());
                let uri = format!("sip:{watched}@192.0.2.100");
                let call_id = format!("watch-{}-{watched}-{}", own.number, self.serial / 4);
                let request = own.request("SUBSCRIBE", &uri, &format!("<{uri}>"), "", &call_id, &fields, "");
                self.say(phone, request);
            }
            Act::Register { phone, expires } => {
                let request = self.phones[phone].register(["0", "60", "3600"][expires % 3]);
                self.say(phone, request);
            }
            Act::Command { kind, call, number } => {
                let number = CALLEES[number % 3].to_owned();
                let what = match kind % 6 {
                    0 => What::HangUp(call),
                    1 => What::EditExtension { number, edit: Box::new(edit(kind / 6)) },
                    2 if kind.is_multiple_of(5) => What::RemoveExtension(number),
                    2 => What::SetExtension(Box::new(Extension::new(&number, "offhook", "secret"))),
                    3 => What::Originate { from: number, to: CALLEES[kind % CALLEES.len()].to_owned() },
                    _ => {
                        let party = if kind.is_multiple_of(2) { Party::Caller } else { Party::Callee };
                        What::Transfer { call, party, to: number }
                    }
                };
                self.bench.give(Input::Command(Command { id: 1, what }));
            }
            Act::RelayFails { relay } => {
                let reason = "no port is free".to_owned();
                self.bench.give(Input::Heard(RelayEvent::Failed { relay, reason }));
            }
            Act::Wait { tenths } => self.bench.pass(Duration::from_millis(tenths * 100)),
        }
        self.read();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn phones_that_do_what_they_like_leave_nothing_behind(acts in proptest::collection::vec(act(), 1..150)) {
        let mut chaos = Chaos::new();
        for act in &acts {
            chaos.act(act);
        }
        let bench = &mut chaos.bench;
        // Everybody is silent: sessions, registrations and transactions run out.
        bench.wait(8_000);
        let figures = bench.exchange.figures(bench.now);
        let left = (figures.calls, figures.legs, figures.client_transactions, figures.server_transactions);
        prop_assert_eq!(left, (0, 0, 0, 0), "{:#?}, {:?}", bench.ladder, bench.exchange.calls.legs);
        prop_assert_eq!((figures.devices, figures.subscriptions), (0, 0), "{:#?}", bench.ladder);
        let opened = bench.media.iter().filter(|command| matches!(command, RelayCommand::Open { .. })).count();
        let closed = bench.media.iter().filter(|command| matches!(command, RelayCommand::Close { .. })).count();
        prop_assert_eq!(opened, closed, "{:#?}", bench.ladder);
        prop_assert!(bench.exchange.turn.alarms.is_empty(), "{:?}", bench.exchange.turn.alarms);
    }
}

/// A leg that two transfers lead to one place: whoever was there goes.
#[test]
fn a_leg_whose_place_is_taken_does_not_stay_behind() {
    let acts = [
        Act::Invite { phone: 0, callee: 0, offer: 0, fields: 0 },
        Act::Talk { phone: 0, callee: 1 },
        Act::Answer { phone: 0, request: 0, status: 489, fields: 0, body: 0 },
        Act::Talk { phone: 0, callee: 2 },
        Act::Within { phone: 0, dialog: 397, method: 533, fields: 369, body: 0 },
        Act::Talk { phone: 0, callee: 0 },
        Act::Answer { phone: 0, request: 0, status: 0, fields: 0, body: 0 },
        Act::Within { phone: 2, dialog: 0, method: 269, fields: 691, body: 0 },
        Act::Within { phone: 1, dialog: 0, method: 264, fields: 0, body: 0 },
        Act::Invite { phone: 0, callee: 156, offer: 0, fields: 6 },
        Act::Answer { phone: 1, request: 0, status: 597, fields: 0, body: 546 },
        Act::Answer { phone: 1, request: 0, status: 145, fields: 0, body: 0 },
        Act::Settle { phone: 0 },
        Act::Invite { phone: 2, callee: 258, offer: 339, fields: 1 },
        Act::Settle { phone: 2 },
    ];
    let mut chaos = Chaos::new();
    acts.iter().for_each(|act| chaos.act(act));
    chaos.bench.wait(8_000);
    let figures = chaos.bench.exchange.figures(chaos.bench.now);
    assert_eq!((figures.calls, figures.legs), (0, 0));
}
