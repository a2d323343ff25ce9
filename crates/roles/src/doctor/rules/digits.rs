//! Keys that are pressed in a call (DTMF).

use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{Call, Leg, LogLine, SdpMedia};
use super::audio::{FEW, descriptions, is_forward, party, sides, streams};
use super::calls::{callee, legs};
use super::case::{Case, Findings, last_final, number_or};
use super::explain::Explanation;
use crate::settings::Given;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "dtmf.not-sent",
        title: "Keys are pressed and never sent",
        seen: "The phone's log says that keys were pressed in a call, and neither RTP events nor INFO carry them.",
        hurts: "Menus and PINs do not work.",
        example: "log: DTMF 5; no event in RTP and no INFO",
        remedy: &[
            "Set the account's DTMF type to RFC 2833 or SIP INFO, whichever the far end wants (`account.N.dtmf.type`).",
            "Look whether the session descriptions of both ends list telephone-event.",
        ],
        reference: "RFC 4733; deck, DTMF Type",
    },
    Explanation {
        code: "dtmf.mode-mismatch",
        title: "Keys are sent in a way that the far end does not understand",
        seen: "DTMF by INFO is refused, or RTP events are sent to a side that did not agree to telephone-event.",
        hurts: "Menus and PINs do not work.",
        example: "INFO (application/dtmf-relay) · 415",
        remedy: &[
            "Set the DTMF type of both sides alike: RFC 2833, SIP INFO or inband (`account.N.dtmf.type`).",
        ],
        reference: "RFC 4733 §2.1, RFC 6086; deck, DTMF Type",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for leg in &case.tracks.legs {
        refused(case, found, leg);
        not_agreed(case, found, leg);
    }
    not_sent(case, found);
}

/// DTMF by INFO that the far end refuses.
fn refused(case: &Case<'_>, found: &mut Findings, leg: &Leg) {
    for (_, info) in case.all(&leg.transactions).filter(|(_, it)| it.method == Method::Info) {
        let Some(request) = info.request.as_ref().filter(|request| request.body.dtmf.is_some()) else {
            continue;
        };
        let refusal =
            last_final(info).filter(|it| it.status >= 300 && !matches!(it.status, 401 | 407 | 481 | 487));
        let Some(answer) = refusal else { continue };
        let cause = format!("The far end does not take DTMF by INFO: {}.", answer.status);
        let subject = number_or(&request.from.user, info.path.source.ip());
        let finding = Finding::new("dtmf.mode-mismatch", Severity::Warning, subject).cause(cause);
        found.add(finding.proof(info.first(), "INFO with DTMF").proof(answer.first(), "refused"));
    }
}

/// RTP events to a side that did not agree to them.
fn not_agreed(case: &Case<'_>, found: &mut Findings, leg: &Leg) {
    let said = descriptions(case, leg);
    let sides = sides(&said);
    for stream in streams(case, leg).filter(|stream| !stream.digits.is_empty()) {
        let Some(forward) = is_forward(leg, &sides, stream) else { continue };
        let mut receiver = said.iter().filter(|(from_caller, ..)| *from_caller != forward).peekable();
        let agreed =
            receiver.peek().is_none() || receiver.any(|(_, sdp, _)| sdp.audio().is_some_and(takes_events));
        if let Some((digit, proof)) = stream.digits.first().filter(|_| !agreed) {
            let cause = format!(
                "The key {digit} goes as an RTP event, and the far end has not agreed to telephone-event."
            );
            let finding =
                Finding::new("dtmf.mode-mismatch", Severity::Warning, party(case, leg, forward)).cause(cause);
            found.add(
                finding
                    .proof(leg.answered, "no telephone-event in the answer")
                    .proof(Some(*proof), "RTP event"),
            );
        }
    }
}

fn takes_events(audio: &SdpMedia) -> bool {
    audio.formats.iter().any(is_event)
}

fn is_event(format: &super::super::tracks::SdpFormat) -> bool {
    format.name.eq_ignore_ascii_case("telephone-event")
}

/// Keys that the phone's log tells, in a call whose sound was recorded and holds none.
fn not_sent(case: &Case<'_>, found: &mut Findings) {
    let keys: Vec<(&LogLine, char)> =
        case.tracks.log.iter().filter_map(|line| Some((line, pressed(&line.text)?))).collect();
    if keys.is_empty() {
        return;
    }
    let answered: Vec<&Call> =
        case.tracks.calls.iter().filter(|call| legs(case, call).any(|leg| leg.answered.is_some())).collect();
    for call in &answered {
        // Phones whose clock is another's than the capture's are common: with one call alone it is that one.
        let own: Vec<_> = match answered.len() {
            1 => keys.clone(),
            _ => keys.iter().copied().filter(|(line, _)| is_during(case, call, line.proof)).collect(),
        };
        if !own.is_empty() && shows_sound(case, call) && !carries_keys(case, call) {
            tell_not_sent(case, found, call, &own);
        }
    }
}

