//! Logs and configuration files: what kind a text is, and what its lines say.
//!
//! A line of a phone's log is `<Tue Nov 2 15:28:24 2021> ipphone[30593]: text` (deck, System log); web pages
//! cut long ones with `...`. Servers write RFC 3164 and RFC 5424, with or without a priority.

use std::borrow::Cow;

use proto::Time;
use proto::syslog::Severity;

use super::said::kept;
use crate::doctor::Proof;
use crate::doctor::tracks::{ConfigFile, FileKind, LogLine, Tracks};
use crate::settings::{Source, parse_boot, parse_cfg};

/// Lines of logs that are kept in one case.
pub const LINES_LIMIT: usize = 200_000;
/// Configuration files of one case.
pub const CONFIGS_LIMIT: usize = 1_000;
/// The longest text that is kept of one line.
const LINE_BYTES: usize = 1_024;
const INCLUDES_LIMIT: usize = 64;

/// What a file is, by its name and its beginning.
pub fn kind_of(name: &str, beginning: &str) -> FileKind {
    let name = name.to_ascii_lowercase();
    let is_named = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if is_named(&[".boot"]) || beginning.contains("include:config") {
        return FileKind::Boot;
    }
    let lines = || beginning.lines().map(str::trim).filter(|line| !line.is_empty()).take(40);
    let count = lines().count();
    let logged = lines().filter(|line| read(line, Time::NEVER).is_some()).count();
    if logged > 0 && logged * 2 >= count {
        return FileKind::Log;
    }
    let assigned = lines().filter(|line| line.starts_with('#') || is_assignment(line)).count();
    if beginning.starts_with("#!version")
        || (is_named(&[".cfg", ".conf"]) && assigned > 0)
        || (count > 2 && assigned == count)
    {
        return FileKind::Config;
    }
    if is_named(&[".log", ".syslog"]) || name.contains("syslog") { FileKind::Log } else { FileKind::Other }
}

/// `account.1.user_name = 7001`.
fn is_assignment(line: &str) -> bool {
    let Some((key, _)) = line.split_once('=') else { return false };
    let key = key.trim();
    key.contains('.') && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%".contains(&b))
}

/// Bytes of a text file as text: UTF-8, UTF-16 with its mark, otherwise Latin-1; and what was odd about it.
pub fn decode(bytes: &[u8]) -> (Cow<'_, str>, Option<&'static str>) {
    match bytes {
        [0xff, 0xfe, rest @ ..] => return (wide(rest, u16::from_le_bytes), Some("the text is UTF-16")),
        [0xfe, 0xff, rest @ ..] => return (wide(rest, u16::from_be_bytes), Some("the text is UTF-16")),
        _ => {}
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => (
            Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
            Some("the text is not UTF-8; it was read as Latin-1"),
        ),
    }
}

fn wide(bytes: &[u8], number: fn([u8; 2]) -> u16) -> Cow<'static, str> {
    let units = bytes.as_chunks::<2>().0.iter().map(|&pair| number(pair));
    Cow::Owned(
        char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
    )
}

/// Takes one line of a log. `latest` is when the case was collected: lines without a year are of the year before it.
pub fn line(tracks: &mut Tracks, proof: Proof, text: &str, latest: Time) {
    let Some(mut read) = read(text, latest) else {
        // What has no time of its own may go on with the line before; it is kept as it is.
        if !text.trim().is_empty() {
            keep(
                tracks,
                LogLine {
                    proof,
                    tag: "".into(),
                    text: cut(text).0,
                    is_cut: cut(text).1,
                    severity: None,
                    host: None,
                },
            );
        }
        return;
    };
    read.proof = Proof { at: read.proof.at, ..proof };
    keep(tracks, read);
}

/// Takes a datagram of syslog; true where it is one.
pub fn syslog(tracks: &mut Tracks, proof: Proof, bytes: &[u8]) -> bool {
    if bytes.first() != Some(&b'<')
        || priority(&String::from_utf8_lossy(bytes.get(..6).unwrap_or(bytes))).is_none()
    {
        return false;
    }
    let text = String::from_utf8_lossy(bytes);
    // The time of the packet is the better one.
    match read(&text, proof.at) {
        Some(line) => keep(tracks, LogLine { proof, ..line }),
        None => {
            let (severity, rest) =
                priority(&text).map_or((None, &*text), |(severity, rest)| (Some(severity), rest));
            let (tag, rest) = split_tag(rest);
            let (text, is_cut) = cut(rest);
            keep(tracks, LogLine { proof, tag, text, is_cut, severity, host: None });
        }
    }
    true
}

