//! The server transactions of an endpoint.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;

use super::head::{Head, reply_flow};
use super::held::{Charge, Ledger};
use super::{Alarm, Config, Received, ServerId, Shared, Whose};
use crate::Time;
use crate::sip::header::Via;
use crate::sip::transaction::key::sixteen_digits;
use crate::sip::transaction::slab::{Slab, SlotId};
use crate::sip::transaction::{Server, ServerInvite, ServerStep, Timer};
use crate::sip::{Flow, Message, Method, Name, Reply, Transmit};

/// Why a reply was not sent. The owner's own slip: each request has one final answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReplyError {
    /// The transaction is over.
    Over,
    /// It was answered finally before.
    Answered,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => "the request's transaction is over",
            Self::Answered => "the request has its final answer already",
        })
    }
}

impl std::error::Error for ReplyError {}

#[derive(Debug)]
pub(super) struct Servers {
    transactions: Slab<Transaction>,
    by_key: Index,
    merged: HashSet<u64, BuildHasherDefault<Identity>>,
    /// Those that may be forgotten where room is needed, oldest first; names of the gone among them.
    pub(super) settled: VecDeque<SlotId>,
    ledger: Ledger,
}

/// Its keys are hashes already.
type Index = HashMap<u64, SlotId, BuildHasherDefault<Identity>>;

/// What was found out about a request when it came up, for [`Endpoint::accept`](super::Endpoint::accept).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewRequest {
    key: u64,
    merge: Option<u64>,
    reply_flow: Flow,
    account: Option<u32>,
}

#[derive(Debug)]
struct Transaction {
    /// Of the replies.
    flow: Flow,
    key: u64,
    merge: Option<u64>,
    machine: Machine,
    /// Until the final reply.
    head: Option<Box<Head>>,
    /// The latest response.
    response: Bytes,
    charge: Charge,
    alarm: Alarm,
}

#[derive(Debug)]
enum Machine {
    Invite { machine: ServerInvite, tag: Box<str>, cancelled: bool },
    Other { machine: Server, tag: Box<str> },
}

impl Servers {
    pub(super) fn new() -> Self {
        Self {
            transactions: Slab::new(),
            by_key: Index::default(),
            merged: HashSet::default(),
            settled: VecDeque::new(),
            ledger: Ledger::default(),
        }
    }

    pub(super) const fn held_bytes(&self) -> usize {
        self.ledger.bytes()
    }

    pub(super) fn rest(&mut self) {
        self.ledger.rest();
    }

    pub(super) fn charge(&self, config: &Config, new: &mut NewRequest, account: u32) -> bool {
        new.account = Some(account);
        !self.ledger.is_account_full(account, config)
    }

    pub(super) fn knows(&self, shared: &Shared, request: &Message<'_>) -> bool {
        let (Some(via), Some(method)) = (request.via(), request.method()) else { return false };
        let looked_up = if matches!(method, Method::Cancel | Method::Ack) { Method::Invite } else { method };
        self.by_key.contains_key(&shared.keys.transaction(request, &via, looked_up))
    }

    pub(super) fn origin(&self, id: SlotId) -> Option<Flow> {
        self.transactions.get(id).map(|transaction| transaction.flow)
    }

    pub(super) fn len(&self) -> usize {
        self.transactions.len()
    }

    pub(super) fn receive<O>(
        &mut self,
        shared: &mut Shared,
        now: Time,
        flow: Flow,
        request: &Message<'_>,
        out: &mut Vec<Transmit>,
    ) -> Received<O> {
        let (Some(via), Some(method)) = (request.via(), request.method()) else {
            return Received::Nothing;
        };
        let looked_up = if method == Method::Cancel { Method::Invite } else { method };
        let key = shared.keys.transaction(request, &via, looked_up);
        let found = self.by_key.get(&key).copied();
        match (method, found) {
            (Method::Ack, Some(id)) => self.receive_ack(shared, now, id),
            (Method::Ack, None) => Received::Ack,
            (Method::Cancel, found) => self.receive_cancel(shared, flow, request, found, out),
            (_, Some(id)) => {
                self.receive_copy(id, out);
                Received::Nothing
            }
            (_, None) => self.receive_new(
                shared,
                NewRequest::new(shared, flow, request, &via, key),
                flow,
                request,
                out,
            ),
        }
    }

