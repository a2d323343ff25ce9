//! URIs: `sip`, `sips`, `tel` and unknown schemes (RFC 3261 §19.1, RFC 3966).

use std::borrow::Cow;
use std::net::IpAddr;

use super::Transport;
use super::grammar::{Params, number};

/// A URI, taken apart; everything borrows from the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Uri<'a> {
    /// The scheme as written.
    pub scheme: &'a str,
    /// The user, escapes kept; for `tel` the number. Empty where there is none.
    pub user: &'a str,
    /// The host, IPv6 in its brackets; empty for `tel` and unknown schemes.
    pub host: &'a str,
    /// The port, if given.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
    /// What follows `?`.
    pub headers: &'a str,
}

impl<'a> Uri<'a> {
    /// Takes a URI apart. `None` where it is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let colon = text.bytes().position(|b| b == b':')?;
        let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
        let is_sip = is_sip_scheme(scheme);
        let plain = if is_sip { Self::plain(scheme, rest) } else { None };
        plain.or_else(|| Self::any(scheme, rest))
    }

    /// Any URI, by the whole grammar.
    fn any(scheme: &'a str, rest: &'a str) -> Option<Self> {
        let is_sip = is_sip_scheme(scheme);
        if rest.is_empty() || !(is_sip || is_scheme(scheme)) {
            return None;
        }
        let cuts = Cuts::find(rest.as_bytes())?;
        let mut uri = Self { scheme, user: "", host: "", port: None, params: Params(""), headers: "" };
        if !is_sip && scheme.eq_ignore_ascii_case("tel") {
            let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
            (uri.user, uri.params) = (number, Params(params));
            return Some(uri);
        }
        if !is_sip {
            uri.user = rest;
            return Some(uri);
        }
        let end = cuts.question.unwrap_or(rest.len());
        let host_end = cuts.semicolon.unwrap_or(end);
        let host_at = cuts.at.map_or(0, |at| at + 1);
        uri.user = &rest[..cuts.password.or(cuts.at).unwrap_or(0)];
        uri.params = Params(rest.get(host_end + 1..end).unwrap_or_default());
        uri.headers = rest.get(end + 1..).unwrap_or_default();
        (uri.host, uri.port) = host_port(&rest[host_at..host_end])?;
        Some(uri)
    }

    /// `user@host`, `host` and either with a port, which is nearly all that phones write; `None` for
    /// whatever needs a closer look.
    fn plain(scheme: &'a str, rest: &'a str) -> Option<Self> {
        let (first, mut behind) = word(rest);
        let (mut user, mut host) = ("", first);
        if let Some(after) = behind.strip_prefix('@') {
            user = first;
            (host, behind) = word(after);
        }
        let port = match behind.strip_prefix(':') {
            Some(digits) => Some(u16::try_from(number(digits.as_bytes())?).ok()?),
            None if behind.is_empty() => None,
            None => return None,
        };
        (!host.is_empty()).then_some(Self { scheme, user, host, port, params: Params(""), headers: "" })
    }

    /// Whether it is a `sip` or `sips` URI.
    pub fn is_sip(&self) -> bool {
        is_sip_scheme(self.scheme)
    }

    /// Whether it is a `tel` URI (RFC 3966).
    pub fn is_tel(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("tel")
    }

    /// Whether it is a `sips` URI.
    pub fn is_sips(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("sips")
    }

    /// The `transport` parameter, if it is one that we speak.
    pub fn transport(&self) -> Option<Transport> {
        Transport::from_name(self.params.get("transport")?)
    }

    /// The host as an address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// Whether two URIs name one host: addresses by their value, as IPv6 may be written in several ways (RFC 5954 §4.2),
    /// names whatever their case.
    pub fn is_same_host(&self, other: &Uri<'_>) -> bool {
        match (self.ip(), other.ip()) {
            (Some(one), Some(other)) => one == other,
            _ => self.host.eq_ignore_ascii_case(other.host),
        }
    }

    /// A URI as a Request-URI may be: without headers and method (RFC 3261 §19.1.1, table 1).
    pub fn as_request_uri(text: &str) -> Cow<'_, str> {
        let Some(uri) = Uri::parse(text).filter(Uri::is_sip) else { return text.into() };
        let bare = match uri.headers.len() {
            0 => text.strip_suffix('?').unwrap_or(text),
            length => text.get(..text.len() - length - 1).unwrap_or(text),
        };
        if uri.params.get("method").is_none() {
            return bare.into();
        }
        let start = bare.len() - uri.params.0.len();
        let is_method = |param: &&str| {
            param.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("method"))
        };
        let kept = uri.params.0.split(';').filter(|param| !is_method(param));
        kept.fold(bare[..start - 1].to_owned(), |uri, param| uri + ";" + param).into()
    }

    /// The user with its escapes undone; of a `tel` URI the number without its visual separators, which
    /// mean nothing (RFC 3966 §5.1.1).
    pub fn plain_user(&self) -> Cow<'a, str> {
        if self.is_tel() && self.user.contains(VISUAL_SEPARATORS) {
            return unescape(self.user).replace(VISUAL_SEPARATORS, "").into();
        }
        unescape(self.user)
    }

    /// The user part by which a `sip` URI names the number of a `tel` URI: the number, and its parameters
    /// but for a context that is `home` itself (RFC 3261 §19.1.6).
    pub fn telephone_subscriber(&self, home: &str) -> String {
        let at_home = |param: &&str| {
            let context =
                param.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("phone-context"));
            context.is_some_and(|(_, context)| context.eq_ignore_ascii_case(home))
        };
        let params = self.params.0.split(';').filter(|param| !param.is_empty() && !at_home(param));
        std::iter::once(&*self.plain_user()).chain(params).collect::<Vec<_>>().join(";")
    }

    /// A header of the URI (`?Replaces=…`), its escapes undone.
    pub fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut pairs = self.headers.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(n, _)| unescape(n).eq_ignore_ascii_case(name)).map(|(_, value)| unescape(value))
    }

    /// The URI without parameters and headers, as a key: scheme and host in lower case.
    pub fn address_of_record(&self) -> String {
        let port = self.port.map(|p| format!(":{p}")).unwrap_or_default();
        let at = if self.user.is_empty() { "" } else { "@" };
        let scheme = self.scheme.to_ascii_lowercase();
        format!("{scheme}:{}{at}{}{port}", self.plain_user(), self.host.to_ascii_lowercase())
    }
}

