//! How a message finds its transaction: RFC 3261 §17.1.3 for responses, §17.2.3 for requests, with
//! the older rules for peers whose branch lacks the magic cookie.
//!
//! A response brings back the branch that we wrote, and the branch says in which slot its
//! transaction stands. A request is known by a hash under a secret of this endpoint, so that no peer
//! can make two that collide.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use crate::Rng;
use crate::sip::header::Via;
use crate::sip::{Message, Method, Name};

/// What every branch begins with (RFC 3261 §8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// A branch of ours: where the transaction stands, and a number that nobody can guess.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Branch {
    /// Below [`Branch::SLOTS`].
    pub slot: u32,
    /// Different for every request sent.
    pub nonce: u64,
}

impl Branch {
    /// How many slots a branch can tell apart.
    pub const SLOTS: usize = 1 << 24;

    /// Reads a branch that we wrote; `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        let (cookie, digits) = text.split_at_checked(MAGIC_COOKIE.len())?;
        let (slot, nonce) = digits.split_at_checked(6)?;
        let ours = cookie.eq_ignore_ascii_case(MAGIC_COOKIE)
            && nonce.len() == 16
            && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let branch =
            Self { slot: u32::from_str_radix(slot, 16).ok()?, nonce: u64::from_str_radix(nonce, 16).ok()? };
        ours.then_some(branch)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 22];
        let number = u128::from(self.slot & 0xff_ffff) << 64 | u128::from(self.nonce);
        for (at, digit) in digits.iter_mut().rev().enumerate() {
            *digit = HEX[(number >> (4 * at) & 15) as usize];
        }
        f.write_str(MAGIC_COOKIE)?;
        f.write_str(str::from_utf8(&digits).unwrap_or_default())
    }
}

/// The secret under which requests are told apart.
#[derive(Clone, Debug)]
pub struct Keys {
    secret: [u64; 2],
}

/// What a hash is for; the same text means something else in each.
#[derive(Clone, Copy)]
enum Purpose {
    Branch,
    Rfc2543,
    Merge,
    Tag,
}

impl Keys {
    /// With a secret drawn from `rng`.
    pub fn new(rng: &mut Rng) -> Self {
        Self { secret: [rng.u64(), rng.u64()] }
    }

    /// The key of the server transaction to which `request` belongs if its method were `method`:
    /// a CANCEL is looked up as the INVITE it cancels, an ACK always is.
    ///
    /// Without the magic cookie an ACK's To tag is not compared: an INVITE has one final response,
    /// so there is no second tag to tell from it.
    pub fn transaction(&self, request: &Message<'_>, via: &Via<'_>, method: Method) -> u64 {
        let method = if method == Method::Ack { Method::Invite } else { method };
        let mut hash;
        let branch = via.branch();
        if has_magic_cookie(branch) {
            hash = self.hasher(Purpose::Branch);
            hash.text(branch);
            hash.text(via.host);
            hash.number(u32::from(via.port.unwrap_or_default()));
        } else {
            hash = self.hasher(Purpose::Rfc2543);
            hash.exact(request.request_uri().as_bytes());
            hash.exact(request.from_tag().as_bytes());
            hash.exact(request.call_id().as_bytes());
            hash.number(request.cseq().map_or(0, |cseq| cseq.number));
            hash.exact(request.values(Name::Via).next().unwrap_or_default());
            if method != Method::Invite {
                hash.exact(request.to_tag().as_bytes());
            }
        }
        hash.method(method, request);
        hash.0.finish()
    }

    /// What two copies of one request have in common that came by different ways
    /// (RFC 3261 §8.2.2.2); none within a dialog.
    pub fn merge(&self, request: &Message<'_>) -> Option<u64> {
        if !request.to_tag().is_empty() {
            return None;
        }
        let mut hash = self.hasher(Purpose::Merge);
        hash.origin(request);
        hash.method(request.method()?, request);
        Some(hash.0.finish())
    }

    /// A To tag that is the same for every copy of a request and for its CANCEL, as an answer
    /// without memory needs (RFC 3261 §8.2.7).
    pub fn tag(&self, request: &Message<'_>) -> String {
        let mut hash = self.hasher(Purpose::Tag);
        hash.origin(request);
        sixteen_digits(hash.0.finish())
    }

    fn hasher(&self, purpose: Purpose) -> KeyHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.secret[0]);
        hasher.write_u64(self.secret[1] ^ purpose as u64);
        KeyHasher(hasher)
    }
}

