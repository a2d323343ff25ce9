//! TFTP: one socket hears requests, each transfer has one of its own.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use proto::Time;
use proto::tftp::{Code, Datagram, Ended, Packet, Server, Terms, error};
use roles::provision::{Begun, Content, Request, Transport};
use tokio::net::UdpSocket;
use tokio::task::LocalSet;

use super::Service;
use super::transfers::{Limits, Transfers};

/// Transfers at a time, and of one client.
const LIMITS: Limits = Limits { at_a_time: 1_024, of_one_client: 16 };
/// The largest datagram that is asked with.
const DATAGRAM_BYTES: usize = 2_048;

/// Serves until the program ends.
pub(super) async fn serve(socket: UdpSocket, service: Service) {
    LocalSet::new().run_until(listen(Rc::new(socket), service)).await;
}

async fn listen(socket: Rc<UdpSocket>, service: Service) {
    let busy = Rc::new(RefCell::new(Transfers::new(LIMITS)));
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        // An error is a report of an earlier datagram.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let bytes = buffer.get(..length).unwrap_or_default();
        match Packet::parse(bytes) {
            Some(Packet::Read { file, mode, options }) => {
                let Some(number) = busy.borrow_mut().begin(service.now(), from) else { continue };
                let asked = Asked {
                    file: String::from_utf8_lossy(file).into_owned(),
                    mode: mode.to_owned(),
                    terms: Terms::read(options),
                };
                let (socket, service, own) = (socket.clone(), service.clone(), busy.clone());
                let task = tokio::task::spawn_local(async move {
                    let heard = |now| own.borrow_mut().is_heard(now, from, number);
                    answer(&socket, &service, from, asked, &heard).await;
                    own.borrow_mut().end(from, number);
                });
                busy.borrow_mut().is_served_by(from, task.abort_handle());
            }
            Some(Packet::Write { .. }) => {
                let refusal = error(Code::Refused, "nothing is taken here");
                let _ = socket.send_to(&refusal, from).await;
            }
            _ => {}
        }
    }
}

/// What a request asks.
struct Asked {
    file: String,
    mode: Vec<u8>,
    terms: Terms,
}

async fn answer(
    listener: &UdpSocket,
    service: &Service,
    from: SocketAddr,
    asked: Asked,
    heard: &dyn Fn(Time),
) {
    let request = Request {
        path: &asked.file,
        user_agent: None,
        from: from.ip(),
        transport: Transport::Tftp,
        certified: None,
    };
    let Some(begun) = service.begin(&request).await else { return };
    if begun.answer == Content::Silence {
        return service.ended(begun, 0, "throttled");
    }
    let is_own_port = listener.local_addr().map(|at| SocketAddr::new(at.ip(), 0));
    let Ok(socket) = UdpSocket::bind(is_own_port.unwrap_or(from)).await else {
        return service.ended(begun, 0, "no socket");
    };
    match service.content(&begun) {
        Some(content) => send(&socket, service, begun, (from, asked), content, heard).await,
        None => {
            let _ = socket.send_to(&error(Code::NotFound, "File not found"), from).await;
            service.ended(begun, 0, "not-found");
        }
    }
}

async fn send(
    socket: &UdpSocket,
    service: &Service,
    begun: Begun,
    (client, asked): (SocketAddr, Asked),
    content: Vec<u8>,
    heard: &dyn Fn(Time),
) {
    let (mut out, mut buffer) = (Vec::new(), vec![0; DATAGRAM_BYTES]);
    let now = service.now();
    let mut server = Server::start(now, client, &asked.mode, &asked.terms, content.into(), &mut out);
    while let Some((deadline, _)) = server.next_deadline() {
        for Datagram { to, bytes } in out.drain(..) {
            // What is lost here is sent again when it is due.
            let _ = socket.send_to(&bytes, to).await;
        }
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                if let Ok((length, from)) = received {
                    let (now, bytes) = (service.now(), buffer.get(..length).unwrap_or_default());
                    if from == client && matches!(Packet::parse(bytes), Some(Packet::Ack { .. })) {
                        heard(now);
                    }
                    server.receive(now, from, bytes, &mut out);
                }
            }
            () = tokio::time::sleep_until(service.0.clock.instant(deadline).into()) => {
                server.handle_timeout(service.now(), &mut out);
            }
        }
    }
    for Datagram { to, bytes } in out {
        let _ = socket.send_to(&bytes, to).await;
    }
    let (bytes, result) = match server.ended() {
        Some(Ended::Served) => (server.size_bytes(), "ok"),
        Some(Ended::GivenUp { .. }) => (0, "given-up"),
        _ => (0, "stalled"),
    };
    service.ended(begun, bytes as u64, result);
}
