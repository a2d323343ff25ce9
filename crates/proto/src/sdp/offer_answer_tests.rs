use super::*;
use crate::rtp::srtp::Suite;
use proptest::prelude::*;

const KEY_A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const KEY_B: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
const KEY_C: &str = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";

fn phone(last: u8, port: u16) -> OfferAnswer {
    let address = std::net::Ipv4Addr::new(192, 168, 80, last).into();
    OfferAnswer::new(Local::new(address, port), 1_641_377_386)
}

fn key(suite: Suite, base64: &str) -> MasterKey {
    MasterKey::from_base64(suite, base64).expect("a key")
}

fn secure_phone(last: u8, policy: SrtpPolicy, keys: &[(Suite, &str)]) -> OfferAnswer {
    let mut phone = phone(last, 10_000);
    phone.local_mut().srtp = policy;
    phone.local_mut().srtp_keys = keys.iter().map(|&(suite, text)| key(suite, text)).collect();
    phone
}

fn parse(text: &str) -> Description {
    Description::parse(text.as_bytes()).expect("a description")
}

fn stream(body: &str) -> Description {
    parse(&format!("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n{body}"))
}

fn text(description: &Description) -> String {
    String::from_utf8(description.to_bytes()).expect("text")
}

fn version(description: &Description) -> u64 {
    let version = description.origin().expect("an origin").session_version;
    version.parse().expect("a number")
}

/// Carries an offer over and the answer back; what each side has agreed on.
fn exchange(from: &mut OfferAnswer, to: &mut OfferAnswer) -> Result<(Agreed, Agreed), Refusal> {
    let offer = parse(&text(&from.offer()));
    let answer = to.receive_offer(&offer)?;
    let agreed = from.receive_answer(&parse(&text(&answer.description)))?;
    Ok((agreed, answer.agreed))
}

#[test]
fn an_offer_is_the_decks() {
    let body = "c=IN IP4 192.168.80.23\r\nt=0 0\r\nm=audio 10000 RTP/AVP 8 0 101\r\na=ptime:20\r\n\
        a=rtpmap:8 PCMA/8000\r\na=fmtp:8 vad=no\r\na=rtpmap:0 PCMU/8000\r\na=fmtp:0 vad=no\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";
    let origin = "v=0\r\no=F 1641377386 1641377386 IN IP4 192.168.80.23\r\ns=F\r\n";
    assert_eq!(text(&phone(23, 10_000).offer()), format!("{origin}{body}"));
}

#[test]
fn a_call_a_hold_and_its_end() {
    let (mut caller, mut callee) = (phone(23, 10_000), phone(24, 12_000));
    let (at_caller, at_callee) = exchange(&mut caller, &mut callee).expect("agreement");
    assert_eq!(at_caller.codec, Codec::Pcma);
    assert_eq!((at_caller.send_dtmf, at_callee.receive_dtmf), (Some(101), Some(101)));
    assert_eq!(at_caller.remote_rtp, Some("192.168.80.24:12000".parse().expect("an address")));
    assert_eq!(at_callee.remote_rtcp, Some("192.168.80.23:10001".parse().expect("an address")));
    assert!(at_caller.send && at_caller.receive && at_callee.send && at_callee.receive);

    caller.hold(HoldForm::DECK);
    let hold = caller.offer();
    assert!(text(&hold).contains("c=IN IP4 0.0.0.0\r\n") && text(&hold).ends_with("a=sendonly\r\n"));
    assert_eq!(version(&hold), 1_641_377_387);
    let answer = callee.receive_offer(&hold).expect("an answer");
    assert!(text(&answer.description).ends_with("a=recvonly\r\n"));
    assert!(callee.is_remote_hold() && !answer.agreed.send && answer.agreed.receive);
    assert_eq!(answer.agreed.remote_rtp, None);
    let held = caller.receive_answer(&answer.description).expect("agreement");
    assert!(held.send && !held.receive && caller.is_local_hold() && !caller.is_remote_hold());

    caller.resume();
    let (at_caller, at_callee) = exchange(&mut caller, &mut callee).expect("agreement");
    assert!(at_caller.send && at_caller.receive && at_callee.send && at_callee.receive);
    assert!(!callee.is_remote_hold());
}

