//! A device as provisioning knows it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use proto::{Rng, Time};
use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// The longest text of a device, in bytes.
const LONGEST_TEXT_BYTES: usize = 128;
/// The most settings of its own that a device has.
const MOST_SETTINGS: usize = 256;
/// How long a credential holds that a newer one has taken the place of, unless the device registers with
/// the newer one before.
pub(super) const ROTATION_S: u64 = 24 * 3_600;

/// A text that only the device itself is told.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A new one: 160 bits, in letters and digits.
    pub fn new(rng: &mut Rng) -> Self {
        Self(rng.hex(40))
    }

    /// The text, for the device's own files and hashes alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One device as it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Device {
    /// Its MAC address.
    pub mac: Mac,
    /// Its model; it chooses the template.
    pub model: String,
    /// The extension that it registers as.
    pub number: Option<String>,
    /// Which of its accounts does so, from 1.
    pub account: u8,
    /// What people call it.
    pub label: String,
    /// The template, where it is not the model's.
    pub template: Option<String>,
    /// Whether it is served at all.
    pub approved: bool,
    /// Settings of its own, by their names in a file.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The secret of its folder.
    pub token: Secret,
    /// Its credential at its extension.
    pub credential: Credential,
    /// The one before, until the device has registered with the new one.
    #[serde(default)]
    pub before: Option<Expiring>,
    /// What its file said when it was served last: another file has another account, so that a registration
    /// proves which file the phone has applied.
    #[serde(default)]
    pub served: Option<u64>,
    /// Whether it has registered as that file says.
    #[serde(default)]
    pub is_applied: bool,
    /// What is known of it.
    #[serde(default)]
    pub now: Seen,
}

/// A device's own account at its extension.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Credential {
    /// The user of its digest: nobody else's.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// Users with the same password that earlier files named, the newest last: the phone has them until it
    /// has applied the newest file.
    #[serde(default)]
    pub earlier: Vec<String>,
}

/// A credential that ends.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Expiring {
    /// The credential.
    pub credential: Credential,
    /// Seconds since 1970 until which it holds.
    #[serde(rename = "until", alias = "until_s", with = "crate::stamp::s")]
    pub until_s: u64,
}

/// What was seen of a device; moments in milliseconds since 1970.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Seen {
    /// When it last asked for anything, in milliseconds since 1970.
    #[serde(default, with = "crate::stamp::ms_or_null")]
    pub asked: Option<u64>,
    /// What it was served last, the newest first.
    pub served: Vec<ServedFile>,
    /// When it said that it has applied its files, in milliseconds since 1970.
    #[serde(default, with = "crate::stamp::ms_or_null")]
    pub applied: Option<u64>,
    /// When it last registered, in milliseconds since 1970.
    #[serde(default, with = "crate::stamp::ms_or_null")]
    pub registered: Option<u64>,
    /// Its firmware, by its User-Agent.
    pub firmware: Option<String>,
    /// Its User-Agent.
    pub user_agent: Option<String>,
    /// Where it asks from.
    pub address: Option<IpAddr>,
    /// When anything was last heard of it, in milliseconds since 1970.
    #[serde(default, with = "crate::stamp::ms_or_null")]
    pub last_seen: Option<u64>,
}

/// One file that a device was served.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServedFile {
    /// Its name.
    pub file: String,
    /// When, in milliseconds since 1970.
    #[serde(with = "crate::stamp::ms")]
    pub at: u64,
    /// Its size.
    pub bytes: u64,
    /// `tftp`, `http`, `https`, `ftp`.
    pub transport: String,
    /// The outcome: `ok`, or why not.
    pub status: String,
}

/// What stands in the place of a secret.
pub(super) const HIDDEN: &str = "(hidden)";
/// Users of earlier files that hold until the newest one is applied; the oldest makes room.
const MOST_EARLIER: usize = 4;
/// How many of the files that it was served last are remembered.
const MOST_SERVED: usize = 8;

impl Device {
    /// A device that is not approved yet.
    pub fn new(mac: Mac, model: &str, rng: &mut Rng) -> Self {
        Self {
            mac,
            model: model.to_owned(),
            number: None,
            account: 1,
            label: String::new(),
            template: None,
            approved: false,
            settings: BTreeMap::new(),
            token: Secret::new(rng),
            credential: Credential::new(mac, rng),
            before: None,
            served: None,
            is_applied: false,
            now: Seen::default(),
        }
    }

