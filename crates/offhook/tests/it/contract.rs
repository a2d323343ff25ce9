//! The `--stdio` contract: every command and every event of its table is there, with its fields.

use proto::Time;
use proto::syslog::Severity;
use roles::phone::event::{By, CallRef};
use roles::phone::{Colour, Command, Event, EventKind, ForwardReason, Meaning, Rhythm};
use roles::settings::Source;
use roles::sound::Figures;
use serde::Serialize;
use serde_json::Value;

/// Each command as the contract writes it, and a line that uses all of it.
const COMMANDS: &[(&str, &[&str])] = &[
    ("dial NUMBER [account N]", &["dial 7002", "dial 7002 account 2"]),
    ("answer [CALL]", &["answer", "answer 3"]),
    ("hangup [CALL|all]", &["hangup", "hangup 3", "hangup all"]),
    ("reject [CALL] [STATUS]", &["reject", "reject 3", "reject 480", "reject 3 603"]),
    ("hold", &["hold"]),
    ("resume [CALL]", &["resume", "resume 3"]),
    ("dtmf DIGITS", &["dtmf 12*#"]),
    ("transfer NUMBER", &["transfer 7002"]),
    ("consult NUMBER", &["consult 7002"]),
    ("complete", &["complete"]),
    ("conference", &["conference"]),
    ("split", &["split"]),
    ("dnd on|off", &["dnd on", "dnd off"]),
    (
        "forward always|busy|no-answer NUMBER|off",
        &["forward always 7002", "forward busy off", "forward no-answer 7002"],
    ),
    ("key N", &["key 2"]),
    ("pickup NUMBER", &["pickup 7002"]),
    ("redial", &["redial"]),
    ("resync", &["resync"]),
    ("reboot", &["reboot"]),
    ("factory-reset", &["factory-reset"]),
    ("export", &["export"]),
    ("export FILE.cfg", &["export a.cfg"]),
    ("import FILE.cfg", &["import a.cfg"]),
    ("set KEY VALUE [KEY VALUE…]", &["set a 1", "set a 1 b \"two words\""]),
    ("get KEY", &["get a"]),
    ("get PATTERN", &["get a.*"]),
    ("status", &["status"]),
    ("quit", &["quit"]),
];

#[test]
fn every_command_of_the_contract_is_taken() {
    let known = Command::parse("").expect_err("no command").possible;
    for (usage, lines) in COMMANDS {
        assert!(known.iter().any(|known| known == usage), "`{usage}` is not told to who asks");
        for line in *lines {
            let with_name = format!("@x7 {line}");
            let command = Command::parse(&with_name).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(command.id.as_deref(), Some("x7"), "{line}");
        }
    }
}

fn call() -> CallRef {
    CallRef { call: 1, account: 1, peer: "7002".to_owned() }
}

/// Each event of the contract with the fields that it must have, and one of it.
#[expect(clippy::too_many_lines, reason = "a table: one row for each event")]
fn events() -> Vec<(&'static str, &'static [&'static str], EventKind)> {
    use EventKind as E;
    let text = String::new;
    vec![
        ("done", &["id"], E::Done { id: None }),
        (
            "error",
            &["id", "message", "possible"],
            E::Error { id: None, message: text(), possible: Vec::new() },
        ),
        (
            "value",
            &["key", "value", "source"],
            E::Value { key: text(), value: text(), source: Source::Api, about: None },
        ),
        ("registered", &["account", "expires_s"], E::Registered { account: 1, expires_s: 60 }),
        (
            "registration_failed",
            &["account", "status", "reason", "retry_in_s"],
            E::RegistrationFailed { account: 1, status: None, reason: text(), retry_in_s: 30 },
        ),
        ("configuration", &["text"], E::Configuration { text: text() }),
        (
            "imported",
            &["changed", "faults", "reboot"],
            E::Imported { changed: 0, faults: Vec::new(), reboot: false },
        ),
        ("unregistered", &["account"], E::Unregistered { account: 1 }),
        (
            "incoming",
            &["call", "account", "peer", "name", "diverted_from"],
            E::Incoming { call: call(), name: text(), diverted_from: None, called: None, ring: text() },
        ),
        ("ringing", &["call", "account", "peer"], E::Ringing { call: call() }),
        (
            "answered",
            &["call", "account", "peer", "codec", "secure"],
            E::Answered { call: call(), codec: None, secure: false },
        ),
        ("held", &["call", "account", "peer"], E::Held { call: call() }),
        ("resumed", &["call", "account", "peer"], E::Resumed { call: call() }),
        ("remote_hold", &["call", "account", "peer"], E::RemoteHold { call: call() }),
        ("remote_resume", &["call", "account", "peer"], E::RemoteResume { call: call() }),
        (
            "transferred",
            &["call", "account", "peer", "status"],
            E::Transferred { call: call(), status: None },
        ),
        (
            "forwarded",
            &["call", "account", "peer", "to", "reason"],
            E::Forwarded { call: call(), to: text(), reason: ForwardReason::Unconditional },
        ),
        (
            "ended",
            &["call", "account", "peer", "status", "reason", "by", "duration_ms", "rtp"],
            E::Ended {
                call: call(),
                status: None,
                reason: text(),
                by: By::Network,
                duration_ms: 0,
                rtp: Figures::default(),
            },
        ),
        (
            "dtmf",
            &["call", "account", "peer", "digit", "how"],
            E::Dtmf { call: call(), digit: '5', how: "rtp" },
        ),
        (
            "lamp",
            &["key", "colour", "rhythm", "meaning"],
            E::Lamp { key: 1, colour: Colour::Red, rhythm: Rhythm::FlashingSlow, meaning: Meaning::Parked },
        ),
        ("log", &["line"], E::Log { line: text(), severity: Severity::Informational }),
        ("reboot", &["why"], E::Reboot { why: text() }),
    ]
}

#[test]
fn every_event_of_the_contract_has_its_fields() {
    for (name, fields, what) in events() {
        let line = Event { what, at: Time::ZERO }.to_json();
        let event: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(event["event"], name);
        assert_eq!(event["at"], "1970-01-01T00:00:00.000Z", "{name} has its moment");
        for field in fields {
            assert!(event.get(field).is_some(), "{name} has no {field}: {line}");
        }
    }
}

#[test]
fn what_is_unknown_is_null_and_words_are_those_of_the_contract() {
    for figure in ["codec", "tx_packets", "rx_packets", "rx_lost", "jitter_ms", "mos"] {
        assert_eq!(json(Figures::default()).get(figure), Some(&Value::Null), "{figure}");
    }
    let words = [By::Local, By::Remote, By::Network].map(json);
    assert_eq!(words, ["local", "remote", "network"].map(Value::from));
    let colours = [Colour::Off, Colour::Grey, Colour::Green, Colour::Red, Colour::Amber].map(json);
    assert_eq!(colours, ["off", "grey", "green", "red", "amber"].map(Value::from));
    let rhythms = [Rhythm::Off, Rhythm::Steady, Rhythm::Flashing, Rhythm::FlashingSlow].map(json);
    assert_eq!(rhythms, ["off", "steady", "flashing", "flashing-slow"].map(Value::from));
}

fn json(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}
