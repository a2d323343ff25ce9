//! What outlives the program: rows of text by table and key, and small whole files.
//!
//! A role loads its tables once, at start, and from then on only tells what changed. The driver hands
//! the changes of one turn to [`Store::commit`], keeps that turn's datagrams, and lets them go when
//! [`Progress::committed`] has reached the turn: durable before told. While the store is saturated or
//! in trouble the driver takes no new work, so neither queue grows.

mod database;
mod files;
mod memory;
mod schema;
mod shared;
mod sqlite;

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

pub use files::{append, create, make_dir, save};
pub use memory::Memory;
pub use shared::Shared;
pub use sqlite::Sqlite;

/// Turns that may wait for their commit before [`Store::is_saturated`] says so.
pub const WAITING_TURNS: u64 = 4_096;

/// What kinds of rows there are. Keys and values belong to the role; values are JSON.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Table {
    /// Numbers and their credentials.
    Extension,
    /// Who may watch, pick up and intercom whom.
    Permission,
    /// Phones that provisioning knows, by MAC.
    Device,
    /// Contacts of registrations.
    Binding,
    /// Subscriptions with their CSeq and document version.
    Subscription,
    /// Call records; keys rise with time.
    CallRecord,
    /// Settings of the service.
    Setting,
    /// Banned sources.
    Ban,
    /// What was served to whom; keys rise with time.
    Transfer,
    /// What each phone was served last, without secrets, by MAC.
    Served,
}

impl Table {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Extension,
        Self::Permission,
        Self::Device,
        Self::Binding,
        Self::Subscription,
        Self::CallRecord,
        Self::Setting,
        Self::Ban,
        Self::Transfer,
        Self::Served,
    ];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Extension => "extension",
            Self::Permission => "permission",
            Self::Device => "device",
            Self::Binding => "binding",
            Self::Subscription => "subscription",
            Self::CallRecord => "call_record",
            Self::Setting => "setting",
            Self::Ban => "ban",
            Self::Transfer => "transfer",
            Self::Served => "served",
        }
    }
}

/// One row set or removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Where.
    pub table: Table,
    /// Which row.
    pub key: String,
    /// Its new value; none removes the row.
    pub value: Option<String>,
}

impl Change {
    /// Sets a row, new or not.
    pub fn set(table: Table, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { table, key: key.into(), value: Some(value.into()) }
    }

    /// Removes a row; one that is not there is no error.
    pub fn remove(table: Table, key: impl Into<String>) -> Self {
        Self { table, key: key.into(), value: None }
    }
}

/// A row as loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// Which.
    pub key: String,
    /// What was last set.
    pub value: String,
}

/// How far the store has come.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Every turn up to this one is durable.
    pub committed: u64,
    /// Why nothing more is, and what helps; the store goes on trying.
    pub trouble: Option<Arc<str>>,
}

/// Where changes go. Narrow, so that another engine can stand behind it.
pub trait Store: Send {
    /// Takes the changes of one turn, to be durable all or none; returns the turn's number, which
    /// rises by one. Never waits.
    fn commit(&mut self, changes: Vec<Change>) -> u64;

    /// Tries whether anything can be kept now: a turn that changes nothing, but is written as one that does.
    /// Returns its number. Never waits.
    fn probe(&mut self) -> u64 {
        self.commit(Vec::new())
    }

    /// Tells each time how far the store has come.
    fn progress(&self) -> watch::Receiver<Progress>;

    /// Whether the driver should take no new work until the store has caught up.
    fn is_saturated(&self) -> bool;

    /// Whether rows outlive the program: where not, what only the next start would read need not be
    /// committed.
    fn outlives_program(&self) -> bool {
        true
    }

    /// Reads, also from other threads.
    fn reader(&self) -> Arc<dyn Reader>;
}

/// Reads what is committed; every call blocks until the store's thread has answered.
pub trait Reader: Send + Sync {
    /// A whole table by rising key.
    ///
    /// # Errors
    /// The file cannot be read; the text names it.
    fn load(&self, table: Table) -> io::Result<Vec<Row>>;

    /// At most `count` rows by falling key, all of them below `before` where one is given: pages of a
    /// table that grows with time.
    ///
    /// # Errors
    /// The file cannot be read; the text names it.
    fn latest(&self, table: Table, count: usize, before: Option<&str>) -> io::Result<Vec<Row>>;
}

/// Whether a data folder holds a database.
pub fn exists(dir: &Path) -> bool {
    dir.join(sqlite::FILE).is_file()
}

/// The store of a data folder, or without one a store that ends with the program.
///
/// # Errors
/// The folder cannot be made or written, its database is damaged, of a newer version, or in use by
/// another process: the text names the file and the remedy.
pub fn open(dir: Option<&Path>) -> io::Result<Box<dyn Store>> {
    Ok(match dir {
        Some(dir) => Box::new(Sqlite::open(dir)?),
        None => Box::new(Memory::default()),
    })
}
