//! The lab: real phones and a real exchange on a simulated wire, in virtual time and by seed.
//!
//! * [`World`] is the wire: latency, loss, duplicates, reordering, NAT, restarts and clock jumps.
//! * [`Party`] is whoever stands on it; [`ears`] and [`relay`] are the sound of phones and exchange.
//! * [`Part`] is a phone or an exchange of ours as a party.
//! * [`Case`] is a scenario; [`script::play`] plays it on any [`script::Stage`], [`Simulated`] is one.
//! * [`ladder`] prints what passed and holds it against the deck's ladders.

mod cases;
pub mod ears;
pub mod ladder;
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
pub use wire::{Fate, Link, Passed};
pub use world::{SeatId, Stuck, Told, World};
