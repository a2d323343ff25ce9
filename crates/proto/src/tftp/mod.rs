//! TFTP, both ends (RFC 1350, 2347, 2348, 2349, 7440).
//!
//! [`Packet`] is read and written here; [`Client`] downloads one file, [`Server`] sends one. Both are
//! machines without sockets: each transfer has a socket of its own, whose owner hands in datagrams with
//! their sender and sends what comes out. Uploads are not spoken.

mod client;
pub mod packet;
mod server;
mod terms;
mod write;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use client::{Client, Download, Failure, Plan};
pub use packet::{Packet, options};
pub use server::{Ended, Server};
pub use terms::Terms;
pub use write::{Code, error};

/// The port at which servers are asked.
pub const PORT: u16 = 69;

/// A datagram to be sent from the transfer's socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// Where to.
    pub to: SocketAddr,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Ports that have no part in a transfer and are told so, at most (RFC 1350 §4).
const MOST_STRAYS: u8 = 8;

/// Tells strangers that they have no part in the transfer, a few of them.
#[derive(Debug, Default)]
struct Strays(u8);

impl Strays {
    fn answer(&mut self, to: SocketAddr, bytes: &[u8], out: &mut Vec<Datagram>) {
        // An error is never answered, nor is what is no TFTP.
        let is_error = matches!(Packet::parse(bytes), None | Some(Packet::Error { .. }));
        if self.0 < MOST_STRAYS && !is_error {
            self.0 += 1;
            out.push(Datagram { to, bytes: error(Code::UnknownPort, "Unknown transfer ID") });
        }
    }
}

/// The number of a block on the wire: it wraps after 65,535.
fn wire(block: u64) -> u16 {
    (block & 0xffff) as u16
}
