//! SIP: RFC 3261 and its extensions.

pub mod build;
pub mod digest;
pub mod flow;
pub mod framing;
pub mod header;
pub mod locate;
pub mod message;
pub mod transaction;
pub mod uri;

pub use flow::{Flow, Target, Transmit, Transport};
