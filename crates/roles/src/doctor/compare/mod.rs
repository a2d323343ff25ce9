//! A trace that works beside one that fails (deck: "OK/NOK trace"): where they part.
//!
//! Messages are aligned by their role (who asks what, what is answered to it), not by their place. Tags, branches,
//! Call-IDs, nonces, ports and times of day are noise; the machines' addresses and the numbers are named by their role.

mod difference;
mod fields;
mod show;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::tracks::{Call, Leg, Stream, Tracks};
use super::{Kept, Proof};
use steps::{Roles, Step, align};

pub use difference::{Comparison, Difference, Kind, MATTERS, Trace};
pub use show::{to_json, to_text};

/// From this weight on it shows that one fails.
const DECIDES: u8 = 80;
/// Conversations of each trace that are compared.
const TALKS_LIMIT: usize = 200;
/// Differences that are kept.
const DIFFERENCES_LIMIT: usize = 1_000;
/// What follows from an outcome that differs says little.
const FOLLOWS: u8 = 30;

/// Compares two traces.
pub fn compare(working: &Trace, failing: &Trace) -> Comparison {
    let (ours, theirs) = (talks(working), talks(failing));
    let mut found = Comparison::default();
    // Differences in the order of the failing trace's course, a conversation each.
    let mut courses: Vec<Vec<Difference>> = Vec::new();
    for (talk, other) in pair(&ours, &theirs) {
        let mut course = Vec::new();
        match other {
            Some(other) => found.aligned += compare_talk(talk, other, &mut course),
            None => course.extend(absent(talk, &theirs)),
        }
        courses.push(course);
    }
    courses.push(sound(working, failing));
    let decides = |course: &&Vec<Difference>| course.iter().any(|it| it.weight >= DECIDES);
    let course = courses.iter().find(decides);
    let course =
        course.or_else(|| courses.iter().find(|course| course.iter().any(|it| it.weight >= MATTERS)));
    found.first = course.and_then(|course| first_of(course)).cloned();
    found.differences = courses.into_iter().flatten().take(DIFFERENCES_LIMIT).collect();
    found.differences.sort_by_key(|it| std::cmp::Reverse(it.weight));
    found
}

/// The first that matters; of one message the weightiest.
fn first_of(course: &[Difference]) -> Option<&Difference> {
    let first = course.iter().find(|it| it.weight >= MATTERS)?;
    let place = |it: &Difference| it.failing.as_ref().or(it.working.as_ref()).map(|(proof, _)| proof.number);
    let of_one = course.iter().filter(|it| it.weight >= MATTERS && place(it) == place(first));
    // `max_by_key` gives the last of equals.
    of_one.rev().max_by_key(|it| it.weight)
}

/// A conversation: one leg of a call, a registration, a subscription, or single requests.
pub(super) struct Talk {
    /// `call`, `registration`, …; with the leg's number.
    role: String,
    title: String,
    users: (String, String),
    steps: Vec<Step>,
    roles: Roles,
}

fn talks(trace: &Trace) -> Vec<Talk> {
    let mut by_id: BTreeMap<&str, Vec<&Kept>> = BTreeMap::new();
    for kept in &trace.kept {
        by_id.entry(&kept.call_id).or_default().push(kept);
    }
    let tracks = &trace.tracks;
    let mut all: Vec<Talk> = Vec::new();
    for track in &tracks.registrations {
        let title = format!("registration of {}", track.account);
        let users = (track.account.to_string(), track.account.to_string());
        let mut own: Vec<&Kept> = Vec::new();
        for id in &track.call_ids {
            own.extend(
                by_id
                    .get(&**id)
                    .into_iter()
                    .flatten()
                    .filter(|kept| is_between(kept, track.path.source.ip())),
            );
        }
        own.sort_by_key(|kept| kept.proof);
        all.extend(talk("registration".to_owned(), title, users, &own));
    }
    for call in &tracks.calls {
        for (number, leg) in (1..).zip(legs(tracks, call)) {
            let users = (leg.from.user.to_string(), leg.to.user.to_string());
            let which = if number == 1 { String::new() } else { format!(", leg {number}") };
            let title = format!("call from {} to {}{which}", users.0, users.1);
            let own = by_id.get(&*leg.call_id).cloned().unwrap_or_default();
            all.extend(talk(format!("call, leg {number}"), title, users, &own));
        }
    }
    for track in &tracks.subscriptions {
        let users = (track.account.to_string(), track.target.to_string());
        let title = format!("subscription of {} to {} ({})", users.0, users.1, track.event);
        let own = by_id.get(&*track.call_id).cloned().unwrap_or_default();
        all.extend(talk(format!("subscription to {}", track.event), title, users, &own));
    }
    let others = tracks.others.iter().filter_map(|&id| tracks.transaction(id));
    let mut seen = std::collections::BTreeSet::new();
    for other in others.filter(|other| seen.insert(&*other.call_id)) {
        let request = other.request.as_ref();
        let users = request.map(|it| (it.from.user.to_string(), it.to.user.to_string())).unwrap_or_default();
        let own = by_id.get(&*other.call_id).cloned().unwrap_or_default();
        all.extend(talk(other.method.to_string(), format!("{} of {}", other.method, users.0), users, &own));
    }
    all.sort_by_key(|talk| talk.steps.first().map(|step| step.proof));
    all.truncate(TALKS_LIMIT);
    all
}

