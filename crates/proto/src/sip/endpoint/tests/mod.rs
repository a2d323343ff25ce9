//! Timelines of a whole endpoint: what comes in, what goes out, what it means.

mod client;
mod server;
mod wire;

use super::*;
use crate::sip::{Method, Name, Transport};

/// An endpoint that writes down what it does; its owner's mark is the number 7.
struct Bench {
    endpoint: Endpoint<u32>,
    out: Vec<Transmit>,
    log: Vec<String>,
    noted: usize,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self { endpoint: Endpoint::new(config, [7; 32]), out: Vec::new(), log: Vec::new(), noted: 0 }
    }

    /// A message arrives over UDP from 192.0.2.1:40000.
    fn receive(&mut self, at_ms: u64, text: &str) -> Received<u32> {
        self.receive_over(at_ms, udp(), text)
    }

    fn receive_over(&mut self, at_ms: u64, flow: Flow, text: &str) -> Received<u32> {
        let message = Message::parse(text.as_bytes()).expect("sound");
        let received = self.endpoint.receive(Time::from_millis(at_ms), flow, &message, &mut self.out);
        self.note_sent(at_ms);
        received
    }

    fn accept(&mut self, at_ms: u64, text: &str) -> ServerId {
        self.accept_over(at_ms, udp(), text)
    }

    fn accept_over(&mut self, at_ms: u64, flow: Flow, text: &str) -> ServerId {
        let message = Message::parse(text.as_bytes()).expect("sound");
        let Received::NewRequest(new) = self.receive_over(at_ms, flow, text) else {
            panic!("it is not new: {text}")
        };
        self.endpoint.accept(Time::from_millis(at_ms), Some(new), flow, &message)
    }

    /// A CANCEL of somebody who may cancel; whether that is news.
    fn cancel(&mut self, at_ms: u64, text: &str) -> bool {
        let Received::Cancel(id) = self.receive(at_ms, text) else { panic!("no INVITE to be cancelled") };
        let message = Message::parse(text.as_bytes()).expect("sound");
        let is_news = self.endpoint.cancelled(udp(), &message, id, &mut self.out);
        self.note_sent(at_ms);
        is_news
    }

    fn reply(&mut self, at_ms: u64, id: ServerId, status: u16) -> Result<(), ReplyError> {
        let reply = Reply::new(status).to_tag("t");
        let result = self.endpoint.reply(Time::from_millis(at_ms), id, &reply, &mut self.out);
        self.note_sent(at_ms);
        result
    }

    fn send(&mut self, at_ms: u64, request: &Request, targets: &[&str]) -> Result<ClientId, SendError> {
        let targets = targets.iter().map(|text| target(text)).collect();
        let now = Time::from_millis(at_ms);
        let id = self.endpoint.send(now, request, targets, local(), 7, &mut self.out);
        self.note_sent(at_ms);
        id
    }

    /// The far side answers a message of ours.
    fn answer(&mut self, at_ms: u64, request: &str, status: u16, tag: &str) -> Received<u32> {
        self.receive(at_ms, &answer(request, status, tag))
    }

    /// Leaps from deadline to deadline up to `until_ms`.
    fn run(&mut self, until_ms: u64) {
        while let Some((due, _)) = self.endpoint.next_deadline() {
            if due > Time::from_millis(until_ms) {
                break;
            }
            while let Some(timeout) = self.endpoint.handle_timeout(due, &mut self.out) {
                self.note_sent(due.as_millis());
                self.log.push(format!("{} {}", due.as_millis(), name(timeout)));
            }
            self.note_sent(due.as_millis());
        }
    }

    /// The messages sent and not yet looked at.
    fn sent(&mut self) -> Vec<String> {
        self.noted = 0;
        self.out.drain(..).map(|t| String::from_utf8_lossy(&t.bytes).into_owned()).collect()
    }

    fn last(&self) -> String {
        String::from_utf8_lossy(&self.out.last().expect("something was sent").bytes).into_owned()
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        self.sent();
        assert_eq!(std::mem::take(&mut self.log), expected);
    }

    /// Notes milliseconds, transport, port and the beginning of each message.
    fn note_sent(&mut self, at_ms: u64) {
        for transmit in self.out.iter().skip(self.noted) {
            let text = String::from_utf8_lossy(&transmit.bytes);
            let first = text.lines().next().unwrap_or_default();
            let what = first.strip_prefix("SIP/2.0 ").unwrap_or(first).split(' ').next().unwrap_or_default();
            let Flow { transport, remote, .. } = transmit.flow;
            self.log.push(format!("{at_ms} > {transport} {} {what}", remote.port()));
        }
        self.noted = self.out.len();
    }
}

fn name(timeout: Timeout<u32>) -> String {
    match timeout {
        Timeout::TimedOut { owner, .. } => format!("timed out {owner}"),
        Timeout::TransportFailed { owner, .. } => format!("transport failed {owner}"),
        Timeout::AckMissing(_) => "ack missing".into(),
    }
}

fn local() -> SocketAddr {
    "192.0.2.9:5060".parse().expect("sound")
}

fn udp() -> Flow {
    Flow { transport: Transport::Udp, local: local(), remote: "192.0.2.1:40000".parse().expect("sound") }
}

fn tcp() -> Flow {
    Flow { transport: Transport::Tcp, ..udp() }
}

/// `udp 5061` is 192.0.2.1:5061 over UDP.
fn target(text: &str) -> Target {
    let (transport, port) = text.split_once(' ').expect("transport and port");
    Target {
        transport: Transport::from_name(transport).expect("a transport"),
        remote: SocketAddr::new(udp().remote.ip(), port.parse().expect("a port")),
        name: None,
    }
}

/// A request of the far side.
fn incoming(method: &str, branch: &str) -> String {
    format!(
        "{method} sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5062;branch={branch};rport\r\n\
         From: <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A request of ours.
fn outgoing(method: Method) -> Request {
    Request::new(method, "sip:a@example.com")
        .header(Name::From, "<sip:b@example.com>;tag=f")
        .header(Name::To, "<sip:a@example.com>")
        .header(Name::CallId, "d")
        .header(Name::CSeq, format_args!("5 {method}"))
        .header(Name::MaxForwards, 70)
}

/// The far side's answer to a request of ours.
fn answer(request: &str, status: u16, tag: &str) -> String {
    let message = Message::parse(request.as_bytes()).expect("sound");
    let text = |name| message.text(name).expect("there");
    format!(
        "SIP/2.0 {status} So\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag={tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Content-Length: 0\r\n\r\n",
        text(Name::Via),
        text(Name::From),
        text(Name::To),
        text(Name::CallId),
        text(Name::CSeq)
    )
}
