//! Bodies of one part and of many (RFC 5621, RFC 2046 §5.1).
//!
//! A part is looked for by its media type and judged by its handling (RFC 3261 §20.11). Nothing is
//! copied; depth and number of parts are bounded.

use memchr::memchr;

use super::build::Reply;
use super::grammar::{Params, unquote};
use super::message::{Message, Name};

/// The media type of a session description.
pub const SDP: &str = "application/sdp";
/// The most parts of one multipart body that are read.
pub const MAX_PARTS: usize = 16;
/// How deep multipart bodies may stand in each other.
pub const MAX_DEPTH: usize = 3;
/// The longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY_BYTES: usize = 70;
/// What a part may be for; others, such as `early-session`, are not ours to use (RFC 5621 §7).
const PURPOSES: [&str; 4] = ["session", "render", "signal", "info-package"];

/// Why a body cannot be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyFault {
    /// No boundary, or no part where there must be one: 400.
    Malformed,
    /// More than [`MAX_PARTS`] or deeper than [`MAX_DEPTH`]: 413.
    TooComplex,
    /// A part that must be understood has a type or purpose that is not: 415.
    Unsupported,
    /// Such a part is compressed or encoded: 415.
    Encoded,
}

impl BodyFault {
    /// The answer to a request with this body, naming what would be taken (RFC 3261 §8.2.3).
    pub fn reply(self, known: &[&str]) -> Reply {
        match self {
            Self::Malformed => Reply::new(400).reason("Malformed Multipart Body"),
            Self::TooComplex => Reply::new(413),
            Self::Unsupported => Reply::new(415).header(Name::Accept, known.join(", ")),
            Self::Encoded => Reply::new(415).header(Name::AcceptEncoding, "identity"),
        }
    }
}

impl<'a> Message<'a> {
    /// The content of a media type: the body itself or a part of it. A body whose type is not told
    /// counts as the wanted one. Of `multipart/alternative` the last that fits (RFC 2046 §5.1.4).
    pub fn content(&self, media_type: &str) -> Option<&'a [u8]> {
        Entity::of(self)?.find(media_type, 0)
    }

    /// The session description that this message carries.
    pub fn session_description(&self) -> Option<&'a [u8]> {
        self.content(SDP)
    }

    /// Whether every part that must be understood is of a `known` type.
    ///
    /// # Errors
    /// The first fault, with its answer.
    pub fn check_body(&self, known: &[&str]) -> Result<(), BodyFault> {
        Entity::of(self).map_or(Ok(()), |body| body.judge(known, 0))
    }
}

/// The body of a message or one of its parts, with the headers that describe it.
#[derive(Clone, Copy, Default)]
struct Entity<'a> {
    content_type: Option<&'a str>,
    disposition: Option<&'a str>,
    coding: Option<&'a str>,
    content: &'a [u8],
}

impl<'a> Entity<'a> {
    /// `None` where there is no body.
    fn of(message: &Message<'a>) -> Option<Self> {
        let content = Some(message.body()).filter(|body| !body.is_empty())?;
        Some(Self {
            content_type: message.text(Name::ContentType),
            disposition: message.text(Name::ContentDisposition),
            coding: message.text(Name::ContentEncoding),
            content,
        })
    }

