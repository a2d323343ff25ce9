//! What a person or program is answered.

use std::sync::Arc;

use serde::Serialize;

use super::directory::{Binding, Devices, Encryption, Entry, Forward, Intercom, Messages};
use super::facts::{Ban, Blocked, CallRecord, CallView, Subscription};
use super::figures::Figures;
use super::router::Codes;

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

/// An extension as others may see it.
#[derive(Clone, Debug, Serialize)]
pub struct ExtensionView {
    /// What others dial.
    pub number: String,
    /// The name of its digest account.
    pub username: String,
    /// The name shown.
    pub display: String,
    /// Whether it may do anything.
    pub enabled: bool,
    /// How many devices it may have.
    pub devices_allowed: Devices,
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
    pub watched_by: Option<Vec<String>>,
    /// Who may make its phones answer by themselves.
    pub intercom: Intercom,
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
    pub(super) fn of(entry: &Entry, legs: usize, watchers: usize) -> Self {
        Self {
            number: entry.extension.number.clone(),
            username: entry.extension.username.clone(),
            display: entry.extension.display.clone(),
            enabled: entry.extension.enabled,
            devices_allowed: entry.extension.devices,
            max_calls: entry.extension.max_calls,
            forward: entry.extension.forward.clone(),
            encryption: entry.extension.encryption,
            messages: entry.extension.messages,
            do_not_disturb: entry.extension.do_not_disturb,
            pickup_group: entry.extension.pickup_group.clone(),
            watched_by: entry.extension.watchers.clone(),
            intercom: entry.extension.intercom.clone(),
            devices: entry.bindings.len(),
            reachable: entry.bindings.iter().filter(|device| device.reachable).count(),
            legs,
            watchers,
        }
    }
}
