//! The end that serves one file to one client.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::packet::Packet;
use super::terms::Terms;
use super::write::{Code, error};
use super::{Datagram, Strays, wire};
use crate::Time;

/// How often the same blocks are sent before the client is thought to be gone.
const TRIES: u8 = 5;
/// The wait without the option `timeout`.
const USUAL_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest block that is granted: with its heads it fits into an Ethernet frame.
const MOST_BLOCK_BYTES: u16 = 1_468;
/// The most blocks that are sent before an acknowledgement is waited for.
const MOST_WINDOW_BLOCKS: u16 = 16;

/// One file on its way to one client, from a socket of its own.
#[derive(Debug)]
pub struct Server {
    client: SocketAddr,
    content: Bytes,
    terms: Terms,
    /// The options are granted and not yet acknowledged.
    offered: bool,
    /// Blocks that the client has.
    acknowledged: u64,
    /// Blocks that were sent.
    sent: u64,
    /// The window was sent again since the client had news.
    repeated: bool,
    tries: u8,
    deadline: Time,
    ended: Option<Ended>,
    strays: Strays,
}

/// How a transfer has ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The client has all of it.
    Served,
    /// The client has said that it wants no more.
    GivenUp {
        /// Its code.
        code: u16,
        /// Its words, of which nothing is to be believed.
        message: String,
    },
    /// The client says nothing more.
    Stalled,
}

impl Server {
    /// Begins to send `content` to the client that asked on these terms; `mode` as the request has it.
    pub fn start(
        now: Time,
        client: SocketAddr,
        mode: &[u8],
        asked: &Terms,
        content: Bytes,
        out: &mut Vec<Datagram>,
    ) -> Self {
        let content = if mode.eq_ignore_ascii_case(b"netascii") { netascii(&content) } else { content };
        let terms = granted(asked, content.len() as u64);
        let mut server = Self {
            client,
            content,
            terms,
            offered: !terms.is_empty(),
            acknowledged: 0,
            sent: 0,
            repeated: false,
            tries: 0,
            deadline: now,
            ended: None,
            strays: Strays::default(),
        };
        server.send(now, out);
        server
    }

    /// How many bytes the client gets.
    pub fn size_bytes(&self) -> usize {
        self.content.len()
    }

    /// How it has ended; none while it goes on.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// When [`Self::handle_timeout`] wants to be called, and why; none once all is over.
    pub fn next_deadline(&self) -> Option<(Time, &'static str)> {
        self.ended.is_none().then_some((self.deadline, "TFTP acknowledgement"))
    }

    /// Takes a datagram that came to the transfer's socket.
    pub fn receive(&mut self, now: Time, from: SocketAddr, bytes: &[u8], out: &mut Vec<Datagram>) {
        if self.ended.is_some() {
            return;
        }
        if from != self.client {
            return self.strays.answer(from, bytes, out);
        }
        match Packet::parse(bytes) {
            Some(Packet::Ack { block }) => self.on_ack(now, block, out),
            Some(Packet::Error { code, message }) => {
                let words = String::from_utf8_lossy(message);
                let message = words.chars().filter(|it| !it.is_control()).take(200).collect();
                self.ended = Some(Ended::GivenUp { code, message });
            }
            _ => {}
        }
    }

    /// Sends again what is not acknowledged, or gives the client up.
    pub fn handle_timeout(&mut self, now: Time, out: &mut Vec<Datagram>) {
        if self.ended.is_some() || now < self.deadline {
            return;
        }
        if self.tries >= TRIES {
            self.ended = Some(Ended::Stalled);
            out.push(Datagram { to: self.client, bytes: error(Code::Other, "no acknowledgement came") });
            return;
        }
        self.repeated = false;
        self.send(now, out);
    }

    /// An acknowledgement that brings nothing new sends nothing (RFC 1123 §4.2.3.1), or each block would
    /// be sent twice to the end of the file; with a window it tells a gap, once (RFC 7440 §4).
    fn on_ack(&mut self, now: Time, block: u16, out: &mut Vec<Datagram>) {
        if self.offered {
            if block == 0 {
                self.offered = false;
                self.go_on(now, out);
            }
            return;
        }
        let ahead = u64::from(block.wrapping_sub(wire(self.acknowledged)));
        if ahead == 0 {
            if self.terms.window() > 1 && !self.repeated {
                self.repeated = true;
                self.send(now, out);
            }
            return;
        }
        if ahead > self.sent - self.acknowledged {
            return;
        }
        self.acknowledged += ahead;
        if self.acknowledged == self.blocks() {
            self.ended = Some(Ended::Served);
            return;
        }
        self.go_on(now, out);
    }

    fn go_on(&mut self, now: Time, out: &mut Vec<Datagram>) {
        (self.tries, self.repeated) = (0, false);
        self.send(now, out);
    }

    /// Sends the options, or the window from the first block on that is not acknowledged.
    fn send(&mut self, now: Time, out: &mut Vec<Datagram>) {
        self.tries += 1;
        self.deadline = now + self.terms.timeout(USUAL_TIMEOUT);
        if self.offered {
            let options = self.terms.to_options();
            return out.push(self.datagram(&Packet::OptionAck { options: &options }));
        }
        let end = self.blocks().min(self.acknowledged + self.terms.window());
        for block in self.acknowledged + 1..=end {
            out.push(self.datagram(&Packet::Data { block: wire(block), bytes: self.block(block) }));
        }
        self.sent = self.sent.max(end);
    }

    fn datagram(&self, packet: &Packet<'_>) -> Datagram {
        Datagram { to: self.client, bytes: packet.to_bytes() }
    }

    /// How many blocks there are: the last one is short, and may be empty.
    fn blocks(&self) -> u64 {
        (self.content.len() / self.terms.block_len()) as u64 + 1
    }

    fn block(&self, number: u64) -> &[u8] {
        let length = self.terms.block_len();
        let start = usize::try_from(number - 1).unwrap_or(usize::MAX).saturating_mul(length);
        let end = start.saturating_add(length).min(self.content.len());
        self.content.get(start..end).unwrap_or_default()
    }
}

/// What is granted of what is asked.
fn granted(asked: &Terms, size_bytes: u64) -> Terms {
    Terms {
        size_bytes: asked.size_bytes.map(|_| size_bytes),
        block_bytes: asked.block_bytes.map(|bytes| bytes.min(MOST_BLOCK_BYTES)),
        timeout_s: asked.timeout_s,
        window_blocks: asked.window_blocks.map(|blocks| blocks.min(MOST_WINDOW_BLOCKS)),
    }
}

/// Line ends as a terminal has them (RFC 764, RFC 1350 §1).
fn netascii(content: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(content.len());
    for &byte in content {
        match byte {
            b'\n' => out.extend_from_slice(b"\r\n"),
            b'\r' => out.extend_from_slice(b"\r\0"),
            _ => out.push(byte),
        }
    }
    out.into()
}
