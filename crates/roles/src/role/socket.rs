//! Sockets for datagrams that a role opens for itself: PnP, TFTP, DHCP, NTP.

use std::net::{IpAddr, SocketAddr};

/// A role's own name for one of its sockets. A name may be used again once its socket is closed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SocketId(pub u32);

/// What is to become of a socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SocketRequest {
    /// Open it; [`SocketEvent`] tells how that went.
    Open(SocketPlan),
    /// Close it. Nothing is told of it any more.
    Close,
}

/// What a socket is to be like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SocketPlan {
    /// Where it is bound; port 0 takes any free one. What it sends to a group leaves by the interface of
    /// this address.
    pub local: SocketAddr,
    /// Whether others may be bound to the same port (`SO_REUSEADDR`), as is usual for groups.
    pub shares_port: bool,
    /// Whether it may send to broadcast addresses.
    pub broadcasts: bool,
    /// The groups that it joins, each by the address of an interface.
    pub groups: Vec<(IpAddr, IpAddr)>,
}

impl SocketPlan {
    /// A socket at `local` for one conversation.
    pub fn at(local: SocketAddr) -> Self {
        Self { local, shares_port: false, broadcasts: false, groups: Vec::new() }
    }

    /// A socket at any free port of `ip`.
    pub fn ephemeral(ip: IpAddr) -> Self {
        Self::at(SocketAddr::new(ip, 0))
    }
}

/// What happened to a socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SocketEvent {
    /// It is open, at this address.
    Opened(SocketAddr),
    /// It could not be opened and does not exist, in words that name the remedy.
    Failed(String),
    /// Nobody listens where something was sent to (ICMP port unreachable).
    Unreachable(SocketAddr),
}
