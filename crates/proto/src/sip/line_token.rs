//! The token by which a phone knows requests that come by way of its registrar.
//!
//! A phone gives it to the registrar alone, as the URI parameter `line` of its REGISTER's Contact. Whoever
//! sends a request to that Contact is the registrar, or was told the Contact by it: another node of the
//! provider, or a provider that calls from other addresses than the phone registers at. RFC 3261 §10.2.4
//! and §19.1.1 let a client add any parameter of its own; the server puts it into the Request-URI (§16.6).

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::digest::is_same;
use super::uri::Uri;

/// The name of the URI parameter.
const NAME: &str = "line";
/// How many bytes of the seal are told: enough that nobody guesses it.
const BYTES: usize = 16;

/// A token of one account at one phone.
#[derive(Clone, Eq, PartialEq)]
pub struct LineToken(String);

impl fmt::Debug for LineToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineToken(…)")
    }
}

impl LineToken {
    /// The token that follows from a secret of the phone and the account's address, the same after every
    /// restart. `None` without a secret: whatever followed from nothing could be guessed.
    pub fn derive(secret: &[u8], account: &str) -> Option<Self> {
        if secret.is_empty() {
            return None;
        }
        let mut seal = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).ok()?;
        seal.update(b"line of ");
        seal.update(account.as_bytes());
        let sealed = seal.finalize().into_bytes();
        Some(Self(sealed.iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The Contact value (`<sip:7001@h:5060>`) with the token in its URI.
    pub fn added_to(&self, contact: &str) -> String {
        let Self(token) = self;
        match contact.rsplit_once('>') {
            Some((uri, rest)) => format!("{uri};{NAME}={token}>{rest}"),
            None => format!("<{contact};{NAME}={token}>"),
        }
    }

    /// Whether a URI carries it. The time that this takes does not tell how much of a guess is right.
    pub fn is_in(&self, uri: &Uri<'_>) -> bool {
        let carried = uri.params.get(NAME);
        carried.is_some_and(|carried| is_same(carried.as_bytes(), self.0.as_bytes()).into())
    }
}

/// A URI or a start line without the token in it, for logs and ladders: a secret has no place there.
pub fn without_token(text: &str) -> Cow<'_, str> {
    let marker = format!(";{NAME}=");
    let Some(at) = text.find(&marker) else { return Cow::Borrowed(text) };
    let rest = &text[at + marker.len()..];
    let end = rest.find([';', '?', '>', ' ', '"']).unwrap_or(rest.len());
    Cow::Owned(format!("{}{}", &text[..at], &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: &str, account: &str) -> LineToken {
        LineToken::derive(secret.as_bytes(), account).expect("a secret")
    }

    #[test]
    fn a_token_follows_from_secret_and_account_alone() {
        let first = token("a secret", "7001@h");
        assert_eq!(first, token("a secret", "7001@h"));
        assert_ne!(first, token("a secret", "7002@h"));
        assert_ne!(first, token("another", "7001@h"));
        assert_eq!(first.0.len(), 32);
        assert_eq!(LineToken::derive(b"", "7001@h"), None);
        assert_eq!(format!("{first:?}"), "LineToken(…)");
    }

    #[test]
    fn it_stands_in_the_uri_of_a_contact_and_is_found_there() {
        let token = token("a secret", "7001@h");
        let contact = token.added_to("<sip:7001@192.0.2.1:5060;transport=tcp>");
        let uri = contact.trim_start_matches('<').trim_end_matches('>');
        assert!(uri.starts_with("sip:7001@192.0.2.1:5060;transport=tcp;line="), "{contact}");
        let carries = |text: &str| token.is_in(&Uri::parse(text).expect("a URI"));
        assert!(carries(uri));
        assert!(!carries("sip:7001@192.0.2.1:5060"));
        assert!(!carries("sip:7001@192.0.2.1:5060;line="));
        assert!(!carries(&uri[..uri.len() - 1]));
        assert!(!carries(&format!("{uri}0")));
    }

    #[test]
    fn what_is_shown_has_no_token() {
        let check = |text: &str, shown: &str| assert_eq!(without_token(text), shown);
        check("INVITE sip:7001@h:5060;line=ab12 SIP/2.0", "INVITE sip:7001@h:5060 SIP/2.0");
        check("sip:7001@h;line=ab12;transport=tcp", "sip:7001@h;transport=tcp");
        check("<sip:7001@h;transport=tcp;line=ab12>;expires=60", "<sip:7001@h;transport=tcp>;expires=60");
        check("sip:7001@h", "sip:7001@h");
    }
}
