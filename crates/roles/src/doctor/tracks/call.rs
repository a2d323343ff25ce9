//! Calls: what a person sees, over one leg or over the two legs of an exchange.

use std::sync::Arc;

use super::super::proof::{Path, Proof};
use super::transaction::{Party, TransactionId};

/// Index into [`Tracks::legs`](super::Tracks::legs).
pub type LegId = u32;

/// One call; its first leg is the caller's.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Its legs in the order of their INVITEs.
    pub legs: Vec<LegId>,
}

/// One Call-ID with an INVITE: one side of a call.
#[derive(Debug)]
pub struct Leg {
    /// Its Call-ID.
    pub call_id: Arc<str>,
    /// From of the first INVITE.
    pub from: Party,
    /// To of the first INVITE.
    pub to: Party,
    /// The way of the first INVITE: the caller's side sends.
    pub path: Arc<Path>,
    /// All its transactions in order (INVITE, re-INVITE, BYE, CANCEL, REFER, NOTIFY, UPDATE, INFO, …).
    pub transactions: Vec<TransactionId>,
    /// The first INVITE.
    pub started: Option<Proof>,
    /// The first 18x.
    pub ringing: Option<Proof>,
    /// The first 2xx to an INVITE.
    pub answered: Option<Proof>,
    /// BYE, CANCEL or the final refusal.
    pub ended: Option<Proof>,
    /// The final status of the first INVITE that was not challenged.
    pub status: Option<u16>,
    /// Who ended it.
    pub by: Option<By>,
    /// Challenges (401, 407) that were answered with credentials.
    pub challenges: u16,
    /// Its RTP: indices into [`Tracks::streams`](super::Tracks::streams).
    pub streams: Vec<u32>,
    /// The call that it belongs to.
    pub call: u32,
    /// Whether its first INVITE was seen.
    pub seen_from_start: bool,
    /// Whether its transactions were given up, since it was healthy and is over.
    pub settled: bool,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// The side that sent the INVITE.
    Caller,
    /// The side that got it.
    Callee,
    /// Neither: the server, or silence.
    Network,
}

impl By {
    /// As the report writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Network => "network",
        }
    }
}
