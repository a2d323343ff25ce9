//! What is in force: a shared base and, over it, what one phone has of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::cfg::{Assignment, Fault, Given, is_null};
use super::explain::fault_of_key;
use super::key::Key;
use super::kind::{Kind, thousandths};
use super::model::Model;
use super::secret::HIDDEN;

/// Who said that a parameter has its value.
///
/// The last word counts, with one exception: what the command line says is not changed by a
/// downloaded file.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The table's default.
    Factory,
    /// The file for all phones, `y000000000000.cfg`.
    CommonCfg,
    /// The file for this phone, `<mac>.cfg`.
    MacCfg,
    /// A person on the phone's web page or at its keys.
    Web,
    /// A program.
    Api,
    /// The command line of this run.
    CommandLine,
}

impl Source {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Source::Factory => "factory",
            Source::CommonCfg => "common cfg",
            Source::MacCfg => "MAC cfg",
            Source::Web => "web page",
            Source::Api => "API",
            Source::CommandLine => "command line",
        }
    }

    fn is_file(self) -> bool {
        matches!(self, Source::CommonCfg | Source::MacCfg)
    }
}

/// All parameters of one phone.
///
/// A clone of settings whose own part is empty costs a few bytes, so ten thousand phones share one
/// base: fill one, [`Settings::freeze`] it, clone it, and set only what differs.
#[derive(Clone)]
pub struct Settings {
    base: Arc<Base>,
    /// Of this phone alone; `None` is the factory's value although the base has another.
    own: BTreeMap<Key, Option<Stored>>,
}

struct Base {
    model: &'static Model,
    values: BTreeMap<Key, Stored>,
}

#[derive(Clone, Eq, PartialEq)]
struct Stored {
    text: Box<str>,
    source: Source,
}

/// One parameter's value and where it comes from.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Value<'a> {
    key: Key,
    text: &'a str,
    source: Source,
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(Model::usual())
    }
}

impl Settings {
    /// A phone of that model as it leaves the factory.
    pub fn new(model: &'static Model) -> Self {
        Self { base: Arc::new(Base { model, values: BTreeMap::new() }), own: BTreeMap::new() }
    }

    /// The model, which bounds accounts and line keys.
    pub fn model(&self) -> &'static Model {
        self.base.model
    }

    /// Turns everything set so far into the base that clones share.
    pub fn freeze(&mut self) {
        let values = self.entries().map(|value| (value.key, Stored::of(value))).collect();
        self.base = Arc::new(Base { model: self.base.model, values });
        self.own.clear();
    }

    /// The value of a parameter by name, with or without `static.`.
    ///
    /// # Errors
    /// An unknown name, with the nearest known one, or an account or key that the model lacks.
    pub fn get(&self, name: &str) -> Result<Value<'_>, Fault> {
        self.key(name).map(|key| self.value(key))
    }

    /// The value of a parameter.
    pub fn value(&self, key: Key) -> Value<'_> {
        match self.stored(key) {
            Some(stored) => Value { key, text: &stored.text, source: stored.source },
            None => Value { key, text: self.factory(key), source: Source::Factory },
        }
    }

    /// Sets a parameter by name; `Ok(true)` if its value is another one now.
    ///
    /// An empty text empties a text and puts a switch, number or choice back to the factory's value.
    ///
    /// # Errors
    /// An unknown name, a value that the table does not accept, or a bound of the model.
    pub fn set(&mut self, name: &str, text: &str, source: Source) -> Result<bool, Fault> {
        let key = self.key(name)?;
        let text = if is_null(text.trim()) { "" } else { text };
        let text = key.row().kind.check(text).map_err(|why| Fault::bad_value(key, &why))?;
        Ok(self.put(key, text, source))
    }

    /// Lays a file's assignments over what is in force, in their order. A blank value changes
    /// nothing, `%NULL%` empties.
    ///
    /// Returns the keys whose values changed, and a fault for each account or key that the model lacks.
    pub fn apply(&mut self, assignments: &[Assignment]) -> (Vec<Key>, Vec<Fault>) {
        let (mut changed, mut faults) = (Vec::new(), Vec::new());
        for assignment in assignments {
            let key = assignment.key;
            if !key.fits(self.model()) {
                faults.push(Fault::beyond_model(key, self.model()).at_line(assignment.line));
                continue;
            }
            let put = match &assignment.given {
                Given::Blank => false,
                Given::Null => self.put(key, String::new(), assignment.source),
                Given::Text(text) => self.put(key, text.to_string(), assignment.source),
            };
            if put {
                changed.push(key);
            }
        }
        (changed, faults)
    }

    /// Puts a parameter back to the factory's value; true if that changed it.
    pub fn reset(&mut self, key: Key) -> bool {
        let before = self.value(key).text.to_owned();
        if self.base.values.contains_key(&key) {
            self.own.insert(key, None);
        } else {
            self.own.remove(&key);
        }
        before != self.value(key).text
    }

    /// Forgets everything that `source` said, as before its file is laid over the rest anew.
    pub fn forget(&mut self, source: Source) {
        let keys: Vec<Key> =
            self.entries().filter(|value| value.source == source).map(|value| value.key).collect();
        for key in keys {
            self.reset(key);
        }
    }

    /// Every parameter that somebody set, in the order of the table.
    pub fn entries(&self) -> impl Iterator<Item = Value<'_>> {
        let keys: std::collections::BTreeSet<Key> =
            self.base.values.keys().chain(self.own.keys()).copied().collect();
        keys.into_iter().map(|key| self.value(key)).filter(|value| value.source != Source::Factory)
    }

    /// How many parameters this phone has beyond the shared base.
    pub fn own_count(&self) -> usize {
        self.own.len()
    }

    fn key(&self, name: &str) -> Result<Key, Fault> {
        let key = Key::parse(name).map_err(|bad| fault_of_key(name, &bad))?;
        if key.fits(self.model()) { Ok(key) } else { Err(Fault::beyond_model(key, self.model())) }
    }

    fn put(&mut self, key: Key, text: String, source: Source) -> bool {
        let held = self.value(key).source == Source::CommandLine && source.is_file();
        if held {
            return false;
        }
        if text.is_empty() && !key.row().kind.may_be_empty() {
            return self.reset(key);
        }
        let changed = self.value(key).text != text;
        self.own.insert(key, Some(Stored { text: text.into(), source }));
        changed
    }

    fn stored(&self, key: Key) -> Option<&Stored> {
        match self.own.get(&key) {
            Some(own) => own.as_ref(),
            None => self.base.values.get(&key),
        }
    }

    /// The factory's value: the table's, but that the first line keys are lines.
    fn factory(&self, key: Key) -> &'static str {
        let row = key.row();
        if row.key == "linekey.X.type" && key.index() <= self.model().accounts { "15" } else { row.default }
    }
}

