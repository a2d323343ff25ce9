//! The tables for a person at a terminal.

use std::fmt::Write as _;

use roles::doctor::tracks::{By, Call, Leg, Outcome, Scheme, Stream, Tracks};

use super::Keep;

/// What the case holds; with `calls` each call, registration and subscription.
pub(super) fn show(tracks: &Tracks, keep: &Keep, calls: bool) -> String {
    let mut out = String::new();
    files(tracks, &mut out);
    if calls {
        call_table(tracks, keep, &mut out);
        registration_table(tracks, keep, &mut out);
        subscription_table(tracks, keep, &mut out);
        stream_table(tracks, keep, &mut out);
        transfer_table(tracks, &mut out);
    } else {
        summary(tracks, &mut out);
    }
    for (what, count) in &tracks.left_out {
        let _ = writeln!(out, "{count} {what} did not fit and are left out");
    }
    out
}

fn files(tracks: &Tracks, out: &mut String) {
    for file in &tracks.files {
        let counted = match (file.packets, file.lines) {
            (Some(packets), _) => format!("{packets} packets"),
            (None, Some(lines)) => format!("{lines} lines"),
            _ => "not read".to_owned(),
        };
        let span = match (file.from, file.to) {
            (Some(from), Some(to)) => format!(", {} to {}", from.rfc3339(), to.rfc3339()),
            _ => String::new(),
        };
        let _ = writeln!(out, "{}: {counted}{span}", plain(&file.name));
        for note in &file.notes {
            let _ = writeln!(out, "  {}", plain(note));
        }
    }
}

fn summary(tracks: &Tracks, out: &mut String) {
    let counts = [
        (tracks.registrations.len(), "registrations"),
        (tracks.calls.len(), "calls"),
        (tracks.subscriptions.len(), "subscriptions"),
        (tracks.streams.len(), "RTP streams"),
        (tracks.transfers.len(), "file transfers"),
        (tracks.leases.len(), "DHCP clients"),
        (tracks.neighbours.len(), "neighbours (LLDP, CDP)"),
        (tracks.devices.len(), "devices"),
        (tracks.log.len(), "log lines"),
    ];
    let held: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let held = if held.is_empty() { "nothing of telephony".to_owned() } else { held.join(", ") };
    let _ = writeln!(out, "holds {held}");
    let requests: Vec<_> =
        tracks.counts.requests.iter().map(|(method, count)| format!("{}×{count}", plain(method))).collect();
    if !requests.is_empty() {
        let _ = writeln!(out, "SIP requests: {}", requests.join(", "));
    }
    let answers: Vec<_> = tracks
        .counts
        .answers
        .iter()
        .map(|((status, method), count)| format!("{status}/{}×{count}", plain(method)))
        .collect();
    if !answers.is_empty() {
        let _ = writeln!(out, "SIP answers: {}", answers.join(", "));
    }
}

