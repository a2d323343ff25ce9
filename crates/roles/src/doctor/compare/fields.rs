//! Two messages of the same role: outcome, headers and bodies without their noise.

use std::collections::BTreeMap;

use proto::sdp::description::Description;
use proto::sip::Name;
use proto::sip::message::Message;

use super::difference::{Difference, Kind};
use super::steps::{Roles, Step};
use crate::doctor::follow::said;
use crate::doctor::tracks::SdpMedia;

/// Parameters that differ between any two messages, or name a port or a device.
const NOISE: &[&str] = &[
    "tag",
    "branch",
    "received",
    "nonce",
    "cnonce",
    "response",
    "nc",
    "opaque",
    "line",
    "ob",
    "reg-id",
    "q",
    "alias",
    "+sip.instance",
    "rport",
    "icid-value",
    "auts",
    "rspauth",
    "nextnonce",
    "call-id",
    "from-tag",
    "to-tag",
];
/// Headers that differ between any two messages, or say nothing of why one fails.
const IGNORED: &[Name] = &[
    Name::CallId,
    Name::CSeq,
    Name::ContentLength,
    Name::MaxForwards,
    Name::Date,
    Name::Timestamp,
    Name::RSeq,
    Name::RAck,
    Name::SipEtag,
    Name::SipIfMatch,
    Name::Identity,
    Name::AuthenticationInfo,
];
/// Headers that are lists without order.
const LISTS: &[Name] = &[
    Name::Allow,
    Name::AllowEvents,
    Name::Supported,
    Name::Require,
    Name::ProxyRequire,
    Name::Unsupported,
    Name::Accept,
    Name::AcceptEncoding,
    Name::AcceptLanguage,
];

