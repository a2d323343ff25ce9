//! `--ladder`: who said what to whom, message by message. The files are read a second time for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

use proto::Time;
use proto::sip::Transport;
use roles::doctor::filter::Filter;
use roles::doctor::tracks::Tracks;
use roles::doctor::{Carrier, Doctor, Finding, Kept, Proof, Severity};
use roles::trace::{Kind, Place, Sight, print};

use super::super::Failure;
use super::inputs::Input;
use super::table::plain;
use super::{Keep, reading};

/// Ladders that are printed; more are seldom read.
const LADDERS_LIMIT: usize = 20;

/// Ladders of what matters that a report shows, and lines of each.
const MATTERING_LIMIT: usize = 3;
const LINES_LIMIT: usize = 40;
/// Files of up to this size in all are read a second time for a report.
const SOON_BYTES: u64 = 64 * 1_024 * 1_024;

/// One ladder to be printed.
struct Wanted {
    title: String,
    call_ids: BTreeSet<Box<str>>,
}

/// The ladders of all rows that are kept; of calls alone where one was asked for.
///
/// # Errors
/// The case came by standard input, or cannot be read again.
pub(super) fn show(
    inputs: &[Input],
    tracks: &Tracks,
    keep: &Keep,
    calls_alone: bool,
) -> Result<String, Failure> {
    if inputs.contains(&Input::Stdin) {
        return Err(Failure::usage(
            "--ladder reads the capture a second time; give it as a file instead of -",
        ));
    }
    let mut wanted = calls(tracks, keep);
    if !calls_alone {
        wanted.extend(others(tracks, keep));
    }
    let more = wanted.len().saturating_sub(LADDERS_LIMIT);
    wanted.truncate(LADDERS_LIMIT);
    let mut out = String::new();
    for (title, rungs) in ladders(inputs, &wanted)? {
        let _ = writeln!(out, "\n{title}");
        for rung in rungs {
            let _ = writeln!(out, "{}", rung.line);
        }
    }
    if more > 0 {
        let _ = writeln!(out, "\n{more} more ladders are not shown; choose with --filter or --call");
    }
    Ok(out)
}

/// The ladders of the calls, registrations and subscriptions in which the proofs of findings lie, each proof marked with
/// its code. Nothing where no finding is above `info`, or where reading a second time would take long.
///
/// # Errors
/// The case cannot be read again.
pub(super) fn of_findings(
    inputs: &[Input],
    tracks: &Tracks,
    findings: &[Finding],
) -> Result<String, Failure> {
    let marks = marks(findings);
    if marks.is_empty() || !is_soon_read(inputs) {
        return Ok(String::new());
    }
    let call_ids = proven(tracks, &marks);
    let keep = Keep::new(tracks, &Filter::default());
    let mut wanted = calls(tracks, &keep);
    wanted.extend(others(tracks, &keep));
    wanted.retain(|wanted| wanted.call_ids.iter().any(|id| call_ids.contains(&**id)));
    wanted.truncate(MATTERING_LIMIT);
    let mut out = String::new();
    for (title, rungs) in ladders(inputs, &wanted)? {
        let _ = writeln!(out, "\n{title}");
        for rung in rungs.iter().take(LINES_LIMIT) {
            let code = rung.packets.iter().find_map(|at| marks.get(at));
            let _ = match code {
                Some(code) => writeln!(out, "{}  <- {code}", rung.line),
                None => writeln!(out, "{}", rung.line),
            };
        }
        if rungs.len() > LINES_LIMIT {
            let _ = writeln!(out, "… --ladder shows all of it");
        }
    }
    Ok(out)
}

/// One line of a ladder.
struct Rung {
    line: String,
    /// The packets that it stands for: a message and its resends, as file and number.
    packets: Vec<(u16, u32)>,
}

/// Title and ladder of each, resends folded into the first.
fn ladders(inputs: &[Input], wanted: &[Wanted]) -> Result<Vec<(String, Vec<Rung>)>, Failure> {
    let mut doctor = Doctor::new(Time::ZERO);
    doctor.watch(wanted.iter().flat_map(|wanted| wanted.call_ids.iter().cloned()));
    reading::read(inputs.to_vec(), &mut doctor)?;
    let kept = doctor.take_kept();
    let one = |wanted: &Wanted| {
        let own = kept.iter().filter(|kept| wanted.call_ids.contains(&kept.call_id));
        (wanted.title.clone(), rungs(own))
    };
    Ok(wanted.iter().map(one).collect())
}

