//! Whether a ladder was seen, by the folding rules of `ladders.txt`.
//!
//! Folded are retransmissions, a second 180, OPTIONS, and the answers to NOTIFYs, which may come in any
//! order but must be 200; BYEs of two calls may cross. What is left must be there without gaps, beginning anywhere.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use proto::sip::header::Event;
use proto::sip::message::Message;
use proto::sip::{Method, Name};
use proto::{dhcp, tftp};

use super::expected::{Actor, Expected, What};
use super::sip::{cause, description, diversion, fragment, removes};
use super::{End, Kind, Sight, info, print};

/// How far a time may be off, in milliseconds.
const TOLERANCE_MS: u64 = 500;

/// Where what was seen leaves the ladder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// How many steps were as expected.
    pub matched: usize,
    /// The step that was expected next.
    pub expected: String,
    /// What was seen instead; `None` where nothing came.
    pub seen: Option<String>,
    /// All that was seen, for the reader.
    pub all: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.seen.as_deref().unwrap_or("nothing");
        write!(
            f,
            "after {} steps `{}` was expected and {seen} came; seen was:\n{}",
            self.matched, self.expected, self.all
        )
    }
}

impl std::error::Error for Difference {}

/// Looks for `ladder` in what passed between the phone at `phone` and anyone else.
///
/// # Errors
/// The [`Difference`] of the longest beginning that was found.
pub fn check<'a>(
    ladder: &[Expected],
    sights: impl IntoIterator<Item = Sight<'a>>,
    phone: IpAddr,
) -> Result<(), Difference> {
    let sights: Vec<Sight<'a>> = sights.into_iter().collect();
    let seen = fold(&sights, phone, ladder);
    let wanted = without_notify_answers(ladder);
    if let Some(bad) = seen.iter().find(|step| step.answers(Method::Notify) && step.status() != Some(200)) {
        return Err(difference(0, "200 to each NOTIFY", Some(bad), &seen, phone));
    }
    let mut seen: Vec<Step<'_>> = seen.into_iter().filter(|step| !step.answers(Method::Notify)).collect();
    part_goodbyes(&mut seen);
    let lengths = (0..=seen.len()).map(|start| (matched(&wanted, &seen[start..]), start));
    let best = lengths.max_by_key(|&(matched, start)| (matched.steps, seen.len() - start));
    let (length, at) = best.map_or((0, 0), |(matched, start)| (matched.steps, start + matched.seen));
    match wanted.get(length) {
        None => Ok(()),
        Some(next) => Err(difference(length, &next.text, seen.get(at), &seen, phone)),
    }
}

fn difference(
    matched: usize,
    expected: &str,
    seen: Option<&Step<'_>>,
    all: &[Step<'_>],
    phone: IpAddr,
) -> Difference {
    let name = |end: &End| if end.ip() == Some(phone) { "p".to_owned() } else { "s".to_owned() };
    let start = all.first().map_or(proto::Time::ZERO, |step| step.sight.at);
    Difference {
        matched,
        expected: expected.to_owned(),
        seen: seen.and_then(|step| info(step.sight.kind, step.sight.bytes)),
        all: print(all.iter().map(|step| step.sight), start, name),
    }
}

struct Step<'a> {
    sight: Sight<'a>,
    sender: Actor,
    said: Said<'a>,
}

enum Said<'a> {
    Sip(Box<Message<'a>>),
    Dhcp(&'static str),
    Read(&'a [u8]),
    Restart,
}

impl<'a> Step<'a> {
    fn message(&self) -> Option<&Message<'a>> {
        match &self.said {
            Said::Sip(message) => Some(message),
            _ => None,
        }
    }

    fn status(&self) -> Option<u16> {
        self.message().and_then(|message| message.status())
    }

    fn call_id(&self) -> Option<&'a str> {
        self.message().map(|message| message.call_id())
    }

    fn answers(&self, method: Method) -> bool {
        let of = |message: &Message<'_>| message.cseq().is_some_and(|cseq| cseq.method == method);
        self.message().is_some_and(|message| !message.is_request() && of(message))
    }

    fn is_of(&self, method: Method) -> bool {
        self.message().is_some_and(|message| message.method() == Some(method)) || self.answers(method)
    }
}

