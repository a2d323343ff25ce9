//! A body of many parts: what is found lies in the body, and what may be taken is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::sip::Message;
use proto::sip::body::SDP;

fuzz_target!(|bytes: &[u8]| {
    // The first line is the Content-Type, the second the Content-Disposition, the rest the body.
    let mut lines = bytes.splitn(3, |&b| b == b'\n');
    let (kind, purpose) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let body = lines.next().unwrap_or_default();
    let heads: [&[u8]; 5] =
        [b"INVITE sip:a SIP/2.0\r\nc:", kind, b"\r\nContent-Disposition:", purpose, b"\r\n\r\n"];
    let written = [&heads.concat(), body].concat();
    let Ok(message) = Message::parse(&written) else { return };
    let _ = message.check_body(&[SDP, "text/plain"]);
    for kind in [SDP, "text/plain", "message/sipfrag"] {
        if let Some(content) = message.content(kind) {
            let at = usize::from(message.position(content));
            assert!(content.is_empty() || written.get(at..at + content.len()) == Some(content));
        }
    }
});
