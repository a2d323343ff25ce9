//! What an exchange tells and keeps of calls, watchers, bans and blocked devices: plain data that knows none of
//! its parts.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::relay::RelayFigures;

/// The URI of a caller who stays unnamed (RFC 3323 §4.1.1.3).
pub(super) const ANONYMOUS_URI: &str = "sip:anonymous@anonymous.invalid";

/// One party of a call.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Peer {
    /// The number.
    pub number: String,
    /// The name shown.
    pub display: String,
}

impl Peer {
    pub(super) fn anonymous() -> Self {
        Self { number: "anonymous".to_owned(), display: "Anonymous".to_owned() }
    }
}

/// A call as others see it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CallView {
    /// Names the call.
    pub call: u64,
    /// Who calls.
    pub caller: Peer,
    /// Who is called.
    pub callee: Peer,
    /// Whether they talk.
    pub answered: bool,
    /// Whether the caller holds.
    pub caller_holds: bool,
    /// Whether the called side holds.
    pub callee_holds: bool,
    /// Milliseconds since 1970 at which it began.
    #[serde(rename = "started_at", with = "crate::stamp::ms")]
    pub started_at_ms: u64,
}

/// One of the two parties of a call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Who called.
    Caller,
    /// Who was called.
    Callee,
}

/// A call that is over.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CallRecord {
    /// Names the call.
    pub call: u64,
    /// Who called.
    pub caller: String,
    /// Who was called.
    pub callee: String,
    /// Milliseconds since 1970 at which it began.
    #[serde(rename = "started_at", alias = "started_at_ms", with = "crate::stamp::ms")]
    pub started_at_ms: u64,
    /// Milliseconds since 1970 at which it was answered.
    #[serde(rename = "answered_at", alias = "answered_at_ms", with = "crate::stamp::ms_or_null")]
    pub answered_at_ms: Option<u64>,
    /// Milliseconds since 1970 at which it ended.
    #[serde(rename = "ended_at", alias = "ended_at_ms", with = "crate::stamp::ms")]
    pub ended_at_ms: u64,
    /// Why it ended, in words.
    pub reason: String,
    /// What the relay got from the caller, once the relay has told its figures.
    #[serde(default)]
    pub from_caller: Option<RelayFigures>,
    /// What the relay got from the callee, once the relay has told its figures.
    #[serde(default)]
    pub from_callee: Option<RelayFigures>,
}

/// What is watched.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Package {
    /// The calls of an extension (RFC 4235).
    #[default]
    Dialog,
    /// The watcher's own mailbox (RFC 3842).
    MessageSummary,
}

impl Package {
    /// As the Event header writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Dialog, Self::MessageSummary].into_iter().find(|p| p.name().eq_ignore_ascii_case(name))
    }
}

/// A subscription as it is kept: what its NOTIFYs need, so that they go on after a restart.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Subscription {
    /// Who watches.
    pub watcher: String,
    /// Who is watched.
    pub watched: String,
    /// What of it.
    #[serde(default)]
    pub package: Package,
    /// Seconds since 1970 until which it holds.
    #[serde(rename = "expires_at", alias = "expires_at_s", with = "crate::stamp::s")]
    pub expires_at_s: u64,
    /// The version of the last body; never goes back.
    pub version: u32,
    /// The CSeq of the last NOTIFY; never goes back.
    pub cseq: u32,
    /// The CSeq of the last SUBSCRIBE.
    pub remote_cseq: Option<u32>,
    /// The `id` of its Event header.
    pub event_id: Option<String>,
    /// The Call-ID of its dialog.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The watcher's tag.
    pub remote_tag: String,
    /// Our URI in the dialog.
    pub local_uri: String,
    /// The watcher's URI in the dialog.
    pub remote_uri: String,
    /// Where its requests go by its Contact.
    pub target: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// Our address.
    pub local: SocketAddr,
    /// Where its packets come from.
    pub remote: SocketAddr,
    /// The proxies between, as Route values.
    #[serde(default)]
    pub routes: Vec<String>,
}

impl Subscription {
    /// What its texts hold, in bytes.
    pub(super) fn texts_bytes(&self) -> usize {
        let uris = [&self.local_uri, &self.remote_uri, &self.target, &self.call_id];
        let tags = [&self.local_tag, &self.remote_tag];
        let texts = uris.into_iter().chain(tags).chain(&self.event_id).chain(&self.routes);
        texts.map(String::len).sum()
    }
}

/// A banned source as it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ban {
    /// Who.
    pub source: IpAddr,
    /// The account that it may not use; all of them where `None`. Devices of that account which are registered
    /// there go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Seconds since 1970 until which it holds.
    #[serde(rename = "until", alias = "until_s", with = "crate::stamp::s")]
    pub until_s: u64,
    /// Which ban in a row this is.
    pub count: u32,
    /// Why, in words.
    pub reason: String,
    /// Whether a person banned it: then devices that live there are banned too.
    #[serde(default)]
    pub by_hand: bool,
}

/// A device that a rule hit.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Blocked {
    /// The extension.
    pub number: String,
    /// Where the device is.
    pub source: IpAddr,
    /// Its User-Agent.
    pub user_agent: String,
    /// The rule in words.
    pub rule: String,
    /// How often.
    pub count: u64,
    /// Milliseconds since 1970 of the last time.
    #[serde(rename = "at", with = "crate::stamp::ms")]
    pub at_ms: u64,
}
