//! System log lines as they travel: RFC 3164 and RFC 5424.

use std::fmt::Write as _;

use crate::Time;

/// The longest line of the older form, in bytes (RFC 3164 §4.1).
pub const MAX_RFC3164_BYTES: usize = 1_024;
/// The longest line of the newer form, in bytes: what every receiver should take (RFC 5424 §6.1).
pub const MAX_RFC5424_BYTES: usize = 2_048;

/// How grave a line is (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The system is unusable.
    Emergency = 0,
    /// Somebody must act at once.
    Alert = 1,
    /// A part has failed.
    Critical = 2,
    /// Something did not work.
    Error = 3,
    /// Something may soon not work.
    Warning = 4,
    /// Normal, yet worth a look.
    Notice = 5,
    /// Normal.
    Informational = 6,
    /// For whoever hunts a fault.
    Debug = 7,
}

impl Severity {
    /// In a word, in lower case.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Informational => "informational",
            Self::Debug => "debug",
        }
    }
}

/// What part of a system speaks (RFC 5424 §6.2.1); those that a telephone needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Facility {
    /// Programs of users.
    User = 1,
    /// Programs that run by themselves.
    Daemon = 3,
    /// For local use, 0 to 7; telephones commonly speak as this one.
    Local0 = 16,
}

/// One line of a log.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// What part speaks.
    pub facility: Facility,
    /// How grave it is.
    pub severity: Severity,
    /// When it happened.
    pub time: Time,
    /// Who sends it: a host name or an address.
    pub host: &'a str,
    /// The program, `ipphone`.
    pub tag: &'a str,
    /// The process; some programs have none (deck, `admin:`).
    pub pid: Option<u32>,
    /// What is said.
    pub message: &'a str,
}

impl LogLine<'_> {
    /// The number in angle brackets: eight times the facility plus the severity.
    pub fn priority(&self) -> u8 {
        self.facility as u8 * 8 + self.severity as u8
    }

    /// `<134>Nov  2 15:28:24 host tag[pid]: message`, in UTC, at most [`MAX_RFC3164_BYTES`].
    pub fn rfc3164(&self) -> String {
        let at = self.time.utc();
        let (host, tag) = (word(self.host, 255), word(self.tag, 32));
        let (month, day) = (at.month_name(), at.day);
        let (hour, minute, second) = (at.hour, at.minute, at.second);
        let mut line =
            format!("<{}>{month} {day:2} {hour:02}:{minute:02}:{second:02} {host} {tag}", self.priority());
        if let Some(pid) = self.pid {
            line.push_str(&format!("[{pid}]"));
        }
        line.push_str(": ");
        push_message(&mut line, self.message, MAX_RFC3164_BYTES);
        line
    }

    /// `<134>1 2021-11-02T15:28:24.000Z host tag pid - - message`, at most [`MAX_RFC5424_BYTES`].
    pub fn rfc5424(&self) -> String {
        let (host, tag) = (word(self.host, 255), word(self.tag, 48));
        let pid = self.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let time = self.time.rfc3339();
        let mut line = format!("<{}>1 {time} {host} {tag} {pid} - - ", self.priority());
        push_message(&mut line, self.message, MAX_RFC5424_BYTES);
        line
    }
}

/// A field without spaces: visible ASCII, the rest as `_`, `-` if there is nothing.
fn word(text: &str, limit: usize) -> String {
    let visible = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let word: String = text.chars().map(visible).take(limit).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// Adds the message; control characters appear as `#` and three octal digits, so that nobody can forge a
/// second line. What goes beyond the limit is cut off and marked with `...`.
fn push_message(line: &mut String, message: &str, limit: usize) {
    const MARK: &str = "...";
    let mut cut = line.len();
    for letter in message.chars() {
        match letter {
            letter if letter.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(line, "#{:03o}", u32::from(letter));
            }
            letter => line.push(letter),
        }
        if line.len() > limit {
            line.truncate(cut);
            line.push_str(MARK);
            return;
        }
        if line.len() + MARK.len() <= limit {
            cut = line.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line<'a>(tag: &'a str, pid: Option<u32>, message: &'a str) -> LogLine<'a> {
        LogLine {
            facility: Facility::Local0,
            severity: Severity::Informational,
            time: Time::from_secs(1_635_866_904),
            host: "192.168.50.165",
            tag,
            pid,
            message,
        }
    }

    #[test]
    fn both_forms() {
        let boot = line("ipphone", Some(30_593), "***system booting***");
        assert_eq!(
            boot.rfc3164(),
            "<134>Nov  2 15:28:24 192.168.50.165 ipphone[30593]: ***system booting***"
        );
        assert_eq!(
            boot.rfc5424(),
            "<134>1 2021-11-02T15:28:24.000Z 192.168.50.165 ipphone 30593 - - ***system booting***"
        );
        let admin = line("admin", None, "x");
        assert!(admin.rfc3164().ends_with(" admin: x"));
        assert!(admin.rfc5424().ends_with(" admin - - - x"));
    }

    #[test]
    fn nobody_forges_a_line() {
        let forged = line("a b\n", Some(1), "one\n<0>two\u{7f}");
        assert!(forged.rfc3164().ends_with(" a_b_[1]: one#012<0>two#177"));
        assert!(line("", None, "").rfc5424().ends_with(" - - - - "));
    }

    #[test]
    fn a_long_message_is_cut_and_marked() {
        let long = "é".repeat(MAX_RFC5424_BYTES);
        let old = line("t", None, &long).rfc3164();
        assert!(old.len() <= MAX_RFC3164_BYTES && old.len() > MAX_RFC3164_BYTES - 4 && old.ends_with("é..."));
        assert!(line("t", None, &long).rfc5424().len() <= MAX_RFC5424_BYTES);
        let head = line("t", None, "").rfc3164().len();
        let exact = "x".repeat(MAX_RFC3164_BYTES - head);
        assert!(line("t", None, &exact).rfc3164().ends_with("xxxx"), "what just fits stays whole");
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_line(host in ".{0,300}", tag in ".{0,60}", message in ".{0,2100}") {
            let line = LogLine { host: &host, tag: &tag, ..line("t", Some(7), &message) };
            for (text, limit) in [(line.rfc3164(), MAX_RFC3164_BYTES), (line.rfc5424(), MAX_RFC5424_BYTES)] {
                prop_assert!(text.len() <= limit);
                prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }
}
