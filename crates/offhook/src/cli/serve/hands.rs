//! What an exchange's driver does for it: the media relay, and telling whoever listens.

use std::io;
use std::net::SocketAddr;

use proto::Time;
use roles::exchange::{Change, Command, Event, Exchange, What};
use roles::relay::{RelayCommand, RelayEvent};
use roles::role::Nothing;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::listeners::Listeners;
use super::words::words;
use super::{Relaying, keep};
use crate::cli::lines::{Lines, Mouth};
use crate::cli::web::Told;
use crate::clock::Clock;
use crate::provision::Service;
use crate::web::exchange::Desk;
use crate::{drive, store};
use roles::repeats::{Repeats, Sum, address, kind_and_source};

/// The driver's side of an exchange.
pub(in crate::cli) struct Hands {
    teller: Teller,
    relaying: Relaying,
    /// Whether there will be a next start that finds what is kept.
    is_kept: bool,
    commander: mpsc::Sender<Command>,
    listeners: Listeners,
    repeats: Repeats,
}

impl Hands {
    pub(super) fn new(
        teller: Teller,
        relaying: Relaying,
        is_kept: bool,
        commander: mpsc::Sender<Command>,
    ) -> Self {
        let (listeners, repeats) = (Listeners::default(), Repeats::default());
        Self { teller, relaying, is_kept, commander, listeners, repeats }
    }

    /// A desk for the HTTP API, which is told everything from now on.
    pub(in crate::cli) fn open_desk(&mut self, now: Time) -> Desk {
        let desk = Desk::new(self.commander.clone(), now.as_millis());
        self.listeners.desk = Some(desk.clone());
        desk
    }

    /// Where the exchange takes commands.
    pub(super) fn commander(&self) -> mpsc::Sender<Command> {
        self.commander.clone()
    }

    /// Tells provisioning from now on which devices have registered.
    pub(super) fn tell_devices_to(&mut self, service: Service) {
        self.listeners.devices = Some(service);
    }

    /// Tells that all listeners stand; `places` are those of other services by their names.
    pub(super) fn ready(&mut self, sip: SocketAddr, web: Option<&Told>, places: &[(&'static str, String)]) {
        let at = self.teller.clock.date().rfc3339();
        let url = web.map(|web| &web.url);
        let token_file = web.and_then(|web| web.token_file.as_ref());
        let mut line =
            json!({ "event": "ready", "sip": sip, "web": url, "token_file": token_file, "at": at });
        if let Some(fields) = line.as_object_mut() {
            fields.extend(places.iter().map(|(name, place)| ((*name).to_owned(), place.as_str().into())));
        }
        self.listeners.tell(&line);
        let web = web.map(|web| format!(", {}", web.words())).unwrap_or_default();
        let places: String = places.iter().map(|(name, place)| format!(", {name} at {place}")).collect();
        self.teller.say(|| line.to_string(), || format!("ready: SIP at {sip}{places}{web}"));
    }

    /// Tells what was left out, where a window of counting is over.
    fn sum_up(&mut self) {
        let now = self.teller.clock.now();
        self.repeats.take(now).iter().for_each(|sum| self.tell_sum(sum));
    }

    fn tell_sum(&mut self, sum: &Sum) {
        self.teller.note(&sum.words());
        if STRANGERS_CAUSE.contains(&&*sum.kind) {
            let at = self.teller.clock.date().rfc3339();
            let Sum { kind, source, count } = sum;
            let line = json!({ "event": "repeated", "of": kind, "source": source, "count": count, "at": at });
            self.listeners.tell(&line);
            self.teller.say_json(|| line.to_string());
        }
    }

    /// Tells everything that is left, and waits until it is written.
    pub(super) fn finish(&mut self) {
        let sums = self.repeats.take_all();
        sums.iter().for_each(|sum| self.tell_sum(sum));
        self.teller.finish();
    }
}

/// Events that strangers can cause in any number: programs too are told the first of them, and a sum.
const STRANGERS_CAUSE: [&str; 3] = ["blocked", "banned", "media_stranger"];

impl drive::Hands<Exchange> for Hands {
    fn tell(&mut self, event: Event) {
        let Some(fields) = self.listeners.hear(&event, self.teller.clock) else { return };
        let text = |name| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, at) = (text("event"), text("at"));
        let is_shown = self.repeats.admit(self.teller.clock.now(), name, &source(&fields));
        if is_shown || !STRANGERS_CAUSE.contains(&name) {
            self.listeners.tell(&fields);
            self.teller.say_json(|| fields.to_string());
        }
        if is_shown {
            let time = at.get(11..19).unwrap_or_default();
            self.teller.say_words(|| format!("{time}Z  {}", words(&event)));
        }
    }

    fn grant(&mut self, wish: Nothing) {
        match wish {}
    }

    fn media(&mut self, command: RelayCommand) {
        self.relaying.command(command);
    }

    async fn heard(&mut self) -> RelayEvent {
        loop {
            self.sum_up();
            let ends = self.repeats.ends();
            let clock = self.teller.clock;
            tokio::select! {
                event = self.relaying.next() => return event,
                () = drive::until(&clock, ends) => {}
            }
        }
    }

    fn row(&mut self, change: Change) -> Option<store::Change> {
        (self.is_kept || !keep::is_for_next_start(&change)).then(|| keep::row(change))
    }

    fn note(&mut self, text: &str) {
        let (kind, source) = kind_and_source(text);
        if self.repeats.admit(self.teller.clock.now(), &kind, &source) {
            self.teller.note(text);
        }
    }

    fn is_change(&self, command: &Command) -> bool {
        changes(&command.what)
    }

    fn is_awaited(&mut self, command: &Command) -> bool {
        self.listeners.is_awaited(command)
    }

    fn refuse(&mut self, command: Command, why: &str) {
        self.listeners.refuse(&command, why);
    }

    fn turned(&mut self, _: &Exchange) {
        self.teller.look_for_reader();
    }
}

/// Whether something is to be different after it, and not only told.
const fn changes(what: &What) -> bool {
    match what {
        What::Extensions { .. }
        | What::CheckSync { .. }
        // Provisioning keeps them, and tells them once: they are never refused.
        | What::SetDeviceAccounts { .. }
        | What::Extension(_)
        | What::Registrations { .. }
        | What::Calls { .. }
        | What::Records { .. }
        | What::Codes
        | What::Subscriptions { .. }
        | What::Blocks
        | What::Blocked
        | What::Figures
        | What::Bans => false,
        What::SetExtension(_)
        | What::EditExtension { .. }
        | What::RemoveExtension(_)
        | What::HangUp(_)
        | What::HangUpAll
        | What::Originate { .. }
        | What::Transfer { .. }
        | What::SetCodes(_)
        | What::Ban(_)
        | What::Pardon(_) => true,
    }
}

/// Who caused an event: an address where one is named, else a number.
fn source(fields: &Value) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let named = ["source", "from"].into_iter().filter_map(text).find_map(address);
    let number = || ["number", "caller"].into_iter().find_map(text).map(str::to_owned);
    let caller = || fields.get("caller")?.get("number")?.as_str().map(str::to_owned);
    named.or_else(number).or_else(caller).unwrap_or_default()
}

