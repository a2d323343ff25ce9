//! The SQLite file itself: opening, changing, reading, and words for its errors.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Params, params};

use super::schema::{self, SchemaError};
use super::{Change, Row, Table, files};

/// A predecessor that is being killed gets this long to let go of the file.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Two statements for changes and two for reading, for each table.
const STATEMENTS: usize = 4 * Table::ALL.len();

/// An open database that no other process can use.
pub(super) struct Database {
    connection: Connection,
    file: PathBuf,
}

impl Database {
    pub(super) fn open(file: &Path) -> io::Result<Self> {
        refuse_empty(file)?;
        make_private(file).map_err(|error| files::explain("database", file, &error))?;
        let connection = prepare(file).map_err(|error| match error {
            SchemaError::Newer { file: has, known } => io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the database {} has version {has}, this program knows {known}: start the newer Offhook that wrote it",
                    file.display()
                ),
            ),
            SchemaError::Foreign => io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the database {} is of another program; give another folder by --dir",
                    file.display()
                ),
            ),
            SchemaError::Sqlite(error) => explain(file, &error),
        })?;
        Ok(Self { connection, file: file.to_owned() })
    }

    /// All changes or none; with `is_probe` something is written even where nothing changes.
    pub(super) fn apply(&mut self, changes: &[Change], is_probe: bool) -> io::Result<()> {
        if changes.is_empty() && !is_probe {
            return Ok(());
        }
        self.try_apply(changes, is_probe).map_err(|error| explain(&self.file, &error))
    }

    pub(super) fn load(&self, table: Table) -> io::Result<Vec<Row>> {
        self.read(&format!("SELECT key, value FROM {} ORDER BY key", table.name()), [])
    }

    pub(super) fn latest(&self, table: Table, count: usize, before: Option<&str>) -> io::Result<Vec<Row>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let select = format!("SELECT key, value FROM {}", table.name());
        match before {
            Some(before) => self
                .read(&format!("{select} WHERE key < ?1 ORDER BY key DESC LIMIT ?2"), params![before, count]),
            None => self.read(&format!("{select} ORDER BY key DESC LIMIT ?1"), params![count]),
        }
    }

    fn try_apply(&mut self, changes: &[Change], is_probe: bool) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        if is_probe {
            // The first page is written though its version stays the same.
            transaction.pragma_update(None, "user_version", schema::VERSION)?;
        }
        for Change { table, key, value } in changes {
            match value {
                Some(value) => transaction.prepare_cached(&upsert(*table))?.execute([key, value])?,
                None => transaction.prepare_cached(&delete(*table))?.execute([key])?,
            };
        }
        transaction.commit()
    }

    fn read(&self, query: &str, params: impl Params) -> io::Result<Vec<Row>> {
        let read = || {
            let mut statement = self.connection.prepare_cached(query)?;
            let rows = statement.query_map(params, |row| Ok(Row { key: row.get(0)?, value: row.get(1)? }))?;
            rows.collect::<rusqlite::Result<Vec<Row>>>()
        };
        read().map_err(|error| explain(&self.file, &error))
    }
}

/// An empty file is no database: a copy that failed leaves it, and to begin anew in its place would lose
/// what should have been there.
fn refuse_empty(file: &Path) -> io::Result<()> {
    if std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() == 0) {
        let text = format!(
            "the database {} is an empty file: put a backup in its place, or remove it to start with an empty one",
            file.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(())
}

/// Credentials are in it; SQLite gives its log the same rights.
fn make_private(file: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

fn prepare(file: &Path) -> Result<Connection, SchemaError> {
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(LOCK_PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    // Before anything is written.
    schema::check(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // Damage shows now, not when the row that it hit is wanted.
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(SchemaError::Sqlite(rusqlite::Error::SqliteFailure(corrupt, Some(verdict))));
    }
    schema::migrate(&mut connection)?;
    Ok(connection)
}

fn upsert(table: Table) -> String {
    format!("INSERT INTO {} VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2", table.name())
}

fn delete(table: Table) -> String {
    format!("DELETE FROM {} WHERE key = ?1", table.name())
}

/// Names the file and the remedy.
fn explain(file: &Path, error: &rusqlite::Error) -> io::Error {
    let (kind, remedy) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            io::ErrorKind::InvalidData,
            "it is damaged; put a backup in its place, or move it away to start with an empty one",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            io::ErrorKind::ResourceBusy,
            "another process uses this folder; end it, or give another by --dir",
        ),
        Some(ErrorCode::DiskFull) => {
            (io::ErrorKind::StorageFull, "the disk is full; make room, and what waits will be written")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
            io::ErrorKind::PermissionDenied,
            "this user may not write there; change its owner or give another --dir",
        ),
        Some(ErrorCode::SystemIoFailure) => (io::ErrorKind::Other, "the disk fails; check it"),
        _ => (io::ErrorKind::Other, "this should not happen; please report it"),
    };
    io::Error::new(kind, format!("the database {} cannot be used: {error}: {remedy}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: usize) -> Change {
        Change::set(Table::Binding, format!("{key:06}"), "x".repeat(1_000))
    }

    #[test]
    fn a_full_disk_takes_nothing_of_a_group_and_goes_on_when_there_is_room() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut database = Database::open(&dir.path().join("full.db")).expect("opened");
        database.apply(&[set(0)], false).expect("room");
        let limit = |database: &Database, pages: u32| {
            let set = format!("PRAGMA max_page_count = {pages}");
            database.connection.query_row(&set, [], |row| row.get::<_, u32>(0)).expect("set");
        };
        limit(&database, 1);
        let group: Vec<Change> = (1..200).map(set).collect();
        let error = database.apply(&group, false).expect_err("no room");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("full.db") && error.to_string().contains("make room"), "{error}");
        assert_eq!(database.load(Table::Binding).expect("read").len(), 1);
        limit(&database, 1_000_000);
        database.apply(&group, false).expect("room again");
        assert_eq!(database.load(Table::Binding).expect("read").len(), 200);
    }
}