/// How the typed views read; each falls back to the factory's value, which the table's tests hold good.
impl Settings {
    pub(super) fn on(&self, key: Key) -> bool {
        self.text(key) == "1"
    }

    pub(super) fn number<T: TryFrom<i64> + Default>(&self, key: Key) -> T {
        let number = self.text(key).parse::<i64>().ok();
        number.and_then(|number| T::try_from(number).ok()).unwrap_or_default()
    }

    pub(super) fn millis(&self, key: Key) -> u32 {
        let ms = thousandths(self.text(key)).and_then(|ms| u32::try_from(ms).ok());
        ms.unwrap_or_default()
    }

    pub(super) fn numbers(&self, key: Key) -> Vec<u8> {
        self.text(key).split(',').filter_map(|one| one.trim().parse().ok()).collect()
    }

    pub(super) fn string(&self, key: Key) -> String {
        self.text(key).to_owned()
    }

    pub(super) fn text(&self, key: Key) -> &str {
        self.value(key).text
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries()).finish()
    }
}

impl Stored {
    fn of(value: Value<'_>) -> Self {
        Self { text: value.text.into(), source: value.source }
    }
}

impl<'a> Value<'a> {
    /// The parameter.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Who said so.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The value for people and logs: a secret is not shown.
    pub fn shown(&self) -> &'a str {
        if self.key.row().is_secret() && !self.text.is_empty() { HIDDEN } else { self.text }
    }

    /// The value itself, secret or not, for storing it and for nothing that people see.
    pub fn expose(&self) -> &'a str {
        self.text
    }

    /// The word of a choice or switch, else the value for people.
    pub fn word(&self) -> &'a str {
        match self.key.row().kind {
            Kind::Bool if self.text == "1" => "Enable",
            Kind::Bool => "Disable",
            Kind::Choice(choices) => {
                choices.iter().find(|(value, _)| *value == self.text).map_or(self.text, |(_, word)| *word)
            }
            _ => self.shown(),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.key, self.shown(), self.source.words())
    }
}

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
    let keys: std::collections::BTreeSet<Key> =
        before.entries().chain(after.entries()).map(|value| value.key).collect();
    let pairs = keys.into_iter().map(|key| (before.value(key), after.value(key)));
    pairs.filter(|(one, other)| one.text != other.text).map(|(one, other)| difference(one, other)).collect()
}

