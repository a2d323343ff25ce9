//! Routers that hide addresses, and what they lose.

use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::tracks::{Transaction, TransactionId};
use super::case::{Case, Findings, SHORT, is_private, number_or, uri_address};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "nat.no-rport",
        title: "The answers go to a port that the router has not opened",
        seen: "A request comes from another port than its Via names, does not ask for rport, and the answer to Via's port never arrives: the request is sent again.",
        hurts: "The phone hears nothing and gives up.",
        example: "REGISTER from 203.0.113.7:40001 with Via 192.168.1.20:5060 · 401 to 203.0.113.7:5060 · REGISTER again",
        remedy: &[
            "If the network environment involves NAT, set the RPort to Enable Direct Process and try again (`account.N.nat.rport`).",
            "Let the server answer to where the request came from (symmetric response). `offhook lab reg-nat-no-rport --once` shows it.",
        ],
        reference: "RFC 3581 §4; deck, Account Registration",
    },
    Explanation {
        code: "nat.binding-expired",
        title: "The router has forgotten the way to the phone",
        seen: "Requests to the address and port seen at REGISTER die, and the phone comes back from another port.",
        hurts: "Between registrations calls do not reach the phone.",
        example: "REGISTER from 203.0.113.7:40001 · INVITE to 203.0.113.7:40001, again, again · REGISTER from 203.0.113.7:40102",
        remedy: &[
            "Switch on keep-alive at the phone, at most every 30 s (`account.N.nat.udp_update_enable`).",
            "Register for a shorter time, or lengthen the UDP timeout of the router.",
        ],
        reference: "RFC 5626 §4.4, RFC 4787 §4.3",
    },
    Explanation {
        code: "nat.contact-unreachable",
        title: "The server calls the private address of a phone behind a router",
        seen: "Requests go to the private Contact itself while the phone's packets come from elsewhere, and die.",
        hurts: "Calls do not reach the phone.",
        example: "REGISTER from 203.0.113.7:40001 with Contact 192.168.1.20 · INVITE to 192.168.1.20:5060, again, again",
        remedy: &[
            "Let the server use the address that the REGISTER came from (nat=yes, fix_nated_register, rewrite_contact).",
            "Let the phone learn its outer address: STUN, or `received` and `rport` of the answers.",
        ],
        reference: "RFC 5626 §1, RFC 3581",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for (id, transaction) in case.tracks.transactions() {
        no_rport(case, found, id, transaction);
        lost_on_the_way_in(case, found, id, transaction);
    }
}

fn no_rport(case: &Case<'_>, found: &mut Findings, id: TransactionId, transaction: &Transaction) {
    let Some(request) = &transaction.request else { return };
    let (source, via_port) = (transaction.path.source, request.via_port.unwrap_or(5060));
    if request.rport || source.port() == via_port {
        return;
    }
    // The answer that went to Via's port, and the request after it: nobody had heard it.
    let astray = transaction.answers.iter().find(|answer| {
        answer
            .path
            .as_ref()
            .is_some_and(|path| path.destination != source && path.destination.port() == via_port)
    });
    let Some(astray) = astray else { return };
    let Some(answered) = astray.first() else { return };
    let again = transaction.copies.iter().copied().find(|copy| copy.at > answered.at);
    let icmp = case.tracks.icmp.iter().find(|it| {
        it.quoted.is_some_and(|quoted| Some(&quoted) == astray.path.as_deref()) && it.proof.at >= answered.at
    });
    if again.is_none() && icmp.is_none() {
        return;
    }
    let is_later = |other: &Transaction| {
        other.call_id == transaction.call_id
            && other.cseq > transaction.cseq
            && other.request.as_ref().is_some_and(|it| it.nonce.is_some() || !it.to.tag.is_empty())
    };
    if case.tracks.transactions().any(|(_, other)| is_later(other)) {
        return;
    }
    found.claim(id);
    let cause = format!(
        "The phone stands behind a router that gave it port {}, and the answers go to port {via_port}, where the router knows nobody.",
        source.port()
    );
    let subject = number_or(&request.from.user, source.ip());
    let finding = Finding::new("nat.no-rport", Severity::Error, subject)
        .cause(cause)
        .proof(
            transaction.copies.first().copied(),
            format!("{} from port {}, Via names {via_port}, no rport", transaction.method, source.port()),
        )
        .proof(Some(answered), format!("the answer goes to port {via_port}"))
        .proof(again, "sent again: the answer did not arrive")
        .proof(icmp.map(|it| it.proof), "ICMP: the answer was not delivered");
    found.add(finding);
}

