use super::*;

#[test]
fn a_request_carries_our_via() {
    let mut bench = Bench::new();
    bench.send(0, &outgoing(Method::Options), &["udp 5061"]).expect("room");
    let sent = bench.last();
    let via = Message::parse(sent.as_bytes()).expect("sound").text(Name::Via).expect("there").to_owned();
    assert!(via.starts_with("SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK000000"), "{via}");
    assert!(via.ends_with(";rport"), "{via}");
    let branch = via.split([';', '=']).nth(2).expect("there").to_owned();
    assert_eq!(branch.len(), 29);
    let mut plain = outgoing(Method::Options);
    plain.rport = false;
    bench.send(0, &plain, &["tls 5061"]).expect("room");
    assert!(bench.last().contains("Via: SIP/2.0/TLS 192.0.2.9:5060;branch=z9hG4bK000001"));
    assert!(!bench.last().contains("rport"));
}

#[test]
fn a_response_finds_its_owner_once() {
    let mut bench = Bench::new();
    let id = bench.send(0, &outgoing(Method::Options), &["udp 5061"]).expect("room");
    let sent = bench.last();
    assert_eq!(bench.answer(10, &sent, 200, "t"), Received::Response { id, owner: 7 });
    assert_eq!(bench.answer(20, &sent, 200, "t"), Received::Nothing);
    assert_eq!(bench.endpoint.next_deadline(), Some((Time::from_millis(5_010), Timer::K)));
    bench.run(90_000);
    assert_eq!(bench.answer(90_000, &sent, 200, "t"), Received::StrayResponse);
    bench.expect(&["0 > UDP 5061 OPTIONS"]);
    assert_eq!(bench.endpoint.client_count(), 0);
}

#[test]
fn a_response_with_a_guessed_branch_is_a_stray() {
    let mut bench = Bench::new();
    bench.send(0, &outgoing(Method::Options), &["udp 5061"]).expect("room");
    let sent = bench.last();
    let at = sent.find("z9hG4bK000000").expect("there") + 13;
    let guessed = format!("{}0123456789abcdef{}", &sent[..at], &sent[at + 16..]);
    assert_eq!(bench.answer(10, &guessed, 200, "t"), Received::StrayResponse);
    assert_eq!(bench.answer(10, &sent.replace("5 OPTIONS", "5 INVITE"), 200, "t"), Received::StrayResponse);
    assert_eq!(
        bench.answer(10, &sent.replace("branch=z9hG4bK", "branch=x"), 200, "t"),
        Received::StrayResponse
    );
}

#[test]
fn nobody_answers() {
    let mut bench = Bench::new();
    bench.send(0, &outgoing(Method::Invite), &["udp 5061"]).expect("room");
    bench.run(90_000);
    let times = ["0", "500", "1500", "3500", "7500", "15500", "31500"];
    let mut expected: Vec<_> = times.iter().map(|ms| format!("{ms} > UDP 5061 INVITE")).collect();
    expected.push("32000 timed out 7".into());
    assert_eq!(bench.log, expected);
    assert_eq!(bench.endpoint.client_count(), 0);
}

#[test]
fn the_next_target_is_tried_after_silence() {
    let mut bench = Bench::new();
    let id = bench.send(0, &outgoing(Method::Options), &["tcp 5061", "tcp 5062"]).expect("room");
    let first = bench.last();
    bench.run(33_000);
    let second = bench.last();
    assert_ne!(first, second, "the branch is a fresh one");
    assert_eq!(bench.answer(33_000, &first, 200, "t"), Received::StrayResponse);
    assert_eq!(bench.answer(33_001, &second, 200, "t"), Received::Response { id, owner: 7 });
    bench.run(90_000);
    bench.expect(&["0 > TCP 5061 OPTIONS", "32000 > TCP 5062 OPTIONS"]);
}

#[test]
fn a_target_that_has_shown_life_is_the_last() {
    let mut bench = Bench::new();
    let id = bench.send(0, &outgoing(Method::Options), &["tcp 5061", "tcp 5062"]).expect("room");
    let sent = bench.last();
    assert_eq!(bench.answer(5, &sent, 100, ""), Received::Response { id, owner: 7 });
    bench.endpoint.flow_failed(Time::from_millis(6), bench.out[0].flow);
    bench.run(90_000);
    bench.expect(&["0 > TCP 5061 OPTIONS", "32000 timed out 7"]);
}

