//! The loopback as a stage for cases: the same machines on real sockets, in real time.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::Time;
use proto::sip::Transport;
use roles::lab::script::{Case, Desk, EXCHANGE, EXCHANGE_IP, Stage};
use roles::lab::{Fate, Passed};
use roles::phone::Place;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::ears::Listener;
use super::machine::{ExchangeBox, Machine, PhoneBox, Room, Witness};
use super::progress::Progress;
use crate::cli::Failure;
use crate::clock::Clock;
use crate::net::{Config, Net};
use crate::sound::Recording;
use crate::store::Memory;

/// A case with a step that may wait longer is for virtual time, in milliseconds.
const LONGEST_WAIT_MS: u64 = 20_000;
/// Events that may wait for the script.
const EVENTS_WAITING: usize = 65_536;
/// The most packets that are kept for ladder and capture: an hour of one call.
const MOST_PACKETS: usize = 1_000_000;
/// What was said before a listener begins has left all buffers by then, and what is on its way after
/// the last step has arrived.
const SETTLING: Duration = Duration::from_millis(200);

/// Machines of a case on the loopback, all switched off.
pub(super) struct Loopback {
    machines: BTreeMap<String, Machine>,
    exchange: ExchangeBox,
    phones: Vec<Seat>,
    room: Room,
    told: mpsc::Receiver<(String, Value)>,
    packets: Packets,
    passed: Vec<Passed>,
    trouble: Vec<String>,
    progress: Progress,
    // After the machines, which live in it.
    tasks: LocalSet,
    runtime: Runtime,
}

struct Seat {
    desk: PhoneBox,
    listener: Listener,
}

/// What the machines have sent since it was last asked for.
#[derive(Clone, Default)]
struct Packets(Arc<Mutex<Vec<Passed>>>);

impl Packets {
    fn witness(&self) -> Witness {
        let packets = self.clone();
        Arc::new(move |at, from, to, transport, bytes| packets.add(at, from, to, transport, bytes))
    }

    fn add(&self, at: Time, from: SocketAddr, to: SocketAddr, transport: Transport, bytes: &[u8]) {
        let mut packets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if packets.len() < MOST_PACKETS {
            let bytes = Bytes::copy_from_slice(bytes);
            packets.push(Passed { at, from, to, transport, bytes, fate: Fate::Arrived });
        }
    }

