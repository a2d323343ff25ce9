//! What all that follow SIP stand on.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

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

/// Mixes a number for the table of ways: a multiplication, since SipHash would be a third of the work.
#[derive(Debug, Default)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(8) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_u128(&mut self, number: u128) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let (high, low) = ((number >> 64) as u64, number as u64);
        let mixed = u128::from(high ^ ODD.rotate_left(29)).wrapping_mul(u128::from(low ^ ODD) | 1);
        self.0 = ((mixed >> 64) as u64 ^ mixed as u64).wrapping_mul(ODD);
    }
}
