#![allow(clippy::disallowed_methods, reason = "a test reads the folder of torture messages")]
//! A message of our own for each section of RFC 4475, and the RFC's own where they are at hand.

use std::path::PathBuf;

use super::Strictness::{Lenient, Strict};
use crate::sip::header::Address;
use crate::sip::message::{FlawKind, Message, Method, Name};

const BASE: &str = "INVITE sip:7002@pbx.example SIP/2.0\r\n\
    Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKdesk1\r\n\
    Max-Forwards: 70\r\n\
    From: \"7001\" <sip:7001@pbx.example>;tag=f1\r\n\
    To: <sip:7002@pbx.example>\r\n\
    Call-ID: desk-1@198.51.100.7\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:7001@198.51.100.7:5060>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 5\r\n\r\nv=0\r\n";

/// [`BASE`] with each left text replaced by the right one.
fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} stands nowhere");
        text.replace(from, to)
    })
}

/// Strict and lenient readers accept it.
fn accepted(tag: &str, edits: &[(&str, &str)]) {
    let text = edited(edits);
    let message = Message::parse(text.as_bytes()).expect(tag);
    assert_eq!(message.faults(Strict), [], "{tag}");
    assert_readable(tag, &message);
}

/// A strict reader refuses it with this flaw at the place of `part`, a lenient one too if `always`.
fn refused(tag: &str, always: bool, kind: FlawKind, part: &str, edits: &[(&str, &str)]) {
    let text = edited(edits);
    let message = Message::parse(text.as_bytes()).expect(tag);
    let faults = message.faults(Strict);
    let at = text.find(part).expect(tag) as u16;
    assert!(
        faults.iter().any(|flaw| (flaw.kind, flaw.at) == (kind, at)),
        "{tag}: {kind:?} at {at}: {faults:?}"
    );
    assert!(message.check(Strict).is_err_and(|flaw| faults.contains(&flaw)), "{tag}");
    assert_eq!(message.check(Lenient).is_err(), always, "{tag}: {:?}", message.check(Lenient));
}

/// Every typed header can be read.
fn assert_readable(tag: &str, message: &Message<'_>) {
    assert!(message.via().is_some() && message.from().is_some() && message.to().is_some(), "{tag}");
    assert!(message.cseq().is_some() && !message.call_id().is_empty(), "{tag}");
    assert!(message.values(Name::Contact).all(|contact| Address::parse(contact).is_some()), "{tag}");
    assert!(message.status().is_some() || !message.method_text().is_empty(), "{tag}");
}

const REQUEST: &str = "INVITE sip:7002@pbx.example SIP/2.0";
const VIA: &str = "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKdesk1\r\n";
const FROM: &str = "From: \"7001\" <sip:7001@pbx.example>;tag=f1\r\n";
const TO: &str = "To: <sip:7002@pbx.example>\r\n";
const CONTACT: &str = "Contact: <sip:7001@198.51.100.7:5060>\r\n";
const LENGTH: &str = "Content-Length: 5\r\n";

