//! `offhook doctor`: captures, logs and configuration files in, what they show out.

mod compare;
mod inputs;
mod ladder;
mod out;
mod reading;
mod table;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use roles::doctor::filter::Filter;
use roles::doctor::{Doctor, Finding, Severity, Tracks, json};

use super::{Failure, if_read};
use crate::clock::Clock;

/// Reads captures, phone logs and configuration files, and says what they show.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Captures (pcap, pcapng, snoop), logs, configuration files, folders, zip bundles; all may be gzipped. `-` is
    /// standard input
    #[arg(required_unless_present_any = ["explain", "compare"], value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
    /// A table of calls, registrations and subscriptions
    #[arg(long)]
    calls: bool,
    /// Only what has this: a number, address or Call-ID, or `status:4xx`, `method:REFER`, `after:13:58:38`, …
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// The messages of calls, registrations and subscriptions as ladders, with packet numbers
    #[arg(long, conflicts_with = "json")]
    ladder: bool,
    /// One call, by its Call-ID or a part of it that no other has
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Writes the packets of that call, its sound among them, to a capture of its own
    #[arg(long, value_name = "FILE.pcap", requires = "call")]
    out: Option<PathBuf>,
    /// A trace that works and one that fails: where they part, message by message
    #[arg(
        long,
        num_args = 2,
        value_names = ["WORKING", "FAILING"],
        conflicts_with_all = ["paths", "calls", "filter", "ladder", "call", "explain", "accept", "junit"]
    )]
    compare: Vec<PathBuf>,
    /// What a code means, how it is proven and what to do
    #[arg(long, value_name = "CODE", conflicts_with = "paths")]
    explain: Option<String>,
    /// Findings that are known and accepted: a code and a subject a line; only new ones count
    #[arg(long, value_name = "FILE")]
    accept: Option<PathBuf>,
    /// Writes the findings as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// From which severity on the exit status is 1
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,
}

/// What makes the exit status 1.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FailOn {
    Error,
    Warning,
}

impl FailOn {
    fn least(self) -> Severity {
        match self {
            Self::Error => Severity::Error,
            Self::Warning => Severity::Warning,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  offhook doctor case/                         everything in a folder is one case
  offhook doctor a.pcapng --calls --filter 'number:7001 status:4xx'
  tcpdump -w - | offhook doctor - --json
  offhook doctor a.pcap --call 1750a8c0 --out call.pcap
  offhook doctor case/ --accept known.txt --junit findings.xml --fail-on warning
  offhook doctor --compare working.pcap failing.pcap
  offhook doctor --explain reg.403

Filter words: from:, to:, number:, address:, method:, status:, call-id:, after:, before:, or any word alone;
all must hold, `!` before one turns it round. Times are UTC.";

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(code) = &arguments.explain {
        return explain(code);
    }
    if let [working, failing] = &arguments.compare[..] {
        return compare::run(working, failing, arguments.json);
    }
    let filter = arguments.filter.as_deref().map(Filter::parse).transpose();
    let filter = filter.map_err(|error| Failure::usage(format!("--filter: {error}")))?.unwrap_or_default();
    let inputs = inputs::find(&arguments.paths)?;
    let mut doctor = Doctor::new(Clock::start().now());
    reading::read(inputs.clone(), &mut doctor)?;
    let mut tracks = doctor.finish();
    let findings = judge(&tracks, arguments)?;
    if let Some(call) = &arguments.call {
        let index = out::find_call(&tracks, call)?;
        if let Some(path) = &arguments.out {
            let count = out::write(&inputs, &tracks, index, path)?;
            complain!("offhook: {count} packets of the call are in {}", path.display());
        }
        keep_call(&mut tracks, index);
    }
    let keep = Keep::new(&tracks, &filter);
    if arguments.json {
        let rows = findings.iter().map(|finding| finding.to_json(&tracks)).collect();
        print_json(&keep.json(json::report(&tracks, rows)))?;
    } else {
        if !arguments.calls {
            println!("{}", roles::doctor::report_text(&tracks, &findings, painter()));
            if !arguments.ladder && arguments.call.is_none() {
                let ladders = ladder::of_findings(&inputs, &tracks, &findings)?;
                print!("{ladders}{}", if ladders.is_empty() { "" } else { "\n" });
            }
        }
        print!("{}", table::show(&tracks, &keep, arguments.calls));
    }
    if arguments.ladder {
        print!("{}", ladder::show(&inputs, &tracks, &keep, arguments.call.is_some())?);
    }
    let is_unread = tracks.is_unread();
    // The program ends here: to free millions of small values one by one takes a tenth of its time.
    std::mem::forget(tracks);
    if is_unread {
        return Err(Failure::Failed("nothing could be read".to_owned()));
    }
    let least = arguments.fail_on.least();
    match findings.iter().filter(|finding| finding.severity >= least).count() {
        0 => Ok(()),
        1 => Err(Failure::Failed(format!("1 finding of severity {} or worse", least.word()))),
        count => Err(Failure::Failed(format!("{count} findings of severity {} or worse", least.word()))),
    }
}

fn print_json(report: &serde_json::Value) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = serde_json::to_writer(&mut out, report).map_err(io::Error::from);
    let written = written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    if_read(written).map_err(|error| Failure::Failed(format!("standard output: {error}")))
}

/// The findings but those that are accepted; written as JUnit where that is asked for.
fn judge(tracks: &Tracks, arguments: &Arguments) -> Result<Vec<Finding>, Failure> {
    let mut findings = roles::doctor::diagnose(tracks);
    if let Some(path) = &arguments.accept {
        let file = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("--accept: {} cannot be read: {error}", path.display()))
        })?;
        findings = roles::doctor::accepted(&file, findings);
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, roles::doctor::junit(&findings)).map_err(|error| {
            Failure::Failed(format!("--junit: {} cannot be written: {error}", path.display()))
        })?;
    }
    Ok(findings)
}

