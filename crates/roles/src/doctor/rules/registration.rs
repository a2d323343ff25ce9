//! Registrations that fail.

use std::time::Duration;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{Outcome, Registration, Transaction, TransactionId};
use super::case::{Case, Findings, GIVEN_UP, SHORT, answer_text, last_final, number_or, silence};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "reg.401-loop",
        title: "The server does not accept the credentials and challenges again and again",
        seen: "A REGISTER with credentials is challenged anew (401 or 407) although the nonce is not stale, and no 200 ever comes.",
        hurts: "The account is not registered: it gets no calls, and most servers let it make none.",
        example: "REGISTER · 401 · REGISTER with Authorization · 401 · REGISTER with Authorization · 401 …",
        remedy: &[
            "Compare register name, user name and password of the account with those of the server; type the password anew. `offhook config check FILE` shows typographic quotes and blanks in it.",
            "Look whether the realm and the algorithm that the server offers are ones that the phone knows (MD5, SHA-256).",
            "Try the same account in another phone or softphone: `offhook phone --account NUMBER@SERVER` registers it and tells each answer.",
        ],
        reference: "RFC 3261 §22.2, RFC 7616 §3.3; deck, Account Registration - Troubleshooting",
    },
    Explanation {
        code: "reg.403",
        title: "The server refuses the registration",
        seen: "REGISTER is answered with 403.",
        hurts: "The account is not registered.",
        example: "REGISTER · 401 · REGISTER with Authorization · 403 Forbidden",
        remedy: &[
            "Double check the account: register name, user name, password, server address and port.",
            "Look whether the extension is registered by several devices and how many the server allows.",
            "Look whether the server blocks the phone: its address, its network or its User-Agent. `offhook lab blocked-device --once` shows such a trace.",
            "Try the same account in another phone: `offhook phone --account NUMBER@SERVER`.",
        ],
        reference: "RFC 3261 §21.4.4; deck, Account Registration - Troubleshooting",
    },
    Explanation {
        code: "reg.403-multiple",
        title: "The server refuses a further device of an account that is registered",
        seen: "REGISTER is answered with 403 while the same account is registered from another device.",
        hurts: "Only the devices that came first get calls.",
        example: "7001 is registered from 192.168.50.54; its REGISTER from 192.168.50.60 is answered with 403.",
        remedy: &[
            "Allow more registrations for this extension at the server, or give the second phone an extension of its own.",
            "Take the account out of the phone that should not have it; `offhook lab reg-multiple-devices --once` shows two devices that may.",
        ],
        reference: "RFC 3261 §10.3; deck, Account Registration - Troubleshooting",
    },
    Explanation {
        code: "reg.404",
        title: "The server does not know the account",
        seen: "REGISTER is answered with 404.",
        hurts: "The account is not registered.",
        example: "REGISTER sip:pbx.example · 404 Not Found",
        remedy: &[
            "Wrong account: check the account information on the SIP server.",
            "Check that user name and domain of the account are those of the server; `offhook config check FILE` reads the phone's file.",
        ],
        reference: "RFC 3261 §21.4.5; deck, Account Registration - Troubleshooting",
    },
    Explanation {
        code: "reg.423",
        title: "The registration is too short for the server, and the phone does not ask for longer",
        seen: "REGISTER is answered with 423, and no REGISTER with at least Min-Expires succeeds.",
        hurts: "The account is not registered.",
        example: "REGISTER (Expires: 30) · 423 Interval Too Brief (Min-Expires: 60)",
        remedy: &[
            "Set the account's registration period to at least the Min-Expires of the answer (`account.N.sip_server.1.expires`).",
            "Update the firmware: RFC 3261 asks a phone to try again by itself. `offhook lab reg-interval-too-brief --once` shows it.",
        ],
        reference: "RFC 3261 §10.2.8, §21.4.17",
    },
    Explanation {
        code: "reg.503",
        title: "The server cannot serve the registration",
        seen: "REGISTER is answered with 503.",
        hurts: "The account is not registered as long as this lasts.",
        example: "REGISTER · 503 Service Unavailable (Retry-After: 30)",
        remedy: &[
            "Look at the server: load, licence, database, maintenance.",
            "Give the phone a second server (`account.N.sip_server.2.address`); `offhook lab failover --once` shows how it is used.",
        ],
        reference: "RFC 3261 §21.5.4",
    },
    Explanation {
        code: "reg.NNN",
        title: "The server refuses the registration",
        seen: "REGISTER is answered with a final refusal, and no later one succeeds.",
        hurts: "The account is not registered.",
        example: "REGISTER · 500 Server Internal Error",
        remedy: &[
            "Look into the log of the server at the time of the answer.",
            "Compare the REGISTER with one of a phone that works: `offhook doctor --compare WORKING FAILING`.",
        ],
        reference: "RFC 3261 §10.3, §21",
    },
    Explanation {
        code: "reg.timeout",
        title: "The server does not answer the registration",
        seen: "Two or more REGISTERs without any answer: info where the silence is shorter than 4 s at the end of the capture, warning below 32 s, error from 32 s.",
        hurts: "The account is not registered.",
        example: "REGISTER, again after 0.5 s, 1 s, 2 s, 4 s … and no answer",
        remedy: &[
            "No respond from server: check server connection and network environment.",
            "Ping the server from the phone's network; check address, port and transport of the account.",
            "Look for a firewall or SIP ALG on the way, and whether the server has banned the phone's address (`offhook serve` lists its bans).",
            "Capture at the server too: if the REGISTER arrives there, the answer is lost on the way back.",
        ],
        reference: "RFC 3261 §17.1.2; deck, Account Registration - Troubleshooting",
    },
    Explanation {
        code: "reg.icmp-port-unreachable",
        title: "Nobody listens at the server's port",
        seen: "REGISTER is answered by ICMP port unreachable: the machine lives, the SIP service does not listen there.",
        hurts: "The account is not registered.",
        example: "REGISTER to 192.168.50.19:5070 · ICMP port unreachable",
        remedy: &[
            "Compare port and transport of the account with those of the server.",
            "Look whether the SIP service runs on that machine. `offhook lab reg-port-closed --once` shows such a trace.",
        ],
        reference: "RFC 1122 §3.2.2.1; RFC 3261 §18.4",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for registration in &case.tracks.registrations {
        if is_scanned(found, registration) {
            continue;
        }
        refused(case, found, registration);
        unanswered(case, found, registration);
    }
}

