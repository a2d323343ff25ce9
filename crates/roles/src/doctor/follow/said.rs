//! What a SIP message says, as the tracks keep it.

use std::borrow::Cow;

use proto::event::dialog_info::{DialogInfo, DialogState};
use proto::sdp::description::{Description, Media};
use proto::sip::grammar::{Params, members, unquote};
use proto::sip::header::Address;
use proto::sip::message::Message;
use proto::sip::sipfrag::Sipfrag;
use proto::sip::uri::Uri;
use proto::sip::{Method, Name};

use crate::doctor::tracks::{Body, Party, Request, Said, Sdp, SdpFormat, SdpMedia};

/// The longest text that is kept of one header.
const TEXT_LIMIT: usize = 512;
const CONTACTS_LIMIT: usize = 8;

/// What a request says.
pub fn request(message: &Message<'_>) -> Request {
    let via = message.via();
    let contact = message.contact();
    let own_expiry = contact.as_ref().and_then(|contact| contact.params.number("expires"));
    let fields = credentials(message);
    Request {
        other_method: (message.method() == Some(Method::Other)).then(|| text(message.method_text())),
        uri: kept(message.request_uri()),
        from: message.from().map(|address| party(&address)).unwrap_or_default(),
        to: message.to().map(|address| party(&address)).unwrap_or_default(),
        contact: contact.map(|contact| kept(contact.uri)),
        contacts: message.values(Name::Contact).count().min(255) as u8,
        expires_s: own_expiry.or_else(|| message.number(Name::Expires)),
        username: fields.and_then(|value| field(value, "username")),
        nonce: fields.and_then(|value| field(value, "nonce")),
        via_host: via.map(|via| kept(via.host)).unwrap_or_default(),
        via_port: via.and_then(|via| via.port),
        rport: via.is_some_and(|via| via.params.has("rport")),
        hops: message.values(Name::Via).count().min(255) as u8,
        user_agent: header(message, Name::UserAgent),
        event: header(message, Name::Event),
        subscription_state: header(message, Name::SubscriptionState),
        refer_to: header(message, Name::ReferTo),
        replaces: header(message, Name::Replaces),
        reason_header: header(message, Name::Reason),
        session_expires: header(message, Name::SessionExpires),
        diversion: header(message, Name::Diversion),
        asserted: header(message, Name::PAssertedIdentity).or_else(|| header(message, Name::RemotePartyId)),
        body: body(message),
        flaws: message.flaws().to_vec(),
    }
}

/// What an answer says. `own` is the Contact that the request brought: its binding's expiry is the one meant.
pub fn said(message: &Message<'_>, own: Option<&str>) -> Said {
    let via = message.via();
    let challenge = message.header(Name::WwwAuthenticate).or_else(|| message.header(Name::ProxyAuthenticate));
    let mut contacts = message.values(Name::Contact).filter_map(Address::parse);
    let mine = contacts.by_ref().find(|contact| Some(contact.uri) == own);
    let bound = mine.and_then(|contact| contact.params.number("expires"));
    let all = || message.values(Name::Contact).filter_map(Address::parse);
    Said {
        reason: kept(&message.reason()),
        to_tag: kept(message.to_tag()),
        received: via.and_then(|via| via.params.get("received")).map(kept),
        rport: via.and_then(|via| via.rport()).flatten(),
        realm: challenge.and_then(|value| field(value, "realm")),
        nonce: challenge.and_then(|value| field(value, "nonce")),
        stale: challenge
            .and_then(|value| field(value, "stale"))
            .is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        min_expires_s: message.number(Name::MinExpires),
        expires_s: bound.or_else(|| message.number(Name::Expires)),
        retry_after_s: message.number(Name::RetryAfter),
        contacts: all().take(CONTACTS_LIMIT).map(|contact| kept(contact.uri)).collect(),
        contact_count: message.values(Name::Contact).count().min(usize::from(u16::MAX)) as u16,
        server: header(message, Name::UserAgent).or_else(|| header(message, Name::Server)),
        reason_header: header(message, Name::Reason),
        warning: header(message, Name::Warning),
        session_expires: header(message, Name::SessionExpires),
        diversion: header(message, Name::Diversion),
        body: body(message),
        flaws: message.flaws().to_vec(),
    }
}

/// The parts of a From or To.
pub fn party(address: &Address<'_>) -> Party {
    let uri = address.parsed_uri();
    let host = uri.as_ref().map(|uri| match uri.port {
        Some(port) => Cow::Owned(format!("{}:{port}", uri.host)),
        None => Cow::Borrowed(uri.host),
    });
    Party {
        user: uri.as_ref().map(user).unwrap_or_default(),
        host: host.map(|host| kept(&host)).unwrap_or_default(),
        display: kept(&address.display()),
        tag: address.tag().map(kept).unwrap_or_default(),
    }
}

/// The user of a URI without its parameters.
pub fn user(uri: &Uri<'_>) -> Box<str> {
    kept(&uri.plain_user())
}

