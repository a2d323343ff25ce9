//! A queue for very many timers.
//!
//! A timer is set and cancelled in constant time and comes out in the order of its moment, and of
//! its setting where moments are equal. What is due soon stands in a small heap, what is due within
//! about a minute in a wheel of buckets, what is later in a heap of its own; a bucket is poured into
//! the small heap when its turn comes. A cancelled timer's entry is passed over when it comes up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Time;

/// Many timers, each standing for a `K`.
#[derive(Clone, Debug)]
pub struct TimerQueue<K> {
    slots: Vec<Slot<K>>,
    free: Vec<u32>,
    /// Everything before the bucket `horizon`, and whatever else a small queue holds.
    near: BinaryHeap<Reverse<Entry>>,
    /// Empty until it is needed; then [`BUCKETS`] buckets, of which `horizon` is the first.
    wheel: Vec<Vec<Entry>>,
    in_wheel: usize,
    far: BinaryHeap<Reverse<Entry>>,
    horizon: u64,
    sequence: u64,
    live: usize,
}

/// Names a timer that was set; good until it fires or is cancelled, and harmless after that.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TimerId {
    slot: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot<K> {
    /// Of the entry that is alive; [`DEAD`] where there is none.
    sequence: u64,
    key: K,
}

/// Ordered by moment, then by setting.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Entry {
    at: Time,
    sequence: u64,
    slot: u32,
}

/// The sequence that no entry has.
const DEAD: u64 = u64::MAX;
/// A bucket spans 2^17 µs, about an eighth of a second.
const BUCKET_SHIFT: u32 = 17;
/// 67 seconds: longer than any timer of a transaction.
const BUCKETS: u64 = 512;
/// A queue this small is a heap only, and costs nothing while it is empty.
const HEAP_ONLY: usize = 256;
/// Cancelled entries that are not worth a sweep.
const SLACK: usize = 1_024;

impl<K: Copy> TimerQueue<K> {
    /// An empty queue; allocates nothing.
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            near: BinaryHeap::new(),
            wheel: Vec::new(),
            in_wheel: 0,
            far: BinaryHeap::new(),
            horizon: 0,
            sequence: 0,
            live: 0,
        }
    }

    /// `key` is to come out at `at`.
    pub fn set(&mut self, at: Time, key: K) -> TimerId {
        let sequence = self.sequence;
        self.sequence += 1;
        self.live += 1;
        let slot = self.take_slot(Slot { sequence, key });
        self.place(Entry { at, sequence, slot });
        self.settle();
        TimerId { slot, generation: sequence as u32 }
    }

    /// The timer is not to come out; false if it has already, or was cancelled.
    pub fn cancel(&mut self, id: TimerId) -> bool {
        let alive = self
            .slots
            .get(id.slot as usize)
            .is_some_and(|slot| slot.sequence != DEAD && slot.sequence as u32 == id.generation);
        if alive {
            self.release(id.slot);
            self.settle();
            self.sweep();
        }
        alive
    }

    /// The first timer that is due at `now`, and the moment it was set to. It is no more in the queue.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, K)> {
        let (at, key) = self.next().filter(|(at, _)| *at <= now)?;
        let Reverse(entry) = self.near.pop()?;
        self.release(entry.slot);
        self.settle();
        Some((at, key))
    }

    /// The first timer, due or not.
    pub fn next(&self) -> Option<(Time, K)> {
        let Reverse(entry) = self.near.peek()?;
        Some((entry.at, self.slots.get(entry.slot as usize)?.key))
    }

    /// How many timers are set.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Gives the memory of a small queue back where no timer is set; old names stay good for nothing.
    pub fn let_go(&mut self) {
        if self.live == 0 && self.wheel.is_empty() && self.far.is_empty() {
            self.slots = Vec::new();
            self.free = Vec::new();
            self.near = BinaryHeap::new();
        }
    }

    fn take_slot(&mut self, slot: Slot<K>) -> u32 {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize] = slot;
            return index;
        }
        self.slots.push(slot);
        (self.slots.len() - 1) as u32
    }

    fn release(&mut self, slot: u32) {
        self.slots[slot as usize].sequence = DEAD;
        self.free.push(slot);
        self.live -= 1;
    }

    fn place(&mut self, entry: Entry) {
        let bucket = entry.at.as_micros() >> BUCKET_SHIFT;
        if bucket < self.horizon || self.near.len() < HEAP_ONLY {
            self.near.push(Reverse(entry));
        } else if bucket - self.horizon < BUCKETS {
            self.wheel.resize_with(BUCKETS as usize, Vec::new);
            self.wheel[(bucket % BUCKETS) as usize].push(entry);
            self.in_wheel += 1;
        } else {
            self.far.push(Reverse(entry));
        }
    }

    /// Brings the first timer to the top of the small heap: what [`next`](Self::next) relies on.
    fn settle(&mut self) {
        loop {
            match self.near.peek() {
                Some(Reverse(top)) if !self.is_alive(top) => {
                    self.near.pop();
                }
                Some(Reverse(top)) if top.at.as_micros() >> BUCKET_SHIFT < self.horizon => return,
                _ if self.in_wheel == 0 && self.far.is_empty() => return,
                _ => self.advance(),
            }
        }
    }

    /// Pours the next bucket into the small heap.
    fn advance(&mut self) {
        if self.in_wheel == 0 {
            let far = self.far.peek().map_or(0, |Reverse(entry)| entry.at.as_micros() >> BUCKET_SHIFT);
            self.horizon = self.horizon.max(far);
        } else if let Some(bucket) = self.wheel.get_mut((self.horizon % BUCKETS) as usize) {
            self.in_wheel -= bucket.len();
            let slots = &self.slots;
            let alive = |entry: &Entry| slots[entry.slot as usize].sequence == entry.sequence;
            self.near.extend(bucket.drain(..).filter(alive).map(Reverse));
        }
        self.horizon += 1;
        while let Some(Reverse(entry)) = self.far.peek().copied() {
            if entry.at.as_micros() >> BUCKET_SHIFT >= self.horizon {
                break;
            }
            self.far.pop();
            self.near.push(Reverse(entry));
        }
    }

    /// Cancelled entries are dropped once they outnumber the living, so that setting and cancelling
    /// for ever needs no more room than the timers that are set.
    fn sweep(&mut self) {
        let entries = self.near.len() + self.in_wheel + self.far.len();
        if entries < 2 * self.live + SLACK {
            return;
        }
        let slots = &self.slots;
        let alive = |entry: &Entry| slots[entry.slot as usize].sequence == entry.sequence;
        self.near.retain(|Reverse(entry)| alive(entry));
        self.far.retain(|Reverse(entry)| alive(entry));
        self.wheel.iter_mut().for_each(|bucket| bucket.retain(alive));
        self.in_wheel = self.wheel.iter().map(Vec::len).sum();
    }

    fn is_alive(&self, entry: &Entry) -> bool {
        self.slots[entry.slot as usize].sequence == entry.sequence
    }
}

