//! Whoever stands on the simulated wire.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use proto::Time;
use proto::sip::flow::{Flow, Transport};
use proto::sip::locate::{Answer, Query};
use serde_json::Value;

use crate::role::Network;

/// One thing that happens to a party.
#[derive(Clone, Debug)]
pub enum Happens<'a> {
    /// Power is on.
    Start,
    /// A datagram, or a whole message out of a stream; SIP, RTP or anything else.
    Packet {
        /// Where it came from and to.
        flow: Flow,
        /// What it holds.
        bytes: &'a [u8],
    },
    /// A message could not be delivered, or a connection broke.
    Failed {
        /// The flow.
        flow: Flow,
        /// What went wrong, in words that name the remedy.
        reason: String,
    },
    /// The DNS has answered.
    Resolved {
        /// What was asked.
        query: Query,
        /// What is known.
        answer: Answer,
    },
    /// A person types a line.
    Command(&'a str),
    /// The deadline has come.
    Wake,
    /// A link-layer frame.
    Frame(&'a [u8]),
    /// The network gives the party other facts: another address.
    Network(Box<Network>),
}

/// One thing that a party does.
#[derive(Clone, Debug)]
pub enum Does {
    /// Sends a datagram, or a whole message over a stream.
    Send {
        /// Where from and to.
        flow: Flow,
        /// What it holds.
        bytes: Bytes,
    },
    /// Closes a connection, after what was sent.
    Close(Flow),
    /// Sends a link-layer frame to all others.
    Frame(Bytes),
    /// Has another address from now on; unspecified: none.
    Move(IpAddr),
    /// Asks the DNS.
    Ask(Query),
    /// Tells persons and programs: an event of the `--stdio` contract.
    Tell(Value),
}

/// A machine on the wire: a role with its sound, or a scripted stranger.
pub trait Party {
    /// Takes what happens at `now` by its own clock, appends what it does.
    fn handle(&mut self, now: Time, happens: Happens<'_>, out: &mut Vec<Does>);

    /// When it wants [`Happens::Wake`], by its own clock.
    fn next_deadline(&self) -> Option<Time>;

    /// What its next deadline is for, in words.
    fn why(&self) -> String {
        String::new()
    }

    /// Whether it has a socket open at `local`. Where nobody listens, a datagram comes back as
    /// "port unreachable" and a connection is refused.
    fn listens(&self, transport: Transport, local: SocketAddr) -> bool;
}
