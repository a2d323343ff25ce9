//! All transactions of one party: messages in, meaning out (RFC 3261 §17 and §18).
//!
//! ```text
//!              receive ──► Received          owner ──► send, ack, cancel
//!   flow ──►  Endpoint                                 accept, reply, refuse
//!              handle_timeout ──► Timeout              out ──► Transmit
//! ```
//!
//! The endpoint keeps what must be sent again, finds the transaction of every message, absorbs
//! copies, answers what needs no thought (100, 481, 482, 503, CANCEL) and tries one target after the
//! other. It knows neither dialogs nor who may do what.

mod client;
mod derived;
mod head;
mod held;
mod invite;
mod sent;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use self::client::{Clients, Failing};
use self::server::Servers;
use super::transaction::key::{Branch, Keys};
use super::transaction::slab::SlotId;
use super::transaction::{Cancel, Timer, TimerId, TimerQueue, Timing};
use super::{Flow, Message, Reply, Request, Target, Transmit};
use crate::{Rng, Time};

pub use self::client::SendError;
pub use self::head::refusal;
pub use self::server::{NewRequest, ReplyError};

/// What an endpoint is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// T1, T2 and T4.
    pub timing: Timing,
    /// A request above this goes over TCP where the targets allow it: 1,300 where the path MTU is
    /// unknown (RFC 3261 §18.1.1).
    pub udp_limit_bytes: usize,
    /// The most client transactions at a time; at most 2^24.
    pub max_clients: usize,
    /// The most server transactions at a time; then the oldest that is answered is forgotten, and
    /// where none is, requests are answered with 503.
    pub max_servers: usize,
    /// The most bytes that all server transactions hold; then the oldest that is answered is forgotten.
    pub max_server_bytes: usize,
    /// The most bytes that the server transactions of one source hold; then its own oldest answers are
    /// forgotten, and where it has none, it is answered with 503.
    pub max_source_bytes: usize,
    /// The same for one account; see [`Endpoint::charge`].
    pub max_account_bytes: usize,
    /// The most bytes that requests of ours hold which have no final answer yet.
    pub max_client_bytes: usize,
    /// Who the endpoint says it is in messages that it writes by itself.
    pub product: Option<Arc<str>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timing: Timing::RFC_3261,
            udp_limit_bytes: 1_300,
            max_clients: 200_000,
            max_servers: 1_000_000,
            max_server_bytes: 512 << 20,
            max_source_bytes: 32 << 20,
            max_account_bytes: 2 << 20,
            max_client_bytes: 256 << 20,
            product: None,
        }
    }
}

/// Names a client transaction; good for all targets it tries.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientId(SlotId);

/// Names a server transaction.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServerId(SlotId);

/// What a message means to the owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Received<O> {
    /// Nothing: a copy, the ACK of a refusal, or a request that has been answered already.
    Nothing,
    /// A request without a transaction: [`accept`](Endpoint::accept) it and reply, or
    /// [`refuse`](Endpoint::refuse) it.
    NewRequest(NewRequest),
    /// A request that came before by another way; answered with 482 (RFC 3261 §8.2.2.2).
    Merged,
    /// The ACK of a 2xx, or of nothing; its dialog knows, and calls [`acked`](Endpoint::acked).
    Ack,
    /// A CANCEL of this INVITE. Nothing is changed or answered yet: the owner looks at where it came from
    /// ([`origin`](Endpoint::origin)), then [`cancelled`](Endpoint::cancelled) or
    /// [`refuse`](Endpoint::refuse) it with 481.
    Cancel(ServerId),
    /// A response to a request of ours.
    Response {
        /// Which transaction.
        id: ClientId,
        /// Who sent the request.
        owner: O,
    },
    /// A response to no request of ours, or to one that is over.
    StrayResponse,
}

/// What the passing of time means to the owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Timeout<O> {
    /// No target answered; as a 408 (RFC 3261 §8.1.3.1). The transaction is over.
    TimedOut {
        /// Which transaction.
        id: ClientId,
        /// Who sent the request.
        owner: O,
    },
    /// No target could be reached; as a 503 (RFC 3261 §8.1.3.1). The transaction is over.
    TransportFailed {
        /// Which transaction.
        id: ClientId,
        /// Who sent the request.
        owner: O,
    },
    /// The 2xx was never acknowledged; the session should end with a BYE (RFC 3261 §13.3.1.4).
    AckMissing(ServerId),
}

/// All transactions of one party. `O` says whose a request of ours is.
#[derive(Debug)]
pub struct Endpoint<O> {
    shared: Shared,
    clients: Clients<O>,
    servers: Servers,
}

