//! What the exchange itself answers: echo, tones, confirmations, parking places, intercom.

use std::net::SocketAddr;

use super::calls::{answer_invite, ringing, talking};
use super::lamps::subscribe;
use super::*;
use crate::relay::{Side, Sound};

/// What the relay was last told to say to the caller.
fn heard_by_caller(bench: &Bench) -> Option<Sound> {
    let plays = bench.media.iter().rev();
    let mut told = plays.filter_map(|command| match command {
        RelayCommand::Play { side: Side::A, speech, .. } => Some(speech.map(|speech| speech.sound)),
        _ => None,
    });
    told.next().flatten()
}

/// 7001 dials a code that is answered; what it hears.
fn dial(bench: &mut Bench, phone: &mut Phone, code: &str) -> String {
    let invite = phone.invite(code, &format!("call-{code}"), "");
    bench.say(phone, &invite);
    let ok = bench.heard(phone, "SIP/2.0 200");
    let ack = phone.ack(&invite, &ok);
    bench.say(phone, &ack);
    ok
}

#[test]
fn echo_and_test_tone_are_answered_by_the_exchange() {
    let check = |code: &str, sound: Sound| {
        let mut bench = Bench::new();
        let [mut phone, ..] = bench.ready();
        let ok = dial(&mut bench, &mut phone, code);
        bench.check("7001>s INVITE; s>7001 100; s>7001 200; 7001>s ACK");
        assert!(ok.contains(&format!("{}RTP/AVP 8\r\n", bench.audio(Side::A))), "{ok}");
        assert_eq!(heard_by_caller(&bench), Some(sound));
        let bye = phone.within(&ok, "BYE", "", "");
        bench.say(&phone, &bye);
        bench.check("7001>s BYE; s>7001 200");
        assert!(bench.exchange.calls().is_empty() && bench.exchange.calls.legs.is_empty());
    };
    check("*43", Sound::Echo);
    check("*44", Sound::TestTone);
}

#[test]
fn a_service_can_be_held_and_needs_a_common_codec() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    let ok = dial(&mut bench, &mut phone, "*43");
    let held = SDP.replace("m=audio 4000 RTP/AVP 8 101\r\n", "m=audio 4000 RTP/AVP 8 101\r\na=sendonly\r\n");
    let hold = phone.within(&ok, "INVITE", "", &held);
    bench.say(&phone, &hold);
    assert!(bench.heard(&phone, "SIP/2.0 200").contains("a=recvonly\r\n"));
    assert_eq!(heard_by_caller(&bench), None);
    let strange = phone
        .invite("*43", "strange", "")
        .replace("m=audio 4000 RTP/AVP 8 101", "m=audio 4000 RTP/AVP 96 97");
    let strange = strange.replace("rtpmap:8 PCMA", "rtpmap:96 OPUS");
    let body = strange.split("\r\n\r\n").nth(1).expect("a body").len();
    let strange =
        strange.replace(&format!("Content-Length: {}", SDP.len()), &format!("Content-Length: {body}"));
    bench.say(&phone, &strange);
    bench.heard(&phone, "SIP/2.0 488");
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn a_setting_by_code_is_confirmed_by_a_tone() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    dial(&mut bench, &mut phones[1], "*727003");
    assert_eq!(heard_by_caller(&bench), Some(Sound::Confirmation));
    bench.ladder.clear();
    bench.wait(2);
    assert_eq!(bench.ladder.first().map(String::as_str), Some("s>7002 BYE"));
    let kept = bench.changes.iter().any(|change| {
        matches!(change, Change::Extension(own)
        if own.number == "7002" && own.forward.always.as_deref() == Some("7003"))
    });
    assert!(kept);
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    bench.heard(&phones[2], "INVITE");
}

