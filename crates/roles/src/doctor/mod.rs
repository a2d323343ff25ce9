//! The doctor: reads captures, logs and configuration files, and puts together what they show.
//!
//! Pure as the roles are, but no [`Role`](crate::Role): it sends nothing and waits for nothing. The
//! program reads files and hands over packets and lines; [`Tracks`] are the facts, each with its
//! [`Proof`].

mod proof;
pub mod tracks;

pub use proof::{Carrier, Path, Proof};
pub use tracks::Tracks;
