//! A scripted machine of a case on real sockets: it gets and sends what the simulated wire would carry for it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use proto::Time;
use proto::sip::flow::{Flow, Transport};
use roles::lab::{Actor, Does, Happens, Machine as Part, Port, Subnet};
use roles::role::SocketPlan;
use serde_json::Value;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinSet, spawn_local};

use super::machine::Room;
use crate::clock;
use crate::net::{bind_stream, open_datagrams};

/// What waits for the machine; senders wait while it is full.
const WAITING: usize = 256;
/// A message on a stream that is longer ends its connection.
const MOST_MESSAGE_BYTES: usize = 1 << 20;
/// A reader that takes nothing for so long loses its connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// What comes here is seen where a phone or an exchange sends it.
const SIP_PORT: u16 = Transport::Udp.default_port();

/// A scripted machine, whether it is on or off. Each time it is switched on it is made anew.
pub(super) struct ActorBox {
    actor: Actor,
    ip: IpAddr,
    /// The MAC addresses of the case's phones, as PnP writes them.
    phones: Vec<String>,
}

impl ActorBox {
    /// A machine that is switched off, of a case with these phones.
    pub(super) fn new(actor: Actor, subnet: Subnet, phones: Vec<String>) -> Self {
        Self { actor, ip: subnet.ip(actor.ip), phones }
    }

    pub(super) fn name(&self) -> &'static str {
        self.actor.name
    }

    pub(super) fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Tries its ports, so that one that is taken or needs more rights is told before the case begins.
    ///
    /// # Errors
    /// The first that cannot be opened, in words.
    pub(super) fn try_ports(&self, room: &Room) -> io::Result<()> {
        let party = (self.actor.make)(self.ip, clock::seed()?, room.clock.now());
        for port in party.ports() {
            open(self.ip, port).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    let (name, number) = (self.actor.name, port.number);
                    let why = format!(
                        "`{name}` of this case listens at port {number}, which needs the administrator"
                    );
                    io::Error::new(io::ErrorKind::PermissionDenied, why)
                }
                _ => error,
            })?;
        }
        Ok(())
    }

    /// Switches it on; the lines for it come by the channel.
    ///
    /// # Errors
    /// A port that another program uses or that needs more rights: the text names it.
    pub(super) fn switch_on(&self, room: &Room) -> io::Result<(Sender<String>, tokio::task::JoinHandle<()>)> {
        let party = (self.actor.make)(self.ip, clock::seed()?, room.clock.now());
        let (lines, said) = mpsc::channel(WAITING);
        let (teller, came) = mpsc::channel(WAITING);
        let mut life = Life {
            name: self.actor.name,
            ip: self.ip,
            phones: self.phones.clone(),
            room: room.clone(),
            sockets: BTreeMap::new(),
            streams: BTreeMap::new(),
            tasks: JoinSet::new(),
            teller,
        };
        for port in party.ports() {
            for ear in open(self.ip, port)? {
                life.hear(ear);
            }
        }
        Ok((lines, spawn_local(life.live(party, came, said))))
    }
}

enum Ear {
    Datagrams(UdpSocket, SocketAddr),
    Streams(TcpListener, SocketAddr),
}

/// Opens a port, and a second socket for its group.
fn open(ip: IpAddr, port: Port) -> io::Result<Vec<Ear>> {
    let at = SocketAddr::new(ip, port.number);
    let datagrams = |plan: &SocketPlan| {
        let (socket, local) = open_datagrams(plan).map_err(|why| io::Error::other(format!("{at}: {why}")))?;
        Ok::<_, io::Error>(Ear::Datagrams(socket, local))
    };
    if port.transport != Transport::Udp {
        let listener = TcpListener::from_std(bind_stream(Transport::Tcp, at)?)?;
        return Ok(vec![Ear::Streams(listener, at)]);
    }
    let mut ears = vec![datagrams(&SocketPlan::at(at))?];
    if let Some(group) = port.group {
        let local = SocketAddr::new(group, port.number);
        ears.push(datagrams(&SocketPlan {
            shares_port: true,
            groups: vec![(group, ip)],
            ..SocketPlan::at(local)
        })?);
    }
    Ok(ears)
}

