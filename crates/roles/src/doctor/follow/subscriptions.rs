//! SUBSCRIBEs and NOTIFYs put together.

use std::sync::Arc;

use proto::sip::Method;
use proto::sip::uri::Uri;

use super::ground::{Change, Map};
use super::registrations::outcome;
use super::said;
use crate::doctor::Proof;
use crate::doctor::tracks::{Outcome, Subscription, Tracks, Transaction, TransactionId};

/// Subscriptions of one case.
pub const LIMIT: usize = 200_000;
/// SUBSCRIBEs, and NOTIFYs, of one subscription that are kept.
const TRANSACTIONS_LIMIT: usize = 512;
const STATES_LIMIT: usize = 256;

/// Which subscription a message belongs to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    by_call_id: Map<Arc<str>, u32>,
}

impl Subscriptions {
    /// Whether a Call-ID is that of a subscription.
    pub fn knows(&self, call_id: &Arc<str>) -> bool {
        self.by_call_id.contains_key(call_id)
    }

    /// Takes what has changed about a SUBSCRIBE or NOTIFY.
    pub fn take(&mut self, tracks: &mut Tracks, proof: Proof, id: TransactionId, change: Change) {
        let Some(index) = self.find(tracks, id) else { return };
        let Some(transaction) = tracks.transactions.get(id.0 as usize).and_then(Option::as_deref) else {
            return;
        };
        let Some(track) = tracks.subscriptions.get_mut(index as usize) else { return };
        let is_notify = transaction.method == Method::Notify;
        match change {
            Change::Begun if is_notify => note_notify(track, transaction, id, proof),
            Change::Begun if track.subscribes.len() < TRANSACTIONS_LIMIT => track.subscribes.push(id),
            Change::Answered(answer) if !is_notify => note_answer(track, transaction, answer),
            _ => {}
        }
    }

    /// Settles the outcomes.
    pub fn finish(&mut self, tracks: &mut Tracks) {
        for index in 0..tracks.subscriptions.len() {
            let track = &tracks.subscriptions[index];
            let last = track.notifies.last().and_then(|&id| tracks.transaction(id));
            let said = last.and_then(|last| last.request.as_ref()?.subscription_state.as_deref());
            let ended =
                said.is_some_and(|state| state.trim_start().to_ascii_lowercase().starts_with("terminated"));
            let outcome = match outcome(tracks, &track.subscribes) {
                Outcome::Accepted | Outcome::Unknown if ended => Outcome::Ended,
                // The NOTIFYs alone show that the notifier holds the subscription.
                Outcome::Unknown if track.subscribes.is_empty() && said.is_some() => Outcome::Accepted,
                outcome => outcome,
            };
            tracks.subscriptions[index].outcome = outcome;
        }
    }

    fn find(&mut self, tracks: &mut Tracks, id: TransactionId) -> Option<u32> {
        let transaction = tracks.transaction(id)?;
        if let Some(&known) = self.by_call_id.get(&transaction.call_id) {
            return Some(known);
        }
        if tracks.subscriptions.len() >= LIMIT {
            tracks.leave_out("subscriptions");
            return None;
        }
        let track = begin(transaction);
        let index = tracks.subscriptions.len() as u32;
        self.by_call_id.insert(Arc::clone(&transaction.call_id), index);
        tracks.subscriptions.push(track);
        Some(index)
    }
}

fn begin(transaction: &Transaction) -> Subscription {
    let request = transaction.request.as_deref();
    let is_notify = transaction.method == Method::Notify;
    let (from, to) = request.map(|r| (r.from.user.clone(), r.to.user.clone())).unwrap_or_default();
    let asked = request
        .filter(|_| !is_notify)
        .and_then(|request| Uri::parse(&request.uri).map(|uri| said::user(&uri)));
    let (account, target) =
        if is_notify { (to, from) } else { (from, asked.filter(|user| !user.is_empty()).unwrap_or(to)) };
    Subscription {
        call_id: Arc::clone(&transaction.call_id),
        account,
        target,
        event: said::package(request.and_then(|request| request.event.as_deref())).into(),
        path: if is_notify { Arc::new(transaction.path.reversed()) } else { Arc::clone(&transaction.path) },
        subscribes: Vec::new(),
        notifies: Vec::new(),
        outcome: Outcome::Unknown,
        status: None,
        expires_s: None,
        last_state: None,
        states: Vec::new(),
    }
}

fn note_notify(track: &mut Subscription, transaction: &Transaction, id: TransactionId, proof: Proof) {
    if track.notifies.len() >= TRANSACTIONS_LIMIT {
        track.notifies.remove(TRANSACTIONS_LIMIT / 2);
    }
    track.notifies.push(id);
    let state = transaction.request.as_ref().and_then(|request| request.body.dialog_state);
    let Some(state) = state else { return };
    track.last_state = Some(state);
    if track.states.len() < STATES_LIMIT {
        track.states.push((proof, state));
    }
}

fn note_answer(track: &mut Subscription, transaction: &Transaction, answer: usize) {
    let Some(answer) = transaction.answers.get(answer).filter(|answer| answer.status >= 200) else { return };
    if !matches!(answer.status, 401 | 407) || transaction.has_credentials() {
        track.status = Some(answer.status);
    }
    if (200..300).contains(&answer.status) {
        let granted = answer.said.as_ref().and_then(|said| said.expires_s);
        let asked = transaction.request.as_ref().and_then(|request| request.expires_s);
        track.expires_s = granted.or(asked);
    }
}
