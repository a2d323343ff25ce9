//! A SIP message as an index over its own bytes (RFC 3261 §7).
//!
//! [`Message::parse`] walks once over the bytes and writes down where everything is; nothing is
//! copied and nothing allocated. Headers are typed when asked for. What is wrong with a message is
//! told as [`Flaw`]s with their byte position; whether a flaw matters is decided by
//! [`Message::check`](super::strict), so that the doctor can read what the phone must refuse.

mod flaw;
mod typed;

use std::fmt;

use memchr::memchr;

use super::grammar::{is_token, members, number};
pub use super::method::Method;
pub use super::name::Name;
pub use flaw::{Flaw, FlawKind};
use typed::Known;

/// The longest message that is read, in bytes (RFC 3261 §18.1.1 asks for 65,535).
pub const MAX_MESSAGE_BYTES: usize = 65_535;
/// The most header lines that are read.
pub const MAX_HEADERS: usize = 96;
/// The most flaws that are remembered.
pub const MAX_FLAWS: usize = 12;

/// One message, borrowed from the bytes that arrived.
#[derive(Clone)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start: StartSpan,
    lines: [Line; MAX_HEADERS],
    count: u8,
    first: [u8; Name::COUNT],
    body: (u16, u16),
    flaws: [Flaw; MAX_FLAWS],
    flaw_count: u8,
    /// Typed headers that were asked for before.
    known: Known<'a>,
}

/// What the first line says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start<'a> {
    /// A request line.
    Request {
        /// The method.
        method: Method,
        /// The Request-URI as written.
        uri: &'a [u8],
    },
    /// A status line.
    Response {
        /// The status code, 100 to 699 in a sound message.
        status: u16,
        /// The reason phrase as written.
        reason: &'a [u8],
    },
}

#[derive(Clone, Copy)]
enum StartSpan {
    Request { method: Method, name: (u16, u16), uri: (u16, u16) },
    Response { status: u16, reason: (u16, u16) },
}

/// Where one header line stands; small, since a whole table of them is cleared for each message.
#[derive(Clone, Copy)]
struct Line {
    name: Name,
    /// The next line with this name.
    next: u8,
    name_len: u8,
    name_at: u16,
    value_at: u16,
    value_end: u16,
}

/// These bytes are no SIP message at all, not even a flawed one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotSip {
    /// Nothing but line breaks: a keep-alive (RFC 5626 §3.5.1).
    KeepAlive,
    /// Longer than [`MAX_MESSAGE_BYTES`].
    TooLong,
    /// The first line is neither a request line nor a status line.
    StartLine,
}

impl fmt::Display for NotSip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeepAlive => "a keep-alive, not a message",
            Self::TooLong => "longer than 65,535 bytes",
            Self::StartLine => "the first line is neither a request line nor a status line of SIP",
        })
    }
}

impl std::error::Error for NotSip {}

