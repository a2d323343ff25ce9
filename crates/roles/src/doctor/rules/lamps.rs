//! Lamps that do not tell, and requests that are repeated although they are refused.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{Leg, Outcome, Subscription, Transaction, TransactionId};
use super::case::{Case, Findings, GIVEN_UP, SHORT, answer_text, last_final, number_or, silence};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "blf.423",
        title: "The subscription is too short for the server, and the phone does not ask for longer",
        seen: "SUBSCRIBE is answered with 423, and no later one succeeds.",
        hurts: "The lamp shows nothing.",
        example: "SUBSCRIBE (Expires: 30) · 423 (Min-Expires: 60)",
        remedy: &[
            "Set the period of subscriptions to at least Min-Expires (`account.N.blf.subscribe_period`). `offhook lab blf-423 --once` shows a phone that does so by itself.",
        ],
        reference: "RFC 6665 §4.1.2.1",
    },
    Explanation {
        code: "blf.489",
        title: "The server does not know this kind of subscription",
        seen: "SUBSCRIBE is answered with 489.",
        hurts: "The lamp shows nothing.",
        example: "SUBSCRIBE (Event: dialog) · 489 Bad Event",
        remedy: &[
            "Make sure the SIP server supports BLF (the event package dialog), and that it is switched on there.",
            "Take the BLF keys out of the phone where the server cannot serve them. `offhook lab blf-489 --once` shows such a trace.",
        ],
        reference: "RFC 6665 §4.2.1.1; deck, BLF - Troubleshooting",
    },
    Explanation {
        code: "blf.NNN",
        title: "The subscription is refused",
        seen: "SUBSCRIBE is answered with a final refusal, and no later one succeeds.",
        hurts: "The lamp shows nothing.",
        example: "SUBSCRIBE · 403 Forbidden",
        remedy: &[
            "Make sure the extension number you monitored is registered successfully, in the same PBX server as the line of the key.",
            "Make sure the SIP server supports BLF, and lets this extension watch that one (403).",
            "Check the BLF settings: type, line and value of the key (404: no such extension).",
            "Check whether another phone works in the same scenario with the same account.",
        ],
        reference: "RFC 6665 §4.1.2; deck, BLF - Troubleshooting",
    },
    Explanation {
        code: "blf.no-notify",
        title: "The subscription is accepted, and nobody tells the state",
        seen: "SUBSCRIBE is answered with 2xx, and no NOTIFY follows.",
        hurts: "The lamp shows nothing.",
        example: "SUBSCRIBE · 202 · (nothing)",
        remedy: &[
            "Look whether NOTIFYs leave the server and where to: behind NAT they may go to the private Contact.",
            "Update the server: RFC 6665 asks for a NOTIFY at once.",
        ],
        reference: "RFC 6665 §4.2.1.2",
    },
    Explanation {
        code: "blf.notify-481",
        title: "The phone does not know the subscription any more",
        seen: "NOTIFY is answered with 481, and the phone does not subscribe anew.",
        hurts: "The lamp is stale.",
        example: "NOTIFY · 481 Subscription does not exist",
        remedy: &[
            "Look whether the phone has restarted; let it subscribe anew. Shorten the period of subscriptions.",
        ],
        reference: "RFC 6665 §4.1.3",
    },
    Explanation {
        code: "blf.notify-unanswered",
        title: "The phone does not answer what the lamp is to show",
        seen: "NOTIFY is sent again and again, and nothing comes back.",
        hurts: "The lamp is stale.",
        example: "NOTIFY, again after 0.5 s, 1 s, 2 s …",
        remedy: &["Look whether the phone is on and reachable; behind NAT switch on keep-alive."],
        reference: "RFC 6665 §4.2.2",
    },
    Explanation {
        code: "blf.target-unregistered",
        title: "The watched extension is not registered",
        seen: "A subscription stands, and the watched extension took its registration back or never had one that succeeded.",
        hurts: "The lamp has nothing to tell.",
        example: "7007 watches 7002; REGISTER of 7002 (Expires: 0) · 200",
        remedy: &["Make sure the extension number you monitored is registered successfully."],
        reference: "RFC 4235; deck, BLF - Troubleshooting",
    },
    Explanation {
        code: "blf.wrong-server",
        title: "The extension is watched at another server than its own",
        seen: "SUBSCRIBE goes to another server than the one where the watched extension registers, and is refused.",
        hurts: "The lamp shows nothing.",
        example: "7002 registers at 192.168.50.19, 7007 subscribes to 7002 at 192.168.50.20",
        remedy: &[
            "Make sure the extension number you monitored is in the same PBX server as the line you choose for the BLF setting (`linekey.N.line`).",
        ],
        reference: "deck, BLF - Troubleshooting",
    },
    Explanation {
        code: "blf.state-wrong",
        title: "The watched extension is in a call, and the lamp is told otherwise",
        seen: "The extension rings or talks for 3 s or more while it is watched, and no NOTIFY tells early or confirmed.",
        hurts: "The lamp shows idle for one who talks.",
        example: "7002 in a call from 10 s to 40 s; NOTIFYs tell terminated alone",
        remedy: &[
            "Look whether the server makes dialog states for this extension, and of calls over all of its devices.",
        ],
        reference: "RFC 4235 §3.7",
    },
    Explanation {
        code: "phone.resend-storm",
        title: "The phone repeats a request that the server refuses, again and again",
        seen: "The same request is refused five times or more, a minute or less apart.",
        hurts: "The phone becomes slow, and the server is loaded for nothing.",
        example: "SUBSCRIBE · 489, every 2 s",
        remedy: &[
            "Check whether the phone has enabled a feature but the server disabled this feature, causing the phone to continue to resend: switch it off at the phone or on at the server.",
            "Lengthen the time between attempts.",
        ],
        reference: "RFC 6665 §4.1.2; deck, Phone becomes Slow/Stuck or Reboot--Troubleshooting",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    storms(case, found);
    for subscription in &case.tracks.subscriptions {
        if is_lamp(subscription) {
            judge_lamp(case, found, subscription);
        }
    }
}

