//! The report as JSON: the contract of `offhook doctor --json`. Unknown is null.

use serde::Serialize;
use serde_json::{Value, json};

use super::Proof;
use super::tracks::{
    Call, Device, FileTrack, Leg, Outcome, Provisioning, Registration, Stream, Subscription, Tracks,
    TransferResult, mac_text,
};

/// All rows but the findings, which are handed in.
pub fn report(tracks: &Tracks, findings: Vec<Value>) -> Value {
    // Moved into their places: `json!` would copy the rows of a hundred thousand calls.
    let rows = [
        ("files", all(&tracks.files, file)),
        ("findings", Value::Array(findings)),
        ("registrations", all(&tracks.registrations, registration)),
        ("calls", all(&tracks.calls, |call| self::call(tracks, call))),
        ("subscriptions", all(&tracks.subscriptions, subscription)),
        ("streams", all(&tracks.streams, |stream| self::stream(tracks, stream))),
        ("provisioning", all(&tracks.provisioning, |run| provisioning(tracks, run))),
        ("devices", all(&tracks.devices, device)),
        ("counts", counts(tracks)),
        ("left_out", json!(tracks.left_out)),
    ];
    rows.into_iter().map(|(name, rows)| (name.to_owned(), rows)).collect()
}

/// SIP messages as they passed, resends among them.
fn counts(tracks: &Tracks) -> Value {
    let answers = tracks.counts.answers.iter();
    let answers: Vec<Value> = answers
        .map(|((status, method), count)| json!({"status": status, "method": method, "count": count}))
        .collect();
    json!({"requests": tracks.counts.requests, "answers": answers})
}

fn all<T>(tracks: &[T], row: impl Fn(&T) -> Value) -> Value {
    Value::Array(tracks.iter().map(row).collect())
}

/// One piece of evidence.
pub fn evidence(tracks: &Tracks, proof: Proof, what: &str) -> Value {
    #[derive(Serialize)]
    struct Evidence<'a> {
        file: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        packet: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
        at: Option<String>,
        what: &'a str,
    }
    let file = tracks.files.get(usize::from(proof.file));
    let is_packet = file.is_some_and(|file| file.packets.is_some());
    let evidence = Evidence {
        file: file.map_or("", |file| &file.name),
        packet: is_packet.then_some(proof.number),
        line: (!is_packet).then_some(proof.number),
        at: at(proof),
        what,
    };
    json!(evidence)
}

fn at(proof: Proof) -> Option<String> {
    (proof.at > proto::Time::ZERO).then(|| proof.at.rfc3339())
}

fn file(file: &FileTrack) -> Value {
    let time =
        |time: Option<proto::Time>| time.filter(|time| *time > proto::Time::ZERO).map(|time| time.rfc3339());
    let mut notes = file.notes.clone();
    if file.cut_packets > 0 {
        let snap = file.snap_bytes.map_or_else(String::new, |bytes| format!("snap length {bytes}: "));
        notes.push(format!("{snap}{} packets are cut", file.cut_packets));
    }
    notes.extend(
        file.drops
            .filter(|&drops| drops > 0)
            .map(|drops| format!("{drops} packets were dropped while capturing")),
    );
    notes.extend(file.backwards.map(|(proof, by)| {
        format!("time runs backwards by {:.3} s at packet {}", by as f64 / 1e6, proof.number)
    }));
    if file.doubles > 0 {
        notes.push(format!("{} SIP packets were captured twice; no resend is made of them", file.doubles));
    }
    notes.extend(
        file.clock_ahead_us
            .map(|ahead| format!("its clock is {:.6} s ahead of the first capture's", ahead as f64 / 1e6)),
    );
    let mut row = json!({"name": file.name, "from": time(file.from), "to": time(file.to), "notes": notes});
    let read_to = file.ends_early.as_ref().map(|end| end.offset);
    let counted = [("packets", file.packets), ("lines", file.lines), ("read_to_byte", read_to)];
    for (name, count) in counted.into_iter().filter_map(|(name, count)| Some((name, count?))) {
        row[name] = json!(count);
    }
    row
}

