//! Datagrams: wait until one is there, then take what there is.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use proto::Time;
use proto::sip::{Flow, Transmit, Transport};
use rustix::net::RecvFlags;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::undelivered::{self, Undelivered};
use super::{FlowError, FlowErrorKind, NetEvent, Wire, listen};

/// The largest datagram of UDP.
const DATAGRAM_BYTES: usize = 65_535;
/// Datagrams that wait for the kernel; when they are as many the newest is lost, as on a full wire.
const WAITING: usize = 4_096;
/// Datagrams that were not delivered and are told; of more the oldest are not, their transactions will notice.
const UNDELIVERED: usize = 256;
/// How often a datagram is offered to a kernel that tells of earlier ones instead.
const SEND_ATTEMPTS: usize = 16;
/// Keep-alives and errors that one socket may yield before the others have their turn.
const ATTEMPTS: usize = 64;
/// Datagrams that are taken from the kernel ahead of their turn, and their bytes: some seconds of what a
/// core can do. What comes then waits in the kernel, and is lost where that has no room either.
const AHEAD: usize = 32_768;
const AHEAD_BYTES: usize = 32 << 20;
/// The memory that datagrams share.
const PIECE_BYTES: usize = 16 << 10;
/// After so many datagrams the kernel is asked for more, before its own small buffer is full.
const ASK_AFTER: usize = 32;

/// All datagram sockets.
pub(super) struct UdpPorts {
    ports: Vec<Port>,
    by_local: HashMap<SocketAddr, usize>,
    /// Where the next search for a ready socket begins, so that none is starved.
    turn: usize,
    room: Room,
    ahead: Ahead,
    undelivered: VecDeque<NetEvent>,
}

/// Where datagrams are read. Many share one piece of memory, which is used anew once they are gone: as they
/// go in the order in which they came, a piece for each would cost more than its reading.
struct Room {
    buffer: Box<[u8]>,
    piece: BytesMut,
}

/// Datagrams whose turn has not come. The kernel holds some hundred where nobody has raised
/// `net.core.rmem_max`, and loses the rest without a word: answers to calls that stand as well as new
/// ones. Here they wait in order, and it is known how long.
#[derive(Default)]
struct Ahead {
    datagrams: VecDeque<Datagram>,
    bytes: usize,
    /// Taken since the kernel was asked last.
    taken: usize,
}

struct Datagram {
    flow: Flow,
    bytes: Bytes,
    came: Time,
}

struct Port {
    socket: Arc<UdpSocket>,
    /// Ends when the error queue may hold something.
    trouble: Trouble,
    local: SocketAddr,
    /// The kernel may have more: no need to ask the runtime.
    may_have_more: bool,
    waiting: VecDeque<(SocketAddr, Bytes)>,
}

type Trouble = Pin<Box<dyn Future<Output = ()> + Send>>;

impl UdpPorts {
    pub(super) fn bind(locals: &[SocketAddr], dscp: u8) -> io::Result<Self> {
        let ports = locals.iter().map(|local| Port::bind(*local, dscp)).collect::<io::Result<Vec<_>>>()?;
        let by_local = ports.iter().enumerate().map(|(index, port)| (port.local, index)).collect();
        Ok(Self {
            ports,
            by_local,
            turn: 0,
            room: Room::new(),
            ahead: Ahead::default(),
            undelivered: VecDeque::new(),
        })
    }

    pub(super) fn bound(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.ports.iter().map(|port| port.local)
    }

