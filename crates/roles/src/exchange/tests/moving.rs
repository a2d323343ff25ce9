//! Transfers, pickups and takeovers in odd moments: nobody is left with a call that nobody else has.

use super::calls::{answer_invite, talking};
use super::lamps::subscribe;
use super::*;

/// 7001 asks that its first call be led to its second one, of which it heard `answer`.
fn complete(bench: &mut Bench, phone: &mut Phone, first: &str, second: &str) {
    let parsed = Message::parse(second.as_bytes()).expect("sound");
    let (call_id, to, from) = (parsed.call_id(), parsed.to_tag(), parsed.from_tag());
    let fields = format!(
        "Refer-To: <sip:7003@192.0.2.100?Replaces={call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}>\r\n"
    );
    let refer = phone.within(first, "REFER", &fields, "");
    bench.say(phone, &refer);
}

/// 7001 dials and is answered. Returns the answer.
fn dial(bench: &mut Bench, phone: &mut Phone, callee: &str, call_id: &str) -> String {
    let invite = phone.invite(callee, call_id, "");
    bench.say(phone, &invite);
    let answered = bench.heard(phone, "SIP/2.0 200");
    let ack = phone.ack(&invite, &answered);
    bench.say(phone, &ack);
    answered
}

/// 7001 hangs up both its calls: nothing is left.
fn end_both(bench: &mut Bench, phone: &mut Phone, answers: [&str; 2]) {
    for answered in answers {
        let bye = phone.within(answered, "BYE", "", "");
        bench.say(phone, &bye);
    }
    bench.wait(60);
    assert_eq!((bench.exchange.calls().len(), bench.exchange.calls.legs.len()), (0, 0));
}

#[test]
fn nobody_is_led_to_the_exchange_itself() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let second = dial(&mut bench, &mut phones[0], "*43", "call-2");
    bench.ladder.clear();
    complete(&mut bench, &mut phones[0], &first, &second);
    bench.check("7001>s REFER; s>7001 603");
    assert_eq!(bench.exchange.calls().len(), 2);
    end_both(&mut bench, &mut phones[0], [&first, &second]);
}

#[test]
fn nobody_is_led_to_a_call_that_rings_at_the_transferor() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let invite = phones[2].invite("7001", "call-2", "");
    bench.say(&phones[2], &invite);
    let asked = bench.heard(&phones[0], "INVITE");
    let rings = phones[0].answer(&asked, 180, "", "");
    bench.say(&phones[0], &rings);
    let parsed = Message::parse(asked.as_bytes()).expect("sound");
    let fields = format!(
        "Refer-To: <sip:7003@192.0.2.100?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3Dt7001>\r\n",
        parsed.call_id(),
        parsed.from_tag()
    );
    bench.ladder.clear();
    let refer = phones[0].within(&first, "REFER", &fields, "");
    bench.say(&phones[0], &refer);
    bench.check("7001>s REFER; s>7001 481");
}

#[test]
fn a_busy_target_gives_the_call_back() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let refer = phones[0].within(&first, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    let asked = bench.heard(&phones[2], "INVITE");
    let busy = phones[2].answer(&asked, 486, "", "");
    bench.say(&phones[2], &busy);
    let told = bench.heard(&phones[0], "NOTIFY");
    assert!(told.ends_with("SIP/2.0 486 Busy Here\r\n") && told.contains("terminated"), "{told}");
    assert_eq!(bench.exchange.calls().len(), 1);
    bench.ladder.clear();
    let resume = phones[0].within(&first, "INVITE", "", SDP);
    bench.say(&phones[0], &resume);
    assert!(bench.ladder.join("; ").contains("s>7002 INVITE"));
}

