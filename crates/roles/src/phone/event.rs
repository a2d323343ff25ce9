//! What a phone tells persons and programs: the events of the `--stdio` contract.

use proto::Time;
use proto::syslog::Severity;
use serde::{Serialize, Serializer};

use super::facts::{AskedFile, ForwardReason, HistoryEntry};
use super::lamp::{Colour, Meaning, Rhythm};
use super::view::{Contact, Shown, SoftKey, View};
use crate::settings::Fault;
use crate::sound::Figures;

/// One event with its moment; as JSON an object with `event`, `at` and the fields of its kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// What happened.
    #[serde(flatten)]
    pub what: EventKind,
    /// When, as RFC 3339.
    #[serde(serialize_with = "rfc3339")]
    pub at: Time,
}

impl Event {
    /// As one line of JSON, without its line end.
    pub fn to_json(&self) -> String {
        // Every field is plain data with text keys, so serialising cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Which call an event is about.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct CallRef {
    /// A small number of this phone.
    pub call: u32,
    /// The account, from 1; 0 for a call from address to address.
    pub account: u8,
    /// The other party's number.
    pub peer: String,
}

/// Who brought something about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The person at this phone.
    Local,
    /// The other party, or its server.
    Remote,
    /// The way between: a time-out, a broken flow.
    Network,
}

/// The kinds of events and their fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A command has been taken.
    Done {
        /// The command's own name.
        id: Option<String>,
    },
    /// A command cannot be done.
    Error {
        /// The command's own name.
        id: Option<String>,
        /// Why, and what to do instead.
        message: String,
        /// Commands or words that would be possible.
        possible: Vec<String>,
    },
    /// The answer to `get`.
    Value {
        /// The parameter.
        key: String,
        /// Its value; secrets are not shown.
        value: String,
        /// Who said so.
        source: crate::settings::Source,
        /// What there is to know of it; none where many are told at once.
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        about: Option<Box<crate::settings::About>>,
    },
    /// The answer to `status`.
    Status(Box<View>),
    /// The answer to `history`, and to its key.
    History {
        /// The newest first.
        calls: Vec<HistoryEntry>,
    },
    /// The answer to `directory`, and to its key.
    Directory {
        /// In the order of the keys.
        entries: Vec<Contact>,
    },
    /// What the screen shows has changed; lamps are told by themselves.
    Screen {
        /// What it shows now.
        #[serde(flatten)]
        shown: Box<Shown>,
        /// The soft keys of that page.
        soft_keys: Vec<SoftKey>,
    },
    /// An account is registered, or registered anew.
    Registered {
        /// The account.
        account: u8,
        /// For how long.
        expires_s: u32,
    },
    /// An account could not be registered.
    RegistrationFailed {
        /// The account.
        account: u8,
        /// The final status; `None` where no answer came.
        status: Option<u16>,
        /// The server's phrase, or what happened.
        reason: String,
        /// Until the next attempt.
        retry_in_s: u32,
    },
    /// An account's registration was taken back.
    Unregistered {
        /// The account.
        account: u8,
    },
    /// A call rings here.
    Incoming {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
        /// The caller's name.
        name: String,
        /// Who diverted it here.
        diverted_from: Option<String>,
        /// The number that was called, where the settings show it.
        #[serde(skip_serializing_if = "Option::is_none")]
        called: Option<String>,
        /// The ring tone, by the name that the settings give it.
        #[serde(skip_serializing_if = "String::is_empty")]
        ring: String,
    },
    /// The other party's phone rings.
    Ringing {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
    },
    /// The call stands.
    Answered {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
        /// The codec agreed on.
        codec: Option<String>,
        /// Whether sound is encrypted.
        secure: bool,
    },
    /// This phone holds the other.
    Held {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
    },
    /// This phone holds the other no more.
    Resumed {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
    },
    /// The other party holds this phone.
    RemoteHold {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
    },
    /// The other party holds this phone no more.
    RemoteResume {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
    },
    /// The other party is another one now, by what the server says: after a transfer or a pickup.
    PeerChanged {
        /// The call, with its new party.
        #[serde(flatten)]
        call: CallRef,
        /// The new party's name.
        name: String,
    },
    /// A transfer that this phone asked for came out.
    Transferred {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
        /// The status of the last sipfrag, or of the refusal of REFER; `None` where no answer came.
        status: Option<u16>,
    },
    /// This phone sent a call elsewhere by 302.
    Forwarded {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
        /// Where to.
        to: String,
        /// Why.
        reason: ForwardReason,
    },
    /// A call is over.
    Ended {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
        /// The final status; `None` for an answered call and where no answer came.
        status: Option<u16>,
        /// In words.
        reason: String,
        /// Who ended it.
        by: By,
        /// From the answer to the end; 0 for a call that was not answered.
        duration_ms: u64,
        /// What was measured of its sound.
        rtp: Figures,
    },
    /// The other party sent a digit.
    Dtmf {
        /// The call.
        #[serde(flatten)]
        call: CallRef,
        /// The digit.
        digit: char,
        /// `rtp` or `info`.
        how: &'static str,
    },
    /// A lamp changed.
    Lamp {
        /// The key, from 1.
        key: u8,
        /// Its colour.
        colour: Colour,
        /// Its rhythm.
        rhythm: Rhythm,
        /// What it means.
        meaning: Meaning,
    },
    /// The server tells of waiting messages.
    Messages {
        /// The account.
        account: u8,
        /// How many are new.
        new: u32,
        /// How many are old.
        old: u32,
    },
    /// A line of the phone's own log.
    Log {
        /// The line.
        line: String,
        /// How grave it is; not told where it is an ordinary line.
        #[serde(serialize_with = "word", skip_serializing_if = "is_ordinary")]
        severity: Severity,
    },
    /// The phone begins to fetch its configuration.
    Resync {
        /// `start`, `periodic`, `command`, `page`, `check-sync`.
        why: String,
    },
    /// The server of the configuration is known.
    ProvisionSource {
        /// `pnp`, `option66`, `profile`, `rps`.
        source: &'static str,
        /// Where its files are.
        url: String,
    },
    /// The answer to `export`.
    Configuration {
        /// As a configuration file, without secrets.
        text: String,
    },
    /// The answer to `import`.
    Imported {
        /// How many parameters have another value now.
        changed: usize,
        /// What is wrong with the file, by line; what is right in it is taken.
        faults: Vec<Fault>,
        /// Whether something of it holds only after a restart.
        reboot: bool,
    },
    /// The configuration was fetched and is in force.
    Provisioned {
        /// What was asked for, in order.
        files: Vec<AskedFile>,
        /// How many parameters have another value now.
        changed: usize,
        /// Whether the phone starts again for it.
        reboot: bool,
    },
    /// The configuration could not be fetched; the old one stays.
    ProvisionFailed {
        /// The file or server at fault; none where none is known.
        url: Option<String>,
        /// Why, and what helps.
        reason: String,
    },
    /// The phone starts again.
    Reboot {
        /// Who asked for it.
        why: String,
    },
}