#[test]
fn valid_messages() {
    accepted(
        "wsinv",
        &[
            (
                VIA,
                "Via  : SIP /\r\n 2.0\r\n /UDP\r\n\t198.51.100.7:5060 ; branch =\r\n z9hG4bKdesk1, SIP/2.0/TCP a\r\n",
            ),
            (FROM, "fRoM \t: \"Desk \\\\\\\"\" \r\n <sip:7001@pbx.example>\r\n ;\r\n  tag = f1\r\n"),
            (
                CONTACT,
                "m:\"a \\\"\\\"\" <sip:7001@h> ; new =\r\n  value ;\r\n flag ; q = 0.33\r\ns :\r\nX-Odd: ;;,,;\r\n",
            ),
            ("CSeq: 7 INVITE", "cseq: 0007\r\n  INVITE"),
            ("Max-Forwards: 70", "MAX-forwards: 0070"),
        ],
    );
    let odd = "!odd-Method_*+`.%it's~";
    accepted(
        "intmeth",
        &[
            ("INVITE", odd),
            ("sip:7002@pbx.example SIP", "sip:7.~(be)&is+n$/cr?a,/;;*:&pw=1!(d)@pbx.example SIP"),
            ("\"7001\" <", "to~` 'k+_ *%!.- <"),
            ("To: <", "To: \"bel \\\u{7} nul \\\0 del \\\u{7f}\" <"),
            ("tag=f1", "par'~+*_!.-%=\"\u{448}\";tag=_t~'+`*%!-."),
            ("desk-1@", "w%ZK-!.*_+'@`~)(><:\\/\"][?}{"),
            ("Max-Forwards: 70", "Max-Forwards: 255\r\nx-!.%*+_`'~:\u{feff}\u{5927}"),
        ],
    );
    accepted(
        "esc01",
        &[("sip:7002@pbx", "sip:sip%3A7002%40a@pbx"), ("198.51.100.7:5060>", "h;%6C%72;n=%25>")],
    );
    accepted("escnull", &[("sip:7001@", "sip:%00-%00@")]);
    accepted(
        "esc02",
        &[("INVITE", "INV%49TE"), ("\"7001\"", "\"%Z%45\""), ("=z9hG4bKdesk1", "=z9hG4bK9%fz")],
    );
    accepted("lwsdisp", &[("\"7001\" <", "desk<")]);
    let long = "a-very-long-value".repeat(60);
    let vias = VIA.repeat(30);
    accepted(
        "longreq",
        &[
            (VIA, &vias),
            ("tag=f1", &format!("tag=f{long}")),
            ("desk-1@", &long),
            ("\"7001\"", &format!("\"{long}\"")),
        ],
    );
    accepted("semiuri", &[(REQUEST, "INVITE sip:7002;par=u%40a@pbx.example SIP/2.0")]);
    accepted(
        "transports",
        &[(VIA, &format!("{VIA}Via: SIP/2.0/SCTP b\r\nVia: SIP/2.0/OTHER c;branch=z9hG4bKc\r\n"))],
    );
    accepted(
        "mpart01",
        &[
            ("application/sdp", "multipart/mixed;boundary=\"x;y\""),
            ("Length: 5", "Length: 22\r\nDate: Sat, 15 Oct 2005 04:44:56 GMT"),
            ("v=0\r\n", "--x;y\r\n\r\n\0\u{7f}\r\n\r\n--x;y--"),
        ],
    );
    accepted("unreason", &[(REQUEST, "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}")]);
    accepted("noreason", &[(REQUEST, "SIP/2.0 100 ")]);
}

