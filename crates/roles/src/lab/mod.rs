//! The lab: real phones and a real exchange on a simulated wire, in virtual time and by seed.
//!
//! * [`World`] is the wire: latency, loss, duplicates, reordering, NAT, restarts and clock jumps.
//! * [`Party`] is whoever stands on it; [`ears`] and [`relay`] are the sound of phones and exchange.
//! * [`ladder`] prints what passed and holds it against the deck's ladders.

pub mod ears;
pub mod ladder;
mod nat;
mod party;
pub mod relay;
mod wire;
mod world;

pub use nat::{NatBox, NatKind};
pub use party::{Does, Happens, Party};
pub use wire::{Fate, Link, Passed};
pub use world::{SeatId, Stuck, Told, World};