#[test]
fn a_503_is_followed_by_the_next_target_and_the_last_503_goes_up() {
    let mut bench = Bench::new();
    let id = bench.send(0, &outgoing(Method::Invite), &["udp 5061", "udp 5062"]).expect("room");
    let first = bench.last();
    assert_eq!(bench.answer(5, &first, 100, ""), Received::Response { id, owner: 7 });
    assert_eq!(bench.answer(10, &first, 503, "t"), Received::Nothing);
    let second = bench.last();
    assert_eq!(bench.answer(20, &first, 503, "t"), Received::Nothing, "acknowledged again");
    assert_eq!(bench.answer(30, &second, 503, "u"), Received::Response { id, owner: 7 });
    bench.run(90_000);
    bench.expect(&[
        "0 > UDP 5061 INVITE",
        "10 > UDP 5061 ACK",
        "10 > UDP 5062 INVITE",
        "20 > UDP 5061 ACK",
        "30 > UDP 5062 ACK",
    ]);
    let id = bench.send(100_000, &outgoing(Method::Options), &["udp 5061", "udp 5062"]).expect("room");
    let first = bench.last();
    assert_eq!(bench.answer(100_001, &first, 503, "t"), Received::Nothing);
    let second = bench.last();
    assert_eq!(bench.answer(100_002, &second, 503, "t"), Received::Response { id, owner: 7 });
}

#[test]
fn a_broken_flow_is_followed_by_the_next_target() {
    let mut bench = Bench::new();
    bench.send(0, &outgoing(Method::Invite), &["tcp 5061", "tls 5062"]).expect("room");
    let at = Time::from_millis(50);
    bench.endpoint.flow_failed(at, bench.out[0].flow);
    bench.endpoint.flow_failed(at, bench.out[0].flow);
    assert_eq!(bench.endpoint.next_deadline(), Some((at, Timer::Transport)));
    bench.run(50);
    bench.endpoint.flow_failed(Time::from_millis(60), bench.out[1].flow);
    bench.run(90_000);
    bench.expect(&["0 > TCP 5061 INVITE", "50 > TLS 5062 INVITE", "60 transport failed 7"]);
    assert_eq!(bench.endpoint.next_deadline(), None);
}

#[test]
fn an_unreachable_target_is_left_at_once_and_the_last_one_after_two_seconds() {
    let mut bench = Bench::new();
    bench.send(0, &outgoing(Method::Invite), &["udp 5061", "udp 5062"]).expect("room");
    let unreachable = |bench: &mut Bench, at_ms: u64| {
        let remote = bench.out.last().expect("sent").flow.remote;
        bench.endpoint.unreachable(Time::from_millis(at_ms), remote)
    };
    assert!(unreachable(&mut bench, 1));
    bench.run(1);
    // The server that restarts refuses what is sent now and once more, and hears the fourth.
    assert!(unreachable(&mut bench, 2));
    bench.run(501);
    assert!(!unreachable(&mut bench, 502), "no news");
    bench.run(1_501);
    assert!(!unreachable(&mut bench, 1_502));
    bench.run(3_501);
    assert!(unreachable(&mut bench, 3_502));
    bench.run(90_000);
    bench.expect(&[
        "0 > UDP 5061 INVITE",
        "1 > UDP 5062 INVITE",
        "501 > UDP 5062 INVITE",
        "1501 > UDP 5062 INVITE",
        "3501 > UDP 5062 INVITE",
        "3502 transport failed 7",
    ]);
}

#[test]
fn whoever_has_answered_is_reachable_whatever_the_network_says() {
    let mut bench = Bench::new();
    bench.send(0, &outgoing(Method::Invite), &["udp 5061"]).expect("room");
    let (flow, invite) = (bench.out[0].flow, bench.last());
    assert!(!bench.endpoint.unreachable(Time::ZERO, "192.0.2.77:5061".parse().expect("an address")));
    bench.answer(100, &invite, 100, "t");
    assert!(!bench.endpoint.unreachable(Time::from_secs(1), flow.remote));
    assert!(!bench.endpoint.unreachable(Time::from_secs(4), flow.remote));
    bench.run(5_000);
    bench.expect(&["0 > UDP 5061 INVITE"]);
}

