//! Between the pages and the exchange: commands one way, answers and events the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use roles::exchange::{Answer, Command, What};
use tokio::sync::{mpsc, oneshot};

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

/// Where pages ask an exchange. Clones ask the same one.
#[derive(Clone, Debug)]
pub struct Desk {
    commands: mpsc::Sender<Command>,
    state: Arc<Mutex<Inside>>,
    bus: Bus,
    patience: Patience,
}

#[derive(Debug, Default)]
struct Inside {
    last: u64,
    /// Who waits for an answer; no more than there are connections.
    waiting: BTreeMap<u64, Waiter>,
    /// How many events were told of each kind.
    counts: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Waiter {
    answer: oneshot::Sender<Result<Answer, String>>,
    /// The exchange does what was asked: it cannot be taken back any more.
    has_begun: bool,
}

impl Desk {
    /// A desk whose commands go to `commands`; `run` differs from start to start of the program.
    pub fn new(commands: mpsc::Sender<Command>, run: u64) -> Self {
        Self { commands, state: Arc::default(), bus: Bus::new(run), patience: PATIENCE }
    }

    /// Where the exchange's events are told.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Tells an event, as one line of JSON, to the streams.
    pub fn tell(&self, name: &str, json: String) {
        let mut inside = self.inside();
        match inside.counts.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(inside.counts.insert(name.to_owned(), 1)),
        }
        drop(inside);
        self.bus.tell(json);
    }

    /// Hands an answer to whoever asked.
    pub fn answered(&self, id: u64, answer: Answer) {
        self.settle(id, Ok(answer));
    }

    /// What was asked is not done because nothing can be kept; `why` names the remedy.
    pub fn refused(&self, id: u64, why: &str) {
        self.settle(id, Err(why.to_owned()));
    }

    /// Whether a command may be done: somebody still waits for its answer, and it is taken back no more. What
    /// provisioning tells waits for no answer.
    pub fn begins(&self, command: &Command) -> bool {
        let is_told = matches!(command.what, What::SetDeviceAccounts { .. } | What::CheckSync { .. });
        is_told || self.begin(command.id)
    }

    /// Whether somebody still waits for an answer; if so, what was asked is taken back no more.
    fn begin(&self, id: u64) -> bool {
        match self.inside().waiting.get_mut(&id) {
            Some(waiter) => {
                waiter.has_begun = true;
                true
            }
            None => false,
        }
    }

    fn settle(&self, id: u64, answer: Result<Answer, String>) {
        if let Some(waiter) = self.inside().waiting.remove(&id) {
            // Whoever went away does not wait.
            let _ = waiter.answer.send(answer);
        }
    }

    /// How many events were told of each kind.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.inside().counts.clone()
    }

    /// Asks the exchange.
    ///
    /// # Errors
    /// It does not answer, or refuses with `refused` as the status.
    pub(super) async fn ask(&self, what: What, refused: StatusCode) -> Result<Answer, Problem> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { desk: self, id: self.inside().add(answer) };
        let asked = async {
            self.commands.send(Command { id: waiting.id, what }).await.ok()?;
            answered.await.ok()
        };
        let mut asked = std::pin::pin!(asked);
        let answer = match tokio::time::timeout(self.patience.begin, &mut asked).await {
            Ok(answer) => answer,
            Err(_) if waiting.take_back() => {
                return Err(Problem::busy("the exchange is behind and has done nothing of this; ask again"));
            }
            Err(_) => tokio::time::timeout(self.patience.keep, asked).await.map_err(|_| unkept())?,
        };
        match answer {
            Some(Ok(Answer::Refused(why))) => Err(Problem::new(refused, why)),
            Some(Ok(answer)) => Ok(answer),
            Some(Err(why)) => Err(Problem::busy(format!("nothing was done: {why}"))),
            None => Err(Problem::busy("the exchange is going off")),
        }
    }

    /// Asks for something of which the exchange refuses nothing.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) async fn list(&self, what: What) -> Result<Answer, Problem> {
        self.ask(what, StatusCode::CONFLICT).await
    }

    /// A panic elsewhere leaves whole entries.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn add(&mut self, answer: oneshot::Sender<Result<Answer, String>>) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, Waiter { answer, has_begun: false });
        self.last
    }
}

/// One who waits. Dropping it takes back what was asked, unless it has begun.
struct Waiting<'a> {
    desk: &'a Desk,
    id: u64,
}

impl Waiting<'_> {
    /// Takes back what was asked. False where it has begun.
    fn take_back(&self) -> bool {
        let mut inside = self.desk.inside();
        let has_begun = inside.waiting.get(&self.id).is_some_and(|waiter| waiter.has_begun);
        if !has_begun {
            inside.waiting.remove(&self.id);
        }
        !has_begun
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.desk.inside().waiting.remove(&self.id);
    }
}

fn unkept() -> Problem {
    let detail = "this has begun and is not kept yet: the disk stands still; ask later what came of it";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)
}

/// The exchange answers in kind, or there is a fault in this program.
pub(super) fn unexpected() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the exchange answered something else; please report it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;

    #[tokio::test]
    async fn answers_find_their_askers() {
        let (sender, mut commands) = mpsc::channel(4);
        let desk = Desk::new(sender, 1);
        let exchange = async {
            let (first, second) = (commands.recv().await.unwrap(), commands.recv().await.unwrap());
            desk.answered(99, Answer::Ok);
            desk.answered(second.id, Answer::Refused("no".into()));
            desk.answered(first.id, Answer::Started(7));
        };
        let hang_up = desk.ask(What::HangUp(1), StatusCode::NOT_FOUND);
        let (calls, refused, ()) = tokio::join!(desk.list(What::Calls { number: None }), hang_up, exchange);
        assert!(matches!(calls, Ok(Answer::Started(7))));
        assert_eq!(refused.unwrap_err(), Problem::new(StatusCode::NOT_FOUND, "no"));
        assert!(!desk.begin(1), "nobody waits any more");
        drop(commands);
        assert!(desk.list(What::Calls { number: None }).await.is_err());
        assert!(desk.inside().waiting.is_empty());
    }

    #[tokio::test]
    async fn what_is_answered_with_503_is_not_done_later() {
        let (sender, mut commands) = mpsc::channel(4);
        let mut desk = Desk::new(sender, 1);
        desk.patience = Patience { begin: Duration::from_millis(20), keep: Duration::from_millis(20) };
        let status = |problem: Problem| problem.into_response().status().as_u16();
        let ask = || desk.ask(What::HangUp(1), StatusCode::NOT_FOUND);
        assert_eq!(status(ask().await.unwrap_err()), 503);
        assert!(!desk.begin(commands.recv().await.unwrap().id), "it was taken back");
        let refuse = async { desk.refused(commands.recv().await.unwrap().id, "the disk is full") };
        let (refused, ()) = tokio::join!(ask(), refuse);
        assert_eq!(refused.unwrap_err(), Problem::busy("nothing was done: the disk is full"));
        // What has begun cannot be said to be refused.
        let begin = async { desk.begin(commands.recv().await.unwrap().id) };
        let (late, begun) = tokio::join!(ask(), begin);
        assert_eq!((status(late.unwrap_err()), begun), (504, true));
        assert!(desk.inside().waiting.is_empty());
    }

    #[test]
    fn events_are_counted_by_name() {
        let desk = Desk::new(mpsc::channel(1).0, 1);
        ["a", "b", "a"].into_iter().for_each(|name| desk.tell(name, "{}".to_owned()));
        assert_eq!(desk.counts().into_iter().collect::<Vec<_>>(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }
}
