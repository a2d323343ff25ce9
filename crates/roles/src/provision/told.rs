//! What provisioning is told, tells and keeps: plain data.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::device::{Credential, Device, Seen};
use crate::mac::Mac;

/// A phone that asked and that nobody has approved.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Stranger {
    /// Its MAC address.
    pub mac: Mac,
    /// When it last asked, in milliseconds since 1970.
    #[serde(serialize_with = "crate::stamp::ms::serialize")]
    pub asked: u64,
    /// Where it asks from.
    pub address: IpAddr,
    /// Its User-Agent, or vendor and model as PnP tells them.
    pub user_agent: Option<String>,
    /// The vendor whose dialect it speaks, where that is none of ours.
    pub foreign: Option<&'static str>,
}

/// One request and what came of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Transfer {
    /// Rises with each.
    pub id: u64,
    /// When it began, in milliseconds since 1970.
    #[serde(with = "crate::stamp::ms")]
    pub at: u64,
    /// Who asked.
    pub peer: IpAddr,
    /// `tftp`, `http`, `https`, `ftp`, `pnp`.
    pub transport: String,
    /// The file, without the secret of its folder.
    pub file: String,
    /// The device, where it is known.
    pub mac: Option<Mac>,
    /// How many bytes were sent.
    pub bytes: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// `ok`, `not-found`, `refused`, `stalled`, `throttled`, or a fault of a template.
    pub result: String,
}

/// What is to be kept or told.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A device is new or has changed.
    Device(Box<Device>),
    /// A device is gone, and what it was served.
    DeviceRemoved(Mac),
    /// A device is served a file that says something new; its secrets are left out.
    Served {
        /// The device.
        mac: Mac,
        /// The file.
        text: String,
    },
    /// A transfer.
    Transfer(Box<Transfer>),
    /// A transfer whose place newer ones have taken.
    TransferGone(u64),
    /// A device is to be told to fetch its configuration.
    CheckSync {
        /// Its extension.
        number: String,
        /// Its Contact URI.
        contact: String,
        /// Whether it is to restart.
        reboot: bool,
    },
    /// A row of the redirection service's table is new, has changed or is gone.
    Redirect {
        /// Its name.
        key: String,
        /// What it says; none where it is gone.
        row: Option<Redirect>,
    },
    /// The accounts that devices have at an extension, all of them.
    Accounts {
        /// The extension.
        number: String,
        /// Their credentials.
        credentials: Vec<Credential>,
    },
}

/// What a request got, until its transfer is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// What is to be sent.
    pub answer: Content,
    pub(super) transfer: Transfer,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// This text.
    Text(String),
    /// A file of the folder that is served as it is, by the names of its path.
    File(Vec<String>),
    /// Where the phone's files are.
    Elsewhere(String),
    /// There is no such file.
    NotFound,
    /// Nothing at all: whoever asks has guessed too often.
    Silence,
}

/// What is to be set of a device; what is not named stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    /// Its model.
    pub model: Option<String>,
    /// Its extension; null: none.
    #[serde(deserialize_with = "named")]
    pub number: Option<Option<String>>,
    /// Which of its accounts, from 1.
    pub account: Option<u8>,
    /// What people call it.
    pub label: Option<String>,
    /// Its template; null: the model's.
    #[serde(deserialize_with = "named")]
    pub template: Option<Option<String>>,
    /// Whether it is served.
    pub approved: Option<bool>,
    /// Its own settings, all of them.
    pub settings: Option<BTreeMap<String, String>>,
}

/// What is named, null among it.
fn named<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

/// A device as programs see it.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceView<'a> {
    /// Its MAC address.
    pub mac: Mac,
    /// Its model.
    pub model: &'a str,
    /// Its extension.
    pub number: Option<&'a str>,
    /// Its account, from 1.
    pub account: u8,
    /// What people call it.
    pub label: &'a str,
    /// Its template, where it is not the model's.
    pub template: Option<&'a str>,
    /// Whether it is served.
    pub approved: bool,
    /// Its own settings by name; a secret is not shown.
    pub settings: BTreeMap<&'a str, &'a str>,
    /// Whether an older credential still holds.
    pub rotating: bool,
    /// What was seen of it.
    pub now: &'a Seen,
}

/// One row of the redirection service's table, as it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirect {
    /// A server and its address.
    Server {
        /// Its name.
        name: String,
        /// The folder or file that phones are led to.
        url: String,
    },
    /// A phone that is led to a server.
    Phone {
        /// The phone.
        mac: Mac,
        /// The server's name.
        server: String,
        /// An address of its own, in the place of the server's.
        url: Option<String>,
    },
}

impl Redirect {
    /// The name under which the row is kept.
    pub fn key(&self) -> String {
        match self {
            Self::Server { name, .. } => format!("server {name}"),
            Self::Phone { mac, .. } => phone_key(*mac),
        }
    }
}

/// The key of the row of a phone.
pub(super) fn phone_key(mac: Mac) -> String {
    format!("phone {mac}")
}

/// What was kept.
#[derive(Debug, Default)]
pub struct Restored {
    /// The devices.
    pub devices: Vec<Device>,
    /// The transfers, in any order.
    pub transfers: Vec<Transfer>,
    /// Extensions at which a device has registered: their accounts are told even where they have none left.
    pub numbers: Vec<String>,
    /// The redirection service's table.
    pub redirects: Vec<Redirect>,
}

impl Edit {
    pub(super) fn apply(self, device: &mut Device) {
        let Self { model, number, account, label, template, approved, settings } = self;
        device.model = model.unwrap_or_else(|| std::mem::take(&mut device.model));
        device.number = number.unwrap_or_else(|| device.number.take());
        device.account = account.unwrap_or(device.account);
        device.label = label.unwrap_or_else(|| std::mem::take(&mut device.label));
        device.template = template.unwrap_or_else(|| device.template.take());
        device.approved = approved.unwrap_or(device.approved);
        device.settings = settings.unwrap_or_else(|| std::mem::take(&mut device.settings));
    }
}

impl<'a> DeviceView<'a> {
    pub(super) fn of(device: &'a Device) -> Self {
        let shown = |(name, value): (&'a String, &'a String)| {
            let is_secret = name.parse::<crate::settings::Key>().map_or(true, |key| key.row().is_secret());
            let is_secret = is_secret && (name.contains("password") || name.contains("secret"));
            (name.as_str(), if is_secret { "(hidden)" } else { value.as_str() })
        };
        Self {
            mac: device.mac,
            model: &device.model,
            number: device.number.as_deref(),
            account: device.account,
            label: &device.label,
            template: device.template.as_deref(),
            approved: device.approved,
            settings: device.settings.iter().map(shown).collect(),
            rotating: device.before.is_some(),
            now: &device.now,
        }
    }
}
