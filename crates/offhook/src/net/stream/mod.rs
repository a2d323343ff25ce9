//! TCP and TLS: the table of connections, and one task for each.

mod connection;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use proto::Time;
use proto::sip::{Flow, Transmit, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::{Config, FlowError, FlowErrorKind, Limits, NetEvent, Refusal, Wire, listen, tls};
use crate::clock::Clock;
use crate::crowd::{self, Crowd};
use connection::Endpoint;

/// Reports of all connections that wait for the role; then their readers wait, and so do the peers.
const REPORTS: usize = 256;
/// How long the listener rests when the system has no file descriptor left.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How many strangers make room where the system has no file descriptor left.
const GONE_AT_ONCE: usize = 32;

/// All listeners and connections.
pub(super) struct Streams {
    listeners: Vec<(Transport, SocketAddr)>,
    connections: HashMap<Flow, Connection>,
    /// How many connections each source opened to us; see [`crowd::source`].
    per_source: HashMap<IpAddr, usize>,
    /// Connections to us that each account has vouched for, the oldest first.
    per_account: HashMap<u32, BTreeMap<u64, Flow>>,
    /// Those for whom nobody has vouched, by the number of their connection.
    strangers: Crowd<u64>,
    /// The flows of strangers.
    stranger_flows: HashMap<u64, Flow>,
    /// Bytes of half messages that strangers have sent.
    half_bytes: Arc<AtomicUsize>,
    /// To be told before anything else.
    events: VecDeque<NetEvent>,
    reports: mpsc::Receiver<Report>,
    reporter: mpsc::Sender<Report>,
    limits: Limits,
    dscp: u8,
    clock: Clock,
    acceptor: Option<TlsAcceptor>,
    connector: tls::Connector,
    last_id: u64,
    accepting: JoinSet<()>,
}

/// What the table knows of one connection. Dropping it lets the task send what waits, then close.
struct Connection {
    /// Tells a report of this connection from one of its predecessor on the same flow.
    id: u64,
    out: Option<mpsc::Sender<Bytes>>,
    came_in: bool,
    /// Its true local address, once it stands.
    wire_local: Option<SocketAddr>,
    /// Sent before it stood, and not yet seen by the tap.
    untapped: VecDeque<Bytes>,
    task: AbortHandle,
    /// Somebody has vouched for whoever is at the other end.
    vouched: Arc<AtomicBool>,
    /// The account that has.
    account: Option<u32>,
}

/// What listeners and connections tell the table.
enum Report {
    Accepted { transport: Transport, local: SocketAddr, remote: SocketAddr, stream: TcpStream },
    NotAccepted { transport: Transport, local: SocketAddr, error: io::Error },
    Opened { flow: Flow, id: u64, wire_local: SocketAddr },
    Message { flow: Flow, id: u64, bytes: Bytes, came: Time },
    Ended { flow: Flow, id: u64, end: End },
}

/// How a connection ended.
enum End {
    Closed,
    Failed(FlowError),
    /// An incoming connection that never became one.
    Refused(String),
}

impl Streams {
    pub(super) fn bind(config: &Config) -> io::Result<Self> {
        if !config.tls.is_empty() && config.server.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "listening for TLS needs a certificate and its key",
            ));
        }
        let (reporter, reports) = mpsc::channel(REPORTS);
        let mut streams = Self {
            listeners: Vec::new(),
            connections: HashMap::new(),
            per_source: HashMap::new(),
            per_account: HashMap::new(),
            strangers: Crowd::default(),
            stranger_flows: HashMap::new(),
            half_bytes: Arc::default(),
            events: VecDeque::new(),
            reports,
            reporter,
            limits: config.limits,
            dscp: config.dscp,
            clock: config.clock,
            acceptor: config.server.clone().map(TlsAcceptor::from),
            connector: tls::Connector::new(config.trust.clone())?,
            last_id: 0,
            accepting: JoinSet::new(),
        };
        for (transport, locals) in [(Transport::Tcp, &config.tcp), (Transport::Tls, &config.tls)] {
            for local in locals {
                streams.listen(transport, *local)?;
            }
        }
        Ok(streams)
    }

    pub(super) fn bound(&self) -> impl Iterator<Item = (Transport, SocketAddr)> + '_ {
        self.listeners.iter().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn send(&mut self, transmit: Transmit, wire: &mut Wire) -> Result<(), FlowError> {
        let Transmit { flow, name, bytes } = transmit;
        if self.connections.get(&flow).is_none_or(|connection| connection.out.is_none()) {
            self.open(flow, name)?;
        }
        let Some(connection) = self.connections.get_mut(&flow) else { return Ok(()) };
        let Some(out) = &connection.out else { return Ok(()) };
        match out.try_send(bytes.clone()) {
            Ok(()) => {
                connection.tap_sent(&flow, bytes, wire);
                Ok(())
            }
            Err(TrySendError::Full(_)) => {
                connection.task.abort();
                self.forget(&flow);
                let text =
                    format!("{} does not take up what is sent to it; its connection was closed", flow.remote);
                Err(FlowError::new(flow, FlowErrorKind::Overloaded, text))
            }
            // Its end is on the way to us as a report, which says why.
            Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    pub(super) fn vouch(&mut self, flow: &Flow, account: u32) {
        let Some(connection) = self.connections.get_mut(flow).filter(|connection| connection.came_in) else {
            return;
        };
        let id = connection.id;
        connection.vouched.store(true, Ordering::Relaxed);
        let before = connection.account.replace(account);
        self.strangers.remove(id);
        self.stranger_flows.remove(&id);
        if before == Some(account) {
            return;
        }
        if let Some(before) = before {
            self.leave_account(before, id);
        }
        let of_account = self.per_account.entry(account).or_default();
        of_account.insert(id, *flow);
        if of_account.len() > self.limits.connections_per_account
            && let Some((_, oldest)) = of_account.pop_first()
        {
            self.make_stranger(&oldest);
        }
    }

    /// The account has more connections than one may have: this one has to be vouched for anew.
    fn make_stranger(&mut self, flow: &Flow) {
        let Some(connection) = self.connections.get_mut(flow) else { return };
        connection.vouched.store(false, Ordering::Relaxed);
        connection.account = None;
        self.strangers.add(connection.id, flow.remote.ip());
        self.stranger_flows.insert(connection.id, *flow);
    }

    fn leave_account(&mut self, account: u32, id: u64) {
        let Some(of_account) = self.per_account.get_mut(&account) else { return };
        of_account.remove(&id);
        if of_account.is_empty() {
            self.per_account.remove(&account);
        }
    }

    pub(super) fn close(&mut self, flow: &Flow) {
        if let Some(connection) = self.connections.get_mut(flow) {
            connection.out = None;
        }
    }

    pub(super) async fn finish(&mut self, wait: Duration) {
        self.accepting.abort_all();
        for connection in self.connections.values_mut() {
            connection.out = None;
        }
        let all_ended = async {
            while !self.connections.is_empty() {
                match self.reports.recv().await {
                    Some(Report::Ended { flow, .. }) => self.forget(&flow),
                    Some(_) => {}
                    None => return,
                }
            }
        };
        // Who does not close in time is cut off with the runtime.
        let _ = tokio::time::timeout(wait, all_ended).await;
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>, wire: &mut Wire) -> Poll<NetEvent> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        while let Poll::Ready(Some(report)) = self.reports.poll_recv(context) {
            if let Some(event) = self.understand(report, wire) {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    pub(super) fn try_next(&mut self, wire: &mut Wire) -> Option<NetEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        while let Ok(report) = self.reports.try_recv() {
            if let Some(event) = self.understand(report, wire) {
                return Some(event);
            }
        }
        None
    }

    fn understand(&mut self, report: Report, wire: &mut Wire) -> Option<NetEvent> {
        match report {
            Report::Accepted { transport, local, remote, stream } => {
                self.take_up(Flow { transport, local, remote }, stream)
            }
            Report::NotAccepted { transport, local, error } => {
                if is_out_of_files(&error) {
                    let gone = std::iter::from_fn(|| self.evict(self.strangers.first_to_go()?));
                    let gone: Vec<_> = gone.take(GONE_AT_ONCE).collect();
                    self.events.extend(gone);
                }
                let text = format!("{local} ({transport}) cannot take up a connection: {error}");
                Some(refusal(Flow { transport, local, remote: local }, text))
            }
            Report::Opened { flow, id, wire_local } => {
                if let Some(connection) = self.current(&flow, id) {
                    connection.stands(&flow, wire_local, wire);
                }
                None
            }
            Report::Message { flow, id, bytes, came } => {
                let local = self.current(&flow, id)?.wire_local.unwrap_or(flow.local);
                wire.saw(flow.remote, local, flow.transport, &bytes);
                Some(NetEvent::Message { flow, bytes, came })
            }
            Report::Ended { flow, id, end } => {
                self.current(&flow, id)?;
                self.forget(&flow);
                Some(match end {
                    End::Closed => NetEvent::Closed(flow),
                    End::Failed(error) => NetEvent::Failed(error),
                    End::Refused(text) => refusal(flow, text),
                })
            }
        }
    }

    fn current(&mut self, flow: &Flow, id: u64) -> Option<&mut Connection> {
        self.connections.get_mut(flow).filter(|connection| connection.id == id)
    }

    fn listen(&mut self, transport: Transport, local: SocketAddr) -> io::Result<()> {
        let listener = TcpListener::from_std(listen::bind_stream(transport, local)?)?;
        let local = listener.local_addr()?;
        self.listeners.push((transport, local));
        self.accepting.spawn(accept(listener, transport, local, self.reporter.clone()));
        Ok(())
    }

    /// Listens at another address, at the same ports, and closes all connections: their flows.
    pub(super) fn move_to(&mut self, ip: IpAddr) -> io::Result<Vec<Flow>> {
        let before = std::mem::take(&mut self.listeners);
        let old = std::mem::take(&mut self.accepting);
        for (transport, local) in &before {
            if let Err(error) = self.listen(*transport, SocketAddr::new(ip, local.port())) {
                (self.listeners, self.accepting) = (before, old);
                return Err(error);
            }
        }
        self.per_source.clear();
        self.per_account.clear();
        self.strangers = Crowd::default();
        self.stranger_flows.clear();
        Ok(self.connections.drain().map(|(flow, _)| flow).collect())
    }

    fn take_up(&mut self, flow: Flow, stream: TcpStream) -> Option<NetEvent> {
        let made_room = match self.make_room(flow.remote.ip()) {
            Ok(made_room) => made_room,
            Err(text) => return Some(refusal(flow, text)),
        };
        *self.per_source.entry(crowd::source(flow.remote.ip())).or_default() += 1;
        let endpoint = match (flow.transport, &self.acceptor) {
            (Transport::Tls, Some(acceptor)) => Endpoint::AcceptTls(stream, acceptor.clone()),
            _ => Endpoint::Accept(stream),
        };
        self.start(flow, endpoint);
        made_room
    }

    /// Closes the connection of a stranger where there is no room for one more from this address. The error
    /// says why there is none: all belong to peers that are known.
    fn make_room(&mut self, from: IpAddr) -> Result<Option<NetEvent>, String> {
        let most = self.limits.connections_per_source;
        let (first, why) = if self.per_source.get(&crowd::source(from)).is_some_and(|count| *count >= most) {
            let why = format!("{from} has {most} connections, as many as one address may");
            (self.strangers.oldest_of(from), why)
        } else if self.connections.len() >= self.limits.connections {
            let why = format!("all {} connections are in use", self.limits.connections);
            (self.strangers.first_to_go(), why)
        } else {
            return Ok(None);
        };
        first.and_then(|id| self.evict(id)).map(Some).ok_or(why)
    }

    /// Closes a stranger's connection at once.
    fn evict(&mut self, id: u64) -> Option<NetEvent> {
        let flow = self.stranger_flows.get(&id).copied()?;
        if let Some(connection) = self.connections.get(&flow) {
            connection.task.abort();
        }
        self.forget(&flow);
        let text = format!(
            "{} on {} made room for others: it has shown no password, and no connection is free",
            flow.remote, flow.transport
        );
        Some(NetEvent::Failed(FlowError::new(flow, FlowErrorKind::Overloaded, text)))
    }

    fn open(&mut self, flow: Flow, name: Option<Arc<str>>) -> Result<(), FlowError> {
        if self.connections.len() >= self.limits.connections && !self.connections.contains_key(&flow) {
            let Some(made_room) = self.strangers.first_to_go().and_then(|id| self.evict(id)) else {
                let text = format!(
                    "all {} connections are in use, none is free to {}",
                    self.limits.connections, flow.remote
                );
                return Err(FlowError::new(flow, FlowErrorKind::Overloaded, text));
            };
            self.events.push_back(made_room);
        }
        let endpoint = match flow.transport {
            Transport::Tls => {
                let tls = self.connector.client(flow, name.as_deref())?;
                Endpoint::ConnectTls(tls, self.own_port(&flow))
            }
            _ => Endpoint::Connect,
        };
        self.start(flow, endpoint);
        Ok(())
    }

    /// The port that a connection to somebody comes from: the flow's own, so that a Contact can name it, or any
    /// (0) where the flow names a listener.
    fn own_port(&self, flow: &Flow) -> u16 {
        let port = flow.local.port();
        if self.listeners.iter().any(|(_, local)| local.port() == port) { 0 } else { port }
    }

    fn start(&mut self, flow: Flow, endpoint: Endpoint) {
        self.last_id += 1;
        let id = self.last_id;
        let (out, outgoing) = mpsc::channel(self.limits.outgoing_messages.max(1));
        let came_in = endpoint.came_in();
        let reporter = connection::Reporter::new(flow, id, self.reporter.clone(), self.clock);
        let vouched = Arc::new(AtomicBool::new(!came_in));
        let patience = connection::Patience {
            limits: self.limits,
            vouched: vouched.clone(),
            half_bytes: self.half_bytes.clone(),
        };
        let task = tokio::spawn(connection::run(endpoint, outgoing, reporter, patience, self.dscp));
        let connection = Connection {
            id,
            out: Some(out),
            came_in,
            wire_local: None,
            untapped: VecDeque::new(),
            task: task.abort_handle(),
            vouched,
            account: None,
        };
        if let Some(old) = self.connections.insert(flow, connection) {
            self.release(&flow, &old);
        }
        if came_in {
            self.strangers.add(id, flow.remote.ip());
            self.stranger_flows.insert(id, flow);
        }
    }

    fn forget(&mut self, flow: &Flow) {
        if let Some(connection) = self.connections.remove(flow) {
            self.release(flow, &connection);
        }
    }

    fn release(&mut self, flow: &Flow, connection: &Connection) {
        self.strangers.remove(connection.id);
        self.stranger_flows.remove(&connection.id);
        if let Some(account) = connection.account {
            self.leave_account(account, connection.id);
        }
        let source = crowd::source(flow.remote.ip());
        if connection.came_in
            && let Some(count) = self.per_source.get_mut(&source)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_source.remove(&source);
            }
        }
    }
}

