//! What a phone's driver does for it: sound, and telling whoever listens.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use proto::Time;
use proto::syslog::Severity;
use roles::phone::case_file::Topic;
use roles::phone::{Change, Command, CommandKind, Event, EventKind, Phone, Wish};
use roles::settings::{PhoneSettings, Settings};
use roles::sound::{SoundCommand, SoundEvent};
use serde_json::json;
use tokio::sync::mpsc;

use super::bundle::{self, Background};
use super::journal::Journal;
use super::pace::Pace;
use super::packets::Packets;
use super::roam::Compass;
use super::whole;
use crate::cli::lines::{Lines, Mouth};
use crate::cli::memory::Rows;
use crate::cli::web::Told;
use crate::cli::words::words;
use crate::clock::Clock;
use crate::drive;
use crate::sound::Engine;
use crate::sound::tap::{MediaWriter, Seen};
use crate::sound::thread::{PhoneId, SoundThread};
use crate::store;
use crate::web::phone::{Desk, Ear};
use roles::repeats::{Repeats, kind_and_source};

/// The only phone of its sound thread.
const PHONE: PhoneId = 0;
/// What the sound may tell while the phone is busy.
const EVENTS_WAITING: usize = 256;

/// How a phone's life ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// It has said goodbye.
    Quit,
    /// It is to start again with the settings it has.
    Restart,
}

/// The driver's side of one phone.
pub(super) struct Hands {
    pub(super) teller: Teller,
    pub(super) end: Option<End>,
    sound: Sound,
    rows: Rows,
    papers: Papers,
    compass: Option<Compass>,
    /// Bundles that this turn asks for.
    bundles: Vec<Wanted>,
    /// Files that the configuration is to be written to in this turn.
    exports: Vec<Export>,
    /// Lines that wait for the phone's settings to say where they go.
    lines: Vec<(Time, Severity, String)>,
    clock: Clock,
    repeats: Repeats,
    pace: Pace,
}

/// What is written about a phone, and with what.
pub(super) struct Papers {
    /// Where its log goes.
    pub(super) journal: Journal,
    /// What passed its sockets.
    pub(super) packets: Packets,
    /// Its settings before they were last changed.
    pub(super) before: Settings,
    /// How often it has restarted.
    pub(super) restarts: u32,
}

/// A bundle that is asked for.
struct Wanted {
    id: Option<String>,
    file: String,
    topic: Topic,
    at: Time,
}

/// A file with the whole configuration that is asked for.
struct Export {
    id: Option<String>,
    file: String,
    at: Time,
}

impl Hands {
    pub(super) fn new(
        teller: Teller,
        sound: Sound,
        rows: Rows,
        papers: Papers,
        compass: Option<Compass>,
        clock: Clock,
        pace: Pace,
    ) -> Self {
        let (bundles, exports, lines) = (Vec::new(), Vec::new(), Vec::new());
        let repeats = Repeats::default();
        Self {
            teller,
            end: None,
            sound,
            rows,
            papers,
            compass,
            bundles,
            exports,
            lines,
            clock,
            repeats,
            pace,
        }
    }

    /// The phone starts again with these settings.
    pub(super) fn restarted(&mut self, settings: &Settings) {
        self.end = None;
        self.papers.restarts += 1;
        self.papers.before = settings.clone();
    }

    fn write_bundle(&mut self, phone: &Phone, wanted: Wanted) {
        let Wanted { id, file, topic, at } = wanted;
        let Papers { packets, before, restarts, .. } = &self.papers;
        let background = Background { before, packets, restarts: *restarts };
        let what = match bundle::write(Path::new(&file), phone, topic, at, &background) {
            Ok(()) => EventKind::Done { id },
            Err(error) => {
                let possible = vec![format!("bundle OTHER.zip {}", topic.word())];
                EventKind::Error { id, message: error.to_string(), possible }
            }
        };
        self.teller.tell(Event { what, at: self.clock.date() });
    }

    fn write_export(&mut self, phone: &Phone, wanted: Export) {
        let Export { id, file, at } = wanted;
        let what = match whole::write(Path::new(&file), phone.settings()) {
            Ok(()) => EventKind::Done { id },
            Err(error) => EventKind::Error {
                id,
                message: error.to_string(),
                possible: vec!["export OTHER.cfg".to_owned()],
            },
        };
        self.teller.tell(Event { what, at });
    }
}

