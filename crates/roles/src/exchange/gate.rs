//! The gate: budgets of answers by source, wrong passwords by source and account, bans.
//!
//! A stranger is answered without memory. What is remembered of sources is bounded: two generations of a
//! table, the older of which is dropped when the younger is full.
//!
//! A datagram's source address can be forged. So a scanner's User-Agent or a mere number of requests bans no address
//! where a device of ours lives: a stranger could have an office banned that way. A wrong password counts wherever
//! it comes from, since it answers a challenge that only that address has heard. Where devices live it bars only
//! the account that was guessed at, not the office: the guesser may be one of five hundred behind one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use proto::Time;
use proto::sip::{Flow, Message, Method, Name};

use super::budget::{Budget, Recent};
use super::directory::Nearness;
use super::facts::Ban;
use super::ids::ExtensionId;
use super::turn::Turn;
use super::{Change, Event};

/// How patient the exchange is with strangers.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Answers that one source gets in advance, and no more than these at a time; eight times as many where
    /// devices live.
    pub burst: u32,
    /// Answers that one source gets back each second; eight times as many where devices live.
    pub per_second: u32,
    /// Wrong passwords from one source, and answers beyond its budget, until it is banned. Where devices live:
    /// wrong passwords for one account until that account is barred there.
    pub strikes: u32,
    /// Wrong passwords in all from an address where devices live, until passwords of devices that are new there are
    /// looked at slowly.
    pub home_strikes: u32,
    /// How long the first ban lasts, in seconds; each further one twice as long.
    pub ban_s: u64,
    /// The longest ban, in seconds.
    pub ban_max_s: u64,
    /// The most sources that are remembered.
    pub max_sources: usize,
    /// The most bans at a time.
    pub max_bans: usize,
    /// Wrong passwords for one account until passwords of devices that are new there are looked at slowly.
    pub account_wrong: u32,
    /// Wrong passwords that one account is forgiven each minute.
    pub account_wrong_per_minute: u32,
    /// Passwords of new devices that are looked at each minute where passwords are guessed.
    pub slow_per_minute: u32,
    /// How long messages may wait for their turn until new calls get 503, in milliseconds: less than the
    /// half second after which phones send them again. New requests of strangers get 503 from half of this on;
    /// requests of known devices other than calls from twice this on. A brief stall causes no 503. Where the delay
    /// lasts, a quarter of these times holds until the exchange has been in time for a while.
    pub late_ms: u32,
    /// User-Agent words of tools that only scan; a source that uses one is banned at once.
    pub scanners: Vec<String>,
}

impl Default for Patience {
    fn default() -> Self {
        let scanners = ["friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sundayddr", "pplsip"];
        Self {
            burst: 4_096,
            per_second: 64,
            strikes: 16,
            home_strikes: 64,
            ban_s: 60,
            ban_max_s: 3_600,
            account_wrong: 128,
            account_wrong_per_minute: 6,
            slow_per_minute: 6,
            late_ms: 160,
            max_sources: 65_536,
            max_bans: 4_096,
            scanners: scanners.map(str::to_owned).to_vec(),
        }
    }
}

/// How long an address is a home after a password was shown there, in seconds: as long as the longest
/// registration.
const HOME_S: u64 = 7_200;
/// How much more is answered where devices live.
const HOME_FACTOR: u64 = 8;
/// How long after its end a ban still lengthens the next one, in seconds.
const FORGOTTEN_AFTER_S: u64 = 86_400;
/// How long wrong passwords are remembered after the last of them, in seconds.
const REMEMBERED_S: u64 = 3_600;
/// What the devices of one account at one address get answered for each method, whatever others ask in the
/// name of their address: so many in advance, and so many a minute.
const RESERVE: u32 = 16;
const RESERVE_PER_MINUTE: u64 = 120;
/// Wrong passwords for one account from one source whose answers come at once.
const FREE_GUESSES: u32 = 3;
/// By how much the first answer after them is delayed; each further one by twice as much, up to the longest.
const DELAY_MS: u64 = 1_000;
const MAX_DELAY_MS: u64 = 16_000;
/// The most letters of an account's name in a ban.
const MAX_ACCOUNT_LETTERS: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Source {
    /// Answers left, in thousandths.
    tokens: u64,
    seen: Time,
    /// Requests beyond the budget.
    exceeded: u32,
    /// Wrong passwords of late.
    wrong: u32,
    wrong_at: Time,
    /// Passwords of new devices that are looked at although passwords are guessed here.
    slow: Budget,
}

