//! Calls between extensions, message for message.

use super::*;
use crate::relay::Side;
use proto::rtp::Format;

/// 7001 calls 7002, which rings. Returns the INVITEs of both legs.
pub(super) fn ringing(bench: &mut Bench, phones: &mut [Phone; 3]) -> (String, String) {
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let offered = bench.heard(&phones[1], "INVITE");
    for status in [100, 180] {
        let answer = phones[1].answer(&offered, status, "", "");
        bench.say(&phones[1], &answer);
    }
    (invite, offered)
}

/// 7001 calls 7002 with one description and is answered with another. Returns what 7001 heard as answer,
/// and the INVITE of 7002.
pub(super) fn talking_with(
    bench: &mut Bench,
    phones: &mut [Phone; 3],
    offer: &str,
    answer: &str,
) -> (String, String) {
    let invite = phones[0].invite_with("7002", "call-1", offer);
    bench.say(&phones[0], &invite);
    let offered = bench.heard(&phones[1], "INVITE");
    let ok = phones[1].answer(&offered, 200, "", answer);
    bench.say(&phones[1], &ok);
    let answered = bench.heard(&phones[0], "SIP/2.0 200");
    let ack = phones[0].ack(&invite, &answered);
    bench.say(&phones[0], &ack);
    (answered, offered)
}

/// 7001 talks to 7002. Returns what 7001 heard as answer, and the INVITE of 7002.
pub(super) fn talking(bench: &mut Bench, phones: &mut [Phone; 3]) -> (String, String) {
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
    assert!(
        offered.contains("c=IN IP4 127.0.0.1\r\n") && offered.contains(&bench.audio(Side::B)),
        "{offered}"
    );
    assert!(answered.contains(&bench.audio(Side::A)), "{answered}");
    let remote = Some("10.0.0.1:4000".parse().expect("sound"));
    let home = |phone: &Phone| Some(phone.address.ip());
    let relay = bench.place();
    let pcma = || vec![Format { payload_type: 8, clock_rate_hz: 8_000 }];
    let point = |side, home, formats| RelayCommand::Point { relay, side, remote, home, formats, srtp: None };
    assert!(matches!(bench.media[0], RelayCommand::Open { .. }));
    // The caller may send nothing before it has an answer.
    let expected = [
        point(Side::A, home(&phones[0]), Vec::new()),
        point(Side::A, home(&phones[0]), pcma()),
        point(Side::B, home(&phones[1]), pcma()),
    ];
    assert_eq!(bench.media[1..], expected);
}

#[test]
fn a_call_that_speaks_of_no_sound_opens_no_relay() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, offered) = talking_with(&mut bench, &mut phones, "", "");
    assert!(!offered.contains("m=audio") && !answered.contains("m=audio"));
    let bye = phones[0].within(&answered, "BYE", "", "");
    bench.say(&phones[0], &bye);
    assert_eq!(bench.media, []);
    // Its place is free at once.
    let (_, offered) = ringing(&mut bench, &mut phones);
    assert!(offered.contains(&bench.audio(Side::B)), "{offered}");
    let opened = |command: &RelayCommand| matches!(command, RelayCommand::Open { .. });
    assert_eq!(bench.media.iter().filter(|command| opened(command)).count(), 1);
}

#[test]
fn without_the_relay_there_is_no_call() {
    let failed = |relay| RelayEvent::Failed { relay, reason: "all ports are in use".into() };
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    ringing(&mut bench, &mut phones);
    let place = bench.place();
    bench.ladder.clear();
    bench.give(Input::Heard(failed(place)));
    assert!(bench.heard(&phones[0], "SIP/2.0 503").contains("Retry-After: 5\r\n"));
    bench.check("s>7001 503; s>7002 CANCEL");
    assert!(bench.exchange.calls().is_empty());
    assert!(
        bench.events.iter().any(|event| matches!(event, Event::RelayFailed { relay, .. } if *relay == place))
    );
    // The relay knows nothing of the call either; its place may be tried again.
    bench.give(Input::Heard(failed(place)));
    assert_eq!(bench.events.iter().filter(|event| matches!(event, Event::RelayFailed { .. })).count(), 1);

    let mut bench = Bench::new();
    let mut phones = bench.ready();
    talking(&mut bench, &mut phones);
    let place = bench.place();
    bench.ladder.clear();
    bench.give(Input::Heard(failed(place)));
    bench.check("s>7001 BYE; s>7002 BYE");
}

