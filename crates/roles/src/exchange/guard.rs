//! Who may ask at all: digest for every request outside a dialog, budgets for strangers, bans.
//!
//! A stranger is answered without memory, with the same words whether the user exists or not. What
//! is remembered of sources is bounded: two generations of a table, the older of which is dropped
//! when the younger is full.
//!
//! Anybody can send a datagram in the name of an address. So what needs no answer of ours to be sent (a
//! scanner's name, mere numbers) is held against no address where a device of ours lives: else a
//! stranger could have an office banned. A wrong password counts wherever it comes from, since it
//! answers a challenge that only that address has heard.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use proto::sip::digest::{Algorithm, Guard, Presented, Verdict};
use proto::sip::{Flow, Message, Method, Name, Reply};
use proto::{Rng, Time};
use serde::{Deserialize, Serialize};

use super::calls::ANONYMOUS_URI;
use super::directory::{Binding, ExtensionId};
use super::{Alarm, Change, Event, Exchange, Output};

/// How patient the exchange is with strangers.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Answers that one source gets in advance, and no more than these at a time.
    pub burst: u32,
    /// Answers that one source gets back each second.
    pub per_second: u32,
    /// Wrong passwords from one source, and answers beyond its budget, until it is banned.
    pub strikes: u32,
    /// How long the first ban lasts, in seconds; each further one twice as long.
    pub ban_s: u64,
    /// The longest ban, in seconds.
    pub ban_max_s: u64,
    /// The most sources that are remembered.
    pub max_sources: usize,
    /// The most bans at a time.
    pub max_bans: usize,
    /// Wrong passwords for one account until only its known devices are listened to.
    pub account_wrong: u32,
    /// Wrong passwords that one account is forgiven each minute.
    pub account_wrong_per_minute: u32,
    /// How long messages may wait for their turn until new calls get 503, in milliseconds: less than the
    /// half second after which they are sent again. Everything new of strangers is turned away from half of
    /// this on; what known devices want besides calls, from its double on. A rush that is over soon, as
    /// after a moment in which this program was not run, turns nobody away; where it lasts, a quarter of
    /// these holds until there has been no need of it for some time.
    pub late_ms: u32,
    /// User-Agent words of tools that only scan; whoever bears one is banned at once.
    pub scanners: Vec<String>,
}

impl Default for Patience {
    fn default() -> Self {
        let scanners = ["friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sundayddr", "pplsip"];
        Self {
            burst: 4_096,
            per_second: 64,
            strikes: 16,
            ban_s: 60,
            ban_max_s: 3_600,
            account_wrong: 128,
            account_wrong_per_minute: 6,
            late_ms: 160,
            max_sources: 65_536,
            max_bans: 4_096,
            scanners: scanners.map(str::to_owned).to_vec(),
        }
    }
}

/// A banned source as it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ban {
    /// Who.
    pub source: IpAddr,
    /// Seconds since 1970 until which nothing of it is read.
    pub until_s: u64,
    /// Which ban in a row this is.
    pub count: u32,
    /// Why, in words.
    pub reason: String,
}

/// How long messages must have waited too long, one after the other, until anybody is turned away.
const RUSH: Duration = Duration::from_millis(200);
/// How long the exchange is careful after it was behind.
const CAREFUL: Duration = Duration::from_secs(2);
/// How long an address is a home after a password was shown there, in seconds: as long as the longest
/// registration.
const HOME_S: u64 = 7_200;
/// How long after its end a ban still lengthens the next one, in seconds.
const FORGOTTEN_AFTER_S: u64 = 86_400;

#[derive(Clone, Copy, Debug)]
struct Source {
    /// Answers left, in thousandths.
    tokens: u64,
    seen: Time,
    strikes: u32,
}

/// A ban, and whose ban made room for it.
#[derive(Debug)]
pub(super) struct Banned {
    ban: Ban,
    lifted: Option<IpAddr>,
}

/// A time in which more is asked than can be done.
#[derive(Clone, Copy, Debug)]
struct Behind {
    /// Until when little delay is too much.
    careful_until: Time,
    /// How many had been turned away before.
    shed_before: u64,
}

/// A time in which each new request has waited long.
#[derive(Clone, Copy, Debug)]
struct Late {
    since: Time,
    last: Time,
}

/// A budget that fills again with time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    /// What was taken and has not come back, in thousandths.
    spent: u64,
    seen: Time,
}