/// What makes a telephone number easier to read (RFC 3966 §3).
const VISUAL_SEPARATORS: [char; 4] = ['-', '.', '(', ')'];

/// Splits behind the letters, digits, dots, hyphens and low lines at the beginning.
fn word(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|b| CLASS[usize::from(b)] != HOST).unwrap_or(text.len());
    text.split_at(end)
}

/// Where the parts of a SIP URI meet, found in one pass. The user part may hold `;` and `?`, so
/// those before the last `@` do not count.
#[derive(Default)]
struct Cuts {
    /// The colon between user and password.
    password: Option<usize>,
    at: Option<usize>,
    semicolon: Option<usize>,
    question: Option<usize>,
}

impl Cuts {
    /// `None` where a byte stands that no URI may hold.
    fn find(rest: &[u8]) -> Option<Self> {
        let mut cuts = Self::default();
        let mut colon = None;
        for (at, &b) in rest.iter().enumerate() {
            match CLASS[usize::from(b)] {
                HOST | PLAIN => {}
                BAD => return None,
                _ => match b {
                    b'@' => {
                        cuts = Self { password: cuts.password.or(colon), at: Some(at), ..Self::default() };
                    }
                    b':' => colon = colon.or(Some(at)),
                    b'?' => cuts.question = cuts.question.or(Some(at)),
                    _ if cuts.question.is_none() => cuts.semicolon = cuts.semicolon.or(Some(at)),
                    _ => {}
                },
            }
        }
        Some(cuts)
    }
}

const PLAIN: u8 = 0;
const HOST: u8 = 1;
const CUT: u8 = 2;
const BAD: u8 = 3;

/// What a byte may be in a URI.
static CLASS: [u8; 256] = {
    let mut table = [PLAIN; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'@' | b':' | b';' | b'?' => CUT,
            0..=b' ' | b'<' | b'>' => BAD,
            b'.' | b'-' | b'_' => HOST,
            b if b.is_ascii_alphanumeric() => HOST,
            _ => PLAIN,
        };
        b += 1;
    }
    table
};

fn is_sip_scheme(scheme: &str) -> bool {
    matches!(
        scheme.as_bytes(),
        [b's' | b'S', b'i' | b'I', b'p' | b'P'] | [b's' | b'S', b'i' | b'I', b'p' | b'P', b's' | b'S']
    )
}

/// Whether this is the name of a scheme (RFC 3261 §25.1).
pub(super) fn is_scheme(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    is_sip_scheme(text)
        || text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic()) && text.bytes().all(is_inner)
}

/// Splits `host[:port]`; IPv6 must stand in brackets and keeps them.
pub fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim_ascii();
    let end = match text.strip_prefix('[') {
        Some(inner) => {
            let close = inner.bytes().position(|b| b == b']')?;
            inner[..close].split('%').next()?.parse::<std::net::Ipv6Addr>().ok()?;
            close + 2
        }
        None => text.bytes().position(|b| CLASS[usize::from(b)] != HOST).unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(end);
    if host.is_empty() {
        return None;
    }
    let rest = rest.trim_ascii_start();
    if rest.is_empty() {
        return Some((host, None));
    }
    let port = number(rest.strip_prefix(':')?.trim_ascii().as_bytes())?;
    Some((host, Some(u16::try_from(port).ok()?)))
}