/// What differs between two messages of one role.
pub(super) fn compare(
    (our, our_roles): (&Step, &Roles),
    (their, their_roles): (&Step, &Roles),
    talk: &str,
) -> Vec<Difference> {
    let (Ok(ours), Ok(theirs)) = (Message::parse(&our.bytes), Message::parse(&their.bytes)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut tell = |kind: Kind, weight: u8, what: String, values: [&str; 2]| {
        found.push(Difference {
            kind,
            weight,
            talk: talk.to_owned(),
            what,
            working: Some((our.proof, values[0].to_owned())),
            failing: Some((their.proof, values[1].to_owned())),
        });
    };
    if our.status != their.status {
        let weight = outcome_weight(our.status.unwrap_or(0), their.status.unwrap_or(0));
        tell(
            Kind::Outcome,
            weight,
            format!("{} instead of {}.", their.what, our.what),
            [&our.what, &their.what],
        );
    }
    let is_same_answer = our.status == their.status;
    let (left, right) = (headers(&ours, our_roles), headers(&theirs, their_roles));
    let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    for name in names {
        let (left, right) = (left.get(name), right.get(name));
        if left == right {
            continue;
        }
        // Answers of different statuses have different headers; those that say why are worth knowing.
        let says_why =
            matches!(name.as_str(), "Warning" | "Reason" | "Retry-After" | "Min-Expires" | "Unsupported");
        if !is_same_answer && !says_why {
            continue;
        }
        let what = match (left, right) {
            (Some(_), None) => format!("{}: {name} is missing.", their.what),
            (None, Some(_)) => format!("{}: {name} stands only here.", their.what),
            _ => format!("{}: {name} differs.", their.what),
        };
        let shown = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
        tell(Kind::Header, header_weight(name), what, [&shown(left), &shown(right)]);
    }
    if is_same_answer {
        bodies((&ours, our_roles), (&theirs, their_roles), &mut |weight, what: String, values| {
            tell(Kind::Body, weight, format!("{}: {what}", their.what), values);
        });
    }
    found
}

/// A refusal beside a success decides; a challenge beside a success may be either server's habit.
fn outcome_weight(ours: u16, theirs: u16) -> u8 {
    let class = |status: u16| match status {
        401 | 407 => 1,
        status => status / 100,
    };
    match (class(ours), class(theirs)) {
        (left, right) if left == right => {
            if left >= 4 {
                60
            } else {
                20
            }
        }
        (1, 2) | (2, 1) if ours < 200 || theirs < 200 => 30,
        (2, 1) => 80,
        (1, 2) => 40,
        (_, 3..) => 100,
        _ => 60,
    }
}

fn header_weight(name: &str) -> u8 {
    match name {
        "Request-URI"
        | "From"
        | "To"
        | "Authorization"
        | "Proxy-Authorization"
        | "WWW-Authenticate"
        | "Proxy-Authenticate" => 65,
        "Contact" | "Via" | "Route" | "Record-Route" => 60,
        "Require"
        | "Proxy-Require"
        | "Event"
        | "Content-Type"
        | "Replaces"
        | "Refer-To"
        | "P-Asserted-Identity"
        | "Diversion"
        | "Warning"
        | "Reason"
        | "Expires"
        | "Min-Expires"
        | "Session-Expires"
        | "Subscription-State"
        | "Retry-After"
        | "Unsupported" => 55,
        "Supported"
        | "Allow"
        | "Allow-Events"
        | "Min-SE"
        | "Accept"
        | "Privacy"
        | "P-Preferred-Identity"
        | "Remote-Party-ID"
        | "Alert-Info" => 30,
        _ => 10,
    }
}

/// The headers without noise, all lines of a name together.
fn headers(message: &Message<'_>, roles: &Roles) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if message.is_request() {
        all.insert("Request-URI".to_owned(), vec![clean(message.request_uri(), roles)]);
    }
    for (name, written, value) in message.all().filter(|(name, ..)| !IGNORED.contains(name)) {
        let known = name.as_str();
        let key = if known.is_empty() || name == Name::Other {
            String::from_utf8_lossy(written).into_owned()
        } else {
            known.to_owned()
        };
        let value = String::from_utf8_lossy(value);
        let members = match LISTS.contains(&name) {
            true => value.split(',').map(|member| member.trim().to_ascii_lowercase()).collect(),
            false if matches!(name, Name::From | Name::To) => vec![clean(unnamed(&value), roles)],
            false => vec![clean(&value, roles)],
        };
        let asks_for_rport = name == Name::Via && value.to_ascii_lowercase().contains(";rport");
        let values = all.entry(key).or_default();
        values.extend(members);
        if asks_for_rport && message.is_request() {
            values.push("rport".to_owned());
        }
        if LISTS.contains(&name) {
            values.sort_unstable();
        }
    }
    all.into_iter().map(|(name, values)| (name, values.join(", "))).collect()
}

/// An address without the name that is shown for it.
fn unnamed(value: &str) -> &str {
    value.find('<').and_then(|at| value.get(at..)).unwrap_or(value)
}

/// A value without the parameters that are noise, its words named by their roles, without ports.
fn clean(value: &str, roles: &Roles) -> String {
    let mut kept = String::new();
    for piece in pieces(value) {
        let name =
            piece.trim_start_matches([';', ',', ' ']).split(['=', '>', ' ']).next().unwrap_or_default();
        let scheme = piece.trim().split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("digest"));
        let name = scheme.map_or(name, |(_, rest)| rest.split('=').next().unwrap_or_default().trim());
        if !NOISE.iter().any(|noise| name.eq_ignore_ascii_case(noise)) {
            kept.push_str(piece);
        } else if piece.contains('>') {
            kept.push('>');
        }
    }
    words(kept.trim(), roles)
}

/// The value cut before each `;` and `,` outside quotes.
fn pieces(value: &str) -> Vec<&str> {
    let (mut pieces, mut begin, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in value.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' | ',' if !quoted && at > begin => {
                pieces.push(&value[begin..at]);
                begin = at;
            }
            _ => {}
        }
    }
    pieces.push(&value[begin..]);
    pieces
}

/// Names words by their roles and drops the ports after hosts.
fn words(value: &str, roles: &Roles) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let mut out = String::new();
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(length);
        let role = roles.names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        out.push_str(role.map_or(word, |(_, role)| role));
        rest = after;
        let is_host = word.contains('.') || role.is_some();
        if let Some(port) = after.strip_prefix(':').filter(|_| is_host) {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 {
                rest = &port[digits..];
            }
        }
    }
    out
}