#[test]
fn what_is_too_long_for_udp_goes_over_a_stream_where_there_is_one() {
    let mut bench = Bench::new();
    let long = outgoing(Method::Options).body("text/plain", vec![b'x'; 1_300]);
    bench.send(0, &long, &["udp 5061", "tcp 5061"]).expect("room");
    assert!(bench.last().contains("Via: SIP/2.0/TCP "));
    bench.endpoint.flow_failed(Time::ZERO, bench.out[0].flow);
    bench.run(0);
    assert!(bench.last().contains("Via: SIP/2.0/UDP "));
    bench.send(1, &long, &["udp 5061"]).expect("room");
    bench.send(2, &outgoing(Method::Options), &["udp 5061", "tcp 5061"]).expect("room");
    bench.expect(&[
        "0 > TCP 5061 OPTIONS",
        "0 > UDP 5061 OPTIONS",
        "1 > UDP 5061 OPTIONS",
        "2 > UDP 5061 OPTIONS",
    ]);
}

#[test]
fn the_ack_of_a_refusal_follows_from_the_invite() {
    let mut bench = Bench::new();
    let invite = outgoing(Method::Invite)
        .header(Name::Route, "<sip:p1;lr>")
        .header(Name::Route, "<sip:p2;lr>")
        .body("application/sdp", "v=0\r\n");
    let id = bench.send(0, &invite, &["udp 5061"]).expect("room");
    let sent = bench.last();
    let via = sent.lines().find(|line| line.starts_with("Via: ")).expect("there").to_owned();
    assert_eq!(bench.answer(10, &sent, 486, "t"), Received::Response { id, owner: 7 });
    assert_eq!(
        bench.last(),
        format!(
            "ACK sip:a@example.com SIP/2.0\r\n{via}\r\nRoute: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n\
             From: <sip:b@example.com>;tag=f\r\nTo: <sip:a@example.com>;tag=t\r\nCall-ID: d\r\nCSeq: 5 ACK\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    );
    assert_eq!(bench.answer(510, &sent, 486, "t"), Received::Nothing);
    bench.run(90_000);
    bench.expect(&["0 > UDP 5061 INVITE", "10 > UDP 5061 ACK", "510 > UDP 5061 ACK"]);
}

#[test]
fn each_2xx_of_a_fork_goes_up_and_is_acknowledged_by_itself() {
    let mut bench = Bench::new();
    let id = bench.send(0, &outgoing(Method::Invite), &["udp 5061"]).expect("room");
    let sent = bench.last();
    let up = Received::Response { id, owner: 7 };
    assert_eq!(bench.answer(10, &sent, 200, "t"), up);
    assert_eq!(bench.answer(20, &sent, 200, "t"), Received::Nothing, "the owner is still thinking");
    ack(&mut bench, id, "t", "udp 5062").expect("sent");
    assert_eq!(bench.answer(510, &sent, 200, "t"), Received::Nothing);
    assert_eq!(bench.answer(600, &sent, 200, "u"), up);
    ack(&mut bench, id, "u", "udp 5063").expect("sent");
    assert_eq!(bench.answer(1_100, &sent, 200, "u"), Received::Nothing);
    let acks = bench.sent();
    assert_eq!(acks[1], acks[2], "the same ACK again");
    assert_eq!(bench.endpoint.next_deadline(), Some((Time::from_millis(32_010), Timer::M)));
    bench.run(90_000);
    let ports: Vec<_> = bench.log.iter().filter_map(|line| line.split(' ').nth(3)).collect();
    assert_eq!(ports, ["5061", "5062", "5062", "5063", "5063"]);
    ack(&mut bench, id, "t", "udp 5062").expect("sent though the transaction is over");
    let nowhere = bench.endpoint.ack(id, &outgoing(Method::Ack), vec![], local(), &mut bench.out);
    assert_eq!(nowhere, Err(SendError::NoTarget));
}

#[test]
fn forks_without_end_are_not_followed() {
    let mut bench = Bench::new();
    bench.send(0, &outgoing(Method::Invite), &["udp 5061"]).expect("room");
    let sent = bench.last();
    let up = (0..100).filter(|n| bench.answer(*n, &sent, 200, &format!("t{n}")) != Received::Nothing);
    assert_eq!(up.count(), invite::MAX_FORKS);
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut bench = Bench::new();
    let id = bench.send(0, &outgoing(Method::Invite), &["udp 5061", "udp 5062"]).expect("room");
    let sent = bench.last();
    let reason = Some("SIP;cause=200;text=\"Call completed elsewhere\"\r\nX: y");
    assert_eq!(bench.endpoint.cancel(Time::ZERO, id, reason, &mut bench.out), Cancel::AfterProvisional);
    let up = Received::Response { id, owner: 7 };
    assert_eq!(bench.answer(100, &sent, 180, "t"), up);
    let cancel = bench.last();
    assert!(cancel.starts_with("CANCEL sip:a@example.com SIP/2.0\r\n"), "{cancel}");
    assert!(
        cancel.contains("To: <sip:a@example.com>\r\n") && cancel.contains("CSeq: 5 CANCEL\r\n"),
        "{cancel}"
    );
    assert!(cancel.contains("Reason: SIP;cause=200;text=\"Call completed elsewhere\"  X: y\r\n"), "{cancel}");
    bench.run(700);
    assert_eq!(bench.answer(700, &cancel, 200, "t"), Received::Nothing);
    assert_eq!(bench.answer(710, &sent, 487, "t"), up);
    bench.run(90_000);
    bench.expect(&[
        "0 > UDP 5061 INVITE",
        "100 > UDP 5061 CANCEL",
        "600 > UDP 5061 CANCEL",
        "710 > UDP 5061 ACK",
    ]);
}

#[test]
fn a_cancelled_invite_is_not_tried_elsewhere() {
    let mut bench = Bench::new();
    let id = bench.send(0, &outgoing(Method::Invite), &["tcp 5061", "tcp 5062"]).expect("room");
    assert_eq!(bench.endpoint.cancel(Time::ZERO, id, None, &mut bench.out), Cancel::AfterProvisional);
    bench.run(90_000);
    bench.expect(&["0 > TCP 5061 INVITE", "32000 timed out 7"]);
    assert_eq!(bench.endpoint.cancel(Time::ZERO, id, None, &mut bench.out), Cancel::Never);
    let options = bench.send(0, &outgoing(Method::Options), &["tcp 5061"]).expect("room");
    assert_eq!(bench.endpoint.cancel(Time::ZERO, options, None, &mut bench.out), Cancel::Never);
}

#[test]
fn a_cancelled_invite_that_is_never_answered_ends() {
    let mut bench = Bench::new();
    let id = bench.send(0, &outgoing(Method::Invite), &["tcp 5061"]).expect("room");
    let sent = bench.last();
    bench.answer(50, &sent, 180, "t");
    assert_eq!(bench.endpoint.cancel(Time::from_millis(100), id, None, &mut bench.out), Cancel::Now);
    assert_eq!(bench.endpoint.cancel(Time::from_millis(110), id, None, &mut bench.out), Cancel::Never);
    bench.run(90_000);
    bench.expect(&["0 > TCP 5061 INVITE", "32100 > TCP 5061 CANCEL", "32100 timed out 7"]);
}

#[test]
fn there_is_an_end_to_our_own_requests() {
    let mut bench = Bench::with(Config { max_clients: 2, ..Config::default() });
    assert_eq!(bench.send(0, &outgoing(Method::Options), &[]), Err(SendError::NoTarget));
    for _ in 0..2 {
        bench.send(0, &outgoing(Method::Options), &["udp 5061"]).expect("room");
    }
    assert_eq!(bench.send(0, &outgoing(Method::Options), &["udp 5061"]), Err(SendError::Full));
    bench.run(32_000);
    bench.send(32_000, &outgoing(Method::Options), &["udp 5061"]).expect("room again");
}

fn ack(bench: &mut Bench, id: ClientId, tag: &str, to: &str) -> Result<(), SendError> {
    let request = Request::new(Method::Ack, "sip:a@example.com")
        .header(Name::To, format_args!("<sip:a@example.com>;tag={tag}"));
    let result = bench.endpoint.ack(id, &request, vec![target(to)], local(), &mut bench.out);
    bench.note_sent(0);
    result
}

/// What was sent on a connection that had ended is sent again over another, once for each target.
#[test]
fn a_closed_connection_is_made_anew_once() {
    let mut bench = Bench::new();
    bench.send(0, &outgoing(Method::Bye), &["tcp 5061", "tcp 5062"]).expect("room");
    for at in [10, 20, 30, 40] {
        let flow = bench.out.last().expect("sent").flow;
        bench.endpoint.flow_closed(Time::from_millis(at), flow);
        bench.run(at);
    }
    // It is a copy: the same branch.
    assert_eq!(bench.out[0].bytes, bench.out[1].bytes);
    bench.expect(&[
        "0 > TCP 5061 BYE",
        "10 > TCP 5061 BYE",
        "20 > TCP 5062 BYE",
        "30 > TCP 5062 BYE",
        "40 transport failed 7",
    ]);
}
