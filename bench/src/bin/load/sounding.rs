//! Sound through the relay: every end of every call sends a packet each 20 ms, and all come to one
//! socket, with the moment of their sending inside.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use bench::figures::{Figures, quantile};
use bench::process::Process;
use bench::sound::Sound;

use super::options::Options;

const PACKET: Duration = Duration::from_millis(20);
/// For the relay to learn its peers; not measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long the last packets may take.
const AFTERMATH: Duration = Duration::from_millis(500);
/// Where both ends of every call listen, as their session descriptions say.
pub const LISTENS: ([u8; 4], u16) = ([127, 0, 1, 1], 40_000);

struct Pump<'a> {
    sound: Sound,
    relay: &'a [SocketAddrV4],
    begin: Instant,
    sent: u64,
    received: u64,
    delays_ns: Vec<u64>,
}

impl Pump<'_> {
    /// Sends what is due, takes what has come.
    fn turn(&mut self, measured: bool) {
        let now_ns = self.begin.elapsed().as_nanos();
        let due = (now_ns * self.relay.len() as u128 / PACKET.as_nanos()) as u64;
        // A few at a time, so that what comes back is not kept waiting.
        self.send(due.saturating_sub(self.sent).min(16) as usize);
        self.take(measured);
    }

    fn send(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let stamp = (self.begin.elapsed().as_nanos() as u64).to_be_bytes();
        let (relay, sent, streams) = (self.relay, &mut self.sent, self.relay.len() as u64);
        self.sound.send(count, |packet| {
            let (stream, round) = ((*sent % streams) as usize, *sent / streams);
            *sent += 1;
            packet[..2].copy_from_slice(&[0x80, 8]);
            packet[2..4].copy_from_slice(&(round as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(round as u32).wrapping_mul(160).to_be_bytes());
            packet[8..12].copy_from_slice(&(stream as u32).to_be_bytes());
            packet[12..20].copy_from_slice(&stamp);
            packet[20..].fill(0xd5);
            relay[stream]
        });
    }

    fn take(&mut self, measured: bool) {
        let (begin, delays_ns) = (self.begin, &mut self.delays_ns);
        let mut now_ns = 0;
        self.received += self.sound.receive(|packet| {
            if now_ns == 0 {
                now_ns = begin.elapsed().as_nanos() as u64;
            }
            let stamp = packet.get(12..20).and_then(|stamp| stamp.try_into().ok()).unwrap_or_default();
            if measured {
                delays_ns.push(now_ns.saturating_sub(u64::from_be_bytes(stamp)));
            }
        }) as u64;
    }

    fn run(&mut self, length: Duration, measured: bool) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.turn(measured);
        }
    }
}

/// Sends sound to these addresses of the relay for the time of the options, and prints what came of it.
///
/// # Errors
/// The system's, or the measured process is gone.
pub fn sound(options: &Options, relay: &[SocketAddr]) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let sound = Sound::bind(SocketAddr::from(LISTENS)).map_err(text)?;
    let (server, own) = (Process::new(options.pid), Process::new(std::process::id()));
    let relay: Vec<SocketAddrV4> = relay.iter().map(v4).collect::<Result<_, _>>()?;
    let begin = Instant::now();
    let mut pump = Pump { sound, relay: &relay, begin, sent: 0, received: 0, delays_ns: Vec::new() };
    pump.run(WARM_UP, false);
    let (sent_before, received_before) = (pump.sent, pump.received);
    let cpu = |process: Process| process.cpu_us().map_err(text);
    let (cpu_before, own_before) = (cpu(server)?, cpu(own)?);
    pump.run(Duration::from_secs_f64(options.seconds), true);
    let (cpu_us, own_us) = ((cpu(server)? - cpu_before) as f64, (cpu(own)? - own_before) as f64);
    let through = pump.received - received_before;
    let sent = pump.sent - sent_before;
    let end = Instant::now() + AFTERMATH;
    while Instant::now() < end {
        pump.take(false);
    }
    pump.delays_ns.sort_unstable();
    let delay = |share| quantile(&pump.delays_ns, share) as f64 / 1e6;
    Figures::default()
        .number("calls", relay.len() as f64 / 2.0)
        .number("packets_per_second", sent as f64 / options.seconds)
        .number("lost", pump.sent.saturating_sub(pump.received) as f64)
        .number("server_us", cpu_us / through.max(1) as f64)
        .number("server_percent", cpu_us / 10_000.0 / options.seconds)
        .number("load_percent", own_us / 10_000.0 / options.seconds)
        .number("p50_ms", delay(0.5))
        .number("p99_ms", delay(0.99))
        .number("longest_ms", delay(1.0))
        .print();
    Ok(())
}

fn v4(address: &SocketAddr) -> Result<SocketAddrV4, String> {
    match address {
        SocketAddr::V4(address) => Ok(*address),
        SocketAddr::V6(address) => Err(format!("{address}: sound is sent over IPv4 alone")),
    }
}
