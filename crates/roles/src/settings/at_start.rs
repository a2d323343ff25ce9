//! Values that hold until the phone is started again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::key::Key;
use super::row::When;
use super::source::Source;
use super::store::Settings;

/// What was in force when the phone started, of parameters that have changed since and hold after a
/// restart ([`When::Restart`]).
#[derive(Clone, Debug, Default)]
pub struct AtStart(BTreeMap<Key, Before>);

/// A value without `Debug`, for it may be a secret.
#[derive(Clone)]
struct Before(Box<str>);

impl AtStart {
    /// Notes a change from `before` to `after`.
    pub fn note(&mut self, before: &Settings, after: &Settings) {
        let waits = |key: &Key| key.row().acts() && key.row().when == When::Restart;
        for key in after.changed_since(before).into_iter().filter(waits) {
            self.0.entry(key).or_insert_with(|| Before(before.value(key).expose().into()));
        }
        self.0.retain(|key, at_start| after.value(*key).expose() != &*at_start.0);
    }

    /// Settings as they hold until the restart.
    pub fn in_force<'a>(&self, settings: &'a Settings) -> Cow<'a, Settings> {
        let mut seen = Cow::Borrowed(settings);
        for (key, at_start) in &self.0 {
            seen.to_mut().put(*key, Source::CommandLine, Some(&at_start.0));
        }
        seen
    }

    /// The parameters whose change waits for a restart, in the order of the table.
    pub fn waiting(&self) -> impl Iterator<Item = Key> {
        self.0.keys().copied()
    }
}

impl std::fmt::Debug for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(a value)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_needs_a_restart_holds_until_then() {
        let mut at_start = AtStart::default();
        let mut settings = Settings::default();
        let mut change = |settings: &mut Settings, name: &str, text: &str| {
            let before = settings.clone();
            settings.set(name, text, Source::Web).expect("an accepted value");
            at_start.note(&before, settings);
            let seen = at_start.in_force(settings).get(name).expect("a known name").expose().to_owned();
            (seen, at_start.waiting().count())
        };
        assert_eq!(change(&mut settings, "sip.timer_t1", "1"), ("0.5".into(), 1));
        assert_eq!(change(&mut settings, "sip.timer_t1", "2"), ("0.5".into(), 1));
        assert_eq!(change(&mut settings, "features.dnd.enable", "1"), ("1".into(), 1));
        assert_eq!(change(&mut settings, "network.mtu_value", "1400"), ("1400".into(), 1), "kept only");
        assert_eq!(change(&mut settings, "sip.timer_t1", "0.5"), ("0.5".into(), 0));
    }
}
