//! Features of the desk phone that are one setting or one key each.

use super::*;

/// A machine without a clock of its own gets its time after the phone has started.
#[test]
fn log_events_and_history_follow_the_wall_clock() {
    let mut bench = Bench::registered(&[]);
    let set = Time::from_rfc3339("2026-03-01T10:00:00Z").expect("a time");
    let due = bench.phone.next_deadline();
    bench.input(Input::Wall(Wall::showing(set, bench.now)));
    assert_eq!(bench.phone.next_deadline(), due, "deadlines stay");
    bench.forget();
    bench.be_called("in");
    let line = bench.phone.log().last().expect("a line").to_owned();
    assert!(line.starts_with("<Sun Mar 1 10:00:"), "{line}");
    bench.command("hangup");
    let began_s = bench.phone.history().next().expect("a call").at_s;
    assert_eq!(began_s, set.as_secs());
}

/// A phone with one key, number 6.
fn with_key(kind: &str, value: &str, more: &[(&str, &str)]) -> Bench {
    let key = [("linekey.6.type", kind), ("linekey.6.line", "1"), ("linekey.6.value", value)];
    let all: Vec<_> = key.iter().chain(more).copied().collect();
    Bench::registered(&all)
}

#[track_caller]
fn check_dials(kind: &str, value: &str, more: &[(&str, &str)], number: &str) {
    let mut bench = with_key(kind, value, more);
    bench.command("key 6");
    let request = format!("INVITE sip:{number}@192.168.50.19 SIP/2.0\r\n");
    assert!(bench.last().starts_with(&request), "key {kind} {value}: {}", bench.last());
}

#[test]
fn keys_dial_what_they_are_set_to() {
    check_dials("13", "7006", &[], "7006");
    check_dials("9", "7006", &[], "*047006");
    check_dials("9", "7006", &[("linekey.6.extension", "**")], "**7006");
    check_dials("23", "", &[], "*4");
    check_dials("23", "*8", &[], "*8");
    check_dials("10", "", &[("features.call_park.park_mode", "1")], "*5");
    check_dials("56", "701", &[("features.call_park.park_retrieve_code", "*05")], "*05701");
    check_dials("12", "", &[("voice_mail.number.1", "*2")], "*2");
    check_dials("14", "7006", &[("features.intercom.feature_access_code", "*6")], "*67006");
}

#[test]
fn a_key_that_lacks_what_it_needs_says_what() {
    let check = |kind: &str, more: &[(&str, &str)], says: &str| {
        let mut bench = with_key(kind, "", more);
        let refusal = bench.refused("key 6");
        assert!(refusal.contains(says), "{kind}: {refusal}");
    };
    check("13", &[], "key 6 has no number");
    check("14", &[], "key 6 has no number");
    check("12", &[], "no voice mail number is set");
    check("23", &[("features.pickup.group_pickup_enable", "0")], "no group pickup code is set");
    check("10", &[("features.call_park.enable", "0")], "call park is switched off");
    check("7", &[], "nobody has called yet");
    check("2", &[], "no number to forward to is set");
}

#[test]
fn an_intercom_key_asks_the_far_end_to_answer_by_itself() {
    let mut bench = with_key("14", "7006", &[]);
    bench.command("key 6");
    assert!(bench.last().contains("Call-Info: <sip:intercom>;answer-after=0\r\n"), "{}", bench.last());
    assert!(bench.last().contains("info=alert-autoanswer\r\n"), "{}", bench.last());
}

#[test]
fn every_way_to_ask_for_an_answer_is_understood() {
    for header in [
        "Call-Info: <sip:h>;answer-after=0",
        "Alert-Info: <http://h>;info=alert-autoanswer",
        "Answer-Mode: Auto",
        "Priv-Answer-Mode: Auto;require",
    ] {
        let mut bench = Bench::registered(&[]);
        bench.request("INVITE", "in", header, SDP);
        bench.check("s>p INVITE; p>s 100; p>s 180; p>s 200");
    }
}

#[test]
fn an_intercom_call_does_not_cut_into_a_conversation_unless_it_may() {
    let check = |barge: &str, ladder: &str| {
        let mut bench = Bench::registered(&[("features.intercom.barge", barge)]);
        bench.be_called("one");
        bench.forget();
        bench.request("INVITE", "two", "Call-Info: <sip:h>;answer-after=0", SDP);
        bench.check(ladder);
    };
    check("0", "s>p INVITE; p>s 100; p>s 180");
    check("1", "s>p INVITE; p>s 100; p>s 180; p>s INVITE(sendonly, c=0.0.0.0); p>s 200");
}

