//! Sockets that a role opens for itself, for datagrams that are not SIP of its own flows.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use bytes::Bytes;
use roles::role::{SocketEvent, SocketId, SocketPlan, SocketRequest};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use super::{NetEvent, Wire};
use proto::sip::Transport;

/// Sockets of one role at a time; a phone has one for each conversation.
const MOST_SOCKETS: usize = 256;
/// Events of sockets that wait for the role.
const MOST_EVENTS: usize = 4_096;
/// The largest datagram of UDP.
const DATAGRAM_BYTES: usize = 65_535;

/// All sockets that the role has open.
pub(super) struct Sockets {
    open: BTreeMap<SocketId, Own>,
    events: VecDeque<NetEvent>,
    buffer: Box<[u8]>,
    /// The socket that is asked first next time, so that none is starved.
    turn: SocketId,
}

struct Own {
    socket: UdpSocket,
    local: SocketAddr,
    /// Where it sent to last: the kernel says that nobody listens, but not where.
    last_to: Option<SocketAddr>,
}

impl Sockets {
    pub(super) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            events: VecDeque::new(),
            buffer: vec![0; DATAGRAM_BYTES].into(),
            turn: SocketId(0),
        }
    }

    pub(super) fn obey(&mut self, id: SocketId, request: SocketRequest) {
        match request {
            SocketRequest::Close => {
                self.open.remove(&id);
                self.events.retain(|event| !is_of(event, id));
            }
            SocketRequest::Open(plan) => {
                let event = match self.bind(id, &plan) {
                    Ok(local) => SocketEvent::Opened(local),
                    Err(why) => SocketEvent::Failed(why),
                };
                self.tell(NetEvent::Socket { socket: id, event });
            }
        }
    }

    pub(super) fn close_all(&mut self) {
        self.open.clear();
        self.events.clear();
    }

    /// Sends at once or not at all: what a full socket cannot take is lost, as on a full wire.
    pub(super) fn send(&mut self, id: SocketId, to: SocketAddr, bytes: &Bytes, wire: &mut Wire) {
        let Some(own) = self.open.get_mut(&id) else { return };
        own.last_to = Some(to);
        match SockRef::from(&own.socket).send_to(bytes, &to.into()) {
            Ok(_) => wire.saw(own.local, to, Transport::Udp, bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.tell(NetEvent::Socket { socket: id, event: SocketEvent::Unreachable(to) }),
        }
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>, wire: &mut Wire) -> Poll<NetEvent> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        let later = self.open.range(self.turn..).map(|(id, _)| *id);
        let order: Vec<SocketId> = later.chain(self.open.range(..self.turn).map(|(id, _)| *id)).collect();
        for id in order {
            let Some(own) = self.open.get_mut(&id) else { continue };
            if let Poll::Ready(event) = own.poll_receive(id, context, &mut self.buffer, wire) {
                self.turn = SocketId(id.0.wrapping_add(1));
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    fn bind(&mut self, id: SocketId, plan: &SocketPlan) -> Result<SocketAddr, String> {
        if self.open.len() >= MOST_SOCKETS {
            return Err(format!("{MOST_SOCKETS} sockets are open already"));
        }
        let (socket, local) = open_datagrams(plan)?;
        self.open.insert(id, Own { socket, local, last_to: None });
        Ok(local)
    }

    fn tell(&mut self, event: NetEvent) {
        if self.events.len() < MOST_EVENTS {
            self.events.push_back(event);
        }
    }
}

impl Own {
    fn poll_receive(
        &mut self,
        id: SocketId,
        context: &mut Context<'_>,
        buffer: &mut [u8],
        wire: &mut Wire,
    ) -> Poll<NetEvent> {
        loop {
            std::task::ready!(self.socket.poll_recv_ready(context)).ok();
            match self.socket.try_recv_from(buffer) {
                Ok((length, from)) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    wire.saw(from, self.local, Transport::Udp, bytes);
                    let bytes = Bytes::copy_from_slice(bytes);
                    return Poll::Ready(NetEvent::Datagram { socket: id, from, bytes });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    if let Some(to) = self.last_to.take() {
                        let event = SocketEvent::Unreachable(to);
                        return Poll::Ready(NetEvent::Socket { socket: id, event });
                    }
                }
            }
        }
    }
}

fn is_of(event: &NetEvent, id: SocketId) -> bool {
    matches!(event, NetEvent::Datagram { socket, .. } | NetEvent::Socket { socket, .. } if *socket == id)
}

/// A socket for datagrams, and its address; to be called inside the runtime.
///
/// # Errors
/// It cannot be opened, in words that name the remedy.
pub(crate) fn open_datagrams(plan: &SocketPlan) -> Result<(UdpSocket, SocketAddr), String> {
    let open = || {
        let socket = UdpSocket::from_std(bind(plan)?)?;
        let local = socket.local_addr()?;
        Ok((socket, local))
    };
    open().map_err(|error| explain(plan, &error))
}

fn bind(plan: &SocketPlan) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(plan.local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if plan.local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if plan.shares_port {
        socket.set_reuse_address(true)?;
    }
    socket.set_broadcast(plan.broadcasts)?;
    socket.bind(&plan.local.into())?;
    if let IpAddr::V4(own) = plan.local.ip()
        && !own.is_unspecified()
        && !own.is_multicast()
    {
        socket.set_multicast_if_v4(&own)?;
    }
    for group in &plan.groups {
        match group {
            (IpAddr::V4(group), IpAddr::V4(interface)) => socket.join_multicast_v4(group, interface)?,
            (IpAddr::V6(group), _) => socket.join_multicast_v6(group, 0)?,
            (IpAddr::V4(_), IpAddr::V6(_)) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(socket.into())
}

fn explain(plan: &SocketPlan, error: &io::Error) -> String {
    let local = plan.local;
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another program uses port {} at {}; end it (`ss -lunp sport = :{}` names it)",
            local.port(),
            local.ip(),
            local.port()
        ),
        io::ErrorKind::AddrNotAvailable => format!("{} is no address of this machine", local.ip()),
        io::ErrorKind::PermissionDenied => {
            format!("port {} needs the administrator; take one from 1024 on", local.port())
        }
        _ => format!("no socket at {local}: {error}"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::future::poll_fn;

    const GROUP: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(224, 0, 1, 75)), 0);

    fn wire() -> Wire {
        Wire { clock: Clock::start(), tap: None }
    }

    async fn opened(sockets: &mut Sockets, id: u32, plan: SocketPlan) -> SocketAddr {
        sockets.obey(SocketId(id), SocketRequest::Open(plan));
        match poll_fn(|context| sockets.poll_next(context, &mut wire())).await {
            NetEvent::Socket { event: SocketEvent::Opened(local), .. } => local,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_group_is_reached_on_the_loopback_without_any_right() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let mut sockets = Sockets::new();
        let plan = |port| SocketPlan {
            shares_port: true,
            groups: vec![(GROUP.ip(), loopback)],
            ..SocketPlan::at(([0, 0, 0, 0], port).into())
        };
        let server = opened(&mut sockets, 1, plan(0)).await;
        // Another program at the same port hears it as well.
        opened(&mut sockets, 2, plan(server.port())).await;
        let phone = opened(&mut sockets, 3, SocketPlan::ephemeral([127, 0, 0, 77].into())).await;
        let to = SocketAddr::new(GROUP.ip(), server.port());
        sockets.send(SocketId(3), to, &Bytes::from_static(b"SUBSCRIBE"), &mut wire());
        let mut heard = Vec::new();
        while heard.len() < 2 {
            match poll_fn(|context| sockets.poll_next(context, &mut wire())).await {
                NetEvent::Datagram { socket, from, bytes } => {
                    assert_eq!((from, &bytes[..]), (phone, &b"SUBSCRIBE"[..]));
                    heard.push(socket.0);
                }
                other => panic!("{other:?}"),
            }
        }
        heard.sort_unstable();
        assert_eq!(heard, [1, 2]);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_told_and_sockets_are_bounded() {
        let mut sockets = Sockets::new();
        let taken = opened(&mut sockets, 0, SocketPlan::ephemeral([127, 0, 0, 1].into())).await;
        sockets.obey(SocketId(1), SocketRequest::Open(SocketPlan::at(taken)));
        let event = poll_fn(|context| sockets.poll_next(context, &mut wire())).await;
        let NetEvent::Socket { event: SocketEvent::Failed(text), .. } = event else { panic!("{event:?}") };
        assert!(text.contains("another program uses port"), "{text}");
        for id in 2..=MOST_SOCKETS as u32 {
            sockets.obey(SocketId(id), SocketRequest::Open(SocketPlan::ephemeral([127, 0, 0, 1].into())));
        }
        let limit = MOST_SOCKETS as u32 + 1;
        sockets.obey(SocketId(limit), SocketRequest::Open(SocketPlan::ephemeral([127, 0, 0, 1].into())));
        let last = sockets.events.pop_back();
        let Some(NetEvent::Socket { event: SocketEvent::Failed(text), .. }) = last else {
            panic!("{last:?}")
        };
        assert!(text.contains("sockets are open already"), "{text}");
        sockets.obey(SocketId(limit - 1), SocketRequest::Close);
        assert!(!sockets.events.iter().any(|event| is_of(event, SocketId(limit - 1))));
    }
}