/// Wrong passwords for one account from one source.
#[derive(Clone, Copy, Debug, Default)]
struct Guess {
    wrong: u32,
    at: Time,
    /// When the answer to the last one is sent. Until then nothing is looked at.
    answered_at: Time,
    /// The last one, by the hash of its credentials: its copies are no further guesses.
    last: u64,
    /// Passwords that are looked at though the account is barred here.
    slow: Budget,
}

/// A ban, and whose ban made room for it.
#[derive(Debug)]
pub(super) struct Banned {
    ban: Ban,
    lifted: Option<Ban>,
}

/// Whether a password is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Look {
    /// It is.
    Yes,
    /// It is refused without a look.
    No,
    /// The answer to an earlier one is still to come; this one gets none.
    Later,
}

/// What is remembered of strangers.
#[derive(Debug)]
pub(super) struct Gate {
    patience: Patience,
    sources: Recent<IpAddr, Source>,
    /// Wrong passwords by source and hash of the account's name.
    guesses: Recent<(IpAddr, u64), Guess>,
    /// Where a password was shown, and when last. Strangers cannot fill it.
    homes: Recent<IpAddr, Time>,
    /// What the devices of an account get answered at their address, by method; bounded by the extensions.
    reserves: BTreeMap<(ExtensionId, Method), Budget>,
    /// By source and hash of the account's name.
    bans: BTreeMap<(IpAddr, Option<u64>), Ban>,
}

impl Gate {
    pub(super) fn new(patience: Patience, mut bans: Vec<Ban>) -> Self {
        bans.sort_by_key(|ban| std::cmp::Reverse(ban.until_s));
        let key = |ban: &Ban| (ban.source, ban.account.as_deref().map(hash));
        let bans = bans.into_iter().take(patience.max_bans).map(|ban| (key(&ban), ban)).collect();
        Self {
            sources: Recent::new(patience.max_sources),
            guesses: Recent::new(patience.max_sources),
            homes: Recent::new(patience.max_sources),
            reserves: BTreeMap::new(),
            patience,
            bans,
        }
    }

    pub(super) const fn patience(&self) -> &Patience {
        &self.patience
    }

    /// The ban of a source with all that is there. What a stranger did bans no address where devices live.
    pub(super) fn ban_at(&self, now: Time, source: IpAddr) -> Option<&Ban> {
        if self.bans.is_empty() {
            return None;
        }
        let ban = self.bans.get(&(source.to_canonical(), None)).filter(|ban| ban.until_s > now.as_secs())?;
        (ban.by_hand || !self.is_home(now, source)).then_some(ban)
    }

    /// Whether a source may not use an account.
    pub(super) fn is_barred(&self, now: Time, source: IpAddr, account: u64) -> bool {
        let ban = self.bans.get(&(source.to_canonical(), Some(account)));
        ban.is_some_and(|ban| ban.until_s > now.as_secs())
    }

    /// A device at this address has shown its password, now or before a restart.
    pub(super) fn settle(&mut self, now: Time, source: IpAddr) {
        *self.homes.entry(source.to_canonical(), now) = now;
    }

    /// Whether a password was shown here of late.
    pub(super) fn is_home(&self, now: Time, source: IpAddr) -> bool {
        let shown = self.homes.get(source.to_canonical());
        shown.is_some_and(|at| now.since(at).as_secs() < HOME_S)
    }

    /// The bans in force.
    pub(super) fn bans(&self, now: Time) -> impl Iterator<Item = &Ban> {
        self.bans.values().filter(move |ban| ban.until_s > now.as_secs())
    }

    /// Has all bans in force kept anew, as after the wall clock was set.
    pub(super) fn keep_bans(&self, turn: &mut Turn) {
        for ban in self.bans(turn.now) {
            turn.keep(Change::Ban(ban.clone()));
        }
    }

    /// Lifts all bans of a source; whether there were any.
    pub(super) fn pardon(&mut self, turn: &mut Turn, source: IpAddr) -> bool {
        let lifted = self.lift(source);
        let any = !lifted.is_empty();
        for Ban { source, account, .. } in lifted {
            turn.keep(Change::BanRemoved { source, account });
        }
        any
    }

