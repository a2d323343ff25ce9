//! What a person wants to know about a parameter.

use std::fmt::Write as _;

use serde::Serialize;

use super::fault::Fault;
use super::key::{BadKey, Key, without_static};
use super::name::fault_of_key;
use super::row::{Effect, Origin, Row};
use super::source::Source;
use super::store::{Settings, Value};
use super::table::find;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Source;

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
