//! What several parts of a phone speak of: plain data that knows none of them.

use serde::{Deserialize, Serialize};

/// A small number by which people name a call.
pub type CallNumber = u32;

/// How far a call has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Dialled; another call is being held first, or the other party's place is looked up.
    Dialling,
    /// INVITE is under way.
    Calling,
    /// The other party's phone rings.
    Ringback,
    /// It rings here.
    Ringing,
    /// It is being turned away: DND.
    TurningAway,
    /// Answered here; the other party's ACK is awaited.
    Answering,
    /// It stands.
    Talking,
    /// It is over.
    Over,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryKind {
    /// Dialled here.
    Dialled,
    /// Answered here.
    Received,
    /// Rang here in vain.
    Missed,
    /// Sent elsewhere.
    Forwarded,
}

/// One past call.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// What became of it.
    pub kind: HistoryKind,
    /// The account, from 1.
    pub account: u8,
    /// The other party's number.
    pub number: String,
    /// The other party's name.
    pub name: String,
    /// When it began, in seconds since 1970.
    #[serde(rename = "at", alias = "at_s", with = "crate::stamp::s")]
    pub at_s: u64,
    /// How long it was talked.
    pub duration_s: u64,
}

/// Why this phone forwards a call, as Diversion names it (RFC 5806 §3).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardReason {
    /// All calls are forwarded.
    Unconditional,
    /// The phone is on a call.
    UserBusy,
    /// Nobody has answered.
    NoAnswer,
    /// A person has sent it on while it rang.
    Deflection,
}

impl ForwardReason {
    /// As Diversion writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::UserBusy => "user-busy",
            Self::NoAnswer => "no-answer",
            Self::Deflection => "deflection",
        }
    }
}

/// What is true of an account's registration.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AccountState {
    /// Not begun, or taken back.
    #[default]
    Unregistered,
    /// The address of its server is being looked up.
    Locating,
    /// REGISTER is under way for the first time or after a failure.
    Registering,
    /// A binding stands.
    Registered {
        /// As the server granted it.
        expires_s: u32,
    },
    /// Refused, or no answer.
    Failed {
        /// The final status.
        status: Option<u16>,
        /// In words.
        reason: String,
    },
}

impl AccountState {
    /// Whether a binding stands.
    pub fn is_registered(&self) -> bool {
        matches!(self, Self::Registered { .. })
    }
}

/// What a case is about: the headings of the deck.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Account Registration.
    #[default]
    Registration,
    /// Call out/Call in failure.
    Call,
    /// One-way audio, no voice.
    Audio,
    /// Auto Provisioning.
    Provisioning,
    /// BLF.
    Blf,
    /// Network.
    Network,
    /// Phone becomes slow, stuck or reboots.
    Slow,
}

/// One file that was asked for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AskedFile {
    /// Where.
    pub url: String,
    /// 200 it came, 304 it is as before, 404 it is not there; `None` where no answer came.
    pub status: Option<u16>,
    /// How many bytes came.
    pub bytes: usize,
}
