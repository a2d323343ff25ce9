//! Calls that do not come about.

use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::tracks::{Answer, Call, Leg, Outcome, Transaction, TransactionId};
use super::case::{Case, Findings, GIVEN_UP, SHORT, answer_text, last_final, number_or, said_text, silence};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "call.480-dnd",
        title: "The called phone does not want to be disturbed",
        seen: "The phone itself refuses with 480 and Reason Q.850 cause 18; info.",
        hurts: "Nothing: a person chose it.",
        example: "INVITE · 180 · 480 Temporarily Unavailable (Reason: Q.850;cause=18)",
        remedy: &["Switch off DND at the called phone. `offhook lab dnd --once` shows such a trace."],
        reference: "RFC 3261 §21.4.18; deck, DND",
    },
    Explanation {
        code: "call.488-codec",
        title: "The two phones have no codec in common",
        seen: "INVITE is answered with 488, 606 or 415.",
        hurts: "The call does not come about.",
        example: "INVITE (G729) · 488 Not Acceptable Here",
        remedy: &[
            "Check the audio codec, make sure that both sides negotiate the same audio codec (`account.N.codec.*`).",
            "Let the exchange transcode between them. `offhook lab codec-mismatch --once` shows such a trace.",
        ],
        reference: "RFC 3261 §21.4.26, RFC 3264 §6; deck, SIP Call - Troubleshooting",
    },
    Explanation {
        code: "call.503",
        title: "The server or the way to the called number is out of service",
        seen: "INVITE is answered with 503.",
        hurts: "The call does not come about.",
        example: "INVITE · 503 Service Unavailable",
        remedy: &[
            "Look at the server: load, number of calls, licence, trunk. `offhook lab overload --once` shows such a trace.",
            "Obey Retry-After; give the phone a second server.",
        ],
        reference: "RFC 3261 §21.5.4",
    },
    Explanation {
        code: "call.NNN",
        title: "The call is refused",
        seen: "INVITE is answered with a final refusal. What a person chose (480, 486, 487, 600, 603) is info; 404, 408, 410, 484 and 604 are warnings, others errors.",
        hurts: "The call does not come about.",
        example: "INVITE · 404 Not Found",
        remedy: &[
            "403: look at the caller's rights at the server. 404: wrong number or account, check the account information on the SIP server. 408, 480: make sure that the called phone is registered.",
            "Make sure your SIP phones are registered successfully (`offhook doctor --calls` lists them).",
            "500: look into the log of the server at the time of the answer.",
            "Check whether another phone makes the same call with the same account; compare both traces: `offhook doctor --compare WORKING FAILING`.",
        ],
        reference: "RFC 3261 §21; deck, SIP Call - Troubleshooting",
    },
    Explanation {
        code: "call.not-registered",
        title: "A phone of the call is not registered",
        seen: "A call from or to an account fails whose registration in this capture was taken back or has run out, or the server says that it is not registered.",
        hurts: "The server knows no way to the phone, or lets it make no calls.",
        example: "REGISTER (Expires: 0) · 200 · INVITE for 7002 · 480",
        remedy: &[
            "Make sure your SIP phones are registered successfully.",
            "Look why the registration ended: `offhook doctor --calls` shows each with its outcome.",
        ],
        reference: "RFC 3261 §10; deck, SIP Call - Troubleshooting",
    },
    Explanation {
        code: "call.direct-ip",
        title: "A call from address to address, past the server",
        seen: "INVITE to an address that is no server of the account; info where it succeeds.",
        hurts: "The other phone refuses what does not come from its server, or the call has none of the server's features.",
        example: "INVITE sip:192.168.50.60 straight from phone to phone · 404",
        remedy: &[
            "Make sure the phone has disabled Allow IP Calls or Outgoing Call without Registration when it registers to the PBX server.",
            "Dial the number instead of the address. `offhook lab direct-ip-call --once` shows such calls.",
        ],
        reference: "deck, SIP Call - Troubleshooting",
    },
    Explanation {
        code: "call.no-ack",
        title: "The answer to the call is never acknowledged",
        seen: "200 to INVITE is sent again and again, and no ACK comes; the call falls after 32 s.",
        hurts: "The call ends after half a minute.",
        example: "200 · 200 · 200 … · BYE",
        remedy: &[
            "Look at the Contact and Record-Route of the 200: the ACK goes there. Behind NAT they often name a private address.",
            "Switch off SIP ALG in the router.",
        ],
        reference: "RFC 3261 §13.3.1.4",
    },
    Explanation {
        code: "call.no-answer-to-invite",
        title: "Nobody answers the INVITE",
        seen: "INVITE is sent again and again, and nothing comes back.",
        hurts: "The caller hears silence for half a minute.",
        example: "INVITE, again after 0.5 s, 1 s, 2 s, 4 s …",
        remedy: &[
            "Check server connection and network environment; ping the far end.",
            "Look for a firewall, and for INVITEs that are too large for one packet (`net.udp-fragment-lost`).",
            "Capture at the far end too.",
        ],
        reference: "RFC 3261 §17.1.1.2",
    },
    Explanation {
        code: "call.auth-loop",
        title: "The server challenges the call for ever",
        seen: "INVITE with credentials is challenged again and again although the nonce is not stale.",
        hurts: "The call does not come about.",
        example: "INVITE · 407 · INVITE with credentials · 407 · INVITE with credentials · 407",
        remedy: &[
            "Compare register name and password of the account with those of the server.",
            "Look whether From, realm and register name fit together: some servers want all three to name one account.",
        ],
        reference: "RFC 3261 §22.3",
    },
    Explanation {
        code: "call.slow-setup",
        title: "It takes long until the caller hears something",
        seen: "More than 4 s pass between INVITE and the first 18x; where they are spent is told.",
        hurts: "Callers hang up.",
        example: "INVITE · 100 · (6 s) · 180",
        remedy: &[
            "Look where the time is spent: at the phone (dial plan timeout), at DNS, at the server, at the called side or its trunk.",
            "`offhook doctor --calls` lists the delay of every call.",
        ],
        reference: "RFC 6076 §4.3",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for (number, call) in (0..).zip(&case.tracks.calls) {
        if !found.has_call(number) {
            call_outcome(case, found, number, call);
        }
        for leg in legs(case, call) {
            no_ack(case, found, leg);
        }
    }
}