/// Tells an exchange's events: as JSON lines on standard output, or in words on standard error, where notes
/// for the operator go too.
pub(in crate::cli) struct Teller {
    clock: Clock,
    json: Option<Lines>,
    json_mouth: Option<Mouth>,
    words: Option<Lines>,
    words_mouth: Mouth,
}

impl Teller {
    /// A teller; it writes on threads of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(in crate::cli) fn new(is_json: bool, clock: Clock) -> io::Result<Self> {
        let json = if is_json { Some(Lines::stdout()?) } else { None };
        let words = Lines::stderr()?;
        let (json_mouth, words_mouth) = (json.as_ref().map(Lines::mouth), words.mouth());
        Ok(Self { clock, json, json_mouth, words: Some(words), words_mouth })
    }

    /// Says it as JSON or in words.
    fn say(&mut self, json: impl FnOnce() -> String, words: impl FnOnce() -> String) {
        self.say_json(json);
        self.say_words(words);
    }

    /// Says it to programs.
    fn say_json(&mut self, json: impl FnOnce() -> String) {
        if let Some(mouth) = &self.json_mouth {
            mouth.say(json());
        }
    }

    /// Says it to a person, where no program is told instead.
    fn say_words(&mut self, words: impl FnOnce() -> String) {
        if self.json.is_none() {
            self.words_mouth.say(words());
        }
    }

    /// Says something for the operator alone.
    fn note(&self, text: &str) {
        self.words_mouth.say(format!("offhook: {text}"));
    }

    /// Says once that a program that was told events does not read them any more. An exchange goes on
    /// without it.
    fn look_for_reader(&mut self) {
        if self.json_mouth.take_if(|mouth| mouth.is_unread()).is_some() {
            self.note("nobody reads the events on standard output any more; the exchange goes on without");
        }
    }

    /// Waits until everything told is written.
    fn finish(&mut self) {
        self.json.take().into_iter().chain(self.words.take()).for_each(Lines::finish);
    }
}
