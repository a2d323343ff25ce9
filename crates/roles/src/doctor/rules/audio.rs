//! Calls that are silent, and sound that is not what was agreed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proto::Time;
use proto::sdp::attribute::Direction;
use proto::sip::Method;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{Leg, Sdp, SdpMedia, Stream, Transaction};
use super::calls::{callee, legs};
use super::case::{Case, Findings, is_private, last_final, number_or, said_text};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "audio.none",
        title: "The call is silent in both directions",
        seen: "A call stands for 3 s or more, and no RTP passes although the capture is not of SIP alone.",
        hurts: "Nobody hears anything.",
        example: "INVITE · 200 · ACK · (no RTP) · BYE",
        remedy: &[
            "Look at the addresses and ports of both session descriptions: can each side reach the other's?",
            "Look for a firewall that drops the RTP ports.",
            "Capture at the phone itself to see whether it sends at all: `offhook phone --pcap FILE`.",
        ],
        reference: "RFC 3264 §5.1; deck, One-way audio",
    },
    Explanation {
        code: "audio.oneway",
        title: "One side hears nothing",
        seen: "A call stands for 3 s or more with RTP in one direction alone, although both were agreed to send.",
        hurts: "One party talks to nobody.",
        example: "RTP from 192.168.80.23:10000 to 192.168.50.19:10002, none back",
        remedy: &[
            "Check the audio codec, make sure that both sides negotiate the same audio codec.",
            "Check the network environment: NAT, firewall, routing between the two RTP addresses.",
            "Check whether there are any other models or softphones that work fine in the same scenario with the same account.",
            "Capture at the silent side: does the RTP leave it? `offhook lab one-way-audio --once` shows such a trace.",
        ],
        reference: "RFC 3264 §5.1; deck, One-way audio",
    },
    Explanation {
        code: "audio.nat-private-sdp",
        title: "The sound goes to a private address that cannot be reached",
        seen: "A side behind a router names its private address in SDP, and no sound reaches it.",
        hurts: "That side hears nothing.",
        example: "SIP from 203.0.113.7, c=IN IP4 192.168.1.20",
        remedy: &[
            "Let the server relay the sound and send it to where the phone's own comes from (symmetric RTP).",
            "Switch on STUN at the phone, and check NAT settings of the account.",
            "Switch off SIP ALG that rewrites only a part.",
        ],
        reference: "RFC 3264 §5.1, RFC 4961",
    },
    Explanation {
        code: "media.pt-mismatch",
        title: "The sound comes with a payload type that was not agreed",
        seen: "RTP has a payload type that the receiver's session description does not list.",
        hurts: "The receiver drops it or plays noise.",
        example: "agreed: 8 (PCMA), 101; sent: 0 (PCMU)",
        remedy: &[
            "Check the audio codec, make sure that both sides negotiate the same audio codec. Filter rtp, you can only see one type of codec.",
            "Update the side that sends; RFC 3264 asks for the numbers of the other side.",
        ],
        reference: "RFC 3264 §5.1, §6.1; deck, One-way audio",
    },
    Explanation {
        code: "media.codec-asymmetric",
        title: "Both directions use different codecs",
        seen: "Each direction plays, with another of the agreed codecs; info.",
        hurts: "Some phones play one codec alone at a time, and a transcoder must do both.",
        example: "PCMA one way, PCMU back",
        remedy: &[
            "Put the codecs of both sides into the same order. Filter rtp, you can only see one type of codec.",
        ],
        reference: "RFC 3264 §5.1; deck, One-way audio",
    },
    Explanation {
        code: "srtp.required",
        title: "One side wants encrypted sound and the other does not offer it",
        seen: "INVITE is refused with 488 since only one side wants SRTP.",
        hurts: "The call does not come about.",
        example: "INVITE (RTP/AVP) · 488 Not Acceptable Here (Warning: 304 …)",
        remedy: &[
            "Check whether the account set SRTP on the PBX server, if so, the phone needs to enable SRTP (`account.N.srtp_encryption`).",
            "Make it optional at the side that demands it. `offhook lab srtp-required --once` shows such a trace.",
        ],
        reference: "RFC 4568 §5.1; deck, SIP Call - Troubleshooting",
    },
    Explanation {
        code: "srtp.answer-mismatch",
        title: "The answer has another media profile than the offer",
        seen: "RTP/SAVP is answered with RTP/AVP, or the other way round.",
        hurts: "One side encrypts and the other does not: noise or silence.",
        example: "m=audio 4000 RTP/SAVP 8 · 200 with m=audio 5000 RTP/AVP 8",
        remedy: &[
            "Set both sides to encrypt, or neither.",
            "Update the side that answers: RFC 3264 §6 demands the profile of the offer.",
        ],
        reference: "RFC 3264 §6, RFC 4568 §5.1.2",
    },
    Explanation {
        code: "srtp.plain-rtp",
        title: "Encryption was agreed and the sound is in clear",
        seen: "SAVP was agreed, and the RTP is readable.",
        hurts: "The receiver drops it, or everybody can listen.",
        example: "a=crypto in offer and answer, plain PCMA in RTP",
        remedy: &[
            "Look whether a relay between decrypts and forgets to encrypt; update the side that sends in clear.",
        ],
        reference: "RFC 3711, RFC 4568",
    },
];