fn is_lamp(subscription: &Subscription) -> bool {
    matches!(&*subscription.event, "dialog" | "presence" | "") || subscription.event.starts_with("dialog")
}

fn subject(subscription: &Subscription) -> String {
    number_or(&subscription.account, subscription.path.source.ip())
}

const STORM: usize = 5;
const STORM_SPACING: Duration = Duration::from_secs(60);

fn storms(case: &Case<'_>, found: &mut Findings) {
    type Key<'a> = (std::net::IpAddr, String, &'a str, &'a str, u16);
    let mut refused: BTreeMap<Key<'_>, Vec<(TransactionId, Proof, Proof)>> = BTreeMap::new();
    for (id, it) in case.tracks.transactions() {
        let is_feature =
            matches!(it.method, Method::Subscribe | Method::Publish | Method::Message | Method::Info);
        let (Some(request), Some(answer)) = (&it.request, last_final(it)) else { continue };
        if !is_feature || answer.status < 400 || (matches!(answer.status, 401 | 407) && !it.has_credentials())
        {
            continue;
        }
        let (Some(first), Some(answered)) = (it.first(), answer.first()) else { continue };
        let key = (
            it.path.source.ip(),
            it.method.to_string(),
            &*request.from.user,
            &*request.to.user,
            answer.status,
        );
        refused.entry(key).or_default().push((id, first, answered));
    }
    for ((source, method, from, to, status), all) in refused {
        let (Some(first), Some(last)) = (all.first(), all.last()) else { continue };
        let spacing = last.1.at.since(first.1.at) / (all.len() as u32).saturating_sub(1).max(1);
        if all.len() < STORM || spacing > STORM_SPACING {
            continue;
        }
        let cause = format!(
            "{method} for {to} is refused with {status} {} times, every {:.1} s: the phone has a feature on that the server does not serve.",
            all.len(),
            spacing.as_millis() as f64 / 1_000.0
        );
        let mut finding =
            Finding::new("phone.resend-storm", Severity::Error, number_or(from, source)).cause(cause);
        for (id, sent, answered) in &all {
            found.claim(*id);
            if finding.evidence.len() < 6 {
                finding.prove(Some(*sent), method.clone());
                finding.prove(Some(*answered), format!("refused with {status}"));
            }
        }
        found.add(finding);
    }
}

fn judge_lamp(case: &Case<'_>, found: &mut Findings, subscription: &Subscription) {
    let subscribes: Vec<_> = case.all(&subscription.subscribes).collect();
    let healed = is_healed(case, subscription);
    let last = subscribes.iter().rfind(|(_, it)| it.status().is_some());
    if let Some((id, it)) = last.filter(|(id, _)| !healed && !found.has(*id)) {
        let answer = last_final(it).filter(|answer| answer.status >= 400);
        let challenged = matches!(it.status(), Some(401 | 407)) && !it.has_credentials();
        if let Some(answer) = answer.filter(|_| !challenged) {
            found.claim(*id);
            refused(case, found, subscription, it, answer.status);
        }
    }
    if !healed {
        untold(case, found, subscription, &subscribes);
    }
    notifies(case, found, subscription);
    target(case, found, subscription);
    state(case, found, subscription);
}

