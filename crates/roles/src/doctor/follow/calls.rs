//! INVITEs and what belongs to them put together into legs, and legs into calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proto::Time;
use proto::sip::Method;

use super::ground::{Change, Map};
use crate::doctor::Proof;
use crate::doctor::tracks::{By, Call, Leg, LegId, Party, Tracks, Transaction, TransactionId};

/// Legs of one case.
pub const LIMIT: usize = 500_000;
/// Transactions of one leg that are kept.
const TRANSACTIONS_LIMIT: usize = 512;
/// Legs among which the other side of a new one is looked for.
const CANDIDATES_LIMIT: usize = 256;
/// How long after the caller's INVITE the exchange may send its own: as long as a phone may ring.
const TIE: Duration = Duration::from_secs(180);

/// After this a call that is over gets no further message: Timer B and Timer F of RFC 3261 are 32 s.
const SETTLED_AFTER: Duration = Duration::from_secs(64);
/// With more legs than this, those with sound both ways are settled too.
const MANY_LEGS: usize = 20_000;

/// Which leg a message belongs to.
#[derive(Debug, Default)]
pub struct Calls {
    by_call_id: Map<Arc<str>, LegId>,
    /// Legs that have begun and are not over, the newest last.
    candidates: VecDeque<LegId>,
    /// Legs that are over, with the time of their end, the oldest first.
    over: VecDeque<(Time, LegId)>,
    /// The newest INVITE of each Call-ID and CSeq, for its ACK.
    invites: Map<(Arc<str>, u32), TransactionId>,
}

impl Calls {
    /// Whether a Call-ID is that of a call.
    pub fn knows(&self, call_id: &Arc<str>) -> bool {
        self.by_call_id.contains_key(call_id)
    }

    /// The leg of a Call-ID.
    pub fn leg(&self, call_id: &str) -> Option<LegId> {
        self.by_call_id.get(call_id).copied()
    }

    /// The INVITE that an ACK is for.
    pub fn invite(&self, call_id: &str, cseq: u32) -> Option<TransactionId> {
        let (call_id, _) = self.by_call_id.get_key_value(call_id)?;
        self.invites.get(&(Arc::clone(call_id), cseq)).copied()
    }

    /// Takes what has changed about a transaction of a call.
    pub fn take(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        id: TransactionId,
        change: Change,
    ) -> Option<LegId> {
        let leg_id = self.find(tracks, proof, id)?;
        let transaction = tracks.transactions.get(id.0 as usize)?.as_deref()?;
        let leg = tracks.legs.get_mut(leg_id as usize)?;
        if change == Change::Begun {
            if leg.transactions.len() < TRANSACTIONS_LIMIT {
                leg.transactions.push(id);
            }
            if transaction.method == Method::Invite {
                self.invites.insert((Arc::clone(&transaction.call_id), transaction.cseq), id);
                // The request with credentials stands for the challenged one.
                if transaction.has_credentials() && is_initial(transaction) && leg.answered.is_none() {
                    leg.challenges += 1;
                    (leg.status, leg.ended, leg.by) = (None, None, None);
                }
            }
            note_request(leg, transaction, proof);
        }
        match change {
            Change::Answered(answer) => note_answer(leg, transaction, answer, proof),
            Change::Begun if transaction.request.is_none() => note_answer(leg, transaction, 0, proof),
            _ => {}
        }
        if change == Change::Begun && transaction.method == Method::Bye {
            self.over.push_back((proof.at, leg_id));
        }
        self.settle(tracks, proof.at);
        Some(leg_id)
    }

    /// Gives up the transactions of calls that are over for a minute and of which no rule could say anything, so
    /// that memory does not grow with what is done with.
    fn settle(&mut self, tracks: &mut Tracks, now: Time) {
        while let Some(&(ended, leg_id)) = self.over.front() {
            if now.since(ended) <= SETTLED_AFTER {
                return;
            }
            self.over.pop_front();
            let Some(leg) = tracks.legs.get(leg_id as usize) else { continue };
            if leg.settled || !is_settled(tracks, leg) {
                continue;
            }
            let Some(leg) = tracks.legs.get_mut(leg_id as usize) else { continue };
            leg.settled = true;
            for id in std::mem::take(&mut leg.transactions) {
                let given_up = tracks.transactions.get_mut(id.0 as usize).and_then(Option::take);
                let Some(given_up) = given_up else { continue };
                tracks.transaction_bytes = tracks.transaction_bytes.saturating_sub(given_up.weight());
                if given_up.method == Method::Invite {
                    self.invites.remove(&(given_up.call_id, given_up.cseq));
                }
            }
        }
    }

