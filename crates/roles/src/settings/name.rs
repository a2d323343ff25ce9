//! What may have been meant by a name that no parameter has.

use super::fault::{Fault, FaultKind, Severity};
use super::key::{BadKey, Key, without_static};
use super::table::TABLE;

/// Longest name for which a similar one is looked up, in bytes.
const LONGEST_NAME_BYTES: usize = 100;
/// Longest part of an unknown name that is repeated in a message, in characters.
const SHOWN_CHARS: usize = 60;

/// The known name that is nearest to `name` by edit distance, with the indices of `name`; none if
/// nothing is near.
pub fn nearest_key(name: &str) -> Option<String> {
    let name = without_static(name);
    if name.len() > LONGEST_NAME_BYTES {
        return None;
    }
    let wanted = pattern_of(name);
    let most = (wanted.len() / 4).max(2);
    let near = TABLE.iter().filter(|row| row.key.len().abs_diff(wanted.len()) <= most);
    let nearest =
        near.map(|row| (distance(wanted.as_bytes(), row.key.as_bytes()), row)).min_by_key(|it| it.0)?;
    (nearest.0 <= most).then(|| with_indices(nearest.1.key, name))
}

/// A fault for a name that is not a parameter.
pub(super) fn fault_of_key(name: &str, bad: &BadKey) -> Fault {
    let shown: String = name.chars().filter(|letter| !letter.is_control()).take(SHOWN_CHARS).collect();
    match bad {
        BadKey::Index { most } => {
            let message = format!("{shown}: the index goes from 1 to {most}");
            Fault::new(Severity::Error, FaultKind::BadIndex, message).about(shown)
        }
        BadKey::Unknown => {
            let message = format!("no parameter is called {shown}");
            let fault = Fault::new(Severity::Warning, FaultKind::UnknownKey, message).about(shown);
            match nearest_key(name) {
                Some(near) => {
                    Fault { hint: Some(format!("did you mean {near}?")), nearest: Some(near), ..fault }
                }
                None => fault.with_hint("a phone ignores this line"),
            }
        }
    }
}

/// The name with `X` for each index, and `N` for the second as the table writes it.
fn pattern_of(name: &str) -> String {
    let mut letters = ["X", "N"].into_iter();
    let segment = |segment: &str| {
        let is_index = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        if is_index { letters.next().unwrap_or("N").to_owned() } else { segment.to_lowercase() }
    };
    name.split('.').map(segment).collect::<Vec<_>>().join(".")
}

fn with_indices(pattern: &str, name: &str) -> String {
    let digits = |segment: &&str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let mut indices = name.split('.').filter(digits);
    let segments = pattern.split('.').map(|segment| match segment {
        "X" | "N" => indices.next().unwrap_or(segment),
        _ => segment,
    });
    segments.collect::<Vec<_>>().join(".")
}

/// How many letters must be put in, taken out or changed (Levenshtein).
pub fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, byte) in one.iter().enumerate() {
        let mut corner = at;
        let mut left = at + 1;
        for (cell, other_byte) in row.iter_mut().skip(1).zip(other) {
            let changed = corner + usize::from(byte != other_byte);
            corner = *cell;
            left = changed.min(corner + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The parameter of a name, for callers that have no settings at hand.
impl std::str::FromStr for Key {
    type Err = Fault;

    fn from_str(name: &str) -> Result<Self, Fault> {
        Key::parse(name).map_err(|bad| fault_of_key(name, &bad))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"same", b"same"), 0);
    }

    #[track_caller]
    fn check(name: &str, near: Option<&str>) {
        assert_eq!(nearest_key(name).as_deref(), near, "{name}");
    }

    #[test]
    fn the_nearest_name_is_near() {
        check("account.3.user_nam", Some("account.3.user_name"));
        check("account.1.sip_server.2.adress", Some("account.1.sip_server.2.address"));
        check("static.linekey.7.vlaue", Some("linekey.7.value"));
        check("Account.1.Enable", Some("account.1.enable"));
        check("something.entirely.different", None);
        check(&"a".repeat(5_000), None);
    }
}
