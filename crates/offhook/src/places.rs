//! The connections of a server: a bounded number, of which strangers make room for whoever comes.
//!
//! Of the source with the most connections goes first what never asked for anything, then whoever asked
//! longest ago. What is being answered goes last, and only for a source that has fewer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::crowd::Crowd;

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// In all.
    pub(crate) connections: usize,
    /// Of strangers from one source; see [`crate::crowd::source`].
    pub(crate) of_one_source: usize,
}

/// All connections. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    all: Mutex<All>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct All {
    last: u64,
    /// How often anybody asked for something.
    asked: u64,
    tasks: BTreeMap<u64, Standing>,
    strangers: Crowd<Rank>,
}

/// One connection.
#[derive(Debug)]
struct Standing {
    from: IpAddr,
    rank: Rank,
    task: Option<AbortHandle>,
}

/// Of one source the lowest goes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Rank {
    is_being_answered: bool,
    /// When it last asked, as a number that rises; 0 where it never did.
    asked: u64,
    number: u64,
}

/// One connection's place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    number: u64,
}

impl Places {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, all: Mutex::default(), freed: Notify::new() }))
    }

    /// Waits while all places belong to connections that have shown the token.
    pub(crate) async fn may_accept(&self) {
        loop {
            let freed = self.0.freed.notified();
            if self.lock().may_accept(&self.0.limits) {
                return;
            }
            freed.await;
        }
    }

    /// A place for a connection from this address; one of a stranger is closed for it where none is free.
    /// None where nothing can make room.
    pub(crate) fn take(&self, from: IpAddr) -> Option<Arc<Place>> {
        let number = self.lock().take(from, &self.0.limits)?;
        Some(Arc::new(Place { places: self.clone(), number }))
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

    fn take(&mut self, from: IpAddr, limits: &Limits) -> Option<u64> {
        if self.strangers.count_of(from) >= limits.of_one_source {
            let first = self.strangers.oldest_of(from).filter(|rank| !rank.is_being_answered)?;
            self.close(first.number);
        }
        if self.tasks.len() >= limits.connections {
            let first = self.strangers.first_to_go().filter(|rank| self.makes_room(*rank, from))?;
            self.close(first.number);
        }
        self.last += 1;
        let rank = Rank { is_being_answered: false, asked: 0, number: self.last };
        self.tasks.insert(self.last, Standing { from, rank, task: None });
        self.strangers.add(rank, from);
        Some(self.last)
    }

    /// Whether a connection is closed for one from `newcomer`.
    fn makes_room(&self, rank: Rank, newcomer: IpAddr) -> bool {
        let owner = self.tasks.get(&rank.number).map(|standing| standing.from);
        let has_more = |owner| self.strangers.count_of(owner) > self.strangers.count_of(newcomer) + 1;
        !rank.is_being_answered || owner.is_some_and(has_more)
    }

    fn close(&mut self, number: u64) {
        if let Some(standing) = self.forget(number)
            && let Some(task) = standing.task
        {
            task.abort();
        }
    }

    fn forget(&mut self, number: u64) -> Option<Standing> {
        let standing = self.tasks.remove(&number)?;
        self.strangers.remove(standing.rank);
        Some(standing)
    }

    fn asks(&mut self, number: u64, is_being_answered: bool) {
        let Some(standing) = self.tasks.get_mut(&number) else { return };
        self.strangers.remove(standing.rank);
        self.asked += 1;
        standing.rank = Rank { is_being_answered, asked: self.asked, number };
        self.strangers.add(standing.rank, standing.from);
    }
}

impl Place {
    /// By which task the connection is closed.
    pub(crate) fn is_served_by(&self, task: AbortHandle) {
        match self.places.lock().tasks.get_mut(&self.number) {
            Some(standing) => standing.task = Some(task),
            // It has had to make room already.
            None => task.abort(),
        }
    }

    /// The connection has shown the token: it makes room for nobody.
    pub(crate) fn is_known(&self) {
        let mut all = self.places.lock();
        if let Some(rank) = all.tasks.get(&self.number).map(|standing| standing.rank) {
            all.strangers.remove(rank);
        }
    }

    /// A stranger's connection has asked for something that is being answered.
    pub(crate) fn is_being_answered(&self) {
        self.places.lock().asks(self.number, true);
    }

    /// The answer is written.
    pub(crate) fn is_answered(&self) {
        self.places.lock().asks(self.number, false);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().forget(self.number);
        self.places.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places::new(Limits { connections: 3, of_one_source: 2 })
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
        let mut all: Vec<_> = [1, 2, 1].map(|from| places.take(ip(from)).unwrap()).into();
        all.push(places.take(ip(3)).unwrap());
        assert_eq!(standing(&places), [2, 3, 4], "1 was the oldest from the source with the most");
        all.push(places.take(ip(1)).unwrap());
        all.push(places.take(ip(1)).unwrap());
        assert_eq!(standing(&places).len(), 3);
        assert_eq!(places.lock().strangers.count_of(ip(1)), 2, "no more from one source");
        drop(all);
        assert!(standing(&places).is_empty());
    }

    #[tokio::test]
    async fn whoever_has_shown_the_token_makes_room_for_nobody() {
        let places = places();
        let known = |from| {
            let place = places.take(ip(from)).unwrap();
            place.is_known();
            place
        };
        let mut known = [1, 1].map(known).to_vec();
        let stranger = places.take(ip(2)).unwrap();
        places.may_accept().await;
        let newcomer = places.take(ip(3)).unwrap();
        assert_eq!(standing(&places), [1, 2, 4]);
        newcomer.is_known();
        drop(stranger);
        assert!(!places.lock().may_accept(&places.0.limits));
        tokio::join!(places.may_accept(), async { drop(known.pop()) });
    }

    #[test]
    fn what_is_being_answered_goes_last_and_only_for_a_source_with_fewer() {
        let places = Places::new(Limits { connections: 4, of_one_source: 3 });
        let take = |from| places.take(ip(from)).unwrap();
        let all = [take(1), take(1), take(1), take(2)];
        all[0].is_being_answered();
        all[0].is_answered();
        all[1].is_being_answered();
        let third = take(3);
        assert_eq!(standing(&places), [1, 2, 4, 5], "3 never asked");
        let fourth = take(4);
        assert_eq!(standing(&places), [2, 4, 5, 6], "1 asked and has its answer; 2 is being answered");
        for place in [&all[3], &third, &fourth] {
            place.is_being_answered();
        }
        assert!(places.take(ip(5)).is_none(), "nobody has more than one, and all are being answered");
        let places = Places::new(Limits { connections: 4, of_one_source: 3 });
        let answered = |from| {
            let place = places.take(ip(from)).unwrap();
            place.is_being_answered();
            place
        };
        let _all = [answered(1), answered(1), answered(1), answered(2)];
        assert!(places.take(ip(1)).is_none(), "no room is made among the answers of one source");
        let _newcomer = places.take(ip(3)).unwrap();
        assert_eq!(standing(&places), [2, 3, 4, 5], "the source with three gives one up");
    }
}