/// A call that stands for so long has sound.
const STANDS: Duration = Duration::from_secs(3);
/// So long sound in one direction alone is no mere beginning.
const ONE_WAY: Duration = Duration::from_millis(1_500);
/// Fewer packets may be the rest of something else.
pub(super) const FEW: u64 = 10;

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for (number, call) in (0..).zip(&case.tracks.calls) {
        let all: Vec<&Leg> = legs(case, call).collect();
        profiles(case, found, number, &all);
        if !silent(case, found, number, &all) {
            for leg in &all {
                agreed(case, found, leg);
            }
        }
    }
}

/// What both sides of a leg said last of the sound: caller's and callee's.
#[derive(Clone, Copy, Default)]
pub(super) struct Sides<'a> {
    pub(super) caller: Option<&'a SdpMedia>,
    pub(super) callee: Option<&'a SdpMedia>,
}

/// All session descriptions of a leg: whether the caller's side gave it, and of which transaction.
pub(super) fn descriptions<'a>(case: &Case<'a>, leg: &'a Leg) -> Vec<(bool, &'a Sdp, Time)> {
    let mut all = Vec::new();
    for (_, it) in case.all(&leg.transactions) {
        if !matches!(it.method, Method::Invite | Method::Update) || matches!(it.status(), Some(300..)) {
            continue;
        }
        let from_caller = by_caller(leg, it);
        let at = it.first().map_or(Time::ZERO, |first| first.at);
        if let Some(sdp) = it.request.as_ref().and_then(|request| request.body.sdp.as_deref()) {
            all.push((from_caller, sdp, at));
        }
        for answer in it.answers.iter().filter(|answer| answer.status < 300) {
            if let Some(sdp) = answer.said.as_ref().and_then(|said| said.body.sdp.as_deref()) {
                all.push((!from_caller, sdp, answer.first().map_or(at, |first| first.at)));
            }
        }
    }
    all
}

fn by_caller(leg: &Leg, it: &Transaction) -> bool {
    match &it.request {
        Some(request) if !leg.from.tag.is_empty() => request.from.tag == leg.from.tag,
        _ => it.path.source == leg.path.source,
    }
}

pub(super) fn sides<'a>(all: &[(bool, &'a Sdp, Time)]) -> Sides<'a> {
    let mut sides = Sides::default();
    for (from_caller, sdp, _) in all {
        let audio = sdp.audio().filter(|audio| audio.port != 0);
        match from_caller {
            true => sides.caller = audio,
            false => sides.callee = audio,
        }
    }
    sides
}

/// How long a leg stood, as far as the capture shows.
fn stood(case: &Case<'_>, leg: &Leg) -> Option<Duration> {
    let answered = leg.answered?;
    let end = leg.ended.map_or_else(|| case.end(answered), |ended| ended.at);
    Some(end.since(answered.at))
}

/// Whether the sound was to flow both ways for the whole of the leg.
fn was_to_flow(all: &[(bool, &Sdp, Time)]) -> bool {
    !all.is_empty()
        && all.iter().all(|(_, sdp, _)| {
            sdp.audio().is_some_and(|audio| {
                audio.port != 0 && !audio.unspecified && audio.direction == Direction::SendRecv
            })
        })
}

