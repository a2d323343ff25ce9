//! Media packets on their way to a capture, without holding up the sound.
//!
//! The media thread copies each packet into a ring of fixed slots that was made before: no allocation,
//! no lock, no system call. A thread of its own looks into the ring every `LOOK` and hands the packets
//! on; it never sleeps inside the ring, so the media thread never has to wake it. Where it cannot keep
//! up packets are missing from the capture, counted, and the sound goes on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proto::Time;

/// Packets that may wait: a second of ten calls.
const SLOTS: usize = 1_024;
/// The longest packet that is kept whole: what an Ethernet frame carries.
const PACKET_BYTES: usize = 1_500;
/// How often the ring is looked into.
const LOOK: Duration = Duration::from_millis(20);

/// A packet as it passed the socket; encrypted sound stays encrypted.
#[derive(Clone, Copy, Debug)]
pub struct MediaPacket {
    /// When.
    pub at: Time,
    /// Who sent it.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    length: usize,
    bytes: [u8; PACKET_BYTES],
}

impl MediaPacket {
    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Is shown every packet, on a thread of its own.
pub type Seen = Box<dyn FnMut(&MediaPacket) + Send>;

/// The media thread's end of the ring.
#[derive(Debug)]
pub struct MediaTap {
    ring: SyncSender<MediaPacket>,
    missing: Arc<AtomicU64>,
}

impl MediaTap {
    /// Copies a packet. One that finds no room, or is longer than an Ethernet frame carries, is counted
    /// as missing.
    pub fn saw(&self, at: Time, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let mut packet = MediaPacket { at, from, to, length: bytes.len(), bytes: [0; PACKET_BYTES] };
        let whole = packet.bytes.get_mut(..bytes.len()).map(|slot| slot.copy_from_slice(bytes));
        if whole.is_none() || self.ring.try_send(packet).is_err() {
            self.missing.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The reader's end. Dropping it waits until everything was handed on, so the tap goes first.
#[derive(Debug)]
pub struct MediaWriter {
    thread: Option<JoinHandle<()>>,
    missing: Arc<AtomicU64>,
}

impl MediaWriter {
    /// A ring and the thread that hands its packets to `write`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(mut write: Seen) -> io::Result<(MediaTap, Self)> {
        let (ring, packets) = mpsc::sync_channel(SLOTS);
        let missing = Arc::new(AtomicU64::new(0));
        let tap = MediaTap { ring, missing: missing.clone() };
        let thread = thread::Builder::new().name("capture".to_owned()).spawn(move || {
            while hand_on(&packets, &mut write) {
                thread::park_timeout(LOOK);
            }
        })?;
        Ok((tap, Self { thread: Some(thread), missing }))
    }

    /// How many packets could not be kept so far.
    pub fn missing(&self) -> u64 {
        self.missing.load(Ordering::Relaxed)
    }
}

impl Drop for MediaWriter {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there was printed there.
            let _ = thread.join();
        }
        if self.missing() > 0 {
            complain!("offhook: warning: {} media packets are missing from the capture", self.missing());
        }
    }
}

/// Hands on what is there; false when nothing more will come.
fn hand_on(packets: &Receiver<MediaPacket>, write: &mut impl FnMut(&MediaPacket)) -> bool {
    loop {
        match packets.try_recv() {
            Ok(packet) => write(&packet),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 70, 1], port))
    }

    #[test]
    fn packets_are_handed_on_whole_and_in_order() {
        let (seen, packets) = mpsc::channel();
        let write = move |packet: &MediaPacket| {
            seen.send((packet.at, packet.from, packet.bytes().to_vec())).unwrap();
        };
        let (tap, writer) = MediaWriter::start(Box::new(write)).unwrap();
        for number in 0..100_u8 {
            tap.saw(Time::from_millis(number.into()), at(10_000), at(10_002), &[number; 172]);
        }
        drop(tap);
        drop(writer);
        let seen: Vec<_> = packets.iter().collect();
        assert_eq!(seen.len(), 100);
        let whole = |(number, packet): (u8, &(Time, SocketAddr, Vec<u8>))| {
            *packet == (Time::from_millis(number.into()), at(10_000), vec![number; 172])
        };
        assert!((0..).zip(&seen).all(whole));
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let (go, gate) = mpsc::channel::<()>();
        // The reader stands still until the test lets it go.
        let (tap, writer) = MediaWriter::start(Box::new(move |_| assert!(gate.recv().is_err()))).unwrap();
        (0..SLOTS + 100).for_each(|_| tap.saw(Time::ZERO, at(1), at(2), &[0; 172]));
        assert!((99..=100).contains(&writer.missing()), "{} missing", writer.missing());
        tap.saw(Time::ZERO, at(1), at(2), &[0; PACKET_BYTES + 1]);
        assert!((100..=101).contains(&writer.missing()), "a packet that is too long is missing as well");
        drop((go, tap));
    }
}