/// Whether the same account watches the same extension successfully later.
fn is_healed(case: &Case<'_>, subscription: &Subscription) -> bool {
    let is_later = |other: &Subscription| {
        let same = other.account == subscription.account
            && other.target == subscription.target
            && other.event == subscription.event;
        let begins = |it: &Subscription| case.all(&it.subscribes).next().and_then(|(_, it)| it.first());
        same && other.outcome == Outcome::Accepted && begins(other) > begins(subscription)
    };
    case.tracks.subscriptions.iter().any(|other| !std::ptr::eq(other, subscription) && is_later(other))
}

fn refused(
    case: &Case<'_>,
    found: &mut Findings,
    subscription: &Subscription,
    it: &Transaction,
    status: u16,
) {
    let answer = it.answers.iter().find(|answer| answer.status == status);
    let text = answer.map(answer_text).unwrap_or_default();
    let target = &subscription.target;
    let own = case.registrations_of(target).find(|it| it.outcome == Outcome::Accepted);
    if let Some(own) = own.filter(|own| own.path.destination.ip() != subscription.path.destination.ip()) {
        let cause = format!(
            "{target} registers at {}, and is watched at {}.",
            own.path.destination, subscription.path.destination
        );
        let finding = Finding::new("blf.wrong-server", Severity::Error, subject(subscription)).cause(cause);
        return found.add(
            finding
                .proof(Some(own.from), format!("{target} registers"))
                .proof(it.first(), "SUBSCRIBE")
                .proof(answer.and_then(|it| it.first()), text),
        );
    }
    if let Some(finding) =
        found.about("reg.", &subscription.account).filter(|_| matches!(status, 403 | 404 | 503))
    {
        finding.prove(it.first(), "SUBSCRIBE");
        return finding.prove(answer.and_then(|it| it.first()), text);
    }
    let cause = match status {
        403 => format!("The server does not let {} watch {target}.", subscription.account),
        404 => format!("The server knows no {target}: the value of the key is wrong."),
        423 => "The phone asks for a shorter subscription than the server allows.".to_owned(),
        481 => {
            "The server has forgotten the subscription, and the phone does not begin a new one.".to_owned()
        }
        489 => "The server does not serve busy lamps (the event package dialog).".to_owned(),
        _ => format!("The server says `{text}`."),
    };
    let finding = Finding::new(format!("blf.{status}"), Severity::Error, subject(subscription)).cause(cause);
    found.add(
        finding
            .proof(it.first(), format!("SUBSCRIBE for {target}"))
            .proof(answer.and_then(|it| it.first()), text),
    );
}

/// Accepted, and nothing told.
fn untold(
    case: &Case<'_>,
    found: &mut Findings,
    subscription: &Subscription,
    subscribes: &[(TransactionId, &Transaction)],
) {
    let accepted = subscribes.iter().find_map(|(_, it)| {
        let keeps = it.request.as_ref().is_none_or(|request| request.expires_s != Some(0));
        it.answers
            .iter()
            .find(|answer| keeps && (200..300).contains(&answer.status))
            .and_then(|answer| Some((*it, answer.first()?)))
    });
    let Some((it, accepted)) = accepted.filter(|_| subscription.notifies.is_empty()) else { return };
    // Another capture point may see the NOTIFYs alone: then they stand in a subscription of their own.
    let elsewhere =
        case.tracks.subscriptions.iter().any(|other| {
            other.subscribes.is_empty() && other.path.source.ip() == subscription.path.source.ip()
        });
    if elsewhere || case.rest(accepted) < SHORT {
        return;
    }
    let cause = format!(
        "The server accepts the subscription to {} and sends no NOTIFY, or it goes elsewhere.",
        subscription.target
    );
    let finding = Finding::new("blf.no-notify", Severity::Error, subject(subscription)).cause(cause);
    found.add(finding.proof(it.first(), "SUBSCRIBE").proof(Some(accepted), "accepted; no NOTIFY follows"));
}

fn notifies(case: &Case<'_>, found: &mut Findings, subscription: &Subscription) {
    let all: Vec<_> = case.all(&subscription.notifies).collect();
    let anew = is_replaced(case, subscription);
    for (number, (id, it)) in all.iter().enumerate() {
        let Some(first) = it.first().filter(|_| !found.has(*id)) else { continue };
        match it.status() {
            Some(481) if !anew => {
                let cause = "The phone has forgotten the subscription, most likely by a restart, and does not subscribe anew.";
                let finding =
                    Finding::new("blf.notify-481", Severity::Warning, subject(subscription)).cause(cause);
                let answer = last_final(it).and_then(|it| it.first());
                return found.add(finding.proof(Some(first), "NOTIFY").proof(answer, "481"));
            }
            None if it.answers.is_empty() && it.copies.len() >= 3 && !anew => {
                let later = all.iter().skip(number + 1).any(|(_, it)| it.status().is_some());
                if later || case.is_unheard(it.path.destination.ip()) || case.rest(first) < SHORT {
                    continue;
                }
                let severity = silence(case.rest(first)).min(if case.rest(first) < GIVEN_UP {
                    Severity::Warning
                } else {
                    Severity::Error
                });
                let cause = format!(
                    "Nothing comes back from {}: the phone is off or cannot be reached.",
                    it.path.destination
                );
                let mut finding =
                    Finding::new("blf.notify-unanswered", severity, subject(subscription)).cause(cause);
                for copy in it.copies.iter().take(4) {
                    finding.prove(Some(*copy), "NOTIFY, no answer");
                }
                return found.add(finding);
            }
            _ => {}
        }
    }
}