impl<O: Copy> Endpoint<O> {
    /// Without any transaction; tags and branches follow from `seed`.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let keys = Keys::new(&mut rng);
        let config = Config { max_clients: config.max_clients.min(Branch::SLOTS), ..config };
        let shared =
            Shared { config, keys, rng, timers: TimerQueue::new(), scratch: Vec::new(), spare: Vec::new() };
        Self { shared, clients: Clients::new(), servers: Servers::new() }
    }

    /// Takes a message that has passed [`Message::check`].
    pub fn receive(
        &mut self,
        now: Time,
        flow: Flow,
        message: &Message<'_>,
        out: &mut Vec<Transmit>,
    ) -> Received<O> {
        match message.status() {
            Some(status) => self.clients.receive(&mut self.shared, now, status, message, out),
            None => self.servers.receive(&mut self.shared, now, flow, message, out),
        }
    }

    /// Opens the server transaction of a [`Received::NewRequest`], or names the one that is open; an ACK or CANCEL has
    /// none. Without `new` what was found out about the request is found out again.
    pub fn accept(
        &mut self,
        now: Time,
        new: Option<NewRequest>,
        flow: Flow,
        request: &Message<'_>,
    ) -> ServerId {
        ServerId(self.servers.accept(&mut self.shared, now, new, flow, request))
    }

    /// Charges a request to an account besides its source, to be called before [`accept`](Self::accept). False where the account holds as much as it may and nothing of it can be
    /// forgotten: the request is to be refused.
    pub fn charge(&self, new: &mut NewRequest, account: u32) -> bool {
        self.servers.charge(&self.shared.config, new, account)
    }

    /// Whether a request belongs to a transaction that there is: a copy, or the ACK or CANCEL of an INVITE.
    pub fn knows(&self, request: &Message<'_>) -> bool {
        self.servers.knows(&self.shared, request)
    }

    /// Where the replies to a request go; the address is the one that it came from.
    pub fn origin(&self, id: ServerId) -> Option<Flow> {
        self.servers.origin(id.0)
    }

    /// Answers a [`Received::Cancel`] with 200. True where its INVITE has no final answer and was not
    /// cancelled before: the owner then replies 487 to the INVITE.
    pub fn cancelled(
        &mut self,
        flow: Flow,
        cancel: &Message<'_>,
        id: ServerId,
        out: &mut Vec<Transmit>,
    ) -> bool {
        self.servers.cancelled(&mut self.shared, flow, cancel, id.0, out)
    }

    /// Answers a request, provisionally or finally. A To tag is added where `reply` has none.
    ///
    /// # Errors
    /// Where the transaction is over or was answered finally before; nothing is sent then.
    pub fn reply(
        &mut self,
        now: Time,
        id: ServerId,
        reply: &Reply,
        out: &mut Vec<Transmit>,
    ) -> Result<(), ReplyError> {
        self.servers.reply(&mut self.shared, now, id.0, reply, out)
    }

    /// Answers a request without opening a transaction (RFC 3261 §8.2.7): every copy of it is
    /// answered anew. What is sent is never more than twice as long as the request, so that nobody
    /// is flooded in a stranger's name; where `reply` is longer, only its status goes out.
    pub fn refuse(&mut self, flow: Flow, request: &Message<'_>, reply: &Reply, out: &mut Vec<Transmit>) {
        self.shared.answer(flow, request, reply, out);
    }

    /// The ACK of a 2xx has arrived in its dialog; true for the first.
    pub fn acked(&mut self, now: Time, id: ServerId) -> bool {
        self.servers.acked(&mut self.shared, now, id.0)
    }

    /// Sends a request to the first of `targets`, and to the next ones while there is no answer but
    /// 503 (RFC 3263 §4.3). `local` is our address towards all of them, and stands in the Via.
    ///
    /// # Errors
    /// Where `targets` is empty or there are too many transactions; nothing is sent then.
    pub fn send(
        &mut self,
        now: Time,
        request: &Request,
        targets: Vec<Target>,
        local: SocketAddr,
        owner: O,
        out: &mut Vec<Transmit>,
    ) -> Result<ClientId, SendError> {
        self.clients.send(&mut self.shared, now, request, targets, local, owner, out).map(ClientId)
    }

    /// Sends the ACK of a 2xx, and sends it again for every copy of that 2xx.
    ///
    /// # Errors
    /// Where `targets` is empty; nothing is sent then.
    pub fn ack(
        &mut self,
        id: ClientId,
        request: &Request,
        targets: Vec<Target>,
        local: SocketAddr,
        out: &mut Vec<Transmit>,
    ) -> Result<(), SendError> {
        self.clients.ack(&mut self.shared, id.0, request, targets, local, out)
    }

    /// Cancels an INVITE: at once, or with the first provisional response (RFC 3261 §9.1). `reason`
    /// is the value of a Reason header (RFC 3326). The INVITE's own final response still comes.
    pub fn cancel(
        &mut self,
        now: Time,
        id: ClientId,
        reason: Option<&str>,
        out: &mut Vec<Transmit>,
    ) -> Cancel {
        self.clients.cancel(&mut self.shared, now, id.0, reason, out)
    }

    /// Nobody waits for the final response to an INVITE any more: without one the transaction ends by itself,
    /// although the far side has begun to answer, and although nothing is cancelled.
    pub fn give_up(&mut self, now: Time, id: ClientId) {
        self.clients.give_up(&mut self.shared, now, id.0);
    }

    /// A flow could not be opened: what waits on it for a first response is tried elsewhere or reported by
    /// the next [`handle_timeout`](Self::handle_timeout).
    pub fn flow_failed(&mut self, now: Time, flow: Flow) {
        self.clients.flow_failed(now, flow, Failing::Ends);
    }

    /// A connection that was open is closed: what waits on it for a first response is sent once more as it is, over
    /// a new connection; a server that got it already takes it for a copy. Where that fails too it is as with
    /// [`flow_failed`](Self::flow_failed).
    pub fn flow_closed(&mut self, now: Time, flow: Flow) {
        self.clients.flow_failed(now, flow, Failing::Resends);
    }

    /// An address was said to be unreachable by datagrams, as by an ICMP port unreachable: what waits there for
    /// a first response is tried at its next target at once. The last target is asked again, and is reported
    /// by the next [`handle_timeout`](Self::handle_timeout) once the same is said 2 s later, so that a
    /// server that restarts in less loses no request (RFC 3261 §18.4 treats every ICMP error as a failure at
    /// once). Returns whether that changes anything.
    pub fn unreachable(&mut self, now: Time, remote: SocketAddr) -> bool {
        self.clients.unreachable(now, remote)
    }

    /// Does the next thing that is due at `now`; to be called until it returns `None`.
    pub fn handle_timeout(&mut self, now: Time, out: &mut Vec<Transmit>) -> Option<Timeout<O>> {
        while let Some(id) = self.clients.next_failed() {
            if let Some(timeout) = self.clients.fail(&mut self.shared, now, id, out) {
                return Some(timeout);
            }
        }
        while let Some((_, whose)) = self.shared.timers.pop_due(now) {
            let timeout = match whose {
                Whose::Client(id) => self.clients.on_timeout(&mut self.shared, now, id, out),
                Whose::Server(id) => {
                    let missing = self.servers.on_timeout(&mut self.shared, now, id, out);
                    missing.then_some(Timeout::AckMissing(ServerId(id)))
                }
            };
            if timeout.is_some() {
                return timeout;
            }
        }
        if self.clients.len() == 0 && self.servers.len() == 0 {
            self.shared.rest();
            self.servers.rest();
        }
        None
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and why.
    pub fn next_deadline(&self) -> Option<(Time, Timer)> {
        if let Some(failed_at) = self.clients.failed_at() {
            return Some((failed_at, Timer::Transport));
        }
        let (at, whose) = self.shared.timers.next()?;
        let timer = match whose {
            Whose::Client(id) => self.clients.timer(id),
            Whose::Server(id) => self.servers.timer(id),
        };
        timer.map(|timer| (at, timer))
    }

    /// How many client transactions there are.
    pub fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// How many server transactions there are.
    pub fn server_count(&self) -> usize {
        self.servers.len()
    }

    /// How many bytes the server transactions hold.
    pub fn server_bytes(&self) -> usize {
        self.servers.held_bytes()
    }
}