#[test]
fn feature_codes_are_listed_and_set() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    let Answer::Codes(mut codes) = bench.command(What::Codes) else { panic!("no codes") };
    codes.echo = "*78".into();
    let refused = bench.command(What::SetCodes(codes.clone()));
    assert!(matches!(refused, Answer::Refused(text) if text.contains("do_not_disturb and echo")));
    codes.echo = "*99".into();
    assert!(matches!(bench.command(What::SetCodes(codes.clone())), Answer::Ok));
    assert!(bench.changes.contains(&Change::Codes(codes)));
    dial(&mut bench, &mut phone, "*99");
    let old = phone.invite("*43", "old", "");
    bench.say(&phone, &old);
    bench.heard(&phone, "SIP/2.0 404");
}

/// 7001 talks to 7002 and parks it at `place` by a blind transfer.
fn parked(bench: &mut Bench, phones: &mut [Phone; 3], place: &str) {
    let (answered, _) = talking(bench, phones);
    bench.ladder.clear();
    let refer_to = format!("Refer-To: <sip:{place}@192.0.2.100>\r\n");
    let refer = phones[0].within(&answered, "REFER", &refer_to, "");
    bench.say(&phones[0], &refer);
    let bye = phones[0].within(&answered, "BYE", "", "");
    bench.say(&phones[0], &bye);
}

#[test]
fn a_call_is_parked_with_a_lamp_and_retrieved() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    subscribe(&mut bench, &mut phones[2], "800", "dialog", 3_600);
    let notify = bench.heard(&phones[2], "NOTIFY");
    assert!(!notify.contains("<dialog "), "{notify}");
    let ok = phones[2].answer(&notify, 200, "", "");
    bench.say(&phones[2], &ok);
    parked(&mut bench, &mut phones, "*5");
    bench.check(
        "7001>s REFER; s>7001 202; s>7001 NOTIFY; s>7001 NOTIFY; s>7002 INVITE; s>7003 NOTIFY; \
         7001>s BYE; s>7001 200",
    );
    assert!(bench.heard(&phones[0], "NOTIFY").ends_with("SIP/2.0 200 OK\r\n"));
    let lamp = bench.heard(&phones[2], "NOTIFY");
    assert!(lamp.contains("parked") && lamp.contains("sip:7002@") && lamp.contains(">confirmed<"), "{lamp}");
    let ok = phones[2].answer(&lamp, 200, "", "");
    bench.say(&phones[2], &ok);
    answer_invite(&mut bench, &phones[1], 200);
    assert_eq!(heard_by_caller(&bench), Some(Sound::Music));
    bench.ladder.clear();

    let invite = phones[2].invite("800", "retrieve", "");
    bench.say(&phones[2], &invite);
    bench.check("7003>s INVITE; s>7003 100; s>7002 INVITE; s>7003 NOTIFY");
    assert!(!bench.heard(&phones[2], "NOTIFY").contains("parked"));
    answer_invite(&mut bench, &phones[1], 200);
    bench.check("7002>s 200; s>7002 ACK; s>7003 200");
    assert_eq!(heard_by_caller(&bench), None);
    let calls = bench.exchange.calls();
    assert_eq!((&*calls[0].caller.number, &*calls[0].callee.number), ("7002", "7003"));
}

#[test]
fn a_place_holds_one_call_and_the_parked_side_may_go() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    parked(&mut bench, &mut phones, "*5805");
    let asked = bench.heard(&phones[1], "INVITE");
    answer_invite(&mut bench, &phones[1], 200);
    let invite = phones[2].invite("800", "other-place", "");
    bench.say(&phones[2], &invite);
    bench.heard(&phones[2], "SIP/2.0 404");
    let bye = phones[1].within_called(&asked, "BYE", "", "");
    bench.say(&phones[1], &bye);
    assert!(bench.exchange.calls().is_empty() && bench.exchange.calls.parked.count() == 0);
}