/// An address as the host of a URI: IPv6 in brackets (RFC 3261 §25.1).
pub fn host_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// Undoes `%hh`; what is not UTF-8 afterwards is replaced.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let hex = |i: usize| bytes.get(at + i).and_then(|&b| char::from(b).to_digit(16));
        match (b, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                plain.push(b);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned().into()
}

/// Escapes what may not stand in a user part or a URI header (RFC 3261 §25.1).
pub fn escape(text: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()+$".contains(&b);
    if text.bytes().all(plain) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for b in text.bytes() {
        if plain(b) {
            escaped.push(char::from(b));
        } else {
            escaped.push_str(&format!("%{b:02X}"));
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn schemes_and_parts() {
        let uri = Uri::parse("sip:alice:pw@example.com:5070;transport=tcp;lr?Subject=x%20y").expect("sound");
        assert_eq!((uri.user, uri.host, uri.port), ("alice", "example.com", Some(5070)));
        assert_eq!(uri.transport(), Some(Transport::Tcp));
        assert_eq!(uri.header("subject").as_deref(), Some("x y"));
        let uri = Uri::parse("sip:user;par=u%40example.net@example.com").expect("sound");
        assert_eq!((uri.user, uri.host), ("user;par=u%40example.net", "example.com"));
        let uri = Uri::parse("sip:[2001:db8::9:1]:5060").expect("sound");
        assert_eq!((uri.host, uri.port), ("[2001:db8::9:1]", Some(5060)));
        assert_eq!(Uri::parse("tel:+1-212;phone-context=x").map(|u| u.user), Some("+1-212"));
        let uri = Uri::parse("tel:(030)-12.34;phone-context=pbx.example;ext=7").expect("sound");
        assert_eq!((&*uri.plain_user(), uri.is_tel()), ("0301234", true));
        assert_eq!(uri.telephone_subscriber("pbx.example"), "0301234;ext=7");
        assert_eq!(uri.telephone_subscriber("other"), "0301234;phone-context=pbx.example;ext=7");
        assert!(Uri::parse("soap.beep://192.0.2.103:3002").is_some());
        for bad in
            ["sip:", "sip:a@", "sip:a b@c", ":x", "sip:[::zz]", "sip:h:99999", "sip:hé", "sip:h:+1", "7001"]
        {
            assert!(Uri::parse(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        /// The short way sees what the long way sees.
        #[test]
        fn plain_uris_are_read_as_all_others(rest in "[a-c0-9.:@;?é \\[-]{0,14}") {
            let plain = Uri::plain("sip", &rest);
            prop_assert!(plain.is_none() || plain == Uri::any("sip", &rest), "{rest}");
        }
    }

    #[test]
    fn escapes_go_both_ways() {
        let text = "1450a8c061dbfa590-28a15180;to-tag=a;from-tag=b";
        assert_eq!(escape(text), "1450a8c061dbfa590-28a15180%3Bto-tag%3Da%3Bfrom-tag%3Db");
        assert_eq!(unescape(&escape(text)), text);
        assert_eq!(unescape("%zz%4"), "%zz%4");
    }

    #[test]
    fn a_request_uri_has_neither_headers_nor_method() {
        let check = |text: &str, expected: &str| assert_eq!(Uri::as_request_uri(text), expected);
        check("sip:7001@h", "sip:7001@h");
        check("sip:7001@h?Subject=x", "sip:7001@h");
        check("sip:7001@h?", "sip:7001@h");
        check("sip:a?b@h:5070;x=1;METHOD=BYE;lr?Replaces=a", "sip:a?b@h:5070;x=1;lr");
        check("sip:7001@h;method=INVITE", "sip:7001@h");
        check("tel:+1;method=x", "tel:+1;method=x");
    }

    #[test]
    fn hosts_are_compared_as_what_they_are() {
        let check = |one: &str, other: &str, expected: bool| {
            let (one, other) = (Uri::parse(one).expect("a URI"), Uri::parse(other).expect("a URI"));
            assert_eq!(one.is_same_host(&other), expected, "{one:?} {other:?}");
        };
        check("sip:[::1]", "sip:[0:0:0:0:0:0:0:1]", true);
        check("sip:[2001:DB8::1]:5060", "sip:x@[2001:db8::1]", true);
        check("sip:Example.com", "sip:example.COM", true);
        check("sip:192.168.50.19", "sip:192.168.50.20", false);
        check("sip:[::1]", "sip:one", false);
    }
}
