//! Calls (deck, SIP Call): ladders `incoming-call` and `hold`, and how calls end.

use super::*;

/// RFC 3261 §18.4: port unreachable. A server that restarts in two seconds loses no call.
#[test]
fn a_call_to_a_closed_port_ends_once_nobody_listens_for_two_seconds() {
    let dial = || {
        let mut bench = Bench::registered(&[]);
        bench.command("dial 7001");
        bench.check("p>s INVITE");
        bench.forget();
        bench
    };
    let refuse = |bench: &mut Bench| {
        let (flow, fault) = (bench.last_flow.expect("sent"), FlowFault::Undelivered);
        bench.input(Input::FlowFailed { flow, fault, reason: "nobody listens there".into() });
    };
    let mut bench = dial();
    for wait_ms in [500, 1_000, 2_000] {
        refuse(&mut bench);
        bench.check_events("");
        bench.wait_ms(wait_ms);
        bench.check("p>s INVITE");
    }
    refuse(&mut bench);
    let told = bench.events.iter().find_map(|event| match event {
        EventKind::Ended { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(told.as_deref(), Some("nobody listens there"));

    let mut bench = dial();
    let invite = bench.take(Method::Invite).expect("an INVITE");
    for wait_ms in [500, 1_000, 2_000] {
        refuse(&mut bench);
        bench.wait_ms(wait_ms);
    }
    bench.forget();
    bench.answer(&invite, "180 Ringing", "", "");
    bench.check("s>p 180");
    bench.check_events("ringing");
}
use crate::sound::Tone;

#[test]
fn a_call_comes_in_is_answered_and_ended_by_the_caller() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180");
    assert_eq!(
        bench.played,
        [
            SoundCommand::Open { session: 1, local: "192.168.80.20:10000".parse().expect("an address") },
            SoundCommand::Tone(Some(Tone::Ring)),
        ]
    );
    bench.command("answer");
    let ok = bench.reply(200);
    bench.request_inside(&ok, "ACK", "", "");
    bench.wait_ms(4_000);
    bench.request_inside(&ok, "BYE", "", "");
    bench.check("p>s 200; s>p ACK; s>p BYE; p>s 200");
    bench.check_events("incoming done answered ended(null,remote)");
    assert_eq!(bench.phone.history().count(), 1);
}

#[test]
fn the_figures_of_a_call_are_told_with_its_end() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.wait_ms(4_000);
    bench.request_inside(&ok, "BYE", "", "");
    let ended = bench.events.iter().find_map(|event| match event {
        EventKind::Ended { duration_ms, rtp, .. } => Some((*duration_ms, rtp.tx_packets)),
        _ => None,
    });
    assert_eq!(ended, Some((4_000, Some(50))));
}

#[test]
fn a_call_is_made_held_and_resumed() {
    let mut bench = Bench::registered(&[]);
    bench.phone.lines.accounts[0].line.auth.as_mut().expect("credentials").forget();
    bench.talk("7006");
    bench.check("p>s INVITE; s>p 401; p>s ACK; p>s INVITE; s>p 100; s>p 180; s>p 200; p>s ACK");
    bench.check_events("done ringing answered");
    bench.command("hold");
    let offer = bench.last();
    for line in [
        "m=audio 10000 RTP/AVP 8 0 101",
        "a=ptime:20",
        "a=rtpmap:8 PCMA/8000",
        "a=fmtp:101 0-15",
        "a=sendonly",
        "s=F",
    ] {
        assert!(offer.contains(&format!("{line}\r\n")), "{line} is not in\n{offer}");
    }
    bench.accept(Method::Invite, &SDP.replace("m=audio", "a=recvonly\r\nm=audio"));
    bench.command("resume");
    bench.accept(Method::Invite, SDP);
    bench.check("p>s INVITE(sendonly, c=0.0.0.0); s>p 200; p>s ACK; p>s INVITE; s>p 200; p>s ACK");
    bench.check_events("done held done resumed");
    bench.command("hangup");
    let bye = bench.take(Method::Bye).expect("a BYE");
    bench.answer(&bye, "200 OK", "", "");
    bench.check("p>s BYE; s>p 200");
    bench.check_events("ended(null,local) done");
}

#[test]
fn what_is_heard_follows_the_call() {
    let mut bench = Bench::registered(&[]);
    bench.talk("7006");
    let kinds: Vec<&str> = bench.played.iter().map(kind).collect();
    assert_eq!(kinds, ["open", "ringback", "agree", "silence", "focus"]);
    bench.played.clear();
    bench.command("hold");
    bench.accept(Method::Invite, SDP);
    let kinds: Vec<&str> = bench.played.iter().map(kind).collect();
    assert_eq!(kinds, ["agree", "agree held", "nobody"]);
}

fn kind(command: &SoundCommand) -> &'static str {
    match command {
        SoundCommand::Open { .. } => "open",
        SoundCommand::Agree { held: true, .. } => "agree held",
        SoundCommand::Agree { .. } => "agree",
        SoundCommand::Tone(None) => "silence",
        SoundCommand::Tone(Some(Tone::Ringback)) => "ringback",
        SoundCommand::Tone(Some(_)) => "tone",
        SoundCommand::Focus(sessions) if sessions.is_empty() => "nobody",
        SoundCommand::Focus(_) => "focus",
        SoundCommand::Dtmf { .. } => "dtmf",
        SoundCommand::Mute(_) => "mute",
        SoundCommand::Close { .. } => "close",
    }
}