fn keep(tracks: &mut Tracks, line: LogLine) {
    if let Some(file) = tracks.files.get_mut(usize::from(line.proof.file))
        && file.kind == FileKind::Log
        && line.proof.at > Time::ZERO
    {
        file.from = Some(file.from.map_or(line.proof.at, |from| from.min(line.proof.at)));
        file.to = Some(file.to.map_or(line.proof.at, |to| to.max(line.proof.at)));
    }
    if tracks.log.len() < LINES_LIMIT {
        tracks.log.push(line);
    } else {
        tracks.leave_out("log lines");
    }
}

/// Takes a configuration or boot file.
pub fn config(tracks: &mut Tracks, file: u16, text: &str, is_boot: bool) {
    if tracks.configs.len() >= CONFIGS_LIMIT {
        return tracks.leave_out("configuration files");
    }
    let (assignments, faults) = match is_boot {
        // A boot file names other files; parameters have no place in it.
        true => (Vec::new(), parse_boot(text).1),
        false => parse_cfg(text, Source::MacCfg),
    };
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("include:config"));
    let includes =
        names.map(|rest| kept(rest.trim().trim_matches(['<', '>', '"', '\'', ' ']))).take(INCLUDES_LIMIT);
    tracks.configs.push(ConfigFile { file, faults, assignments, includes: includes.collect(), is_boot });
}

/// Reads a line with a time; its place is filled in by the caller.
fn read(text: &str, latest: Time) -> Option<LogLine> {
    let text = text.trim_end();
    if let Some(rest) = text.trim_start().strip_prefix('<')
        && let Some((stamp, rest)) = rest.split_once('>')
        && let Some(at) = long_stamp(stamp)
    {
        return Some(with_tag(at, rest, None, None));
    }
    let (severity, rest) = match priority(text.trim_start()) {
        Some((severity, rest)) => (Some(severity), rest),
        None => (None, text.trim_start()),
    };
    if let Some(rest) = rest.strip_prefix("1 ")
        && let Some(line) = structured(rest, severity)
    {
        return Some(line);
    }
    if let Some((at, rest)) = short_stamp(rest, latest).or_else(|| iso_stamp(rest)) {
        let (host, rest) = host_of(rest.trim_start());
        return Some(with_tag(at, rest, severity, host));
    }
    None
}

fn with_tag(at: Time, rest: &str, severity: Option<Severity>, host: Option<Box<str>>) -> LogLine {
    let (tag, rest) = split_tag(rest);
    let (text, is_cut) = cut(rest);
    let proof = Proof { at, file: 0, number: 0, offset: 0 };
    LogLine { proof, tag, text, is_cut, severity, host }
}

/// `<134>`: eight times the facility plus the severity.
fn priority(text: &str) -> Option<(Severity, &str)> {
    let (number, rest) = text.strip_prefix('<')?.split_once('>')?;
    let number: u8 = number.parse().ok().filter(|&number| number <= 191)?;
    let all = [
        Severity::Emergency,
        Severity::Alert,
        Severity::Critical,
        Severity::Error,
        Severity::Warning,
        Severity::Notice,
        Severity::Informational,
        Severity::Debug,
    ];
    Some((all[usize::from(number % 8)], rest))
}

/// `ipphone[30593]: text`, `admin: text`.
fn split_tag(text: &str) -> (Box<str>, &str) {
    let text = text.trim_start();
    let Some((tag, rest)) = text.split_once(": ").or_else(|| text.split_once(':')) else {
        return ("".into(), text);
    };
    let name = tag.split('[').next().unwrap_or_default();
    let is_tag = !name.is_empty() && name.len() <= 48 && !name.contains(char::is_whitespace);
    if is_tag { (kept(name), rest.trim_start()) } else { ("".into(), text) }
}

/// The text, and whether a page has cut it.
fn cut(text: &str) -> (Box<str>, bool) {
    let text = text.trim();
    let whole = text.trim_end_matches('.');
    let is_cut = text.len() - whole.len() >= 3;
    let mut end = if is_cut { whole.len() } else { text.len() }.min(LINE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text[..end].into(), is_cut)
}

/// The host between time and tag, unless what stands there is the tag already.
fn host_of(text: &str) -> (Option<Box<str>>, &str) {
    match text.split_once(' ') {
        Some((host, rest)) if !host.ends_with(':') && !host.contains('[') && rest.contains(':') => {
            (Some(kept(host)), rest)
        }
        _ => (None, text),
    }
}

