//! `offhook lab`: the cases of the source document, played with the real parts.

mod actor;
mod ears;
mod files;
mod machine;
mod office;
mod paint;
mod progress;
mod real;
mod supply;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use media::NARROWBAND_HZ;
use media::wav::Wav;
use roles::doctor::{Finding, Tracks};
use roles::lab::script::{self, Outcome, Stage};
use roles::lab::{Case, Fate, Link, Passed, Simulated, Subnet, capture_file, captured_at};
use roles::settings::distance;
use roles::trace::Row;
use serde_json::json;

use super::{Failure, if_read};
use crate::clock::Clock;
use crate::sound::Recording;
use crate::store;
use ears::{EngineEars, Listener};
use paint::Paint;

/// The lab: phones and an exchange to learn with, and the cases of the source document played with them.
///
/// Without a case, an exchange (127.0.50.19) and three phones (7001, 7002, 7007, each at an address of its
/// own in 127.0.0.0/8) run on this machine until Ctrl-C, each with its HTTP API. Lines drive them: `7001 dial 7002`, `7002 answer`,
/// `help`, `quit`.
///
/// A case is played on a simulated wire in virtual time, so that minutes pass in a moment and every run
/// has the same ladder; with --real on loopback sockets in real time. Its ladder of messages, the
/// explanation and whether all was as the case says (the tones that are heard, and every message of the
/// ladder) are printed; the exit status is 0 when it was.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The case to play; see --list [default: none; an exchange and three phones until Ctrl-C]
    #[arg(value_name = "CASE")]
    case: Option<String>,
    /// Play the case to its end and judge it
    #[arg(long, requires = "case")]
    once: bool,
    /// List the cases by topic
    #[arg(long, conflicts_with = "case")]
    list: bool,
    /// One JSON document on standard output; without a case, events as JSON lines
    #[arg(long)]
    json: bool,
    /// On loopback sockets in real time, each machine at an address of its own in 127.0.0.0/8
    #[arg(long, requires = "once")]
    real: bool,
    /// Where the machines are, a /16 of the loopback: a second lab on this machine takes another one
    #[arg(long, value_name = "NETWORK", default_value_t = Subnet::USUAL, conflicts_with = "list")]
    net: Subnet,
    /// Chance of a run in virtual time: delays, tags, ports
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "real")]
    seed: u64,
    /// Capture of all that passed, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Folder for what each phone heard in a case, one WAV a phone
    #[arg(long, value_name = "DIR", requires = "case")]
    wav: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  offhook lab
  offhook lab --list
  offhook lab basic-call --once
  offhook lab basic-call --once --pcap basic-call.pcap --wav heard/
  offhook lab blind-transfer --once --real
  offhook lab --net 127.1.0.0/16";

/// A name with so many letters wrong is still taken for the case that was meant.
const MOST_WRONG_LETTERS: usize = 2;
/// Letters of a name that are looked at, for whoever pastes a file.
const LONGEST_SLUG: usize = 64;

/// Lists the cases, plays one, or opens the lab.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Some(slug) = &arguments.case else {
        return match arguments.list {
            true => if_read(list(arguments.json)).map_err(Failure::from),
            false => office::run(arguments),
        };
    };
    let case = roles::lab::case(slug).ok_or_else(|| unknown(slug))?;
    if !arguments.once {
        return Err(Failure::usage(format!("say how `{slug}` is to be played: `offhook lab {slug} --once`")));
    }
    // What the simulated wire does not carry is played on sockets without being asked.
    let real = arguments.real || is_for_sockets(case);
    play(case, &Arguments { real, ..arguments.clone() })
}

/// Whether a case is played on real sockets alone.
fn is_for_sockets(case: &Case) -> bool {
    roles::lab::real_cases().iter().any(|real| real.case.slug == case.slug)
}

/// All cases by topic, those for sockets alone beside the others of theirs.
fn all_cases() -> Vec<&'static Case> {
    let mut all: Vec<&Case> = roles::lab::cases().iter().collect();
    for real in roles::lab::real_cases() {
        let after = all.iter().rposition(|case| case.topic == real.case.topic).map_or(all.len(), |at| at + 1);
        all.insert(after, &real.case);
    }
    all
}

fn unknown(slug: &str) -> Failure {
    let near = near(slug);
    let hint = if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) };
    Failure::usage(format!("no case is called `{slug}`{hint}; `offhook lab --list` lists them"))
}

