//! Downloads on the simulated wire: HTTP over its connections, TFTP over its datagrams.
//!
//! HTTPS and FTP need real sockets; here they fail and say so.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use proto::sip::digest::{Attempt, Client, Credentials, Secret};
use proto::sip::flow::{Flow, Transport};
use proto::sip::locate::{Answer, Query, QueryKind, Record};
use proto::url::Url;
use proto::{Rng, Time, tftp};

use super::party::Does;
use crate::role::{Fetch, FetchFault, FetchFaultKind as Kind, FetchId, Fetched, Found, Known};

/// Downloads that one machine has at a time; more wait.
const AT_A_TIME: usize = 4;
/// Downloads that wait; more are refused.
const WAITING: usize = 64;
/// The ports that downloads ask from.
const FIRST_PORT: u16 = 32_768;
const LAST_PORT: u16 = 48_000;

/// All downloads of one machine.
#[derive(Debug)]
pub(super) struct Fetching {
    rng: Rng,
    running: BTreeMap<FetchId, Running>,
    waiting: VecDeque<(Fetch, IpAddr)>,
    next_port: u16,
}

/// What is to be done next, and which downloads are over.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) does: Vec<Does>,
    pub(super) done: Vec<Fetched>,
}

#[derive(Debug)]
struct Running {
    fetch: Fetch,
    from: IpAddr,
    /// The port that it asks from over UDP.
    port: u16,
    url: Url,
    first: Url,
    until: Time,
    redirects: u8,
    stage: Stage,
    digest: Option<(Client, Attempt)>,
}

#[derive(Debug)]
enum Stage {
    Locating,
    Http(SocketAddr),
    /// From this address of its own.
    Tftp(SocketAddr, Box<tftp::Client>),
}

/// What a download does next.
enum Next {
    Wait(Vec<Does>),
    Done(Result<Found, FetchFault>),
    /// With a last word to the server.
    Last(Vec<Does>, Result<Found, FetchFault>),
}

