//! What an exchange's driver does for it: the media relay, and telling whoever listens.

use std::io;
use std::net::SocketAddr;

use proto::Time;
use roles::exchange::{Change, Command, Event, Exchange};
use roles::relay::{RelayCommand, RelayEvent};
use roles::role::Nothing;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::words::words;
use super::{Relaying, keep};
use crate::cli::lines::{Lines, Mouth};
use crate::cli::web::Told;
use crate::clock::Clock;
use crate::web::exchange::Desk;
use crate::{drive, store};

/// The driver's side of an exchange.
pub(in crate::cli) struct Hands {
    pub(in crate::cli) teller: Teller,
    relaying: Relaying,
    /// Whether there will be a next start that finds what is kept.
    is_kept: bool,
    commander: mpsc::Sender<Command>,
    desk: Option<Desk>,
}

impl Hands {
    pub(super) fn new(
        teller: Teller,
        relaying: Relaying,
        is_kept: bool,
        commander: mpsc::Sender<Command>,
    ) -> Self {
        Self { teller, relaying, is_kept, commander, desk: None }
    }

    /// A desk for the HTTP API, which is told everything from now on.
    pub(in crate::cli) fn open_desk(&mut self, now: Time) -> Desk {
        let desk = Desk::new(self.commander.clone(), now.as_millis());
        self.desk = Some(desk.clone());
        desk
    }

    /// Tells that all listeners stand.
    pub(super) fn ready(&self, sip: SocketAddr, web: Option<&Told>) {
        let at = self.teller.clock.now().rfc3339();
        let url = web.map(|web| &web.url);
        let token_file = web.and_then(|web| web.token_file.as_ref());
        let line = json!({ "event": "ready", "sip": sip, "web": url, "token_file": token_file, "at": at });
        if let Some(desk) = &self.desk {
            desk.tell("ready", line.to_string());
        }
        let web = web.map(|web| format!(", {}", web.words())).unwrap_or_default();
        self.teller.say(|| line.to_string(), || format!("ready: SIP at {sip}{web}"));
    }
}

impl drive::Hands<Exchange> for Hands {
    fn tell(&mut self, event: Event) {
        if let Event::Done { id, answer } = event {
            self.desk.iter().for_each(|desk| desk.answered(id, answer.clone()));
            return;
        }
        // Plain data with text keys, so serialising cannot fail.
        let Ok(Value::Object(mut fields)) = serde_json::to_value(&event) else { return };
        let at = self.teller.clock.now().rfc3339();
        fields.insert("at".to_owned(), at.as_str().into());
        let name = fields.get("event").and_then(Value::as_str).unwrap_or_default().to_owned();
        let fields = Value::Object(fields);
        if let Some(desk) = &self.desk {
            desk.tell(&name, fields.to_string());
        }
        let time = at.get(11..19).unwrap_or_default();
        self.teller.say(|| fields.to_string(), || format!("{time}  {}", words(&event)));
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

    fn row(&mut self, change: Change) -> Option<store::Change> {
        (self.is_kept || !keep::is_for_next_start(&change)).then(|| keep::row(change))
    }

    fn note(&mut self, text: &str) {
        eprintln!("offhook: {text}");
    }

    fn is_over(&self) -> bool {
        self.teller.is_unread()
    }
}

/// Tells an exchange's events: as JSON lines on standard output, or in words on standard error.
pub(in crate::cli) struct Teller {
    clock: Clock,
    lines: Option<Lines>,
    mouth: Option<Mouth>,
}

impl Teller {
    /// A teller; JSON needs a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(in crate::cli) fn new(is_json: bool, clock: Clock) -> io::Result<Self> {
        let lines = if is_json { Some(Lines::stdout()?) } else { None };
        let mouth = lines.as_ref().map(Lines::mouth);
        Ok(Self { clock, lines, mouth })
    }

    /// Says it as JSON or in words.
    fn say(&self, json: impl FnOnce() -> String, words: impl FnOnce() -> String) {
        match &self.mouth {
            Some(mouth) => drop(mouth.say(json())),
            None => eprintln!("{}", words()),
        }
    }

    fn is_unread(&self) -> bool {
        self.mouth.as_ref().is_some_and(Mouth::is_unread)
    }

    /// Waits until everything told is written.
    pub(super) fn finish(&mut self) {
        if let Some(lines) = self.lines.take() {
            lines.finish();
        }
    }
}
