//! Calls between extensions, message for message.

use super::*;

/// 7001 calls 7002, which rings. Returns the INVITEs of both legs.
fn ringing(bench: &mut Bench, phones: &mut [Phone; 3]) -> (String, String) {
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let offered = bench.heard(&phones[1], "INVITE");
    for status in [100, 180] {
        let answer = phones[1].answer(&offered, status, "", "");
        bench.say(&phones[1], &answer);
    }
    (invite, offered)
}

/// 7001 talks to 7002. Returns what 7001 heard as answer, and the INVITE of 7002.
fn talking(bench: &mut Bench, phones: &mut [Phone; 3]) -> (String, String) {
    let (invite, offered) = ringing(bench, phones);
    let answer = phones[1].answer(&offered, 200, "", SDP);
    bench.say(&phones[1], &answer);
    let answered = bench.heard(&phones[0], "SIP/2.0 200");
    let ack = phones[0].ack(&invite, &answered);
    bench.say(&phones[0], &ack);
    (answered, offered)
}

#[test]
fn an_invite_is_challenged_and_a_call_comes_and_goes() {
    let (mut bench, mut phones) =
        (Bench::new(), [Phone::new("7001"), Phone::new("7002"), Phone::new("7003")]);
    bench.register(&mut phones[1]);
    bench.ladder.clear();
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let refusal = bench.heard(&phones[0], "SIP/2.0 401");
    phones[0].challenged(&refusal);
    let ack = phones[0].ack(&invite, &refusal);
    bench.say(&phones[0], &ack);
    bench.check("7001>s INVITE; s>7001 401; 7001>s ACK");
    let (answered, _) = talking(&mut bench, &mut phones);
    bench.check(
        "7001>s INVITE; s>7001 100; s>7002 INVITE; 7002>s 100; 7002>s 180; s>7001 180; \
         7002>s 200; s>7002 ACK; s>7001 200; 7001>s ACK",
    );
    let bye = phones[0].within(&answered, "BYE", "", "");
    bench.say(&phones[0], &bye);
    bench.check("7001>s BYE; s>7001 200; s>7002 BYE");
    assert!(bench.exchange.calls().is_empty());
    assert!(matches!(bench.events.last(), Some(Event::CallEnded(record)) if record.answered_at_ms.is_some()));
}

#[test]
fn media_goes_through_the_relay() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, offered) = talking(&mut bench, &mut phones);
    assert!(offered.contains("c=IN IP4 127.0.0.1\r\n") && offered.contains("m=audio 20002 "), "{offered}");
    assert!(answered.contains("m=audio 20000 "), "{answered}");
    let remote = Some("10.0.0.1:4000".parse().expect("sound"));
    let point = |side| RelayCommand::Point { relay: 0, side, remote, srtp: None };
    assert!(matches!(bench.media[0], RelayCommand::Open { relay: 0, .. }));
    assert_eq!(bench.media[1..], [point(crate::relay::Side::A), point(crate::relay::Side::B)]);
}

#[test]
fn the_called_side_hangs_up() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (_, offered) = talking(&mut bench, &mut phones);
    bench.ladder.clear();
    let bye = phones[1].within_called(&offered, "BYE", "", "");
    bench.say(&phones[1], &bye);
    bench.check("7002>s BYE; s>7002 200; s>7001 BYE");
    assert_eq!(bench.media.last(), Some(&RelayCommand::Close { relay: 0 }));
}

#[test]
fn hold_is_relayed() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    bench.ladder.clear();
    for form in [
        "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=sendonly\r\n",
        "c=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=sendrecv\r\n",
    ] {
        let sdp = format!("v=0\r\no=- 1 2 IN IP4 10.0.0.1\r\ns=-\r\n{form}");
        let invite = phones[0].within(&answered, "INVITE", "", &sdp);
        bench.say(&phones[0], &invite);
        let asked = bench.heard(&phones[1], "INVITE");
        assert_eq!(asked.contains("c=IN IP4 0.0.0.0\r\n"), form.contains("0.0.0.0"));
        let answer = phones[1].answer(&asked, 200, "", SDP);
        bench.say(&phones[1], &answer);
        let ok = bench.heard(&phones[0], "SIP/2.0 200");
        let ack = phones[0].ack(&invite, &ok);
        bench.say(&phones[0], &ack);
        bench.check("7001>s INVITE; s>7002 INVITE; 7002>s 200; s>7002 ACK; s>7001 200; 7001>s ACK");
    }
}