impl Fetching {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            rng: Rng::new(seed),
            running: BTreeMap::new(),
            waiting: VecDeque::new(),
            next_port: FIRST_PORT,
        }
    }

    /// Begins a download, or lets it wait; `own` is the machine's address.
    pub(super) fn begin(&mut self, now: Time, fetch: Fetch, own: IpAddr) -> Step {
        let mut step = Step::default();
        if self.running.len() >= AT_A_TIME {
            if self.waiting.len() < WAITING {
                self.waiting.push_back((fetch, own));
            } else {
                let fault =
                    FetchFault::new(Kind::Busy, format!("more than {WAITING} downloads wait already"));
                step.done.push(Fetched { id: fetch.id, result: Err(fault) });
            }
            return step;
        }
        let id = fetch.id;
        let until = now + Duration::from_millis(u64::from(fetch.patience_ms));
        let url = match Url::parse(&fetch.url) {
            Ok(url) => url,
            Err(flaw) => {
                let fault = FetchFault::new(Kind::BadUrl, format!("no address of a file: {flaw}"));
                step.done.push(Fetched { id, result: Err(fault) });
                return step;
            }
        };
        let from = if fetch.from.is_unspecified() { own } else { fetch.from };
        let first = url.clone();
        let stage = Stage::Locating;
        let port = self.next_port;
        self.next_port = if port == LAST_PORT { FIRST_PORT } else { port + 1 };
        let running = Running { fetch, from, port, url, first, until, redirects: 0, stage, digest: None };
        self.running.insert(id, running);
        self.go_on(now, id, &mut step, |running, rng| running.locate(now, rng));
        step
    }

    pub(super) fn forget_all(&mut self) {
        self.running.clear();
        self.waiting.clear();
    }

    pub(super) fn resolved(&mut self, now: Time, query: &Query, answer: &Answer) -> Option<Step> {
        let waits = |running: &Running| {
            matches!(running.stage, Stage::Locating) && running.url.host.eq_ignore_ascii_case(&query.name)
        };
        let ids: Vec<FetchId> =
            self.running.iter().filter(|(_, running)| waits(running)).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return None;
        }
        let mut step = Step::default();
        for id in ids {
            self.go_on(now, id, &mut step, |running, rng| running.located(now, answer, rng));
        }
        Some(step)
    }

    /// A packet that is an answer to a download; none where it is not.
    pub(super) fn packet(&mut self, now: Time, flow: &Flow, bytes: &[u8]) -> Option<Step> {
        let id = self.speaking_with(flow)?;
        let mut step = Step::default();
        self.go_on(now, id, &mut step, |running, rng| match flow.transport {
            Transport::Udp => running.on_datagram(now, flow.remote, bytes),
            _ => running.on_answer(now, bytes, rng),
        });
        Some(step)
    }

    /// A flow that broke and was a download's; none where it was not.
    pub(super) fn failed(&mut self, now: Time, flow: &Flow, reason: &str) -> Option<Step> {
        let id = self.speaking_with(flow)?;
        let mut step = Step::default();
        let fault = FetchFault::new(Kind::Unreachable, reason);
        self.go_on(now, id, &mut step, |_, _| Next::Done(Err(fault)));
        Some(step)
    }

    pub(super) fn wake(&mut self, now: Time) -> Step {
        let late = |running: &Running| running.until <= now;
        let ids: Vec<FetchId> =
            self.running.iter().filter(|(_, running)| late(running)).map(|(id, _)| *id).collect();
        let mut step = Step::default();
        let again: Vec<FetchId> = self.running.keys().copied().filter(|id| !ids.contains(id)).collect();
        for id in again {
            self.go_on(now, id, &mut step, |running, _| running.on_timeout(now));
        }
        for id in ids {
            self.go_on(now, id, &mut step, |running, _| {
                let seconds = f64::from(running.fetch.patience_ms) / 1_000.0;
                let text = format!("{} has not come within {seconds} s", running.url);
                Next::Done(Err(FetchFault::new(Kind::TimedOut, text)))
            });
        }
        step
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.running.values().map(Running::next_deadline).min()
    }

    fn speaking_with(&self, flow: &Flow) -> Option<FetchId> {
        let is = |running: &Running| match &running.stage {
            Stage::Http(at) => *at == flow.remote && flow.transport == Transport::Tcp,
            Stage::Tftp(own, _) => *own == flow.local && flow.transport == Transport::Udp,
            Stage::Locating => false,
        };
        self.running.iter().find(|(_, running)| is(running)).map(|(id, _)| *id)
    }

    /// Whether a download has a port open at `local`.
    pub(super) fn listens(&self, local: SocketAddr) -> bool {
        self.running.values().any(|running| matches!(&running.stage, Stage::Tftp(own, _) if *own == local))
    }

    fn go_on(
        &mut self,
        now: Time,
        id: FetchId,
        step: &mut Step,
        next: impl FnOnce(&mut Running, &mut Rng) -> Next,
    ) {
        let Some(running) = self.running.get_mut(&id) else { return };
        let next = match next(running, &mut self.rng) {
            Next::Last(does, result) => {
                step.does.extend(does);
                Next::Done(result)
            }
            other => other,
        };
        match next {
            Next::Wait(does) | Next::Last(does, _) => step.does.extend(does),
            Next::Done(result) => {
                self.running.remove(&id);
                step.done.push(Fetched { id, result });
                if let Some((fetch, own)) = self.waiting.pop_front() {
                    let more = self.begin(now, fetch, own);
                    step.does.extend(more.does);
                    step.done.extend(more.done);
                }
            }
        }
    }
}

impl Running {
    fn locate(&mut self, now: Time, rng: &mut Rng) -> Next {
        if !matches!(&*self.url.scheme, "http" | "tftp") {
            let text = format!("{}: the simulated wire carries HTTP and TFTP alone", self.url);
            return Next::Done(Err(FetchFault::new(Kind::BadUrl, text)));
        }
        match self.url.host.parse::<IpAddr>() {
            Ok(ip) => self.ask(now, ip, rng),
            Err(_) => {
                self.stage = Stage::Locating;
                let name = self.url.host.to_ascii_lowercase();
                Next::Wait(vec![Does::Ask(Query { kind: QueryKind::A, name })])
            }
        }
    }