/// What both sides use.
#[derive(Debug)]
struct Shared {
    config: Config,
    keys: Keys,
    rng: Rng,
    timers: TimerQueue<Whose>,
    /// Messages are written here, so that each is allocated once and at its length.
    scratch: Vec<u8>,
    /// Room for the head of the next answer.
    spare: Vec<u8>,
}

impl Shared {
    /// Gives back what only messages need.
    fn rest(&mut self) {
        self.scratch = Vec::new();
        self.spare = Vec::new();
        self.timers.let_go();
    }
}

#[derive(Clone, Copy, Debug)]
enum Whose {
    Client(SlotId),
    Server(SlotId),
}

/// The one timer of a transaction in the queue.
#[derive(Clone, Copy, Debug, Default)]
struct Alarm(Option<(Time, TimerId)>);

impl Alarm {
    fn set(&mut self, timers: &mut TimerQueue<Whose>, deadline: Option<(Time, Timer)>, whose: Whose) {
        let due = deadline.map(|(at, _)| at);
        if self.0.map(|(at, _)| at) != due {
            self.clear(timers);
            self.0 = due.map(|at| (at, timers.set(at, whose)));
        }
    }

    fn clear(&mut self, timers: &mut TimerQueue<Whose>) {
        if let Some((_, id)) = self.0.take() {
            timers.cancel(id);
        }
    }
}

#[cfg(test)]
mod tests;