/// Columns as wide as their longest cell, the last as it is.
fn table(head: &[&str], rows: Vec<Vec<String>>, out: &mut String) {
    if rows.is_empty() {
        return;
    }
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let width = |at: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(60)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    out.push('\n');
    for row in [&head].into_iter().chain(&rows) {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn call_table(tracks: &Tracks, keep: &Keep, out: &mut String) {
    let rows = tracks.calls.iter().zip(&keep.calls).filter(|(_, kept)| **kept);
    let rows = rows.filter_map(|(call, _)| call_row(tracks, call)).collect();
    let head = [
        "call from",
        "to",
        "outcome",
        "by",
        "ringing",
        "answered",
        "lasted",
        "loss",
        "jitter",
        "MOS",
        "legs",
        "Call-ID",
    ];
    table(&head, rows, out);
}

fn call_row(tracks: &Tracks, call: &Call) -> Option<Vec<String>> {
    let first: &Leg = tracks.legs.get(*call.legs.first()? as usize)?;
    let since = |proof: Option<roles::doctor::Proof>, from: Option<roles::doctor::Proof>| {
        seconds(proof.zip(from).map(|(proof, from)| proof.at.since(from.at).as_millis() as u64))
    };
    let legs = call.legs.iter().filter_map(|&leg| tracks.legs.get(leg as usize));
    let streams: Vec<&Stream> =
        legs.flat_map(|leg| &leg.streams).filter_map(|&index| tracks.streams.get(index as usize)).collect();
    let worst = |figure: fn(&Stream) -> Option<f32>| {
        streams
            .iter()
            .filter_map(|stream| figure(stream))
            .fold(None, |worst: Option<f32>, now| Some(worst.map_or(now, |w| w.max(now))))
    };
    let loss = worst(|s| Some(s.lost as f32 * 100.0 / (s.packets + s.lost).max(1) as f32));
    let mos = worst(|s| s.mos.map(|mos| -mos)).map(|mos| -mos);
    Some(vec![
        plain(&first.from.user),
        plain(&first.to.user),
        first.status.map_or("-".to_owned(), |status| status.to_string()),
        first.by.map_or("-", By::name).to_owned(),
        since(first.ringing, first.started),
        since(first.answered, first.started),
        since(first.ended, first.answered),
        loss.map_or("-".to_owned(), |loss| format!("{loss:.1} %")),
        worst(|s| s.jitter_ms).map_or("-".to_owned(), |jitter| format!("{jitter:.1} ms")),
        mos.map_or("-".to_owned(), |mos| format!("{mos:.1}")),
        call.legs.len().to_string(),
        plain(&first.call_id),
    ])
}

fn seconds(ms: Option<u64>) -> String {
    ms.map_or("-".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1_000.0))
}

fn outcome(outcome: Outcome, accepted: &str, ended: &str) -> String {
    match outcome {
        Outcome::Accepted => accepted,
        Outcome::Refused => "refused",
        Outcome::Unanswered => "unanswered",
        Outcome::Ended => ended,
        Outcome::Unknown => "-",
    }
    .to_owned()
}

fn registration_table(tracks: &Tracks, keep: &Keep, out: &mut String) {
    let rows =
        tracks.registrations.iter().zip(&keep.registrations).filter(|(_, kept)| **kept).map(|(track, _)| {
            vec![
                plain(&track.account),
                track.path.source.to_string(),
                format!("{}/{}", track.path.destination, track.path.carrier.name()),
                outcome(track.outcome, "registered", "unregistered"),
                track.status.map_or("-".to_owned(), |status| status.to_string()),
                track.expires_s.map_or("-".to_owned(), |seconds| format!("{seconds} s")),
                track.transactions.len().to_string(),
            ]
        });
    let head = ["account", "from", "server", "outcome", "status", "expires", "REGISTERs"];
    table(&head, rows.collect(), out);
}

fn subscription_table(tracks: &Tracks, keep: &Keep, out: &mut String) {
    let rows =
        tracks.subscriptions.iter().zip(&keep.subscriptions).filter(|(_, kept)| **kept).map(|(track, _)| {
            vec![
                plain(&track.account),
                plain(&track.target),
                plain(&track.event),
                outcome(track.outcome, "active", "ended"),
                track.status.map_or("-".to_owned(), |status| status.to_string()),
                track.last_state.unwrap_or("-").to_owned(),
                track.notifies.len().to_string(),
            ]
        });
    table(&["watcher", "target", "event", "outcome", "status", "last state", "NOTIFYs"], rows.collect(), out);
}

fn stream_table(tracks: &Tracks, keep: &Keep, out: &mut String) {
    let rows = tracks.streams.iter().zip(&keep.streams).filter(|(_, kept)| **kept).map(|(track, _)| {
        let figure = |value: Option<f32>, unit: &str| {
            value.map_or("-".to_owned(), |value| format!("{value:.1}{unit}"))
        };
        vec![
            track.path.source.to_string(),
            track.path.destination.to_string(),
            format!("{:#010x}", track.ssrc),
            track.codec.as_deref().map_or("-".to_owned(), plain),
            track.packets.to_string(),
            track.lost.to_string(),
            figure(track.jitter_ms, " ms"),
            figure(track.jitter_max_ms, " ms"),
            figure(track.mos, ""),
            track.gaps.len().to_string(),
        ]
    });
    let head = ["stream from", "to", "SSRC", "codec", "packets", "lost", "jitter", "highest", "MOS", "gaps"];
    table(&head, rows.collect(), out);
}

fn transfer_table(tracks: &Tracks, out: &mut String) {
    let rows = tracks.transfers.iter().filter(|track| &*track.verb != "USER").map(|track| {
        vec![
            track.client.to_string(),
            track.server.to_string(),
            scheme(track.scheme),
            plain(&track.name),
            track.result.name().to_owned(),
            track.status.map_or("-".to_owned(), |status| status.to_string()),
            track.bytes.to_string(),
        ]
    });
    table(&["file for", "at", "by", "name", "result", "status", "bytes"], rows.collect(), out);
}

fn scheme(scheme: Scheme) -> String {
    scheme.name().to_owned()
}

/// Text out of a capture for a terminal: control characters, and those that turn text round, are shown, not sent.
pub(super) fn plain(text: &str) -> String {
    let is_hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .flat_map(|c| if is_hostile(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_shown_and_not_sent() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(plain("Zoë 7001"), "Zoë 7001");
    }
}
