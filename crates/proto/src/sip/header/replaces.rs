//! Replaces (RFC 3891 §6.1); Join and Target-Dialog have the same form.

use crate::sip::grammar::Params;

/// Names a dialog, seen from whoever receives the header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Replaces<'a> {
    /// The dialog's Call-ID.
    pub call_id: &'a str,
    /// The receiver's own tag.
    pub to_tag: &'a str,
    /// The other party's tag.
    pub from_tag: &'a str,
    /// Only to replace a dialog that is not yet confirmed.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads the value; both tags must be there.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (call_id, params) = value.split_once(';')?;
        let params = Params(params);
        Some(Self {
            call_id: call_id.trim(),
            to_tag: params.get("to-tag")?,
            from_tag: params.get("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}
