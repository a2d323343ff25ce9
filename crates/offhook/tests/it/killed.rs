//! An exchange that is killed at any moment loses nothing that it has acknowledged: registration,
//! setting, call record.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use offhook::store::{self, Table};
use proto::Rng;
use proto::sip::Message;
use proto::sip::digest::{Attempt, Client, Credentials, Secret};
use roles::exchange::{Binding, CallRecord, Extension};
use serde::de::DeserializeOwned;

const KILLS: u32 = 100;
const PATIENCE: Duration = Duration::from_secs(60);
const SERVER: &str = "127.0.88.1:5060";
const PHONE: &str = "127.0.88.2:5060";
const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.88.2\r\ns=-\r\nc=IN IP4 127.0.88.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// An exchange of its own process.
fn serve(dir: &Path, first: bool) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
    command.args(["serve", "--json", "--sip", SERVER, "--dir"]).arg(dir);
    if first {
        command.args(["--extension", "7001:secret-of-extension-7001"]);
        command.args(["--extension", "7002:secret-of-extension-7002"]);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    let lines = BufReader::new(child.stdout.take().expect("piped"));
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            if line.contains("\"ready\"") {
                // Nobody waits for it twice.
                let _ = ready.send(());
            }
        }
    });
    is_ready.recv_timeout(PATIENCE).expect("the exchange stands");
    child
}

/// What the exchange has acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    registration: u32,
    /// The last setting, and all that were asked for since: each may have been kept before a kill.
    forward: Option<Option<String>>,
    asked: Vec<Option<String>>,
    calls: usize,
}

struct Phone {
    socket: UdpSocket,
    auth: Client,
    rng: Rng,
    cseq: u32,
    calls: u32,
    /// The exchange is killed after so many more answers.
    answers_left: u64,
    kill: Option<mpsc::Sender<()>>,
    /// What tells that it is gone.
    epitaph: String,
}

impl Phone {
    fn new() -> Self {
        let socket = UdpSocket::bind(PHONE).expect("bound");
        socket.connect(SERVER).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        let secret = Secret::Password("secret-of-extension-7001".into());
        let credentials = Credentials { username: "7001".into(), secret, realm: None };
        Self {
            socket,
            auth: Client::new(credentials, false),
            rng: Rng::from_number(1),
            cseq: 0,
            calls: 0,
            answers_left: 0,
            kill: None,
            epitaph: String::new(),
        }
    }

    /// Sends a request, with credentials where it is challenged; the final answer, or none where the
    /// exchange is gone.
    fn ask(&mut self, method: &str, uri: &str, to: &str, call_id: &str, body: &str) -> Option<String> {
        for _ in 0..2 {
            self.cseq += 1;
            let head = self.head(method, uri, to, call_id);
            let fields = self.auth.headers(method, uri, body.as_bytes(), &mut self.rng);
            let fields: String =
                fields.into_iter().map(|(name, value)| format!("{}: {value}\r\n", name.as_str())).collect();
            let request = format!(
                "{head}Contact: <sip:7001@{PHONE}>\r\nExpires: 3600\r\nContent-Type: application/sdp\r\n\
                 {fields}Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            self.socket.send(request.as_bytes()).ok()?;
            let answer = self.final_answer()?;
            let parsed = Message::parse(answer.as_bytes()).expect("an answer");
            if method == "INVITE" && parsed.status()? >= 300 {
                let to = to_of(&answer);
                let ack = self.head("ACK", uri, &to, call_id);
                self.socket.send(format!("{ack}Content-Length: 0\r\n\r\n").as_bytes()).ok()?;
            }
            if parsed.status() != Some(401) {
                return Some(answer);
            }
            self.auth.challenged(&mut Attempt::default(), &parsed, true).expect("a challenge");
        }
        panic!("the password is not taken");
    }

    fn head(&self, method: &str, uri: &str, to: &str, call_id: &str) -> String {
        let cseq = self.cseq;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bK{cseq};rport\r\n\
             From: <sip:7001@{SERVER}>;tag=f\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
        )
    }

    /// The final answer to the last request; what else comes is passed over.
    fn final_answer(&mut self) -> Option<String> {
        let mut buffer = [0; 8_192];
        loop {
            let length = self.socket.recv(&mut buffer).ok()?;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text == self.epitaph {
                return None;
            }
            let Ok(message) = Message::parse(text.as_bytes()) else { continue };
            let ours = message.cseq().is_some_and(|cseq| cseq.number == self.cseq);
            if ours && message.status().is_some_and(|status| status >= 200) {
                self.count_answer();
                return Some(text);
            }
        }
    }

