//! What is demanded of a message before it is acted upon: index, lenient, strict.

use super::header::{Address, Via};
use super::message::{Flaw, FlawKind, Message, Method, Name};

/// How much is demanded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Strictness {
    /// Nothing: the doctor reads everything.
    Index,
    /// What cannot be acted upon safely is refused; harmless slips of real peers are not.
    #[default]
    Lenient,
    /// Everything that RFC 3261 demands.
    Strict,
}

impl Message<'_> {
    /// The first flaw for which this message must be refused.
    ///
    /// # Errors
    /// That flaw; [`FlawKind::status`] is the answer to a request.
    pub fn check(&self, strictness: Strictness) -> Result<(), Flaw> {
        if strictness == Strictness::Index {
            return Ok(());
        }
        for flaw in self.flaws() {
            let harmless = matches!(
                flaw.kind,
                FlawKind::BareLf | FlawKind::LeadingCrlf | FlawKind::StartLineSpace | FlawKind::Surplus
            );
            if strictness == Strictness::Strict && flaw.kind != FlawKind::LeadingCrlf || !harmless {
                return Err(*flaw);
            }
        }
        self.check_mandatory()
    }

    fn check_mandatory(&self) -> Result<(), Flaw> {
        let flaw = |name: Name, kind| {
            let value = self.header(name);
            let kind = if value.is_none() { FlawKind::Missing } else { kind };
            Err(Flaw { at: value.map_or(0, |v| self.position(v)), kind })
        };
        if self.values(Name::Via).next().and_then(Via::parse).is_none() {
            return flaw(Name::Via, FlawKind::Via);
        }
        if self.header(Name::From).and_then(Address::parse).is_none() {
            return flaw(Name::From, FlawKind::From);
        }
        if self.header(Name::To).and_then(Address::parse).is_none() {
            return flaw(Name::To, FlawKind::To);
        }
        if self.call_id().is_empty() {
            return flaw(Name::CallId, FlawKind::CallId);
        }
        let Some(cseq) = self.cseq() else {
            return flaw(Name::CSeq, FlawKind::CSeq);
        };
        match self.method() {
            Some(method) if method != cseq.method && method != Method::Other => {
                flaw(Name::CSeq, FlawKind::CSeqMethod)
            }
            _ => Ok(()),
        }
    }
}
