//! What real peers send: slips that other parsers trip over, the traces of the deck, IPv6.

use super::Strictness::{Lenient, Strict};
use crate::sip::header::{Diversion, Event};
use crate::sip::message::{FlawKind, Message, Method, Name, NotSip};

const HEAD: &str = "Via: SIP/2.0/UDP 192.168.80.20:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
    To: <sip:c@d>\r\nCall-ID: x\r\n";

/// An OPTIONS with further lines, its own Content-Length among them where there is to be one.
fn options(uri: &str, lines: &str, body: &str) -> String {
    format!("OPTIONS {uri} SIP/2.0\r\n{HEAD}CSeq: 1 OPTIONS\r\n{lines}\r\n{body}")
}

fn check(text: &[u8], lenient: Result<(), FlawKind>, strict: Result<(), FlawKind>, body_bytes: usize) {
    let message = Message::parse(text).expect("a start line");
    let name = String::from_utf8_lossy(text);
    assert_eq!(message.check(Lenient).map_err(|flaw| flaw.kind), lenient, "{name}");
    assert_eq!(message.check(Strict).map_err(|flaw| flaw.kind), strict, "{name}");
    assert_eq!(message.body().len(), body_bytes, "{name}");
}

#[test]
fn slips_that_other_parsers_trip_over() {
    let both = |text: &str, expected, body_bytes| check(text.as_bytes(), expected, expected, body_bytes);
    both(&options("sip:a", "", "").replace("OPTIONS", "FOO"), Ok(()), 0);
    both(&options("sip:a", "", "12345"), Ok(()), 5);
    both(&options("sip:[2001:db8::1]:5060", "", ""), Ok(()), 0);
    both(&options("tel:+1-212-555", "", ""), Ok(()), 0);
    both(&format!("\r\n\r\n{}", options("sip:a", "", "")), Ok(()), 0);
    both(&options("sip:a", "l: 6\r\n", "12345"), Err(FlawKind::ContentLengthLong), 5);
    both(&options("sip:a", "l: 1\r\nContent-Length: 5\r\n", "12345"), Err(FlawKind::ContentLengthTwice), 1);
    both(&options("sip:a", "l: 5\r\nContent-Length: 5\r\n", "12345"), Ok(()), 5);
    both(&options("sip:a", "no colon here\r\n", ""), Err(FlawKind::NoColon), 0);
    both(&options("sip:a", "b c: d\r\n", ""), Err(FlawKind::HeaderName), 0);
    both(&options("sip:a", &"X: y\r\n".repeat(1_000), ""), Err(FlawKind::TooManyHeaders), 0);
    both(options("sip:a", "", "").trim_end(), Err(FlawKind::NoBlankLine), 0);
    let bare = options("sip:a", "l: 2\r\n", "hi").replace("\r\n", "\n");
    check(bare.as_bytes(), Ok(()), Err(FlawKind::BareLf), 2);
}

#[test]
fn a_byte_of_latin_1_spoils_only_its_own_header() {
    let text = options("sip:a", "Subject: caf#\r\nSupported: timer\r\nContent-Length: 2\r\n", "hi");
    let bytes: Vec<u8> = text.bytes().map(|b| if b == b'#' { 0xe9 } else { b }).collect();
    check(&bytes, Ok(()), Err(FlawKind::Header), 2);
    let message = Message::parse(&bytes).expect("sound");
    assert_eq!(message.header(Name::Subject), Some(b"caf\xe9".as_slice()));
    assert_eq!((message.text(Name::Subject), message.text(Name::Supported)), (None, Some("timer")));
    let strict = message.check(Strict).map_err(|flaw| usize::from(flaw.at));
    assert_eq!(strict, Err(bytes.iter().position(|&b| b == 0xe9).expect("there")));
}

#[test]
fn what_is_no_message() {
    let check = |bytes: &[u8], expected| assert_eq!(Message::parse(bytes).err(), Some(expected));
    check(b"", NotSip::KeepAlive);
    check(b"\r\n\r\n", NotSip::KeepAlive);
    check(b"\0\0\0\0", NotSip::StartLine);
    check(b"GET / HTTP/1.1\r\n\r\n", NotSip::StartLine);
    check(b"SIP/2.0 abc OK\r\n\r\n", NotSip::StartLine);
    check(b"INVITE SIP/2.0\r\n\r\n", NotSip::StartLine);
    check(&[b'a'; 65_536], NotSip::TooLong);
}

