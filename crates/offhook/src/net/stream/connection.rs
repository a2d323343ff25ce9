//! One connection: opened or taken up, read and written until either side ends it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use proto::sip::Flow;
use proto::sip::endpoint::refusal;
use proto::sip::framing::{Frame, Framer, FramingError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{End, Report};
use crate::clock::Clock;
use crate::net::{FlowError, FlowErrorKind, Limits, listen, tls};

/// What is read at a time; most messages fit.
const READ_BYTES: usize = 4_096;
/// How long a peer that sent what cannot be read may take to take the refusal, and how much of what it
/// goes on saying is read and dropped meanwhile, in reads.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_READS: usize = 64;
/// How long requests that came before the end of a stream may wait for their answers.
const ANSWERS: Duration = Duration::from_secs(1);
/// The most bytes of half messages that all strangers together may leave with us; beyond, a stranger whose
/// half message is longer than [`HALF_BYTES`] is closed.
const STRANGERS_BYTES: usize = 64 << 20;
/// Requests without a session description, and most of those with one, are shorter.
const HALF_BYTES: usize = 8 << 10;

/// How a connection begins.
pub(super) enum Endpoint {
    Accept(TcpStream),
    AcceptTls(TcpStream, TlsAcceptor),
    Connect,
    /// From that port; 0 is any.
    ConnectTls(tls::Client, u16),
}

impl Endpoint {
    pub(super) fn came_in(&self) -> bool {
        matches!(self, Self::Accept(_) | Self::AcceptTls(..))
    }
}

/// How long one connection is waited for.
pub(super) struct Patience {
    pub(super) limits: Limits,
    /// Set from outside once somebody has vouched for the peer.
    pub(super) vouched: Arc<AtomicBool>,
    /// Bytes of half messages of all strangers.
    pub(super) half_bytes: Arc<AtomicUsize>,
}

impl Patience {
    fn is_stranger(&self) -> bool {
        !self.vouched.load(Ordering::Relaxed)
    }
}

/// Speaks to the table in the name of one connection.
pub(super) struct Reporter {
    flow: Flow,
    id: u64,
    reports: mpsc::Sender<Report>,
    clock: Clock,
}

impl Reporter {
    pub(super) fn new(flow: Flow, id: u64, reports: mpsc::Sender<Report>, clock: Clock) -> Self {
        Self { flow, id, reports, clock }
    }

    /// A table that is gone needs no report: it took the sender of what is to be written with it,
    /// which ends the connection.
    async fn tell(&self, report: Report) {
        let _ = self.reports.send(report).await;
    }
}

/// The whole life of a connection. Its end is always reported, unless the table let go of it first.
pub(super) async fn run(
    endpoint: Endpoint,
    outgoing: mpsc::Receiver<Bytes>,
    reporter: Reporter,
    patience: Patience,
    dscp: u8,
) {
    let (flow, id) = (reporter.flow, reporter.id);
    let end = match establish(endpoint, &flow, patience.limits, dscp).await {
        Ok((stream, wire_local)) => {
            reporter.tell(Report::Opened { flow, id, wire_local }).await;
            talk(stream, outgoing, &reporter, &patience).await
        }
        Err(end) => end,
    };
    reporter.tell(Report::Ended { flow, id, end }).await;
}

/// TCP or TLS, no matter which, once it stands.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

async fn establish(
    endpoint: Endpoint,
    flow: &Flow,
    limits: Limits,
    dscp: u8,
) -> Result<(Box<dyn Duplex>, SocketAddr), End> {
    let deadline = Instant::now() + limits.connect;
    let failed = |error: io::Error| End::Failed(FlowError::from_io(*flow, &error));
    let refused = |error: io::Error| End::Refused(tls::explain_accept(flow.remote, &error));
    match endpoint {
        Endpoint::Accept(tcp) => {
            let local = set_up(&tcp, flow, dscp);
            Ok((Box::new(tcp), local))
        }
        Endpoint::AcceptTls(tcp, acceptor) => {
            let local = set_up(&tcp, flow, dscp);
            let stream = by(deadline, acceptor.accept(tcp)).await.map_err(refused)?;
            Ok((Box::new(stream), local))
        }
        Endpoint::Connect => {
            let tcp = by(deadline, connect(flow, 0)).await.map_err(failed)?;
            let local = set_up(&tcp, flow, dscp);
            Ok((Box::new(tcp), local))
        }
        Endpoint::ConnectTls(tls::Client { config, name }, port) => {
            let tcp = by(deadline, connect(flow, port)).await.map_err(failed)?;
            let local = set_up(&tcp, flow, dscp);
            let handshake = TlsConnector::from(config).connect(name.clone(), tcp);
            let explain = |error| End::Failed(tls::explain_connect(*flow, &name, &error));
            let stream = by(deadline, handshake).await.map_err(explain)?;
            Ok((Box::new(stream), local))
        }
    }
}

async fn connect(flow: &Flow, port: u16) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if port != 0 {
        // Several servers may be reached from one port.
        socket.set_reuseaddr(true)?;
    }
    if port != 0 || !flow.local.ip().is_unspecified() {
        socket.bind(SocketAddr::new(flow.local.ip(), port))?;
    }
    socket.connect(flow.remote).await
}