impl Connection {
    fn tap_sent(&mut self, flow: &Flow, bytes: Bytes, wire: &mut Wire) {
        match self.wire_local {
            Some(local) => wire.saw(local, flow.remote, flow.transport, &bytes),
            // As many as the channel holds, so bounded by it.
            None if wire.is_tapped() => self.untapped.push_back(bytes),
            None => {}
        }
    }

    fn stands(&mut self, flow: &Flow, local: SocketAddr, wire: &mut Wire) {
        self.wire_local = Some(local);
        for bytes in self.untapped.drain(..) {
            wire.saw(local, flow.remote, flow.transport, &bytes);
        }
    }
}

/// The program or the system has as many files open as it may.
fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

fn refusal(flow: Flow, text: String) -> NetEvent {
    NetEvent::Refused(Refusal { flow, text })
}

/// Takes up connections until the table is gone.
async fn accept(
    listener: TcpListener,
    transport: Transport,
    local: SocketAddr,
    reporter: mpsc::Sender<Report>,
) {
    loop {
        let report = match listener.accept().await {
            Ok((stream, remote)) => Report::Accepted { transport, local, remote, stream },
            // The peer gave up between its SYN and us; nothing happened.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                tokio::time::sleep(ACCEPT_REST).await;
                Report::NotAccepted { transport, local, error }
            }
        };
        if reporter.send(report).await.is_err() {
            return;
        }
    }
}