fn is_scanned(found: &mut Findings, registration: &Registration) -> bool {
    let source = registration.path.source.ip().to_string();
    found.about("sec.", &source).is_some()
}

fn subject(registration: &Registration) -> String {
    number_or(&registration.account, registration.path.destination)
}

fn refused(case: &Case<'_>, found: &mut Findings, registration: &Registration) {
    let all: Vec<_> = case.all(&registration.transactions).collect();
    let is_ok = |transaction: &Transaction| matches!(transaction.status(), Some(200..300));
    let Some((_, last)) = all.iter().rfind(|(_, it)| it.status().is_some()) else { return };
    if is_ok(last) {
        return warn_of_healed(case, found, registration, &all);
    }
    // What came before the last success is put right.
    let since = all.iter().rposition(|(_, it)| is_ok(it)).map_or(0, |at| at + 1);
    let all = all.get(since..).unwrap_or_default();
    if let Some((bad, status)) = standing_refusal(all) {
        let finding = refusal(case, found, registration, bad, status);
        found.add(finding);
    }
    looped(found, registration, all);
}

/// The last refusal that is no challenge, where nothing after it shows that it no longer holds.
fn standing_refusal<'a>(all: &[(TransactionId, &'a Transaction)]) -> Option<(&'a Transaction, u16)> {
    let status = |it: &Transaction| last_final(it).map(|answer| answer.status);
    let is_refusal = |it: &Transaction| !matches!(status(it), None | Some(200..=399 | 401 | 407));
    let at = all.iter().rposition(|(_, it)| is_refusal(it))?;
    let (_, bad) = all.get(at)?;
    let after = all.get(at + 1..).unwrap_or_default();
    let is_asked_anew = after.iter().any(|(_, it)| matches!(status(it), Some(401 | 407)));
    let bad_status = status(bad)?;
    // A challenge shows that a server which had no time has time again, and that a longer registration suits it. It
    // does not take back that the account or its password is wrong: every attempt begins with a challenge.
    let is_over = is_asked_anew && !matches!(bad_status, 400..=407 | 409..=422 | 424..=499 | 600..);
    (!is_over).then_some((bad, bad_status))
}

/// A 403 or 404 that was put right within the capture was a fault all the same.
fn warn_of_healed(
    case: &Case<'_>,
    found: &mut Findings,
    registration: &Registration,
    all: &[(TransactionId, &Transaction)],
) {
    let bad = all.iter().rev().find(|(_, it)| matches!(it.status(), Some(403 | 404)));
    let Some((_, bad)) = bad else { return };
    let mut finding = refusal(case, found, registration, bad, bad.status().unwrap_or_default());
    finding.severity = Severity::Warning;
    finding.cause.push_str(" Later it succeeded.");
    found.add(finding);
}

