//! Messages of our own: requests without their Via, replies without their head.
//!
//! The endpoint adds what belongs to the transaction (Via, branch, the copied head), so that a
//! request can be sent again to another target and a reply always matches its request.

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};

use super::message::{Method, Name};

/// A request, complete but for the Via that the endpoint adds.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it asks for.
    pub method: Method,
    /// Whether the Via asks for `rport` (RFC 3581).
    pub rport: bool,
    uri: String,
    headers: Headers,
    body: Body,
}

impl Request {
    /// A request with nothing but its first line.
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self { method, rport: true, uri: uri.into(), headers: Headers::default(), body: Body::default() }
    }

    /// The Request-URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Adds a header; line breaks in `value` become blanks, so nothing can be smuggled in.
    pub fn header(mut self, name: Name, value: impl Display) -> Self {
        self.headers.add(name.as_str(), value);
        self
    }

    /// Adds a header where there is a value for it.
    pub fn header_opt(self, name: Name, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Adds a header that has no [`Name`].
    pub fn named(mut self, name: &str, value: impl Display) -> Self {
        self.headers.add(name, value);
        self
    }

    /// The same request with another CSeq number, to be sent once more after a challenge (RFC 3261
    /// §8.1.3.5).
    pub fn renumbered(mut self, number: u32) -> Self {
        let lines = self.headers.0.split_inclusive("\r\n");
        let method = self.method;
        self.headers.0 = lines
            .map(|line| match line.starts_with("CSeq: ") {
                true => format!("CSeq: {number} {method}\r\n"),
                false => line.to_owned(),
            })
            .collect();
        self
    }

    /// Sets the body and its type.
    pub fn body(mut self, content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body { content_type, bytes: bytes.into() };
        self
    }

    /// The body, for `auth-int`.
    pub fn body_bytes(&self) -> &[u8] {
        &self.body.bytes
    }

    /// Appends the whole message, with `via` as the value of its only Via.
    pub fn write(&self, via: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        push_line_safe(out, self.uri.as_bytes());
        out.extend_from_slice(b" SIP/2.0\r\nVia: ");
        out.extend_from_slice(via.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.headers.0.as_bytes());
        self.body.write(out);
    }
}

/// An answer: status, To tag, further headers and a body; the rest is copied from the request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// 100 to 699.
    pub status: u16,
    /// The phrase behind the status.
    pub reason: Cow<'static, str>,
    /// The tag that To gets where the request's To has none (RFC 3261 §8.2.6.2).
    pub to_tag: Option<String>,
    headers: Headers,
    body: Body,
}

impl Reply {
    /// An answer with its usual phrase.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            reason: reason_phrase(status).into(),
            to_tag: None,
            headers: Headers::default(),
            body: Body::default(),
        }
    }

    /// With another phrase.
    pub fn reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = reason.into();
        self
    }

    /// With a To tag.
    pub fn to_tag(mut self, tag: impl Into<String>) -> Self {
        self.to_tag = Some(tag.into());
        self
    }

    /// Adds a header; line breaks in `value` become blanks.
    pub fn header(mut self, name: Name, value: impl Display) -> Self {
        self.headers.add(name.as_str(), value);
        self
    }

    /// Adds a header where there is a value for it.
    pub fn header_opt(self, name: Name, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Adds a header that has no [`Name`].
    pub fn named(mut self, name: &str, value: impl Display) -> Self {
        self.headers.add(name, value);
        self
    }

    /// Sets the body and its type.
    pub fn body(mut self, content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body { content_type, bytes: bytes.into() };
        self
    }

    /// Whether it ends the transaction.
    pub fn is_final(&self) -> bool {
        self.status >= 200
    }

    /// Appends the status line.
    pub fn write_status_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"SIP/2.0 ");
        let status = self.status.clamp(100, 699);
        out.extend_from_slice(&[
            b'0' + (status / 100) as u8,
            b'0' + (status / 10 % 10) as u8,
            b'0' + (status % 10) as u8,
            b' ',
        ]);
        push_line_safe(out, self.reason.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the further headers, Content-Length, the empty line and the body.
    pub fn write_rest(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.headers.0.as_bytes());
        self.body.write(out);
    }
}

#[derive(Clone, Debug, Default)]
struct Headers(String);

impl Headers {
    /// Room for the headers of most messages, taken at once.
    const USUAL_BYTES: usize = 256;

    fn add(&mut self, name: &str, value: impl Display) {
        if self.0.capacity() == 0 {
            self.0.reserve(Self::USUAL_BYTES);
        }
        self.0.push_str(name);
        self.0.push_str(": ");
        // Writing to a `String` cannot fail.
        let _ = write!(LineSafe(&mut self.0), "{value}");
        self.0.push_str("\r\n");
    }
}

#[derive(Clone, Debug, Default)]
struct Body {
    content_type: &'static str,
    bytes: Vec<u8>,
}

impl Body {
    fn write(&self, out: &mut Vec<u8>) {
        if !self.bytes.is_empty() {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(self.content_type.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"Content-Length: ");
        push_number(out, self.bytes.len());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.bytes);
    }
}

/// Turns line breaks and NUL into blanks while text is written.
struct LineSafe<'a>(&'a mut String);

impl fmt::Write for LineSafe<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            self.0.extend(text.chars().map(|c| if matches!(c, '\r' | '\n' | '\0') { ' ' } else { c }));
        } else {
            self.0.push_str(text);
        }
        Ok(())
    }
}

fn push_line_safe(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|&b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { b }));
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The usual phrase of a status (RFC 3261 §21 and the extensions that we speak).
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        429 => "Provide Referrer Identity",
        433 => "Anonymity Disallowed",
        440 => "Max-Breadth Exceeded",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => class_phrase(status),
    }
}

const fn class_phrase(status: u16) -> &'static str {
    match status {
        ..200 => "Session Progress",
        200..300 => "OK",
        300..400 => "Redirected",
        400..500 => "Request Failed",
        500..600 => "Server Failure",
        600.. => "Global Failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_smuggled_into_a_message() {
        let request = Request::new(Method::Options, "sip:a@b\r\nX: y")
            .header(Name::Subject, "one\r\nX-Bypass: yes")
            .body("text/plain", "hello");
        let mut bytes = Vec::new();
        request.write("SIP/2.0/UDP a;branch=z9hG4bKx", &mut bytes);
        let text = String::from_utf8(bytes).expect("text");
        assert_eq!(
            text,
            "OPTIONS sip:a@b  X: y SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\n\
             Subject: one  X-Bypass: yes\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
        );
    }
}
