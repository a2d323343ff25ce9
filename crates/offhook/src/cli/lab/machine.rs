//! A phone or an exchange of the lab as a task of its own, on sockets of its own.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use proto::sip::Transport;
use proto::{Rng, Time};
use roles::exchange::{Config as ExchangeConfig, Exchange};
use roles::phone::{Command, CommandError, Phone, Place, Restored};
use roles::relay::{RelayCommand, RelayEvent};
use roles::role::Nothing;
use roles::settings::{PhoneSettings, Settings};
use roles::sound::{SoundCommand, SoundEvent};
use roles::{exchange, phone};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::{JoinHandle, spawn_local};

use crate::cli::memory::{self, Rows};
use crate::cli::phone::hands::Sound;
use crate::cli::serve::{Listeners, Relaying, keep};
use crate::clock::{self, Clock};
use crate::drive::{self, COMMANDS_WAITING, Driver, Means};
use crate::net::dns::Dns;
use crate::net::fetch::Fetcher;
use crate::net::tls::Trust;
use crate::net::{Config, Net, Tap};
use crate::provision::Service;
use crate::sound::tap::Seen;
use crate::sound::{self, Engine, Sine, Sink};
use crate::store::{self, Memory, Store, Table};
use crate::web::phone::{Desk, Ear};
use crate::web::{self, Limits, Server, Site, Token, bind_usual};

/// How often a machine that is switched on asks for its ports while those of its former life close.
const BIND_ATTEMPTS: usize = 100;

/// Sees every packet once, where it left: time, source, destination, transport, bytes.
pub(super) type Witness = Arc<dyn Fn(Time, SocketAddr, SocketAddr, Transport, &[u8]) + Send + Sync>;

/// What all machines of one lab share.
#[derive(Clone)]
pub(super) struct Room {
    pub(super) clock: Clock,
    /// Who told what.
    pub(super) told: Sender<(String, Value)>,
    pub(super) witness: Option<Witness>,
    /// Who may use the HTTP APIs of the machines; without it there are none.
    pub(super) web_token: Option<Token>,
    /// Whom downloads by HTTPS believe.
    pub(super) trust: Trust,
    /// Whose relayed sound is seen where it arrives: the relay shows its packets to nobody.
    pub(super) exchanges: Vec<IpAddr>,
}

impl Room {
    fn tell(&self, who: &str, event: &impl Serialize) {
        // Events are plain data with text keys; where nobody reads them any more the lab is ending.
        let event = serde_json::to_value(event).unwrap_or_default();
        let _ = self.told.try_send((who.to_owned(), event));
    }

    /// Binds UDP of `at` and, with `by_tcp`, TCP, seen by the witness.
    async fn bind(&self, at: SocketAddr, by_tcp: bool) -> io::Result<Net> {
        let tcp = || by_tcp.then_some(at).into_iter().collect();
        let bind = || Net::bind(Config { udp: vec![at], tcp: tcp(), ..Config::new(self.clock) });
        let mut bound = bind();
        for _ in 0..BIND_ATTEMPTS {
            match &bound {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
                _ => break,
            }
            bound = bind();
        }
        let mut net = bound?;
        if let Some(tap) = self.tap(at.ip()) {
            net.set_tap(tap);
        }
        Ok(net)
    }

    /// A listener for a machine's HTTP API and who may use it.
    fn bind_web(&self, own: IpAddr) -> io::Result<Option<(TcpListener, Site)>> {
        let Some(token) = self.web_token.clone() else { return Ok(None) };
        let site = Site { token, names: Vec::new(), limits: Limits::default() };
        Ok(Some((bind_usual(own)?, site)))
    }

    fn tap(&self, own: IpAddr) -> Option<Tap> {
        let witness = self.witness.clone()?;
        Some(Box::new(move |at, from, to, transport, bytes| {
            if from.ip() == own {
                witness(at, from, to, transport, bytes);
            }
        }))
    }

    fn media_tap(&self, own: IpAddr) -> Option<Seen> {
        let (witness, exchanges) = (self.witness.clone()?, self.exchanges.clone());
        Some(Box::new(move |packet| {
            let from = packet.from.ip();
            if from == own || exchanges.contains(&from) {
                witness(packet.at, packet.from, packet.to, Transport::Udp, packet.bytes());
            }
        }))
    }
}

/// A machine that is switched on. Dropping it cuts its power.
pub(super) struct Machine {
    lines: Lines,
    task: JoinHandle<()>,
    web: Option<Server>,
}

/// Where a person's lines go.
enum Lines {
    Phone(Sender<Command>),
    Exchange(Sender<exchange::Command>),
    Actor(Sender<String>),
}

impl Machine {
    /// A scripted machine that is switched on.
    pub(super) fn of_actor((lines, task): (Sender<String>, JoinHandle<()>)) -> Self {
        Self { lines: Lines::Actor(lines), task, web: None }
    }

