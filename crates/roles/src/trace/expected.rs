//! The notation of `ladders.txt`.
//!
//! A line is a name and steps divided by `;`. A step is `p>s` or `s>p` and a method or a status, with
//! notes in parentheses: what the message must say. `+10.0 s` before a step is the time since the step
//! before it, `x3` after it a count, `then NAME` another ladder; words in brackets or parentheses before
//! a step are for the reader.
//!
//! Steps without an arrow: `DISCOVER OFFER REQUEST ACK` are DHCP messages, `RRQ mac.cfg` is a file asked for
//! by TFTP (`mac` is the phone's own), `reboot` is a restart, `PnP SUBSCRIBE` the phone's search for its
//! profile. A step in parentheses may be missing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Who sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Actor {
    /// The phone.
    Phone,
    /// The server.
    Server,
}

/// What is sent or happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A request by this method.
    Request(String),
    /// An answer with this status.
    Status(u16),
    /// A DHCP message of this kind.
    Dhcp(String),
    /// A file asked for by TFTP.
    Read(String),
    /// The phone starts again.
    Restart,
    /// The phone asks everybody for its profile (SUBSCRIBE for `ua-profile`).
    PlugAndPlay,
}

/// One message that must be seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Who sends it.
    pub sender: Actor,
    /// Request or answer.
    pub what: What,
    /// What it must say: `sendonly`, `expires 0`, `Diversion user-busy`.
    pub notes: Vec<String>,
    /// Milliseconds since the message before it.
    pub after_ms: Option<u64>,
    /// Whether it may be missing.
    pub is_optional: bool,
    /// The step as written.
    pub text: String,
}

/// The ladders of the deck, by name.
pub fn deck() -> &'static BTreeMap<String, Vec<Expected>> {
    static DECK: LazyLock<BTreeMap<String, Vec<Expected>>> =
        LazyLock::new(|| parse(include_str!("ladders.txt")));
    &DECK
}

/// Reads the notation. A line that cannot be read is passed over.
pub(super) fn parse(text: &str) -> BTreeMap<String, Vec<Expected>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let split = lines.filter_map(|line| line.split_once(char::is_whitespace));
    let written: BTreeMap<&str, &str> = split.collect();
    let names = written.keys().filter_map(|&name| Some((name.to_owned(), steps(name, &written, 0)?)));
    names.collect()
}

/// How often one ladder may send the reader to another.
const MAX_DEPTH: usize = 4;

fn steps(name: &str, written: &BTreeMap<&str, &str>, depth: usize) -> Option<Vec<Expected>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut all = Vec::new();
    for text in written.get(name)?.split(';').collect::<Joined>().0 {
        match text.strip_prefix("then ") {
            Some(other) => all.extend(steps(other, written, depth + 1)?),
            None => all.extend(step(&text)?),
        }
    }
    Some(all)
}

/// Pieces between semicolons; one inside parentheses divides nothing.
struct Joined(Vec<String>);

impl<'a> FromIterator<&'a str> for Joined {
    fn from_iter<I: IntoIterator<Item = &'a str>>(pieces: I) -> Self {
        let mut all: Vec<String> = Vec::new();
        for piece in pieces {
            let open = |text: &str| text.matches('(').count() > text.matches(')').count();
            match all.last_mut().filter(|last| open(last)) {
                Some(last) => {
                    last.push(';');
                    last.push_str(piece);
                }
                None => all.push(piece.to_owned()),
            }
        }
        Joined(all.into_iter().map(|text| text.trim().to_owned()).collect())
    }
}

/// One step, as many times as it says, or the several DHCP messages that it names; `None` where it is neither.
fn step(text: &str) -> Option<Vec<Expected>> {
    let arrow = ["p>s ", "s>p "].into_iter().find_map(|arrow| {
        let (before, rest) = text.split_once(arrow)?;
        let sender = if arrow.starts_with('p') { Actor::Phone } else { Actor::Server };
        Some((before, sender, rest))
    });
    let Some((before, sender, rest)) = arrow else { return beside_sip(text) };
    let (rest, count) = match rest.rsplit_once(" x") {
        Some((rest, count)) => (rest, count.parse().ok()?),
        None => (rest, 1),
    };
    let (word, notes) = match rest.split_once('(') {
        Some((word, notes)) => {
            (word.trim(), notes.strip_suffix(')')?.split(", ").map(str::to_owned).collect())
        }
        None => (rest.trim(), Vec::new()),
    };
    let what = match word.parse() {
        Ok(status) => What::Status(status),
        Err(_) => What::Request(word.to_owned()),
    };
    let after_ms = after_ms(before);
    let one = Expected { sender, what, notes, after_ms, is_optional: false, text: text.to_owned() };
    Some(vec![one; count])
}

