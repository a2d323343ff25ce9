//! What the phone's own log says, alone or beside a capture.

use std::collections::BTreeMap;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::case::{Case, Findings};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[Explanation {
    code: "prov.unreachable",
    title: "The phone says that a file does not exist or its server cannot be reached",
    seen: "The log alone says so; a capture beside it gives the sharper code.",
    hurts: "The phone gets no configuration, or only a part.",
    example: "provision[22919]: File does not exist or server is unreachable...",
    remedy: &[
        "Check the provisioning URL and the provisioning result in the phone's system log. Make sure that the phone has not been provisioned by other servers before.",
        "Check auto provisioning URL and network environment; if it is a domain name, make sure DNS works.",
        "Capture while the phone asks: then the doctor says which of both it is.",
    ],
    reference: "deck, Auto Provisioning-Troubleshooting",
}];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    registrations(case, found);
    provisioning(case, found);
}

#[derive(Default)]
struct Line {
    account: Option<String>,
    failed: Option<(String, Proof, String)>,
    tried: Option<Proof>,
}

/// `0 Registering To:< sip:6618@h`, `0 Register Fail, 403 Forbidden`, `403 Fail`, `0 Register Success, …`.
fn registrations(case: &Case<'_>, found: &mut Findings) {
    let mut lines: BTreeMap<(u16, String), Line> = BTreeMap::new();
    for line in &case.tracks.log {
        let text = line.text.trim();
        let number = text
            .split_whitespace()
            .next()
            .filter(|word| word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit()));
        let state = lines.entry((line.proof.file, number.unwrap_or("0").to_owned())).or_default();
        if let Some((_, uri)) = text.split_once("Registering To:<") {
            let user = uri
                .trim()
                .trim_start_matches("sip:")
                .trim_start_matches("sips:")
                .split(['@', '>', ';'])
                .next()
                .unwrap_or_default();
            state.account = Some(user.to_owned())
                .filter(|user| !user.is_empty() && uri.contains('@'))
                .or(state.account.take());
            state.tried = Some(line.proof);
        } else if text.contains("Register Success") || text.contains("Reg Success") {
            state.failed = None;
        } else if let Some(code) = failure(text) {
            state.failed = Some((code, line.proof, text.to_owned()));
        }
    }
    for ((_, number), line) in lines {
        let Some((code, proof, text)) = line.failed else { continue };
        let account = line.account.unwrap_or_else(|| format!("line {number}"));
        tell(found, (code, proof, text), &account, line.tried);
    }
}

fn failure(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let is_register = lower.contains("register fail") || lower.contains("reg fail") || is_bare_fail(&lower);
    if !is_register || lower.contains("again with") {
        return None;
    }
    let status = lower
        .split(|c: char| !c.is_ascii_digit())
        .find(|word| word.len() == 3 && matches!(word.as_bytes()[0], b'3'..=b'6'));
    match status {
        Some("401" | "407") => Some("reg.401-loop".to_owned()),
        Some(status) => Some(format!("reg.{status}")),
        None if lower.contains("timeout") || lower.contains("time out") => Some("reg.timeout".to_owned()),
        None => None,
    }
}

/// `403 Fail`.
fn is_bare_fail(lower: &str) -> bool {
    let mut words = lower.split_whitespace();
    let status =
        words.next().is_some_and(|word| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit()));
    status && words.next().is_some_and(|word| word.starts_with("fail")) && words.next().is_none()
}

fn tell(
    found: &mut Findings,
    (code, proof, text): (String, Proof, String),
    account: &str,
    tried: Option<Proof>,
) {
    // What a capture beside the log shows of the same account is sharper.
    let by_capture = ["reg.", "nat.", "transport.", "tls.", "dns."].iter().any(|family| {
        let mut fits =
            found.list.iter_mut().filter(|it| it.code.starts_with(family) && it.severity > Severity::Info);
        let own = fits.find(|it| it.subject == account || account.starts_with("line "));
        own.map(|finding| finding.prove(Some(proof), text.clone())).is_some()
    });
    if by_capture {
        return;
    }
    let cause = match code.as_str() {
        "reg.timeout" => "The phone says that the server does not answer.".to_owned(),
        "reg.401-loop" => "The phone says that the server does not accept its credentials.".to_owned(),
        _ => format!("The phone says `{text}`."),
    };
    let finding = Finding::new(code, Severity::Error, account).cause(cause);
    found.add(finding.proof(tried, "it tries to register").proof(Some(proof), text));
}

fn provisioning(case: &Case<'_>, found: &mut Findings) {
    if found.any("prov.") {
        let first = case.tracks.log.iter().find(|line| is_unreachable(&line.text));
        if let (Some(line), Some(finding)) = (
            first,
            found.list.iter_mut().find(|it| it.code.starts_with("prov.") && it.severity > Severity::Info),
        ) {
            finding.prove(Some(line.proof), line.text.to_string());
        }
        return;
    }
    let mut rule: Option<(Proof, String)> = None;
    for line in &case.tracks.log {
        if let Some((_, url)) = line.text.split_once("Profile Rule [") {
            rule = Some((line.proof, url.trim_end_matches('.').trim_end_matches(']').to_owned()));
        }
        if is_unreachable(&line.text) {
            let name = case.tracks.file_name(line.proof).rsplit('/').next().unwrap_or_default();
            let subject = line.host.as_deref().unwrap_or(name).to_owned();
            let url = rule.as_ref().map_or_else(String::new, |(_, url)| format!(" Its rule is `{url}`."));
            let cause = format!("The file does not exist, or its server cannot be reached.{url}");
            let mut finding = Finding::new("prov.unreachable", Severity::Error, subject).cause(cause);
            finding.prove(rule.as_ref().map(|(proof, _)| *proof), "the profile rule");
            finding.prove(Some(line.proof), line.text.to_string());
            found.add(finding);
        }
    }
}

fn is_unreachable(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("does not exist or server") || lower.contains("file does not exist or")
}
