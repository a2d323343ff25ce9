//! Wrong passwords of strangers: after three from a source its next ones are looked at after a wait, which doubles.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use proto::Time;

/// Wrong passwords that a source is forgiven.
const FORGIVEN: u32 = 3;
/// The wait after one more; each further one doubles it, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Sources that are remembered; the one silent for longest gives way.
const MOST_SOURCES: usize = 256;
/// Wrong passwords of all sources together in [`WINDOW`]; nobody's are looked at beyond.
const MOST_IN_ALL: u32 = 64;
const WINDOW: Duration = Duration::from_secs(600);

/// Who has guessed, and when he may again.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    by_source: BTreeMap<IpAddr, Guess>,
    in_all: u32,
    window_ends: Time,
}

#[derive(Clone, Copy, Debug)]
struct Guess {
    wrong: u32,
    last: Time,
    again_at: Time,
}

impl Guesses {
    /// Whether a password from there is looked at now.
    pub(super) fn may_try(&mut self, now: Time, source: IpAddr) -> bool {
        if self.window_ends <= now {
            self.in_all = 0;
        }
        let may = self.by_source.get(&place(source)).is_none_or(|guess| guess.again_at <= now);
        may && self.in_all < MOST_IN_ALL
    }

    /// It was wrong.
    pub(super) fn wrong(&mut self, now: Time, source: IpAddr) {
        if self.in_all == 0 {
            self.window_ends = now + WINDOW;
        }
        self.in_all += 1;
        let source = place(source);
        if !self.by_source.contains_key(&source) && self.by_source.len() >= MOST_SOURCES {
            let oldest = self.by_source.iter().min_by_key(|(_, guess)| guess.last).map(|(source, _)| *source);
            oldest.map(|oldest| self.by_source.remove(&oldest));
        }
        let guess = self.by_source.entry(source).or_insert(Guess { wrong: 0, last: now, again_at: now });
        if now.since(guess.last) > LONGEST_WAIT * 2 {
            guess.wrong = 0;
        }
        guess.wrong += 1;
        guess.last = now;
        let doublings = guess.wrong.saturating_sub(FORGIVEN);
        let wait = FIRST_WAIT.saturating_mul(1 << doublings.saturating_sub(1).min(12)).min(LONGEST_WAIT);
        guess.again_at = if doublings > 0 { now + wait } else { now };
    }

    /// It was right.
    pub(super) fn right(&mut self, source: IpAddr) {
        self.by_source.remove(&place(source));
    }
}

/// A source: an address, of IPv6 the network of 64 bits that one host may have to itself.
fn place(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn each_further_guess_costs_twice_the_wait() {
        let (mut guesses, mut now) = (Guesses::default(), Time::from_secs(1_000));
        let mut waits = Vec::new();
        for _ in 0..20 {
            assert!(guesses.may_try(now, source(1)));
            guesses.wrong(now, source(1));
            let before = now;
            while !guesses.may_try(now, source(1)) {
                now += Duration::from_secs(1);
            }
            waits.push(now.since(before).as_secs());
        }
        assert_eq!(waits[..8], [0, 0, 0, 1, 2, 4, 8, 16]);
        assert_eq!(waits[19], 3_600);
        assert!(guesses.may_try(now, source(2)), "others are heard");
        guesses.right(source(1));
        guesses.wrong(now, source(1));
        assert!(guesses.may_try(now, source(1)), "whoever knows it begins anew");
    }

    #[test]
    fn many_sources_together_are_bounded() {
        let (mut guesses, now) = (Guesses::default(), Time::from_secs(1_000));
        let tried = (0..10_000).filter(|&number| {
            let may = guesses.may_try(now, source(number));
            if may {
                guesses.wrong(now, source(number));
            }
            may
        });
        assert_eq!(tried.count(), MOST_IN_ALL as usize);
        assert!(guesses.may_try(now + WINDOW, source(9)));
        (0..1_000).for_each(|number| guesses.wrong(now, source(number)));
        assert_eq!(guesses.by_source.len(), MOST_SOURCES);
        let one = |text: &str| place(text.parse().expect("an address"));
        assert_eq!(one("2001:db8::1"), one("2001:db8::ffff:1"));
    }
}