#[test]
fn a_busy_party_ends_the_call_with_its_status() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "486 Busy Here", "", "");
    bench.check("p>s INVITE; s>p 486; p>s ACK");
    bench.check_events("done ended(486,remote)");
    assert_eq!(bench.phone.view().message.as_deref(), Some("Call failed: 486 Busy Here"));
}

#[test]
fn nobody_answers_at_all() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    bench.wait_ms(32_000);
    bench.check_events("done ended(null,network)");
}

#[test]
fn the_caller_hangs_up_while_it_rings() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "180 Ringing", "", "");
    bench.command("hangup");
    let cancel = bench.take(Method::Cancel).expect("a CANCEL");
    bench.answer(&cancel, "200 OK", "", "");
    bench.answer(&invite, "487 Request Terminated", "", "");
    bench.check("p>s INVITE; s>p 180; p>s CANCEL; s>p 200; s>p 487; p>s ACK");
    bench.check_events("done ringing ended(487,local) done");
}

#[test]
fn whoever_answers_and_hangs_up_sends_bye_once_the_ack_came() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    bench.command("answer");
    let ok = bench.reply(200);
    bench.command("hangup");
    bench.check("s>p INVITE; p>s 100; p>s 180; p>s 200");
    // The ACK is lost: the 200 is repeated.
    bench.wait_ms(500);
    bench.check("p>s 200");
    bench.request_inside(&ok, "ACK", "", "");
    bench.check("s>p ACK; p>s BYE");
    bench.check_events("incoming done ended(null,local) done");
    assert_eq!(bench.phone.view().missed, 0);
    assert_eq!(
        bench.phone.history().next().map(|entry| entry.kind),
        Some(crate::phone::HistoryKind::Received)
    );
}

#[test]
fn whoever_hangs_up_before_an_ack_that_never_comes_sends_bye_when_its_time_is_over() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    bench.command("answer");
    bench.command("hangup");
    bench.wait_ms(31_900);
    assert!(bench.take(Method::Bye).is_none());
    bench.wait_ms(200);
    assert!(bench.take(Method::Bye).is_some());
}

#[test]
fn a_call_whose_far_end_is_gone_ends_with_the_change_that_nobody_answers() {
    for (answer, reason) in [
        (None, "the far end does not answer"),
        (Some("408 Request Timeout"), "the far end is not reached (408)"),
        (Some("481 Call/Transaction Does Not Exist"), "the far end forgot the call (481)"),
    ] {
        let mut bench = Bench::registered(&[]);
        bench.talk("7006");
        bench.forget();
        bench.command("hold");
        match answer {
            Some(answer) => {
                let invite = bench.take(Method::Invite).expect("a re-INVITE");
                bench.answer(&invite, answer, "", "");
            }
            None => bench.wait_ms(32_000),
        }
        assert!(bench.take(Method::Bye).is_some(), "{reason}");
        bench.wait_ms(300);
        let ended = bench.told("ended").expect("it has ended");
        assert_eq!((&ended["by"], &ended["reason"]), (&"network".into(), &reason.into()));
    }
}

#[test]
fn a_restart_hangs_up_first() {
    let mut bench = Bench::registered(&[]);
    bench.talk("7006");
    bench.forget();
    bench.command("reboot");
    bench.check("p>s BYE");
    bench.check_events("ended(null,local) done");
    let bye = bench.take(Method::Bye).expect("a BYE");
    bench.answer(&bye, "200 OK", "", "");
    bench.check_events("reboot");
    // A server that does not answer holds it up for two seconds.
    let mut bench = Bench::registered(&[]);
    bench.talk("7006");
    bench.forget();
    bench.command("reboot");
    bench.wait_ms(2_000);
    bench.check_events("ended(null,local) done reboot");
}

