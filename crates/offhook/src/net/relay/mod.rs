//! The media relay: RTP and RTCP between the two legs of a call, on a thread of its own.
//!
//! A role says which addresses to join; everything that happens for each packet happens here. The
//! loop waits in a level-triggered epoll and takes one datagram for each event: measured, this is
//! cheaper than tasks and no dearer than batches. Each leg believes the address of its SDP and the host
//! of its signalling, a stranger after half a second of sound ([`proto::rtp::remote`]), locks, and then
//! lets the kernel drop everybody else by connecting the socket. A leg with a key verifies before it forwards.

mod leg;
mod speaker;
mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, TrySendError};
use std::thread::{self, JoinHandle};

use media::codec::Codec;
use proto::rtp::Format;
use proto::rtp::srtp::MasterKey;
use rustix::event::EventfdFlags;
use tokio::sync::mpsc::UnboundedSender;

use super::listen;
use crate::clock::Clock;
use leg::Sockets;
use speaker::Speaker;
use worker::Worker;

/// Commands that may wait for the thread.
const COMMANDS: usize = 4_096;

/// One of the two sides of a relayed call.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// The caller's, by custom.
    A,
    /// The callee's.
    B,
}

impl Side {
    /// The opposite one.
    const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// How the relay works.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Calls at a time.
    pub sessions: usize,
    /// Ports for RTP and, one above, RTCP.
    pub ports: RangeInclusive<u16>,
    /// Differentiated services code point of the media, 46 by custom (RFC 3246).
    pub dscp: u8,
    /// Tells packets' times.
    pub clock: Clock,
}

impl RelayConfig {
    /// 10,000 calls on ports 16384 to 32767.
    pub fn new(clock: Clock) -> Self {
        Self { sessions: 10_000, ports: 16_384..=32_767, dscp: 46, clock }
    }
}

/// Where a leg's far end is said to be, by its SDP.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Where its RTP comes from and goes to; none sends it nothing (held by `0.0.0.0`, or not known yet).
    pub rtp: Option<SocketAddr>,
    /// The host that its signalling comes from, where that is known: its sound is expected from there too.
    pub home: Option<IpAddr>,
    /// What it may send; a stranger is not believed for anything else.
    pub formats: Vec<Format>,
    /// Its key where it sends SRTP to us.
    pub receive_key: Option<MasterKey>,
    /// Our key where it gets SRTP from us.
    pub send_key: Option<MasterKey>,
}

/// What a leg hears instead of the other leg.
#[derive(Clone, Debug)]
pub enum Speech {
    /// Its own packets.
    Echo,
    /// Sound, in packets of 20 ms.
    Sound {
        /// What is heard.
        of: Audio,
        /// Its coding.
        codec: Codec,
        /// The payload type of the packets.
        payload_type: u8,
        /// The source of the packets (RFC 3550 §8), by chance.
        ssrc: u32,
    },
}

/// Sound of the relay's own.
#[derive(Clone, Debug)]
pub enum Audio {
    /// A tone; silence after its end.
    Tone(media::tone::Tone),
    /// Samples of 8 kHz, over and over.
    Samples(Arc<[i16]>),
}

/// What was received on one leg. What is unknown is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// RTP packets that were the far end's, without duplicates.
    pub packets: u64,
    /// Their payload.
    pub bytes: u64,
    /// Those that never came, by sequence number.
    pub lost: Option<u64>,
    /// Interarrival jitter (RFC 3550 §6.4.1); none for payload types whose clock SDP alone knows.
    pub jitter_ms: Option<f32>,
    /// Packets that came from others and were dropped, as far as the kernel let them through.
    pub strangers: u64,
    /// Packets of the right address that were no RTP, or not of the right key.
    pub refused: u64,
    /// Packets that could not be sent on: the other leg's address is not known, or its path is full.
    pub undelivered: u64,
    /// Where the far end is, once learnt.
    pub learnt: Option<SocketAddr>,
}

/// What the relay tells.
#[derive(Clone, Debug, PartialEq)]
pub enum RelayEvent {
    /// A leg's true address is known for the first time since the last [`Relay::expect`].
    Learnt {
        /// The session.
        id: u64,
        /// Whose.
        side: Side,
        /// The address.
        from: SocketAddr,
    },
    /// Someone else sent to a leg; told once for each [`Relay::expect`].
    Stranger {
        /// The session.
        id: u64,
        /// Whose socket was tried.
        side: Side,
        /// By whom.
        from: SocketAddr,
    },
    /// The answer to [`Relay::ask`].
    Figures {
        /// The session.
        id: u64,
        /// What came from A, and from B.
        figures: [Figures; 2],
    },
    /// The last figures of a session that was closed.
    Closed {
        /// The session.
        id: u64,
        /// What came from A, and from B.
        figures: [Figures; 2],
    },
}

/// The relay as its driver holds it. Dropping it ends all sessions.
pub struct Relay {
    commands: mpsc::SyncSender<Command>,
    wake: Arc<OwnedFd>,
    open: std::collections::BTreeSet<u64>,
    config: RelayConfig,
    next_port: u16,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Open { id: u64, sockets: Box<[Sockets; 2]> },
    Expect { id: u64, side: Side, expected: Box<Expected> },
    Speak { id: u64, side: Side, speaker: Option<Speaker> },
    Ask { id: u64 },
    Close { id: u64 },
    Stop,
}