    fn lift(&mut self, source: IpAddr) -> Vec<Ban> {
        let source = source.to_canonical();
        self.sources.remove(source);
        let keys: Vec<(IpAddr, Option<u64>)> =
            self.bans.range((source, None)..=(source, Some(u64::MAX))).map(|(key, _)| *key).collect();
        keys.iter().filter_map(|key| self.bans.remove(key)).collect()
    }

    /// Takes one answer out of the budget of a source; `false` where nothing is left.
    pub(super) fn spend(&mut self, now: Time, source: IpAddr) -> bool {
        self.spend_many(now, source, 1)
    }

    fn spend_many(&mut self, now: Time, source: IpAddr, count: u64) -> bool {
        let source = self.source(now, source);
        let is_left = source.tokens >= 1_000;
        source.tokens = source.tokens.saturating_sub(if is_left { count * 1_000 } else { 0 });
        is_left
    }

    /// Takes one answer out of what is kept for the devices of an account at their own address.
    pub(super) fn spend_reserve(&mut self, now: Time, id: ExtensionId, method: Method) -> bool {
        self.reserves.entry((id, method)).or_default().take(now, RESERVE, RESERVE_PER_MINUTE)
    }

    /// An extension is gone.
    pub(super) fn forget(&mut self, id: ExtensionId) {
        self.reserves.retain(|(owner, _), _| *owner != id);
    }

    /// A device that knew the password gets back the answer that its challenge took from the budget. Wrong passwords
    /// from this address still count.
    pub(super) fn refund(&mut self, now: Time, source: IpAddr) {
        self.settle(now, source);
        let most = self.most_tokens(now, source);
        let source = self.source(now, source);
        source.tokens = (source.tokens + 2_000).min(most);
        source.exceeded = 0;
    }

    fn most_tokens(&self, now: Time, source: IpAddr) -> u64 {
        let factor = if self.is_home(now, source) { HOME_FACTOR } else { 1 };
        u64::from(self.patience.burst) * 1_000 * factor
    }

    fn source(&mut self, now: Time, source: IpAddr) -> &mut Source {
        let is_home = self.is_home(now, source);
        let most = self.most_tokens(now, source);
        let factor = if is_home { HOME_FACTOR } else { 1 };
        let new =
            Source { tokens: most, seen: now, exceeded: 0, wrong: 0, wrong_at: now, slow: Budget::default() };
        let known = self.sources.entry(source.to_canonical(), new);
        let micros = u64::try_from(now.since(known.seen).as_micros()).unwrap_or(u64::MAX);
        let earned = micros.saturating_mul(u64::from(self.patience.per_second) * factor) / 1_000;
        known.tokens = known.tokens.saturating_add(earned).min(most);
        known.seen = now;
        if now.since(known.wrong_at).as_secs() >= REMEMBERED_S {
            known.wrong = 0;
        }
        known
    }

    /// Whether a password for an account is looked at. That of a device which is registered from this very address
    /// and port always is.
    pub(super) fn look(&mut self, now: Time, source: IpAddr, account: u64, nearness: Nearness) -> Look {
        if nearness == Nearness::Device {
            return Look::Yes;
        }
        let key = (source.to_canonical(), account);
        if self.guesses.get(key).is_some_and(|guess| now < guess.answered_at) {
            return Look::Later;
        }
        let per_minute = u64::from(self.patience.slow_per_minute);
        if self.is_barred(now, source, account) {
            // A device that lives there may have another port since, as after a restart.
            let guess = self.guesses.entry(key, Guess::default());
            let is_slow = nearness == Nearness::Home && guess.slow.take(now, 1, per_minute);
            return if is_slow { Look::Yes } else { Look::No };
        }
        let most = self.patience.home_strikes;
        let known = self.source(now, source);
        let is_allowed =
            nearness == Nearness::Home || known.wrong < most || known.slow.take(now, 1, per_minute);
        if is_allowed { Look::Yes } else { Look::No }
    }

