//! A whole ladder held against the one that a case has written down: no message too few, none too many.

use std::collections::{BTreeMap, BTreeSet};

use super::Sight;

/// The most lines that are named of each kind.
const MAX_NAMED: usize = 8;

/// The first line in which a ladder, times apart, is not the one that is written; `None` where it is.
pub fn first_difference(written: &str, seen: &str) -> Option<String> {
    let (mut written, mut seen) = (written.lines().map(untimed), seen.lines().map(untimed));
    for number in 1.. {
        match (written.next(), seen.next()) {
            (None, None) => break,
            (wanted, came) if wanted == came => {}
            (wanted, came) => {
                let [wanted, came] = [wanted, came].map(|line| line.unwrap_or("the end"));
                return Some(format!("message {number} of the ladder is `{came}` instead of `{wanted}`"));
            }
        }
    }
    None
}

/// What a ladder has too few or too many of, times and order apart; `None` where nothing.
pub fn missing_and_extra(written: &str, seen: &str) -> Option<String> {
    let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
    written.lines().for_each(|line| *balance.entry(untimed(line)).or_default() -= 1);
    seen.lines().for_each(|line| *balance.entry(untimed(line)).or_default() += 1);
    let named = |what: &str, wanted: fn(i64) -> bool| {
        let lines = balance.iter().filter(|(_, count)| wanted(**count));
        let lines: Vec<_> = lines.take(MAX_NAMED).map(|(line, _)| format!("{what} `{line}`")).collect();
        lines.join(", ")
    };
    let both = [named("missing", |count| count < 0), named("too many", |count| count > 0)];
    let faults: Vec<_> = both.into_iter().filter(|text| !text.is_empty()).collect();
    (!faults.is_empty()).then(|| format!("messages of the ladder: {}", faults.join("; ")))
}

/// What was sent, each once: a busy machine repeats what an idle one does not.
pub fn without_copies<'a>(sights: impl IntoIterator<Item = Sight<'a>>) -> impl Iterator<Item = Sight<'a>> {
    let mut copies = BTreeSet::new();
    sights.into_iter().filter(move |sight| copies.insert((sight.from, sight.to, sight.bytes)))
}

/// A line of a ladder without its time.
fn untimed(line: &str) -> &str {
    line.trim_start().split_once("  ").map_or(line, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "0.000  a → b  INVITE\n0.001  b → a  180\n 9.000  b → a  180\n";

    #[track_caller]
    fn check(seen: &str, first: Option<&str>, balance: Option<&str>) {
        assert_eq!(first_difference(WRITTEN, seen).as_deref(), first);
        assert_eq!(missing_and_extra(WRITTEN, seen).as_deref(), balance);
    }

    #[test]
    fn times_do_not_matter_and_every_message_does() {
        check("0.700  a → b  INVITE\n10.701  b → a  180\n10.702  b → a  180\n", None, None);
        check(
            "0.000  a → b  INVITE\n0.001  b → a  180\n",
            Some("message 3 of the ladder is `the end` instead of `b → a  180`"),
            Some("messages of the ladder: missing `b → a  180`"),
        );
        check(
            &format!("{WRITTEN}9.500  b → a  BYE\n"),
            Some("message 4 of the ladder is `b → a  BYE` instead of `the end`"),
            Some("messages of the ladder: too many `b → a  BYE`"),
        );
    }

    #[test]
    fn order_matters_where_it_is_kept() {
        check(
            "0.000  b → a  180\n0.001  a → b  INVITE\n9.000  b → a  180\n",
            Some("message 1 of the ladder is `b → a  180` instead of `a → b  INVITE`"),
            None,
        );
    }
}
