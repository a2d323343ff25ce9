//! Reason (RFC 3326) and Diversion (RFC 5806).

use std::borrow::Cow;

use super::{Address, Params, unquote};
use crate::sip::{Message, Name};

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
    /// All members of a message's Reason headers, those of SIP first: others tell what a gateway heard.
    pub fn of<'m>(message: &'m Message<'a>) -> impl Iterator<Item = Self> + use<'m, 'a>
    where
        'a: 'm,
    {
        let all = move || {
            let texts = message.values(Name::Reason).filter_map(|value| std::str::from_utf8(value).ok());
            texts.filter_map(Self::parse)
        };
        let is_sip = |reason: &Self| reason.protocol.eq_ignore_ascii_case("SIP");
        all().filter(is_sip).chain(all().filter(move |reason| !is_sip(reason)))
    }

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

    #[test]
    fn each_member_counts_and_sip_is_first() {
        let bytes = b"CANCEL sip:a SIP/2.0\r\nReason: Q.850;cause=26;text=\"x, y\", SIP;cause=200;text=\"Call completed elsewhere\"\r\nReason: X\r\n\r\n";
        let message = Message::parse(bytes).expect("sound");
        let all: Vec<_> =
            Reason::of(&message).map(|reason| (reason.protocol.to_owned(), reason.cause)).collect();
        let expected = [("SIP", Some(200)), ("Q.850", Some(26)), ("X", None)];
        assert_eq!(all, expected.map(|(protocol, cause)| (protocol.to_owned(), cause)));
    }
}
