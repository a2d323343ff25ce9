//! Transfers and forwards that fail.

use std::collections::BTreeMap;

use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{Leg, Transaction};
use super::case::{Case, Findings, GIVEN_UP, answer_text, last_final, number_or};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "transfer.refer-rejected",
        title: "The transfer is refused",
        seen: "REFER is answered with a final refusal.",
        hurts: "The transfer does not begin.",
        example: "REFER · 603 Declined",
        remedy: &[
            "Look whether the server allows transfers to this extension, and to that number.",
            "Check whether another phone can transfer with the same account; compare both traces: `offhook doctor --compare WORKING FAILING`.",
        ],
        reference: "RFC 3515 §2.4.2",
    },
    Explanation {
        code: "transfer.failed-NNN",
        title: "The transfer fails: the new call does not come about",
        seen: "The last NOTIFY of a REFER tells a refusal. What a person chose (480, 486, 487, 603) is a warning.",
        hurts: "The transferred party stays, or is lost.",
        example: "REFER · 202 · NOTIFY (SIP/2.0 404 Not Found)",
        remedy: &[
            "Check the number to which the call was transferred: 404 means that nobody has it.",
            "Make sure that the phone to which it goes is registered. `offhook lab transfer-refused --once` shows such a trace.",
        ],
        reference: "RFC 3515 §2.4.5",
    },
    Explanation {
        code: "transfer.replaces-481",
        title: "The attended transfer names a call that is gone",
        seen: "INVITE with Replaces is answered with 481.",
        hurts: "The two parties are not put together.",
        example: "INVITE (Replaces: …) · 481 Call/Transaction Does Not Exist",
        remedy: &[
            "Look whether the server changed Call-ID or tags between the two legs, so that Replaces names a dialog that the other side never had.",
            "Complete the transfer before the consultation call ends.",
        ],
        reference: "RFC 3891 §3, RFC 5589 §7",
    },
    Explanation {
        code: "transfer.no-notify",
        title: "Nobody tells how the transfer went",
        seen: "REFER is accepted, the phone waits, and no NOTIFY comes.",
        hurts: "The phone cannot show whether the transfer worked and keeps the call.",
        example: "REFER · 202 Accepted · (nothing for 32 s)",
        remedy: &[
            "Update the server: RFC 3515 asks for at least one NOTIFY.",
            "Look whether NOTIFYs are dropped on the way.",
        ],
        reference: "RFC 3515 §2.4.4",
    },
    Explanation {
        code: "forward.loop",
        title: "Forwards lead in a circle",
        seen: "302 answers send the call from one extension to the next and back, or the server says 482 or 483.",
        hurts: "The caller reaches nobody.",
        example: "INVITE 7002 · 302 to 7007 · INVITE 7007 · 302 to 7002 · 482",
        remedy: &[
            "Take back one of the forwards.",
            "Look at the forwards of the server itself, too. `offhook lab forward-loop --once` shows such a trace.",
        ],
        reference: "RFC 3261 §21.3.3, §21.4.20",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for (number, call) in (0..).zip(&case.tracks.calls) {
        forward_loop(case, found, number, &super::calls::legs(case, call).collect::<Vec<_>>());
    }
    for leg in &case.tracks.legs {
        replaces(case, found, leg);
    }
    for (_, transaction) in case.tracks.transactions() {
        if transaction.method == Method::Refer {
            refer(case, found, transaction);
        }
    }
}

fn replaces(case: &Case<'_>, found: &mut Findings, leg: &Leg) {
    for (_, invite) in case.invites(leg) {
        let Some(request) = invite.request.as_ref().filter(|request| request.replaces.is_some()) else {
            continue;
        };
        let Some(answer) = last_final(invite).filter(|answer| answer.status == 481) else { continue };
        let cause =
            "The call that Replaces names has ended, or is known by another Call-ID and other tags there.";
        let subject = number_or(&request.from.user, invite.path.source.ip());
        let finding = Finding::new("transfer.replaces-481", Severity::Error, subject).cause(cause);
        found.claim_call(leg.call);
        found.add(
            finding
                .proof(invite.copies.first().copied(), "INVITE with Replaces")
                .proof(answer.first(), answer_text(answer)),
        );
    }
}

fn refer(case: &Case<'_>, found: &mut Findings, refer: &Transaction) {
    let Some(request) = &refer.request else { return };
    let subject = number_or(&request.from.user, refer.path.source.ip());
    let Some(answer) = last_final(refer) else { return };
    match answer.status {
        401 | 407 => {}
        200..300 => outcome(case, found, refer, &subject),
        300.. => {
            let again = case.tracks.transactions().any(|(_, it)| {
                it.method == Method::Refer && it.call_id == refer.call_id && it.cseq > refer.cseq
            });
            if again && answer.status == 491 {
                return;
            }
            let cause = format!("The far end refuses the transfer: it says `{}`.", answer_text(answer));
            let finding = Finding::new("transfer.refer-rejected", Severity::Error, subject).cause(cause);
            found.add(
                finding
                    .proof(refer.copies.first().copied(), "REFER")
                    .proof(answer.first(), answer_text(answer)),
            );
        }
        _ => {}
    }
}

