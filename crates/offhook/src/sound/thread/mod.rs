//! The media thread: one for all phones of the process, with their RTP sockets and their time.
//!
//! Frames are made at absolute deadlines, so a late wake-up delays one packet and shifts none. What a
//! phone asks and is told goes through bounded channels; while the owner does not listen, key presses
//! of the far end are dropped first.

mod worker;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, TrySendError};
use std::thread::{self, JoinHandle};

use roles::sound::{SoundCommand, SoundEvent};
use rustix::event::EventfdFlags;
use tokio::sync::mpsc::Sender;

use super::Engine;
use super::tap::MediaTap;
use crate::clock::Clock;
use worker::Worker;

/// A phone of this process, numbered by its owner.
pub type PhoneId = u64;

/// Commands that may wait for the thread.
const COMMANDS: usize = 4_096;

/// The media thread as its owner holds it. Dropping it ends all sessions, with a goodbye to each.
pub struct SoundThread {
    commands: mpsc::SyncSender<Command>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Attach { phone: PhoneId, engine: Box<Engine>, dscp: u8 },
    Do { phone: PhoneId, command: SoundCommand },
    Detach { phone: PhoneId },
    Stop,
}

impl SoundThread {
    /// Starts the thread; what its phones are to know goes to `events`.
    ///
    /// # Errors
    /// The system gives no thread or descriptor.
    pub fn start(clock: Clock, events: Sender<(PhoneId, SoundEvent)>) -> io::Result<Self> {
        Self::start_tapped(clock, events, None)
    }

    /// As [`SoundThread::start`], with every packet shown to `tap`, both ways.
    ///
    /// # Errors
    /// As [`SoundThread::start`].
    pub fn start_tapped(
        clock: Clock,
        events: Sender<(PhoneId, SoundEvent)>,
        tap: Option<MediaTap>,
    ) -> io::Result<Self> {
        let (commands, inbox) = mpsc::sync_channel(COMMANDS);
        let wake = Arc::new(rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let worker = Worker::new(inbox, wake.clone(), events, clock, tap)?;
        let thread = thread::Builder::new().name("sound".to_owned()).spawn(move || worker.run())?;
        Ok(Self { commands, wake, thread: Some(thread) })
    }

    /// Gives a phone its sound; `dscp` marks its packets, 46 by custom (RFC 3246).
    ///
    /// # Errors
    /// The thread is behind by thousands of commands, or has ended.
    pub fn attach(&self, phone: PhoneId, engine: Engine, dscp: u8) -> io::Result<()> {
        self.tell(Command::Attach { phone, engine: Box::new(engine), dscp })
    }

    /// Does what a phone asks. A phone that is not attached is not answered.
    ///
    /// # Errors
    /// As [`SoundThread::attach`].
    pub fn command(&self, phone: PhoneId, command: SoundCommand) -> io::Result<()> {
        self.tell(Command::Do { phone, command })
    }

    /// Closes a phone's sessions and takes its sound away; a recording is then complete.
    ///
    /// # Errors
    /// As [`SoundThread::attach`].
    pub fn detach(&self, phone: PhoneId) -> io::Result<()> {
        self.tell(Command::Detach { phone })
    }

    fn tell(&self, command: Command) -> io::Result<()> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => {
                io::Error::new(io::ErrorKind::WouldBlock, "the media thread is overloaded; run fewer calls")
            }
            TrySendError::Disconnected(_) => io::Error::other("the media thread has ended; start anew"),
        })?;
        self.ring();
        Ok(())
    }

    /// A counter that is full is awake already.
    fn ring(&self) {
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

impl Drop for SoundThread {
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

/// The first ports from `from` on, beginning with an even one, that are all free: RTP and RTCP of so
/// many sessions.
///
/// # Errors
/// There is no such stretch of ports, or the address is none of this machine's.
pub fn probe_ports(ip: IpAddr, from: u16, sessions: u16) -> io::Result<RangeInclusive<u16>> {
    let span = u32::from(sessions.max(1)) * 2;
    let mut first = u32::from(from.max(2)).next_multiple_of(2);
    while let Ok(last) = u16::try_from(first + span - 1) {
        // Below `last`, which is a port.
        let range = first as u16..=last;
        match first_taken(ip, range.clone())? {
            None => return Ok(range),
            Some(taken) => first = (u32::from(taken) + 1).next_multiple_of(2),
        }
    }
    let text =
        format!("no {span} free media ports in a row from {from} on at {ip}; end other calls or begin lower");
    Err(io::Error::new(io::ErrorKind::AddrInUse, text))
}

fn first_taken(ip: IpAddr, ports: RangeInclusive<u16>) -> io::Result<Option<u16>> {
    let mut held = Vec::with_capacity(ports.len());
    for port in ports {
        match UdpSocket::bind(SocketAddr::new(ip, port)) {
            Ok(socket) => held.push(socket),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Ok(Some(port)),
            Err(error) => {
                let text = format!("no media port at {ip}: {error}; give an address of this machine");
                return Err(io::Error::new(error.kind(), text));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn ports_in_use_are_passed_over() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let free = probe_ports(ip, 31_001, 4).unwrap();
        assert_eq!((free.start() % 2, free.len()), (0, 8));
        let _taken = UdpSocket::bind((ip, free.start() + 3)).unwrap();
        let next = probe_ports(ip, *free.start(), 4).unwrap();
        assert!(*next.start() >= free.start() + 4 && next.len() == 8, "{next:?}");
    }

    #[test]
    fn a_strange_address_or_too_many_ports_are_refused() {
        let check = |ip: [u8; 4], from, expected: &str| {
            let error = probe_ports(Ipv4Addr::from(ip).into(), from, 4).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check([192, 0, 2, 1], 10_000, "address of this machine");
        check([127, 0, 0, 1], 65_530, "begin lower");
    }
}