/// A step that is no SIP message of a dialog: DHCP, TFTP, a restart, plug and play.
fn beside_sip(text: &str) -> Option<Vec<Expected>> {
    let inside = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let one = |sender: Actor, what: What| Expected {
        sender,
        what,
        notes: Vec::new(),
        after_ms: None,
        is_optional: inside.is_some(),
        text: text.to_owned(),
    };
    let words: Vec<&str> = inside.unwrap_or(text).split_whitespace().collect();
    match &words[..] {
        ["reboot"] => Some(vec![one(Actor::Phone, What::Restart)]),
        ["PnP", "SUBSCRIBE"] => Some(vec![one(Actor::Phone, What::PlugAndPlay)]),
        ["RRQ", file] => Some(vec![one(Actor::Phone, What::Read((*file).to_owned()))]),
        words => {
            words.iter().map(|word| Some(one(dhcp_sender(word)?, What::Dhcp((*word).to_owned())))).collect()
        }
    }
}

fn dhcp_sender(kind: &str) -> Option<Actor> {
    match kind {
        "DISCOVER" | "REQUEST" | "DECLINE" | "RELEASE" | "INFORM" => Some(Actor::Phone),
        "OFFER" | "ACK" | "NAK" => Some(Actor::Server),
        _ => None,
    }
}

/// `+10.0 s` as milliseconds.
fn after_ms(before: &str) -> Option<u64> {
    let seconds = before.trim().strip_prefix('+')?.strip_suffix('s')?.trim().parse::<f64>().ok()?;
    Some((seconds * 1_000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, count: usize, at: usize, what: What, notes: &[&str], after_ms: Option<u64>) {
        let ladder = deck().get(name).unwrap_or_else(|| panic!("no ladder {name}"));
        assert_eq!(ladder.len(), count, "{ladder:?}");
        let step = &ladder[at];
        assert_eq!((&step.what, step.after_ms), (&what, after_ms), "{step:?}");
        assert_eq!(step.notes, notes);
    }

    #[test]
    fn the_decks_ladders_are_read() {
        let request = |method: &str| What::Request(method.to_owned());
        check("boot-register", 8, 0, request("REGISTER"), &["expires 0"], None);
        check("boot-register", 8, 7, What::Status(200), &[], None);
        check("hold", 14, 8, request("INVITE"), &["sendonly", "c=0.0.0.0"], None);
        check("hold", 14, 11, request("INVITE"), &["sendrecv"], None);
        check("blind-transfer", 13, 10, What::Status(200), &[], None);
        check("attended-transfer", 14, 8, request("REFER"), &["Replaces"], None);
        check("forward-busy", 4, 0, request("INVITE"), &[], None);
        check("dnd", 5, 3, What::Status(480), &["Reason Q.850 18"], Some(1_000));
        check("forward-no-answer", 5, 3, What::Status(302), &["Diversion no-answer"], Some(10_000));
        check("provision-66", 9, 1, What::Dhcp("OFFER".to_owned()), &[], None);
        check("provision-66", 9, 4, What::Read("mac".to_owned()), &[], None);
        check("provision-66", 9, 8, What::Read("mac.cfg".to_owned()), &[], None);
        assert!(deck()["provision-66"][8].is_optional && !deck()["provision-66"][7].is_optional);
        check("check-sync", 4, 0, request("NOTIFY"), &["check-sync;reboot=true"], None);
        check("check-sync", 4, 2, What::Restart, &[], None);
        check("check-sync", 4, 3, What::PlugAndPlay, &[], None);
    }

    #[test]
    fn every_ladder_of_the_file_is_read() {
        let lines = include_str!("ladders.txt").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(deck().len(), lines.filter(|line| !line.trim().is_empty()).count());
    }

    #[test]
    fn ladders_that_turn_in_a_circle_end() {
        assert!(parse("a then b\nb then a\n").is_empty());
    }
}
