//! The client transactions of an endpoint.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::invite::{Cancelling, Invite};
use super::sent::{Sent, next_target};
use super::{Alarm, ClientId, Received, Shared, Timeout, Whose};
use crate::Time;
use crate::sip::transaction::key::Branch;
use crate::sip::transaction::slab::{Slab, SlotId};
use crate::sip::transaction::{Cancel, Client, ClientInvite, ClientStep, Timer, Timing};
use crate::sip::{Flow, Message, Method, Request, Target, Transmit, Transport};

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SendError {
    /// Nobody said where to: the name has no address.
    NoTarget,
    /// We have as many transactions open as [`Config::max_clients`](super::Config::max_clients), or they
    /// hold as many bytes as [`Config::max_client_bytes`](super::Config::max_client_bytes).
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTarget => "no address to send the request to; check the host name and its DNS records",
            Self::Full => "too many requests of ours are open; send slower or raise the limit",
        })
    }
}

impl std::error::Error for SendError {}

/// How long the last target may be unreachable until its transaction ends: a server that restarts is back
/// by then, and the next of our repetitions reaches it.
const UNREACHABLE_FOR: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Clients<O> {
    transactions: Slab<Transaction<O>>,
    failed: VecDeque<SlotId>,
    failed_at: Time,
    /// Of the requests that have no final answer.
    held_bytes: usize,
}

#[derive(Debug)]
struct Transaction<O> {
    owner: O,
    nonce: u64,
    machine: Machine,
    sent: Sent,
    /// How many bytes of it count, until the final answer.
    held_bytes: u32,
    /// Those that have not been tried.
    targets: VecDeque<Target>,
    /// Whether the present target has answered.
    heard: bool,
    /// Whether it stands among the failed.
    failing: Failing,
    /// Whether it was sent to the present target over a second connection.
    is_resent: bool,
    /// When the present target was said to be unreachable first.
    unreachable_since: Option<Time>,
    alarm: Alarm,
}

/// What comes of a transaction that stands among the failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failing {
    No,
    /// It is sent to the present target once more, over a new connection.
    Resends,
    /// The next target is tried; without one the present target is asked again.
    Moves,
    /// The next target is tried; without one it ends.
    Ends,
}

#[derive(Debug)]
enum Machine {
    Invite(Box<Invite>),
    Other(Client),
}

