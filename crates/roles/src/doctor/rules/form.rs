//! Messages that are broken, and pieces of them that are lost.

use std::collections::BTreeSet;
use std::net::IpAddr;

use proto::sip::message::{Flaw, FlawKind, Message};

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{Body, Request, Said, Transaction};
use super::case::{Case, Findings, is_private, number_or, uri_address};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "sip.alg",
        title: "Something on the way changes SIP messages",
        seen: "Content-Length does not fit the session description although the packet is whole, and the message names private and public addresses side by side: some were rewritten, others and the length were not.",
        hurts: "The receiver cuts off or refuses the message; calls fail or are silent.",
        example: "INVITE with Content-Length 241 and a body of 246 bytes whose c= line holds the router's address",
        remedy: &[
            "Switch off SIP ALG (\"SIP helper\", \"SIP fixup\", \"application layer gateway\") in the router or firewall.",
            "Use TLS, which nobody on the way can change.",
            "Capture at the phone and at the server, and compare the same message: `offhook doctor phone.pcap server.pcap`.",
        ],
        reference: "RFC 3261 §18.3, RFC 6314 §3",
    },
    Explanation {
        code: "sip.malformed",
        title: "A message is not SIP as the standard demands",
        seen: "A message on its way to a SIP port cannot be read, or has faults for which the receiver refuses it; the first fault is named with its byte.",
        hurts: "The receiver drops or refuses it.",
        example: "a start line that is none; a missing Call-ID; a Content-Length that is no number",
        remedy: &[
            "Look at the named byte; update the device that sends it.",
            "Look whether something on the way changes messages (SIP ALG).",
        ],
        reference: "RFC 3261 §7, §25.1",
    },
    Explanation {
        code: "net.udp-fragment-lost",
        title: "A fragment of a SIP message is lost",
        seen: "An IP datagram that begins as SIP is not complete.",
        hurts: "The message never arrives; large ones, as INVITEs with many codecs, fail every time.",
        example: "the first 1,480 bytes of an INVITE, and never the rest",
        remedy: &[
            "Let fragments pass the firewall, or use TCP for SIP (RFC 3261 §18.1.1 asks for it from 1,300 bytes on).",
            "Make messages smaller: fewer codecs, compact headers.",
            "Check the MTU of tunnels and PPPoE on the way.",
        ],
        reference: "RFC 3261 §18.1.1, RFC 791 §3.2",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    not_sip(case, found);
    flawed(case, found);
    fragments(case, found);
}

fn not_sip(case: &Case<'_>, found: &mut Findings) {
    for broken in case.tracks.not_sip.iter().take(100) {
        let cause =
            format!("{} sends what receivers do not take as SIP: {}.", broken.path.source, broken.why);
        let finding = Finding::new("sip.malformed", Severity::Warning, broken.path.source.ip().to_string())
            .cause(cause);
        found.add(finding.proof(Some(broken.proof), format!("byte {}: {}", broken.byte, broken.why)));
    }
}

fn flawed(case: &Case<'_>, found: &mut Findings) {
    let cut: BTreeSet<u16> = (0..)
        .zip(&case.tracks.files)
        .filter(|(_, file)| file.cut_packets > 0)
        .map(|(index, _)| index)
        .collect();
    for (_, transaction) in case.tracks.transactions() {
        if let Some(request) = &transaction.request {
            let subject = number_or(&request.from.user, transaction.path.source.ip());
            let refused = matches!(transaction.status(), Some(400 | 413 | 414 | 416 | 505 | 513));
            let what = transaction.method.to_string();
            tell(
                found,
                &cut,
                (transaction.copies.first().copied(), &what),
                (&request.flaws, &request.body),
                &subject,
                refused,
                is_half_rewritten(&request_addresses(transaction, request)),
            );
        }
        for answer in &transaction.answers {
            let Some(said) = &answer.said else { continue };
            let subject = transaction.path.destination.ip().to_string();
            let what = format!("{} to {}", answer.status, transaction.method);
            tell(
                found,
                &cut,
                (answer.first(), &what),
                (&said.flaws, &said.body),
                &subject,
                is_unheeded(transaction),
                is_half_rewritten(&answer_addresses(said)),
            );
        }
    }
}

/// Whether the requester acts as if it had not got the answer.
fn is_unheeded(transaction: &Transaction) -> bool {
    let answered = transaction.last_answer().and_then(|answer| answer.first());
    let last = transaction.copies.last();
    matches!((answered, last), (Some(answered), Some(last)) if last.at > answered.at)
}