pub(super) fn legs<'a>(case: &Case<'a>, call: &'a Call) -> impl Iterator<Item = &'a Leg> {
    let tracks = case.tracks;
    call.legs.iter().filter_map(move |&id| tracks.legs.get(id as usize))
}

/// Whom a leg is for.
pub(super) fn callee(case: &Case<'_>, leg: &Leg) -> String {
    let uri =
        case.invites(leg).first().and_then(|(_, it)| it.request.as_ref()).map(|request| request.uri.clone());
    let asked = uri.as_deref().and_then(proto::sip::uri::Uri::parse).map(|uri| uri.plain_user().into_owned());
    let user = if leg.to.user.is_empty() { asked.unwrap_or_default() } else { leg.to.user.to_string() };
    number_or(&user, leg.path.destination.ip())
}

fn call_outcome(case: &Case<'_>, found: &mut Findings, number: u32, call: &Call) {
    let all: Vec<&Leg> = legs(case, call).collect();
    let Some(first) = all.first() else { return };
    if all.iter().any(|leg| leg.answered.is_some()) && first.answered.is_some() {
        return slow_setup(case, found, &all);
    }
    let invites = case.invites(first);
    if auth_loop(found, first, &invites) {
        return found.claim_call(number);
    }
    if invites.iter().any(|(id, _)| found.has(*id)) {
        return;
    }
    let refused = invites.last().and_then(|(id, it)| Some((*id, *it, last_final(it)?)));
    match refused {
        Some((_, invite, answer)) if answer.status >= 400 => {
            refusal(case, found, (number, first, &all), invite, answer)
        }
        Some(_) => {}
        None => unanswered(case, found, &all),
    }
}

