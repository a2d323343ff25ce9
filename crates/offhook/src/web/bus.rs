//! Events for any number of readers, each at its own pace.
//!
//! One ring holds the newest events; a reader is a number in it. Whoever reads too slowly is told how
//! many events it has missed and goes on with the oldest that is still there: no reader costs memory
//! by being slow, and none slows the role.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The most events that are kept for readers.
const MOST_EVENTS: usize = 4_096;
/// The most bytes of events that are kept for readers.
const MOST_BYTES: usize = 4 * 1_024 * 1_024;

/// Where events are told. Clones tell the same readers.
#[derive(Clone, Debug)]
pub struct Bus(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Distinguishes this run from those before.
    run: u64,
    ring: Mutex<Ring>,
    end: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    /// The number of the oldest event that is kept.
    first: u64,
    bytes: usize,
    events: VecDeque<Arc<str>>,
}

/// One reader's place. Dropping it ends its reading.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    ended: watch::Receiver<u64>,
    next: u64,
    /// Events of an earlier run cannot be counted.
    missed_a_run: bool,
}

/// What a reader gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// An event as JSON, and the mark after which a reader who comes back goes on.
    Event {
        /// See [`Bus::reader_after`].
        mark: String,
        /// One line.
        json: Arc<str>,
    },
    /// So many events were lost for this reader; none where nobody can know.
    Missed(Option<u64>),
}

impl Bus {
    /// A bus whose marks begin with `run`, which differs from run to run of the program.
    pub fn new(run: u64) -> Self {
        Self(Arc::new(Shared { run, ring: Mutex::default(), end: watch::Sender::new(0) }))
    }

    /// Tells an event, which is one line of JSON.
    pub fn tell(&self, json: impl Into<Arc<str>>) {
        let json = json.into();
        let mut ring = self.0.lock();
        ring.bytes += json.len();
        ring.events.push_back(json);
        while ring.events.len() > MOST_EVENTS || (ring.bytes > MOST_BYTES && ring.events.len() > 1) {
            let length = ring.events.pop_front().map_or(0, |gone| gone.len());
            ring.bytes -= length;
            ring.first += 1;
        }
        let end = ring.end();
        drop(ring);
        self.0.end.send_replace(end);
    }

    /// Reads what is told from now on.
    pub fn reader(&self) -> Reader {
        let next = self.0.lock().end();
        self.reader_at(next, false)
    }

    /// Reads what was told after the event of that mark.
    pub fn reader_after(&self, mark: &str) -> Reader {
        let known = mark.split_once('-').and_then(|(run, number)| {
            (run.parse() == Ok(self.0.run)).then(|| number.parse::<u64>().ok()).flatten()
        });
        match known {
            Some(number) => {
                let next = number.saturating_add(1).min(self.0.lock().end());
                self.reader_at(next, false)
            }
            None => self.reader_at(0, true),
        }
    }

    fn reader_at(&self, next: u64, missed_a_run: bool) -> Reader {
        Reader { shared: self.0.clone(), ended: self.0.end.subscribe(), next, missed_a_run }
    }
}

impl Shared {
    /// A panic elsewhere leaves a whole ring: no step in it can fail half-way.
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// The number of the next event.
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }
}

impl Reader {
    /// The next piece, as soon as there is one. Safe to cancel.
    pub async fn next(&mut self) -> Piece {
        loop {
            self.ended.borrow_and_update();
            if let Some(piece) = self.try_next() {
                return piece;
            }
            // The reader itself keeps the sender alive, so the wait ends with news alone.
            let _ = self.ended.changed().await;
        }
    }

    /// The next piece where there is one already.
    pub fn try_next(&mut self) -> Option<Piece> {
        let ring = self.shared.lock();
        if std::mem::take(&mut self.missed_a_run) {
            self.next = ring.first;
            return Some(Piece::Missed(None));
        }
        if self.next < ring.first {
            let missed = ring.first - self.next;
            self.next = ring.first;
            return Some(Piece::Missed(Some(missed)));
        }
        let index = usize::try_from(self.next - ring.first).unwrap_or(usize::MAX);
        let json = ring.events.get(index)?.clone();
        let mark = format!("{}-{}", self.shared.run, self.next);
        self.next += 1;
        Some(Piece::Event { mark, json })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reader: &mut Reader, expected: &[&str]) {
        let mut seen = Vec::new();
        while let Some(piece) = reader.try_next() {
            seen.push(match piece {
                Piece::Event { json, .. } => json.to_string(),
                Piece::Missed(missed) => format!("{missed:?}"),
            });
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn each_reader_reads_from_where_it_came() {
        let bus = Bus::new(1);
        let mut early = bus.reader();
        bus.tell("1");
        let mut late = bus.reader();
        bus.tell("2");
        check(&mut early, &["1", "2"]);
        check(&mut late, &["2"]);
        bus.tell("3");
        check(&mut early, &["3"]);
    }

    #[test]
    fn a_reader_comes_back_to_its_mark() {
        let bus = Bus::new(77);
        ["1", "2", "3"].into_iter().for_each(|json| bus.tell(json));
        check(&mut bus.reader_after("77-0"), &["2", "3"]);
        check(&mut bus.reader_after("77-2"), &[]);
        check(&mut bus.reader_after("77-18446744073709551615"), &[]);
        for stranger in ["76-1", "", "-", "77-x", "no mark"] {
            check(&mut bus.reader_after(stranger), &["None", "1", "2", "3"]);
        }
    }

    #[test]
    fn a_slow_reader_is_told_its_gap_and_costs_nothing() {
        let bus = Bus::new(1);
        let mut slow = bus.reader();
        (0..MOST_EVENTS + 10).for_each(|_| bus.tell("x"));
        assert_eq!(slow.try_next(), Some(Piece::Missed(Some(10))));
        assert_eq!(std::iter::from_fn(|| slow.try_next()).count(), MOST_EVENTS);
        let big = "x".repeat(MOST_BYTES / 2);
        (0..10).for_each(|_| bus.tell(&*big));
        assert_eq!(bus.0.lock().events.len(), 2);
        bus.tell("x".repeat(2 * MOST_BYTES));
        assert_eq!(bus.0.lock().events.len(), 1, "the newest is there whatever its size");
        assert_eq!(slow.try_next(), Some(Piece::Missed(Some(10))));
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let bus = Bus::new(1);
        let mut reader = bus.reader();
        let (piece, ()) = tokio::join!(reader.next(), async { bus.tell("1") });
        assert_eq!(piece, Piece::Event { mark: "1-0".to_owned(), json: "1".into() });
    }
}
