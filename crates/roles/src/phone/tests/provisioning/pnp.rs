//! PnP: the question by multicast, and who may answer it.

use super::*;

const OWN: &str = "127.0.80.20:49152";

fn asking() -> (Bench, String) {
    let mut bench = blank(&[], |place| place.sources.pnp = true);
    bench.input(Input::Start);
    bench.wait_ms(0);
    let (socket, request) = bench.sockets.pop_front().expect("a socket");
    let SocketRequest::Open(plan) = request else { panic!("{request:?}") };
    assert_eq!((plan.local.port(), plan.groups.len()), (0, 0), "it asks from a port of its own");
    let event = SocketEvent::Opened(OWN.parse().expect("an address"));
    bench.input(Input::Socket { socket, event });
    let (_, to, bytes) = bench.datagrams.pop_front().expect("a question");
    assert_eq!(to.to_string(), "224.0.1.75:5060");
    (bench, String::from_utf8(bytes.to_vec()).expect("text"))
}

fn notify(question: &str, branch: &str, url: &str) -> String {
    let header = |name: &str| {
        let line = question.lines().find(|line| line.starts_with(name)).expect(name);
        line.trim_end().to_owned()
    };
    format!(
        "NOTIFY sip:{OWN} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.50.19:5060;branch=z9hG4bK{branch}\r\n\
         From: <sip:MAC{MAC}@224.0.1.75>;tag=srv\r\n{}\r\n{}\r\nCSeq: 1 NOTIFY\r\nMax-Forwards: 20\r\n\
         Event: ua-profile;effective-by=0\r\nSubscription-State: terminated;reason=timeout\r\n\
         Content-Type: application/url\r\nContent-Length: {}\r\n\r\n{url}",
        header("From: ").replace("From", "To"),
        header("Call-ID"),
        url.len()
    )
}

fn say(bench: &mut Bench, text: &str) {
    let from = "127.0.50.19:5060".parse().expect("an address");
    bench.input(Input::Datagram { socket: crate::role::SocketId(1), from, bytes: text.as_bytes() });
}

#[test]
fn the_question_is_the_deck_s() {
    let (_, question) = asking();
    assert!(question.starts_with(&format!("SUBSCRIBE sip:MAC{MAC}@224.0.1.75 SIP/2.0\r\n")), "{question}");
    for line in [
        "Event: ua-profile;profile-type=\"device\";vendor=\"Offhook\";model=\"FIP14G\";version=",
        "Accept: application/url\r\n",
        "Expires: 0\r\n",
        &format!("Contact: <sip:MAC{MAC}@{OWN}>\r\n"),
    ] {
        assert!(question.contains(line), "{line}\n{question}");
    }
}

#[test]
fn the_first_answer_is_used_at_once_and_others_are_told() {
    let (mut bench, question) = asking();
    say(&mut bench, &notify(&question, "1", FOLDER));
    let (_, to, reply) = bench.datagrams.pop_front().expect("an answer");
    assert!(reply.starts_with(b"SIP/2.0 200 OK") && to.to_string() == "127.0.50.19:5060");
    assert_eq!(bench.told("provision_source").expect("told")["source"], "pnp");
    assert_eq!(bench.fetch().url, format!("{FOLDER}{MAC}.boot"));
    say(&mut bench, &notify(&question, "2", "tftp://127.0.66.66/"));
    assert!(bench.log().contains("another PnP server, 127.0.50.19:5060, names tftp://127.0.66.66/"));
    assert!(bench.log().contains("SIPPNP_RECV_MSG"));
    assert!(bench.fetches.is_empty());
    bench.wait_ms(6_000);
    assert!(matches!(bench.sockets.pop_front(), Some((_, SocketRequest::Close))));
}

#[test]
fn an_address_may_come_as_a_body_that_is_elsewhere() {
    let (mut bench, question) = asking();
    let elsewhere = "message/external-body; access-type=\"URL\";expiration=\"Mon, 24 June 2030 09:00:00 GMT\"; \
                     URL=\"http://192.168.50.165/p;a=1/\"; size=52";
    let body = "Content-Type: text/plain\r\n\r\n";
    let message = notify(&question, "1", body).replace("application/url", elsewhere);
    say(&mut bench, &message);
    let (_, _, reply) = bench.datagrams.pop_front().expect("an answer");
    assert!(reply.starts_with(b"SIP/2.0 200 OK"), "{}", String::from_utf8_lossy(&reply));
    assert_eq!(bench.fetch().url, format!("http://192.168.50.165/p;a=1/{MAC}.boot"));
    for wrong in ["message/external-body; access-type=\"tftp\"; url=\"http://h/\"", "message/external-body"] {
        let (mut bench, question) = asking();
        say(&mut bench, &notify(&question, "1", body).replace("application/url", wrong));
        let (_, _, reply) = bench.datagrams.pop_front().expect("an answer");
        assert!(reply.starts_with(b"SIP/2.0 415") && bench.fetches.is_empty(), "{wrong}");
    }
}

#[test]
fn an_address_that_has_expired_is_not_used() {
    let (mut bench, question) = asking();
    let expired = "message/external-body; access-type=\"URL\"; URL=\"http://192.168.50.165/old/\"; \
                   expiration=\"Fri, 31 Dec 2021 09:00:00 GMT\"";
    let date = Time::from_rfc3339("2026-01-01T00:00:00Z").expect("a date");
    bench.input(Input::Wall(Wall::showing(date, bench.now)));
    say(
        &mut bench,
        &notify(&question, "1", "Content-Type: text/plain\r\n\r\n").replace("application/url", expired),
    );
    let (_, _, reply) = bench.datagrams.pop_front().expect("an answer");
    assert!(reply.starts_with(b"SIP/2.0 200 OK") && bench.fetches.is_empty());
    assert!(bench.log().contains("names was good until 2021-12-31T09:00:00.000Z alone"), "{}", bench.log());
    // Another server may know a better one.
    say(&mut bench, &notify(&question, "2", FOLDER));
    assert_eq!(bench.fetch().url, format!("{FOLDER}{MAC}.boot"));
}

#[test]
fn a_stranger_s_notify_is_not_used() {
    let (mut bench, question) = asking();
    let foreign = notify(&question, "1", FOLDER).replace("Call-ID: ", "Call-ID: x");
    say(&mut bench, &foreign);
    let (_, _, reply) = bench.datagrams.pop_front().expect("an answer");
    assert!(reply.starts_with(b"SIP/2.0 481"), "{}", String::from_utf8_lossy(&reply));
    assert!(bench.fetches.is_empty());
}

#[test]
fn where_nobody_answers_the_next_source_is_asked() {
    let mut bench = blank(&[("auto_provision.server.url", FOLDER)], |place| place.sources.pnp = true);
    bench.input(Input::Start);
    bench.wait_ms(0);
    let (socket, _) = bench.sockets.pop_front().expect("a socket");
    let event = SocketEvent::Opened(OWN.parse().expect("an address"));
    bench.input(Input::Socket { socket, event });
    bench.wait_ms(4_900);
    assert!(bench.datagrams.len() >= 4, "asked again and again: {}", bench.datagrams.len());
    assert!(bench.fetches.is_empty());
    bench.wait_ms(200);
    assert_eq!(bench.told("provision_source").expect("told")["source"], "profile");
    assert_eq!(bench.fetch().url, format!("{FOLDER}{MAC}.boot"));
}
