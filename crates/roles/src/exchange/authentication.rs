//! Whose a request is: digest for every request outside a dialog (RFC 3261 §22).
//!
//! ```text
//!  request ─► nonce ours? ─► may the password be looked at? (gate, siege) ─► whose is it ─► may it speak so?
//! ```
//!
//! A stranger gets the same words whether the user exists or not, after the same hashes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proto::sip::digest::{Algorithm, Guard, GuardSettings, Presented, Verdict};
use proto::sip::header::Address;
use proto::sip::{Flow, Message, Method, Name, Reply, Transmit};
use proto::{Rng, Time};

use super::budget::Budget;
use super::calls::ANONYMOUS_URI;
use super::directory::{Directory, Nearness};
use super::gate::{self, Gate, Look, Patience};
use super::ids::{Alarm, ExtensionId};
use super::turn::Turn;
use super::{Config, Event, Exchange, Output};

/// The most answers that are held back at a time; what comes beyond gets none.
const MAX_HELD_BACK: usize = 1_024;

/// Wrong passwords for one account, from everywhere.
#[derive(Debug, Default)]
struct Siege {
    wrong: Budget,
    /// Passwords of new devices that are looked at all the same.
    slow: Budget,
    is_told: bool,
}

/// What a request has shown.
#[derive(Debug)]
enum Shown {
    /// The password of this extension.
    Password(ExtensionId),
    /// Nothing, or something for another nonce: it is challenged.
    Nothing { stale: bool },
    /// What gets this answer, after a time.
    Refused(Reply, Duration),
    /// What gets no answer.
    TooSoon,
}

/// Who knows which password.
#[derive(Debug)]
pub(super) struct Authentication {
    digest: Guard,
    /// Accounts that were guessed at; bounded by the extensions.
    sieges: BTreeMap<ExtensionId, Siege>,
    /// Answers that are held back, the first to be sent in front; bounded.
    held_back: VecDeque<(Time, Transmit)>,
}

impl Authentication {
    pub(super) fn new(config: &Config, rng: &mut Rng) -> Self {
        // MD5 alone unless told otherwise, as the deck's server asks: SIPp and baresip 1.0 give up at a
        // challenge that names SHA-256, even where one with MD5 stands beside it.
        let algorithms = match config.offers_sha256 {
            true => vec![Algorithm::Sha256, Algorithm::Md5],
            false => vec![Algorithm::Md5],
        };
        let settings = GuardSettings { realm: config.realm.clone(), algorithms, ..GuardSettings::default() };
        Self { digest: Guard::new(settings, rng), sieges: BTreeMap::new(), held_back: VecDeque::new() }
    }

    /// Whether the credentials of a request are for a nonce that was given to its source, old or not: nobody
    /// can have written it in another's name.
    pub(super) fn has_own_nonce(&self, flow: Flow, message: &Message<'_>) -> bool {
        let presented = Presented::by(message, flow.remote.ip(), self.digest.realm());
        self.digest.has_own_nonce(&presented)
    }

    /// The account that a request presents, by the hash of its name.
    pub(super) fn account_of(&self, flow: Flow, message: &Message<'_>) -> Option<u64> {
        let presented = Presented::by(message, flow.remote.ip(), self.digest.realm());
        presented.username().map(|name| gate::hash(&name))
    }

    /// The challenges of a 401.
    fn challenge(&mut self, turn: &Turn, flow: Flow, stale: bool) -> Reply {
        let challenges = self.digest.challenge(turn.now, flow.remote.ip(), stale);
        challenges
            .into_iter()
            .fold(Reply::new(401), |reply, value| reply.header(Name::WwwAuthenticate, value))
    }

    /// The user of the device's own account by which a request was let in; none where that was the account
    /// of the extension.
    pub(super) fn device_user(
        &self,
        directory: &Directory,
        flow: Flow,
        message: &Message<'_>,
    ) -> Option<String> {
        let presented = Presented::by(message, flow.remote.ip(), self.digest.realm());
        let user = presented.username()?;
        directory.number_of_device(&user).map(|_| user.into_owned())
    }

