//! Making and binding sockets, with errors that say what to do.

use std::io;
use std::net::SocketAddr;

use proto::sip::Transport;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::undelivered;

/// Room for what comes while the role is busy: some thousand messages.
const BUFFER_BYTES: usize = 4 << 20;
/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1_024;

/// A bound datagram socket that does not block.
pub(super) fn bind_udp(local: SocketAddr, dscp: u8) -> io::Result<std::net::UdpSocket> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        enlarge(&socket);
        mark(&socket, local, dscp);
        undelivered::watch(&socket, local.is_ipv6())?;
        socket.bind(&local.into())?;
        Ok(socket.into())
    };
    bind().map_err(|error| explain(Transport::Udp, local, &error))
}

/// A bound socket for media that does not block; the kernel's usual buffers hold seconds of speech.
#[cfg(target_os = "linux")]
pub(crate) fn bind_media(local: SocketAddr, dscp: u8) -> io::Result<std::net::UdpSocket> {
    let bind = || {
        let socket = std::net::UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        mark(&socket, local, dscp);
        Ok(socket)
    };
    bind().map_err(|error| explain(Transport::Udp, local, &error))
}

/// A listening stream socket that does not block.
pub(crate) fn bind_stream(transport: Transport, local: SocketAddr) -> io::Result<std::net::TcpListener> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(local), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the last run's connections to be forgotten.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&local.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(|error| explain(transport, local, &error))
}

/// Marks what a socket sends (RFC 2474); a system that does not allow it still sends.
pub(super) fn mark<'s>(socket: impl Into<SockRef<'s>>, local: SocketAddr, dscp: u8) {
    let socket = socket.into();
    let traffic_class = u32::from(dscp.min(63)) << 2;
    let _ = match local {
        SocketAddr::V4(_) => socket.set_tos_v4(traffic_class),
        #[cfg(unix)]
        SocketAddr::V6(_) => socket.set_tclass_v6(traffic_class),
        #[cfg(not(unix))]
        SocketAddr::V6(_) => Ok(()),
    };
}

/// The kernel gives less where its own limit is lower; that is no reason to stop.
fn enlarge(socket: &Socket) {
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
}

fn explain(transport: Transport, local: SocketAddr, error: &io::Error) -> io::Error {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => {
            let kind = if transport == Transport::Udp { "u" } else { "t" };
            format!(
                "another program uses this port; end it (`ss -l{kind}np sport = :{}` names it) or give another port",
                local.port()
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; give one of its own or 0.0.0.0 for all".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need the administrator; give a higher port".to_owned()
        }
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("cannot listen on {local} ({transport}): {why}"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_bears_its_code_point() {
        let check = |socket: std::net::UdpSocket, dscp: u32| {
            let seen = SockRef::from(&socket);
            let class = if socket.local_addr().is_ok_and(|local| local.is_ipv6()) {
                seen.tclass_v6()
            } else {
                seen.tos_v4()
            };
            assert_eq!(class.expect("asked"), dscp << 2, "{socket:?}");
        };
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let local = host.parse().expect("an address");
            // A machine may have no IPv6.
            let Ok(media) = bind_media(local, 46) else { continue };
            check(media, 46);
            check(bind_media(local, 0).expect("bound"), 0);
            check(bind_udp(local, 26).expect("bound"), 26);
            // More than six bits are none.
            check(bind_udp(local, 200).expect("bound"), 63);
        }
    }
}