#[test]
fn a_caller_cancels() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (invite, offered) = ringing(&mut bench, &mut phones);
    bench.ladder.clear();
    let cancel = invite.replace("INVITE", "CANCEL").split("Content-Type").next().expect("a head").to_owned();
    let cancel = format!("{cancel}Content-Length: 0\r\n\r\n");
    bench.say(&phones[0], &cancel);
    bench.check("7001>s CANCEL; s>7001 200; s>7001 487; s>7002 CANCEL");
    let refused = phones[1].answer(&offered, 487, "", "");
    bench.say(&phones[1], &refused);
    bench.check("7002>s 487; s>7002 ACK");
    assert!(bench.exchange.calls.legs.is_empty());
}

#[test]
fn refusals_reach_the_caller() {
    let check = |status, told: &str| {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let (_, offered) = ringing(&mut bench, &mut phones);
        bench.ladder.clear();
        let refused = phones[1].answer(&offered, status, "", "");
        bench.say(&phones[1], &refused);
        bench.check(&format!("7002>s {status}; s>7002 ACK; s>7001 {told}"));
        assert!(bench.exchange.calls().is_empty());
    };
    check(486, "486");
    check(480, "480");
    check(603, "603");
    check(401, "500");
}

#[test]
fn nobody_answers() {
    let mut bench = Bench::with(Config { ring_s: 30, ..Config::default() });
    let mut phones = bench.ready();
    ringing(&mut bench, &mut phones);
    bench.ladder.clear();
    bench.wait(30);
    assert!(bench.ladder[..2] == ["s>7002 CANCEL", "s>7001 480"], "{:?}", bench.ladder);
}

#[test]
fn nobody_is_there() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite("7999", "call-1", "");
    bench.say(&phones[0], &invite);
    bench.check("7001>s INVITE; s>7001 100; s>7001 404");
    let request = phones[1].register("0");
    bench.say(&phones[1], &request);
    bench.ladder.clear();
    let invite = phones[0].invite("7002", "call-2", "");
    bench.say(&phones[0], &invite);
    bench.check("7001>s INVITE; s>7001 100; s>7001 480");
}

#[test]
fn all_devices_ring_and_one_answers() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    phones[1].address.set_port(5_062);
    let request = phones[1].register("3600");
    bench.say(&phones[1], &request);
    let (_, offered) = ringing(&mut bench, &mut phones);
    bench.ladder.clear();
    let answer = phones[1].answer(&offered, 200, "", SDP);
    bench.say(&phones[1], &answer);
    bench.check("7002>s 200; s>7002 ACK; s>7001 200");
    assert_eq!(bench.exchange.calls.legs.len(), 3);
    phones[1].address.set_port(5_060);
    let other = bench.heard(&phones[1], "INVITE");
    let trying = phones[1].answer(&other, 100, "", "");
    bench.say(&phones[1], &trying);
    assert!(bench.heard(&phones[1], "CANCEL").contains("Call completed elsewhere"));
}

#[test]
fn a_request_in_a_dialog_must_come_from_its_flow() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    bench.ladder.clear();
    let mut thief = Phone::new("7003");
    let bye = thief.within(&answered, "BYE", "", "");
    bench.say(&thief, &bye);
    bench.check("7003>s BYE; s>7003 401");
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn options_are_answered() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    let options = phone.request("OPTIONS", "sip:192.0.2.100", "<sip:192.0.2.100>", "", "o", "", "");
    bench.say(&phone, &options);
    assert!(bench.heard(&phone, "SIP/2.0 200").contains("Allow: INVITE"));
}
