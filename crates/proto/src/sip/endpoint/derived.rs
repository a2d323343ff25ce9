//! The ACK of a refusal (RFC 3261 §17.1.1.3) and the CANCEL (RFC 3261 §9.1): both follow from the
//! INVITE as it was sent.

use bytes::Bytes;

use super::Shared;
use crate::sip::{Message, Method, Name};

impl Shared {
    /// `method` for the INVITE in `sent`, with `to` as To or the INVITE's own. `None` where what was
    /// sent cannot be read again, which takes a request longer than a message may be.
    pub(super) fn derived(
        &mut self,
        method: Method,
        sent: &[u8],
        to: Option<&[u8]>,
        reason: Option<&str>,
    ) -> Option<Bytes> {
        let invite = Message::parse(sent).ok()?;
        let cseq = invite.cseq()?.number.to_string();
        let method = method.as_str();
        self.scratch.clear();
        self.append(&[method, " ", invite.request_uri(), " SIP/2.0\r\n"]);
        self.line(Name::Via, invite.values(Name::Via).next()?);
        for route in invite.headers(Name::Route) {
            self.line(Name::Route, route);
        }
        self.line(Name::From, invite.header(Name::From)?);
        self.line(Name::To, to.or(invite.header(Name::To))?);
        self.line(Name::CallId, invite.header(Name::CallId)?);
        self.append(&["CSeq: ", &cseq, " ", method, "\r\nMax-Forwards: 70\r\n"]);
        if let Some(reason) = reason {
            self.line(Name::Reason, reason.replace(['\r', '\n'], " ").as_bytes());
        }
        if let Some(product) = self.config.product.clone() {
            self.line(Name::UserAgent, product.as_bytes());
        }
        self.append(&["Content-Length: 0\r\n\r\n"]);
        Some(Bytes::copy_from_slice(&self.scratch))
    }

    fn line(&mut self, name: Name, value: &[u8]) {
        self.append(&[name.as_str(), ": "]);
        self.scratch.extend_from_slice(value);
        self.append(&["\r\n"]);
    }

    fn append(&mut self, parts: &[&str]) {
        for part in parts {
            self.scratch.extend_from_slice(part.as_bytes());
        }
    }
}
