//! The grammar of header values, as far as it is demanded by a strict reader (RFC 3261 §25.1).

use std::ops::ControlFlow;

use super::Report;
use crate::sip::grammar::{closing_quote, is_token, members, number, unquoted};
use crate::sip::header::Via;
use crate::sip::message::{Flaw, FlawKind, Message, Name};
use crate::sip::uri::Uri;

/// What is found is a part of the value and what is wrong with it.
type Found<'a> = Result<(), (&'a [u8], FlawKind)>;

/// Examines one header line.
pub(super) fn examine(
    message: &Message<'_>,
    name: Name,
    value: &[u8],
    report: Report<'_>,
) -> ControlFlow<Flaw> {
    for found in [text(value), typed(name, value)] {
        if let Err((part, kind)) = found {
            report(Flaw { at: message.position(part), kind })?;
        }
    }
    ControlFlow::Continue(())
}

/// What holds for every header: UTF-8, and control characters only behind a backslash in quotes.
fn text(value: &[u8]) -> Found<'_> {
    if let Err(error) = std::str::from_utf8(value) {
        return Err((value.get(error.valid_up_to()..).unwrap_or(value), FlawKind::Header));
    }
    let is_control = |b: u8| (b < b' ' || b == 0x7f) && !matches!(b, b'\t' | b'\r' | b'\n');
    let (mut quoted, mut escaped) = (false, false);
    for (at, &b) in value.iter().enumerate() {
        if is_control(b) && !escaped {
            return Err((&value[at..], FlawKind::ControlCharacter));
        }
        quoted ^= b == b'"' && !escaped;
        escaped = quoted && b == b'\\' && !escaped;
    }
    Ok(())
}

fn typed(name: Name, value: &[u8]) -> Found<'_> {
    match name {
        Name::Via => members(value).try_for_each(via),
        Name::From => address(value, FlawKind::From),
        Name::To => address(value, FlawKind::To),
        Name::Contact if value == b"*" => Ok(()),
        Name::Contact => members(value).try_for_each(|member| address(member, FlawKind::Contact)),
        Name::Route | Name::RecordRoute | Name::Path | Name::ServiceRoute => {
            members(value).try_for_each(route)
        }
        Name::ReferTo | Name::ReferredBy | Name::ReplyTo => address(value, FlawKind::Header),
        Name::CallId => demand(!value.iter().any(u8::is_ascii_whitespace), value, FlawKind::CallId),
        Name::MaxForwards => {
            demand(number(value).is_some_and(|hops| hops <= 255), value, FlawKind::MaxForwards)
        }
        Name::Expires | Name::MinExpires => demand(number(value).is_some(), value, FlawKind::Expires),
        Name::RSeq | Name::SessionExpires | Name::MinSe | Name::RetryAfter => {
            let end = value.iter().position(|b| !b.is_ascii_digit()).unwrap_or(value.len());
            demand(number(&value[..end]).is_some(), value, FlawKind::Number)
        }
        Name::Date => demand(value.len() == 29 && value.ends_with(b" GMT"), value, FlawKind::Date),
        Name::ContentType => content_type(value),
        Name::Warning => members(value).try_for_each(warning),
        _ => Ok(()),
    }
}

fn demand(sound: bool, value: &[u8], kind: FlawKind) -> Found<'_> {
    if sound { Ok(()) } else { Err((value, kind)) }
}

/// One hop with sound parameters.
fn via(value: &[u8]) -> Found<'_> {
    let Some(hop) = Via::parse(value) else { return Err((value, FlawKind::Via)) };
    demand(hop.transport.bytes().all(is_token), value, FlawKind::Via)?;
    params(hop.params.0.as_bytes(), unquoted(value, b';').is_some())?;
    let port = hop.params.get("rport").is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    let ttl = hop.params.get("ttl").is_none_or(|ttl| ttl.parse::<u8>().is_ok());
    demand(port && ttl, value, FlawKind::Number)
}

/// A Route and its kin stand in angle brackets (RFC 3261 §20.34).
fn route(value: &[u8]) -> Found<'_> {
    demand(unquoted(value, b'<').is_some(), value, FlawKind::Route)?;
    address(value, FlawKind::Route)
}

