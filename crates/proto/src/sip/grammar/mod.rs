//! The words that header values and URIs are made of (RFC 3261 §25.1): tokens, numbers, lists, quoted
//! strings, parameters.

mod params;

pub use params::Params;

use memchr::{memchr, memchr3};

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
