//! One store behind several owners.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Change, Progress, Reader, Store};

/// A store that several roles commit to; clones are the same store. Turns of all are counted together.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Box<dyn Store>>>);

impl Shared {
    /// Shares a store.
    pub fn new(store: Box<dyn Store>) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    /// A panic elsewhere leaves whole turns: each is one call.
    fn lock(&self) -> MutexGuard<'_, Box<dyn Store>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Shared {
    fn commit(&mut self, changes: Vec<Change>) -> u64 {
        self.lock().commit(changes)
    }

    fn probe(&mut self) -> u64 {
        self.lock().probe()
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.lock().progress()
    }

    fn is_saturated(&self) -> bool {
        self.lock().is_saturated()
    }

    fn outlives_program(&self) -> bool {
        self.lock().outlives_program()
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.lock().reader()
    }
}