    /// A password was wrong, or was shown before the answer to the last one: a strike, unless it is a copy of
    /// the last one. For how long the answer is held back.
    pub(super) fn wrong(
        &mut self,
        turn: &mut Turn,
        source: IpAddr,
        name: &str,
        credentials: &[u8],
    ) -> Duration {
        let (now, source) = (turn.now, source.to_canonical());
        let account = hash(name);
        let last = hash_bytes(credentials);
        let guess = self.guesses.entry((source, account), Guess::default());
        if now.since(guess.at).as_secs() >= REMEMBERED_S {
            guess.wrong = 0;
        }
        let is_copy = guess.wrong > 0 && guess.last == last;
        if !is_copy {
            guess.wrong = guess.wrong.saturating_add(1);
        }
        (guess.at, guess.last) = (now, last);
        let of_account = guess.wrong;
        let delay = delay_after(of_account);
        if now >= guess.answered_at {
            guess.answered_at = now + delay;
        }
        let is_home = self.is_home(now, source);
        let known = self.source(now, source);
        known.wrong = known.wrong.saturating_add(u32::from(!is_copy));
        known.wrong_at = now;
        let of_source = known.wrong;
        self.spend_many(now, source, 1 << of_account.saturating_sub(FREE_GUESSES).min(16));
        let strikes = self.patience.strikes;
        if !is_home && of_source >= strikes {
            self.ban(turn, source, None, "wrong passwords");
        } else if is_home && of_account >= strikes {
            self.guesses.entry((source, account), Guess::default()).wrong = 0;
            self.ban(turn, source, Some(name), "wrong passwords");
        }
        delay
    }

    /// A source has asked for more than its budget.
    pub(super) fn exceed(&mut self, turn: &mut Turn, flow: Flow) {
        let strikes = self.patience.strikes;
        let source = self.source(turn.now, flow.remote.ip());
        source.exceeded = source.exceeded.saturating_add(1);
        if source.exceeded >= strikes {
            self.ban_by_appearance(turn, flow, "more requests than its budget allows");
        }
    }

    /// Bans a source, or bars it from one account.
    pub(super) fn ban(&mut self, turn: &mut Turn, source: IpAddr, account: Option<&str>, reason: &str) {
        let banned = self.set_ban(turn.now, source, account, reason, false);
        banned.tell(turn);
    }

    /// Bans a source and all that is there because a person wants it.
    pub(super) fn ban_by_hand(&mut self, turn: &mut Turn, source: IpAddr) {
        let banned = self.set_ban(turn.now, source, None, "banned by hand", true);
        banned.tell(turn);
    }

    fn set_ban(
        &mut self,
        now: Time,
        source: IpAddr,
        account: Option<&str>,
        reason: &str,
        by_hand: bool,
    ) -> Banned {
        let source = source.to_canonical();
        let key = (source, account.map(hash));
        let lifted = if self.is_full(key) { self.drop_first_to_end() } else { None };
        let known = self.bans.get(&key).filter(|ban| ban.until_s + FORGOTTEN_AFTER_S > now.as_secs());
        let count = known.map_or(0, |ban| ban.count).saturating_add(1);
        let length_s = self.patience.ban_s << (count - 1).min(16);
        let until_s = now.as_secs() + length_s.min(self.patience.ban_max_s);
        let account = account.map(|name| name.chars().take(MAX_ACCOUNT_LETTERS).collect());
        let ban = Ban { source, account, until_s, count, reason: reason.to_owned(), by_hand };
        self.bans.insert(key, ban.clone());
        if key.1.is_none() {
            self.sources.remove(source);
        }
        Banned { ban, lifted }
    }

    /// Bans a source by what a forger could have sent in its name: not where devices of ours live, and only where a
    /// place for bans is free.
    fn ban_by_appearance(&mut self, turn: &mut Turn, flow: Flow, reason: &str) {
        let (now, source) = (turn.now, flow.remote.ip());
        let over = |ban: &Ban| ban.until_s <= now.as_secs();
        let has_room = flow.transport.is_reliable()
            || !self.is_full((source.to_canonical(), None))
            || self.bans.values().any(over);
        if has_room && !self.is_home(now, source) {
            self.ban(turn, source, None, reason);
        }
    }