impl<'a> Message<'a> {
    /// Indexes `bytes`, one datagram or one framed message.
    ///
    /// # Errors
    /// [`NotSip`] where not even a start line can be found; everything else is a flaw.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotSip> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(NotSip::TooLong);
        }
        let skipped = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if skipped == bytes.len() {
            return Err(NotSip::KeepAlive);
        }
        let line_len = memchr(b'\n', &bytes[skipped..]).unwrap_or(bytes.len() - skipped);
        let mut message = Self {
            bytes,
            start: StartSpan::Response { status: 0, reason: (0, 0) },
            lines: [NO_LINE; MAX_HEADERS],
            count: 0,
            first: [NONE; Name::COUNT],
            body: (bytes.len() as u16, bytes.len() as u16),
            flaws: [Flaw { at: 0, kind: FlawKind::Header }; MAX_FLAWS],
            flaw_count: 0,
            known: Known::default(),
        };
        if skipped > 0 {
            message.flaw(0, FlawKind::LeadingCrlf);
        }
        message.read_start(skipped, skipped + line_len)?;
        let headers_at = (skipped + line_len + 1).min(bytes.len());
        let body_at = message.read_headers(headers_at);
        message.read_body(body_at);
        Ok(message)
    }

    /// The bytes as they arrived.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The first line.
    pub fn start(&self) -> Start<'a> {
        match self.start {
            StartSpan::Request { method, uri, .. } => Start::Request { method, uri: self.span(uri) },
            StartSpan::Response { status, reason } => Start::Response { status, reason: self.span(reason) },
        }
    }

    /// The method of a request.
    pub fn method(&self) -> Option<Method> {
        match self.start {
            StartSpan::Request { method, .. } => Some(method),
            StartSpan::Response { .. } => None,
        }
    }

    /// The method as written; empty in a response.
    pub fn method_text(&self) -> &'a [u8] {
        match self.start {
            StartSpan::Request { name, .. } => self.span(name),
            StartSpan::Response { .. } => &[],
        }
    }

    /// The Request-URI; empty in a response or where it is not UTF-8.
    pub fn request_uri(&self) -> &'a str {
        match self.start {
            StartSpan::Request { uri, .. } => std::str::from_utf8(self.span(uri)).unwrap_or_default(),
            StartSpan::Response { .. } => "",
        }
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            StartSpan::Response { status, .. } => Some(status),
            StartSpan::Request { .. } => None,
        }
    }

    /// The reason phrase of a response, empty in a request; not UTF-8 is replaced.
    pub fn reason(&self) -> std::borrow::Cow<'a, str> {
        match self.start {
            StartSpan::Response { reason, .. } => String::from_utf8_lossy(self.span(reason)),
            StartSpan::Request { .. } => "".into(),
        }
    }

    /// Whether this is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, StartSpan::Request { .. })
    }

    /// The value of the first line with this name, blanks trimmed, folds kept (RFC 3261 §7.3.1).
    pub fn header(&self, name: Name) -> Option<&'a [u8]> {
        match self.first[name as usize] {
            NONE => None,
            at => self.lines.get(usize::from(at)).map(|line| self.value(line)),
        }
    }

    /// [`header`](Self::header) as text; `None` where it is absent or not UTF-8.
    pub fn text(&self, name: Name) -> Option<&'a str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// The values of all lines with this name, in order.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        let mut at = self.first[name as usize];
        std::iter::from_fn(move || {
            let line = self.lines.get(usize::from(at))?;
            at = line.next;
            Some(self.value(line))
        })
    }

    /// The members of a list header over all its lines (RFC 3261 §7.3.1): `a, b` is two.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.headers(name).flat_map(members)
    }

    /// Every header line in order: name as written, value.
    pub fn all(&self) -> impl Iterator<Item = (Name, &'a [u8], &'a [u8])> + '_ {
        self.lines[..usize::from(self.count)].iter().map(|line| {
            let at = usize::from(line.name_at);
            (line.name, &self.bytes[at..at + usize::from(line.name_len)], self.value(line))
        })
    }

    /// Appends the message: the start line and every indexed header as written, ends of lines
    /// mended, and the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        let bytes = self.bytes;
        let copy =
            |out: &mut Vec<u8>, (from, to)| out.extend_from_slice(bytes.get(from..to).unwrap_or_default());
        out.reserve(bytes.len() + 2);
        // Lines that follow one another are copied in one piece.
        let (mut run, mut line) = ((0, 0), self.start_line());
        let mut rest = self.lines[..usize::from(self.count)].iter();
        loop {
            if line.0 != run.1 {
                copy(out, run);
                run = (line.0, line.0);
            }
            if bytes.get(line.1..line.1 + 2) == Some(b"\r\n") {
                run.1 = line.1 + 2;
            } else {
                copy(out, (run.0, line.1));
                out.extend_from_slice(b"\r\n");
                run = (line.1, line.1);
            }
            let Some(next) = rest.next() else { break };
            line = (usize::from(next.name_at), usize::from(next.value_end));
        }
        copy(out, run);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body());
    }

    /// Where the first line begins and ends.
    fn start_line(&self) -> (usize, usize) {
        let from = self.bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let line = self.bytes.get(from..).unwrap_or_default();
        let line = line.get(..memchr(b'\n', line).unwrap_or(line.len())).unwrap_or_default();
        (from, from + line.trim_ascii_end().len())
    }

    /// Whether a list header has this token, in any case (`Supported`, `Require`, `Allow`).
    pub fn has_token(&self, name: Name, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The body, as long as Content-Length says or as there is.
    pub fn body(&self) -> &'a [u8] {
        self.span(self.body)
    }

    /// What is wrong with the form of this message.
    pub fn flaws(&self) -> &[Flaw] {
        &self.flaws[..usize::from(self.flaw_count)]
    }

    /// The byte position of a slice of this message; 0 for a foreign slice.
    pub fn position(&self, part: &[u8]) -> u16 {
        let at = (part.as_ptr() as usize).wrapping_sub(self.bytes.as_ptr() as usize);
        if at <= self.bytes.len() { at as u16 } else { 0 }
    }

    fn span(&self, (from, to): (u16, u16)) -> &'a [u8] {
        self.bytes.get(usize::from(from)..usize::from(to)).unwrap_or_default()
    }

    fn value(&self, line: &Line) -> &'a [u8] {
        self.span((line.value_at, line.value_end))
    }

    fn flaw(&mut self, at: usize, kind: FlawKind) {
        if let Some(slot) = self.flaws.get_mut(usize::from(self.flaw_count)) {
            *slot = Flaw { at: at.min(MAX_MESSAGE_BYTES) as u16, kind };
            self.flaw_count += 1;
        }
    }

    fn read_start(&mut self, from: usize, to: usize) -> Result<(), NotSip> {
        let bytes = self.bytes;
        let mut end = to;
        if end > from && bytes[end - 1] == b'\r' {
            end -= 1;
        } else if to < bytes.len() {
            self.flaw(to, FlawKind::BareLf);
        }
        let line = &bytes[from..end];
        if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
            return self.read_status_line(from, end);
        }
        let method_len = memchr(b' ', line).ok_or(NotSip::StartLine)?;
        let last = memchr::memrchr(b' ', line.trim_ascii_end()).ok_or(NotSip::StartLine)?;
        let version = line[last..].trim_ascii();
        if method_len == 0
            || last <= method_len
            || !version.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/"))
        {
            return Err(NotSip::StartLine);
        }
        if !line[..method_len].iter().all(|&b| is_token(b)) {
            return Err(NotSip::StartLine);
        }
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            self.flaw(from + last + 1, FlawKind::Version);
        }
        let middle = &line[method_len + 1..last];
        let uri = middle.trim_ascii();
        if uri.len() != middle.len() || line.len() != line.trim_ascii_end().len() {
            self.flaw(from + method_len + 1, FlawKind::StartLineSpace);
        }
        let uri_at = from + method_len + 1 + (middle.len() - middle.trim_ascii_start().len());
        let method = Method::from_bytes(&line[..method_len]);
        self.start = StartSpan::Request {
            method,
            name: (from as u16, (from + method_len) as u16),
            uri: (uri_at as u16, (uri_at + uri.len()) as u16),
        };
        Ok(())
    }

    fn read_status_line(&mut self, from: usize, end: usize) -> Result<(), NotSip> {
        let line = &self.bytes[from..end];
        let version_len = memchr(b' ', line).ok_or(NotSip::StartLine)?;
        if !line[..version_len].eq_ignore_ascii_case(b"SIP/2.0") {
            self.flaw(from, FlawKind::Version);
        }
        let rest = &line[version_len + 1..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let after = rest.get(digits);
        if digits == 0 || !matches!(after, None | Some(b' ')) {
            return Err(NotSip::StartLine);
        }
        let status = number(&rest[..digits]).unwrap_or(u32::MAX);
        if digits != 3 || !(100..700).contains(&status) {
            self.flaw(from + version_len + 1, FlawKind::StatusCode);
        }
        let reason_at = (from + version_len + 1 + digits + 1).min(end);
        self.start = StartSpan::Response {
            status: status.min(u32::from(u16::MAX)) as u16,
            reason: (reason_at as u16, end as u16),
        };
        Ok(())
    }

    /// Reads header lines from `at`; returns where the body begins.
    fn read_headers(&mut self, mut at: usize) -> usize {
        let bytes = self.bytes;
        let mut last = [NONE; Name::COUNT];
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match rest {
                [b'\r', b'\n', ..] => return at + 2,
                [b'\n', ..] => return at + 1,
                [] => {
                    self.flaw(at, FlawKind::NoBlankLine);
                    return at;
                }
                _ => {}
            }
            let (end, next) = self.logical_line(at);
            self.read_header(at, end, &mut last);
            at = next;
        }
    }

    /// The end of the header that begins at `at` without its line break, and where the next begins.
    fn logical_line(&mut self, at: usize) -> (usize, usize) {
        let bytes = self.bytes;
        let mut from = at;
        loop {
            let Some(len) = memchr(b'\n', &bytes[from..]) else {
                return (bytes.len(), bytes.len());
            };
            let lf = from + len;
            let crlf = lf > at && bytes[lf - 1] == b'\r';
            if !crlf && !self.flaws().iter().any(|f| f.kind == FlawKind::BareLf) {
                self.flaw(lf, FlawKind::BareLf);
            }
            if !matches!(bytes.get(lf + 1), Some(b' ' | b'\t')) {
                return (if crlf { lf - 1 } else { lf }, lf + 1);
            }
            from = lf + 1;
        }
    }

    fn read_header(&mut self, at: usize, end: usize, last: &mut [u8; Name::COUNT]) {
        let line = &self.bytes[at..end];
        let Some(colon) = colon(line) else { return self.flaw(at, FlawKind::NoColon) };
        let blanks = line[..colon].iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let name = &line[..colon - blanks];
        let known = Name::from_bytes(name);
        // A name that is known needs no second look.
        let sound = known != Name::Other || name.iter().all(|&b| is_token(b));
        if !sound || name.is_empty() || name.len() > usize::from(u8::MAX) {
            return self.flaw(at, FlawKind::HeaderName);
        }
        let index = self.count;
        if usize::from(index) == MAX_HEADERS {
            if !self.flaws().iter().any(|f| f.kind == FlawKind::TooManyHeaders) {
                self.flaw(at, FlawKind::TooManyHeaders);
            }
            return;
        }
        let raw = &line[colon + 1..];
        let value = raw.trim_ascii_start();
        let value_at = end - value.len();
        let value = value.trim_ascii_end();
        self.lines[usize::from(index)] = Line {
            name: known,
            next: NONE,
            name_at: at as u16,
            name_len: name.len() as u8,
            value_at: value_at as u16,
            value_end: (value_at + value.len()) as u16,
        };
        match last[known as usize] {
            NONE => self.first[known as usize] = index,
            before => self.lines[usize::from(before)].next = index,
        }
        last[known as usize] = index;
        self.count += 1;
    }

    fn read_body(&mut self, at: usize) {
        let there = self.bytes.len().saturating_sub(at);
        let mut length = None;
        let mut flaw = None;
        for value in self.headers(Name::ContentLength) {
            let position = usize::from(self.position(value));
            match (number(value), length) {
                (None, _) => flaw = Some((position, FlawKind::ContentLengthValue)),
                (Some(n), None) => length = Some((n as usize, position)),
                (Some(n), Some((before, _))) if n as usize != before => {
                    flaw = Some((position, FlawKind::ContentLengthTwice));
                }
                _ => {}
            }
        }
        if let Some((position, kind)) = flaw {
            self.flaw(position, kind);
        }
        let mut len = there;
        if let Some((said, position)) = length {
            if said > there {
                self.flaw(position, FlawKind::ContentLengthLong);
            } else if said < there {
                self.flaw(at + said, FlawKind::Surplus);
                len = said;
            }
        }
        self.body = (at as u16, (at + len) as u16);
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = memchr(b'\r', self.bytes).unwrap_or(self.bytes.len()).min(80);
        write!(f, "Message({:?})", String::from_utf8_lossy(&self.bytes[..end]))
    }
}

