//! What strangers may try against the API.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use offhook::clock::Clock;
use offhook::web::phone::{Desk, serve};
use offhook::web::{Limits, Server, Site, Token, bind};
use proto::Rng;
use tokio::sync::mpsc;

use super::Client;

/// A server whose phone never answers.
fn server(ip: [u8; 4], limits: Limits) -> (Server, Client, Desk, mpsc::Receiver<roles::phone::Command>) {
    let token = Token::generate(&mut Rng::from_number(1));
    let text = token.expose().to_owned();
    let (sender, commands) = mpsc::channel(1);
    let desk = Desk::new(sender, Clock::start());
    let listener = bind((ip, 0).into()).expect("bound");
    let site = Site { token, names: Vec::new(), limits };
    let server = serve(listener, site, desk.clone()).expect("served");
    let client = Client { at: server.at(), token: text };
    (server, client, desk, commands)
}

#[test]
fn strangers_get_nothing() {
    let (_server, client, _desk, _commands) = server([127, 0, 75, 1], Limits::default());
    let check = |headers: &str, status| {
        let answer = client.ask_as("GET", "/api/view", headers, "");
        assert_eq!(answer.status, status, "{headers}: {answer:?}");
        assert!(answer.head.contains("application/problem+json"), "{answer:?}");
        assert!(!answer.body.contains(&client.token), "{answer:?}");
    };
    check("", 401);
    check("Authorization: Bearer wrong\r\n", 401);
    check("Authorization: Basic d3Jvbmc6d3Jvbmc=\r\n", 401);
    let token = format!("Authorization: Bearer {}\r\n", client.token);
    check(&format!("{token}Origin: http://evil.example\r\n"), 403);
    check(&format!("{token}Sec-Fetch-Site: cross-site\r\n"), 403);
    let rebound = format!("GET /api/view HTTP/1.0\r\nHost: evil.example\r\n{token}\r\n");
    assert_eq!(client.raw(&rebound).status, 421);
    assert_eq!(client.raw(&format!("GET /api/view HTTP/1.0\r\n{token}\r\n")).status, 400);
}

#[test]
fn every_answer_is_data_for_this_site_alone() {
    let (_server, client, _desk, _commands) = server([127, 0, 75, 2], Limits::default());
    for (path, status) in [("/", 200), ("/api/openapi.json", 200), ("/nowhere", 404), ("/api/commands", 405)]
    {
        let answer = client.get(path);
        assert_eq!(answer.status, status, "{answer:?}");
        for header in ["x-content-type-options: nosniff", "cache-control: no-store", "default-src 'none'"] {
            assert!(answer.head.contains(header), "{path} {header}: {answer:?}");
        }
        assert!(!answer.head.contains("access-control-allow"), "{answer:?}");
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let (_server, client, _desk, _commands) = server([127, 0, 75, 3], Limits::default());
    let too_much = client.post("/api/commands", &"x".repeat(70_000));
    assert_eq!(too_much.status, 413);
    assert!(too_much.body.contains("at most 65536 bytes"), "{too_much:?}");
    assert_eq!(client.post("/api/commands", &"hold\n".repeat(257)).status, 400);
    assert_eq!(client.post("/api/commands", "\n \n").status, 400);
    assert_eq!(client.raw(&format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(500_000))).status / 100, 4);
    let headers: String = (0..1_000).map(|n| format!("X-{n}: y\r\n")).collect();
    assert_eq!(client.ask_as("GET", "/", &headers, "").status, 431);
    assert_eq!(client.raw("\0\0\0 nonsense\r\n\r\n").status, 400);
    assert_eq!(client.get("/").status, 200, "and it goes on");
}

#[test]
fn streams_are_bounded() {
    let limits = Limits { streams: 4, connections: 2_000, strangers_per_source: 2_000, ..Limits::default() };
    let (_server, client, desk, _commands) = server([127, 0, 75, 4], limits);
    let mut streams: Vec<_> = (0..200).map(|_| client.events(None)).collect();
    let (open, refused): (Vec<_>, Vec<_>) = streams.iter_mut().partition(|stream| stream.status == 200);
    assert_eq!((open.len(), refused.len()), (4, 196));
    assert!(refused.iter().all(|stream| stream.status == 503));
    desk.bus().tell(r#"{"event":"x"}"#);
    for stream in open {
        assert_eq!(stream.next()["event"], "x");
    }
    drop(streams);
    // The end of a stream is noticed when it is written to.
    let again = std::iter::repeat_with(|| {
        desk.bus().tell(r#"{"event":"x"}"#);
        client.events(None).status
    });
    assert!(again.take(10_000).any(|status| status == 200), "places are given back");
}

#[test]
fn a_slow_reader_is_told_its_gap() {
    let (_server, client, desk, _commands) = server([127, 0, 75, 5], Limits::default());
    let mut slow = client.events(None);
    let event = format!(r#"{{"event":"x","filler":"{}"}}"#, "x".repeat(4_000));
    (0..20_000).for_each(|_| desk.bus().tell(&*event));
    desk.bus().tell(r#"{"event":"last"}"#);
    let (mut read, mut missed) = (0, 0);
    loop {
        let event = slow.next();
        match event["event"].as_str() {
            Some("x") => read += 1,
            Some("lagged") => missed += event["missed"].as_u64().expect("a number"),
            _ => break,
        }
    }
    assert_eq!(read + missed, 20_000, "nothing is lost untold");
    assert!(missed > 0, "more than a connection holds was told");
}

#[test]
fn silent_and_slow_connections_are_ended() {
    let short = Duration::from_millis(50);
    let limits = Limits { connections: 4, head: short, request: short, ..Limits::default() };
    let (_server, client, _desk, _commands) = server([127, 0, 75, 6], limits);
    let say = |text: &str| {
        let mut stream = TcpStream::connect(client.at).expect("connected");
        stream.write_all(text.as_bytes()).expect("sent");
        stream
    };
    let mut silent = [say(""), say("GET / HTTP/1.1\r\nHost: 127"), say("GET"), say("")];
    for stream in &mut silent {
        let mut rest = Vec::new();
        // Ended with a word or without one.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    let slow = client.raw(&format!(
        "POST /api/commands HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: 10\r\n\r\nhold",
        client.at, client.token
    ));
    assert_eq!(slow.status, 408, "a body that never ends");
    assert_eq!(client.post("/api/commands", "hold").status, 408, "a phone that never answers");
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn silent_connections_keep_nobody_out_of_the_api() {
    let (_server, client, desk, _commands) = server([127, 0, 75, 7], Limits::default());
    let mut known = client.events(None);
    assert_eq!(known.status, 200);
    let mut silent = Vec::new();
    for round in 0..400 {
        silent.push(TcpStream::connect(client.at).expect("connected"));
        if round % 20 == 0 {
            assert_eq!(client.get("/").status, 200, "with {round} silent connections");
        }
    }
    // The oldest have made room, the newest stand.
    let mut first = silent.swap_remove(0);
    first.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    assert!(matches!(first.read(&mut [0]), Ok(0) | Err(_)));
    desk.bus().tell(r#"{"event":"x"}"#);
    assert_eq!(known.next()["event"], "x", "whoever has shown the token stays");
}
