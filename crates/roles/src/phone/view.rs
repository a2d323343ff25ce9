//! What a screen would show: lines, keys, lamps, calls, soft keys and messages, as plain data.

use serde::Serialize;

use super::facts::{AccountState, CallNumber, Phase};
use super::lamp::Lamp;
use crate::settings::KeyKind;

/// Which page the screen shows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Screen {
    /// Nothing goes on.
    #[default]
    Idle,
    /// INVITE is about to leave or under way.
    Dialling,
    /// The other party's phone rings.
    Ringback,
    /// It rings here.
    Ringing,
    /// Two parties talk.
    Talking,
    /// The call is held here.
    Held,
    /// Somebody is asked about a held call.
    Consulting,
    /// A call is being sent elsewhere.
    Transferring,
    /// Three parties talk.
    Conference,
}

/// What changes on a screen beside its keys: told whenever it does.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shown {
    /// Which page it is.
    pub screen: Screen,
    /// The line at the top.
    pub title: String,
    /// The message of the moment.
    pub message: Option<String>,
    /// The account by which calls are made when none is named; 0 where there is none.
    pub account: u8,
    /// The calls, oldest first.
    pub calls: Vec<CallView>,
    /// Missed calls that nobody has looked at.
    pub missed: u32,
    /// New voice messages.
    pub messages: u32,
    /// Whether do not disturb is on.
    pub dnd: bool,
    /// Where calls are forwarded: `always 7001`.
    pub forwards: Vec<String>,
}

/// A number that a key knows by name.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Contact {
    /// The key's label.
    pub name: String,
    /// The number.
    pub number: String,
    /// The account by which it is called.
    pub account: u8,
    /// The key, from 1.
    pub key: u8,
}

/// Everything that a screen shows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Which page it is.
    pub screen: Screen,
    /// The line at the top: "No Account" where none is registered (deck, Account Registration).
    pub title: String,
    /// The message of the moment: "Registering", "Transfer failed: 404".
    pub message: Option<String>,
    /// The accounts.
    pub accounts: Vec<AccountView>,
    /// The calls, oldest first.
    pub calls: Vec<CallView>,
    /// The line keys that are set to something.
    pub keys: Vec<KeyView>,
    /// The soft keys, as commands with their names.
    pub soft_keys: Vec<SoftKey>,
    /// Missed calls that nobody has looked at.
    pub missed: u32,
    /// New voice messages.
    pub messages: u32,
    /// Whether do not disturb is on.
    pub dnd: bool,
    /// Where calls are forwarded: `always 7001`.
    pub forwards: Vec<String>,
    /// The phone on the network.
    pub network: NetworkView,
}

/// One account.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AccountView {
    /// From 1.
    pub account: u8,
    /// What stands beside it.
    pub label: String,
    /// Its number.
    pub number: String,
    /// Whether and how it is registered.
    #[serde(flatten)]
    pub state: AccountState,
    /// The server in use.
    pub server: String,
    /// Calls are made by it when none is named.
    pub default: bool,
}

/// One call.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CallView {
    /// Its number.
    pub call: CallNumber,
    /// Its account.
    pub account: u8,
    /// The other party's number.
    pub peer: String,
    /// The other party's name.
    pub name: String,
    /// Whether this phone called.
    pub outgoing: bool,
    /// How far it is.
    pub phase: Phase,
    /// This phone holds it.
    pub held: bool,
    /// The other party holds it.
    pub remote_held: bool,
    /// It is part of the conference.
    pub conference: bool,
    /// The codec.
    pub codec: Option<String>,
    /// Whether its sound is encrypted.
    pub secure: bool,
    /// When it was answered, in milliseconds since 1970.
    #[serde(rename = "answered_at", with = "crate::stamp::ms_or_null")]
    pub answered_at_ms: Option<u64>,
    /// Who sent it here.
    pub diverted_from: Option<String>,
    /// The number that was called, where the settings show it.
    pub called: Option<String>,
    /// It is being transferred, and how that comes out is not known yet.
    pub transferring: bool,
    /// Somebody is being asked about another call.
    pub consulting: bool,
}

/// One line key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyView {
    /// From 1.
    pub key: u8,
    /// What it does.
    pub kind: KeyKind,
    /// What stands beside it.
    pub label: String,
    /// The number that it watches, dials or sends.
    pub value: String,
    /// Its lamp.
    #[serde(flatten)]
    pub lamp: Lamp,
}

/// One soft key: its name, and the command that pressing it gives.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SoftKey {
    /// On the screen.
    pub name: &'static str,
    /// As `--stdio` says it; with a trailing blank where a number follows.
    pub command: String,
}

/// The phone on the network.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct NetworkView {
    /// Its address.
    pub ip: String,
    /// Its MAC address.
    pub mac: String,
    /// Its model.
    pub model: &'static str,
    /// Its firmware.
    pub version: String,
}
