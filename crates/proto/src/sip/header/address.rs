//! `name-addr` and `addr-spec`: From, To, Contact, Route and their kin (RFC 3261 §20.10).

use std::borrow::Cow;

use memchr::memchr;

use crate::sip::Uri;
use crate::sip::grammar::{Params, members, unquote, unquoted};

/// A display name, a URI and parameters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Address<'a> {
    display: &'a [u8],
    /// The URI as written, without angle brackets.
    pub uri: &'a str,
    /// The parameters of the header, not of the URI.
    pub params: Params<'a>,
}

/// All addresses of a list header that can be read.
pub type Addresses<'a> = Vec<Address<'a>>;

impl<'a> Address<'a> {
    /// Reads one member. `None` where no URI can be found.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let open = if value.starts_with(b"<") { Some(0) } else { unquoted(value, b'<') };
        let (display_end, uri, params_at) = match open {
            Some(open) => {
                let close = open + memchr(b'>', &value[open..])?;
                (open, (open + 1, close), close + 1)
            }
            // Without angle brackets everything behind `;` belongs to the header (RFC 3261 §20.10).
            None => {
                let end = unquoted(value, b';').unwrap_or(value.len());
                (0, (0, end), end)
            }
        };
        let (display, params) = (value[..display_end].trim_ascii(), (params_at, value.len()));
        // URI and parameters are what stands behind the display name, which may be in any encoding.
        let behind = value.get(display_end..)?;
        let text = std::str::from_utf8(behind).ok()?;
        let part = |(from, to): (usize, usize)| text.get(from - display_end..to - display_end);
        let (uri, params) = (part(uri)?.trim_ascii(), part(params)?.trim_ascii_start());
        let colon = uri.bytes().position(|b| b == b':')?;
        let sound = crate::sip::uri::is_scheme(&uri[..colon]);
        sound.then_some(Self { display, uri, params: Params(params.strip_prefix(';').unwrap_or(params)) })
    }

    /// Reads every member of a list value.
    pub fn parse_all(value: &'a [u8]) -> impl Iterator<Item = Self> {
        members(value).filter_map(Self::parse)
    }

    /// The display name without quotes; bytes that are not UTF-8 are replaced.
    pub fn display(&self) -> Cow<'a, str> {
        match String::from_utf8_lossy(self.display) {
            Cow::Borrowed(text) => unquote(text),
            Cow::Owned(text) => unquote(&text).into_owned().into(),
        }
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The URI, taken apart.
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }

    /// The user of the URI as [`Uri::plain_user`] has it, for comparing (RFC 3261 §19.1.4); empty where it
    /// has none.
    pub fn user(&self) -> Cow<'a, str> {
        self.parsed_uri().map(|uri| uri.plain_user()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_an_address() {
        let check = |text: &str, display: &str, uri: &str, tag: Option<&str>| {
            let address = Address::parse(text.as_bytes()).expect(text);
            assert_eq!((&*address.display(), address.uri, address.tag()), (display, uri, tag), "{text}");
        };
        check(
            "\"7002\" <sip:7002@192.168.80.20>;tag=abbd3c5",
            "7002",
            "sip:7002@192.168.80.20",
            Some("abbd3c5"),
        );
        check("\"7007\"<sip:7007@192.168.50.19>", "7007", "sip:7007@192.168.50.19", None);
        check("sip:pbx@192.168.20.165", "", "sip:pbx@192.168.20.165", None);
        check("sip:a@b;tag=1", "", "sip:a@b", Some("1"));
        check("\"a \\\"<b>\\\" ,c\" <sip:a@b;x=1>; tag = 9", "a \"<b>\" ,c", "sip:a@b;x=1", Some("9"));
        check("Bell, <tel:+1-212>", "Bell,", "tel:+1-212", None);
        assert!(Address::parse(b"<sip:a@b").is_none());
        assert!(Address::parse(b"*").is_none());
    }
}
