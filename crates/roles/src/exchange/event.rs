//! The events of an exchange, and the changes that its store keeps.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::binding::Binding;
use super::codes::Codes;
use super::extension::Extension;
use super::facts::{Ban, CallRecord, CallView, Subscription};
use crate::relay::RelayFigures;

/// What an exchange tells.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A device is new.
    Registered {
        /// The extension.
        number: String,
        /// The Contact URI.
        contact: String,
        /// Where it is.
        source: SocketAddr,
    },
    /// A device has registered, for the first time or again, with an account of its own.
    DeviceRegistered {
        /// The extension.
        number: String,
        /// The user of its account.
        user: String,
        /// The Contact URI that it registers.
        contact: String,
        /// The Call-ID of its REGISTERs: another one after it has started anew (RFC 3261 §10.2).
        call_id: String,
    },
    /// A device that was sent check-sync has answered, or has not.
    CheckSynced {
        /// The extension.
        number: String,
        /// The Contact URI.
        contact: String,
        /// Its answer; none where none came.
        status: Option<u16>,
    },
    /// A device is gone.
    Unregistered {
        /// The extension.
        number: String,
        /// The Contact URI.
        contact: String,
        /// Why.
        reason: &'static str,
    },
    /// A device was refused by a rule.
    Blocked {
        /// The extension.
        number: String,
        /// Where it is.
        source: IpAddr,
        /// The rule in words.
        rule: String,
    },
    /// A device no longer answers, or does again.
    Reachable {
        /// The extension.
        number: String,
        /// The Contact URI.
        contact: String,
        /// Whether it answers.
        reachable: bool,
    },
    /// Somebody calls.
    CallStarted(CallView),
    /// Somebody answered.
    CallAnswered(CallView),
    /// A call is over.
    CallEnded(CallRecord),
    /// A call waits at a parking place.
    Parked {
        /// The call.
        call: u64,
        /// The number of the place.
        place: String,
        /// Who waits.
        caller: String,
    },
    /// The relay's figures of a call that is over.
    CallMeasured {
        /// The call.
        call: u64,
        /// What came from the caller.
        from_caller: RelayFigures,
        /// What came from the called.
        from_callee: RelayFigures,
    },
    /// A source was banned.
    Banned(Ban),
    /// An address that belongs to no party of a call sends sound into it; the relay drops that.
    MediaStranger {
        /// The call; none where it is over.
        call: Option<u64>,
        /// Whose port it sends to: `caller` or `callee`.
        side: &'static str,
        /// The sender.
        from: SocketAddr,
    },
    /// There were so many guesses at an account that passwords of new devices are looked at slowly.
    Besieged {
        /// The extension.
        number: String,
    },
    /// More requests come than the exchange can serve: new ones get 503 with Retry-After.
    Behind {
        /// How long a message waited for its turn, in milliseconds.
        waited_ms: u64,
    },
    /// The exchange serves all requests in time again.
    InTime {
        /// How many requests got 503 meanwhile.
        turned_away: u64,
    },
    /// The relay could not serve a call.
    RelayFailed {
        /// The call.
        relay: u32,
        /// Why, in words.
        reason: String,
    },
    /// What a command came to.
    Done {
        /// The command's number.
        id: u64,
        /// Its answer.
        answer: Answer,
    },
}

/// What an exchange wants kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// An extension is new or different.
    Extension(Box<Extension>),
    /// An extension is gone.
    ExtensionRemoved {
        /// Which.
        number: String,
    },
    /// A device is new or refreshed; named by number and contact.
    Binding(Arc<Binding>),
    /// A device is gone.
    BindingRemoved {
        /// The extension.
        number: String,
        /// The Contact URI.
        contact: String,
    },
    /// A subscription is new or has told something; named by its local tag.
    Subscription(Arc<Subscription>),
    /// A subscription is over.
    SubscriptionRemoved {
        /// Its local tag.
        local_tag: String,
    },
    /// A call is over, or measured; named by its beginning and its number.
    CallRecord(CallRecord),
    /// A call is so long over that its record makes room.
    CallRecordRemoved {
        /// The call.
        call: u64,
        /// Milliseconds since 1970 at which it began.
        started_at_ms: u64,
    },
    /// The feature codes are different.
    Codes(Box<Codes>),
    /// A source is banned.
    Ban(Ban),
    /// A ban is lifted.
    BanRemoved {
        /// Who.
        source: IpAddr,
        /// The account that it could not use; all where `None`.
        #[serde(default)]
        account: Option<String>,
    },
}