#[test]
fn the_version_grows_only_with_a_change() {
    let mut caller = phone(23, 10_000);
    let first = caller.offer();
    assert_eq!(caller.offer(), first, "a repeated offer is the same");
    caller.local_mut().port = 10_002;
    let second = caller.offer();
    assert_eq!(version(&second), version(&first) + 1);
    assert_eq!(second.media.first().map(Media::port), Some(10_002));

    let mut callee = phone(24, 12_000);
    let answer = callee.receive_offer(&first).expect("an answer").description;
    assert_eq!(callee.receive_offer(&first).expect("an answer").description, answer);
}

#[test]
fn every_way_to_be_held() {
    let check = |lines: &str, expected: &str, held: bool| {
        let mut callee = phone(24, 12_000);
        let offer = stream(&format!("m=audio 4000 RTP/AVP 8\r\n{lines}"));
        let answer = callee.receive_offer(&offer).expect("an answer");
        let audio = answer.description.media.first().expect("a stream");
        assert_eq!(audio.section.direction().map(Direction::name), Some(expected), "{lines}");
        assert_eq!(callee.is_remote_hold(), held, "{lines}");
        assert_eq!(answer.agreed.send, expected.starts_with("send"), "{lines}");
    };
    check("", "sendrecv", false);
    check("a=sendonly\r\n", "recvonly", true);
    check("a=recvonly\r\n", "sendonly", false);
    check("a=inactive\r\n", "inactive", true);
    check("c=IN IP4 0.0.0.0\r\n", "recvonly", true);
    check("c=IN IP4 0.0.0.0\r\na=sendonly\r\n", "recvonly", true);
    check("c=IN IP4 0.0.0.0\r\na=recvonly\r\n", "inactive", true);
}

#[test]
fn both_may_hold() {
    let (mut one, mut other) = (phone(23, 10_000), phone(24, 12_000));
    exchange(&mut one, &mut other).expect("agreement");
    one.hold(HoldForm::SENDONLY);
    exchange(&mut one, &mut other).expect("agreement");
    other.hold(HoldForm::SENDONLY);
    let offer = other.offer();
    assert!(text(&offer).ends_with("a=inactive\r\n"), "RFC 3264 §8.4: recvonly becomes inactive");
    let answer = one.receive_offer(&offer).expect("an answer");
    assert!(!answer.agreed.send && !answer.agreed.receive);
    other.receive_answer(&answer.description).expect("agreement");
    one.resume();
    let (at_one, at_other) = exchange(&mut one, &mut other).expect("agreement");
    assert!(one.is_remote_hold() && at_one.receive && !at_one.send && at_other.send && !at_other.receive);
}

#[test]
fn a_hold_by_inactive_is_not_taken_for_one_by_the_other() {
    let (mut one, mut other) = (phone(23, 10_000), phone(24, 12_000));
    one.hold(HoldForm::INACTIVE);
    exchange(&mut one, &mut other).expect("agreement");
    assert!(!one.is_remote_hold() && other.is_remote_hold());
}

#[test]
fn the_offers_order_and_numbers_decide() {
    let offer = stream(
        "m=audio 4000 RTP/AVP 18 97 0 8 96\r\na=rtpmap:97 g722/8000\r\na=rtpmap:96 Telephone-Event/8000\r\na=ptime:30\r\na=maxptime:20\r\n",
    );
    let mut callee = phone(24, 12_000);
    let agreed = callee.receive_offer(&offer).expect("an answer").agreed;
    assert_eq!((agreed.codec, agreed.send_payload_type, agreed.ptime_ms), (Codec::Pcmu, 0, 20));
    assert_eq!((agreed.send_dtmf, agreed.receive_dtmf), (Some(96), Some(96)));
    assert_eq!(agreed.also_receive, [(8, Codec::Pcma)], "what both named may come too");
    callee.local_mut().codecs.push(Codec::G722);
    callee.local_mut().dtmf_payload_type = None;
    let answer = callee.receive_offer(&offer).expect("an answer");
    assert_eq!((answer.agreed.codec, answer.agreed.receive_payload_type), (Codec::G722, 97));
    assert_eq!(answer.agreed.send_dtmf, None);
    assert!(text(&answer.description).contains("m=audio 12000 RTP/AVP 97\r\n"));
}

