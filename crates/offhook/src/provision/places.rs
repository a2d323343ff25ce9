//! How many connections stand at a time, and how many of one client.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of one listener.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    most: usize,
    of_one: usize,
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

/// One place; dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    client: IpAddr,
}

impl Places {
    pub(super) fn new(most: usize, of_one: usize) -> Self {
        Self(Arc::new(Inside { most, of_one, taken: Mutex::default() }))
    }

    /// A place for a client; none where it has too many or all are taken.
    pub(super) fn take(&self, client: IpAddr) -> Option<Place> {
        let mut taken = self.taken();
        let own = taken.get(&client).copied().unwrap_or(0);
        if own >= self.0.of_one || taken.values().sum::<usize>() >= self.0.most {
            return None;
        }
        taken.insert(client, own + 1);
        Some(Place { places: self.clone(), client })
    }

    /// A panic elsewhere leaves whole counts.
    fn taken(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(own) = taken.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let (places, one, other) = (Places::new(3, 2), [127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let held: Vec<_> = [one, one, other].into_iter().map(|ip| places.take(ip).unwrap()).collect();
        assert!(places.take(one).is_none() && places.take(other).is_none());
        drop(held);
        assert!(places.take(one).is_some() && places.taken().is_empty());
    }
}
