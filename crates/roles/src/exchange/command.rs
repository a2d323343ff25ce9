//! The commands that a person or program can give to the exchange.

use std::net::IpAddr;

use serde::Deserialize;

use super::codes::Codes;
use super::edit::Edit;
use super::extension::{DeviceAccount, Extension};
use super::facts::Party;

/// One wish, and a number by which its answer is known.
#[derive(Clone, Debug, Deserialize)]
pub struct Command {
    /// Comes back in [`super::Event::Done`].
    pub id: u64,
    /// What is wished.
    pub what: What,
}

/// What can be wished.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Lists the extensions in the order of their numbers.
    Extensions {
        /// From the next number after this one on; from the first where `None`.
        after: Option<String>,
    },
    /// Shows one extension.
    Extension(String),
    /// Sets an extension, new or not; its devices and calls stay.
    SetExtension(Box<Extension>),
    /// Changes what is named of an extension; one that is new needs a password.
    EditExtension {
        /// Which.
        number: String,
        /// What is to be different.
        edit: Box<Edit>,
    },
    /// Removes an extension with its devices and calls.
    RemoveExtension(String),
    /// Sets the accounts that devices have at a number beside its own, all of them.
    SetDeviceAccounts {
        /// The number, whether it has an extension yet or not.
        number: String,
        /// Their accounts.
        accounts: Vec<DeviceAccount>,
    },
    /// Tells devices to fetch their configuration, by check-sync; [`super::Event::CheckSynced`] tells what
    /// each answers.
    CheckSync {
        /// Their extension.
        number: String,
        /// The Contact URI of one; `None`: all devices of the extension.
        contact: Option<String>,
        /// Whether it is to restart.
        reboot: bool,
    },
    /// Lists the devices.
    Registrations {
        /// Of this extension alone; of all where `None`.
        number: Option<String>,
    },
    /// Lists the calls under way.
    Calls {
        /// From or to this number alone; all where `None`.
        number: Option<String>,
    },
    /// Ends a call.
    HangUp(u64),
    /// Ends all calls, since the exchange is about to end.
    HangUpAll,
    /// Rings the devices of an extension and connects the one that answers with a number.
    Originate {
        /// The extension that is rung first.
        from: String,
        /// Whom it is then connected with.
        to: String,
    },
    /// Leads one party of an answered call to another extension; the other one is hung up once that
    /// has answered.
    Transfer {
        /// The call.
        call: u64,
        /// Who is led.
        party: Party,
        /// Where to.
        to: String,
    },
    /// Lists the calls that are over, the newest first.
    Records {
        /// Of those before this call alone; of all where `None`.
        before: Option<u64>,
        /// Of calls from or to this number alone; of all where `None`.
        number: Option<String>,
        /// How many at most.
        count: usize,
    },
    /// Lists the feature codes.
    Codes,
    /// Sets the feature codes; an empty one turns its feature off.
    SetCodes(Box<Codes>),
    /// Lists who watches whom.
    Subscriptions {
        /// What this number watches and who watches it alone; all where `None`.
        number: Option<String>,
    },
    /// Lists the rules against devices.
    Blocks,
    /// Lists the devices that a rule hit of late.
    Blocked,
    /// Counts what there is.
    Figures,
    /// Lists the bans in force.
    Bans,
    /// Bans a source.
    Ban(IpAddr),
    /// Lifts a ban.
    Pardon(IpAddr),
}
