//! Who serves this phone's settings? Asked by multicast (deck, Plug and Play; RFC 6080 in outline).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use proto::sip::endpoint::{Config, Endpoint, NewRequest, Received};
use proto::sip::flow::{Flow, Target, Transport};
use proto::sip::message::{Message, Method, Name};
use proto::sip::{Reply, Request};
use proto::{Rng, Time};

/// Where responders listen (sip.mcast.net, RFC 3261 §18.1.1).
const GROUP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 1, 75)), 5_060);
/// How long an answer is waited for, and after it for those of others.
const PATIENCE: Duration = Duration::from_secs(5);
/// The media type of a body that is an address.
const URL: &str = "application/url";
/// Answers that are looked at.
const MOST_ANSWERS: usize = 8;
/// Requests of others that are remembered.
const MOST_SERVERS: usize = 16;

/// One question and its answers.
#[derive(Debug)]
pub(super) struct Pnp {
    endpoint: Endpoint<()>,
    local: SocketAddr,
    call_id: String,
    until: Time,
    /// Answers that came, and those among them whose address can be used.
    seen: usize,
    answers: usize,
}

/// What an answer names.
#[derive(Debug)]
pub(super) enum Answer {
    Address(String),
    /// An address that holds no longer (RFC 4483 §3).
    Expired {
        at: Time,
    },
}

/// Who asks.
pub(super) struct Asker<'a> {
    pub(super) mac: &'a str,
    pub(super) vendor: &'a str,
    pub(super) model: &'a str,
    pub(super) version: &'a str,
}

/// Datagrams that are to be sent: where to, and what.
pub(super) type Wire = Vec<(SocketAddr, Bytes)>;

impl Pnp {
    /// Asks from `local`, a port of its own.
    pub(super) fn ask(
        now: Time,
        local: SocketAddr,
        asker: &Asker<'_>,
        rng: &mut Rng,
        wire: &mut Wire,
    ) -> Self {
        let config = Config { max_clients: 1, max_servers: MOST_SERVERS, product: None, ..Config::default() };
        let mut endpoint = Endpoint::new(config, rng.fork());
        let uri = format!("sip:MAC{}@{}", asker.mac, GROUP.ip());
        let call_id = format!("{}@{}", rng.hex(16), local.ip());
        let event = format!(
            "ua-profile;profile-type=\"device\";vendor=\"{}\";model=\"{}\";version=\"{}\"",
            asker.vendor, asker.model, asker.version
        );
        let request = Request::new(Method::Subscribe, uri.clone())
            .header(Name::From, format_args!("<{uri}>;tag={}", rng.hex(8)))
            .header(Name::To, format_args!("<{uri}>"))
            .header(Name::CallId, &call_id)
            .header(Name::CSeq, "1 SUBSCRIBE")
            .header(Name::Contact, format_args!("<sip:MAC{}@{local}>", asker.mac))
            .header(Name::MaxForwards, 70)
            .header(Name::UserAgent, format_args!("{} {} {}", asker.vendor, asker.model, asker.version))
            .header(Name::Expires, 0)
            .header(Name::Event, event)
            .header(Name::Accept, URL);
        let mut out = Vec::new();
        let target = Target { transport: Transport::Udp, remote: GROUP, name: None };
        // The one request of a new endpoint has room.
        let _ = endpoint.send(now, &request, vec![target], local, (), &mut out);
        wire.extend(out.into_iter().map(|transmit| (transmit.flow.remote, transmit.bytes)));
        Self { endpoint, local, call_id, until: now + PATIENCE, seen: 0, answers: 0 }
    }

    /// Takes a datagram; the address that it names, if it is an answer. `date` is the time of the calendar.
    pub(super) fn receive(
        &mut self,
        (now, date): (Time, Time),
        from: SocketAddr,
        bytes: &[u8],
        wire: &mut Wire,
    ) -> Option<Answer> {
        let message = Message::parse(bytes).ok()?;
        let flow = Flow { transport: Transport::Udp, local: self.local, remote: from };
        let mut out = Vec::new();
        let received = self.endpoint.receive(now, flow, &message, &mut out);
        let answer = match received {
            Received::NewRequest(new) => self.on_request((now, new), flow, &message, &mut out),
            _ => None,
        };
        wire.extend(out.into_iter().map(|transmit| (transmit.flow.remote, transmit.bytes)));
        let (url, expires) = answer?;
        Some(match expires.filter(|&at| at < date) {
            Some(at) => Answer::Expired { at },
            None => {
                self.answers += 1;
                Answer::Address(url)
            }
        })
    }

    fn on_request(
        &mut self,
        (now, new): (Time, NewRequest),
        flow: Flow,
        message: &Message<'_>,
        out: &mut Vec<proto::sip::Transmit>,
    ) -> Option<(String, Option<Time>)> {
        let is_ours = message.method() == Some(Method::Notify) && message.call_id() == self.call_id;
        let direct = || Some((String::from_utf8_lossy(message.content(URL)?).trim().to_owned(), None));
        let answer = indirect(message).or_else(direct).filter(|_| is_ours);
        let answer = answer.filter(|(url, _)| !url.is_empty() && self.seen < MOST_ANSWERS);
        let status = match (is_ours, &answer) {
            (false, _) => 481,
            (true, None) => 415,
            (true, Some(_)) => 200,
        };
        let id = self.endpoint.accept(now, Some(new), flow, message);
        // A transaction that was just opened can be answered.
        let _ = self.endpoint.reply(now, id, &Reply::new(status), out);
        if answer.is_some() {
            self.seen += 1;
            // Others may answer too: that is a fault of the network, and is told.
            self.until = now + PATIENCE;
        }
        answer
    }

    /// Whether an answer came that can be used.
    pub(super) fn is_answered(&self) -> bool {
        self.answers > 0
    }

    /// Sends again what is due; true once nothing more is waited for.
    pub(super) fn advance(&mut self, now: Time, wire: &mut Wire) -> bool {
        let mut out = Vec::new();
        while self.endpoint.handle_timeout(now, &mut out).is_some() {}
        wire.extend(out.into_iter().map(|transmit| (transmit.flow.remote, transmit.bytes)));
        self.until <= now
    }

    pub(super) fn next_deadline(&self) -> Time {
        let transaction = self.endpoint.next_deadline().map_or(Time::NEVER, |(at, _)| at);
        transaction.min(self.until)
    }
}

/// The address of a body that is elsewhere, and until when it holds (RFC 4483 §3): `message/external-body;
/// access-type="URL"; expiration="…"; URL="…"`. Blanks in the address do not count (RFC 2017 §3).
fn indirect(message: &Message<'_>) -> Option<(String, Option<Time>)> {
    let value = message.text(Name::ContentType)?;
    let mut is_quoted = false;
    let mut parts = value.split(|sign: char| {
        is_quoted ^= sign == '"';
        sign == ';' && !is_quoted
    });
    if !parts.next()?.trim().eq_ignore_ascii_case("message/external-body") {
        return None;
    }
    let params: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let param = |wanted: &str| {
        let found = params.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim().trim_matches('"'))
    };
    let is_url = param("access-type").is_some_and(|access| access.eq_ignore_ascii_case("url"));
    let url: String = param("url").filter(|_| is_url)?.split_whitespace().collect();
    Some((url, param("expiration").and_then(Time::from_mail_date)))
}