#[test]
fn keys_switch_what_they_are_for() {
    let mut bench = with_key("5", "", &[]);
    bench.command("key 6");
    assert!(bench.phone.view().dnd);
    bench.command("key 6");
    assert!(!bench.phone.view().dnd);
    let mut bench = with_key("2", "7001", &[]);
    bench.command("key 6");
    assert_eq!(bench.phone.view().forwards, ["always 7001"]);
    bench.command("key 6");
    assert!(bench.phone.view().forwards.is_empty());
}

#[test]
fn keys_act_on_the_call_that_is_talked_in() {
    let check = |kind: &str, value: &str, step: &str| {
        let mut bench = with_key(kind, value, &[]);
        bench.be_called("in");
        bench.forget();
        bench.command("key 6");
        bench.check(step);
    };
    check("4", "", "p>s INVITE(sendonly, c=0.0.0.0)");
    check("3", "7006", "p>s INVITE(sendonly, c=0.0.0.0)");
    let mut bench = with_key("11", "12#", &[]);
    bench.be_called("in");
    bench.played.clear();
    bench.command("key 6");
    let dtmf = SoundCommand::Dtmf { session: 1, digits: "12#".into(), in_band: false };
    assert_eq!(bench.played, [dtmf]);
    let mut bench = with_key("6", "", &[]);
    bench.talk("7006");
    bench.command("hangup");
    bench.command("key 6");
    assert!(bench.last().starts_with("INVITE sip:7006@192.168.50.19 "), "{}", bench.last());
}

#[test]
fn call_return_calls_whoever_called_last() {
    let mut bench = with_key("7", "", &[]);
    bench.request("INVITE", "in", "", SDP);
    bench.command("reject");
    bench.command("key 6");
    assert!(bench.last().starts_with("INVITE sip:7007@192.168.50.19 "), "{}", bench.last());
}

#[test]
fn a_line_key_answers_holds_resumes_and_dials_the_hotline() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    bench.command("key 1");
    let ok = bench.reply(200);
    bench.request_inside(&ok, "ACK", "", "");
    bench.forget();
    bench.command("key 1");
    bench.accept(Method::Invite, SDP);
    bench.command("key 1");
    bench.accept(Method::Invite, SDP);
    bench.check("p>s INVITE(sendonly, c=0.0.0.0); s>p 200; p>s ACK; p>s INVITE; s>p 200; p>s ACK");
    let mut bench =
        Bench::registered(&[("account.1.auto_dial_enable", "1"), ("account.1.auto_dial_num", "7009")]);
    bench.command("key 1");
    assert!(bench.last().starts_with("INVITE sip:7009@192.168.50.19 "), "{}", bench.last());
}

#[test]
fn the_history_key_looks_at_the_missed_calls() {
    let mut bench = with_key("28", "", &[]);
    bench.request("INVITE", "in", "", SDP);
    bench.wait_ms(1);
    bench.phone.history.missed = 3;
    bench.command("key 6");
    assert_eq!(bench.phone.view().missed, 0);
}

#[test]
fn keys_choose_the_account_that_calls_are_made_by() {
    let mut bench = Bench::registered(&[
        ("linekey.6.type", "48"),
        ("linekey.7.type", "49"),
        ("account.2.enable", "1"),
        ("account.2.user_name", "7012"),
        ("account.2.sip_server.1.address", "192.168.50.19"),
    ]);
    let chosen = |bench: &Bench| {
        bench.phone.view().accounts.iter().find(|account| account.default).map(|account| account.account)
    };
    assert_eq!(chosen(&bench), Some(1));
    bench.command("key 7");
    assert_eq!(chosen(&bench), Some(2));
    bench.command("key 7");
    assert_eq!(chosen(&bench), Some(1));
    bench.command("key 6");
    assert_eq!(chosen(&bench), Some(2));
}

#[test]
fn hold_is_written_as_the_settings_say() {
    let check = |settings: &[(&str, &str)], step: &str| {
        let mut bench = Bench::registered(settings);
        bench.be_called("in");
        bench.forget();
        bench.command("hold");
        bench.check(step);
    };
    check(&[], "p>s INVITE(sendonly, c=0.0.0.0)");
    check(&[("sip.rfc2543_hold", "0")], "p>s INVITE(sendonly)");
    check(&[("sip.rfc2543_hold", "0"), ("account.1.hold_use_inactive", "1")], "p>s INVITE(inactive)");
    check(&[("account.1.advanced.hold_method", "1")], "p>s INFO");
}

