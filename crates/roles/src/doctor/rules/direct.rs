//! Calls from address to address.

use super::super::finding::{Finding, Severity};
use super::super::tracks::Leg;
use super::case::{Case, Findings, last_final};

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for (number, call) in (0..).zip(&case.tracks.calls) {
        let legs: Vec<&Leg> = super::calls::legs(case, call).collect();
        if let [leg] = legs[..] {
            judge_leg(case, found, number, leg);
        }
    }
}

fn judge_leg(case: &Case<'_>, found: &mut Findings, number: u32, leg: &Leg) {
    let invites = case.invites(leg);
    let Some((_, invite)) = invites.last() else { return };
    let Some(request) = &invite.request else { return };
    let Some(uri) = proto::sip::uri::Uri::parse(&request.uri) else { return };
    let (from, to) = (leg.path.source.ip(), leg.path.destination.ip());
    if uri.ip() != Some(to) || case.is_registrar(to) || case.is_registrar(from) || request.hops > 1 {
        return;
    }
    // A server calls its phones by address too; they have a user there, and it is no phone itself.
    let registers_elsewhere = case
        .tracks
        .registrations
        .iter()
        .any(|it| it.path.source.ip() == from && it.path.destination.ip() != to);
    if !(uri.user.is_empty() || registers_elsewhere) {
        return;
    }
    let succeeded = leg.answered.is_some();
    let refused = last_final(invite).filter(|answer| answer.status >= 300);
    if !succeeded && refused.is_none() && invite.copies.len() < 2 {
        return;
    }
    let severity = if succeeded { Severity::Info } else { Severity::Warning };
    let cause = format!("The call goes straight from {from} to {to}, past any server.");
    let mut finding = Finding::new("call.direct-ip", severity, to.to_string()).cause(cause);
    finding.prove(invite.copies.first().copied(), format!("INVITE {}", request.uri));
    finding.prove(refused.and_then(|answer| answer.first()), "refused");
    finding.prove(leg.answered, "answered");
    if !succeeded {
        found.claim_call(number);
    }
    found.add(finding);
}
