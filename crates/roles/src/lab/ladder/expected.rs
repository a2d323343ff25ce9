//! The notation of `ladders.txt`.
//!
//! A line is a name and steps divided by `;`. A step is `p>s` or `s>p` and a method or a status, with
//! notes in parentheses: what the message must say. `+10.0 s` before a step is the time since the step
//! before it, `x3` after it a count, `then NAME` another ladder; words in brackets or parentheses before
//! a step are for the reader.

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

/// A request or an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A request by this method.
    Request(String),
    /// An answer with this status.
    Status(u16),
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
    /// The step as written.
    pub text: String,
}

/// The ladders of the deck, by name. Those that are not of SIP messages alone are left out.
pub fn deck() -> &'static BTreeMap<String, Vec<Expected>> {
    static DECK: LazyLock<BTreeMap<String, Vec<Expected>>> =
        LazyLock::new(|| parse(include_str!("../ladders.txt")));
    &DECK
}

/// Reads the notation. A line that is not of SIP messages alone is passed over.
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

/// One step, as many times as it says; `None` where it is no SIP message.
fn step(text: &str) -> Option<Vec<Expected>> {
    let (before, sender, rest) = ["p>s ", "s>p "].into_iter().find_map(|arrow| {
        let (before, rest) = text.split_once(arrow)?;
        let sender = if arrow.starts_with('p') { Actor::Phone } else { Actor::Server };
        Some((before, sender, rest))
    })?;
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
    let one = Expected { sender, what, notes, after_ms: after_ms(before), text: text.to_owned() };
    Some(vec![one; count])
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
        assert!(!deck().contains_key("provision-66"));
    }

    #[test]
    fn ladders_that_turn_in_a_circle_end() {
        assert!(parse("a then b\nb then a\n").is_empty());
    }
}