/// What the sockets bring.
enum Came {
    Packet(Flow, Bytes),
    Connected(Flow, OwnedWriteHalf),
    Broken(Flow, String),
}

/// A machine that is switched on, without the machine itself.
struct Life {
    name: &'static str,
    ip: IpAddr,
    phones: Vec<String>,
    room: Room,
    /// By port.
    sockets: BTreeMap<u16, Arc<UdpSocket>>,
    /// By the far end.
    streams: BTreeMap<SocketAddr, OwnedWriteHalf>,
    /// One for each socket; they end with the machine.
    tasks: JoinSet<()>,
    teller: Sender<Came>,
}

impl Life {
    async fn live(mut self, mut party: Box<dyn Part>, mut came: Receiver<Came>, mut said: Receiver<String>) {
        self.happens(&mut *party, Happens::Start).await;
        loop {
            let clock = self.room.clock;
            let due = party.next_deadline().unwrap_or(Time::NEVER);
            tokio::select! {
                Some(came) = came.recv() => self.take(&mut *party, came).await,
                Some(line) = said.recv() => self.happens(&mut *party, Happens::Command(&line)).await,
                () = tokio::time::sleep_until(clock.instant(due).into()) => {
                    if due <= clock.now() {
                        self.happens(&mut *party, Happens::Wake).await;
                    }
                }
            }
            let ip = self.ip;
            let own: Vec<u16> = party.ports().into_iter().map(|port| port.number).collect();
            self.sockets.retain(|&port, _| {
                own.contains(&port) || party.listens(Transport::Udp, SocketAddr::new(ip, port))
            });
        }
    }

    async fn take(&mut self, party: &mut dyn Part, came: Came) {
        match came {
            Came::Connected(flow, stream) => {
                self.streams.insert(flow.remote, stream);
            }
            Came::Broken(flow, reason) => {
                self.streams.remove(&flow.remote);
                self.happens(party, Happens::Failed { flow, reason }).await;
            }
            Came::Packet(flow, bytes) => {
                if flow.local.ip() != self.ip && !self.is_of_the_case(&bytes) {
                    return;
                }
                if flow.local.port() != SIP_PORT {
                    self.saw(flow.remote, flow.local, flow.transport, &bytes);
                }
                self.happens(party, Happens::Packet { flow, bytes: &bytes }).await;
            }
        }
    }

    async fn happens(&mut self, party: &mut dyn Part, happens: Happens<'_>) {
        let mut out = Vec::new();
        party.handle(self.room.clock.now(), happens, &mut out);
        for does in out {
            match does {
                Does::Send { flow, bytes } => self.send(flow, &bytes).await,
                Does::Close(flow) => drop(self.streams.remove(&flow.remote)),
                Does::Tell(event) => self.tell(event),
                Does::Frame(_) | Does::Ask(_) | Does::Move(_) => {
                    let message = "no frames, names and moves on the loopback; play the case without --real";
                    self.tell(serde_json::json!({ "event": "error", "message": message }));
                }
            }
        }
    }

    /// Whether a datagram to a group comes from a phone of this case: all programs of the machine hear each other there,
    /// and to answer another phone would take it away from its server.
    fn is_of_the_case(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        self.phones.iter().any(|mac| text.contains(mac.as_str()))
    }

    fn tell(&self, event: Value) {
        // Room for it, or nobody reads: then the step that waits for it says so.
        let _ = self.room.told.try_send((self.name.to_owned(), event));
    }

    async fn send(&mut self, flow: Flow, bytes: &Bytes) {
        let sent = match flow.transport {
            Transport::Udp => self.send_datagram(flow, bytes),
            _ => self.send_on_stream(flow, bytes).await,
        };
        match sent {
            Ok(()) => self.saw(flow.local, flow.remote, flow.transport, bytes),
            // The machine hears of it in its own time, as from the wire.
            Err(error) => drop(self.teller.try_send(Came::Broken(flow, error.to_string()))),
        }
    }

