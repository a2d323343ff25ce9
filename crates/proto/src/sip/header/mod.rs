//! Header values, typed when asked for; one header, one file.
//!
//! Values arrive as bytes, with folds inside; blanks and line breaks count as blanks here
//! (RFC 3261 §7.3.1). Everything returned borrows from the message.

mod address;
mod cseq;
mod event;
mod reason;
mod replaces;
mod session;
mod via;

pub use address::{Address, Addresses};
pub use cseq::{CSeq, RAck};
pub use event::{Event, SubState, SubscriptionState, Termination};
pub use reason::{Diversion, Reason};
pub use replaces::Replaces;
pub use session::SessionExpires;
pub use via::Via;
