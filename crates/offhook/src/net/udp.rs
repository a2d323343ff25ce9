//! Datagrams: wait until one is there, then take what there is.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;
use proto::sip::{Flow, Transmit, Transport};
use socket2::SockRef;
use tokio::net::UdpSocket;

use super::{FlowError, FlowErrorKind, NetEvent, Wire, listen};

/// The largest datagram of UDP.
const DATAGRAM_BYTES: usize = 65_535;
/// Datagrams that wait for the kernel; when they are as many the newest is lost, as on a full wire.
const WAITING: usize = 4_096;
/// Keep-alives and errors that one socket may yield before the others have their turn.
const ATTEMPTS: usize = 64;

/// All datagram sockets.
pub(super) struct UdpPorts {
    ports: Vec<Port>,
    by_local: HashMap<SocketAddr, usize>,
    /// Where the next search for a ready socket begins, so that none is starved.
    turn: usize,
    buffer: Box<[u8]>,
}

struct Port {
    socket: UdpSocket,
    local: SocketAddr,
    /// The kernel may have more: no need to ask the runtime.
    may_have_more: bool,
    waiting: VecDeque<(SocketAddr, Bytes)>,
}

impl UdpPorts {
    pub(super) fn bind(locals: &[SocketAddr], dscp: u8) -> io::Result<Self> {
        let ports = locals.iter().map(|local| Port::bind(*local, dscp)).collect::<io::Result<Vec<_>>>()?;
        let by_local = ports.iter().enumerate().map(|(index, port)| (port.local, index)).collect();
        Ok(Self { ports, by_local, turn: 0, buffer: vec![0; DATAGRAM_BYTES].into() })
    }

    pub(super) fn bound(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.ports.iter().map(|port| port.local)
    }

    pub(super) fn send(&mut self, transmit: &Transmit, wire: &mut Wire) -> Result<(), FlowError> {
        let flow = transmit.flow;
        let Some(port) = self.port_of(flow.local) else {
            let text = format!("no datagram socket is bound to {}", flow.local);
            return Err(FlowError::new(flow, FlowErrorKind::NoSocket, text));
        };
        port.send(flow.remote, &transmit.bytes).map_err(|error| FlowError::from_io(flow, &error))?;
        wire.saw(port.local, flow.remote, Transport::Udp, &transmit.bytes);
        Ok(())
    }

    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>, wire: &mut Wire) -> Poll<NetEvent> {
        for step in 0..self.ports.len() {
            let index = (self.turn + step) % self.ports.len();
            let port = &mut self.ports[index];
            port.poll_flush(context);
            // Asking again after the socket ran dry registers the waker; it may also have filled.
            for _ in 0..ATTEMPTS {
                if !port.may_have_more && !port.poll_readable(context) {
                    break;
                }
                if let Some(event) = port.receive(&mut self.buffer, wire) {
                    self.turn = index + 1;
                    return Poll::Ready(event);
                }
            }
            if port.may_have_more {
                context.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }

    /// From sockets that were ready a moment ago, without asking the runtime.
    pub(super) fn receive_ready(&mut self, wire: &mut Wire) -> Option<NetEvent> {
        self.ports
            .iter_mut()
            .filter(|port| port.may_have_more)
            .find_map(|port| port.receive(&mut self.buffer, wire))
    }

    /// The socket of an address, or the one that listens on all addresses at its port.
    fn port_of(&mut self, local: SocketAddr) -> Option<&mut Port> {
        let index = self.by_local.get(&local).copied().or_else(|| {
            let covers = |port: &Port| {
                let bound = port.local;
                bound.ip().is_unspecified()
                    && bound.port() == local.port()
                    && bound.is_ipv4() == local.is_ipv4()
            };
            self.ports.iter().position(covers)
        })?;
        self.ports.get_mut(index)
    }
}

impl Port {
    fn bind(local: SocketAddr, dscp: u8) -> io::Result<Self> {
        let socket = UdpSocket::from_std(listen::bind_udp(local, dscp)?)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, may_have_more: false, waiting: VecDeque::new() })
    }

    /// Straight to the kernel: the runtime's readiness is asked only after it once said no.
    fn send(&mut self, remote: SocketAddr, bytes: &Bytes) -> io::Result<()> {
        if self.waiting.is_empty() {
            match SockRef::from(&self.socket).send_to(bytes, &remote.into()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
        if self.waiting.len() < WAITING {
            self.waiting.push_back((remote, bytes.clone()));
        }
        Ok(())
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
    fn receive(&mut self, buffer: &mut [u8], wire: &mut Wire) -> Option<NetEvent> {
        for _ in 0..ATTEMPTS {
            match self.socket.try_recv_from(buffer) {
                Ok((length, remote)) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    if is_keep_alive(bytes) {
                        continue;
                    }
                    wire.saw(remote, self.local, Transport::Udp, bytes);
                    let flow = Flow { transport: Transport::Udp, local: self.local, remote };
                    return Some(NetEvent::Message { flow, bytes: Bytes::copy_from_slice(bytes) });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.may_have_more = false;
                    return None;
                }
                // An earlier datagram of ours met a closed port: its own transaction will notice.
                Err(_) => {}
            }
        }
        None
    }
}

/// Phones keep their way through a NAT open with datagrams of nothing, line ends or zeros.
fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.len() <= 4 && bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
