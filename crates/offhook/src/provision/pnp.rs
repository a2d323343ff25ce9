//! PnP: the group 224.0.1.75 on one interface, answered from a port of our own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use proto::Time;
use proto::sip::flow::Transmit;
use roles::provision::PnpDialog;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Service;
use crate::clock;

/// sip.mcast.net (RFC 3261 §18.1.1).
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 75);
const PORT: u16 = 5_060;
const DATAGRAM_BYTES: usize = 4_096;

/// The sockets of a responder.
pub(super) struct Sockets {
    /// Hears the group.
    group: UdpSocket,
    /// Speaks, and hears what answers.
    own: UdpSocket,
    seed: [u8; 32],
}

impl Sockets {
    /// Joins the group on the interface of that address.
    pub(super) fn open(ip: IpAddr) -> io::Result<Self> {
        let explain = |error: io::Error| {
            let text = format!("--pnp {ip}: {error}: give the IPv4 address of an interface of this machine");
            io::Error::new(error.kind(), text)
        };
        let IpAddr::V4(ip) = ip else { return Err(explain(io::ErrorKind::InvalidInput.into())) };
        let group = group(ip).map_err(explain)?;
        let own = std::net::UdpSocket::bind(SocketAddrV4::new(ip, 0)).map_err(explain)?;
        own.set_nonblocking(true)?;
        Ok(Self { group: UdpSocket::from_std(group)?, own: UdpSocket::from_std(own)?, seed: clock::seed()? })
    }
}

fn group(ip: Ipv4Addr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // Several responders and phones of one machine hear the same group.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddrV4::new(GROUP, PORT).into())?;
    socket.join_multicast_v4(&GROUP, &ip)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Answers until the program ends.
pub(super) async fn serve(sockets: Sockets, service: Service) {
    let Sockets { group, own, seed } = sockets;
    let Ok(local) = own.local_addr() else { return };
    let mut dialog = PnpDialog::new(&format!("Offhook {}", env!("CARGO_PKG_VERSION")), seed);
    let (mut first, mut second) = (vec![0; DATAGRAM_BYTES], vec![0; DATAGRAM_BYTES]);
    loop {
        let deadline = dialog.next_deadline().unwrap_or(Time::NEVER);
        let mut out = Vec::new();
        tokio::select! {
            received = group.recv_from(&mut first) => {
                if let Ok((length, from)) = received {
                    hear(&service, &mut dialog, local, from, first.get(..length).unwrap_or_default(), &mut out);
                }
            }
            received = own.recv_from(&mut second) => {
                if let Ok((length, from)) = received {
                    hear(&service, &mut dialog, local, from, second.get(..length).unwrap_or_default(), &mut out);
                }
            }
            () = tokio::time::sleep_until(service.0.clock.instant(deadline).into()) => {
                dialog.handle_timeout(service.now(), &mut out);
            }
        }
        for Transmit { flow, bytes, .. } in out {
            // What is lost here is sent again when it is due.
            let _ = own.send_to(&bytes, flow.remote).await;
        }
    }
}

fn hear(
    service: &Service,
    dialog: &mut PnpDialog,
    local: SocketAddr,
    from: SocketAddr,
    bytes: &[u8],
    out: &mut Vec<Transmit>,
) {
    let now = service.now();
    let url =
        |asked: &roles::provision::PnpAsked| service.with(|provision| provision.pnp(now, asked, from.ip()));
    dialog.receive(now, local, from, bytes, url, out);
}