/// The case that was meant, where a few letters are wrong, else those that have a word of it.
fn near(slug: &str) -> Vec<&'static str> {
    let slugs = || all_cases().into_iter().map(|case| case.slug);
    let given: String = slug.chars().take(LONGEST_SLUG).collect();
    let wrong = |known: &&str| distance(known.as_bytes(), given.as_bytes());
    match slugs().min_by_key(wrong).filter(|known| wrong(known) <= MOST_WRONG_LETTERS) {
        Some(meant) => vec![meant],
        None => slugs().filter(|known| shares_a_word(known, &given)).collect(),
    }
}

fn shares_a_word(known: &str, given: &str) -> bool {
    given.split('-').any(|word| word.len() > 2 && known.split('-').any(|part| part.starts_with(word)))
}

fn list(as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if as_json {
        let cases: Vec<_> = all_cases()
            .into_iter()
            .map(|case| {
                let virtual_only = real::needs_virtual_time(case);
                json!({
                    "case": case.slug, "topic": case.topic, "title": case.title, "virtual_only": virtual_only,
                    "real_only": is_for_sockets(case),
                })
            })
            .collect();
        return writeln!(out, "{}", json!(cases));
    }
    let mut topic = "";
    for case in all_cases() {
        if case.topic != topic {
            topic = case.topic;
            writeln!(out, "{topic}")?;
        }
        let on_sockets = is_for_sockets(case).then(|| " (on real sockets alone)".to_owned());
        let not_real =
            real::needs_virtual_time(case).map(|why| format!(" (no --real: it {why})")).or(on_sockets);
        writeln!(out, "  {:24} {}{}", case.slug, case.title, not_real.unwrap_or_default())?;
    }
    Ok(())
}

fn play(case: &Case, arguments: &Arguments) -> Result<(), Failure> {
    let Played { outcome, passed, at, recordings } = match arguments.real {
        true => play_real(case, arguments.net)?,
        false => play_simulated(case, arguments.net, arguments.seed)?,
    };
    let judged = capture_file(&captured_at(&passed, at));
    let tracks = roles::doctor::read_capture(case.slug, &judged, Clock::start().now());
    let findings = roles::doctor::diagnose(&tracks);
    if let Some(path) = &arguments.pcap {
        save_capture(path, &passed)?;
    }
    if let Some(folder) = &arguments.wav {
        save_recordings(folder, &recordings)?;
    }
    if_read(tell(case, &outcome, (&tracks, &findings), arguments))?;
    match outcome.as_expected() {
        true => Ok(()),
        false => Err(Failure::Failed(format!("{} did not go as the case says", case.slug))),
    }
}

/// A case that is over, and what is left of it.
struct Played {
    outcome: Outcome,
    passed: Vec<Passed>,
    /// Where the capture is taken that the doctor judges.
    at: IpAddr,
    recordings: Vec<(String, Recording)>,
}

fn play_simulated(case: &Case, subnet: Subnet, seed: u64) -> Result<Played, Failure> {
    let tones: Vec<u16> = case.desks.iter().map(|desk| desk.tone_hz).collect();
    let mut recordings = Vec::new();
    let mut stage = Simulated::at(subnet, case, Link::DESK, seed, |desk, seed| {
        let listener = Listener::new(tones.clone());
        recordings.push((desk.name.to_owned(), listener.all()));
        Box::new(EngineEars::new(desk.tone_hz, listener, seed))
    })
    .map_err(Failure::Failed)?;
    let outcome = script::play(case, &mut stage);
    let (passed, at) = (stage.passed().to_vec(), stage.ip(case.capture_at));
    Ok(Played { outcome, passed, at, recordings })
}

fn play_real(case: &Case, subnet: Subnet) -> Result<Played, Failure> {
    let mut stage = real::Loopback::new(case, subnet)?;
    let mut outcome = script::play(case, &mut stage);
    outcome.faults.splice(..0, stage.take_trouble());
    let (passed, at) = (stage.passed().to_vec(), stage.ip(case.capture_at));
    Ok(Played { outcome, passed, at, recordings: stage.recordings() })
}