/// Small messages leave at once. Returns our true address.
fn set_up(stream: &TcpStream, flow: &Flow, dscp: u8) -> SocketAddr {
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().unwrap_or(flow.local);
    listen::mark(stream, local, dscp);
    local
}

async fn by<T>(deadline: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Reads and writes side by side, so that two ends with full buffers cannot block one another.
async fn talk(
    stream: Box<dyn Duplex>,
    outgoing: mpsc::Receiver<Bytes>,
    reporter: &Reporter,
    patience: &Patience,
) -> End {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let talk = Talk::default();
    let stop = {
        let mut writing =
            std::pin::pin!(write(&mut writer, outgoing, &reporter.flow, &talk, patience.limits.connect));
        let stop = tokio::select! {
            stop = read(&mut reader, reporter, &talk, patience) => stop,
            end = &mut writing => return end,
        };
        if stop.is_after_requests {
            talk.take_leave();
            // Whoever does not answer in time does not answer.
            let _ = timeout(ANSWERS, writing).await;
        }
        stop
    };
    if let Some(farewell) = stop.farewell.filter(|_| !talk.is_writing.load(Ordering::Relaxed)) {
        // Who does not take it in time goes without.
        let _ = timeout(FAREWELL, take_leave(reader, writer, &farewell)).await;
    }
    stop.end
}

/// What the reading and the writing half of a connection share.
#[derive(Default)]
struct Talk {
    pong: Notify,
    /// Requests of the peer that have no final answer yet.
    unanswered: AtomicUsize,
    /// Nothing more is read: the connection ends when nothing is unanswered.
    is_leaving: AtomicBool,
    leave: Notify,
    /// A message is half written.
    is_writing: AtomicBool,
}

impl Talk {
    fn came(&self, message: &[u8]) {
        if !message.starts_with(b"SIP/2.0 ") && !message.starts_with(b"ACK ") {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn went(&self, message: &[u8]) {
        if message.strip_prefix(b"SIP/2.0 ").is_some_and(|status| !status.starts_with(b"1")) {
            let less = |count: usize| Some(count.saturating_sub(1));
            let _ = self.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    fn take_leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    fn is_over(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed) && self.unanswered.load(Ordering::Relaxed) == 0
    }
}

/// Why reading stopped.
struct Stop {
    end: End,
    /// Requests that came before may still be answered.
    is_after_requests: bool,
    /// What the peer is told before the connection is closed.
    farewell: Option<Vec<u8>>,
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self { end, is_after_requests: false, farewell: None }
    }
}

/// Sends the last message and reads what the peer still says, so that the close is no reset, which
/// could overtake the message.
async fn take_leave(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    farewell: &[u8],
) -> io::Result<()> {
    writer.write_all(farewell).await?;
    writer.shutdown().await?;
    let mut dropped = vec![0; READ_BYTES];
    for _ in 0..FAREWELL_READS {
        if reader.read(&mut dropped).await? == 0 {
            break;
        }
    }
    Ok(())
}

async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    reporter: &Reporter,
    talk: &Talk,
    patience: &Patience,
) -> Stop {
    let mut framer = Framer::new();
    let mut arrived = vec![0; READ_BYTES];
    let mut hearing = Hearing::new(Instant::now());
    let mut half = Half { all_bytes: &patience.half_bytes, own_bytes: 0 };
    loop {
        let deadline = hearing.deadline(patience);
        let length = match timeout_at(deadline, reader.read(&mut arrived)).await {
            Ok(Ok(0)) => return Stop { is_after_requests: true, ..End::Closed.into() },
            Ok(Ok(length)) => length,
            Ok(Err(error)) => return ended_by(&reporter.flow, &error).into(),
            // Somebody may have vouched for the peer since its last message.
            Err(_) if hearing.deadline(patience) > deadline => continue,
            Err(_) => return End::Closed.into(),
        };
        framer.push(arrived.get(..length).unwrap_or_default());
        let had_message = match take_frames(&mut framer, reporter, talk).await {
            Ok(had_message) => had_message,
            Err(stop) => return stop,
        };
        let pending_bytes = framer.pending_bytes();
        hearing.heard(Instant::now(), had_message, pending_bytes > 0);
        half.keep(if patience.is_stranger() { pending_bytes } else { 0 });
        if half.is_too_much() {
            return End::Closed.into();
        }
    }
}

/// When a peer was heard.
struct Hearing {
    /// Since when a message is under way, from its first byte; at first, since the connection stands.
    inside_since: Option<Instant>,
    /// The last bytes of any kind.
    bytes_at: Instant,
    /// The last whole message; at first, when the connection stood.
    message_at: Instant,
    had_message: bool,
}

impl Hearing {
    fn new(now: Instant) -> Self {
        Self { inside_since: Some(now), bytes_at: now, message_at: now, had_message: false }
    }

    fn heard(&mut self, now: Instant, had_message: bool, is_inside: bool) {
        self.bytes_at = now;
        if had_message {
            (self.message_at, self.had_message) = (now, true);
        }
        // One message has one deadline, however slowly its bytes trickle in.
        self.inside_since = match self.inside_since {
            Some(since) if is_inside && !had_message => Some(since),
            _ => is_inside.then_some(now),
        };
    }

    /// When the peer is given up. Pings and the beginnings of messages buy no time for a stranger.
    fn deadline(&self, patience: &Patience) -> Instant {
        let Limits { message, idle, stranger, .. } = patience.limits;
        let usual = self.inside_since.map_or(self.bytes_at + idle, |since| since + message);
        if !patience.is_stranger() {
            return usual;
        }
        usual.min(self.message_at + if self.had_message { stranger } else { message })
    }
}

/// The half message of one stranger among those of all.
struct Half<'a> {
    all_bytes: &'a AtomicUsize,
    own_bytes: usize,
}

impl Half<'_> {
    fn keep(&mut self, bytes: usize) {
        // Added first, so that the sum is never below zero.
        self.all_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all_bytes.fetch_sub(self.own_bytes, Ordering::Relaxed);
        self.own_bytes = bytes;
    }

    fn is_too_much(&self) -> bool {
        self.own_bytes > HALF_BYTES && self.all_bytes.load(Ordering::Relaxed) > STRANGERS_BYTES
    }
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        self.keep(0);
    }
}