    /// One part, its headers in front (RFC 2046 §5.1).
    fn part(text: &'a [u8]) -> Self {
        let mut part = Self { content_type: Some("text/plain"), ..Self::default() };
        let mut rest = text;
        while let Some((line, behind)) = logical_line(rest) {
            rest = behind;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = header(line) else { continue };
            match Name::from_bytes(name) {
                Name::ContentType => part.content_type = Some(value),
                Name::ContentDisposition => part.disposition = Some(value),
                Name::ContentEncoding => part.coding = Some(value),
                _ if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") => {
                    part.coding = part.coding.or(Some(value));
                }
                _ => {}
            }
        }
        part.content = rest;
        part
    }

    fn is(&self, media_type: &str) -> bool {
        self.content_type.is_none_or(|own| first_word(own).eq_ignore_ascii_case(media_type))
    }

    fn is_encoded(&self) -> bool {
        let plain = ["identity", "7bit", "8bit", "binary"];
        self.coding.is_some_and(|coding| !plain.iter().any(|it| it.eq_ignore_ascii_case(coding.trim())))
    }

    fn is_for_us(&self) -> bool {
        let purpose = self.disposition.map(first_word);
        purpose.is_none_or(|purpose| PURPOSES.iter().any(|known| known.eq_ignore_ascii_case(purpose)))
    }

    /// Whether it may be ignored: required is what does not say otherwise (RFC 3261 §20.11).
    fn is_optional(&self) -> bool {
        let (_, params) = self.disposition.and_then(|it| it.split_once(';')).unwrap_or_default();
        Params(params).get("handling").is_some_and(|it| it.eq_ignore_ascii_case("optional"))
    }

    /// The subtype and the parts of a multipart body; no parts where it names no boundary.
    fn parts(&self) -> Option<(&'a str, Parts<'a>)> {
        let content_type = self.content_type?;
        let (kind, subtype) = first_word(content_type).split_once('/')?;
        if !kind.eq_ignore_ascii_case("multipart") {
            return None;
        }
        let (_, params) = content_type.split_once(';').unwrap_or_default();
        let boundary = Params(params).get("boundary").unwrap_or_default();
        Some((subtype, Parts::new(self.content, boundary)))
    }

    fn find(&self, media_type: &str, depth: usize) -> Option<&'a [u8]> {
        if self.is_encoded() || !self.is_for_us() {
            return None;
        }
        let Some((subtype, parts)) = self.parts() else {
            return self.is(media_type).then_some(self.content);
        };
        if depth == MAX_DEPTH {
            return None;
        }
        let mut found = parts.take(MAX_PARTS).filter_map(|part| part.find(media_type, depth + 1));
        if subtype.eq_ignore_ascii_case("alternative") { found.last() } else { found.next() }
    }

    fn judge(&self, known: &[&str], depth: usize) -> Result<(), BodyFault> {
        if self.is_optional() {
            return Ok(());
        }
        if self.is_encoded() {
            return Err(BodyFault::Encoded);
        }
        let Some((subtype, parts)) = self.parts() else {
            let taken = self.is_for_us() && known.iter().any(|known| self.is(known));
            return if taken { Ok(()) } else { Err(BodyFault::Unsupported) };
        };
        if depth == MAX_DEPTH || parts.clone().nth(MAX_PARTS).is_some() {
            return Err(BodyFault::TooComplex);
        }
        // One of alternatives is enough, and related parts serve the one that refers to them.
        let one_is_enough = ["alternative", "related"].iter().any(|it| subtype.eq_ignore_ascii_case(it));
        let mut worst = Err(BodyFault::Malformed);
        for part in parts {
            worst = part.judge(known, depth + 1);
            if worst.is_ok() == one_is_enough {
                break;
            }
        }
        worst
    }
}

/// The parts between the delimiters of a multipart body.
#[derive(Clone)]
struct Parts<'a> {
    boundary: std::borrow::Cow<'a, str>,
    /// What stands behind the last delimiter; `None` behind the closing one.
    rest: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn new(content: &'a [u8], boundary: &'a str) -> Self {
        let boundary = unquote(boundary);
        let sound = (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len());
        let mut parts = Self { boundary, rest: None };
        if sound && let Some((_, behind, false)) = parts.delimiter(content) {
            parts.rest = Some(behind);
        }
        parts
    }

    /// Finds the next delimiter line: what stands before it without the line break, what stands
    /// behind it, and whether it closes the body.
    fn delimiter(&self, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8], bool)> {
        let mut at = 0;
        loop {
            let line = text.get(at..).filter(|line| !line.is_empty())?;
            let end = memchr(b'\n', line).map_or(line.len(), |lf| lf + 1);
            if let Some(tail) =
                line[..end].strip_prefix(b"--").and_then(|it| it.strip_prefix(self.boundary.as_bytes()))
            {
                let closing = tail.starts_with(b"--");
                if closing || tail.trim_ascii().is_empty() {
                    return Some((without_line_break(&text[..at]), &line[end..], closing));
                }
            }
            at += end;
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Entity<'a>;

    fn next(&mut self) -> Option<Entity<'a>> {
        let text = self.rest.take()?;
        // Where the closing delimiter was cut off, the rest is the last part.
        let (part, behind, closing) = self.delimiter(text).unwrap_or((text, &[], true));
        self.rest = (!closing).then_some(behind);
        Some(Entity::part(part))
    }
}

