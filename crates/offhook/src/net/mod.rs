//! The sockets of SIP: datagrams, streams and TLS behind one [`Net`], owned by the task of its role.
//!
//! A datagram goes from the socket to the role and back without a task or a channel in between. Each
//! TCP or TLS connection has a task of its own that talks to [`Net`] over bounded channels; every
//! decision (limits, reuse, what a failure means) is taken here, in the one place that owns the table.

pub mod dns;
mod error;
pub mod fetch;
mod listen;
#[cfg(target_os = "linux")]
pub mod ports;
pub mod relay;
mod sockets;
mod stream;
pub mod tls;
mod udp;
mod undelivered;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use proto::Time;
use proto::sip::{Flow, Transmit, Transport};
use tokio::sync::mpsc;

pub use error::{FlowError, FlowErrorKind};
#[cfg(target_os = "linux")]
pub(crate) use listen::bind_media;
pub(crate) use listen::bind_stream;
pub(crate) use sockets::open_datagrams;

use crate::clock::Clock;
use roles::role::{SocketEvent, SocketId, SocketRequest};
use sockets::Sockets;
use stream::Streams;
use udp::UdpPorts;

/// Failures that wait for the driver; more than these in one turn are dropped, their transactions time
/// out by themselves.
const FAILURES_KEPT: usize = 1_024;

/// Sees every message both ways, for a capture: time, source, destination, transport, bytes.
///
/// Addresses are those of the sockets, also for a connection whose own end has a passing port.
/// TLS is shown in clear.
pub type Tap = Box<dyn FnMut(Time, SocketAddr, SocketAddr, Transport, &[u8]) + Send>;

/// What a peer can make us hold, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all. Where there are as many, one of a stranger is closed for each new one: the
    /// oldest from the source that has the most.
    pub connections: usize,
    /// Connections that one address, or one /64 of IPv6, opened to us; then the oldest of its strangers is
    /// closed for each new one.
    pub connections_per_source: usize,
    /// The same that one account has vouched for; the oldest of more is a stranger's again.
    pub connections_per_account: usize,
    /// Messages that wait for one slow reader.
    pub outgoing_messages: usize,
    /// TCP connect and TLS handshake together.
    pub connect: Duration,
    /// From a message's first byte to its last, and from accept to the first message.
    pub message: Duration,
    /// Silence after which a connection is closed.
    pub idle: Duration,
    /// The same for a connection to us from somebody for whom nobody has vouched; pings do not count.
    pub stranger: Duration,
}

impl Default for Limits {
    /// An office of some hundred phones behind few addresses; idle time is past the usual
    /// registration refresh of 1800 s, a stranger's is the longest that a transaction takes.
    fn default() -> Self {
        Self {
            connections: 16_384,
            connections_per_source: 1_024,
            connections_per_account: 32,
            outgoing_messages: 64,
            connect: Duration::from_secs(10),
            message: Duration::from_secs(32),
            idle: Duration::from_secs(3_600),
            stranger: Duration::from_secs(64),
        }
    }
}

/// Where and how to listen.
pub struct Config {
    /// Addresses for datagrams; port 0 takes any.
    pub udp: Vec<SocketAddr>,
    /// Addresses for TCP.
    pub tcp: Vec<SocketAddr>,
    /// Addresses for TLS; they need `server`.
    pub tls: Vec<SocketAddr>,
    /// Our certificate.
    pub server: Option<Arc<rustls::ServerConfig>>,
    /// Whom we believe when we connect.
    pub trust: tls::Trust,
    /// What a peer can make us hold.
    pub limits: Limits,
    /// Differentiated services code point of what we send (RFC 2474), 0 to 63.
    pub dscp: u8,
    /// Stamps what the tap sees.
    pub clock: Clock,
}

impl Config {
    /// Nothing bound, usual limits, DSCP 26 (AF31) as phones mark signalling.
    pub fn new(clock: Clock) -> Self {
        Self {
            udp: Vec::new(),
            tcp: Vec::new(),
            tls: Vec::new(),
            server: None,
            trust: tls::Trust::default(),
            limits: Limits::default(),
            dscp: 26,
            clock,
        }
    }
}

