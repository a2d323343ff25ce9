//! Header values, typed when asked for; one header, one file.
//!
//! Values arrive as bytes, with folds inside; blanks and line breaks count as blanks here
//! (RFC 3261 §7.3.1). Everything returned borrows from the message.

mod address;
mod cseq;
mod event;
mod params;
mod reason;
mod replaces;
mod session;
mod via;

pub use address::{Address, Addresses};
pub use cseq::{CSeq, RAck};
pub use event::{Event, SubState, SubscriptionState};
pub use params::Params;
pub use reason::{Diversion, Reason};
pub use replaces::Replaces;
pub use session::SessionExpires;
pub use via::Via;

use std::cell::OnceCell;

use memchr::{memchr, memchr3};

use super::message::{Message, Name};

/// The headers that every layer asks for on a message's way, each read when it is first asked for.
#[derive(Clone, Default)]
pub(super) struct Known<'a> {
    via: OnceCell<Option<Via<'a>>>,
    from: OnceCell<Option<Address<'a>>>,
    from_tag: OnceCell<&'a str>,
    to: OnceCell<Option<Address<'a>>>,
    to_tag: OnceCell<&'a str>,
    cseq: OnceCell<Option<CSeq>>,
}

/// The typed headers that every part needs. `None`: absent or unreadable.
impl<'a> Message<'a> {
    /// The top Via (RFC 3261 §20.42).
    pub fn via(&self) -> Option<Via<'a>> {
        *self.known.via.get_or_init(|| Via::parse(members(self.header(Name::Via)?).next()?))
    }

    /// From (RFC 3261 §20.20).
    pub fn from(&self) -> Option<Address<'a>> {
        *self.known.from.get_or_init(|| Address::parse(self.header(Name::From)?))
    }

    /// To (RFC 3261 §20.39).
    pub fn to(&self) -> Option<Address<'a>> {
        *self.known.to.get_or_init(|| Address::parse(self.header(Name::To)?))
    }

    /// The tag of From; empty where there is none (RFC 2543 peers).
    pub fn from_tag(&self) -> &'a str {
        self.known.from_tag.get_or_init(|| self.from().and_then(|from| from.tag()).unwrap_or_default())
    }

    /// The tag of To; empty where there is none.
    pub fn to_tag(&self) -> &'a str {
        self.known.to_tag.get_or_init(|| self.to().and_then(|to| to.tag()).unwrap_or_default())
    }

    /// Call-ID (RFC 3261 §20.8); empty where absent.
    pub fn call_id(&self) -> &'a str {
        self.text(Name::CallId).unwrap_or_default()
    }

    /// CSeq (RFC 3261 §20.16).
    pub fn cseq(&self) -> Option<CSeq> {
        *self.known.cseq.get_or_init(|| CSeq::parse(self.header(Name::CSeq)?))
    }

    /// The first Contact; `None` also for `*` (RFC 3261 §20.10).
    pub fn contact(&self) -> Option<Address<'a>> {
        Address::parse(members(self.header(Name::Contact)?).next()?)
    }

    /// A header that is one number, such as Expires or Max-Forwards.
    pub fn number(&self, name: Name) -> Option<u32> {
        number(self.header(name)?.split(|&b| b == b';' || b == b'(').next()?.trim_ascii())
    }

    /// Seconds that Retry-After asks to wait (RFC 3261 §20.33); a number too large for 32 bits is their
    /// largest.
    pub fn retry_after_s(&self) -> Option<u32> {
        let value = self.header(Name::RetryAfter)?;
        saturating_number(value.split(|&b| b == b';' || b == b'(').next()?.trim_ascii())
    }

    /// The media type of the body without parameters, in lower case.
    pub fn content_type(&self) -> Option<String> {
        let value = self.text(Name::ContentType)?;
        Some(value.split(';').next()?.trim().to_ascii_lowercase())
    }
}

/// The members of a comma-separated list; commas in quotes and angle brackets do not separate.
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        loop {
            let value = rest?;
            let end = unquoted(value, b',').unwrap_or(value.len());
            rest = value.get(end + 1..);
            let member = value[..end].trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
    })
}

/// The position of `wanted` outside quoted strings and angle brackets.
pub fn unquoted(value: &[u8], wanted: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = value.get(at..)?;
        let found = memchr3(wanted, b'"', b'<', rest)?;
        at += found;
        match rest[found] {
            b if b == wanted => return Some(at),
            b'"' => at += closing_quote(&rest[found + 1..])? + 2,
            _ => at += memchr(b'>', &rest[found..])? + 1,
        }
    }
}

/// Where a quoted string ends whose opening quote has been read.
pub fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// A decimal number of 32 bits; nothing else may stand beside it.
pub fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0u32, |n, b| {
        let digit = b.is_ascii_digit().then(|| u32::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Decimal digits as a number; the largest where there are more than 32 bits hold.
pub fn saturating_number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let add = |n: u32, b: &u8| n.saturating_mul(10).saturating_add(u32::from(b - b'0'));
    digits.then(|| text.iter().fold(0, add))
}

/// Whether a byte may stand in a token (RFC 3261 §25.1).
pub const fn is_token(b: u8) -> bool {
    TOKEN[b as usize]
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let extra = b"-.!%*_+`'~";
    let mut b = 0;
    while b < 256 {
        table[b] = (b as u8).is_ascii_alphanumeric();
        b += 1;
    }
    let mut at = 0;
    while at < extra.len() {
        table[extra[at] as usize] = true;
        at += 1;
    }
    table
};

/// The text of a quoted string without its quotes and escapes; other text as it is.
pub fn unquote(value: &str) -> std::borrow::Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.into();
    };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(c);
            escaped = false;
        }
    }
    text.into()
}

/// `text` as a quoted string (RFC 3261 §25.1).
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}
