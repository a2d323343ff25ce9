//! Digest access authentication (RFC 7616, for SIP RFC 3261 §22 and RFC 8760): both ends.
//!
//! [`Client`] answers the challenges of one server, [`Guard`] challenges and verifies. Both know MD5
//! and SHA-256, each also as `-sess`, with `qop` `auth`, `auth-int` and, for old peers, none.

mod client;
mod guard;

use std::borrow::Cow;
use std::fmt;

use md5::Md5;
use memchr::memchr;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

pub use client::{Attempt, Challenge, Client, Credentials, Refusal, Secret};
pub use guard::{Guard, GuardSettings, Presented, Verdict};

/// The hash that a challenge asks for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Algorithm {
    /// RFC 1321; the only one that old phones know.
    #[default]
    Md5,
    /// RFC 8760 prefers it.
    Sha256,
}

impl Algorithm {
    /// As the wire writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// Reads `MD5`, `SHA-256` and their `-sess` forms, the latter as `true`.
    fn from_name(name: &str) -> Option<(Self, bool)> {
        const SESSION: &str = "-sess";
        let plain = name.len().saturating_sub(SESSION.len());
        let (name, session) = match (name.get(..plain), name.get(plain..)) {
            (Some(plain), Some(end)) if end.eq_ignore_ascii_case(SESSION) => (plain, true),
            _ => (name, false),
        };
        let algorithm = [Self::Md5, Self::Sha256].into_iter().find(|a| name.eq_ignore_ascii_case(a.as_str()));
        Some((algorithm?, session))
    }
}

/// What a server keeps instead of a password: the hash of `username:realm:password` (RFC 7616 §3.4.2).
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Ha1 {
    /// By MD5.
    pub md5: [u8; 16],
    /// By SHA-256.
    pub sha256: [u8; 32],
}

impl Ha1 {
    /// For one user of one realm.
    pub fn new(username: &str, realm: &str, password: &str) -> Self {
        let parts = [username.as_bytes(), realm.as_bytes(), password.as_bytes()];
        Self { md5: joined::<Md5>(&parts).into(), sha256: joined::<Sha256>(&parts).into() }
    }

    fn hex(&self, algorithm: Algorithm) -> Hex {
        match algorithm {
            Algorithm::Md5 => Hex::new(&self.md5),
            Algorithm::Sha256 => Hex::new(&self.sha256),
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(…)")
    }
}

/// The quality of protection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Qop {
    Auth,
    AuthInt,
}

impl Qop {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|qop| name.eq_ignore_ascii_case(qop.as_str()))
    }
}

/// What keeps a response from being used again.
#[derive(Clone, Copy)]
struct Protection<'a> {
    nc: &'a str,
    cnonce: &'a str,
    qop: Qop,
}

/// Everything that goes into a response (RFC 7616 §3.4.1).
struct Terms<'a> {
    algorithm: Algorithm,
    session: bool,
    nonce: &'a str,
    /// `None` for peers of RFC 2069.
    protection: Option<Protection<'a>>,
    method: &'a str,
    uri: &'a str,
    body: &'a [u8],
}

impl Terms<'_> {
    fn response(&self, ha1: &Ha1) -> Hex {
        let nonce = self.nonce.as_bytes();
        let cnonce = self.protection.map_or("", |protection| protection.cnonce).as_bytes();
        let mut secret = ha1.hex(self.algorithm);
        if self.session {
            secret = self.hash(&[secret.as_bytes(), nonce, cnonce]);
        }
        let (method, uri) = (self.method.as_bytes(), self.uri.as_bytes());
        let request = match self.protection {
            Some(Protection { qop: Qop::AuthInt, .. }) => {
                self.hash(&[method, uri, self.hash(&[self.body]).as_bytes()])
            }
            _ => self.hash(&[method, uri]),
        };
        let (secret, request) = (secret.as_bytes(), request.as_bytes());
        match self.protection {
            None => self.hash(&[secret, nonce, request]),
            Some(Protection { nc, qop, .. }) => {
                self.hash(&[secret, nonce, nc.as_bytes(), cnonce, qop.as_str().as_bytes(), request])
            }
        }
    }

    fn hash(&self, parts: &[&[u8]]) -> Hex {
        match self.algorithm {
            Algorithm::Md5 => Hex::new(&joined::<Md5>(parts)),
            Algorithm::Sha256 => Hex::new(&joined::<Sha256>(parts)),
        }
    }
}

