//! The end that downloads.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::packet::Packet;
use super::terms::Terms;
use super::write::{Code, error};
use super::{Datagram, Strays, wire};
use crate::Time;

/// How often a request or an acknowledgement is sent before nobody is thought to be there.
const TRIES: u8 = 5;
/// The wait without the option `timeout`; the deck's phone asks again after 4.2 s.
const USUAL_TIMEOUT: Duration = Duration::from_millis(4_200);
/// Repetitions of the last block that are acknowledged after the end (RFC 1350 §6: dallying).
const MOST_REPEATS: u8 = 8;

/// What is to be downloaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// The server and the port at which it is asked.
    pub server: SocketAddr,
    /// The file; bytes from a zero on are not sent.
    pub file: String,
    /// What is asked for beyond RFC 1350.
    pub terms: Terms,
    /// The largest file that is taken, in bytes.
    pub most_bytes: usize,
}

/// A download, whole or on its way.
#[derive(Debug)]
pub struct Client {
    plan: Plan,
    /// The server's port for this transfer, once it has answered.
    peer: Option<SocketAddr>,
    terms: Terms,
    state: State,
    /// Whole blocks that have come.
    blocks: u64,
    /// Blocks since the last acknowledgement.
    unacknowledged: u64,
    /// A gap in the window has been told.
    told_gap: bool,
    body: Vec<u8>,
    tries: u8,
    deadline: Time,
    strays: Strays,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The request is out.
    Asking,
    /// Blocks come.
    Receiving,
    /// All has come; the last acknowledgement may be lost.
    Lingering {
        repeats: u8,
    },
    Over,
}

/// What has become of a download.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Download {
    /// It goes on.
    Goes,
    /// The whole file. The machine lives on for a moment, in case its last acknowledgement was lost.
    Whole(Vec<u8>),
    /// It has ended without the file.
    Failed(Failure),
}

/// Why there is no file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The server says why: 1 is "file not found".
    Refused {
        /// Its code.
        code: u16,
        /// Its words, of which nothing is to be believed.
        message: String,
    },
    /// Nothing came, ever.
    Unanswered,
    /// Nothing more came.
    Stalled {
        /// How much had come.
        bytes: usize,
    },
    /// The file is larger than is taken.
    TooLarge {
        /// How much is taken.
        most_bytes: usize,
    },
    /// The server breaks the protocol.
    Broken(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused { code: 1, .. } => f.write_str("file not found"),
            Failure::Refused { code, message } => write!(f, "refused with error {code}: {message}"),
            Failure::Unanswered => f.write_str("no answer"),
            Failure::Stalled { bytes } => write!(f, "the transfer stopped after {bytes} bytes"),
            Failure::TooLarge { most_bytes } => write!(f, "the file has more than {most_bytes} bytes"),
            Failure::Broken(what) => f.write_str(what),
        }
    }
}

impl Client {
    /// Asks for a file.
    pub fn start(now: Time, plan: Plan, out: &mut Vec<Datagram>) -> Self {
        let mut client = Self {
            peer: None,
            terms: Terms::default(),
            state: State::Asking,
            blocks: 0,
            unacknowledged: 0,
            told_gap: false,
            body: Vec::new(),
            tries: 0,
            deadline: now,
            strays: Strays::default(),
            plan,
        };
        client.ask(now, out);
        client
    }

    /// When [`Self::handle_timeout`] wants to be called, and why; none once all is over.
    pub fn next_deadline(&self) -> Option<(Time, &'static str)> {
        let why = match self.state {
            State::Asking => "answer to a TFTP request",
            State::Receiving => "TFTP block",
            State::Lingering { .. } => "end of a TFTP transfer",
            State::Over => return None,
        };
        Some((self.deadline, why))
    }