    /// Bans the source of a request whose User-Agent names a tool that only scans. Whether it does.
    pub(super) fn bans_scanner(&mut self, turn: &mut Turn, flow: Flow, message: &Message<'_>) -> bool {
        let Some(agent) = message.text(Name::UserAgent) else { return false };
        let is_scanner = self.patience.scanners.iter().any(|word| contains_ignoring_case(agent, word));
        if is_scanner {
            self.ban_by_appearance(turn, flow, "a scanner by its User-Agent");
        }
        is_scanner
    }

    fn is_full(&self, key: (IpAddr, Option<u64>)) -> bool {
        self.bans.len() >= self.patience.max_bans && !self.bans.contains_key(&key)
    }

    fn drop_first_to_end(&mut self) -> Option<Ban> {
        let first = self.bans.iter().min_by_key(|(_, ban)| ban.until_s).map(|(key, _)| *key)?;
        self.bans.remove(&first)
    }
}

impl Banned {
    fn tell(self, turn: &mut Turn) {
        let Self { ban, lifted } = self;
        if let Some(Ban { source, account, .. }) = lifted {
            turn.keep(Change::BanRemoved { source, account });
        }
        turn.keep(Change::Ban(ban.clone()));
        turn.tell(Event::Banned(ban));
    }
}