    fn located(&mut self, now: Time, answer: &Answer, rng: &mut Rng) -> Next {
        let ip = match answer {
            Answer::Records(records) => records.iter().find_map(|(record, _)| match record {
                Record::A(ip) => Some(IpAddr::V4(*ip)),
                _ => None,
            }),
            Answer::Failed => None,
        };
        match ip {
            Some(ip) => self.ask(now, ip, rng),
            None => {
                let host = &self.url.host;
                let text =
                    format!("the DNS knows no address of {host}: check the spelling of the server's name");
                Next::Done(Err(FetchFault::new(Kind::UnknownHost, text)))
            }
        }
    }

    fn ask(&mut self, now: Time, ip: IpAddr, rng: &mut Rng) -> Next {
        let remote = SocketAddr::new(ip, self.url.port());
        if self.url.scheme == "tftp" {
            return self.ask_by_tftp(now, remote);
        }
        self.stage = Stage::Http(remote);
        let flow = Flow { transport: Transport::Tcp, local: SocketAddr::new(self.from, 0), remote };
        Next::Wait(vec![Does::Send { flow, bytes: Bytes::from(self.request(rng)) }])
    }

    fn ask_by_tftp(&mut self, now: Time, server: SocketAddr) -> Next {
        let (file, most_bytes) = (self.url.file(), self.fetch.most_bytes);
        let plan = tftp::Plan { server, file, terms: tftp::Terms::of_the_deck(), most_bytes };
        let mut out = Vec::new();
        let client = Box::new(tftp::Client::start(now, plan, &mut out));
        self.stage = Stage::Tftp(SocketAddr::new(self.from, self.port), client);
        Next::Wait(self.datagrams(out))
    }

