//! Session-Expires (RFC 4028 §4).

use crate::sip::grammar::{Params, number};

/// How long a session lives without a refresh, and who refreshes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionExpires {
    /// Seconds.
    pub seconds: u32,
    /// `Some(true)`: the UAC refreshes; `Some(false)`: the UAS.
    pub refresher_uac: Option<bool>,
}

impl SessionExpires {
    /// Reads the value.
    pub fn parse(value: &str) -> Option<Self> {
        let (seconds, params) = value.split_once(';').unwrap_or((value, ""));
        let refresher = Params(params).get("refresher");
        Some(Self {
            seconds: number(seconds.trim().as_bytes())?,
            refresher_uac: refresher.map(|r| r.eq_ignore_ascii_case("uac")),
        })
    }
}
