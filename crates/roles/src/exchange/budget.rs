//! Budgets that fill again with time, and bounded tables of those who have one.

use std::collections::HashMap;
use std::hash::Hash;

use proto::Time;

/// A budget that fills again with time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    /// What was taken and has not come back, in thousandths.
    spent: u64,
    seen: Time,
}

impl Budget {
    /// Takes one out of `most`, of which `per_minute` come back; `false` where nothing is left.
    pub(super) fn take(&mut self, now: Time, most: u32, per_minute: u64) -> bool {
        let left = self.is_left(now, most, per_minute);
        if left {
            self.spent += 1_000;
        }
        left
    }

    pub(super) fn is_left(&mut self, now: Time, most: u32, per_minute: u64) -> bool {
        let micros = u64::try_from(now.since(self.seen).as_micros()).unwrap_or(u64::MAX);
        // Whole thousandths alone are given back, so that many small steps lose nothing.
        let back = micros.saturating_mul(per_minute) / 60_000;
        if back > 0 {
            self.spent = self.spent.saturating_sub(back);
            self.seen = now;
        }
        self.spent + 1_000 <= u64::from(most) * 1_000
    }
}

/// A bounded table: two generations, the older of which is dropped when the younger is full.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    younger: HashMap<K, V>,
    older: HashMap<K, V>,
    /// Of both together.
    most: usize,
}

impl<K: Copy + Eq + Hash, V: Copy> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { younger: HashMap::new(), older: HashMap::new(), most }
    }

    pub(super) fn get(&self, key: K) -> Option<V> {
        self.younger.get(&key).or_else(|| self.older.get(&key)).copied()
    }

    /// What is known under a key, or else `new`.
    pub(super) fn entry(&mut self, key: K, new: V) -> &mut V {
        if self.younger.len() >= self.most / 2 && !self.younger.contains_key(&key) {
            self.older = std::mem::take(&mut self.younger);
        }
        let older = &mut self.older;
        self.younger.entry(key).or_insert_with(|| older.remove(&key).unwrap_or(new))
    }

    pub(super) fn remove(&mut self, key: K) {
        self.younger.remove(&key);
        self.older.remove(&key);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.younger.len() + self.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_loses_nothing_in_small_steps() {
        let mut budget = Budget::default();
        assert!(budget.take(Time::from_secs(1), 1, 60) && !budget.take(Time::from_secs(1), 1, 60));
        let left = (1..1_000).filter(|ms| budget.is_left(Time::from_millis(1_000 + ms), 1, 60)).count();
        assert_eq!(left, 0);
        assert!(budget.is_left(Time::from_secs(2), 1, 60));
    }
}