#[test]
fn hold_by_info_is_told_and_silences_the_call() {
    let mut bench = Bench::registered(&[("account.1.advanced.hold_method", "1")]);
    bench.be_called("in");
    bench.forget();
    bench.command("hold");
    assert!(bench.last().ends_with("event hold\r\n"), "{}", bench.last());
    bench.accept(Method::Info, "");
    assert!(bench.phone.view().calls[0].held);
    assert!(bench.played.contains(&SoundCommand::Focus(Vec::new())), "{:?}", bench.played);
    bench.command("resume");
    assert!(bench.last().ends_with("event talk\r\n"), "{}", bench.last());
    bench.check_events("held done resumed done");
}

#[test]
fn leaving_a_conference_may_leave_the_others_connected() {
    let check = |connects: &str, step: &str| {
        let mut bench = Bench::registered(&[("transfer.tran_others_after_conf_enable", connects)]);
        bench.be_called("one");
        bench.command("dial 7001");
        bench.accept(Method::Invite, SDP);
        let second = bench.take(Method::Invite).expect("an INVITE");
        bench.answer(&second, "200 OK", "", SDP);
        bench.command("conference");
        bench.accept(Method::Invite, SDP);
        bench.forget();
        bench.command("hangup");
        bench.check(step);
        bench
    };
    check("0", "p>s BYE; p>s BYE");
    let mut bench = check("1", "p>s INVITE(sendonly, c=0.0.0.0)");
    bench.accept(Method::Invite, SDP);
    let refer = String::from_utf8_lossy(&bench.take(Method::Refer).expect("a REFER")).into_owned();
    assert!(refer.contains("Refer-To: <sip:7001@192.168.50.19?Replaces="), "{refer}");
}

#[test]
fn every_redirection_is_followed() {
    for status in ["300 Multiple Choices", "301 Moved Permanently", "302 Moved Temporarily"] {
        let mut bench = Bench::registered(&[]);
        bench.command("dial 7006");
        let invite = bench.take(Method::Invite).expect("an INVITE");
        let message = Message::parse(&invite).expect("sound");
        let text = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned();
        bench.receive(&format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=x\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:7008@192.168.50.19>;q=0.2, <sip:7009@192.168.50.19>;q=0.9\r\nContent-Length: 0\r\n\r\n",
            text(Name::Via), text(Name::From), text(Name::To), text(Name::CallId), text(Name::CSeq)
        ));
        assert!(bench.last().starts_with("INVITE sip:7009@192.168.50.19 "), "{status}: {}", bench.last());
    }
}

#[test]
fn a_reliable_ringing_is_acknowledged() {
    let mut bench = Bench::registered(&[("account.1.100rel_enable", "1")]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    assert!(String::from_utf8_lossy(&invite).contains("Supported: 100rel,replaces,timer\r\n"));
    bench.forget();
    bench.answer(&invite, "180 Ringing", "Require: 100rel\r\nRSeq: 7", "");
    bench.answer(&invite, "180 Ringing", "Require: 100rel\r\nRSeq: 7", "");
    bench.check("s>p 180; p>s PRACK; s>p 180");
    let prack = String::from_utf8_lossy(&bench.take(Method::Prack).expect("a PRACK")).into_owned();
    assert!(prack.contains("RAck: 7 1 INVITE\r\n") || prack.contains("RAck: 7 2 INVITE\r\n"), "{prack}");
    let mut bench = Bench::registered(&[("account.1.100rel_enable", "1")]);
    bench.request("INVITE", "in", "Supported: 100rel", SDP);
    let ringing = String::from_utf8_lossy(&bench.reply(180)).into_owned();
    assert!(ringing.contains("Require: 100rel\r\n") && ringing.contains("RSeq: "), "{ringing}");
    bench.forget();
    bench.wait_ms(500);
    bench.check("p>s 180");
    bench.wait_ms(40_000);
    assert!(bench.last().starts_with("SIP/2.0 504 "), "{}", bench.last());
    assert_eq!(bench.phone.view().calls.len(), 0, "nobody rings any more");
}

#[test]
fn a_prack_may_come_after_the_answer() {
    let mut bench = Bench::registered(&[("account.1.100rel_enable", "1")]);
    bench.request("INVITE", "in", "Supported: 100rel", SDP);
    let ringing = bench.reply(180);
    let message = Message::parse(&ringing).expect("sound");
    let (rseq, cseq) = (message.number(Name::RSeq).expect("a number"), message.cseq().expect("there").number);
    bench.command("answer");
    bench.forget();
    let acknowledged = format!("RAck: {rseq} {cseq} INVITE");
    bench.request_inside(&ringing, "PRACK", &acknowledged, "");
    bench.request_inside(&ringing, "PRACK", &acknowledged, "");
    bench.check("s>p PRACK; p>s 200; s>p PRACK; p>s 481");
}

#[test]
fn a_caller_that_demands_reliable_ringing_gets_it() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "Require: 100rel", SDP);
    assert!(String::from_utf8_lossy(&bench.reply(180)).contains("Require: 100rel\r\nRSeq: "));
}

