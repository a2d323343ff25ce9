//! What rules ask of a case beside its tracks, and where they put what they find.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use proto::Time;
use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{Answer, Leg, Registration, Sdp, Tracks, Transaction, TransactionId};

/// A silence that is shorter may be ended by the next resend.
pub(super) const SHORT: Duration = Duration::from_secs(4);
/// After this a request over UDP is given up (64 × T1, RFC 3261 §17.1.2.2).
pub(super) const GIVEN_UP: Duration = Duration::from_secs(32);

/// The tracks with what follows from all of them together.
pub(super) struct Case<'a> {
    pub(super) tracks: &'a Tracks,
    /// Whose answers the capture does not hold although they came.
    unheard: BTreeSet<IpAddr>,
    /// Who has answered a REGISTER.
    registrars: BTreeSet<IpAddr>,
    /// The accounts that register from an address.
    accounts: BTreeMap<IpAddr, BTreeSet<&'a str>>,
}

impl<'a> Case<'a> {
    pub(super) fn new(tracks: &'a Tracks) -> Self {
        let mut accounts: BTreeMap<IpAddr, BTreeSet<&'a str>> = BTreeMap::new();
        let mut registrars = BTreeSet::new();
        for registration in &tracks.registrations {
            if !registration.account.is_empty() {
                accounts.entry(registration.path.source.ip()).or_default().insert(&registration.account);
            }
            if registration.status.is_some() {
                registrars.insert(registration.path.destination.ip());
            }
        }
        Self { tracks, unheard: unheard(tracks), registrars, accounts }
    }

    /// When the file of a proof ends.
    pub(super) fn end(&self, proof: Proof) -> Time {
        self.tracks.end(proof)
    }

    /// How long the file goes on after that.
    pub(super) fn rest(&self, proof: Proof) -> Duration {
        self.end(proof).since(proof.at)
    }

    /// Whether answers of that address came and are missing in the capture.
    pub(super) fn is_unheard(&self, address: IpAddr) -> bool {
        self.unheard.contains(&address)
    }

    /// Whose answers are missing.
    pub(super) fn unheard(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.unheard.iter().copied()
    }

    /// Whether it has answered a REGISTER.
    pub(super) fn is_registrar(&self, address: IpAddr) -> bool {
        self.registrars.contains(&address)
    }

    /// The account that registers from an address, where it is one alone.
    pub(super) fn account_at(&self, address: IpAddr) -> Option<&'a str> {
        let accounts = self.accounts.get(&address)?;
        accounts.first().filter(|_| accounts.len() == 1).copied()
    }

    /// The registrations of an account.
    pub(super) fn registrations_of<'s>(
        &'s self,
        account: &'s str,
    ) -> impl Iterator<Item = &'a Registration> + 's {
        self.tracks.registrations.iter().filter(move |it| !account.is_empty() && *it.account == *account)
    }

    /// Transactions by their ids.
    pub(super) fn all<'s>(
        &'s self,
        ids: &'s [TransactionId],
    ) -> impl Iterator<Item = (TransactionId, &'a Transaction)> + 's {
        ids.iter().filter_map(|&id| Some((id, self.tracks.transaction(id)?)))
    }

    /// The INVITEs that open a leg, in order.
    pub(super) fn invites(&self, leg: &'a Leg) -> Vec<(TransactionId, &'a Transaction)> {
        let opens = |transaction: &Transaction| {
            let fresh = transaction.request.as_ref().is_none_or(|request| request.to.tag.is_empty());
            transaction.method == Method::Invite && fresh
        };
        self.all(&leg.transactions).filter(|(_, transaction)| opens(transaction)).collect()
    }

    /// The times in which a leg, or another leg of its call, is held.
    pub(super) fn holds(&self, leg: &Leg) -> Vec<(Time, Time)> {
        let Some(call) = self.tracks.calls.get(leg.call as usize) else { return Vec::new() };
        let legs = call.legs.iter().filter_map(|&id| self.tracks.legs.get(id as usize));
        legs.flat_map(|leg| self.holds_of(leg)).collect()
    }

    fn holds_of(&self, leg: &Leg) -> Vec<(Time, Time)> {
        let mut holds = Vec::new();
        let mut since = None;
        for (_, transaction) in self.all(&leg.transactions) {
            let (Some(request), Some(first)) = (&transaction.request, transaction.first()) else { continue };
            let Some(sdp) = &request.body.sdp else { continue };
            match (is_hold(sdp), since) {
                (true, None) => since = Some(first.at),
                (false, Some(begun)) => {
                    holds.push((begun, transaction.last().map_or(first.at, |last| last.at)));
                    since = None;
                }
                _ => {}
            }
        }
        holds.extend(since.map(|begun| (begun, Time::NEVER)));
        holds
    }
}