/// Where the colon behind a header name stands: eight bytes at a time, which for names of a few letters
/// is quicker than a vector search.
fn colon(line: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = line.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let zero_at_colon = u64::from_le_bytes(*word) ^ (ONES * b':' as u64);
        let found = zero_at_colon.wrapping_sub(ONES) & !zero_at_colon & (ONES << 7);
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    Some(line.len() - rest.len() + rest.iter().position(|&b| b == b':')?)
}

const NONE: u8 = u8::MAX;
/// All zero, which is the quickest to clear; lines from `count` on are never looked at.
const NO_LINE: Line = Line { name: Name::Via, next: 0, name_len: 0, name_at: 0, value_at: 0, value_end: 0 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::Strictness;

    const REGISTER: &[u8] = b"REGISTER sip:192.168.50.19 SIP/2.0\r\n\
        v: SIP/2.0/UDP 192.168.80.198:5061;branch=z9hG4bK61ce;rport\r\n\
        From: \"7005\" <sip:7005@192.168.50.19>;tag=1\r\nTo: <sip:7005@192.168.50.19>\r\n\
        Call-ID: a@192.168.80.198\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@b>,\r\n <sip:c@d>;expires=5\r\n\
        X-Other: kept\r\nsupported: replaces, timer\r\nExpires: 1800\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn a_register_is_indexed() {
        let message = Message::parse(REGISTER).expect("sound");
        assert_eq!(message.method(), Some(Method::Register));
        assert_eq!(message.method_text(), b"REGISTER");
        assert_eq!(message.request_uri(), "sip:192.168.50.19");
        assert_eq!(message.from_tag(), "1");
        assert_eq!(message.number(Name::Expires), Some(1_800));
        assert_eq!(message.values(Name::Contact).count(), 2);
        assert!(message.has_token(Name::Supported, "TIMER"));
        assert!(message.all().any(|(_, name, value)| name == b"X-Other" && value == b"kept"));
        assert_eq!(message.flaws(), &[]);
        assert_eq!(message.check(Strictness::Strict), Ok(()));
    }

    #[test]
    fn flaws_have_a_place() {
        let message = Message::parse(b"OPTIONS sip:a SIP/2.0\r\nno colon\r\nContent-Length: 9\r\n\r\nbody")
            .expect("read");
        assert_eq!(message.body(), b"body");
        let kinds: Vec<_> = message.flaws().iter().map(|f| (f.at, f.kind)).collect();
        assert_eq!(kinds, [(23, FlawKind::NoColon), (49, FlawKind::ContentLengthLong)]);
        assert!(message.check(Strictness::Lenient).is_err());
    }

    #[test]
    fn a_thousand_headers_are_refused() {
        let mut bytes = b"OPTIONS sip:a SIP/2.0\r\n".to_vec();
        bytes.extend(b"A: b\r\n".repeat(1_000));
        bytes.extend(b"\r\n");
        let message = Message::parse(&bytes).expect("read");
        assert_eq!(message.all().count(), MAX_HEADERS);
        assert_eq!(message.check(Strictness::Lenient).map_err(|f| f.kind.status()), Err(513));
    }
}
