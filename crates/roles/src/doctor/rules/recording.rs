//! What a capture cannot show.

use std::collections::BTreeSet;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::{FileKind, FileTrack};
use super::case::{Case, Findings};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "capture.sip-only",
        title: "The capture holds no sound",
        seen: "Calls are answered, and no RTP was recorded; info.",
        hurts: "Nothing can be said about the sound.",
        example: "a capture with the filter `port 5060`",
        remedy: &[
            "Record all UDP of the phone, not port 5060 alone: `tcpdump -i any -s 0 -w case.pcap host PHONE`.",
        ],
        reference: "deck, Get Packet Trace",
    },
    Explanation {
        code: "capture.truncated",
        title: "Packets are cut, or the file ends too early",
        seen: "The capture kept only a part of some packets, or the file is damaged or ends within a packet; info.",
        hurts: "Bodies and sound cannot be judged, nor what came after the end.",
        example: "snap length 256; the file ends within the record at byte 4,955",
        remedy: &[
            "Record with the full length: `tcpdump -s 0`.",
            "Stop the recording before the file is copied, and compare its size with that of the original.",
        ],
        reference: "pcap(3PCAP), snaplen",
    },
    Explanation {
        code: "capture.one-sided",
        title: "The capture holds one direction alone",
        seen: "Answers are missing although they came: what follows them shows it; info.",
        hurts: "Silence proves nothing in such a capture.",
        example: "INVITE · ACK · BYE without any answer",
        remedy: &["Mirror both directions of the port (rx and tx), or record at the phone or server itself."],
        reference: "deck, Get Packet Trace",
    },
    Explanation {
        code: "capture.drops",
        title: "The recording machine lost packets",
        seen: "The file itself tells of drops; info.",
        hurts: "Loss may be the capture's own.",
        example: "pcapng interface statistics: 1,203 dropped",
        remedy: &["Record on a faster disk, with a filter, or with a larger buffer (`tcpdump -B`)."],
        reference: "pcapng, Interface Statistics Block",
    },
    Explanation {
        code: "capture.clock",
        title: "The clock of the capture jumps",
        seen: "Time runs backwards by more than a second; info.",
        hurts: "Delays, jitter and order cannot be trusted there.",
        example: "packet 812 is 3.2 s older than packet 811",
        remedy: &["Record on one machine, with its clock held by NTP; merge files with `mergecap`."],
        reference: "pcap(3PCAP)",
    },
    Explanation {
        code: "capture.unjudged",
        title: "The capture holds what is not judged",
        seen: "Fax (T.38), video or encrypted signalling; info.",
        hurts: "What is wrong there is not found.",
        example: "TLS to port 5061",
        remedy: &[
            "For signalling over TLS record inside the server or phone (`offhook serve --pcap FILE`), or use UDP for the test.",
        ],
        reference: "",
    },
    Explanation {
        code: "capture.no-sip",
        title: "There is nothing of SIP in the capture",
        seen: "No SIP message was found; warning where it is the only input and holds nothing else that can be judged.",
        hurts: "Nothing can be said about registrations and calls.",
        example: "a capture of another port, or before the call began",
        remedy: &[
            "Please confirm the file contains effective information: after filtering sip, you can see the trace.",
            "Record at the phone (Get Packet Trace) or at a mirrored switch port, begin before the fault and end after it.",
        ],
        reference: "deck, Get Packet Trace",
    },
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for (number, file) in (0..).zip(&case.tracks.files).filter(|(_, file)| file.kind == FileKind::Capture) {
        judge_file(found, number, file);
    }
    one_sided(case, found);
    sip_only(case, found);
    no_sip(case, found);
}

