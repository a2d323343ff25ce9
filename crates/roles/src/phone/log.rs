//! The phone's own log, line for line as the deck shows it (deck, Account Registration).

use std::collections::VecDeque;

use proto::Time;
use proto::syslog::Severity;

/// The most faults that are kept.
const MOST_FAULTS: usize = 100;

/// Which part of the phone says something (deck, the system log).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tag {
    /// Accounts, calls, keys.
    Phone,
    /// Auto provisioning.
    Provision,
    /// LLDP.
    Lldp,
    /// VLAN and address.
    Network,
    /// The settings' store; its lines name no process.
    Admin,
}

impl Tag {
    /// As it stands in a line. Each part is a process of its own.
    fn with_process(self, process: u16) -> String {
        let (name, number) = match self {
            Self::Phone => ("ipphone", process),
            Self::Provision => ("provision", process.saturating_add(1)),
            Self::Lldp => ("lldpd", process.saturating_add(2)),
            Self::Network => ("network", process.saturating_add(3)),
            Self::Admin => return "admin".to_owned(),
        };
        format!("{name}[{number}]")
    }
}

/// The system log and the exception log: the last lines of each, with their stamps.
#[derive(Clone, Debug)]
pub(super) struct Log {
    process: u16,
    most_lines: usize,
    least: Severity,
    lines: VecDeque<Box<str>>,
    faults: VecDeque<Box<str>>,
}

impl Log {
    /// An empty log that keeps `most_lines`; `process` stands in the brackets behind `ipphone`.
    pub(super) fn new(process: u16, most_lines: usize) -> Self {
        let (lines, faults) = (VecDeque::new(), VecDeque::new());
        Self { process, most_lines: most_lines.max(1), least: Severity::Informational, lines, faults }
    }

    /// How much is logged from now on: 0 least, 3 what the deck's phone logs, 6 each message too
    /// (`syslog.log_level`).
    pub(super) fn set_level(&mut self, level: u8) {
        self.least = match level {
            0 => Severity::Critical,
            1 => Severity::Error,
            2 => Severity::Warning,
            3 | 4 => Severity::Informational,
            _ => Severity::Debug,
        };
    }

    /// Whether lines of that severity are logged.
    pub(super) fn takes(&self, severity: Severity) -> bool {
        severity <= self.least
    }

    /// Adds a line and returns it: `<Tue Nov 2 15:28:24 2021> ipphone[30593]: text`; `None` where the
    /// level leaves it out. What went wrong ([`Severity::Error`] and graver) is kept as an exception
    /// too, whatever the level.
    ///
    /// Control characters of `text`, which may come from a peer, become blanks.
    pub(super) fn write(&mut self, now: Time, tag: Tag, severity: Severity, text: &str) -> Option<String> {
        let fault = severity <= Severity::Error;
        if !fault && !self.takes(severity) {
            return None;
        }
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = format!("<{}> {}: {text}", now.log_stamp(), tag.with_process(self.process));
        if fault {
            keep(&mut self.faults, MOST_FAULTS, &line);
        }
        if !self.takes(severity) {
            return None;
        }
        keep(&mut self.lines, self.most_lines, &line);
        Some(line)
    }

    /// The exceptions, oldest first.
    pub(super) fn faults(&self) -> impl Iterator<Item = &str> {
        self.faults.iter().map(|line| &**line)
    }

    /// The lines, oldest first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| &**line)
    }
}

/// Adds a line; the oldest makes room.
fn keep(lines: &mut VecDeque<Box<str>>, most: usize, line: &str) {
    while lines.len() >= most {
        lines.pop_front();
    }
    lines.push_back(line.into());
}

/// What the deck's log says of a registration; `line` counts from 0.
pub(super) mod registration {
    /// A REGISTER left.
    pub(in super::super) fn registering(line: usize, uri: &str) -> String {
        format!("{line} Registering To:< {uri}")
    }

    /// Registered.
    pub(in super::super) fn registered(line: usize, expires_s: u32) -> String {
        format!("{line} Register Success, expires {expires_s}s")
    }

    /// The server that has the registration does not answer, and another does.
    pub(in super::super) fn silent(line: usize, host: &str) -> String {
        format!("{line} Server {host} does not answer")
    }