/// Accounts are told apart by a hash, so that names which nobody has cost as much as those which somebody has
/// (FNV-1a). Two names with one hash share their strikes, and nothing else.
pub(super) fn hash(name: &str) -> u64 {
    hash_bytes(name.as_bytes())
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn delay_after(wrong: u32) -> Duration {
    let Some(steps) = wrong.checked_sub(FREE_GUESSES + 1) else { return Duration::ZERO };
    Duration::from_millis((DELAY_MS << steps.min(16)).min(MAX_DELAY_MS))
}

fn contains_ignoring_case(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    !word.is_empty() && text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proto::Rng;
    use proto::sip::Endpoint;

    use super::*;

    fn gate(patience: Patience) -> Gate {
        Gate::new(patience, Vec::new())
    }

    fn turn() -> Turn {
        let endpoint = Endpoint::new(proto::sip::endpoint::Config::default(), [7; 32]);
        Turn::new(Time::ZERO, endpoint, Rng::from_number(1), "x")
    }

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    /// So many wrong passwords at a time, each another one; when the last ban ends.
    fn guess(gate: &mut Gate, turn: &mut Turn, at_s: u64, count: u32, name: &str) -> Option<u64> {
        turn.now = Time::from_secs(at_s);
        for serial in 0..count {
            gate.wrong(turn, source(1), name, format!("{at_s} {serial}").as_bytes());
        }
        gate.bans(turn.now).map(|ban| ban.until_s).max()
    }

    #[test]
    fn a_budget_runs_out_and_comes_back() {
        let mut gate = gate(Patience { burst: 2, per_second: 1, ..Patience::default() });
        let spend = |gate: &mut Gate, at_ms| gate.spend(Time::from_millis(at_ms), source(1));
        assert!(spend(&mut gate, 0) && spend(&mut gate, 0));
        assert!(!spend(&mut gate, 900));
        assert!(spend(&mut gate, 1_000));
        gate.refund(Time::from_millis(1_000), source(1));
        assert!(spend(&mut gate, 1_000));
    }

    #[test]
    fn bans_grow_and_end() {
        let mut gate = gate(Patience { strikes: 2, ban_s: 60, ban_max_s: 100, ..Patience::default() });
        let mut turn = turn();
        assert_eq!(guess(&mut gate, &mut turn, 0, 1, "7001"), None);
        assert_eq!(guess(&mut gate, &mut turn, 0, 2, "7001"), Some(60));
        assert!(gate.ban_at(Time::from_secs(59), source(1)).is_some());
        assert!(gate.ban_at(Time::from_secs(60), source(1)).is_none());
        assert_eq!(guess(&mut gate, &mut turn, 61, 2, "7001"), Some(161));
        let (soon, late) = (161 + FORGOTTEN_AFTER_S - 1, 161 + 2 * FORGOTTEN_AFTER_S);
        let count = |gate: &mut Gate, at_s| {
            gate.set_ban(Time::from_secs(at_s), source(1), None, "x", false).ban.count
        };
        assert_eq!((count(&mut gate, soon), count(&mut gate, late + 100)), (3, 1));
        assert_eq!(gate.lift(source(1)).len(), 1);
        assert!(gate.ban_at(Time::from_secs(62), source(1)).is_none());
    }

    #[test]
    fn where_devices_live_an_account_is_barred_and_not_the_address() {
        let mut gate = gate(Patience { strikes: 4, home_strikes: 10, ..Patience::default() });
        let mut turn = turn();
        gate.settle(Time::ZERO, source(1));
        guess(&mut gate, &mut turn, 100, 4, "7001");
        let now = turn.now;
        assert!(gate.ban_at(now, source(1)).is_none());
        let later = now + Duration::from_secs(20);
        let mut look = |name: &str, nearness| gate.look(later, source(1), hash(name), nearness);
        assert_eq!(look("7001", Nearness::Device), Look::Yes, "a known device");
        assert_eq!(look("7001", Nearness::Away), Look::No, "the account that was guessed at");
        assert_eq!(look("7001", Nearness::Home), Look::Yes, "a device that has restarted, slowly");
        assert_eq!(look("7001", Nearness::Home), Look::No);
        assert_eq!(look("7002", Nearness::Away), Look::Yes, "others");
        for name in ["7003", "7004"] {
            guess(&mut gate, &mut turn, 130, 3, name);
        }
        let mut look = |nearness| gate.look(turn.now, source(1), hash("7002"), nearness);
        assert_eq!([look(Nearness::Away), look(Nearness::Away)], [Look::Yes, Look::No], "many: slowly");
        assert_eq!(look(Nearness::Home), Look::Yes);
    }

    #[test]
    fn each_further_guess_is_answered_later() {
        let mut gate = gate(Patience::default());
        let mut turn = turn();
        let mut delays = Vec::new();
        for serial in 0..10_u32 {
            let delay = gate.wrong(&mut turn, source(1), "7001", &serial.to_be_bytes());
            delays.push(delay.as_secs());
            let soon = turn.now + delay.saturating_sub(Duration::from_millis(1));
            let look = |gate: &mut Gate, at| gate.look(at, source(1), hash("7001"), Nearness::Away);
            assert_eq!(look(&mut gate, soon) == Look::Later, !delay.is_zero());
            turn.now += delay;
            assert_eq!(look(&mut gate, turn.now), Look::Yes);
        }
        assert_eq!(delays, [0, 0, 0, 1, 2, 4, 8, 16, 16, 16]);
        let copies = (0..100).map(|_| gate.wrong(&mut turn, source(1), "7001", b"the same"));
        assert!(copies.count() == 100 && gate.bans(turn.now).count() == 0, "copies are no further guesses");
    }

    #[test]
    fn what_is_remembered_of_strangers_is_bounded() {
        let mut gate = gate(Patience { max_sources: 64, max_bans: 8, strikes: 1, ..Patience::default() });
        let mut turn = turn();
        for number in 0..1_000 {
            gate.spend(Time::ZERO, source(number));
            gate.settle(Time::ZERO, source(number));
            gate.wrong(&mut turn, source(number), &format!("{number}"), b"x");
            gate.wrong(&mut turn, source(number + 5_000), "7001", b"x");
        }
        assert!(gate.sources.len() <= 64 && gate.homes.len() <= 64 && gate.guesses.len() <= 64);
        // What made room is told, so that the store forgets it too.
        let mut kept = std::collections::BTreeSet::new();
        for told in turn.told {
            match told {
                super::super::Output::Store(Change::Ban(ban)) => kept.insert((ban.source, ban.account)),
                super::super::Output::Store(Change::BanRemoved { source, account }) => {
                    kept.remove(&(source, account))
                }
                _ => true,
            };
        }
        assert_eq!((gate.bans.len(), kept.len()), (8, 8));
    }

    #[test]
    fn the_longest_bans_are_found_again() {
        let ban = |number, until_s| Ban {
            source: source(number),
            account: None,
            until_s,
            count: 1,
            reason: "x".into(),
            by_hand: false,
        };
        let patience = Patience { max_bans: 2, ..Patience::default() };
        let gate = Gate::new(patience, vec![ban(1, 10), ban(2, 30), ban(3, 20)]);
        let banned = (1..=3).filter(|number| gate.ban_at(Time::ZERO, source(*number)).is_some());
        assert_eq!(banned.collect::<Vec<_>>(), [2, 3]);
    }
}