#[test]
fn whoever_sends_into_a_call_of_others_is_told() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    talking(&mut bench, &mut phones);
    let from = "198.51.100.9:5000".parse().expect("sound");
    let relay = bench.place();
    bench.give(Input::Heard(RelayEvent::Stranger { relay, side: Side::B, from }));
    let call = bench.exchange.calls().first().map(|call| call.call);
    let told = bench.events.last().expect("an event");
    assert!(
        matches!(told, Event::MediaStranger { call: of, side: "callee", from: at } if *of == call && *at == from),
        "{told:?}"
    );
}

#[test]
fn an_answer_told_before_the_200_is_told_again_with_it() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (_, offered) = ringing(&mut bench, &mut phones);
    for (status, sdp) in [(183, SDP), (200, "")] {
        let answer = phones[1].answer(&offered, status, "", sdp);
        bench.say(&phones[1], &answer);
    }
    let answered = bench.heard(&phones[0], "SIP/2.0 200");
    assert!(answered.contains(&bench.audio(Side::A)), "{answered}");
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
    assert_eq!(bench.media.last(), Some(&RelayCommand::Close { relay: bench.place() }));
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
fn a_session_description_among_other_parts_is_relayed() {
    let invited = |handling: &str| {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let body = format!(
            "--b\r\nContent-Type: application/isup\r\nContent-Disposition: signal;handling={handling}\r\n\r\nx\r\n\
             --b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n"
        );
        let kind = "Content-Type: multipart/mixed;boundary=b\r\n";
        let invite = phones[0].invite_saying("7002", "call-1", kind, &body);
        bench.say(&phones[0], &invite);
        (bench, phones)
    };
    let (bench, phones) = invited("optional");
    let offered = bench.heard(&phones[1], "INVITE");
    assert!(offered.contains("\r\nContent-Type: application/sdp\r\n") && offered.contains("\r\nm=audio "));
    assert!(!offered.contains("isup"));
    let (bench, phones) = invited("required");
    assert!(bench.heard(&phones[0], "SIP/2.0 415").contains("\r\nAccept: application/sdp\r\n"));
}

#[test]
fn options_are_answered() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    let options = phone.request("OPTIONS", "sip:192.0.2.100", "<sip:192.0.2.100>", "", "o", "", "");
    bench.say(&phone, &options);
    let told = bench.heard(&phone, "SIP/2.0 200");
    assert!(told.contains("Allow: INVITE") && told.contains("Accept: application/sdp\r\n"), "{told}");
    let uri = "sip:7999@192.0.2.100";
    let options = phone.request("OPTIONS", uri, &format!("<{uri}>"), "", "p", "", "");
    bench.say(&phone, &options);
    bench.heard(&phone, "SIP/2.0 404");
}