impl EventKind {
    /// Its name, as in JSON.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["event"].as_str().unwrap_or_default().to_owned()
    }
}

fn word<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.word())
}

fn is_ordinary(severity: &Severity) -> bool {
    *severity == Severity::Informational
}

fn rfc3339<S: Serializer>(at: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(what: EventKind, json: &str) {
        assert_eq!(Event { what, at: Time::from_millis(1_500) }.to_json(), json);
    }

    #[test]
    fn events_are_written_as_the_contract_says() {
        let call = || CallRef { call: 2, account: 1, peer: "7007".into() };
        check(
            EventKind::Done { id: Some("a".into()) },
            r#"{"event":"done","id":"a","at":"1970-01-01T00:00:01.500Z"}"#,
        );
        check(
            EventKind::Incoming {
                call: call(),
                name: "Jack".into(),
                diverted_from: None,
                called: None,
                ring: String::new(),
            },
            r#"{"event":"incoming","call":2,"account":1,"peer":"7007","name":"Jack","diverted_from":null,"at":"1970-01-01T00:00:01.500Z"}"#,
        );
        check(
            EventKind::RegistrationFailed {
                account: 1,
                status: None,
                reason: "Timeout".into(),
                retry_in_s: 30,
            },
            r#"{"event":"registration_failed","account":1,"status":null,"reason":"Timeout","retry_in_s":30,"at":"1970-01-01T00:00:01.500Z"}"#,
        );
        check(
            EventKind::Log { line: "x".into(), severity: Severity::Informational },
            r#"{"event":"log","line":"x","at":"1970-01-01T00:00:01.500Z"}"#,
        );
        check(
            EventKind::Log { line: "x".into(), severity: Severity::Error },
            r#"{"event":"log","line":"x","severity":"error","at":"1970-01-01T00:00:01.500Z"}"#,
        );
        let ended = EventKind::Ended {
            call: call(),
            status: None,
            reason: "BYE".into(),
            by: By::Remote,
            duration_ms: 9,
            rtp: Figures::default(),
        };
        check(
            ended,
            r#"{"event":"ended","call":2,"account":1,"peer":"7007","status":null,"reason":"BYE","by":"remote","duration_ms":9,"rtp":{"codec":null,"tx_packets":null,"rx_packets":null,"rx_lost":null,"jitter_ms":null,"mos":null},"at":"1970-01-01T00:00:01.500Z"}"#,
        );
    }
}