/// Whether the phone watches the same extension by a later subscription.
fn is_replaced(case: &Case<'_>, subscription: &Subscription) -> bool {
    let begun = |it: &Subscription| {
        let own = case.all(&it.subscribes).chain(case.all(&it.notifies)).next();
        own.and_then(|(_, it)| it.first()).map(|first| first.at)
    };
    case.tracks.subscriptions.iter().any(|other| {
        let same = other.account == subscription.account && other.target == subscription.target;
        same && !std::ptr::eq(other, subscription) && begun(other) > begun(subscription)
    })
}

/// The watched extension has no registration.
fn target(case: &Case<'_>, found: &mut Findings, subscription: &Subscription) {
    if subscription.outcome != Outcome::Accepted
        || subscription.target.is_empty()
        || &*subscription.event != "dialog"
    {
        return;
    }
    let all: Vec<_> = case.registrations_of(&subscription.target).collect();
    if all.is_empty() || all.iter().any(|it| matches!(it.outcome, Outcome::Accepted | Outcome::Unknown)) {
        return;
    }
    if let Some(finding) = found.about("reg.", &subscription.target) {
        return finding.prove(
            case.all(&subscription.subscribes).next().and_then(|(_, it)| it.first()),
            format!("{} watches it", subscription.account),
        );
    }
    let Some(last) = all.last().filter(|it| it.outcome == Outcome::Ended) else { return };
    let watched = case.all(&subscription.subscribes).last().and_then(|(_, it)| it.last());
    // One who leaves while watched is told as such; one who was gone before is the key's fault.
    if watched.is_none_or(|watched| watched.at < last.to.at) {
        return;
    }
    let cause = format!("{} has taken its registration back.", subscription.target);
    let finding = Finding::new("blf.target-unregistered", Severity::Warning, subscription.target.to_string())
        .cause(cause);
    found.add(finding.proof(Some(last.to), "the registration ends").proof(watched, "SUBSCRIBE"));
}

const LONG_CALL: Duration = Duration::from_secs(3);

/// In a call and not told so.
fn state(case: &Case<'_>, found: &mut Findings, subscription: &Subscription) {
    let begun = case.all(&subscription.subscribes).find_map(|(_, it)| {
        it.answers.iter().find(|answer| (200..300).contains(&answer.status)).and_then(|answer| answer.first())
    });
    let told_once = !subscription.states.is_empty();
    let Some(begun) = begun.filter(|_| told_once && subscription.outcome == Outcome::Accepted) else {
        return;
    };
    for leg in &case.tracks.legs {
        if !involves(leg, &subscription.target)
            || leg.path.destination.ip() != subscription.path.destination.ip()
                && leg.path.source.ip() != subscription.path.destination.ip()
        {
            continue;
        }
        let Some(started) = leg.ringing.or(leg.answered).filter(|it| it.at > begun.at) else { continue };
        let ended = leg.ended.map_or_else(|| case.end(started), |ended| ended.at);
        let told = subscription.states.iter().any(|(proof, state)| {
            let during = proof.at >= leg.started.map_or(started.at, |it| it.at) && proof.at <= ended;
            during && matches!(*state, "early" | "confirmed" | "proceeding" | "trying")
        });
        if told || ended.since(started.at) < LONG_CALL {
            continue;
        }
        let cause = format!("{} is in a call, and no NOTIFY says so.", subscription.target);
        let finding =
            Finding::new("blf.state-wrong", Severity::Error, subscription.target.to_string()).cause(cause);
        let last = subscription.states.last().map(|(proof, _)| *proof);
        return found.add(
            finding
                .proof(leg.started, "INVITE")
                .proof(Some(started), "it rings or talks")
                .proof(last, "what was told last"),
        );
    }
}

fn involves(leg: &Leg, number: &str) -> bool {
    !number.is_empty() && (*leg.from.user == *number || *leg.to.user == *number)
}
