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

use super::expected::{Actor, Expected, What};
use super::info::{cause, description, diversion, fragment, info, removes};
use super::{Sight, print};

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
    let seen = fold(sights, phone);
    let wanted = without_notify_answers(ladder);
    if let Some(bad) =
        seen.iter().find(|step| step.answers(Method::Notify) && step.message.status() != Some(200))
    {
        return Err(difference(0, "200 to each NOTIFY", Some(bad), &seen, phone));
    }
    let mut seen: Vec<Step<'_>> = seen.into_iter().filter(|step| !step.answers(Method::Notify)).collect();
    part_goodbyes(&mut seen);
    let lengths = (0..=seen.len()).map(|start| (matched(&wanted, &seen[start..]), start));
    let (length, start) =
        lengths.max_by_key(|&(length, start)| (length, seen.len() - start)).unwrap_or((0, 0));
    match wanted.get(length) {
        None => Ok(()),
        Some(next) => Err(difference(length, &next.text, seen.get(start + length), &seen, phone)),
    }
}

fn difference(
    matched: usize,
    expected: &str,
    seen: Option<&Step<'_>>,
    all: &[Step<'_>],
    phone: IpAddr,
) -> Difference {
    let name = |ip: IpAddr| if ip == phone { "p".to_owned() } else { "s".to_owned() };
    let start = all.first().map_or(proto::Time::ZERO, |step| step.sight.at);
    Difference {
        matched,
        expected: expected.to_owned(),
        seen: seen.map(|step| info(&step.message)),
        all: print(all.iter().map(|step| step.sight), start, name),
    }
}

struct Step<'a> {
    sight: Sight<'a>,
    sender: Actor,
    message: Message<'a>,
}

impl Step<'_> {
    fn answers(&self, method: Method) -> bool {
        !self.message.is_request() && self.message.cseq().is_some_and(|cseq| cseq.method == method)
    }

    fn is_of(&self, method: Method) -> bool {
        self.message.method() == Some(method) || self.answers(method)
    }
}

fn fold<'a>(sights: impl IntoIterator<Item = Sight<'a>>, phone: IpAddr) -> Vec<Step<'a>> {
    let (mut copies, mut rung) = (BTreeSet::new(), BTreeSet::new());
    let mut steps = Vec::new();
    for sight in sights {
        let sender = match (sight.from.ip() == phone, sight.to.ip() == phone) {
            (true, _) => Actor::Phone,
            (_, true) => Actor::Server,
            _ => continue,
        };
        let Ok(message) = Message::parse(sight.bytes) else { continue };
        let step = Step { sight, sender, message };
        let is_new = copies.insert((sight.from, sight.to, sight.bytes));
        let rings_again = step.message.status() == Some(180)
            && !rung.insert((step.message.call_id().to_owned(), step.message.cseq().map(|cseq| cseq.number)));
        if is_new && !rings_again && !step.is_of(Method::Options) {
            steps.push(step);
        }
    }
    steps
}

/// Puts each answer to BYE next to its BYE where only goodbyes of other calls stand between: a transfer
/// ends two calls at once, and between calls there is no order.
fn part_goodbyes(steps: &mut [Step<'_>]) {
    for at in 0..steps.len() {
        if !steps[at].answers(Method::Bye) {
            continue;
        }
        let call = steps[at].message.call_id();
        let asked = steps[..at].iter().rposition(|step| step.message.call_id() == call).unwrap_or(at);
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

/// How many steps of the ladder `seen` begins with.
fn matched(ladder: &[&Expected], seen: &[Step<'_>]) -> usize {
    let fits = |at: usize| {
        let (expected, step) = (ladder[at], &seen[at]);
        expected.sender == step.sender
            && is_what(&expected.what, &step.message)
            && expected.notes.iter().all(|note| says(note, &step.message))
            && (at == 0 || in_time(expected, &seen[at - 1], step))
    };
    (0..ladder.len().min(seen.len())).take_while(|&at| fits(at)).count()
}

fn is_what(what: &What, message: &Message<'_>) -> bool {
    match what {
        What::Request(method) => message.is_request() && message.method_text() == method.as_bytes(),
        What::Status(status) => message.status() == Some(*status),
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

    use super::super::expected::parse;
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

    fn run(ladder: &str, text: &str) -> Result<(), String> {
        let messages = seen(text);
        let ends = ["10.0.0.1:5060", "10.0.0.9:5060"].map(|text| text.parse().expect("an address"));
        let sight = |(at, by_phone, text): &'_ (Time, bool, String)| {
            let (from, to) = if *by_phone { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
            (*at, from, to, text.clone())
        };
        let sights: Vec<_> = messages.iter().map(sight).collect();
        let sights = sights.iter().map(|(at, from, to, text)| Sight {
            at: *at,
            from: *from,
            to: *to,
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
}