impl Budget {
    /// Takes `count` out of `most`, of which `per_minute` come back; `false` where nothing is left. The last
    /// one may overdraw.
    fn take(&mut self, now: Time, count: u32, most: u32, per_minute: u64) -> bool {
        let left = self.is_left(now, most, per_minute);
        if left {
            self.spent += u64::from(count) * 1_000;
        }
        left
    }

    fn is_left(&mut self, now: Time, most: u32, per_minute: u64) -> bool {
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

/// A bounded table by address: two generations, the older of which is dropped when the younger is full.
#[derive(Debug)]
struct Recent<V> {
    younger: HashMap<IpAddr, V>,
    older: HashMap<IpAddr, V>,
    /// Of both together.
    most: usize,
}

impl<V: Copy> Recent<V> {
    fn new(most: usize) -> Self {
        Self { younger: HashMap::new(), older: HashMap::new(), most }
    }

    fn get(&self, source: IpAddr) -> Option<V> {
        self.younger.get(&source).or_else(|| self.older.get(&source)).copied()
    }

    /// What is known of a source, or else `new`.
    fn entry(&mut self, source: IpAddr, new: V) -> &mut V {
        if self.younger.len() >= self.most / 2 && !self.younger.contains_key(&source) {
            self.older = std::mem::take(&mut self.younger);
        }
        let older = &mut self.older;
        self.younger.entry(source).or_insert_with(|| older.remove(&source).unwrap_or(new))
    }

    fn remove(&mut self, source: IpAddr) {
        self.younger.remove(&source);
        self.older.remove(&source);
    }
}

/// What is remembered of strangers.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) digest: Guard,
    patience: Patience,
    sources: Recent<Source>,
    /// Where a password was shown, and when last. Strangers cannot fill it.
    homes: Recent<Time>,
    bans: BTreeMap<IpAddr, Ban>,
    /// Of late there was more to do than can be done.
    behind: Option<Behind>,
    /// New requests wait long for their turn.
    late: Option<Late>,
    /// Requests that were answered by 503.
    pub(super) shed: u64,
}

impl Gate {
    pub(super) fn new(digest: Guard, patience: Patience, mut bans: Vec<Ban>) -> Self {
        bans.sort_by_key(|ban| std::cmp::Reverse(ban.until_s));
        let bans = bans.into_iter().take(patience.max_bans).map(|ban| (ban.source, ban)).collect();
        Self {
            digest,
            sources: Recent::new(patience.max_sources),
            homes: Recent::new(patience.max_sources),
            patience,
            bans,
            behind: None,
            late: None,
            shed: 0,
        }
    }

    pub(super) fn is_banned(&self, now: Time, source: IpAddr) -> bool {
        !self.bans.is_empty()
            && self.bans.get(&source.to_canonical()).is_some_and(|ban| ban.until_s > now.as_secs())
    }

    /// Somebody has shown a password here, now or before a restart.
    pub(super) fn settle(&mut self, now: Time, source: IpAddr) {
        *self.homes.entry(source.to_canonical(), now) = now;
    }

    /// Whether a password was shown here of late.
    fn is_home(&self, now: Time, source: IpAddr) -> bool {
        let shown = self.homes.get(source.to_canonical());
        shown.is_some_and(|at| now.since(at).as_secs() < HOME_S)
    }

    /// Whether a new request that has waited so long is one too many: first strangers, then calls, at last
    /// the rest of those who are known, of which a registration is worth the most.
    fn is_overloaded(&mut self, now: Time, source: IpAddr, method: Option<Method>, waited: Duration) -> bool {
        let late = Duration::from_millis(self.patience.late_ms.into());
        let careful = self.behind.is_some_and(|behind| now < behind.careful_until);
        let late = if careful { late / 4 } else { late };
        let lasts = self.lasts(now, waited >= late / 2);
        let is_call = method == Some(Method::Invite);
        let overloaded = (lasts || careful)
            && waited >= late / 2
            && (waited >= late * 2 || is_call && waited >= late || !self.is_home(now, source));
        if overloaded {
            let shed_before = self.behind.map_or(self.shed, |behind| behind.shed_before);
            self.behind = Some(Behind { careful_until: now + CAREFUL, shed_before });
            self.shed += 1;
        }
        overloaded
    }

    /// Whether new requests have been late for longer than a rush lasts.
    fn lasts(&mut self, now: Time, is_late: bool) -> bool {
        let before = self.late.filter(|late| is_late && now.since(late.last) < RUSH);
        let since = before.map_or(now, |late| late.since);
        self.late = is_late.then_some(Late { since, last: now });
        now.since(since) >= RUSH
    }