    /// What a request shows of a password.
    fn examine(
        &mut self,
        turn: &mut Turn,
        gate: &mut Gate,
        directory: &Directory,
        flow: Flow,
        message: &Message<'_>,
    ) -> Shown {
        let source = flow.remote.ip();
        let presented = Presented::by(message, source, self.digest.realm());
        let (mut account, mut name) = (None, 0);
        let verdict = self.digest.verify(turn.now, &presented, |user| {
            name = gate::hash(user);
            account = directory.find_by_username(user);
            directory.secret(user)
        });
        let is_right = match &verdict {
            Verdict::Ok(_) => true,
            Verdict::Wrong => false,
            Verdict::Missing => return Shown::Nothing { stale: false },
            Verdict::Stale | Verdict::Expired | Verdict::Replayed => return Shown::Nothing { stale: true },
            Verdict::Malformed => {
                return Shown::Refused(Reply::new(400).reason("Bad Credentials"), Duration::ZERO);
            }
        };
        let nearness = directory.nearness(turn.now, account, flow);
        let look = match gate.look(turn.now, source, name, nearness) {
            Look::Yes if !self.is_listened_to(turn, gate.patience(), account, nearness) => Look::No,
            look => look,
        };
        let mut strike = || {
            let user = presented.username().unwrap_or_default();
            gate.wrong(turn, source, &user, presented.header.unwrap_or_default())
        };
        match (look, is_right, account) {
            (Look::Yes, true, Some(id)) => Shown::Password(id),
            (Look::Yes, ..) => {
                let delay = strike();
                self.besiege(turn, gate.patience(), directory, account);
                Shown::Refused(Reply::new(403), delay)
            }
            // Told apart from a wrong password by nothing.
            (Look::No, ..) => Shown::Refused(Reply::new(403), Duration::ZERO),
            (Look::Later, ..) => {
                strike();
                Shown::TooSoon
            }
        }
    }

    /// Whether a device of an account is listened to: where so many have guessed at it, its known devices are,
    /// and new ones slowly. A guesser with many addresses learns little then, and the devices keep their service.
    fn is_listened_to(
        &mut self,
        turn: &Turn,
        patience: &Patience,
        account: Option<ExtensionId>,
        nearness: Nearness,
    ) -> bool {
        let Some(siege) = account.and_then(|id| self.sieges.get_mut(&id)) else { return true };
        let (most, per_minute) = (patience.account_wrong, patience.account_wrong_per_minute.into());
        nearness != Nearness::Away
            || siege.wrong.is_left(turn.now, most, per_minute)
            || siege.slow.take(turn.now, 1, patience.slow_per_minute.into())
    }

    /// A password of an account was wrong. That it is besieged is told once, until it is no more.
    fn besiege(
        &mut self,
        turn: &mut Turn,
        patience: &Patience,
        directory: &Directory,
        account: Option<ExtensionId>,
    ) {
        let Some(id) = account else { return };
        let (most, per_minute) = (patience.account_wrong, patience.account_wrong_per_minute.into());
        let siege = self.sieges.entry(id).or_default();
        siege.wrong.take(turn.now, most, per_minute);
        let is_besieged = !siege.wrong.is_left(turn.now, most, per_minute);
        if is_besieged && !std::mem::replace(&mut siege.is_told, is_besieged) {
            turn.tell(Event::Besieged { number: directory.number(id) });
        }
        siege.is_told = is_besieged;
    }

    /// An extension is gone.
    pub(super) fn forget(&mut self, id: ExtensionId) {
        self.sieges.remove(&id);
    }

    /// Holds an answer back, so that guessing takes time. It needs no transaction: copies of the request are
    /// not answered before it.
    fn hold_back(
        &mut self,
        turn: &mut Turn,
        flow: Flow,
        message: &Message<'_>,
        reply: Reply,
        delay: Duration,
    ) {
        if self.held_back.len() >= MAX_HELD_BACK {
            return;
        }
        let at = turn.now + delay;
        let sent = turn.wire.len();
        turn.refuse(flow, message, reply);
        for transmit in turn.wire.drain(sent..) {
            let place = self.held_back.partition_point(|(other, _)| *other <= at);
            self.held_back.insert(place, (at, transmit));
        }
        turn.wake_at(at, Alarm::HeldBack);
    }

    /// Sends the answers whose time has come.
    pub(super) fn on_held_back(&mut self, turn: &mut Turn) {
        let due = self.held_back.partition_point(|(at, _)| *at <= turn.now);
        turn.wire.extend(self.held_back.drain(..due).map(|(_, transmit)| transmit));
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
        let Self { turn, gate, authentication, directory, .. } = self;
        match authentication.examine(turn, gate, directory, flow, message) {
            Shown::Password(id) => {
                gate.refund(now, flow.remote.ip());
                if flow.transport.is_reliable() {
                    turn.told.push(Output::Vouch { flow, account: id.number() });
                }
                self.admit(now, flow, message, id)
            }
            Shown::Nothing { .. } if gate.bans_scanner(turn, flow, message) => None,
            Shown::Nothing { stale } => {
                let reply = authentication.challenge(turn, flow, stale);
                self.turn_away(now, flow, message, reply)
            }
            Shown::Refused(reply, delay) if delay.is_zero() => self.turn_away(now, flow, message, reply),
            Shown::Refused(reply, delay) => {
                authentication.hold_back(turn, flow, message, reply, delay);
                None
            }
            Shown::TooSoon => None,
        }
    }