/// A text within its limit.
pub fn kept(text: &str) -> Box<str> {
    let mut end = text.len().min(TEXT_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

/// Bytes as a text within its limit.
pub fn text(bytes: &[u8]) -> Box<str> {
    kept(&String::from_utf8_lossy(bytes.get(..TEXT_LIMIT).unwrap_or(bytes)))
}

fn header(message: &Message<'_>, name: Name) -> Option<Box<str>> {
    message.header(name).map(text)
}

fn credentials<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    message.header(Name::Authorization).or_else(|| message.header(Name::ProxyAuthorization))
}

/// One field of credentials or of a challenge (RFC 7616 §3.3, §3.4).
fn field(value: &[u8], name: &str) -> Option<Box<str>> {
    let value = value.trim_ascii();
    let scheme = value.iter().position(u8::is_ascii_whitespace)?;
    members(&value[scheme..]).find_map(|member| {
        let (key, value) = std::str::from_utf8(member).ok()?.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| kept(&unquote(value.trim())))
    })
}

/// What the body says, as far as a rule asks for it.
fn body(message: &Message<'_>) -> Body {
    let bytes = message.body();
    if bytes.is_empty() {
        return Body::default();
    }
    let whole = message.content_type().unwrap_or_default();
    let kind = whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let description = message.session_description().and_then(|bytes| Description::parse(bytes).ok());
    let is = |wanted: &str| kind == wanted;
    Body {
        bytes: bytes.len() as u32,
        sdp: description.map(|description| Box::new(sdp(&description))),
        fragment_status: is("message/sipfrag")
            .then(|| Sipfrag::parse(bytes).ok().map(|f| f.status))
            .flatten(),
        dialog_state: is("application/dialog-info+xml").then(|| dialog_state(bytes)).flatten(),
        dtmf: is("application/dtmf-relay")
            .then(|| signal(bytes))
            .flatten()
            .or_else(|| is("application/dtmf").then(|| text(bytes))),
        url: is("application/url").then(|| text(bytes.trim_ascii())),
        kind: kind.into(),
    }
}

/// `Signal=5` of a DTMF INFO.
fn signal(bytes: &[u8]) -> Option<Box<str>> {
    let lines = std::str::from_utf8(bytes).ok()?;
    let value = lines
        .lines()
        .find_map(|line| line.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case("signal")))?;
    Some(kept(value.1.trim()))
}

/// The furthest of the calls that a dialog-info tells.
fn dialog_state(bytes: &[u8]) -> Option<&'static str> {
    let info = DialogInfo::parse(bytes).ok()?;
    let rank = |state: DialogState| match state {
        DialogState::Terminated => 0,
        DialogState::Trying => 1,
        DialogState::Proceeding => 2,
        DialogState::Early => 3,
        DialogState::Confirmed => 4,
    };
    let furthest = info.dialogs.iter().map(|dialog| dialog.state).max_by_key(|&state| rank(state));
    Some(furthest.unwrap_or(DialogState::Terminated).name())
}

/// A session description in short.
pub fn sdp(description: &Description) -> Sdp {
    let origin = description.origin();
    let session =
        origin.as_ref().and_then(|o| Some((o.session_id.parse().ok()?, o.session_version.parse().ok()?)));
    let media = (0..description.media.len()).map(|index| stream(description, index)).collect();
    Sdp {
        session: session.unwrap_or_default(),
        origin: origin.map(|o| kept(&o.connection.address)).unwrap_or_default(),
        media,
    }
}

fn stream(description: &Description, index: usize) -> SdpMedia {
    let media = &description.media[index];
    SdpMedia {
        kind: kept(media.kind()),
        protocol: kept(media.protocol()),
        port: media.port(),
        address: description.rtp_address_of(index),
        rtcp: description.rtcp_address_of(index),
        direction: description.direction_of(index),
        unspecified: description.connection_of(index).is_some_and(|c| c.is_unspecified()),
        formats: media.payload_types().map(|payload_type| format(media, payload_type)).collect(),
        suites: media.cryptos().map(|crypto| kept(&crypto.suite)).collect(),
        has_fingerprint: media.section.attributes("fingerprint").next().is_some()
            || description.session.attributes("fingerprint").next().is_some(),
        ptime_ms: media.section.ptime_ms(),
    }
}

fn format(media: &Media, payload_type: u8) -> SdpFormat {
    match media.rtpmap(payload_type) {
        Some(map) => SdpFormat { payload_type, name: kept(&map.encoding), clock_hz: map.clock_hz },
        None => {
            let (name, clock_hz) = static_format(payload_type).unwrap_or(("", 0));
            SdpFormat { payload_type, name: name.into(), clock_hz }
        }
    }
}