    pub(super) fn accept(
        &mut self,
        shared: &mut Shared,
        now: Time,
        new: Option<NewRequest>,
        flow: Flow,
        request: &Message<'_>,
    ) -> SlotId {
        let method = request.method().unwrap_or(Method::Other);
        let new = new.unwrap_or_else(|| NewRequest::find_out(shared, flow, request, method));
        if let Some(&open) = self.by_key.get(&new.key) {
            return open;
        }
        self.make_room(shared);
        let (timing, reliable) = (shared.config.timing, flow.transport.is_reliable());
        let machine = match method {
            Method::Invite => Machine::Invite {
                machine: ServerInvite::start(now, timing, reliable),
                tag: Box::default(),
                cancelled: false,
            },
            _ => Machine::Other { machine: Server::start(timing, reliable), tag: Box::default() },
        };
        let NewRequest { key, merge, reply_flow, account } = new;
        let head = Head::copy(request, flow.remote, std::mem::take(&mut shared.spare));
        let charge = self.ledger.open(flow.remote.ip(), account, head.len());
        let id = self.transactions.insert(Transaction {
            flow: reply_flow,
            key,
            merge,
            machine,
            head: Some(Box::new(head)),
            response: Bytes::new(),
            charge,
            alarm: Alarm::default(),
        });
        self.by_key.insert(key, id);
        if let Some(merge) = merge {
            self.merged.insert(merge);
        }
        self.arm(shared, id);
        id
    }

    pub(super) fn reply(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: SlotId,
        reply: &Reply,
        out: &mut Vec<Transmit>,
    ) -> Result<(), ReplyError> {
        let transaction = self.transactions.get_mut(id).ok_or(ReplyError::Over)?;
        let step = match &mut transaction.machine {
            Machine::Invite { machine, .. } => machine.on_reply(now, reply.status),
            Machine::Other { machine, .. } => machine.on_reply(now, reply.status),
        };
        if step == ServerStep::Nothing {
            return Err(ReplyError::Answered);
        }
        transaction.write_response(shared, reply);
        transaction.transmit(out);
        if reply.is_final() {
            self.finish(shared, id, reply.status);
        }
        self.arm(shared, id);
        self.recount(id);
        self.forget_excess(shared, id);
        Ok(())
    }

    pub(super) fn acked(&mut self, shared: &mut Shared, now: Time, id: SlotId) -> bool {
        let Some(Transaction { machine: Machine::Invite { machine, .. }, .. }) =
            self.transactions.get_mut(id)
        else {
            return false;
        };
        let first = machine.awaits_ack();
        let step = machine.on_ack(now);
        if first {
            self.confirm(shared, id, step);
        }
        first
    }