#[test]
fn an_answer_may_number_differently() {
    let mut caller = phone(23, 10_000);
    caller.offer();
    let answer = stream("m=audio 4000 RTP/AVP 0 100\r\na=rtpmap:100 telephone-event/8000\r\na=ptime:40\r\n");
    let agreed = caller.receive_answer(&answer).expect("agreement");
    assert_eq!((agreed.codec, agreed.send_dtmf, agreed.receive_dtmf), (Codec::Pcmu, Some(100), Some(101)));
    assert_eq!(agreed.ptime_ms, 40);
    let later = stream("m=audio 4002 RTP/AVP 8\r\n");
    let agreed = caller.receive_answer(&later).expect("the 200 after a 183 may differ");
    assert_eq!((agreed.codec, agreed.send_dtmf), (Codec::Pcma, None));
}

#[test]
fn other_streams_keep_their_place() {
    let mut callee = phone(24, 12_000);
    let offer = stream("m=video 4002 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 8\r\nm=audio 4004 RTP/AVP 0\r\n");
    let answer = callee.receive_offer(&offer).expect("an answer").description;
    let ports = |body: &Description| body.media.iter().map(Media::port).collect::<Vec<_>>();
    assert_eq!(ports(&answer), [0, 12_000, 0]);
    let again = callee.offer();
    assert_eq!(ports(&again), [0, 12_000, 0]);
    assert_eq!(again.media.first().map(Media::kind), Some("video"));
    let reply = stream("m=video 0 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 8\r\nm=audio 0 RTP/AVP 0\r\n");
    assert!(callee.receive_answer(&reply).is_ok());
}

#[test]
fn refusals_say_why_and_change_nothing() {
    let check = |body: &str, expected: Refusal| {
        let mut callee = phone(24, 12_000);
        assert_eq!(callee.receive_offer(&stream(body)).err(), Some(expected), "{body}");
        assert_eq!(expected.status(), 488);
        assert!(callee.agreed().is_none());
    };
    check("", Refusal::NoAudio);
    check("m=audio 0 RTP/AVP 8\r\n", Refusal::NoAudio);
    check("m=video 4000 RTP/AVP 8\r\n", Refusal::NoAudio);
    check("m=audio 4000 RTP/AVP 18\r\n", Refusal::NoCommonCodec);
    check("m=video 4002 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 18\r\n", Refusal::NoCommonCodec);
    check("m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/16000\r\n", Refusal::NoCommonCodec);
    check("m=audio 4000 UDP/TLS/RTP/SAVPF 8\r\n", Refusal::Transport);
    check("m=audio 4000 RTP/SAVP 8\r\n", Refusal::SrtpNotAcceptable);
    let homeless = parse("v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 4000 RTP/AVP 8\r\n");
    assert_eq!(phone(24, 1).receive_offer(&homeless).err(), Some(Refusal::NoAddress));
}

#[test]
fn answers_that_do_not_fit() {
    let check = |body: &str, expected: Refusal| {
        let mut caller = phone(23, 10_000);
        caller.offer();
        assert_eq!(caller.receive_answer(&stream(body)).err(), Some(expected), "{body}");
    };
    check("", Refusal::Mismatch);
    check("m=video 4000 RTP/AVP 8\r\n", Refusal::Mismatch);
    check("m=audio 0 RTP/AVP 8\r\n", Refusal::Rejected);
    check("m=audio 4000 RTP/AVP 9\r\n", Refusal::NoCommonCodec);
    check("m=audio 4000 RTP/SAVP 8\r\n", Refusal::SrtpNotAcceptable);
    let mut callee = phone(24, 12_000);
    assert_eq!(callee.receive_answer(&stream("m=audio 1 RTP/AVP 8\r\n")), Err(Refusal::NoOffer));
}

#[test]
fn crossing_offers_are_glare() {
    let (mut one, mut other) = (phone(23, 10_000), phone(24, 12_000));
    exchange(&mut one, &mut other).expect("agreement");
    one.hold(HoldForm::SENDONLY);
    let (first, second) = (one.offer(), other.offer());
    assert_eq!(one.receive_offer(&second), Err(Refusal::Glare));
    assert_eq!(Refusal::Glare.status(), 491);
    other.offer_failed();
    assert!(one.is_waiting() && !other.is_waiting());
    assert!(other.receive_offer(&first).is_ok());
}

