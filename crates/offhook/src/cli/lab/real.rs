//! The loopback as a stage for cases: the same machines on real sockets, in real time.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::Time;
use proto::sip::Transport;
use roles::lab::script::{
    BACKUP, BACKUP_IP, Case, Desk, EXCHANGE, EXCHANGE_IP, FILE_SERVER, FILE_SERVER_IP, Stage, Step,
};
use roles::lab::{Fate, Passed, Subnet, real_cases};
use roles::phone::Place;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::actor::ActorBox;
use super::ears::Listener;
use super::files::FileBox;
use super::machine::{ExchangeBox, Machine, PhoneBox, Room, Witness};
use super::progress::Progress;
use crate::cli::Failure;
use crate::cli::serve::relay_ports;
use crate::clock::Clock;
use crate::net::tls::Trust;
use crate::net::{Config, Net};
use crate::sound::Recording;
use crate::store::Memory;

/// A case with a step that may wait longer is for virtual time, in milliseconds.
const LONGEST_WAIT_MS: u64 = 20_000;
/// Where every machine of a case listens for SIP.
const SIP_PORT: u16 = Transport::Udp.default_port();
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
    exchanges: Vec<ExchangeBox>,
    phones: Vec<Seat>,
    actors: Vec<ActorBox>,
    /// The server of files of a case that is for real sockets alone.
    files: Option<FileBox>,
    room: Room,
    subnet: Subnet,
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
            let (fate, sent_by, got) = (Fate::Arrived, Some(from), vec![(at, to)]);
            packets.push(Passed { at, from, to, transport, bytes, fate, sent_by, frame: None, got });
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
    pub(super) fn new(case: &Case, subnet: Subnet) -> Result<Self, Failure> {
        is_for_real_time(case)?;
        let runtime = crate::cli::runtime()?;
        let clock = Clock::start();
        let (config, extensions) = case.exchange(subnet);
        let exchange = |name, ip| {
            let ip = subnet.ip(ip);
            let mut config = config.clone();
            config.relay = relay_ports(ip);
            ExchangeBox::new(name, config, SocketAddr::new(ip, SIP_PORT), &extensions)
        };
        let mut exchanges = vec![exchange(EXCHANGE, EXCHANGE_IP)];
        if case.steps.iter().any(|step| matches!(step, Step::On(BACKUP))) {
            exchanges.push(exchange(BACKUP, BACKUP_IP));
        }
        let tones: Vec<u16> = case.desks.iter().map(|desk| desk.tone_hz).collect();
        let asks_by_pnp = !case.machines.is_empty();
        let desks = case.desks.iter().zip(1_u8..);
        let phones = desks
            .map(|(desk, last)| seat(desk, (subnet, last), &tones, asks_by_pnp))
            .collect::<Result<Vec<_>, _>>()?;
        let all = phones.iter().map(|seat| SocketAddr::new(seat.desk.place.ip(), seat.desk.place.udp_port));
        for at in exchanges.iter().map(|exchange| exchange.sip).chain(all) {
            is_free(&runtime, at, clock)?;
        }
        let real = real_cases().iter().find(|real| real.case.slug == case.slug);
        let files = real.map(|real| FileBox::new(real, subnet.ip(FILE_SERVER_IP))).transpose()?;
        let own = |files: &FileBox| Trust { system: false, ca_files: vec![files.authority()] };
        let trust = files.as_ref().map_or_else(Trust::default, own);
        let (teller, told) = mpsc::channel(EVENTS_WAITING);
        let packets = Packets::default();
        let room = Room {
            clock,
            told: teller,
            witness: Some(packets.witness()),
            web_token: None,
            trust,
            exchanges: [EXCHANGE_IP, BACKUP_IP].map(|ip| subnet.ip(ip)).into(),
        };
        let macs: Vec<_> =
            phones.iter().map(|seat| seat.desk.place.mac_text().to_ascii_lowercase()).collect();
        let actors: Vec<_> =
            case.machines.iter().map(|actor| ActorBox::new(*actor, subnet, macs.clone())).collect();
        runtime
            .block_on(async { actors.iter().try_for_each(|actor| actor.try_ports(&room)) })
            .map_err(no_port)?;
        Ok(Self {
            machines: BTreeMap::new(),
            exchanges,
            phones,
            actors,
            files,
            room,
            subnet,
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
        if let Some(files) = self.files.as_mut().filter(|_| who == FILE_SERVER) {
            return files.switch_on(self.room.clock);
        }
        let switched = async {
            if let Some(seat) = self.phones.iter().find(|seat| seat.desk.name == who) {
                return seat.desk.switch_on(&self.room, seat.listener.sink()).await;
            }
            if let Some(actor) = self.actors.iter().find(|actor| actor.name() == who) {
                return actor.switch_on(&self.room).map(Machine::of_actor);
            }
            match self.exchanges.iter().find(|exchange| exchange.name == who) {
                Some(exchange) => exchange.switch_on(&self.room, None).await,
                None => Err(io::Error::new(io::ErrorKind::NotFound, "the case has no such machine")),
            }
        };
        let machine = self.tasks.block_on(&self.runtime, switched)?;
        self.machines.insert(who.to_owned(), machine);
        Ok(())
    }

    fn off(&mut self, who: &str) {
        if let Some(files) = self.files.as_mut().filter(|_| who == FILE_SERVER) {
            return files.switch_off();
        }
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
    let slug = case.slug;
    needs_virtual_time(case).map_or(Ok(()), |why| {
        Err(Failure::usage(format!("`{slug}` {why}; play it without --real: `offhook lab {slug} --once`")))
    })
}

/// Why a case is not for real time, where it is not.
pub(super) fn needs_virtual_time(case: &Case) -> Option<String> {
    let wait_ms = case.longest_wait_ms();
    let needs = |step: &Step| match step {
        Step::Hide(_) => {
            Some("has a router that hides addresses, which only the simulated wire has".to_owned())
        }
        Step::DropSound(..) => {
            Some("has a firewall between machines, which only the simulated wire has".to_owned())
        }
        _ => None,
    };
    let waits = || format!("waits for up to {} s and so needs virtual time", wait_ms / 1_000);
    let cable = || {
        let why = "has phones that own their network sockets, which only the simulated wire has";
        case.has_cable().then(|| why.to_owned())
    };
    cable().or_else(|| case.steps.iter().find_map(needs)).or_else(|| (wait_ms > LONGEST_WAIT_MS).then(waits))
}

/// Tries an address before anybody needs it, so that a taken port is told before the case begins.
fn is_free(runtime: &Runtime, at: SocketAddr, clock: Clock) -> Result<(), Failure> {
    let bound = runtime.block_on(async {
        Net::bind(Config { udp: vec![at], tcp: vec![at], ..Config::new(clock) }).map(drop)
    });
    bound.map_err(not_free)
}

fn no_port(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Failure::Failed(format!("{error}; play the case without --real, which needs no port"))
        }
        _ => not_free(error),
    }
}