fn short(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

fn judge_file(found: &mut Findings, number: u16, file: &FileTrack) {
    let mut tell = |code: &str, cause: String, proof: Option<Proof>| {
        found.add(
            Finding::new(code, Severity::Info, short(&file.name)).cause(cause.clone()).proof(proof, cause),
        );
    };
    let _ = number;
    let mut cut = Vec::new();
    if let Some(end) = file.ends_early.as_ref().filter(|_| !file.is_unread()) {
        cut.push(format!(
            "The file could be read up to byte {} only: {}. What follows is not judged.",
            end.offset, end.why
        ));
    }
    if file.cut_packets > 0 {
        let snap = file.snap_bytes.map_or_else(String::new, |snap| format!(" (snap length {snap})"));
        cut.push(format!("{} packets are cut{snap}.", file.cut_packets));
    }
    if !cut.is_empty() {
        let after = file.ends_early.as_ref().and_then(|end| end.after);
        tell("capture.truncated", cut.join(" "), after);
    }
    if let Some(drops) = file.drops.filter(|drops| *drops > 0) {
        tell("capture.drops", format!("The file says that {drops} packets were dropped."), None);
    }
    if let Some((proof, jump_us)) = file.backwards {
        tell("capture.clock", format!("Time runs backwards by {:.1} s.", jump_us as f64 / 1e6), Some(proof));
    }
    for (what, proof) in &file.unjudged {
        tell("capture.unjudged", format!("{what} is seen and not judged."), Some(*proof));
    }
}

fn one_sided(case: &Case<'_>, found: &mut Findings) {
    let silent: Vec<String> = case.unheard().map(|address| address.to_string()).collect();
    let answers_alone = case.tracks.transactions().filter(|(_, it)| it.request.is_none()).count();
    let all = case.tracks.transactions().count();
    let cause = match silent.first() {
        Some(_) => format!("Packets of {} are missing although they came.", silent.join(", ")),
        None if answers_alone >= 2 && answers_alone * 2 > all => {
            "Answers stand there without their requests.".to_owned()
        }
        None => return,
    };
    let first = case
        .tracks
        .transactions()
        .find(|(_, it)| it.request.is_none() || case.is_unheard(it.path.destination.ip()));
    let subject = silent
        .first()
        .cloned()
        .unwrap_or_else(|| case.tracks.files.first().map(|file| short(&file.name)).unwrap_or_default());
    let finding = Finding::new("capture.one-sided", Severity::Info, subject).cause(cause.clone());
    found.add(finding.proof(first.and_then(|(_, it)| it.first()), cause));
}

fn sip_only(case: &Case<'_>, found: &mut Findings) {
    if !case.tracks.streams.is_empty() || found.any("audio.") {
        return;
    }
    let long = case.tracks.legs.iter().find(|leg| {
        leg.answered.is_some_and(|answered| {
            leg.ended.map_or_else(|| case.end(answered), |ended| ended.at).since(answered.at).as_secs() >= 2
        })
    });
    if let Some(leg) = long {
        let file = leg.answered.map(|proof| short(case.tracks.file_name(proof))).unwrap_or_default();
        let finding = Finding::new("capture.sip-only", Severity::Info, file)
            .cause("Calls are answered, and no RTP was recorded.");
        found.add(finding.proof(leg.answered, "answered; no RTP in the capture"));
    }
}

fn no_sip(case: &Case<'_>, found: &mut Findings) {
    let tracks = case.tracks;
    let captures: Vec<&FileTrack> =
        tracks.files.iter().filter(|file| file.kind == FileKind::Capture).collect();
    let Some(first) = captures.first() else { return };
    if !tracks.counts.requests.is_empty() || !tracks.counts.answers.is_empty() || !tracks.not_sip.is_empty() {
        return;
    }
    let kinds: BTreeSet<&str> = captures.iter().flat_map(|file| file.unjudged.keys().copied()).collect();
    let others = !(tracks.leases.is_empty()
        && tracks.neighbours.is_empty()
        && tracks.transfers.is_empty()
        && tracks.streams.is_empty()
        && tracks.lookups.is_empty()
        && tracks.icmp.is_empty()
        && tracks.conflicts.is_empty()
        && tracks.lost_fragments.is_empty()
        && kinds.is_empty())
        || !found.list.is_empty();
    let is_alone = captures.len() == tracks.files.len();
    let severity = if is_alone && !others { Severity::Warning } else { Severity::Info };
    found.add(
        Finding::new("capture.no-sip", severity, short(&first.name)).cause("No SIP message was found in it."),
    );
}
