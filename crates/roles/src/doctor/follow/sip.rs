//! SIP messages put together into transactions, and these into calls, registrations and subscriptions.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::Time;
use proto::sip::framing::FramingError;
use proto::sip::message::{Message, NotSip};
use proto::sip::{Method, Name};

use super::calls::Calls;
use super::clocks::{Clocks, hash_of};
use super::ground::{Change, Map};
use super::registrations::Registrations;
use super::said;
use super::subscriptions::Subscriptions;
use crate::doctor::tracks::{Answer, NotSipMessage, Request, Sdp, Tracks, Transaction, TransactionId};
use crate::doctor::{Path, Proof};

/// Transactions of one case that are kept.
pub const TRANSACTIONS_LIMIT: usize = 16_000_000;
/// About how many bytes the transactions of one case may take; those of healthy calls are given up before.
pub const BYTES_LIMIT: usize = 1_024 * 1_024 * 1_024;
/// Answers of one transaction that are kept.
const ANSWERS_LIMIT: usize = 32;
/// Copies of one message that are kept.
const COPIES_LIMIT: usize = 16;
/// Ways and Call-IDs that are kept once for all their messages.
const PATHS_LIMIT: usize = 500_000;
const NOT_SIP_LIMIT: usize = 1_000;
/// Methods, and statuses by method, that are counted: strangers may make up any.
const COUNTED_LIMIT: usize = 1_000;
/// The same bytes on the same way within this time are one packet that was captured twice: no timer of SIP is
/// shorter than 500 ms.
const DOUBLE: Duration = Duration::from_millis(2);
/// Messages that are compared with for doubles.
const DOUBLES_KEPT: usize = 16;

/// All that is followed of SIP.
#[derive(Debug, Default)]
pub struct Sip {
    index: Map<u64, TransactionId>,
    texts: Map<Arc<str>, ()>,
    paths: Map<Path, Arc<Path>>,
    /// The newest request of each way, for ICMP errors.
    newest: Map<Path, TransactionId>,
    recent: VecDeque<(Time, u64)>,
    clocks: Clocks,
    /// Calls and their legs.
    pub calls: Calls,
    /// Registrations.
    pub registrations: Registrations,
    /// Subscriptions.
    pub subscriptions: Subscriptions,
}

/// What a message told others than SIP.
#[derive(Debug)]
pub struct Heard {
    /// Its transaction.
    pub id: TransactionId,
    /// What it has changed there.
    pub change: Change,
    /// Its leg, where it belongs to a call.
    pub leg: Option<u32>,
}