#[test]
fn what_is_required_and_not_known_is_named() {
    let mut bench = Bench::new();
    let [mut phone, ..] = bench.ready();
    for method in ["INVITE", "OPTIONS", "SUBSCRIBE", "REGISTER"] {
        let fields =
            format!("Contact: {}\r\nRequire: Timer, eventlist, x-new\r\nEvent: dialog\r\n", phone.contact());
        let uri = "sip:7002@192.0.2.100";
        let request = phone.request(method, uri, &format!("<{uri}>"), "", method, &fields, "");
        bench.say(&phone, &request);
        let refused = bench.heard(&phone, "SIP/2.0 420");
        assert!(refused.contains("Unsupported: eventlist, x-new\r\n"), "{refused}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_by_its_name() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let uri = "sip:7002@192.0.2.100";
    for (method, status) in [("MESSAGE", 405), ("PUBLISH", 405), ("X-NEW", 405), ("REFER", 403)] {
        let fields = "Refer-To: <sip:7003@192.0.2.100>\r\nEvent: presence\r\n";
        let request = phones[0].request(method, uri, &format!("<{uri}>"), "", method, fields, "");
        bench.say(&phones[0], &request);
        let refused = bench.heard(&phones[0], &format!("SIP/2.0 {status}"));
        assert!(status != 405 || refused.contains("Allow: INVITE, ACK"), "{refused}");
    }
    let invite = phones[0].invite("7002", "odd", "");
    let odd = invite.replace("application/sdp", "application/x-new");
    bench.say(&phones[0], &odd);
    assert!(bench.heard(&phones[0], "SIP/2.0 415").contains("Accept: application/sdp\r\n"));
}

#[test]
fn inside_a_call_digits_pass_and_what_nobody_reads_is_refused() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    let digit = phones[0].within(&answered, "INFO", "", "Signal=5\r\nDuration=160\r\n");
    bench.ladder.clear();
    bench.say(&phones[0], &digit.replace("application/sdp", "application/dtmf-relay"));
    bench.check("7001>s INFO; s>7001 200; s>7002 INFO");
    assert!(bench.heard(&phones[1], "INFO").contains("Signal=5\r\n"));
    for (method, media_type, status) in [
        ("INFO", "application/x-new", 415),
        ("MESSAGE", "text/plain", 405),
        ("INVITE", "application/x-new", 415),
    ] {
        let odd = phones[0].within(&answered, method, "", "something");
        bench.say(&phones[0], &odd.replace("application/sdp", media_type));
        bench.check(&format!("7001>s {method}; s>7001 {status}"));
    }
}

/// A phone's answer to the newest INVITE that it heard.
pub(super) fn answer_invite(bench: &mut Bench, phone: &Phone, status: u16) {
    let asked = bench.heard(phone, "INVITE");
    let answer = phone.answer(&asked, status, "", SDP);
    bench.say(phone, &answer);
}

#[test]
fn a_blind_transfer_goes_as_in_the_deck() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    bench.ladder.clear();
    let refer = phones[0].within(&answered, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    bench.check("7001>s REFER; s>7001 202; s>7001 NOTIFY; s>7003 INVITE");
    let asked = bench.heard(&phones[2], "INVITE");
    let ringing = phones[2].answer(&asked, 180, "", "");
    bench.say(&phones[2], &ringing);
    bench.check("7003>s 180; s>7001 NOTIFY");
    assert!(bench.heard(&phones[0], "NOTIFY").ends_with("SIP/2.0 180 Ringing\r\n"));
    answer_invite(&mut bench, &phones[2], 200);
    bench.check("7003>s 200; s>7003 ACK; s>7001 NOTIFY; s>7002 INVITE");
    assert!(bench.heard(&phones[0], "NOTIFY").ends_with("SIP/2.0 200 OK\r\n"));
    let bye = phones[0].within(&answered, "BYE", "", "");
    bench.say(&phones[0], &bye);
    answer_invite(&mut bench, &phones[1], 200);
    bench.check("7001>s BYE; s>7001 200; 7002>s 200; s>7002 ACK");
    let calls = bench.exchange.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!((&*calls[0].caller.number, &*calls[0].callee.number), ("7002", "7003"));
    assert_eq!(bench.exchange.calls.legs.len(), 2);
}

#[test]
fn the_target_of_a_transfer_is_not_told_of_the_hold_before_it() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    let held = |way: &str| {
        SDP.replace("c=IN IP4 10.0.0.1", "c=IN IP4 0.0.0.0")
            .replace("a=rtpmap", &format!("a={way}\r\na=rtpmap"))
    };
    let hold = phones[0].within(&answered, "INVITE", "", &held("sendonly"));
    bench.say(&phones[0], &hold);
    let asked = bench.heard(&phones[1], "INVITE");
    let answer = phones[1].answer(&asked, 200, "", &held("recvonly"));
    bench.say(&phones[1], &answer);
    let ok = bench.heard(&phones[0], "SIP/2.0 200");
    let ack = phones[0].ack(&hold, &ok);
    bench.say(&phones[0], &ack);
    let refer = phones[0].within(&answered, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    let offered = bench.heard(&phones[2], "INVITE");
    assert!(offered.contains("c=IN IP4 127.0.0.1\r\n") && !offered.contains("only\r\n"), "{offered}");
}

#[test]
fn a_transfer_to_nobody_leaves_the_call_as_it_is() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    let refer = phones[0].within(&answered, "REFER", "Refer-To: <sip:7999@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    assert!(bench.heard(&phones[0], "NOTIFY").ends_with("SIP/2.0 404 Not Found\r\n"));
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn the_transferor_may_leave_before_the_target_answers() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    let refer = phones[0].within(&answered, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    let bye = phones[0].within(&answered, "BYE", "", "");
    bench.say(&phones[0], &bye);
    bench.ladder.clear();
    answer_invite(&mut bench, &phones[2], 200);
    bench.check("7003>s 200; s>7003 ACK; s>7002 INVITE");
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn an_attended_transfer_goes_as_in_the_deck() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let invite = phones[0].invite("7003", "call-2", "");
    bench.say(&phones[0], &invite);
    answer_invite(&mut bench, &phones[2], 200);
    let second = bench.heard(&phones[0], "SIP/2.0 200");
    let ack = phones[0].ack(&invite, &second);
    bench.say(&phones[0], &ack);
    bench.ladder.clear();
    let parsed = Message::parse(second.as_bytes()).expect("sound");
    let (to, from) = (parsed.to_tag().to_owned(), parsed.from_tag().to_owned());
    let fields =
        format!("Refer-To: <sip:7003@192.0.2.100?Replaces=call-2%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}>\r\n");
    let refer = phones[0].within(&first, "REFER", &fields, "");
    bench.say(&phones[0], &refer);
    bench.check(
        "7001>s REFER; s>7001 202; s>7001 NOTIFY; s>7001 NOTIFY; s>7001 BYE; s>7001 BYE; s>7002 INVITE",
    );
    answer_invite(&mut bench, &phones[1], 200);
    bench.check("7002>s 200; s>7002 ACK; s>7003 INVITE");
    answer_invite(&mut bench, &phones[2], 200);
    bench.check("7003>s 200; s>7003 ACK");
    assert_eq!(bench.exchange.calls().len(), 1);
    assert_eq!(bench.exchange.calls.legs.len(), 2);
}

#[test]
fn a_ringing_call_is_picked_up() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    ringing(&mut bench, &mut phones);
    bench.ladder.clear();
    let invite = phones[2].invite("*047002", "pickup", "");
    bench.say(&phones[2], &invite);
    bench.check("7003>s INVITE; s>7003 100; s>7002 CANCEL; s>7003 200; s>7001 200");
    let calls = bench.exchange.calls();
    assert_eq!((&*calls[0].callee.number, calls[0].answered), ("7003", true));
    let invite = phones[2].invite("*047002", "pickup-2", "");
    bench.say(&phones[2], &invite);
    bench.heard(&phones[2], "SIP/2.0 404");
}

#[test]
fn a_pickup_answers_both_with_what_both_can() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    ringing(&mut bench, &mut phones);
    let wide = SDP.replace("RTP/AVP 8 101\r\n", "RTP/AVP 9 0 8 101\r\na=rtpmap:9 G722/8000\r\n");
    let (uri, contact) = ("sip:*047002@192.0.2.100", format!("Contact: {}\r\n", phones[2].contact()));
    let invite = phones[2].request("INVITE", uri, &format!("<{uri}>"), "", "pickup", &contact, &wide);
    bench.say(&phones[2], &invite);
    let told = bench.heard(&phones[0], "SIP/2.0 200");
    assert!(told.contains(" RTP/AVP 8") && !told.contains("G722"), "{told}");
}

