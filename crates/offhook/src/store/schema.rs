//! The shape of the database and its way from version to version.

use rusqlite::Connection;

/// The steps from one version to the next; the file's `user_version` counts those it has taken.
/// A step is never changed once released: a new shape is a new step.
const STEPS: &[&str] = &[
    "
    CREATE TABLE extension    (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE permission   (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE device       (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE binding      (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE subscription (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE call_record  (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE setting      (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE ban          (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
",
    "
    CREATE TABLE transfer     (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
",
    "
    CREATE TABLE served       (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
",
];

/// The version of the present shape.
pub(super) const VERSION: u32 = STEPS.len() as u32;

/// Why a database cannot be brought to the present shape.
#[derive(Debug)]
pub(super) enum SchemaError {
    /// It was written by a later program.
    Newer { file: usize, known: usize },
    /// Another program made it.
    Foreign,
    /// The database itself.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Tables that every version has.
const OF_ALL_VERSIONS: [&str; 4] = ["extension", "binding", "call_record", "setting"];

/// Whether a database is ours: it has our tables, or none at all. Writes nothing.
pub(super) fn check(connection: &Connection) -> Result<(), SchemaError> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let is_ours = OF_ALL_VERSIONS.iter().all(|table| names.iter().any(|name| name == table));
    let is_fresh = names.is_empty() && (version == 0 || version > VERSION);
    if is_ours || is_fresh { Ok(()) } else { Err(SchemaError::Foreign) }
}

/// Takes all missing steps, each whole or not at all.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let file = version as usize;
    if file > STEPS.len() {
        return Err(SchemaError::Newer { file, known: STEPS.len() });
    }
    for (step, next) in STEPS.iter().zip(1_u32..).skip(file) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", next)?;
        transaction.commit()?;
    }
    Ok(())
}