fn is_during(case: &Case<'_>, call: &Call, pressed: Proof) -> bool {
    legs(case, call).any(|leg| {
        leg.answered.is_some_and(|answered| {
            let end = leg.ended.map_or_else(|| case.end(answered), |ended| ended.at);
            pressed.at >= answered.at && pressed.at <= end
        })
    })
}

fn shows_sound(case: &Case<'_>, call: &Call) -> bool {
    legs(case, call).any(|leg| !leg.settled && streams(case, leg).any(|stream| stream.packets >= FEW))
}

/// Whether any leg of a call carries keys: by INFO, as events, or under the payload type of events where the sound
/// is encrypted.
fn carries_keys(case: &Case<'_>, call: &Call) -> bool {
    legs(case, call).any(|leg| {
        let by_info = case.all(&leg.transactions).any(|(_, it)| {
            it.method == Method::Info
                && it.request.as_ref().is_some_and(|request| request.body.dtmf.is_some())
        });
        let events: Vec<u8> = descriptions(case, leg)
            .iter()
            .filter_map(|(_, sdp, _)| sdp.audio())
            .flat_map(|audio| audio.formats.iter().filter(|format| is_event(format)))
            .map(|format| format.payload_type)
            .collect();
        let by_event = streams(case, leg).any(|stream| {
            !stream.digits.is_empty() || stream.payload_types.iter().any(|(kind, ..)| events.contains(kind))
        });
        by_info || by_event
    })
}

fn tell_not_sent(case: &Case<'_>, found: &mut Findings, call: &Call, keys: &[(&LogLine, char)]) {
    let Some(leg) = legs(case, call).find(|leg| leg.answered.is_some()) else { return };
    let agreed = |from_caller: bool| {
        let said = descriptions(case, leg);
        said.iter().any(|(by, sdp, _)| *by == from_caller && sdp.audio().is_some_and(takes_events))
    };
    let why = match (agreed(true), agreed(false)) {
        (true, true) => {
            "Both ends agreed to RTP events (telephone-event), and none is sent: the phone's DTMF type is another."
        }
        (false, false) => {
            "Neither end offers RTP events (telephone-event), and no INFO is sent: the keys go as mere sound or not at all."
        }
        _ => "One end alone offers RTP events (telephone-event): the DTMF types of both ends differ.",
    };
    let pressed: String = keys.iter().take(16).map(|(_, key)| *key).collect();
    let subject = case.account_at(leg.path.source.ip()).map_or_else(|| callee(case, leg), str::to_owned);
    let mut finding = Finding::new("dtmf.not-sent", Severity::Warning, subject)
        .cause(format!("The log tells the keys {pressed}. {why}"))
        .proof(leg.answered, "the call is answered")
        .proof(streams(case, leg).next().map(|stream| stream.first), "its sound, without events");
    for (line, _) in keys.iter().take(4) {
        finding.prove(Some(line.proof), line.text.to_string());
    }
    if let Some((proof, what)) = setting(case) {
        finding.prove(Some(proof), what);
    }
    found.add(finding);
}

/// The DTMF type in a configuration file, where it is another than RTP events (0 inband, 2 INFO).
fn setting(case: &Case<'_>) -> Option<(Proof, String)> {
    case.tracks.configs.iter().find_map(|config| {
        config.assignments.iter().find_map(|it| {
            let key = it.key.to_string();
            let Given::Text(value) = &it.given else { return None };
            let is_other = key.ends_with(".dtmf.type") && matches!(&**value, "0" | "2");
            let proof = Proof { at: proto::Time::ZERO, file: config.file, number: it.line.max(1), offset: 0 };
            is_other.then(|| (proof, format!("{key} = {value}")))
        })
    })
}

/// `Send DTMF 5`, `dtmf: digit=5`: the key. A line about the DTMF type or payload is none.
fn pressed(text: &str) -> Option<char> {
    let lower = text.to_ascii_lowercase();
    let (_, after) = lower.split_once("dtmf")?;
    if ["type", "mode", "payload", "rfc", "info"].iter().any(|word| lower.contains(word)) {
        return None;
    }
    let words = after.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '*' | '#'));
    let is_key = |word: &str| matches!(word.as_bytes(), [b'0'..=b'9' | b'*' | b'#']);
    words.into_iter().find(|word| is_key(word)).and_then(|word| word.chars().next())
}