#[test]
fn a_caller_without_an_offer_is_picked_up() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite_saying("7002", "call-1", "", "");
    bench.say(&phones[0], &invite);
    let offered = bench.heard(&phones[1], "INVITE");
    let rings = phones[1].answer(&offered, 180, "", "");
    bench.say(&phones[1], &rings);
    bench.ladder.clear();
    let pickup = phones[2].invite("*047002", "pickup", "");
    bench.say(&phones[2], &pickup);
    // The caller is told the offer of whoever takes the call, and its ACK has the answer.
    bench.check("7003>s INVITE; s>7003 100; s>7002 CANCEL; s>7001 200");
    let told = bench.heard(&phones[0], "SIP/2.0 200");
    let ack = with_body(&phones[0].ack(&invite, &told), SDP);
    bench.say(&phones[0], &ack);
    bench.check("7001>s ACK; s>7003 200");
    assert!(bench.heard(&phones[2], "SIP/2.0 200").contains("m=audio "));
}

#[test]
fn whoever_picks_up_without_an_offer_is_made_one() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    ringing(&mut bench, &mut phones);
    bench.ladder.clear();
    let pickup = phones[2].invite_saying("*047002", "pickup", "", "");
    bench.say(&phones[2], &pickup);
    bench.check("7003>s INVITE; s>7003 100; s>7002 CANCEL; s>7003 200");
    let offered = bench.heard(&phones[2], "SIP/2.0 200");
    assert!(offered.contains("m=audio "), "{offered}");
    let ack = with_body(&phones[2].ack(&pickup, &offered), SDP);
    bench.say(&phones[2], &ack);
    bench.check("7003>s ACK; s>7001 200");
    assert!(bench.heard(&phones[0], "SIP/2.0 200").contains("m=audio "));
    // Where neither offers there is nothing to talk by.
    let invite = phones[0].invite_saying("7002", "call-2", "", "");
    bench.say(&phones[0], &invite);
    let pickup = phones[2].invite_saying("*047002", "pickup-2", "", "");
    bench.say(&phones[2], &pickup);
    bench.heard(&phones[2], "SIP/2.0 488");
}