/// RFC 5424 after its version: time, host, program, process, message id, structured data, message.
fn structured(text: &str, severity: Option<Severity>) -> Option<LogLine> {
    let mut words = text.splitn(6, ' ');
    let at = iso_stamp(words.next()?)?.0;
    let host = words.next().filter(|&host| host != "-").map(kept);
    let tag = words.next().filter(|&tag| tag != "-").map(kept).unwrap_or_default();
    let (_, _) = (words.next()?, words.next()?);
    let rest = words.next().unwrap_or_default();
    let message = match rest.strip_prefix('-') {
        Some(message) => message,
        None => rest.rfind(']').and_then(|end| rest.get(end + 1..)).unwrap_or(rest),
    };
    let (text, is_cut) = cut(message.trim_start_matches('\u{feff}'));
    Some(LogLine { proof: Proof { at, file: 0, number: 0, offset: 0 }, tag, text, is_cut, severity, host })
}

fn month(name: &str) -> Option<u8> {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)).map(|at| at as u8 + 1)
}

fn clock(text: &str) -> Option<(u8, u8, u8)> {
    let mut parts = text.split(':');
    let mut next = || parts.next()?.split('.').next()?.parse().ok();
    Some((next()?, next()?, next()?))
}

/// `Tue Nov 2 15:28:24 2021`.
fn long_stamp(stamp: &str) -> Option<Time> {
    let words: Vec<&str> = stamp.split_whitespace().collect();
    let [_, name, day, time, year] = *words else { return None };
    let (hour, minute, second) = clock(time)?;
    Time::from_utc(year.parse().ok()?, month(name)?, day.parse().ok()?, hour, minute, second)
}

