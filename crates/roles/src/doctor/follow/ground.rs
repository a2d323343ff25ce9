//! What all that follow SIP stand on.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// Deterministic, since nothing is iterated and runs must replay.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// What a message has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// A transaction has begun, by a request or by an answer to one that the capture lacks.
    Begun,
    /// A request was sent again.
    Again,
    /// An answer came: its index.
    Answered(usize),
    /// An answer came again.
    AnsweredAgain,
    /// The first ACK came.
    Acknowledged,
}
