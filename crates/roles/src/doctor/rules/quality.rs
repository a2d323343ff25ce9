//! Sound that suffers on its way.

use std::collections::BTreeSet;

use super::super::finding::{Finding, Severity};
use super::super::tracks::Stream;
use super::calls::callee;
use super::case::{Case, Findings, number_or};
use super::explain::Explanation;

pub(super) const EXPLAINED: &[Explanation] = &[
    Explanation {
        code: "quality.gap",
        title: "The sound pauses for a second or more",
        seen: "A run of at least 1 s without a packet outside hold, in a stream of at least 100 packets.",
        hurts: "Words are lost.",
        example: "RTP until 12.3 s, again from 14.1 s",
        remedy: &[
            "Look what happened at that time: WLAN roaming, a switch that restarts, a link that flaps.",
            "Compare with a capture at the sender: does the gap exist there?",
        ],
        reference: "RFC 3550 §6.4.1",
    },
    Explanation {
        code: "quality.loss",
        title: "Packets of the sound are lost",
        seen: "At least 1 % of a stream's packets (those of gaps apart) are missing, of at least 100.",
        hurts: "The sound is choppy.",
        example: "1,000 packets sent, 32 missing in 11 bursts",
        remedy: &[
            "Give voice its own VLAN and priority (DSCP 46); look for half-duplex links and WLAN.",
            "Compare with a capture at the sender to see on which side of it they are lost.",
        ],
        reference: "RFC 3550 §A.3, ITU-T G.107",
    },
    Explanation {
        code: "quality.jitter",
        title: "The packets of the sound come at uneven times",
        seen: "RFC 3550 jitter of at least 30 ms for 5 s, in a stream of at least 100 packets.",
        hurts: "The jitter buffer grows or drops packets: delay and choppy sound.",
        example: "jitter 48 ms from 20.1 s to 31.4 s",
        remedy: &[
            "Look for a link that is full, and for WLAN; give voice priority (DSCP 46).",
            "Set a larger adaptive jitter buffer at the phone.",
        ],
        reference: "RFC 3550 §6.4.1",
    },
];

const LEAST_PACKETS: u64 = 100;
const HIGH_JITTER_MS: u64 = 5_000;

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    // The same trouble shows on both legs of a call: it is told once for each direction.
    let mut told: BTreeSet<(&str, u32, bool)> = BTreeSet::new();
    for stream in case.tracks.streams.iter().filter(|stream| stream.packets + stream.lost >= LEAST_PACKETS) {
        let leg = stream.leg.and_then(|index| case.tracks.legs.get(index as usize));
        let (call, forward) = leg.map_or((u32::MAX, true), |leg| {
            let from_caller = stream.path.source.ip() == leg.path.source.ip()
                || stream.path.destination.ip() == leg.path.destination.ip();
            (leg.call, from_caller)
        });
        let subject = match leg {
            Some(leg) if forward => callee(case, leg),
            Some(leg) => number_or(&leg.from.user, leg.path.source.ip()),
            None => stream.path.destination.ip().to_string(),
        };
        for finding in [gap(case, stream), loss(stream), jitter(stream)].into_iter().flatten() {
            let code = if finding.code == "quality.gap" {
                "gap"
            } else if finding.code == "quality.loss" {
                "loss"
            } else {
                "jitter"
            };
            if call == u32::MAX || told.insert((code, call, forward)) {
                found.add(Finding { subject: subject.clone(), ..finding });
            }
        }
    }
}

/// Figures that go with each of the three.
fn figures(stream: &Stream) -> String {
    let all = stream.packets + stream.lost;
    let mut text = format!(
        "{:.1} % lost ({} of {all}), {} bursts",
        percent(stream.lost, all),
        stream.lost,
        stream.bursts
    );
    if let Some(jitter) = stream.jitter_ms {
        text += &format!(", jitter {jitter:.1} ms");
    }
    if let Some(mos) = stream.mos {
        text += &format!(", MOS {mos:.1}");
    }
    text
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn way(stream: &Stream) -> String {
    format!("{} to {}", stream.path.source, stream.path.destination)
}

fn gap(case: &Case<'_>, stream: &Stream) -> Option<Finding> {
    let leg = stream.leg.and_then(|index| case.tracks.legs.get(index as usize));
    let holds = leg.map(|leg| case.holds(leg)).unwrap_or_default();
    // A sender that falls silent again and again, or says so by comfort noise, only saves packets.
    let pauses = stream.gaps.iter().filter(|gap| gap.lost == 0).count();
    let has_comfort_noise = stream.payload_types.iter().any(|(number, ..)| matches!(number, 13 | 19));
    let saves = has_comfort_noise || pauses > 1;
    let gap = stream.gaps.iter().find(|gap| {
        let held = holds.iter().any(|(from, to)| gap.before.at <= *to && gap.after.at >= *from);
        !(held || gap.lost == 0 && saves)
    })?;
    let length = gap.after.at.since(gap.before.at).as_millis() as f64 / 1_000.0;
    let why = if gap.lost > 0 { "the packets were sent and did not come" } else { "the sender did not send" };
    let cause = format!("{length:.1} s without a packet from {}: {why}. {}.", way(stream), figures(stream));
    let finding = Finding::new("quality.gap", Severity::Warning, "").cause(cause);
    Some(
        finding
            .proof(Some(gap.before), "the last packet before")
            .proof(Some(gap.after), "the first packet after"),
    )
}

fn loss(stream: &Stream) -> Option<Finding> {
    let in_gaps: u64 = stream.gaps.iter().map(|gap| u64::from(gap.lost)).sum();
    let lost = stream.lost.saturating_sub(in_gaps);
    if percent(lost, stream.packets + lost) < 1.0 {
        return None;
    }
    let cause = format!("Packets from {} do not arrive: {}.", way(stream), figures(stream));
    let finding = Finding::new("quality.loss", Severity::Warning, "").cause(cause);
    Some(finding.proof(Some(stream.first), "the first packet").proof(Some(stream.last), "the last packet"))
}

fn jitter(stream: &Stream) -> Option<Finding> {
    let (length_ms, since) = stream.jitter_high.filter(|(length_ms, _)| *length_ms >= HIGH_JITTER_MS)?;
    let cause = format!(
        "Packets from {} come unevenly for {:.0} s: {}.",
        way(stream),
        length_ms as f64 / 1_000.0,
        figures(stream)
    );
    let finding = Finding::new("quality.jitter", Severity::Warning, "").cause(cause);
    Some(
        finding
            .proof(Some(since), "jitter is 30 ms and more from here")
            .proof(Some(stream.last), "the last packet"),
    )
}
