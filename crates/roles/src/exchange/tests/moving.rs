//! Transfers, pickups and takeovers in odd moments: nobody is left with a call that nobody else has.

use super::calls::{answer_invite, ringing, talking};
use super::lamps::subscribe;
use super::*;
use crate::relay::Side;

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
fn both_hold_at_once_and_both_are_heard() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, asked) = talking(&mut bench, &mut phones);
    let held = SDP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap");
    bench.ladder.clear();
    let one = phones[0].within(&first, "INVITE", "", &held);
    bench.say(&phones[0], &one);
    let other = phones[1].within_called(&asked, "INVITE", "", &held);
    bench.say(&phones[1], &other);
    bench.check("7001>s INVITE; s>7002 INVITE; 7002>s INVITE; s>7002 491");
    let relayed = bench.heard(&phones[1], "INVITE");
    let glare = phones[1].answer(&relayed, 491, "", "");
    bench.say(&phones[1], &glare);
    bench.ladder.clear();
    // RFC 3261 §14.1: whoever made the Call-ID, here the exchange, waits 2.1 to 4 s.
    bench.wait(5);
    let again = bench.heard(&phones[1], "INVITE");
    assert!(again.contains("CSeq: 3 INVITE") && again.contains("a=sendonly"), "{again}");
    let taken = phones[1].answer(&again, 200, "", &SDP.replace("a=rtpmap", "a=recvonly\r\na=rtpmap"));
    bench.say(&phones[1], &taken);
    assert!(bench.heard(&phones[0], "SIP/2.0 200").contains("a=recvonly"));
}

#[test]
fn who_refused_with_491_and_asks_itself_comes_first() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, asked) = talking(&mut bench, &mut phones);
    let one = phones[0].within(&first, "INVITE", "", SDP);
    bench.say(&phones[0], &one);
    let relayed = bench.heard(&phones[1], "INVITE");
    let glare = phones[1].answer(&relayed, 491, "", "");
    bench.say(&phones[1], &glare);
    bench.ladder.clear();
    let held = SDP.replace("a=rtpmap", "a=sendonly\r\na=rtpmap");
    let other = phones[1].within_called(&asked, "INVITE", "", &held);
    bench.say(&phones[1], &other);
    bench.check("7002>s INVITE; s>7001 491; s>7001 INVITE");
    let told = bench.heard(&phones[0], "INVITE");
    let taken = phones[0].answer(&told, 200, "", &SDP.replace("a=rtpmap", "a=recvonly\r\na=rtpmap"));
    bench.say(&phones[0], &taken);
    assert!(bench.heard(&phones[1], "SIP/2.0 200").contains("a=recvonly"));
    bench.ladder.clear();
    bench.wait(5);
    assert!(!bench.ladder.iter().any(|step| step.contains("INVITE")), "{:?}", bench.ladder);
}

#[test]
fn who_answers_a_hold_by_inactive_holds_nobody() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, asked) = talking(&mut bench, &mut phones);
    let with = |direction: &str| SDP.replace("a=rtpmap", &format!("a={direction}\r\na=rtpmap"));
    let inactive = with("inactive");
    let one = phones[0].within(&first, "INVITE", "", &inactive);
    bench.say(&phones[0], &one);
    let relayed = bench.heard(&phones[1], "INVITE");
    let taken = phones[1].answer(&relayed, 200, "", &inactive);
    bench.say(&phones[1], &taken);
    let holds = |bench: &mut Bench| {
        let Answer::Calls(calls) = bench.command(What::Calls { number: None }) else { panic!("no calls") };
        (calls[0].caller_holds, calls[0].callee_holds)
    };
    assert_eq!(holds(&mut bench), (true, false));
    let ack = phones[0].ack(&one, &bench.heard(&phones[0], "SIP/2.0 200"));
    bench.say(&phones[0], &ack);
    // The called holds too, then the caller resumes.
    let other = phones[1].within_called(&asked, "INVITE", "", &inactive);
    bench.say(&phones[1], &other);
    let relayed = bench.heard(&phones[0], "INVITE");
    let taken = phones[0].answer(&relayed, 200, "", &inactive);
    bench.say(&phones[0], &taken);
    assert_eq!(holds(&mut bench), (true, true));
}

#[test]
fn a_change_that_is_refused_is_refused_with_the_same_status() {
    for (method, status) in [("INVITE", 488), ("INVITE", 415), ("UPDATE", 488), ("INVITE", 603)] {
        let mut bench = Bench::new();
        let mut phones = bench.ready();
        let (first, _) = talking(&mut bench, &mut phones);
        let change = phones[0].within(&first, method, "", SDP);
        bench.say(&phones[0], &change);
        let asked = bench.heard(&phones[1], "INVITE");
        let no = phones[1].answer(&asked, status, "", "");
        bench.say(&phones[1], &no);
        bench.heard(&phones[0], &format!("SIP/2.0 {status}"));
        assert_eq!(bench.exchange.calls().len(), 1);
    }
}

