//! What the benchmarks share: another process's figures, sockets, and SIP by hand.
//!
//! The messages are written and read here without Offhook's own parser, so that a fault of it cannot
//! hide on both sides of a measurement.

pub mod figures;
pub mod process;
pub mod sip;
pub mod sound;
pub mod wire;
