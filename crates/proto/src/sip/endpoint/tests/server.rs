use proptest::prelude::*;

use super::*;

#[test]
fn a_request_is_answered_once_and_its_copies_again() {
    let mut bench = Bench::new();
    let text = incoming("REGISTER", "z9hG4bK1");
    let id = bench.accept(0, &text);
    assert_eq!(bench.receive(10, &text), Received::Nothing);
    assert_eq!(bench.reply(20, id, 200), Ok(()));
    assert_eq!(bench.reply(21, id, 404), Err(ReplyError::Answered));
    assert_eq!(bench.receive(500, &text), Received::Nothing);
    let sent = bench.last();
    assert_eq!(
        sent,
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport=40000;received=192.0.2.1\r\n\
         From: <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>;tag=t\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\
         Content-Length: 0\r\n\r\n"
    );
    assert_eq!(bench.endpoint.next_deadline(), Some((Time::from_millis(32_020), Timer::J)));
    bench.run(40_000);
    bench.expect(&["20 > UDP 40000 200", "500 > UDP 40000 200"]);
    assert_eq!(bench.endpoint.server_count(), 0);
    assert_eq!(bench.reply(40_001, id, 200), Err(ReplyError::Over));
    assert!(matches!(bench.receive(40_002, &text), Received::NewRequest(_)));
}

#[test]
fn a_refused_invite_is_acknowledged_and_forgotten() {
    let mut bench = Bench::new();
    let text = incoming("INVITE", "z9hG4bK1");
    let id = bench.accept(0, &text);
    bench.run(300);
    bench.reply(400, id, 486).expect("open");
    bench.run(1_000);
    assert_eq!(bench.receive(1_000, &incoming("ACK", "z9hG4bK1")), Received::Nothing);
    bench.run(90_000);
    bench.expect(&["200 > UDP 40000 100", "400 > UDP 40000 486", "900 > UDP 40000 486"]);
    assert_eq!(bench.endpoint.server_count(), 0);
}

#[test]
fn a_2xx_is_repeated_until_its_dialog_knows_the_ack() {
    let mut bench = Bench::new();
    let id = bench.accept(0, &incoming("INVITE", "z9hG4bK1"));
    bench.reply(0, id, 200).expect("open");
    bench.run(600);
    assert_eq!(bench.receive(600, &incoming("ACK", "z9hG4bK2")), Received::Ack);
    assert!(bench.endpoint.acked(Time::from_millis(600), id));
    assert!(!bench.endpoint.acked(Time::from_millis(601), id));
    bench.run(90_000);
    bench.expect(&["0 > UDP 40000 200", "500 > UDP 40000 200"]);
}

#[test]
fn a_2xx_without_ack_is_reported() {
    let mut bench = Bench::new();
    let id = bench.accept_over(0, tcp(), &incoming("INVITE", "z9hG4bK1"));
    bench.reply(0, id, 200).expect("open");
    bench.run(90_000);
    assert_eq!(bench.log.len(), 12);
    assert_eq!(bench.log.last().map(String::as_str), Some("32000 ack missing"));
}

#[test]
fn the_endpoints_own_100_gives_the_timestamp_back() {
    let mut bench = Bench::new();
    let text =
        incoming("INVITE", "z9hG4bK1").replace("CSeq:", "Timestamp: 54\r\nRecord-Route: <sip:p;lr>\r\nCSeq:");
    let id = bench.accept(0, &text);
    bench.run(200);
    let trying = bench.last();
    assert!(trying.starts_with("SIP/2.0 100 Trying\r\n"), "{trying}");
    assert!(trying.contains("Timestamp: 54\r\n") && !trying.contains("Record-Route"), "{trying}");
    assert!(trying.contains("To: <sip:b@example.com>\r\n"), "{trying}");
    bench.reply(300, id, 180).expect("open");
    let ringing = bench.last();
    assert!(ringing.contains("Record-Route: <sip:p;lr>\r\n") && !ringing.contains("Timestamp"), "{ringing}");
}

#[test]
fn a_cancel_is_answered_and_told_once() {
    let mut bench = Bench::new();
    let (invite, cancel) = (incoming("INVITE", "z9hG4bK1"), incoming("CANCEL", "z9hG4bK1"));
    let id = bench.accept(0, &invite);
    bench.reply(10, id, 180).expect("open");
    assert_eq!(
        bench.receive(19, &cancel),
        Received::Cancel(id),
        "not answered before its owner knows whose it is"
    );
    assert!(bench.cancel(20, &cancel));
    assert!(bench.last().contains(";tag=t\r\n"), "one tag for the INVITE and its CANCEL");
    assert!(!bench.cancel(30, &cancel));
    bench.reply(40, id, 487).expect("open");
    assert!(!bench.cancel(50, &cancel));
    assert_eq!(bench.receive(60, &incoming("CANCEL", "z9hG4bK2")), Received::Nothing);
    bench.expect(&[
        "10 > UDP 40000 180",
        "20 > UDP 40000 200",
        "30 > UDP 40000 200",
        "40 > UDP 40000 487",
        "50 > UDP 40000 200",
        "60 > UDP 40000 481",
    ]);
}