    /// The bans in force.
    pub(super) fn bans(&self, now: Time) -> impl Iterator<Item = &Ban> {
        self.bans.values().filter(move |ban| ban.until_s > now.as_secs())
    }

    pub(super) fn pardon(&mut self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.sources.remove(source);
        self.bans.remove(&source).is_some()
    }

    /// Takes one answer out of the budget of a source; `false` where nothing is left.
    pub(super) fn spend(&mut self, now: Time, source: IpAddr) -> bool {
        let source = self.source(now, source);
        let is_left = source.tokens >= 1_000;
        source.tokens -= if is_left { 1_000 } else { 0 };
        is_left
    }

    /// Whoever knows the password gets the answer back that its challenge took.
    fn refund(&mut self, now: Time, source: IpAddr) {
        self.settle(now, source);
        let most = u64::from(self.patience.burst) * 1_000;
        let source = self.source(now, source);
        source.tokens = (source.tokens + 2_000).min(most);
        source.strikes = 0;
    }

    fn source(&mut self, now: Time, source: IpAddr) -> &mut Source {
        let most = u64::from(self.patience.burst) * 1_000;
        let new = Source { tokens: most, seen: now, strikes: 0 };
        let known = self.sources.entry(source.to_canonical(), new);
        let micros = u64::try_from(now.since(known.seen).as_micros()).unwrap_or(u64::MAX);
        let earned = micros.saturating_mul(u64::from(self.patience.per_second)) / 1_000;
        known.tokens = known.tokens.saturating_add(earned).min(most);
        known.seen = now;
        known
    }

    /// Counts a strike; a ban where it was one too many.
    fn strike(&mut self, now: Time, source: IpAddr, reason: &str) -> Option<Banned> {
        let strikes = self.patience.strikes;
        let known = self.source(now, source);
        known.strikes += 1;
        (known.strikes >= strikes).then(|| self.ban(now, source, reason))
    }

    pub(super) fn ban(&mut self, now: Time, source: IpAddr, reason: &str) -> Banned {
        let source = source.to_canonical();
        let lifted = if self.is_full(source) { self.drop_first_to_end() } else { None };
        let known = self.bans.get(&source).filter(|ban| ban.until_s + FORGOTTEN_AFTER_S > now.as_secs());
        let count = known.map_or(0, |ban| ban.count).saturating_add(1);
        let length_s = self.patience.ban_s << (count - 1).min(16);
        let until_s = now.as_secs() + length_s.min(self.patience.ban_max_s);
        let ban = Ban { source, until_s, count, reason: reason.to_owned() };
        self.bans.insert(source, ban.clone());
        self.sources.remove(source);
        Banned { ban, lifted }
    }

    /// Bans a source by what anybody could have sent in its name: only where nobody of ours lives, and in
    /// nobody's place.
    fn ban_by_appearance(&mut self, now: Time, flow: Flow, reason: &str) -> Option<Banned> {
        let source = flow.remote.ip();
        let is_shown = flow.transport.is_reliable();
        let over = |ban: &Ban| ban.until_s <= now.as_secs();
        let has_room = !self.is_full(source.to_canonical()) || self.bans.values().any(over);
        (is_shown || (has_room && !self.is_home(now, source))).then(|| self.ban(now, source, reason))
    }

    fn is_full(&self, source: IpAddr) -> bool {
        self.bans.len() >= self.patience.max_bans && !self.bans.contains_key(&source)
    }

    fn drop_first_to_end(&mut self) -> Option<IpAddr> {
        let first = self.bans.values().min_by_key(|ban| ban.until_s).map(|ban| ban.source)?;
        self.bans.remove(&first).map(|ban| ban.source)
    }