#[test]
fn each_leg_acknowledges_what_comes_early_by_itself() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    assert!(asked.contains("100rel"), "{asked}");
    bench.ladder.clear();
    let early = phones[1].answer(&asked, 183, "Require: 100rel\r\nRSeq: 7\r\n", SDP);
    bench.say(&phones[1], &early);
    bench.check("7002>s 183; s>7002 PRACK; s>7001 183");
    let told = bench.heard(&phones[0], "SIP/2.0 183");
    assert!(told.contains(&bench.audio(Side::A)) && !told.contains("RSeq"), "{told}");
}

/// 7001 calls 7002; both legs have acknowledged a session before the answer. Returns what 7001 was told of
/// it, and the INVITE of 7002.
fn early(bench: &mut Bench, phones: &mut [Phone; 3]) -> (String, String) {
    const CAN: &str = "Supported: 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n";
    let invite = phones[0].invite("7002", "call-1", CAN);
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    let early = phones[1].answer(&asked, 183, &format!("Require: 100rel\r\nRSeq: 7\r\n{CAN}"), SDP);
    bench.say(&phones[1], &early);
    let told = bench.heard(&phones[0], "SIP/2.0 183");
    let prack = bench.heard(&phones[1], "PRACK");
    let taken = phones[1].answer(&prack, 200, "", "");
    bench.say(&phones[1], &taken);
    let cseq = line(&invite, "CSeq: ").trim_start_matches("CSeq: ").to_owned();
    let prack = phones[0].within(&told, "PRACK", &format!("RAck: 1 {cseq}\r\n"), "");
    bench.say(&phones[0], &prack);
    bench.heard(&phones[0], "SIP/2.0 200");
    bench.ladder.clear();
    (told, asked)
}

#[test]
fn an_update_before_the_answer_is_passed_on() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (told, asked) = early(&mut bench, &mut phones);
    // RFC 3311 §5.1: by the caller, then by the called.
    let moved = |port: &str| SDP.replace("20000", port);
    let change = phones[0].within(&told, "UPDATE", "", &moved("20010"));
    bench.say(&phones[0], &change);
    bench.check("7001>s UPDATE; s>7002 UPDATE");
    let update = bench.heard(&phones[1], "UPDATE");
    assert!(update.contains("m=audio ") && update.contains(";tag=t7002"), "{update}");
    let taken = phones[1].answer(&update, 200, "", &moved("20012"));
    bench.say(&phones[1], &taken);
    bench.check("7002>s 200; s>7001 200");
    assert!(bench.heard(&phones[0], "SIP/2.0 200").contains("m=audio "));
    let change = phones[1].within_called(&asked, "UPDATE", "", &moved("20014"));
    bench.say(&phones[1], &change);
    bench.check("7002>s UPDATE; s>7001 UPDATE");
    let update = bench.heard(&phones[0], "UPDATE");
    let taken = phones[0].answer(&update, 488, "", "");
    bench.say(&phones[0], &taken);
    bench.check("7001>s 488; s>7002 488");
    // The call is answered and stands.
    let ok = phones[1].answer(&asked, 200, "", "");
    bench.say(&phones[1], &ok);
    bench.check("7002>s 200; s>7002 ACK; s>7001 200");
}

#[test]
fn an_update_under_way_ends_with_its_call() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (told, asked) = early(&mut bench, &mut phones);
    let change = phones[0].within(&told, "UPDATE", "", SDP);
    bench.say(&phones[0], &change);
    bench.check("7001>s UPDATE; s>7002 UPDATE");
    let busy = phones[1].answer(&asked, 486, "", "");
    bench.say(&phones[1], &busy);
    bench.check("7002>s 486; s>7002 ACK; s>7001 486; s>7001 487");
    assert!(bench.exchange.calls().is_empty());
}

/// RFC 3261 §14.2: the ACK of the first answer comes before anything is changed.
#[test]
fn a_change_before_the_ack_of_an_answer_waits_and_a_missing_ack_ends_the_call() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite_saying("7002", "call-1", "", "");
    bench.say(&phones[0], &invite);
    answer_invite(&mut bench, &phones[1], 200);
    let offered = bench.heard(&phones[0], "SIP/2.0 200");
    bench.ladder.clear();
    for method in ["INVITE", "UPDATE"] {
        let change = phones[0].within(&offered, method, "", SDP);
        bench.say(&phones[0], &change);
        bench.check(&format!("7001>s {method}; s>7001 491"));
    }
    bench.wait(40);
    assert!(bench.ladder.contains(&"s>7001 BYE".to_owned()), "{:?}", bench.ladder);
    assert!(bench.exchange.calls().is_empty());
}

