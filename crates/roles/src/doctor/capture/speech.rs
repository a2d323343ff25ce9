//! What a connection turns out to carry, and its pieces.

use std::collections::VecDeque;

use proto::sip::framing::{Frame, Framer, FramingError};

use super::{http, looks_like_sip, tls, websocket};
use crate::doctor::Carrier;

/// The longest line of FTP.
const LINE_LIMIT: usize = 1_024;
/// Requests of one HTTP connection that wait for their answers.
const WAITING_LIMIT: usize = 64;

/// What one side of a connection says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spoken<'a> {
    /// A message of SIP, or where the stream cannot be cut, what there is of it and why.
    Sip(&'a [u8], Carrier, Option<FramingError>),
    /// The head of an HTTP message.
    HttpHead(&'a [u8]),
    /// Content of it.
    HttpBody(&'a [u8]),
    /// Its end.
    HttpEnd,
    /// A line of an FTP control connection.
    FtpLine(&'a [u8]),
    /// Bytes of a connection whose protocol is not known, FTP data perhaps.
    Raw(&'a [u8]),
    /// A connection whose protocol is not known has ended.
    RawEnd,
}

/// What a connection carries, with the state of both directions: the opening side's first.
#[derive(Debug)]
pub(super) enum Speech {
    Unknown([Vec<u8>; 2]),
    Sip(Box<[SipHalf; 2]>),
    /// Its halves, and whether the opening named SIP.
    WebSocket(Box<[websocket::Half; 2]>, bool),
    Http(Box<Http>),
    Ftp(Box<[Vec<u8>; 2]>),
    Tls(Box<[tls::Half; 2]>),
    Raw,
}

#[derive(Debug, Default)]
pub(super) struct SipHalf {
    pub(super) framer: Framer,
    /// The stream cannot be cut until a segment begins as a message does.
    pub(super) lost: bool,
}

#[derive(Debug, Default)]
pub(super) struct Http {
    pub(super) halves: [http::Half; 2],
    /// For each request that waits: whether it is a HEAD.
    pub(super) waiting: VecDeque<bool>,
    pub(super) upgrades: bool,
    /// Whether the server has taken the subprotocol `sip` (RFC 7118 §4).
    pub(super) for_sip: bool,
}

impl SipHalf {
    pub(super) fn take(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Spoken<'_>)) {
        if self.lost {
            if !looks_like_sip(bytes) {
                return;
            }
            *self = Self::default();
        }
        self.framer.push(bytes);
        while let Some(frame) = self.framer.next() {
            match frame {
                Frame::Message(message) => tell(Spoken::Sip(message, Carrier::Tcp, None)),
                Frame::Broken { error, head } => {
                    tell(Spoken::Sip(head, Carrier::Tcp, Some(error)));
                    self.lost = true;
                }
                Frame::Ping | Frame::Pong => {}
            }
        }
    }
}

impl Http {
    /// Takes bytes of one side; true where the connection has become a WebSocket.
    pub(super) fn take(&mut self, side: usize, bytes: &[u8], tell: &mut dyn FnMut(Spoken<'_>)) -> bool {
        let Self { halves, waiting, upgrades, for_sip } = self;
        let no_body = side == 1 && waiting.front() == Some(&true);
        halves[side].take(bytes, no_body, &mut |part| match part {
            http::Part::Head(head) => {
                if side == 0 && waiting.len() < WAITING_LIMIT {
                    waiting.push_back(head.starts_with(b"HEAD "));
                }
                let websocket =
                    http::header(head, "Upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
                *upgrades |= side == 1 && head.get(9..12) == Some(b"101") && websocket;
                let protocol = http::header(head, "Sec-WebSocket-Protocol");
                *for_sip |= side == 1 && protocol.is_some_and(|it| it.trim().eq_ignore_ascii_case("sip"));
                tell(Spoken::HttpHead(head));
            }
            http::Part::Body(body) => tell(Spoken::HttpBody(body)),
            http::Part::End => {
                if side == 1 {
                    waiting.pop_front();
                }
                tell(Spoken::HttpEnd);
            }
        });
        *upgrades
    }
}

pub(super) fn take_lines(buffer: &mut Vec<u8>, bytes: &[u8], tell: &mut dyn FnMut(Spoken<'_>)) {
    for &byte in bytes {
        if byte == b'\n' {
            tell(Spoken::FtpLine(buffer.trim_ascii_end()));
            buffer.clear();
        } else if buffer.len() < LINE_LIMIT {
            buffer.push(byte);
        }
    }
}

/// The server greets first, with 220 (RFC 959 §5.4).
pub(super) fn is_ftp(seen: &[u8], from_server: bool, port: u16) -> bool {
    let greets = from_server && (seen.starts_with(b"220 ") || seen.starts_with(b"220-"));
    greets && (port == 21 || !seen.windows(4).any(|word| word.eq_ignore_ascii_case(b"SMTP")))
}

/// Whether the beginning may still turn out to be one of those that are known.
pub(super) fn may_become_known(seen: &[u8]) -> bool {
    let line = seen.iter().position(|&byte| byte == b'\n').is_none();
    let is_text = seen.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    (is_text && line) || (seen.len() < 6 && seen.first() == Some(&22))
}