/// The first line with what is folded into it, and what stands behind.
fn logical_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    if text.is_empty() {
        return None;
    }
    loop {
        let end = memchr(b'\n', &text[at..]).map_or(text.len(), |lf| at + lf + 1);
        let line = without_line_break(&text[..end]);
        if line.is_empty() || !matches!(text.get(end), Some(b' ' | b'\t')) {
            return Some((line, &text[end..]));
        }
        at = end;
    }
}

fn without_line_break(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn header(line: &[u8]) -> Option<(&[u8], &str)> {
    let colon = memchr(b':', line)?;
    let value = std::str::from_utf8(&line[colon + 1..]).ok()?;
    Some((line[..colon].trim_ascii(), value.trim_ascii()))
}

/// What stands before the parameters.
fn first_word(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(headers: &str, body: &str) -> Vec<u8> {
        format!("INVITE sip:a SIP/2.0\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    }

    /// `(session description, verdict)` of a body that is taken where it is SDP or ISUP-free.
    fn check(headers: &str, body: &str, sdp: Option<&str>, verdict: Result<(), BodyFault>) {
        let bytes = message(headers, body);
        let message = Message::parse(&bytes).expect("sound");
        let found = message.session_description().map(|sdp| String::from_utf8_lossy(sdp).into_owned());
        assert_eq!((found.as_deref(), message.check_body(&[SDP])), (sdp, verdict), "{headers}\n{body}");
    }

    const MIXED: &str = "Content-Type: multipart/mixed;\r\n boundary=\"b 1\"";

    fn parts(parts: &[&str]) -> String {
        parts.iter().map(|part| format!("--b 1\r\n{part}\r\n")).collect::<String>() + "--b 1--\r\n"
    }

    const OFFER: &str = "Content-Type: application/sdp\r\n\r\nv=0\r\n";
    const ISUP: &str = "c: application/ISUP;version=itu\r\nContent-Disposition: signal";

    #[test]
    fn one_body_is_its_own_part() {
        check("c: Application/SDP ;x=y", "v=0\r\n", Some("v=0\r\n"), Ok(()));
        check("X: no type", "v=0\r\n", Some("v=0\r\n"), Ok(()));
        check("c: application/sdp", "", None, Ok(()));
        check("c: text/plain", "v=0\r\n", None, Err(BodyFault::Unsupported));
        check("c: text/plain\r\nContent-Disposition: render;handling=optional", "v=0\r\n", None, Ok(()));
        check("c: application/sdp\r\ne: gzip", "v=0\r\n", None, Err(BodyFault::Encoded));
        let early = "c: application/sdp\r\nContent-Disposition: early-session";
        check(early, "v=0\r\n", None, Err(BodyFault::Unsupported));
    }

    #[test]
    fn handling_says_which_part_must_be_understood() {
        let optional = format!("{ISUP};handling=optional\r\n\r\n\u{1}\u{2}");
        let required = format!("{ISUP};handling=required\r\n\r\n\u{1}\u{2}");
        let silent = format!("{ISUP}\r\n\r\n\u{1}\u{2}");
        check(MIXED, &parts(&[OFFER, &optional]), Some("v=0\r\n"), Ok(()));
        check(MIXED, &parts(&[&optional, OFFER]), Some("v=0\r\n"), Ok(()));
        check(MIXED, &parts(&[OFFER, &required]), Some("v=0\r\n"), Err(BodyFault::Unsupported));
        check(MIXED, &parts(&[&silent, OFFER]), Some("v=0\r\n"), Err(BodyFault::Unsupported));
        check(MIXED, &parts(&[&optional]), None, Ok(()));
        let base64 = "Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w";
        check(MIXED, &parts(&[base64]), None, Err(BodyFault::Encoded));
        check(MIXED, &parts(&["\r\nplain text"]), None, Err(BodyFault::Unsupported));
    }

    #[test]
    fn of_alternatives_the_last_that_is_understood_is_taken() {
        let alternative = MIXED.replace("mixed", "alternative");
        let other = OFFER.replace("v=0", "v=1");
        check(&alternative, &parts(&[OFFER, &other]), Some("v=1\r\n"), Ok(()));
        check(&alternative, &parts(&["\r\ntext", OFFER, "\r\ntext"]), Some("v=0\r\n"), Ok(()));
        check(&alternative, &parts(&["\r\ntext"]), None, Err(BodyFault::Unsupported));
        check(&MIXED.replace("mixed", "unheard-of"), &parts(&[OFFER, &other]), Some("v=0\r\n"), Ok(()));
    }

    #[test]
    fn bodies_in_bodies_and_their_limits() {
        let nest = |inner: &str, depth: usize| {
            (0..depth).fold(inner.to_owned(), |inner, at| {
                format!("Content-Type: multipart/mixed;boundary=n{at}\r\n\r\n--n{at}\r\n{inner}\r\n--n{at}--")
            })
        };
        let deepest = MAX_DEPTH - 1;
        check(MIXED, &parts(&[&nest(OFFER, deepest)]), Some("v=0\r\n"), Ok(()));
        check(MIXED, &parts(&[&nest(OFFER, deepest + 1)]), None, Err(BodyFault::TooComplex));
        let texts = ["Content-Disposition: render;handling=optional\r\n\r\nx"; MAX_PARTS];
        let mut many = texts.to_vec();
        many[MAX_PARTS - 1] = OFFER;
        check(MIXED, &parts(&many), Some("v=0\r\n"), Ok(()));
        many.insert(0, texts[0]);
        check(MIXED, &parts(&many), None, Err(BodyFault::TooComplex));
    }

    #[test]
    fn delimiters_are_read_as_peers_write_them() {
        let lf_only = parts(&[OFFER]).replace("\r\n", "\n");
        check(MIXED, &lf_only, Some("v=0\n"), Ok(()));
        let framed = format!("a preamble\r\n{}an epilogue", parts(&[OFFER]).replace("--b 1\r", "--b 1 \t\r"));
        check(MIXED, &framed, Some("v=0\r\n"), Ok(()));
        let cut_off = format!("--b 1\r\n{OFFER}");
        check(MIXED, &cut_off, Some("v=0\r\n"), Ok(()));
        check(MIXED, &parts(&[&format!("{OFFER}--b 12\r\n")]), Some("v=0\r\n--b 12\r\n"), Ok(()));
        for bad in [MIXED, "c: multipart/mixed", "c: multipart/mixed;boundary=\"\""] {
            check(bad, "no delimiter", None, Err(BodyFault::Malformed));
        }
        let long = "b".repeat(MAX_BOUNDARY_BYTES + 1);
        let body = format!("--{long}\r\n{OFFER}\r\n--{long}--");
        check(&format!("c: multipart/mixed;boundary={long}"), &body, None, Err(BodyFault::Malformed));
    }

    #[test]
    fn a_refusal_names_what_would_be_taken() {
        let reply = |fault: BodyFault| {
            let mut out = Vec::new();
            let reply = fault.reply(&[SDP, "text/plain"]);
            reply.write_status_line(&mut out);
            reply.write_rest(&mut out);
            String::from_utf8(out).expect("text")
        };
        assert!(reply(BodyFault::Unsupported).contains("Accept: application/sdp, text/plain\r\n"));
        assert!(reply(BodyFault::Encoded).contains("Accept-Encoding: identity\r\n"));
        assert!(reply(BodyFault::TooComplex).starts_with("SIP/2.0 413 "));
        assert!(reply(BodyFault::Malformed).starts_with("SIP/2.0 400 Malformed Multipart Body"));
    }

    proptest! {
        /// Whatever is written in parts is found again; whatever is not, harms nobody.
        #[test]
        fn parts_are_found_in_any_surroundings(
            before in "[a-z\r\n:;=/ -]{0,40}", sdp in "[a-z=0-9\r\n]{0,40}", noise in "[ -~\r\n]{0,200}",
        ) {
            let sdp = format!("v=0{}", sdp.trim_end());
            let body = format!("{before}\r\n--b 1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b 1--{noise}");
            let bytes = message(MIXED, &body);
            let read = Message::parse(&bytes).expect("sound");
            prop_assert_eq!(read.session_description(), Some(sdp.as_bytes()));
            let bytes = message(MIXED, &format!("--b 1{noise}"));
            let read = Message::parse(&bytes).expect("sound");
            let _ = (read.session_description(), read.check_body(&[SDP]));
        }
    }
}
