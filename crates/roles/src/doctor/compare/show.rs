//! A comparison for people and for scripts.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::difference::{Comparison, Difference, MATTERS, Trace};
use crate::doctor::Proof;
use crate::doctor::finding::Finding;
use crate::doctor::tracks::Tracks;

/// Differences that are shown to a person.
const SHOWN_LIMIT: usize = 30;

/// For a person: the first difference that matters, then all that matter by their weight, then how many are left out.
pub fn to_text(
    comparison: &Comparison,
    traces: (&Trace, &Trace),
    findings: (&[Finding], &[Finding]),
) -> String {
    let (working, failing) = (&traces.0.tracks, &traces.1.tracks);
    let mut text = match &comparison.first {
        Some(first) => {
            format!("The first difference that matters: {}: {}\n", plain(&first.talk), plain(&first.what))
        }
        None if comparison.aligned == 0 => {
            "The two have no message of the same role: nothing can be compared.\n".to_owned()
        }
        None => "No difference matters.\n".to_owned(),
    };
    if let Some(first) = &comparison.first {
        places(first, working, failing, &mut text);
    }
    let only: Vec<&Finding> = only_in(findings.1, findings.0);
    // Writing into a string cannot fail.
    if !only.is_empty() {
        text += "\nFound in the failing one alone:\n";
        for finding in only {
            let _ = writeln!(
                text,
                "  {} {}  {}: {}",
                finding.severity.word(),
                finding.code,
                plain(&finding.subject),
                plain(&finding.cause)
            );
        }
    }
    let (grave, slight): (Vec<_>, Vec<_>) =
        comparison.differences.iter().partition(|it| it.weight >= MATTERS);
    if !grave.is_empty() {
        text += "\nAll that matter, the weightiest first:\n";
    }
    for difference in grave.iter().take(SHOWN_LIMIT) {
        let _ = writeln!(
            text,
            "{:>3} {}  {}: {}",
            difference.weight,
            difference.kind.name(),
            plain(&difference.talk),
            plain(&difference.what)
        );
        places(difference, working, failing, &mut text);
    }
    let more = grave.len().saturating_sub(SHOWN_LIMIT) + slight.len();
    if more > 0 {
        let _ = writeln!(text, "\n{more} slighter differences are left out; --json has them.");
    }
    let _ = writeln!(text, "\n{} messages have the same role in both.", comparison.aligned);
    text
}

fn places(difference: &Difference, working: &Tracks, failing: &Tracks, text: &mut String) {
    for (name, place, tracks) in
        [("working", &difference.working, working), ("failing", &difference.failing, failing)]
    {
        let _ = match place {
            Some((proof, value)) => writeln!(
                text,
                "      {name}  {} packet {}  {}",
                plain(tracks.file_name(*proof)),
                proof.number,
                plain(value)
            ),
            None => writeln!(text, "      {name}  nothing"),
        };
    }
}

/// What came from outside may not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The findings of one that the other has not, whatever they are about.
fn only_in<'a>(all: &'a [Finding], others: &[Finding]) -> Vec<&'a Finding> {
    all.iter().filter(|it| !others.iter().any(|other| other.code == it.code)).collect()
}

/// For a script.
pub fn to_json(
    comparison: &Comparison,
    traces: (&Trace, &Trace),
    findings: (&[Finding], &[Finding]),
) -> Value {
    let (working, failing) = (&traces.0.tracks, &traces.1.tracks);
    let place = |place: &Option<(Proof, String)>, tracks: &Tracks| {
        place.as_ref().map(|(proof, value)| {
            json!({"file": tracks.file_name(*proof), "packet": proof.number, "at": proof.at.rfc3339(), "value": value})
        })
    };
    let row = |it: &Difference| {
        json!({
            "kind": it.kind.name(), "weight": it.weight, "matters": it.weight >= MATTERS, "talk": it.talk, "what": it.what,
            "working": place(&it.working, working), "failing": place(&it.failing, failing),
        })
    };
    let only = |all: &[Finding], others: &[Finding], tracks: &Tracks| {
        only_in(all, others).iter().map(|finding| finding.to_json(tracks)).collect::<Vec<_>>()
    };
    json!({
        "first": comparison.first.as_ref().map(row),
        "differences": comparison.differences.iter().map(row).collect::<Vec<_>>(),
        "aligned": comparison.aligned,
        "findings": {
            "working": only(findings.0, findings.1, working),
            "failing": only(findings.1, findings.0, failing),
        },
    })
}
