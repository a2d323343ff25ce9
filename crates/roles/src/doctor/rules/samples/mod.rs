//! For every code of the contract a case that shows the fault, and beside it one that looks like it and is healthy.

mod calls;
mod files;
mod form;
mod lamps;
mod names;
mod network;
mod recording;
mod registration;
mod security;
mod sound;
mod texts;
mod transport;

use crate::doctor::tape::Tape;
use crate::doctor::{Finding, Severity};

/// A fault and its healthy neighbour.
pub(super) struct Sample {
    code: &'static str,
    faulty: fn() -> Tape,
    healthy: fn() -> Tape,
}

fn all() -> impl Iterator<Item = &'static Sample> {
    let families = [
        registration::SAMPLES,
        transport::SAMPLES,
        names::SAMPLES,
        form::SAMPLES,
        calls::SAMPLES,
        sound::SAMPLES,
        lamps::SAMPLES,
        files::SAMPLES,
        texts::SAMPLES,
        network::SAMPLES,
        security::SAMPLES,
        recording::SAMPLES,
    ];
    families.into_iter().flatten()
}

/// The codes that have a sample.
pub(super) fn sampled() -> impl Iterator<Item = &'static str> {
    all().map(|sample| sample.code)
}

fn codes(findings: &[Finding], least: Severity) -> Vec<&str> {
    let mut codes: Vec<&str> =
        findings.iter().filter(|it| it.severity >= least).map(|it| it.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn above_info(tape: Tape) -> Vec<String> {
    codes(&tape.findings(), Severity::Warning).into_iter().map(str::to_owned).collect()
}

/// The fault is told with its proof, and nothing else above `info`: one root cause is one finding.
#[test]
fn each_fault_is_told_by_its_code_alone() {
    let wrong = all().filter_map(|sample| {
        let findings = (sample.faulty)().findings();
        let own = findings.iter().find(|it| it.code == sample.code);
        let others = codes(&findings, Severity::Warning).iter().any(|code| *code != sample.code);
        let is_proven = own.is_some_and(|it| !it.evidence.is_empty() || sample.code.starts_with("capture."));
        (others || !is_proven).then(|| format!("{}: {:?}", sample.code, shown(&findings)))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_looks_like_a_fault_and_is_healthy_is_told_by_nothing_above_info() {
    let wrong = all().filter_map(|sample| {
        let findings = (sample.healthy)().findings();
        let is_told = findings.iter().any(|it| it.code == sample.code || it.severity > Severity::Info);
        is_told.then(|| format!("{}: {:?}", sample.code, shown(&findings)))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn shown(findings: &[Finding]) -> Vec<String> {
    let packets = |it: &Finding| it.evidence.iter().map(|one| one.proof.number).collect::<Vec<_>>();
    findings
        .iter()
        .map(|it| format!("{} {} {:?} {}", it.severity.word(), it.code, packets(it), it.cause))
        .collect()
}
