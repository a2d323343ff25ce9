//! Time as an argument.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment: microseconds since 1970-01-01T00:00:00Z on a line that never runs backwards.
///
/// The driver anchors it once at the wall clock and then counts monotonically; a capture's
/// timestamps and a test's `Time::from_millis(500)` are the same type, so they drive the same
/// machines.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Time(u64);

/// How far the wall clock is from the line of [`Time`].
///
/// A person or NTP may set the wall clock while a program runs; deadlines are moments of [`Time`] and do not
/// move with it. What is told or kept as a date is [`Wall::at`] of its moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wall {
    ahead_us: i64,
}

impl Wall {
    /// The wall clock shows `shown` at the moment `now`.
    pub fn showing(shown: Time, now: Time) -> Self {
        let ahead_us = i128::from(shown.0) - i128::from(now.0);
        Self { ahead_us: i64::try_from(ahead_us).unwrap_or_default() }
    }

    /// What the wall clock shows at a moment.
    pub const fn at(self, moment: Time) -> Time {
        Time(moment.0.saturating_add_signed(self.ahead_us))
    }

    /// As [`Self::at`], of a moment in seconds.
    pub const fn at_s(self, moment_s: u64) -> u64 {
        moment_s.saturating_add_signed(self.ahead_us / 1_000_000)
    }

    /// How far two are from one another.
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_micros(self.ahead_us.abs_diff(other.ahead_us))
    }
}

impl Time {
    /// The beginning of the line.
    pub const ZERO: Time = Time(0);
    /// Later than every deadline.
    pub const NEVER: Time = Time(u64::MAX);

    /// `micros` microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// `millis` milliseconds after the beginning.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// `secs` seconds after the beginning.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000)
    }

    /// Microseconds since the beginning.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the beginning.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds since the beginning.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The calendar in UTC.
    pub fn utc(self) -> Calendar {
        Calendar::from_unix_secs(self.as_secs(), (self.0 % 1_000_000) as u32)
    }

    /// A moment of the calendar in UTC; `None` where there is no such day or hour, or before 1970.
    pub fn from_utc(year: u32, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<Self> {
        let is_clock = hour < 24 && minute < 60 && second <= 60;
        if !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || !(1970..=9_999).contains(&year)
            || !is_clock
        {
            return None;
        }
        // Days from a March that begins the year (after H. Hinnant).
        let shifted = u64::from(if month <= 2 { year - 1 } else { year });
        let (era, year_of_era) = (shifted / 400, shifted % 400);
        let month_from_march = (u64::from(month) + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + u64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
        let in_day = u64::from(hour) * 3_600 + u64::from(minute) * 60 + u64::from(second);
        let time = Self::from_secs(days * 86_400 + in_day);
        // The 30th of February becomes a day of March.
        (time.utc().month == month || second == 60).then_some(time)
    }

    /// As RFC 3339 with milliseconds, `2021-12-31T13:58:38.366Z`.
    pub fn rfc3339(self) -> String {
        let c = self.utc();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            c.year,
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second,
            c.micros / 1_000
        )
    }

    /// Reads what [`Time::rfc3339`] writes, with any number of decimals of the second, or none (RFC 3339 §5.6, UTC
    /// alone).
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once(['T', 't', ' '])?;
        let in_utc = rest.strip_suffix(['Z', 'z'])?;
        let (clock, decimals) = in_utc.split_once('.').unwrap_or((in_utc, "0"));
        let mut days = date.splitn(3, '-');
        let year = number(days.next()?, 4)?;
        let (month, day) = (number(days.next()?, 2)?, number(days.next()?, 2)?);
        let mut parts = clock.splitn(3, ':');
        let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
        let second = number(parts.next()?, 2)?;
        if decimals.is_empty() || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let micros = decimals.bytes().chain(std::iter::repeat(b'0')).take(6);
        let micros = micros.fold(0_u64, |sum, byte| sum * 10 + u64::from(byte - b'0'));
        let small = |number: u32| u8::try_from(number).ok();
        let time =
            Self::from_utc(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?)?;
        Some(Self(time.0 + micros))
    }

    /// Reads a date of mail and MIME, `Mon, 24 Jun 2030 09:00:00 GMT` (RFC 5322 §3.3), with a zone in digits or the
    /// name of UTC; months may be written out.
    pub fn from_mail_date(text: &str) -> Option<Self> {
        let date = text.split_once(',').map_or(text, |(_, date)| date);
        let mut words = date.split_ascii_whitespace();
        let day = words.next()?.parse().ok()?;
        let month = words.next()?.get(..3)?;
        let month = Calendar::MONTHS.iter().position(|known| known.eq_ignore_ascii_case(month))?;
        let year = number(words.next()?, 4)?;
        let mut clock =
            words.next()?.splitn(3, ':').map(|part| number(part, 2).and_then(|it| u8::try_from(it).ok()));
        let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0))?);
        let local = Self::from_utc(year, u8::try_from(month + 1).ok()?, day, hour, minute, second)?;
        let zone = words.next().unwrap_or("GMT");
        if ["GMT", "UT", "UTC", "Z"].iter().any(|utc| utc.eq_ignore_ascii_case(zone)) {
            return Some(local);
        }
        let (sign, digits) = zone.split_at_checked(1)?;
        let away = number(digits, 4)?;
        let away = Duration::from_secs(u64::from(away / 100 * 60 + away % 100) * 60);
        match sign {
            "+" => Some(Self(local.0.saturating_sub(u64::try_from(away.as_micros()).ok()?))),
            "-" => Some(local + away),
            _ => None,
        }
    }

    /// As the phone's log writes it, `Tue Nov 2 15:28:24 2021` (deck, Account Registration).
    pub fn log_stamp(self) -> String {
        let c = self.utc();
        format!(
            "{} {} {} {:02}:{:02}:{:02} {}",
            c.weekday_name(),
            c.month_name(),
            c.day,
            c.hour,
            c.minute,
            c.second,
            c.year
        )
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, wait: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, wait: Duration) {
        *self = *self + wait;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, back: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(back.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// A moment on the calendar, in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Calendar {
    /// Year of our era.
    pub year: u32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// Below a second.
    pub micros: u32,
    /// 0 is Sunday.
    pub weekday: u8,
}

impl Calendar {
    /// The civil date of a Unix time (days algorithm after H. Hinnant).
    pub fn from_unix_secs(secs: u64, micros: u32) -> Self {
        let days = secs / 86_400;
        let in_day = secs % 86_400;
        let z = days + 719_468;
        let era = z / 146_097;
        let doe = z % 146_097;
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u8;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u8;
        let year = (yoe + era * 400 + u64::from(month <= 2)) as u32;
        Self {
            year,
            month,
            day,
            hour: (in_day / 3_600) as u8,
            minute: (in_day / 60 % 60) as u8,
            second: (in_day % 60) as u8,
            micros,
            weekday: ((days + 4) % 7) as u8,
        }
    }

    /// `Sun` to `Sat`.
    pub fn weekday_name(&self) -> &'static str {
        ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][usize::from(self.weekday % 7)]
    }

    const MONTHS: [&'static str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

    /// `Jan` to `Dec`.
    pub fn month_name(&self) -> &'static str {
        Self::MONTHS[usize::from(self.month.clamp(1, 12) - 1)]
    }
}