fn tell(
    case: &Case,
    outcome: &Outcome,
    (tracks, findings): (&Tracks, &[Finding]),
    arguments: &Arguments,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if arguments.json {
        let events: Vec<_> =
            outcome.events.iter().map(|(who, event)| json!({ "who": who, "event": event })).collect();
        let seed = (!arguments.real).then_some(arguments.seed);
        let ladder: Vec<_> = outcome.ladder.iter().map(Row::to_json).collect();
        let seen = if outcome.as_expected() { proven(case, arguments) } else { Vec::new() };
        let meant =
            |(code, subject): &(&str, &str)| json!({ "code": code, "subject": arguments.net.text(subject) });
        let verdict: Vec<_> = case.verdict.iter().map(meant).collect();
        let findings: Vec<_> = findings.iter().map(|finding| finding.to_json(tracks)).collect();
        let document = json!({
            "case": case.slug, "topic": case.topic, "title": case.title, "deck": case.deck,
            "explanation": case.teaches, "real": arguments.real, "seed": seed,
            "as_expected": outcome.as_expected(), "faults": outcome.faults, "seen": seen, "ladder": ladder,
            "capture_at": case.capture_at, "verdict": verdict, "findings": findings, "events": events,
        });
        return writeln!(out, "{document}");
    }
    writeln!(out, "{}: {}\n", case.slug, case.title)?;
    writeln!(out, "{}", roles::trace::text(&outcome.ladder))?;
    writeln!(out, "The deck: {}", case.deck)?;
    writeln!(out, "To learn: {}\n", case.teaches)?;
    for finding in findings {
        let (severity, title) = (finding.severity.word(), &finding.title);
        writeln!(
            out,
            "The doctor at {}: {severity} {} {}: {title}",
            case.capture_at, finding.code, finding.subject
        )?;
    }
    let paint = Paint::of(&io::stdout());
    for fault in &outcome.faults {
        writeln!(out, "{}: {fault}", paint.red("NOT AS EXPECTED"))?;
    }
    if outcome.as_expected() {
        writeln!(out, "{}", paint.green("All was as the case says."))?;
        let proven = proven(case, arguments);
        if !proven.is_empty() {
            writeln!(out, "Seen: {}.", proven.join("; "))?;
        }
    }
    Ok(())
}

/// What the case has proven, in words.
fn proven(case: &Case, arguments: &Arguments) -> Vec<String> {
    let ladders = case.ladders.iter().map(|(who, name)| format!("the deck's ladder {name} at {who}"));
    let every = (!arguments.real && !case.whole.is_empty()).then(|| "every message, and no other".to_owned());
    let hears = |step: &script::Step| match step {
        script::Step::Hears(who, []) => Some(format!("{who} hears silence")),
        script::Step::Hears(who, tones) => {
            let tones: Vec<_> = tones.iter().map(|hz| format!("{hz} Hz")).collect();
            Some(format!("{who} hears {}", tones.join(" and ")))
        }
        script::Step::Lamp(who, meaning) => Some(format!("the lamp at {who} is {meaning}")),
        script::Step::Log(who, line) => {
            Some(format!("`{}` in the log of {who}", arguments.net.text(line).trim_end()))
        }
        script::Step::Event(who, event, fields @ [_, ..], _)
            if fields.iter().all(|(_, it)| *it != "null") =>
        {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name} {}", arguments.net.text(value))).collect();
            Some(format!("{who} tells {event} with {}", fields.join(", ")))
        }
        _ => None,
    };
    ladders.chain(case.steps.iter().filter_map(hears)).chain(every).collect()
}

fn save_capture(path: &Path, passed: &[Passed]) -> Result<(), Failure> {
    // What a firewall or the way has swallowed was seen by nobody who could have captured it there.
    let arrived = |packet: &&Passed| matches!(packet.fate, Fate::Arrived | Fate::Doubled);
    let arrived: Vec<Passed> = passed.iter().filter(arrived).cloned().collect();
    save(path, &capture_file(&arrived), "--pcap")
}

fn save_recordings(folder: &Path, recordings: &[(String, Recording)]) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::Failed(format!("--wav: {} cannot be made: {error}", folder.display())))?;
    for (name, recording) in recordings {
        let wav = Wav { sample_rate_hz: NARROWBAND_HZ, channels: 1, samples: recording.take() };
        save(&folder.join(format!("{name}.wav")), &wav.to_bytes(), "--wav")?;
    }
    Ok(())
}

fn save(path: &Path, bytes: &[u8], option: &str) -> Result<(), Failure> {
    let written = store::create(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| {
        Failure::Failed(format!(
            "{option}: {} cannot be written: {error}; give another place",
            path.display()
        ))
    })
}