fn not_free(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!(
        "{error}; or take other addresses by --net 127.1.0.0/16, or play the case without --real, which needs no port"
    ))
}

fn seat(
    desk: &Desk,
    (subnet, last): (Subnet, u8),
    tones_hz: &[u16],
    asks_by_pnp: bool,
) -> Result<Seat, Failure> {
    let mut place = Place::new(desk.ip(subnet));
    place.mac[5] = last;
    place.sources.pnp = asks_by_pnp;
    let desk_box = PhoneBox {
        name: desk.name.to_owned(),
        settings: desk.settings(subnet).map_err(Failure::Failed)?,
        place,
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

    fn forget(&mut self, who: &str) -> bool {
        self.off(who);
        let exchange = self.exchanges.iter_mut().find(|exchange| exchange.name == who);
        let forgot = exchange.is_some_and(|exchange| exchange.forget().is_ok());
        self.switch(who, true);
        forgot
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

    fn keeps_order(&self) -> bool {
        false
    }

    fn now(&self) -> Time {
        self.room.clock.now()
    }

    fn passed(&self) -> &[Passed] {
        &self.passed
    }

    fn subnet(&self) -> Subnet {
        self.subnet
    }

    fn knows(&self, who: &str) -> bool {
        let is_exchange = [EXCHANGE, BACKUP].contains(&who);
        let is_files = who == FILE_SERVER && self.files.is_some();
        let is_actor = self.actors.iter().any(|actor| actor.name() == who);
        is_exchange || is_files || is_actor || self.phones.iter().any(|seat| seat.desk.name == who)
    }

    fn ip(&self, who: &str) -> IpAddr {
        let phone = self.phones.iter().find(|seat| seat.desk.name == who);
        let exchange = self.exchanges.iter().find(|exchange| exchange.name == who);
        phone
            .map(|seat| seat.desk.place.ip())
            .or(exchange.map(|it| it.sip.ip()))
            .or(self.actors.iter().find(|actor| actor.name() == who).map(ActorBox::ip))
            .or(self.files.as_ref().filter(|_| who == FILE_SERVER).map(FileBox::ip))
            .unwrap_or(self.subnet.ip(EXCHANGE_IP))
    }

    fn name(&self, ip: IpAddr) -> String {
        let phone = self.phones.iter().find(|seat| seat.desk.place.ip() == ip).map(|seat| &seat.desk.name);
        let exchange = self.exchanges.iter().find(|it| it.sip.ip() == ip).map(|it| &it.name);
        let actor = || self.actors.iter().find(|actor| actor.ip() == ip).map(|actor| actor.name().to_owned());
        phone.or(exchange).cloned().or_else(actor).unwrap_or_else(|| ip.to_string())
    }
}
