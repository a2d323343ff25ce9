//! Those who try numbers and passwords.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::Transaction;
use super::case::{Case, Findings, last_final};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "sec.scanner",
        title: "Somebody looks for extensions",
        seen: "One source names many numbers and gets nowhere, a known scanner gets nowhere, or a stranger calls a registered phone past its server again and again and is never answered; warning.",
        hurts: "What it finds is attacked next; the server is loaded for nothing.",
        example: "REGISTER for 100, 101, 102 … from 203.0.113.9",
        remedy: &[
            "Let the firewall drop SIP from the Internet but from known networks; ban the source (`offhook serve` does so by itself).",
            "At the phone switch off *Allow IP Calls* and keep *Only Recv Request From Server* on, so that a stranger does not make it ring: `offhook lab ghost-call --once` shows it.",
            "Use long passwords; do not answer differently for numbers that exist. `offhook lab scanner --once` shows such a trace.",
        ],
        reference: "RFC 3261 §26.1; deck, Firewall",
    },
    Explanation {
        code: "sec.guessing",
        title: "Somebody guesses passwords",
        seen: "One source brings credentials for one or two accounts in many calls of their own, and all are refused; warning.",
        hurts: "A weak password will be found.",
        example: "REGISTER for 7001 with ten different passwords in two seconds",
        remedy: &[
            "Ban the source; use long passwords (`offhook serve` generates them and bans those who guess).",
        ],
        reference: "RFC 3261 §26.3.2.4; RFC 7616 §5.7",
    },
];

/// Names of programs that scan; a name alone proves nothing.
const SCANNERS: &[&str] = &[
    "friendly-scanner",
    "sipvicious",
    "sundayddr",
    "sip-scan",
    "sipcli",
    "vaxsipuseragent",
    "pplsip",
    "iwar",
    "smap",
    "sipscan",
    "svwar",
    "svmap",
    "svcrack",
    "friendly-request",
    "siparmyknife",
];
const MANY_USERS: usize = 10;
const MANY_GUESSES: usize = 10;
/// Numbers, or refused passwords, by which a known scanner is one although something of it was accepted.
const FEW: usize = 3;
/// Calls of a stranger to a phone, past its server, that are more than a person who dials a wrong address.
const MANY_GHOST_CALLS: usize = 3;

#[derive(Default)]
struct Source<'a> {
    users: BTreeSet<&'a str>,
    refused_users: BTreeSet<&'a str>,
    call_ids: BTreeSet<&'a str>,
    proofs: Vec<Proof>,
    is_named: bool,
    requests: usize,
    accepted: usize,
    rebuffed: usize,
    unanswered: usize,
    /// Calls to phones that register elsewhere, by Call-ID.
    ghost_calls: BTreeSet<&'a str>,
    guesses: Vec<Proof>,
}

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for (address, source) in sources(case) {
        if case.is_registrar(address) {
            continue;
        }
        let nowhere = source.accepted == 0 || source.accepted * 10 < source.requests;
        let tried = source.users.len() >= MANY_USERS && source.rebuffed * 10 >= source.requests * 6;
        // One password that was found does not make a guest of it.
        let is_at_it = source.accepted == 0 || source.users.len() >= FEW || source.guesses.len() >= FEW;
        let known = source.is_named
            && is_at_it
            && source.rebuffed + source.unanswered >= 1
            && source.requests + source.proofs.len() >= 2;
        let is_ghost = source.ghost_calls.len() >= MANY_GHOST_CALLS
            && source.accepted == 0
            && source.rebuffed + source.unanswered >= 1
            && case.account_at(address).is_none();
        if known || nowhere && (tried || is_ghost) {
            let cause = format!(
                "It names {} numbers in {} requests, and {} are accepted.",
                source.users.len(),
                source.requests,
                source.accepted
            );
            let mut finding =
                Finding::new("sec.scanner", Severity::Warning, address.to_string()).cause(cause);
            source.proofs.iter().take(6).for_each(|proof| finding.prove(Some(*proof), "tries a number"));
            found.add(finding);
        } else if is_guessing(&source) {
            let users: Vec<&str> = source.refused_users.iter().copied().collect();
            let cause =
                format!("{} passwords for {} are tried and refused.", source.guesses.len(), users.join(", "));
            let mut finding =
                Finding::new("sec.guessing", Severity::Warning, address.to_string()).cause(cause);
            source
                .guesses
                .iter()
                .take(6)
                .for_each(|proof| finding.prove(Some(*proof), "credentials that are refused"));
            found.add(finding);
        } else {
            continue;
        }
        claim(case, found, address);
    }
}

fn is_guessing(source: &Source<'_>) -> bool {
    let (Some(first), Some(last)) = (source.guesses.first(), source.guesses.last()) else { return false };
    let quick = last.at.since(first.at).as_secs() <= 5 * source.guesses.len() as u64;
    source.guesses.len() >= MANY_GUESSES
        && source.call_ids.len() >= MANY_GUESSES / 2
        && source.refused_users.len() <= 2
        && quick
        && source.accepted == 0
}

fn sources<'a>(case: &Case<'a>) -> BTreeMap<IpAddr, Source<'a>> {
    let credentialed: BTreeSet<&str> = case
        .tracks
        .transactions()
        .filter(|(_, it)| it.has_credentials())
        .map(|(_, it)| &*it.call_id)
        .collect();
    let mut sources: BTreeMap<IpAddr, Source<'a>> = BTreeMap::new();
    for (_, it) in case.tracks.transactions() {
        let is_probe =
            matches!(it.method, Method::Register | Method::Invite | Method::Options | Method::Subscribe);
        let Some(request) = it.request.as_ref().filter(|request| is_probe && request.to.tag.is_empty())
        else {
            continue;
        };
        let source = sources.entry(it.path.source.ip()).or_default();
        source.requests += 1;
        source.proofs.extend(it.copies.iter().take(2));
        source.users.insert(&request.to.user);
        if it.method == Method::Invite && case.account_at(it.path.destination.ip()).is_some() {
            source.ghost_calls.insert(&it.call_id);
        }
        let agent = request.user_agent.as_deref().unwrap_or_default().to_lowercase();
        source.is_named |= SCANNERS.iter().any(|name| agent.contains(name));
        match last_final(it).map(|answer| answer.status) {
            Some(200..=399) => source.accepted += 1,
            Some(401 | 407) if !it.has_credentials() && credentialed.contains(&*it.call_id) => {}
            Some(401..=404 | 407 | 604) => {
                source.rebuffed += 1;
                guess(source, it);
            }
            Some(_) => {}
            None => source.unanswered += usize::from(it.answers.is_empty()),
        }
    }
    sources
}

fn guess<'a>(source: &mut Source<'a>, it: &'a Transaction) {
    if let (true, Some(request), Some(first)) = (it.has_credentials(), &it.request, it.first()) {
        source.guesses.push(first);
        source.call_ids.insert(&it.call_id);
        source.refused_users.insert(&request.to.user);
    }
}

/// What a scanner does is explained by what it is.
fn claim(case: &Case<'_>, found: &mut Findings, address: IpAddr) {
    for (id, it) in case.tracks.transactions() {
        if it.path.source.ip() == address {
            found.claim(id);
        }
    }
    for leg in case.tracks.legs.iter().filter(|leg| leg.path.source.ip() == address) {
        found.claim_call(leg.call);
    }
}
