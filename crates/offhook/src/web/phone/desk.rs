//! Between the pages and the phone: commands one way, answers and events the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use roles::phone::{Command, CommandError, CommandKind, Event, EventKind};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::web::Bus;
use crate::web::problem::Problem;

/// How long whoever asks is kept waiting.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Until it begins: at once, unless it is behind.
    begin: Duration,
    /// From then on, until what has changed is kept.
    keep: Duration,
}

/// Together less than a request may take.
const PATIENCE: Patience = Patience { begin: Duration::from_secs(10), keep: Duration::from_secs(15) };

/// Where pages ask a phone. Clones ask the same one.
#[derive(Clone, Debug)]
pub struct Desk {
    commands: mpsc::Sender<Command>,
    waiting: Arc<Mutex<Waiting>>,
    bus: Bus,
    clock: Clock,
    patience: Patience,
}

/// Who waits for an answer; no more than there are connections, for each waits for one at a time.
#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    all: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    /// The asker's own name for its command.
    id: Option<String>,
    answer: oneshot::Sender<Vec<Event>>,
    /// The phone does what was asked: it cannot be taken back any more.
    has_begun: bool,
}

impl Desk {
    /// A desk whose commands go to `commands`.
    pub fn new(commands: mpsc::Sender<Command>, clock: Clock) -> Self {
        let bus = Bus::new(clock.now().as_millis());
        Self { commands, waiting: Arc::default(), bus, clock, patience: PATIENCE }
    }

    /// Where the phone's events are told.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Asks the phone what a line says, and returns what it answers: `value`, `status`, `history`,
    /// `directory`, `configuration` or `imported` where it was asked for one, and at last `done` or `error`. A line that is no command is
    /// answered here.
    ///
    /// # Errors
    /// The phone does not answer.
    pub(super) async fn ask_line(&self, line: &str) -> Result<Vec<Event>, Problem> {
        match Command::parse(line) {
            Ok(command) => self.ask(command).await,
            Err(CommandError { id, message, possible }) => {
                let what = EventKind::Error { id, message, possible };
                Ok(vec![Event { what, at: self.clock.date() }])
            }
        }
    }

    /// Asks the phone.
    ///
    /// # Errors
    /// The phone does not answer.
    pub(super) async fn ask(&self, command: Command) -> Result<Vec<Event>, Problem> {
        let (answer, answered) = oneshot::channel();
        let number = self.waiting().add(Waiter { id: command.id, answer, has_begun: false });
        let waits = Waits { desk: self, number };
        let named = Command { id: Some(own_id(number)), what: command.what };
        let asked = async {
            self.commands.send(named).await.ok()?;
            answered.await.ok()
        };
        let mut asked = std::pin::pin!(asked);
        let answers = match tokio::time::timeout(self.patience.begin, &mut asked).await {
            Ok(answers) => answers,
            Err(_) if waits.take_back() => {
                return Err(Problem::busy("the phone is behind and has done nothing of this; ask again"));
            }
            Err(_) => tokio::time::timeout(self.patience.keep, asked).await.map_err(|_| unkept())?,
        };
        answers.ok_or_else(|| Problem::busy("the phone is going off"))
    }

    /// Whether a command of this name was asked for here.
    pub fn is_own(id: Option<&str>) -> bool {
        id.is_some_and(|id| id.starts_with(OWN))
    }

    /// Whether a command that bears this name may be done: whoever asked for it here still waits. It is
    /// taken back no more.
    pub fn begin(&self, id: Option<&str>) -> bool {
        let Some(number) = id.and_then(|id| id.strip_prefix(OWN)) else { return true };
        let mut waiting = self.waiting();
        let waiter = number.parse().ok().and_then(|number: u64| waiting.all.get_mut(&number));
        waiter.map(|waiter| waiter.has_begun = true).is_some()
    }

    fn answered(&self, id: Option<&str>) -> Option<Waiter> {
        let number = id?.strip_prefix(OWN)?.parse().ok()?;
        self.waiting().all.remove(&number)
    }

    /// A panic elsewhere leaves whole entries.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, waiter: Waiter) -> u64 {
        self.last += 1;
        self.all.insert(self.last, waiter);
        self.last
    }
}

/// One who waits. Dropping it takes back what was asked, unless it has begun.
struct Waits<'a> {
    desk: &'a Desk,
    number: u64,
}

impl Waits<'_> {
    /// Takes back what was asked. False where it has begun.
    fn take_back(&self) -> bool {
        let mut waiting = self.desk.waiting();
        let has_begun = waiting.all.get(&self.number).is_some_and(|waiter| waiter.has_begun);
        if !has_begun {
            waiting.all.remove(&self.number);
        }
        !has_begun
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.desk.waiting().all.remove(&self.number);
    }
}

fn unkept() -> Problem {
    let detail = "this has begun and is not over yet; ask later what came of it";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)
}

/// Begins the names of commands of ours; nobody can type a blank into a name.
const OWN: &str = " web ";

fn own_id(number: u64) -> String {
    format!("{OWN}{number}")
}

/// The driver's side of a desk: hears everything that the phone tells.
#[derive(Debug)]
pub struct Ear {
    desk: Desk,
    /// What belongs to the answer that comes next.
    answers: Vec<Event>,
}

impl Ear {
    /// An ear for one phone.
    pub fn new(desk: Desk) -> Self {
        Self { desk, answers: Vec::new() }
    }