impl drive::Hands<Phone> for Hands {
    fn tell(&mut self, event: Event) {
        if let EventKind::Log { line, severity } = &event.what {
            self.lines.push((event.at, *severity, line.clone()));
        }
        self.teller.tell(event);
    }

    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::SwitchOff => self.end = Some(End::Quit),
            // Only a phone that owns an interface asks for it.
            Wish::Place(_) => {}
            Wish::Restart => self.end = self.end.or(Some(End::Restart)),
            Wish::Export { id, file, at } => self.exports.push(Export { id, file, at }),
            Wish::Bundle { id, file, topic, at } => self.bundles.push(Wanted { id, file, topic, at }),
        }
    }

    fn media(&mut self, command: SoundCommand) {
        self.sound.command(command);
    }

    async fn heard(&mut self) -> SoundEvent {
        self.sound.next().await
    }

    fn row(&mut self, change: Change) -> Option<store::Change> {
        self.rows.row(change)
    }

    fn note(&mut self, text: &str) {
        let (kind, source) = kind_and_source(text);
        if self.repeats.admit(self.clock.now(), &kind, &source) {
            self.teller.note(text);
        }
    }

    /// Even a call is kept at its end, so all but questions needs the store.
    fn is_change(&self, command: &Command) -> bool {
        !matches!(
            command.what,
            CommandKind::Status
                | CommandKind::Get(_)
                | CommandKind::History
                | CommandKind::Directory
                | CommandKind::Bundle { .. }
                | CommandKind::Export(_)
                | CommandKind::ImportFile(_)
                | CommandKind::Wrong { .. }
                | CommandKind::Quit
                | CommandKind::Wait { .. }
                | CommandKind::EndOfInput
        )
    }

    fn is_awaited(&mut self, command: &Command) -> bool {
        if !Desk::is_own(command.id.as_deref()) {
            self.pace.take();
        }
        self.teller.ear.as_ref().is_none_or(|ear| ear.begin(command.id.as_deref()))
    }

    fn refuse(&mut self, command: Command, why: &str) {
        if !Desk::is_own(command.id.as_deref()) {
            self.pace.take();
        }
        let what = EventKind::Error {
            id: command.id,
            message: format!("nothing was done: {why}"),
            possible: Vec::new(),
        };
        let at = self.clock.date();
        self.teller.tell(Event { what, at });
    }

    fn turned(&mut self, phone: &Phone) {
        self.pace.end_turn(phone.is_waiting());
        if let Some(compass) = &self.compass {
            compass.look(phone);
        }
        if !self.lines.is_empty() {
            let syslog = PhoneSettings::read(phone.settings()).syslog;
            for (at, severity, line) in self.lines.drain(..) {
                self.papers.journal.write(at, severity, &line, &syslog);
            }
        }
        for wanted in std::mem::take(&mut self.bundles) {
            self.write_bundle(phone, wanted);
        }
        for wanted in std::mem::take(&mut self.exports) {
            self.write_export(phone, wanted);
        }
        for sum in self.repeats.take(self.clock.now()) {
            self.teller.note(&sum.words());
        }
    }

    fn is_over(&self) -> bool {
        self.end.is_some() || self.teller.is_unread()
    }
}

/// A phone's sound and what it tells.
pub(in crate::cli) struct Sound {
    thread: SoundThread,
    events: mpsc::Receiver<(PhoneId, SoundEvent)>,
    /// What could not even be asked, to be told as failed.
    failed: Vec<SoundEvent>,
    /// After the thread, so that everything it saw is written.
    _capture: Option<MediaWriter>,
}

