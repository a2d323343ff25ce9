//! The dates and names of a certificate, read out of its DER (RFC 5280 §4.1).

/// What of a certificate the doctor looks at.
#[derive(Debug, Default)]
pub(super) struct Certificate {
    not_before_s: u64,
    not_after_s: u64,
    names: Vec<String>,
}

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// subjectAltName, 2.5.29.17.
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// commonName, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// Names that are read.
const MOST_NAMES: usize = 64;

impl Certificate {
    /// Reads it; `None` where it is none.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let (_, certificate, _) = piece(der)?;
        let (SEQUENCE, signed, _) = piece(certificate)? else { return None };
        let mut parts = Vec::new();
        let mut rest = signed;
        while let Some((tag, value, after)) = piece(rest) {
            parts.push((tag, value));
            rest = after;
        }
        // An explicit version comes first where there is one.
        let first = usize::from(parts.first()?.0 == 0xa0);
        let (_, validity) = parts.get(first + 3)?;
        let (before_tag, before, after) = piece(validity)?;
        let (after_tag, after, _) = piece(after)?;
        let mut own = Self {
            not_before_s: seconds(before_tag, before)?,
            not_after_s: seconds(after_tag, after)?,
            names: Vec::new(),
        };
        let (_, subject) = parts.get(first + 4)?;
        if let Some((_, extensions)) = parts.iter().find(|(tag, _)| *tag == 0xa3) {
            own.take_alternatives(extensions);
        }
        // RFC 6125 §6.4.4: the common name counts where there is no other.
        if own.names.is_empty() {
            own.take_common_name(subject);
        }
        Some(own)
    }

    /// Whether its dates hold that moment, in seconds since 1970.
    pub(super) fn is_valid_at(&self, at_s: u64) -> bool {
        (self.not_before_s..=self.not_after_s).contains(&at_s)
    }

    /// Whether it is for that host; a certificate without any name that can be read is held to be.
    pub(super) fn is_for(&self, host: &str) -> bool {
        let fits = |name: &String| match name.strip_prefix("*.") {
            Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
            None => name.eq_ignore_ascii_case(host),
        };
        self.names.is_empty() || self.names.iter().any(fits)
    }

    fn take_alternatives(&mut self, extensions: &[u8]) {
        let Some((_, mut rest, _)) = piece(extensions) else { return };
        while let Some((_, extension, after)) = piece(rest) {
            rest = after;
            let Some((_, oid, mut parts)) = piece(extension) else { continue };
            while let Some((tag, value, after)) = piece(parts) {
                parts = after;
                if oid == ALTERNATIVE_NAME && tag == OCTETS {
                    self.take_names(value);
                }
            }
        }
    }

    fn take_names(&mut self, value: &[u8]) {
        let Some((_, mut rest, _)) = piece(value) else { return };
        while let Some((tag, name, after)) = piece(rest) {
            rest = after;
            let text = match (tag, name) {
                (0x82, name) => String::from_utf8_lossy(name).into_owned(),
                (0x87, [a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
                _ => continue,
            };
            if self.names.len() < MOST_NAMES {
                self.names.push(text);
            }
        }
    }

    fn take_common_name(&mut self, mut subject: &[u8]) {
        while let Some((_, set, after)) = piece(subject) {
            subject = after;
            let pair = piece(set).map(|(_, pair, _)| pair).and_then(piece);
            let Some((_, oid, rest)) = pair else { continue };
            if oid == COMMON_NAME
                && let Some((_, name, _)) = piece(rest)
            {
                self.names.push(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
}

/// Tag, value and what follows.
fn piece(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` as seconds since 1970.
fn seconds(tag: u8, text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, at) = match tag {
        UTC_TIME => (number(0, 2).map(|year| if year < 50 { 2_000 + year } else { 1_900 + year })?, 2),
        GENERALIZED_TIME => (number(0, 4)?, 4),
        _ => return None,
    };
    let (month, day) = (number(at, at + 2)?, number(at + 2, at + 4)?);
    let (hour, minute) = (number(at + 4, at + 6)?, number(at + 6, at + 8)?);
    let second = number(at + 8, at + 10).unwrap_or(0);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1_970 {
        return None;
    }
    // Days from the civil calendar, counted in years that begin in March.
    let (shifted, month_index) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        assert_eq!(seconds(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, b"211231135838Z"), Some(1_640_959_118));
        assert_eq!(seconds(GENERALIZED_TIME, b"20211231135838Z"), Some(1_640_959_118));
        assert_eq!(seconds(GENERALIZED_TIME, b"20211331135838Z"), None);
    }

    #[test]
    fn names_and_wildcards() {
        let own = Certificate {
            not_before_s: 1,
            not_after_s: 5,
            names: vec!["pbx.example".into(), "*.lab.example".into()],
        };
        assert!(own.is_for("PBX.example") && own.is_for("a.lab.example"));
        assert!(!own.is_for("lab.example") && !own.is_for("a.b.lab.example") && !own.is_for("192.0.2.1"));
        assert!(own.is_valid_at(5) && !own.is_valid_at(6) && !own.is_valid_at(0));
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        for der in [
            &b""[..],
            b"\x30",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x02\x30\x00",
            b"\x30\x05\x30\x03\xa0\x01\x02",
        ] {
            assert!(Certificate::parse(der).is_none());
        }
    }
}