    /// Whether a command that bears this name may be done: whoever asked for it here still waits.
    pub fn begin(&self, id: Option<&str>) -> bool {
        self.desk.begin(id)
    }

    /// Tells the streams what the program says beside the phone.
    pub fn tell(&self, json: String) {
        self.desk.bus.tell(json);
    }

    /// Tells an event to the streams, and an answer to whoever asked here. Returns what is to be told
    /// elsewhere: all but the answers that were asked for here.
    pub fn hear(&mut self, mut event: Event) -> Vec<Event> {
        let waiter = match &mut event.what {
            // The phone tells these within the same turn as the `done` that follows.
            EventKind::Value { .. }
            | EventKind::Status(_)
            | EventKind::History { .. }
            | EventKind::Directory { .. }
            | EventKind::Configuration { .. }
            | EventKind::Imported { .. } => {
                self.answers.push(event);
                return Vec::new();
            }
            EventKind::Done { id } | EventKind::Error { id, .. } => {
                let mut waiter = self.desk.answered(id.as_deref());
                if let Some(waiter) = &mut waiter {
                    *id = waiter.id.take();
                }
                waiter
            }
            _ => {
                self.desk.bus.tell(event.to_json());
                return vec![event];
            }
        };
        let mut answers = std::mem::take(&mut self.answers);
        answers.push(event);
        answers.iter().for_each(|answer| self.desk.bus.tell(answer.to_json()));
        match waiter {
            Some(waiter) => {
                // Whoever went away does not wait.
                let _ = waiter.answer.send(answers);
                Vec::new()
            }
            None => answers,
        }
    }
}

/// The command that asks for everything a screen shows.
pub(super) const STATUS: Command = Command { id: None, what: CommandKind::Status };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::Piece;
    use proto::Time;

    fn event(what: EventKind) -> Event {
        Event { what, at: Time::ZERO }
    }

    fn names(events: &[Event]) -> Vec<String> {
        let name = |event: &Event| {
            let json: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
            format!("{} {}", json["event"].as_str().unwrap(), json["id"])
        };
        events.iter().map(name).collect()
    }

    /// A phone that answers each command with a value and `done`.
    async fn answer_one(commands: &mut mpsc::Receiver<Command>, ear: &mut Ear) -> Vec<Event> {
        let command = commands.recv().await.unwrap();
        let value = EventKind::Value {
            key: "k".into(),
            value: "v".into(),
            source: roles::settings::Source::Api,
            about: None,
        };
        let mut elsewhere = ear.hear(event(value));
        elsewhere.extend(ear.hear(event(EventKind::Log {
            line: "log".into(),
            severity: proto::syslog::Severity::Informational,
        })));
        elsewhere.extend(ear.hear(event(EventKind::Done { id: command.id })));
        elsewhere
    }

    #[tokio::test]
    async fn an_answer_goes_to_whoever_asked_and_events_to_all() {
        let (sender, mut commands) = mpsc::channel(4);
        let desk = Desk::new(sender, Clock::start());
        let mut ear = Ear::new(desk.clone());
        let mut reader = desk.bus().reader();
        let (answers, elsewhere) =
            tokio::join!(desk.ask_line("@mine get k"), answer_one(&mut commands, &mut ear));
        assert_eq!(names(&answers.unwrap()), ["value null", "done \"mine\""]);
        assert_eq!(names(&elsewhere), ["log null"]);
        let told = std::iter::from_fn(|| reader.try_next());
        let told: Vec<_> = told.filter(|piece| matches!(piece, Piece::Event { .. })).collect();
        assert_eq!(told.len(), 3, "streams are told everything");
        assert!(desk.waiting().all.is_empty());
    }

    #[test]
    fn an_answer_to_somebody_else_is_told_elsewhere() {
        let (sender, _commands) = mpsc::channel(4);
        let mut ear = Ear::new(Desk::new(sender, Clock::start()));
        for id in [Some("7"), Some("web 1"), None] {
            let elsewhere = ear.hear(event(EventKind::Done { id: id.map(str::to_owned) }));
            assert_eq!(elsewhere.len(), 1, "{id:?}");
        }
    }

    #[tokio::test]
    async fn what_a_phone_answers_with_503_is_not_done_later() {
        let (sender, mut commands) = mpsc::channel(4);
        let mut desk = Desk::new(sender, Clock::start());
        desk.patience = Patience { begin: Duration::from_millis(20), keep: Duration::from_millis(20) };
        assert!(desk.ask_line("hold").await.is_err());
        let late = commands.recv().await.unwrap();
        assert!(!desk.begin(late.id.as_deref()) && desk.begin(Some("hers")) && desk.begin(None));
        let begin = async { desk.begin(commands.recv().await.unwrap().id.as_deref()) };
        let (answer, begun) = tokio::join!(desk.ask_line("hold"), begin);
        assert_eq!((answer.unwrap_err(), begun), (unkept(), true));
    }

    #[tokio::test]
    async fn a_line_that_is_none_and_a_phone_that_is_gone() {
        let (sender, commands) = mpsc::channel(4);
        let desk = Desk::new(sender, Clock::start());
        assert_eq!(names(&desk.ask_line("@a dance").await.unwrap()), ["error \"a\""]);
        drop(commands);
        assert!(desk.ask_line("hold").await.is_err());
        assert!(desk.waiting().all.is_empty());
    }
}