    /// Builds the list of calls in the order of their beginnings.
    pub fn finish(&mut self, tracks: &mut Tracks) {
        for leg in &mut tracks.legs {
            if leg.started.is_none() {
                leg.seen_from_start = false;
            }
        }
    }

    fn find(&mut self, tracks: &mut Tracks, proof: Proof, id: TransactionId) -> Option<LegId> {
        let transaction = tracks.transaction(id)?;
        if let Some(&known) = self.by_call_id.get(&transaction.call_id) {
            return Some(known);
        }
        if tracks.legs.len() >= LIMIT {
            tracks.leave_out("calls");
            return None;
        }
        let mut leg = begin(transaction);
        let leg_id = tracks.legs.len() as LegId;
        let call = self.tie(tracks, &leg, proof);
        leg.call = call.unwrap_or(tracks.calls.len() as u32);
        match call.and_then(|call| tracks.calls.get_mut(call as usize)) {
            Some(call) => call.legs.push(leg_id),
            None => tracks.calls.push(Call { legs: vec![leg_id] }),
        }
        self.by_call_id.insert(Arc::clone(&leg.call_id), leg_id);
        tracks.legs.push(leg);
        self.candidates.push_back(leg_id);
        if self.candidates.len() > CANDIDATES_LIMIT {
            self.candidates.pop_front();
        }
        Some(leg_id)
    }

    /// The call of which this leg is the other side: what the exchange sends comes from where the caller's
    /// INVITE went, and names the caller or the number that was dialled.
    fn tie(&self, tracks: &Tracks, new: &Leg, proof: Proof) -> Option<u32> {
        let mut best: Option<(u8, u32)> = None;
        for &candidate in self.candidates.iter().rev() {
            let leg = tracks.legs.get(candidate as usize)?;
            let Some(started) = leg.started else { continue };
            if proof.at.since(started.at) > TIE || leg.ended.is_some_and(|ended| ended.at < proof.at) {
                continue;
            }
            // The exchange may speak from another port, or another transport.
            if leg.path.destination.ip() != new.path.source.ip()
                || leg.path.source == new.path.destination && leg.from.user == new.to.user
            {
                continue;
            }
            let same_caller = is_same(&leg.from, &new.from);
            let same_callee = !leg.to.user.is_empty() && leg.to.user == new.to.user;
            let unanswered = leg.answered.is_none();
            let score = match (same_caller, same_callee) {
                (true, true) => 3,
                (true, false) if unanswered => 2,
                (false, true) if unanswered => 1,
                _ => continue,
            };
            if best.is_none_or(|(known, _)| score > known) {
                best = Some((score, leg.call));
            }
        }
        best.map(|(_, call)| call)
    }
}

/// Whether nothing is left to be said of a call that is over: answered, acknowledged and ended as it should be,
/// without a resend, a flaw, a change or a transfer, and either nothing in the capture has sound or this call had
/// it both ways.
fn is_settled(tracks: &Tracks, leg: &Leg) -> bool {
    let is_plain = leg.status == Some(200) && leg.started.is_some() && leg.ringing.is_some();
    let sound =
        tracks.streams.is_empty() || (tracks.legs.len() > MANY_LEGS && has_sound_both_ways(tracks, leg));
    is_plain && sound && leg.transactions.iter().all(|&id| tracks.transaction(id).is_some_and(is_sound))
}

fn has_sound_both_ways(tracks: &Tracks, leg: &Leg) -> bool {
    let streams = || leg.streams.iter().filter_map(|&index| tracks.streams.get(index as usize));
    streams().any(|one| streams().any(|other| one.path.source == other.path.destination))
}