/// `name-addr` or `addr-spec`, its parameters and those of its numbers that have a range.
fn address(value: &[u8], kind: FlawKind) -> Found<'_> {
    let value = value.trim_ascii();
    let rest = match unquoted(value, b'<') {
        Some(open) => {
            display_name(value[..open].trim_ascii())?;
            let inside = &value[open + 1..];
            let close = inside.iter().position(|&b| b == b'>').ok_or((value, kind))?;
            uri(&inside[..close], kind)?;
            inside[close + 1..].trim_ascii()
        }
        None => {
            let end = unquoted(value, b';').unwrap_or(value.len());
            let bare = value[..end].trim_ascii_end();
            demand(!bare.contains(&b'"'), value, FlawKind::Quote)?;
            // Such a URI must stand in angle brackets (RFC 3261 §20.10).
            demand(!bare.iter().any(|b| b",?".contains(b)), bare, kind)?;
            uri(bare, kind)?;
            &value[end..]
        }
    };
    match rest.split_first() {
        None => Ok(()),
        Some((b';', rest)) => params(rest, true),
        Some(_) => Err((rest, FlawKind::Parameter)),
    }
}

fn uri(text: &[u8], kind: FlawKind) -> Found<'_> {
    let readable = std::str::from_utf8(text).is_ok_and(|uri| Uri::parse(uri).is_some());
    demand(readable, text, kind)
}

/// Nothing, one quoted string, or tokens with blanks between them.
fn display_name(text: &[u8]) -> Found<'_> {
    let sound = match text.split_first() {
        Some((b'"', rest)) => match closing_quote(rest) {
            Some(end) => end + 1 == rest.len(),
            None => return Err((text, FlawKind::Quote)),
        },
        _ => text.iter().all(|&b| is_token(b) || b.is_ascii_whitespace()),
    };
    demand(sound, text, FlawKind::DisplayName)
}

/// `name[=value]` between semicolons; `begun` where one must follow.
fn params(text: &[u8], begun: bool) -> Found<'_> {
    let mut rest = begun.then_some(text);
    while let Some(part) = rest {
        let end = unquoted(part, b';').unwrap_or(part.len());
        rest = part.get(end + 1..);
        let param = part[..end].trim_ascii();
        let (name, value) = match param.iter().position(|&b| b == b'=') {
            Some(equals) => (param[..equals].trim_ascii_end(), Some(param[equals + 1..].trim_ascii_start())),
            None => (param, None),
        };
        let named = !name.is_empty() && name.iter().all(|&b| is_token(b));
        demand(named && value.is_none_or(is_param_value), part, FlawKind::Parameter)?;
        if name.eq_ignore_ascii_case(b"expires") {
            demand(value.is_some_and(|value| number(value).is_some()), part, FlawKind::Number)?;
        }
    }
    Ok(())
}

/// A token, a host (also IPv6 with or without brackets, RFC 5118 §4.5) or one quoted string.
fn is_param_value(value: &[u8]) -> bool {
    match value.split_first() {
        None => false,
        Some((b'"', rest)) => closing_quote(rest).is_some_and(|end| end + 1 == rest.len()),
        Some(_) => value.iter().all(|&b| is_token(b) || b":[]".contains(&b)),
    }
}

/// Whether a quoted string begins and does not end.
pub(super) fn is_quote_open(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(open) = memchr::memchr(b'"', rest) {
        let inside = &rest[open + 1..];
        let Some(end) = closing_quote(inside) else { return true };
        rest = &inside[end + 1..];
    }
    false
}

fn content_type(value: &[u8]) -> Found<'_> {
    let end = unquoted(value, b';').unwrap_or(value.len());
    let is_word = |half: &[u8]| !half.is_empty() && half.iter().all(|&b| is_token(b));
    let sound = memchr::memchr(b'/', &value[..end]).is_some_and(|slash| {
        is_word(value[..slash].trim_ascii_end()) && is_word(value[slash + 1..end].trim_ascii())
    });
    demand(sound, value, FlawKind::Header)
}

/// Three digits, an agent and a quoted text (RFC 3261 §20.43).
fn warning(value: &[u8]) -> Found<'_> {
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    demand(digits == 3 && value.get(3) == Some(&b' '), value, FlawKind::Header)
}
