//! Against guessing: who asks for too much that is not his gets no answer for a while.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use proto::Time;

/// Wrong guesses of one source within [`SPAN`] before it is throttled. A phone that boots asks for four
/// names, all of its own.
const MOST_GUESSES: u32 = 20;
/// The span in which they are counted, and for which a source is throttled.
const SPAN: Duration = Duration::from_secs(60);
/// Sources that are counted; the one that guessed longest ago makes room.
const MOST_SOURCES: usize = 1_024;

/// Counts guesses by source.
#[derive(Debug, Default)]
pub struct Guesses(BTreeMap<IpAddr, Count>);

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Time,
    last: Time,
    guesses: u32,
}

impl Guesses {
    /// Whether nothing is to be answered to a source now.
    pub fn is_throttled(&self, now: Time, source: IpAddr) -> bool {
        let count = self.0.get(&network(source));
        count.is_some_and(|count| count.guesses >= MOST_GUESSES && now < count.last + SPAN)
    }

    /// Counts a wrong guess; true where the source is throttled from now on.
    pub fn note(&mut self, now: Time, source: IpAddr) -> bool {
        let source = network(source);
        if !self.0.contains_key(&source) && self.0.len() >= MOST_SOURCES {
            let oldest = self.0.iter().min_by_key(|(_, count)| count.last).map(|(source, _)| *source);
            oldest.map(|source| self.0.remove(&source));
        }
        let count = self.0.entry(source).or_insert(Count { since: now, last: now, guesses: 0 });
        if now >= count.since + SPAN && now >= count.last + SPAN / 2 {
            *count = Count { since: now, last: now, guesses: 0 };
        }
        count.last = now;
        count.guesses = count.guesses.saturating_add(1);
        count.guesses == MOST_GUESSES
    }

    /// The sources that are throttled now.
    pub fn throttled(&self, now: Time) -> impl Iterator<Item = IpAddr> {
        self.0.keys().copied().filter(move |source| self.is_throttled(now, *source))
    }
}

/// Whoever has an IPv6 address has a network of 64 bits of them.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn guessing_has_an_end_and_a_pause_forgives_it() {
        let mut guesses = Guesses::default();
        let at = |seconds: u64| Time::from_secs(1_000 + seconds);
        for second in 0..u64::from(MOST_GUESSES) {
            assert!(!guesses.is_throttled(at(second), SOURCE));
            let is_last = second + 1 == u64::from(MOST_GUESSES);
            assert_eq!(guesses.note(at(second), SOURCE), is_last);
        }
        assert!(guesses.is_throttled(at(30), SOURCE));
        assert!(!guesses.is_throttled(at(30), [192, 0, 2, 2].into()), "others are not hit");
        assert_eq!(guesses.throttled(at(30)).collect::<Vec<_>>(), [SOURCE]);
        assert!(!guesses.is_throttled(at(100), SOURCE));
        assert!(!guesses.note(at(100), SOURCE), "counted anew");
    }

    #[test]
    fn sources_are_bounded_and_a_network_is_one() {
        let mut guesses = Guesses::default();
        for source in 0..3_000_u32 {
            guesses.note(Time::from_secs(u64::from(source)), IpAddr::from(source.to_be_bytes()));
        }
        assert_eq!(guesses.0.len(), MOST_SOURCES);
        let ip = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        for last in 0..20 {
            guesses.note(Time::from_secs(9_000), ip(last));
        }
        assert!(guesses.is_throttled(Time::from_secs(9_001), ip(99)));
    }
}
