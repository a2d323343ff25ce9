//! RTP and RTCP: sound between two addresses (RFC 3550), its keys (RFC 3711) and its figures.
//!
//! [`session`] is what a call holds; everything else serves it. No socket is opened here: the owner
//! hands in datagrams with their source and sends what comes out to the address that is returned.

pub mod dtmf;
mod format;
pub mod jitter;
pub mod packet;
pub mod quality;
pub mod reception;
pub mod remote;
pub mod rtcp;
pub mod session;
pub mod srtp;

pub use dtmf::Digit;
pub use format::Format;
pub use jitter::{JitterBuffer, Pull};
pub use packet::Packet;
pub use quality::Impairment;
pub use session::{Direction, Received, RtpSession, SessionConfig};
