//! Packets and lines put together into tracks. Each part owns what it needs to find the track of the next
//! packet; the tracks themselves are lent.

pub mod calls;
pub mod clocks;
pub mod devices;
pub mod ground;
pub mod network;
pub mod provisioning;
pub mod registrations;
pub mod said;
pub mod sip;
pub mod streams;
pub mod subscriptions;
pub mod texts;
pub mod transfers;
