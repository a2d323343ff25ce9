//! The rules: from tracks to findings. One file holds what belongs together, with an explanation for each code.
//!
//! Order matters: a layer below is judged before one above, and what a sharper rule has explained (a transaction
//! or a call that it claims) is left alone by the others.

mod audio;
mod calls;
mod case;
mod certificate;
mod config;
mod digits;
mod direct;
mod explain;
mod files;
mod form;
mod lamps;
mod log;
mod names;
mod nat;
mod network;
mod quality;
mod recording;
mod registration;
mod restarts;
#[cfg(test)]
mod samples;
mod security;
mod sessions;
mod transfers;
mod transport;

pub use explain::Explanation;

use super::finding::Finding;
use super::tracks::Tracks;
use case::{Case, Findings};

/// All rules in the order in which they are asked.
const RULES: &[fn(&Case<'_>, &mut Findings)] = &[
    config::judge,
    network::judge,
    names::judge,
    security::judge,
    transport::judge,
    form::judge,
    nat::judge,
    registration::judge,
    files::judge,
    lamps::judge,
    transfers::judge,
    sessions::judge,
    direct::judge,
    audio::judge,
    digits::judge,
    calls::judge,
    quality::judge,
    restarts::judge,
    log::judge,
    recording::judge,
];

const EXPLAINED: &[&[Explanation]] = &[
    registration::EXPLAINED,
    transport::EXPLAINED,
    names::EXPLAINED,
    nat::EXPLAINED,
    form::EXPLAINED,
    calls::EXPLAINED,
    sessions::EXPLAINED,
    transfers::EXPLAINED,
    audio::EXPLAINED,
    digits::EXPLAINED,
    quality::EXPLAINED,
    lamps::EXPLAINED,
    files::EXPLAINED,
    log::EXPLAINED,
    config::EXPLAINED,
    restarts::EXPLAINED,
    network::EXPLAINED,
    security::EXPLAINED,
    recording::EXPLAINED,
];

/// What is wrong in a case, the gravest first.
pub fn diagnose(tracks: &Tracks) -> Vec<Finding> {
    let case = Case::new(tracks);
    let mut found = Findings::default();
    for rule in RULES {
        rule(&case, &mut found);
    }
    let mut list = found.list;
    for finding in &mut list {
        complete(finding);
    }
    list.sort_by_key(|finding| {
        (std::cmp::Reverse(finding.severity), finding.evidence.first().map(|one| one.proof))
    });
    list
}

/// Fills in what the code explains.
fn complete(finding: &mut Finding) {
    finding.evidence.sort_by_key(|one| one.proof);
    if let Some(explanation) = explain(&finding.code) {
        finding.title = explanation.title.to_owned();
        finding.reference = explanation.reference.to_owned();
        finding.remedy = explanation.remedy.iter().map(|step| (*step).to_owned()).collect();
    }
}

/// All explanations, by family.
pub fn explanations() -> impl Iterator<Item = &'static Explanation> {
    EXPLAINED.iter().copied().flatten()
}

/// What a code means; a code of its own comes before its family.
pub fn explain(code: &str) -> Option<&'static Explanation> {
    let exact = explanations().find(|it| it.code == code);
    exact.or_else(|| explanations().find(|it| it.explains(code)))
}

/// `docs/doctor.md`.
pub fn document() -> String {
    let mut text = "# What the doctor finds\n\nMade from the rules; `offhook doctor --explain CODE` prints one of these.\n".to_owned();
    let mut family = "";
    for explanation in explanations() {
        let own = explanation.code.split('.').next().unwrap_or_default();
        if own != family {
            family = own;
            text += &format!("\n## {family}\n");
        }
        text.push('\n');
        text += &explanation.markdown();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes of the contract; families by one member of theirs.
    const CODES: &str = "reg.401-loop reg.403 reg.403-multiple reg.404 reg.423 reg.503 reg.timeout \
        reg.icmp-port-unreachable transport.tcp-refused transport.tcp-no-answer tls.unknown-ca tls.expired \
        tls.name-mismatch tls.version dns.nxdomain dns.no-answer nat.no-rport nat.binding-expired \
        nat.contact-unreachable sip.alg sip.malformed net.udp-fragment-lost call.403 call.404 call.408 call.480 \
        call.480-dnd call.486 call.488-codec call.500 call.503 call.603 call.not-registered call.direct-ip call.no-ack \
        call.no-answer-to-invite call.dropped-session-timer call.resume-failed call.hold-failed call.auth-loop \
        call.slow-setup transfer.refer-rejected transfer.failed-404 transfer.replaces-481 transfer.no-notify \
        forward.loop audio.none audio.oneway audio.nat-private-sdp media.pt-mismatch media.codec-asymmetric \
        srtp.required srtp.answer-mismatch srtp.plain-rtp quality.gap quality.loss quality.jitter dtmf.not-sent \
        dtmf.mode-mismatch blf.403 blf.404 blf.423 blf.481 blf.489 blf.no-notify blf.notify-481 \
        blf.notify-unanswered blf.target-unregistered blf.wrong-server blf.state-wrong prov.tftp-not-found \
        prov.tftp-no-answer prov.tftp-stalled prov.http-401 prov.http-404 prov.http-5xx prov.tls prov.ftp-login \
        prov.ftp-not-found prov.dns prov.no-server prov.not-a-config prov.unreachable cfg.syntax cfg.unknown-key \
        cfg.bad-value cfg.duplicate cfg.encoding cfg.account-disabled boot.syntax cfg.blf-incomplete \
        prov.pnp-no-answer prov.pnp-conflict prov.reboot-loop prov.wrong-server reboot.check-sync reboot.provisioning \
        reboot.power reboot.crash phone.resend-storm dhcp.no-offer dhcp.nak dhcp.duplicate-ip dhcp.no-option66 \
        vlan.mismatch vlan.no-policy vlan.conflict sec.scanner sec.guessing capture.sip-only capture.truncated \
        capture.one-sided capture.drops capture.clock capture.unjudged capture.no-sip";

    #[test]
    fn every_code_has_an_explanation() {
        for code in CODES.split_whitespace() {
            let explanation = explain(code).unwrap_or_else(|| panic!("{code} is not explained"));
            let said = [explanation.title, explanation.seen, explanation.hurts, explanation.example];
            assert!(said.iter().all(|text| !text.is_empty()) && !explanation.remedy.is_empty(), "{code}");
        }
    }

    #[test]
    fn every_code_of_the_contract_is_raised_by_a_sample() {
        let sampled: Vec<&str> = samples::sampled().collect();
        let missing: Vec<&str> = CODES.split_whitespace().filter(|code| !sampled.contains(code)).collect();
        let unknown: Vec<&str> = sampled
            .iter()
            .copied()
            .filter(|code| !CODES.split_whitespace().any(|known| known == *code))
            .collect();
        assert!(
            missing.is_empty() && unknown.is_empty(),
            "no sample: {missing:?}; not in the contract: {unknown:?}"
        );
    }

    #[test]
    fn every_code_is_explained_once() {
        let mut codes: Vec<&str> = explanations().map(|it| it.code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn nothing_at_all_is_healthy() {
        assert!(diagnose(&Tracks::default()).is_empty());
    }
}