#[test]
fn places_run_out() {
    let parking = Parking { count: 1, ..Parking::default() };
    let mut bench = Bench::with(Config { parking, ..Config::default() });
    let mut phones = bench.ready();
    parked(&mut bench, &mut phones, "*5");
    answer_invite(&mut bench, &phones[1], 200);
    let invite = phones[0].invite("7003", "second", "");
    bench.say(&phones[0], &invite);
    answer_invite(&mut bench, &phones[2], 200);
    let ok = bench.heard(&phones[0], "SIP/2.0 200");
    let ack = phones[0].ack(&invite, &ok);
    bench.say(&phones[0], &ack);
    let refer = phones[0].within(&ok, "REFER", "Refer-To: <sip:*5@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    bench.heard(&phones[0], "SIP/2.0 486");
    assert_eq!(bench.exchange.calls().len(), 2);
}

#[test]
fn whoever_parked_a_call_that_nobody_takes_is_called() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    parked(&mut bench, &mut phones, "*5");
    answer_invite(&mut bench, &phones[1], 200);
    bench.ladder.clear();
    bench.wait(121);
    assert!(bench.ladder.contains(&"s>7001 INVITE".to_owned()), "{:?}", bench.ladder);
    let recall = bench.heard(&phones[0], "INVITE");
    assert!(recall.contains("sip:7002@"), "{recall}");
    bench.ladder.clear();
    answer_invite(&mut bench, &phones[0], 200);
    bench.check("7001>s 200; s>7001 ACK; s>7002 INVITE");
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn places_are_no_accounts() {
    let mut bench = Bench::new();
    bench.ready();
    let Answer::Extensions(all) = bench.command(What::Extensions { after: None }) else {
        panic!("no extensions")
    };
    assert_eq!(all.len(), 3);
    let place = Extension::new("800", "offhook", "secret");
    assert!(matches!(bench.command(What::SetExtension(Box::new(place))), Answer::Refused(_)));
    assert!(matches!(bench.command(What::RemoveExtension("800".into())), Answer::Refused(_)));
    assert!(bench.exchange.directory.find_by_username("800").is_none());
}

#[test]
fn an_intercom_call_answers_itself_where_that_is_allowed() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite("*807002", "intercom", "");
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    assert!(asked.contains("answer-after=0") && asked.contains("alert-autoanswer"), "{asked}");
    let again = phones[2].invite("*807002", "intercom-2", "");
    bench.say(&phones[2], &again);
    bench.heard(&phones[2], "SIP/2.0 486");

    let mut guarded = Extension::new("7002", "offhook", "secret");
    guarded.watchers = Some(vec!["7001".into()]);
    bench.command(What::SetExtension(Box::new(guarded)));
    let refused = phones[2].invite("*807002", "intercom-3", "");
    bench.say(&phones[2], &refused);
    bench.heard(&phones[2], "SIP/2.0 403");
}

/// What 7002 is told of a header of 7001, where 7002 says who may make its phones answer.
fn told_by(intercom: Intercom, field: &str) -> bool {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let mut guarded = Extension::new("7002", "offhook", "secret");
    guarded.intercom = intercom;
    assert!(matches!(bench.command(What::SetExtension(Box::new(guarded))), Answer::Ok));
    let invite = phones[0].invite("7002", "call-1", &format!("{field}\r\nSubject: hello\r\n"));
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    assert!(asked.contains("Subject: hello\r\n"), "{asked}");
    asked.contains(&format!("{field}\r\n"))
}