fn is_between(kept: &Kept, address: std::net::IpAddr) -> bool {
    kept.path.source.ip() == address || kept.path.destination.ip() == address
}

fn talk(role: String, title: String, users: (String, String), own: &[&Kept]) -> Option<Talk> {
    let first = own.first()?;
    let roles = Roles::new(first, &users);
    let steps = steps::steps(own);
    (!steps.is_empty()).then_some(Talk { role, title, users, steps, roles })
}

fn legs<'a>(tracks: &'a Tracks, call: &'a Call) -> impl Iterator<Item = &'a Leg> {
    call.legs.iter().filter_map(|&id| tracks.legs.get(id as usize))
}

/// Each conversation of the working trace with that of the failing one that has its role: of the same numbers where
/// there is one, else the next in order.
fn pair<'a>(ours: &'a [Talk], theirs: &'a [Talk]) -> Vec<(&'a Talk, Option<&'a Talk>)> {
    let mut free: Vec<bool> = vec![true; theirs.len()];
    let mut pairs: Vec<(&Talk, Option<&Talk>)> = ours.iter().map(|talk| (talk, None)).collect();
    for same_users in [true, false] {
        for (talk, other) in pairs.iter_mut().filter(|(_, other)| other.is_none()) {
            let fits = |(at, it): &(usize, &Talk)| {
                free.get(*at) == Some(&true)
                    && it.role == talk.role
                    && (!same_users || it.users == talk.users)
            };
            let Some((at, found)) = theirs.iter().enumerate().find(fits) else { continue };
            free[at] = false;
            *other = Some(found);
        }
    }
    pairs
}

/// A conversation that the failing trace lacks. That it has fewer of a kind is no more than a shorter capture.
fn absent(talk: &Talk, theirs: &[Talk]) -> Option<Difference> {
    let has_kind = theirs.iter().any(|it| it.role == talk.role);
    // The second leg of a call is missing where the server did not call on.
    let first_leg = talk.role.strip_prefix("call, leg ").is_some_and(|number| number != "1")
        && theirs.iter().any(|it| it.role == "call, leg 1");
    let step = talk.steps.first()?;
    let weight = match (first_leg, has_kind) {
        (true, false) => DECIDES,
        (_, false) => MATTERS - 5,
        (_, true) => 10,
    };
    let what = match first_leg && !has_kind {
        true => "The call is not passed on: its second leg is missing.".to_owned(),
        false => format!("There is no {}.", talk.title),
    };
    let working = Some((step.proof, step.what.clone()));
    Some(Difference { kind: Kind::Missing, weight, talk: talk.title.clone(), what, working, failing: None })
}

/// Compares two conversations message by message; gives how many have the same role.
fn compare_talk(ours: &Talk, theirs: &Talk, course: &mut Vec<Difference>) -> usize {
    let aligned = align(&ours.steps, &theirs.steps);
    let title = &theirs.title;
    let moved = |step: &Step, others: &[Step]| others.iter().any(|other| other.label == step.label);
    let mut count = 0;
    let mut is_decided = false;
    let mut last: Option<(Proof, Proof)> = None;
    for pair in aligned {
        let mut found = match pair {
            (Some(our), Some(their)) => {
                count += 1;
                let mut found = fields::compare((our, &ours.roles), (their, &theirs.roles), title);
                found.extend(timing(title, (our, their), last));
                last = Some((our.proof, their.proof));
                found
            }
            (Some(our), None) => vec![only(Kind::Missing, title, our, moved(our, &theirs.steps))],
            (None, Some(their)) => vec![only(Kind::Extra, title, their, moved(their, &ours.steps))],
            (None, None) => Vec::new(),
        };
        if is_decided {
            found.iter_mut().for_each(|it| it.weight = it.weight.min(FOLLOWS));
        }
        is_decided |= found.iter().any(|it| it.weight >= DECIDES);
        course.extend(found);
    }
    count
}

