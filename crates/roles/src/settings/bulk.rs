//! Many parameters at once: a page, a pattern.

use super::key::{Key, without_static};
use super::row::RowId;
use super::store::{Settings, Value};
use super::table::TABLE;

impl Settings {
    /// Every parameter that the model has, in the order of the table.
    pub fn all(&self) -> impl Iterator<Item = Value<'_>> {
        let rows = (0..TABLE.len()).filter_map(|at| u16::try_from(at).ok()).map(RowId);
        let keys = rows.flat_map(|row| Key::all_of(row, self.model()));
        keys.map(|key| self.value(key))
    }

    /// Every parameter of a web page, by the page's name in any case: `Phone > Dial Rule`.
    pub fn page(&self, page: &str) -> impl Iterator<Item = Value<'_>> {
        self.all().filter(move |value| value.key().row().page.eq_ignore_ascii_case(page))
    }

    /// Every parameter whose name fits; `*` stands for any run of characters, dots among them.
    pub fn matching(&self, pattern: &str) -> impl Iterator<Item = Value<'_>> {
        let pattern = without_static(pattern);
        self.all().filter(move |value| fits(pattern, &value.key().to_string()))
    }
}

/// Whether a name fits a pattern in which `*` stands for any run of characters.
pub fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = left.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Model, Source};

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
    }

    #[test]
    fn a_star_is_any_run() {
        check("a.b", "a.b", true);
        check("a.b", "a.bc", false);
        check("*", "anything", true);
        check("account.*.port", "account.1.sip_server.2.port", true);
        check("account.*.port", "account.1.port.x", false);
        check("*dnd*code", "account.1.dnd.on_code", true);
        check("*.dnd.*", "features.dnd", false);
        check("a*a", "a", false);
        check("**", "", true);
    }

    #[test]
    fn a_pattern_and_a_page_give_what_the_model_has() {
        let mut settings = Settings::new(Model::named("FIP10").expect("a model"));
        settings.set("account.2.label", "x", Source::Web).expect("an accepted value");
        let labels: Vec<_> = settings.matching("static.account.*.label").map(|it| it.expose()).collect();
        assert_eq!(labels, ["", "x"], "a FIP10 has two accounts");
        let rules: Vec<_> = settings.page("phone > dial rule").map(|value| value.key().to_string()).collect();
        assert!(rules.len() > 300 && rules.iter().all(|name| name.starts_with("dialplan.")), "{rules:?}");
        assert!(settings.page("no such page").next().is_none());
        let all: Vec<_> = settings.all().map(|value| value.key()).collect();
        let mut sorted = all.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(all, sorted, "each once, in the order of the table");
    }
}