#[test]
fn a_call_that_rings_for_a_transfer_is_picked_up() {
    for transferor_waits in [true, false] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let (first, _) = talking(&mut bench, &mut phones);
        let refer = phones[0].within(&first, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
        bench.say(&phones[0], &refer);
        if !transferor_waits {
            let bye = phones[0].within(&first, "BYE", "", "");
            bench.say(&phones[0], &bye);
        }
        let invite = phones[0].invite("*047003", "pickup", "");
        bench.say(&phones[0], &invite);
        bench.heard(&phones[2], "INVITE");
        let asked = bench.heard(&phones[1], "INVITE");
        assert!(asked.contains("CSeq: 2 INVITE"), "the transferred side is told anew: {asked}");
        let calls = bench.exchange.calls();
        let talkers = (&*calls[0].caller.number, &*calls[0].callee.number);
        assert_eq!((calls.len(), talkers), (1, ("7002", "7001")), "{transferor_waits}");
    }
}

#[test]
fn a_call_is_taken_over_by_one_who_lets_the_other_offer() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let parsed = Message::parse(first.as_bytes()).expect("sound");
    let replaces = format!(
        "Replaces: {};to-tag={};from-tag={}\r\n",
        parsed.call_id(),
        parsed.to_tag(),
        parsed.from_tag()
    );
    let invite = phones[2].invite_saying("7002", "takeover", &replaces, "");
    bench.ladder.clear();
    bench.say(&phones[2], &invite);
    bench.check("7003>s INVITE; s>7003 100; s>7001 BYE; s>7002 INVITE");
    answer_invite(&mut bench, &phones[1], 200);
    let offered = bench.heard(&phones[2], "SIP/2.0 200");
    assert!(offered.contains("m=audio "), "{offered}");
    bench.ladder.clear();
    let ack = with_body(&phones[2].ack(&invite, &offered), SDP);
    bench.say(&phones[2], &ack);
    bench.check("7003>s ACK; s>7002 ACK");
    assert!(bench.heard(&phones[1], "ACK").contains("m=audio "));
}

#[test]
fn who_wants_no_name_has_none() {
    let hidden = "<sip:anonymous@anonymous.invalid>";
    for (from, privacy) in [(hidden, "id"), ("<sip:7001@192.0.2.100>", "user;id"), (hidden, "none")] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        subscribe(&mut bench, &mut phones[2], "7002", "dialog", 3_600);
        let notify = bench.heard(&phones[2], "NOTIFY");
        let ok = phones[2].answer(&notify, 200, "", "");
        bench.say(&phones[2], &ok);
        let invite = phones[0].invite("7002", "call-1", &format!("Privacy: {privacy}\r\n"));
        let invite = invite.replace("From: <sip:7001@192.0.2.100>", &format!("From: \"Anonymous\" {from}"));
        bench.say(&phones[0], &invite);
        let asked = bench.heard(&phones[1], "INVITE");
        assert!(asked.contains("From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="), "{asked}");
        assert!(!asked.contains("7001") && asked.contains(&format!("Privacy: {privacy}\r\n")), "{asked}");
        let lamp = bench.heard(&phones[2], "NOTIFY");
        assert!(lamp.contains(">early<") && !lamp.contains("7001"), "{lamp}");
        assert_eq!(bench.exchange.calls()[0].caller.number, "7001", "who runs the exchange knows");
        let back = phones[1].invite("*69", "back", "");
        bench.say(&phones[1], &back);
        bench.heard(&phones[1], "SIP/2.0 404");
    }
}

#[test]
fn a_parked_call_that_changes_just_now_is_not_lost() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let refer = phones[0].within(&first, "REFER", "Refer-To: <sip:*5801@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    // 7002 has not answered yet that it is to listen to the exchange.
    let early = phones[2].invite("801", "early", "");
    bench.say(&phones[2], &early);
    bench.heard(&phones[2], "SIP/2.0 491");
    answer_invite(&mut bench, &phones[1], 200);
    let again = phones[2].invite("801", "again", "");
    bench.ladder.clear();
    bench.say(&phones[2], &again);
    bench.check("7003>s INVITE; s>7003 100; s>7002 INVITE");
}

