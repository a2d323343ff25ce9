//! The phone's own log, line for line as the deck shows it (deck, Account Registration).

use std::collections::VecDeque;

use proto::Time;

/// The system log: the last lines, each with its stamp.
#[derive(Clone, Debug)]
pub(super) struct Log {
    process: u16,
    most_lines: usize,
    lines: VecDeque<Box<str>>,
}

impl Log {
    /// An empty log that keeps `most_lines`; `process` stands in the brackets behind `ipphone`.
    pub(super) fn new(process: u16, most_lines: usize) -> Self {
        Self { process, most_lines: most_lines.max(1), lines: VecDeque::new() }
    }

    /// Adds a line and returns it: `<Tue Nov 2 15:28:24 2021> ipphone[30593]: text`.
    ///
    /// Control characters of `text`, which may come from a peer, become blanks.
    pub(super) fn write(&mut self, now: Time, text: &str) -> String {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = format!("<{}> ipphone[{}]: {text}", now.log_stamp(), self.process);
        while self.lines.len() >= self.most_lines {
            self.lines.pop_front();
        }
        self.lines.push_back(line.as_str().into());
        line
    }

    /// The lines, oldest first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| &**line)
    }
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
        let mut check = |text: &str, line: &str| assert_eq!(log.write(at, text), line);
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
            log.write(Time::ZERO, &number.to_string());
        }
        let kept: Vec<_> = log.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(kept, ["6", "7", "8"]);
    }
}