    pub(super) fn send(&mut self, transmit: &Transmit, wire: &mut Wire) -> Result<(), FlowError> {
        let flow = transmit.flow;
        let Some(index) = self.port_of(flow.local) else {
            let text = format!("no datagram socket is bound to {}", flow.local);
            return Err(FlowError::new(flow, FlowErrorKind::NoSocket, text));
        };
        let port = &mut self.ports[index];
        port.send(flow.remote, &transmit.bytes, &mut self.undelivered)
            .map_err(|error| FlowError::from_io(flow, &error))?;
        wire.saw(port.local, flow.remote, Transport::Udp, &transmit.bytes);
        Ok(())
    }

    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>, wire: &mut Wire) -> Poll<NetEvent> {
        if let Some(event) = self.receive_ready(wire) {
            return Poll::Ready(event);
        }
        if let Some(event) = self.undelivered.pop_front() {
            return Poll::Ready(event);
        }
        for step in 0..self.ports.len() {
            let index = (self.turn + step) % self.ports.len();
            let port = &mut self.ports[index];
            port.poll_flush(context);
            port.poll_trouble(context, &mut self.undelivered);
            if let Some(event) = self.undelivered.pop_front() {
                return Poll::Ready(event);
            }
            // Asking again after the socket ran dry registers the waker; it may also have filled.
            for _ in 0..ATTEMPTS {
                if !port.may_have_more && !port.poll_readable(context) {
                    break;
                }
                if let Some((flow, bytes)) = port.receive(&mut self.room, wire, UdpSocket::try_recv_from) {
                    self.turn = index + 1;
                    return Poll::Ready(NetEvent::Message { flow, bytes, came: wire.clock.now() });
                }
            }
            if port.may_have_more {
                context.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    /// What was taken ahead, and what sockets have that were ready a moment ago, without asking the runtime.
    pub(super) fn receive_ready(&mut self, wire: &mut Wire) -> Option<NetEvent> {
        if self.ahead.is_to_ask() {
            self.take_ahead(wire);
        }
        self.ahead.pop()
    }

    fn take_ahead(&mut self, wire: &mut Wire) {
        self.ahead.taken = 0;
        let came = wire.clock.now();
        // The runtime learns what the kernel has only while its tasks wait, which they do not where datagrams
        // wait here.
        let behind = !self.ahead.datagrams.is_empty();
        for port in &mut self.ports {
            while (behind || port.may_have_more) && self.ahead.has_room() {
                let ask = if behind { recv_from } else { UdpSocket::try_recv_from };
                let Some((flow, bytes)) = port.receive(&mut self.room, wire, ask) else { break };
                self.ahead.push(Datagram { flow, bytes, came });
            }
        }
    }

    /// The socket of an address, or the one that listens on all addresses at its port.
    fn port_of(&self, local: SocketAddr) -> Option<usize> {
        self.by_local.get(&local).copied().or_else(|| {
            let covers = |port: &Port| {
                let bound = port.local;
                bound.ip().is_unspecified()
                    && bound.port() == local.port()
                    && bound.is_ipv4() == local.is_ipv4()
            };
            self.ports.iter().position(covers)
        })
    }
}

impl Room {
    fn new() -> Self {
        Self { buffer: vec![0; DATAGRAM_BYTES].into(), piece: BytesMut::new() }
    }

    /// What was read, for as long as it is needed.
    fn keep(&mut self, length: usize) -> Bytes {
        if self.piece.capacity() < length {
            self.piece.reserve(length.max(PIECE_BYTES));
        }
        self.piece.extend_from_slice(self.buffer.get(..length).unwrap_or_default());
        self.piece.split().freeze()
    }
}

impl Ahead {
    fn is_to_ask(&self) -> bool {
        self.datagrams.is_empty() || self.taken >= ASK_AFTER
    }

    fn has_room(&self) -> bool {
        self.datagrams.len() < AHEAD && self.bytes < AHEAD_BYTES
    }

    fn push(&mut self, datagram: Datagram) {
        self.bytes += datagram.bytes.len();
        self.datagrams.push_back(datagram);
    }

    fn pop(&mut self) -> Option<NetEvent> {
        let Datagram { flow, bytes, came } = self.datagrams.pop_front()?;
        self.bytes -= bytes.len();
        self.taken += 1;
        Some(NetEvent::Message { flow, bytes, came })
    }
}

impl Port {
    fn bind(local: SocketAddr, dscp: u8) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::from_std(listen::bind_udp(local, dscp)?)?);
        let local = socket.local_addr()?;
        let trouble = trouble(Arc::clone(&socket));
        Ok(Self { socket, trouble, local, may_have_more: false, waiting: VecDeque::new() })
    }

    /// Straight to the kernel: the runtime's readiness is asked only after it once said no.
    fn send(
        &mut self,
        remote: SocketAddr,
        bytes: &Bytes,
        undelivered: &mut VecDeque<NetEvent>,
    ) -> io::Result<()> {
        if self.waiting.is_empty() {
            for attempt in 0..SEND_ATTEMPTS {
                match self.send_now(remote, bytes) {
                    // The kernel tells of an earlier datagram in place of sending this one.
                    Err(error)
                        if undelivered::is_of_an_earlier_one(&error)
                            && (self.take_undelivered(undelivered) || attempt == 0) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    sent => return sent,
                }
            }
        }
        if self.waiting.len() < WAITING {
            self.waiting.push_back((remote, bytes.clone()));
        }
        Ok(())
    }

    fn send_now(&self, remote: SocketAddr, bytes: &Bytes) -> io::Result<()> {
        SockRef::from(&*self.socket).send_to(bytes, &remote.into()).map(drop)
    }

    fn poll_trouble(&mut self, context: &mut Context<'_>, undelivered: &mut VecDeque<NetEvent>) {
        while self.trouble.as_mut().poll(context).is_ready() {
            // The runtime forgets that there was trouble before the queue is read: what comes later is told anew.
            let _ = self.socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            self.take_undelivered(undelivered);
            self.trouble = trouble(Arc::clone(&self.socket));
        }
    }

    /// Empties the error queue. Returns whether it held anything.
    fn take_undelivered(&self, undelivered: &mut VecDeque<NetEvent>) -> bool {
        for taken in 0..UNDELIVERED {
            let Ok(Undelivered { to, error }) = undelivered::next(&*self.socket) else { return taken > 0 };
            let flow = Flow { transport: Transport::Udp, local: self.local, remote: to };
            if undelivered.len() >= UNDELIVERED {
                undelivered.pop_front();
            }
            undelivered.push_back(NetEvent::Undelivered(FlowError::from_io(flow, &error)));
        }
        true
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) {
        while let Some((remote, bytes)) = self.waiting.front() {
            match self.socket.poll_send_to(context, bytes, *remote) {
                Poll::Pending => return,
                // What fails this late is lost as it would be on the way; its transaction sends again.
                Poll::Ready(_) => self.waiting.pop_front(),
            };
        }
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> bool {
        self.may_have_more = matches!(self.socket.poll_recv_ready(context), Poll::Ready(Ok(())));
        self.may_have_more
    }

    /// The next datagram that is not a keep-alive; none when the socket has run dry.
    fn receive(&mut self, room: &mut Room, wire: &mut Wire, ask: Ask) -> Option<(Flow, Bytes)> {
        for _ in 0..ATTEMPTS {
            match ask(&self.socket, &mut room.buffer) {
                Ok((length, remote)) => {
                    let bytes = room.buffer.get(..length).unwrap_or_default();
                    if is_keep_alive(bytes) {
                        continue;
                    }
                    wire.saw(remote, self.local, Transport::Udp, bytes);
                    let flow = Flow { transport: Transport::Udp, local: self.local, remote };
                    return Some((flow, room.keep(length)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.may_have_more = false;
                    return None;
                }
                // An earlier datagram of ours was not delivered: the error queue tells which.
                Err(_) => {}
            }
        }
        None
    }
}

fn trouble(socket: Arc<UdpSocket>) -> Trouble {
    Box::pin(async move {
        // Fails only where the runtime ends.
        let _ = socket.ready(Interest::ERROR).await;
    })
}

/// How a socket is asked for its next datagram.
type Ask = fn(&UdpSocket, &mut [u8]) -> io::Result<(usize, SocketAddr)>;

/// Asks the kernel, whatever the runtime knows of the socket.
fn recv_from(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let (length, _, from) = rustix::net::recvfrom(socket, buffer, RecvFlags::DONTWAIT)?;
    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
    Ok((length, from.ok_or(io::ErrorKind::AddrNotAvailable)?))
}

/// Phones keep their way through a NAT open with datagrams of nothing, line ends or zeros.
fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.len() <= 4 && bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(at_s: u64, bytes: &'static [u8]) -> Datagram {
        let at = SocketAddr::from(([127, 0, 0, 1], 5060));
        let flow = Flow { transport: Transport::Udp, local: at, remote: at };
        Datagram { flow, bytes: Bytes::from_static(bytes), came: Time::from_secs(at_s) }
    }

    #[test]
    fn what_is_taken_ahead_keeps_its_order_and_tells_when_it_came() {
        let mut ahead = Ahead::default();
        (0..40).for_each(|at_s| ahead.push(datagram(at_s, b"x")));
        let mut came = Vec::new();
        while let Some(NetEvent::Message { came: at, .. }) = ahead.pop() {
            assert_eq!(ahead.is_to_ask(), came.len() + 1 >= ASK_AFTER, "the kernel is asked in good time");
            came.push(at.as_secs());
        }
        assert!(came.into_iter().eq(0..40));
        assert_eq!(ahead.bytes, 0);
    }

    #[test]
    fn datagrams_that_share_memory_stay_apart() {
        let mut room = Room::new();
        let lengths = [700, 0, 1, PIECE_BYTES, 3, DATAGRAM_BYTES, 16_000];
        let kept: Vec<Bytes> = (0..200_u8)
            .map(|byte| {
                room.buffer.fill(byte);
                room.keep(lengths[usize::from(byte) % lengths.len()])
            })
            .collect();
        for (byte, kept) in (0..200_u8).zip(&kept) {
            assert_eq!(kept.len(), lengths[usize::from(byte) % lengths.len()]);
            assert!(kept.iter().all(|it| *it == byte), "datagram {byte}");
        }
    }

    #[test]
    fn what_is_taken_ahead_is_bounded() {
        static LARGE: [u8; 1 << 20] = [b'x'; 1 << 20];
        let filled = |bytes| {
            let mut ahead = Ahead::default();
            while ahead.has_room() {
                ahead.push(datagram(0, bytes));
            }
            ahead.datagrams.len()
        };
        assert_eq!((filled(b"x"), filled(&LARGE)), (AHEAD, AHEAD_BYTES >> 20));
    }

    #[tokio::test]
    async fn whoever_is_behind_asks_the_kernel_all_the_same() {
        let mut ports = UdpPorts::bind(&[([127, 0, 0, 1], 0).into()], 0).expect("bound");
        let at = ports.bound().next().expect("a port");
        let phone = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
        let send = |count| (0..count).for_each(|_| assert_eq!(phone.send_to(b"x", at).expect("sent"), 1));
        let mut wire = Wire { clock: crate::clock::Clock::start(), tap: None };
        send(2 * ASK_AFTER + 1);
        std::future::poll_fn(|context| ports.poll_receive(context, &mut wire)).await;
        // From here on the runtime has no turn: it does not learn of what comes.
        let mut taken = 1;
        while ports.receive_ready(&mut wire).is_some() {
            taken += 1;
            if taken == 2 {
                send(100);
            }
        }
        assert_eq!(taken, 2 * ASK_AFTER + 1 + 100);
    }
}
