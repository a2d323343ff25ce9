//! CSeq (RFC 3261 §20.16) and RAck (RFC 3262 §7.2).

use crate::sip::Method;

/// The order of a request in its dialog.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CSeq {
    /// Below 2^31.
    pub number: u32,
    /// The request's method.
    pub method: Method,
}

impl CSeq {
    /// Reads `number method`.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let end = value.iter().position(u8::is_ascii_whitespace)?;
        let number = crate::sip::grammar::number(&value[..end]).filter(|&n| n < 1 << 31)?;
        let method = value[end..].trim_ascii_start();
        let is_one_word = !method.iter().any(u8::is_ascii_whitespace);
        is_one_word.then(|| Self { number, method: Method::from_bytes(method) })
    }
}

/// Which provisional response a PRACK acknowledges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RAck {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The CSeq of the response.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads `rseq number method`.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let end = value.iter().position(u8::is_ascii_whitespace)?;
        Some(Self { rseq: crate::sip::grammar::number(&value[..end])?, cseq: CSeq::parse(&value[end..])? })
    }
}