fn registration(track: &Registration) -> Value {
    let outcome = match track.outcome {
        Outcome::Accepted => Some("registered"),
        Outcome::Refused => Some("refused"),
        Outcome::Unanswered => Some("unanswered"),
        Outcome::Ended => Some("unregistered"),
        Outcome::Unknown => None,
    };
    json!({
        "account": known(&track.account), "server": track.path.destination, "transport": track.path.carrier.name(),
        "outcome": outcome, "status": track.status, "expires_s": track.expires_s, "contact": track.contact,
        "from": at(track.from), "to": at(track.to),
    })
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn call(tracks: &Tracks, call: &Call) -> Value {
    let legs: Vec<&Leg> = call.legs.iter().filter_map(|&leg| tracks.legs.get(leg as usize)).collect();
    let Some(first) = legs.first() else { return Value::Null };
    let since = |proof: Option<Proof>| Some(proof?.at.since(first.started?.at).as_millis() as u64);
    let streams: Vec<u32> = legs.iter().flat_map(|leg| leg.streams.iter().copied()).collect();
    let ringing = first.ringing.or(first.answered);
    json!({
        "id": first.call_id, "legs": legs.iter().map(|leg| &*leg.call_id).collect::<Vec<_>>(),
        "from": known(&first.from.user), "to": known(&first.to.user), "started": first.started.and_then(at),
        "setup_ms": since(ringing), "answered_ms": since(first.answered), "ended_ms": since(first.ended),
        "status": first.status, "by": first.by.map(super::tracks::By::name), "streams": streams,
    })
}

fn subscription(track: &Subscription) -> Value {
    let outcome = match track.outcome {
        Outcome::Accepted => Some("active"),
        Outcome::Refused => Some("refused"),
        Outcome::Unanswered => Some("unanswered"),
        Outcome::Ended => Some("ended"),
        Outcome::Unknown => None,
    };
    json!({
        "account": known(&track.account), "target": known(&track.target), "event": known(&track.event),
        "outcome": outcome, "status": track.status, "last_state": track.last_state,
    })
}

fn stream(tracks: &Tracks, track: &Stream) -> Value {
    let call = track.leg.and_then(|leg| tracks.legs.get(leg as usize)).map(|leg| &*leg.call_id);
    json!({
        "ssrc": format!("{:#010x}", track.ssrc), "from": track.path.source, "to": track.path.destination,
        "codec": track.codec, "packets": track.packets, "lost": track.lost,
        "jitter_ms": track.jitter_ms.map(|ms| rounded(ms, 1)), "jitter_max_ms": track.jitter_max_ms.map(|ms| rounded(ms, 1)),
        "bursts": track.bursts, "reordered": track.reordered, "duplicates": track.duplicates,
        "gaps": track.gaps.len(), "mos": track.mos.map(|mos| rounded(mos, 1)), "skew_ppm": track.skew_ppm.map(|ppm| rounded(ppm, 0)),
        "srtp": track.is_srtp, "digits": digits(track), "call": call,
    })
}

fn digits(track: &Stream) -> Option<String> {
    (!track.digits.is_empty()).then(|| track.digits.iter().map(|(digit, _)| *digit).collect())
}

/// A float of 32 bits has no short form in JSON unless it is rounded.
fn rounded(value: f32, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (f64::from(value) * scale).round() / scale
}

fn provisioning(tracks: &Tracks, run: &Provisioning) -> Value {
    let transfers: Vec<_> =
        run.transfers.iter().filter_map(|&index| tracks.transfers.get(index as usize)).collect();
    let files: Vec<Value> = transfers
        .iter()
        .filter(|transfer| &*transfer.verb != "USER" || transfer.result != TransferResult::Complete)
        .map(|transfer| {
            let name = transfer.name.rsplit('/').next().unwrap_or_default();
            json!({
                "name": name, "transport": transfer.scheme.name(), "bytes": transfer.bytes,
                "result": transfer.result.name(), "status": transfer.status,
            })
        })
        .collect();
    // That a file came does not show that the phone took it.
    let failed =
        !transfers.is_empty() && transfers.iter().all(|transfer| transfer.result != TransferResult::Complete);
    let outcome = if failed { "failed" } else { "unknown" };
    json!({"device": run.device, "source": run.source, "url": run.url, "files": files, "outcome": outcome})
}

fn device(device: &Device) -> Value {
    json!({
        "mac": device.mac.map(mac_text), "addresses": device.addresses, "user_agent": device.user_agent,
        "model": device.model, "firmware": device.firmware, "vlan": device.vlan, "neighbour": device.neighbour,
    })
}
