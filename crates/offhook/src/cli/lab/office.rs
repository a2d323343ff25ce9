//! Bare `offhook`: an exchange and three phones on this machine, driven by lines until Ctrl-C.

use std::io::{self, IsTerminal};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use proto::Rng;
use proto::sip::Transport;
use roles::exchange::{Config as ExchangeConfig, Extension};
use roles::lab::Subnet;
use roles::lab::script::{Desk, EXCHANGE, EXCHANGE_IP};
use roles::phone::command::MAX_LINE_BYTES;
use roles::phone::{Command, Place, Sources};
use roles::settings::{Model, OUI, Settings};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::Arguments;
use super::machine::{ExchangeBox, Machine, PhoneBox, Room, Witness};
use super::paint::Paint;
use super::supply::{Supply, Wanted};
use crate::capture::{Capture, USUAL_SIZE_MB};
use crate::cli::lines::{Lines, Mouth, read_stdin};
use crate::cli::prompt::{self, Prompt};
use crate::cli::serve::{REALM, relay_ports};
use crate::cli::words::words;
use crate::cli::{Failure, Interruption, runtime};
use crate::clock::{self, Clock};
use crate::net::tls::Trust;
use crate::provision::Listeners;
use crate::sound::Silence;
use crate::store::Memory;
use crate::web::Token;

/// Who has a phone, and what each hums.
const DESKS: [Desk; 3] = [Desk::plain("7001", 600), Desk::plain("7002", 800), Desk::plain("7007", 1_000)];
/// Events that may wait while a person's terminal is slow.
const EVENTS_WAITING: usize = 4_096;
/// Lines that may wait for the phones.
const LINES_WAITING: usize = 64;
/// How long the phones may take to say goodbye to the exchange.
const GOODBYE: Duration = Duration::from_secs(3);
/// The type of a key that watches an extension (deck, Line Key).
const BLF: &str = "16";

/// Runs until `quit` or Ctrl-C.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    LocalSet::new().block_on(&runtime()?, live(arguments))
}

async fn live(arguments: &Arguments) -> Result<(), Failure> {
    let clock = Clock::start();
    let (teller, mut told) = mpsc::channel(EVENTS_WAITING);
    let capture = arguments.pcap.as_deref().map(|path| Capture::create(path, USUAL_SIZE_MB)).transpose()?;
    let subnet = arguments.net;
    let token = Token::generate(&mut Rng::new(clock::seed()?));
    let exchanges = vec![subnet.ip(EXCHANGE_IP)];
    let witness = capture.map(witness);
    let room = Room {
        clock,
        told: teller,
        witness,
        web_token: Some(token.clone()),
        trust: Trust::default(),
        exchanges,
    };
    let office = Office::open(&room, subnet).await?;
    let (typist, mut typed) = mpsc::channel(LINES_WAITING);
    let is_person = io::stdin().is_terminal();
    // A person's Ctrl-D is a farewell; a script that has nothing more to say lets the phones run.
    let take = move |line| match line {
        None => !is_person || typist.blocking_send("quit".to_owned()).is_ok(),
        Some(line) => typist.blocking_send(line).is_ok(),
    };
    let (lines, prompt) = if prompt::is_person() && !arguments.json {
        let words = DESKS.map(|desk| format!("{} ", desk.name)).into_iter();
        let words = words.chain(["help", "quit"].map(str::to_owned)).collect();
        (None, Some(Prompt::open("lab> ", words, take)?))
    } else {
        read_stdin(MAX_LINE_BYTES, take)?;
        (Some(Lines::stdout()?), None)
    };
    let mouth = lines.as_ref().or(prompt.as_ref().map(|prompt| &prompt.lines)).map(Lines::mouth);
    let Some(mouth) = mouth else { return Ok(()) };
    let voice = Voice { mouth, is_json: arguments.json, paint: Paint::of(&io::stdout()) };
    complain!("HTTP API token, for this run alone: {}", token.expose());
    let mut interruption = Interruption::expect()?;
    let mut stop = pin!(interruption.comes());
    voice.ready(clock, &office);
    loop {
        tokio::select! {
            Some((who, event)) = told.recv() => voice.tell(&who, event),
            Some(line) = typed.recv() => match office.obey(&line) {
                Obeyed::Quit => break,
                Obeyed::Done => {}
                Obeyed::Say(text) => voice.say(text),
                Obeyed::Refused(who, event) => voice.tell(&who, event),
            },
            asked = &mut stop => break asked?,
        }
    }
    office.close(&mut told, &voice).await;
    lines.into_iter().for_each(Lines::finish);
    prompt.into_iter().for_each(Prompt::finish);
    Ok(())
}

