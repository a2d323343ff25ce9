//! What a person wants to know about a parameter, and what he may have meant by a name.

use std::fmt::Write as _;

use serde::Serialize;

use super::fault::{Fault, FaultKind, Severity};
use super::key::{BadKey, Key, without_static};
use super::row::{Effect, Origin, Row};
use super::store::{Settings, Source, Value};
use super::table::{TABLE, find};

/// Longest name for which a similar one is looked up, in bytes.
const LONGEST_NAME_BYTES: usize = 100;
/// Longest part of an unknown name that is repeated in a message, in characters.
const SHOWN_CHARS: usize = 60;

/// All about a parameter by its name, with an index or with `X` in its place.
///
/// # Errors
/// An unknown name, with the nearest known one.
pub fn explain(name: &str) -> Result<String, Fault> {
    let id = find(without_static(name)).ok_or_else(|| fault_of_key(name, &BadKey::Unknown))?;
    Ok(text_of(id.row()))
}

/// What a program is told of a parameter beside its value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct About {
    /// What it is for, in one sentence.
    pub help: &'static str,
    /// Which values it takes, in words.
    pub takes: String,
    /// The factory's value.
    pub default: &'static str,
    /// From which moment a change holds: `at once`, `with a new registration`, `after a restart`.
    pub holds: &'static str,
    /// Why it does nothing here; none where it acts.
    pub kept: Option<&'static str>,
    /// The web page that shows it.
    pub page: &'static str,
    /// Its label there.
    pub label: &'static str,
    /// What each layer says, the one in force first.
    pub layers: Vec<Layer>,
}

/// What one layer says of a parameter.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Layer {
    /// The layer.
    pub source: Source,
    /// Its value; a secret is not shown.
    pub value: String,
}

impl About {
    /// What there is to know of `row`, without the values of a phone.
    pub fn of(row: &Row) -> Self {
        let kept = match row.effect {
            Effect::Acts => None,
            Effect::Kept { why } => Some(why),
        };
        Self {
            help: row.help,
            takes: row.kind.expects(),
            default: row.default,
            holds: row.when.words(),
            kept,
            page: row.page,
            label: row.label,
            layers: Vec::new(),
        }
    }
}

impl From<Value<'_>> for Layer {
    fn from(value: Value<'_>) -> Self {
        Self { source: value.source(), value: value.shown().to_owned() }
    }
}

impl Settings {
    /// All about a parameter, with what each layer says of it.
    pub fn about(&self, key: Key) -> About {
        About { layers: self.layers(key).map(Layer::from).collect(), ..About::of(key.row()) }
    }

    /// As [`explain`], and for a name with its index the value that is in force with its source.
    ///
    /// # Errors
    /// An unknown name, or an account or key that the model lacks.
    pub fn explain(&self, name: &str) -> Result<String, Fault> {
        let mut text = explain(name)?;
        if name.split('.').any(|segment| matches!(segment, "X" | "N")) {
            return Ok(text);
        }
        let value = self.get(name)?;
        let shown = if value.shown().is_empty() { "(empty)" } else { value.shown() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  now      {shown}, from {}", value.source().words());
        Ok(text)
    }
}

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

fn text_of(row: &Row) -> String {
    let Row { key, kind, default, help, effect, when, page, label, origin } = row;
    let default = if default.is_empty() { "(empty)" } else { default };
    let effect = match effect {
        Effect::Acts => format!("acts; a change holds {}", when.words()),
        Effect::Kept { why } => format!("kept only: {why}"),
    };
    let origin = match origin {
        Origin::Template => "the vendor's templates",
        Origin::Relative => "the dialect that the vendor took over",
        Origin::Ours => "Offhook; no public document names this field",
    };
    let expects = kind.expects();
    format!(
        "{key}\n  {help}\n  takes    {expects}\n  factory  {default}\n  effect   {effect}\n  page     {page}, \"{label}\"\n  name of  {origin}\n"
    )
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
    use crate::settings::Source;

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

    #[test]
    fn an_explanation_has_all_a_person_needs() {
        let text = explain("account.X.sip_server.N.expires").expect("a parameter");
        for part in ["30 to 2147483647 s", "1800", "with a new registration", "Register Expires"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let kept = explain("account.1.advanced.vpn").expect("a parameter");
        assert!(kept.contains("kept only: The network of this machine"), "{kept}");
    }

    #[test]
    fn an_explanation_shows_no_secret() {
        let mut settings = Settings::default();
        settings.set("account.1.password", "swordfish", Source::Web).expect("a password");
        let text = settings.explain("account.1.password").expect("a parameter");
        assert!(text.contains("(hidden), from web page") && !text.contains("swordfish"), "{text}");
    }
}