#[test]
fn nobody_opens_a_microphone_who_may_not() {
    let named = |number: &str| Intercom::Numbers(vec![number.to_owned()]);
    for field in [
        "Answer-Mode: Auto",
        "Priv-Answer-Mode: Auto;require",
        "Call-Info: <sip:x>;answer-after=0",
        "Call-Info: <sip:x>; Answer-After = 0",
        "Alert-Info: <http://x>;info=alert-autoanswer;delay=0",
        "Alert-Info: Auto Answer",
        "Alert-Info: <http://x>;info=Ring%20Answer",
        "Alert-Info: intercom=true",
    ] {
        for intercom in [Intercom::default(), Intercom::Nobody, named("7003")] {
            assert!(!told_by(intercom.clone(), field), "{field} {intercom:?}");
        }
        for intercom in [Intercom::Everybody, named("7001")] {
            assert!(told_by(intercom.clone(), field), "{field} {intercom:?}");
        }
    }
    for field in
        ["Alert-Info: <http://x/ring2.wav>;info=ring2", "Call-Info: <http://x/face.png>;purpose=icon"]
    {
        assert!(told_by(Intercom::Nobody, field), "{field}");
    }
}

#[test]
fn the_code_of_intercom_asks_the_same_permission() {
    for (intercom, heard) in [
        (Intercom::ByCode, "SIP/2.0 100"),
        (Intercom::Everybody, "SIP/2.0 100"),
        (Intercom::Numbers(vec!["7001".into()]), "SIP/2.0 100"),
        (Intercom::Numbers(vec!["7003".into()]), "SIP/2.0 403"),
        (Intercom::Nobody, "SIP/2.0 403"),
    ] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let mut guarded = Extension::new("7002", "offhook", "secret");
        guarded.intercom = intercom.clone();
        bench.command(What::SetExtension(Box::new(guarded)));
        let invite = phones[0].invite("*807002", "intercom", "");
        bench.say(&phones[0], &invite);
        let answers = &bench.inbox[&phones[0].address];
        assert!(answers.last().is_some_and(|text| text.starts_with(heard)), "{intercom:?}");
    }
}

#[test]
fn nobody_says_by_himself_who_sent_him_or_who_he_is() {
    for field in [
        "Diversion: <sip:7003@192.0.2.100>;reason=unconditional",
        "P-Asserted-Identity: <sip:7003@h>",
        "Remote-Party-ID: <sip:7003@h>",
    ] {
        assert!(!told_by(Intercom::Everybody, field), "{field}");
    }
}

#[test]
fn who_is_held_hears_music_where_there_is_some() {
    let check = |music: bool, expected: &[Option<Sound>]| {
        let mut bench = Bench::with(Config { music, ..Config::default() });
        let mut phones = bench.ready();
        let (answered, _) = talking(&mut bench, &mut phones);
        for direction in ["sendonly", "sendrecv"] {
            let sdp = format!("{SDP}a={direction}\r\n");
            let hold = phones[0].within(&answered, "INVITE", "", &sdp);
            bench.say(&phones[0], &hold);
            let asked = bench.heard(&phones[1], "INVITE");
            let answer = if direction == "sendonly" { "recvonly" } else { "sendrecv" };
            let ok = phones[1].answer(&asked, 200, "", &format!("{SDP}a={answer}\r\n"));
            bench.say(&phones[1], &ok);
            let ok = bench.heard(&phones[0], "SIP/2.0 200");
            let ack = phones[0].ack(&hold, &ok);
            bench.say(&phones[0], &ack);
        }
        let plays = bench.media.iter().filter_map(|command| match command {
            RelayCommand::Play { side: Side::B, speech, .. } => Some(speech.map(|speech| speech.sound)),
            _ => None,
        });
        assert_eq!(plays.collect::<Vec<_>>(), expected);
    };
    check(true, &[Some(Sound::Music), None]);
    check(false, &[]);
}

#[test]
fn a_place_of_the_relay_is_known_to_the_service() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    ringing(&mut bench, &mut phones);
    let ok = dial(&mut bench, &mut phones[2], "*43");
    assert!(ok.contains(&bench.audio(Side::A)), "{ok}");
    let remote: SocketAddr = "10.0.0.1:4000".parse().expect("sound");
    let pointed = bench.media.iter().any(|command| {
        matches!(command, RelayCommand::Point { relay, side: Side::A, remote: Some(at), .. } if *at == remote && *relay == bench.place())
    });
    assert!(pointed);
}
