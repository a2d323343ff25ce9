//! Messages out of a byte stream: SIP over TCP and TLS (RFC 3261 §18.3, RFC 5626 §3.5.1).
//!
//! A stream has no message boundaries, so Content-Length decides. A head that leaves it in doubt
//! ends the stream: whatever followed could be read as a message that its sender never sent.

use std::fmt;

use memchr::memchr;

use super::grammar::{is_token, number};
use super::message::MAX_MESSAGE_BYTES;
use super::name::Name;

/// The longest head, from the start line to the empty line, in bytes.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// A drained buffer that has grown beyond this is given back, so that idle connections stay small.
const KEEP_BYTES: usize = 16 * 1024;

/// Cuts one direction of a connection into frames.
///
/// Push what arrives, then take frames until there is none; what is kept between two pushes is less
/// than one message.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where the next frame begins.
    begin: usize,
    /// Where the line that has not yet been looked at begins.
    line: usize,
    /// Where the body begins and the message ends, once the head is complete.
    message: Option<(usize, usize)>,
    after_crlf: bool,
    broken: bool,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Frame<'a> {
    /// One whole message.
    Message(&'a [u8]),
    /// The second CRLF of a keep-alive; the answer is one CRLF.
    Ping,
    /// A CRLF: the answer to a ping of ours, or the first half of one of theirs, which asks for
    /// nothing yet.
    Pong,
    /// The stream cannot be read any further and must be closed; nothing follows.
    Broken {
        /// Why.
        error: FramingError,
        /// What there is of the head, so that a request can be refused before the end.
        head: &'a [u8],
    },
}

/// Why a stream cannot be read any further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FramingError {
    /// The first line is none of SIP.
    NotSip,
    /// The head is longer than [`MAX_HEAD_BYTES`].
    HeadTooLong,
    /// Head and body are longer than [`MAX_MESSAGE_BYTES`].
    MessageTooLong,
    /// No Content-Length.
    LengthMissing,
    /// A Content-Length that is no number.
    LengthUnreadable,
    /// Two different Content-Length headers.
    LengthTwice,
}

impl FramingError {
    /// The status with which a request is refused before the connection is closed.
    pub const fn status(self) -> u16 {
        match self {
            Self::HeadTooLong | Self::MessageTooLong => 513,
            _ => 400,
        }
    }
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSip => "the peer does not speak SIP on this connection (RFC 3261 §7.1)",
            Self::HeadTooLong => "the peer sent a head of more than 32 KiB",
            Self::MessageTooLong => "the peer sent a message of more than 65,535 bytes",
            Self::LengthMissing => "the peer sent no Content-Length on a stream (RFC 3261 §18.3)",
            Self::LengthUnreadable => "the peer sent a Content-Length that is no number (RFC 3261 §20.14)",
            Self::LengthTwice => "the peer sent two different Content-Lengths (RFC 3261 §20.14)",
        })
    }
}

impl std::error::Error for FramingError {}

