//! Encrypted sound: keys of strangers are read; what was protected opens once, and not if one bit differs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Rng;
use proto::rtp::srtp::{MasterKey, Opener, Protector, Suite};

fuzz_target!(|bytes: &[u8]| {
    let [place, bit, plain @ ..] = bytes else { return };
    if let Ok(text) = std::str::from_utf8(plain) {
        for suite in Suite::ALL {
            let Some(key) = MasterKey::from_base64(suite, text) else { continue };
            assert_eq!(MasterKey::from_base64(suite, &key.base64()), Some(key));
        }
    }
    let key = MasterKey::generate(Suite::AesCm128HmacSha1_80, &mut Rng::from_number(1));
    let (mut protector, mut opener) = (Protector::new(&key), Opener::new(&key));
    let spoil = |packet: &[u8]| {
        let mut spoilt = packet.to_vec();
        let place = usize::from(*place) % spoilt.len();
        spoilt[place] ^= 1 << (bit % 8);
        spoilt
    };
    let mut packet = plain.to_vec();
    if protector.protect_rtp(&mut packet).is_ok() {
        assert!(opener.open_rtp(&mut spoil(&packet)).is_err());
        let length = opener.open_rtp(&mut packet.clone()).expect("ours");
        assert_eq!(length, plain.len());
        assert!(opener.open_rtp(&mut packet).is_err(), "once only");
    }
    let mut packet = plain.to_vec();
    if plain.first().is_some_and(|first| first >> 6 == 2) && protector.protect_rtcp(&mut packet).is_ok() {
        assert!(opener.open_rtcp(&mut spoil(&packet)).is_err());
        assert_eq!(opener.open_rtcp(&mut packet.clone()), Ok(plain.len()));
        assert!(opener.open_rtcp(&mut packet).is_err(), "once only");
    }
});
