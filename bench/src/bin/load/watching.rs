//! Lamps: phones that watch extensions, and how soon the last of them is told of a call.

use std::io::Write as _;

use bench::figures::{Figures, quantile};
use bench::sip::{self, Credentials};
use bench::wire::Wire;

use super::calling::Calling;
use super::drive::{Scenario, Step};
use super::options::Options;
use super::registering::FIRST_USER;

/// Subscriptions that are to be made, each once.
pub struct Subscribing {
    realm: String,
    server: String,
    password: String,
    addresses: Vec<String>,
    users: usize,
    subscriptions: usize,
    begun: usize,
    out: Vec<u8>,
}

impl Subscribing {
    /// So many for each extension that is called.
    pub fn new(options: &Options, wire: &Wire) -> Self {
        Self {
            realm: options.realm.clone(),
            server: options.server.to_string(),
            password: options.password.clone(),
            addresses: (0..wire.count()).map(|socket| wire.address(socket).to_string()).collect(),
            users: options.users,
            subscriptions: options.watched() * options.watchers,
            begun: 0,
            out: Vec::with_capacity(1_500),
        }
    }

    fn send(&mut self, place: usize, nonce: Option<&[u8]>, wire: &Wire) {
        // Callees have odd places; the watchers are all extensions in turn.
        let watched = FIRST_USER + 1 + 2 * (place % (self.users / 2)) as u32;
        let user = FIRST_USER + (place / 2 % self.users) as u32;
        let socket = place % self.addresses.len();
        let (address, server, cseq) = (&self.addresses[socket], &self.server, 1 + u32::from(nonce.is_some()));
        let uri = format!("sip:{watched}@{server}");
        let out = &mut self.out;
        out.clear();
        // Writing to a `Vec` cannot fail.
        let _ = write!(
            out,
            "SUBSCRIBE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKw{place}x{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{server}>;tag=w{place}\r\nTo: <{uri}>\r\n\
             Call-ID: w{place}@load\r\nCSeq: {cseq} SUBSCRIBE\r\nContact: <sip:{user}@{address}>\r\n\
             Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: 3600\r\n"
        );
        if let Some(nonce) = nonce {
            let ha1 = sip::ha1(user, &self.realm, &self.password);
            let (header, realm, method) = ("Authorization", self.realm.as_str(), "SUBSCRIBE");
            Credentials { header, user, realm, ha1: &ha1, nonce, count: 1, method, uri: &uri }.write(out);
        }
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        wire.send(socket, out);
    }
}

impl Scenario for Subscribing {
    fn begin(&mut self, wire: &Wire) -> Option<usize> {
        let place = self.begun;
        if place == self.subscriptions {
            return None;
        }
        self.begun += 1;
        self.send(place, None, wire);
        Some(place)
    }

    fn received(&mut self, socket: usize, message: &[u8], wire: &Wire) -> Step {
        let Some(status) = sip::status(message) else {
            sip::write_response(message, "200 OK", &self.addresses[socket], &mut self.out);
            self.out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
            wire.send(socket, &self.out);
            return Step::Nothing;
        };
        let place = sip::header(message, b"Call-ID").and_then(|id| id.strip_prefix(b"w"));
        let Some(place) = place.and_then(sip::number).map(|place| place as usize) else {
            return Step::Nothing;
        };
        match status {
            ..200 => Step::Nothing,
            200..300 => Step::Done(place),
            401 if sip::header(message, b"CSeq").and_then(sip::number) == Some(1) => {
                let challenge = sip::header(message, b"WWW-Authenticate").unwrap_or_default();
                let nonce = sip::quoted(challenge, b"nonce=\"").unwrap_or_default().to_vec();
                self.send(place, Some(&nonce), wire);
                Step::Sent(place)
            }
            _ => Step::Refused(place),
        }
    }

    fn resend(&mut self, place: usize, wire: &Wire) {
        self.send(place, None, wire);
    }

    fn give_up(&mut self, _: usize) {}
}

/// Calls whose called extensions are watched.
pub struct Lamps {
    calling: Calling,
    watchers: usize,
    told: usize,
    /// From INVITE to the last NOTIFY, of each call.
    times_us: Vec<u64>,
}

impl Lamps {
    /// Each called extension has so many watchers.
    pub fn new(options: &Options, wire: &Wire) -> Self {
        Self {
            calling: Calling::new(options, wire),
            watchers: options.watchers,
            told: 0,
            times_us: Vec::new(),
        }
    }

    /// As one line.
    pub fn print(mut self) {
        self.times_us.sort_unstable();
        let time = |share| quantile(&self.times_us, share) as f64 / 1_000.0;
        Figures::default()
            .number("watchers", self.watchers as f64)
            .number("changes", self.times_us.len() as f64)
            .number("p50_ms", time(0.5))
            .number("p99_ms", time(0.99))
            .number("longest_ms", time(1.0))
            .print();
    }
}

impl Scenario for Lamps {
    fn begin(&mut self, wire: &Wire) -> Option<usize> {
        self.told = 0;
        self.calling.begin(wire)
    }

    fn received(&mut self, socket: usize, message: &[u8], wire: &Wire) -> Step {
        if message.starts_with(b"NOTIFY ") && message.windows(7).any(|part| part == b">early<") {
            self.told += 1;
            if self.told == self.watchers {
                self.times_us.push(self.calling.invited_at().elapsed().as_micros() as u64);
            }
        }
        self.calling.received(socket, message, wire)
    }

    fn resend(&mut self, place: usize, wire: &Wire) {
        self.calling.resend(place, wire);
    }

    fn give_up(&mut self, place: usize) {
        self.calling.give_up(place);
    }
}