#[test]
fn a_re_invite_whose_answer_is_never_acknowledged_ends_the_call() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let change = phones[0].within(&first, "INVITE", "", SDP);
    bench.say(&phones[0], &change);
    answer_invite(&mut bench, &phones[1], 200);
    // An ACK of another answer is not the one that is missing.
    let late = phones[0].ack(&change, &first).replace("CSeq: ", "CSeq: 9");
    bench.say(&phones[0], &late);
    bench.wait(40);
    assert!(bench.ladder.contains(&"s>7001 BYE".to_owned()), "{:?}", bench.ladder);
    assert!(bench.exchange.calls().is_empty());
}

#[test]
fn a_call_that_ends_while_a_change_rings_leaves_no_transaction() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let change = phones[0].within(&first, "INVITE", "", SDP);
    bench.say(&phones[0], &change);
    answer_invite(&mut bench, &phones[1], 180);
    let bye = phones[0].within(&first, "BYE", "", "");
    bench.say(&phones[0], &bye);
    bench.wait(70);
    let figures = bench.exchange.figures(bench.now);
    assert_eq!((figures.client_transactions, figures.server_transactions), (0, 0));
}

/// RFC 3261 §15, RFC 3262 §4: what the called say in an early dialog does not end the call.
#[test]
fn an_early_dialog_ends_by_the_answer_to_its_invite_alone() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (_, asked) = early(&mut bench, &mut phones);
    let bye = phones[1].within_called(&asked, "BYE", "", "");
    bench.say(&phones[1], &bye);
    bench.check("7002>s BYE; s>7002 481");
    let early = phones[1].answer(&asked, 180, "Require: 100rel\r\nRSeq: 8\r\n", "");
    bench.say(&phones[1], &early);
    let prack = bench.heard(&phones[1], "PRACK");
    let gone = phones[1].answer(&prack, 481, "", "");
    bench.say(&phones[1], &gone);
    assert_eq!(bench.exchange.calls().len(), 1);
    bench.ladder.clear();
    let ok = phones[1].answer(&asked, 200, "", "");
    bench.say(&phones[1], &ok);
    bench.check("7002>s 200; s>7002 ACK; s>7001 200");
}

#[test]
fn a_change_under_way_is_answered_where_the_far_end_has_forgotten_the_call() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (first, _) = talking(&mut bench, &mut phones);
    let refer = phones[0].within(&first, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
    bench.say(&phones[0], &refer);
    let told = bench.heard(&phones[0], "NOTIFY");
    let change = phones[0].within(&first, "INVITE", "", SDP);
    bench.say(&phones[0], &change);
    bench.ladder.clear();
    let gone = phones[0].answer(&told, 481, "", "");
    bench.say(&phones[0], &gone);
    assert!(bench.ladder.contains(&"s>7001 487".to_owned()), "{:?}", bench.ladder);
}

/// The one who asked for a transfer is replaced while the target rings: whoever replaced it is hung up too
/// when the target has answered.
#[test]
fn whoever_replaced_a_transferor_goes_with_it() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let (_, asked) = talking(&mut bench, &mut phones);
    let refer = phones[1].within_called(&asked, "REFER", "Refer-To: <sip:7003@192.0.2.100>\r\n", "");
    bench.say(&phones[1], &refer);
    let parsed = Message::parse(asked.as_bytes()).expect("sound");
    let replaces = format!("Replaces: {};to-tag=t7002;from-tag={}\r\n", parsed.call_id(), parsed.from_tag());
    let takeover = phones[0].invite_saying("7002", "takeover", &replaces, "");
    bench.say(&phones[0], &takeover);
    bench.heard(&phones[1], "BYE");
    answer_invite(&mut bench, &phones[2], 200);
    bench.wait(70);
    let figures = bench.exchange.figures(bench.now);
    assert_eq!(figures.server_transactions, 0, "{figures:?}");
}

/// RFC 3311 §5.2: who cannot be asked yet has the asker come again.
#[test]
fn an_update_waits_for_a_side_that_has_no_answer_yet() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    let early = phones[1].answer(&asked, 183, "Require: 100rel\r\nRSeq: 7\r\n", SDP);
    bench.say(&phones[1], &early);
    bench.ladder.clear();
    let change = phones[1].within_called(&asked, "UPDATE", "", SDP);
    bench.say(&phones[1], &change);
    bench.check("7002>s UPDATE; s>7002 491");
}

