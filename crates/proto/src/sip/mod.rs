//! SIP: RFC 3261 and its extensions.

pub mod body;
pub mod build;
pub mod dialog;
pub mod digest;
pub mod endpoint;
pub mod flow;
pub mod framing;
pub mod grammar;
pub mod header;
pub mod line_token;
pub mod locate;
pub mod message;
pub mod method;
pub mod name;
pub mod sipfrag;
pub mod strict;
pub mod transaction;
pub mod uri;
pub mod usage;

pub use build::{Reply, Request};
pub use endpoint::Endpoint;
pub use flow::{Flow, FlowFault, Target, Transmit, Transport};
pub use message::Message;
pub use method::Method;
pub use name::Name;
pub use strict::Strictness;
pub use uri::Uri;