/// The session of a phone that speaks another coding.
const OTHER_SDP: &str = "v=0\r\no=- 1 2 IN IP4 10.0.0.3\r\ns=-\r\nc=IN IP4 10.0.0.3\r\nt=0 0\r\n\
    m=audio 4300 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// An ACK that answers an offer arrives at `phone` with this CSeq and the answer that the other gave.
fn is_acknowledged(bench: &Bench, phone: &Phone, cseq: u32) {
    let ack = bench.heard(phone, "ACK");
    assert!(ack.contains(&format!("CSeq: {cseq} ACK")) && ack.contains("m=audio "), "{ack}");
}

#[test]
fn a_target_that_takes_nothing_of_what_was_agreed_upon_is_asked_for_an_offer() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    let refer = phones[0].within(&answered, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    bench.ladder.clear();
    answer_invite(&mut bench, &phones[2], 488);
    bench.check("7003>s 488; s>7003 ACK; s>7003 INVITE");
    let asked = bench.heard(&phones[2], "INVITE");
    assert!(!asked.contains("m=audio"), "asked for an offer: {asked}");
    bench.ladder.clear();
    let offer = phones[2].answer(&asked, 200, "", OTHER_SDP);
    bench.say(&phones[2], &offer);
    bench.check("7003>s 200; s>7001 NOTIFY; s>7002 INVITE");
    assert!(bench.heard(&phones[1], "INVITE").contains("RTP/AVP 0"), "the offer of the target");
    bench.ladder.clear();
    answer_invite(&mut bench, &phones[1], 200);
    bench.check("7002>s 200; s>7002 ACK; s>7003 ACK");
    is_acknowledged(&bench, &phones[2], 1);
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn a_target_that_never_takes_the_call_is_asked_for_an_offer_once() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (answered, _) = talking(&mut bench, &mut phones);
    let refer = phones[0].within(&answered, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    answer_invite(&mut bench, &phones[2], 488);
    bench.ladder.clear();
    answer_invite(&mut bench, &phones[2], 488);
    bench.check("7003>s 488; s>7003 ACK; s>7001 NOTIFY");
    assert!(bench.heard(&phones[0], "NOTIFY").ends_with("SIP/2.0 488 Not Acceptable Here\r\n"));
    assert_eq!(bench.exchange.calls().len(), 1, "the call is as it was");
}

/// 7001 has led 7002 to 7003 by an attended transfer, and 7002 takes nothing of what 7003 last said.
fn does_not_suit(bench: &mut Bench, phones: &mut [Phone; 3]) {
    led_on(bench, phones);
    bench.ladder.clear();
    answer_invite(bench, &phones[1], 488);
}

/// 7001 leads 7002 to 7003 by an attended transfer.
fn led_on(bench: &mut Bench, phones: &mut [Phone; 3]) {
    let (first, _) = talking(bench, phones);
    let invite = phones[0].invite("7003", "call-2", "");
    bench.say(&phones[0], &invite);
    answer_invite(bench, &phones[2], 200);
    let second = bench.heard(&phones[0], "SIP/2.0 200");
    let ack = phones[0].ack(&invite, &second);
    bench.say(&phones[0], &ack);
    complete(bench, &mut phones[0], &first, &second);
}

#[test]
fn a_transferee_that_takes_nothing_of_what_was_agreed_upon_is_asked_for_an_offer() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    does_not_suit(&mut bench, &mut phones);
    bench.check("7002>s 488; s>7002 ACK; s>7002 INVITE");
    let asked = bench.heard(&phones[1], "INVITE");
    assert!(!asked.contains("m=audio"), "asked for an offer: {asked}");
    bench.ladder.clear();
    let offer = phones[1].answer(&asked, 200, "", OTHER_SDP);
    bench.say(&phones[1], &offer);
    bench.check("7002>s 200; s>7003 INVITE");
    assert!(bench.heard(&phones[2], "INVITE").contains("RTP/AVP 0"), "the offer of the transferee");
    bench.ladder.clear();
    answer_invite(&mut bench, &phones[2], 200);
    bench.check("7003>s 200; s>7003 ACK; s>7002 ACK");
    is_acknowledged(&bench, &phones[1], 3);
    assert_eq!(bench.exchange.calls().len(), 1);
}