    fn on_datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) -> Next {
        let Stage::Tftp(_, client) = &mut self.stage else { return Next::Wait(Vec::new()) };
        let mut out = Vec::new();
        let download = client.receive(now, from, bytes, &mut out);
        self.downloaded(download, out)
    }

    fn on_timeout(&mut self, now: Time) -> Next {
        let Stage::Tftp(_, client) = &mut self.stage else { return Next::Wait(Vec::new()) };
        let mut out = Vec::new();
        let download = client.handle_timeout(now, &mut out);
        self.downloaded(download, out)
    }

    fn downloaded(&self, download: tftp::Download, out: Vec<tftp::Datagram>) -> Next {
        let url = &self.url;
        match download {
            tftp::Download::Goes => Next::Wait(self.datagrams(out)),
            tftp::Download::Whole(bytes) => {
                let found =
                    Found::File { bytes: bytes.into(), known: Known::default(), url: url.to_string() };
                Next::Last(self.datagrams(out), Ok(found))
            }
            tftp::Download::Failed(failure) => {
                let kind = match &failure {
                    tftp::Failure::Refused { code: 1, .. } => Kind::NotFound,
                    tftp::Failure::Refused { .. } => Kind::Denied,
                    tftp::Failure::Unanswered => Kind::Unreachable,
                    tftp::Failure::TooLarge { .. } => Kind::TooLarge,
                    _ => Kind::Broken,
                };
                Next::Last(self.datagrams(out), Err(FetchFault::new(kind, format!("{url}: {failure}"))))
            }
        }
    }

    fn datagrams(&self, out: Vec<tftp::Datagram>) -> Vec<Does> {
        let local = SocketAddr::new(self.from, self.port);
        let send = |it: tftp::Datagram| {
            let flow = Flow { transport: Transport::Udp, local, remote: it.to };
            Does::Send { flow, bytes: it.bytes.into() }
        };
        out.into_iter().map(send).collect()
    }

    fn next_deadline(&self) -> Time {
        let transfer = match &self.stage {
            Stage::Tftp(_, client) => client.next_deadline().map(|(at, _)| at),
            _ => None,
        };
        transfer.unwrap_or(self.until).min(self.until)
    }

    /// The deck's request, and what there is to add.
    fn request(&mut self, rng: &mut Rng) -> String {
        let path = &self.url.path;
        let mut text = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.url.authority());
        text += &format!("User-Agent: {}\r\nAccept: */*\r\n", self.fetch.user_agent);
        let known = self.fetch.known.clone().filter(|_| self.redirects == 0).unwrap_or_default();
        text.extend(known.etag.map(|etag| format!("If-None-Match: {etag}\r\n")));
        text.extend(known.modified.map(|moment| format!("If-Modified-Since: {moment}\r\n")));
        if let Some((client, _)) = &mut self.digest {
            let headers = client.headers("GET", path, &[], rng);
            text.extend(headers.into_iter().map(|(_, value)| format!("Authorization: {value}\r\n")));
        }
        text + "\r\n"
    }

    fn on_answer(&mut self, now: Time, bytes: &[u8], rng: &mut Rng) -> Next {
        let Some(answer) = HttpAnswer::parse(bytes) else {
            let text = format!("{}: the answer is no HTTP", self.url);
            return Next::Done(Err(FetchFault::new(Kind::Server, text)));
        };
        let url = &self.url;
        let fault =
            |kind, text: String| Next::Done(Err(FetchFault::new(kind, text).with_status(answer.status)));
        match answer.status {
            200 if answer.body.len() > self.fetch.most_bytes => {
                fault(Kind::TooLarge, format!("{url} has more than {} bytes", self.fetch.most_bytes))
            }
            200 => {
                let header = |name| answer.header(name).map(str::to_owned);
                let known = Known { etag: header("ETag"), modified: header("Last-Modified") };
                let bytes = Bytes::copy_from_slice(answer.body);
                Next::Done(Ok(Found::File { bytes, known, url: url.to_string() }))
            }
            304 => Next::Done(Ok(Found::Unchanged)),
            301 | 302 | 303 | 307 | 308 => self.follow(now, &answer, rng),
            401 => self.prove(now, &answer, rng),
            403 => fault(Kind::Denied, format!("the server does not give {url} to us (403)")),
            404 | 410 => fault(Kind::NotFound, format!("{url} is not there ({})", answer.status)),
            other => fault(Kind::Server, format!("{url} was answered {other}, which is no file")),
        }
    }

    fn follow(&mut self, now: Time, answer: &HttpAnswer<'_>, rng: &mut Rng) -> Next {
        let location = answer.header("Location").unwrap_or_default();
        if self.fetch.most_redirects == 0 {
            return Next::Done(Ok(Found::Elsewhere(location.to_owned())));
        }
        self.redirects += 1;
        match self.url.join(location) {
            Ok(url) if url.scheme == "http" && self.redirects <= self.fetch.most_redirects => {
                self.digest = self.digest.take().filter(|_| url.is_same_server(&self.first));
                self.url = url;
                self.locate(now, rng)
            }
            _ => {
                let text = format!("{} redirects where this is not followed, or in a circle", self.first);
                Next::Done(Err(FetchFault::new(Kind::Redirects, text)))
            }
        }
    }

    fn prove(&mut self, now: Time, answer: &HttpAnswer<'_>, rng: &mut Rng) -> Next {
        let denied = |text: String| Next::Done(Err(FetchFault::new(Kind::Denied, text).with_status(401)));
        let login = self.fetch.login.clone().filter(|_| self.url.is_same_server(&self.first));
        let Some(login) = login else {
            return denied(format!("{} needs a user and password (401)", self.url));
        };
        let (client, attempt) = self.digest.get_or_insert_with(|| {
            let secret = Secret::Password(login.password.expose().to_owned());
            let credentials = Credentials { username: login.user.clone(), secret, realm: None };
            (Client::new(credentials, false), Attempt::default())
        });
        let challenges = answer.headers("WWW-Authenticate").map(str::as_bytes);
        match client.challenged_by(attempt, challenges) {
            Ok(()) => match self.stage {
                Stage::Http(at) => self.ask(now, at.ip(), rng),
                _ => self.locate(now, rng),
            },
            Err(refusal) => denied(format!("{}: {refusal}", self.url)),
        }
    }
}

/// A response of HTTP/1.1, whole.
struct HttpAnswer<'a> {
    status: u16,
    head: &'a str,
    body: &'a [u8],
}

impl<'a> HttpAnswer<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head, body: &bytes[end + 4..] })
    }

    fn headers(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(move |(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn header(&self, name: &'a str) -> Option<&'a str> {
        self.headers(name).next()
    }
}