/// A message that one trace alone has.
fn only(kind: Kind, talk: &str, step: &Step, is_elsewhere: bool) -> Difference {
    let provisional = step.status.is_some_and(|status| status < 200);
    let (kind, weight, how) = match (is_elsewhere, provisional, kind) {
        (true, ..) => (Kind::Order, 45, "comes at another place"),
        (_, true, Kind::Missing) => (kind, 30, "is missing"),
        (_, true, _) => (kind, 25, "comes only here"),
        (_, _, Kind::Missing) => (kind, DECIDES, "is missing"),
        _ => (kind, 60, "comes only here"),
    };
    let place = Some((step.proof, step.what.clone()));
    let (working, failing) = if kind == Kind::Extra { (None, place) } else { (place, None) };
    Difference {
        kind,
        weight,
        talk: talk.to_owned(),
        what: format!("{} {how}.", step.what),
        working,
        failing,
    }
}

/// Waits that differ by much, and messages that are sent again.
fn timing(talk: &str, (our, their): (&Step, &Step), last: Option<(Proof, Proof)>) -> Vec<Difference> {
    let both = |weight: u8, what: String| Difference {
        kind: Kind::Timing,
        weight,
        talk: talk.to_owned(),
        what,
        working: Some((our.proof, our.what.clone())),
        failing: Some((their.proof, their.what.clone())),
    };
    let mut found = Vec::new();
    if their.copies >= our.copies + 2 {
        found.push(both(
            MATTERS,
            format!("{} is sent {} times instead of {}.", their.what, their.copies, our.copies),
        ));
    }
    // How long somebody talks, or lets it ring, is no difference of the machines.
    let by_machine = match their.status {
        None => their.label.ends_with("ACK") || their.label.ends_with("with credentials"),
        Some(200..) => !their.label.contains("final answer to INVITE"),
        Some(_) => true,
    };
    if let Some((before, other)) = last.filter(|_| by_machine) {
        let wait = |step: &Step, since: Proof| step.proof.at.since(since.at).as_secs_f64();
        let (ours, theirs) = (wait(our, before), wait(their, other));
        if (ours - theirs).abs() >= 1.0 && ours.max(theirs) >= 4.0 * ours.min(theirs) {
            found.push(both(40, format!("{} comes after {theirs:.1} s instead of {ours:.1} s.", their.what)));
        }
    }
    found
}

/// The sound of calls that both traces answer: which ways it flows, and how well.
fn sound(working: &Trace, failing: &Trace) -> Vec<Difference> {
    let answered = |trace: &Trace| {
        let tracks = &trace.tracks;
        let calls = tracks.calls.iter().filter_map(|call| legs(tracks, call).next());
        calls.filter(|leg| leg.answered.is_some()).map(flows(tracks)).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for ((_, ours), (title, theirs)) in answered(working).iter().zip(&answered(failing)) {
        for ((our, their), way) in ours.iter().zip(theirs).zip(["from the caller", "to the caller"]) {
            found.extend(flow(title, way, our.as_ref(), their.as_ref()));
        }
    }
    found
}

type Flows = (String, [Option<Flow>; 2]);

struct Flow {
    first: Proof,
    packets: u64,
    codec: String,
    lost_percent: f64,
}

/// The sound of a leg from and to its caller.
fn flows(tracks: &Tracks) -> impl Fn(&Leg) -> Flows + '_ {
    move |leg| {
        let mut both = [None, None];
        let streams = leg.streams.iter().filter_map(|&index| tracks.streams.get(index as usize));
        for stream in streams {
            let forward = stream.path.source.ip() == leg.path.source.ip()
                || stream.path.destination.ip() == leg.path.destination.ip();
            both[usize::from(!forward)].get_or_insert_with(|| of_stream(stream));
        }
        (format!("call from {} to {}", leg.from.user, leg.to.user), both)
    }
}

fn of_stream(stream: &Stream) -> Flow {
    let all = (stream.packets + stream.lost).max(1);
    Flow {
        first: stream.first,
        packets: stream.packets,
        codec: stream.codec.as_deref().unwrap_or("another codec").to_owned(),
        lost_percent: stream.lost as f64 * 100.0 / all as f64,
    }
}

fn flow(title: &str, way: &str, ours: Option<&Flow>, theirs: Option<&Flow>) -> Option<Difference> {
    let shown = |it: &Flow| (it.first, format!("{} packets of {}", it.packets, it.codec));
    let (weight, what) = match (ours, theirs) {
        (Some(_), None) => (90, format!("No sound flows {way}.")),
        (Some(ours), Some(theirs)) if theirs.lost_percent >= ours.lost_percent + 1.0 => (
            60,
            format!(
                "{:.1} % of the sound {way} is lost instead of {:.1} %.",
                theirs.lost_percent, ours.lost_percent
            ),
        ),
        (Some(ours), Some(theirs)) if !ours.codec.eq_ignore_ascii_case(&theirs.codec) => {
            (60, format!("The sound {way} is {} instead of {}.", theirs.codec, ours.codec))
        }
        _ => return None,
    };
    let talk = title.to_owned();
    Some(Difference {
        kind: Kind::Sound,
        weight,
        talk,
        what,
        working: ours.map(shown),
        failing: theirs.map(shown),
    })
}
