//! Headers of a message as values, read when they are asked for.

use std::cell::OnceCell;

use super::{Message, Name};
use crate::sip::grammar::{members, number, saturating_number};
use crate::sip::header::{Address, CSeq, Reason, Via};

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

    /// All members of the Reason headers (RFC 3326), those of SIP first: others tell what a gateway heard.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + use<'_, 'a> {
        let all = || {
            let texts = self.values(Name::Reason).filter_map(|value| std::str::from_utf8(value).ok());
            texts.filter_map(Reason::parse)
        };
        let is_sip = |reason: &Reason<'_>| reason.protocol.eq_ignore_ascii_case("SIP");
        all().filter(is_sip).chain(all().filter(move |reason| !is_sip(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_counts_and_sip_is_first() {
        let bytes = b"CANCEL sip:a SIP/2.0\r\nReason: Q.850;cause=26;text=\"x, y\", SIP;cause=200;text=\"Call completed elsewhere\"\r\nReason: X\r\n\r\n";
        let message = Message::parse(bytes).expect("sound");
        let all: Vec<_> =
            message.reasons().map(|reason| (reason.protocol.to_owned(), reason.cause)).collect();
        let expected = [("SIP", Some(200)), ("Q.850", Some(26)), ("X", None)];
        assert_eq!(all, expected.map(|(protocol, cause)| (protocol.to_owned(), cause)));
    }
}