    /// Another server has the registration now.
    pub(in super::super) fn server(line: usize, host: &str) -> String {
        format!("{line} Server {host}")
    }

    /// Not registered: `Timeout`, or status and phrase.
    pub(in super::super) fn failed(line: usize, status: Option<u16>, reason: &str) -> String {
        match status {
            Some(status) => format!("{line} Register Fail, {status} {reason}"),
            None => format!("{line} Register Fail, {reason}"),
        }
    }

    /// Refused as too short, and asked again for longer.
    pub(in super::super) fn raised(line: usize, expires_s: u32) -> String {
        format!("{line} Register Fail, 423 Interval Too Brief, again with {expires_s}s")
    }

    /// The server sees the phone at another address than the one it has just registered.
    pub(in super::super) fn moves(line: usize, seen: std::net::SocketAddr) -> String {
        format!(
            "{line} The server now sees {seen}: the NAT has another port for each request; next move at the next refresh"
        )
    }

    /// The server asks for a longer wait than a phone can be kept away.
    pub(in super::super) fn too_long(line: usize, asked_s: u32, waits_s: u32) -> String {
        format!("{line} Retry-After of {asked_s}s is too long, waiting {waits_s}s")
    }

    /// The attempt is over.
    pub(in super::super) const TERMINATED: &str = "Reg terminated eReason=0";

    /// When the next attempt comes.
    pub(in super::super) fn retry(line: usize, retry_s: u32) -> String {
        format!("{line} Register Terminate(0), {retry_s}s later retry")
    }

    /// The registration was taken back.
    pub(in super::super) fn removed(line: usize) -> String {
        format!("{line} Unregistered")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_deck_s() {
        let mut log = Log::new(30_593, 10);
        let at = Time::from_secs(1_635_866_904);
        let mut check = |text: &str, line: &str| {
            assert_eq!(log.write(at, Tag::Phone, Severity::Informational, text).as_deref(), Some(line))
        };
        let stamp = "<Tue Nov 2 15:28:24 2021> ipphone[30593]: ";
        check(&registration::retry(0, 2), &format!("{stamp}0 Register Terminate(0), 2s later retry"));
        check(&registration::registering(0, "sip:6618@h"), &format!("{stamp}0 Registering To:< sip:6618@h"));
        check(&registration::failed(0, None, "Timeout"), &format!("{stamp}0 Register Fail, Timeout"));
        check(
            &registration::failed(0, Some(403), "Forbidden"),
            &format!("{stamp}0 Register Fail, 403 Forbidden"),
        );
        check(registration::TERMINATED, &format!("{stamp}Reg terminated eReason=0"));
        check("a\r\nb", &format!("{stamp}a  b"));
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut log = Log::new(1, 3);
        for number in 0..9 {
            log.write(Time::ZERO, Tag::Phone, Severity::Informational, &number.to_string());
        }
        let kept: Vec<_> = log.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(kept, ["6", "7", "8"]);
    }

    #[test]
    fn the_level_says_how_much_is_logged_and_never_loses_an_exception() {
        use Severity::{Critical, Debug, Error, Informational, Warning};
        let check = |level: u8, logged: &[Severity]| {
            let mut log = Log::new(1, 10);
            log.set_level(level);
            let all = [Critical, Error, Warning, Informational, Debug];
            let written: Vec<_> = all
                .into_iter()
                .filter(|&severity| log.write(Time::ZERO, Tag::Phone, severity, "x").is_some())
                .collect();
            assert_eq!(written, logged, "level {level}");
            assert_eq!(log.faults().count(), 2);
        };
        check(0, &[Critical]);
        check(1, &[Critical, Error]);
        check(2, &[Critical, Error, Warning]);
        check(3, &[Critical, Error, Warning, Informational]);
        check(6, &[Critical, Error, Warning, Informational, Debug]);
    }

    #[test]
    fn only_the_last_exceptions_are_kept() {
        let mut log = Log::new(1, 3);
        for number in 0..MOST_FAULTS + 9 {
            log.write(Time::ZERO, Tag::Phone, Severity::Error, &number.to_string());
        }
        assert_eq!(log.faults().count(), MOST_FAULTS);
        assert!(log.faults().next().is_some_and(|line| line.ends_with(" 9")));
    }
}
