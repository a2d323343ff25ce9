//! How an exchange ends, and what does not end it: signals, a store that fails, a reader that goes away.

use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use super::program::Running;

const PATIENCE: Duration = Duration::from_secs(60);
const ACCOUNT: &str = "7001:secret-of-extension-7001";

/// An exchange that is told nothing but signals.
struct Served {
    child: Child,
    /// What it tells operators.
    words: Receiver<String>,
    /// The rest of what it tells programs.
    events: BufReader<ChildStdout>,
}

impl Served {
    /// Starts it at an address of its own, by a shell that ignores these signals, and waits until it is ready.
    fn start(at: &str, dir: &std::path::Path, ignored: &str) -> Self {
        let trap = if ignored.is_empty() { String::new() } else { format!("trap '' {ignored}; ") };
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{trap}exec \"$@\""), "sh", env!("CARGO_BIN_EXE_offhook")]);
        command
            .args(["serve", "--json", "--sip", &format!("{at}:5060"), "--extension", ACCOUNT, "--dir"])
            .arg(dir);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("started");
        let mut events = BufReader::new(child.stdout.take().expect("piped"));
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (teller, words) = mpsc::channel();
        std::thread::spawn(move || {
            // A test that has seen enough takes no more.
            lines.map_while(Result::ok).for_each(|line| drop(teller.send(line)));
        });
        let mut first = String::new();
        events.read_line(&mut first).expect("a line");
        assert!(first.contains("\"ready\""), "{first}");
        Self { child, words, events }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until it tells operators this.
    fn says(&self, part: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.words.recv_timeout(left).unwrap_or_else(|_| panic!("it never says: {part}"));
            if line.contains(part) {
                return;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("sent");
    }

    /// How it ends, and what it has said since.
    fn end(self) -> (ExitStatus, String) {
        let Self { mut child, words, mut events } = self;
        let pid = Pid::from_child(&child);
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            // What nobody reads would hold it up.
            let _ = events.read_to_end(&mut Vec::new());
            let _ = ended.send(child.wait());
        });
        let Ok(status) = end.recv_timeout(PATIENCE) else {
            kill_process(pid, Signal::KILL).expect("sent");
            panic!("it does not end");
        };
        (status.expect("a status"), words.iter().collect::<Vec<_>>().join("\n"))
    }
}

/// A phone at that exchange, once it has asked to be registered.
fn phone(listen: &str, server: &str) -> Running {
    Running::start(&[
        "phone",
        "--stdio",
        "--listen",
        listen,
        "--audio",
        "silent",
        "--account",
        &format!("{ACCOUNT}@{server}"),
    ])
}

/// Whether the runner of the tests ignores SIGHUP, as `nohup` does: then so do the programs that it starts.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("read");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
    u64::from_str_radix(mask.trim(), 16).expect("hexadecimal") & 1 == 1
}

#[test]
fn signals_end_an_exchange_cleanly() {
    for signal in [Signal::HUP, Signal::TERM, Signal::INT] {
        if signal == Signal::HUP && ignores_hangup() {
            eprintln!("skipped: SIGHUP is ignored by whoever runs the tests");
            continue;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let served = Served::start("127.0.92.1", dir.path(), "");
        served.signal(signal);
        let (status, said) = served.end();
        assert_eq!(status.code(), Some(0), "{signal:?}: {said}");
    }
}

/// Nobody is left in a call that no longer exists.
#[test]
fn an_exchange_that_ends_hangs_up_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let served = Served::start("127.0.92.24", dir.path(), "");
    let mut phone = phone("127.0.92.25", "127.0.92.24");
    phone.wait("registered");
    phone.say("dial *43");
    phone.wait("answered");
    served.signal(Signal::TERM);
    let ended = phone.wait("ended");
    assert_eq!(ended["by"], "remote", "{ended}");
    let (status, said) = served.end();
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn an_exchange_started_by_nohup_outlives_its_terminal() {
    let dir = tempfile::tempdir().expect("a folder");
    let served = Served::start("127.0.92.2", dir.path(), "HUP");
    served.signal(Signal::HUP);
    let socket = UdpSocket::bind("127.0.92.3:5060").expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let options = "OPTIONS sip:127.0.92.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.92.3:5060;branch=z9hG4bKo\r\n\
        From: <sip:7001@127.0.92.2>;tag=o\r\nTo: <sip:127.0.92.2>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n";
    socket.send_to(options.as_bytes(), "127.0.92.2:5060").expect("sent");
    let mut answer = [0; 2_048];
    socket.recv(&mut answer).expect("it lives");
    assert!(answer.starts_with(b"SIP/2.0 "));
    served.signal(Signal::TERM);
    assert_eq!(served.end().0.code(), Some(0));
}

#[test]
fn an_exchange_that_loses_what_it_could_not_keep_ends_with_1() {
    let dir = tempfile::tempdir().expect("a folder");
    let served = Served::start("127.0.92.4", dir.path(), "XFSZ");
    // From now on no file can be written, as on a full disk.
    prlimit(Some(served.pid()), Resource::Fsize, Rlimit { current: Some(0), maximum: Some(0) })
        .expect("limited");
    let _phone = phone("127.0.92.5", "127.0.92.4");
    served.says("cannot be used");
    served.signal(Signal::TERM);
    let (status, said) = served.end();
    assert!(status.code() == Some(1) && said.contains("could not be kept and is lost"), "{status}: {said}");
}

#[test]
fn an_exchange_goes_on_without_the_reader_of_its_events() {
    let dir = tempfile::tempdir().expect("a folder");
    let Served { child, words, events } = Served::start("127.0.92.6", dir.path(), "");
    // As `| head -1`.
    drop(events);
    let mut phone = phone("127.0.92.7", "127.0.92.6");
    phone.wait("registered");
    phone.say("dial *43");
    phone.wait("answered");
    phone.say("hangup");
    phone.wait("ended");
    let nobody =
        Command::new("true").stdout(Stdio::piped()).spawn().expect("started").stdout.take().expect("piped");
    let served = Served { child, words, events: BufReader::new(nobody) };
    served.says("nobody reads the events");
    served.signal(Signal::TERM);
    let (status, said) = served.end();
    assert_eq!(status.code(), Some(0), "{said}");
}