impl Sip {
    /// Takes one message; `None` where it is none, or a packet that was captured twice.
    pub fn take(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        path: Path,
        bytes: &[u8],
        broken: Option<FramingError>,
    ) -> Option<Heard> {
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(NotSip::KeepAlive) => return None,
            // Some phones keep the way through a NAT open by blanks or zeros.
            Err(_) if bytes.iter().all(|byte| matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n')) => {
                return None;
            }
            Err(error) => {
                note_not_sip(tracks, proof, path, &error.to_string());
                return None;
            }
        };
        if let Some(error) = broken {
            note_not_sip(tracks, proof, path, &error.to_string());
        }
        count(tracks, &message);
        let hash = hash_of(bytes);
        if self.is_double(proof.at, &path, hash) {
            if let Some(file) = tracks.files.get_mut(usize::from(proof.file)) {
                file.doubles += 1;
            }
            return None;
        }
        // What another capture of the case has shown already is one message, seen from another point.
        if self.clocks.is_known(proof, hash) {
            return None;
        }
        let (id, change) = match message.is_request() {
            true => self.request(tracks, proof, path, &message)?,
            false => self.answer(tracks, proof, path, &message)?,
        };
        let leg = self.route(tracks, proof, id, change);
        Some(Heard { id, change, leg })
    }

    /// The case is over: what is known only at the end.
    pub fn finish(&mut self, tracks: &mut Tracks) {
        self.clocks.finish(tracks);
        self.registrations.finish(tracks);
        self.subscriptions.finish(tracks);
        self.calls.finish(tracks);
    }

    /// An ICMP error came; it belongs to the newest request of the way that it quotes, if that is unanswered.
    pub fn undelivered(&mut self, tracks: &mut Tracks, icmp: u32) {
        let quoted = tracks.icmp.get(icmp as usize).and_then(|error| error.quoted);
        let Some(id) = quoted.and_then(|path| self.newest.get(&path).copied()) else { return };
        if let Some(transaction) =
            tracks.transaction_mut(id).filter(|transaction| transaction.answers.is_empty())
        {
            transaction.icmp.get_or_insert(icmp);
        }
    }

    /// One value for all equal paths.
    pub fn path(&mut self, path: Path) -> Arc<Path> {
        if self.paths.len() > PATHS_LIMIT {
            self.paths.clear();
        }
        Arc::clone(self.paths.entry(path).or_insert_with(|| Arc::new(path)))
    }

    fn call_id(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.texts.get_key_value(text) {
            return Arc::clone(known);
        }
        if self.texts.len() > PATHS_LIMIT {
            self.texts.clear();
        }
        let text: Arc<str> = said::kept(text).into();
        self.texts.insert(Arc::clone(&text), ());
        text
    }

    fn is_double(&mut self, now: Time, path: &Path, hash: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        (path, hash).hash(&mut hasher);
        let hash = hasher.finish();
        while self.recent.front().is_some_and(|(at, _)| now.since(*at) > DOUBLE) {
            self.recent.pop_front();
        }
        if self.recent.iter().any(|(at, seen)| *seen == hash && now.since(*at) <= DOUBLE) {
            return true;
        }
        if self.recent.len() == DOUBLES_KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back((now, hash));
        false
    }

    fn request(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        path: Path,
        message: &Message<'_>,
    ) -> Option<(TransactionId, Change)> {
        let method = message.method()?;
        if method == Method::Ack
            && let Some(found) = self.acknowledge(tracks, proof, message)
        {
            return found;
        }
        let key = key(message, method, path.source, path.destination);
        if let Some(id) = self.index.get(&key).copied()
            && let Some(transaction) = tracks.transaction_mut(id)
        {
            self.newest.insert(path, id);
            if transaction.copies.len() < COPIES_LIMIT {
                transaction.copies.push(proof);
            }
            if transaction.request.is_none() {
                transaction.request = Some(Box::new(said::request(message)));
                return Some((id, Change::Begun));
            }
            return Some((id, Change::Again));
        }
        let request = Some(Box::new(said::request(message)));
        let id = self.begin(tracks, key, path, method, message, request)?;
        if self.newest.len() > PATHS_LIMIT {
            self.newest.clear();
        }
        self.newest.insert(path, id);
        tracks.transaction_mut(id)?.copies = vec![proof];
        Some((id, Change::Begun))
    }

    fn begin(
        &mut self,
        tracks: &mut Tracks,
        key: u64,
        path: Path,
        method: Method,
        message: &Message<'_>,
        request: Option<Box<Request>>,
    ) -> Option<TransactionId> {
        if tracks.transactions.len() >= TRANSACTIONS_LIMIT || tracks.transaction_bytes >= BYTES_LIMIT {
            tracks.leave_out("SIP transactions");
            return None;
        }
        let id = TransactionId(tracks.transactions.len() as u32);
        let transaction = Transaction {
            method,
            path: self.path(path),
            call_id: self.call_id(message.call_id()),
            cseq: message.cseq().map_or(0, |cseq| cseq.number),
            branch: message.via().map(|via| said::kept(via.branch())).unwrap_or_default(),
            request,
            copies: Vec::new(),
            answers: Vec::with_capacity(1),
            ack: None,
            icmp: None,
        };
        tracks.transaction_bytes += transaction.weight();
        tracks.transactions.push(Some(Box::new(transaction)));
        self.index.insert(key, id);
        Some(id)
    }

    /// An ACK belongs to its INVITE: the same branch after a refusal, the same CSeq after a 2xx
    /// (RFC 3261 §17.1.1.3, §13.2.2.4). `Some(None)` where it was seen before.
    fn acknowledge(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        message: &Message<'_>,
    ) -> Option<Option<(TransactionId, Change)>> {
        let cseq = message.cseq()?.number;
        let id = self.calls.invite(message.call_id(), cseq)?;
        let transaction = tracks.transaction_mut(id)?;
        if transaction.ack.is_some() {
            return Some(Some((id, Change::Again)));
        }
        transaction.ack = Some(proof);
        // An answer may come in the ACK (RFC 3264 by RFC 3261 §13.2.1).
        Some(Some((id, Change::Acknowledged)))
    }

    fn answer(
        &mut self,
        tracks: &mut Tracks,
        proof: Proof,
        path: Path,
        message: &Message<'_>,
    ) -> Option<(TransactionId, Change)> {
        let method = message.cseq().map_or(Method::Other, |cseq| cseq.method);
        let key = key(message, method, path.destination, path.source);
        let id = match self.index.get(&key).copied().filter(|&id| tracks.transaction(id).is_some()) {
            Some(id) => id,
            None => self.begin(tracks, key, path.reversed(), method, message, None)?,
        };
        let fresh = (path != tracks.transaction(id)?.path.reversed()).then(|| self.path(path));
        let transaction = tracks.transaction_mut(id)?;
        let begun = transaction.request.is_none() && transaction.answers.is_empty();
        let status = message.status()?;
        let to_tag = message.to_tag();
        let same = |answer: &&mut Answer| {
            answer.status == status && answer.said.as_ref().is_none_or(|said| *said.to_tag == *to_tag)
        };
        if let Some(answer) = transaction.answers.iter_mut().find(same) {
            if answer.copies.len() < COPIES_LIMIT {
                answer.copies.push(proof);
            }
            return Some((id, Change::AnsweredAgain));
        }
        if transaction.answers.len() >= ANSWERS_LIMIT {
            return Some((id, Change::AnsweredAgain));
        }
        let own = transaction.request.as_ref().and_then(|request| request.contact.as_deref());
        let said = Some(Box::new(said::said(message, own)));
        let answer = Answer { status, copies: vec![proof], path: fresh, said };
        let weight = answer.weight();
        transaction.answers.push(answer);
        let index = transaction.answers.len() - 1;
        tracks.transaction_bytes += weight;
        Some((id, if begun { Change::Begun } else { Change::Answered(index) }))
    }

    /// Tells the track that the transaction belongs to.
    fn route(&mut self, tracks: &mut Tracks, proof: Proof, id: TransactionId, change: Change) -> Option<u32> {
        let transaction = tracks.transaction(id)?;
        match transaction.method {
            Method::Register => self.registrations.take(tracks, proof, id, change),
            // Plug and play asks everybody and subscribes to nobody.
            Method::Subscribe if is_profile(transaction.request.as_deref()) && change != Change::Begun => {}
            Method::Subscribe if is_profile(transaction.request.as_deref()) => tracks.others.push(id),
            Method::Subscribe => self.subscriptions.take(tracks, proof, id, change),
            Method::Notify if self.subscriptions.knows(&transaction.call_id) => {
                self.subscriptions.take(tracks, proof, id, change);
            }
            Method::Invite => return self.calls.take(tracks, proof, id, change),
            _ if self.calls.knows(&transaction.call_id) => return self.calls.take(tracks, proof, id, change),
            Method::Notify if is_subscription(transaction.request.as_deref()) => {
                self.subscriptions.take(tracks, proof, id, change);
            }
            Method::Bye
            | Method::Cancel
            | Method::Prack
            | Method::Ack
            | Method::Update
            | Method::Info
            | Method::Refer => {
                return self.calls.take(tracks, proof, id, change);
            }
            _ if change == Change::Begun => tracks.others.push(id),
            _ => {}
        }
        None
    }
}