    fn is_scanner(&self, message: &Message<'_>) -> bool {
        let Some(agent) = message.text(Name::UserAgent) else { return false };
        self.patience.scanners.iter().any(|word| contains_ignoring_case(agent, word))
    }
}

impl Exchange {
    /// Whose request this is. Where nobody is returned, the request has been answered, or is not
    /// worth an answer.
    pub(super) fn authenticate(
        &mut self,
        now: Time,
        flow: Flow,
        message: &Message<'_>,
    ) -> Option<ExtensionId> {
        let source = flow.remote.ip();
        let presented = Presented::by(message, source, self.gate.digest.realm());
        let directory = &self.directory;
        let mut account = None;
        let verdict = self.gate.digest.verify(now, &presented, |user| {
            account = directory.find_by_username(user);
            directory.secret(user)
        });
        let besieged = account.is_some_and(|id| self.is_besieged(now, id, source));
        match verdict {
            // Told apart from a wrong password by nothing.
            Verdict::Ok(_) if besieged => self.turn_away(now, flow, message, Reply::new(403)),
            Verdict::Ok(username) => {
                self.gate.refund(now, source);
                if flow.transport.is_reliable() {
                    self.told.push(Output::Vouch(flow));
                }
                self.admit(now, flow, message, &username)
            }
            Verdict::Missing => self.challenge(now, flow, message, false),
            Verdict::Stale | Verdict::Replayed => self.challenge(now, flow, message, true),
            Verdict::Malformed => {
                self.turn_away(now, flow, message, Reply::new(400).reason("Bad Credentials"))
            }
            Verdict::Wrong => {
                self.strike(now, source, "wrong passwords");
                if let Some(entry) = account.and_then(|id| self.directory.get_mut(id)) {
                    let Patience { account_wrong, account_wrong_per_minute, .. } = self.gate.patience;
                    entry.wrong.take(now, 1, account_wrong, account_wrong_per_minute.into());
                }
                self.turn_away(now, flow, message, Reply::new(403))
            }
        }
    }

    /// Whether so many have guessed at an account that only its known devices are listened to. A guesser
    /// with many addresses learns nothing then, and the devices keep their service.
    fn is_besieged(&mut self, now: Time, id: ExtensionId, source: IpAddr) -> bool {
        let Patience { account_wrong, account_wrong_per_minute, .. } = self.gate.patience;
        let Some(entry) = self.directory.get_mut(id) else { return false };
        let source = source.to_canonical();
        let at_home =
            |device: &Arc<Binding>| device.is_live(now) && device.remote.ip().to_canonical() == source;
        !entry.wrong.is_left(now, account_wrong, account_wrong_per_minute.into())
            && !entry.bindings.iter().any(at_home)
    }

    /// Where the exchange is behind, new requests are told to come again, before anything is looked up for
    /// them, so that what stands already is served in time. Who comes again is spread over half a minute.
    /// That so many come is nobody's fault.
    pub(super) fn shed(&mut self, now: Time, flow: Flow, message: &Message<'_>, waited: Duration) -> bool {
        let source = flow.remote.ip();
        let was_behind = self.gate.behind.is_some();
        let overloaded = self.gate.is_overloaded(now, source, message.method(), waited);
        if overloaded && !was_behind {
            let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            self.told.push(Output::Event(Event::Behind { waited_ms }));
            self.alarms.insert((now + CAREFUL, Alarm::Careful));
        }
        if overloaded && (self.gate.is_home(now, source) || self.gate.spend(now, source)) {
            let wait_s = 5 + self.rng.below(25);
            self.refuse(flow, message, Reply::new(503).header(Name::RetryAfter, wait_s));
        }
        overloaded
    }

    /// Tells that the exchange is in time again, where it is.
    pub(super) fn on_careful(&mut self, now: Time) {
        let Some(Behind { careful_until, shed_before }) = self.gate.behind else { return };
        if now < careful_until {
            self.alarms.insert((careful_until, Alarm::Careful));
        } else {
            self.gate.behind = None;
            let turned_away = self.gate.shed - shed_before;
            self.told.push(Output::Event(Event::InTime { turned_away }));
        }
    }

    /// The account is right; whether it may speak for the extension in From (or To, where it registers).
    fn admit(&mut self, now: Time, flow: Flow, message: &Message<'_>, username: &str) -> Option<ExtensionId> {
        let id = self.directory.find_by_username(username)?;
        let entry = self.directory.get(id)?;
        let registers = message.method() == Some(Method::Register);
        let speaker = if registers { message.to() } else { message.from() };
        let named = speaker.and_then(|address| address.parsed_uri());
        // Who hides his name from the called has told it by his credentials (RFC 3323 §4.1.1.3).
        let hides = message.method() == Some(Method::Invite)
            && speaker.as_ref().is_some_and(|address| address.uri.eq_ignore_ascii_case(ANONYMOUS_URI));
        let right = hides
            || named.is_some_and(|uri| {
                let user = uri.plain_user();
                user == entry.extension.number || user == entry.extension.username
            });
        if right && entry.extension.enabled && !self.is_blocked(now, flow, message, id) {
            return Some(id);
        }
        self.turn_away(now, flow, message, Reply::new(403))
    }