#[test]
fn a_cancel_that_is_answered_first_sets_the_tag() {
    let mut bench = Bench::new();
    let id = bench.accept(0, &incoming("INVITE", "z9hG4bK1"));
    bench.cancel(20, &incoming("CANCEL", "z9hG4bK1"));
    let ok = bench.last();
    let reply = Reply::new(487);
    bench.endpoint.reply(Time::ZERO, id, &reply, &mut bench.out).expect("open");
    let tag = |text: &str| Message::parse(text.as_bytes()).expect("sound").to_tag().to_owned();
    assert_eq!(tag(&ok), tag(&bench.last()));
    assert_eq!(tag(&ok).len(), 16);
}

#[test]
fn a_request_that_came_by_two_ways_is_answered_once() {
    let mut bench = Bench::new();
    let id = bench.accept(0, &incoming("OPTIONS", "z9hG4bK1"));
    bench.reply(0, id, 200).expect("open");
    assert_eq!(bench.receive(5, &incoming("OPTIONS", "z9hG4bK2")), Received::Merged);
    let other = incoming("OPTIONS", "z9hG4bK3").replace("CSeq: 1", "CSeq: 2");
    assert!(matches!(bench.receive(6, &other), Received::NewRequest(_)));
    let inside = incoming("OPTIONS", "z9hG4bK4").replace("b@example.com>\r\n", "b@example.com>;tag=t\r\n");
    assert!(matches!(bench.receive(7, &inside), Received::NewRequest(_)));
    bench.expect(&["0 > UDP 40000 200", "5 > UDP 40000 482"]);
}

#[test]
fn a_challenged_request_may_come_again_with_its_cseq() {
    let mut bench = Bench::new();
    let id = bench.accept(0, &incoming("REGISTER", "z9hG4bK1"));
    bench.reply(0, id, 401).expect("open");
    assert!(matches!(bench.receive(5, &incoming("REGISTER", "z9hG4bK2")), Received::NewRequest(_)));
}

#[test]
fn a_peer_without_magic_cookie_is_understood() {
    let mut bench = Bench::new();
    let id = bench.accept(0, &incoming("INVITE", "1"));
    bench.reply(10, id, 486).expect("open");
    assert_eq!(bench.receive(20, &incoming("INVITE", "1")), Received::Nothing);
    let ack = incoming("ACK", "1").replace("b@example.com>\r\n", "b@example.com>;tag=t\r\n");
    assert_eq!(bench.receive(30, &ack), Received::Nothing);
    bench.run(90_000);
    bench.expect(&["10 > UDP 40000 486", "20 > UDP 40000 486"]);
}

#[test]
fn a_full_house_forgets_the_oldest_answered_and_then_refuses() {
    let mut bench = Bench::with(Config { max_servers: 3, ..Config::default() });
    let text = |n: u64| incoming("OPTIONS", &format!("z9hG4bK{n}")).replace("CSeq: 1", &format!("CSeq: {n}"));
    let ids: Vec<_> = (0..3).map(|n| bench.accept(n, &text(n))).collect();
    assert_eq!(bench.receive(5, &text(5)), Received::Nothing, "nothing is answered yet");
    assert!(bench.last().contains("SIP/2.0 503 ") && bench.last().contains("Retry-After: 10\r\n"));
    bench.reply(6, ids[1], 200).expect("open");
    bench.reply(7, ids[0], 200).expect("open");
    bench.accept(8, &text(8));
    assert_eq!(bench.endpoint.server_count(), 3);
    assert_eq!(bench.reply(9, ids[1], 200), Err(ReplyError::Over), "it was answered first");
    assert_eq!(bench.receive(10, &text(0)), Received::Nothing, "it is still known");
    for n in 20..5_000 {
        let id = bench.accept(n, &text(n));
        bench.reply(n, id, 200).expect("open");
    }
    assert_eq!(bench.endpoint.server_count(), 3);
    assert!(bench.endpoint.servers.settled.len() <= 3 * 2 + 64);
}

#[test]
fn over_a_stream_nothing_is_kept() {
    let mut bench = Bench::new();
    for n in 0..1_000 {
        let id = bench.accept_over(n, tcp(), &incoming("OPTIONS", &format!("z9hG4bK{n}")));
        bench.reply(n, id, 200).expect("open");
        bench.run(n);
    }
    assert_eq!(bench.endpoint.server_count(), 0);
    assert!(bench.endpoint.servers.settled.len() <= 64);
    assert_eq!(bench.log[0], "0 > TCP 40000 200");
}

