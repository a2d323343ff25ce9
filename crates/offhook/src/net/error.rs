//! Why a message did not go out, for machines and for people.

use std::fmt;
use std::io;

use proto::sip::{Flow, Transport};

/// A flow that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FlowError {
    /// Which one.
    pub flow: Flow,
    /// What kind of failure.
    pub kind: FlowErrorKind,
    /// Who is at fault and what helps, in a sentence.
    pub text: String,
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FlowError {}

/// What kind of failure; a machine decides by this, never by the text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FlowErrorKind {
    /// Nobody listens there.
    Refused,
    /// No route, or no such interface.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The message is larger than the way there allows.
    TooLarge,
    /// The other side does not take up what we send, or our own limit is reached.
    Overloaded,
    /// The connection broke.
    Broken,
    /// What came over the stream is not SIP.
    Malformed,
    /// The role named a local address that is not bound.
    NoSocket,
    /// The certificate is signed by nobody we trust.
    UnknownCa,
    /// The certificate is not valid at this time.
    Expired,
    /// The certificate is for another name.
    NameMismatch,
    /// No common TLS version or cipher.
    Version,
    /// Any other failure of TLS.
    Tls,
}

impl FlowError {
    pub(super) fn new(flow: Flow, kind: FlowErrorKind, text: impl Into<String>) -> Self {
        Self { flow, kind, text: text.into() }
    }

    /// What a socket's error means for the person who must act.
    pub(super) fn from_io(flow: Flow, error: &io::Error) -> Self {
        let (kind, text) = explain_io(&flow, error);
        Self { flow, kind, text }
    }
}

fn explain_io(flow: &Flow, error: &io::Error) -> (FlowErrorKind, String) {
    use FlowErrorKind as Kind;
    let Flow { transport, local, remote } = flow;
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            Kind::Refused,
            format!(
                "{remote} refuses {transport}: no server listens there; check its address, port and transport"
            ),
        ),
        io::ErrorKind::TimedOut => (
            Kind::TimedOut,
            format!("{remote} does not answer over {transport}; check its address and the firewalls between"),
        ),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => (
            Kind::Unreachable,
            format!("no route from {local} to {remote}; check the network settings of this machine"),
        ),
        io::ErrorKind::AddrNotAvailable => (
            Kind::Unreachable,
            format!("{} is no address of this machine, so nothing can be sent from it", local.ip()),
        ),
        io::ErrorKind::InvalidInput if transport == &Transport::Udp => (
            Kind::Unreachable,
            format!(
                "the kernel does not send from {local} to {remote}; both must be of one address family and network"
            ),
        ),
        _ if is_too_large(error) => (
            Kind::TooLarge,
            format!("the message to {remote} is larger than a datagram may be; use TCP for this account"),
        ),
        _ => (Kind::Broken, format!("{transport} with {remote} broke: {error}")),
    }
}

#[cfg(unix)]
fn is_too_large(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}

#[cfg(not(unix))]
fn is_too_large(error: &io::Error) -> bool {
    /// WSAEMSGSIZE.
    const MESSAGE_SIZE: i32 = 10_040;
    error.raw_os_error() == Some(MESSAGE_SIZE)
}
