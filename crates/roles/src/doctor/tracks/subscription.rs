//! Subscriptions: lamps, message waiting, and whatever else is told by NOTIFY.

use std::sync::Arc;

use super::super::proof::{Path, Proof};
use super::registration::Outcome;
use super::transaction::TransactionId;

/// One subscription: SUBSCRIBEs and NOTIFYs of one Call-ID and event.
#[derive(Debug)]
pub struct Subscription {
    /// Its Call-ID.
    pub call_id: Arc<str>,
    /// Who watches: the user of From of the SUBSCRIBE.
    pub account: Box<str>,
    /// Who is watched: the user of the Request-URI, else of To.
    pub target: Box<str>,
    /// The event package.
    pub event: Box<str>,
    /// From the watcher to the notifier.
    pub path: Arc<Path>,
    /// Its SUBSCRIBEs in order.
    pub subscribes: Vec<TransactionId>,
    /// Its NOTIFYs in order.
    pub notifies: Vec<TransactionId>,
    /// What it came to.
    pub outcome: Outcome,
    /// The last final status of a SUBSCRIBE, challenges aside.
    pub status: Option<u16>,
    /// Seconds granted.
    pub expires_s: Option<u32>,
    /// The last state that a NOTIFY told of the target (`confirmed`, `early`, `terminated`).
    pub last_state: Option<&'static str>,
    /// When, and what, each NOTIFY told of the target, at most 256.
    pub states: Vec<(Proof, &'static str)>,
}