    fn challenge(
        &mut self,
        now: Time,
        flow: Flow,
        message: &Message<'_>,
        stale: bool,
    ) -> Option<ExtensionId> {
        if self.gate.is_scanner(message) {
            let banned = self.gate.ban_by_appearance(now, flow, "a scanner by its User-Agent");
            banned.into_iter().for_each(|banned| self.tell_ban(banned));
            return None;
        }
        let mut reply = Reply::new(401);
        for value in self.gate.digest.challenge(now, flow.remote.ip(), stale) {
            reply = reply.header(Name::WwwAuthenticate, value);
        }
        self.turn_away(now, flow, message, reply)
    }

    /// Answers a stranger without memory, as long as his budget lasts (RFC 3261 §8.2.7).
    pub(super) fn turn_away(
        &mut self,
        now: Time,
        flow: Flow,
        message: &Message<'_>,
        reply: Reply,
    ) -> Option<ExtensionId> {
        if self.gate.spend(now, flow.remote.ip()) {
            self.refuse(flow, message, reply);
        } else {
            self.exceed(now, flow);
        }
        None
    }

    fn refuse(&mut self, flow: Flow, message: &Message<'_>, reply: Reply) {
        let reply = reply.header(Name::Server, &self.config.user_agent);
        self.endpoint.refuse(flow, message, &reply, &mut self.wire);
    }

    /// Holds what the endpoint has answered by itself against the budget of whoever asked: `sent` messages
    /// were on the wire before.
    pub(super) fn limit_answers(&mut self, now: Time, flow: Flow, sent: usize) {
        if self.wire.len() > sent && !self.gate.spend(now, flow.remote.ip()) {
            self.wire.truncate(sent);
        }
    }

    fn strike(&mut self, now: Time, source: IpAddr, reason: &str) {
        let banned = self.gate.strike(now, source, reason);
        banned.into_iter().for_each(|banned| self.tell_ban(banned));
    }

    /// A source has asked for more than its budget.
    fn exceed(&mut self, now: Time, flow: Flow) {
        let strikes = self.gate.patience.strikes;
        let source = self.gate.source(now, flow.remote.ip());
        source.strikes = source.strikes.saturating_add(1);
        if source.strikes >= strikes {
            let banned = self.gate.ban_by_appearance(now, flow, "more requests than its budget allows");
            banned.into_iter().for_each(|banned| self.tell_ban(banned));
        }
    }