fn auth_loop(found: &mut Findings, leg: &Leg, invites: &[(TransactionId, &Transaction)]) -> bool {
    let is_challenge = |it: &Transaction| matches!(it.status(), Some(401 | 407));
    let stale = |it: &Transaction| {
        it.answers.iter().any(|answer| answer.said.as_ref().is_some_and(|said| said.stale))
    };
    let loops: Vec<_> =
        invites.iter().filter(|(_, it)| it.has_credentials() && is_challenge(it) && !stale(it)).collect();
    let last_fails = invites.last().is_some_and(|(_, it)| is_challenge(it) || it.answers.is_empty());
    let fresh = invites.first().is_some_and(|(_, it)| !it.has_credentials());
    if !last_fails || !(loops.len() >= 2 || (loops.len() == 1 && fresh)) {
        return false;
    }
    let cause = "The server does not accept the credentials of the INVITE: most likely password or register name are wrong.";
    let mut finding =
        Finding::new("call.auth-loop", Severity::Error, number_or(&leg.from.user, leg.path.source.ip()))
            .cause(cause);
    for (_, it) in loops.iter().take(3) {
        finding.prove(it.copies.first().copied(), "INVITE with credentials");
        finding.prove(it.last_answer().and_then(|answer| answer.first()), "challenged again");
    }
    found.add(finding);
    true
}

/// A refusal that the caller got; the leg that it came from is the one that proves it.
fn refusal(
    case: &Case<'_>,
    found: &mut Findings,
    (number, first, all): (u32, &Leg, &[&Leg]),
    invite: &Transaction,
    answer: &Answer,
) {
    if matches!(answer.status, 401 | 407 | 487 | 491) {
        return;
    }
    let deeper = all.iter().skip(1).rev().find_map(|leg| {
        let invites = case.invites(leg);
        let (_, invite) = invites.last()?;
        let final_answer = last_final(invite).filter(|it| it.status >= 300 && it.status != 487)?;
        Some((*leg, *invite, final_answer))
    });
    let (leg, source, source_answer) =
        deeper.filter(|(_, _, it)| it.status == answer.status).unwrap_or((first, invite, answer));
    let subject = callee(case, first);
    if let Some(mut finding) = not_registered(case, found, first, (invite, answer), &subject) {
        finding.prove(invite.copies.first().copied(), "INVITE");
        finding.prove(answer.first(), answer_text(answer));
        return found.add(finding);
    }
    if explained_by_registration(found, first, &subject, invite, answer) {
        return;
    }
    let text = said_text(source_answer);
    let (code, severity) = code_of(case, leg, answer.status, &text, source_answer);
    let cause = cause_of(answer.status, &code, &subject, &answer_text(source_answer));
    let mut finding = Finding::new(code, severity, subject).cause(cause);
    finding.prove(invite.copies.first().copied(), "INVITE");
    if !std::ptr::eq(source, invite) {
        finding.prove(source.copies.first().copied(), format!("INVITE to {}", source.path.destination));
        finding.prove(source_answer.first(), answer_text(source_answer));
    }
    finding.prove(answer.first(), answer_text(answer));
    found.claim_call(number);
    found.add(finding);
}

fn code_of(case: &Case<'_>, leg: &Leg, status: u16, text: &str, answer: &Answer) -> (String, Severity) {
    let is_phone =
        !case.is_registrar(answer.path.as_ref().map_or(leg.path.destination.ip(), |path| path.source.ip()));
    match status {
        480 if text.contains("cause=18")
            || text.contains("do not disturb")
            || (text.contains("dnd") && is_phone) =>
        {
            ("call.480-dnd".to_owned(), Severity::Info)
        }
        415 | 488 | 606 => ("call.488-codec".to_owned(), Severity::Error),
        480 | 486 | 600 | 603 => (format!("call.{status}"), Severity::Info),
        404 | 408 | 410 | 484 | 604 => (format!("call.{status}"), Severity::Warning),
        _ => (format!("call.{status}"), Severity::Error),
    }
}

fn cause_of(status: u16, code: &str, callee: &str, text: &str) -> String {
    match status {
        _ if code == "call.480-dnd" => format!("{callee} has switched on DND."),
        403 => format!("The server does not allow this call: it says `{text}`."),
        404 | 604 => {
            format!("Nobody is known as `{callee}`: the number is wrong, or the extension does not exist.")
        }
        408 => format!("{callee} did not answer in time: the phone is off, not reachable or rings unheard."),
        480 => format!("{callee} cannot be reached now: not registered, or it does not want to be."),
        486 | 600 => format!("{callee} is busy."),
        603 => format!("{callee} has declined the call."),
        415 | 488 | 606 => format!("{callee} takes none of the codecs that were offered."),
        500 => format!("A fault inside the server: it says `{text}`."),
        503 => {
            format!("The server, or the way to {callee}, is overloaded or out of service: it says `{text}`.")
        }
        _ => format!("The call was refused with `{text}`."),
    }
}