impl Sound {
    /// Starts the sound of one phone. `dscp` marks its packets; `seen` is shown all of them.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(in crate::cli) fn start(
        engine: Engine,
        dscp: u8,
        clock: Clock,
        seen: Option<Seen>,
    ) -> io::Result<Self> {
        let (teller, events) = mpsc::channel(EVENTS_WAITING);
        let (tap, capture) = seen.map(MediaWriter::start).transpose()?.unzip();
        let thread = SoundThread::start_tapped(clock, teller, tap)?;
        thread.attach(PHONE, engine, dscp)?;
        Ok(Self { thread, events, failed: Vec::new(), _capture: capture })
    }

    pub(in crate::cli) fn command(&mut self, command: SoundCommand) {
        let session = match &command {
            SoundCommand::Open { session, .. } => Some(*session),
            _ => None,
        };
        if let Err(error) = self.thread.command(PHONE, command)
            && let Some(session) = session
        {
            self.failed.push(SoundEvent::Failed { session, reason: error.to_string() });
        }
    }

    /// The next thing that the sound tells. Safe to cancel.
    pub(in crate::cli) async fn next(&mut self) -> SoundEvent {
        if let Some(failed) = self.failed.pop() {
            return failed;
        }
        match self.events.recv().await {
            Some((_, event)) => event,
            None => std::future::pending().await,
        }
    }
}

/// To whom a phone tells things.
pub(super) enum Manner {
    /// To a program: JSON lines on standard output.
    Program,
    /// To a person at a prompt, in words above it.
    Person(Mouth),
    /// Its log to standard error.
    Log,
}

/// Tells events, to whom it was asked for and to the HTTP API.
pub(super) struct Teller {
    json: Option<Lines>,
    json_mouth: Option<Mouth>,
    words: Option<Lines>,
    /// For a person, and for what is for the operator alone.
    words_mouth: Mouth,
    is_person: bool,
    ear: Option<Ear>,
}

impl Teller {
    /// A teller; it writes on threads of its own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn new(manner: Manner, ear: Option<Ear>) -> io::Result<Self> {
        let json = if matches!(manner, Manner::Program) { Some(Lines::stdout()?) } else { None };
        let json_mouth = json.as_ref().map(Lines::mouth);
        let (words, words_mouth, is_person) = match manner {
            Manner::Person(mouth) => (None, mouth, true),
            Manner::Program | Manner::Log => {
                let words = Lines::stderr()?;
                let mouth = words.mouth();
                (Some(words), mouth, false)
            }
        };
        Ok(Self { json, json_mouth, words, words_mouth, is_person, ear })
    }

    /// Says something for the operator alone.
    pub(super) fn note(&self, text: &str) {
        self.words_mouth.say(format!("offhook: {text}"));
    }

    /// The line that says that all listeners stand.
    pub(super) fn ready(&self, sip: SocketAddr, web: Option<&Told>, at: Time) {
        let url = web.map(|web| &web.url);
        let token_file = web.and_then(|web| web.token_file.as_ref());
        let line = json!({
            "event": "ready", "sip": sip, "web": url, "token_file": token_file, "at": at.rfc3339(),
        });
        if let Some(ear) = &self.ear {
            ear.tell(line.to_string());
        }
        let in_words = || {
            let web = web.map(|web| format!(", {}", web.words())).unwrap_or_default();
            let help = if self.is_person { "; `help` lists the commands" } else { "" };
            format!("ready: SIP at {sip}{web}{help}")
        };
        match &self.json_mouth {
            Some(mouth) => mouth.say(line.to_string()),
            None => self.words_mouth.say(in_words()),
        };
    }

    fn tell(&mut self, event: Event) {
        let events = match &mut self.ear {
            Some(ear) => ear.hear(event),
            None => vec![event],
        };
        for event in events {
            if let Some(mouth) = &self.json_mouth {
                mouth.say(event.to_json());
            } else if self.is_person {
                // Plain data with text keys, so serialising cannot fail.
                let value = serde_json::to_value(&event).unwrap_or_default();
                if let Some(words) = words(&value) {
                    self.words_mouth.say(format!("  {words}"));
                }
            } else if let EventKind::Log { line, .. } = event.what {
                self.words_mouth.say(line);
            }
        }
    }

    /// Whether events were lost because nobody reads them.
    pub(super) fn is_unread(&self) -> bool {
        self.json_mouth.as_ref().is_some_and(Mouth::is_unread)
    }

    /// Waits until everything told is written.
    pub(super) fn finish(&mut self) {
        self.json.take().into_iter().chain(self.words.take()).for_each(Lines::finish);
    }
}
