//! Forward, do not disturb, and calls that answer themselves (deck, Call Forward).

use super::*;

#[test]
fn every_call_is_forwarded() {
    let mut bench = Bench::registered(&[]);
    bench.command("forward always 7001");
    bench.request("INVITE", "in", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 302");
    let moved = bench.last();
    for line in [
        "Diversion: <sip:7002@192.168.80.20:5060>;reason=unconditional",
        "Contact: <sip:7001@192.168.50.19:5060>",
    ] {
        assert!(moved.contains(&format!("{line}\r\n")), "{line} is not in\n{moved}");
    }
    bench.check_events("done forwarded(7001,unconditional)");
    assert_eq!(bench.phone.view().forwards, ["always 7001"]);
    bench.command("forward always off");
    bench.request("INVITE", "in2", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180");
}

#[test]
fn on_a_call_others_are_forwarded() {
    let mut bench = Bench::registered(&[("forward.busy.enable", "1"), ("forward.busy.target", "7001")]);
    bench.be_called("one");
    bench.forget();
    bench.request("INVITE", "two", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 302");
    assert!(bench.last().contains(";reason=user-busy\r\n"), "{}", bench.last());
}

#[test]
fn dnd_counts_as_busy_for_the_forward() {
    let mut bench = Bench::registered(&[("forward.busy.enable", "1"), ("forward.busy.target", "7001")]);
    bench.command("dnd on");
    bench.request("INVITE", "in", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 302");
}

#[test]
fn nobody_answers_for_ten_seconds() {
    let mut bench =
        Bench::registered(&[("forward.no_answer.enable", "1"), ("forward.no_answer.target", "7001")]);
    bench.request("INVITE", "in", "", SDP);
    bench.wait_ms(9_999);
    bench.check("s>p INVITE; p>s 100; p>s 180");
    bench.wait_ms(1);
    assert!(bench.last().contains(";reason=no-answer\r\n"), "{}", bench.last());
    bench.check("p>s 302");
    bench.check_events("incoming forwarded(7001,no-answer) ended(302,local)");
}

#[test]
fn the_older_spelling_of_the_reason_is_a_setting() {
    let mut bench = Bench::registered(&[
        ("forward.no_answer.enable", "1"),
        ("forward.no_answer.target", "7001"),
        ("account.1.advanced.diversion_dialect", "1"),
    ]);
    bench.request("INVITE", "in", "", SDP);
    bench.wait_ms(10_000);
    assert!(bench.last().contains(";reason=no answer\r\n"), "{}", bench.last());
}

#[test]
fn a_call_that_this_phone_forwarded_is_not_forwarded_again() {
    let mut bench = Bench::registered(&[("forward.always.enable", "1"), ("forward.always.target", "7001")]);
    bench.request("INVITE", "in", "Diversion: <sip:7002@192.168.50.19>;reason=unconditional", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180");
    assert!(bench.events.iter().any(|event| matches!(
        event,
        EventKind::Incoming { diverted_from: Some(by), .. } if by == "7002"
    )));
}

#[test]
fn an_escaped_number_is_the_same_number_for_a_forward() {
    let forward = [("forward.always.enable", "1"), ("forward.always.target", "7001")];
    let mut bench = Bench::registered(&forward);
    bench.request("INVITE", "in", "Diversion: <sip:70%302@192.168.50.19>;reason=unconditional", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180");

    let alarm = [
        ("features.forward.emergency.enable", "0"),
        ("features.forward.emergency.authorized_number", "*112"),
    ];
    let mut bench = Bench::registered(&[forward, alarm].concat());
    bench.receive(
        "INVITE sip:7002@192.168.80.20 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.50.19:5060;branch=z9hG4bKq\r\n\
         From: <sip:%2A112@192.168.50.19>;tag=1\r\nTo: <sip:7002@192.168.50.19>\r\nCall-ID: q\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:1@192.168.50.19>\r\nContent-Length: 0\r\n\r\n",
    );
    bench.check("s>p INVITE; p>s 100; p>s 180");
}

#[test]
fn do_not_disturb_seems_to_ring_for_a_second() {
    let mut bench = Bench::registered(&[]);
    bench.command("dnd on");
    bench.request("INVITE", "in", "", SDP);
    bench.wait_ms(999);
    bench.check("s>p INVITE; p>s 100; p>s 180");
    bench.wait_ms(1);
    assert!(
        bench.last().contains("Reason: Q.850;cause=18;text=\"No User Responding\"\r\n"),
        "{}",
        bench.last()
    );
    bench.check("p>s 480");
    bench.check_events("done");
    assert!(bench.phone.view().dnd);
    assert_eq!(bench.phone.view().missed, 1);
}

#[test]
fn a_caller_without_a_name_is_turned_away_where_that_is_set() {
    let mut bench = Bench::registered(&[("account.1.reject_anonymous_call", "1")]);
    bench.receive(
        "INVITE sip:7002@192.168.80.20 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.50.19:5060;branch=z9hG4bKq\r\n\
         From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1\r\nTo: <sip:7002@h>\r\nCall-ID: q\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:1@h>\r\nContent-Length: 0\r\n\r\n",
    );
    bench.check("s>p INVITE; p>s 100; p>s 433");
}

#[test]
fn an_anonymous_call_names_nobody() {
    let mut bench = Bench::registered(&[("account.1.anonymous_call", "1")]);
    bench.command("dial 7006");
    let invite = bench.last();
    assert!(invite.contains("From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="), "{invite}");
    assert!(invite.contains("Privacy: id\r\n"), "{invite}");
    assert!(invite.contains("P-Preferred-Identity: <sip:7002@192.168.50.19>\r\n"), "{invite}");
}

#[test]
fn calls_answer_themselves_where_the_caller_may_ask_for_it() {
    let mut bench = Bench::registered(&[]);
    bench.request("INVITE", "in", "Call-Info: <sip:h>;answer-after=0", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180; p>s 200");
    let mut bench = Bench::registered(&[("features.intercom.allow", "0")]);
    bench.request("INVITE", "in", "Call-Info: <sip:h>;answer-after=0", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 180");
}

#[test]
fn an_account_answers_itself_after_its_delay() {
    let mut bench = Bench::registered(&[("account.1.auto_answer", "1"), ("features.auto_answer_delay", "2")]);
    bench.request("INVITE", "in", "", SDP);
    bench.wait_ms(1_999);
    bench.check("s>p INVITE; p>s 100; p>s 180");
    bench.wait_ms(1);
    bench.check("p>s 200");
}

#[test]
fn a_call_rings_only_so_long() {
    let mut bench = Bench::registered(&[("phone_setting.ringing_timeout", "20")]);
    bench.request("INVITE", "in", "", SDP);
    bench.forget();
    bench.wait_ms(20_000);
    bench.check("p>s 480");
    bench.check_events("ended(480,local)");
    assert_eq!(bench.phone.view().missed, 1);
}

#[test]
fn a_redirected_call_goes_on_and_never_in_a_circle() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    let first = bench.last();
    assert!(first.contains("INVITE sip:7006@192.168.50.19"), "{first}");
    redirect(&mut bench, "<sip:7001@192.168.50.19:5060>");
    redirect(&mut bench, "<sip:7006@192.168.50.19>");
    bench.check("p>s INVITE; s>p 302; p>s ACK; p>s INVITE; s>p 302; p>s ACK");
    bench.check_events("done ended(302,remote)");
}

/// Sends a call to these addresses.
fn redirect(bench: &mut Bench, contacts: &str) {
    let invite = bench.take(Method::Invite).expect("an INVITE");
    let message = Message::parse(&invite).expect("sound");
    let text = |name| String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned();
    bench.receive(&format!(
        "SIP/2.0 302 Moved Temporarily\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=x\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: {contacts}\r\nContent-Length: 0\r\n\r\n",
        text(Name::Via),
        text(Name::From),
        text(Name::To),
        text(Name::CallId),
        text(Name::CSeq)
    ));
}

#[test]
fn a_redirected_call_goes_to_the_address_of_the_contact_and_then_to_the_next_without_credentials() {
    let mut bench = Bench::registered(&[]);
    bench.command("dial 7006");
    redirect(&mut bench, "<sip:7003@192.168.50.81>;q=0.2, <sip:7004@192.168.50.82:5070>;q=0.9");
    let first = bench.take(Method::Invite).expect("an INVITE to the better one");
    assert_eq!(bench.last_to.map(|at| at.to_string()).as_deref(), Some("192.168.50.82:5070"));
    let text = String::from_utf8_lossy(&first).into_owned();
    assert!(text.starts_with("INVITE sip:7004@192.168.50.82:5070 "), "{text}");
    // A stranger that asks for a password gets none.
    bench.answer(&first, "401 Unauthorized", CHALLENGE, "");
    let second = bench.take(Method::Invite).expect("an INVITE to the other");
    let text = String::from_utf8_lossy(&second).into_owned();
    assert!(text.starts_with("INVITE sip:7003@192.168.50.81 ") && !text.contains("Authorization"), "{text}");
    assert_eq!(bench.last_to.map(|at| at.to_string()).as_deref(), Some("192.168.50.81:5060"));
    bench.answer(&second, "404 Not Found", "", "");
    bench.check_events("done ended(404,remote)");
}

#[test]
fn an_outbound_server_takes_redirected_calls_too() {
    let mut bench = Bench::registered(&[
        ("account.1.outbound_proxy_enable", "1"),
        ("account.1.outbound_proxy.1.address", "192.168.50.19"),
    ]);
    bench.command("dial 7006");
    redirect(&mut bench, "<sip:7004@192.168.50.82>");
    let text = bench.last();
    assert!(text.starts_with("INVITE sip:7004@192.168.50.82 "), "{text}");
    assert_eq!(bench.last_to.map(|at| at.to_string()).as_deref(), Some("192.168.50.19:5060"));
}

#[test]
fn a_direct_call_is_redirected_too() {
    let mut bench = Bench::registered(&[("features.direct_ip_call_enable", "1")]);
    bench.command("dial 192.168.50.90");
    assert_eq!(bench.last_to.map(|at| at.to_string()).as_deref(), Some("192.168.50.90:5060"));
    redirect(&mut bench, "<sip:192.168.50.91>");
    assert_eq!(bench.last_to.map(|at| at.to_string()).as_deref(), Some("192.168.50.91:5060"));
}

#[test]
fn a_busy_number_is_dialled_again() {
    let mut bench = Bench::registered(&[
        ("auto_redial.enable", "1"),
        ("auto_redial.interval", "5"),
        ("auto_redial.times", "1"),
    ]);
    let refuse = |bench: &mut Bench| {
        let invite = bench.take(Method::Invite).expect("an INVITE");
        bench.answer(&invite, "486 Busy Here", "", "");
    };
    bench.command("dial 7006");
    refuse(&mut bench);
    bench.wait_ms(5_000);
    refuse(&mut bench);
    bench.forget();
    bench.wait_ms(60_000);
    bench.check("");
}

#[test]
fn codes_tell_the_server_what_was_switched() {
    let mut bench = Bench::registered(&[("features.dnd.on_code", "*78")]);
    bench.command("dnd on");
    assert!(bench.last().starts_with("INVITE sip:*78@192.168.50.19 "), "{}", bench.last());
}

#[test]
fn sound_must_be_encrypted_where_that_is_set() {
    let mut bench = Bench::registered(&[("account.1.srtp_encryption", "2")]);
    bench.request("INVITE", "in", "", SDP);
    bench.check("s>p INVITE; p>s 100; p>s 488");
    bench.command("dial 7006");
    assert!(bench.last().contains("RTP/SAVP 8 0 101"), "{}", bench.last());
    assert!(bench.last().contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"), "{}", bench.last());
}

#[test]
fn a_session_timer_keeps_the_call_alive() {
    let mut bench = Bench::registered(&[
        ("account.1.session_timer.enable", "1"),
        ("account.1.session_timer.expires", "200"),
    ]);
    bench.talk("7006");
    bench.forget();
    bench.wait_ms(100_000);
    bench.check("p>s INVITE");
    assert!(bench.last().contains("Session-Expires: 200;refresher=uac"), "{}", bench.last());
    bench.accept(Method::Invite, SDP);
    assert!(bench.log().contains("0 Session Refreshed, 200s"), "{}", bench.log());
}

#[test]
fn a_session_that_nobody_refreshes_ends() {
    let mut bench = Bench::registered(&[
        ("account.1.session_timer.enable", "1"),
        ("account.1.session_timer.expires", "200"),
    ]);
    bench.talk("7006");
    bench.forget();
    bench.wait_ms(100_000);
    let refresh = bench.take(Method::Invite).expect("a refresh");
    bench.answer(&refresh, "500 Server Internal Error", "", "");
    bench.forget();
    bench.wait_ms(5_000);
    bench.check("p>s INVITE");
    bench.wait_ms(63_000);
    bench.check_events("ended(null,network)");
    assert!(bench.ladder.last().is_some_and(|step| step == "p>s BYE"), "{:?}", bench.ladder);
}

#[test]
fn a_redirection_names_port_transport_and_headers() {
    let check = |contact: &str, to: &str, transport: Transport, line: &str| {
        let mut bench = Bench::registered(&[]);
        bench.command("dial 7006");
        redirect(&mut bench, contact);
        let flow = bench.last_flow.expect("sent");
        assert_eq!((flow.remote.to_string().as_str(), flow.transport), (to, transport), "{contact}");
        assert!(bench.last().starts_with(line), "{}", bench.last());
    };
    let udp = Transport::Udp;
    check("<sip:7003@192.168.50.19>", "192.168.50.19:5060", udp, "INVITE sip:7003@192.168.50.19 ");
    check("<sip:7003@192.168.50.19:5070>", "192.168.50.19:5070", udp, "INVITE sip:7003@192.168.50.19:5070 ");
    let tcp = "<sip:7003@192.168.50.19;transport=tcp>";
    check(tcp, "192.168.50.19:5060", Transport::Tcp, "INVITE sip:7003@192.168.50.19;transport=tcp ");
    let headers = "<sip:7003@192.168.50.19?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=x>";
    check(headers, "192.168.50.19:5060", udp, "INVITE sip:7003@192.168.50.19 ");
}
