//! The media thread allocates nothing while people talk, also with a capture.
//!
//! A counting allocator needs `unsafe`, which the crates themselves do not have: it lives here, in a test
//! program of its own.
#![cfg(target_os = "linux")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use offhook::clock::Clock;
use offhook::sound::tap::MediaWriter;
use offhook::sound::thread::{SoundThread, probe_ports};
use offhook::sound::{Config, Engine, Silence, Sine, Sink, Source};
use proto::sdp::offer_answer::{Agreed, Codec};
use roles::sound::{BeforeAck, SoundCommand};

/// Allocations of watched threads while [`COUNTING`].
static COUNT: AtomicUsize = AtomicUsize::new(0);
static COUNTING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

struct Counting;

/// Counts what threads allocate that asked to be watched.
fn note() {
    let is_watched = IS_WATCHED.try_with(Cell::get).unwrap_or(false);
    if is_watched && COUNTING.load(Ordering::Relaxed) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A microphone that has its thread watched: the media thread is the one that asks it for sound.
struct Watched {
    sine: Sine,
    /// Whether it is to allocate once, to prove that the counter sees its thread.
    wasteful: std::sync::Arc<AtomicBool>,
}

impl Source for Watched {
    fn fill(&mut self, frame: &mut [i16]) {
        IS_WATCHED.set(true);
        if self.wasteful.swap(false, Ordering::Relaxed) {
            drop(std::hint::black_box(vec![0_u8; 100]));
        }
        self.sine.fill(frame);
    }
}

/// Tells each frame that it hears.
struct Ear(SyncSender<bool>);

impl Sink for Ear {
    fn hear(&mut self, frame: &[i16]) {
        // A test that is behind has room for thousands.
        let _ = self.0.try_send(frame.iter().any(|sample| sample.unsigned_abs() > 1_000));
    }
}

/// Waits for so many frames; how many of them were loud.
fn frames(heard: &Receiver<bool>, count: usize) -> usize {
    let next = || heard.recv_timeout(Duration::from_secs(20)).expect("a frame in time");
    (0..count).filter(|_| next()).count()
}

fn agreed(remote: SocketAddr) -> Box<Agreed> {
    Box::new(Agreed {
        codec: Codec::Pcma,
        send_payload_type: 8,
        receive_payload_type: 8,
        also_receive: vec![(0, Codec::Pcmu), (9, Codec::G722)],
        send_dtmf: Some(101),
        receive_dtmf: Some(101),
        ptime_ms: 20,
        remote_rtp: Some(remote),
        remote_rtcp: None,
        send: true,
        receive: true,
        srtp: None,
    })
}

#[test]
fn the_media_thread_allocates_nothing_while_people_talk() {
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (events, _told) = tokio::sync::mpsc::channel(64);
    let (tap, _writer) =
        MediaWriter::start(Box::new(|packet| assert!(!packet.bytes().is_empty()))).expect("a thread");
    let thread = SoundThread::start_tapped(Clock::start(), events.clone(), Some(tap)).expect("started");
    let far_thread = SoundThread::start(Clock::start(), events).expect("started");
    let port = *probe_ports(host, 35_000, 2).expect("ports").start();
    let [a, b] = [port, port + 2].map(|port| SocketAddr::new(host, port));
    let (ear, heard) = sync_channel(10_000);
    let wasteful = std::sync::Arc::new(AtomicBool::new(false));
    let source = Watched { sine: Sine::new(440, 8_000), wasteful: wasteful.clone() };
    let one = Engine::new(Config::NARROWBAND, Box::new(source), Box::new(Ear(ear)), [1; 32]);
    let other =
        Engine::new(Config::NARROWBAND, Box::new(Sine::new(1_000, 8_000)), Box::new(Silence), [2; 32]);
    thread.attach(1, one, 46).expect("attached");
    // The far end has a thread of its own: what it needs to change its coding is not counted.
    far_thread.attach(2, other, 46).expect("attached");
    for (thread, phone, local, remote) in [(&thread, 1, a, b), (&far_thread, 2, b, a)] {
        for command in [
            SoundCommand::Open { session: 1, local },
            SoundCommand::Agree {
                session: 1,
                agreed: agreed(remote),
                held: false,
                before_ack: BeforeAck::Acknowledged,
                home: None,
            },
            SoundCommand::Focus(vec![1]),
        ] {
            thread.command(phone, command).expect("told");
        }
    }
    // Buffers may grow at the beginning of a call.
    assert!(frames(&heard, 200) > 100, "the call stands");
    COUNTING.store(true, Ordering::Relaxed);
    let mut loud = 0;
    // The far end changes to other codings that both have named, without a word before.
    for (codec, number) in [(Codec::Pcmu, 0), (Codec::G722, 9), (Codec::Pcma, 8)] {
        let changed = Agreed { codec, send_payload_type: number, receive_payload_type: number, ..*agreed(a) };
        let change = SoundCommand::Agree {
            session: 1,
            agreed: Box::new(changed),
            held: false,
            before_ack: BeforeAck::Acknowledged,
            home: None,
        };
        far_thread.command(2, change).expect("told");
        loud += frames(&heard, 170);
    }
    COUNTING.store(false, Ordering::Relaxed);
    let counted = COUNT.load(Ordering::Relaxed);
    assert!(loud > 400, "five seconds are heard: {loud} frames");
    assert_eq!(counted, 0, "allocations in five seconds of talk");
    COUNTING.store(true, Ordering::Relaxed);
    wasteful.store(true, Ordering::Relaxed);
    frames(&heard, 50);
    assert_eq!(COUNT.load(Ordering::Relaxed), 1, "the counter sees the media thread");
}