fn difference(before: Value<'_>, after: Value<'_>) -> Difference {
    Difference {
        key: before.key.to_string(),
        before: before.shown().to_owned(),
        after: after.shown().to_owned(),
        before_source: before.source,
        after_source: after.source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(settings: &Settings, name: &str, text: &str, source: Source) {
        let value = settings.get(name).expect("a known name");
        assert_eq!((value.expose(), value.source()), (text, source), "{name}");
    }

    #[track_caller]
    fn set(settings: &mut Settings, name: &str, text: &str, source: Source) -> bool {
        settings.set(name, text, source).expect("an accepted value")
    }

    #[test]
    fn the_deck_decides_the_factory_values() {
        let settings = Settings::default();
        check(&settings, "account.1.sip_server.1.expires", "1800", Source::Factory);
        check(&settings, "account.1.blf.subscribe_period", "3600", Source::Factory);
        check(&settings, "forward.no_answer.timeout", "10", Source::Factory);
        check(&settings, "features.dnd_refuse_code", "480", Source::Factory);
        check(&settings, "account.1.ptime", "20", Source::Factory);
        check(&settings, "static.network.port.min_rtpport", "10000", Source::Factory);
        check(&settings, "sip.notify_reboot_enable", "0", Source::Factory);
    }

    #[test]
    fn the_last_word_counts_and_its_source_is_kept() {
        let mut settings = Settings::default();
        assert!(set(&mut settings, "account.1.label", "A", Source::CommonCfg));
        assert!(set(&mut settings, "account.1.label", "B", Source::MacCfg));
        assert!(!set(&mut settings, "account.1.label", "B", Source::Web));
        check(&settings, "account.1.label", "B", Source::Web);
        settings.forget(Source::Web);
        check(&settings, "account.1.label", "", Source::Factory);
    }

    #[test]
    fn a_file_does_not_change_what_the_command_line_says() {
        let mut settings = Settings::default();
        set(&mut settings, "account.1.enable", "1", Source::CommandLine);
        assert!(!set(&mut settings, "account.1.enable", "0", Source::MacCfg));
        assert!(set(&mut settings, "account.1.enable", "0", Source::Api));
    }

    #[test]
    fn an_emptied_number_is_the_factory_s() {
        let mut settings = Settings::default();
        set(&mut settings, "account.1.ptime", "30", Source::Web);
        assert!(set(&mut settings, "account.1.ptime", "", Source::Web));
        check(&settings, "account.1.ptime", "20", Source::Factory);
    }

    #[test]
    fn phones_with_one_base_have_only_their_own_part() {
        let mut base = Settings::default();
        set(&mut base, "account.1.enable", "1", Source::CommonCfg);
        base.freeze();
        let mut phone = base.clone();
        set(&mut phone, "account.1.user_name", "7001", Source::MacCfg);
        assert_eq!((base.own_count(), phone.own_count()), (0, 1));
        check(&phone, "account.1.enable", "1", Source::CommonCfg);
        phone.forget(Source::CommonCfg);
        check(&phone, "account.1.enable", "0", Source::Factory);
        check(&base, "account.1.enable", "1", Source::CommonCfg);
    }

    #[test]
    fn a_difference_names_a_secret_and_does_not_show_it() {
        let (before, mut after) = (Settings::default(), Settings::default());
        set(&mut after, "account.1.password", "swordfish", Source::Web);
        let found = diff(&before, &after);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].after, "(hidden)");
        assert!(!format!("{found:?} {after:?}").contains("swordfish"));
    }

    #[test]
    fn the_model_bounds_accounts_and_keys() {
        let mut settings = Settings::default();
        assert!(settings.get("account.5.enable").is_err());
        let fault = settings.set("linekey.22.type", "16", Source::Api).expect_err("FIP14G has 21 keys");
        assert!(fault.to_string().contains("FIP14G has 21 line keys"), "{fault}");
        check(&settings, "linekey.4.type", "15", Source::Factory);
        check(&settings, "linekey.5.type", "0", Source::Factory);
    }

    #[test]
    fn settings_without_an_own_part_are_small() {
        assert!(size_of::<Settings>() <= 32);
    }

    #[test]
    fn a_refused_value_is_not_repeated() {
        let mut settings = Settings::default();
        let fault = settings
            .set("account.1.password", "sword\u{7}fish", Source::Api)
            .expect_err("a control character");
        assert!(!format!("{fault} {fault:?}").contains("fish"));
    }
}