#[test]
fn srtp_policies_meet() {
    use SrtpPolicy::{Off, Optional, Required};
    use Suite::{AesCm128HmacSha1_32 as Short, AesCm128HmacSha1_80 as Long};
    let check = |from: SrtpPolicy, to: SrtpPolicy, expected: Result<bool, Refusal>| {
        let mut caller = secure_phone(23, from, &[(Long, KEY_A), (Short, KEY_B)]);
        let mut callee = secure_phone(24, to, &[(Short, KEY_C)]);
        let result = exchange(&mut caller, &mut callee);
        if let Ok((at_caller, at_callee)) = &result {
            let (ours, theirs) = (at_caller.srtp.clone(), at_callee.srtp.clone());
            let mirrored = theirs.map(|AgreedSrtp { local_key, remote_key }| AgreedSrtp {
                local_key: remote_key,
                remote_key: local_key,
            });
            assert_eq!(ours, mirrored);
            assert!(ours.is_none_or(
                |srtp| srtp.local_key == key(Short, KEY_B) && srtp.remote_key == key(Short, KEY_C)
            ));
        }
        assert_eq!(result.map(|(agreed, _)| agreed.srtp.is_some()), expected, "{from:?} to {to:?}");
    };
    check(Off, Off, Ok(false));
    check(Off, Optional, Ok(false));
    check(Off, Required, Err(Refusal::SrtpRequired));
    check(Optional, Off, Ok(false));
    check(Optional, Optional, Ok(true));
    check(Optional, Required, Ok(true));
    check(Required, Off, Err(Refusal::SrtpNotAcceptable));
    check(Required, Optional, Ok(true));
    check(Required, Required, Ok(true));
}

#[test]
fn optional_srtp_is_plain_with_keys_and_stays_secure_once_it_was() {
    use Suite::AesCm128HmacSha1_80 as Long;
    let mut caller = secure_phone(23, SrtpPolicy::Optional, &[(Long, KEY_A)]);
    assert!(text(&caller.offer()).contains("m=audio 10000 RTP/AVP 8 0 101\r\n"));
    caller.offer_failed();
    let offer = stream(&format!(
        "m=audio 4000 RTP/AVP 8\r\nm=audio 4002 RTP/SAVP 8\r\n\
         a=crypto:5 AES_256_CM_HMAC_SHA1_80 inline:{KEY_B}\r\n\
         a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:{KEY_B}|2^31\r\n"
    ));
    let answer = caller.receive_offer(&offer).expect("the encrypted stream is preferred");
    assert!(
        text(&answer.description).contains(&format!("a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:{KEY_A}\r\n"))
    );
    assert!(text(&answer.description).contains("m=audio 10000 RTP/SAVP 8\r\n"));
    assert!(text(&caller.offer()).contains("m=audio 10000 RTP/SAVP 8 0 101\r\n"));
}

