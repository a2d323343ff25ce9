//! The connections of a server: a bounded number, of which strangers make room for whoever comes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Limits;
use crate::crowd::Crowd;

/// All connections. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    all: Mutex<All>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct All {
    last: u64,
    tasks: BTreeMap<u64, Option<AbortHandle>>,
    strangers: Crowd<u64>,
}

/// One connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    number: u64,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, all: Mutex::default(), freed: Notify::new() }))
    }

    /// Waits while all places belong to connections that have shown the token.
    pub(super) async fn may_accept(&self) {
        loop {
            let freed = self.0.freed.notified();
            if self.lock().may_accept(&self.0.limits) {
                return;
            }
            freed.await;
        }
    }

    /// A place for a connection from this address; one of a stranger is closed for it where none is free.
    pub(super) fn take(&self, from: IpAddr) -> Arc<Place> {
        let number = self.lock().take(from, &self.0.limits);
        Arc::new(Place { places: self.clone(), number })
    }

    /// A panic elsewhere leaves whole entries.
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn may_accept(&self, limits: &Limits) -> bool {
        self.tasks.len() < limits.connections || self.strangers.first_to_go().is_some()
    }

    fn take(&mut self, from: IpAddr, limits: &Limits) -> u64 {
        if self.strangers.count_of(from) >= limits.strangers_per_source {
            self.close(self.strangers.oldest_of(from));
        }
        if self.tasks.len() >= limits.connections {
            self.close(self.strangers.first_to_go());
        }
        self.last += 1;
        self.tasks.insert(self.last, None);
        self.strangers.add(self.last, from);
        self.last
    }

    fn close(&mut self, number: Option<u64>) {
        let Some(number) = number else { return };
        self.strangers.remove(number);
        if let Some(task) = self.tasks.remove(&number).flatten() {
            task.abort();
        }
    }
}

impl Place {
    /// By which task the connection is closed.
    pub(super) fn is_served_by(&self, task: AbortHandle) {
        match self.places.lock().tasks.get_mut(&self.number) {
            Some(place) => *place = Some(task),
            // It has had to make room already.
            None => task.abort(),
        }
    }

    /// The connection has shown the token: it makes room for nobody.
    pub(super) fn is_known(&self) {
        self.places.lock().strangers.remove(self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.places.lock();
        all.strangers.remove(self.number);
        all.tasks.remove(&self.number);
        drop(all);
        self.places.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places::new(Limits { connections: 3, strangers_per_source: 2, ..Limits::default() })
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// The numbers of the connections that stand.
    fn standing(places: &Places) -> Vec<u64> {
        places.lock().tasks.keys().copied().collect()
    }

    #[test]
    fn strangers_make_room_oldest_and_fattest_first() {
        let places = places();
        let mut all: Vec<_> = [1, 2, 1].map(|from| places.take(ip(from))).into();
        all.push(places.take(ip(3)));
        assert_eq!(standing(&places), [2, 3, 4], "1 was the oldest from the source with the most");
        all.push(places.take(ip(1)));
        all.push(places.take(ip(1)));
        assert_eq!(standing(&places).len(), 3);
        assert_eq!(places.lock().strangers.count_of(ip(1)), 2, "no more from one source");
        drop(all);
        assert!(standing(&places).is_empty());
    }

    #[tokio::test]
    async fn whoever_has_shown_the_token_makes_room_for_nobody() {
        let places = places();
        let known = |from| {
            let place = places.take(ip(from));
            place.is_known();
            place
        };
        let mut known = [1, 1].map(known).to_vec();
        let stranger = places.take(ip(2));
        places.may_accept().await;
        let newcomer = places.take(ip(3));
        assert_eq!(standing(&places), [1, 2, 4]);
        newcomer.is_known();
        drop(stranger);
        assert!(!places.lock().may_accept(&places.0.limits));
        tokio::join!(places.may_accept(), async { drop(known.pop()) });
    }
}