    /// Passes a line on: a phone's command, or an exchange's as JSON.
    ///
    /// # Errors
    /// The line is no command; what the person is to be told.
    pub(super) fn say(&self, line: &str) -> Result<(), Value> {
        let passed_on = match &self.lines {
            Lines::Phone(commands) => {
                commands.try_send(Command::parse(line).map_err(|error| refusal(&error))?).is_ok()
            }
            Lines::Exchange(commands) => {
                let command = serde_json::from_str(line)
                    .map_err(|error| json!({ "event": "error", "message": error.to_string() }))?;
                commands.try_send(command).is_ok()
            }
            Lines::Actor(lines) => lines.try_send(line.to_owned()).is_ok(),
        };
        let busy = "it is switched off, or hundreds of commands wait for it; try again";
        if passed_on { Ok(()) } else { Err(json!({ "event": "error", "message": busy })) }
    }

    /// Where an exchange takes commands; none of a phone.
    pub(super) fn commander(&self) -> Option<Sender<exchange::Command>> {
        match &self.lines {
            Lines::Exchange(commands) => Some(commands.clone()),
            Lines::Phone(_) | Lines::Actor(_) => None,
        }
    }

    /// Where its HTTP API is.
    pub(super) fn web(&self) -> Option<String> {
        self.web.as_ref().map(|server| format!("http://{}/", server.at()))
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(&mut self) {
        // A panic there was printed there.
        let _ = (&mut self.task).await;
    }

    /// Cuts its power and waits until its sockets are closed.
    pub(super) async fn cut(mut self) {
        self.task.abort();
        self.ended().await;
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn refusal(error: &CommandError) -> Value {
    json!({ "event": "error", "id": error.id, "message": error.message, "possible": error.possible })
}

/// A phone, whether it is on or off.
pub(super) struct PhoneBox {
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) place: Place,
    /// What its person hums, in hertz; 0 for silence.
    pub(super) tone_hz: u16,
    /// What outlives a restart.
    pub(super) store: Memory,
}

impl PhoneBox {
    /// Switches it on; what it says to its person goes to `sink`.
    ///
    /// # Errors
    /// A port that another program uses, or the system gives no thread: the text names the address.
    pub(super) async fn switch_on(&self, room: &Room, sink: Box<dyn Sink>) -> io::Result<Machine> {
        let net = room.bind(SocketAddr::new(self.place.ip(), self.place.udp_port), true).await?;
        let mut settings = self.settings.clone();
        memory::recall(&mut settings, &self.store, false)?;
        let dscp = PhoneSettings::read(&settings).rtp.audio_dscp;
        let own = sound::Config::NARROWBAND;
        let source = Box::new(Sine::new(self.tone_hz, own.rate_hz));
        let engine = Engine::new(own, source, sink, clock::seed()?);
        let sound = Sound::start(engine, dscp, room.clock, room.media_tap(self.place.ip()))?;
        let (commander, commands) = mpsc::channel(COMMANDS_WAITING);
        let (rows, history) = Rows::recall(&self.store)?;
        let kept = memory::restored(&self.store, history)?;
        let web = room.bind_web(self.place.ip())?;
        let desk = Desk::new(commander.clone(), room.clock);
        let ear = web.as_ref().map(|_| Ear::new(desk.clone()));
        let web = web.map(|(listener, site)| web::phone::serve(listener, site, desk)).transpose()?;
        let hands = PhoneHands { name: self.name.clone(), room: room.clone(), sound, rows, ear, end: None };
        let dns = Dns::nobody();
        let means = Means {
            net,
            fetcher: Fetcher::new(&dns, room.trust.clone()),
            dns,
            store: Box::new(self.store.clone()),
            clock: room.clock,
            commands,
            hands,
        };
        let rng = Rng::new(clock::seed()?);
        let task = spawn_local(live(settings, kept, self.place.clone(), rng, means));
        Ok(Machine { lines: Lines::Phone(commander), task, web })
    }
}

/// A phone's life: a restart begins it anew with the settings it has.
async fn live(
    settings: Settings,
    kept: Restored,
    place: Place,
    mut rng: Rng,
    means: Means<Phone, PhoneHands>,
) {
    let clock = means.clock;
    let phone = Phone::new(settings, place.clone(), rng.fork(), clock.now()).restored(kept);
    let mut driver = Driver::new(phone, means);
    loop {
        driver.run().await;
        if driver.hands().end.take() != Some(End::Restart) {
            return;
        }
        let ended = driver.role();
        let phone = Phone::new(ended.settings().clone(), place.clone(), rng.fork(), clock.now());
        let phone = phone.restored(ended.to_restore());
        driver.replace(phone);
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Quit,
    Restart,
}

/// The driver's side of a phone.
struct PhoneHands {
    name: String,
    room: Room,
    sound: Sound,
    rows: Rows,
    /// The HTTP API, which hears all events.
    ear: Option<Ear>,
    end: Option<End>,
}

impl drive::Hands<Phone> for PhoneHands {
    fn tell(&mut self, event: phone::Event) {
        let events = match &mut self.ear {
            Some(ear) => ear.hear(event),
            None => vec![event],
        };
        events.iter().for_each(|event| self.room.tell(&self.name, event));
    }

    fn is_awaited(&mut self, command: &Command) -> bool {
        self.ear.as_ref().is_none_or(|ear| ear.begin(command.id.as_deref()))
    }

    fn grant(&mut self, wish: phone::Wish) {
        match wish {
            phone::Wish::SwitchOff => self.end = Some(End::Quit),
            // A phone of the lab uses the machine's network.
            phone::Wish::Place(_) => {}
            phone::Wish::Restart => self.end = self.end.or(Some(End::Restart)),
            phone::Wish::Bundle { id, .. } | phone::Wish::Export { id, .. } => {
                let message = "a phone of the lab writes no file; start one by `offhook phone`";
                self.room.tell(&self.name, &json!({ "event": "error", "id": id, "message": message }));
            }
        }
    }

    fn media(&mut self, command: SoundCommand) {
        self.sound.command(command);
    }

    async fn heard(&mut self) -> SoundEvent {
        self.sound.next().await
    }

    fn row(&mut self, change: phone::Change) -> Option<store::Change> {
        self.rows.row(change)
    }

    fn note(&mut self, text: &str) {
        complain!("offhook: {}: {text}", self.name);
    }

    fn is_over(&self) -> bool {
        self.end.is_some()
    }
}

/// An exchange, whether it is on or off; its extensions and registrations are in the store.
pub(super) struct ExchangeBox {
    pub(super) name: String,
    pub(super) config: ExchangeConfig,
    pub(super) sip: SocketAddr,
    pub(super) store: Memory,
}

impl ExchangeBox {
    /// An exchange that is switched off.
    pub(super) fn new(
        name: &str,
        config: ExchangeConfig,
        sip: SocketAddr,
        extensions: &[exchange::Extension],
    ) -> Self {
        let mut store = Memory::default();
        store.commit(extensions.iter().map(keep::extension).collect());
        Self { name: name.to_owned(), config, sip, store }
    }

    /// Loses all that it kept but its extensions.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        let rows = self.store.reader().load(Table::Extension)?;
        self.store = Memory::default();
        let kept = rows.into_iter().map(|row| store::Change::set(Table::Extension, row.key, row.value));
        self.store.commit(kept.collect());
        Ok(())
    }

    /// Switches it on with what it kept; `devices` are the phones that it sets up.
    ///
    /// # Errors
    /// As [`PhoneBox::switch_on`].
    pub(super) async fn switch_on(&self, room: &Room, devices: Option<Service>) -> io::Result<Machine> {
        let net = room.bind(self.sip, !self.config.answers.udp_only).await?;
        let restored = keep::restore(&*self.store.reader())?;
        let exchange = Exchange::new(self.config.clone(), restored, clock::seed()?, room.clock.now());
        let relaying = Relaying::start(room.clock, Vec::new())?;
        let (commander, commands) = mpsc::channel(COMMANDS_WAITING);
        let web = room.bind_web(self.sip.ip())?;
        let desk =
            web.as_ref().map(|_| web::exchange::Desk::new(commander.clone(), room.clock.now().as_millis()));
        let web = web.zip(desk.clone());
        let web = web
            .map(|((listener, site), desk)| web::exchange::serve(listener, site, desk, devices.clone()))
            .transpose()?;
        let listeners = Listeners { desk, devices };
        let hands = ExchangeHands { name: self.name.clone(), room: room.clone(), relaying, listeners };
        let dns = Dns::nobody();
        let means = Means {
            net,
            fetcher: Fetcher::new(&dns, Trust::default()),
            dns,
            store: Box::new(self.store.clone()),
            clock: room.clock,
            commands,
            hands,
        };
        let mut driver = Driver::new(exchange, means);
        let task = spawn_local(async move { driver.run().await });
        Ok(Machine { lines: Lines::Exchange(commander), task, web })
    }
}

/// The driver's side of an exchange.
struct ExchangeHands {
    name: String,
    room: Room,
    relaying: Relaying,
    listeners: Listeners,
}

impl drive::Hands<Exchange> for ExchangeHands {
    fn tell(&mut self, event: exchange::Event) {
        if let Some(fields) = self.listeners.hear(&event, self.room.clock) {
            self.room.tell(&self.name, &event);
            self.listeners.tell(&fields);
        }
    }

    fn is_awaited(&mut self, command: &exchange::Command) -> bool {
        self.listeners.is_awaited(command)
    }

    fn refuse(&mut self, command: exchange::Command, why: &str) {
        self.listeners.refuse(&command, why);
    }

    fn grant(&mut self, wish: Nothing) {
        match wish {}
    }

    fn media(&mut self, command: RelayCommand) {
        self.relaying.command(command);
    }

    async fn heard(&mut self) -> RelayEvent {
        self.relaying.next().await
    }

    fn row(&mut self, change: exchange::Change) -> Option<store::Change> {
        Some(keep::row(change))
    }

    fn note(&mut self, text: &str) {
        complain!("offhook: {}: {text}", self.name);
    }
}
