//! SIP by hand: what a load generator must read and write, and nothing else.

use std::io::Write as _;
use std::net::SocketAddr;

use md5::{Digest, Md5};

/// The status of a response; `None` for a request.
pub fn status(message: &[u8]) -> Option<u16> {
    let digits = message.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The values of all header lines with this name, as servers write it.
pub fn headers<'a>(message: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    lines(message).skip(1).take_while(|line| !line.is_empty()).filter_map(move |line| {
        let (head, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(b":")?;
        head.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

/// The value of the first header line with this name.
pub fn header<'a>(message: &'a [u8], name: &'a [u8]) -> Option<&'a [u8]> {
    headers(message, name).next()
}

/// The content of a quoted field, as `nonce="…"` in a challenge.
pub fn quoted<'a>(value: &'a [u8], opening: &[u8]) -> Option<&'a [u8]> {
    let at = value.windows(opening.len()).position(|part| part == opening)? + opening.len();
    let rest = &value[at..];
    Some(&rest[..rest.iter().position(|&b| b == b'"')?])
}

/// The number at the beginning.
pub fn number(text: &[u8]) -> Option<u32> {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

/// The text between the first angle brackets.
pub fn bracketed(value: &[u8]) -> Option<&[u8]> {
    let from = value.iter().position(|&b| b == b'<')? + 1;
    let length = value[from..].iter().position(|&b| b == b'>')?;
    Some(&value[from..from + length])
}

/// Where the sound of a session description goes.
pub fn sound_address(message: &[u8]) -> Option<SocketAddr> {
    let field = |name: &[u8]| lines(message).find_map(|line| line.strip_prefix(name));
    let ip = std::str::from_utf8(field(b"c=IN IP4 ")?).ok()?.parse().ok()?;
    let port = number(field(b"m=audio ")?)?;
    Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
}

/// Writes the answer to a request, up to its Contact.
pub fn write_response(request: &[u8], status: &str, contact: &str, out: &mut Vec<u8>) {
    out.clear();
    // Writing to a `Vec` cannot fail.
    let _ = write!(out, "SIP/2.0 {status}\r\n");
    for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
        for value in headers(request, name.as_bytes()) {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            if name == "To" && !value.windows(5).any(|part| part == b";tag=") {
                out.extend_from_slice(b";tag=called");
            }
            out.extend_from_slice(b"\r\n");
        }
    }
    let _ = write!(out, "Contact: <sip:{contact}>\r\n");
}

/// A message by lines, without their ends.
fn lines(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The hash of `user:realm:password` in hexadecimal digits.
pub fn ha1(user: u32, realm: &str, password: &str) -> [u8; 32] {
    hex(Md5::digest(format!("{user}:{realm}:{password}")).into())
}

/// What a request answers a challenge with (RFC 7616, MD5, `qop=auth`).
pub struct Credentials<'a> {
    /// The header's name.
    pub header: &'a str,
    /// The account.
    pub user: u32,
    /// The realm.
    pub realm: &'a str,
    /// See [`ha1`].
    pub ha1: &'a [u8; 32],
    /// The server's nonce.
    pub nonce: &'a [u8],
    /// How often the nonce was used, this time included.
    pub count: u32,
    /// The method.
    pub method: &'a str,
    /// The Request-URI.
    pub uri: &'a str,
}

impl Credentials<'_> {
    /// Appends the header line.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Self { header, user, realm, ha1, nonce, count, method, uri } = self;
        let request = hex(hash(&[method.as_bytes(), b":", uri.as_bytes()]));
        let digits = format!("{count:08x}");
        let parts = [&ha1[..], b":", nonce, b":", digits.as_bytes(), b":0a4f113b:auth:", &request];
        let response = hex(hash(&parts));
        // Writing to a `Vec` cannot fail.
        let _ = write!(out, "{header}: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"");
        out.extend_from_slice(nonce);
        let _ = write!(out, "\", uri=\"{uri}\", response=\"");
        out.extend_from_slice(&response);
        let _ = write!(out, "\", algorithm=MD5, cnonce=\"0a4f113b\", qop=auth, nc={digits}\r\n");
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn hex(bytes: [u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 32];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    digits
}