/// Whether sound of a leg goes from the caller's side.
pub(super) fn is_forward(leg: &Leg, sides: &Sides<'_>, stream: &Stream) -> Option<bool> {
    let (source, destination) = (stream.path.source, stream.path.destination);
    let is = |media: Option<&SdpMedia>, at: SocketAddr| media.is_some_and(|media| media.address == Some(at));
    if is(sides.callee, destination) || is(sides.caller, source) {
        return Some(true);
    }
    if is(sides.caller, destination) || is(sides.callee, source) {
        return Some(false);
    }
    let (caller, callee) = (leg.path.source.ip(), leg.path.destination.ip());
    match (source.ip(), destination.ip()) {
        (from, to) if from == caller || to == callee => Some(true),
        (from, to) if from == callee || to == caller => Some(false),
        _ => None,
    }
}

pub(super) fn streams<'a>(case: &Case<'a>, leg: &'a Leg) -> impl Iterator<Item = &'a Stream> {
    let tracks = case.tracks;
    leg.streams.iter().filter_map(move |&index| tracks.streams.get(index as usize))
}

/// Tells of a call without sound; true where it has told.
fn silent(case: &Case<'_>, found: &mut Findings, number: u32, all: &[&Leg]) -> bool {
    if found.has_call(number) || case.tracks.files.iter().any(|file| file.unjudged.contains_key("fax (T.38)"))
    {
        return false;
    }
    for leg in all {
        let said = descriptions(case, leg);
        let Some(stood) = stood(case, leg).filter(|stood| *stood >= ONE_WAY) else { continue };
        if !was_to_flow(&said) || case.is_unheard(leg.path.destination.ip()) || leg.settled {
            continue;
        }
        let sides = sides(&said);
        let mut packets = [0_u64; 2];
        for stream in streams(case, leg) {
            if let Some(forward) = is_forward(leg, &sides, stream) {
                packets[usize::from(!forward)] += stream.packets;
            }
        }
        match packets {
            [0, 0] if stood >= STANDS && shows_sound(case, leg, &sides) => {
                return tell_none(case, found, (number, leg), &sides, stood);
            }
            [count, 0] if count >= FEW => return tell_oneway(case, found, (number, leg), &sides, true),
            [0, count] if count >= FEW => return tell_oneway(case, found, (number, leg), &sides, false),
            _ => {}
        }
    }
    false
}

/// Whether the capture would show sound of this leg, if there were any.
fn shows_sound(case: &Case<'_>, leg: &Leg, sides: &Sides<'_>) -> bool {
    let tracks = case.tracks;
    let hosts: Vec<IpAddr> = [sides.caller, sides.callee]
        .into_iter()
        .flatten()
        .filter_map(|media| Some(media.address?.ip()))
        .collect();
    let elsewhere = tracks.streams.iter().any(|stream| {
        hosts.contains(&stream.path.source.ip()) || hosts.contains(&stream.path.destination.ip())
    });
    let refused = tracks.icmp.iter().any(|icmp| {
        icmp.quoted.is_some_and(|quoted| {
            [sides.caller, sides.callee]
                .into_iter()
                .flatten()
                .any(|media| media.address == Some(quoted.destination))
        })
    });
    // A capture that holds more than SIP was not filtered for it.
    let messages: u64 = tracks.counts.requests.values().chain(tracks.counts.answers.values()).sum();
    let packets: u64 = tracks.files.iter().filter_map(|file| file.packets).sum();
    let is_unfiltered = packets > messages + messages / 4 + 8
        && (!tracks.lookups.is_empty() || !tracks.leases.is_empty() || !tracks.neighbours.is_empty());
    let _ = leg;
    elsewhere || refused || is_unfiltered
}

/// The side that named a private address although its SIP comes from elsewhere: whether it is the caller's.
fn private_side(leg: &Leg, sides: &Sides<'_>) -> Option<(bool, SocketAddr)> {
    let hides = |media: Option<&SdpMedia>, sip: IpAddr| {
        let address = media?.address?;
        (is_private(address.ip()) && address.ip() != sip && !is_private(sip)).then_some(address)
    };
    hides(sides.caller, leg.path.source.ip())
        .map(|at| (true, at))
        .or_else(|| hides(sides.callee, leg.path.destination.ip()).map(|at| (false, at)))
}

pub(super) fn party(case: &Case<'_>, leg: &Leg, is_caller: bool) -> String {
    match is_caller {
        true => number_or(&leg.from.user, leg.path.source.ip()),
        false => callee(case, leg),
    }
}