/// A registration that was taken back or has run out before the call, or the server's own word.
fn not_registered(
    case: &Case<'_>,
    found: &mut Findings,
    leg: &Leg,
    (invite, answer): (&Transaction, &Answer),
    callee: &str,
) -> Option<Finding> {
    let at = invite.first()?.at;
    if !matches!(answer.status, 403 | 404 | 408 | 480 | 503) {
        return None;
    }
    let text = said_text(answer);
    let says_so = ["not registered", "unregistered", "no registration", "not_registered", "user offline"]
        .iter()
        .any(|word| text.contains(word));
    for (account, is_caller) in [(callee, false), (&*leg.from.user, true)] {
        let of_account: Vec<_> = case.registrations_of(account).collect();
        let mut lost = None;
        let mut stands = false;
        for registration in of_account {
            let before = case
                .all(&registration.transactions)
                .filter(|(_, it)| it.first().is_some_and(|it| it.at <= at));
            let Some((_, last)) = before.filter(|(_, it)| matches!(it.status(), Some(200..300))).last()
            else {
                continue;
            };
            let ended = last.request.as_ref().is_some_and(|request| request.expires_s == Some(0));
            let answered = last.last_answer();
            let granted = answered.and_then(|it| it.said.as_ref()?.expires_s).or(registration.expires_s);
            let run_out = granted.is_some_and(|granted| {
                at.since(last.first().map_or(at, |it| it.at)).as_secs() > u64::from(granted)
            });
            match ended || run_out {
                true => lost = Some((last.first(), if ended { "taken back" } else { "run out" })),
                false => stands = true,
            }
        }
        if let Some((proof, how)) = lost.filter(|_| !stands) {
            let cause = format!("The registration of {account} was {how} before the call.");
            let finding = Finding::new("call.not-registered", Severity::Error, account).cause(cause);
            return Some(finding.proof(proof, format!("the last registration of {account}, {how}")));
        }
        let is_refused = case
            .registrations_of(account)
            .any(|it| matches!(it.outcome, Outcome::Refused | Outcome::Unanswered));
        if says_so && !is_caller && found.about("reg.", account).is_none() && !is_refused {
            let cause = format!("The server says `{}`.", answer_text(answer));
            return Some(Finding::new("call.not-registered", Severity::Error, account).cause(cause));
        }
    }
    None
}

/// A call that fails since an account of it is not registered is that finding's evidence.
fn explained_by_registration(
    found: &mut Findings,
    leg: &Leg,
    callee: &str,
    invite: &Transaction,
    answer: &Answer,
) -> bool {
    let caller = matches!(answer.status, 403 | 404 | 503).then(|| leg.from.user.to_string());
    let callee = matches!(answer.status, 404 | 408 | 480).then(|| callee.to_owned());
    for account in caller.into_iter().chain(callee) {
        if let Some(finding) = found.about("reg.", &account).filter(|_| !account.is_empty()) {
            finding.prove(invite.copies.first().copied(), "INVITE");
            finding.prove(answer.first(), format!("the call fails for it: {}", answer_text(answer)));
            return true;
        }
    }
    false
}

