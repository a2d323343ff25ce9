//! Runs the program under test.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs the program to its end with lines on its standard input.
pub(crate) fn offhook(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_offhook"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    // A program that has ended already does not read; its status says so.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("ended")
}

/// What a program wrote.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How long an event that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that goes on while the test talks with it.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// What it said when its listeners stood.
    pub(crate) ready: Value,
    events: Receiver<Value>,
}

impl Running {
    /// Starts the program and waits until its listeners stand.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_offhook"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (teller, events) = mpsc::channel();
        std::thread::spawn(move || {
            let events = lines.map(|line| serde_json::from_str(&line.expect("text")).expect("JSON"));
            // A test that has seen enough takes no more.
            events.take_while(|event: &Value| teller.send(event.clone()).is_ok()).for_each(drop);
        });
        let mut running = Self { child, events, ready: Value::Null };
        running.ready = running.wait("ready");
        running
    }

    /// The next event of that name.
    pub(crate) fn wait(&mut self, name: &str) -> Value {
        self.wait_for(name, |event| event["event"] == name)
    }

    /// The next event that fits.
    pub(crate) fn wait_for(&mut self, what: &str, mut fits: impl FnMut(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap_or_else(|_| panic!("no event: {what}"));
            if fits(&event) {
                return event;
            }
        }
    }

    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().expect("piped"), "{line}").expect("taken");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