fn tell_none(
    case: &Case<'_>,
    found: &mut Findings,
    (number, leg): (u32, &Leg),
    sides: &Sides<'_>,
    stood: Duration,
) -> bool {
    let (code, subject, cause) = match private_side(leg, sides) {
        Some((is_caller, at)) => (
            "audio.nat-private-sdp",
            party(case, leg, is_caller),
            format!("It names its private address {at}, which cannot be reached from outside."),
        ),
        None => (
            "audio.none",
            callee(case, leg),
            format!(
                "The call stands for {} s and no sound passes: the RTP addresses cannot be reached, or a firewall drops them.",
                stood.as_secs()
            ),
        ),
    };
    let refused = case.tracks.icmp.iter().find(|icmp| {
        icmp.quoted.is_some_and(|quoted| {
            [sides.caller, sides.callee]
                .into_iter()
                .flatten()
                .any(|media| media.address == Some(quoted.destination))
        })
    });
    let finding = Finding::new(code, Severity::Error, subject).cause(cause);
    found.claim_call(number);
    found.add(
        finding
            .proof(leg.started, "INVITE with SDP")
            .proof(leg.answered, "answered; no RTP follows")
            .proof(refused.map(|it| it.proof), "ICMP: sound not delivered")
            .proof(leg.ended, "the call ends"),
    );
    true
}

/// `forward`: sound comes from the caller's side alone.
fn tell_oneway(
    case: &Case<'_>,
    found: &mut Findings,
    (number, leg): (u32, &Leg),
    sides: &Sides<'_>,
    forward: bool,
) -> bool {
    let deaf_is_caller = forward;
    let private = private_side(leg, sides).filter(|(is_caller, _)| *is_caller == deaf_is_caller);
    let (code, cause) = match private {
        Some((_, at)) => ("audio.nat-private-sdp", format!("It names its private address {at}, which the sound cannot reach.")),
        None => ("audio.oneway", "Sound passes in one direction alone: the other side does not send, or a router or firewall between drops it.".to_owned()),
    };
    let mut finding = Finding::new(code, Severity::Error, party(case, leg, deaf_is_caller)).cause(cause);
    finding.prove(leg.started, "INVITE with SDP");
    finding.prove(leg.answered, "answered");
    for stream in streams(case, leg).take(2) {
        finding.prove(
            Some(stream.first),
            format!(
                "RTP from {} to {}, {} packets, none back",
                stream.path.source, stream.path.destination, stream.packets
            ),
        );
    }
    found.claim_call(number);
    found.add(finding);
    true
}

/// Payload types, codecs and encryption against what was agreed.
fn agreed(case: &Case<'_>, found: &mut Findings, leg: &Leg) {
    let said = descriptions(case, leg);
    let sides = sides(&said);
    let mut codecs: [Option<(&str, Proof)>; 2] = [None, None];
    for stream in streams(case, leg) {
        let Some(forward) = is_forward(leg, &sides, stream) else { continue };
        let receiver = said.iter().filter(|(from_caller, ..)| *from_caller != forward);
        let formats: Vec<u8> = receiver
            .flat_map(|(_, sdp, _)| sdp.audio())
            .flat_map(|audio| &audio.formats)
            .map(|it| it.payload_type)
            .collect();
        let subject = || party(case, leg, forward);
        let strange = stream.payload_types.iter().find(|(number, packets, _)| {
            *packets >= FEW && !formats.is_empty() && !formats.contains(number) && !matches!(number, 13 | 19)
        });
        if let Some((number, packets, first)) = strange {
            let is_event =
                stream.digits.iter().any(|(_, proof)| proof.at >= first.at) && *packets < stream.packets / 2;
            if !is_event {
                let known: Vec<String> = formats.iter().map(u8::to_string).collect();
                let cause = format!(
                    "It sends payload type {number}; the receiver has agreed to {} alone.",
                    known.join(", ")
                );
                let finding = Finding::new("media.pt-mismatch", Severity::Error, subject()).cause(cause);
                found.add(
                    finding
                        .proof(leg.started, "INVITE with SDP")
                        .proof(leg.answered, "the agreed codecs")
                        .proof(Some(*first), format!("RTP with payload type {number}")),
                );
            }
        }
        let both_secure = [sides.caller, sides.callee].iter().all(|media| media.is_some_and(is_secure));
        if both_secure && stream.is_srtp == Some(false) && stream.packets >= FEW {
            let cause = "Both sides agreed to encrypt, and the sound can be read.";
            let finding = Finding::new("srtp.plain-rtp", Severity::Error, subject()).cause(cause);
            found
                .add(finding.proof(leg.answered, "SAVP is agreed").proof(Some(stream.first), "RTP in clear"));
        }
        if let Some(codec) = stream.codec.as_deref().filter(|_| stream.packets >= 50 && strange.is_none()) {
            codecs[usize::from(!forward)].get_or_insert((codec, stream.first));
        }
    }
    if let [Some((one, first)), Some((other, second))] = codecs
        && !one.eq_ignore_ascii_case(other)
    {
        let cause = format!("{one} one way and {other} back; both were agreed.");
        let finding = Finding::new("media.codec-asymmetric", Severity::Info, callee(case, leg)).cause(cause);
        found.add(
            finding
                .proof(Some(first), format!("RTP in {one}"))
                .proof(Some(second), format!("RTP in {other}")),
        );
    }
}

