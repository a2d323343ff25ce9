//! `--ladder`: who said what to whom, message by message. The files are read a second time for it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proto::Time;
use proto::sip::Transport;
use roles::doctor::tracks::Tracks;
use roles::doctor::{Carrier, Doctor, Kept};
use roles::trace::{Kind, Place, Sight, print};

use super::super::Failure;
use super::inputs::Input;
use super::table::plain;
use super::{Keep, reading};

/// Ladders that are printed; more are seldom read.
const LADDERS_LIMIT: usize = 20;

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
    let mut doctor = Doctor::new(Time::ZERO);
    doctor.watch(wanted.iter().flat_map(|wanted| wanted.call_ids.iter().cloned()));
    reading::read(inputs.to_vec(), &mut doctor)?;
    let kept = doctor.take_kept();
    let mut out = String::new();
    for wanted in &wanted {
        let own: Vec<&Kept> = kept.iter().filter(|kept| wanted.call_ids.contains(&kept.call_id)).collect();
        let start = own.first().map_or(Time::ZERO, |kept| kept.proof.at);
        let _ = writeln!(out, "\n{}", wanted.title);
        out.push_str(&print(own.into_iter().map(sight), start, ToString::to_string));
    }
    if more > 0 {
        let _ = writeln!(out, "\n{more} more ladders are not shown; choose with --filter or --call");
    }
    Ok(out)
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
