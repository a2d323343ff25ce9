//! The form of messages.

use super::{Sample, above_info};
use crate::doctor::tape::{ACK, PHONE, SERVER, SYN, Talk, Tape, fragment, sdp, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample { code: "sip.alg", faulty: || changed(PRIVATE, PUBLIC), healthy: || sent(PUBLIC) },
    Sample { code: "sip.malformed", faulty: || changed(PRIVATE, PRIVATE), healthy: keep_alives },
    Sample { code: "net.udp-fragment-lost", faulty: || fragmented(1), healthy: whole },
];

const CALL: Talk = talk("one", "7001", "7002");
const PRIVATE: &str = "192.168.80.23:10000";
const PUBLIC: &str = "203.0.113.7:10000";

fn sent(media: &str) -> Tape {
    let more = sdp(media, "RTP/AVP", "8", "")
        .replace("Contact: <sip:x@203.0.113.7", "Contact: <sip:x@192.168.80.23");
    Tape::default().udp(0, PHONE, SERVER, CALL.ask("INVITE", 1, &more))
}

/// An INVITE whose body is longer than its Content-Length says.
fn changed(contact: &str, media: &str) -> Tape {
    let host = contact.split(':').next().unwrap_or_default();
    let named = sdp(media, "RTP/AVP", "8", "");
    let at = named.find("Content-Type").expect("a type");
    let more = format!("Contact: <sip:x@{host}:5060>\nContent-Length: 60\n{}", &named[at..]);
    Tape::default().udp(0, PHONE, SERVER, CALL.ask("INVITE", 1, &more))
}

/// Phones keep the way through a NAT open by line breaks, blanks, zeros or a mere byte.
fn keep_alives() -> Tape {
    let payloads: [&[u8]; 6] =
        [b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b"    ", b"\0\0\0\0\0\0\0\0\0", b" \t \r\n  "];
    let each = (0..).zip(payloads);
    let options = Tape::default().udp(0, PHONE, SERVER, talk("o", "7001", "7001").ask("OPTIONS", 1, ""));
    each.fold(options, |tape, (number, payload)| tape.udp(number * 20_000, PHONE, SERVER, payload))
}

fn fragmented(count: u64) -> Tape {
    let long = CALL.ask("INVITE", 1, &format!("X: {}\n", "y".repeat(1_400)));
    let head = &long.as_bytes()[..1_208];
    (0..count)
        .fold(Tape::default(), |tape, number| tape.frame(number * 500, fragment(PHONE, SERVER, head)))
        .udp(90_000, PHONE, SERVER, "\r\n\r\n")
}

fn whole() -> Tape {
    Tape::default().udp(0, PHONE, SERVER, CALL.ask("INVITE", 1, &format!("X: {}\n", "y".repeat(1_400))))
}

/// A wrong length proves no SIP ALG: the sender may count wrongly.
#[test]
fn a_wrong_length_with_addresses_of_one_network_is_no_alg() {
    assert_eq!(above_info(changed(PRIVATE, PRIVATE)), ["sip.malformed"]);
    assert_eq!(above_info(changed(PRIVATE, PUBLIC)), ["sip.alg"]);
}

/// A message that a stream cannot be cut by has its fault told once, not once more for its Content-Length.
#[test]
fn one_packet_is_told_once() {
    let (there, back) = ((PHONE, SERVER), (SERVER, PHONE));
    let more = sdp(PRIVATE, "RTP/AVP", "8", "");
    let long = CALL.ask("INVITE", 1, &more.replace("Content-Type", "Content-Length: 70000\nContent-Type"));
    let body = vec![b'x'; 1_400];
    let mut tape = Tape::default().tcp(0, there, SYN, (0, 0), "").tcp(1, back, SYN | ACK, (0, 1), "").tcp(
        2,
        there,
        ACK,
        (1, 1),
        &long,
    );
    for number in 0..48 {
        let at = 1 + long.len() as u32 + number * 1_400;
        tape = tape.tcp(3 + u64::from(number), there, ACK, (at, 1), &body);
    }
    let findings = tape.findings();
    assert_eq!(
        findings.iter().filter(|it| it.code.starts_with("sip.")).count(),
        1,
        "{:?}",
        super::shown(&findings)
    );
}

fn web_socket(protocol: &str, said: &[u8]) -> Tape {
    let frame = [&[0x81, said.len() as u8][..], said].concat();
    let opens = format!("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{protocol}\r\n");
    let opened = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{protocol}\r\n"
    );
    let said: [(bool, &[u8]); 3] = [(true, opens.as_bytes()), (false, opened.as_bytes()), (true, &frame)];
    Tape::default().stream(0, "192.168.80.23:49500", "192.168.50.19:80", &said)
}

/// RFC 7118 §4: only the subprotocol `sip` makes SIP of a WebSocket.
#[test]
fn a_web_socket_of_another_purpose_is_no_broken_sip() {
    assert!(above_info(web_socket("", b"hello, how are you?")).is_empty());
    assert_eq!(
        above_info(web_socket("Sec-WebSocket-Protocol: sip\r\n", b"hello, how are you?")),
        ["sip.malformed"]
    );
    let options =
        CALL.ask("OPTIONS", 1, "").replace("SIP/2.0/UDP", "SIP/2.0/WS").replace("Content-Length: 0\r\n", "");
    assert!(options.len() > 125);
}
