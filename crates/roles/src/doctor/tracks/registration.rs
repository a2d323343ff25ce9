//! Registrations: one account at one server from one phone.

use std::sync::Arc;

use super::super::proof::{Path, Proof};
use super::transaction::TransactionId;

/// All REGISTERs of one account from one address to one server.
#[derive(Debug)]
pub struct Registration {
    /// The user of To.
    pub account: Box<str>,
    /// The host of To.
    pub domain: Box<str>,
    /// From the phone to the server.
    pub path: Arc<Path>,
    /// Its Call-IDs, at most 16: a phone takes a new one when it starts.
    pub call_ids: Vec<Arc<str>>,
    /// Its REGISTERs in order.
    pub transactions: Vec<TransactionId>,
    /// What it came to.
    pub outcome: Outcome,
    /// The last final status, challenges aside.
    pub status: Option<u16>,
    /// Seconds that the server granted last.
    pub expires_s: Option<u32>,
    /// The Contact that the phone registered last.
    pub contact: Option<Box<str>>,
    /// The phone's User-Agent.
    pub user_agent: Option<Box<str>>,
    /// The first packet.
    pub from: Proof,
    /// The last packet.
    pub to: Proof,
    /// How often it succeeded.
    pub successes: u32,
}

/// What became of a registration or subscription at the end of the capture.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Outcome {
    /// The capture does not show it.
    #[default]
    Unknown,
    /// 2xx.
    Accepted,
    /// A final refusal that was not put right.
    Refused,
    /// No answer at all.
    Unanswered,
    /// Taken back (Expires 0), or ended by the notifier.
    Ended,
}