#[cfg(test)]
std::thread_local! {
    /// How many hashes were computed in this thread.
    static HASHES: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn hashes() -> u32 {
    HASHES.with(std::cell::Cell::get)
}

/// The hash of the parts with a colon between each two; what fits is joined first, since hashing in
/// one piece is quicker.
fn joined<D: Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    #[cfg(test)]
    HASHES.with(|count| count.set(count.get() + 1));
    let mut buffer = [0; 192];
    let mut hash = D::new();
    let mut len = 0;
    for (at, part) in parts.iter().enumerate() {
        let colon = usize::from(at > 0);
        if part.len() + 1 > buffer.len() - len {
            hash.update(&buffer[..len]);
            len = 0;
        }
        buffer[len..len + colon].fill(b':');
        len += colon;
        match buffer.get_mut(len..len + part.len()) {
            Some(room) => {
                room.copy_from_slice(part);
                len += part.len();
            }
            None => {
                hash.update(&buffer[..len]);
                hash.update(part);
                len = 0;
            }
        }
    }
    hash.update(&buffer[..len]);
    hash.finalize()
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(super) fn is_same(left: &[u8], right: &[u8]) -> Choice {
    let mut difference = 0u64;
    let (left_words, left_rest) = left.as_chunks::<8>();
    let (right_words, right_rest) = right.as_chunks::<8>();
    for (left, right) in left_words.iter().zip(right_words) {
        difference |= u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
    }
    for (left, right) in left_rest.iter().zip(right_rest) {
        difference |= u64::from(left ^ right);
    }
    difference.ct_eq(&0) & (left.len() as u64).ct_eq(&(right.len() as u64))
}

/// Up to 32 bytes in hexadecimal digits, lower case, without allocation.
#[derive(Clone, Copy)]
struct Hex {
    digits: [u8; 64],
    len: usize,
}

impl Hex {
    fn new(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 64];
        for (pair, b) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
            *pair = [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]];
        }
        Self { digits, len: (bytes.len() * 2).min(64) }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    fn as_str(&self) -> &str {
        // Only ASCII digits were written.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// The fields of a challenge or of credentials; what was not sent is `None`, quotes are removed and
/// escapes kept.
#[derive(Clone, Copy, Debug, Default)]
struct Fields<'a> {
    username: Option<&'a str>,
    realm: Option<&'a str>,
    nonce: Option<&'a str>,
    uri: Option<&'a str>,
    response: Option<&'a str>,
    algorithm: Option<&'a str>,
    cnonce: Option<&'a str>,
    opaque: Option<&'a str>,
    qop: Option<&'a str>,
    nc: Option<&'a str>,
    stale: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// Reads a header value whose scheme is `Digest`.
    fn parse(value: &'a [u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?.trim_ascii();
        let (scheme, rest) = value.split_at_checked("Digest".len())?;
        if !scheme.eq_ignore_ascii_case("Digest") || !rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            return None;
        }
        let mut fields = Self::default();
        for (name, value) in pairs(rest) {
            if let Some(field) = fields.field(name) {
                field.get_or_insert(value);
            }
        }
        Some(fields)
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<&'a str>> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        Some(match name.len() {
            2 if is("nc") => &mut self.nc,
            3 if is("uri") => &mut self.uri,
            3 if is("qop") => &mut self.qop,
            5 if is("realm") => &mut self.realm,
            5 if is("nonce") => &mut self.nonce,
            5 if is("stale") => &mut self.stale,
            6 if is("cnonce") => &mut self.cnonce,
            6 if is("opaque") => &mut self.opaque,
            8 if is("username") => &mut self.username,
            8 if is("response") => &mut self.response,
            9 if is("algorithm") => &mut self.algorithm,
            _ => return None,
        })
    }

    /// The hash; MD5 where none is named (RFC 7616 §3.3), `None` for one that we do not know.
    fn algorithm(&self) -> Option<(Algorithm, bool)> {
        self.algorithm.map_or(Some((Algorithm::Md5, false)), Algorithm::from_name)
    }
}