    /// Sends from the port that the machine names, which is opened where it is not open yet.
    fn send_datagram(&mut self, flow: Flow, bytes: &Bytes) -> io::Result<()> {
        let port = flow.local.port();
        if !self.sockets.contains_key(&port) {
            for ear in open(self.ip, Port::new(Transport::Udp, port))? {
                self.hear(ear);
            }
        }
        let socket = self.sockets.get(&port).ok_or(io::ErrorKind::NotConnected)?;
        match SockRef::from(&**socket).send_to(bytes, &flow.remote.into()) {
            // What a full socket cannot take is lost, as on a full wire.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    async fn send_on_stream(&mut self, flow: Flow, bytes: &Bytes) -> io::Result<()> {
        if !self.streams.contains_key(&flow.remote) {
            let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(flow.remote)).await??;
            let (reading, writing) = stream.into_split();
            self.tasks.spawn_local(read_messages(reading, flow, self.teller.clone()));
            self.streams.insert(flow.remote, writing);
        }
        let stream = self.streams.get_mut(&flow.remote).ok_or(io::ErrorKind::NotConnected)?;
        tokio::time::timeout(PATIENCE, stream.write_all(bytes)).await?
    }

    fn saw(&self, from: SocketAddr, to: SocketAddr, transport: Transport, bytes: &[u8]) {
        if let Some(witness) = &self.room.witness {
            witness(self.room.clock.now(), from, to, transport, bytes);
        }
    }

    fn hear(&mut self, ear: Ear) {
        let teller = self.teller.clone();
        match ear {
            Ear::Datagrams(socket, local) => {
                let socket = Arc::new(socket);
                if local.ip() == self.ip {
                    self.sockets.insert(local.port(), Arc::clone(&socket));
                }
                self.tasks.spawn_local(receive(socket, local, teller));
            }
            Ear::Streams(listener, local) => {
                self.tasks.spawn_local(accept(listener, local, teller));
            }
        }
    }
}

/// Passes datagrams on while the machine is on.
async fn receive(socket: Arc<UdpSocket>, local: SocketAddr, teller: Sender<Came>) {
    let mut buffer = vec![0; 65_535];
    loop {
        // An error here says that nobody got an earlier datagram; the machine asks again by itself.
        let Ok((length, remote)) = socket.recv_from(&mut buffer).await else { continue };
        let flow = Flow { transport: Transport::Udp, local, remote };
        let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
        if teller.send(Came::Packet(flow, bytes)).await.is_err() {
            return;
        }
    }
}

async fn accept(listener: TcpListener, local: SocketAddr, teller: Sender<Came>) {
    let mut readers = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, remote)) = listener.accept() => {
                let flow = Flow { transport: Transport::Tcp, local, remote };
                let (reading, writing) = stream.into_split();
                if teller.send(Came::Connected(flow, writing)).await.is_err() {
                    return;
                }
                readers.spawn_local(read_messages(reading, flow, teller.clone()));
            }
            Some(_) = readers.join_next() => {}
        }
    }
}

/// Cuts a stream into messages: a head that ends with an empty line, and as many bytes as its Content-Length says.
async fn read_messages(mut stream: OwnedReadHalf, flow: Flow, teller: Sender<Came>) {
    let mut buffer = BytesMut::new();
    let reason = loop {
        while let Some(length) = message_length(&buffer).filter(|&length| length <= buffer.len()) {
            let message = buffer.split_to(length).freeze();
            if teller.send(Came::Packet(flow, message)).await.is_err() {
                return;
            }
        }
        if buffer.remaining() > MOST_MESSAGE_BYTES {
            break "the far end sent a message of more than 1 MiB".to_owned();
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) => break "the far end closed the connection".to_owned(),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    let _ = teller.send(Came::Broken(flow, reason)).await;
}

/// Of the first message in the buffer, once its head is whole.
fn message_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(buffer.get(..head)?);
    let named = text.lines().filter_map(|line| line.split_once(':'));
    let body = named
        .filter(|(name, _)| ["content-length", "l"].iter().any(|it| name.trim().eq_ignore_ascii_case(it)))
        .find_map(|(_, value)| value.trim().parse::<usize>().ok());
    Some((head + 4).saturating_add(body.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_head_says() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(message_length(text.as_bytes()), expected, "{text:?}");
        };
        check("GET / HTTP/1.1\r\nHost: a\r\n", None);
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", Some(27));
        check("NOTIFY\r\nl: 4\r\n\r\nbody", Some(20));
        check("NOTIFY\r\nContent-Length: 18446744073709551615\r\n\r\n", Some(usize::MAX));
    }
}
