//! The door: what every request outside a dialog passes before registrar, calls or lamps see it.
//!
//! ```text
//!  request ─► overload (too much?) ─► authentication (whose?) ─► may this account speak so? ─► rules against devices
//! ```

use std::time::Duration;

use proto::sip::header::Address;
use proto::sip::{Flow, Message, Method, Name, Reply};

use super::Output;
use super::authentication::{Authentication, Shown};
use super::blocks::Blocks;
use super::directory::{Directory, Nearness};
use super::facts::ANONYMOUS_URI;
use super::gate::Gate;
use super::ids::ExtensionId;
use super::overload::Overload;
use super::turn::Turn;

/// What a request passes, lent for one turn.
pub(super) struct Door<'a> {
    pub(super) turn: &'a mut Turn,
    pub(super) gate: &'a mut Gate,
    pub(super) overload: &'a mut Overload,
    pub(super) authentication: &'a mut Authentication,
    pub(super) blocks: &'a mut Blocks,
    pub(super) directory: &'a Directory,
}

impl Door<'_> {
    /// Where the exchange is behind, it answers new requests with 503 before it looks anything up for them, so
    /// that calls and registrations under way are served in time. Retry-After spreads them over half a minute.
    pub(super) fn sheds(&mut self, flow: Flow, message: &Message<'_>, waited: Duration) -> bool {
        let (now, source) = (self.turn.now, flow.remote.ip());
        let is_home = self.gate.is_home(now, source);
        let is_too_much = self.overload.is_too_much(self.turn, is_home, message.method(), waited);
        if is_too_much && (is_home || self.gate.spend(now, source)) {
            let wait_s = 5 + self.turn.rng.below(25);
            self.turn.refuse(flow, message, Reply::new(503).header(Name::RetryAfter, wait_s));
        }
        is_too_much
    }

    /// The extension whose password a request shows. Where `None`, the request has been answered, or gets no answer.
    pub(super) fn authenticate(&mut self, flow: Flow, message: &Message<'_>) -> Option<ExtensionId> {
        let Self { turn, gate, authentication, directory, .. } = self;
        match authentication.examine(turn, gate, directory, flow, message) {
            Shown::Password(id) => {
                gate.refund(turn.now, flow.remote.ip());
                if flow.transport.is_reliable() {
                    turn.told.push(Output::Vouch { flow, account: id.number() });
                }
                if self.admits(flow, message, id) {
                    return Some(id);
                }
                self.turn_away(flow, message, Reply::new(403));
            }
            Shown::Nothing { .. } if gate.bans_scanner(turn, flow, message) => {}
            Shown::Nothing { stale } => {
                let reply = authentication.challenge(turn, flow, stale);
                self.turn_away(flow, message, reply);
            }
            Shown::Refused(reply, delay) if delay.is_zero() => self.turn_away(flow, message, reply),
            Shown::Refused(reply, delay) => authentication.hold_back(turn, flow, message, reply, delay),
            Shown::TooSoon => {}
        }
        None
    }

    /// Whether a request inside a dialog shows the password of the dialog's party. Where not, it has been
    /// answered, or gets no answer.
    pub(super) fn proves(&mut self, flow: Flow, message: &Message<'_>, party: ExtensionId) -> bool {
        let Some(shown) = self.authenticate(flow, message) else { return false };
        if shown != party {
            self.turn.answer(flow, message, Reply::new(403));
        }
        shown == party
    }

    /// The account is right; whether it may speak for the extension in From (or To, where it registers).
    fn admits(&mut self, flow: Flow, message: &Message<'_>, id: ExtensionId) -> bool {
        let Some(entry) = self.directory.get(id) else { return false };
        let extension = &entry.extension;
        let speaker = speaker(message);
        let named = speaker.and_then(|address| address.parsed_uri());
        // A caller who hides his name from the called has told it by his credentials (RFC 3323 §4.1.1.3).
        let hides = message.method() == Some(Method::Invite)
            && speaker.as_ref().is_some_and(|address| address.uri.eq_ignore_ascii_case(ANONYMOUS_URI));
        let is_right = hides
            || named.is_some_and(|uri| {
                let user = uri.plain_user();
                user == extension.number || user == extension.username
            });
        is_right && extension.enabled && !self.blocks.blocks(self.turn, &extension.number, flow, message)
    }

    /// Answers a stranger without memory, as long as his budget lasts (RFC 3261 §8.2.7). A stranger can use up
    /// that budget in the name of an address where devices live. Therefore those devices are still answered: they
    /// show a nonce that only they can have heard, or use the reserve that is kept for each of them.
    pub(super) fn turn_away(&mut self, flow: Flow, message: &Message<'_>, reply: Reply) {
        let is_answered =
            self.gate.spend(self.turn.now, flow.remote.ip()) || self.is_known_device(flow, message);
        if is_answered {
            self.turn.refuse(flow, message, reply);
        } else {
            self.gate.exceed(self.turn, flow);
        }
    }

    /// Whether a request comes from a device that lives where it comes from, as far as can be told.
    fn is_known_device(&mut self, flow: Flow, message: &Message<'_>) -> bool {
        let now = self.turn.now;
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

    /// Takes what the endpoint has answered by itself out of the sender's budget: `sent` messages were on the
    /// wire before.
    pub(super) fn limit_answers(&mut self, flow: Flow, sent: usize) {
        if self.turn.wire.len() > sent && !self.gate.spend(self.turn.now, flow.remote.ip()) {
            self.turn.wire.truncate(sent);
        }
    }

    /// Whether a request from a banned source is read all the same: it answers a challenge that was heard there,
    /// for an account that is not barred.
    pub(super) fn answers_challenge(&self, flow: Flow, message: &Message<'_>) -> bool {
        let (now, source) = (self.turn.now, flow.remote.ip());
        let is_other = |account: u64| !self.gate.is_barred(now, source, account);
        self.authentication.has_own_nonce(flow, message)
            && self.authentication.account_of(flow, message).is_some_and(is_other)
    }
}

/// Whom a request is from: To, where it registers.
fn speaker<'a>(message: &Message<'a>) -> Option<Address<'a>> {
    if message.method() == Some(Method::Register) { message.to() } else { message.from() }
}