#[test]
fn two_requests_in_one_datagram() {
    let text = format!("{BASE}{BASE}");
    let message = Message::parse(text.as_bytes()).expect("dblreq");
    assert_eq!((message.check(Strict), message.body()), (Ok(()), b"v=0\r\n".as_slice()));
    let surplus: Vec<_> = message.flaws().iter().map(|flaw| (flaw.kind, usize::from(flaw.at))).collect();
    assert_eq!(surplus, [(FlawKind::Surplus, BASE.len())]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: the messages of RFC 4475 §3.1.2")]
fn invalid_messages() {
    use FlawKind as K;
    refused(
        "badinv01 (hops)",
        true,
        K::Via,
        "SIP/2.0/UDP 198.51.100.7;;",
        &[(":5060;branch=z9hG4bKdesk1", ";;,;,,")],
    );
    refused(
        "badinv01 (contact)",
        false,
        K::Parameter,
        ";;;\r\nContent",
        &[("7:5060>\r\n", "7:5060>;;;;\r\n")],
    );
    refused("clerr", true, K::ContentLengthLong, "9999", &[("Length: 5", "Length: 9999")]);
    refused("ncl", true, K::ContentLengthValue, "-999", &[("Length: 5", "Length: -999")]);
    refused("scalar02 (CSeq)", true, K::CSeq, "36893488147", &[("CSeq: 7", "CSeq: 36893488147419103232")]);
    refused("scalar02 (hops)", false, K::MaxForwards, "300", &[("Forwards: 70", "Forwards: 300")]);
    refused(
        "scalar02 (expires)",
        false,
        K::Expires,
        "100000",
        &[(LENGTH, "Expires: 10000000000000\r\nl: 5\r\n")],
    );
    refused(
        "scalar02 (contact)",
        false,
        K::Number,
        "expires=28",
        &[("7:5060>\r\n", "7:5060>;expires=280297596632815\r\n")],
    );
    refused(
        "scalarlg (retry)",
        false,
        K::Number,
        "9493",
        &[(LENGTH, "Retry-After: 949302838503028349304023988\r\nl: 5\r\n")],
    );
    refused(
        "scalarlg (warning)",
        false,
        K::Header,
        "1812",
        &[(LENGTH, "Warning: 1812 over \"x\"\r\nl: 5\r\n")],
    );
    refused("quotbal", true, K::Quote, "\"Desk <sip:7002", &[("To: <", "To: \"Desk <")]);
    refused(
        "ltgtruri",
        true,
        K::RequestUri,
        "<sip:7002@pbx.example> SIP",
        &[("INVITE sip:7002@pbx.example", "INVITE <sip:7002@pbx.example>")],
    );
    refused(
        "lwsruri",
        true,
        K::RequestUri,
        "sip:7002@pbx.example; lr",
        &[("example SIP", "example; lr SIP")],
    );
    refused(
        "lwsstart",
        false,
        K::StartLineSpace,
        " sip:7002",
        &[("INVITE sip", "INVITE  sip"), ("example SIP", "example  SIP")],
    );
    refused("trws", false, K::StartLineSpace, "sip:7002", &[("SIP/2.0\r\n", "SIP/2.0  \r\n")]);
    refused(
        "escruri",
        false,
        K::UriHeaders,
        "sip:7002@pbx.example?",
        &[("example SIP", "example?Route=%3Csip:a%3E SIP")],
    );
    refused(
        "baddate",
        false,
        K::Date,
        "Fri,",
        &[(LENGTH, "Date: Fri, 01 Jan 2010 16:00:00 EST\r\nl: 5\r\n")],
    );
    refused(
        "regbadct",
        false,
        K::Contact,
        "sip:7001@h?",
        &[("<sip:7001@198.51.100.7:5060>", "sip:7001@h?Route=%3Csip:a%3E")],
    );
    refused(
        "badaspec",
        false,
        K::To,
        " sip:7002@pbx.example >",
        &[("To: <sip:7002@pbx.example>", "To: < sip:7002@pbx.example >")],
    );
    refused("baddn", false, K::DisplayName, "Desk, One", &[("\"7001\"", "Desk, One")]);
    refused("badvers", true, K::Version, "SIP/7.0\r\n", &[("example SIP/2.0", "example SIP/7.0")]);
    refused("badvers (hop)", true, K::Via, "SIP/7.0/UDP", &[("SIP/2.0/UDP", "SIP/7.0/UDP")]);
    refused("mismatch01", true, K::CSeqMethod, "7 OPTIONS", &[("7 INVITE", "7 OPTIONS")]);
    refused("mismatch02", true, K::CSeqMethod, "7 INVITE", &[("INVITE sip", "NEWMETHOD sip")]);
    refused("bigcode", true, K::StatusCode, "4294967301", &[(REQUEST, "SIP/2.0 4294967301 better not")]);
    assert_eq!(FlawKind::Version.status(), 505);
}

#[test]
fn mandatory_headers() {
    use FlawKind as K;
    refused("insuf", true, K::MissingVia, "v=0", &[(VIA, "")]);
    refused("insuf", true, K::MissingFrom, "v=0", &[(FROM, "")]);
    refused("insuf", true, K::MissingTo, "v=0", &[(TO, "")]);
    refused("insuf", true, K::MissingCallId, "v=0", &[("Call-ID: desk-1@198.51.100.7\r\n", "")]);
    refused("insuf", true, K::MissingCSeq, "v=0", &[("CSeq: 7 INVITE\r\n", "")]);
    refused(
        "multi01",
        true,
        K::Repeated,
        "<sip:7003",
        &[(TO, &format!("{TO}t: <sip:7003@pbx.example>\r\n"))],
    );
    refused(
        "multi01",
        true,
        K::Repeated,
        "9 INVITE",
        &[("CSeq: 7 INVITE\r\n", "CSeq: 7 INVITE\r\nCSeq: 9 INVITE\r\n")],
    );
    refused("mcl01", true, K::ContentLengthTwice, "6\r\n", &[(LENGTH, &format!("{LENGTH}l: 6\r\n"))]);
}

#[test]
fn what_the_layers_above_must_judge() {
    accepted("badbranch", &[("z9hG4bKdesk1", "z9hG4bK")]);
    accepted("unkscm", &[(REQUEST, "INVITE whoKnows:opaque SIP/2.0")]);
    accepted("novelsc", &[(REQUEST, "INVITE soap.beep://192.0.2.103:3002 SIP/2.0")]);
    accepted(
        "unksm2",
        &[
            ("<sip:7002@pbx.example>", "isbn:2983792873"),
            ("<sip:7001@198.51.100.7:5060>", "<name:John_Smith>"),
        ],
    );
    accepted("bext01", &[(LENGTH, "Require: nobodysThis, orThat\r\nProxy-Require: x\r\nl: 5\r\n")]);
    accepted("invut", &[("application/sdp", "application/unknownformat")]);
    accepted("regaut01", &[(LENGTH, "Authorization: NoOneKnows opaque-data=here\r\nContent-Length:5\r\n")]);
    accepted(
        "bcast",
        &[
            (REQUEST, "SIP/2.0 200 OK"),
            (VIA, &format!("{VIA}Via: SIP/2.0/UDP 255.255.255.255;branch=z9\r\n")),
        ],
    );
    accepted("zeromf", &[("Max-Forwards: 70", "Max-Forwards: 0")]);
    accepted("cparam01", &[("<sip:7001@198.51.100.7:5060>", "sip:+1972555@gw1.example.net;unknownparam")]);
    accepted("cparam02", &[("198.51.100.7:5060>", "gw1.example.net;unknownparam>")]);
    accepted("regescrt", &[("198.51.100.7:5060>", "h?Route=%3Csip:a%3E>")]);
    accepted("sdp01", &[(LENGTH, "Accept: text/nobodyKnowsThis\r\nl: 5\r\n")]);
    accepted(
        "inv2543",
        &[
            (";branch=z9hG4bKdesk1", ""),
            (";tag=f1", ""),
            (CONTACT, ""),
            (LENGTH, ""),
            ("Max-Forwards: 70\r\n", ""),
        ],
    );
}

/// The folder with the RFC's own bytes, if there is one.
#[allow(clippy::disallowed_methods, reason = "a test looks where the messages are")]
fn shared() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder =
        std::env::var_os("OFFHOOK_SHARED").map_or_else(beside, PathBuf::from).join("torture/rfc4475");
    folder.is_dir().then_some(folder)
}

const VALID: &str = "wsinv intmeth esc01 escnull esc02 lwsdisp longreq dblreq semiuri transports mpart01 \
    unreason noreason";
const INVALID: &str = "badinv01 clerr ncl scalar02 scalarlg quotbal badvers mismatch01 mismatch02 bigcode \
    insuf multi01 mcl01";
const STRICTLY_INVALID: &str = "ltgtruri lwsruri lwsstart trws escruri baddate regbadct badaspec baddn";
const SEMANTICS: &str = "badbranch unkscm novelsc unksm2 bext01 invut regaut01 bcast zeromf cparam01 \
    cparam02 regescrt sdp01 inv2543";

#[test]
#[allow(clippy::disallowed_methods, reason = "a test reads the messages where they are at hand")]
fn the_messages_of_the_standard() {
    let Some(folder) = shared() else {
        println!("skipped: no shared folder");
        return;
    };
    let mut count = 0;
    for (tags, strict, lenient) in [
        (VALID, Some(true), Some(true)),
        (INVALID, Some(false), Some(false)),
        (STRICTLY_INVALID, Some(false), None),
        (SEMANTICS, Some(true), Some(true)),
    ] {
        for tag in tags.split_whitespace() {
            let bytes = std::fs::read(folder.join(format!("{tag}.dat"))).expect(tag);
            let message = Message::parse(&bytes).expect(tag);
            let strictly = message.check(Strict);
            assert_eq!(Some(strictly.is_ok()), strict, "{tag}: {strictly:?}");
            assert!(
                lenient.is_none_or(|l| message.check(Lenient).is_ok() == l),
                "{tag}: {:?}",
                message.check(Lenient)
            );
            if strictly.is_ok() {
                assert_readable(tag, &message);
            }
            count += 1;
        }
    }
    assert_eq!(count, 49);
    let badvers = std::fs::read(folder.join("badvers.dat")).expect("badvers");
    assert_eq!(Message::parse(&badvers).expect("read").check(Lenient).map_err(|f| f.kind.status()), Err(505));
    let odd = std::fs::read(folder.join("intmeth.dat")).expect("intmeth");
    assert_eq!(Message::parse(&odd).expect("read").method(), Some(Method::Other));
}
