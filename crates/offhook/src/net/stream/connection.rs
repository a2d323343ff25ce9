//! One connection: opened or taken up, read and written until either side ends it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// How a connection begins.
pub(super) enum Endpoint {
    Accept(TcpStream),
    AcceptTls(TcpStream, TlsAcceptor),
    Connect,
    ConnectTls(tls::Client),
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
}

impl Patience {
    /// How long the peer may be silent between two messages.
    fn idle(&self) -> Duration {
        if self.vouched.load(Ordering::Relaxed) { self.limits.idle } else { self.limits.stranger }
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
            let tcp = by(deadline, connect(flow)).await.map_err(failed)?;
            let local = set_up(&tcp, flow, dscp);
            Ok((Box::new(tcp), local))
        }
        Endpoint::ConnectTls(tls::Client { config, name }) => {
            let tcp = by(deadline, connect(flow)).await.map_err(failed)?;
            let local = set_up(&tcp, flow, dscp);
            let handshake = TlsConnector::from(config).connect(name.clone(), tcp);
            let explain = |error| End::Failed(tls::explain_connect(*flow, &name, &error));
            let stream = by(deadline, handshake).await.map_err(explain)?;
            Ok((Box::new(stream), local))
        }
    }
}

async fn connect(flow: &Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if !flow.local.ip().is_unspecified() {
        socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
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
    let pong = Notify::new();
    let stop = tokio::select! {
        stop = read(&mut reader, reporter, &pong, patience) => stop,
        end = write(&mut writer, outgoing, &reporter.flow, &pong, patience.limits.connect) => Stop::from(end),
    };
    if let Some(farewell) = stop.farewell {
        // Who does not take it in time goes without.
        let _ = timeout(FAREWELL, take_leave(reader, writer, &farewell)).await;
    }
    stop.end
}

/// Why reading stopped.
struct Stop {
    end: End,
    /// What the peer is told before the connection is closed.
    farewell: Option<Vec<u8>>,
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self { end, farewell: None }
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
    pong: &Notify,
    patience: &Patience,
) -> Stop {
    let mut framer = Framer::new();
    let mut arrived = vec![0; READ_BYTES];
    let mut was_inside = true;
    let (mut since, mut limit) = (Instant::now(), patience.limits.message);
    loop {
        let length = match timeout_at(since + limit, reader.read(&mut arrived)).await {
            Ok(Ok(length)) if length > 0 => length,
            Ok(Err(error)) => return ended_by(&reporter.flow, &error).into(),
            // Somebody may have vouched for the peer since its last message.
            Err(_) if !was_inside && patience.idle() > limit => {
                limit = patience.idle();
                continue;
            }
            Err(_) | Ok(Ok(_)) => return End::Closed.into(),
        };
        framer.push(arrived.get(..length).unwrap_or_default());
        let had_message = match take_frames(&mut framer, reporter, pong).await {
            Ok(had_message) => had_message,
            Err(stop) => return stop,
        };
        // One message has one deadline, however slowly its bytes trickle in.
        let is_inside = framer.pending_bytes() > 0;
        if had_message || !is_inside || !was_inside {
            (since, limit) =
                (Instant::now(), if is_inside { patience.limits.message } else { patience.idle() });
        }
        was_inside = is_inside;
    }
}

/// Tells the table every message that is whole; returns whether there was one.
async fn take_frames(framer: &mut Framer, reporter: &Reporter, pong: &Notify) -> Result<bool, Stop> {
    let (flow, id) = (reporter.flow, reporter.id);
    let mut had_message = false;
    while let Some(frame) = framer.next() {
        let bytes = match frame {
            Frame::Message(bytes) => Bytes::copy_from_slice(bytes),
            Frame::Ping => {
                pong.notify_one();
                continue;
            }
            Frame::Pong => continue,
            Frame::Broken { error, head } => {
                let farewell = refusal(head, flow.remote, error.status(), &format!("{id:x}"));
                return Err(Stop { end: malformed(flow, error), farewell });
            }
        };
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
    pong: &Notify,
    patience: Duration,
) -> End {
    loop {
        let bytes = tokio::select! {
            next = outgoing.recv() => next,
            () = pong.notified() => Some(Bytes::from_static(b"\r\n")),
        };
        let Some(bytes) = bytes else {
            let _ = timeout(patience, writer.shutdown()).await;
            return End::Closed;
        };
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
    }
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