impl Framer {
    /// For a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they arrived; after [`Frame::Broken`] they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        self.make_room();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, or `None` until more bytes have come.
    #[allow(clippy::should_implement_trait, reason = "a frame borrows from the framer")]
    pub fn next(&mut self) -> Option<Frame<'_>> {
        if self.broken {
            return None;
        }
        if self.message.is_none() {
            if let Some(keep_alive) = self.line_break() {
                return Some(keep_alive);
            }
            match self.find_message() {
                Ok(found) => self.message = Some(found?),
                Err(error) => return Some(self.give_up(error)),
            }
        }
        let (_, end) = self.message?;
        let message = self.buffer.get(self.begin..end)?;
        self.message = None;
        (self.begin, self.line) = (end, end);
        Some(Frame::Message(message))
    }

    /// How many bytes wait for the rest of their message.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.begin
    }

    /// Forgets what has been given out; each byte is moved at most once for each doubling.
    fn make_room(&mut self) {
        if self.begin == self.buffer.len() {
            self.buffer.clear();
            if self.buffer.capacity() > KEEP_BYTES {
                self.buffer = Vec::new();
            }
        } else if self.begin * 2 >= self.buffer.len() {
            self.buffer.drain(..self.begin);
        } else {
            return;
        }
        self.line -= self.begin;
        self.message = self.message.map(|(body, end)| (body - self.begin, end - self.begin));
        self.begin = 0;
    }

    /// Takes a line break that stands between messages; lone LFs mean nothing.
    fn line_break(&mut self) -> Option<Frame<'static>> {
        loop {
            let taken = match self.buffer.get(self.begin..)? {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] => 1,
                [_, ..] => {
                    self.after_crlf &= self.buffer[self.begin] == b'\r';
                    return None;
                }
                [] => return None,
            };
            self.begin += taken;
            self.line = self.begin;
            if taken == 2 {
                self.after_crlf = !self.after_crlf;
                return Some(if self.after_crlf { Frame::Pong } else { Frame::Ping });
            }
        }
    }

    /// Where the body of the message at `begin` starts and where it ends, once the head is complete.
    fn find_message(&mut self) -> Result<Option<(usize, usize)>, FramingError> {
        match self.buffer.get(self.begin..).unwrap_or_default() {
            [] | [b'\r'] => return Ok(None),
            [first, ..] if !is_token(*first) => return Err(FramingError::NotSip),
            _ => {}
        }
        while let Some(len) = memchr(b'\n', &self.buffer[self.line..]) {
            let (from, next) = (self.line, self.line + len + 1);
            if next - self.begin > MAX_HEAD_BYTES {
                return Err(FramingError::HeadTooLong);
            }
            let line = &self.buffer[from..next - 1];
            if from == self.begin && !is_start_line(line) {
                return Err(FramingError::NotSip);
            }
            self.line = next;
            if matches!(line, b"" | b"\r") {
                let length = content_length(&self.buffer[self.begin..next])?;
                let end = next.saturating_add(length);
                let fits = end - self.begin <= MAX_MESSAGE_BYTES;
                return if fits { Ok(Some((next, end))) } else { Err(FramingError::MessageTooLong) };
            }
        }
        let so_far = self.buffer.len() - self.begin;
        if so_far > MAX_HEAD_BYTES { Err(FramingError::HeadTooLong) } else { Ok(None) }
    }

    fn give_up(&mut self, error: FramingError) -> Frame<'_> {
        self.broken = true;
        let end = self.buffer.len().min(self.begin + MAX_HEAD_BYTES);
        Frame::Broken { error, head: &self.buffer[self.begin..end] }
    }
}

/// Whether a line, without its LF, may begin a message: the version stands at one of its ends.
fn is_start_line(line: &[u8]) -> bool {
    let is_version = |word: &[u8]| word.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/"));
    let last = line.trim_ascii_end().rsplit(|&b| b == b' ').next().unwrap_or_default();
    is_version(line) || is_version(last)
}

/// What all Content-Length headers of a complete head agree upon.
fn content_length(head: &[u8]) -> Result<usize, FramingError> {
    let mut length = None;
    let mut at = 0;
    while let Some(line) = head.get(at..).filter(|rest| !rest.is_empty()) {
        let end = header_end(line);
        at += end;
        let Some(colon) = memchr(b':', &line[..end]) else { continue };
        if Name::from_bytes(line[..colon].trim_ascii_end()) != Name::ContentLength {
            continue;
        }
        let said = number(line[colon + 1..end].trim_ascii()).ok_or(FramingError::LengthUnreadable)? as usize;
        if length.is_some_and(|before| before != said) {
            return Err(FramingError::LengthTwice);
        }
        length = Some(said);
    }
    length.ok_or(FramingError::LengthMissing)
}

