//! TFTP: one socket hears requests, each transfer has one of its own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::rc::Rc;

use proto::tftp::{Code, Datagram, Ended, Packet, Server, Terms, error};
use roles::provision::{Begun, Content, Request, Transport};
use tokio::net::UdpSocket;
use tokio::task::LocalSet;

use super::Service;

/// Transfers at a time, and of one client.
const AT_A_TIME: usize = 1_024;
const OF_ONE_CLIENT: usize = 16;
/// The largest datagram that is asked with.
const DATAGRAM_BYTES: usize = 2_048;

/// Who is served just now, so that a request that comes again begins nothing anew.
type Busy = Rc<RefCell<BTreeSet<SocketAddr>>>;

/// Serves until the program ends.
pub(super) async fn serve(socket: UdpSocket, service: Service) {
    LocalSet::new().run_until(listen(Rc::new(socket), service)).await;
}

async fn listen(socket: Rc<UdpSocket>, service: Service) {
    let (busy, mut buffer) = (Busy::default(), vec![0; DATAGRAM_BYTES]);
    loop {
        // An error is a report of an earlier datagram.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let bytes = buffer.get(..length).unwrap_or_default();
        match Packet::parse(bytes) {
            Some(Packet::Read { file, mode, options }) => {
                if !has_room(&busy.borrow(), from) || !busy.borrow_mut().insert(from) {
                    continue;
                }
                let asked = Asked {
                    file: String::from_utf8_lossy(file).into_owned(),
                    mode: mode.to_owned(),
                    terms: Terms::read(options),
                };
                let (socket, service, busy) = (socket.clone(), service.clone(), busy.clone());
                tokio::task::spawn_local(async move {
                    answer(&socket, &service, from, asked).await;
                    busy.borrow_mut().remove(&from);
                });
            }
            Some(Packet::Write { .. }) => {
                let refusal = error(Code::Refused, "nothing is taken here");
                let _ = socket.send_to(&refusal, from).await;
            }
            _ => {}
        }
    }
}

fn has_room(busy: &BTreeSet<SocketAddr>, from: SocketAddr) -> bool {
    let (first, last) = (SocketAddr::new(from.ip(), 0), SocketAddr::new(from.ip(), u16::MAX));
    busy.len() < AT_A_TIME && busy.range(first..=last).count() < OF_ONE_CLIENT
}

/// What a request asks.
struct Asked {
    file: String,
    mode: Vec<u8>,
    terms: Terms,
}

async fn answer(listener: &UdpSocket, service: &Service, from: SocketAddr, asked: Asked) {
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
        Some(content) => send(&socket, service, begun, from, &asked, content).await,
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
    from: SocketAddr,
    asked: &Asked,
    content: Vec<u8>,
) {
    let (mut out, mut buffer) = (Vec::new(), vec![0; DATAGRAM_BYTES]);
    let now = service.now();
    let mut server = Server::start(now, from, &asked.mode, &asked.terms, content.into(), &mut out);
    while let Some((deadline, _)) = server.next_deadline() {
        for Datagram { to, bytes } in out.drain(..) {
            // What is lost here is sent again when it is due.
            let _ = socket.send_to(&bytes, to).await;
        }
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                if let Ok((length, from)) = received {
                    server.receive(service.now(), from, buffer.get(..length).unwrap_or_default(), &mut out);
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
