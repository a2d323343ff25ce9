//! What the network says of datagrams that it could not deliver: ICMP errors, by a socket's error queue.
//!
//! A socket that is not connected hears nothing of a closed port unless it asks for the queue (Linux, `man 7
//! ip`, `IP_RECVERR`). On other systems an unreachable server is learnt by its silence alone.

use std::io;
use std::net::SocketAddr;

/// One datagram that was not delivered.
#[derive(Debug)]
pub(super) struct Undelivered {
    /// Where it was to go.
    pub(super) to: SocketAddr,
    /// What the network says.
    pub(super) error: io::Error,
}

/// Whether an error of a send or a read tells of an earlier datagram, to any address, and not of this one.
pub(super) fn is_of_an_earlier_one(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [Kind::ConnectionRefused, Kind::HostUnreachable, Kind::NetworkUnreachable];
    cfg!(target_os = "linux") && kinds.contains(&error.kind())
}

#[cfg(target_os = "linux")]
pub(super) use linux::{next, watch};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::{AsFd, AsRawFd};

    use nix::libc;
    use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr};
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};

    use super::Undelivered;

    /// Has the kernel keep ICMP errors for a socket.
    pub(in crate::net) fn watch(socket: &impl AsFd, is_ipv6: bool) -> io::Result<()> {
        match is_ipv6 {
            true => setsockopt(socket, Ipv6RecvErr, &true)?,
            false => setsockopt(socket, Ipv4RecvErr, &true)?,
        }
        Ok(())
    }

    /// The oldest datagram that is known to be undelivered; [`io::ErrorKind::WouldBlock`] where there is none.
    /// Errors that this host makes itself, as for a datagram that is too large, are told by the send and
    /// passed over here.
    pub(in crate::net) fn next(socket: &impl AsRawFd) -> io::Result<Undelivered> {
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        // The start of the datagram is not needed.
        let mut none = [0; 1];
        loop {
            let mut room = [IoSliceMut::new(&mut none)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let message =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut room, Some(&mut control), flags)?;
            let to = message.address.and_then(|address| address_of(&address));
            let error = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::Ipv4RecvErr(error, _) => by(libc::SO_EE_ORIGIN_ICMP, &error),
                ControlMessageOwned::Ipv6RecvErr(error, _) => by(libc::SO_EE_ORIGIN_ICMP6, &error),
                _ => None,
            });
            if let Some((to, error)) = to.zip(error).filter(|(_, error)| super::is_of_an_earlier_one(error)) {
                return Ok(Undelivered { to, error });
            }
        }
    }

    fn by(origin: u8, error: &libc::sock_extended_err) -> Option<io::Error> {
        let errno = i32::try_from(error.ee_errno).ok()?;
        (error.ee_origin == origin).then(|| io::Error::from_raw_os_error(errno))
    }

    fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address.as_sockaddr_in().map(|it| SocketAddrV4::from(*it).into());
        v4.or_else(|| address.as_sockaddr_in6().map(|it| SocketAddrV6::from(*it).into()))
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn watch<S>(_: &S, _is_ipv6: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn next<S>(_: &S) -> io::Result<Undelivered> {
    Err(io::ErrorKind::WouldBlock.into())
}