/// Tells the table every message that is whole; returns whether there was one.
async fn take_frames(framer: &mut Framer, reporter: &Reporter, talk: &Talk) -> Result<bool, Stop> {
    let (flow, id) = (reporter.flow, reporter.id);
    let mut had_message = false;
    while let Some(frame) = framer.next() {
        let bytes = match frame {
            Frame::Message(bytes) => Bytes::copy_from_slice(bytes),
            Frame::Ping => {
                talk.pong.notify_one();
                continue;
            }
            Frame::Pong => continue,
            Frame::Broken { error, head } => {
                let farewell = refusal(head, flow.remote, error.status(), &format!("{id:x}"));
                return Err(Stop { end: malformed(flow, error), is_after_requests: true, farewell });
            }
        };
        talk.came(&bytes);
        // Before it waits for room: where many connections do, that is the queue.
        let came = reporter.clock.now();
        reporter.tell(Report::Message { flow, id, bytes, came }).await;
        had_message = true;
    }
    Ok(had_message)
}

async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    mut outgoing: mpsc::Receiver<Bytes>,
    flow: &Flow,
    talk: &Talk,
    patience: Duration,
) -> End {
    while !talk.is_over() {
        let bytes = tokio::select! {
            next = outgoing.recv() => next,
            () = talk.pong.notified() => Some(Bytes::from_static(b"\r\n")),
            () = talk.leave.notified() => continue,
        };
        let Some(bytes) = bytes else {
            let _ = timeout(patience, writer.shutdown()).await;
            return End::Closed;
        };
        talk.is_writing.store(true, Ordering::Relaxed);
        let written = timeout(patience, async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return ended_by(flow, &error),
            Err(_) => {
                let text = format!(
                    "{} has not read for {} s; its connection was closed",
                    flow.remote,
                    patience.as_secs()
                );
                return End::Failed(FlowError::new(*flow, FlowErrorKind::Overloaded, text));
            }
        }
        talk.is_writing.store(false, Ordering::Relaxed);
        talk.went(&bytes);
    }
    End::Closed
}

