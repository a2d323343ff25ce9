//! `--filter`: which calls, registrations, subscriptions and streams are shown.
//!
//! An expression is words; all must hold. `7001` is any number, address, Call-ID or name that contains it;
//! `from:7001`, `to:7001`, `number:7001`, `address:192.168.50.19`, `method:INVITE`, `status:403`, `status:4xx`,
//! `call-id:TEXT`, `after:TIME` and `before:TIME` (UTC, `13:58:38` or `2021-12-31T13:58:38`) ask one thing; `!`
//! before a word turns it round.

use std::net::IpAddr;

use proto::Time;
use proto::sip::Method;

use super::tracks::{Call, Leg, Registration, Stream, Subscription, Tracks, Transaction, TransactionId};
use super::{Path, Proof};

/// An expression that was read.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    terms: Vec<(bool, Term)>,
}

#[derive(Clone, Debug)]
enum Term {
    Any(String),
    From(String),
    To(String),
    Number(String),
    Address(IpAddr),
    Method(String),
    Status(u16, u16),
    CallId(String),
    After(Moment),
    Before(Moment),
}

/// A moment: a day and a time, or a time of any day.
#[derive(Clone, Copy, Debug)]
enum Moment {
    At(Time),
    Daily(u64),
}

/// What a row has that a filter may ask for.
struct Row<'a> {
    from: Vec<&'a str>,
    to: Vec<&'a str>,
    call_ids: Vec<&'a str>,
    paths: Vec<Path>,
    transactions: Vec<&'a Transaction>,
    statuses: Vec<u16>,
    begins: Option<Proof>,
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// The word that cannot be read, and what is possible.
    pub fn parse(text: &str) -> Result<Self, String> {
        let terms = text.split_whitespace().map(|word| {
            let (positive, word) = word.strip_prefix('!').map_or((true, word), |word| (false, word));
            term(word).map(|term| (positive, term))
        });
        Ok(Self { terms: terms.collect::<Result<_, _>>()? })
    }

    /// Whether a call is shown.
    pub fn keeps_call(&self, tracks: &Tracks, call: &Call) -> bool {
        let legs = || call.legs.iter().filter_map(|&leg| tracks.legs.get(leg as usize));
        self.keeps(&Row {
            from: legs().map(|leg| &*leg.from.user).collect(),
            to: legs().map(|leg| &*leg.to.user).collect(),
            call_ids: legs().map(|leg| &*leg.call_id).collect(),
            paths: legs().map(|leg| *leg.path).collect(),
            transactions: legs().flat_map(|leg| tracks.of_leg(leg)).collect(),
            statuses: legs().filter_map(|leg: &Leg| leg.status).collect(),
            begins: legs().find_map(|leg| leg.started),
        })
    }

    /// Whether a registration is shown.
    pub fn keeps_registration(&self, tracks: &Tracks, track: &Registration) -> bool {
        self.keeps(&Row {
            from: vec![&*track.account],
            to: vec![&*track.account],
            call_ids: track.call_ids.iter().map(|id| &**id).collect(),
            paths: vec![*track.path],
            transactions: of(tracks, &track.transactions),
            statuses: track.status.into_iter().collect(),
            begins: Some(track.from),
        })
    }

    /// Whether a subscription is shown.
    pub fn keeps_subscription(&self, tracks: &Tracks, track: &Subscription) -> bool {
        let transactions: Vec<_> =
            of(tracks, &track.subscribes).into_iter().chain(of(tracks, &track.notifies)).collect();
        self.keeps(&Row {
            from: vec![&*track.account],
            to: vec![&*track.target],
            call_ids: vec![&*track.call_id],
            paths: vec![*track.path],
            begins: transactions.iter().find_map(|transaction| transaction.first()),
            transactions,
            statuses: track.status.into_iter().collect(),
        })
    }

    /// Whether a stream is shown: by itself or by its call.
    pub fn keeps_stream(&self, tracks: &Tracks, track: &Stream) -> bool {
        let leg = track.leg.and_then(|leg| tracks.legs.get(leg as usize));
        let call = leg.and_then(|leg| tracks.calls.get(leg.call as usize));
        let own = Row {
            from: Vec::new(),
            to: Vec::new(),
            call_ids: Vec::new(),
            paths: vec![*track.path],
            transactions: Vec::new(),
            statuses: Vec::new(),
            begins: Some(track.first),
        };
        call.is_some_and(|call| self.keeps_call(tracks, call)) || self.keeps(&own)
    }

    fn keeps(&self, row: &Row<'_>) -> bool {
        self.terms.iter().all(|(positive, term)| term.holds(row) == *positive)
    }
}

fn of<'a>(tracks: &'a Tracks, ids: &[TransactionId]) -> Vec<&'a Transaction> {
    ids.iter().filter_map(|&id| tracks.transaction(id)).collect()
}

