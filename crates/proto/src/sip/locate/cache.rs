//! Answers that may still be used.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Answer, Query};
use crate::Time;

/// How long it is remembered that a name has no record, since answers do not say (RFC 2308 §5).
const EMPTY_S: u32 = 30;
/// No answer is kept longer than a day.
const MAX_TTL_S: u32 = 86_400;

/// Answers by question, each until its shortest-lived record expires; bounded.
#[derive(Clone, Debug)]
pub struct Cache {
    entries: BTreeMap<Query, (Time, Answer)>,
    max_entries: usize,
}

impl Cache {
    /// For at most `max_entries` answers; those that expire first give way.
    pub fn new(max_entries: usize) -> Self {
        Self { entries: BTreeMap::new(), max_entries }
    }

    /// What is still known.
    pub fn get(&self, now: Time, query: &Query) -> Option<&Answer> {
        self.entries.get(query).filter(|(expires, _)| *expires > now).map(|(_, answer)| answer)
    }

    /// Keeps an answer. Failures are not kept, so that the next call asks again.
    pub fn insert(&mut self, now: Time, query: Query, answer: Answer) {
        let Answer::Records(records) = &answer else { return };
        let ttl_s = records.iter().map(|(_, ttl_s)| *ttl_s).min().unwrap_or(EMPTY_S).min(MAX_TTL_S);
        if ttl_s == 0 || self.max_entries == 0 {
            return;
        }
        if self.entries.len() >= self.max_entries && !self.entries.contains_key(&query) {
            self.make_room(now);
        }
        self.entries.insert(query, (now + Duration::from_secs(u64::from(ttl_s)), answer));
    }

    /// Forgets everything, as after a change of network.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    fn make_room(&mut self, now: Time) {
        self.entries.retain(|_, (expires, _)| *expires > now);
        if self.entries.len() >= self.max_entries {
            let first = self.entries.iter().min_by_key(|(_, (expires, _))| *expires);
            if let Some(query) = first.map(|(query, _)| query.clone()) {
                self.entries.remove(&query);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::sip::locate::{QueryKind, Record};

    fn query(name: &str) -> Query {
        Query { kind: QueryKind::A, name: name.into() }
    }

    fn answer(ttls_s: &[u32]) -> Answer {
        Answer::Records(ttls_s.iter().map(|&ttl_s| (Record::A(Ipv4Addr::LOCALHOST), ttl_s)).collect())
    }

    #[test]
    fn answers_live_as_long_as_their_shortest_record() {
        let mut cache = Cache::new(8);
        let check = |cache: &Cache, at_s, name: &str, known| {
            assert_eq!(cache.get(Time::from_secs(at_s), &query(name)).is_some(), known, "{name} at {at_s} s");
        };
        cache.insert(Time::ZERO, query("a"), answer(&[300, 60]));
        cache.insert(Time::ZERO, query("empty"), answer(&[]));
        cache.insert(Time::ZERO, query("failed"), Answer::Failed);
        cache.insert(Time::ZERO, query("now"), answer(&[0]));
        cache.insert(Time::ZERO, query("ever"), answer(&[u32::MAX]));
        check(&cache, 59, "a", true);
        check(&cache, 60, "a", false);
        check(&cache, 29, "empty", true);
        check(&cache, 30, "empty", false);
        check(&cache, 0, "failed", false);
        check(&cache, 0, "now", false);
        check(&cache, 86_399, "ever", true);
        check(&cache, 86_400, "ever", false);
        cache.clear();
        check(&cache, 0, "a", false);
    }

    #[test]
    fn a_full_cache_gives_up_what_expires_first() {
        let mut cache = Cache::new(3);
        for (name, ttl_s) in [("a", 30), ("b", 10), ("c", 20), ("d", 40)] {
            cache.insert(Time::ZERO, query(name), answer(&[ttl_s]));
        }
        assert_eq!(cache.entries.len(), 3);
        assert!(cache.get(Time::ZERO, &query("b")).is_none());
        cache.insert(Time::from_secs(35), query("e"), answer(&[40]));
        assert_eq!(cache.entries.len(), 2, "what has expired goes first");
    }
}