/// What of all that passed belongs to the phone and to the protocols that the ladder speaks of.
fn fold<'a>(sights: &[Sight<'a>], phone: IpAddr, ladder: &[Expected]) -> Vec<Step<'a>> {
    let leases = leases(sights, phone);
    let speaks_of = |kinds: fn(&What) -> bool| ladder.iter().any(|step| kinds(&step.what));
    let of_sip = speaks_of(|what| matches!(what, What::Request(_) | What::Status(_) | What::PlugAndPlay));
    let of_dhcp = speaks_of(|what| matches!(what, What::Dhcp(_)));
    let of_files = speaks_of(|what| matches!(what, What::Read(_)));
    let of_restarts = speaks_of(|what| matches!(what, What::Restart));
    let (mut copies, mut rung) = (BTreeSet::new(), BTreeSet::new());
    let mut steps = Vec::new();
    for sight in sights {
        let Some(said) = said(sight) else { continue };
        let is_wanted = match said {
            Said::Sip(_) => of_sip,
            Said::Dhcp(_) => of_dhcp,
            Said::Read(_) => of_files,
            Said::Restart => of_restarts,
        };
        let sender = sender(sight, phone, &leases).filter(|_| is_wanted);
        let Some(sender) = sender else { continue };
        let step = Step { sight: *sight, sender, said };
        let is_new = sight.kind == Kind::Act || copies.insert((sight.from, sight.to, sight.bytes));
        let ring = |message: &Message<'a>| (message.call_id(), message.cseq().map(|cseq| cseq.number));
        let rings_again =
            step.status() == Some(180) && !step.message().is_none_or(|it| rung.insert(ring(it)));
        if is_new && !rings_again && !step.is_of(Method::Options) {
            steps.push(step);
        }
    }
    steps
}

fn said<'a>(sight: &Sight<'a>) -> Option<Said<'a>> {
    Some(match sight.kind {
        Kind::Sip(_) => Said::Sip(Box::new(Message::parse(sight.bytes).ok()?)),
        Kind::Dhcp => Said::Dhcp(dhcp::Message::parse(sight.bytes)?.kind.name()),
        Kind::Tftp => match tftp::packet::Packet::parse(sight.bytes)? {
            tftp::packet::Packet::Read { file, .. } => Said::Read(file),
            _ => return None,
        },
        Kind::Act if sight.bytes.starts_with(RESTART.as_bytes()) => Said::Restart,
        _ => return None,
    })
}

/// What an act of restarting begins with.
const RESTART: &str = "restart";

/// Who sent it, if the phone had to do with it. A phone without an address yet is known by its lease.
fn sender(sight: &Sight<'_>, phone: IpAddr, leases: &BTreeSet<u32>) -> Option<Actor> {
    if sight.kind == Kind::Dhcp {
        let message = dhcp::Message::parse(sight.bytes)?;
        let actor = if message.is_request() { Actor::Phone } else { Actor::Server };
        return leases.contains(&message.transaction()).then_some(actor);
    }
    match (sight.from.ip() == Some(phone), sight.to.ip() == Some(phone)) {
        (true, _) => Some(Actor::Phone),
        (_, true) => Some(Actor::Server),
        _ => None,
    }
}

/// The DHCP exchanges in which the phone got its address, or in which a telephone without one asked.
fn leases(sights: &[Sight<'_>], phone: IpAddr) -> BTreeSet<u32> {
    let messages = || {
        let dhcp = sights.iter().filter(|sight| sight.kind == Kind::Dhcp);
        dhcp.filter_map(|sight| dhcp::Message::parse(sight.bytes))
    };
    let names = |message: &dhcp::Message<'_>| {
        let about = [message.your_ip(), message.client_ip(), message.option_ip(50)];
        about.into_iter().flatten().any(|ip| IpAddr::V4(ip) == phone)
    };
    messages().filter(names).map(|message| message.transaction()).collect()
}