fn witness(capture: Capture) -> Witness {
    Arc::new(move |at, from, to, transport, bytes| capture.add(at, from, to, transport, bytes))
}

/// The machines, all switched on.
struct Office {
    exchange: Machine,
    phones: Vec<(&'static str, Machine)>,
    subnet: Subnet,
    _supply: Listeners,
}

/// What came of a line.
enum Obeyed {
    Done,
    Quit,
    /// Something for the person alone.
    Say(String),
    /// Whose line was no command, and why.
    Refused(String, Value),
}

impl Office {
    async fn open(room: &Room, subnet: Subnet) -> Result<Self, Failure> {
        let mut rng = Rng::new(clock::seed()?);
        let config = ExchangeConfig {
            realm: REALM.to_owned(),
            user_agent: format!("Offhook {}", env!("CARGO_PKG_VERSION")),
            relay: relay_ports(subnet.ip(EXCHANGE_IP)),
            ..ExchangeConfig::default()
        };
        // Nobody is told these secrets: each phone has an account of its own at its extension, and finds it in
        // its file.
        let extensions = DESKS.map(|desk| Extension::new(desk.number(), &config.realm, &rng.hex(32)));
        let exchange = ExchangeBox::new(EXCHANGE, config, sip_of_exchange(subnet), &extensions);
        let wanted = DESKS.iter().map(|desk| wanted(desk, subnet)).collect();
        let supply = Supply::open(subnet.ip(EXCHANGE_IP), REALM, room.clock, wanted)?;
        let exchange = exchange.switch_on(room, Some(supply.service())).await;
        let exchange = exchange.map_err(|error| taken(&error, subnet))?;
        let supply = supply.start(&exchange)?;
        let mut phones = Vec::new();
        for desk in &DESKS {
            let phone = phone(desk, subnet).switch_on(room, Box::new(Silence)).await;
            phones.push((desk.name, phone.map_err(|error| taken(&error, subnet))?));
        }
        Ok(Self { exchange, phones, subnet, _supply: supply })
    }

    fn obey(&self, line: &str) -> Obeyed {
        let (who, command) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        match (who, self.phones.iter().find(|(name, _)| *name == who)) {
            (_, Some((name, machine))) => match machine.say(command) {
                Ok(()) => Obeyed::Done,
                Err(event) => Obeyed::Refused((*name).to_owned(), event),
            },
            ("", _) => Obeyed::Done,
            ("quit", _) => Obeyed::Quit,
            ("help", _) => Obeyed::Say(help()),
            _ => Obeyed::Say(format!(
                "`{}` is no phone; begin a line with one of {}, or type `help`",
                who.escape_debug(),
                DESKS.map(|desk| desk.name).join(", ")
            )),
        }
    }

