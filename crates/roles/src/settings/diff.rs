//! What differs between two phones.

use serde::Serialize;

use super::source::Source;
use super::store::{Settings, Value};

/// A parameter that two phones have differently. Values are as people may see them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// The parameter's name.
    pub key: String,
    /// The first phone's value.
    pub before: String,
    /// The second phone's value.
    pub after: String,
    /// Who said the first.
    pub before_source: Source,
    /// Who said the second.
    pub after_source: Source,
}

/// What differs between two phones, in the order of the table; secrets that differ are named, not shown.
pub fn diff(before: &Settings, after: &Settings) -> Vec<Difference> {
    let keys = after.changed_since(before).into_iter();
    keys.map(|key| difference(before.value(key), after.value(key))).collect()
}

fn difference(before: Value<'_>, after: Value<'_>) -> Difference {
    Difference {
        key: before.key().to_string(),
        before: before.shown().to_owned(),
        after: after.shown().to_owned(),
        before_source: before.source(),
        after_source: after.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_a_secret_and_does_not_show_it() {
        let (before, mut after) = (Settings::default(), Settings::default());
        after.set("account.1.password", "swordfish", Source::Web).expect("an accepted value");
        let found = diff(&before, &after);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].after, "(hidden)");
        assert!(!format!("{found:?} {after:?}").contains("swordfish"));
    }
}