/// Puts each answer to BYE next to its BYE where only goodbyes of other calls stand between: a transfer
/// ends two calls at once, and between calls there is no order.
fn part_goodbyes(steps: &mut [Step<'_>]) {
    for at in 0..steps.len() {
        if !steps[at].answers(Method::Bye) {
            continue;
        }
        let call = steps[at].call_id();
        let asked = steps[..at].iter().rposition(|step| step.call_id() == call).unwrap_or(at);
        let between = steps.get(asked + 1..at).unwrap_or_default();
        if between.iter().all(|step| step.is_of(Method::Bye)) {
            steps[(asked + 1).min(at)..=at].rotate_right(1);
        }
    }
}

/// The ladder without the phone's answers to NOTIFYs: those that follow a NOTIFY before any other
/// request of the server.
fn without_notify_answers(ladder: &[Expected]) -> Vec<&Expected> {
    let mut after_notify = false;
    let mut kept = Vec::new();
    for step in ladder {
        match &step.what {
            What::Request(method) if step.sender == Actor::Server => after_notify = method == "NOTIFY",
            What::Status(_) if step.sender == Actor::Phone && after_notify => continue,
            _ => {}
        }
        kept.push(step);
    }
    kept
}

/// How far a ladder went.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
struct Matched {
    /// Steps of the ladder.
    steps: usize,
    /// What was seen meanwhile.
    seen: usize,
}

/// How many steps of the ladder `seen` begins with.
fn matched(ladder: &[&Expected], seen: &[Step<'_>]) -> Matched {
    let mut matched = Matched::default();
    let mut mac = None;
    while let Some(expected) = ladder.get(matched.steps) {
        let before = matched.seen.checked_sub(1).and_then(|at| seen.get(at));
        let fits = |step: &Step<'_>, mac: &mut Option<String>| {
            let in_time = before.is_none_or(|before| in_time(expected, before, step));
            fits(expected, step, mac) && in_time
        };
        // After its restart a phone may have other things to do before it looks for its profile.
        let rest = seen.get(matched.seen..).unwrap_or_default();
        let candidates = if expected.what == What::PlugAndPlay { rest.len() } else { 1.min(rest.len()) };
        match rest[..candidates].iter().position(|step| fits(step, &mut mac)) {
            Some(at) => matched.seen += at + 1,
            None if expected.is_optional => {}
            None => break,
        }
        matched.steps += 1;
    }
    matched
}

fn fits(expected: &Expected, step: &Step<'_>, mac: &mut Option<String>) -> bool {
    if expected.sender != step.sender {
        return false;
    }
    match (&expected.what, &step.said) {
        (What::Request(_) | What::Status(_), Said::Sip(message)) => {
            is_what(&expected.what, message) && expected.notes.iter().all(|note| says(note, message))
        }
        (What::PlugAndPlay, Said::Sip(message)) => {
            message.method() == Some(Method::Subscribe) && says("ua-profile", message)
        }
        (What::Dhcp(kind), Said::Dhcp(seen)) => kind == seen,
        (What::Read(wanted), Said::Read(file)) => is_file(wanted, &String::from_utf8_lossy(file), mac),
        (What::Restart, Said::Restart) => true,
        _ => false,
    }
}

/// Whether `file` is what `wanted` names, where `mac` stands for the same twelve hex digits throughout.
fn is_file(wanted: &str, file: &str, mac: &mut Option<String>) -> bool {
    let Some(ending) = wanted.strip_prefix("mac") else { return wanted == file };
    let Some(own) = file.strip_suffix(ending) else { return false };
    let is_mac = own.len() == 12 && own.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_mac && mac.get_or_insert_with(|| own.to_owned()) == own
}

fn is_what(what: &What, message: &Message<'_>) -> bool {
    match what {
        What::Request(method) => message.is_request() && message.method_text() == method.as_bytes(),
        What::Status(status) => message.status() == Some(*status),
        _ => false,
    }
}

fn in_time(expected: &Expected, before: &Step<'_>, step: &Step<'_>) -> bool {
    let Some(after_ms) = expected.after_ms else { return true };
    let passed_ms = step.sight.at.since(before.sight.at).as_millis() as u64;
    passed_ms.abs_diff(after_ms) <= TOLERANCE_MS
}

/// Whether a message says what a note asks for.
fn says(note: &str, message: &Message<'_>) -> bool {
    let sound = || {
        let description = description(message)?;
        let index = description.audio_index()?;
        let connection = description.connection_of(index)?;
        Some((description.direction_of(index).name(), connection.is_unspecified()))
    };
    match note {
        "expires 0" => removes(message),
        "sendonly" | "sendrecv" | "recvonly" | "inactive" => {
            sound().is_some_and(|(direction, _)| direction == note)
        }
        "c=0.0.0.0" => sound().is_some_and(|(_, empty)| empty),
        "Replaces" => message.text(Name::ReferTo).is_some_and(|to| to.contains("Replaces=")),
        _ => says_more(note, message),
    }
}

fn says_more(note: &str, message: &Message<'_>) -> bool {
    if let Some(reason) = note.strip_prefix("Diversion ") {
        return diversion(message).as_deref() == Some(reason);
    }
    if let Some(wanted) = note.strip_prefix("Reason ") {
        return cause(message).as_deref() == Some(wanted);
    }
    if let Ok(status) = note.parse::<u16>() {
        return fragment(message) == Some(status);
    }
    let event = message.text(Name::Event);
    event == Some(note) || event.and_then(Event::parse).is_some_and(|event| event.package == note)
}

#[cfg(test)]
mod tests {
    use proto::Time;
    use proto::sip::flow::Transport;

    use super::super::expected::{deck, parse};
    use super::*;

    /// Messages as `milliseconds p>s first line and headers`, one a line, `|` for a line end.
    fn seen(text: &str) -> Vec<(Time, bool, String)> {
        let read = |line: &str| {
            let (at, rest) = line.trim().split_once(' ').expect("a time");
            let (arrow, message) = rest.split_once(' ').expect("an arrow");
            let message = format!("{}\r\n\r\n", message.replace('|', "\r\n"));
            (Time::from_millis(at.parse().expect("a number")), arrow == "p>s", message)
        };
        text.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
    }

    fn socket(text: &str) -> std::net::SocketAddr {
        text.parse().expect("an address")
    }

    fn run(ladder: &str, text: &str) -> Result<(), String> {
        let messages = seen(text);
        let ends = ["10.0.0.1:5060", "10.0.0.9:5060"].map(socket);
        let sight = |(at, by_phone, text): &'_ (Time, bool, String)| {
            let (from, to) = if *by_phone { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
            (*at, from, to, text.clone())
        };
        let sights: Vec<_> = messages.iter().map(sight).collect();
        let sights = sights.iter().map(|(at, from, to, text)| Sight {
            at: *at,
            from: (*from).into(),
            to: (*to).into(),
            kind: Kind::Sip(Transport::Udp),
            place: None,
            bytes: text.as_bytes(),
        });
        let ladders = parse(&format!("it {ladder}"));
        check(&ladders["it"], sights, ends[0].ip())
            .map_err(|difference| format!("{} {:?}", difference.matched, difference.seen))
    }

    const RINGING: &str = "
        0 s>p INVITE sip:1@h SIP/2.0|CSeq: 1 INVITE|Call-ID: a
        1 p>s SIP/2.0 100 Trying|CSeq: 1 INVITE|Call-ID: a
        2 p>s SIP/2.0 180 Ringing|CSeq: 1 INVITE|Call-ID: a
        3 s>p OPTIONS sip:1@h SIP/2.0|CSeq: 7 OPTIONS|Call-ID: o
        4 p>s SIP/2.0 200 OK|CSeq: 7 OPTIONS|Call-ID: o
        5 s>p INVITE sip:1@h SIP/2.0|CSeq: 1 INVITE|Call-ID: a
        500 p>s SIP/2.0 180 Ringing|CSeq: 1 INVITE|Call-ID: a|X: y
        1002 p>s SIP/2.0 480 No|CSeq: 1 INVITE|Call-ID: a|Reason: Q.850;cause=18
        1003 s>p ACK sip:1@h SIP/2.0|CSeq: 1 ACK|Call-ID: a";

    #[test]
    fn repetitions_and_options_are_folded_and_times_are_held() {
        let dnd = "s>p INVITE; p>s 100; p>s 180; +1.0 s p>s 480(Reason Q.850 18); s>p ACK";
        assert_eq!(run(dnd, RINGING), Ok(()));
        let late = dnd.replace("+1.0", "+2.0");
        assert_eq!(run(&late, RINGING), Err("3 Some(\"Status: 480 No (INVITE) (Q.850 18)\")".to_owned()));
        assert!(run(&dnd.replace("Q.850 18", "Q.850 17"), RINGING).is_err());
        assert!(run(&format!("{dnd}; p>s BYE"), RINGING).is_err_and(|text| text == "5 None"));
    }

    #[test]
    fn goodbyes_of_two_calls_may_cross_and_those_of_one_may_not() {
        let text = "
            0 s>p BYE sip:1@h SIP/2.0|CSeq: 1 BYE|Call-ID: a
            0 s>p BYE sip:1@h SIP/2.0|CSeq: 1 BYE|Call-ID: b
            1 p>s SIP/2.0 200 OK|CSeq: 1 BYE|Call-ID: a
            1 p>s SIP/2.0 200 OK|CSeq: 1 BYE|Call-ID: b";
        assert_eq!(run("s>p BYE; p>s 200; s>p BYE; p>s 200", text), Ok(()));
        assert!(run("s>p BYE; p>s 200", &text.replace("ID: b", "ID: a").replace("200", "481")).is_err());
    }

    #[test]
    fn a_ladder_may_begin_anywhere_but_has_no_gaps() {
        assert_eq!(run("p>s 180; p>s 480; s>p ACK", RINGING), Ok(()));
        assert_eq!(
            run("p>s 100; p>s 480", RINGING),
            Err("1 Some(\"Status: 180 Ringing (INVITE)\")".to_owned())
        );
    }

    #[test]
    fn answers_to_notifys_come_in_any_order_but_must_be_200() {
        let text = "
            0 s>p NOTIFY sip:1@h SIP/2.0|CSeq: 1 NOTIFY|Event: refer
            1 s>p NOTIFY sip:1@h SIP/2.0|CSeq: 2 NOTIFY|Event: refer
            2 p>s SIP/2.0 200 OK|CSeq: 2 NOTIFY
            3 p>s BYE sip:1@h SIP/2.0|CSeq: 9 BYE
            4 p>s SIP/2.0 200 OK|CSeq: 1 NOTIFY
            5 s>p SIP/2.0 200 OK|CSeq: 9 BYE";
        let ladder = "s>p NOTIFY; s>p NOTIFY; p>s 200 x2; p>s BYE; s>p 200";
        assert_eq!(run(ladder, text), Ok(()));
        assert!(run(ladder, &text.replace("200 OK|CSeq: 1 N", "481 No|CSeq: 1 N")).is_err());
    }

    /// One thing that passed: who to whom, what, and its bytes.
    type Passed = (&'static str, &'static str, Kind, Vec<u8>);

    fn judge(name: &str, passed: &[Passed]) -> Result<(), String> {
        let sights = passed.iter().map(|(from, to, kind, bytes)| Sight {
            at: Time::ZERO,
            from: socket(from).into(),
            to: socket(to).into(),
            kind: *kind,
            place: None,
            bytes,
        });
        check(&deck()[name], sights, socket("10.0.0.1:0").ip())
            .map_err(|difference| format!("{} {:?}", difference.matched, difference.seen))
    }

    fn dhcp_message(from_client: bool, kind: u8) -> Vec<u8> {
        let mut bytes = vec![0; 240];
        bytes[0] = if from_client { 1 } else { 2 };
        bytes[4..8].copy_from_slice(&[9, 9, 9, 9]);
        if !from_client {
            bytes[16..20].copy_from_slice(&[10, 0, 0, 1]);
        }
        bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
        bytes.extend_from_slice(&[53, 1, kind, 255]);
        bytes
    }

    /// The deck's first start: DHCP names a server, the phone asks it for five files.
    fn option_66() -> Vec<Passed> {
        let client = |kind| ("0.0.0.0:68", "255.255.255.255:67", Kind::Dhcp, dhcp_message(true, kind));
        let server = |kind| ("10.0.0.2:67", "255.255.255.255:68", Kind::Dhcp, dhcp_message(false, kind));
        let file = |name: &str| {
            let bytes = format!("\0\u{1}{name}\0octet\0").into_bytes();
            ("10.0.0.1:40000", "10.0.0.3:69", Kind::Tftp, bytes)
        };
        let data = ("10.0.0.3:5000", "10.0.0.1:40000", Kind::Tftp, b"\0\x03\0\x01abc".to_vec());
        let common = ["y000000000000.boot", "y000000000000.cfg"].map(file);
        let [boot, cfg] = common;
        let (own, own_boot) = (file("0021f222b021"), file("0021f222b021.boot"));
        vec![client(1), server(2), client(3), server(5), own, own_boot.clone(), own_boot, boot, data, cfg]
    }

    #[test]
    fn provisioning_by_option_66_is_judged() {
        assert_eq!(judge("provision-66", &option_66()), Ok(()));
        let own_cfg = b"\0\x010021f222b021.cfg\0octet\0".to_vec();
        let all = [option_66(), vec![("10.0.0.1:1", "10.0.0.3:69", Kind::Tftp, own_cfg)]].concat();
        assert_eq!(judge("provision-66", &all), Ok(()));
        let without_offer: Vec<_> = option_66()
            .into_iter()
            .filter(|passed| passed.3.get(242) != Some(&2) || passed.2 != Kind::Dhcp)
            .collect();
        assert_eq!(
            judge("provision-66", &without_offer),
            Err("1 Some(\"DHCP REQUEST (000000000000)\")".to_owned())
        );
        let mut foreign = option_66();
        foreign[5].3[3] = b'7';
        foreign[6].3[3] = b'7';
        assert!(judge("provision-66", &foreign).is_err_and(|text| text.starts_with("5 ")));
    }

    #[test]
    fn check_sync_with_a_restart_is_judged() {
        let sip = Kind::Sip(Transport::Udp);
        let text = |text: &str| format!("{}\r\n\r\n", text.replace('|', "\r\n")).into_bytes();
        let notify = text("NOTIFY sip:1@h SIP/2.0|CSeq: 1 NOTIFY|Event: check-sync;reboot=true");
        let passed = |restart: &str| {
            vec![
                ("10.0.0.9:5060", "10.0.0.1:5060", sip, notify.clone()),
                ("10.0.0.1:5060", "10.0.0.9:5060", sip, text("SIP/2.0 200 OK|CSeq: 1 NOTIFY")),
                ("10.0.0.1:0", "10.0.0.1:0", Kind::Act, restart.as_bytes().to_vec()),
                (
                    "10.0.0.1:5060",
                    "10.0.0.9:5060",
                    sip,
                    text("REGISTER sip:h SIP/2.0|CSeq: 1 REGISTER|Expires: 0"),
                ),
                (
                    "10.0.0.1:5060",
                    "224.0.1.75:5060",
                    sip,
                    text("SUBSCRIBE sip:MAC@224.0.1.75 SIP/2.0|CSeq: 1 SUBSCRIBE|Event: ua-profile;vendor=x"),
                ),
            ]
        };
        assert_eq!(judge("check-sync", &passed("restart: check-sync")), Ok(()));
        assert!(judge("check-sync", &passed("power cut")).is_err());
        assert!(judge("check-sync", &passed("restart")[..4]).is_err());
    }
}
