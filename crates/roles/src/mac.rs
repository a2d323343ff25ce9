//! The MAC address by which a phone is known.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A MAC address; it is written as file names write it, `0021f222b021`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

/// A text that is no MAC address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoMac;

impl Mac {
    /// Reads twelve hexadecimal digits in any case, with or without `:`, `-`, `.` or blanks between them.
    pub fn parse(text: &str) -> Option<Self> {
        let is_between = |sign: &char| matches!(sign, ':' | '-' | '.' | ' ');
        let mut digits = text.trim().chars().filter(|sign| !is_between(sign)).map(|sign| sign.to_digit(16));
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            let (high, low) = (digits.next()??, digits.next()??);
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        digits.next().is_none().then_some(Self(bytes))
    }

    /// The MAC address at the end of a User-Agent, as the deck's phones write it:
    /// `Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21`.
    pub fn of_user_agent(text: &str) -> Option<Self> {
        text.split_whitespace().rev().find_map(|word| Self::parse(word.trim_matches(['(', ')', '[', ']'])))
    }

    /// With colons, in upper case: `00:21:F2:22:B0:21`.
    pub fn with_colons(self) -> String {
        self.0.map(|byte| format!("{byte:02X}")).join(":")
    }

    /// Whether nobody's phone has it: all zeros, or a group.
    pub fn is_nobodys(self) -> bool {
        self.0 == [0; 6] || self.0[0] & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for NoMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write twelve hexadecimal digits, as in 0021f222b021")
    }
}

impl std::error::Error for NoMac {}

impl std::str::FromStr for Mac {
    type Err = NoMac;

    fn from_str(text: &str) -> Result<Self, NoMac> {
        Self::parse(text).ok_or(NoMac)
    }
}

impl TryFrom<String> for Mac {
    type Error = NoMac;

    fn try_from(text: String) -> Result<Self, NoMac> {
        Self::parse(&text).ok_or(NoMac)
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_one_address() {
        let mac = Mac([0x00, 0x21, 0xf2, 0x22, 0xb0, 0x21]);
        for text in
            ["0021f222b021", "00:21:F2:22:B0:21", "00-21-f2-22-b0-21", "0021.f222.b021", " 0021F222B021 "]
        {
            assert_eq!(Mac::parse(text), Some(mac), "{text}");
        }
        for text in ["", "0021f222b02", "0021f222b0211", "0021f222b02g", "+021f222b021"] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
        assert_eq!(
            (mac.to_string().as_str(), mac.with_colons().as_str()),
            ("0021f222b021", "00:21:F2:22:B0:21")
        );
        assert_eq!(Mac::of_user_agent("Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21"), Some(mac));
        assert_eq!(Mac::of_user_agent("Yealink SIP-T46S 66.85.0.5 00:21:f2:22:b0:21"), Some(mac));
        assert_eq!(Mac::of_user_agent("curl/8.5.0"), None);
        assert!(Mac([0; 6]).is_nobodys() && Mac([1, 0, 0, 0, 0, 1]).is_nobodys() && !mac.is_nobodys());
    }
}