fn outcome(case: &Case<'_>, found: &mut Findings, refer: &Transaction, subject: &str) {
    let Some(accepted) = refer.last_answer().and_then(|answer| answer.first()) else { return };
    let next = case
        .tracks
        .transactions()
        .find(|(_, it)| it.method == Method::Refer && it.call_id == refer.call_id && it.cseq > refer.cseq);
    let until = next.and_then(|(_, it)| it.first()).map_or(proto::Time::NEVER, |next| next.at);
    // The newest by its number: on the way one NOTIFY may overtake another.
    let told = case
        .tracks
        .transactions()
        .filter(|(_, it)| it.method == Method::Notify && it.call_id == refer.call_id)
        .filter_map(|(_, it)| Some((it.cseq, it.first()?, it.request.as_ref()?.body.fragment_status?)))
        .filter(|(_, proof, _)| proof.at < until)
        .max_by_key(|(cseq, ..)| *cseq);
    match told {
        Some((_, proof, status @ 300..)) => {
            if let Some(finding) = found.about("transfer.replaces-481", subject) {
                return finding.prove(Some(proof), format!("NOTIFY tells {status}"));
            }
            let severity = if matches!(status, 480 | 486 | 487 | 600 | 603) {
                Severity::Warning
            } else {
                Severity::Error
            };
            let to =
                refer.request.as_ref().and_then(|request| request.refer_to.as_deref()).unwrap_or("somebody");
            let cause = format!("The call to `{to}` did not come about: {status}.");
            let finding = Finding::new(format!("transfer.failed-{status}"), severity, subject).cause(cause);
            let finding = finding
                .proof(refer.copies.first().copied(), "REFER")
                .proof(Some(proof), format!("NOTIFY tells {status}"));
            claim_target(case, found, to, accepted.at);
            found.add(finding);
        }
        Some(_) => {}
        None => unnoticed(case, found, refer, (accepted, subject)),
    }
}

/// The call that a transfer had asked for fails for the same reason: that is no finding of its own.
fn claim_target(case: &Case<'_>, found: &mut Findings, refer_to: &str, since: proto::Time) {
    for leg in case.tracks.legs.iter().filter(|leg| leg.started.is_some_and(|started| started.at >= since)) {
        if !leg.to.user.is_empty() && refer_to.contains(&*leg.to.user) && leg.answered.is_none() {
            found.claim_call(leg.call);
        }
    }
}

fn unnoticed(case: &Case<'_>, found: &mut Findings, refer: &Transaction, (accepted, subject): (Proof, &str)) {
    let ended = case.tracks.transactions().any(|(_, it)| {
        it.method == Method::Bye
            && it.call_id == refer.call_id
            && it.first().is_some_and(|bye| bye.at.since(accepted.at) < GIVEN_UP)
    });
    let any_notify =
        case.tracks.transactions().any(|(_, it)| it.method == Method::Notify && it.call_id == refer.call_id);
    if ended || any_notify || case.rest(accepted) < GIVEN_UP || case.is_unheard(refer.path.destination.ip()) {
        return;
    }
    let cause = "The far end accepts the transfer and tells nothing of it.";
    let finding = Finding::new("transfer.no-notify", Severity::Warning, subject).cause(cause);
    found.add(finding.proof(refer.copies.first().copied(), "REFER").proof(Some(accepted), "accepted"));
}

/// Redirections of one call as a map from whom to whom.
fn forward_loop(case: &Case<'_>, found: &mut Findings, number: u32, legs: &[&Leg]) {
    let mut to: BTreeMap<String, (String, Option<Proof>)> = BTreeMap::new();
    for leg in legs {
        for (_, invite) in case.invites(leg) {
            let Some(answer) = last_final(invite).filter(|it| (300..400).contains(&it.status)) else {
                continue;
            };
            let Some(said) = &answer.said else { continue };
            let user = |uri: &str| {
                proto::sip::uri::Uri::parse(uri).map(|uri| uri.plain_user().into_owned()).unwrap_or_default()
            };
            let target = said.contacts.first().map(|uri| user(uri)).unwrap_or_default();
            let asked =
                invite.request.as_ref().map(|request| user(&request.uri)).filter(|user| !user.is_empty());
            let own = asked.unwrap_or_else(|| leg.to.user.to_string());
            to.entry(own).or_insert((target, answer.first()));
        }
    }
    let looped = to.keys().find(|&start| {
        let mut at = start;
        (0..to.len()).any(|_| match to.get(at) {
            Some((next, _)) => {
                at = next;
                at == start
            }
            None => false,
        })
    });
    let first = legs.first().and_then(|leg| Some((*leg, *case.invites(leg).last().map(|(_, it)| it)?)));
    let refused =
        first.and_then(|(_, invite)| last_final(invite)).filter(|it| matches!(it.status, 482 | 483));
    if looped.is_none() && (refused.is_none() || to.is_empty()) {
        return;
    }
    let dialled = first.map(|(leg, _)| super::calls::callee(case, leg)).unwrap_or_default();
    let subject = if to.contains_key(&dialled) { dialled } else { looped.cloned().unwrap_or(dialled) };
    let circle: Vec<String> = to.iter().map(|(from, (to, _))| format!("{from} to {to}")).collect();
    let cause = format!("The forwards lead in a circle: {}.", circle.join(", "));
    let mut finding = Finding::new("forward.loop", Severity::Error, subject).cause(cause);
    finding.prove(first.and_then(|(_, invite)| invite.copies.first().copied()), "INVITE");
    for (from, (to, proof)) in &to {
        finding.prove(*proof, format!("{from} forwards to {to}"));
    }
    finding.prove(refused.and_then(|it| it.first()), "refused as a loop");
    found.claim_call(number);
    found.add(finding);
}
