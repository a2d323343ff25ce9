//! Changes of a call that cross or come early: re-INVITE, UPDATE, PRACK, session timers.

use super::calls::{answer_invite, ringing, talking};
use super::*;
use crate::relay::Side;

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

/// RFC 4028 §7.4, at a device that names a larger Min-SE each time.
#[test]
fn a_min_se_that_rises_is_followed_twice() {
    let mut bench = Bench::with(Config { session_s: Some(90), ..Config::default() });
    let mut phones = bench.ready();
    let invite = phones[0].invite("7002", "call-1", "");
    bench.say(&phones[0], &invite);
    let mut asked = 0;
    loop {
        let invites = bench.ladder.iter().filter(|line| line.starts_with("s>7002 INVITE")).count();
        if invites == asked || asked > 10 {
            break;
        }
        asked = invites;
        let invite = bench.heard(&phones[1], "INVITE");
        let refusal = phones[1].answer(&invite, 422, &format!("Min-SE: {}\r\n", 100 + asked), "");
        bench.say(&phones[1], &refusal);
    }
    assert_eq!(asked, 3, "{:?}", bench.ladder);
    bench.heard(&phones[0], "SIP/2.0 422");
}
