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
        let mut parts = value.split(|b| b.is_ascii_whitespace()).filter(|p| !p.is_empty());
        let number = super::number(parts.next()?).filter(|&n| n < 1 << 31)?;
        let method = Method::from_bytes(parts.next()?);
        parts.next().is_none().then_some(Self { number, method })
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
        Some(Self { rseq: super::number(&value[..end])?, cseq: CSeq::parse(&value[end..])? })
    }
}
