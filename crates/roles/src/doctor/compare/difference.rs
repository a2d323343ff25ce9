//! What a comparison says.

use crate::doctor::tracks::Tracks;
use crate::doctor::{Kept, Proof};

/// From this weight on a difference may be why one fails.
pub const MATTERS: u8 = 50;

/// One of the two traces.
#[derive(Debug)]
pub struct Trace {
    /// Its facts.
    pub tracks: Tracks,
    /// Its messages.
    pub kept: Vec<Kept>,
}

/// What kind of difference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The final answer.
    Outcome,
    /// A message that only the working trace has.
    Missing,
    /// A message that only the failing trace has.
    Extra,
    /// A header.
    Header,
    /// The session description or another body.
    Body,
    /// A message that comes earlier or later than in the other trace.
    Order,
    /// How long it takes, and how often a message is sent.
    Timing,
    /// The sound.
    Sound,
}

impl Kind {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Header => "header",
            Self::Body => "body",
            Self::Order => "order",
            Self::Timing => "timing",
            Self::Sound => "sound",
        }
    }
}

/// One difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What kind.
    pub kind: Kind,
    /// How much it matters, 0 to 100.
    pub weight: u8,
    /// The call, registration or subscription.
    pub talk: String,
    /// What differs, in a sentence.
    pub what: String,
    /// In the working trace: where, and what stands there.
    pub working: Option<(Proof, String)>,
    /// In the failing trace.
    pub failing: Option<(Proof, String)>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// All differences, those that matter most first.
    pub differences: Vec<Difference>,
    /// The first in the course of the failing trace that matters.
    pub first: Option<Difference>,
    /// How many messages of both traces have the same role.
    pub aligned: usize,
}