#[test]
fn an_offer_in_a_prack_is_answered_there() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite("7002", "call-1", "Supported: 100rel\r\n");
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    let early = phones[1].answer(&asked, 183, "", SDP);
    bench.ladder.clear();
    bench.say(&phones[1], &early);
    bench.check("7002>s 183; s>7001 183");
    let told = bench.heard(&phones[0], "SIP/2.0 183");
    assert!(told.contains("RSeq: 1\r\n"), "{told}");
    let cseq = line(&invite, "CSeq: ").trim_start_matches("CSeq: ").to_owned();
    let prack = phones[0].within(&told, "PRACK", &format!("RAck: 1 {cseq}\r\n"), SDP);
    bench.say(&phones[0], &prack);
    assert!(bench.heard(&phones[0], "SIP/2.0 200").contains(&bench.audio(Side::A)));
}

#[test]
fn reliable_answers_wait_for_the_prack_of_the_one_before() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite("7002", "call-1", "Require: 100rel\r\n");
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    bench.ladder.clear();
    let rings = phones[1].answer(&asked, 180, "", "");
    bench.say(&phones[1], &rings);
    let sounds = phones[1].answer(&asked, 183, "", SDP);
    bench.say(&phones[1], &sounds);
    bench.check("7002>s 180; s>7001 180; 7002>s 183");
    let told = bench.heard(&phones[0], "SIP/2.0 180");
    assert!(told.contains("RSeq: 1\r\n"), "{told}");
    let cseq = line(&invite, "CSeq: ").trim_start_matches("CSeq: ").to_owned();
    for (named, expected) in [
        ("RAck: 1 99 INVITE".to_owned(), "7001>s PRACK; s>7001 481"),
        (format!("RAck: 2 {cseq}"), "7001>s PRACK; s>7001 481"),
        (format!("RAck: 1 {cseq}"), "7001>s PRACK; s>7001 200; s>7001 183"),
    ] {
        let prack = phones[0].within(&told, "PRACK", &format!("{named}\r\n"), "");
        bench.say(&phones[0], &prack);
        bench.check(expected);
    }
    let told = bench.heard(&phones[0], "SIP/2.0 183");
    assert!(told.contains("RSeq: 2\r\n") && told.contains("m=audio "), "{told}");
    // RFC 3262 §3: no 200 before the session is acknowledged.
    answer_invite(&mut bench, &phones[1], 200);
    bench.check("7002>s 200; s>7002 ACK");
    let prack = phones[0].within(&told, "PRACK", &format!("RAck: 2 {cseq}\r\n"), "");
    bench.say(&phones[0], &prack);
    bench.check("7001>s PRACK; s>7001 200; s>7001 200");
    assert!(bench.heard(&phones[0], "SIP/2.0 200").contains("m=audio "));
}

#[test]
fn a_call_whose_reliable_ringing_is_never_acknowledged_ends() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite("7002", "call-1", "Require: 100rel\r\n");
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    let rings = phones[1].answer(&asked, 180, "", "");
    bench.say(&phones[1], &rings);
    bench.wait(40);
    assert!(bench.heard(&phones[0], "SIP/2.0 504").contains("Not Acknowledged"));
    bench.heard(&phones[1], "CANCEL");
    assert!(bench.exchange.calls().is_empty());
}

#[test]
fn a_late_offer_is_not_asked_for_reliably_before_the_answer() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite = phones[0].invite_with("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let asked = bench.heard(&phones[1], "INVITE");
    assert!(!asked.contains("100rel") && line(&asked, "Supported: ").contains("timer"), "{asked}");
}

#[test]
fn a_caller_without_a_timer_is_kept_alive_or_let_go() {
    let mut bench = Bench::with(Config { session_s: Some(90), ..Config::default() });
    let mut phones = bench.ready();
    let (invite, _) = ringing(&mut bench, &mut phones);
    answer_invite(&mut bench, &phones[1], 200);
    let answered = bench.heard(&phones[0], "SIP/2.0 200");
    assert!(answered.contains("Session-Expires: 90;refresher=uas\r\n"), "{answered}");
    assert!(!answered.contains("Require:"), "{answered}");
    let ack = phones[0].ack(&invite, &answered);
    bench.say(&phones[0], &ack);
    bench.wait(50);
    assert!(bench.heard(&phones[0], "INVITE").contains(&bench.audio(Side::A)));
    bench.wait(100);
    assert_eq!(bench.exchange.calls().len(), 0, "nobody answers any more");
}

#[test]
fn who_asks_for_a_timer_and_refreshes_it_must_know_it() {
    let mut bench = Bench::new();
    let mut phones = bench.ready();
    let invite =
        phones[0].invite("7002", "call-1", "Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n");
    bench.say(&phones[0], &invite);
    answer_invite(&mut bench, &phones[1], 200);
    let answered = bench.heard(&phones[0], "SIP/2.0 200");
    let both = answered.contains("300;refresher=uac\r\n") && answered.contains("Require: timer\r\n");
    assert!(both, "RFC 4028 §9: {answered}");
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