#[test]
fn a_refusal_needs_no_memory_and_floods_nobody() {
    let mut bench = Bench::new();
    let text = incoming("INVITE", "z9hG4bK1");
    let message = Message::parse(text.as_bytes()).expect("sound");
    let short = Reply::new(403);
    let long = Reply::new(401).named("X-Long", "x".repeat(2 * text.len()));
    for reply in [&short, &short, &long] {
        bench.endpoint.refuse(udp(), &message, reply, &mut bench.out);
    }
    let sent = bench.sent();
    assert_eq!(sent[0], sent[1], "each copy has the same tag");
    assert!(sent[2].starts_with("SIP/2.0 401 ") && !sent[2].contains("X-Long"));
    assert_eq!(bench.endpoint.server_count(), 0);
    assert_eq!(bench.receive(0, &incoming("ACK", "z9hG4bK1")), Received::Ack);
}

proptest! {
    /// Whatever arrives: no panic, and never more than twice its length in answer.
    #[test]
    fn any_bytes_are_survived(
        cuts in prop::collection::vec((0..400_usize, any::<u8>()), 0..6),
        method in prop::sample::select(vec!["INVITE", "ACK", "CANCEL", "OPTIONS", "X"]),
        end in 100..500_usize,
    ) {
        let mut bytes = incoming(method, "z9hG4bK000000aaaaaaaaaaaaaaaa").into_bytes();
        for (at, byte) in cuts {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(end);
        let mut bench = Bench::new();
        bench.send(0, &outgoing(Method::Invite), &["udp 5060"]).expect("room");
        bench.out.clear();
        if let Ok(message) = Message::parse(&bytes) {
            bench.endpoint.receive(Time::ZERO, udp(), &message, &mut bench.out);
            bench.endpoint.refuse(udp(), &message, &Reply::new(404), &mut bench.out);
            prop_assert!(bench.out.iter().all(|sent| sent.bytes.len() <= 2 * bytes.len()));
            let id = bench.endpoint.accept(Time::ZERO, None, udp(), &message);
            let _ = bench.endpoint.reply(Time::ZERO, id, &Reply::new(200), &mut bench.out);
            bench.endpoint.handle_timeout(Time::from_secs(99), &mut bench.out);
        }
    }
}

/// A request whose headers are long, of one of many callers.
fn long(method: &str, number: usize) -> String {
    incoming(method, &format!("z9hG4bK{number}"))
        .replace("Call-ID: ", &format!("Call-ID: {number}"))
        .replacen("From: <sip:", &format!("From: \"{}\" <sip:", "x".repeat(10_000)), 1)
}

#[test]
fn what_is_kept_is_bounded_in_bytes_in_all_by_source_and_by_account() {
    let limits = Config {
        max_server_bytes: 400_000,
        max_source_bytes: 200_000,
        max_account_bytes: 100_000,
        ..Config::default()
    };
    let most_held = |method: &str, status: u16, sources: u8, account: Option<u32>| {
        let mut bench = Bench::with(limits.clone());
        let mut most = 0;
        for number in 0..200 {
            let text = long(method, number);
            let message = Message::parse(text.as_bytes()).expect("sound");
            let mut flow = udp();
            flow.remote.set_ip([192, 0, 2, number as u8 % sources].into());
            if let Received::NewRequest(mut new) = bench.receive_over(0, flow, &text)
                && account.is_none_or(|account| bench.endpoint.charge(&mut new, account))
            {
                let id = bench.endpoint.accept(Time::ZERO, Some(new), flow, &message);
                bench.reply(0, id, status).expect("open");
            }
            bench.sent();
            most = most.max(bench.endpoint.server_bytes());
        }
        assert!(bench.endpoint.server_count() > 4, "the newest are kept");
        bench.run(40_000);
        assert_eq!((bench.endpoint.server_count(), bench.endpoint.server_bytes()), (0, 0), "nothing is left");
        most
    };
    // One request more than the limit is held while it is answered.
    let one = 30_000;
    for (method, status) in [("OPTIONS", 200), ("OPTIONS", 404), ("INVITE", 486), ("INVITE", 200)] {
        let held = most_held(method, status, 100, None);
        assert!((300_000..400_000 + one).contains(&held), "{method} {status}: {held} in all");
        let held = most_held(method, status, 1, None);
        assert!((100_000..200_000 + one).contains(&held), "{method} {status}: {held} of a source");
        let held = most_held(method, status, 100, Some(7));
        assert!((50_000..100_000 + one).contains(&held), "{method} {status}: {held} of an account");
    }
}

#[test]
fn an_answer_that_is_not_sent_again_is_not_kept() {
    let mut bench = Bench::new();
    let id = bench.accept(0, &incoming("INVITE", "z9hG4bK1"));
    bench.reply(0, id, 200).expect("open");
    let before = bench.endpoint.server_bytes();
    assert!(bench.endpoint.acked(Time::from_millis(100), id));
    assert!(before > bench.endpoint.server_bytes() + 100, "{before}");
    assert_eq!(bench.endpoint.server_count(), 1, "copies of the INVITE are still known");
}
