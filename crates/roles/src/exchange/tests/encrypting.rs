//! Encryption of each leg by itself.

use proto::sdp::{AgreedSrtp, Description};

use super::calls::talking_with;
use super::*;
use crate::relay::Side;

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const OTHER_KEY: &str = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

fn secure(tag: u32, key: &str) -> String {
    let sdp = SDP.replace("RTP/AVP", "RTP/SAVP");
    format!("{sdp}a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n")
}

/// The profile and the keys of a message's body.
fn keys_of(message: &str) -> (String, Vec<String>) {
    let body = message.split("\r\n\r\n").nth(1).expect("a body");
    let description = Description::parse(body.as_bytes()).expect("a description");
    let media = &description.media[description.audio_index().expect("audio")];
    (media.protocol().to_owned(), media.cryptos().map(|crypto| crypto.to_string()).collect())
}

/// The keys that the relay was told last for a side.
fn told(bench: &Bench, side: Side) -> Option<AgreedSrtp> {
    let last = bench.media.iter().rev().find_map(|command| match command {
        RelayCommand::Point { side: of, srtp, .. } if *of == side => Some(srtp.clone()),
        _ => None,
    });
    last.flatten().map(|srtp| *srtp)
}

fn with_rule(number: &str, encryption: Encryption) -> Bench {
    let mut bench = Bench::new();
    let extension = Extension { encryption, ..Extension::new(number, "offhook", "secret") };
    bench.command(What::SetExtension(Box::new(extension)));
    bench
}

#[test]
fn each_leg_has_keys_of_its_own() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, offered) = talking_with(&mut bench, &mut phones, &secure(7, KEY), &secure(1, OTHER_KEY));
    let (profile, keys) = keys_of(&offered);
    assert_eq!((&*profile, keys.len()), ("RTP/SAVP", 2));
    assert!(!offered.contains(KEY) && !answered.contains(OTHER_KEY));
    let (profile, keys) = keys_of(&answered);
    assert!(profile == "RTP/SAVP" && keys.len() == 1 && keys[0].starts_with("7 AES_CM_128_HMAC_SHA1_80 "));
    let (a, b) = (told(&bench, Side::A).expect("keys"), told(&bench, Side::B).expect("keys"));
    assert_eq!((a.remote_key.base64().as_str(), b.remote_key.base64().as_str()), (KEY, OTHER_KEY));
    assert!(answered.contains(&a.local_key.base64()) && offered.contains(&b.local_key.base64()));
    assert_ne!(a.local_key, b.local_key);
}

#[test]
fn a_plain_phone_talks_to_one_that_must_be_encrypted() {
    let mut bench = with_rule("7002", Encryption::Always);
    let mut phones = bench.ready();
    let (answered, offered) = talking_with(&mut bench, &mut phones, SDP, &secure(1, OTHER_KEY));
    assert_eq!(keys_of(&offered).0, "RTP/SAVP");
    assert_eq!(keys_of(&answered), ("RTP/AVP".to_owned(), Vec::new()));
    assert_eq!(told(&bench, Side::A), None);
    assert_eq!(told(&bench, Side::B).expect("keys").remote_key.base64(), OTHER_KEY);
}

#[test]
fn an_encrypted_phone_talks_to_one_that_cannot() {
    let mut bench = with_rule("7002", Encryption::Never);
    let mut phones = bench.ready();
    let (answered, offered) = talking_with(&mut bench, &mut phones, &secure(1, KEY), SDP);
    assert_eq!(keys_of(&offered), ("RTP/AVP".to_owned(), Vec::new()));
    assert_eq!(keys_of(&answered).0, "RTP/SAVP");
    assert_eq!(told(&bench, Side::A).expect("keys").remote_key.base64(), KEY);
    assert_eq!(told(&bench, Side::B), None);
}

#[test]
fn who_must_be_encrypted_may_not_call_without() {
    let mut bench = with_rule("7001", Encryption::Always);
    let mut phones = bench.ready();
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    bench.check("7001>s INVITE; s>7001 488");
    assert!(bench.exchange.calls.legs.is_empty());
}

#[test]
fn a_key_that_cannot_be_used_is_refused() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite_with("7002", "call-1", &secure(1, "too-short"));
    bench.say(&phones[0], &invite);
    bench.check("7001>s INVITE; s>7001 488");
}

#[test]
fn keys_stay_through_hold_and_resume() {
    let mut bench = with_rule("7002", Encryption::Always);
    let mut phones = bench.ready();
    let (answered, offered) = talking_with(&mut bench, &mut phones, SDP, &secure(1, OTHER_KEY));
    let before = told(&bench, Side::B);
    let hold = phones[0].within(&answered, "INVITE", "", &format!("{SDP}a=sendonly\r\n"));
    bench.say(&phones[0], &hold);
    let asked = bench.heard(&phones[1], "INVITE");
    assert_ne!(asked, offered);
    assert_eq!(keys_of(&asked), keys_of(&offered));
    let ok = phones[1].answer(&asked, 200, "", &secure(1, OTHER_KEY));
    bench.say(&phones[1], &ok);
    assert_eq!(keys_of(&bench.heard(&phones[0], "SIP/2.0 200")).1, Vec::<String>::new());
    assert_eq!(told(&bench, Side::B), before);
}

#[test]
fn a_pickup_is_encrypted_on_both_legs() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite_with("7002", "call-1", &secure(3, KEY));
    bench.say(&phones[0], &invite);
    let pickup = phones[2].invite_with("*047002", "pickup", &secure(5, OTHER_KEY));
    bench.say(&phones[2], &pickup);
    let (caller, picker) = (bench.heard(&phones[0], "SIP/2.0 200"), bench.heard(&phones[2], "SIP/2.0 200"));
    assert!(keys_of(&caller).1[0].starts_with("3 ") && keys_of(&picker).1[0].starts_with("5 "));
    let (a, b) = (told(&bench, Side::A).expect("keys"), told(&bench, Side::B).expect("keys"));
    assert!(caller.contains(&a.local_key.base64()) && picker.contains(&b.local_key.base64()));
}

#[test]
fn echo_speaks_with_keys() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite_with("*43", "echo", &secure(2, KEY));
    bench.say(&phones[0], &invite);
    let ok = bench.heard(&phones[0], "SIP/2.0 200");
    assert!(keys_of(&ok).1[0].starts_with("2 AES_CM_128_HMAC_SHA1_80 "));
    assert_eq!(told(&bench, Side::A).expect("keys").remote_key.base64(), KEY);
}