#[test]
fn a_redirection_is_followed_but_not_in_circles() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (_, offered) = ringing(&mut bench, &mut phones);
    bench.ladder.clear();
    let fields = "Diversion: <sip:7002@192.0.2.100>;reason=user-busy\r\n";
    let moved = phones[1].answer(&offered, 302, fields, "");
    let moved = moved.replace(&phones[1].contact(), "<sip:7003@192.0.2.100>");
    bench.say(&phones[1], &moved);
    bench.check("7002>s 302; s>7002 ACK; s>7003 INVITE");
    let asked = bench.heard(&phones[2], "INVITE");
    assert!(asked.contains("Diversion: <sip:7002@"), "{asked}");
    let back = phones[2].answer(&asked, 302, "", "");
    let back = back.replace(&phones[2].contact(), "<sip:7002@192.0.2.100>");
    bench.say(&phones[2], &back);
    bench.check("7003>s 302; s>7003 ACK; s>7001 482");
}

#[test]
fn several_targets_are_tried_one_after_the_other() {
    for status in [300, 301, 302] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let (_, offered) = ringing(&mut bench, &mut phones);
        bench.ladder.clear();
        let moved = phones[1].answer(&offered, status, "", "");
        let targets =
            "<sip:7999@192.0.2.100>;q=0.9, <sip:7002@192.0.2.100>;q=0.8, <sip:7003@192.0.2.100>;q=0.5";
        let moved = moved.replace(&phones[1].contact(), targets);
        bench.say(&phones[1], &moved);
        bench.check(&format!("7002>s {status}; s>7002 ACK; s>7003 INVITE"));
    }
}

#[test]
fn calls_are_limited() {
    let mut bench = Bench::with(Config { max_calls: 1, ..Config::default() });
    let mut phones = bench.ready();
    ringing(&mut bench, &mut phones);
    let invite = phones[2].invite("7001", "one-more", "");
    bench.say(&phones[2], &invite);
    assert!(bench.heard(&phones[2], "SIP/2.0 503").contains("Retry-After: 5\r\n"));
}