impl<O: Copy> Clients<O> {
    pub(super) const fn new() -> Self {
        Self { transactions: Slab::new(), failed: VecDeque::new(), failed_at: Time::ZERO, held_bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.transactions.len()
    }

    #[allow(clippy::too_many_arguments, reason = "the public function's, and what both sides share")]
    pub(super) fn send(
        &mut self,
        shared: &mut Shared,
        now: Time,
        request: &Request,
        targets: Vec<Target>,
        local: SocketAddr,
        owner: O,
        out: &mut Vec<Transmit>,
    ) -> Result<SlotId, SendError> {
        if self.len() >= shared.config.max_clients || self.held_bytes >= shared.config.max_client_bytes {
            return Err(SendError::Full);
        }
        let mut sent = Sent::draft(shared, request, local);
        let mut targets = VecDeque::from(targets);
        sent.aim(next_target(&mut targets, shared).ok_or(SendError::NoTarget)?);
        let machine = Machine::start(request.method, now, shared.config.timing, &sent);
        let id = self.transactions.insert(Transaction {
            owner,
            nonce: shared.rng.u64(),
            machine,
            sent,
            held_bytes: 0,
            targets,
            heard: false,
            failing: Failing::No,
            is_resent: false,
            unreachable_since: None,
            alarm: Alarm::default(),
        });
        self.dispatch(shared, id, out);
        Ok(id)
    }

    pub(super) fn ack(
        &mut self,
        shared: &mut Shared,
        id: SlotId,
        request: &Request,
        targets: Vec<Target>,
        local: SocketAddr,
        out: &mut Vec<Transmit>,
    ) -> Result<(), SendError> {
        let mut sent = Sent::draft(shared, request, local);
        sent.aim(next_target(&mut VecDeque::from(targets), shared).ok_or(SendError::NoTarget)?);
        // An ACK has no transaction, but a branch of its own (RFC 3261 §17.1.1.3).
        let nonce = shared.rng.u64();
        sent.stamp(shared, Branch { slot: id.slot, nonce });
        out.push(sent.transmit());
        if let Some(Machine::Invite(invite)) = self.transactions.get_mut(id).map(|t| &mut t.machine)
            && let Ok(ack) = Message::parse(&shared.scratch)
        {
            invite.keep_ack(ack.to_tag(), sent);
        }
        Ok(())
    }

    pub(super) fn cancel(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: SlotId,
        reason: Option<&str>,
        out: &mut Vec<Transmit>,
    ) -> Cancel {
        let Some(transaction) = self.transactions.get_mut(id) else { return Cancel::Never };
        let Machine::Invite(invite) = &mut transaction.machine else { return Cancel::Never };
        let answer = invite.machine.cancel(now);
        match answer {
            Cancel::Now => invite.send_cancel(shared, now, &transaction.sent, reason, out),
            Cancel::AfterProvisional => invite.cancel = Cancelling::Waiting(reason.map(Into::into)),
            Cancel::Never => {}
        }
        self.arm(shared, id);
        answer
    }

    pub(super) fn give_up(&mut self, shared: &mut Shared, now: Time, id: SlotId) {
        let transaction = self.transactions.get_mut(id);
        if let Some(Machine::Invite(invite)) = transaction.map(|transaction| &mut transaction.machine) {
            invite.machine.cancel(now);
            invite.cancel = Cancelling::Done;
        }
        self.arm(shared, id);
    }

    pub(super) fn receive(
        &mut self,
        shared: &mut Shared,
        now: Time,
        status: u16,
        response: &Message<'_>,
        out: &mut Vec<Transmit>,
    ) -> Received<O> {
        let Some((id, branch, method)) = self.find(response) else { return Received::StrayResponse };
        let Some(transaction) = self.transactions.get_mut(id) else { return Received::StrayResponse };
        if branch.nonce != transaction.nonce {
            return transaction.receive_late(branch, status, out);
        }
        match (&mut transaction.machine, method) {
            (Machine::Invite(_), Method::Invite) => {
                self.receive_for_invite(shared, now, id, status, response, out)
            }
            (Machine::Invite(invite), Method::Cancel) => {
                invite.on_cancel_response(now, status);
                self.arm(shared, id);
                Received::Nothing
            }
            (Machine::Invite(_), _) | (Machine::Other(_), Method::Invite | Method::Cancel) => {
                Received::StrayResponse
            }
            (Machine::Other(machine), _) => {
                let passed = machine.on_response(now, status) == ClientStep::Pass;
                self.receive_for_other(shared, now, id, status, passed, out)
            }
        }
    }

    pub(super) fn on_timeout(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: SlotId,
        out: &mut Vec<Transmit>,
    ) -> Option<Timeout<O>> {
        let transaction = self.transactions.get_mut(id)?;
        transaction.alarm = Alarm::default();
        let step = match &mut transaction.machine {
            Machine::Invite(invite) => {
                invite.on_cancel_timeout(now, out);
                invite.machine.on_timeout(now)
            }
            Machine::Other(machine) => machine.on_timeout(now),
        };
        match step {
            ClientStep::Send => out.push(transaction.sent.transmit()),
            ClientStep::TimedOut if !transaction.heard && self.try_next(shared, now, id, out) => {}
            ClientStep::TimedOut => {
                let owner = self.remove(shared, id)?.owner;
                return Some(Timeout::TimedOut { id: ClientId(id), owner });
            }
            ClientStep::Terminated => {
                self.remove(shared, id);
            }
            _ => {}
        }
        self.arm(shared, id);
        None
    }

    /// Notes what waits on `flow` for a first response; whoever has been answered goes on waiting,
    /// as the response may come by another connection (RFC 3261 §18.2.2).
    pub(super) fn flow_failed(&mut self, now: Time, flow: Flow, failing: Failing) {
        let waits = |t: &Transaction<O>| t.sent.flow == flow && t.may_fail();
        let waiting: Vec<_> = self.transactions.iter().filter(|(_, t)| waits(t)).map(|(id, _)| id).collect();
        for id in waiting {
            self.mark(now, id, failing);
        }
    }

    /// Notes what waits for a first response of an address that is said to be unreachable by datagrams.
    /// Returns whether that changes anything: the first such word for a target, and the one by which it is
    /// given up.
    pub(super) fn unreachable(&mut self, now: Time, remote: SocketAddr) -> bool {
        let is_sent_there = |flow: Flow| flow.transport == Transport::Udp && flow.remote == remote;
        let waits = |t: &Transaction<O>| is_sent_there(t.sent.flow) && t.may_fail();
        let waiting: Vec<_> = self.transactions.iter().filter(|(_, t)| waits(t)).map(|(id, _)| id).collect();
        let mut is_news = false;
        for id in waiting {
            let Some(transaction) = self.transactions.get_mut(id) else { continue };
            let is_first = transaction.unreachable_since.is_none();
            let since = *transaction.unreachable_since.get_or_insert(now);
            let is_last = now.since(since) >= UNREACHABLE_FOR;
            is_news |= is_first || is_last;
            if is_first || is_last {
                self.mark(now, id, if is_last { Failing::Ends } else { Failing::Moves });
            }
        }
        is_news
    }

    fn mark(&mut self, now: Time, id: SlotId, failing: Failing) {
        let Some(transaction) = self.transactions.get_mut(id) else { return };
        let was = std::mem::replace(&mut transaction.failing, failing);
        if was != Failing::No {
            return;
        }
        if self.failed.is_empty() {
            self.failed_at = now;
        }
        self.failed.push_back(id);
    }

    pub(super) fn next_failed(&mut self) -> Option<SlotId> {
        self.failed.pop_front()
    }

    pub(super) fn failed_at(&self) -> Option<Time> {
        (!self.failed.is_empty()).then_some(self.failed_at)
    }

    /// Tries the next target in place of one that could not be reached. Without one a target that has just
    /// become unreachable is asked again, any other ends.
    pub(super) fn fail(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: SlotId,
        out: &mut Vec<Transmit>,
    ) -> Option<Timeout<O>> {
        let transaction = self.transactions.get_mut(id)?;
        let failing = std::mem::replace(&mut transaction.failing, Failing::No);
        if !transaction.may_fail() {
            return None;
        }
        if failing == Failing::Resends && !std::mem::replace(&mut transaction.is_resent, true) {
            out.push(transaction.sent.transmit());
            return None;
        }
        if self.try_next(shared, now, id, out) || failing == Failing::Moves {
            return None;
        }
        let owner = self.remove(shared, id)?.owner;
        Some(Timeout::TransportFailed { id: ClientId(id), owner })
    }

    pub(super) fn timer(&self, id: SlotId) -> Option<Timer> {
        self.transactions.get(id)?.machine.deadline().map(|(_, timer)| timer)
    }

    fn find(&self, response: &Message<'_>) -> Option<(SlotId, Branch, Method)> {
        let branch = Branch::parse(response.via()?.branch())?;
        Some((self.transactions.id_at(branch.slot)?, branch, response.cseq()?.method))
    }

    fn receive_for_invite(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: SlotId,
        status: u16,
        response: &Message<'_>,
        out: &mut Vec<Transmit>,
    ) -> Received<O> {
        let Some(transaction) = self.transactions.get_mut(id) else { return Received::StrayResponse };
        let Machine::Invite(invite) = &mut transaction.machine else { return Received::StrayResponse };
        let received = match invite.machine.on_response(now, status) {
            ClientStep::Pass if status >= 200 && !invite.is_first(response.to_tag(), out) => {
                Received::Nothing
            }
            ClientStep::Pass => self.pass(id, status),
            ClientStep::PassAndCancel => {
                invite.send_waiting_cancel(shared, now, &transaction.sent, out);
                self.pass(id, status)
            }
            ClientStep::PassAndAck => self.refused(shared, now, id, status, response, out),
            ClientStep::Ack => {
                out.push(transaction.sent.transmit());
                Received::Nothing
            }
            _ => Received::Nothing,
        };
        self.arm(shared, id);
        received
    }

    fn receive_for_other(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: SlotId,
        status: u16,
        passed: bool,
        out: &mut Vec<Transmit>,
    ) -> Received<O> {
        if !passed || status == 503 && self.try_next(shared, now, id, out) {
            return Received::Nothing;
        }
        self.arm(shared, id);
        self.pass(id, status)
    }

    /// Acknowledges a refusal, which is the owner's unless it is a 503 and there are other targets.
    fn refused(
        &mut self,
        shared: &mut Shared,
        now: Time,
        id: SlotId,
        status: u16,
        response: &Message<'_>,
        out: &mut Vec<Transmit>,
    ) -> Received<O> {
        let Some(transaction) = self.transactions.get_mut(id) else { return Received::StrayResponse };
        let nonce = transaction.nonce;
        let ack = transaction.sent.ack(shared, response);
        out.extend(ack.as_ref().map(Sent::transmit));
        if status == 503 && self.try_next(shared, now, id, out) {
            if let Some(Machine::Invite(invite)) = self.transactions.get_mut(id).map(|t| &mut t.machine) {
                invite.before = ack.map(|ack| (nonce, ack));
            }
            return Received::Nothing;
        }
        let received = self.pass(id, status);
        if let (Some(transaction), Some(ack)) = (self.transactions.get_mut(id), ack) {
            transaction.sent = ack;
        }
        received
    }

    /// A response goes up; after a final one the request is not needed any more.
    fn pass(&mut self, id: SlotId, status: u16) -> Received<O> {
        let Some(transaction) = self.transactions.get_mut(id) else { return Received::StrayResponse };
        transaction.heard = true;
        if status >= 200 {
            transaction.targets = VecDeque::new();
            transaction.sent.bytes = Bytes::new();
            self.held_bytes -= std::mem::take(&mut transaction.held_bytes) as usize;
        }
        Received::Response { id: ClientId(id), owner: transaction.owner }
    }

    /// Sends the request to the next target under a fresh branch (RFC 3263 §4.3). False where none is
    /// left, or where the INVITE is to be cancelled anyway.
    fn try_next(&mut self, shared: &mut Shared, now: Time, id: SlotId, out: &mut Vec<Transmit>) -> bool {
        let Some(transaction) = self.transactions.get_mut(id) else { return false };
        if transaction.machine.is_cancelled() || transaction.targets.is_empty() {
            return false;
        }
        transaction.sent.recall(shared);
        let Some(target) = next_target(&mut transaction.targets, shared) else { return false };
        transaction.sent.aim(target);
        transaction.nonce = shared.rng.u64();
        transaction.machine.restart(now, shared.config.timing, &transaction.sent);
        transaction.heard = false;
        transaction.is_resent = false;
        transaction.unreachable_since = None;
        self.dispatch(shared, id, out);
        true
    }

    /// Sends what stands in the scratch under the transaction's branch.
    fn dispatch(&mut self, shared: &mut Shared, id: SlotId, out: &mut Vec<Transmit>) {
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.sent.stamp(shared, Branch { slot: id.slot, nonce: transaction.nonce });
            out.push(transaction.sent.transmit());
            let bytes = transaction.sent.bytes.len() as u32;
            self.held_bytes -= std::mem::replace(&mut transaction.held_bytes, bytes) as usize;
            self.held_bytes += bytes as usize;
        }
        self.arm(shared, id);
    }

