//! TFTP: one socket for each download.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proto::Time;
use proto::tftp::{Client, Datagram, Download, Failure, Plan, Terms};
use proto::url::Url;
use roles::role::{Fetch, FetchFault, FetchFaultKind as Kind, Found, Known};
use tokio::net::UdpSocket;

use super::Means;
use crate::clock::Clock;

/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_535;

/// Downloads a file.
pub(super) async fn get(fetch: &Fetch, url: Url, means: &Means) -> Result<Found, FetchFault> {
    let all = means.addresses(&url, fetch.from).await?;
    let server =
        *all.first().ok_or_else(|| FetchFault::new(Kind::UnknownHost, "the server's name has no address"))?;
    let socket = UdpSocket::bind(asking_from(fetch.from, server)).await.map_err(|error| {
        FetchFault::new(Kind::Unreachable, format!("no socket at {} for TFTP: {error}", fetch.from))
    })?;
    let clock = Clock::start();
    let plan = Plan { server, file: url.file(), terms: Terms::of_the_deck(), most_bytes: fetch.most_bytes };
    let mut out = Vec::new();
    let mut client = Client::start(clock.now(), plan, &mut out);
    loop {
        match turn(&socket, clock, &mut client, &mut out).await {
            Download::Goes => {}
            Download::Whole(bytes) => {
                tokio::spawn(linger(socket, clock, client, out));
                return Ok(Found::File {
                    bytes: bytes.into(),
                    known: Known::default(),
                    url: url.to_string(),
                });
            }
            Download::Failed(failure) => {
                send(&socket, &mut out).await;
                return Err(fault(&url, &failure));
            }
        }
    }
}

/// Sends what is to go, waits for what comes or is due, and hands it in.
async fn turn(socket: &UdpSocket, clock: Clock, client: &mut Client, out: &mut Vec<Datagram>) -> Download {
    send(socket, out).await;
    let deadline = client.next_deadline().map_or(Time::ZERO, |(at, _)| at);
    let mut buffer = vec![0; DATAGRAM_BYTES];
    tokio::select! {
        received = socket.recv_from(&mut buffer) => match received {
            Ok((length, from)) => {
                client.receive(clock.now(), from, buffer.get(..length).unwrap_or_default(), out)
            }
            // A report of an earlier datagram; what is due is sent again.
            Err(_) => Download::Goes,
        },
        () = tokio::time::sleep_until(clock.instant(deadline).into()) => client.handle_timeout(clock.now(), out),
    }
}

/// Acknowledges the last block again while the server has not heard it (RFC 1350 §6).
async fn linger(socket: UdpSocket, clock: Clock, mut client: Client, mut out: Vec<Datagram>) {
    while client.next_deadline().is_some() {
        turn(&socket, clock, &mut client, &mut out).await;
    }
}

async fn send(socket: &UdpSocket, out: &mut Vec<Datagram>) {
    for Datagram { to, bytes } in out.drain(..) {
        // What is lost here is sent again when it is due.
        let _ = socket.send_to(&bytes, to).await;
    }
}

fn asking_from(from: IpAddr, server: SocketAddr) -> SocketAddr {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(if from.is_ipv4() == server.is_ipv4() { from } else { any }, 0)
}

fn fault(url: &Url, failure: &Failure) -> FetchFault {
    let (kind, help) = match failure {
        Failure::Refused { code: 1, .. } => {
            (Kind::NotFound, "check the name of the file and its folder on the server")
        }
        Failure::Refused { code: 2, .. } => {
            (Kind::Denied, "the server does not give this file; check its rights")
        }
        Failure::Refused { .. } => (Kind::Server, "the server's log says more"),
        Failure::Unanswered => {
            (Kind::Unreachable, "check the server's address, and UDP port 69 in firewalls between")
        }
        Failure::Stalled { .. } => {
            (Kind::Broken, "firewalls must let the server's answers through, which come from another port")
        }
        Failure::TooLarge { .. } => (Kind::TooLarge, "is this a configuration file?"),
        Failure::Broken(_) => (Kind::Server, "another TFTP server may help"),
    };
    let fault = FetchFault::new(kind, format!("{url}: {failure}; {help}"));
    match failure {
        Failure::Refused { code, .. } => fault.with_status(*code),
        _ => fault,
    }
}