fn refusal(
    case: &Case<'_>,
    found: &mut Findings,
    registration: &Registration,
    transaction: &Transaction,
    status: u16,
) -> Finding {
    let answer = transaction.answers.iter().find(|answer| answer.status == status);
    let other = other_device(case, registration, transaction).filter(|_| status == 403);
    let code = match status {
        403 if other.is_some() => "reg.403-multiple".to_owned(),
        408 => "reg.408".to_owned(),
        status => format!("reg.{status}"),
    };
    let said = answer.and_then(|answer| answer.said.as_deref());
    let text = answer.map(answer_text).unwrap_or_default();
    let cause = match status {
        403 if other.is_some() => {
            "Another device has registered this account; the server allows no further one.".to_owned()
        }
        403 if transaction.has_credentials() => format!(
            "The server says `{text}` to credentials: most likely the password or the register name is wrong, or the extension is disabled."
        ),
        403 => format!(
            "The server says `{text}` without asking for credentials: it blocks this phone, address or account."
        ),
        404 => format!("The server says `{text}`: it has no such account."),
        423 => {
            let least = said.and_then(|said| said.min_expires_s);
            let least = least
                .map_or_else(String::new, |least| format!("; it wants at least {least} s (Min-Expires)"));
            format!("The phone asks for a shorter registration than the server allows{least}.")
        }
        503 => served_nobody(case, registration, said.and_then(|said| said.retry_after_s)),
        _ => format!("The server says `{text}`."),
    };
    let sent = if transaction.has_credentials() { "REGISTER with credentials" } else { "REGISTER" };
    let mut finding = Finding::new(code, Severity::Error, subject(registration)).cause(cause);
    if let Some(other) = other {
        finding.prove(other.0, format!("{} is registered from {}", registration.account, other.1));
    }
    let _ = &found;
    finding
        .proof(transaction.copies.first().copied(), sent)
        .proof(answer.and_then(|answer| answer.first()), text)
}

fn served_nobody(case: &Case<'_>, registration: &Registration, retry_after_s: Option<u32>) -> String {
    let server = registration.path.destination;
    let same =
        case.tracks.registrations.iter().filter(|it| it.path.destination == server && it.status == Some(503));
    let others: Vec<&str> =
        same.map(|it| it.account.as_ref()).filter(|it| *it != &*registration.account).take(5).collect();
    let wait =
        retry_after_s.map_or_else(String::new, |wait| format!(" It asks to wait {wait} s (Retry-After)."));
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(" It hits others too: {}.", others.join(", ")),
    };
    format!("The server is overloaded, in maintenance or without its backend.{wait}{others}")
}

/// Another device of the account that is registered at the time: its proof and address.
fn other_device(
    case: &Case<'_>,
    registration: &Registration,
    transaction: &Transaction,
) -> Option<(Option<Proof>, std::net::IpAddr)> {
    let at = transaction.first()?.at;
    let own = registration.path.source.ip();
    let others = case.registrations_of(&registration.account).filter(|it| it.path.source.ip() != own);
    others.filter(|it| it.domain == registration.domain).find_map(|other| {
        let before =
            case.all(&other.transactions).filter(|(_, it)| it.last().is_some_and(|last| last.at <= at));
        let (_, last) = before.last()?;
        let request = last.request.as_ref()?;
        let stands = matches!(last.status(), Some(200..300)) && request.expires_s != Some(0);
        let lasts_s = u64::from(other.expires_s.unwrap_or(3_600));
        let fresh = at.since(last.first()?.at) <= Duration::from_secs(lasts_s);
        (stands && fresh).then(|| (last.last_answer().and_then(|it| it.first()), other.path.source.ip()))
    })
}