fn is_secure(media: &SdpMedia) -> bool {
    media.protocol.contains("SAVP")
}

/// Encryption that one side alone wants.
fn profiles(case: &Case<'_>, found: &mut Findings, number: u32, all: &[&Leg]) {
    for leg in all {
        for (_, invite) in case.all(&leg.transactions) {
            let offer = invite.request.as_ref().and_then(|request| request.body.sdp.as_deref());
            let Some(offer) = offer.filter(|_| invite.method == Method::Invite) else { continue };
            let is_sound = |media: &&SdpMedia| &*media.kind == "audio" && media.port != 0;
            let secure = offer.media.iter().filter(is_sound).any(is_secure);
            let plain = offer.media.iter().filter(is_sound).any(|media| !is_secure(media));
            let Some(answer) = last_final(invite) else { continue };
            if matches!(answer.status, 200..300) && secure != plain {
                let told =
                    answer.said.as_ref().and_then(|said| said.body.sdp.as_deref()).and_then(Sdp::audio);
                if let Some(told) = told.filter(|told| told.port != 0 && is_secure(told) != secure) {
                    let cause = format!(
                        "The offer is {}, the answer {}.",
                        if secure { "RTP/SAVP" } else { "RTP/AVP" },
                        told.protocol
                    );
                    let finding =
                        Finding::new("srtp.answer-mismatch", Severity::Error, callee(case, leg)).cause(cause);
                    found.add(finding.proof(invite.first(), "the offer").proof(answer.first(), "the answer"));
                }
            }
            let text = said_text(answer);
            let refused = matches!(answer.status, 403 | 415 | 488 | 493 | 606) && secure != plain;
            if refused && (wants(&text) || wants_elsewhere(case, leg, secure)) && !found.has_call(number) {
                let cause = match secure {
                    true => "The caller offers encrypted sound alone, and the called side does not take it.",
                    false => {
                        "The called side takes encrypted sound alone, and the caller offers it in clear."
                    }
                };
                let subject = all.first().map_or_else(|| callee(case, leg), |first| callee(case, first));
                let finding = Finding::new("srtp.required", Severity::Error, subject).cause(cause);
                found.claim_call(number);
                found.add(
                    finding
                        .proof(
                            invite.copies.first().copied(),
                            if secure { "INVITE with RTP/SAVP" } else { "INVITE with RTP/AVP" },
                        )
                        .proof(answer.first(), "refused"),
                );
            }
        }
    }
}

/// Whether an answer says that it is about encryption; 302 is "incompatible transport protocol" (RFC 3261 §20.43).
fn wants(text: &str) -> bool {
    ["srtp", "savp", "encrypt", "secure", "crypto"].iter().any(|word| text.contains(word))
        || text.split_whitespace().any(|word| word == "302")
}

/// Whether the called phone shows elsewhere that it wants what was not offered.
fn wants_elsewhere(case: &Case<'_>, leg: &Leg, offered_secure: bool) -> bool {
    let host = leg.path.destination.ip();
    case.tracks.transactions().any(|(_, it)| {
        let own = it.path.source.ip() == host && it.method == Method::Invite && !case.is_registrar(host);
        let sdp = it.request.as_ref().and_then(|request| request.body.sdp.as_deref()).and_then(Sdp::audio);
        own && sdp.is_some_and(|audio| is_secure(audio) != offered_secure)
    })
}
