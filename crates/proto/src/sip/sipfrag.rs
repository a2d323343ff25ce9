//! How a transfer goes: `message/sipfrag` (RFC 3420) in the NOTIFYs of REFER (RFC 3515 §2.4.5).

use std::fmt;

/// The media type of these bodies; RFC 3515 asks for the version as a parameter.
pub const MEDIA_TYPE: &str = "message/sipfrag;version=2.0";
/// How much of a body is looked at, in bytes; only its first line counts.
pub const MAX_LINE_BYTES: usize = 1_024;

/// The status line of a fragment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sipfrag {
    /// The status, 100 to 699.
    pub status: u16,
    /// The words that go with it, for people.
    pub reason: String,
}

impl Sipfrag {
    /// A status with its words.
    pub fn new(status: u16, reason: &str) -> Self {
        Self { status, reason: reason.to_owned() }
    }

    /// Reads the status line that a body begins with; lines that follow it and blank ones before are
    /// passed over.
    ///
    /// # Errors
    /// There is no status line; the fragment may still be a legal one of headers alone.
    pub fn parse(bytes: &[u8]) -> Result<Self, SipfragError> {
        let start = bytes.get(..bytes.len().min(MAX_LINE_BYTES)).unwrap_or_default();
        let text = String::from_utf8_lossy(start);
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let mut words = line.splitn(3, ' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
        if !version.eq_ignore_ascii_case("SIP/2.0") || !(100..700).contains(&status) {
            return Err(SipfragError);
        }
        Ok(Self { status, reason: words.next().unwrap_or_default().trim().to_owned() })
    }

    /// Whether the transfer is decided, one way or the other.
    pub fn is_final(&self) -> bool {
        self.status >= 200
    }

    /// Whether the transfer succeeded.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The body, one line.
impl fmt::Display for Sipfrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason: String = self.reason.chars().filter(|c| !c.is_control()).collect();
        write!(f, "SIP/2.0 {} {reason}\r\n", self.status)
    }
}

/// A body that does not begin with a status line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SipfragError;

impl fmt::Display for SipfragError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the transferee's sipfrag does not begin with a status line such as 'SIP/2.0 200 OK'")
    }
}

impl std::error::Error for SipfragError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn status_lines() {
        let check = |text: &str, expected: Option<(u16, &str)>| {
            let expected = expected.map(|(status, reason)| Sipfrag::new(status, reason)).ok_or(SipfragError);
            assert_eq!(Sipfrag::parse(text.as_bytes()), expected, "{text:?}");
        };
        check("SIP/2.0 100 Trying\r\n", Some((100, "Trying")));
        check("\r\nsip/2.0 486 Busy Here\nTo: x\r\n\r\n", Some((486, "Busy Here")));
        check("SIP/2.0 200", Some((200, "")));
        check("SIP/2.0 99 x", None);
        check("SIP/2.0 700 x", None);
        check("SIP/2.0 abc", None);
        check("HTTP/1.1 200 OK", None);
        check("", None);
    }

    #[test]
    fn only_the_beginning_is_looked_at() {
        let late = format!("{}SIP/2.0 200 OK", "\n".repeat(MAX_LINE_BYTES));
        assert_eq!(Sipfrag::parse(late.as_bytes()), Err(SipfragError));
    }

    #[test]
    fn how_it_ends() {
        assert!(!Sipfrag::new(180, "Ringing").is_final());
        assert!(Sipfrag::new(503, "Service Unavailable").is_final());
        assert!(Sipfrag::new(200, "OK").is_success() && !Sipfrag::new(302, "Moved").is_success());
        assert_eq!(Sipfrag::new(200, "O\r\nK").to_string(), "SIP/2.0 200 OK\r\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            let _ = Sipfrag::parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_again(status in 100..700_u16, reason in "[A-Z][a-z]{0,9}") {
            let fragment = Sipfrag::new(status, &reason);
            prop_assert_eq!(Sipfrag::parse(fragment.to_string().as_bytes()), Ok(fragment));
        }
    }
}
