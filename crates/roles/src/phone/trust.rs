//! Who may speak to this phone: the servers of its accounts; strangers as far as the settings let them.
//!
//! A desk phone is a microphone in a room, and scanners call every address that there is. A request outside
//! of dialogs is trusted that comes from an address of the account's server, or that carries the token
//! which the phone gave to its registrar alone. What anybody else may have is decided here.

use proto::sip::Reply;
use proto::sip::digest::{Algorithm, Guard, GuardSettings, Ha1, Presented, Verdict};
use proto::sip::flow::Flow;
use proto::sip::header::Event;
use proto::sip::message::{Message, Method, Name};
use proto::sip::uri::Uri;

use super::Phone;
use super::calls::Origin;
use crate::settings::CheckSyncFrom;

/// The packages of a NOTIFY by which a server has the configuration fetched or the phone restarted.
const CHECK_SYNC: &[&str] = &["check-sync", "resync", "reboot"];

/// For how many nonces of a check-sync the used counts are remembered.
const MOST_NONCES: usize = 64;

/// What a stranger's request gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Strangers {
    /// They are taken as anybody else: the account's rule is off.
    Free,
    /// Their calls ring, from address to address; all else is refused.
    RingOnly(Refusal),
    /// Everything is refused.
    Nothing(Refusal),
}

/// How somebody is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// 403 Forbidden.
    Forbidden,
    /// No answer: nobody learns that there is a phone.
    Silence,
}

impl Refusal {
    /// The answer, if there is one.
    pub(super) fn reply(self) -> Option<Reply> {
        (self == Self::Forbidden).then(|| Reply::new(403))
    }
}

impl Phone {
    /// Whether a request of that flow and Request-URI comes from the server of that account.
    pub(super) fn trusts(&self, account: u8, flow: Flow, uri: Option<&Uri<'_>>) -> bool {
        let line = self.lines.line_ref(account).filter(|_| account > 0);
        line.is_some_and(|line| line.is_server(flow.remote) || uri.is_some_and(|uri| line.gave_token_of(uri)))
    }

    /// Whether it comes from the server of any account.
    pub(super) fn trusts_as_any(&self, flow: Flow, uri: Option<&Uri<'_>>) -> bool {
        self.lines.accounts.iter().any(|account| self.trusts(account.number(), flow, uri))
    }

    /// Where a request comes from, as a call remembers it.
    pub(super) fn origin(&self, account: u8, flow: Flow, uri: Option<&Uri<'_>>) -> Origin {
        Origin { trusted: self.trusts(account, flow, uri), ip: Some(flow.remote.ip().to_canonical()) }
    }

    /// What strangers may have who name that account.
    pub(super) fn strangers(&self, account: u8) -> Strangers {
        let Some(line) = self.lines.line_ref(account) else { return Strangers::Free };
        let advanced = &line.settings.advanced;
        let refusal = if advanced.silence_for_others { Refusal::Silence } else { Refusal::Forbidden };
        let sip = &self.general.sip;
        match (advanced.only_from_server || sip.only_from_server, sip.ip_calls) {
            (false, _) => Strangers::Free,
            (true, true) => Strangers::RingOnly(refusal),
            (true, false) => Strangers::Nothing(refusal),
        }
    }

    /// Whether a message is not even looked at: a stranger's, where strangers get silence by the rule of the
    /// account that it names, or of the default account where it names none. What belongs to a
    /// call or a subscription is nobody's who is a stranger.
    pub(super) fn is_hushed(&self, flow: Flow, message: &Message<'_>) -> bool {
        if !message.is_request() {
            return false;
        }
        let uri = Uri::parse(message.request_uri());
        let user = uri.as_ref().filter(|uri| uri.is_sip() || uri.is_tel()).map(Uri::plain_user);
        let named = user.and_then(|user| self.account_of(&user, flow, uri.as_ref()));
        let account = named.unwrap_or_else(|| self.default_account());
        self.strangers(account) == Strangers::Nothing(Refusal::Silence)
            && !(self.trusts_as_any(flow, uri.as_ref())
                || check_sync_of(message).is_some()
                || self.calls.owner_of(message).is_some()
                || self.calls.invited_by(message).is_some()
                || self.subscriber_of(message).is_some())
    }

