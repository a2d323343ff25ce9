//! Why a phone waits.

use std::fmt;

use proto::sip::transaction::Timer;
use proto::sip::usage;

/// What a phone's next deadline is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// A transaction: a copy to send, or an answer that does not come.
    Transaction(Timer),
    /// An account's first registration, spread over time.
    RegistrationBegins,
    /// An account's registration.
    Registration(usage::Why),
    /// A packet that keeps a way through a NAT open.
    KeepAlive,
    /// A limit of a call: how long it rings, when it is answered by itself.
    Call,
    /// A call's signalling.
    Signalling(usage::Why),
    /// The end of the busy tone.
    BusyTone,
    /// A busy number that is dialled again.
    AutoRedial,
    /// The subscription of a line key.
    Lamp(usage::Why),
    /// The subscription to waiting messages.
    Messages(usage::Why),
    /// A message leaves the screen.
    Screen,
    /// Lines of the log that were left out are told.
    Log,
    /// The configuration is to be fetched.
    Resync,
    /// A resync or restart that has waited long enough for the end of calls.
    ForcedResync,
    /// The answer to the PnP question.
    Pnp,
    /// The configuration before comes back.
    Rollback,
    /// The end of saying goodbye to the servers.
    Goodbye,
    /// A command that waits no longer.
    Command,
    /// VLAN and address of a phone that owns its network socket.
    Network(super::network::Why),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transaction(timer) => write!(f, "transaction, timer {timer:?}"),
            Self::RegistrationBegins => f.write_str("a registration begins"),
            Self::Registration(why) => write!(f, "registration, {why:?}"),
            Self::KeepAlive => f.write_str("keep-alive"),
            Self::Call => f.write_str("a limit of a call"),
            Self::Signalling(why) => write!(f, "call, {why:?}"),
            Self::BusyTone => f.write_str("busy tone"),
            Self::AutoRedial => f.write_str("auto redial"),
            Self::Lamp(why) => write!(f, "lamp, {why:?}"),
            Self::Messages(why) => write!(f, "waiting messages, {why:?}"),
            Self::Screen => f.write_str("message on the screen"),
            Self::Log => f.write_str("the log's sum of lines that were left out"),
            Self::Resync => f.write_str("resync"),
            Self::ForcedResync => f.write_str("forced resync"),
            Self::Pnp => f.write_str("PnP"),
            Self::Rollback => f.write_str("a configuration that nobody registered with"),
            Self::Goodbye => f.write_str("goodbye"),
            Self::Command => f.write_str("a command that waits"),
            Self::Network(why) => write!(f, "network, {why}"),
        }
    }
}