#[test]
fn a_call_that_stops_ringing_is_missed() {
    let mut bench = Bench::registered(&[]);
    bench.call_in_vain("in");
    bench.check("s>p INVITE; p>s 100; p>s 180; s>p CANCEL; p>s 200; p>s 487");
    bench.check_events("incoming ended(487,remote)");
    assert_eq!(bench.phone.view().missed, 1);
}

#[test]
fn a_person_rejects() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    bench.command("reject");
    bench.check("s>p INVITE; p>s 100; p>s 180; p>s 486");
    bench.check_events("incoming ended(486,local) done");
    assert_eq!(bench.phone.view().missed, 0);
}

#[test]
fn a_second_call_waits_and_is_taken_while_the_first_is_held() {
    let mut bench = Bench::registered(&[]);
    bench.be_called("one");
    bench.forget();
    bench.request("INVITE", "two", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180");
    bench.command("answer");
    let ok = bench.reply(200);
    bench.request_inside(&ok, "ACK", "", "");
    bench.accept(Method::Invite, SDP);
    bench.check_events("incoming done answered held");
    let held: Vec<bool> = bench.phone.view().calls.iter().map(|call| call.held).collect();
    assert_eq!(held, [true, false]);
}

#[test]
fn without_call_waiting_the_second_caller_hears_busy() {
    let mut bench = Bench::registered(&[("call_waiting.enable", "0")]);
    bench.be_called("one");
    bench.forget();
    bench.request("INVITE", "two", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 486");
    bench.check_events("");
}

#[test]
fn calls_are_bounded_whatever_the_settings_say() {
    let mut bench = Bench::registered(&[("phone_setting.call_appearance.calls_per_linekey", "24")]);
    for number in 0..super::super::calls::MAX_CALLS {
        bench.request("INVITE", &format!("c{number}"), "", SDP);
    }
    bench.forget();
    bench.request("INVITE", "one-too-many", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 486");
}

#[test]
fn an_offer_without_a_common_codec_is_refused_before_it_rings() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", &SDP.replace("8 0 101", "18"));
    bench.check("s>p INVITE; p>s 100; p>s 488");
    assert!(bench.last().contains("Warning: 305 phone \"no codec in common"), "{}", bench.last());
}

#[test]
fn an_invite_without_an_offer_gets_one_in_the_200() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", "");
    bench.command("answer");
    let ok = bench.reply(200);
    assert!(String::from_utf8_lossy(&ok).contains("m=audio 10000 RTP/AVP 8 0 101"));
    bench.request_inside(&ok, "ACK", "", SDP);
    bench.check_events("incoming done answered");
}

#[test]
fn the_far_end_holds_and_resumes() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.request_inside(&ok, "INVITE", "", &SDP.replace("m=audio", "a=sendonly\r\nm=audio"));
    let answer = bench.reply(200);
    assert!(String::from_utf8_lossy(&answer).contains("a=recvonly"));
    bench.request_inside(&answer, "ACK", "", "");
    bench.request_inside(&ok, "INVITE", "", SDP);
    bench.check_events("remote_hold remote_resume");
}

#[test]
fn a_refused_hold_leaves_the_call_as_it_was() {
    let mut bench = Bench::registered(&[]);
    bench.talk("7006");
    bench.forget();
    bench.command("hold");
    let invite = bench.take(Method::Invite).expect("a re-INVITE");
    bench.answer(&invite, "488 Not Acceptable Here", "", "");
    bench.check("p>s INVITE(sendonly, c=0.0.0.0); s>p 488; p>s ACK");
    assert!(!bench.phone.view().calls[0].held);
    assert_eq!(bench.phone.view().message.as_deref(), Some("Hold failed: 488"));
}

#[test]
fn two_re_invites_that_cross_are_both_done_in_the_end() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.command("hold");
    let invite = bench.take(Method::Invite).expect("a re-INVITE");
    bench.forget();
    bench.request_inside(&ok, "INVITE", "", SDP);
    bench.answer(&invite, "491 Request Pending", "", "");
    bench.check("s>p INVITE; p>s 491; s>p 491; p>s ACK");
    bench.wait_ms(2_001);
    bench.accept(Method::Invite, SDP);
    bench.check_events("held");
}