/// `name=value` or `name="value"`, separated by commas; what has no `=` ends the list.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = text.as_bytes();
        // Names and what stands between the pairs are too short for a vector search to pay.
        while bytes.get(at).is_some_and(|b| *b == b',' || b.is_ascii_whitespace()) {
            at += 1;
        }
        let name_at = at;
        at += bytes.get(at..)?.iter().position(|&b| b == b'=')?;
        let name = text.get(name_at..at)?.trim_ascii_end();
        at += 1;
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        let value_at = at;
        if bytes.get(at) == Some(&b'"') {
            let end = value_at + 1 + closing_quote(&bytes[value_at + 1..])?;
            at = end + 1;
            while bytes.get(at).is_some_and(|&b| b != b',') {
                at += 1;
            }
            return Some((name, text.get(value_at + 1..end)?));
        }
        while bytes.get(at).is_some_and(|&b| b != b',') {
            at += 1;
        }
        Some((name, text.get(value_at..at)?.trim_ascii_end()))
    })
}

/// Where a quoted string ends whose opening quote has been read.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr(b'"', text.get(from..)?)?;
        if at == 0 || text[at - 1] != b'\\' {
            return Some(at);
        }
        let escapes = text[..at].iter().rev().take_while(|&&b| b == b'\\').count();
        if escapes % 2 == 0 {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The content of a quoted string without its escapes.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut escaped = false;
    let keep = |c: &char| {
        escaped = *c == '\\' && !escaped;
        !escaped
    };
    text.chars().filter(keep).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 7616 §3.9.1 in both algorithms.
    #[test]
    fn the_examples_of_the_standard() {
        let check = |algorithm, expected: &str| {
            let terms = Terms {
                algorithm,
                session: false,
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                protection: Some(Protection {
                    nc: "00000001",
                    cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                    qop: Qop::Auth,
                }),
                method: "GET",
                uri: "/dir/index.html",
                body: b"",
            };
            let ha1 = Ha1::new("Mufasa", "http-auth@example.org", "Circle of Life");
            assert_eq!(terms.response(&ha1).as_str(), expected);
        };
        check(Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec");
        check(Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn fields_are_read_in_any_form() {
        let fields = Fields::parse(
            b"dIGEST  Realm = \"a \\\"b\\\", c\",nonce=\"n\", , algorithm=\"sha-256-SESS\" ,qop=auth,\r\n\tnc=1",
        )
        .expect("sound");
        assert_eq!((fields.realm, fields.nonce), (Some("a \\\"b\\\", c"), Some("n")));
        assert_eq!(fields.algorithm(), Some((Algorithm::Sha256, true)));
        assert_eq!((fields.qop, fields.nc), (Some("auth"), Some("1")));
        assert_eq!(unescaped(fields.realm.unwrap_or_default()), "a \"b\", c");
        assert_eq!(unescaped("a\\\\b\\"), "a\\b");
        assert!(Fields::parse(b"Basic abc").is_none());
        assert_eq!(Algorithm::from_name("SHA-512-256"), None);
    }

    #[test]
    fn parts_of_any_length_are_joined() {
        for len in [0, 1, 95, 190, 191, 192, 193, 400] {
            let part = "a".repeat(len);
            let parts = [part.as_bytes(), b"b", part.as_bytes(), b""];
            let whole = format!("{part}:b:{part}:");
            assert_eq!(joined::<Sha256>(&parts), Sha256::digest(whole.as_bytes()), "{len}");
        }
    }

    #[test]
    fn texts_are_compared_whole() {
        let check = |left: &str, right: &str, expected| {
            assert_eq!(bool::from(is_same(left.as_bytes(), right.as_bytes())), expected, "{left} {right}");
        };
        check("", "", true);
        check("0123456789", "0123456789", true);
        check("0123456789", "012345678x", false);
        check("0123456789", "x123456789", false);
        check("01234567", "0123456789", false);
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", Ha1::new("a", "b", "c")), "Ha1(…)");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            value in "Digest [a-z=\", \\\\é]{0,60}",
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = Fields::parse(value.as_bytes());
            let _ = Fields::parse(&bytes);
            prop_assert!(unescaped(&value).len() <= value.len());
        }
    }
}
