//! The loop of a load: begins operations at their pace, passes what comes, counts what ends.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bench::figures::{Figures, quantile};
use bench::process::Process;
use bench::wire::Wire;

use super::options::Options;

/// T1: what is unanswered for so long is sent again (RFC 3261 §17.1.1.1).
const RESEND: Duration = Duration::from_millis(500);
/// After so many sendings an operation has failed.
const SENDINGS: u32 = 6;
/// The most operations under way at a rate: a server that is behind is not buried.
const MOST_UNDER_WAY: usize = 20_000;
/// How long the last operations may take when none begin any more.
const AFTERMATH: Duration = Duration::from_secs(4);

/// How operations follow one another.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many are always under way.
    Window(usize),
    /// So many begin each second.
    Rate(f64),
}

/// What becomes of an operation with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// It goes on, or the message meant nothing.
    Nothing,
    /// A next request was sent: time for it begins anew.
    Sent(usize),
    /// It is done.
    Done(usize),
    /// It was refused.
    Refused(usize),
}

/// A kind of operation. Operations are named by places, which are used again.
pub trait Scenario {
    /// Begins one; none where all phones are busy, or it is enough.
    fn begin(&mut self, wire: &Wire) -> Option<usize>;
    /// Takes a message.
    fn received(&mut self, socket: usize, message: &[u8], wire: &Wire) -> Step;
    /// Sends the last request of an operation again.
    fn resend(&mut self, place: usize, wire: &Wire);
    /// Gives an operation up.
    fn give_up(&mut self, place: usize);
}

/// What came of a load.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Operations done.
    pub done: u64,
    /// Operations refused or never answered.
    pub failed: u64,
    /// Those of them that were refused.
    refused: u64,
    resent: u64,
    seconds: f64,
    server_cpu_us: u64,
    own_cpu_us: u64,
    memory_kib: (u64, u64),
    latencies_us: Vec<u64>,
}

impl Outcome {
    /// As one line.
    pub fn print(mut self, what: &str, options: &Options) {
        self.latencies_us.sort_unstable();
        let done = self.done.max(1) as f64;
        let share = |cpu_us: u64| cpu_us as f64 / 10_000.0 / self.seconds;
        Figures::default()
            .text("operation", what)
            .text("pace", &format!("{:?}", options.pace))
            .number("done", self.done as f64)
            .number("failed", self.failed as f64)
            .number("refused", self.refused as f64)
            .number("resent", self.resent as f64)
            .number("per_second", done / self.seconds)
            .number("server_us", self.server_cpu_us as f64 / done)
            .number("server_percent", share(self.server_cpu_us))
            .number("load_percent", share(self.own_cpu_us))
            .number("p50_us", quantile(&self.latencies_us, 0.5) as f64)
            .number("p99_us", quantile(&self.latencies_us, 0.99) as f64)
            .number("memory_before_kib", self.memory_kib.0 as f64)
            .number("memory_after_kib", self.memory_kib.1 as f64)
            .print();
    }
}

#[derive(Clone, Copy, Default)]
struct Watch {
    begun: Option<Instant>,
    /// Rises with each request, so that an old alarm is known as such.
    serial: u32,
    sendings: u32,
}

struct Drive<'a, S> {
    scenario: &'a mut S,
    outcome: Outcome,
    watches: Vec<Watch>,
    alarms: VecDeque<(Instant, usize, u32)>,
    under_way: usize,
}

/// Lets a load run for its time.
///
/// # Errors
/// The system's, or the measured process is gone.
pub fn drive<S: Scenario>(
    options: &Options,
    scenario: &mut S,
    wire: &mut Wire,
    pace: Pace,
) -> Result<Outcome, String> {
    let (server, own) = (Process::new(options.pid), Process::new(std::process::id()));
    let read = |process: Process| process.cpu_us().map_err(|error| format!("process: {error}"));
    let mut drive = Drive {
        scenario,
        outcome: Outcome::default(),
        watches: Vec::new(),
        alarms: VecDeque::new(),
        under_way: 0,
    };
    let memory_before = server.memory_kib().unwrap_or_default();
    let (server_before, own_before) = (read(server)?, read(own)?);
    let begin = Instant::now();
    let length = Duration::from_secs_f64(options.seconds);
    let mut begun = 0usize;
    loop {
        let now = Instant::now();
        let due = match pace {
            _ if now - begin >= length => break,
            Pace::Window(window) => window.saturating_sub(drive.under_way),
            Pace::Rate(rate) if drive.under_way < MOST_UNDER_WAY => {
                (((now - begin).as_secs_f64() * rate) as usize).saturating_sub(begun)
            }
            Pace::Rate(_) => 0,
        };
        let started = (0..due).take_while(|_| drive.begin(now, wire)).count();
        begun += started;
        if drive.under_way == 0 && due > 0 && started == 0 {
            break;
        }
        drive.take(now, wire);
    }
    let seconds = begin.elapsed().as_secs_f64();
    drive.outcome.seconds = seconds;
    drive.outcome.server_cpu_us = read(server)?.saturating_sub(server_before);
    drive.outcome.own_cpu_us = read(own)?.saturating_sub(own_before);
    drive.outcome.memory_kib = (memory_before, server.memory_kib().unwrap_or_default());
    let done = drive.outcome.done;
    let end = Instant::now() + AFTERMATH;
    while drive.under_way > 0 && Instant::now() < end {
        drive.take(Instant::now(), wire);
    }
    drive.outcome.failed += drive.under_way as u64;
    drive.outcome.done = done;
    Ok(drive.outcome)
}

impl<S: Scenario> Drive<'_, S> {
    fn begin(&mut self, now: Instant, wire: &Wire) -> bool {
        let Some(place) = self.scenario.begin(wire) else { return false };
        if self.watches.len() <= place {
            self.watches.resize(place + 1, Watch::default());
        }
        self.watches[place].begun = Some(now);
        self.under_way += 1;
        self.sent(now, place);
        true
    }

    fn sent(&mut self, now: Instant, place: usize) {
        let watch = &mut self.watches[place];
        watch.serial = watch.serial.wrapping_add(1);
        watch.sendings = 1;
        self.alarms.push_back((now + RESEND, place, watch.serial));
    }

    fn take(&mut self, now: Instant, wire: &mut Wire) {
        wire.receive(|socket, message, wire| match self.scenario.received(socket, message, wire) {
            Step::Nothing => {}
            Step::Sent(place) => self.sent(now, place),
            Step::Done(place) => self.end(place, true),
            Step::Refused(place) => {
                self.outcome.refused += 1;
                self.end(place, false);
            }
        });
        while let Some((_, place, serial)) = self.alarms.pop_front_if(|(at, ..)| *at <= now) {
            self.overdue(now, place, serial, wire);
        }
    }

    fn overdue(&mut self, now: Instant, place: usize, serial: u32, wire: &Wire) {
        let watch = &mut self.watches[place];
        if watch.begun.is_none() || watch.serial != serial {
            return;
        }
        if watch.sendings == SENDINGS {
            self.scenario.give_up(place);
            return self.end(place, false);
        }
        watch.sendings += 1;
        self.outcome.resent += 1;
        self.alarms.push_back((now + RESEND, place, serial));
        self.scenario.resend(place, wire);
    }

    fn end(&mut self, place: usize, done: bool) {
        let Some(begun) = self.watches.get_mut(place).and_then(|watch| watch.begun.take()) else { return };
        self.under_way -= 1;
        if !done {
            self.outcome.failed += 1;
            return;
        }
        self.outcome.done += 1;
        self.outcome.latencies_us.push(begun.elapsed().as_micros() as u64);
    }
}
