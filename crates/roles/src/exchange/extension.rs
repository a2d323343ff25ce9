//! An extension as it is kept: its account, what it may do, where its calls go. Plain data.

use std::fmt;

use proto::sip::digest::Ha1;
use serde::{Deserialize, Serialize};

/// The longest number, and the longest other text of an extension, in bytes.
const MAX_NUMBER_BYTES: usize = 32;
const MAX_TEXT_BYTES: usize = 256;
/// The longest time for which an extension rings, in seconds.
const MAX_RING_S: u16 = 600;
/// The most numbers that may make an extension's phones answer.
const MAX_CALLERS: usize = 1_000;

/// One extension as it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Extension {
    /// What others dial.
    pub number: String,
    /// The name of its digest account; mostly the number.
    pub username: String,
    /// The name shown to others.
    pub display: String,
    /// What is kept instead of its password.
    pub secret: Secret,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// How many devices it may have.
    pub devices: Devices,
    /// How many calls it may have at a time.
    pub max_calls: u8,
    /// Where its calls go instead.
    pub forward: Forward,
    /// Whether its calls are refused.
    pub do_not_disturb: bool,
    /// Extensions of one group answer each other's calls by the code of group pickup.
    pub pickup_group: Option<String>,
    /// Who may watch it and pick up its calls; `None`: every extension.
    pub watchers: Option<Vec<String>>,
    /// Who may make its phones answer by themselves.
    #[serde(default)]
    pub intercom: Intercom,
    /// Whether its calls are encrypted.
    #[serde(default)]
    pub encryption: Encryption,
    /// How many messages wait for it.
    #[serde(default)]
    pub messages: Messages,
}

impl Extension {
    /// An enabled extension whose account bears its number.
    pub fn new(number: &str, realm: &str, password: &str) -> Self {
        Self {
            number: number.to_owned(),
            username: number.to_owned(),
            display: number.to_owned(),
            secret: Secret::from(Ha1::new(number, realm, password)),
            enabled: true,
            devices: Devices::default(),
            max_calls: 8,
            forward: Forward::default(),
            do_not_disturb: false,
            pickup_group: None,
            watchers: None,
            intercom: Intercom::default(),
            encryption: Encryption::default(),
            messages: Messages::default(),
        }
    }

    /// Whether number and texts can stand in the headers of messages.
    ///
    /// # Errors
    /// One of them cannot; which, in words.
    pub fn check(&self) -> Result<(), String> {
        check_number(&self.number)?;
        let forward = &self.forward;
        let targets = [&forward.always, &forward.busy, &forward.no_answer].into_iter().flatten();
        let texts = [&self.username, &self.display].into_iter().chain(&self.pickup_group).chain(targets);
        let callers: &[String] = if let Intercom::Numbers(numbers) = &self.intercom { numbers } else { &[] };
        if callers.len() > MAX_CALLERS {
            return Err(format!(
                "the list of intercom callers of {} has more than {MAX_CALLERS}",
                self.number
            ));
        }
        if self.forward.no_answer_s > MAX_RING_S {
            return Err(format!("extension {} rings for {MAX_RING_S} seconds at most", self.number));
        }
        for text in texts.chain(self.watchers.iter().flatten()).chain(callers) {
            if text.len() > MAX_TEXT_BYTES || text.contains(char::is_control) {
                return Err(format!(
                    "a text of extension {} has more than {MAX_TEXT_BYTES} bytes or control characters",
                    self.number
                ));
            }
        }
        Ok(())
    }

    /// Whether `number` may make its phones answer by themselves by the code of intercom.
    pub fn may_be_opened_by(&self, number: &str) -> bool {
        match &self.intercom {
            Intercom::ByCode => self.may_be_watched_by(number),
            Intercom::Nobody => false,
            Intercom::Everybody => true,
            Intercom::Numbers(numbers) => numbers.iter().any(|known| known == number),
        }
    }

    /// Whether `number` may also do so by headers of its own call, as paging programs and intercom keys do:
    /// only where that is said expressly.
    pub fn may_be_opened_by_headers_of(&self, number: &str) -> bool {
        self.intercom != Intercom::ByCode && self.may_be_opened_by(number)
    }

    /// Whether `number` may watch this extension and pick up its calls.
    pub fn may_be_watched_by(&self, number: &str) -> bool {
        number == self.number || self.watchers.as_ref().is_none_or(|list| list.iter().any(|n| n == number))
    }
}

