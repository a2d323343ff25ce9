//! The HTTP API of phone and exchange, on a thread of its own.
//!
//! ```text
//!  accept ─► gate (Host, Origin, token, time) ─► one file for each resource ─► Command ─► drive
//!                                                        events ◄─ Bus ◄─ Event ◄─────────┘
//! ```
//!
//! It sees commands, answers, events and views of a role and nothing else, so a page can do nothing
//! that a script cannot. Strings that came by SIP are hostile here: they leave as JSON alone.

mod bus;
mod events;
pub mod exchange;
mod gate;
mod json;
mod listen;
pub mod phone;
mod problem;
mod routes;
mod server;
mod token;

use std::time::Duration;

pub use bus::{Bus, Piece, Reader};
pub use listen::{USUAL_PORT, bind, bind_usual};
pub use server::{Server, Site};
pub use token::Token;

/// How much of everything a server gives at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections. Where there are as many, one that has shown no token is closed for each new one: the
    /// oldest from the source that has the most; where all have shown it, new ones wait.
    pub connections: usize,
    /// Connections from one address, or one /64 of IPv6, that have shown no token; then the oldest of them
    /// is closed for each new one.
    pub strangers_per_source: usize,
    /// Streams of events; one more is refused with 503.
    pub streams: usize,
    /// Bytes of a request's body; more is refused with 413.
    pub body_bytes: usize,
    /// How long a connection may be silent before or within a request's head.
    pub head: Duration,
    /// How long a request may take, its body included.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            strangers_per_source: 64,
            streams: 64,
            body_bytes: 64 * 1_024,
            head: Duration::from_secs(10),
            request: Duration::from_secs(30),
        }
    }
}
