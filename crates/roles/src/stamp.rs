//! Moments as JSON writes them: one form everywhere, RFC 3339 in UTC with milliseconds.
//!
//! Fields hold numbers; these modules are given to serde by `with`. Rows that an earlier version kept as numbers are
//! still read.

use std::fmt;

use proto::Time;
use serde::Deserializer;
use serde::de::{Error, Visitor};

/// A moment that is read: text, or a number of an earlier version.
#[derive(Clone, Copy)]
enum Stamp {
    At(Time),
    Number(u64),
}

struct StampVisitor;

impl Visitor<'_> for StampVisitor {
    type Value = Stamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as 2021-12-31T13:58:38.366Z")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Stamp, E> {
        Ok(Stamp::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Stamp, E> {
        Time::from_rfc3339(text)
            .map(Stamp::At)
            .ok_or_else(|| E::custom("write it as 2021-12-31T13:58:38.366Z"))
    }
}

impl Stamp {
    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StampVisitor)
    }

    fn as_ms(self) -> u64 {
        match self {
            Self::At(time) => time.as_millis(),
            Self::Number(ms) => ms,
        }
    }
}

/// Milliseconds since 1970.
pub(crate) mod ms {
    use proto::Time;
    use serde::{Deserializer, Serializer};

    use super::Stamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(ms: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Time::from_millis(*ms).rfc3339())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        Stamp::read(from).map(Stamp::as_ms)
    }
}

/// Milliseconds since 1970, or null.
pub(crate) mod ms_or_null {
    use proto::Time;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(ms: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        match ms {
            Some(ms) => to.serialize_str(&Time::from_millis(*ms).rfc3339()),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        #[derive(Deserialize)]
        struct Ms(#[serde(with = "super::ms")] u64);
        Ok(Option::<Ms>::deserialize(from)?.map(|ms| ms.0))
    }
}

/// Seconds since 1970.
pub(crate) mod s {
    use proto::Time;
    use serde::{Deserializer, Serializer};

    use super::Stamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(s: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Time::from_secs(*s).rfc3339())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        Ok(match Stamp::read(from)? {
            Stamp::At(time) => time.as_secs(),
            Stamp::Number(s) => s,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
    struct Row {
        #[serde(with = "super::s", rename = "until", alias = "until_s")]
        until_s: u64,
        #[serde(with = "super::ms")]
        at: u64,
        #[serde(with = "super::ms_or_null")]
        seen: Option<u64>,
    }

    #[test]
    fn moments_are_written_in_one_form_and_numbers_of_earlier_versions_are_read() {
        let row = Row { until_s: 1_640_959_118, at: 1_640_959_118_366, seen: None };
        let text = r#"{"until":"2021-12-31T13:58:38.000Z","at":"2021-12-31T13:58:38.366Z","seen":null}"#;
        assert_eq!(serde_json::to_string(&row).unwrap(), text);
        assert_eq!(serde_json::from_str::<Row>(text).unwrap(), row);
        let earlier = r#"{"until_s":1640959118,"at":1640959118366,"seen":1640959118367}"#;
        assert_eq!(
            serde_json::from_str::<Row>(earlier).unwrap(),
            Row { seen: Some(1_640_959_118_367), ..row }
        );
        let fault = serde_json::from_str::<Row>(&text.replace("T13", "T99")).unwrap_err().to_string();
        assert!(fault.contains("2021-12-31T13:58:38.366Z"), "{fault}");
    }
}
