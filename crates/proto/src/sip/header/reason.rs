//! Reason (RFC 3326) and Diversion (RFC 5806).

use std::borrow::Cow;

use super::Address;
use crate::sip::grammar::{Params, unquote};

/// Why a request or refusal was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850`, …
    pub protocol: &'a str,
    /// The cause, a status for `SIP`.
    pub cause: Option<u32>,
    /// In words.
    pub text: Option<Cow<'a, str>>,
}

impl<'a> Reason<'a> {
    /// Reads one member.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (protocol, params) = value.split_once(';').unwrap_or((value, ""));
        let params = Params(params);
        let protocol = protocol.trim();
        (!protocol.is_empty()).then(|| Self {
            protocol,
            cause: params.number("cause"),
            text: params.get("text").map(unquote),
        })
    }
}

/// Who diverted a call, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Diversion<'a> {
    /// The party that diverted.
    pub by: Address<'a>,
    /// `unconditional`, `user-busy`, `no-answer`, …; the deck's `no answer` is read as `no-answer`.
    pub reason: &'a str,
}

impl<'a> Diversion<'a> {
    /// Reads one member.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let by = Address::parse(value)?;
        let reason = by.params.get("reason").unwrap_or("unknown").trim_matches('"');
        let reason = if reason.eq_ignore_ascii_case("no answer") { "no-answer" } else { reason };
        Some(Self { by, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_no_answer() {
        for text in ["<sip:7002@h:5060>;reason=no answer", "<sip:7002@h:5060>;reason=no-answer"] {
            assert_eq!(Diversion::parse(text.as_bytes()).expect(text).reason, "no-answer");
        }
        let reason = Reason::parse("Q.850;Cause=18;text=\"No User Responding\"").expect("sound");
        assert_eq!((reason.cause, reason.text.as_deref()), (Some(18), Some("No User Responding")));
    }
}