/// `Nov  2 15:28:24`: the newest such moment that is not after `latest`, a day of clock error allowed.
fn short_stamp(text: &str, latest: Time) -> Option<(Time, &str)> {
    let name = text.get(..3)?;
    let month = month(name)?;
    let rest = text.get(3..)?.strip_prefix(' ')?.trim_start();
    let (day, rest) = rest.split_once(' ')?;
    let rest = rest.trim_start();
    let (time, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (hour, minute, second) = clock(time)?;
    let day = day.parse().ok()?;
    let last = if latest == Time::NEVER {
        2_000
    } else {
        (latest + std::time::Duration::from_secs(86_400)).utc().year
    };
    let limit = if latest == Time::NEVER { latest } else { latest + std::time::Duration::from_secs(86_400) };
    // Three years back: the 29th of February needs a leap year.
    let at = (0..4)
        .filter_map(|back| Time::from_utc(last.checked_sub(back)?, month, day, hour, minute, second))
        .find(|&at| at <= limit)?;
    Some((at, rest))
}

/// `2021-11-02T15:28:24.123+01:00` and its looser forms.
fn iso_stamp(text: &str) -> Option<(Time, &str)> {
    let date = text.get(..10)?;
    let mut numbers = date.split('-');
    let (year, month, day) =
        (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    let rest = text.get(10..)?;
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (hour, minute, second) = clock(time.get(..8)?)?;
    let at = Time::from_utc(year, month, day, hour, minute, second)?;
    let mut rest = time.get(8..)?;
    let mut micros = 0;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let padded: String = fraction.get(..digits)?.chars().chain("000000".chars()).take(6).collect();
        micros = padded.parse().ok()?;
        rest = fraction.get(digits..)?;
    }
    let at = at + std::time::Duration::from_micros(micros);
    let Some((sign, zone)) = rest.split_at_checked(1).filter(|(sign, _)| matches!(*sign, "+" | "-")) else {
        return Some((at, rest.strip_prefix(['Z', 'z']).unwrap_or(rest)));
    };
    let hours: u64 = zone.get(..2)?.parse().ok()?;
    let minutes: u64 = zone.get(2..)?.trim_start_matches(':').get(..2)?.parse().ok()?;
    let offset = std::time::Duration::from_secs(hours * 3_600 + minutes * 60);
    let used = if zone.as_bytes().get(2) == Some(&b':') { 5 } else { 4 };
    Some((if sign == "+" { at - offset } else { at + offset }, zone.get(used..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, at: &str, tag: &str, expected: &str, is_cut: bool) {
        let latest = Time::from_utc(2022, 3, 1, 0, 0, 0).unwrap();
        let line = read(text, latest).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(line.proof.at.rfc3339(), at, "{text}");
        assert_eq!((&*line.tag, &*line.text, line.is_cut), (tag, expected, is_cut), "{text}");
    }

    #[test]
    fn the_decks_lines() {
        check(
            "<Tue Nov 2 15:28:58 2021> ipphone[30593]: 0 Register Fail, Timeout",
            "2021-11-02T15:28:58.000Z",
            "ipphone",
            "0 Register Fail, Timeout",
            false,
        );
        check(
            "<Mon Jan 17 18:02:39 2022> provision[22919]: Profile Rule [http://192.168.50.19:7778/api/autoprovisi...",
            "2022-01-17T18:02:39.000Z",
            "provision",
            "Profile Rule [http://192.168.50.19:7778/api/autoprovisi",
            true,
        );
        check(
            "<Mon Jan 17 18:02:41 2022> admin: [config_manager.sh]Update the configuration file successfully!",
            "2022-01-17T18:02:41.000Z",
            "admin",
            "[config_manager.sh]Update the configuration file successfully!",
            false,
        );
    }

    #[test]
    fn syslog_of_both_kinds() {
        check(
            "<134>Nov  2 15:28:24 10.0.0.1 ipphone[7]: boot",
            "2021-11-02T15:28:24.000Z",
            "ipphone",
            "boot",
            false,
        );
        check("Feb 28 15:28:24 pbx asterisk[7]: a: b", "2022-02-28T15:28:24.000Z", "asterisk", "a: b", false);
        check("Nov 12 15:28:24 ipphone: x", "2021-11-12T15:28:24.000Z", "ipphone", "x", false);
        check(
            "<134>1 2021-11-02T15:28:24.500+01:00 h t 7 - - boot",
            "2021-11-02T14:28:24.500Z",
            "t",
            "boot",
            false,
        );
        check(
            "<11>1 2021-11-02T15:28:24Z h t - m [a b=\"c\"] x",
            "2021-11-02T15:28:24.000Z",
            "t",
            "x",
            false,
        );
        check("2021-11-02 15:28:24,120 host prog: said", "2021-11-02T15:28:24.120Z", "prog", "said", false);
        let line = read("<11>Nov  2 15:28:24 h t: x", Time::NEVER).unwrap();
        assert_eq!((line.severity, line.host.as_deref()), (Some(Severity::Error), Some("h")));
    }

    #[test]
    fn kinds_of_files() {
        let log = "<Tue Nov 2 15:28:24 2021> a[1]: b\n<Tue Nov 2 15:28:25 2021> a[1]: c\n";
        assert_eq!(kind_of("notes.txt", log), FileKind::Log);
        assert_eq!(
            kind_of("0021f222b021.cfg", "#!version:1.0.0.1\naccount.1.enable = 1\n"),
            FileKind::Config
        );
        assert_eq!(
            kind_of("x.txt", "account.1.enable = 1\naccount.1.label = a\na.b = c\n"),
            FileKind::Config
        );
        assert_eq!(kind_of("y000000000000.boot", "x"), FileKind::Boot);
        assert_eq!(kind_of("readme.md", "How to use this.\n"), FileKind::Other);
    }

    #[test]
    fn encodings() {
        assert_eq!(decode("aé".as_bytes()), (Cow::Borrowed("aé"), None));
        assert_eq!(decode(b"a\xe9").0, "aé");
        assert_eq!(decode(b"\xff\xfea\0\xe9\0").0, "aé");
    }

    #[test]
    fn lines_are_bounded() {
        let mut tracks = Tracks::default();
        for number in 0..(LINES_LIMIT as u32 + 3) {
            let proof = Proof { at: Time::ZERO, file: 0, number, offset: 0 };
            line(&mut tracks, proof, "<Tue Nov 2 15:28:24 2021> a[1]: b", Time::NEVER);
        }
        assert_eq!((tracks.log.len(), tracks.left_out["log lines"]), (LINES_LIMIT, 3));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,80}", stamp in "(<134>1 |<Tue |Nov  2 |2021-11-02T15:28:24)?") {
            let mut tracks = Tracks::default();
            let text = format!("{stamp}{text}");
            let proof = Proof { at: Time::ZERO, file: 0, number: 1, offset: 0 };
            line(&mut tracks, proof, &text, Time::from_secs(1_700_000_000));
            syslog(&mut tracks, proof, text.as_bytes());
        }
    }
}
