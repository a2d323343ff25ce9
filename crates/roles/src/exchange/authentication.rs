//! Authentication: digest for every request outside a dialog (RFC 3261 §22).
//!
//! ```text
//!  request ─► nonce ours? ─► may the password be looked at? (gate, siege) ─► whose is it ─► may it speak so?
//! ```
//!
//! A stranger gets the same words whether the user exists or not, after the same hashes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proto::sip::digest::{Algorithm, Guard, GuardSettings, Presented, Verdict};
use proto::sip::{Flow, Message, Name, Reply, Transmit};
use proto::{Rng, Time};

use super::Event;
use super::budget::Budget;
use super::directory::{Directory, Nearness};
use super::gate::{self, Gate, Look, Patience};
use super::ids::{Alarm, ExtensionId};
use super::turn::Turn;

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
pub(super) enum Shown {
    /// The password of this extension.
    Password(ExtensionId),
    /// Nothing, or something for another nonce: it is challenged.
    Nothing { stale: bool },
    /// What gets this answer, after a time.
    Refused(Reply, Duration),
    /// What gets no answer.
    TooSoon,
}

/// Checks passwords, and remembers which accounts are guessed at.
#[derive(Debug)]
pub(super) struct Authentication {
    digest: Guard,
    /// Accounts that were guessed at; bounded by the extensions.
    sieges: BTreeMap<ExtensionId, Siege>,
    /// Answers that are held back, the first to be sent in front; bounded.
    held_back: VecDeque<(Time, Transmit)>,
}

impl Authentication {
    pub(super) fn new(realm: &str, offers_sha256: bool, rng: &mut Rng) -> Self {
        // MD5 alone unless told otherwise, as the deck's server asks: SIPp and baresip 1.0 give up at a
        // challenge that names SHA-256, even where one with MD5 stands beside it.
        let algorithms = match offers_sha256 {
            true => vec![Algorithm::Sha256, Algorithm::Md5],
            false => vec![Algorithm::Md5],
        };
        let settings = GuardSettings { realm: realm.to_owned(), algorithms, ..GuardSettings::default() };
        Self { digest: Guard::new(settings, rng), sieges: BTreeMap::new(), held_back: VecDeque::new() }
    }

    /// Whether the credentials of a request use a nonce that was given to its source, old or not. If so, the request
    /// does come from that source.
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
    pub(super) fn challenge(&mut self, turn: &Turn, flow: Flow, stale: bool) -> Reply {
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
    pub(super) fn examine(
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

    /// Whether a password for an account is looked at. After many guesses at the account only its known devices are
    /// served as usual, and new ones slowly: a guesser with many addresses learns little, and the devices keep their
    /// service.
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

    /// Counts a wrong password of an account. Tells once that the account is besieged, and again only after that has
    /// passed.
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
    pub(super) fn hold_back(
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