fn explain(code: &str) -> Result<(), Failure> {
    match roles::doctor::explain_text(code) {
        Some(text) => {
            print!("{text}");
            Ok(())
        }
        None => {
            let codes: Vec<&str> = roles::doctor::explanations().map(|it| it.code).collect();
            Err(Failure::usage(format!("no finding has the code `{code}`; there are: {}", codes.join(", "))))
        }
    }
}

/// Colours for a terminal, none in a pipe.
fn painter() -> fn(Severity, &str) -> String {
    let is_terminal =
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if !is_terminal {
        return |_, word| word.to_owned();
    }
    |severity, word| match severity {
        Severity::Error => format!("\u{1b}[31m{word}\u{1b}[0m"),
        Severity::Warning => format!("\u{1b}[33m{word}\u{1b}[0m"),
        Severity::Info => word.to_owned(),
    }
}

/// Leaves one call and its streams.
fn keep_call(tracks: &mut Tracks, index: usize) {
    for (at, call) in tracks.calls.iter_mut().enumerate() {
        if at != index {
            call.legs.clear();
        }
    }
}

/// Which rows are shown.
pub(super) struct Keep {
    pub(super) calls: Vec<bool>,
    pub(super) registrations: Vec<bool>,
    pub(super) subscriptions: Vec<bool>,
    pub(super) streams: Vec<bool>,
}

impl Keep {
    fn new(tracks: &Tracks, filter: &Filter) -> Self {
        Self {
            calls: tracks
                .calls
                .iter()
                .map(|call| !call.legs.is_empty() && filter.keeps_call(tracks, call))
                .collect(),
            registrations: tracks
                .registrations
                .iter()
                .map(|track| filter.keeps_registration(tracks, track))
                .collect(),
            subscriptions: tracks
                .subscriptions
                .iter()
                .map(|track| filter.keeps_subscription(tracks, track))
                .collect(),
            streams: tracks.streams.iter().map(|track| filter.keeps_stream(tracks, track)).collect(),
        }
    }

    /// Takes the other rows out. Streams stay all where calls name them by number.
    fn json(&self, mut report: serde_json::Value) -> serde_json::Value {
        let rows = [
            ("calls", &self.calls),
            ("registrations", &self.registrations),
            ("subscriptions", &self.subscriptions),
        ];
        for (name, kept) in rows {
            if let Some(rows) = report[name].as_array_mut() {
                let mut kept = kept.iter();
                rows.retain(|_| kept.next().copied().unwrap_or(true));
            }
        }
        report
    }
}