#[test]
fn a_transferred_call_that_nobody_takes_ends_with_every_answer_acknowledged() {
    for refusing in [1, 2] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        does_not_suit(&mut bench, &mut phones);
        if refusing == 1 {
            answer_invite(&mut bench, &phones[1], 488);
        } else {
            answer_invite(&mut bench, &phones[1], 200);
            bench.ladder.clear();
            answer_invite(&mut bench, &phones[2], 488);
            bench.check("7003>s 488; s>7003 ACK; s>7002 ACK; s>7002 BYE; s>7003 BYE");
        }
        assert!(bench.exchange.calls().is_empty(), "{refusing}");
    }
}

/// An answer of somebody who has nothing in common with the offer but the keys, as baresip gives it.
const KEYS_ALONE: &str = "v=0\r\no=- 1 2 IN IP4 10.0.0.3\r\ns=-\r\nc=IN IP4 10.0.0.3\r\nt=0 0\r\n\
    m=audio 4300 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n";

#[test]
fn an_answer_without_sound_is_no_answer_to_a_transfer() {
    for attended in [false, true] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        // Who answers with the keys alone, and who is told his offer then.
        let (silent, other) = if attended { (1, 2) } else { (2, 1) };
        if attended {
            led_on(&mut bench, &mut phones);
        } else {
            let (answered, _) = talking(&mut bench, &mut phones);
            let refer = phones[0].within(&answered, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
            bench.say(&phones[0], &refer);
        }
        let asked = bench.heard(&phones[silent], "INVITE");
        let keys = phones[silent].answer(&asked, 200, "", KEYS_ALONE);
        bench.say(&phones[silent], &keys);
        let asked = bench.heard(&phones[silent], "INVITE");
        assert!(!asked.contains("m=audio"), "asked for an offer: {asked}");
        let offer = phones[silent].answer(&asked, 200, "", OTHER_SDP);
        bench.say(&phones[silent], &offer);
        assert!(bench.heard(&phones[other], "INVITE").contains("RTP/AVP 0"), "the offer, {attended}");
        answer_invite(&mut bench, &phones[other], 200);
        assert!(bench.heard(&phones[silent], "ACK").contains("m=audio "), "{attended}");
        assert_eq!(bench.exchange.calls().len(), 1);
    }
}

#[test]
fn a_hold_that_is_cancelled_leaves_both_sides_as_they_were() {
    for status in [200, 488] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let (first, _) = talking(&mut bench, &mut phones);
        let held = SDP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap");
        let hold = phones[0].within(&first, "INVITE", "", &held);
        bench.ladder.clear();
        bench.say(&phones[0], &hold);
        let asked = bench.heard(&phones[1], "INVITE");
        let (head, _) = hold.split_once("Content-Type").expect("a body");
        let cancel = head.replacen("INVITE", "CANCEL", 1).replace(" INVITE\r\n", " CANCEL\r\n");
        bench.say(&phones[0], &format!("{cancel}Content-Length: 0\r\n\r\n"));
        bench.check("7001>s INVITE; s>7002 INVITE; 7001>s CANCEL; s>7001 200; s>7001 487");
        let answer = phones[1].answer(&asked, status, "", if status == 200 { SDP } else { "" });
        bench.say(&phones[1], &answer);
        if status == 200 {
            bench.check("7002>s 200; s>7002 ACK; s>7002 INVITE");
            assert!(!bench.heard(&phones[1], "INVITE").contains("a=sendonly"), "as before");
            answer_invite(&mut bench, &phones[1], 200);
            bench.check("7002>s 200; s>7002 ACK");
        }
        let calls = bench.exchange.calls();
        assert_eq!((calls.len(), calls[0].caller_holds), (1, false), "{status}");
    }
}
