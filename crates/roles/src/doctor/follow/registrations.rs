//! REGISTERs put together: an account from one address to one server is one registration.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::ground::{Change, Map};
use crate::doctor::Proof;
use crate::doctor::tracks::{Outcome, Registration, Tracks, Transaction, TransactionId};

/// Registrations of one case.
pub const LIMIT: usize = 200_000;
/// REGISTERs of one registration that are kept; beyond it the middle ones are given up.
const TRANSACTIONS_LIMIT: usize = 512;
const CALL_IDS_LIMIT: usize = 16;

/// Account, domain, the phone's address and the server.
type Who = (Box<str>, Box<str>, IpAddr, SocketAddr);

/// Which registration a REGISTER belongs to.
#[derive(Debug, Default)]
pub struct Registrations {
    by_call_id: Map<Arc<str>, u32>,
    by_account: Map<Who, u32>,
}

impl Registrations {
    /// Takes what has changed about a REGISTER.
    pub fn take(&mut self, tracks: &mut Tracks, proof: Proof, id: TransactionId, change: Change) {
        let Some(index) = self.find(tracks, proof, id) else { return };
        let Some(transaction) = tracks.transactions.get(id.0 as usize).and_then(Option::as_deref) else {
            return;
        };
        let Some(track) = tracks.registrations.get_mut(index as usize) else { return };
        track.to = track.to.max(proof);
        if change == Change::Begun {
            note_request(track, transaction, id);
        }
        if let Change::Answered(answer) = change {
            note_answer(track, transaction, answer);
        }
    }

    /// Settles the outcomes.
    pub fn finish(&mut self, tracks: &mut Tracks) {
        for index in 0..tracks.registrations.len() {
            let outcome = outcome(tracks, &tracks.registrations[index].transactions);
            tracks.registrations[index].outcome = outcome;
        }
    }

    fn find(&mut self, tracks: &mut Tracks, proof: Proof, id: TransactionId) -> Option<u32> {
        let transaction = tracks.transaction(id)?;
        let known = self.by_call_id.get(&transaction.call_id).copied();
        let account = transaction.request.as_ref().map(|request| &*request.to.user);
        // Some phones register all their accounts with one Call-ID.
        let is_same = |index: &u32| {
            let track = tracks.registrations.get(*index as usize);
            track.is_some_and(|track| account.is_none_or(|account| *track.account == *account))
        };
        if let Some(known) = known.filter(is_same) {
            return Some(known);
        }
        let (call_id, path) = (Arc::clone(&transaction.call_id), Arc::clone(&transaction.path));
        let request = transaction.request.as_ref();
        let (account, domain) = request.map(|r| (r.to.user.clone(), r.to.host.clone())).unwrap_or_default();
        let who = (account, domain, path.source.ip(), path.destination);
        let index = match self.by_account.get(&who) {
            Some(&index) => index,
            None if tracks.registrations.len() >= LIMIT => {
                tracks.leave_out("registrations");
                return None;
            }
            None => {
                let index = tracks.registrations.len() as u32;
                tracks.registrations.push(Registration {
                    account: who.0.clone(),
                    domain: who.1.clone(),
                    path,
                    call_ids: Vec::new(),
                    transactions: Vec::new(),
                    outcome: Outcome::Unknown,
                    status: None,
                    expires_s: None,
                    contact: None,
                    user_agent: None,
                    from: proof,
                    to: proof,
                    successes: 0,
                });
                self.by_account.insert(who, index);
                index
            }
        };
        let call_ids = &mut tracks.registrations.get_mut(index as usize)?.call_ids;
        if call_ids.len() < CALL_IDS_LIMIT && !call_ids.contains(&call_id) {
            call_ids.push(Arc::clone(&call_id));
        }
        if self.by_call_id.len() > LIMIT {
            self.by_call_id.clear();
        }
        self.by_call_id.entry(call_id).or_insert(index);
        Some(index)
    }
}

fn note_request(track: &mut Registration, transaction: &Transaction, id: TransactionId) {
    if track.transactions.len() >= TRANSACTIONS_LIMIT {
        track.transactions.remove(TRANSACTIONS_LIMIT / 2);
    }
    track.transactions.push(id);
    let Some(request) = &transaction.request else { return };
    if request.contact.is_some() {
        track.contact.clone_from(&request.contact);
    }
    if request.user_agent.is_some() {
        track.user_agent.clone_from(&request.user_agent);
    }
}

fn note_answer(track: &mut Registration, transaction: &Transaction, answer: usize) {
    let Some(answer) = transaction.answers.get(answer).filter(|answer| answer.status >= 200) else { return };
    if !matches!(answer.status, 401 | 407) || transaction.has_credentials() {
        track.status = Some(answer.status);
    }
    if (200..300).contains(&answer.status) {
        track.successes += 1;
        let granted = answer.said.as_ref().and_then(|said| said.expires_s);
        let asked = transaction.request.as_ref().and_then(|request| request.expires_s);
        track.expires_s = granted.or(asked);
    }
}

/// What the last of the requests came to.
pub(super) fn outcome(tracks: &Tracks, requests: &[TransactionId]) -> Outcome {
    let Some(last) = requests.last().and_then(|&id| tracks.transaction(id)) else { return Outcome::Unknown };
    let ends = last.request.as_ref().is_some_and(|request| request.expires_s == Some(0));
    match last.status() {
        Some(200..300) if ends => Outcome::Ended,
        Some(200..300) => Outcome::Accepted,
        // A capture that ends with the challenge does not show whether the phone knew an answer.
        Some(401 | 407) if !last.has_credentials() && !is_long_ago(tracks, last) => Outcome::Unknown,
        Some(_) => Outcome::Refused,
        None if last.answers.is_empty() && last.copies.len() > 1 => Outcome::Unanswered,
        None if is_long_ago(tracks, last) && last.answers.is_empty() => Outcome::Unanswered,
        None => Outcome::Unknown,
    }
}

/// Whether its capture went on for at least four seconds.
fn is_long_ago(tracks: &Tracks, transaction: &Transaction) -> bool {
    let Some(last) = transaction.last() else { return false };
    tracks.end(last).since(last.at).as_secs() >= 4
}
