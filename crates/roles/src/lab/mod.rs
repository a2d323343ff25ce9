//! The lab: real phones and a real exchange on a simulated wire, in virtual time and by seed.
//!
//! * [`World`] is the wire: latency, loss, duplicates, reordering, NAT, restarts and clock jumps.
//! * [`Party`] is whoever stands on it; [`ears`] and [`relay`] are the sound of phones and exchange.
//! * [`Part`] is a phone or an exchange of ours as a party.
//! * [`Case`] is a scenario; [`script::play`] plays it on any [`script::Stage`], [`Simulated`] is one.
//! * What passed is printed and held against the deck's ladders by [`crate::trace`].

mod cases;
pub mod ears;
mod nat;
mod parts;
mod party;
pub mod relay;
pub mod script;
mod stage;
mod wire;
mod world;

pub use cases::{case, cases};
pub use nat::{NatBox, NatKind};
pub use parts::{ExchangePart, Part, PhonePart};
pub use party::{Does, Happens, Party};
pub use script::{Case, Desk, Outcome, Step};
pub use stage::Simulated;
pub use wire::{Fate, Link, Passed, captured_at};
pub use world::{SeatId, Stuck, Told, World};
