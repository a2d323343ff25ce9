//! What a person or program is answered.

use std::sync::Arc;

use serde::Serialize;

use super::binding::Binding;
use super::codes::Codes;
use super::extension::{Devices, Encryption, Extension, Forward, Intercom, Messages};
use super::facts::{Ban, Blocked, CallRecord, CallView, Subscription};
use super::figures::Figures;

/// What came of a wish. Secrets of extensions are never told.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Ok,
    /// It cannot be done; why, in words.
    Refused(String),
    /// A call is under way; its number.
    Started(u64),
    /// The extensions.
    Extensions(Vec<ExtensionView>),
    /// The devices.
    Registrations(Vec<Arc<Binding>>),
    /// The calls under way.
    Calls(Vec<CallView>),
    /// The calls that are over.
    Records(Vec<CallRecord>),
    /// The feature codes.
    Codes(Box<Codes>),
    /// Who watches whom.
    Subscriptions(Vec<Subscription>),
    /// The rules against devices, in words.
    Blocks(Vec<String>),
    /// The devices that a rule hit of late.
    Blocked(Vec<Blocked>),
    /// How many there are of everything.
    Figures(Box<Figures>),
    /// The bans in force.
    Bans(Vec<Ban>),
}

/// An extension as others may see it: by the names under which it is set. Of its password one learns that there is
/// one.
#[derive(Clone, Debug, Serialize)]
pub struct ExtensionView {
    /// What others dial.
    pub number: String,
    /// The name of its digest account.
    pub username: String,
    /// The name shown.
    pub display: String,
    /// That there is one.
    pub password: PasswordView,
    /// Whether it may do anything.
    pub enabled: bool,
    /// How many devices it may have.
    pub devices: Devices,
    /// How many calls it may have at a time.
    pub max_calls: u8,
    /// Where its calls go instead.
    pub forward: Forward,
    /// Whether its calls are encrypted.
    pub encryption: Encryption,
    /// How many messages wait for it.
    pub messages: Messages,
    /// Whether its calls are refused.
    pub do_not_disturb: bool,
    /// Whose calls it answers by the code of group pickup.
    pub pickup_group: Option<String>,
    /// Who may watch it; `None`: every extension.
    pub watchers: Option<Vec<String>>,
    /// Who may make its phones answer by themselves.
    pub intercom: Intercom,
    /// What goes on with it.
    pub now: ExtensionNow,
}

/// What is told of a password.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordView {
    /// There is one.
    #[default]
    Set,
}

/// What goes on with an extension.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct ExtensionNow {
    /// How many devices are registered.
    pub devices: usize,
    /// How many of them answer.
    pub reachable: usize,
    /// How many legs it has in calls.
    pub legs: usize,
    /// How many watch it.
    pub watchers: usize,
}

impl ExtensionView {
    pub(super) fn of(extension: Extension, now: ExtensionNow) -> Self {
        Self {
            number: extension.number,
            username: extension.username,
            display: extension.display,
            password: PasswordView::Set,
            enabled: extension.enabled,
            devices: extension.devices,
            max_calls: extension.max_calls,
            forward: extension.forward,
            encryption: extension.encryption,
            messages: extension.messages,
            do_not_disturb: extension.do_not_disturb,
            pickup_group: extension.pickup_group,
            watchers: extension.watchers,
            intercom: extension.intercom,
            now,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::exchange::Edit;

    fn names(value: &impl Serialize) -> BTreeSet<String> {
        let value = serde_json::to_value(value).expect("plain data");
        value.as_object().expect("an object").keys().cloned().collect()
    }

    #[test]
    fn an_extension_has_one_shape_as_it_is_kept_set_and_shown() {
        let extension = Extension::new("7001", "offhook", "secret");
        let view = ExtensionView::of(
            extension.clone(),
            ExtensionNow { devices: 0, reachable: 0, legs: 0, watchers: 0 },
        );
        let mut kept = names(&extension);
        assert!(kept.remove("secret") && kept.insert("password".into()));
        let mut shown = names(&view);
        assert!(shown.remove("now"));
        assert_eq!(shown, kept);
        let told = serde_json::from_str::<Edit>(r#"{"?":0}"#).expect_err("no field").to_string();
        let set: BTreeSet<String> = told.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        let fixed = ["number", "username"].map(str::to_owned).into();
        assert_eq!(set, &kept - &fixed);
    }
}
