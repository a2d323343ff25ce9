//! What every role is told and what it answers: the contract between roles and whoever drives them.
//!
//! The driver waits for the earliest of message, command, helper's answer and deadline, calls
//! [`Role::handle`], and performs the outputs without waiting. The simulated wire does the same with
//! a clock of its own; a role cannot tell the two apart.

mod fetch;
mod network;
mod socket;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use proto::sip::flow::{Flow, FlowFault, Transmit};
use proto::sip::locate::{Answer, Query};
use proto::{Time, Wall};

pub use fetch::{Fetch, FetchFault, FetchFaultKind, FetchId, Fetched, Found, Known, Login, TlsRules};
pub use network::{Dscp, Network, Vlan, VlanSource};
pub use socket::{SocketEvent, SocketId, SocketPlan, SocketRequest};

/// What a role has no use for: no value of it exists.
pub type Nothing = Infallible;

/// A part of the product that decides: phone, exchange.
pub trait Role {
    /// What a person or program asks of it.
    type Command;
    /// What it tells persons and programs.
    type Event;
    /// What it asks of the media side.
    type Media;
    /// What the media side tells it.
    type Heard;
    /// What it wants kept.
    type Change;
    /// What it can be set to while it lives.
    type Settings;
    /// What it asks of the program around it: to start it again, to write a file.
    type Wish;
    /// Why it waits.
    type Why: Copy + fmt::Debug + fmt::Display;

    /// Takes one input at `now`, appends what is to be done.
    fn handle(&mut self, now: Time, input: InputOf<'_, Self>, out: &mut Vec<OutputOf<Self>>);

    /// When it wants to be woken by [`Input::Wake`], and why.
    fn next_deadline(&self) -> Option<(Time, Self::Why)>;
}

/// What a role is told.
pub type InputOf<'a, R> = Input<'a, <R as Role>::Command, <R as Role>::Heard, <R as Role>::Settings>;
/// What a role answers.
pub type OutputOf<R> = Output<<R as Role>::Event, <R as Role>::Media, <R as Role>::Change, <R as Role>::Wish>;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input<'a, C, H, S = Nothing> {
    /// Power is on: the first input of every role.
    Start,
    /// A SIP message, whole: one datagram, or one message framed out of a stream.
    Message {
        /// Where it came from and to.
        flow: Flow,
        /// The message.
        bytes: &'a [u8],
        /// How long it has waited here for its turn: by this a server knows that it is behind.
        waited: Duration,
    },
    /// A message could not be sent or was not delivered, or a connection broke.
    FlowFailed {
        /// The flow.
        flow: Flow,
        /// What happened to it.
        fault: FlowFault,
        /// What went wrong, in words that name the remedy.
        reason: String,
    },
    /// A datagram came to a socket of the role's own ([`Output::Socket`]).
    Datagram {
        /// The socket.
        socket: SocketId,
        /// Who sent it.
        from: SocketAddr,
        /// What it holds.
        bytes: &'a [u8],
    },
    /// A socket of the role's own is open, or cannot be used.
    Socket {
        /// The socket.
        socket: SocketId,
        /// What happened to it.
        event: SocketEvent,
    },
    /// A link-layer frame, from its destination address on and without its checksum.
    Frame(&'a [u8]),
    /// The cable of the role's own interface is plugged in (true) or unplugged.
    Link(bool),
    /// The answer to [`Output::Resolve`].
    Resolved {
        /// What was asked.
        query: Query,
        /// What is known; empty where nothing is.
        answer: Answer,
    },
    /// The answer to [`Output::Fetch`].
    Fetched(Box<Fetched>),
    /// The network gives other facts than before: another address, another server.
    Network(Box<Network>),
    /// The wall clock was set: what is told and kept as a date follows it, deadlines do not.
    Wall(Wall),
    /// Other settings hold from now on.
    Settings(S),
    /// A person or program asks.
    Command(C),
    /// The media side tells.
    Heard(H),
    /// The deadline has come.
    Wake,
}

/// One thing to be done.
#[derive(Clone, Debug)]
pub enum Output<E, M, K, W = Nothing> {
    /// Send this. Not before the changes of the same turn are kept.
    Transmit(Transmit),
    /// Whoever is at the other end of this flow has shown who he is: a connection of his may stand idle.
    Vouch {
        /// The flow.
        flow: Flow,
        /// The account that was shown. Only so many connections of one account may stand idle.
        account: u32,
    },
    /// Nothing of whoever is at the other end of this flow will be read: a connection of his is closed.
    Close(Flow),
    /// Open or close a socket for datagrams that are not SIP of the role's own flows.
    Socket {
        /// The socket.
        socket: SocketId,
        /// What is to become of it.
        request: SocketRequest,
    },
    /// Send a datagram from a socket of the role's own; nothing where that is not open.
    SendDatagram {
        /// The socket.
        socket: SocketId,
        /// Where to.
        to: SocketAddr,
        /// What it holds.
        bytes: Bytes,
    },
    /// Send a link-layer frame, from its destination address on and without its checksum.
    SendFrame(Bytes),
    /// Ask the DNS.
    Resolve(Query),
    /// Download a file; [`Input::Fetched`] answers, once.
    Fetch(Box<Fetch>),
    /// Tell whoever listens.
    Event(E),
    /// Tell the media side.
    Media(M),
    /// Keep this, before the turn's messages leave.
    Store(K),
    /// Something that only the program around the role can do.
    Wish(W),
}
