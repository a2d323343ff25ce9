//! What is in force: one value for each layer, in a shared base and, over it, in what one phone has of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::cfg::{Assignment, Given, is_null};
use super::fault::Fault;
use super::key::Key;
use super::kind::{Kind, thousandths};
use super::model::Model;
use super::name::fault_of_key;
use super::secret::HIDDEN;
use super::source::Source;

/// All parameters of one phone.
///
/// A clone of settings whose own part is empty costs a few bytes, so ten thousand phones share one
/// base: fill one, [`Settings::freeze`] it, clone it, and set only what differs.
#[derive(Clone)]
pub struct Settings {
    base: Arc<Base>,
    /// Of this phone alone; `None` is no value in that layer although the base has one.
    own: BTreeMap<Slot, Option<Box<str>>>,
}

struct Base {
    model: &'static Model,
    values: BTreeMap<Slot, Box<str>>,
}

/// A parameter in one layer.
type Slot = (Key, Source);

/// One parameter's value and where it comes from.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Value<'a> {
    key: Key,
    text: &'a str,
    source: Source,
}

/// What a file changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Applied {
    /// The parameters whose values in force are other ones now.
    pub changed: Vec<Key>,
    /// The parameters of which the file took the place of what page or API had set.
    pub dropped: Vec<Key>,
    /// What the model lacks.
    pub faults: Vec<Fault>,
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
        let slots: Vec<Slot> = self.slots().collect();
        let value = |slot: &Slot| self.in_layer(slot.0, slot.1).map(|text| (*slot, text.into()));
        let values = slots.iter().filter_map(value).collect();
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

    /// The value of a parameter that is in force.
    pub fn value(&self, key: Key) -> Value<'_> {
        let own = self.own.range(layers_of(key));
        let has_own = own.clone().next().is_some();
        let highest = if has_own {
            LAYERS.into_iter().find_map(|source| self.in_layer(key, source).map(|text| (source, text)))
        } else {
            let base = self.base.values.range(layers_of(key)).next_back();
            base.map(|((_, source), text)| (*source, &**text))
        };
        let (source, text) = highest.unwrap_or_else(|| (Source::Factory, self.factory(key)));
        Value { key, text, source }
    }

    /// Every value that a parameter has, the one in force first and the factory's last.
    pub fn layers(&self, key: Key) -> impl Iterator<Item = Value<'_>> {
        let factory = Value { key, text: self.factory(key), source: Source::Factory };
        let value = move |source| self.in_layer(key, source).map(|text| Value { key, text, source });
        LAYERS.into_iter().filter_map(value).chain([factory])
    }

    /// Everything that one layer says, in the order of the table.
    pub fn layer(&self, source: Source) -> impl Iterator<Item = Value<'_>> {
        let keys: BTreeSet<Key> = self.slots().filter(|slot| slot.1 == source).map(|slot| slot.0).collect();
        let value = move |key| self.in_layer(key, source).map(|text| Value { key, text, source });
        keys.into_iter().filter_map(value)
    }

    /// Sets a parameter by name; `Ok(true)` if its value is another one now.
    ///
    /// What page, API and command line had said of it counts no longer, except against a file: that
    /// changes its own layer alone. An empty text empties a text, and takes back what `source` and those
    /// above it said of a switch, number or choice.
    ///
    /// # Errors
    /// An unknown name, a value that the table does not accept, or a bound of the model.
    pub fn set(&mut self, name: &str, text: &str, source: Source) -> Result<bool, Fault> {
        let key = self.key(name)?;
        let text = if is_null(text.trim()) { "" } else { text };
        let text = key.row().kind.check(text).map_err(|why| Fault::bad_value(key, &why))?;
        let wanted = (!text.is_empty() || key.row().kind.may_be_empty()).then_some(&*text);
        Ok(self.changes(key, |settings| {
            settings.put(key, source, wanted);
            if !source.is_file() {
                settings.clear_above(key, source);
            }
        }))
    }

    /// Lays a file's assignments into its layer, in their order. A blank value changes nothing, `%NULL%`
    /// empties a text and sets anything else to the factory's value.
    ///
    /// Where the file says something else of a parameter than it said last, what page or API had set is
    /// dropped; where it says the same, theirs stays. `auto_provision.custom.protect` keeps theirs always.
    pub fn apply(&mut self, assignments: &[Assignment]) -> Applied {
        let mut applied = Applied::default();
        for assignment in assignments {
            let key = assignment.key;
            if !key.fits(self.model()) {
                applied.faults.push(Fault::beyond_model(key, self.model()).at_line(assignment.line));
                continue;
            }
            let text: Box<str> = match &assignment.given {
                Given::Blank => continue,
                Given::Null if key.row().kind.may_be_empty() => "".into(),
                Given::Null => self.factory(key).into(),
                Given::Text(text) => text.clone(),
            };
            self.apply_one(key, assignment.source, &text, &mut applied);
        }
        applied
    }

    /// As [`Self::apply`], and takes out of the layer what the assignments no longer name, so that the
    /// layer below shows again: a file that came anew under `overwrite_mode = 1`.
    pub fn replace(&mut self, source: Source, assignments: &[Assignment]) -> Applied {
        let said = assignments.iter().filter(|it| it.source == source && it.given != Given::Blank);
        let said: BTreeSet<Key> = said.map(|it| it.key).collect();
        let gone: Vec<Key> = self.layer(source).map(|it| it.key).filter(|key| !said.contains(key)).collect();
        let changed = |key: &Key| self.changes(*key, |settings| settings.put(*key, source, None));
        let mut taken_back: Vec<Key> = gone.into_iter().filter(changed).collect();
        let mut applied = self.apply(assignments);
        applied.changed.append(&mut taken_back);
        applied
    }

    /// Takes back what `source` and those above it said of a parameter; true if that changed its value.
    pub fn uncover(&mut self, key: Key, source: Source) -> bool {
        self.changes(key, |settings| {
            settings.put(key, source, None);
            settings.clear_above(key, source);
        })
    }

    /// Forgets everything that `source` said: what the layers below say shows again.
    pub fn forget(&mut self, source: Source) {
        let keys: Vec<Key> = self.layer(source).map(|value| value.key).collect();
        for key in keys {
            self.put(key, source, None);
        }
    }

    /// Every parameter that somebody set, in the order of the table.
    pub fn entries(&self) -> impl Iterator<Item = Value<'_>> {
        let keys: BTreeSet<Key> = self.slots().map(|slot| slot.0).collect();
        keys.into_iter().map(|key| self.value(key)).filter(|value| value.source != Source::Factory)
    }

    /// The parameters whose values differ from those of `before`, in the order of the table.
    pub fn changed_since(&self, before: &Settings) -> Vec<Key> {
        let own = self.own.keys().chain(before.own.keys());
        let mut keys: BTreeSet<Key> = own.map(|slot| slot.0).collect();
        if !Arc::ptr_eq(&self.base, &before.base) {
            keys.extend(self.base.values.keys().chain(before.base.values.keys()).map(|slot| slot.0));
        }
        keys.into_iter().filter(|key| self.text(*key) != before.text(*key)).collect()
    }

    /// How many values this phone has beyond the shared base.
    pub fn own_count(&self) -> usize {
        self.own.len()
    }

    /// Whether files leave alone what was set at the phone.
    pub fn protects_own(&self) -> bool {
        self.on(PROTECT.at(0, 0))
    }

    fn key(&self, name: &str) -> Result<Key, Fault> {
        let key = Key::parse(name).map_err(|bad| fault_of_key(name, &bad))?;
        if key.fits(self.model()) { Ok(key) } else { Err(Fault::beyond_model(key, self.model())) }
    }

    fn apply_one(&mut self, key: Key, source: Source, text: &str, applied: &mut Applied) {
        let is_news = self.in_layer(key, source) != Some(text);
        let drops = is_news && source.is_file() && !self.protects_own();
        let mut dropped = false;
        let changed = self.changes(key, |settings| {
            settings.put(key, source, Some(text));
            for layer in LAYERS.into_iter().filter(|layer| drops && layer.is_at_phone()) {
                dropped |= settings.in_layer(key, layer).is_some();
                settings.put(key, layer, None);
            }
        });
        applied.changed.extend(changed.then_some(key));
        applied.dropped.extend(dropped.then_some(key));
    }

    /// Whether `what` makes the value of `key` another one.
    fn changes(&mut self, key: Key, what: impl FnOnce(&mut Self)) -> bool {
        let before = self.value(key).text.to_owned();
        what(self);
        before != self.value(key).text
    }

    fn clear_above(&mut self, key: Key, source: Source) {
        for layer in LAYERS.into_iter().filter(|layer| *layer > source) {
            self.put(key, layer, None);
        }
    }

    /// The one place that writes a layer; none takes its value out.
    pub(super) fn put(&mut self, key: Key, source: Source, text: Option<&str>) {
        let slot = (key, source);
        if text.is_none() && !self.base.values.contains_key(&slot) {
            self.own.remove(&slot);
        } else {
            self.own.insert(slot, text.map(Into::into));
        }
    }

    fn in_layer(&self, key: Key, source: Source) -> Option<&str> {
        match self.own.get(&(key, source)) {
            Some(own) => own.as_deref(),
            None => self.base.values.get(&(key, source)).map(|text| &**text),
        }
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        let base = self.base.values.keys().filter(|slot| !self.own.contains_key(*slot));
        let own = self.own.iter().filter(|(_, text)| text.is_some()).map(|(slot, _)| slot);
        base.chain(own).copied()
    }

    /// The factory's value: the table's, but that the first line keys are lines.
    fn factory(&self, key: Key) -> &'static str {
        let row = key.row();
        if row.key == "linekey.X.type" && key.index() <= self.model().accounts { "15" } else { row.default }
    }
}

