//! What happens to calls that stand: session timers, hold and resume.

use std::time::Duration;

use proto::Time;
use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::tracks::{Leg, Sdp, Transaction};
use super::calls::callee;
use super::case::{Case, Findings, GIVEN_UP, answer_text, is_hold, last_final};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "call.dropped-session-timer",
        title: "The call ends since its session is not refreshed",
        seen: "A refresh (re-INVITE or UPDATE) fails or does not come, and the call ends by BYE at the end of Session-Expires.",
        hurts: "Long calls are cut, always after the same time.",
        example: "200 (Session-Expires: 120) · 2 min · BYE",
        remedy: &[
            "Look whether the far end still lives: a refresh without an answer means that it was gone before.",
            "Let both sides agree who refreshes; switch session timers off where one side cannot (`account.N.session_timer.enable`).",
            "Look for SIP ALG and NAT between: refreshes go a way of their own. `offhook lab session-timer --once` shows it.",
        ],
        reference: "RFC 4028 §10",
    },
    Explanation {
        code: "call.hold-failed",
        title: "The call cannot be held",
        seen: "A re-INVITE with sendonly, inactive or c=0.0.0.0 is refused.",
        hurts: "Hold, and each transfer that begins with it, fail.",
        example: "INVITE (sendonly) · 488",
        remedy: &[
            "Try the other way of holding: c=0.0.0.0 or a=sendonly.",
            "Check whether another phone can hold with the same account; compare both traces: `offhook doctor --compare WORKING FAILING`.",
        ],
        reference: "RFC 3264 §8.4, RFC 6337 §5.3",
    },
    Explanation {
        code: "call.resume-failed",
        title: "The held call cannot be taken back",
        seen: "A re-INVITE with sendrecv that ends a hold is refused.",
        hurts: "The call stays silent.",
        example: "INVITE (sendrecv) · 500",
        remedy: &[
            "Look at the answer of the far end and its log.",
            "Check whether another phone can resume with the same account; compare both traces.",
        ],
        reference: "RFC 3264 §8.4",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for leg in case.tracks.legs.iter().filter(|leg| leg.answered.is_some()) {
        if !found.has_call(leg.call) {
            expired(case, found, leg);
            held(case, found, leg);
        }
    }
}

/// A refresh that comes so late came in time.
const GRACE: Duration = Duration::from_secs(5);

fn expired(case: &Case<'_>, found: &mut Findings, leg: &Leg) {
    let all: Vec<&Transaction> = case.all(&leg.transactions).map(|(_, it)| it).collect();
    let Some(expires_s) = session_expires(&all) else { return };
    let bye = all.iter().find(|it| it.method == Method::Bye);
    let refreshes = || all.iter().filter(|it| matches!(it.method, Method::Invite | Method::Update));
    let good = refreshes().filter(|it| matches!(it.status(), Some(200..300)));
    let last_good = good.filter_map(|it| it.last_answer()?.first()).max();
    let failed = refreshes().find(|it| {
        let inside = it.request.as_ref().is_some_and(|request| !request.to.tag.is_empty());
        let late = it.first().is_some_and(|first| last_good.is_none_or(|good| first.at > good.at));
        let silent =
            it.answers.is_empty() && it.copies.first().is_some_and(|first| case.rest(*first) >= GIVEN_UP);
        inside && late && (silent || matches!(it.status(), Some(408 | 481)))
    });
    let (Some(last_good), Some(bye)) = (last_good, bye) else { return };
    let Some(ended) = bye.first() else { return };
    let since = ended.at.since(last_good.at);
    let session = Duration::from_secs(u64::from(expires_s));
    let margin = (session / 3).min(GIVEN_UP);
    let at_expiry = since + margin + GRACE >= session && since <= session + GRACE;
    let says_so =
        bye.request.as_ref().and_then(|request| request.reason_header.as_deref()).is_some_and(|reason| {
            let reason = reason.to_lowercase();
            reason.contains("session") || reason.contains("timer")
        });
    if !(at_expiry || failed.is_some() || says_so) {
        return;
    }
    let cause = match failed {
        Some(failed) if failed.answers.is_empty() => format!(
            "The refresh of the session ({expires_s} s) gets no answer: the far end is gone or cannot be reached."
        ),
        Some(_) => format!(
            "The far end refuses the refresh of the session ({expires_s} s): it does not know the call any more."
        ),
        None => format!("Nobody refreshes the session in time ({expires_s} s), and it is ended."),
    };
    let mut finding =
        Finding::new("call.dropped-session-timer", Severity::Error, callee(case, leg)).cause(cause);
    finding.prove(Some(last_good), format!("the session holds for {expires_s} s from here"));
    if let Some(failed) = failed {
        finding.prove(failed.first(), "the refresh");
        finding.prove(last_final(failed).and_then(|it| it.first()), "refused");
    }
    finding.prove(Some(ended), "BYE");
    found.claim_call(leg.call);
    found.add(finding);
}

/// Seconds of the session that was agreed last.
fn session_expires(all: &[&Transaction]) -> Option<u32> {
    let mut said = all.iter().filter(|it| matches!(it.status(), Some(200..300))).filter_map(|it| {
        let answer = it.last_answer()?.said.as_ref()?.session_expires.as_deref();
        answer.and_then(seconds)
    });
    said.next_back()
}

fn seconds(header: &str) -> Option<u32> {
    header.split(';').next()?.trim().parse().ok().filter(|seconds| *seconds > 0)
}

fn held(case: &Case<'_>, found: &mut Findings, leg: &Leg) {
    let mut is_held = false;
    let mut failed: Option<(&'static str, &Transaction, Time)> = None;
    for (_, it) in case.all(&leg.transactions) {
        let Some(request) = it.request.as_ref().filter(|request| !request.to.tag.is_empty()) else {
            continue;
        };
        let Some(sdp) =
            request.body.sdp.as_deref().filter(|_| matches!(it.method, Method::Invite | Method::Update))
        else {
            continue;
        };
        let Some(first) = it.first() else { continue };
        let holds = is_hold(sdp);
        let code = match (holds, is_held || resumes(sdp, is_held)) {
            (true, _) => "call.hold-failed",
            (false, true) => "call.resume-failed",
            (false, false) => continue,
        };
        match it.status() {
            Some(200..300) => {
                is_held = holds;
                failed = failed.filter(|(known, ..)| *known != code);
            }
            Some(401 | 407 | 422 | 491 | 487) => {}
            Some(_) => failed = Some((code, it, first.at)),
            None if it.answers.is_empty()
                && it.copies.len() >= 2
                && case.rest(first) >= GIVEN_UP
                && !case.is_unheard(it.path.destination.ip()) =>
            {
                failed = Some((code, it, first.at));
            }
            None => {}
        }
    }
    let Some((code, it, _)) = failed else { return };
    let who =
        it.request.as_ref().map(|request| request.from.user.to_string()).filter(|user| !user.is_empty());
    let subject = who.unwrap_or_else(|| callee(case, leg));
    let answer = last_final(it);
    let cause = match answer {
        Some(answer) => format!("The far end says `{}`.", answer_text(answer)),
        None => "The far end does not answer.".to_owned(),
    };
    let finding = Finding::new(code, Severity::Error, subject).cause(cause);
    let what = if code == "call.hold-failed" { "re-INVITE for hold" } else { "re-INVITE for resume" };
    found.add(finding.proof(it.first(), what).proof(answer.and_then(|it| it.first()), "refused"));
}

fn resumes(sdp: &Sdp, is_held: bool) -> bool {
    is_held && !is_hold(sdp)
}
