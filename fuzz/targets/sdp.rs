//! A session description: read, every attribute looked at, taken as offer and as answer, written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::sdp::{Description, Local, OfferAnswer};

fuzz_target!(|bytes: &[u8]| {
    let Ok(description) = Description::parse(bytes) else { return };
    let _ = (description.origin(), description.session_name(), description.timing());
    for (index, media) in description.media.iter().enumerate() {
        let _ = (description.connection_of(index), description.direction_of(index));
        let _ = (description.rtp_address_of(index), description.rtcp_address_of(index));
        let _ = (media.kind(), media.port(), media.port_count(), media.cryptos().count());
        for payload_type in media.payload_types() {
            let _ = (media.rtpmap(payload_type), media.fmtp(payload_type));
        }
    }
    let mut session = OfferAnswer::new(Local::new([192, 0, 2, 1].into(), 10_000), 1);
    let _ = session.receive_offer(&description);
    let mut session = OfferAnswer::new(Local::new([192, 0, 2, 1].into(), 10_000), 1);
    let _ = session.offer();
    let _ = session.receive_answer(&description);
    assert!(Description::parse(&description.to_bytes()).is_ok(), "what was read can be written");
});