/// A request to a registered phone that nobody answers.
fn lost_on_the_way_in(case: &Case<'_>, found: &mut Findings, id: TransactionId, transaction: &Transaction) {
    let Some(request) = &transaction.request else { return };
    let Some(&first) = transaction.copies.first() else { return };
    let is_way_in =
        matches!(transaction.method, Method::Invite | Method::Notify | Method::Options | Method::Message);
    if !is_way_in || !transaction.answers.is_empty() || transaction.copies.len() < 2 {
        return;
    }
    let (server, to) = (transaction.path.source.ip(), transaction.path.destination);
    let waited = transaction.copies.last().map_or(first.at, |last| last.at).since(first.at);
    if waited.max(case.rest(first)) < SHORT {
        return;
    }
    for registration in case.tracks.registrations.iter().filter(|it| it.path.destination.ip() == server) {
        let contact = registration.contact.as_deref().and_then(uri_address);
        let source = registration.path.source;
        let subject = number_or(&registration.account, source);
        if registration.successes == 0 {
            continue;
        }
        if contact == Some((to.ip(), to.port())) && is_private(to.ip()) && source.ip() != to.ip() {
            found.claim(id);
            let cause = format!(
                "The phone's packets come from {source}, and the server sends to its Contact {to}, which cannot be reached from there."
            );
            let finding = Finding::new("nat.contact-unreachable", Severity::Error, subject).cause(cause);
            let asked = case.all(&registration.transactions).next().and_then(|(_, it)| it.first());
            return found
                .add(prove_copies(finding.proof(asked, format!("REGISTER from {source}")), transaction));
        }
        let hidden = contact.is_some_and(|(ip, port)| ip != source.ip() || port != source.port());
        let earlier = case
            .all(&registration.transactions)
            .filter(|(_, it)| it.path.source == to && it.first().is_some_and(|it| it.at < first.at))
            .last();
        let back = case
            .all(&registration.transactions)
            .find(|(_, it)| it.path.source != to && it.first().is_some_and(|it| it.at > first.at));
        let elsewhere = case.registrations_of(&registration.account).find(|it| {
            it.path.source.ip() != to.ip() && it.contact == registration.contact && it.from.at > first.at
        });
        let back = back.and_then(|(_, it)| it.first()).or(elsewhere.map(|it| it.from));
        if let (Some((_, earlier)), Some(back), true) = (earlier, back, hidden) {
            found.claim(id);
            let cause = format!(
                "The router has forgotten the way from {to} to the phone: nothing passed for longer than it remembers."
            );
            let mut finding = Finding::new("nat.binding-expired", Severity::Error, subject).cause(cause);
            finding.prove(earlier.first(), format!("REGISTER from {to}"));
            let mut finding = prove_copies(finding, transaction);
            finding.prove(Some(back), "the phone comes back from another port");
            return found.add(finding);
        }
    }
    let _ = request;
}

fn prove_copies(mut finding: Finding, transaction: &Transaction) -> Finding {
    for copy in transaction.copies.iter().take(4) {
        finding.prove(
            Some(*copy),
            format!("{} to {}, no answer", transaction.method, transaction.path.destination),
        );
    }
    finding
}
