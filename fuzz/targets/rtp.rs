//! A datagram at the sound port: RTP, RTCP, a key press, and both under SRTP.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Rng;
use proto::rtp::packet::is_rtcp;
use proto::rtp::rtcp::Compound;
use proto::rtp::srtp::{MasterKey, Opener, Suite};
use proto::rtp::{Packet, dtmf};

fuzz_target!(|bytes: &[u8]| {
    let _ = is_rtcp(bytes);
    if let Ok(packet) = Packet::parse(bytes) {
        let _ = (packet.contributors().count(), dtmf::Event::parse(packet.payload));
        let mut written = Vec::new();
        packet.write(&mut written);
        assert!(Packet::parse(&written).is_ok(), "what was read can be written");
    }
    if let Ok(compound) = Compound::parse(bytes) {
        let _ = compound.items().count();
    }
    let key = MasterKey::generate(Suite::AesCm128HmacSha1_80, &mut Rng::from_number(1));
    assert!(Opener::new(&key).open_rtp(&mut bytes.to_vec()).is_err(), "nobody guesses a tag");
    assert!(Opener::new(&key).open_rtcp(&mut bytes.to_vec()).is_err(), "nobody guesses a tag");
});