    /// The final answer of an INVITE is acknowledged: it is not sent again (RFC 6026 §7.1), so nothing of it is
    /// kept. What was refused may be forgotten since then already.
    fn confirm(&mut self, shared: &mut Shared, id: SlotId, step: ServerStep) {
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.response = Bytes::new();
        }
        self.recount(id);
        if step == ServerStep::Ack {
            self.settle(id);
        }
        self.arm(shared, id);
    }

    /// A transaction may be forgotten from now on where room is needed.
    fn settle(&mut self, id: SlotId) {
        self.settled.push_back(id);
        if let Some(transaction) = self.transactions.get(id) {
            self.ledger.settle(&transaction.charge, id);
        }
    }

    /// Charges what a transaction holds now.
    fn recount(&mut self, id: SlotId) {
        if let Some(transaction) = self.transactions.get_mut(id) {
            let head_bytes = transaction.head.as_ref().map_or(0, |head| head.len());
            self.ledger.change(&mut transaction.charge, head_bytes + transaction.response.len());
        }
    }

    /// Forgets the oldest answers of whoever pays for this transaction and holds too much.
    fn forget_excess(&mut self, shared: &mut Shared, id: SlotId) {
        let Some(charge) = self.transactions.get(id).map(|transaction| transaction.charge) else { return };
        while let Some(oldest) = self.ledger.excess(&charge, &shared.config) {
            self.remove(shared, oldest);
        }
    }

    /// True where a 2xx was never acknowledged.
    pub(super) fn on_timeout(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: SlotId,
        out: &mut Vec<Transmit>,
    ) -> bool {
        let Some(transaction) = self.transactions.get_mut(id) else { return false };
        transaction.alarm = Alarm::default();
        let step = match &mut transaction.machine {
            Machine::Invite { machine, .. } => machine.on_timeout(now),
            Machine::Other { machine, .. } => machine.on_timeout(now),
        };
        match step {
            ServerStep::Send => transaction.transmit(out),
            ServerStep::Trying => {
                let trying = shared.own_reply(100);
                transaction.write_response(shared, &trying);
                transaction.transmit(out);
                self.recount(id);
            }
            ServerStep::AckMissing | ServerStep::TimedOut | ServerStep::Terminated => {
                self.remove(shared, id);
                return step == ServerStep::AckMissing;
            }
            ServerStep::Nothing | ServerStep::Ack => {}
        }
        self.arm(shared, id);
        false
    }

    pub(super) fn timer(&self, id: SlotId) -> Option<Timer> {
        self.transactions.get(id)?.machine.deadline().map(|(_, timer)| timer)
    }

    fn receive_ack<O>(&mut self, shared: &mut Shared, now: Time, id: SlotId) -> Received<O> {
        let Some(Transaction { machine: Machine::Invite { machine, .. }, .. }) =
            self.transactions.get_mut(id)
        else {
            return Received::Ack;
        };
        let first = machine.awaits_ack();
        let step = machine.on_ack(now);
        if first {
            self.confirm(shared, id, step);
        }
        if step == ServerStep::Ack { Received::Ack } else { Received::Nothing }
    }

    /// A CANCEL has no transaction of its own: the owner looks at where it came from first.
    fn receive_cancel<O>(
        &mut self,
        shared: &mut Shared,
        flow: Flow,
        request: &Message<'_>,
        found: Option<SlotId>,
        out: &mut Vec<Transmit>,
    ) -> Received<O> {
        let is_invite = |id: &SlotId| {
            let transaction = self.transactions.get(*id);
            transaction.is_some_and(|it| matches!(it.machine, Machine::Invite { .. }))
        };
        match found.filter(is_invite) {
            Some(id) => Received::Cancel(ServerId(id)),
            None => {
                let reply = shared.own_reply(481);
                shared.answer(flow, request, &reply, out);
                Received::Nothing
            }
        }
    }

    /// A CANCEL is answered anew each time (RFC 3261 §9.2).
    pub(super) fn cancelled(
        &mut self,
        shared: &mut Shared,
        flow: Flow,
        request: &Message<'_>,
        id: SlotId,
        out: &mut Vec<Transmit>,
    ) -> bool {
        let invite = self.transactions.get_mut(id).map(|transaction| &mut transaction.machine);
        let Some(Machine::Invite { machine, tag, cancelled }) = invite else { return false };
        // One tag for both answers (RFC 3261 §9.2).
        if tag.is_empty() {
            *tag = shared.keys.tag(request).into();
        }
        let reply = shared.own_reply(200).to_tag(&**tag);
        let is_news = machine.is_open() && !std::mem::replace(cancelled, true);
        shared.answer(flow, request, &reply, out);
        is_news
    }

    fn receive_copy(&self, id: SlotId, out: &mut Vec<Transmit>) {
        let Some(transaction) = self.transactions.get(id) else { return };
        let step = match &transaction.machine {
            Machine::Invite { machine, .. } => machine.on_request(),
            Machine::Other { machine, .. } => machine.on_request(),
        };
        if step == ServerStep::Send {
            transaction.transmit(out);
        }
    }

    fn receive_new<O>(
        &mut self,
        shared: &mut Shared,
        new: NewRequest,
        flow: Flow,
        request: &Message<'_>,
        out: &mut Vec<Transmit>,
    ) -> Received<O> {
        if new.merge.is_some_and(|key| self.merged.contains(&key)) {
            let reply = shared.own_reply(482);
            shared.answer(flow, request, &reply, out);
            return Received::Merged;
        }
        let is_full = self.len() >= shared.config.max_servers || self.ledger.is_full(&shared.config);
        let source = flow.remote.ip();
        if is_full && !self.has_settled() || self.ledger.is_source_full(source, &shared.config) {
            let reply = shared.own_reply(503).header(Name::RetryAfter, BUSY_RETRY_S);
            shared.answer(flow, request, &reply, out);
            return Received::Nothing;
        }
        Received::NewRequest(new)
    }

    /// After the final reply only the response is kept. A request that was challenged has not been
    /// acted upon: its successor may bear the same CSeq, as careless peers have it.
    fn finish(&mut self, shared: &mut Shared, id: SlotId, status: u16) {
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        if let Some(head) = transaction.head.take() {
            shared.spare = head.into_bytes();
        }
        if matches!(status, 401 | 407)
            && let Some(merge) = transaction.merge.take()
        {
            self.merged.remove(&merge);
        }
        if matches!(transaction.machine, Machine::Other { .. }) || status >= 300 {
            self.settle(id);
        }
        self.trim_settled();
    }

    fn has_settled(&mut self) -> bool {
        while self.settled.front().is_some_and(|&id| self.transactions.get(id).is_none()) {
            self.settled.pop_front();
        }
        !self.settled.is_empty()
    }

    /// Keeps the list of the settled about as short as the transactions are few.
    fn trim_settled(&mut self) {
        self.has_settled();
        if self.settled.len() > 2 * self.transactions.len() + 64 {
            self.settled.retain(|&id| self.transactions.get(id).is_some());
        }
    }

    fn make_room(&mut self, shared: &mut Shared) {
        while (self.len() >= shared.config.max_servers || self.ledger.is_full(&shared.config))
            && self.has_settled()
            && let Some(oldest) = self.settled.pop_front()
        {
            self.remove(shared, oldest);
        }
    }

    fn remove(&mut self, shared: &mut Shared, id: SlotId) {
        let Some(mut transaction) = self.transactions.remove(id) else { return };
        transaction.alarm.clear(&mut shared.timers);
        self.by_key.remove(&transaction.key);
        if let Some(merge) = transaction.merge {
            self.merged.remove(&merge);
        }
        let Self { ledger, transactions, .. } = self;
        ledger.close(&transaction.charge, |id| transactions.get(id).is_some());
    }

    fn arm(&mut self, shared: &mut Shared, id: SlotId) {
        if let Some(transaction) = self.transactions.get_mut(id) {
            let deadline = transaction.machine.deadline();
            transaction.alarm.set(&mut shared.timers, deadline, Whose::Server(id));
        }
    }
}