/// Challenged although credentials were sent.
fn looped(found: &mut Findings, registration: &Registration, all: &[(TransactionId, &Transaction)]) {
    let stale = |it: &Transaction| {
        it.answers.iter().any(|answer| answer.said.as_ref().is_some_and(|said| said.stale))
    };
    let challenged: Vec<&Transaction> = all
        .iter()
        .map(|(_, it)| *it)
        .filter(|it| it.has_credentials() && matches!(it.status(), Some(401 | 407)) && !stale(it))
        .collect();
    let told = |it: &Transaction| {
        let nonce = it.request.as_ref().and_then(|request| request.nonce.as_deref());
        all.iter().any(|(_, other)| {
            let said = other.answers.iter().filter_map(|answer| answer.said.as_ref()?.nonce.as_deref());
            nonce.is_some() && said.into_iter().any(|said| Some(said) == nonce)
        })
    };
    // An old nonce may have run out; one of this capture has not.
    let is_loop = challenged.len() >= 2 || challenged.first().is_some_and(|it| told(it));
    let succeeded = registration.successes > 0 && challenged.len() < 2;
    if !is_loop || succeeded {
        return;
    }
    let cause =
        "The server does not accept the credentials: most likely password, register name or realm are wrong.";
    let mut finding = Finding::new("reg.401-loop", Severity::Error, subject(registration)).cause(cause);
    for transaction in challenged.iter().take(3) {
        finding.prove(transaction.copies.first().copied(), "REGISTER with credentials");
        finding.prove(transaction.last_answer().and_then(|it| it.first()), "challenged again");
    }
    found.add(finding);
}

/// REGISTERs in a row that nobody answers.
fn unanswered(case: &Case<'_>, found: &mut Findings, registration: &Registration) {
    if case.is_unheard(registration.path.destination.ip()) {
        return;
    }
    let all: Vec<_> = case.all(&registration.transactions).collect();
    let mut runs: Vec<Silence<'_>> = Vec::new();
    let mut run: Vec<(TransactionId, &Transaction)> = Vec::new();
    for (id, transaction) in all {
        if transaction.answers.is_empty() && transaction.request.is_some() && !found.has(id) {
            run.push((id, transaction));
        } else {
            runs.extend(Silence::of(case, std::mem::take(&mut run), transaction.first()));
        }
    }
    runs.extend(Silence::of(case, run, None));
    if let Some(worst) = runs.into_iter().max_by_key(|run| run.length) {
        tell_silence(case, found, registration, (worst.length, worst.is_healed), &worst.run);
    }
}

/// REGISTERs in a row without an answer.
struct Silence<'a> {
    length: Duration,
    is_healed: bool,
    run: Vec<(TransactionId, &'a Transaction)>,
}

impl<'a> Silence<'a> {
    /// `end` is what ended it; without it the capture did.
    fn of(case: &Case<'_>, run: Vec<(TransactionId, &'a Transaction)>, end: Option<Proof>) -> Option<Self> {
        let first = run.first().and_then(|(_, it)| it.copies.first().copied())?;
        let length = end.map_or_else(|| case.rest(first), |end| end.at.since(first.at));
        Some(Self { length, is_healed: end.is_some(), run })
    }
}

fn tell_silence(
    case: &Case<'_>,
    found: &mut Findings,
    registration: &Registration,
    (length, healed): (Duration, bool),
    run: &[(TransactionId, &Transaction)],
) {
    let copies: Vec<Proof> = run.iter().flat_map(|(_, it)| it.copies.iter().copied()).collect();
    let icmp = run.iter().find_map(|(_, it)| case.tracks.icmp.get(it.icmp? as usize));
    if let Some(icmp) = icmp.filter(|icmp| icmp.is_port_unreachable()) {
        let severity = if healed && registration.outcome == Outcome::Accepted {
            Severity::Warning
        } else {
            Severity::Error
        };
        let cause = format!(
            "The machine {} lives, and no SIP service listens at its port {}.",
            registration.path.destination.ip(),
            registration.path.destination.port()
        );
        let finding = Finding::new("reg.icmp-port-unreachable", severity, subject(registration)).cause(cause);
        return found.add(
            finding
                .proof(copies.first().copied(), "REGISTER")
                .proof(Some(icmp.proof), "ICMP port unreachable"),
        );
    }
    if copies.len() < 2 || registration.path.destination.ip().is_multicast() {
        return;
    }
    let mut severity = silence(length);
    if healed && length < SHORT {
        return;
    }
    if registration.outcome == Outcome::Accepted && length < GIVEN_UP {
        severity = severity.min(Severity::Warning);
    }
    let cause = format!(
        "Nothing comes back from {} for {} s: the address is wrong, the server is down, or something on the way drops the packets.",
        registration.path.destination,
        length.as_secs()
    );
    let mut finding = Finding::new("reg.timeout", severity, subject(registration)).cause(cause);
    for (number, copy) in copies.iter().take(6).enumerate() {
        finding.prove(Some(*copy), if number == 0 { "REGISTER" } else { "REGISTER again, still no answer" });
    }
    if let Some(icmp) = icmp {
        finding.prove(Some(icmp.proof), "ICMP: not delivered");
    }
    found.add(finding);
}
