//! What an exchange's driver does for it: the media relay, and telling whoever listens.

use std::io;
use std::net::SocketAddr;

use proto::Time;
use roles::exchange::{Change, Command, Event, Exchange};
use roles::relay::{RelayCommand, RelayEvent};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

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
        fields.insert("at".to_owned(), self.teller.clock.now().rfc3339().into());
        let name = fields.get("event").and_then(Value::as_str).unwrap_or_default().to_owned();
        let fields = Value::Object(fields);
        if let Some(desk) = &self.desk {
            desk.tell(&name, fields.to_string());
        }
        self.teller.say(|| fields.to_string(), || words(fields.as_object()));
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

/// An event for people: its name, then what there is to know.
fn words(fields: Option<&Map<String, Value>>) -> String {
    let Some(fields) = fields else { return String::new() };
    let name = fields.get("event").and_then(Value::as_str).unwrap_or_default().replace('_', " ");
    let rest = fields.iter().filter(|(key, value)| *key != "event" && *key != "at" && !value.is_null());
    rest.fold(name, |line, (key, value)| match value {
        Value::String(text) => format!("{line}  {key} {}", printable(text)),
        other => format!("{line}  {key} {other}"),
    })
}

/// Texts of strangers do nothing to the terminal that shows them: control characters and those that turn
/// the direction of writing are shown by their numbers.
fn printable(text: &str) -> String {
    let does = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let show = |c: char| if does(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_strangers_do_nothing_to_a_terminal() {
        let event = json!({ "event": "registered", "contact": "sip:\u{1b}]0;x\u{7}\u{9b}2J\u{202e}ü" });
        let line = words(event.as_object());
        assert_eq!(line, "registered  contact sip:\\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}ü");
    }

    #[test]
    fn events_in_words() {
        let event = json!({ "event": "call_ended", "caller": "7001", "call": 3, "x": null, "at": "…" });
        assert_eq!(words(event.as_object()), "call ended  call 3  caller 7001");
    }
}
