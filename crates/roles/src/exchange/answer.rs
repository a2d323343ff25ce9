//! What a person or program is answered.

use std::sync::Arc;

use serde::Serialize;

use super::binding::Binding;
use super::codes::Codes;
use super::extension::{Devices, Encryption, Extension, Forward, Intercom, Messages};
use super::facts::{Ban, Blocked, CallRecord, CallView, Subscription};
use super::figures::Figures;

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
    pub(super) fn of(extension: &Extension, bindings: &[Arc<Binding>], legs: usize, watchers: usize) -> Self {
        Self {
            number: extension.number.clone(),
            username: extension.username.clone(),
            display: extension.display.clone(),
            enabled: extension.enabled,
            devices_allowed: extension.devices,
            max_calls: extension.max_calls,
            forward: extension.forward.clone(),
            encryption: extension.encryption,
            messages: extension.messages,
            do_not_disturb: extension.do_not_disturb,
            pickup_group: extension.pickup_group.clone(),
            watched_by: extension.watchers.clone(),
            intercom: extension.intercom.clone(),
            devices: bindings.len(),
            reachable: bindings.iter().filter(|device| device.reachable).count(),
            legs,
            watchers,
        }
    }
}