/// Who may make the phones of an extension answer by themselves, which opens a microphone there.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Intercom {
    /// The extensions that may watch it, by dialling the code of intercom. Headers of the caller's own INVITE that ask
    /// for an answer are left out.
    #[default]
    ByCode,
    /// Nobody.
    Nobody,
    /// Every extension, by the code or by headers of its own.
    Everybody,
    /// These extensions, by the code or by headers of their own.
    Numbers(Vec<String>),
}

/// A number stands in URIs and is dialled: it holds nothing that would have to be escaped. `.` and `..` are
/// none, since in the path of a URL they mean something else (RFC 3986 §5.2.4).
///
/// # Errors
/// It does; says what a number is.
pub fn check_number(number: &str) -> Result<(), &'static str> {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '+' | '-' | '.' | '_');
    let is_path = matches!(number, "." | "..");
    let fits =
        !number.is_empty() && number.len() <= MAX_NUMBER_BYTES && number.chars().all(sound) && !is_path;
    if fits {
        Ok(())
    } else {
        Err("a number has 1 to 32 letters, digits and signs of *+-._, and is not . or ..")
    }
}

/// How many messages wait in a mailbox (RFC 3842).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// Not heard yet.
    pub new: u32,
    /// Heard and kept.
    pub old: u32,
}

/// Whether the sound of an extension's calls is encrypted between its devices and the exchange (deck,
/// "check whether the account set SRTP on the PBX server").
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// Its devices are offered what the caller offers, and may call as they like.
    #[default]
    AsOffered,
    /// Its devices are offered no keys.
    Never,
    /// Its devices are offered encryption alone, and refused with 488 where they call without.
    Always,
}

/// The hashes of one account (RFC 7616 §3.4.2). As good as the password, so never shown.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize)]
pub struct Secret {
    md5: [u8; 16],
    sha256: [u8; 32],
}

impl From<Ha1> for Secret {
    fn from(ha1: Ha1) -> Self {
        Self { md5: ha1.md5, sha256: ha1.sha256 }
    }
}

impl From<Secret> for Ha1 {
    fn from(secret: Secret) -> Self {
        Self { md5: secret.md5, sha256: secret.sha256 }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How many devices may register for one extension.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// The most contacts at a time.
    pub most: u8,
    /// What happens to one more: the oldest makes room, or it is refused with 403.
    pub replace_oldest: bool,
}

impl Default for Devices {
    fn default() -> Self {
        Self { most: 8, replace_oldest: true }
    }
}

/// Where calls of an extension go, by reason.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// All calls.
    pub always: Option<String>,
    /// While it is on a call; wins over call waiting.
    pub busy: Option<String>,
    /// After it rang for `no_answer_s`, or where no device is registered.
    pub no_answer: Option<String>,
    /// How long it rings, in seconds; 0 takes the exchange's own time.
    pub no_answer_s: u16,
}

/// The account that one device has at an extension beside the extension's own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct DeviceAccount {
    /// The user of its digest; no other account has it.
    pub user: String,
    /// What is kept instead of its password.
    pub secret: Secret,
}

impl DeviceAccount {
    /// An account with that password.
    pub fn new(user: &str, realm: &str, password: &str) -> Self {
        Self { user: user.to_owned(), secret: Secret::from(Ha1::new(user, realm, password)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_such_as_can_stand_in_messages() {
        assert!(["7001", "*04", "+49-30.1", "lobby_1"].iter().all(|number| check_number(number).is_ok()));
        let long = "7".repeat(33);
        for wrong in ["", ".", "..", "70 01", "7001@x", "7001;x", "ü", "#1", "<b>", &long] {
            assert!(check_number(wrong).is_err(), "{wrong}");
        }
        let mut extension = Extension::new("7001", "offhook", "secret");
        extension.display = "Jörg <b> \"x\"".into();
        assert_eq!(extension.check(), Ok(()));
        extension.forward.busy = Some("7002\r\nVia: x".into());
        assert!(extension.check().is_err_and(|fault| fault.contains("7001")));
    }

    #[test]
    fn a_secret_does_not_show() {
        let extension = Extension::new("7001", "offhook", "secret");
        assert!(!format!("{extension:?}").contains(&format!("{:?}", extension.secret.md5)));
    }
}