impl Relay {
    /// Starts the thread; what it has to say goes to `events`: two alarms for each leg and
    /// [`Relay::expect`] at most, and one answer for each question, so the channel is bounded by its
    /// user.
    ///
    /// # Errors
    /// The system gives no thread or descriptor.
    pub fn start(config: RelayConfig, events: UnboundedSender<RelayEvent>) -> io::Result<Self> {
        let (commands, inbox) = mpsc::sync_channel(COMMANDS);
        let wake = Arc::new(rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let worker = Worker::new(inbox, wake.clone(), events, config.clock)?;
        let thread = thread::Builder::new().name("relay".to_owned()).spawn(move || worker.run())?;
        let next_port = *config.ports.start();
        Ok(Self {
            commands,
            wake,
            open: std::collections::BTreeSet::new(),
            config,
            next_port,
            thread: Some(thread),
        })
    }

    /// Opens a session; returns the addresses for RTP that A and B are to be told.
    ///
    /// # Errors
    /// All sessions or ports are in use, the id is, or an address is none of this machine's.
    pub fn open(&mut self, id: u64, a: IpAddr, b: IpAddr) -> io::Result<[SocketAddr; 2]> {
        self.admit(id)?;
        let (a, a_at) = self.bind_pair(a)?;
        let (b, b_at) = self.bind_pair(b)?;
        self.tell(Command::Open { id, sockets: Box::new([a, b]) })?;
        self.open.insert(id);
        Ok([a_at, b_at])
    }

    /// Opens a session at addresses and (even) ports of the caller's choice.
    ///
    /// # Errors
    /// All sessions are in use, the id or a port is, or an address is none of this machine's.
    pub fn open_at(&mut self, id: u64, a: SocketAddr, b: SocketAddr) -> io::Result<()> {
        self.admit(id)?;
        let sockets = [self.bind_at(a.ip(), a.port())?, self.bind_at(b.ip(), b.port())?];
        self.tell(Command::Open { id, sockets: Box::new(sockets) })?;
        self.open.insert(id);
        Ok(())
    }

    fn admit(&self, id: u64) -> io::Result<()> {
        if self.open.len() >= self.config.sessions {
            let text = format!("all {} relayed calls are in use", self.config.sessions);
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, text));
        }
        if self.open.contains(&id) {
            let text = format!("relay session {id} is open already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Ok(())
    }

    /// What SDP says of a leg's far end, at first and after each re-INVITE. The same address again
    /// keeps what was learnt, another one forgets it.
    ///
    /// # Errors
    /// The thread is behind by thousands of commands.
    pub fn expect(&self, id: u64, side: Side, expected: Expected) -> io::Result<()> {
        self.tell(Command::Expect { id, side, expected: Box::new(expected) })
    }

    /// Lets a leg hear this instead of the other leg, or the other leg again.
    ///
    /// # Errors
    /// As [`Relay::expect`].
    pub fn speak(&self, id: u64, side: Side, speech: Option<Speech>) -> io::Result<()> {
        let speaker = speech.map(Speaker::new);
        self.tell(Command::Speak { id, side, speaker })
    }

    /// Asks for the figures of a session; a session that is not open gives no answer.
    ///
    /// # Errors
    /// As [`Relay::expect`].
    pub fn ask(&self, id: u64) -> io::Result<()> {
        self.tell(Command::Ask { id })
    }

    /// Closes a session; its last figures follow.
    ///
    /// # Errors
    /// As [`Relay::expect`], the session is then still open; or it is not open at all.
    pub fn close(&mut self, id: u64) -> io::Result<()> {
        if !self.open.contains(&id) {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("relay session {id} is not open")));
        }
        self.tell(Command::Close { id })?;
        self.open.remove(&id);
        Ok(())
    }

    fn tell(&self, command: Command) -> io::Result<()> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => {
                io::Error::new(io::ErrorKind::WouldBlock, "the media relay is overloaded")
            }
            TrySendError::Disconnected(_) => io::Error::other("the media relay has ended"),
        })?;
        self.ring();
        Ok(())
    }

    /// A counter that is full is awake already.
    fn ring(&self) {
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }

    /// An even port and the next one, both free, from where the last search ended.
    fn bind_pair(&mut self, ip: IpAddr) -> io::Result<(Sockets, SocketAddr)> {
        let (first, last) = (self.config.ports.start().next_multiple_of(2), *self.config.ports.end());
        let pairs = last.saturating_sub(first).saturating_add(1) / 2;
        for _ in 0..pairs {
            let port = if (first..last).contains(&self.next_port) { self.next_port & !1 } else { first };
            self.next_port = port.saturating_add(2);
            match self.bind_at(ip, port) {
                Ok(sockets) => return Ok((sockets, SocketAddr::new(ip, port))),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("all media ports {first} to {last} of {ip} are in use"),
        ))
    }

    fn bind_at(&self, ip: IpAddr, port: u16) -> io::Result<Sockets> {
        let bind = |port| -> io::Result<UdpSocket> {
            listen::bind_media(SocketAddr::new(ip, port), self.config.dscp)
        };
        Ok(Sockets { rtp: bind(port)?, rtcp: bind(port.saturating_add(1))? })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The thread takes commands all the time, so there is room soon.
        let _ = self.commands.send(Command::Stop);
        self.ring();
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there.
            let _ = thread.join();
        }
    }
}