    /// Takes a datagram that came to the transfer's socket.
    pub fn receive(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Datagram>,
    ) -> Download {
        if self.state == State::Over {
            return Download::Goes;
        }
        if !self.is_peer(from) {
            self.strays.answer(from, bytes, out);
            return Download::Goes;
        }
        match Packet::parse(bytes) {
            Some(Packet::OptionAck { options }) => self.on_options(now, from, &Terms::read(options), out),
            Some(Packet::Data { block, bytes }) => self.on_data(now, from, block, bytes, out),
            Some(Packet::Error { code, message }) => self.on_error(now, code, message, out),
            _ => Download::Goes,
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time, out: &mut Vec<Datagram>) -> Download {
        if now < self.deadline {
            return Download::Goes;
        }
        match self.state {
            State::Asking if self.tries >= TRIES => self.fail(Failure::Unanswered),
            State::Asking => {
                self.ask(now, out);
                Download::Goes
            }
            State::Receiving if self.tries >= TRIES => {
                let bytes = self.body.len();
                self.end(Code::Other, "no more came", Failure::Stalled { bytes }, out)
            }
            State::Receiving => {
                self.tries += 1;
                self.deadline = now + self.timeout();
                self.acknowledge(out);
                Download::Goes
            }
            State::Lingering { .. } | State::Over => {
                self.state = State::Over;
                Download::Goes
            }
        }
    }

    fn ask(&mut self, now: Time, out: &mut Vec<Datagram>) {
        self.tries += 1;
        self.deadline = now + self.plan.terms.timeout(USUAL_TIMEOUT);
        let file = self.plan.file.split('\0').next().unwrap_or_default().as_bytes();
        let options = self.plan.terms.to_options();
        let packet = Packet::Read { file, mode: b"octet", options: &options };
        out.push(Datagram { to: self.plan.server, bytes: packet.to_bytes() });
    }

    /// Whether a datagram comes from the server: from any of its ports until one has answered.
    fn is_peer(&self, from: SocketAddr) -> bool {
        match self.peer {
            Some(peer) => peer == from,
            None => from.ip().to_canonical() == self.plan.server.ip().to_canonical(),
        }
    }

    fn on_options(
        &mut self,
        now: Time,
        from: SocketAddr,
        granted: &Terms,
        out: &mut Vec<Datagram>,
    ) -> Download {
        if self.state != State::Asking && (self.blocks > 0 || self.state != State::Receiving) {
            return Download::Goes;
        }
        if !granted.answers(&self.plan.terms) {
            self.peer = Some(from);
            let failure = Failure::Broken("the server grants options that were not asked for");
            return self.end(Code::BadOption, "options that were not asked for", failure, out);
        }
        if self.is_too_large(granted.size_bytes.unwrap_or(0)) {
            self.peer = Some(from);
            return self.too_large(out);
        }
        self.terms = *granted;
        self.begin(now, from);
        self.acknowledge(out);
        Download::Goes
    }

    fn on_data(
        &mut self,
        now: Time,
        from: SocketAddr,
        block: u16,
        bytes: &[u8],
        out: &mut Vec<Datagram>,
    ) -> Download {
        if let State::Lingering { repeats } = self.state {
            if block == wire(self.blocks) && repeats < MOST_REPEATS {
                self.state = State::Lingering { repeats: repeats + 1 };
                self.acknowledge(out);
            }
            return Download::Goes;
        }
        if self.state == State::Asking {
            if block != 1 {
                return Download::Goes;
            }
            // A server that answers with data does not know options (RFC 2347).
            self.begin(now, from);
        }
        if bytes.len() > self.terms.block_len() {
            let failure = Failure::Broken("a block is larger than was agreed");
            return self.end(Code::Illegal, "the block is too large", failure, out);
        }
        if block != wire(self.blocks + 1) {
            self.out_of_turn(block, out);
            return Download::Goes;
        }
        self.take(now, bytes, out)
    }

    fn take(&mut self, now: Time, bytes: &[u8], out: &mut Vec<Datagram>) -> Download {
        if self.is_too_large((self.body.len() + bytes.len()) as u64) {
            return self.too_large(out);
        }
        self.blocks += 1;
        self.unacknowledged += 1;
        self.told_gap = false;
        self.tries = 0;
        self.deadline = now + self.timeout();
        self.body.extend_from_slice(bytes);
        if bytes.len() < self.terms.block_len() {
            self.acknowledge(out);
            self.state = State::Lingering { repeats: 0 };
            return Download::Whole(std::mem::take(&mut self.body));
        }
        if self.unacknowledged >= self.terms.window() {
            self.acknowledge(out);
        }
        Download::Goes
    }

    /// A block that is not the next one: the last one again, whose acknowledgement was lost, or one after
    /// a gap (RFC 7440 §4), which is told once.
    fn out_of_turn(&mut self, block: u16, out: &mut Vec<Datagram>) {
        let is_repeat = self.blocks > 0 && block == wire(self.blocks);
        let ahead = block.wrapping_sub(wire(self.blocks));
        let is_gap = u64::from(ahead) <= self.terms.window() && !self.told_gap;
        if is_repeat && self.terms.window() == 1 || is_gap && !is_repeat {
            self.told_gap = is_gap && !is_repeat;
            self.acknowledge(out);
        }
    }

    /// An old server refuses options altogether (RFC 2347): then it is asked without.
    fn on_error(&mut self, now: Time, code: u16, message: &[u8], out: &mut Vec<Datagram>) -> Download {
        if matches!(self.state, State::Lingering { .. }) {
            self.state = State::Over;
            return Download::Goes;
        }
        if self.state == State::Asking && code == Code::BadOption.number() && !self.plan.terms.is_empty() {
            self.plan.terms = Terms::default();
            self.tries = 0;
            self.ask(now, out);
            return Download::Goes;
        }
        let words = String::from_utf8_lossy(message);
        let message = words.chars().filter(|it| !it.is_control()).take(200).collect();
        self.fail(Failure::Refused { code, message })
    }

    fn begin(&mut self, now: Time, peer: SocketAddr) {
        self.peer = Some(peer);
        self.state = State::Receiving;
        self.tries = 0;
        self.deadline = now + self.timeout();
    }

    fn timeout(&self) -> Duration {
        self.terms.timeout(USUAL_TIMEOUT)
    }

    fn acknowledge(&mut self, out: &mut Vec<Datagram>) {
        self.unacknowledged = 0;
        let Some(to) = self.peer else { return };
        out.push(Datagram { to, bytes: Packet::Ack { block: wire(self.blocks) }.to_bytes() });
    }

    fn is_too_large(&self, bytes: u64) -> bool {
        usize::try_from(bytes).map_or(true, |bytes| bytes > self.plan.most_bytes)
    }

    fn too_large(&mut self, out: &mut Vec<Datagram>) -> Download {
        let failure = Failure::TooLarge { most_bytes: self.plan.most_bytes };
        self.end(Code::Full, "the file is too large", failure, out)
    }

    /// Ends the transfer and tells the server.
    fn end(&mut self, code: Code, words: &str, failure: Failure, out: &mut Vec<Datagram>) -> Download {
        out.extend(self.peer.map(|to| Datagram { to, bytes: error(code, words) }));
        self.fail(failure)
    }

    fn fail(&mut self, failure: Failure) -> Download {
        self.state = State::Over;
        self.body = Vec::new();
        Download::Failed(failure)
    }
}
