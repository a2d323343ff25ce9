//! Parameters: `;name=value;flag` (RFC 3261 §25.1, `generic-param`).

use super::unquoted;

/// The parameters of a header value or URI, read when asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Params<'a>(pub &'a str);

impl<'a> Params<'a> {
    /// Name and value of each; the value is `None` for a flag and keeps its quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.parts().map(|param| match param.bytes().position(|b| b == b'=') {
            Some(at) => (param[..at].trim_ascii_end(), Some(param[at + 1..].trim_ascii_start())),
            None => (param, None),
        })
    }

    /// The value of a parameter, its quotes kept; `Some("")` for a flag.
    pub fn get(self, name: &str) -> Option<&'a str> {
        let mut rest = self.0;
        loop {
            rest = rest.trim_ascii_start();
            let end = end_of_param(rest.as_bytes());
            let (param, behind) = rest.split_at_checked(end)?;
            if let Some((head, value)) = param.split_at_checked(name.len())
                && head.eq_ignore_ascii_case(name)
            {
                let value = value.trim_ascii();
                if value.is_empty() {
                    return Some(value);
                }
                if let Some(value) = value.strip_prefix('=') {
                    return Some(value.trim_ascii_start());
                }
            }
            rest = behind.strip_prefix(';')?;
        }
    }

    /// Each parameter without the blanks around it.
    fn parts(self) -> impl Iterator<Item = &'a str> {
        let mut rest = Some(self.0);
        std::iter::from_fn(move || {
            loop {
                let text = rest.filter(|text| !text.is_empty())?;
                let end = end_of_param(text.as_bytes());
                rest = text.get(end + 1..);
                let param = text[..end].trim_ascii();
                if !param.is_empty() {
                    return Some(param);
                }
            }
        })
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value as a number.
    pub fn number(self, name: &str) -> Option<u32> {
        super::number(self.get(name)?.as_bytes())
    }
}

/// Where the first parameter ends. Nearly all are short tokens, which a loop passes before a vector
/// search has begun.
fn end_of_param(text: &[u8]) -> usize {
    match text.iter().position(|&b| matches!(b, b';' | b'"' | b'<')) {
        Some(at) if text[at] == b';' => at,
        Some(_) => unquoted(text, b';').unwrap_or(text.len()),
        None => text.len(),
    }
}