/// An INVITE that nobody answers, on whichever leg.
fn unanswered(case: &Case<'_>, found: &mut Findings, all: &[&Leg]) {
    for leg in all.iter().rev() {
        for (id, invite) in case.invites(leg) {
            let silent = invite.answers.is_empty() && invite.request.is_some() && invite.copies.len() >= 2;
            if !silent || found.has(id) || case.is_unheard(invite.path.destination.ip()) {
                continue;
            }
            let Some(&first) = invite.copies.first() else { continue };
            let last = invite.copies.last().copied().unwrap_or(first);
            let length = case.rest(first);
            let severity = silence(length.min(GIVEN_UP.max(last.at.since(first.at))));
            if length < SHORT {
                continue;
            }
            let to = invite.path.destination;
            let icmp = invite.icmp.and_then(|index| case.tracks.icmp.get(index as usize));
            let cause = match icmp {
                Some(icmp) if icmp.is_port_unreachable() => {
                    format!("The machine {} lives, and nobody listens at its port {}.", to.ip(), to.port())
                }
                _ => format!(
                    "Nothing comes back from {to}: it is off, unreachable, or something on the way drops the INVITE."
                ),
            };
            let subject = callee(case, leg);
            if let Some(finding) = found.about("reg.timeout", &leg.from.user) {
                finding.prove(Some(first), "INVITE, no answer either");
                return;
            }
            let mut finding = Finding::new("call.no-answer-to-invite", severity, subject).cause(cause);
            for copy in invite.copies.iter().take(5) {
                finding.prove(Some(*copy), format!("INVITE to {to}, no answer"));
            }
            finding.prove(icmp.map(|it| it.proof), "ICMP: not delivered");
            return found.add(finding);
        }
    }
}

fn no_ack(case: &Case<'_>, found: &mut Findings, leg: &Leg) {
    for (_, transaction) in case.all(&leg.transactions) {
        if transaction.method != Method::Invite || transaction.ack.is_some() {
            continue;
        }
        let Some(answer) = transaction.answers.iter().find(|it| (200..300).contains(&it.status)) else {
            continue;
        };
        let (Some(first), Some(last)) = (answer.first(), answer.copies.last()) else { continue };
        if answer.copies.len() < 3 || last.at.since(first.at) < SHORT {
            continue;
        }
        let bye = case
            .all(&leg.transactions)
            .find(|(_, it)| it.method == Method::Bye)
            .and_then(|(_, it)| it.first());
        let to = transaction.path.source;
        let cause = format!(
            "The ACK of {to} goes elsewhere or is lost: most likely the Contact of the 200 cannot be reached, or a SIP ALG stands between."
        );
        let mut finding = Finding::new("call.no-ack", Severity::Error, callee(case, leg)).cause(cause);
        finding.prove(transaction.copies.first().copied(), "INVITE");
        for copy in answer.copies.iter().take(5) {
            finding.prove(Some(*copy), "200 OK, no ACK follows");
        }
        finding.prove(bye, "BYE: given up");
        found.claim_call(leg.call);
        found.add(finding);
    }
}

/// Where the time between INVITE and ringing is spent.
fn slow_setup(case: &Case<'_>, found: &mut Findings, all: &[&Leg]) {
    let Some(leg) = all.first().filter(|leg| leg.seen_from_start) else { return };
    let (Some(started), Some(ringing)) = (leg.started, leg.ringing) else { return };
    let delay = ringing.at.since(started.at);
    if delay <= SHORT {
        return;
    }
    let invites = case.invites(leg);
    let last = invites.last().and_then(|(_, it)| it.copies.first().copied());
    let further = all.get(1).and_then(|leg| leg.started);
    let rang = all.get(1).and_then(|leg| leg.ringing);
    let spent = |from: proto::Time, to: proto::Time| to.since(from).as_millis() as f64 / 1_000.0;
    let mut places = Vec::new();
    if let Some(last) = last.filter(|last| last.at > started.at) {
        places.push((spent(started.at, last.at), "before the INVITE with credentials"));
    }
    let begun = last.map_or(started.at, |last| last.at);
    match (further, rang) {
        (Some(further), Some(rang)) => {
            places.push((spent(begun, further.at), "inside the server before it calls on"));
            places.push((spent(further.at, rang.at), "at the called side"));
        }
        _ => places.push((spent(begun, ringing.at), "behind the server")),
    }
    places.sort_by(|a, b| b.0.total_cmp(&a.0));
    let most = places
        .first()
        .map_or_else(String::new, |(seconds, place)| format!(" {seconds:.1} s of them {place}."));
    let cause = format!(
        "It takes {:.1} s until the caller hears something;{most}",
        delay.as_millis() as f64 / 1_000.0
    );
    let finding = Finding::new("call.slow-setup", Severity::Warning, callee(case, leg)).cause(cause);
    found.add(
        finding
            .proof(Some(started), "INVITE")
            .proof(further, "INVITE to the called side")
            .proof(Some(ringing), "the first 18x"),
    );
}
