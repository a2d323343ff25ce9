//! Plug and play: phones ask by multicast who serves their settings (the deck; RFC 6080 in outline).
//!
//! A phone sends SUBSCRIBE to 224.0.1.75 with its MAC address in the Request-URI, in one of several forms.
//! It gets 200 and one NOTIFY whose body is the address of its folder. Whom nobody knows gets nothing: no
//! answer is also what a phone gets where no responder is.

use std::net::SocketAddr;

use proto::sip::Strictness;
use proto::sip::build::{Reply, Request};
use proto::sip::endpoint::{Config, Endpoint, Received};
use proto::sip::flow::{Flow, Target, Transmit, Transport};
use proto::sip::header::{Event, Termination};
use proto::sip::message::{Message, Method, Name};
use proto::sip::uri::{Uri, unescape};
use proto::sip::usage::notify::Standing;
use proto::{Rng, Time};

use crate::mac::Mac;

/// The media type of a body that is an address.
const URL: &str = "application/url";
/// Phones that are being answered at a time.
const MOST_AT_A_TIME: usize = 4_096;

/// What a phone asks and says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PnpAsked {
    /// Who it is.
    pub mac: Mac,
    /// Its vendor.
    pub vendor: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its firmware.
    pub version: Option<String>,
}

impl PnpAsked {
    /// Vendor, model and version, for people.
    pub fn words(&self) -> String {
        let words = [&self.vendor, &self.model, &self.version];
        words.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// What a SUBSCRIBE asks, in any of the vendors' forms: `sip:MAC0021f222b021@…`, `sip:MAC%3A0021F222B021@…`,
/// with vendor, model and version in Event, in quotes or without. None where it is no such question.
pub fn pnp_asked(message: &Message<'_>) -> Option<PnpAsked> {
    if message.method() != Some(Method::Subscribe) {
        return None;
    }
    let event = message.text(Name::Event).and_then(Event::parse)?;
    if !event.package.eq_ignore_ascii_case("ua-profile") {
        return None;
    }
    let mac = mac_of(message.request_uri()).or_else(|| {
        let from = message.text(Name::From)?;
        let from = from.split_once('<').map_or(from, |(_, rest)| rest);
        mac_of(from.split(['>', ';']).next().unwrap_or_default())
    })?;
    let param = |name: &str| {
        let text = event.params.get(name)?.trim_matches('"');
        let text: String = text.chars().filter(|sign| !sign.is_control()).take(64).collect();
        Some(text).filter(|text| !text.is_empty())
    };
    Some(PnpAsked { mac, vendor: param("vendor"), model: param("model"), version: param("version") })
}

fn mac_of(uri: &str) -> Option<Mac> {
    let uri = Uri::parse(uri)?;
    let user = unescape(uri.user);
    let digits = user.get(..3).filter(|head| head.eq_ignore_ascii_case("mac")).and_then(|_| user.get(3..))?;
    Mac::parse(digits.trim_start_matches(':')).filter(|mac| !mac.is_nobodys())
}

/// The transactions of a responder.
#[derive(Debug)]
pub struct PnpDialog {
    endpoint: Endpoint<()>,
    rng: Rng,
    user_agent: String,
}

impl PnpDialog {
    /// A responder without any transaction.
    pub fn new(user_agent: &str, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let config = Config {
            max_clients: MOST_AT_A_TIME,
            max_servers: MOST_AT_A_TIME,
            product: Some(user_agent.into()),
            ..Config::default()
        };
        let endpoint = Endpoint::new(config, rng.fork());
        Self { endpoint, rng, user_agent: user_agent.to_owned() }
    }

    /// Takes a datagram that came from `from` to us at `local`, our own address and not the group's.
    /// `url` says where a phone finds its files; none: it is not answered.
    pub fn receive(
        &mut self,
        now: Time,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
        url: impl FnOnce(&PnpAsked) -> Option<String>,
        out: &mut Vec<Transmit>,
    ) {
        let Ok(message) = Message::parse(bytes) else { return };
        if message.check(Strictness::Lenient).is_err() {
            return;
        }
        let asked = pnp_asked(&message);
        // Whoever asks for anything else is not talked to: the group is heard by all.
        if message.is_request() && asked.is_none() {
            return;
        }
        let flow = Flow { transport: Transport::Udp, local, remote: from };
        let received = self.endpoint.receive(now, flow, &message, out);
        let (Received::NewRequest(new), Some(asked)) = (received, asked) else { return };
        let Some(url) = url(&asked) else { return };
        let id = self.endpoint.accept(now, Some(new), flow, &message);
        let tag = self.rng.hex(16);
        let reply = Reply::new(200)
            .to_tag(tag.clone())
            .header(Name::Contact, format_args!("<sip:{local}>"))
            .header(Name::Expires, 0);
        // A request that is answered already has had its NOTIFY.
        if self.endpoint.reply(now, id, &reply, out).is_ok() {
            self.notify(now, flow, &message, &tag, &url, out);
        }
    }

    /// Sends again what was not answered.
    pub fn handle_timeout(&mut self, now: Time, out: &mut Vec<Transmit>) {
        while self.endpoint.handle_timeout(now, out).is_some() {}
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        self.endpoint.next_deadline().map(|(at, _)| at)
    }

    /// The one NOTIFY (RFC 6665 §4.2.1), to where the question came from: a phone asks from a port of its
    /// own.
    fn notify(
        &mut self,
        now: Time,
        flow: Flow,
        message: &Message<'_>,
        tag: &str,
        url: &str,
        out: &mut Vec<Transmit>,
    ) {
        let text = |name| message.text(name).unwrap_or_default();
        let to = text(Name::To);
        let from = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag={tag}") };
        let request = Request::new(Method::Notify, format!("sip:{}", flow.remote))
            .header(Name::From, from)
            .header(Name::To, text(Name::From))
            .header(Name::CallId, text(Name::CallId))
            .header(Name::CSeq, "1 NOTIFY")
            .header(Name::MaxForwards, 70)
            .header(Name::Contact, format_args!("<sip:{}>", flow.local))
            .header(Name::UserAgent, &self.user_agent)
            .header(Name::Event, text(Name::Event))
            .header(Name::SubscriptionState, Standing::Over(Termination::Timeout))
            .body(URL, url.as_bytes());
        let target = Target { transport: Transport::Udp, remote: flow.remote, name: None };
        // Too many at a time: the phone asks again.
        let _ = self.endpoint.send(now, &request, vec![target], flow.local, (), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribe(uri: &str, event: &str) -> String {
        format!(
            "SUBSCRIBE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.20.2:52969;branch=z9hG4bK1\r\n\
             From: <{uri}>;tag=1\r\nTo: <{uri}>\r\nCall-ID: a@192.168.20.2\r\nCSeq: 1 SUBSCRIBE\r\n\
             Max-Forwards: 70\r\nContact: <sip:192.168.20.2:52969>\r\nEvent: {event}\r\nExpires: 0\r\n\
             Accept: application/url\r\nContent-Length: 0\r\n\r\n"
        )
    }

    const EVENT: &str =
        "ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\";model=\"FIP14G\";version=\"V0.7.3.1\"";

    #[track_caller]
    fn check(uri: &str, event: &str, mac: Option<&str>) {
        let text = subscribe(uri, event);
        let message = Message::parse(text.as_bytes()).expect("sound");
        let found = pnp_asked(&message).map(|asked| asked.mac.to_string());
        assert_eq!(found.as_deref(), mac, "{uri} {event}");
    }

    #[test]
    fn every_vendor_s_form_is_read() {
        let mac = Some("0021f222abd9");
        check("sip:MAC0021f222abd9@224.0.1.75", EVENT, mac);
        check("sip:MAC%3A0021F222ABD9@224.0.1.75", EVENT, mac);
        check("sip:MAC%3a0021f222abd9@snom.example", EVENT, mac);
        check("sip:mac%3A00-21-f2-22-ab-d9@local", EVENT, mac);
        check("sip:MAC0021f222abd9@224.0.1.75", "ua-profile;vendor=x", mac);
        check("sip:MAC0021f222abd9@224.0.1.75", "dialog", None);
        check("sip:7001@224.0.1.75", EVENT, None);
        check("sip:MACnothing@224.0.1.75", EVENT, None);
        check("sip:MAC000000000000@224.0.1.75", EVENT, None);
    }

    fn responder() -> PnpDialog {
        PnpDialog::new("Offhook", [1; 32])
    }

    #[test]
    fn a_known_phone_gets_200_and_one_notify_however_often_it_asks() {
        let (mut pnp, mut out) = (responder(), Vec::new());
        let text = subscribe("sip:MAC0021f222abd9@224.0.1.75", EVENT);
        let (local, from) = ("127.0.0.1:5060".parse().unwrap(), "127.0.70.1:52969".parse().unwrap());
        let url = |_: &PnpAsked| Some("http://127.0.50.19:8069/p/x/".to_owned());
        pnp.receive(Time::ZERO, local, from, text.as_bytes(), url, &mut out);
        let sent: Vec<String> =
            out.iter().map(|it| String::from_utf8_lossy(&it.bytes).into_owned()).collect();
        assert_eq!(sent.len(), 2, "{sent:?}");
        assert!(
            sent[0].starts_with("SIP/2.0 200 OK\r\n") && sent[0].contains("Expires: 0\r\n"),
            "{}",
            sent[0]
        );
        assert!(sent[1].starts_with("NOTIFY sip:127.0.70.1:52969 SIP/2.0\r\n"), "{}", sent[1]);
        assert!(sent[1].ends_with("\r\n\r\nhttp://127.0.50.19:8069/p/x/"), "{}", sent[1]);
        assert!(sent[1].contains("Subscription-State: terminated;reason=timeout\r\n"), "{}", sent[1]);
        assert!(out.iter().all(|transmit| transmit.flow.remote == from));
        out.clear();
        pnp.receive(Time::ZERO, local, from, text.as_bytes(), url, &mut out);
        assert!(out.iter().all(|it| it.bytes.starts_with(b"SIP/2.0 200")), "no second NOTIFY");
        out.clear();
        let mut resent = 0;
        while let Some(at) = pnp.next_deadline() {
            pnp.handle_timeout(at, &mut out);
            resent = out.iter().filter(|it| it.bytes.starts_with(b"NOTIFY")).count();
        }
        assert!((5..12).contains(&resent), "timer E until timer F: {resent}");
    }

    #[test]
    fn whom_nobody_knows_and_whoever_asks_something_else_gets_nothing() {
        let (mut pnp, mut out) = (responder(), Vec::new());
        let (local, from) = ("127.0.0.1:5060".parse().unwrap(), "127.0.70.1:52969".parse().unwrap());
        let texts = [
            subscribe("sip:MAC0021f222abd9@224.0.1.75", EVENT),
            subscribe("sip:7001@224.0.1.75", "dialog"),
            subscribe("sip:7001@224.0.1.75", EVENT).replace("SUBSCRIBE", "OPTIONS"),
            "nonsense".to_owned(),
        ];
        for text in texts {
            pnp.receive(Time::ZERO, local, from, text.as_bytes(), |_| None, &mut out);
        }
        assert_eq!(out, []);
    }
}