    /// Where the exchange is behind, new requests are told to come again, before anything is looked up for
    /// them, so that what stands already is served in time. Who comes again is spread over half a minute.
    pub(super) fn shed(&mut self, now: Time, flow: Flow, message: &Message<'_>, waited: Duration) -> bool {
        let source = flow.remote.ip();
        let is_home = self.gate.is_home(now, source);
        let is_too_much = self.overload.is_too_much(&mut self.turn, is_home, message.method(), waited);
        if is_too_much && (is_home || self.gate.spend(now, source)) {
            let wait_s = 5 + self.turn.rng.below(25);
            self.turn.refuse(flow, message, Reply::new(503).header(Name::RetryAfter, wait_s));
        }
        is_too_much
    }

    /// The account is right; whether it may speak for the extension in From (or To, where it registers).
    fn admit(
        &mut self,
        now: Time,
        flow: Flow,
        message: &Message<'_>,
        id: ExtensionId,
    ) -> Option<ExtensionId> {
        let entry = self.directory.get(id)?;
        let speaker = speaker(message);
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

    /// Answers a stranger without memory, as long as his budget lasts (RFC 3261 §8.2.7). Where that is used up
    /// in the name of an address where devices live, they are answered all the same: by a nonce that only
    /// they can have heard, or out of what is kept for each of them.
    pub(super) fn turn_away(
        &mut self,
        now: Time,
        flow: Flow,
        message: &Message<'_>,
        reply: Reply,
    ) -> Option<ExtensionId> {
        let is_answered = self.gate.spend(now, flow.remote.ip()) || self.is_known_device(now, flow, message);
        if is_answered {
            self.turn.refuse(flow, message, reply);
        } else {
            self.gate.exceed(&mut self.turn, flow);
        }
        None
    }

    /// Whether a request comes from a device that lives where it comes from, as far as can be told.
    fn is_known_device(&mut self, now: Time, flow: Flow, message: &Message<'_>) -> bool {
        if !self.gate.is_home(now, flow.remote.ip()) {
            return false;
        }
        if self.authentication.has_own_nonce(flow, message) {
            return true;
        }
        let speaker = speaker(message).and_then(|address| address.parsed_uri());
        let Some(user) = speaker.map(|uri| uri.plain_user()) else { return false };
        let id = self.directory.find(&user).or_else(|| self.directory.find_by_username(&user));
        let method = message.method().unwrap_or(Method::Other);
        self.directory.nearness(now, id, flow) != Nearness::Away
            && id.is_some_and(|id| self.gate.spend_reserve(now, id, method))
    }

    /// Holds what the endpoint has answered by itself against the budget of whoever asked: `sent` messages
    /// were on the wire before.
    pub(super) fn limit_answers(&mut self, now: Time, flow: Flow, sent: usize) {
        if self.turn.wire.len() > sent && !self.gate.spend(now, flow.remote.ip()) {
            self.turn.wire.truncate(sent);
        }
    }

    /// Whether a message from a banned source is read: what belongs to something that stands, and, unless a
    /// person banned it, what answers a challenge that was heard there for an account that is not barred.
    pub(super) fn passes_ban(&self, now: Time, flow: Flow, message: &Message<'_>, by_hand: bool) -> bool {
        let source = flow.remote.ip();
        let is_other = |account: u64| !self.gate.is_barred(now, source, account);
        message.status().is_some()
            || self.turn.endpoint.knows(message)
            || self.calls.is_in_dialog(flow, message)
            || self.lamps.is_in_dialog(flow, message)
            || !by_hand
                && self.authentication.has_own_nonce(flow, message)
                && self.authentication.account_of(flow, message).is_some_and(is_other)
    }
}

/// Whom a request is from: To, where it registers.
fn speaker<'a>(message: &Message<'a>) -> Option<Address<'a>> {
    if message.method() == Some(Method::Register) { message.to() } else { message.from() }
}