/// Sixteen hexadecimal digits, as tags have them; each new request needs some.
pub(crate) fn sixteen_digits(number: u64) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    (0..16).rev().map(|place| char::from(HEX[(number >> (4 * place) & 15) as usize])).collect()
}

fn has_magic_cookie(branch: &str) -> bool {
    branch
        .split_at_checked(MAGIC_COOKIE.len())
        .is_some_and(|(cookie, rest)| cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty())
}

struct KeyHasher(DefaultHasher);

impl KeyHasher {
    /// Text whose case does not matter.
    fn text(&mut self, text: &str) {
        let mut buffer = [0; 64];
        for chunk in text.as_bytes().chunks(buffer.len()) {
            let lower = &mut buffer[..chunk.len()];
            lower.copy_from_slice(chunk);
            lower.make_ascii_lowercase();
            self.0.write(lower);
        }
        self.0.write_usize(text.len());
    }

    fn exact(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.0.write_usize(bytes.len());
    }

    fn number(&mut self, number: u32) {
        self.0.write_u32(number);
    }

    fn origin(&mut self, request: &Message<'_>) {
        self.exact(request.from_tag().as_bytes());
        self.exact(request.call_id().as_bytes());
        self.number(request.cseq().map_or(0, |cseq| cseq.number));
    }

    fn method(&mut self, method: Method, request: &Message<'_>) {
        match method {
            Method::Other => self.exact(request.method_text()),
            known => self.exact(known.as_str().as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_comes_back_as_it_was_written() {
        let branch = Branch { slot: 0x61dbf5, nonce: 0xca42_7586_1efa_3f41 };
        assert_eq!(branch.to_string(), "z9hG4bK61dbf5ca4275861efa3f41");
        assert_eq!(Branch::parse(&branch.to_string()), Some(branch));
        assert_eq!(Branch::parse("Z9HG4BK61DBF5CA4275861EFA3F41"), Some(branch));
        for foreign in
            ["", "z9hG4bK", "z9hG4bK61dbf5ca4275861efa3f4", "z9hG4bK+1dbf5ca4275861efa3f41", "äääää"]
        {
            assert_eq!(Branch::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn digits_are_those_of_the_library() {
        for number in [0, 1, 0xca42_7586_1efa_3f41, u64::MAX] {
            assert_eq!(sixteen_digits(number), format!("{number:016x}"));
        }
    }

    #[test]
    fn the_branch_and_sent_by_make_the_key() {
        let first = request("INVITE", "a:5060;branch=z9hG4bK1");
        same(&first, &request("INVITE", "A:5060;branch=Z9HG4BK1"), true);
        same(&first, &request("ACK", "a:5060;branch=z9hG4bK1"), true);
        same(&first, &request("CANCEL", "a:5060;branch=z9hG4bK1"), false);
        same(&first, &request("INVITE", "a:5061;branch=z9hG4bK1"), false);
        same(&first, &request("INVITE", "a:5060;branch=z9hG4bK2"), false);
        same(&request("ONE", "a;branch=z9hG4bK1"), &request("TWO", "a;branch=z9hG4bK1"), false);
    }

    #[test]
    fn without_the_cookie_the_whole_request_makes_the_key() {
        let first = request("INVITE", "a:5060;branch=1");
        same(&first, &request("INVITE", "a:5060;branch=1"), true);
        same(&first, &request("ACK", "a:5060;branch=1").replace("To: <sip:b>", "To: <sip:b>;tag=9"), true);
        same(&first, &first.replace("CSeq: 1", "CSeq: 2"), false);
        same(&first, &first.replace("tag=f", "tag=g"), false);
        same(&first, &first.replace("Call-ID: c", "Call-ID: d"), false);
        same(&first, &first.replace("INVITE sip:b ", "INVITE sip:c "), false);
        same(&first, &request("INVITE", "a:5060"), false);
    }

    fn request(method: &str, via: &str) -> String {
        format!(
            "{method} sip:b SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a>;tag=f\r\nTo: <sip:b>\r\n\
             Call-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
        )
    }

    #[track_caller]
    fn same(one: &str, other: &str, expected: bool) {
        let keys = Keys::new(&mut Rng::from_number(1));
        let key = |text: &str| {
            let message = Message::parse(text.as_bytes()).expect("sound");
            let via = message.via().expect("sound");
            keys.transaction(&message, &via, message.method().expect("a request"))
        };
        assert_eq!(key(one) == key(other), expected);
    }
}
