//! Session descriptions: RFC 8866, and who may send what to whom: RFC 3264.
//!
//! [`Description`] keeps every byte it was parsed from, so a relay changes an address and nothing
//! else. [`OfferAnswer`] is the machine of one audio stream between two parties. For a relay,
//! [`Description::redirect`] and its neighbours change the way of a stream and leave the rest.

pub mod attribute;
pub mod description;
pub mod fault;
mod line;
mod local;
mod meeting;
pub mod offer_answer;
mod refusal;
mod relay;

pub use attribute::{Connection, Crypto, Direction, Origin, RtcpAttribute, RtpMap};
pub use description::{Description, Media, Section};
pub use fault::{SdpError, SdpFault};
pub use line::{Line, LineEnd};
pub use offer_answer::{
    Agreed, AgreedSrtp, Answer, Codec, HoldForm, Local, OfferAnswer, Refusal, Renumbered, SrtpPolicy,
};
