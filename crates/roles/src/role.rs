//! What every role is told and what it answers: the contract between roles and whoever drives them.
//!
//! The driver waits for the earliest of message, command, helper's answer and deadline, calls
//! [`Role::handle`], and performs the outputs without waiting. The simulated wire does the same with
//! a clock of its own; a role cannot tell the two apart.

use std::time::Duration;

use proto::Time;
use proto::sip::flow::{Flow, Transmit};
use proto::sip::locate::{Answer, Query};

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

    /// Takes one input at `now`, appends what is to be done.
    fn handle(
        &mut self,
        now: Time,
        input: Input<'_, Self::Command, Self::Heard>,
        out: &mut Vec<Output<Self::Event, Self::Media, Self::Change>>,
    );

    /// When it wants to be woken by [`Input::Wake`], and why.
    fn next_deadline(&self) -> Option<(Time, &'static str)>;
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input<'a, C, H> {
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
    /// A message could not be sent, or a connection broke.
    FlowFailed {
        /// The flow.
        flow: Flow,
        /// What went wrong, in words that name the remedy.
        reason: String,
    },
    /// The answer to [`Output::Resolve`].
    Resolved {
        /// What was asked.
        query: Query,
        /// What is known; empty where nothing is.
        answer: Answer,
    },
    /// A person or program asks.
    Command(C),
    /// The media side tells.
    Heard(H),
    /// The deadline has come.
    Wake,
    /// Another address is ours now (address change, interface change).
    LocalAddress(std::net::IpAddr),
}

/// One thing to be done.
#[derive(Clone, Debug)]
pub enum Output<E, M, S> {
    /// Send this. Not before the changes of the same turn are kept.
    Transmit(Transmit),
    /// Whoever is at the other end of this flow has shown who he is: a connection of his may stand idle.
    Vouch(Flow),
    /// Nothing of whoever is at the other end of this flow will be read: a connection of his is closed.
    Close(Flow),
    /// Ask the DNS.
    Resolve(Query),
    /// Tell whoever listens.
    Event(E),
    /// Tell the media side.
    Media(M),
    /// Keep this, before the turn's messages leave.
    Store(S),
}
