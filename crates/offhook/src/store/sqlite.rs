//! One SQLite file, on a thread of its own.
//!
//! The file is in WAL mode with `synchronous=NORMAL`: a commit is a write to the log that the kernel
//! has taken, so a process that is killed at any moment loses nothing that was acknowledged, and the
//! file is never damaged. Only a loss of power can take the last commits since a checkpoint; waiting
//! for the disk at each commit would cost milliseconds of every registration.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::database::Database;
use super::{Change, Progress, Reader, Row, Store, Table, WAITING_TURNS, files};

/// The database's name in the data folder.
pub(super) const FILE: &str = "offhook.db";
/// Turns that are made durable by one commit.
const GROUP: usize = 4_096;
/// How long the thread waits before it tries again to write what could not be written.
const RETRY: Duration = Duration::from_secs(1);
/// How long a reader waits for its answer.
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// The store of a data folder. Dropping it commits what waits.
pub struct Sqlite {
    commands: Option<mpsc::Sender<Command>>,
    progress: watch::Receiver<Progress>,
    last_turn: u64,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens or makes `offhook.db` in `dir`, which is made if it is missing.
    ///
    /// # Errors
    /// As [`super::open`].
    pub fn open(dir: &Path) -> io::Result<Self> {
        files::make_dir(dir)?;
        let database = Database::open(&dir.join(FILE))?;
        let (commands, inbox) = mpsc::channel();
        let (told, progress) = watch::channel(Progress::default());
        let closing = Arc::new(AtomicBool::new(false));
        let worker = Worker { database, inbox, told, closing: closing.clone(), next: None };
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || worker.run())?;
        Ok(Self { commands: Some(commands), progress, last_turn: 0, closing, thread: Some(thread) })
    }

    fn tell(&self, command: Command) {
        // The thread ends only after this side has let go of the channel.
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }
}

impl Store for Sqlite {
    fn commit(&mut self, changes: Vec<Change>) -> u64 {
        self.last_turn += 1;
        self.tell(Command::Commit { turn: self.last_turn, changes, is_probe: false });
        self.last_turn
    }

    fn probe(&mut self) -> u64 {
        self.last_turn += 1;
        self.tell(Command::Commit { turn: self.last_turn, changes: Vec::new(), is_probe: true });
        self.last_turn
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    fn is_saturated(&self) -> bool {
        let progress = self.progress.borrow();
        progress.trouble.is_some() || self.last_turn.saturating_sub(progress.committed) >= WAITING_TURNS
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(Asker { commands: self.commands.clone() })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        // Readers may hold the channel open, so its end alone would not be noticed.
        self.tell(Command::Stop);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there was printed there; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

enum Command {
    Commit { turn: u64, changes: Vec<Change>, is_probe: bool },
    Read { question: Question, answer: mpsc::Sender<io::Result<Vec<Row>>> },
    Stop,
}

enum Question {
    All(Table),
    Latest { table: Table, count: usize, before: Option<String> },
}

/// Asks the thread, from any other.
struct Asker {
    commands: Option<mpsc::Sender<Command>>,
}

impl Asker {
    fn ask(&self, question: Question) -> io::Result<Vec<Row>> {
        let (answer, answered) = mpsc::channel();
        if let Some(commands) = &self.commands {
            let _ = commands.send(Command::Read { question, answer });
        }
        answered.recv_timeout(READ_PATIENCE).unwrap_or_else(|_| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the store does not answer: it is closed, or its disk stands still",
            ))
        })
    }
}

impl Reader for Asker {
    fn load(&self, table: Table) -> io::Result<Vec<Row>> {
        self.ask(Question::All(table))
    }

    fn latest(&self, table: Table, count: usize, before: Option<&str>) -> io::Result<Vec<Row>> {
        self.ask(Question::Latest { table, count, before: before.map(str::to_owned) })
    }
}

/// Turns that are made durable together.
struct Group {
    last_turn: u64,
    changes: Vec<Change>,
    is_probe: bool,
}

/// What runs on the thread.
struct Worker {
    database: Database,
    inbox: mpsc::Receiver<Command>,
    told: watch::Sender<Progress>,
    closing: Arc<AtomicBool>,
    /// Came while a group was gathered, and is no part of it.
    next: Option<Command>,
}

impl Worker {
    fn run(mut self) {
        while let Some(command) = self.next.take().or_else(|| self.inbox.recv().ok()) {
            match command {
                Command::Commit { turn, changes, is_probe } => {
                    let group = self.gather(Group { last_turn: turn, changes, is_probe });
                    if !self.make_durable(&group) {
                        return;
                    }
                }
                // Who asked may have given up.
                Command::Read { question, answer } => drop(answer.send(self.read(question))),
                Command::Stop => return,
            }
        }
    }

    /// All turns that wait already, to be made durable by one commit.
    fn gather(&mut self, mut group: Group) -> Group {
        for _ in 1..GROUP {
            match self.inbox.try_recv() {
                Ok(Command::Commit { turn, changes, is_probe }) => {
                    group.last_turn = turn;
                    group.changes.extend(changes);
                    group.is_probe |= is_probe;
                }
                Ok(other) => {
                    self.next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        group
    }

    /// Tries until it works; false if the program ends before.
    fn make_durable(&mut self, group: &Group) -> bool {
        loop {
            match self.database.apply(&group.changes, group.is_probe) {
                Ok(()) => {
                    self.told.send_replace(Progress { committed: group.last_turn, trouble: None });
                    return true;
                }
                Err(error) => {
                    let text: Arc<str> = error.to_string().into();
                    self.told.send_modify(|progress| progress.trouble = Some(text));
                }
            }
            if self.closing.load(Ordering::Acquire) {
                return false;
            }
            thread::park_timeout(RETRY);
        }
    }

    fn read(&mut self, question: Question) -> io::Result<Vec<Row>> {
        match question {
            Question::All(table) => self.database.load(table),
            Question::Latest { table, count, before } => {
                self.database.latest(table, count, before.as_deref())
            }
        }
    }
}