#[test]
fn a_change_before_the_answer_is_put_off() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    let ringing = bench.reply(180);
    bench.forget();
    bench.request_inside(&ringing, "UPDATE", "", SDP);
    assert!(bench.last().contains("\r\nRetry-After: "), "{}", bench.last());
    bench.request_inside(&ringing, "UPDATE", "", "");
    bench.check("s>p UPDATE; p>s 500; s>p UPDATE; p>s 200");
}

#[test]
fn a_refresh_that_is_too_short_is_refused() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.request_inside(&ok, "INVITE", "Session-Expires: 30", SDP);
    bench.check("s>p INVITE; p>s 422");
    assert!(bench.last().contains("Min-SE: 90\r\n"));
}

#[test]
fn a_refresh_by_update_passes_a_change_of_ours() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.command("hold");
    bench.forget();
    bench.request_inside(&ok, "UPDATE", "Session-Expires: 1800", "");
    bench.request_inside(&ok, "UPDATE", "", SDP);
    bench.check("s>p UPDATE; p>s 200; s>p UPDATE; p>s 491");
}

#[test]
fn an_update_changes_the_session_without_an_ack() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.request_inside(&ok, "UPDATE", "", &SDP.replace("m=audio", "a=sendonly\r\nm=audio"));
    bench.check("s>p UPDATE(sendonly); p>s 200");
    assert!(bench.phone.view().calls[0].remote_held);
}

#[test]
fn a_far_end_may_move_in_mid_call() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    let moved = SDP
        .replace("o=- 1 1", "o=- 1 2")
        .replace("192.168.50.19", "192.168.50.99")
        .replace("m=audio 20000 RTP/AVP 8 0 101", "m=audio 30000 RTP/AVP 0 96")
        .replace("rtpmap:101", "rtpmap:96")
        + "a=ptime:30\r\n";
    bench.request_inside(&ok, "INVITE", "", &moved);
    bench.check("s>p INVITE; p>s 200");
    let agreed = bench.played.iter().rev().find_map(|command| match command {
        SoundCommand::Agree { agreed, .. } => Some(agreed.clone()),
        _ => None,
    });
    let agreed = agreed.expect("an agreement");
    assert_eq!(agreed.remote_rtp, Some("192.168.50.99:30000".parse().expect("an address")));
    assert_eq!((agreed.codec.to_string().as_str(), agreed.send_dtmf), ("PCMU", Some(96)));
    assert_eq!(agreed.ptime_ms, 30);
}

#[test]
fn a_re_invite_keeps_the_keys_of_an_encrypted_call() {
    let mut bench = Bench::registered(&[("account.1.srtp_encryption", "2")]);
    let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
    let secure = SDP.replace("RTP/AVP", "RTP/SAVP") + key;
    bench.request("INVITE", "in", "", &secure);
    bench.command("answer");
    let ok = bench.reply(200);
    bench.request_inside(&ok, "ACK", "", "");
    let crypto = |text: &str| text.lines().find(|line| line.starts_with("a=crypto")).map(str::to_owned);
    let first = crypto(&String::from_utf8_lossy(&ok)).expect("a key");
    assert!(bench.phone.view().calls[0].secure);
    bench.command("hold");
    let hold = crypto(&bench.last()).expect("a key in the hold");
    let inline = |line: &str| line.split_once("inline:").map(|(_, key)| key.trim().to_owned());
    assert_eq!(inline(&first), inline(&hold), "a hold must not change the key of a stream that goes on");
    bench.accept(Method::Invite, &secure);
    assert!(bench.phone.view().calls[0].secure && bench.phone.view().calls[0].held);
}

#[test]
fn a_replaces_for_early_dialogs_only_does_not_take_a_call_that_stands() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    let tag = Message::parse(&ok).expect("sound").to_tag().to_owned();
    bench.forget();
    bench.request("INVITE", "new", &format!("Replaces: in;to-tag={tag};from-tag=fin;early-only"), SDP);
    bench.check("s>p INVITE; p>s 100; p>s 486");
    assert_eq!(bench.phone.view().calls.len(), 1);
}
