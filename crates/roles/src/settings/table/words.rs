//! The kinds and the reasons that rows have in common.

use super::Effect;
use crate::settings::kind::Kind;

pub(super) use Effect::Acts as ACTS;
pub(super) const BOOL: Kind = Kind::Bool;
pub(super) const TEXT: Kind = Kind::Text;
pub(super) const SECRET: Kind = Kind::Secret;
pub(super) const HOST: Kind = Kind::Host;
pub(super) const ADDRESS: Kind = Kind::Address;
pub(super) const PORT: Kind = Kind::Port;
pub(super) const URI: Kind = Kind::Uri;
pub(super) const DIALLED: Kind = Kind::Dialled;

/// The largest number of seconds that the dialect writes.
pub(super) const MOST: i64 = 2_147_483_647;

pub(super) const fn number(min: i64, max: i64) -> Kind {
    Kind::Number { min, max, unit: "" }
}

pub(super) const fn seconds(min: i64, max: i64) -> Kind {
    Kind::Number { min, max, unit: "s" }
}

pub(super) const fn millis(min: i64, max: i64) -> Kind {
    Kind::Number { min, max, unit: "ms" }
}

/// A reason to keep a value without acting on it.
pub(super) const fn kept(why: &'static str) -> Effect {
    Effect::Kept { why }
}

pub(super) const NO_REPORTS: Effect =
    kept("Quality reports (RFC 3611, RFC 6035) are not sent; the call's figures stand on the phone's page.");
