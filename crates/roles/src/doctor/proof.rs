//! Where in a case something was seen.

use std::fmt;
use std::net::SocketAddr;

use proto::Time;

/// One packet of a capture or one line of a text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Proof {
    /// When; [`Time::ZERO`] where a line tells no time.
    pub at: Time,
    /// Index into [`Tracks::files`](super::tracks::Tracks::files).
    pub file: u16,
    /// Packet or line, from 1, as Wireshark and editors count.
    pub number: u32,
    /// Byte position of the packet's record in its file, after decompression.
    pub offset: u64,
}

/// How bytes travelled above IP.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Carrier {
    /// RFC 768.
    Udp,
    /// RFC 9293.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// SIP over WebSocket, RFC 7118.
    WebSocket,
}

impl Carrier {
    /// In lower case, as the report writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
        }
    }
}

/// Who sent to whom, and how.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Path {
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// How.
    pub carrier: Carrier,
}

impl Path {
    /// The way back.
    pub fn reversed(&self) -> Self {
        Self { source: self.destination, destination: self.source, carrier: self.carrier }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {} ({})", self.source, self.destination, self.carrier.name())
    }
}
