//! The doctor over the lab: each case, captured at the machine that it names, ends with exactly its verdict.

use proto::Time;
use roles::doctor::{Finding, Severity, Tracks, diagnose, document, read_capture};
use roles::lab::ears::ToneEars;
use roles::lab::script::{Stage, play};
use roles::lab::{Case, Link, Simulated, capture_file, captured_at, cases};

/// Plays a case and takes the capture at its machine.
fn capture(case: &Case, seed: u64) -> Vec<u8> {
    let ears = |desk: &roles::lab::Desk, seed| Box::new(ToneEars::new(desk.tone_hz, seed)) as _;
    let mut stage = Simulated::new(case, Link::DESK, seed, ears).expect("settings that a phone takes");
    play(case, &mut stage);
    capture_file(&captured_at(stage.passed(), stage.ip(case.capture_at)))
}

fn read(file: &[u8]) -> Tracks {
    read_capture("case.pcap", file, Time::from_secs(1_700_000_000))
}

fn above_info(findings: &[Finding]) -> Vec<(&str, &str)> {
    let grave = findings.iter().filter(|finding| finding.severity > Severity::Info);
    let mut all: Vec<_> = grave.map(|finding| (finding.code.as_str(), finding.subject.as_str())).collect();
    all.sort_unstable();
    all
}

#[test]
fn every_case_has_its_verdict() {
    let wrong = cases().iter().filter_map(|case| {
        let tracks = read(&capture(case, 1));
        let findings = diagnose(&tracks);
        let mut meant = case.verdict.to_vec();
        meant.sort_unstable();
        let report = || {
            let text = roles::doctor::report_text(&tracks, &findings, |_, word| word.to_owned());
            format!("{}: {:?} instead of {meant:?}\n{text}", case.slug, above_info(&findings))
        };
        (above_info(&findings) != meant).then(report)
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{} cases have another verdict\n\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_finding_is_proven_by_packets_of_the_capture() {
    for case in cases() {
        let tracks = read(&capture(case, 2));
        let packets = tracks.files.first().and_then(|file| file.packets).unwrap_or_default();
        for finding in diagnose(&tracks).iter().filter(|finding| finding.severity > Severity::Info) {
            let is_inside = |number: u32| u64::from(number) >= 1 && u64::from(number) <= packets;
            assert!(!finding.evidence.is_empty(), "{} {} has no proof", case.slug, finding.code);
            assert!(
                finding.evidence.iter().all(|one| is_inside(one.proof.number)),
                "{} {finding:?}",
                case.slug
            );
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test compares the document that is made from the rules")]
fn the_document_is_made_from_the_rules() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, document()).expect("written");
    }
    let written = std::fs::read_to_string(&path).expect("docs/doctor.md");
    assert!(
        written == document(),
        "UPDATE_DOCS=1 cargo test -p roles the_document writes docs/doctor.md anew"
    );
}