#[test]
fn keys_nobody_offered_are_refused() {
    use Suite::AesCm128HmacSha1_80 as Long;
    let check = |crypto: &str, expected: Refusal| {
        let mut caller = secure_phone(23, SrtpPolicy::Required, &[(Long, KEY_A)]);
        caller.offer();
        let answer = stream(&format!("m=audio 4000 RTP/SAVP 8\r\n{crypto}"));
        assert_eq!(caller.receive_answer(&answer).err(), Some(expected), "{crypto}");
    };
    check("", Refusal::SrtpNotAcceptable);
    check(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{KEY_B}\r\n"), Refusal::Mismatch);
    check("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short\r\n", Refusal::SrtpNotAcceptable);
    let mut caller = secure_phone(23, SrtpPolicy::Required, &[(Long, KEY_A)]);
    caller.offer();
    assert_eq!(caller.receive_answer(&stream("m=audio 1 RTP/AVP 8\r\n")), Err(Refusal::SrtpRequired));
}

#[test]
fn an_answer_under_another_tag_is_taken_by_its_suite() {
    use Suite::{AesCm128HmacSha1_32 as Short, AesCm128HmacSha1_80 as Long};
    let check = |keys: &[(Suite, &str)],
                 crypto: &str,
                 expected: Result<&str, Refusal>,
                 expected_tags: Option<(u32, u32)>| {
        let mut caller = secure_phone(23, SrtpPolicy::Required, keys);
        caller.offer();
        let answer = stream(&format!("m=audio 4000 RTP/SAVP 8\r\na=crypto:{crypto} inline:{KEY_C}\r\n"));
        let agreed =
            caller.receive_answer(&answer).map(|agreed| agreed.srtp.expect("keys").local_key.base64());
        let tags = caller.renumbered().map(|tags| (tags.ours, tags.theirs));
        assert_eq!(agreed, expected.map(str::to_owned), "{crypto}");
        assert_eq!(tags, expected_tags, "{crypto}");
    };
    let both = [(Long, KEY_A), (Short, KEY_B)];
    check(&both, "1 AES_CM_128_HMAC_SHA1_80", Ok(KEY_A), None);
    check(&both, "2 AES_CM_128_HMAC_SHA1_80", Ok(KEY_A), Some((1, 2)));
    check(&both, "1 AES_CM_128_HMAC_SHA1_32", Ok(KEY_B), Some((2, 1)));
    check(&both[..1], "9 AES_CM_128_HMAC_SHA1_80", Ok(KEY_A), Some((1, 9)));
    // Of two of one suite nobody can tell which one is meant.
    let same = [(Long, KEY_A), (Long, KEY_B)];
    check(&same, "2 AES_CM_128_HMAC_SHA1_80", Ok(KEY_B), None);
    check(&same, "3 AES_CM_128_HMAC_SHA1_80", Err(Refusal::Mismatch), None);
}

#[test]
fn both_hold_and_each_knows_what_the_other_does() {
    let (mut one, mut other) = (phone(23, 10_000), phone(24, 12_000));
    exchange(&mut one, &mut other).expect("agreement");
    let form = HoldForm::SENDONLY;
    let check = |one: &OfferAnswer, other: &OfferAnswer, one_held: bool, other_held: bool| {
        assert_eq!((one.is_remote_hold(), other.is_remote_hold()), (one_held, other_held));
    };
    other.hold(form);
    exchange(&mut other, &mut one).expect("agreement");
    check(&one, &other, true, false);
    one.hold(form);
    exchange(&mut one, &mut other).expect("agreement");
    check(&one, &other, true, true);
    other.resume();
    exchange(&mut other, &mut one).expect("agreement");
    check(&one, &other, false, true);
    other.hold(form);
    exchange(&mut other, &mut one).expect("agreement");
    one.resume();
    let (at_one, _) = exchange(&mut one, &mut other).expect("agreement");
    check(&one, &other, true, false);
    assert!(at_one.receive && !at_one.send);
    other.resume();
    exchange(&mut other, &mut one).expect("agreement");
    check(&one, &other, false, false);
    // An answer to a hold by `inactive` can be nothing else.
    one.hold(HoldForm { inactive: true, ..form });
    exchange(&mut one, &mut other).expect("agreement");
    check(&one, &other, false, true);
}

#[test]
fn keys_are_not_shown() {
    let mut caller = secure_phone(23, SrtpPolicy::Required, &[(Suite::AesCm128HmacSha1_80, KEY_A)]);
    caller.offer();
    assert!(!format!("{caller:?}").contains(KEY_A));
}

proptest! {
    #[test]
    fn any_offer_is_answered_in_kind_or_refused(
        lines in proptest::collection::vec(
            prop_oneof![
                "m=(audio|video) (0|4000) RTP/S?AVP( (0|8|9|18|96|101)){0,4}",
                Just("c=IN IP4 0.0.0.0".to_owned()),
                "a=(sendrecv|sendonly|recvonly|inactive)",
                "a=rtpmap:(0|8|96|101) (PCMA|telephone-event|G722)/(8000|16000)",
                "a=crypto:[0-9] AES_CM_128_HMAC_SHA1_(80|32) inline:[A-B]{40}",
                "a=(ptime|maxptime|rtcp):[0-9]{1,6}",
            ],
            0..16,
        ),
        policy in prop_oneof![
            Just(SrtpPolicy::Off), Just(SrtpPolicy::Optional), Just(SrtpPolicy::Required)
        ],
    ) {
        let offer = stream(&format!("{}\r\n", lines.join("\r\n")));
        let mut callee = secure_phone(24, policy, &[(Suite::AesCm128HmacSha1_80, KEY_A)]);
        if let Ok(answer) = callee.receive_offer(&offer) {
            let sent = parse(&text(&answer.description));
            prop_assert_eq!(sent.media.len(), offer.media.len());
            prop_assert_eq!(sent.media.iter().filter(|media| media.port() != 0).count(), 1);
            prop_assert!(policy != SrtpPolicy::Required || answer.agreed.srtp.is_some());
            prop_assert!(policy != SrtpPolicy::Off || answer.agreed.srtp.is_none());
        }
        let mut caller = secure_phone(23, policy, &[(Suite::AesCm128HmacSha1_80, KEY_A)]);
        caller.offer();
        let _ = caller.receive_answer(&offer);
    }
}
