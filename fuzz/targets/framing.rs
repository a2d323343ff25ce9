//! A stream: the first byte says how it is cut; every cut gives the same frames.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::sip::framing::{Frame, Framer, MAX_HEAD_BYTES};
use proto::sip::message::MAX_MESSAGE_BYTES;

fn frames(stream: &[u8], piece_bytes: usize) -> Vec<String> {
    let mut framer = Framer::new();
    let mut seen = Vec::new();
    for piece in stream.chunks(piece_bytes.max(1)) {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            seen.push(match frame {
                Frame::Message(bytes) => format!("{bytes:?}"),
                Frame::Broken { error, .. } => format!("{error:?}"),
                other => format!("{other:?}"),
            });
        }
        assert!(framer.pending_bytes() <= MAX_MESSAGE_BYTES.max(MAX_HEAD_BYTES) + piece_bytes);
    }
    seen
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&piece_bytes, stream)) = bytes.split_first() else { return };
    assert_eq!(frames(stream, usize::from(piece_bytes)), frames(stream, stream.len()));
});