#[test]
fn a_change_that_waits_after_a_491_hinders_none_of_theirs() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.command("hold");
    let invite = bench.take(Method::Invite).expect("a re-INVITE");
    bench.answer(&invite, "491 Request Pending", "", "");
    bench.forget();
    // An endpoint that asks for direct media, say. Our answer holds already.
    bench.request_inside(&ok, "INVITE", "", SDP);
    let answer = bench.reply(200);
    assert!(String::from_utf8_lossy(&answer).contains("a=sendonly\r\n"));
    bench.check("s>p INVITE; p>s 200");
    bench.check_events("held");
    bench.request_inside(&answer, "ACK", "", "");
    bench.wait_ms(5_000);
    bench.check("s>p ACK");
    bench.command("resume");
    bench.accept(Method::Invite, SDP);
    bench.check_events("done resumed");
}

#[test]
fn what_waits_after_a_491_is_asked_for_once_theirs_is_done() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.command("hold");
    bench.accept(Method::Invite, &SDP.replace("m=audio", "a=recvonly\r\nm=audio"));
    bench.command("resume");
    let invite = bench.take(Method::Invite).expect("a re-INVITE");
    bench.answer(&invite, "491 Request Pending", "", "");
    bench.check_events("done held done");
    // They still take themselves for held: that is no end of our hold.
    bench.request_inside(&ok, "INVITE", "", &SDP.replace("m=audio", "a=recvonly\r\nm=audio"));
    let answer = bench.reply(200);
    bench.forget();
    bench.wait_ms(3_000);
    assert!(bench.take(Method::Invite).is_none(), "not before their ACK");
    bench.request_inside(&answer, "ACK", "", "");
    bench.wait_ms(200);
    bench.accept(Method::Invite, SDP);
    bench.check_events("resumed");
}

#[test]
fn the_phone_expects_sound_from_where_its_call_comes_from() {
    let homes = |bench: &Bench| {
        let home = |command: &SoundCommand| match command {
            SoundCommand::Agree { home, .. } => Some(*home),
            _ => None,
        };
        bench.played.iter().filter_map(home).collect::<Vec<_>>()
    };
    let server = Some("192.168.50.19".parse().expect("an address"));
    let mut bench = Bench::registered(&[]);
    bench.be_called("in");
    assert_eq!(homes(&bench).last(), Some(&server));
    let mut bench = Bench::registered(&[]);
    bench.talk("7006");
    assert_eq!(homes(&bench).last(), Some(&server));
}

#[test]
fn both_hold_and_resume() {
    let mut bench = Bench::registered(&[]);
    let ok = bench.be_called("in");
    bench.forget();
    let say = |bench: &mut Bench, direction: &str| {
        bench.request_inside(
            &ok,
            "INVITE",
            "",
            &SDP.replace("m=audio", &format!("a={direction}\r\nm=audio")),
        );
        let answer = bench.reply(200);
        bench.request_inside(&answer, "ACK", "", "");
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(say(&mut bench, "sendonly").contains("a=recvonly\r\n"));
    bench.command("hold");
    assert!(bench.last().contains("a=inactive\r\n"), "{}", bench.last());
    bench.accept(Method::Invite, &SDP.replace("m=audio", "a=inactive\r\nm=audio"));
    bench.check_events("remote_hold done held");
    assert!(bench.phone.view().calls[0].held && bench.phone.view().calls[0].remote_held);
    assert!(say(&mut bench, "sendrecv").contains("a=sendonly\r\n"));
    bench.check_events("remote_resume");
    bench.command("resume");
    bench.accept(Method::Invite, SDP);
    bench.check_events("done resumed");
}

#[test]
fn digits_go_the_way_of_the_settings() {
    let mut bench = Bench::registered(&[("account.1.dtmf.type", "2")]);
    let ok = bench.be_called("in");
    bench.forget();
    bench.command("dtmf 5");
    let info = bench.take(Method::Info).expect("an INFO");
    assert!(String::from_utf8_lossy(&info).ends_with("Signal=5\r\nDuration=160\r\n"));
    let body = "Signal=*\r\n";
    bench.request_inside(&ok, "INFO", "X: y", body);
    bench.check_events("done");
    let mut bench = Bench::registered(&[]);
    bench.be_called("in");
    bench.played.clear();
    bench.command("dtmf 12#");
    let dtmf = SoundCommand::Dtmf { session: 1, digits: "12#".into(), in_band: false };
    assert_eq!(bench.played, [dtmf]);
}

#[test]
fn a_second_answer_to_the_same_call_is_hung_up() {
    let mut bench = Bench::registered(&[]);
    let invite = bench.talk("7006");
    bench.forget();
    let message = Message::parse(&invite).expect("sound");
    let text = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned();
    bench.receive(&format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=other\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:7008@192.168.50.19:5060>\r\nContent-Length: 0\r\n\r\n",
        text(Name::Via),
        text(Name::From),
        text(Name::To),
        text(Name::CallId),
        text(Name::CSeq)
    ));
    bench.check("s>p 200; p>s ACK; p>s BYE");
    bench.check_events("");
}