    /// Lets the phones hang up and say goodbye, and tells what they tell meanwhile.
    async fn close(mut self, told: &mut mpsc::Receiver<(String, Value)>, voice: &Voice) {
        for (_, machine) in &self.phones {
            // One that is off already has said goodbye.
            let _ = machine.say("quit");
        }
        let all_ended = async {
            for (_, machine) in &mut self.phones {
                machine.ended().await;
            }
        };
        let mut all_ended = pin!(tokio::time::timeout(GOODBYE, all_ended));
        loop {
            tokio::select! {
                Some((who, event)) = told.recv() => voice.tell_at_the_end(&who, event),
                _ = &mut all_ended => break,
            }
        }
        while let Ok((who, event)) = told.try_recv() {
            voice.tell_at_the_end(&who, event);
        }
        self.exchange.cut().await;
    }
}

fn sip_of_exchange(subnet: Subnet) -> SocketAddr {
    SocketAddr::new(subnet.ip(EXCHANGE_IP), Transport::Udp.default_port())
}

fn taken(error: &io::Error, subnet: Subnet) -> Failure {
    Failure::Failed(format!(
        "{error}. The lab needs port 5060 of {} and of each phone; where another lab is running, take other \
         addresses by --net 127.1.0.0/16",
        subnet.ip(EXCHANGE_IP)
    ))
}

/// A phone out of its box: it knows its MAC address.
fn phone(desk: &Desk, subnet: Subnet) -> PhoneBox {
    let mut place = Place::new(desk.ip(subnet));
    place.mac = mac(desk, subnet);
    place.sources = Sources { pnp: true, ..Sources::default() };
    let settings = Settings::new(Model::usual());
    PhoneBox { name: desk.name.to_owned(), settings, place, tone_hz: desk.tone_hz, store: Memory::default() }
}

/// 7001 has 00:21:f2:00:00:01. All labs of a machine hear each other's PnP, so each has other addresses.
fn mac(desk: &Desk, subnet: Subnet) -> [u8; 6] {
    let [a, b, c] = OUI;
    let network = match subnet.ip(EXCHANGE_IP) {
        IpAddr::V4(ip) => ip.octets()[1],
        IpAddr::V6(_) => 0,
    };
    let last = desk.number().bytes().last().map_or(0, |digit| digit.saturating_sub(b'0'));
    [a, b, c, network, 0, last]
}

/// What a phone is to be served beside its account: a lamp for each of the others.
fn wanted(desk: &Desk, subnet: Subnet) -> Wanted {
    let keys = lamps_of(desk).flat_map(|(key, watched)| {
        [("type", BLF), ("line", "1"), ("value", watched)]
            .map(|(name, value)| (format!("linekey.{key}.{name}"), value.to_owned()))
    });
    Wanted { mac: mac(desk, subnet), number: desk.name, settings: keys.collect() }
}

/// The keys that watch the others: the number of the key, and whom it watches.
fn lamps_of(desk: &Desk) -> impl Iterator<Item = (usize, &'static str)> {
    let own = desk.name;
    DESKS
        .iter()
        .map(|other| other.name)
        .filter(move |other| *other != own)
        .zip(2..)
        .map(|(who, key)| (key, who))
}

fn help() -> String {
    // An empty line is no command, and the answer names all that are.
    let possible = Command::parse("").err().map(|error| error.possible).unwrap_or_default();
    format!("A line is a phone and what it is to do, as in `7001 dial 7002`:\n  {}", possible.join("\n  "))
}

/// Speaks to whoever reads standard output.
struct Voice {
    mouth: Mouth,
    is_json: bool,
    paint: Paint,
}

impl Voice {
    fn ready(&self, clock: Clock, office: &Office) {
        let subnet = office.subnet;
        let web = |name: &str| {
            let machine = office.phones.iter().find(|(own, _)| *own == name).map(|(_, machine)| machine);
            machine.unwrap_or(&office.exchange).web()
        };
        let sip = |desk: &Desk| SocketAddr::new(desk.ip(subnet), Transport::Udp.default_port());
        if self.is_json {
            let of_phone =
                |desk: &Desk| json!({ "number": desk.number(), "sip": sip(desk), "web": web(desk.name) });
            let phones: Vec<_> = DESKS.iter().map(of_phone).collect();
            let at = clock.now().rfc3339();
            let line = json!({ "event": "ready", "at": at, "sip": sip_of_exchange(subnet), "web": web(EXCHANGE), "phones": phones });
            self.mouth.say(line.to_string());
            return;
        }
        let web_in_words = |name: &str| web(name).map(|url| format!("  {url}")).unwrap_or_default();
        let mut text = format!(
            "An exchange and three phones on this machine, each with its HTTP API.\n\n  exchange  {:18}{}\n",
            sip_of_exchange(subnet),
            web_in_words(EXCHANGE)
        );
        for desk in &DESKS {
            let lamps: Vec<_> =
                lamps_of(desk).map(|(key, watched)| format!("key {key} watches {watched}")).collect();
            let (name, sip, web) = (desk.name, sip(desk), web_in_words(desk.name));
            text += &format!("  {name:9} {sip:18}{web}   {}\n", lamps.join(", "));
        }
        text += "\nTry one line after the other:\n  7001 dial 7002\n  7002 answer\n  7001 hold\n  \
                 7001 resume\n  7001 transfer 7007\n  7007 answer\n  7007 hangup\n\
                 `help` names all commands; `quit` or Ctrl-C ends the lab.\n";
        self.mouth.say(text);
    }

    fn tell(&self, who: &str, mut event: Value) {
        if self.is_json {
            event["who"] = who.into();
            self.mouth.say(event.to_string());
        } else if who != EXCHANGE
            && let Some(words) = words(&event)
        {
            self.mouth.say(format!("{} {words}", self.paint.bold(who)));
        }
    }

    /// As [`Voice::tell`]; a person does not want to see the lamps go out one by one.
    fn tell_at_the_end(&self, who: &str, event: Value) {
        if self.is_json || event["event"] != "lamp" {
            self.tell(who, event);
        }
    }

    /// Something that is no event: with JSON it goes to standard error.
    fn say(&self, text: String) {
        if self.is_json {
            complain!("{text}");
        } else {
            self.mouth.say(text);
        }
    }
}
