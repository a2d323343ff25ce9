//! Between the pages and the exchange: commands one way, answers and events the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use roles::exchange::{Answer, Command, What};
use tokio::sync::{mpsc, oneshot};

use crate::web::Bus;
use crate::web::problem::Problem;

/// How long an exchange may take to answer. It answers at once, unless its store cannot be written.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where pages ask an exchange. Clones ask the same one.
#[derive(Clone, Debug)]
pub struct Desk {
    commands: mpsc::Sender<Command>,
    state: Arc<Mutex<Inside>>,
    bus: Bus,
}

#[derive(Debug, Default)]
struct Inside {
    last: u64,
    /// Who waits for an answer; no more than there are connections.
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    /// How many events were told of each kind.
    counts: BTreeMap<String, u64>,
}

impl Desk {
    /// A desk whose commands go to `commands`; `run` differs from start to start of the program.
    pub fn new(commands: mpsc::Sender<Command>, run: u64) -> Self {
        Self { commands, state: Arc::default(), bus: Bus::new(run) }
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
        if let Some(waiting) = self.inside().waiting.remove(&id) {
            // Whoever went away does not wait.
            let _ = waiting.send(answer);
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
        let id = self.inside().add(answer);
        let asked = async {
            self.commands.send(Command { id, what }).await.ok()?;
            answered.await.ok()
        };
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        self.inside().waiting.remove(&id);
        match answer {
            Ok(Some(Answer::Refused(why))) => Err(Problem::new(refused, why)),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Problem::busy("the exchange is going off")),
            Err(_) => {
                Err(Problem::busy("the exchange does not answer; its program says why on standard error"))
            }
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
    fn add(&mut self, answer: oneshot::Sender<Answer>) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, answer);
        self.last
    }
}

/// The exchange answers in kind, or there is a fault in this program.
pub(super) fn unexpected() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the exchange answered something else; please report it")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        drop(commands);
        assert!(desk.list(What::Calls { number: None }).await.is_err());
        assert!(desk.inside().waiting.is_empty());
    }

    #[test]
    fn events_are_counted_by_name() {
        let desk = Desk::new(mpsc::channel(1).0, 1);
        ["a", "b", "a"].into_iter().for_each(|name| desk.tell(name, "{}".to_owned()));
        assert_eq!(desk.counts().into_iter().collect::<Vec<_>>(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }
}