impl<K: Copy> Default for TimerQueue<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_queue_at_rest_takes_no_memory_and_mistakes_no_name() {
        let mut queue = TimerQueue::new();
        let old = queue.set(Time::from_secs(1), 'a');
        queue.let_go();
        assert_eq!(queue.len(), 1, "what is set stays");
        assert!(queue.cancel(old));
        queue.let_go();
        assert_eq!(queue.slots.capacity(), 0);
        let new = queue.set(Time::from_secs(2), 'b');
        assert!(!queue.cancel(old) && queue.len() == 1);
        assert!(queue.cancel(new));
    }

    #[test]
    fn equal_moments_come_out_in_the_order_of_setting() {
        let mut queue = TimerQueue::new();
        for (at, key) in [(20, 'd'), (10, 'a'), (10, 'b'), (20, 'e'), (10, 'c')] {
            queue.set(Time::from_millis(at), key);
        }
        assert_eq!(queue.pop_due(Time::from_millis(9)), None);
        assert_eq!(drain(&mut queue, Time::from_millis(20)), ['a', 'b', 'c', 'd', 'e']);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_cancelled_timer_does_not_come_out() {
        let mut queue = TimerQueue::new();
        let first = queue.set(Time::from_secs(1), 1);
        queue.set(Time::from_secs(2), 2);
        assert!(queue.cancel(first));
        assert!(!queue.cancel(first));
        assert_eq!(queue.next(), Some((Time::from_secs(2), 2)));
        let reused = queue.set(Time::from_secs(3), 3);
        assert!(!queue.cancel(first), "an old name must not reach the new timer in the same slot");
        assert!(queue.cancel(reused));
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn far_moments_and_the_end_of_time_keep_their_order() {
        let mut queue = TimerQueue::new();
        for key in 0..2_000_u64 {
            queue.set(Time::from_secs(key * 7_919 % 2_000 * 3_600), key);
        }
        queue.set(Time::NEVER, 9_999);
        let mut before = Time::ZERO;
        for _ in 0..2_000 {
            let (at, _) = queue.pop_due(Time::from_secs(2_000 * 3_600)).unwrap();
            assert!(at >= before);
            before = at;
        }
        assert_eq!(queue.pop_due(Time::from_secs(2_000 * 3_600)), None);
        assert_eq!(queue.next(), Some((Time::NEVER, 9_999)));
    }

    #[test]
    fn setting_and_cancelling_for_ever_needs_no_more_room() {
        let mut queue = TimerQueue::new();
        for key in 0..1_000_u32 {
            queue.set(Time::from_secs(60), key);
        }
        for round in 0..200_000_u64 {
            let id = queue.set(Time::from_millis(round % 90_000), 0);
            queue.cancel(id);
        }
        let entries = queue.near.len() + queue.in_wheel + queue.far.len();
        assert!(entries <= 2 * 1_000 + SLACK, "{entries}");
        assert!(queue.slots.len() <= 1_001);
    }

    proptest! {
        /// Against the simplest queue there is.
        #[test]
        fn it_behaves_like_an_ordered_map(
            steps in prop::collection::vec((0..4_u8, 0..200_000_u64), 1..1_500),
        ) {
            let mut queue = TimerQueue::new();
            let mut model = BTreeMap::new();
            let (mut now, mut ids) = (0, Vec::new());
            for (number, (kind, value)) in steps.into_iter().enumerate() {
                match kind {
                    0 | 1 => {
                        let at = Time::from_millis(now + value);
                        model.insert((at, number), number);
                        ids.push((queue.set(at, number), (at, number)));
                    }
                    2 if !ids.is_empty() => {
                        let (id, key) = ids[value as usize % ids.len()];
                        prop_assert_eq!(queue.cancel(id), model.remove(&key).is_some());
                    }
                    _ => {
                        now += value % 3_000;
                        let due = model.first_key_value().map(|(key, _)| *key);
                        let due = due.filter(|(at, _)| *at <= Time::from_millis(now));
                        prop_assert_eq!(queue.pop_due(Time::from_millis(now)), due);
                        due.map(|key| model.remove(&key));
                    }
                }
                prop_assert_eq!(queue.next(), model.first_key_value().map(|(key, _)| *key));
                prop_assert_eq!(queue.len(), model.len());
            }
        }
    }

    fn drain<K: Copy>(queue: &mut TimerQueue<K>, now: Time) -> Vec<K> {
        std::iter::from_fn(|| queue.pop_due(now)).map(|(_, key)| key).collect()
    }
}
