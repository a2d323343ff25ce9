//! Who listens to an exchange on real sockets beside its person: the HTTP API, and the provisioning of its devices.

use roles::exchange::{Command, Event};
use serde_json::Value;

use crate::clock::Clock;
use crate::provision::Service;
use crate::web::exchange::Desk;

/// Who listens; each of them only where there is one.
#[derive(Clone, Default)]
pub(in crate::cli) struct Listeners {
    /// The HTTP API, which hears all events.
    pub(in crate::cli) desk: Option<Desk>,
    /// Who wants to know which devices have registered.
    pub(in crate::cli) devices: Option<Service>,
}

impl Listeners {
    /// Gives an answer to the one who asked, and tells provisioning of any other event. Returns that event as JSON,
    /// with its date, for all who read events.
    pub(in crate::cli) fn hear(&self, event: &Event, clock: Clock) -> Option<Value> {
        if let Event::Done { id, answer } = event {
            self.desk.iter().for_each(|desk| desk.answered(*id, answer.clone()));
            return None;
        }
        self.devices.iter().for_each(|devices| devices.hear(event));
        // Plain data with text keys, so serialising cannot fail.
        let mut fields = serde_json::to_value(event).ok()?;
        fields.as_object_mut()?.insert("at".to_owned(), clock.date().rfc3339().into());
        Some(fields)
    }

    /// Tells the HTTP API an event.
    pub(in crate::cli) fn tell(&self, fields: &Value) {
        let name = fields.get("event").and_then(Value::as_str).unwrap_or_default();
        self.desk.iter().for_each(|desk| desk.tell(name, fields.to_string()));
    }

    /// Whether a command is still to be done.
    pub(in crate::cli) fn is_awaited(&self, command: &Command) -> bool {
        self.desk.as_ref().is_none_or(|desk| desk.begins(command))
    }

    /// A command is not done, since nothing can be kept.
    pub(in crate::cli) fn refuse(&self, command: &Command, why: &str) {
        self.desk.iter().for_each(|desk| desk.refused(command.id, why));
    }
}