    fn count_answer(&mut self) {
        self.answers_left = self.answers_left.saturating_sub(1);
        if self.answers_left == 0 {
            // Dropped: the killer waits for nothing else.
            self.kill = None;
        }
    }

    /// Registers, sets a forwarding by dialling, hangs up, over and over until the exchange is gone.
    fn work(&mut self, acknowledged: &mut Acknowledged) {
        while self.round(acknowledged).is_some() {}
        self.kill = None;
    }

    fn round(&mut self, acknowledged: &mut Acknowledged) -> Option<()> {
        let ok = self.ask(
            "REGISTER",
            &format!("sip:{SERVER}"),
            &format!("<sip:7001@{SERVER}>"),
            "registering",
            "",
        )?;
        assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
        acknowledged.registration = self.cseq;
        self.calls += 1;
        let target = (self.calls % 2 == 1).then(|| "7002".to_owned());
        let code = format!("*72{}", target.as_deref().unwrap_or_default());
        acknowledged.asked.push(target.clone());
        let (uri, call_id) = (format!("sip:{code}@{SERVER}"), format!("call-{}", self.calls));
        let ok = self.ask("INVITE", &uri, &format!("<{uri}>"), &call_id, SDP)?;
        assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
        acknowledged.forward = Some(target);
        acknowledged.asked.clear();
        let to = to_of(&ok);
        let contact = format!("sip:{code}@{SERVER}");
        let ack = self.head("ACK", &contact, &to, &call_id);
        self.socket.send(format!("{ack}Content-Length: 0\r\n\r\n").as_bytes()).ok()?;
        self.ask("BYE", &contact, &to, &call_id, "")?;
        acknowledged.calls += 1;
        Some(())
    }
}

/// The value of To, tag and all.
fn to_of(answer: &str) -> String {
    answer.lines().find_map(|line| line.strip_prefix("To: ")).unwrap_or_default().to_owned()
}

/// What is kept, and whether it is at least what was acknowledged.
fn check(dir: &Path, acknowledged: &Acknowledged, kill: u32) {
    let store = store::open(Some(dir)).expect("the store is whole");
    let reader = store.reader();
    let registered: Vec<Binding> = rows(&*reader, Table::Binding);
    let cseq = registered.iter().map(|binding| binding.cseq).max().unwrap_or(0);
    assert!(cseq >= acknowledged.registration, "kill {kill}: {registered:?} {acknowledged:?}");
    let extensions: Vec<Extension> = rows(&*reader, Table::Extension);
    let own = extensions.into_iter().find(|extension| extension.number == "7001").expect("kept");
    if let Some(forward) = &acknowledged.forward {
        let kept = &own.forward.always;
        assert!(
            kept == forward || acknowledged.asked.contains(kept),
            "kill {kill}: {kept:?} {acknowledged:?}"
        );
    }
    let records: Vec<CallRecord> = rows(&*reader, Table::CallRecord);
    assert!(records.len() >= acknowledged.calls, "kill {kill}: {} records, {acknowledged:?}", records.len());
}

fn rows<T: DeserializeOwned>(reader: &dyn store::Reader, table: Table) -> Vec<T> {
    let rows = reader.load(table).expect("read");
    rows.iter().map(|row| serde_json::from_str(&row.value).expect("a whole row")).collect()
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut chance = Rng::from_number(7);
    let (mut phone, mut acknowledged) = (Phone::new(), Acknowledged::default());
    for kill in 0..KILLS {
        let mut exchange = serve(folder.path(), kill == 0);
        let (kill_now, due) = mpsc::channel::<()>();
        phone.answers_left = 1 + chance.below(12);
        phone.kill = Some(kill_now);
        phone.epitaph = format!("gone {kill}");
        let (moment, epitaph) = (Duration::from_micros(chance.below(3_000)), phone.epitaph.clone());
        let killer = std::thread::spawn(move || {
            // Nothing is ever sent: the phone lets go, then a moment passes.
            let _ = due.recv_timeout(PATIENCE);
            std::thread::park_timeout(moment);
            exchange.kill().expect("killed");
            exchange.wait().expect("ended");
            // In the place of the dead, so that the phone need not wait for an answer that cannot come.
            let grave = UdpSocket::bind(SERVER).expect("free again");
            grave.send_to(epitaph.as_bytes(), PHONE).expect("told");
        });
        phone.work(&mut acknowledged);
        killer.join().expect("killed");
        check(folder.path(), &acknowledged, kill);
    }
    assert!(acknowledged.registration > KILLS && acknowledged.calls > 10, "{acknowledged:?}");
}
