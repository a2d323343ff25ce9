//! The HTTP API on real sockets, as programs of others use it.

mod docs;
mod exchange;
mod hostile;
mod openapi;
mod phone;

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::program::Running;

/// A server that says nothing for so long has failed the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that serves the API, driven by the test.
struct Program {
    running: Running,
    client: Client,
}

impl Program {
    /// Starts the program with an API at a free port of `ip` and its token in a folder of its own.
    fn start(ip: &str, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let token = dir.path().join("token");
        let (at, file) = (format!("{ip}:0"), token.to_string_lossy());
        let running = Running::start(&[arguments, &["--web", &at, "--web-token", &file]].concat());
        assert_eq!(running.ready["token_file"], file.as_ref(), "{}", running.ready);
        let url = running.ready["web"].as_str().expect("a URL").to_owned();
        let at = url.trim_start_matches("http://").trim_end_matches('/').parse().expect("an address");
        let token = std::fs::read_to_string(&token).expect("a token").trim().to_owned();
        assert!(!running.ready.to_string().contains(&token), "the token is told to nobody");
        Self { running, client: Client { at, token } }
    }

    /// The next event on standard output of that name.
    fn wait(&mut self, name: &str) -> Value {
        self.running.wait(name)
    }
}

/// A client with a token.
#[derive(Clone)]
struct Client {
    at: SocketAddr,
    token: String,
}

/// What a server answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|fault| panic!("{fault}: {self:?}"))
    }

    /// A body of one JSON document on each line.
    fn lines(&self) -> Vec<Value> {
        self.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Client {
    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, body)
    }

    /// A request with the token; a body is JSON where it looks so.
    fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: {kind}\r\n", self.token);
        self.ask_as(method, path, &headers, body)
    }

    /// A request with these headers besides Host and length.
    fn ask_as(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let (at, length) = (self.at, body.len());
        self.raw(&format!(
            "{method} {path} HTTP/1.0\r\nHost: {at}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    /// Whatever the test wants to say, and what comes back until the server closes.
    fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // A server that has refused already may close before it has read everything.
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Opens the stream of events, from a mark where there is one.
    fn events(&self, mark: Option<&str>) -> Stream {
        let mark = mark.map(|mark| format!("Last-Event-ID: {mark}\r\n")).unwrap_or_default();
        let mut stream = self.connect();
        let (at, token) = (self.at, &self.token);
        write!(
            stream,
            "GET /api/events HTTP/1.0\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\n{mark}\r\n"
        )
        .expect("sent");
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().expect("an answer").expect("text");
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let head = lines.by_ref().map(|line| line.expect("text")).take_while(|line| !line.is_empty());
        let head: Vec<String> = head.collect();
        assert!(
            status != 200 || head.iter().any(|line| line == "content-type: text/event-stream"),
            "{head:?}"
        );
        Stream { status, lines, mark: String::new() }
    }
}

/// A stream of events.
struct Stream {
    status: u16,
    lines: Lines<BufReader<TcpStream>>,
    /// Of the event that was read last.
    mark: String,
}

impl Stream {
    /// The next event, whatever it is.
    fn next(&mut self) -> Value {
        loop {
            let line = self.lines.next().expect("no end").expect("text");
            if let Some(mark) = line.strip_prefix("id: ") {
                self.mark = mark.to_owned();
            }
            if let Some(json) = line.strip_prefix("data: ") {
                return serde_json::from_str(json).expect("JSON");
            }
        }
    }

    /// The next event of that name.
    fn wait(&mut self, name: &str) -> Value {
        std::iter::repeat_with(|| self.next()).find(|event| event["event"] == name).expect("endless")
    }
}