/// Exactly so many digits as a number.
fn number(text: &str, digits: usize) -> Option<u32> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_of_the_deck() {
        let time = Time::from_secs(1_635_866_904);
        assert_eq!(time.log_stamp(), "Tue Nov 2 15:28:24 2021");
        assert_eq!(time.rfc3339(), "2021-11-02T15:28:24.000Z");
        assert_eq!(Time::from_rfc3339("2021-11-02T15:28:24Z"), Some(time));
        assert_eq!(Time::from_rfc3339("2021-11-02T15:28:24.0005Z"), Some(Time(time.0 + 500)));
        for wrong in [
            "",
            "2021-11-02",
            "2021-11-02T15:28:24",
            "2021-13-02T15:28:24Z",
            "2021-11-02T15:28:24.Z",
            "é-11-02T15:28:24Z",
        ] {
            assert_eq!(Time::from_rfc3339(wrong), None, "{wrong}");
        }
        assert_eq!(Time::from_secs(951_782_400).rfc3339(), "2000-02-29T00:00:00.000Z");
    }

    #[test]
    fn the_calendar_back_and_forth() {
        for secs in [0, 951_782_400, 1_635_866_904, 4_102_444_799] {
            let c = Time::from_secs(secs).utc();
            let back = Time::from_utc(c.year, c.month, c.day, c.hour, c.minute, c.second);
            assert_eq!(back, Some(Time::from_secs(secs)));
        }
        assert_eq!(Time::from_utc(2021, 2, 30, 0, 0, 0), None);
        assert_eq!(Time::from_utc(2021, 13, 1, 0, 0, 0), None);
        assert_eq!(Time::from_utc(2021, 1, 1, 24, 0, 0), None);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time::ZERO - Duration::from_secs(1), Time::ZERO);
        assert_eq!(Time::NEVER + Duration::from_secs(1), Time::NEVER);
        assert_eq!(Time::ZERO.since(Time::from_secs(3)), Duration::ZERO);
    }

    #[test]
    fn dates_of_mail_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            let read = Time::from_mail_date(text).map(Time::rfc3339);
            assert_eq!(read.as_deref(), expected, "{text}");
        };
        check("Mon, 24 Jun 2030 09:00:00 GMT", Some("2030-06-24T09:00:00.000Z"));
        check("Mon, 24 June 2030 09:00:00 GMT", Some("2030-06-24T09:00:00.000Z"));
        check("1 jan 2022 00:30 +0100", Some("2021-12-31T23:30:00.000Z"));
        check("31 Dec 2021 23:30:01 -0130", Some("2022-01-01T01:00:01.000Z"));
        check("31 Dec 2021 23:30:01", Some("2021-12-31T23:30:01.000Z"));
        for wrong in [
            "",
            "Mon,",
            "24 Jun 30 09:00 GMT",
            "30 Feb 2022 09:00 GMT",
            "1 J\u{e9}n 2022 09:00 GMT",
            "1 Jan 2022 09:00 CET",
        ] {
            check(wrong, None);
        }
    }
}