    fn take(&self) -> Vec<Passed> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Loopback {
    /// Sets the stage: an exchange and a phone for each desk.
    ///
    /// # Errors
    /// A case that needs virtual time, an address whose port is taken, or a setting that no phone takes.
    pub(super) fn new(case: &Case) -> Result<Self, Failure> {
        is_for_real_time(case)?;
        let runtime = crate::cli::runtime()?;
        let clock = Clock::start();
        let (config, extensions) = case.exchange();
        let sip = SocketAddr::new(EXCHANGE_IP, Transport::Udp.default_port());
        let exchange = ExchangeBox::new(EXCHANGE, config, sip, &extensions);
        let tones: Vec<u16> = case.desks.iter().map(|desk| desk.tone_hz).collect();
        let phones = case.desks.iter().map(|desk| seat(desk, &tones)).collect::<Result<Vec<_>, _>>()?;
        let all = phones.iter().map(|seat| SocketAddr::new(seat.desk.place.ip, seat.desk.place.udp_port));
        for at in all.chain([sip]) {
            is_free(&runtime, at, clock)?;
        }
        let (teller, told) = mpsc::channel(EVENTS_WAITING);
        let packets = Packets::default();
        let witness = Some(packets.witness());
        Ok(Self {
            machines: BTreeMap::new(),
            exchange,
            phones,
            room: Room { clock, told: teller, witness, exchange: EXCHANGE_IP },
            told,
            packets,
            passed: Vec::new(),
            trouble: Vec::new(),
            progress: Progress::start(case.slug),
            tasks: LocalSet::new(),
            runtime,
        })
    }

    /// What went wrong with the sockets themselves.
    pub(super) fn take_trouble(&mut self) -> Vec<String> {
        std::mem::take(&mut self.trouble)
    }

    /// Everything that each phone heard.
    pub(super) fn recordings(&self) -> Vec<(String, Recording)> {
        self.phones.iter().map(|seat| (seat.desk.name.clone(), seat.listener.all())).collect()
    }

    fn on(&mut self, who: &str) -> io::Result<()> {
        let switched = async {
            match self.phones.iter().find(|seat| seat.desk.name == who) {
                Some(seat) => seat.desk.switch_on(&self.room, seat.listener.sink()).await,
                None => self.exchange.switch_on(&self.room).await,
            }
        };
        let machine = self.tasks.block_on(&self.runtime, switched)?;
        self.machines.insert(who.to_owned(), machine);
        Ok(())
    }

    fn off(&mut self, who: &str) {
        if let Some(machine) = self.machines.remove(who) {
            self.tasks.block_on(&self.runtime, machine.cut());
        }
    }

    /// Lets time pass for all machines.
    fn pass(&self, time: Duration) {
        // A timer belongs to the runtime, so it is made inside.
        self.tasks.block_on(&self.runtime, async { tokio::time::sleep(time).await });
    }
}

fn is_for_real_time(case: &Case) -> Result<(), Failure> {
    let wait_ms = case.longest_wait_ms();
    if wait_ms <= LONGEST_WAIT_MS {
        return Ok(());
    }
    let (slug, wait_s) = (case.slug, wait_ms / 1_000);
    Err(Failure::usage(format!(
        "`{slug}` waits for time-outs of up to {wait_s} s and so needs virtual time: \
         play it without --real, `offhook lab {slug} --once`"
    )))
}

/// Tries an address before anybody needs it, so that a taken port is told before the case begins.
fn is_free(runtime: &Runtime, at: SocketAddr, clock: Clock) -> Result<(), Failure> {
    let bound = runtime.block_on(async {
        Net::bind(Config { udp: vec![at], tcp: vec![at], ..Config::new(clock) }).map(drop)
    });
    bound.map_err(|error| {
        Failure::Failed(format!("{error}; or play the case without --real, which needs no port at all"))
    })
}

fn seat(desk: &Desk, tones_hz: &[u16]) -> Result<Seat, Failure> {
    let desk_box = PhoneBox {
        name: desk.name.to_owned(),
        settings: desk.settings().map_err(Failure::Failed)?,
        place: Place::new(desk.ip()),
        tone_hz: desk.tone_hz,
        store: Memory::default(),
    };
    Ok(Seat { desk: desk_box, listener: Listener::new(tones_hz.to_vec()) })
}

impl Stage for Loopback {
    fn switch(&mut self, who: &str, on: bool) {
        match on {
            true => {
                if let Err(error) = self.on(who) {
                    self.trouble.push(format!("{who} cannot be switched on: {error}"));
                }
            }
            false => self.off(who),
        }
    }

    fn restart(&mut self, who: &str) {
        self.off(who);
        self.switch(who, true);
    }

    fn say(&mut self, who: &str, line: &str) {
        self.progress.show(&format!("{who}: {line}"));
        let refused = self.machines.get(who).and_then(|machine| machine.say(line).err());
        if let Some(event) = refused {
            // Room for it, or nobody reads: then the step that waits for it says so.
            let _ = self.room.told.try_send((who.to_owned(), event));
        }
    }

    fn next_told(&mut self, within: Duration) -> Option<(String, Value)> {
        let next = async { tokio::time::timeout(within, self.told.recv()).await };
        let told = self.tasks.block_on(&self.runtime, next);
        told.ok().flatten()
    }

    fn listen(&mut self, who: &str, time: Duration) -> Vec<u16> {
        self.progress.show(&format!("listening at {who}"));
        self.pass(SETTLING);
        let Some(seat) = self.phones.iter().find(|seat| seat.desk.name == who) else { return Vec::new() };
        seat.listener.forget();
        self.pass(time);
        seat.listener.tones()
    }

    fn settle(&mut self) {
        self.pass(SETTLING);
        for machine in std::mem::take(&mut self.machines).into_values() {
            self.tasks.block_on(&self.runtime, machine.cut());
        }
        self.passed.extend(self.packets.take());
        self.passed.sort_by_key(|packet| packet.at);
        self.progress.end();
    }

    fn now(&self) -> Time {
        self.room.clock.now()
    }

    fn passed(&self) -> &[Passed] {
        &self.passed
    }

    fn ip(&self, who: &str) -> IpAddr {
        let seat = self.phones.iter().find(|seat| seat.desk.name == who);
        seat.map_or(EXCHANGE_IP, |seat| seat.desk.place.ip)
    }

    fn name(&self, ip: IpAddr) -> String {
        let seat = self.phones.iter().find(|seat| seat.desk.place.ip == ip);
        match seat {
            Some(seat) => seat.desk.name.clone(),
            None if ip == EXCHANGE_IP => EXCHANGE.to_owned(),
            None => ip.to_string(),
        }
    }
}