#[test]
fn a_session_too_short_is_refused() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "Session-Expires: 30", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 422");
    assert!(bench.last().contains("Min-SE: 90\r\n"), "{}", bench.last());
}

#[test]
fn early_media_is_heard_until_the_phone_s_own_ringback() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    let invite = bench.take(Method::Invite).expect("an INVITE");
    bench.answer(&invite, "183 Session Progress", "", SDP);
    let kinds: Vec<&str> = bench.played.drain(..).map(|command| kind(&command)).collect();
    assert_eq!(kinds, ["open", "agree", "focus"]);
    bench.answer(&invite, "180 Ringing", "", "");
    let kinds: Vec<&str> = bench.played.drain(..).map(|command| kind(&command)).collect();
    assert_eq!(kinds, ["ringback", "nobody"]);
}

#[test]
fn an_answer_without_a_session_follows_one_that_had_it() {
    let check = |progress: &str, sdp: &str, talks: bool| {
        let mut bench = Bench::registered(&[]);
        bench.command("dial 7006");
        let invite = bench.take(Method::Invite).expect("an INVITE");
        bench.answer(&invite, progress, "", sdp);
        bench.answer(&invite, "200 OK", "", "");
        let answered = bench.events.iter().any(|event| matches!(event, EventKind::Answered { .. }));
        assert_eq!(answered, talks, "{progress}");
    };
    check("183 Session Progress", SDP, true);
    check("180 Ringing", "", false);
}

#[test]
fn calls_from_address_to_address_are_a_setting() {
    let mut bench = Bench::registered(&[]);
    assert!(bench.refused("dial 192.168.80.99").contains("Allow IP Calls is off"));
    let mut bench = Bench::registered(&[("features.direct_ip_call_enable", "1")]);
    bench.command("dial sip:0021f2000002@192.168.80.99");
    assert!(
        bench.last().starts_with("INVITE sip:0021f2000002@192.168.80.99 SIP/2.0\r\n"),
        "{}",
        bench.last()
    );
    assert!(bench.last().contains("<sip:0021f2000001@192.168.80.20>;tag="), "{}", bench.last());
    let mut bench = Bench::registered(&[("features.direct_ip_call_enable", "1")]);
    bench.command("dial 192.168.80.99");
    assert!(bench.last().starts_with("INVITE sip:192.168.80.99 SIP/2.0\r\n"), "{}", bench.last());
}

#[test]
fn redial_calls_the_last_number() {
    let mut bench = Bench::registered(&[]);
    assert!(bench.refused("redial").contains("nothing was dialled"));
    bench.talk("7006");
    bench.command("hangup");
    bench.forget();
    bench.command("redial");
    assert!(bench.last().starts_with("INVITE sip:7006@192.168.50.19 SIP/2.0\r\n"), "{}", bench.last());
}

/// The BYE waits for the ACK (RFC 3261 §15), also where the account is switched off or the phone ends meanwhile.
#[test]
fn a_farewell_is_said_by_an_account_that_is_gone() {
    for end in ["set account.1.enable 0", "quit"] {
        let mut bench = Bench::registered(&[]);
        bench.request("INVITE", "in", "", SDP);
        bench.command("answer");
        let ok = bench.reply(200);
        bench.command(end);
        bench.serve_registration();
        assert!(bench.take(Method::Bye).is_none(), "{end}");
        assert!(bench.wishes.is_empty(), "{end}: {:?}", bench.wishes);
        bench.wait_ms(400);
        bench.request_inside(&ok, "ACK", "", "");
        let bye = bench.take(Method::Bye).unwrap_or_else(|| panic!("{end}: {:?}", bench.ladder));
        bench.answer(&bye, "200 OK", "", "");
        assert_eq!(bench.wishes.len(), usize::from(end == "quit"), "{end}");
    }
}

/// RFC 3261 §15 lets a caller end an early dialog by BYE; RFC 3326 says why.
#[test]
fn a_bye_may_say_that_another_has_answered() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "", SDP);
    let ringing = bench.reply(180);
    bench.request_inside(&ringing, "BYE", "Reason: SIP;cause=200;text=\"Call completed elsewhere\"", "");
    assert_eq!(bench.phone.view().missed, 0);
}
