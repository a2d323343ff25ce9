//! What holds for any bytes, and for anything that we write ourselves.

use proptest::prelude::*;

use super::Strictness;
use crate::sip::grammar::members;
use crate::sip::header::{Address, Via};
use crate::sip::{Message, Method, Name, Reply, Request, Uri};

/// Reads everything that can be read of a message.
fn read_all(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    let _ = (message.start(), message.method_text(), message.request_uri(), message.reason());
    let _ = (message.via(), message.from(), message.to(), message.contact(), message.cseq());
    let _ = (message.from_tag(), message.to_tag(), message.call_id(), message.content_type());
    for (name, text, value) in message.all() {
        let at = usize::from(message.position(value));
        assert!(value.is_empty() || bytes.get(at..at + value.len()) == Some(value));
        assert!(name == Name::Other || name == Name::from_bytes(text));
        let _ = message.number(name);
        for member in members(value) {
            let _ = Via::parse(member).map(|via| (via.rport(), via.has_magic_cookie()));
            let _ = Address::parse(member).map(|a| (a.display().len(), a.tag(), a.parsed_uri()));
        }
    }
    let mut copy = Vec::new();
    message.write(&mut copy);
    let again = Message::parse(&copy).expect("what was a message stays one");
    assert!(again.all().map(|(_, n, v)| (n, v)).eq(message.all().map(|(_, n, v)| (n, v))));
    for strictness in [Strictness::Index, Strictness::Lenient, Strictness::Strict] {
        let faults = message.faults(strictness);
        assert_eq!(message.check(strictness).is_ok(), faults.is_empty());
        assert!(faults.iter().all(|flaw| usize::from(flaw.at) <= bytes.len()));
    }
}

/// The seeds of the fuzz target, so that what it once found stays found.
#[test]
#[allow(clippy::disallowed_methods, reason = "a test reads the committed seeds")]
fn the_seeds_of_the_fuzz_target_are_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/message");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        read_all(&std::fs::read(entry.expect("an entry").path()).expect("a seed"));
        count += 1;
    }
    assert!(count >= 4);
}

/// Lines that are nearly those of a message.
fn line() -> impl Strategy<Value = String> {
    let names = prop_oneof![
        Just("Via"),
        Just("v"),
        Just("From"),
        Just("t"),
        Just("Call-ID"),
        Just("CSeq"),
        Just("Contact"),
        Just("Content-Length"),
        Just("Route"),
        Just("Max-Forwards"),
        Just("Date"),
        Just("X-\u{e9}"),
        Just(""),
    ];
    let values = prop_oneof![
        2 => "[ \t]{0,2}(SIP/2.0/UDP |\"[^\r\n]{0,4}\"|<sip:|>|;[a-z]{0,3}=?|,|@|[0-9]{1,12}|\\[::1\\]|\r\n |%){0,8}",
        1 => "[^\r\n]{0,12}",
    ];
    let ends = prop_oneof![8 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    (names, values, ends).prop_map(|(name, value, end)| format!("{name}:{value}{end}"))
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn nearly_messages_are_read(
        start in prop_oneof![
            Just("INVITE sip:a@b SIP/2.0\r\n"), Just("SIP/2.0 200 \r\n"), Just("A  b  SIP/3\n"),
            Just("\r\nX tel:1 SIP/2.0 \r\n"),
        ],
        lines in proptest::collection::vec(line(), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = format!("{start}{}\r\nbody", lines.concat());
        read_all(text.as_bytes());
        read_all(&text.as_bytes()[..cut.index(text.len())]);
    }

    #[test]
    fn uris_are_read(text in "(sip|sips|tel|x)?:?[a-z0-9@:;=?&%\\[\\]<> é.]{0,40}") {
        if let Some(uri) = Uri::parse(&text) {
            let _ = (uri.ip(), uri.plain_user(), uri.header("a"), uri.transport());
            prop_assert!(uri.address_of_record().len() <= text.len() * 3 + 4);
        }
    }

    #[test]
    fn requests_that_we_write_are_read_back(
        user in "[a-z0-9]{1,12}",
        subject in "[a-zA-Z0-9\"<>;:,\\\\é%]{0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..60),
        number in 0u32..1 << 31,
    ) {
        let mut bytes = Vec::new();
        Request::new(Method::Invite, format!("sip:{user}@pbx.example"))
            .header(Name::From, "<sip:a@b>;tag=1")
            .header(Name::To, format_args!("<sip:{user}@pbx.example>"))
            .header(Name::CallId, "x")
            .header(Name::CSeq, format_args!("{number} INVITE"))
            .header(Name::Subject, &subject)
            .body("text/plain", body.as_slice())
            .write("SIP/2.0/UDP a;branch=z9hG4bK1", &mut bytes);
        let message = Message::parse(&bytes).expect("what we write is a message");
        let mut copy = Vec::new();
        message.write(&mut copy);
        prop_assert_eq!(&copy, &bytes);
        prop_assert_eq!(message.check(Strictness::Lenient), Ok(()));
        prop_assert_eq!(message.to().map(|to| to.user().into_owned()), Some(user));
        prop_assert_eq!(message.cseq().map(|cseq| cseq.number), Some(number));
        prop_assert_eq!(message.header(Name::Subject), Some(subject.as_bytes()));
        prop_assert_eq!(message.body(), body);
        prop_assert_eq!(message.flaws(), []);
    }

    #[test]
    fn replies_that_we_write_are_read_back(status in 100u16..700, reason in "[^\r\n\0]{0,30}") {
        let mut bytes = Vec::new();
        let reply = Reply::new(status).reason(reason.clone()).header(Name::Expires, 60);
        reply.write_status_line(&mut bytes);
        reply.write_rest(&mut bytes);
        let message = Message::parse(&bytes).expect("what we write is a message");
        prop_assert_eq!(message.status(), Some(status));
        prop_assert_eq!(message.reason(), reason);
        prop_assert_eq!(message.number(Name::Expires), Some(60));
    }
}
