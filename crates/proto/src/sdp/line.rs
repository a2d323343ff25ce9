//! One line of a session description.

use std::borrow::Cow;
use std::fmt;

use super::attribute::{Connection, Origin};
use super::fault::{MAX_LINE_BYTES, SdpFault};

/// One line, with the end it came with.
#[derive(Clone, Eq, PartialEq)]
pub struct Line {
    text: Vec<u8>,
    end: LineEnd,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LineEnd {
    /// CR LF, as the RFC asks and as every new line is written.
    CrLf,
    /// LF alone.
    Lf,
    /// The body ended first.
    Missing,
}

impl Line {
    /// A line that ends with CR LF. Control characters in the value are dropped: a name out of somebody
    /// else's message must not become a line of its own.
    pub fn new(kind: char, value: &str) -> Self {
        let mut line = Self { text: Vec::new(), end: LineEnd::CrLf };
        line.write_text(kind, value);
        line
    }

    /// The letter before `=`; none for a blank line.
    pub fn kind(&self) -> Option<char> {
        match self.text.as_slice() {
            [kind, b'=', ..] => Some(char::from(*kind)),
            _ => None,
        }
    }

    /// What stands after `=`; bytes that are no UTF-8 appear as replacement characters.
    pub fn value(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.text.get(2..).unwrap_or_default())
    }

    /// The value of the attribute of this name, if the line is one; "" for a flag.
    pub fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        if self.kind() != Some('a') {
            return None;
        }
        let rest = self.text.get(2..)?;
        let end = rest.iter().position(|&byte| byte == b':').unwrap_or(rest.len());
        let found = rest.get(..end)?.trim_ascii();
        found.eq_ignore_ascii_case(name.as_bytes()).then(|| {
            let value = rest.get(end.saturating_add(1)..).unwrap_or_default();
            String::from_utf8_lossy(value.trim_ascii())
        })
    }

    /// Replaces what stands after `=`; a body that ended here gets a line end.
    pub(super) fn set_value(&mut self, value: &str) {
        if let Some(kind) = self.kind() {
            self.text.clear();
            self.write_text(kind, value);
        }
    }

    /// Replaces one word of the value, the first being 0, and leaves the spaces as they are.
    pub(super) fn set_word(&mut self, index: usize, word: &str) {
        let is_space = |place: usize| self.text.get(place).is_none_or(u8::is_ascii_whitespace);
        let begins = |place: &usize| !is_space(*place) && (*place == 2 || is_space(place - 1));
        let Some(start) = (2..self.text.len()).filter(begins).nth(index) else { return };
        let end = (start..self.text.len()).find(|place| is_space(*place)).unwrap_or(self.text.len());
        self.text.splice(start..end, word.bytes());
    }

    fn write_text(&mut self, kind: char, value: &str) {
        let mut text = format!("{kind}=");
        text.extend(value.chars().filter(|c| !c.is_control()));
        self.text = text.into_bytes();
    }

    pub(super) fn from_raw(raw: &[u8]) -> Self {
        let (text, end) = match raw {
            [text @ .., b'\r', b'\n'] => (text, LineEnd::CrLf),
            [text @ .., b'\n'] => (text, LineEnd::Lf),
            text => (text, LineEnd::Missing),
        };
        Self { text: text.to_vec(), end }
    }

    pub(super) fn check(&self) -> Result<(), SdpFault> {
        if self.text.len() > MAX_LINE_BYTES {
            return Err(SdpFault::LineTooLong);
        }
        match self.kind() {
            Some('o') if Origin::parse(&self.value()).is_none() => Err(SdpFault::Origin),
            Some('c') if Connection::parse(&self.value()).is_none() => Err(SdpFault::Connection),
            None if !self.text.is_empty() => Err(SdpFault::NoKind),
            _ => Ok(()),
        }
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        // The line before was the body's last and had no end; now another follows.
        if bytes.last().is_some_and(|&last| last != b'\n') {
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(&self.text);
        bytes.extend_from_slice(match self.end {
            LineEnd::CrLf => b"\r\n",
            LineEnd::Lf => b"\n",
            LineEnd::Missing => b"",
        });
    }
}

/// Keys stay out of logs.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.attribute("crypto").is_some() {
            return f.write_str("a=crypto:…");
        }
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}