fn rungs<'k>(own: impl Iterator<Item = &'k Kept>) -> Vec<Rung> {
    let mut folded: Vec<(&Kept, Vec<(u16, u32)>)> = Vec::new();
    let mut known: BTreeMap<(&[u8], SocketAddr, SocketAddr), usize> = BTreeMap::new();
    for kept in own {
        let place = (kept.proof.file, kept.proof.number);
        let key = (&kept.bytes[..], kept.path.source, kept.path.destination);
        match known.get(&key).and_then(|&at| folded.get_mut(at)) {
            Some((_, packets)) => packets.push(place),
            None => {
                known.insert(key, folded.len());
                folded.push((kept, vec![place]));
            }
        }
    }
    let start = folded.first().map_or(Time::ZERO, |(kept, _)| kept.proof.at);
    let printed = print(folded.iter().map(|(kept, _)| sight(kept)), start, ToString::to_string);
    let rung = |line: &str| {
        let number = packet_of(line);
        let own = folded.iter().find(|(kept, _)| Some(kept.proof.number) == number);
        let packets = own.map(|(_, packets)| packets.clone()).unwrap_or_default();
        let times =
            if packets.len() > 1 { format!("  (sent {} times)", packets.len()) } else { String::new() };
        Rung { line: format!("{line}{times}"), packets }
    };
    printed.lines().map(rung).collect()
}

/// The packets that prove what is above `info`, as file and number, with the code.
fn marks(findings: &[Finding]) -> BTreeMap<(u16, u32), &str> {
    let grave = findings.iter().filter(|finding| finding.severity > Severity::Info);
    let all = grave.flat_map(|finding| finding.evidence.iter().map(|one| (one.proof, finding.code.as_str())));
    all.map(|(proof, code)| ((proof.file, proof.number), code)).collect()
}

/// The Call-IDs of the messages that are marked.
fn proven<'t>(tracks: &'t Tracks, marks: &BTreeMap<(u16, u32), &str>) -> BTreeSet<&'t str> {
    let is_marked = |proof: &Proof| marks.contains_key(&(proof.file, proof.number));
    let transactions = tracks.transactions().map(|(_, it)| it);
    let proven = transactions.filter(|it| {
        it.copies.iter().any(is_marked) || it.answers.iter().flat_map(|answer| &answer.copies).any(is_marked)
    });
    proven.map(|it| &*it.call_id).collect()
}

fn is_soon_read(inputs: &[Input]) -> bool {
    let sizes = inputs.iter().map(|input| match input {
        Input::File(path) => {
            std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|it| it.len())
        }
        Input::Stdin => None,
    });
    sizes.sum::<Option<u64>>().is_some_and(|bytes| bytes <= SOON_BYTES)
}

/// `… #12 …`: the number of the packet that a line of a ladder is about.
fn packet_of(line: &str) -> Option<u32> {
    line.split_whitespace().find_map(|word| word.strip_prefix('#')?.parse().ok())
}

fn calls(tracks: &Tracks, keep: &Keep) -> Vec<Wanted> {
    let kept = tracks.calls.iter().zip(&keep.calls).filter(|(_, kept)| **kept);
    let wanted = kept.filter_map(|(call, _)| {
        let first = tracks.legs.get(*call.legs.first()? as usize)?;
        let legs = call.legs.iter().filter_map(|&leg| tracks.legs.get(leg as usize));
        let title = format!(
            "Call from {} to {}, {}",
            plain(&first.from.user),
            plain(&first.to.user),
            plain(&first.call_id)
        );
        Some(Wanted { title, call_ids: legs.map(|leg| (*leg.call_id).into()).collect() })
    });
    wanted.collect()
}

fn others(tracks: &Tracks, keep: &Keep) -> Vec<Wanted> {
    let registrations = tracks.registrations.iter().zip(&keep.registrations).filter(|(_, kept)| **kept);
    let registrations = registrations.map(|(track, _)| Wanted {
        title: format!("Registration of {} at {}", plain(&track.account), track.path.destination),
        call_ids: track.call_ids.iter().map(|id| (**id).into()).collect(),
    });
    let subscriptions = tracks.subscriptions.iter().zip(&keep.subscriptions).filter(|(_, kept)| **kept);
    let subscriptions = subscriptions.map(|(track, _)| Wanted {
        title: format!(
            "Subscription of {} to {} ({})",
            plain(&track.account),
            plain(&track.target),
            plain(&track.event)
        ),
        call_ids: BTreeSet::from([(*track.call_id).into()]),
    });
    registrations.chain(subscriptions).collect()
}

fn sight(kept: &Kept) -> Sight<'_> {
    let transport = match kept.path.carrier {
        Carrier::Udp => Transport::Udp,
        Carrier::Tcp | Carrier::WebSocket => Transport::Tcp,
        Carrier::Tls => Transport::Tls,
    };
    Sight {
        at: kept.proof.at,
        from: kept.path.source.into(),
        to: kept.path.destination.into(),
        kind: Kind::Sip(transport),
        place: Some(Place { packet: kept.proof.number.into(), offset: kept.proof.offset }),
        bytes: &kept.bytes,
    }
}
