//! The command line: each sub-command is one file.
//!
//! Exit status: 0 done and as expected, 1 it did not work, 2 wrong usage. Standard output carries the
//! answer (with `--json` nothing but JSON), standard error everything for people.

mod config;
mod config_file;
mod doctor;
mod hardware;
mod lab;
mod lines;
mod memory;
mod phone;
mod place;
mod prompt;
mod provision;
mod secrets;
mod serve;
mod web;
mod words;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// A complete IP phone system in one program: desk phone, exchange and lab.
///
/// Without a command it is `offhook lab`: an exchange and three phones on this machine until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "offhook", version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  offhook                                an exchange and three phones on this machine
  offhook serve --extension 7001:a-long-secret-here
                                         an exchange on this machine
  offhook lab basic-call --once          two phones register, talk and hang up on a simulated wire
  offhook doctor case/ --calls           what captures, logs and configuration files show
  offhook phone --stdio --account '7001:a-long-secret-here@pbx.example.com'
                                         one phone, driven by lines on standard input

Exit status: 0 done and as expected; 1 it did not work; 2 wrong usage.";

/// Each is described where its arguments are.
#[derive(Debug, Subcommand)]
enum Command {
    Config(config::Arguments),
    Doctor(doctor::Arguments),
    Lab(lab::Arguments),
    Phone(Box<phone::Arguments>),
    Provision(Box<provision::Arguments>),
    Serve(Box<serve::Arguments>),
}

/// Why a command ended without having done what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An argument that cannot be: exit status 2.
    Usage(String),
    /// It did not work: exit status 1.
    Failed(String),
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Failed(_) => 1,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(text) | Self::Failed(text)) = self;
        f.write_str(text)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Runs the program with `arguments`, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let given: Vec<OsString> =
        match config_file::expand(&Arguments::command(), arguments.into_iter().collect()) {
            Ok(given) => given,
            Err(why) => {
                complain!("offhook: {}", secrets::redact(&why, &[]));
                return Failure::usage(why).code();
            }
        };
    let arguments = match Arguments::try_parse_from(&given) {
        Ok(arguments) => arguments,
        Err(error) => {
            print(&error, &given);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let ended = match arguments.command {
        None => lab::run(&lab::Arguments::default()),
        Some(Command::Config(arguments)) => config::run(&arguments),
        Some(Command::Doctor(arguments)) => doctor::run(&arguments),
        Some(Command::Lab(arguments)) => lab::run(&arguments),
        Some(Command::Phone(arguments)) => phone::run(*arguments),
        Some(Command::Provision(arguments)) => provision::run(&arguments),
        Some(Command::Serve(arguments)) => serve::run(*arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match &failure {
                Failure::Usage(why) => complain!("offhook: {}", secrets::redact(why, &words(&given))),
                Failure::Failed(why) => complain!("offhook: {why}"),
            }
            failure.code()
        }
    }
}

/// Shows help, or what is wrong with the arguments, without the secrets in them.
fn print(error: &clap::Error, given: &[OsString]) {
    // A closed terminal changes nothing about the status.
    if !error.use_stderr() {
        let _ = error.print();
        return;
    }
    let given = words(given);
    let text = error.render();
    let text = if io::stderr().is_terminal() { text.ansi().to_string() } else { text.to_string() };
    let _ = write!(io::stderr(), "{}", secrets::redact(&text, &given));
}

/// Arguments as text.
fn words(given: &[OsString]) -> Vec<String> {
    given.iter().map(|it| it.to_string_lossy().into_owned()).collect()
}

/// The runtime of every command: one thread, for one task owns each role.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Something waited for the store when the program ended.
fn unwritten() -> Failure {
    Failure::Failed("what changed last could not be kept and is lost; look at the disk".to_owned())
}

/// Ctrl-C or, on Unix, a signal by which services are ended: also the one that comes when a terminal is
/// closed, unless this program was started to outlive it.
struct Interruption {
    #[cfg(unix)]
    signals: [Option<tokio::signal::unix::Signal>; 3],
}

impl Interruption {
    /// From now on a signal waits until [`comes`](Self::comes) is asked for; before, it ends the program at
    /// once. So this is made before anybody is told that the program is ready.
    fn expect() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
            let [interrupt, terminate] = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
            Ok(Self { signals: [Some(interrupt), Some(terminate), hangup] })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    async fn comes(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                () = received(interrupt) => Ok(()),
                () = received(terminate) => Ok(()),
                () = received(hangup) => Ok(()),
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await
    }
}

/// Waits for a signal; without end for none.
#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether `nohup` or the like has started this program. Signals that are ignored stay so where nobody
/// handles them, and the system tells which they are.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    static IGNORED: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & 1 == 1)
    });
    *IGNORED
}

/// A reader who has seen enough (`| head`) is no failure.
fn if_read(told: io::Result<()>) -> io::Result<()> {
    told.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}