/// Whose answers came although the capture lacks them: a request brings a tag or a nonce that only they told.
fn unheard(tracks: &Tracks) -> BTreeSet<IpAddr> {
    let mut nonces: BTreeSet<&str> = BTreeSet::new();
    let mut unanswered: BTreeMap<&str, IpAddr> = BTreeMap::new();
    let mut unheard = BTreeSet::new();
    for (_, transaction) in tracks.transactions() {
        let told = transaction.answers.iter().filter_map(|answer| answer.said.as_ref()?.nonce.as_deref());
        nonces.extend(told);
        let Some(request) = &transaction.request else { continue };
        let to = transaction.path.destination.ip();
        let was_silent = unanswered.get(&*transaction.call_id) == Some(&to);
        let brings_news = request.nonce.as_deref().is_some_and(|nonce| !nonces.contains(nonce))
            || (!request.to.tag.is_empty() && transaction.method != Method::Notify);
        if (was_silent && brings_news) || (transaction.ack.is_some() && transaction.answers.is_empty()) {
            unheard.insert(to);
        }
        let opens = request.nonce.is_none() && request.to.tag.is_empty();
        if opens && transaction.answers.is_empty() {
            unanswered.insert(&transaction.call_id, to);
        }
    }
    unheard
}

/// What the rules have found so far.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    claimed: BTreeSet<TransactionId>,
    legs: BTreeSet<u32>,
}

impl Findings {
    /// Adds a finding; one of the same code and subject takes its evidence.
    pub(super) fn add(&mut self, finding: Finding) {
        let same = |known: &&mut Finding| known.code == finding.code && known.subject == finding.subject;
        let Some(known) = self.list.iter_mut().find(same) else { return self.list.push(finding) };
        known.severity = known.severity.max(finding.severity);
        for one in finding.evidence {
            known.prove(Some(one.proof), one.what);
        }
    }

    /// Says that a transaction is explained; duller rules leave it alone.
    pub(super) fn claim(&mut self, id: TransactionId) {
        self.claimed.insert(id);
    }

    /// Whether a transaction is explained.
    pub(super) fn has(&self, id: TransactionId) -> bool {
        self.claimed.contains(&id)
    }

    /// Says that a call is explained.
    pub(super) fn claim_call(&mut self, call: u32) {
        self.legs.insert(call);
    }

    /// Whether a call is explained.
    pub(super) fn has_call(&self, call: u32) -> bool {
        self.legs.contains(&call)
    }

    /// The first finding above `info` whose code begins so and that is about the subject.
    pub(super) fn about(&mut self, prefix: &str, subject: &str) -> Option<&mut Finding> {
        let fits = |it: &&mut Finding| {
            it.code.starts_with(prefix) && it.subject == subject && it.severity > Severity::Info
        };
        self.list.iter_mut().find(fits)
    }

    /// Whether a finding whose code begins so rests on that packet.
    pub(super) fn rests_on(&self, prefix: &str, proof: Proof) -> bool {
        let is_there = |it: &Finding| {
            it.evidence.iter().any(|one| (one.proof.file, one.proof.number) == (proof.file, proof.number))
        };
        self.list.iter().any(|it| it.code.starts_with(prefix) && is_there(it))
    }

    /// Whether anything above `info` begins so.
    pub(super) fn any(&self, prefix: &str) -> bool {
        self.list.iter().any(|it| it.code.starts_with(prefix) && it.severity > Severity::Info)
    }
}

/// How grave a silence is.
pub(super) fn silence(length: Duration) -> Severity {
    match length {
        _ if length < SHORT => Severity::Info,
        _ if length < GIVEN_UP => Severity::Warning,
        _ => Severity::Error,
    }
}

/// Whether a description puts the sound on hold.
pub(super) fn is_hold(sdp: &Sdp) -> bool {
    use proto::sdp::attribute::Direction::{Inactive, SendOnly};
    sdp.audio().is_some_and(|audio| {
        audio.port != 0 && (audio.unspecified || matches!(audio.direction, SendOnly | Inactive))
    })
}

/// `403 Forbidden`.
pub(super) fn answer_text(answer: &Answer) -> String {
    let reason = answer.said.as_ref().map(|said| said.reason.as_ref()).unwrap_or_default();
    format!("{} {reason}", answer.status).trim_end().to_owned()
}

/// The reason phrase, Reason and Warning of an answer, in lower case.
pub(super) fn said_text(answer: &Answer) -> String {
    let Some(said) = &answer.said else { return String::new() };
    let more = [&said.reason_header, &said.warning].into_iter().flatten().map(|text| format!(" {text}"));
    (said.reason.to_string() + &more.collect::<String>()).to_lowercase()
}

/// The last final answer.
pub(super) fn last_final(transaction: &Transaction) -> Option<&Answer> {
    transaction.answers.iter().rfind(|answer| answer.status >= 200)
}

/// Whether an address is private or otherwise not reachable from elsewhere (RFC 1918, 6598, 3927, 4193).
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The host and port of a SIP URI, as far as it is an address.
pub(super) fn uri_address(uri: &str) -> Option<(IpAddr, u16)> {
    let uri = proto::sip::uri::Uri::parse(uri)?;
    Some((uri.ip()?, uri.port.unwrap_or(5060)))
}

/// How a subject is called that has no number.
pub(super) fn number_or(user: &str, address: impl ToString) -> String {
    if user.is_empty() { address.to_string() } else { user.to_owned() }
}
