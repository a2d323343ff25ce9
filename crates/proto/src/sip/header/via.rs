//! `Via = SIP/2.0/transport sent-by *(;params)` (RFC 3261 §20.42). A hop of another version of SIP is read
//! too, so that it can be told that its version is not known (RFC 4475 §3.1.2.16).

use crate::sip::grammar::{Params, unquoted};
use crate::sip::uri::host_port;

/// One hop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Via<'a> {
    /// The version of SIP; `2.0` unless the sender is from another time.
    pub version: &'a str,
    /// `UDP`, `TCP`, `TLS` or another, as written.
    pub transport: &'a str,
    /// The host of sent-by, IPv6 in its brackets.
    pub host: &'a str,
    /// The port of sent-by, if given.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one member.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let end = unquoted(value, b';').unwrap_or(value.len());
        let params = text.get(end + 1..).unwrap_or_default();
        let (name, rest) = cut(&text[..end], |b| b == b'/')?;
        let (version, rest) = cut(rest, |b| b == b'/')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_version =
            version.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor));
        if !name.eq_ignore_ascii_case("SIP") || !is_version {
            return None;
        }
        let (transport, sent_by) = cut(rest, |b| b.is_ascii_whitespace())?;
        let (host, port) = host_port(sent_by)?;
        Some(Self { version, transport, host, port, params: Params(params) })
    }

    /// The branch; empty where an RFC 2543 peer sent none.
    pub fn branch(&self) -> &'a str {
        self.params.get("branch").unwrap_or_default()
    }

    /// Whether the branch is unique by the rules of RFC 3261 §8.1.1.7.
    pub fn has_magic_cookie(&self) -> bool {
        self.branch().len() > 7 && self.branch().as_bytes()[..7].eq_ignore_ascii_case(b"z9hG4bK")
    }

    /// The `rport` value: `Some(None)` where it is asked for (RFC 3581 §3).
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.get("rport")?;
        Some(value.parse().ok())
    }
}

/// Splits at the first byte of a kind, blanks trimmed on both sides.
fn cut(text: &str, separates: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let text = text.trim_ascii();
    let at = text.bytes().position(separates)?;
    Some((text[..at].trim_ascii_end(), text[at + 1..].trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_hop() {
        let via = Via::parse(b"SIP/2.0/UDP 192.168.80.20:5060;branch=z9hG4bK61db;rport").expect("sound");
        assert_eq!((via.transport, via.host, via.port), ("UDP", "192.168.80.20", Some(5060)));
        assert!(via.has_magic_cookie());
        assert_eq!(via.rport(), Some(None));
        let via = Via::parse(b"SIP / 2.0 / TLS  [2001:db8::1]:5061 ; received = 192.0.2.1").expect("sound");
        assert_eq!((via.transport, via.host, via.port), ("TLS", "[2001:db8::1]", Some(5061)));
        assert!(!via.has_magic_cookie());
        assert_eq!(Via::parse(b"SIP/7.0/UDP a").map(|via| via.version), Some("7.0"));
        assert!(Via::parse(b"SIP/x/UDP a").is_none());
        assert!(Via::parse(b"SIP/2.0/UDP").is_none());
    }
}