/// The layers over the factory's values, the highest first.
const LAYERS: [Source; 6] =
    [Source::CommandLine, Source::Api, Source::Web, Source::MacCfg, Source::CommonCfg, Source::CustomFactory];
/// See [`Settings::protects_own`].
const PROTECT: super::row::RowId = super::table::row("auto_provision.custom.protect");

fn layers_of(key: Key) -> std::ops::RangeInclusive<Slot> {
    (key, Source::Factory)..=(key, Source::CommandLine)
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
    fn each_layer_has_its_value_and_forgetting_one_uncovers_the_next() {
        let mut settings = Settings::default();
        let all = [
            ("A", Source::CommonCfg),
            ("B", Source::MacCfg),
            ("C", Source::Web),
            ("D", Source::Api),
            ("E", Source::CommandLine),
        ];
        for (text, source) in all {
            assert!(set(&mut settings, "account.1.label", text, source));
        }
        let key = settings.get("account.1.label").expect("a known name").key();
        let seen: Vec<_> = settings.layers(key).map(|value| value.expose()).collect();
        assert_eq!(seen, ["E", "D", "C", "B", "A", ""]);
        for (text, source) in all.into_iter().rev() {
            check(&settings, "account.1.label", text, source);
            settings.forget(source);
        }
        check(&settings, "account.1.label", "", Source::Factory);
        assert_eq!(settings.own_count(), 0);
    }

    #[test]
    fn what_a_person_sets_counts_whoever_spoke_before() {
        let mut settings = Settings::default();
        set(&mut settings, "account.1.label", "line", Source::CommandLine);
        set(&mut settings, "account.1.label", "api", Source::Api);
        assert!(set(&mut settings, "account.1.label", "page", Source::Web));
        check(&settings, "account.1.label", "page", Source::Web);
        settings.forget(Source::Web);
        check(&settings, "account.1.label", "", Source::Factory);
    }

    #[test]
    fn a_file_does_not_change_what_the_command_line_says() {
        let mut settings = Settings::default();
        set(&mut settings, "account.1.enable", "1", Source::CommandLine);
        assert!(!set(&mut settings, "account.1.enable", "0", Source::MacCfg));
        check(&settings, "account.1.enable", "1", Source::CommandLine);
        assert!(set(&mut settings, "account.1.enable", "0", Source::Api));
    }

    fn file(lines: &str, source: Source) -> Vec<Assignment> {
        crate::settings::parse_cfg(&format!("#!version:1.0.0.1\n{lines}"), source).0
    }

    #[track_caller]
    fn download(settings: &mut Settings, lines: &str) -> (Vec<String>, Vec<String>) {
        let applied = settings.replace(Source::MacCfg, &file(lines, Source::MacCfg));
        let names = |keys: Vec<Key>| keys.iter().map(Key::to_string).collect();
        (names(applied.changed), names(applied.dropped))
    }

    #[test]
    fn a_file_takes_the_place_of_the_page_only_with_news() {
        let label = "account.1.label".to_owned();
        let mut settings = Settings::default();
        download(&mut settings, "account.1.label = A");
        set(&mut settings, "account.1.label", "page", Source::Web);
        assert_eq!(download(&mut settings, "account.1.label = A"), (vec![], vec![]));
        check(&settings, "account.1.label", "page", Source::Web);
        let news = download(&mut settings, "account.1.label = B");
        assert_eq!(news, (vec![label.clone()], vec![label]));
        check(&settings, "account.1.label", "B", Source::MacCfg);
    }

    #[test]
    fn a_protected_phone_keeps_what_was_set_at_it() {
        let mut settings = Settings::default();
        set(&mut settings, "auto_provision.custom.protect", "1", Source::Web);
        set(&mut settings, "account.1.label", "page", Source::Web);
        assert_eq!(download(&mut settings, "account.1.label = B"), (vec![], vec![]));
        check(&settings, "account.1.label", "page", Source::Web);
        settings.forget(Source::Web);
        check(&settings, "account.1.label", "B", Source::MacCfg);
    }

    #[test]
    fn what_is_gone_from_a_file_uncovers_the_common_one() {
        let mut settings = Settings::default();
        settings.apply(&file("account.1.ptime = 30", Source::CommonCfg));
        download(&mut settings, "account.1.ptime = 40");
        let (changed, _) = download(&mut settings, "account.1.label = x");
        assert_eq!(changed, ["account.1.label", "account.1.ptime"]);
        check(&settings, "account.1.ptime", "30", Source::CommonCfg);
        download(&mut settings, "account.1.ptime = %NULL%");
        check(&settings, "account.1.ptime", "20", Source::MacCfg);
    }

    #[test]
    fn a_layer_is_kept_and_read_back() {
        let mut settings = Settings::default();
        download(&mut settings, "account.1.label = a = b # c\naccount.1.password = \"x\"");
        set(&mut settings, "account.1.label", "page", Source::Web);
        let kept = settings.layer_to_cfg(Source::MacCfg);
        let mut other = Settings::default();
        other.apply(&file(&kept, Source::MacCfg));
        settings.forget(Source::Web);
        assert_eq!(crate::settings::diff(&settings, &other), []);
    }

    #[test]
    fn what_was_changed_since_is_known() {
        let mut before = Settings::default();
        set(&mut before, "account.1.enable", "1", Source::CommonCfg);
        before.freeze();
        let mut after = before.clone();
        set(&mut after, "account.1.label", "x", Source::Web);
        set(&mut after, "account.1.enable", "1", Source::Web);
        let names: Vec<_> = after.changed_since(&before).iter().map(Key::to_string).collect();
        assert_eq!(names, ["account.1.label"]);
        assert_eq!(Settings::default().changed_since(&before).len(), 1, "another base");
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
