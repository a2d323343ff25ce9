//! The types of values, and how a written value is checked.

use std::net::IpAddr;

/// Longest value that any parameter takes, in bytes.
const LONGEST_VALUE_BYTES: usize = 1024;

/// Which values a parameter accepts.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `0` or `1`; the words of the web page (Enable, Disable, on, off, …) are taken too.
    Bool,
    /// A whole number from `min` to `max`, in `unit` (empty where it only counts).
    Number {
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
        /// `s`, `ms`, `min`, `dB`, … or empty.
        unit: &'static str,
    },
    /// A number of seconds with up to three decimals, from `min_ms` to `max_ms` milliseconds.
    Seconds {
        /// Smallest accepted value in milliseconds.
        min_ms: i64,
        /// Largest accepted value in milliseconds.
        max_ms: i64,
    },
    /// One of the listed values; each has a word for people, which is accepted as well.
    Choice(&'static [(&'static str, &'static str)]),
    /// Any text without control characters.
    Text,
    /// A password: any text, never shown.
    Secret,
    /// A host name or an address, without a port.
    Host,
    /// An IP address.
    Address,
    /// A port number; 0 means that it is found by other means.
    Port,
    /// An address with a scheme, or a path, without blanks.
    Uri,
    /// Whole numbers separated by commas, each from `min` to `max`.
    Numbers {
        /// Smallest accepted element.
        min: i64,
        /// Largest accepted element.
        max: i64,
    },
    /// Digits and the signs that can be dialled, for feature codes and numbers: no blanks.
    Dialled,
}

impl Kind {
    /// The value as it is stored, from the value as it was written.
    ///
    /// # Errors
    /// A sentence that says what is accepted. It never repeats the value.
    pub fn check(&self, written: &str) -> Result<String, String> {
        let text = written.trim();
        if text.len() > LONGEST_VALUE_BYTES {
            return Err(format!("a value may have {LONGEST_VALUE_BYTES} bytes at most"));
        }
        if text.chars().any(char::is_control) {
            return Err("a value may not contain control characters".into());
        }
        if text.is_empty() {
            return Ok(String::new());
        }
        self.check_filled(text)
            .map(|_| self.normal(text))
            .ok_or_else(|| format!("expected {}", self.expects()))
    }

    /// What is accepted, in words: `a whole number from 30 to 3600 s`.
    pub fn expects(&self) -> String {
        match *self {
            Kind::Bool => "0 (off) or 1 (on)".into(),
            Kind::Number { min, max, unit } => {
                format!("a whole number from {min} to {max} {unit}").trim_end().to_owned()
            }
            Kind::Seconds { min_ms, max_ms } => {
                format!("seconds from {} to {}, as in 0.5", decimal(min_ms), decimal(max_ms))
            }
            Kind::Choice(choices) => {
                let words: Vec<String> =
                    choices.iter().map(|(value, word)| format!("{value} ({word})")).collect();
                format!("one of {}", words.join(", "))
            }
            Kind::Text => "text".into(),
            Kind::Secret => "a password".into(),
            Kind::Host => "a host name or an IP address without port".into(),
            Kind::Address => "an IP address".into(),
            Kind::Port => "a port from 0 to 65535".into(),
            Kind::Uri => "an address without blanks".into(),
            Kind::Numbers { min, max } => format!("whole numbers from {min} to {max}, separated by commas"),
            Kind::Dialled => "a number or code without blanks".into(),
        }
    }