/// An end without TLS's farewell is as good as one with it: SIP says itself where a message ends.
fn ended_by(flow: &Flow, error: &io::Error) -> End {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return End::Closed;
    }
    End::Failed(FlowError::from_io(*flow, error))
}

fn malformed(flow: Flow, error: FramingError) -> End {
    let text = format!("{} on {} was closed: {error}", flow.remote, flow.transport);
    End::Failed(FlowError::new(flow, FlowErrorKind::Malformed, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(vouched: bool) -> Patience {
        let limits = Limits {
            message: Duration::from_secs(32),
            stranger: Duration::from_secs(64),
            idle: Duration::from_secs(3_600),
            ..Limits::default()
        };
        Patience { limits, vouched: Arc::new(AtomicBool::new(vouched)), half_bytes: Arc::default() }
    }

    /// The seconds at which bytes come, whether they end a message, whether they begin one; and when the
    /// peer is given up.
    #[track_caller]
    fn check(is_known: bool, heard: &[(u64, bool, bool)], given_up_s: u64) {
        let start = Instant::now();
        let mut hearing = Hearing::new(start);
        for (at_s, had_message, is_inside) in heard {
            hearing.heard(start + Duration::from_secs(*at_s), *had_message, *is_inside);
        }
        assert_eq!(hearing.deadline(&patience(is_known)), start + Duration::from_secs(given_up_s));
    }

    #[test]
    fn a_ping_buys_no_time_for_a_stranger() {
        check(false, &[], 32);
        check(false, &[(10, false, false)], 32);
        check(false, &[(10, true, false)], 74);
        check(false, &[(10, true, false), (40, false, false), (70, false, false)], 74);
        // The first half of a ping and its other half.
        check(false, &[(10, true, false), (60, false, true), (61, false, false), (73, false, true)], 74);
        check(false, &[(10, true, false), (20, false, true), (30, false, true)], 52);
        check(true, &[(10, true, false), (40, false, false), (3_000, false, false)], 6_600);
        check(true, &[(10, true, false), (20, false, true), (30, false, true)], 52);
        check(true, &[(10, true, false), (20, true, true)], 52);
    }

    #[test]
    fn half_messages_of_strangers_are_bounded_in_bytes() {
        let all_bytes = AtomicUsize::new(0);
        let half = |bytes| {
            let mut half = Half { all_bytes: &all_bytes, own_bytes: 0 };
            half.keep(bytes);
            half
        };
        let most = STRANGERS_BYTES / 65_536;
        let crowd: Vec<_> = (0..most).map(|_| half(65_536)).collect();
        assert!(crowd.iter().all(|half| !half.is_too_much()));
        assert!(!half(HALF_BYTES).is_too_much(), "a usual request finds room");
        assert!(half(HALF_BYTES + 1).is_too_much());
        drop(crowd);
        assert_eq!(all_bytes.into_inner(), 0);
    }
}
