use super::super::packet::Packet;
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// The master key and salt of RFC 3711 B.3, which libsrtp's own validation uses too.
fn master(suite: Suite) -> MasterKey {
    let bytes = hex("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");
    MasterKey::from_bytes(suite, bytes.try_into().unwrap())
}

fn rtp(sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    Packet { sequence, ssrc, payload: b"sound", ..Packet::default() }.write(&mut bytes);
    bytes
}

#[test]
fn keys_of_rfc_3711_b_3() {
    let check = |label: u8, expected: &str| {
        let expected = hex(expected);
        let mut key = vec![0; expected.len()];
        master(Suite::AesCm128HmacSha1_80).derive(label, &mut key);
        assert_eq!(key, expected);
    };
    check(0, "C61E7A93744F39EE10734AFE3FF7A087");
    check(2, "30CBBC08863D8C85D49DB34A9AE1");
    check(
        1,
        "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4 8F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E47403576",
    );
}

#[test]
fn the_rtp_packet_of_libsrtps_validation() {
    let plain = hex("800f1234decafbadcafebabe abababababababababababababababab");
    let sealed = hex("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
    let mut packet = plain.clone();
    Protector::new(&master(Suite::AesCm128HmacSha1_80)).protect_rtp(&mut packet).unwrap();
    assert_eq!(packet, sealed);
    let length = Opener::new(&master(Suite::AesCm128HmacSha1_80)).open_rtp(&mut packet).unwrap();
    assert_eq!(packet[..length], plain);
}

#[test]
fn the_rtcp_packet_of_libsrtps_validation() {
    let plain = hex("81c8000bcafebabe abababababababababababababababab");
    let sealed = hex("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
    for suite in [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32] {
        let mut packet = sealed.clone();
        let mut opener = Opener::new(&master(suite));
        let length = opener.open_rtcp(&mut packet).unwrap();
        assert_eq!(packet[..length], plain);
        assert_eq!(opener.open_rtcp(&mut sealed.clone()), Err(SrtpFlaw::Replayed));
        let mut protector = Protector::new(&master(suite));
        protector.protect_rtcp(&mut plain.clone()).unwrap();
        let mut second = plain.clone();
        protector.protect_rtcp(&mut second).unwrap();
        assert_eq!(second, sealed);
    }
}

#[test]
fn the_short_tag_is_the_front_of_the_long_one() {
    let (mut long, mut short) = (rtp(1, 7), rtp(1, 7));
    Protector::new(&master(Suite::AesCm128HmacSha1_80)).protect_rtp(&mut long).unwrap();
    Protector::new(&master(Suite::AesCm128HmacSha1_32)).protect_rtp(&mut short).unwrap();
    assert_eq!(long[..long.len() - 6], short);
}

#[test]
fn the_rollover_counter_follows_the_sequence() {
    let master = master(Suite::AesCm128HmacSha1_80);
    let (mut protector, mut opener) = (Protector::new(&master), Opener::new(&master));
    let mut late = Vec::new();
    for step in 0..200_000u32 {
        let mut packet = rtp(65_000u16.wrapping_add(step as u16), 9);
        protector.protect_rtp(&mut packet).unwrap();
        if step == 530 {
            late = packet;
        } else if step % 7 != 3 {
            opener.open_rtp(&mut packet).unwrap();
        }
        if step == 540 {
            // From before the wrap (step 536), after it.
            opener.open_rtp(&mut late).unwrap();
        }
    }
    assert_eq!(opener.sources.find(9).unwrap().rtp.highest.unwrap() >> 16, 4);
}

#[test]
fn a_replayed_forged_or_plain_packet_is_refused_and_changes_nothing() {
    let master = master(Suite::AesCm128HmacSha1_80);
    let (mut protector, mut opener) = (Protector::new(&master), Opener::new(&master));
    let mut packet = rtp(40_000, 9);
    protector.protect_rtp(&mut packet).unwrap();
    let mut forged = packet.clone();
    forged[14] ^= 1;
    assert_eq!(opener.open_rtp(&mut forged), Err(SrtpFlaw::Tag));
    assert_eq!(opener.open_rtp(&mut rtp(1, 9)), Err(SrtpFlaw::NotSrtp));
    assert!(opener.sources.find(9).is_none());
    opener.open_rtp(&mut packet.clone()).unwrap();
    assert_eq!(opener.open_rtp(&mut packet.clone()), Err(SrtpFlaw::Replayed));
    for ahead in 1..=70 {
        let mut next = rtp(40_000 + ahead, 9);
        protector.protect_rtp(&mut next).unwrap();
        opener.open_rtp(&mut next).unwrap();
    }
    assert_eq!(opener.open_rtp(&mut packet), Err(SrtpFlaw::Replayed));
}

#[test]
fn the_table_of_sources_is_bounded() {
    let master = master(Suite::AesCm128HmacSha1_80);
    let (mut protector, mut opener) = (Protector::new(&master), Opener::new(&master));
    for ssrc in 0..100 {
        let mut packet = rtp(1, ssrc);
        protector.protect_rtp(&mut packet).unwrap();
        opener.open_rtp(&mut packet).unwrap();
    }
    assert!(opener.sources.find(91).is_none());
    assert!((92..100).all(|ssrc| opener.sources.find(ssrc).is_some()));
}

#[test]
fn our_key_never_protects_two_packets_of_one_number() {
    let mut protector = Protector::new(&master(Suite::AesCm128HmacSha1_80));
    let mut check = |sequence, ssrc, expected| {
        assert_eq!(protector.protect_rtp(&mut rtp(sequence, ssrc)), expected, "{sequence} of {ssrc}");
    };
    check(500, 9, Ok(()));
    check(500, 9, Err(SrtpFlaw::Repeated));
    // Late is not twice.
    check(502, 9, Ok(()));
    check(501, 9, Ok(()));
    check(501, 9, Err(SrtpFlaw::Repeated));
    // Too long ago to tell.
    check(600, 9, Ok(()));
    check(503, 9, Err(SrtpFlaw::Repeated));
    // Other sources do not make it forget, and are bounded.
    (1_000..1_255).for_each(|ssrc| check(1, ssrc, Ok(())));
    check(600, 9, Err(SrtpFlaw::Repeated));
    check(601, 9, Ok(()));
    check(1, 2_000, Err(SrtpFlaw::KeyExhausted));
}

#[test]
fn a_key_ends() {
    let mut protector = Protector::new(&master(Suite::AesCm128HmacSha1_80));
    protector.sources.get(9).rtp.accept(RTP_INDEX_END - 1);
    protector.sources.get(9).rtcp_sent = RTCP_INDEX_END;
    assert_eq!(protector.protect_rtp(&mut rtp(0, 9)), Err(SrtpFlaw::KeyExhausted));
    let mut report = hex("80c90001 00000009");
    assert_eq!(protector.protect_rtcp(&mut report), Err(SrtpFlaw::KeyExhausted));
}

#[test]
fn keys_in_sdp() {
    let suite = Suite::AesCm128HmacSha1_80;
    // The key of RFC 4568 §9.1's example.
    let text = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let key = MasterKey::from_base64(suite, text).unwrap();
    assert_eq!(key.base64(), text);
    assert!(!format!("{key:?}").contains("WVN"));
    for bad in [
        "",
        "WVNfX19z",
        "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGV-",
        "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz=",
    ] {
        assert_eq!(MasterKey::from_base64(suite, bad), None, "{bad}");
    }
    let made = MasterKey::generate(suite, &mut crate::Rng::from_number(3));
    assert_eq!(MasterKey::from_base64(suite, &made.base64()), Some(made));
    assert_eq!(Suite::from_name(Suite::AesCm128HmacSha1_32.name()), Some(Suite::AesCm128HmacSha1_32));
    assert_eq!(Suite::from_name("AEAD_AES_256_GCM"), None);
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(mut bytes in vec(any::<u8>(), 0..100), rtcp: bool) {
        if let Some(first) = bytes.first_mut() {
            *first |= 0x80;
        }
        let before = bytes.clone();
        let mut opener = Opener::new(&master(Suite::AesCm128HmacSha1_32));
        let opened = if rtcp { opener.open_rtcp(&mut bytes) } else { opener.open_rtp(&mut bytes) };
        prop_assert!(opened.is_err());
        prop_assert_eq!(bytes, before);
    }

    #[test]
    fn any_text_is_read_as_a_key_without_panic(text in "\\PC{0,60}") {
        let _ = MasterKey::from_base64(Suite::AesCm128HmacSha1_80, &text);
    }

    #[test]
    fn what_is_sealed_opens(payload in vec(any::<u8>(), 0..300), sequence: u16, ssrc: u32, short: bool) {
        let suite = if short { Suite::AesCm128HmacSha1_32 } else { Suite::AesCm128HmacSha1_80 };
        let mut plain = Vec::new();
        Packet { sequence, ssrc, payload: &payload, csrc: &[1, 2, 3, 4], padding_bytes: 3, ..Packet::default() }
            .write(&mut plain);
        let mut packet = plain.clone();
        Protector::new(&master(suite)).protect_rtp(&mut packet).unwrap();
        let length = Opener::new(&master(suite)).open_rtp(&mut packet).unwrap();
        prop_assert_eq!(&packet[..length], &plain[..]);
    }
}