/// The deck's check-sync has no tags, no branch and no Max-Forwards, and must be answered.
#[test]
fn a_check_sync_without_tags() {
    let text = "NOTIFY sip:7005@192.168.80.198:5061 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.50.19:5060\r\n\
        From: <sip:7005@192.168.50.19>\r\nTo: <sip:7005@192.168.50.19>\r\nCall-ID: 1@192.168.50.19\r\n\
        CSeq: 102 NOTIFY\r\nEvent: check-sync;reboot=true\r\nContent-Length: 0\r\n\r\n";
    check(text.as_bytes(), Ok(()), Ok(()), 0);
    let message = Message::parse(text.as_bytes()).expect("sound");
    assert_eq!((message.from_tag(), message.to_tag()), ("", ""));
    assert_eq!(message.via().map(|via| via.has_magic_cookie()), Some(false));
    let event = message.text(Name::Event).and_then(Event::parse).expect("there");
    assert_eq!((event.package, event.params.get("reboot")), ("check-sync", Some("true")));
}

/// The deck's forward on no answer writes its reason with a blank.
#[test]
fn a_diversion_with_a_blank_in_its_reason() {
    let text = options("sip:a", "Diversion: <sip:7002@192.168.80.20:5060>;reason=no answer\r\n", "");
    check(text.as_bytes(), Ok(()), Ok(()), 0);
    let message = Message::parse(text.as_bytes()).expect("sound");
    let diversion = message.header(Name::Diversion).and_then(Diversion::parse).expect("there");
    assert_eq!(diversion.reason, "no-answer");
}

#[test]
fn a_busy_line_says_why() {
    let text = format!(
        "SIP/2.0 480 Temporarily Unavailable\r\n{HEAD}CSeq: 1 INVITE\r\n\
        Reason: Q.850;Cause=18;text=\"No User Responding\"\r\n\r\n"
    );
    check(text.as_bytes(), Ok(()), Ok(()), 0);
    assert_eq!(
        Message::parse(text.as_bytes()).expect("sound").cseq().map(|c| c.method),
        Some(Method::Invite)
    );
}

/// Messages of our own for the sections of RFC 5118 that concern a parser.
#[test]
fn addresses_of_ip_version_6() {
    let both = |text: String, expected| check(text.as_bytes(), expected, expected, 0);
    let with_via = |via: &str| options("sip:a", "", "").replace("192.168.80.20:5060", via);
    let uri = |text: &str| {
        let text = options(text, "", "");
        let message = Message::parse(text.as_bytes()).expect("sound");
        let uri = crate::sip::Uri::parse(message.request_uri()).expect("sound");
        (uri.ip().map(|ip| ip.to_string()), uri.port)
    };
    // §4.1 to §4.4: brackets, none, a port inside and a port outside.
    both(options("sip:[2001:db8::10]", "", ""), Ok(()));
    both(options("sip:2001:db8::10", "", ""), Err(FlawKind::RequestUri));
    assert_eq!(uri("sip:[2001:db8::10:5070]"), (Some("2001:db8::10:5070".into()), None));
    assert_eq!(uri("sip:[2001:db8::10]:5070"), (Some("2001:db8::10".into()), Some(5070)));
    // §4.5: `received` with and without brackets.
    for received in ["[2001:db8::9:255]", "2001:db8::9:255"] {
        let text = with_via(&format!("[2001:db8::9:1];received={received}"));
        let via = Message::parse(text.as_bytes())
            .expect("sound")
            .via()
            .map(|v| v.params.get("received") == Some(received));
        assert_eq!(via, Some(true));
        both(text, Ok(()));
    }
    // §4.7: several addresses in one message. §4.9: IPv4 inside IPv6. §4.10: one colon too many.
    both(with_via("[2001:db8::9:1]:6050;branch=z9, SIP/2.0/TCP [2001:db8::9]"), Ok(()));
    both(options("sip:a@[::ffff:192.0.2.10]:19823", "Contact: <sip:a@[::ffff:192.0.2.1]>\r\n", ""), Ok(()));
    both(with_via("[2001:db8:::192.0.2.1]"), Err(FlawKind::Via));
}