fn tell(
    found: &mut Findings,
    cut: &BTreeSet<u16>,
    (proof, what): (Option<Proof>, &str),
    (flaws, body): (&[Flaw], &Body),
    subject: &str,
    refused: bool,
    half_rewritten: bool,
) {
    let Some(proof) = proof.filter(|proof| !cut.contains(&proof.file)) else { return };
    // A packet that cannot be cut into messages has been told.
    if found.rests_on("sip.", proof) {
        return;
    }
    let Some(flaw) = flaws.iter().find(|flaw| is_grave(flaw.kind) || refused) else { return };
    let is_length = matches!(flaw.kind, FlawKind::ContentLengthLong | FlawKind::Surplus);
    let place = format!("byte {}: {} ({})", flaw.at, flaw.kind.text(), flaw.kind.section());
    if is_length && half_rewritten && body.sdp.is_some() {
        let cause = format!(
            "The {what} has a session description whose length is not the one that it says: a SIP ALG has most likely rewritten it."
        );
        return found
            .add(Finding::new("sip.alg", Severity::Error, subject).cause(cause).proof(Some(proof), place));
    }
    if !refused && !is_length && !is_grave(flaw.kind) {
        return;
    }
    let severity = if refused { Severity::Error } else { Severity::Warning };
    let hint = match is_length && body.sdp.is_some() {
        true => " The sender counts wrongly, or a SIP ALG on the way has changed the body.",
        false => "",
    };
    let cause = format!("The {what} is malformed: {}.{hint}", flaw.kind.text());
    found.add(Finding::new("sip.malformed", severity, subject).cause(cause).proof(Some(proof), place));
}

/// The addresses that a request names for its sender: Via, Contact, Call-ID and the session description. Behind a
/// proxy the topmost Via is not the sender's.
fn request_addresses(transaction: &Transaction, request: &Request) -> BTreeSet<IpAddr> {
    let mut named = body_addresses(&request.body);
    let call_id = transaction.call_id.rsplit_once('@').map(|(_, host)| host);
    let via = Some(&*request.via_host).filter(|_| request.hops == 1);
    named.extend([call_id, via].into_iter().flatten().filter_map(|host| host.parse::<IpAddr>().ok()));
    named.extend(request.contact.as_deref().and_then(uri_address).map(|(ip, _)| ip));
    named
}

/// The addresses that an answer names for its sender.
fn answer_addresses(said: &Said) -> BTreeSet<IpAddr> {
    let mut named = body_addresses(&said.body);
    named.extend(said.contacts.first().and_then(|contact| uri_address(contact)).map(|(ip, _)| ip));
    named
}

fn body_addresses(body: &Body) -> BTreeSet<IpAddr> {
    let Some(sdp) = &body.sdp else { return BTreeSet::new() };
    let origin = sdp.origin.parse().ok();
    origin.into_iter().chain(sdp.audio().and_then(|audio| audio.address).map(|at| at.ip())).collect()
}

/// Private and public addresses side by side.
fn is_half_rewritten(named: &BTreeSet<IpAddr>) -> bool {
    named.iter().any(|address| is_private(*address)) && named.iter().any(|address| !is_private(*address))
}

/// Faults that receivers commonly do not forgive.
fn is_grave(kind: FlawKind) -> bool {
    use FlawKind as K;
    matches!(
        kind,
        K::Version
            | K::StatusCode
            | K::NoColon
            | K::ContentLengthValue
            | K::ContentLengthLong
            | K::Surplus
            | K::ContentLengthTwice
            | K::MissingVia
            | K::MissingFrom
            | K::MissingTo
            | K::MissingCallId
            | K::MissingCSeq
            | K::CSeq
            | K::CSeqMethod
    )
}

fn fragments(case: &Case<'_>, found: &mut Findings) {
    for lost in case.tracks.lost_fragments.iter().filter(|lost| lost.is_sip) {
        let message = Message::parse(&lost.head).ok();
        let user = message
            .as_ref()
            .and_then(|message| message.from())
            .map(|from| from.user().into_owned())
            .unwrap_or_default();
        let call_id = message.as_ref().map(|message| message.call_id()).unwrap_or_default();
        let cseq = message.as_ref().and_then(|message| message.cseq()).map(|cseq| cseq.number);
        let came = case
            .tracks
            .transactions()
            .any(|(_, it)| !call_id.is_empty() && *it.call_id == *call_id && Some(it.cseq) == cseq);
        let severity = if came { Severity::Info } else { Severity::Error };
        let cause = format!(
            "A message from {} to {} is longer than a packet, and only {} bytes of it come.",
            lost.source, lost.destination, lost.bytes
        );
        let finding =
            Finding::new("net.udp-fragment-lost", severity, number_or(&user, lost.source)).cause(cause);
        found.add(finding.proof(Some(lost.proof), "a fragment whose rest is missing"));
    }
}