    /// Its file as people may see it.
    pub(super) fn without_secrets(&self, file: String) -> String {
        let hidden = [self.credential.password.expose(), self.token.expose()];
        hidden.into_iter().fold(file, |text, secret| text.replace(secret, HIDDEN))
    }

    /// Its file is served. Where it says something else than before, its account gets another user; then the
    /// file is to be made anew. Whether that is so.
    pub fn serve(&mut self, file: &str, rng: &mut Rng) -> bool {
        let says = fingerprint(file.split(&self.credential.user));
        let before = self.served.replace(says);
        if before == Some(says) {
            return false;
        }
        self.is_applied = false;
        // Nobody has an earlier file of a device that is served for the first time.
        if before.is_some() {
            self.credential.renew(self.mac, rng);
        }
        true
    }

    /// It has registered with that user. None where it is no user of this device, else whether the users and
    /// passwords before it end.
    pub fn registered(&mut self, user: &str) -> Option<bool> {
        if self.credential.user == user {
            self.is_applied |= self.served.is_some();
            let has_older = !self.credential.earlier.is_empty() || self.before.is_some();
            self.credential.earlier.clear();
            self.before = None;
            return Some(has_older);
        }
        self.credentials().any(|it| it.has(user)).then_some(false)
    }

    /// Its credential, and the one before where that still holds.
    pub fn credentials(&self) -> impl Iterator<Item = &Credential> {
        std::iter::once(&self.credential).chain(self.before.as_ref().map(|before| &before.credential))
    }

    /// Gives it a new credential; the old one holds on for a while.
    pub fn rotate(&mut self, now: Time, rng: &mut Rng) {
        let fresh = Credential::new(self.mac, rng);
        let credential = std::mem::replace(&mut self.credential, fresh);
        self.before = Some(Expiring { credential, until_s: now.as_secs() + ROTATION_S });
    }

    /// Whether it can be served: approved, with an extension to register as.
    pub fn is_ready(&self) -> bool {
        self.approved && self.number.is_some()
    }

    /// Whether all texts can stand in a file.
    ///
    /// # Errors
    /// Which cannot, in words.
    pub fn check(&self) -> Result<(), String> {
        let texts = [&self.model, &self.label].into_iter().chain(&self.number).chain(&self.template);
        let settings = self.settings.iter().flat_map(|(name, value)| [name, value]);
        for text in texts.chain(settings) {
            if text.len() > LONGEST_TEXT_BYTES || text.contains(char::is_control) {
                return Err(format!(
                    "a text of device {} has more than {LONGEST_TEXT_BYTES} bytes or control characters",
                    self.mac
                ));
            }
        }
        if self.settings.len() > MOST_SETTINGS {
            return Err(format!("device {} has more than {MOST_SETTINGS} settings of its own", self.mac));
        }
        if !(1..=16).contains(&self.account) {
            return Err(format!("device {}: accounts go from 1 to 16", self.mac));
        }
        if self.mac.is_nobodys() {
            return Err(format!("{} is the address of no phone", self.mac));
        }
        Ok(())
    }
}

impl Credential {
    fn new(mac: Mac, rng: &mut Rng) -> Self {
        Self { user: new_user(mac, rng), password: Secret::new(rng), earlier: Vec::new() }
    }

    /// Another user with the same password; the one before holds on.
    fn renew(&mut self, mac: Mac, rng: &mut Rng) {
        let before = std::mem::replace(&mut self.user, new_user(mac, rng));
        if self.earlier.len() >= MOST_EARLIER {
            self.earlier.remove(0);
        }
        self.earlier.push(before);
    }

    /// All users with its password.
    pub fn users(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.user).chain(&self.earlier)
    }

    fn has(&self, user: &str) -> bool {
        self.users().any(|own| own == user)
    }
}

fn new_user(mac: Mac, rng: &mut Rng) -> String {
    format!("{mac}-{}", rng.hex(6))
}

/// Tells texts apart (FNV-1a), the same in every build of the program.
fn fingerprint<'a>(pieces: impl Iterator<Item = &'a str>) -> u64 {
    pieces
        .flat_map(str::bytes)
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl Seen {
    /// Notes a file.
    pub(super) fn note(&mut self, file: ServedFile) {
        self.served.insert(0, file);
        self.served.truncate(MOST_SERVED);
    }
}
