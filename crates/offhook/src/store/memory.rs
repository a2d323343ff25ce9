//! A store that ends with the program: for the lab, tests and a quick start without a folder.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Change, Progress, Reader, Row, Store, Table};

/// Rows in memory; every turn is committed at once. Clones are the same store, so that a machine that is
/// switched off and on again finds what it kept.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    rows: Arc<Rows>,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct Rows(Mutex<BTreeMap<Table, BTreeMap<String, String>>>);

impl Store for Memory {
    fn commit(&mut self, changes: Vec<Change>) -> u64 {
        let mut tables = self.rows.lock();
        for Change { table, key, value } in changes {
            let rows = tables.entry(table).or_default();
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        drop(tables);
        self.progress.send_modify(|progress| progress.committed += 1);
        self.progress.borrow().committed
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn is_saturated(&self) -> bool {
        false
    }

    fn outlives_program(&self) -> bool {
        false
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.rows.clone()
    }
}

impl Rows {
    /// A panic elsewhere leaves whole rows: each change is one insertion.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Table, BTreeMap<String, String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader for Rows {
    fn load(&self, table: Table) -> io::Result<Vec<Row>> {
        Ok(self.lock().get(&table).into_iter().flatten().map(row).collect())
    }

    fn latest(&self, table: Table, count: usize, before: Option<&str>) -> io::Result<Vec<Row>> {
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.lock();
        let Some(rows) = tables.get(&table) else { return Ok(Vec::new()) };
        Ok(rows.range::<str, _>((Bound::Unbounded, end)).rev().take(count).map(row).collect())
    }
}

fn row((key, value): (&String, &String)) -> Row {
    Row { key: key.clone(), value: value.clone() }
}
