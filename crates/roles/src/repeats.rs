//! Lines of one kind from one source: the first are shown, the others are counted and summed up.
//!
//! Whoever can cause lines can cause any number of them. Here a kind from one source fills neither disk
//! nor screen, whatever it does.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto::Time;

/// After so long what was left out is told, and counting begins anew.
pub const WINDOW: Duration = Duration::from_secs(10);
/// Lines of one kind from one source that are shown in a window.
const SHOWN: u64 = 10;
/// Lines of one kind from all sources that are shown in a window.
const SHOWN_OF_KIND: u64 = 200;
/// Kinds with their sources that are told apart in a window.
const MOST: usize = 1_024;
/// The longest name of a kind or source, in characters.
const LONGEST: usize = 100;
/// Stands for all sources beyond those that are told apart.
const OTHERS: &str = "other sources";

/// Counts lines.
#[derive(Debug, Default)]
pub struct Repeats {
    /// When the window is over; none while nothing was counted.
    ends: Option<Time>,
    by_source: BTreeMap<(String, String), Count>,
    by_kind: BTreeMap<String, u64>,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Count {
    shown: u64,
    left_out: u64,
}

/// Lines that were left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sum {
    /// What kind of line.
    pub kind: String,
    /// From where; empty where a line names nobody.
    pub source: String,
    /// How many.
    pub count: u64,
}

impl Repeats {
    /// Whether a line of that kind from that source is to be shown.
    pub fn admit(&mut self, now: Time, kind: &str, source: &str) -> bool {
        let (kind, source) = (short(kind), short(source));
        self.ends.get_or_insert(now + WINDOW);
        let is_known = self.by_source.contains_key(&(kind.clone(), source.clone()));
        let (kind, source) = match is_known || self.by_source.len() < MOST {
            true => (kind, source),
            false => (self.known_kind(kind), OTHERS.to_owned()),
        };
        let of_kind = self.by_kind.entry(kind.clone()).or_default();
        let count = self.by_source.entry((kind, source)).or_default();
        let is_shown = count.shown < SHOWN && *of_kind < SHOWN_OF_KIND;
        if is_shown {
            *of_kind += 1;
            count.shown += 1;
        } else {
            count.left_out += 1;
            self.left_out += 1;
        }
        is_shown
    }

    /// The kind itself, or one name for all that come when there are too many.
    fn known_kind(&self, kind: String) -> String {
        if self.by_kind.contains_key(&kind) { kind } else { "other lines".to_owned() }
    }

    /// When there may be something to sum up.
    pub fn ends(&self) -> Option<Time> {
        self.ends
    }

    /// When what was left out is to be told; `None` where nothing was.
    pub fn owes(&self) -> Option<Time> {
        self.ends.filter(|_| self.left_out > 0)
    }

    /// What was left out in a window that is over, the most first.
    pub fn take(&mut self, now: Time) -> Vec<Sum> {
        if self.ends.is_none_or(|ends| now < ends) {
            return Vec::new();
        }
        self.take_all()
    }

    /// What was left out so far, the most first.
    pub fn take_all(&mut self) -> Vec<Sum> {
        let counts = std::mem::take(self).by_source;
        let sum =
            |((kind, source), count): ((String, String), Count)| Sum { kind, source, count: count.left_out };
        let mut sums: Vec<Sum> =
            counts.into_iter().filter(|(_, count)| count.left_out > 0).map(sum).collect();
        sums.sort_by_key(|sum| std::cmp::Reverse(sum.count));
        sums
    }
}

impl Sum {
    /// In words.
    pub fn words(&self) -> String {
        let Self { kind, source, count } = self;
        let from = if source.is_empty() { String::new() } else { format!(" from {source}") };
        format!("{count} more lines of `{kind}`{from} in {} s are not shown", WINDOW.as_secs())
    }
}

/// What kind of line a text is, and from whom: the text with `#` for each word that has a digit, and the
/// first address in it.
pub fn kind_and_source(text: &str) -> (String, String) {
    let words = || text.split_whitespace().map(|word| word.trim_matches([',', ';', '(', ')', '\'', '.']));
    let source = words().find_map(address).unwrap_or_default();
    let kind: Vec<&str> =
        words().map(|word| if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word }).collect();
    (kind.join(" "), source)
}

/// The host of an address with or without a port.
pub fn address(text: &str) -> Option<String> {
    let with_port = text.parse::<SocketAddr>().ok().map(|at| at.ip());
    let ip = with_port.or_else(|| text.trim_matches(['[', ']', ':']).parse::<IpAddr>().ok());
    ip.map(|ip| ip.to_string())
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Time {
        Time::from_secs(1_000 + second)
    }

    #[test]
    fn lines_of_one_kind_and_source_are_summed_up() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.ends(), None);
        let shown = |repeats: &mut Repeats, source| {
            (0..1_000).filter(|_| repeats.admit(at(0), "blocked", source)).count() as u64
        };
        assert_eq!((shown(&mut repeats, "192.0.2.1"), shown(&mut repeats, "192.0.2.2")), (SHOWN, SHOWN));
        assert!(repeats.admit(at(9), "banned", "192.0.2.1"), "another kind is shown");
        assert_eq!(repeats.take(at(9)), []);
        let sum = |source: &str| Sum { kind: "blocked".into(), source: source.into(), count: 1_000 - SHOWN };
        assert_eq!(repeats.take(at(10)), [sum("192.0.2.1"), sum("192.0.2.2")]);
        assert_eq!(
            sum("192.0.2.1").words(),
            "990 more lines of `blocked` from 192.0.2.1 in 10 s are not shown"
        );
        assert!(repeats.admit(at(11), "blocked", "192.0.2.1"), "a new window");
    }

    #[test]
    fn what_is_counted_is_bounded_and_so_is_what_is_shown() {
        let mut repeats = Repeats::default();
        let shown =
            (0..100_000).filter(|number| repeats.admit(at(0), "blocked", &number.to_string())).count();
        assert_eq!(shown as u64, SHOWN_OF_KIND);
        let shown = (0..100_000).filter(|number| repeats.admit(at(0), &number.to_string(), "x")).count();
        assert!(shown as u64 <= SHOWN, "{shown}");
        assert!(repeats.by_source.len() <= MOST + 2 && repeats.by_kind.len() <= MOST + 1);
        let left_out: u64 = repeats.take_all().iter().map(|sum| sum.count).sum();
        assert_eq!(left_out, 200_000 - SHOWN_OF_KIND - shown as u64);
    }

    #[test]
    fn a_text_tells_its_kind_and_source() {
        let check = |text: &str, kind: &str, source: &str| {
            assert_eq!(kind_and_source(text), (kind.to_owned(), source.to_owned()));
        };
        check("192.0.2.1:5060 on TLS was closed: line 7", "# on TLS was closed: line #", "192.0.2.1");
        check("[2001:db8::1]:5060 is gone", "# is gone", "2001:db8::1");
        check("the disk is full", "the disk is full", "");
    }
}