/// What the network has to say.
#[derive(Debug)]
pub enum NetEvent {
    /// A whole message came.
    Message {
        /// Between whom; over TCP and TLS `local` is our listening address.
        flow: Flow,
        /// The message, byte for byte.
        bytes: Bytes,
        /// When it was taken from its socket, and whole.
        came: Time,
    },
    /// What was to go over this flow did not; a connection is gone with it.
    Failed(FlowError),
    /// A datagram to this flow was not delivered, as the network says by ICMP.
    Undelivered(FlowError),
    /// The connection of this flow ended without an error of its own.
    Closed(Flow),
    /// A datagram came to a socket that the role has opened.
    Datagram {
        /// The socket.
        socket: SocketId,
        /// Who sent it.
        from: SocketAddr,
        /// What it holds.
        bytes: Bytes,
    },
    /// A socket that the role has opened stands, or cannot be used.
    Socket {
        /// The socket.
        socket: SocketId,
        /// What happened to it.
        event: SocketEvent,
    },
    /// A connection to us was not taken up; nothing is held for it.
    Refused(Refusal),
    /// Everything is bound to this address now, at the ports of before; connections were closed.
    Moved(IpAddr),
    /// It could not be bound to another address, and why; everything is as before.
    NotMoved(io::Error),
}

/// A connection that was not taken up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Who, and to which of our listeners.
    pub flow: Flow,
    /// Why, in a sentence.
    pub text: String,
}

/// All SIP sockets of one role.
///
/// Needs a tokio runtime with I/O and time. Dropping it closes everything.
pub struct Net {
    udp: UdpPorts,
    streams: Streams,
    sockets: Sockets,
    pending: VecDeque<NetEvent>,
    wire: Wire,
    streams_first: bool,
    dscp: u8,
    addresses: Option<mpsc::Receiver<IpAddr>>,
}

impl Net {
    /// Binds all addresses of `config`.
    ///
    /// # Errors
    /// A port in use, an address that this machine lacks, a missing right, a CA file that cannot be
    /// read: the text names address or file, and the remedy.
    pub fn bind(config: Config) -> io::Result<Self> {
        let udp = UdpPorts::bind(&config.udp, config.dscp)?;
        let streams = Streams::bind(&config)?;
        let wire = Wire { clock: config.clock, tap: None };
        Ok(Self {
            udp,
            streams,
            sockets: Sockets::new(),
            pending: VecDeque::new(),
            wire,
            streams_first: false,
            dscp: config.dscp,
            addresses: None,
        })
    }

    /// Has every message from now on seen by `tap`.
    pub fn set_tap(&mut self, tap: Tap) {
        self.wire.tap = Some(tap);
    }

    /// Moves to each address that comes, as a machine does that changes its network;
    /// [`NetEvent::Moved`] tells.
    pub fn follow(&mut self, addresses: mpsc::Receiver<IpAddr>) {
        self.addresses = Some(addresses);
    }