/// What a 503 asks a peer to wait.
const BUSY_RETRY_S: u32 = 10;

impl NewRequest {
    fn new(shared: &Shared, flow: Flow, request: &Message<'_>, via: &Via<'_>, key: u64) -> Self {
        let merge = shared.keys.merge(request);
        Self { key, merge, reply_flow: reply_flow(flow, via), account: None }
    }

    fn find_out(shared: &Shared, flow: Flow, request: &Message<'_>, method: Method) -> Self {
        match request.via() {
            Some(via) => {
                let key = shared.keys.transaction(request, &via, method);
                Self::new(shared, flow, request, &via, key)
            }
            None => Self { key: 0, merge: None, reply_flow: flow, account: None },
        }
    }
}

impl Transaction {
    fn write_response(&mut self, shared: &mut Shared, reply: &Reply) {
        let Some(head) = &self.head else { return };
        let (Machine::Invite { tag, .. } | Machine::Other { tag, .. }) = &mut self.machine;
        if head.lacks_tag() && reply.status > 100 {
            match &reply.to_tag {
                Some(given) if **given != **tag => *tag = given.as_str().into(),
                None if tag.is_empty() => *tag = sixteen_digits(shared.rng.u64()).into(),
                _ => {}
            }
        }
        shared.scratch.clear();
        head.write(reply, tag, &mut shared.scratch);
        self.response = Bytes::copy_from_slice(&shared.scratch);
    }

    fn transmit(&self, out: &mut Vec<Transmit>) {
        out.push(Transmit { flow: self.flow, name: None, bytes: self.response.clone() });
    }
}

impl Machine {
    fn deadline(&self) -> Option<(Time, Timer)> {
        match self {
            Self::Invite { machine, .. } => machine.deadline(),
            Self::Other { machine, .. } => machine.deadline(),
        }
    }
}

#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registrar with 20,000 requests a second keeps 640,000 of them.
    #[test]
    fn a_transaction_is_small() {
        assert!(size_of::<Transaction>() <= 288, "{}", size_of::<Transaction>());
    }
}
