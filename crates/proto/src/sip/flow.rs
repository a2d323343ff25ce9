//! Where messages come from and go to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

/// How SIP travels.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// RFC 768, one message a datagram.
    #[default]
    Udp,
    /// RFC 9293.
    Tcp,
    /// TLS over TCP (RFC 3261 §26.2.1).
    Tls,
}

impl Transport {
    /// Whether the transport itself delivers or fails; then no message is sent twice.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// 5060, or 5061 for TLS (RFC 3261 §19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// As Via writes it: `UDP`, `TCP`, `TLS`.
    pub const fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// As the URI parameter writes it: `udp`, `tcp`, `tls`.
    pub const fn param_name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// Reads either spelling.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|t| name.eq_ignore_ascii_case(t.param_name()))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.via_name())
    }
}

/// A flow: transport, our address and theirs (RFC 5626 §2).
///
/// Over TCP and TLS `local` is our *listening* address; the net layer keeps one connection for each
/// (transport, remote) and opens it when the first message goes out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Flow {
    /// How it travels.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} > {}", self.transport, self.local, self.remote)
    }
}

/// What happened to a flow that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlowFault {
    /// Nothing can be sent on it: no connection could be opened, or what came by it cannot be read.
    Broken,
    /// A connection that was open is closed or was reset. What was just sent on it may be lost; another connection
    /// may do better.
    Closed,
    /// The network says that a datagram was not delivered there, as by an ICMP port unreachable. That may be
    /// over in a moment, and may be forged.
    Undelivered,
}

/// One message to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// Where to.
    pub flow: Flow,
    /// The name that the certificate must bear where a TLS connection is to be opened (RFC 5922).
    pub name: Option<Arc<str>>,
    /// The whole message.
    pub bytes: Bytes,
}

/// One place to try (RFC 3263 §4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// How to travel.
    pub transport: Transport,
    /// Where to.
    pub remote: SocketAddr,
    /// The domain it stands for, for the certificate check.
    pub name: Option<Arc<str>>,
}