/// The length of the header at the beginning of `text` with its folds (RFC 3261 §7.3.1).
fn header_end(text: &[u8]) -> usize {
    let mut end = 0;
    while let Some(len) = memchr(b'\n', &text[end..]) {
        end += len + 1;
        if !matches!(text.get(end), Some(b' ' | b'\t')) {
            return end;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPTIONS: &str = "OPTIONS sip:a SIP/2.0\r\nSubject: l: 9\r\nl : 4\r\n\r\nbody";
    const RINGING: &str = "SIP/2.0 180 Ringing\r\nContent-Length:\r\n  0\r\n\r\n";

    /// Every frame of a stream that arrives in these pieces, in a form that can be compared.
    fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut framer = Framer::new();
        let mut seen = Vec::new();
        for piece in pieces {
            framer.push(piece);
            while let Some(frame) = framer.next() {
                seen.push(match frame {
                    Frame::Message(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    Frame::Broken { error, .. } => error.to_string(),
                    other => format!("{other:?}"),
                });
            }
        }
        seen
    }

    fn broken(stream: &[u8]) -> Option<FramingError> {
        let mut framer = Framer::new();
        framer.push(stream);
        std::iter::from_fn(|| {
            Some(match framer.next()? {
                Frame::Broken { error, .. } => Some(error),
                _ => None,
            })
        })
        .last()
        .flatten()
    }

    #[test]
    fn messages_and_keep_alives_are_told_apart() {
        let stream = format!("\r\n\r\n{OPTIONS}\r\n{RINGING}\n{OPTIONS}\r\n\r\n\r\n");
        let expected = ["Pong", "Ping", OPTIONS, "Pong", RINGING, OPTIONS, "Pong", "Ping", "Pong"];
        assert_eq!(frames([stream.as_bytes()]), expected);
        assert_eq!(frames(stream.as_bytes().chunks(1)), expected);
    }

    #[test]
    fn lines_may_end_with_lf_alone() {
        let message = "BYE sip:a SIP/2.0\nl: 2\n\nhi";
        assert_eq!(frames([message.repeat(2).as_bytes()]), [message, message]);
    }

    #[test]
    fn doubt_about_the_length_ends_the_stream() {
        let check = |headers: &str, error| {
            let stream = format!("BYE sip:a SIP/2.0\r\n{headers}\r\n{OPTIONS}");
            assert_eq!(broken(stream.as_bytes()), Some(error), "{headers}");
        };
        check("", FramingError::LengthMissing);
        check("Content-Length: -1\r\n", FramingError::LengthUnreadable);
        check("Content-Length: 99999999999\r\n", FramingError::LengthUnreadable);
        check("Content-Length: 4\r\nl: 0\r\n", FramingError::LengthTwice);
        check("Content-Length: 65530\r\n", FramingError::MessageTooLong);
        assert_eq!(broken(OPTIONS.replace("l : 4", "l : 4\r\nl: 4").as_bytes()), None);
    }

    #[test]
    fn other_protocols_are_noticed_at_once() {
        assert_eq!(broken(b"GET / HTTP/1.1\r\n"), Some(FramingError::NotSip));
        assert_eq!(broken(b"\x16\x03\x01"), Some(FramingError::NotSip));
        assert_eq!(broken(b"\r\n \r\n"), Some(FramingError::NotSip));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut framer = Framer::new();
        framer.push(b"BYE sip:a SIP/2.0\r\n");
        let mut pushes = 0;
        let error = loop {
            framer.push(&b"X: y\r\n".repeat(100));
            pushes += 1;
            if let Some(Frame::Broken { error, head }) = framer.next() {
                assert!(head.len() <= MAX_HEAD_BYTES);
                break error;
            }
        };
        assert_eq!((error, pushes), (FramingError::HeadTooLong, 55));
        framer.push(OPTIONS.as_bytes());
        assert!(framer.next().is_none(), "nothing follows the end");
        let long = [b"BYE sip:".as_slice(), &[b'a'; MAX_HEAD_BYTES]].concat();
        assert_eq!(broken(&long), Some(FramingError::HeadTooLong));
    }

    #[test]
    fn a_long_stream_costs_its_length() {
        let mut framer = Framer::new();
        let mut count = 0;
        for _ in 0..200 {
            framer.push(OPTIONS.repeat(1_000).as_bytes());
            framer.push(&OPTIONS.as_bytes()[..30]);
            while let Some(frame) = framer.next() {
                assert!(matches!(frame, Frame::Message(_)));
                count += 1;
            }
            framer.push(&OPTIONS.as_bytes()[30..]);
            assert!(framer.pending_bytes() <= OPTIONS.len() && framer.buffer.len() < 2 * 60_000);
        }
        assert_eq!(count, 200 * 1_001 - 1);
    }

    fn part() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => Just(OPTIONS.as_bytes().to_vec()),
            3 => Just(RINGING.as_bytes().to_vec()),
            3 => Just(b"\r\n".to_vec()),
            1 => Just(b"\n".to_vec()),
            1 => Just(b"l: 3\r\n".to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 0..6),
        ]
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same_frames(
            parts in proptest::collection::vec(part(), 0..12),
            sizes in proptest::collection::vec(1usize..40, 1..40),
        ) {
            let stream = parts.concat();
            let mut rest = stream.as_slice();
            let mut pieces = Vec::new();
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(rest.len().min(*size));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(frames(pieces), frames([stream.as_slice()]));
        }
    }
}
