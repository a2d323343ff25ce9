//! What an exchange's driver does for it: the media relay, and telling whoever listens.

use std::io;
use std::net::SocketAddr;

use roles::exchange::{Change, Event, Exchange};
use roles::relay::{RelayCommand, RelayEvent};
use serde_json::{Value, json};

use super::{Relaying, keep};
use crate::cli::lines::{Lines, Mouth};
use crate::clock::Clock;
use crate::{drive, store};

/// The driver's side of an exchange.
pub(in crate::cli) struct Hands {
    pub(in crate::cli) teller: Teller,
    relaying: Relaying,
    /// Whether there will be a next start that finds what is kept.
    is_kept: bool,
}

impl Hands {
    pub(super) fn new(teller: Teller, relaying: Relaying, is_kept: bool) -> Self {
        Self { teller, relaying, is_kept }
    }
}

impl drive::Hands<Exchange> for Hands {
    fn tell(&mut self, event: Event) {
        self.teller.tell(&event);
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

    /// The line that says that all listeners stand.
    pub(super) fn ready(&self, sip: SocketAddr) {
        match &self.mouth {
            Some(mouth) => {
                let at = self.clock.now().rfc3339();
                mouth.say(json!({ "event": "ready", "sip": sip, "web": null, "at": at }).to_string());
            }
            None => eprintln!("ready: SIP at {sip}"),
        }
    }

    fn tell(&self, event: &Event) {
        // Plain data with text keys, so serialising cannot fail.
        let Ok(Value::Object(mut fields)) = serde_json::to_value(event) else { return };
        match &self.mouth {
            Some(mouth) => {
                fields.insert("at".to_owned(), self.clock.now().rfc3339().into());
                mouth.say(Value::Object(fields).to_string());
            }
            None => eprintln!("{}", words(&fields)),
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
fn words(fields: &serde_json::Map<String, Value>) -> String {
    let name = fields.get("event").and_then(Value::as_str).unwrap_or_default().replace('_', " ");
    let rest = fields.iter().filter(|(key, value)| *key != "event" && !value.is_null());
    rest.fold(name, |line, (key, value)| match value {
        Value::String(text) => format!("{line}  {key} {text}"),
        other => format!("{line}  {key} {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_in_words() {
        let Value::Object(fields) = json!({ "event": "call_ended", "caller": "7001", "call": 3, "x": null })
        else {
            panic!("an object")
        };
        assert_eq!(words(&fields), "call ended  call 3  caller 7001");
    }
}