fn is_profile(request: Option<&Request>) -> bool {
    request.is_some_and(|request| said::package(request.event.as_deref()) == "ua-profile")
}

/// A NOTIFY whose SUBSCRIBE the capture lacks: it has a tag of the subscriber, and is no mere order.
fn is_subscription(request: Option<&Request>) -> bool {
    let Some(request) = request else { return false };
    let package = said::package(request.event.as_deref());
    !request.to.tag.is_empty() && !matches!(package.as_str(), "check-sync" | "ua-profile" | "")
}

/// What the messages of one transaction have in common: Call-ID, CSeq, branch, and between whom, since behind
/// a proxy that is captured on both sides the request is another transaction.
fn key(message: &Message<'_>, method: Method, from: SocketAddr, to: SocketAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.call_id().hash(&mut hasher);
    message.cseq().map(|cseq| cseq.number).hash(&mut hasher);
    method.hash(&mut hasher);
    match message.via() {
        Some(via) => (via.branch(), via.host, via.port).hash(&mut hasher),
        None => (from, to).hash(&mut hasher),
    }
    // Some old elements give all requests one branch.
    message.from_tag().hash(&mut hasher);
    hasher.finish()
}

fn count(tracks: &mut Tracks, message: &Message<'_>) {
    let text = |bytes: &[u8]| said::text(bytes);
    match message.status() {
        None => {
            let method = std::str::from_utf8(message.method_text()).unwrap_or_default();
            if let Some(count) = tracks.counts.requests.get_mut(method) {
                *count += 1;
            } else if tracks.counts.requests.len() < COUNTED_LIMIT {
                *tracks.counts.requests.entry(text(message.method_text())).or_default() += 1;
            }
        }
        Some(status) => {
            let cseq = message.header(Name::CSeq).unwrap_or_default();
            let method = cseq.rsplit(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
            let key = (status, text(method));
            if tracks.counts.answers.len() < COUNTED_LIMIT || tracks.counts.answers.contains_key(&key) {
                *tracks.counts.answers.entry(key).or_default() += 1;
            }
        }
    }
}

fn note_not_sip(tracks: &mut Tracks, proof: Proof, path: Path, why: &str) {
    if tracks.not_sip.len() < NOT_SIP_LIMIT {
        tracks.not_sip.push(NotSipMessage { proof, path, why: why.into(), byte: 0 });
    } else {
        tracks.leave_out("messages that are no SIP");
    }
}

/// The session descriptions of a transaction in order: where each was seen, whether the sender of the request
/// gave it, and what it says.
pub fn descriptions(transaction: &Transaction) -> impl Iterator<Item = (Option<Proof>, bool, &Sdp)> {
    let asked = transaction.request.as_ref().and_then(|request| request.body.sdp.as_deref());
    let asked = asked.map(|sdp| (transaction.copies.first().copied(), true, sdp));
    let answered = transaction
        .answers
        .iter()
        .filter_map(|answer| Some((answer.first(), false, answer.said.as_ref()?.body.sdp.as_deref()?)));
    asked.into_iter().chain(answered)
}
