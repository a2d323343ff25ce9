//! Settings: THE table of what a phone can be told, what is in force, and typed views of it.
//!
//! * [`TABLE`] holds one row for each parameter: type, default, help, effect, page.
//! * [`parse_cfg`] reads a configuration file and names each fault with its line.
//! * [`Settings`] lays the sources over each other and remembers where a value came from.
//! * [`AccountSettings`], [`KeySettings`] and [`PhoneSettings`] are the only way in which the phone
//!   reads a value, so a parameter that [`Effect::Acts`] is one that a view carries.

mod account;
mod account_argument;
mod account_views;
mod at_start;
mod boot;
mod bulk;
mod cfg;
mod diff;
mod explain;
mod fault;
mod generations;
mod import;
mod key;
mod keys;
mod kind;
mod model;
mod name;
mod phone;
mod phone_views;
mod row;
mod secret;
mod source;
mod store;
mod table;
mod write;
mod written;

pub use account::AccountSettings;
pub use account_argument::parse_account;
pub use account_views::*;
pub use at_start::AtStart;
pub use boot::{Boot, Include, Unfolding, is_boot, parse_boot};
pub use bulk::fits;
pub use cfg::{Assignment, Given, parse_cfg};
pub use diff::{Difference, diff};
pub use explain::{About, Layer, explain};
pub use fault::{Fault, FaultKind, Severity};
pub use import::Imported;
pub use key::Key;
pub use keys::{KeyKind, KeySettings};
pub use kind::Kind;
pub use model::{Adapter, MODELS, Model, OUI};
pub use name::{distance, nearest_key};
pub use phone::PhoneSettings;
pub use phone_views::*;
pub use row::{Effect, Origin, Row, RowId, When};
pub use secret::Secret;
pub use source::Source;
pub use store::{Applied, Settings, Value};
pub use table::TABLE;
pub use write::Secrets;

#[cfg(test)]
mod tests {
    use super::*;

    /// All that the phone can read.
    type Views = (Vec<AccountSettings>, Vec<KeySettings>, PhoneSettings, bool);

    fn views(settings: &Settings) -> Views {
        let accounts = AccountSettings::read_all(settings);
        let keys = KeySettings::read_all(settings);
        (accounts, keys, PhoneSettings::read(settings), settings.protects_own())
    }

    /// Settings under which every value matters: those that need another's switch have it.
    fn everything_matters() -> Settings {
        let mut settings = Settings::default();
        let lines = [
            ("account.1.outbound_proxy_enable", "1"),
            ("account.1.codec.g722.enable", "1"),
            ("syslog.mode", "1"),
            ("features.custom_factory_config.enable", "1"),
            ("custom_factory_configuration.url", "http://192.0.2.1/factory.cfg"),
            ("syslog.server", "log"),
            ("features.forward.emergency.authorized_number", "110"),
            ("distinctive_ring_tones.alert_info.1.text", "internal"),
            ("dialplan.replace.prefix.1", "1"),
            ("dialplan.dialnow.rule.1", "1"),
            ("dialplan.block_out.number.1", "1"),
            ("network.internet_port.type", "2"),
            ("network.internet_port.ip", "192.0.2.9"),
            ("network.vlan.internet_port_enable", "1"),
            ("network.vlan.internet_port_vid", "70"),
        ];
        for (name, value) in lines {
            settings.set(name, value, Source::Web).expect("an accepted value");
        }
        settings
    }

    /// Values that cannot all be the one in force.
    fn others(kind: Kind) -> Vec<String> {
        match kind {
            Kind::Bool => vec!["0".into(), "1".into()],
            Kind::Number { min, max, .. } => vec![min.to_string(), max.to_string()],
            Kind::Choice(choices) => choices.iter().map(|(value, _)| (*value).to_owned()).collect(),
            Kind::Seconds { .. } => vec!["1".into(), "2".into()],
            Kind::Port => vec!["7".into(), "9".into()],
            Kind::Numbers { min, max } => vec![min.to_string(), max.to_string()],
            _ => vec!["192.0.2.1".into(), "192.0.2.2".into()],
        }
    }

    #[test]
    fn what_is_said_to_act_is_read_and_nothing_else() {
        let before = everything_matters();
        let seen = views(&before);
        for row in &TABLE {
            let name = row.key.replace(".X", ".1").replace(".N", ".1");
            let is_read = others(row.kind).iter().any(|value| {
                let mut after = before.clone();
                after.set(&name, value, Source::Web).expect("an accepted value");
                views(&after) != seen
            });
            assert_eq!(is_read, row.acts(), "{name}");
        }
    }
}