type Tell<'t> = dyn FnMut(u8, String, [&str; 2]) + 't;

fn bodies(
    (ours, our_roles): (&Message<'_>, &Roles),
    (theirs, their_roles): (&Message<'_>, &Roles),
    tell: &mut Tell<'_>,
) {
    let described = |message: &Message<'_>| {
        let is_sdp = message.content_type().is_some_and(|kind| kind.starts_with("application/sdp"));
        Description::parse(message.body()).ok().filter(|_| is_sdp).map(|it| said::sdp(&it))
    };
    match (described(ours), described(theirs)) {
        (Some(_), None) => {
            tell(70, "it has no session description.".to_owned(), ["a session description", "none"])
        }
        (None, Some(_)) => {
            tell(60, "it alone has a session description.".to_owned(), ["none", "a session description"])
        }
        (Some(left), Some(right)) => {
            for kind in ["audio", "video", "image"] {
                let of = |sdp: &crate::doctor::tracks::Sdp| {
                    sdp.media.iter().position(|media| &*media.kind == kind)
                };
                match (
                    of(&left).and_then(|at| left.media.get(at)),
                    of(&right).and_then(|at| right.media.get(at)),
                ) {
                    (Some(left), Some(right)) => media((left, our_roles), (right, their_roles), tell),
                    (Some(_), None) => tell(60, format!("it has no {kind}."), [kind, "none"]),
                    (None, Some(_)) => tell(50, format!("it alone has {kind}."), ["none", kind]),
                    (None, None) => {}
                }
            }
        }
        (None, None) => {}
    }
}

fn media(
    (left, our_roles): (&SdpMedia, &Roles),
    (right, their_roles): (&SdpMedia, &Roles),
    tell: &mut Tell<'_>,
) {
    let mut differ = |weight: u8, what: &str, values: [String; 2]| {
        if values[0] != values[1] {
            tell(
                weight,
                format!("{} {what} of the session description differs.", left.kind),
                [&values[0], &values[1]],
            );
        }
    };
    differ(70, "profile", [left, right].map(|media| media.protocol.to_string()));
    differ(70, "direction", [left, right].map(direction));
    let names = [left, right].map(codecs);
    let sorted = names.clone().map(|mut names| {
        names.sort_unstable();
        names.join(" ")
    });
    if sorted[0] == sorted[1] {
        differ(50, "order of codecs", names.map(|names| names.join(" ")));
    } else {
        differ(70, "list of codecs", names.map(|names| names.join(" ")));
    }
    differ(
        70,
        "encryption",
        [left, right].map(|media| {
            let dtls = if media.has_fingerprint { " DTLS" } else { "" };
            format!("{}{dtls}", media.suites.join(" "))
        }),
    );
    differ(65, "address", [address(left, our_roles), address(right, their_roles)]);
    differ(
        40,
        "packet time",
        [left, right].map(|media| media.ptime_ms.map_or("as usual".to_owned(), |ms| format!("{ms} ms"))),
    );
}

fn direction(media: &SdpMedia) -> String {
    match media.port {
        0 => "refused (port 0)".to_owned(),
        _ if media.unspecified => "held (0.0.0.0)".to_owned(),
        _ => format!("{:?}", media.direction).to_ascii_lowercase(),
    }
}

fn codecs(media: &SdpMedia) -> Vec<String> {
    let name = |format: &crate::doctor::tracks::SdpFormat| match format.name.is_empty() {
        true => format!("type {}", format.payload_type),
        false => format.name.to_ascii_uppercase(),
    };
    media.formats.iter().map(name).collect()
}

/// The host of the sound by its role, or what kind of address it is: two servers have relays of their own.
fn address(media: &SdpMedia, roles: &Roles) -> String {
    let Some(address) = media.address else { return "none".to_owned() };
    let text = address.ip().to_string();
    match roles.names.iter().find(|(name, _)| *name == text) {
        Some((_, role)) => (*role).to_owned(),
        None if crate::doctor::is_private(address.ip()) => "another private address".to_owned(),
        None => "another public address".to_owned(),
    }
}