/// Name and clock of the static payload types (RFC 3551 §6).
pub fn static_format(payload_type: u8) -> Option<(&'static str, u32)> {
    Some(match payload_type {
        0 => ("PCMU", 8_000),
        3 => ("GSM", 8_000),
        4 => ("G723", 8_000),
        5 => ("DVI4", 8_000),
        6 => ("DVI4", 16_000),
        7 => ("LPC", 8_000),
        8 => ("PCMA", 8_000),
        9 => ("G722", 8_000),
        10 | 11 => ("L16", 44_100),
        12 => ("QCELP", 8_000),
        13 => ("CN", 8_000),
        14 => ("MPA", 90_000),
        15 => ("G728", 8_000),
        16 => ("DVI4", 11_025),
        17 => ("DVI4", 22_050),
        18 => ("G729", 8_000),
        25 => ("CelB", 90_000),
        26 => ("JPEG", 90_000),
        28 => ("nv", 90_000),
        31 => ("H261", 90_000),
        32 => ("MPV", 90_000),
        33 => ("MP2T", 90_000),
        34 => ("H263", 90_000),
        _ => return None,
    })
}

/// The package of an Event header, in lower case.
pub fn package(event: Option<&str>) -> String {
    let value = event.unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A parameter of an Event header.
pub fn event_parameter<'a>(event: &'a str, name: &str) -> Option<&'a str> {
    Params(event.split_once(';')?.1).get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decks_second_register() {
        let text = "REGISTER sip:192.168.50.19 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.80.198:5061;branch=z9hG4bK1;rport\r\n\
            From: \"7005\" <sip:7005@192.168.50.19>;tag=9\r\nTo: <sip:7005@192.168.50.19:5060>\r\nCall-ID: a\r\nCSeq: 2 REGISTER\r\n\
            User-Agent: FLYINGVOICE FIP13G SV0.6.59(202112251856) 202112251856\r\nContact: <sip:7005@192.168.80.198:5061>\r\n\
            Expires: 1800\r\nAuthorization: Digest username=\"7005\", realm=\"YSAsterisk\", nonce=\"16/8\", uri=\"sip:a,b\"\r\n\r\n";
        let message = Message::parse(text.as_bytes()).unwrap();
        let request = request(&message);
        assert_eq!((&*request.from.user, &*request.from.display, &*request.from.tag), ("7005", "7005", "9"));
        assert_eq!(&*request.to.host, "192.168.50.19:5060");
        assert_eq!((request.username.as_deref(), request.nonce.as_deref()), (Some("7005"), Some("16/8")));
        assert_eq!((request.expires_s, request.rport, request.via_port), (Some(1_800), true, Some(5_061)));
        assert_eq!(request.contact.as_deref(), Some("sip:7005@192.168.80.198:5061"));
    }

    #[test]
    fn the_answer_to_ones_own_binding() {
        let text =
            "SIP/2.0 200 OK\r\nContact: <sip:a@h>;expires=30, <sip:b@h>;expires=60\r\nExpires: 90\r\n\r\n";
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(said(&message, Some("sip:b@h")).expires_s, Some(60));
        assert_eq!(said(&message, None).expires_s, Some(90));
        assert_eq!(said(&message, None).contact_count, 2);
    }

    #[test]
    fn a_challenge() {
        let text = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"a, b\",nonce=n1, stale=TRUE\r\n\r\n";
        let answer = said(&Message::parse(text.as_bytes()).unwrap(), None);
        assert_eq!(
            (answer.realm.as_deref(), answer.nonce.as_deref(), answer.stale),
            (Some("a, b"), Some("n1"), true)
        );
        assert_eq!(&*answer.reason, "Unauthorized");
    }

    #[test]
    fn bodies() {
        let body_of = |kind: &str, text: &str| {
            let text = format!("INFO sip:a SIP/2.0\r\nContent-Type: {kind}\r\n\r\n{text}");
            body(&Message::parse(text.as_bytes()).unwrap())
        };
        assert_eq!(
            body_of("message/sipfrag;version=2.0", "SIP/2.0 503 Service Unavailable\r\n").fragment_status,
            Some(503)
        );
        assert_eq!(
            body_of("application/dtmf-relay", "Signal= 5\r\nDuration=160\r\n").dtmf.as_deref(),
            Some("5")
        );
        assert_eq!(
            body_of("application/url", "tftp://192.168.50.165\r\n").url.as_deref(),
            Some("tftp://192.168.50.165")
        );
        let sdp = "v=0\r\no=F 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 10000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n";
        let sdp = body_of("application/sdp", sdp).sdp.unwrap();
        let audio = sdp.audio().unwrap();
        assert_eq!(
            (audio.port, audio.address, audio.unspecified, audio.direction.name()),
            (10_000, None, true, "sendonly")
        );
        let names: Vec<_> = audio.formats.iter().map(|f| (f.payload_type, &*f.name, f.clock_hz)).collect();
        assert_eq!(names, [(8, "PCMA", 8_000), (101, "telephone-event", 8_000)]);
        assert_eq!((sdp.session, &*sdp.origin), ((1, 2), "192.0.2.1"));
    }
}