fn term(word: &str) -> Result<Term, String> {
    let Some((name, value)) =
        word.split_once(':').filter(|(name, _)| name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'))
    else {
        return Ok(Term::Any(word.to_ascii_lowercase()));
    };
    let owned = || value.to_ascii_lowercase();
    match name.to_ascii_lowercase().as_str() {
        "from" => Ok(Term::From(owned())),
        "to" => Ok(Term::To(owned())),
        "number" => Ok(Term::Number(owned())),
        "address" => {
            let ip = value
                .parse()
                .map_err(|_| format!("`{value}` is no IP address; write address:192.168.50.19"))?;
            Ok(Term::Address(ip))
        }
        "method" => Ok(Term::Method(value.to_ascii_uppercase())),
        "status" => {
            status(value).ok_or_else(|| format!("`{value}` is no status; write status:403 or status:4xx"))
        }
        "call-id" => Ok(Term::CallId(owned())),
        "after" => moment(value).map(Term::After),
        "before" => moment(value).map(Term::Before),
        _ => Err(format!(
            "`{name}:` is not known; possible are from, to, number, address, method, status, call-id, after, before, \
             or a word alone"
        )),
    }
}

fn status(value: &str) -> Option<Term> {
    if let Ok(status) = value.parse::<u16>() {
        return (100..700).contains(&status).then_some(Term::Status(status, status));
    }
    let class: u16 = value.to_ascii_lowercase().strip_suffix("xx")?.parse().ok()?;
    (1..7).contains(&class).then_some(Term::Status(class * 100, class * 100 + 99))
}

fn moment(value: &str) -> Result<Moment, String> {
    let read = || {
        let (day, clock) = value.split_once('T').map_or((None, value), |(day, clock)| (Some(day), clock));
        let mut parts = clock.trim_end_matches('Z').split(':');
        let mut next = || parts.next().map_or(Some(0), |part| part.parse::<u8>().ok());
        let (hour, minute, second) = (next()?, next()?, next()?);
        let (year, month, date) = match day {
            Some(day) => {
                let mut parts = day.split('-');
                (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?)
            }
            None => (1970, 1, 1),
        };
        let at = Time::from_utc(year, month, date, hour, minute, second)?;
        Some(if day.is_some() { Moment::At(at) } else { Moment::Daily(at.as_micros()) })
    };
    read().ok_or_else(|| {
        format!("`{value}` is no time; write after:13:58:38 or after:2021-12-31T13:58:38, in UTC")
    })
}

impl Moment {
    fn is_before(self, at: Time) -> bool {
        match self {
            Self::At(moment) => moment <= at,
            Self::Daily(micros) => micros <= at.as_micros() % 86_400_000_000,
        }
    }
}

impl Term {
    fn holds(&self, row: &Row<'_>) -> bool {
        let any = |texts: &[&str], wanted: &str| {
            texts.iter().any(|text| text.to_ascii_lowercase().contains(wanted))
        };
        let is = |texts: &[&str], wanted: &str| texts.iter().any(|text| text.eq_ignore_ascii_case(wanted));
        match self {
            Self::Any(word) => {
                let addresses = row.paths.iter().flat_map(|path| [path.source, path.destination]);
                any(&row.from, word)
                    || any(&row.to, word)
                    || any(&row.call_ids, word)
                    || addresses
                        .map(|address| address.to_string())
                        .any(|address| address.contains(word.as_str()))
            }
            Self::From(number) => is(&row.from, number),
            Self::To(number) => is(&row.to, number),
            Self::Number(number) => is(&row.from, number) || is(&row.to, number),
            Self::Address(ip) => {
                row.paths.iter().any(|path| path.source.ip() == *ip || path.destination.ip() == *ip)
            }
            Self::Method(method) => row.transactions.iter().any(|transaction| {
                let other = transaction.request.as_ref().and_then(|request| request.other_method.as_deref());
                let known = transaction.method != Method::Other;
                if known {
                    transaction.method.as_str() == method
                } else {
                    other.is_some_and(|other| other.eq_ignore_ascii_case(method))
                }
            }),
            Self::Status(from, to) => {
                let seen = row
                    .transactions
                    .iter()
                    .flat_map(|transaction| &transaction.answers)
                    .map(|answer| answer.status);
                seen.chain(row.statuses.iter().copied()).any(|status| (*from..=*to).contains(&status))
            }
            Self::CallId(text) => any(&row.call_ids, text),
            Self::After(moment) => row.begins.is_some_and(|begins| moment.is_before(begins.at)),
            Self::Before(moment) => row.begins.is_some_and(|begins| !moment.is_before(begins.at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_with_a_remedy() {
        let error = |text: &str| Filter::parse(text).unwrap_err();
        assert!(error("address:x").contains("address:192.168.50.19"));
        assert!(error("status:9xx").contains("status:4xx"));
        assert!(error("colour:red").contains("call-id"));
        assert!(error("after:noon").contains("after:13:58:38"));
    }

    #[test]
    fn rows_are_kept_by_what_they_have() {
        let path = Path {
            source: "192.0.2.1:5060".parse().unwrap(),
            destination: "192.0.2.2:5060".parse().unwrap(),
            carrier: crate::doctor::Carrier::Udp,
        };
        let at = Time::from_utc(2021, 12, 31, 13, 58, 38).unwrap();
        let row = Row {
            from: vec!["7001"],
            to: vec!["7002"],
            call_ids: vec!["a@B"],
            paths: vec![path],
            transactions: Vec::new(),
            statuses: vec![486],
            begins: Some(Proof { at, file: 0, number: 1, offset: 0 }),
        };
        let check =
            |text: &str, expected| assert_eq!(Filter::parse(text).unwrap().keeps(&row), expected, "{text}");
        check("", true);
        check("7001", true);
        check("700", true);
        check("number:700", false);
        check("from:7001 to:7002", true);
        check("from:7002", false);
        check("!from:7002", true);
        check("a@b", true);
        check("192.0.2", true);
        check("address:192.0.2.2", true);
        check("status:4xx !status:403", true);
        check("status:200", false);
        check("after:13:58:38 before:14:00", true);
        check("after:2021-12-31T14:00:00", false);
        check("method:INVITE", false);
    }
}