    /// What a check-sync gets that is not obeyed; none where it is. This setting alone decides (deck, Auto
    /// Provisioning). A phone without an account has no server yet, and takes its first configuration from
    /// anybody.
    pub(super) fn refuses_check_sync(&mut self, flow: Flow, request: &Message<'_>) -> Option<Reply> {
        let uri = Uri::parse(request.request_uri());
        let from = self.general.sip.check_sync_from;
        let is_obeyed = self.lines.accounts.is_empty()
            || from == CheckSyncFrom::Anybody
            || self.trusts_as_any(flow, uri.as_ref());
        match from {
            _ if is_obeyed => None,
            CheckSyncFrom::Digest => self.check_sync_challenge(flow, request),
            CheckSyncFrom::Registrar | CheckSyncFrom::Anybody => Some(Reply::new(403)),
        }
    }

    /// The challenge to a check-sync that does not show name and password of an account of this phone.
    fn check_sync_challenge(&mut self, flow: Flow, request: &Message<'_>) -> Option<Reply> {
        let Self { guard, guesses, desk, lines, .. } = self;
        let source = flow.remote.ip();
        if request.header(Name::Authorization).is_some() && !guesses.may_try(desk.now, source) {
            return Some(Reply::new(403));
        }
        let guard = guard.get_or_insert_with(|| {
            let settings = GuardSettings {
                algorithms: vec![Algorithm::Md5],
                max_nonces: MOST_NONCES,
                ..GuardSettings::default()
            };
            Box::new(Guard::new(settings, &mut desk.rng))
        });
        let realm = guard.realm().to_owned();
        let presented = Presented::by(request, source, &realm);
        let verdict = guard.verify(desk.now, &presented, |user| {
            let mut all = lines.accounts.iter().map(|account| &account.line.settings);
            let settings = all.find(|settings| settings.auth_name == user)?;
            let password = settings.password.expose();
            (!password.is_empty()).then(|| Ha1::new(user, &realm, password))
        });
        let is_stale = match verdict {
            Verdict::Ok(_) => {
                guesses.right(source);
                return None;
            }
            Verdict::Missing => false,
            Verdict::Stale | Verdict::Expired | Verdict::Replayed => true,
            Verdict::Wrong | Verdict::Malformed => {
                guesses.wrong(desk.now, source);
                return Some(Reply::new(403));
            }
        };
        let values = guard.challenge(desk.now, source, is_stale).into_iter();
        Some(values.fold(Reply::new(401), |reply, value| reply.header(Name::WwwAuthenticate, value)))
    }

    /// The account whose number a request names; of several, the one whose server or token it has.
    pub(super) fn account_of(&self, user: &str, flow: Flow, uri: Option<&Uri<'_>>) -> Option<u8> {
        let named = || self.lines.accounts.iter().filter(|account| account.line.settings.user == user);
        let trusted = named().find(|account| self.trusts(account.number(), flow, uri));
        trusted.or_else(|| named().next()).map(|account| account.number())
    }
}

/// What a NOTIFY check-sync asks for: `Some(true)` for a restart, `Some(false)` for the configuration.
pub(super) fn check_sync_of(request: &Message<'_>) -> Option<bool> {
    if request.method() != Some(Method::Notify) {
        return None;
    }
    let event = request.text(Name::Event).and_then(Event::parse)?;
    let package = CHECK_SYNC.iter().find(|name| event.package.eq_ignore_ascii_case(name))?;
    Some(match event.params.get("reboot") {
        Some(value) => value.eq_ignore_ascii_case("true"),
        None => *package == "reboot",
    })
}
