//! What is demanded of a message before it is acted upon: index, lenient, strict.

mod values;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod quirks;
#[cfg(test)]
mod torture;

use std::ops::ControlFlow;

use super::Uri;
use super::header::Via;
use super::message::{Flaw, FlawKind, Message, Method, Name};

/// How much is demanded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Strictness {
    /// Nothing: the doctor reads everything.
    Index,
    /// What cannot be acted upon safely is refused; harmless slips of real peers are not.
    #[default]
    Lenient,
    /// Everything that RFC 3261 demands of a parser.
    Strict,
}

/// Takes each fault; says whether to look for more.
type Report<'r> = &'r mut dyn FnMut(Flaw) -> ControlFlow<Flaw>;

impl Message<'_> {
    /// The first flaw for which this message must be refused.
    ///
    /// # Errors
    /// That flaw; [`FlawKind::status`] is the answer to a request.
    pub fn check(&self, strictness: Strictness) -> Result<(), Flaw> {
        match self.examine(strictness, &mut ControlFlow::Break) {
            ControlFlow::Break(flaw) => Err(flaw),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    /// Everything that a reader of this strictness refuses, by position.
    pub fn faults(&self, strictness: Strictness) -> Vec<Flaw> {
        let mut faults = Vec::new();
        let _ = self.examine(strictness, &mut |flaw| {
            faults.push(flaw);
            ControlFlow::Continue(())
        });
        faults.sort_by_key(|flaw| flaw.at);
        faults
    }

    fn examine(&self, strictness: Strictness, report: Report<'_>) -> ControlFlow<Flaw> {
        if strictness == Strictness::Index {
            return ControlFlow::Continue(());
        }
        for flaw in self.flaws().iter().filter(|flaw| is_refused(flaw.kind, strictness)) {
            report(*flaw)?;
        }
        self.examine_uri(strictness, report)?;
        self.examine_mandatory(report)?;
        self.examine_repeated(strictness, report)?;
        if strictness == Strictness::Strict {
            for (name, _, value) in self.all() {
                values::examine(self, name, value, report)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn examine_uri(&self, strictness: Strictness, report: Report<'_>) -> ControlFlow<Flaw> {
        let super::message::Start::Request { uri: text, .. } = self.start() else {
            return ControlFlow::Continue(());
        };
        let kind = match Uri::parse(self.request_uri()) {
            None => FlawKind::RequestUri,
            Some(_) if strictness != Strictness::Strict => return ControlFlow::Continue(()),
            Some(uri) if !uri.headers.is_empty() => FlawKind::UriHeaders,
            Some(uri) if uri.is_sip() && !escapes_are_sound(text) => FlawKind::RequestUri,
            Some(_) => return ControlFlow::Continue(()),
        };
        report(Flaw { at: self.position(text), kind })
    }

    /// The headers without which no transaction or dialog can be found (RFC 3261 §8.1.1). An absent
    /// Max-Forwards, tag or branch is left to the layers above: RFC 2543 peers send none.
    fn examine_mandatory(&self, report: Report<'_>) -> ControlFlow<Flaw> {
        let mut expect =
            |name: Name, missing: FlawKind, kind: FlawKind, sound: &dyn Fn(&[u8]) -> bool| match self
                .header(name)
            {
                None => report(Flaw { at: self.position(self.body()), kind: missing }),
                Some(value) if sound(value) => ControlFlow::Continue(()),
                Some(value) => {
                    let kind = if values::is_quote_open(value) { FlawKind::Quote } else { kind };
                    report(Flaw { at: self.position(value), kind })
                }
            };
        let is_known = |via: Via<'_>| via.version == "2.0";
        let hops = |_: &[u8]| {
            self.via().is_some_and(is_known)
                && self.values(Name::Via).skip(1).all(|via| Via::parse(via).is_some_and(is_known))
        };
        let some = |value: &[u8]| !value.is_empty() && std::str::from_utf8(value).is_ok();
        expect(Name::Via, FlawKind::MissingVia, FlawKind::Via, &hops)?;
        expect(Name::From, FlawKind::MissingFrom, FlawKind::From, &|_| self.from().is_some())?;
        expect(Name::To, FlawKind::MissingTo, FlawKind::To, &|_| self.to().is_some())?;
        expect(Name::CallId, FlawKind::MissingCallId, FlawKind::CallId, &some)?;
        expect(Name::CSeq, FlawKind::MissingCSeq, FlawKind::CSeq, &|_| self.cseq().is_some())?;
        match self.header(Name::CSeq) {
            Some(value) if self.cseq().is_some() && !self.is_method_of(value) => {
                report(Flaw { at: self.position(value), kind: FlawKind::CSeqMethod })
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// Whether a readable CSeq names the method of this request; a response has none.
    fn is_method_of(&self, cseq: &[u8]) -> bool {
        match (self.method(), self.cseq()) {
            (Some(Method::Other), _) => cseq.ends_with(self.method_text()),
            (Some(method), Some(cseq)) => method == cseq.method,
            _ => true,
        }
    }

    fn examine_repeated(&self, strictness: Strictness, report: Report<'_>) -> ControlFlow<Flaw> {
        const ALWAYS: &[Name] = &[Name::From, Name::To, Name::CallId, Name::CSeq, Name::MaxForwards];
        const STRICTLY: &[Name] =
            &[Name::Expires, Name::MinExpires, Name::ContentType, Name::Date, Name::Event, Name::ReferTo];
        let strictly = if strictness == Strictness::Strict { STRICTLY } else { &[] };
        for &name in ALWAYS.iter().chain(strictly) {
            if let Some(second) = self.headers(name).nth(1) {
                report(Flaw { at: self.position(second), kind: FlawKind::Repeated })?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a flaw of form is reason enough. What RFC 3261 tells a receiver to skip is none even for
/// a strict one: empty lines in front (§7.5) and bytes behind a datagram's body (§18.3).
fn is_refused(kind: FlawKind, strictness: Strictness) -> bool {
    match kind {
        FlawKind::LeadingCrlf | FlawKind::Surplus => false,
        FlawKind::BareLf | FlawKind::StartLineSpace => strictness == Strictness::Strict,
        _ => true,
    }
}

/// Whether each `%` is followed by two hexadecimal digits.
fn escapes_are_sound(uri: &[u8]) -> bool {
    let mut rest = uri;
    while let Some(at) = memchr::memchr(b'%', rest) {
        match rest.get(at + 1..at + 3) {
            Some([high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = rest.get(at + 3..).unwrap_or_default();
            }
            _ => return false,
        }
    }
    true
}
