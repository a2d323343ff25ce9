//! The lab: real phones and a real exchange on a simulated wire, in virtual time and by seed.
//!
//! * [`World`] is the wire: latency, loss, duplicates, reordering, NAT, restarts and clock jumps.
//! * [`Party`] is whoever stands on it; [`ears`] and [`relay`] are the sound of phones and exchange.
//! * [`Host`] makes a machine of a role; [`Part`] is a machine of a case, ours or another [`Machine`].
//! * [`Case`] is a scenario; [`script::play`] plays it on any [`script::Stage`], [`Simulated`] is one.
//! * What passed is printed and held against the deck's ladders by [`crate::trace`].

mod cases;
mod crowd;
pub mod ears;
mod exchange_part;
mod fetch;
mod file_server;
mod host;
mod lan;
mod nat;
mod parts;
mod party;
mod phone_part;
pub mod relay;
pub mod script;
mod stage;
mod subnet;
mod trial;
mod wire;
mod world;

pub use cases::{RealCase, case, cases, real_cases};
pub use crowd::{Crowd, boot_crowd};
pub use exchange_part::ExchangePart;
pub use file_server::{FileServer, Files};
pub use host::{Effect, Granted, Host, Machine, Port, Side};
pub use lan::{DhcpServer, Gives, Neighbourhood, Says, Squatter, Switch};
pub use nat::{NatBox, NatKind};
pub use parts::Part;
pub use party::{Does, Happens, Party};
pub use phone_part::PhonePart;
pub use script::{Actor, Case, Desk, Outcome, Step};
pub use stage::Simulated;
pub use subnet::Subnet;
pub use trial::{Tried, try_out};
pub use wire::{Fate, Link, Passed, capture_file, captured_at};
pub use world::{SeatId, Stuck, Told, World};