    /// The values that are accepted, where they can be listed.
    pub fn values(&self) -> Vec<String> {
        match self {
            Kind::Bool => vec!["0".to_owned(), "1".to_owned()],
            Kind::Choice(choices) => choices.iter().map(|(value, _)| (*value).to_owned()).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether an explicitly empty value means "none" rather than "as from the factory".
    pub(super) fn may_be_empty(&self) -> bool {
        !matches!(
            self,
            Kind::Bool | Kind::Number { .. } | Kind::Seconds { .. } | Kind::Choice(_) | Kind::Port
        )
    }

    fn check_filled(&self, text: &str) -> Option<()> {
        let good = match *self {
            Kind::Bool => truth(text).is_some(),
            Kind::Number { min, max, .. } => in_range(text, min, max),
            Kind::Seconds { min_ms, max_ms } => {
                thousandths(text).is_some_and(|ms| (min_ms..=max_ms).contains(&ms))
            }
            Kind::Choice(choices) => chosen(choices, text).is_some(),
            Kind::Text | Kind::Secret => true,
            Kind::Host => is_host(text),
            Kind::Address => text.parse::<IpAddr>().is_ok(),
            Kind::Port => in_range(text, 0, 65_535),
            Kind::Uri | Kind::Dialled => !text.contains(char::is_whitespace),
            Kind::Numbers { min, max } => text.split(',').all(|one| in_range(one.trim(), min, max)),
        };
        good.then_some(())
    }

    /// One spelling for each value, so that equal values compare equal.
    fn normal(&self, text: &str) -> String {
        match *self {
            Kind::Bool => truth(text).map_or("", |on| if on { "1" } else { "0" }).into(),
            Kind::Number { .. } | Kind::Port => {
                text.parse::<i64>().map_or_else(|_| text.into(), |number| number.to_string())
            }
            Kind::Seconds { .. } => thousandths(text).map_or_else(|| text.into(), decimal),
            Kind::Choice(choices) => chosen(choices, text).unwrap_or(text).into(),
            Kind::Host => text.trim_start_matches('[').trim_end_matches(']').into(),
            _ => text.into(),
        }
    }
}

/// A switch as people and files write it.
fn truth(text: &str) -> Option<bool> {
    let is_any = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_any(&["1", "on", "yes", "true", "enable", "enabled"]) {
        Some(true)
    } else if is_any(&["0", "off", "no", "false", "disable", "disabled"]) {
        Some(false)
    } else {
        None
    }
}

fn in_range(text: &str, min: i64, max: i64) -> bool {
    text.parse::<i64>().is_ok_and(|number| (min..=max).contains(&number))
}

fn chosen(choices: &[(&'static str, &'static str)], text: &str) -> Option<&'static str> {
    let by_value = choices.iter().find(|(value, _)| *value == text);
    by_value
        .or_else(|| choices.iter().find(|(_, word)| word.eq_ignore_ascii_case(text)))
        .map(|(value, _)| *value)
}

/// `0.5` as 500.
pub(super) fn thousandths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 3 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<3}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(fraction)
}

/// 500 as `0.5`.
fn decimal(ms: i64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A name of letters, digits, `-`, `_`, `.`, or an IP address, IPv6 with or without brackets.
pub(super) fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(bare) = bare {
        return bare.parse::<std::net::Ipv6Addr>().is_ok();
    }
    text.parse::<IpAddr>().is_ok()
        || (text.len() <= 253
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            && !text.starts_with(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, written: &str, stored: Option<&str>) {
        assert_eq!(kind.check(written).ok().as_deref(), stored, "{kind:?} {written:?}");
    }

    #[test]
    fn values_are_checked_and_spelled_one_way() {
        check(Kind::Bool, "Enable", Some("1"));
        check(Kind::Bool, " off ", Some("0"));
        check(Kind::Bool, "2", None);
        let seconds = Kind::Number { min: 30, max: 60, unit: "s" };
        check(seconds, "030", Some("30"));
        check(seconds, "61", None);
        check(seconds, "99999999999999999999", None);
        check(seconds, "", Some(""));
        check(Kind::Seconds { min_ms: 100, max_ms: 4_000 }, "0.50", Some("0.5"));
        check(Kind::Seconds { min_ms: 100, max_ms: 4_000 }, "5", None);
        check(Kind::Seconds { min_ms: 100, max_ms: 4_000 }, ".", None);
        let transport = Kind::Choice(&[("0", "UDP"), ("1", "TCP")]);
        check(transport, "tcp", Some("1"));
        check(transport, "3", None);
        check(Kind::Port, "65536", None);
        check(Kind::Numbers { min: 1, max: 254 }, "66, 128", Some("66, 128"));
        check(Kind::Numbers { min: 1, max: 254 }, "66,,128", None);
        check(Kind::Text, "a\u{1}b", None);
        check(Kind::Secret, &"x".repeat(1_025), None);
    }

    #[test]
    fn hosts_have_no_port() {
        check(Kind::Host, "pbx.example.com", Some("pbx.example.com"));
        check(Kind::Host, "[::1]", Some("::1"));
        check(Kind::Host, "2001:db8::1", Some("2001:db8::1"));
        check(Kind::Host, "10.0.0.1:5060", None);
        check(Kind::Host, "two words", None);
        check(Kind::Address, "pbx", None);
    }
}