    /// What is bound, with the true ports: datagrams, then TCP, then TLS, each as configured.
    pub fn bound(&self) -> impl Iterator<Item = (Transport, SocketAddr)> + '_ {
        self.udp.bound().map(|local| (Transport::Udp, local)).chain(self.streams.bound())
    }

    /// The first bound address of a transport.
    pub fn local(&self, transport: Transport) -> Option<SocketAddr> {
        self.bound().find(|(bound, _)| *bound == transport).map(|(_, local)| local)
    }

    /// How many connections are open or being opened.
    pub fn connections(&self) -> usize {
        self.streams.len()
    }

    /// The next event. Safe to cancel: nothing is taken until it is returned.
    pub async fn next(&mut self) -> NetEvent {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The next event that is there without waiting, so that a driver can make one turn of several
    /// messages; `None` says to go back to [`Net::next`].
    pub fn try_next(&mut self) -> Option<NetEvent> {
        if let Some(event) = self.pending.pop_front() {
            return Some(event);
        }
        // By turns, so that whoever floods one of them does not starve the other.
        self.streams_first = !self.streams_first;
        if self.streams_first {
            self.streams.try_next(&mut self.wire).or_else(|| self.udp.receive_ready(&mut self.wire))
        } else {
            self.udp.receive_ready(&mut self.wire).or_else(|| self.streams.try_next(&mut self.wire))
        }
    }

    /// Sends one message, opening a connection where the flow needs one and has none.
    ///
    /// Never waits. What fails is told by [`NetEvent::Failed`]; a datagram that the kernel cannot take
    /// waits in a short queue, as it would in the network.
    pub fn send(&mut self, transmit: Transmit) {
        let sent = match transmit.flow.transport {
            Transport::Udp => self.udp.send(&transmit, &mut self.wire),
            Transport::Tcp | Transport::Tls => self.streams.send(transmit, &mut self.wire),
        };
        if let Err(error) = sent
            && self.pending.len() < FAILURES_KEPT
        {
            self.pending.push_back(NetEvent::Failed(error));
        }
    }

    /// Opens or closes a socket of the role's own; [`NetEvent::Socket`] tells how it went.
    pub fn socket(&mut self, id: SocketId, request: SocketRequest) {
        self.sockets.obey(id, request);
    }

    /// Sends a datagram from a socket of the role's own; nothing where that is not open.
    pub fn send_datagram(&mut self, id: SocketId, to: SocketAddr, bytes: &Bytes) {
        self.sockets.send(id, to, bytes, &mut self.wire);
    }

    /// Closes all sockets that the role has opened, as when it starts again.
    pub fn close_sockets(&mut self) {
        self.sockets.close_all();
    }

    /// The connection of a flow may stand idle for long, as one of this account; see [`Limits::stranger`] and
    /// [`Limits::connections_per_account`].
    pub fn vouch(&mut self, flow: &Flow, account: u32) {
        self.streams.vouch(flow, account);
    }

    /// Closes the connection of a flow after what was sent; [`NetEvent::Closed`] follows.
    pub fn close(&mut self, flow: &Flow) {
        self.streams.close(flow);
    }

    /// Closes all connections after what was sent, at most `wait` long.
    pub async fn finish(mut self, wait: Duration) {
        self.streams.finish(wait).await;
    }

    /// Binds everything to another address at the same ports; closes what was open.
    fn move_to(&mut self, ip: IpAddr) -> io::Result<()> {
        let locals: Vec<_> = self.udp.bound().map(|local| SocketAddr::new(ip, local.port())).collect();
        let udp = UdpPorts::bind(&locals, self.dscp)?;
        let closed = self.streams.move_to(ip)?;
        self.udp = udp;
        self.pending.extend(closed.into_iter().map(NetEvent::Closed));
        Ok(())
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<NetEvent> {
        if let Some(event) = self.pending.pop_front() {
            return Poll::Ready(event);
        }
        if let Some(addresses) = &mut self.addresses
            && let Poll::Ready(Some(ip)) = addresses.poll_recv(context)
        {
            return Poll::Ready(match self.move_to(ip) {
                Ok(()) => NetEvent::Moved(ip),
                Err(error) => NetEvent::NotMoved(error),
            });
        }
        if let Poll::Ready(event) = self.sockets.poll_next(context, &mut self.wire) {
            return Poll::Ready(event);
        }
        self.streams_first = !self.streams_first;
        if self.streams_first {
            match self.streams.poll_next(context, &mut self.wire) {
                Poll::Ready(event) => Poll::Ready(event),
                Poll::Pending => self.udp.poll_receive(context, &mut self.wire),
            }
        } else {
            match self.udp.poll_receive(context, &mut self.wire) {
                Poll::Ready(event) => Poll::Ready(event),
                Poll::Pending => self.streams.poll_next(context, &mut self.wire),
            }
        }
    }
}

/// The clock and the tap, handed to whoever moves bytes.
struct Wire {
    clock: Clock,
    tap: Option<Tap>,
}

impl Wire {
    fn is_tapped(&self) -> bool {
        self.tap.is_some()
    }

    fn saw(&mut self, from: SocketAddr, to: SocketAddr, transport: Transport, bytes: &[u8]) {
        if let Some(tap) = &mut self.tap {
            tap(self.clock.now(), from, to, transport, bytes);
        }
    }
}