    pub(super) fn tell_ban(&mut self, banned: Banned) {
        let Banned { ban, lifted } = banned;
        let lifted = lifted.map(|source| Output::Store(Change::BanRemoved { source }));
        self.told.extend(lifted);
        self.told.push(Output::Store(Change::Ban(ban.clone())));
        self.told.push(Output::Event(Event::Banned(ban)));
    }
}

/// The digest guard of a realm.
pub(super) fn digest(realm: &str, offers_sha256: bool, rng: &mut Rng) -> Guard {
    // MD5 alone unless told otherwise, as the deck's server asks: SIPp and baresip 1.0 give up at a
    // challenge that names SHA-256, even where one with MD5 stands beside it.
    let algorithms =
        if offers_sha256 { vec![Algorithm::Sha256, Algorithm::Md5] } else { vec![Algorithm::Md5] };
    let settings =
        proto::sip::digest::GuardSettings { realm: realm.to_owned(), algorithms, ..Default::default() };
    Guard::new(settings, rng)
}

fn contains_ignoring_case(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    !word.is_empty() && text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(patience: Patience) -> Gate {
        Gate::new(digest("offhook", false, &mut Rng::from_number(1)), patience, Vec::new())
    }

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
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
    fn a_budget_loses_nothing_in_small_steps() {
        let mut budget = Budget::default();
        assert!(budget.take(Time::from_secs(1), 1, 1, 60) && !budget.take(Time::from_secs(1), 1, 1, 60));
        let left = (1..1_000).filter(|ms| budget.is_left(Time::from_millis(1_000 + ms), 1, 60)).count();
        assert_eq!(left, 0);
        assert!(budget.is_left(Time::from_secs(2), 1, 60));
    }

    #[test]
    fn bans_grow_and_end() {
        let mut gate = gate(Patience { strikes: 2, ban_s: 60, ban_max_s: 100, ..Patience::default() });
        let strike = |gate: &mut Gate, at_s| gate.strike(Time::from_secs(at_s), source(1), "x");
        assert!(strike(&mut gate, 0).is_none());
        assert_eq!(strike(&mut gate, 0).map(|banned| banned.ban.until_s), Some(60));
        assert!(gate.is_banned(Time::from_secs(59), source(1)));
        assert!(!gate.is_banned(Time::from_secs(60), source(1)));
        strike(&mut gate, 61);
        assert_eq!(strike(&mut gate, 61).map(|banned| banned.ban.until_s), Some(161));
        let (soon, late) = (161 + FORGOTTEN_AFTER_S - 1, 161 + 2 * FORGOTTEN_AFTER_S);
        let count = |gate: &mut Gate, at_s| gate.ban(Time::from_secs(at_s), source(1), "x").ban.count;
        assert_eq!((count(&mut gate, soon), count(&mut gate, late + 100)), (3, 1));
        assert!(gate.pardon(source(1)));
        assert!(!gate.is_banned(Time::from_secs(62), source(1)));
    }

    #[test]
    fn what_is_remembered_of_strangers_is_bounded() {
        let mut gate = gate(Patience { max_sources: 64, max_bans: 8, ..Patience::default() });
        let mut kept = std::collections::BTreeSet::new();
        for number in 0..1_000 {
            gate.spend(Time::ZERO, source(number));
            gate.settle(Time::ZERO, source(number));
            let Banned { ban, lifted } = gate.ban(Time::ZERO, source(number), "x");
            kept.insert(ban.source);
            lifted.map(|source| kept.remove(&source));
        }
        assert!(gate.sources.younger.len() + gate.sources.older.len() <= 64);
        assert!(gate.homes.younger.len() + gate.homes.older.len() <= 64);
        // What made room is told, so that the store forgets it too.
        assert_eq!((gate.bans.len(), kept.len()), (8, 8));
    }

    #[test]
    fn the_longest_bans_are_found_again() {
        let ban = |number, until_s| Ban { source: source(number), until_s, count: 1, reason: "x".into() };
        let patience = Patience { max_bans: 2, ..Patience::default() };
        let digest = digest("offhook", false, &mut Rng::from_number(1));
        let gate = Gate::new(digest, patience, vec![ban(1, 10), ban(2, 30), ban(3, 20)]);
        let banned = (1..=3).filter(|number| gate.is_banned(Time::ZERO, source(*number)));
        assert_eq!(banned.collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn the_last_of_what_can_be_done_is_for_those_who_are_known() {
        let longest = |number, method, is_careful| {
            let is_taken = |waited_ms: &u64| {
                let mut gate = gate(Patience { late_ms: 100, ..Patience::default() });
                gate.settle(Time::ZERO, source(1));
                let careful_until = Time::from_secs(u64::from(is_careful));
                gate.behind = Some(Behind { careful_until, shed_before: 0 });
                let mut is_overloaded = |at_ms| {
                    let waited = Duration::from_millis(*waited_ms);
                    gate.is_overloaded(Time::from_millis(at_ms), source(number), Some(method), waited)
                };
                let early = [700, 800].map(&mut is_overloaded);
                assert!(is_careful || early == [false; 2], "a rush");
                !is_overloaded(900)
            };
            (0..1_000).take_while(is_taken).count()
        };
        assert_eq!(longest(2, Method::Register, false), 50, "a stranger");
        assert_eq!(longest(1, Method::Register, false), 200);
        assert_eq!(longest(1, Method::Invite, false), 100);
        assert_eq!(longest(1, Method::Invite, true), 25, "not long after");
        assert_eq!(longest(1, Method::Register, true), 50);
        assert_eq!(longest(2, Method::Options, true), 13);
    }

    #[test]
    fn a_rush_that_is_over_soon_turns_nobody_away() {
        let mut gate = gate(Patience::default());
        let mut is_overloaded = |at_ms, waited_ms| {
            let waited = Duration::from_millis(waited_ms);
            gate.is_overloaded(Time::from_millis(at_ms), source(1), Some(Method::Invite), waited)
        };
        // Not run for a second; then what has come meanwhile, and what comes in time.
        assert!((1_000..1_190).all(|at_ms| !is_overloaded(at_ms, 1_000)));
        assert!(!is_overloaded(1_190, 0));
        assert!(!is_overloaded(1_200, 1_000), "another one");
        assert!(!is_overloaded(5_000, 1_000), "and another one, with nothing in between");
        assert!(!is_overloaded(5_100, 1_000));
        assert!(is_overloaded(5_200, 1_000), "this one lasts");
    }
}
