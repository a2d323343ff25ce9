//! Changes of an extension by hand: what is not named stays.

use std::fmt;

use proto::sip::digest::Ha1;
use serde::{Deserialize, Deserializer};

use super::check_secret;
use super::extension::{Devices, Encryption, Extension, Forward, Intercom, Messages, Secret};
use crate::object::Object;

/// What of an extension is to be different.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edit {
    /// The name shown.
    #[serde(deserialize_with = "named")]
    pub display: Option<String>,
    /// Its new password; kept as hashes alone.
    #[serde(deserialize_with = "named")]
    pub password: Option<Password>,
    /// Whether it may do anything.
    #[serde(deserialize_with = "named")]
    pub enabled: Option<bool>,
    /// How many devices it may have.
    #[serde(deserialize_with = "named_object")]
    pub devices: Option<Devices>,
    /// How many calls it may have at a time.
    #[serde(deserialize_with = "named")]
    pub max_calls: Option<u8>,
    /// Where its calls go instead.
    #[serde(deserialize_with = "named_object")]
    pub forward: Option<Forward>,
    /// Whether its calls are encrypted.
    #[serde(deserialize_with = "named")]
    pub encryption: Option<Encryption>,
    /// How many messages wait for it.
    #[serde(deserialize_with = "named_object")]
    pub messages: Option<Messages>,
    /// Whether its calls are refused.
    #[serde(deserialize_with = "named")]
    pub do_not_disturb: Option<bool>,
    /// Whose calls it answers by the code of group pickup; `null` for nobody's.
    #[serde(deserialize_with = "named")]
    pub pickup_group: Option<Option<String>>,
    /// Who may watch it and pick up its calls; `null` for everybody.
    #[serde(deserialize_with = "named")]
    pub watchers: Option<Option<Vec<String>>>,
    /// Who may make its phones answer by themselves.
    #[serde(deserialize_with = "named")]
    pub intercom: Option<Intercom>,
}

/// A password on its way to its hashes; never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Tells a field that is `null` from one that is not named.
fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn named_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Object::deserialize(from).map(|Object(object)| Some(object))
}

impl Edit {
    /// Makes the changes of an extension, or of one that is new and gets a password by them.
    ///
    /// # Errors
    /// It is new and has none, or the password can be guessed; in words.
    pub(super) fn make(
        self,
        known: Option<Extension>,
        number: &str,
        realm: &str,
    ) -> Result<Extension, String> {
        let mut extension = match (known, &self.password) {
            (Some(known), _) => known,
            (None, Some(password)) => Extension::new(number, realm, &password.0),
            (None, None) => return Err(format!("extension {number} is new: give a password")),
        };
        self.password.as_ref().map_or(Ok(()), |password| check_secret(&password.0, number))?;
        self.apply(&mut extension, realm);
        Ok(extension)
    }

    /// Makes the changes; a password is bound to `realm`.
    pub fn apply(self, to: &mut Extension, realm: &str) {
        if let Some(Password(password)) = &self.password {
            to.secret = Secret::from(Ha1::new(&to.username, realm, password));
        }
        set(&mut to.display, self.display);
        set(&mut to.enabled, self.enabled);
        set(&mut to.devices, self.devices);
        set(&mut to.max_calls, self.max_calls);
        set(&mut to.forward, self.forward);
        set(&mut to.encryption, self.encryption);
        set(&mut to.messages, self.messages);
        set(&mut to.do_not_disturb, self.do_not_disturb);
        set(&mut to.pickup_group, self.pickup_group);
        set(&mut to.watchers, self.watchers);
        set(&mut to.intercom, self.intercom);
    }
}

fn set<T>(field: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *field = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays() {
        let edit: Edit = serde_json::from_str(r#"{"display":"Jack","watchers":["7002"]}"#).expect("sound");
        let mut extension = Extension::new("7001", "offhook", "secret");
        extension.pickup_group = Some("sales".into());
        edit.apply(&mut extension, "offhook");
        assert_eq!((&*extension.display, extension.pickup_group.as_deref()), ("Jack", Some("sales")));
        assert_eq!(extension.watchers, Some(vec!["7002".to_owned()]));
        let edit: Edit = serde_json::from_str(r#"{"pickup_group":null}"#).expect("sound");
        edit.apply(&mut extension, "offhook");
        assert_eq!(extension.pickup_group, None);
    }

    #[test]
    fn what_is_misspelt_or_of_another_kind_is_told() {
        for (text, told) in [
            (r#"{"dispaly":"Jack"}"#, "unknown field `dispaly`"),
            (r#"{"display":null}"#, "invalid type: null"),
            (r#"{"messages":[1,2]}"#, "invalid type: sequence, expected an object"),
            (r#"{"forward":{"alwys":"7002","no_answer_s":0}}"#, "unknown field `alwys`"),
            (r#"{"forward":{"always":"7002"}}"#, "missing field `no_answer_s`"),
            (r#"{"devices":{"most":300,"replace_oldest":true}}"#, "invalid value: integer `300`"),
        ] {
            let fault = serde_json::from_str::<Edit>(text).expect_err(text).to_string();
            assert!(fault.contains(told), "{text}: {fault}");
        }
        assert!(serde_json::from_str::<Object<Edit>>(r#"["Jack"]"#).is_err());
        assert!(serde_json::from_str::<Object<Edit>>(r#"{"display":"Jack"}"#).is_ok());
    }

    #[test]
    fn a_password_does_not_show() {
        let edit: Edit = serde_json::from_str(r#"{"password":"very-secret"}"#).expect("sound");
        assert!(!format!("{edit:?}").contains("very-secret"));
    }
}
