//! How a call ended.

use std::fmt;

use crate::phone::event::By;

/// How a call ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) struct Cause {
    pub(super) status: Option<u16>,
    pub(super) reason: EndReason,
    pub(super) by: By,
}

/// Why a call ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum EndReason {
    /// Another phone has answered it (RFC 3326); the list of missed calls leaves it out.
    AnsweredElsewhere,
    /// Anything else, in words.
    Other(String),
}

impl<T: Into<String>> From<T> for EndReason {
    fn from(words: T) -> Self {
        Self::Other(words.into())
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnsweredElsewhere => "answered elsewhere",
            Self::Other(words) => words,
        })
    }
}

impl Cause {
    pub(in super::super) fn new(status: Option<u16>, reason: impl Into<EndReason>, by: By) -> Self {
        Self { status, reason: reason.into(), by }
    }
}