    fn remove(&mut self, shared: &mut Shared, id: SlotId) -> Option<Transaction<O>> {
        let mut transaction = self.transactions.remove(id)?;
        transaction.alarm.clear(&mut shared.timers);
        self.held_bytes -= transaction.held_bytes as usize;
        Some(transaction)
    }

    fn arm(&mut self, shared: &mut Shared, id: SlotId) {
        if let Some(transaction) = self.transactions.get_mut(id) {
            let deadline = transaction.machine.deadline();
            transaction.alarm.set(&mut shared.timers, deadline, Whose::Client(id));
        }
    }
}

impl<O> Transaction<O> {
    /// A response with an earlier branch: a copy of the 503 of the target before is acknowledged.
    fn receive_late(&self, branch: Branch, status: u16, out: &mut Vec<Transmit>) -> Received<O> {
        match &self.machine {
            Machine::Invite(invite) if status >= 300 => match &invite.before {
                Some((nonce, ack)) if *nonce == branch.nonce => {
                    out.push(ack.transmit());
                    Received::Nothing
                }
                _ => Received::StrayResponse,
            },
            _ => Received::StrayResponse,
        }
    }

    fn may_fail(&self) -> bool {
        !self.heard && self.machine.is_open()
    }
}

impl Machine {
    fn start(method: Method, now: Time, timing: Timing, sent: &Sent) -> Self {
        let reliable = sent.flow.transport.is_reliable();
        match method {
            Method::Invite => Self::Invite(Box::new(Invite::new(ClientInvite::start(now, timing, reliable)))),
            _ => Self::Other(Client::start(now, timing, reliable)),
        }
    }

    fn restart(&mut self, now: Time, timing: Timing, sent: &Sent) {
        let method = if matches!(self, Self::Invite(_)) { Method::Invite } else { Method::Other };
        *self = Self::start(method, now, timing, sent);
    }

    fn is_open(&self) -> bool {
        match self {
            Self::Invite(invite) => invite.machine.is_open(),
            Self::Other(machine) => machine.is_open(),
        }
    }

    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Invite(invite) if invite.is_cancelled())
    }

    fn deadline(&self) -> Option<(Time, Timer)> {
        match self {
            Self::Invite(invite) => invite.deadline(),
            Self::Other(machine) => machine.deadline(),
        }
    }
}