/// Whether a transaction is one of a plain call and went as it should.
fn is_sound(transaction: &Transaction) -> bool {
    let is_plain = match transaction.method {
        Method::Invite => is_initial(transaction) && transaction.ack.is_some(),
        Method::Bye => true,
        _ => false,
    };
    let once =
        transaction.copies.len() == 1 && transaction.answers.iter().all(|answer| answer.copies.len() == 1);
    let answered = matches!(transaction.status(), Some(200..300 | 401 | 407)) && transaction.icmp.is_none();
    let flawless = transaction.request.as_ref().is_some_and(|request| request.flaws.is_empty())
        && transaction
            .answers
            .iter()
            .all(|answer| answer.said.as_ref().is_none_or(|said| said.flaws.is_empty()));
    is_plain && once && answered && flawless
}

fn is_same(a: &Party, b: &Party) -> bool {
    let user = !a.user.is_empty() && !is_anonymous(&a.user) && a.user == b.user;
    user || (!a.display.is_empty() && !is_anonymous(&a.display) && a.display == b.display)
}

fn is_anonymous(name: &str) -> bool {
    name.eq_ignore_ascii_case("anonymous")
}

fn begin(transaction: &Transaction) -> Leg {
    let request = transaction.request.as_deref();
    let (from, to) = request.map(|r| (r.from.clone(), r.to.clone())).unwrap_or_default();
    Leg {
        call_id: Arc::clone(&transaction.call_id),
        from,
        to,
        path: Arc::clone(&transaction.path),
        transactions: Vec::new(),
        started: None,
        ringing: None,
        answered: None,
        ended: None,
        status: None,
        by: None,
        challenges: 0,
        streams: Vec::new(),
        call: 0,
        seen_from_start: true,
        settled: false,
    }
}

/// Whether an INVITE opens a dialog.
fn is_initial(transaction: &Transaction) -> bool {
    transaction.method == Method::Invite
        && transaction.request.as_ref().is_some_and(|request| request.to.tag.is_empty())
}

fn note_request(leg: &mut Leg, transaction: &Transaction, proof: Proof) {
    let Some(request) = &transaction.request else { return };
    match transaction.method {
        Method::Invite if is_initial(transaction) => {
            leg.started.get_or_insert(proof);
        }
        Method::Bye if leg.ended.is_none() => {
            leg.ended = Some(proof);
            leg.by = Some(side(leg, &request.from.tag, transaction));
        }
        Method::Cancel if leg.ended.is_none() => {
            leg.ended = Some(proof);
            leg.by = Some(By::Caller);
        }
        _ => {}
    }
}

/// Which side sent a request inside the dialog.
fn side(leg: &Leg, from_tag: &str, transaction: &Transaction) -> By {
    let is_caller = match leg.from.tag.is_empty() {
        false => *leg.from.tag == *from_tag,
        true => transaction.path.source.ip() == leg.path.source.ip(),
    };
    if is_caller { By::Caller } else { By::Callee }
}

fn note_answer(leg: &mut Leg, transaction: &Transaction, answer: usize, proof: Proof) {
    let Some(answer) = transaction.answers.get(answer) else { return };
    // Of INVITEs inside the dialog nothing follows for the call, and those that lack their request may be such.
    if transaction.method != Method::Invite || (transaction.request.is_some() && !is_initial(transaction)) {
        return;
    }
    match answer.status {
        100 => {}
        101..200 => {
            if answer.status >= 180 {
                leg.ringing.get_or_insert(proof);
            }
        }
        200..300 => {
            leg.answered.get_or_insert(proof);
            leg.status = Some(answer.status);
        }
        status => {
            if leg.answered.is_some() {
                return;
            }
            leg.status = Some(status);
            if leg.ended.is_none() {
                leg.ended = Some(proof);
                leg.by = refused_by(status);
            }
        }
    }
}

/// Who has most likely refused; a challenge, a diversion and a cancelled call are nobody's refusal.
fn refused_by(status: u16) -> Option<By> {
    match status {
        401 | 407 | 487 => None,
        480 | 486 | 488 | 300..=399 | 600..=699 => Some(By::Callee),
        _ => Some(By::Network),
    }
}
