//! Datagrams and streams between two `Net`s, and between a `Net` and a rude peer.

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use offhook::clock::Clock;
use offhook::net::{Config, FlowErrorKind, Limits, Net, NetEvent};
use proto::sip::{Flow, Transmit, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Runs a test on one thread; a wait that never ends fails it.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let finished = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), test).await });
    finished.expect("the test waited in vain");
}

pub(crate) fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn config() -> Config {
    Config { udp: vec![any_port()], tcp: vec![any_port()], ..Config::new(Clock::start()) }
}

pub(crate) fn flow(transport: Transport, from: &Net, to: &Net) -> Flow {
    let local = from.local(transport).expect("bound");
    Flow { transport, local, remote: to.local(transport).expect("bound") }
}

pub(crate) fn transmit(flow: Flow, bytes: impl Into<Bytes>) -> Transmit {
    Transmit { flow, name: None, bytes: bytes.into() }
}

pub(crate) async fn message(net: &mut Net) -> (Flow, Bytes) {
    match net.next().await {
        NetEvent::Message { flow, bytes, .. } => (flow, bytes),
        other => panic!("a message was expected, not {other:?}"),
    }
}

/// The next message, whatever old connections end before it.
async fn message_after_closing(net: &mut Net) -> (Flow, Bytes) {
    loop {
        match net.next().await {
            NetEvent::Closed(_) => {}
            NetEvent::Message { flow, bytes, .. } => return (flow, bytes),
            other => panic!("a message was expected, not {other:?}"),
        }
    }
}

fn options(body: &str) -> String {
    format!("OPTIONS sip:7001@127.0.0.1 SIP/2.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

async fn peer_of(net: &Net) -> TcpStream {
    TcpStream::connect(net.local(Transport::Tcp).expect("bound")).await.expect("connected")
}

#[test]
fn datagrams_both_ways_and_seen_by_the_tap() {
    run(async {
        let mut a = Net::bind(config()).expect("bound");
        let mut b = Net::bind(config()).expect("bound");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = seen.clone();
        a.set_tap(Box::new(move |_, from, to, transport, bytes| {
            record.lock().expect("sound").push((from, to, transport, bytes.to_vec()));
        }));
        let there = flow(Transport::Udp, &a, &b);
        a.send(transmit(there, "ping"));
        let (back, bytes) = message(&mut b).await;
        assert_eq!((back.local, back.remote, &bytes[..]), (there.remote, there.local, &b"ping"[..]));
        b.send(transmit(back, "pong"));
        assert_eq!(message(&mut a).await.1, "pong");
        let seen = seen.lock().expect("sound");
        let wanted = [
            (there.local, there.remote, Transport::Udp, b"ping".to_vec()),
            (there.remote, there.local, Transport::Udp, b"pong".to_vec()),
        ];
        assert_eq!(*seen, wanted);
    });
}

#[test]
fn a_burst_of_datagrams_is_drained_and_keep_alives_are_not_messages() {
    run(async {
        let mut a = Net::bind(config()).expect("bound");
        let mut b = Net::bind(config()).expect("bound");
        let there = flow(Transport::Udp, &a, &b);
        for number in 0..500 {
            a.send(transmit(there, "\r\n\r\n"));
            a.send(transmit(there, number.to_string()));
        }
        let mut got = vec![message(&mut b).await.1];
        while got.len() < 500 {
            match b.try_next() {
                Some(NetEvent::Message { bytes, .. }) => got.push(bytes),
                Some(other) => panic!("{other:?}"),
                None => got.push(message(&mut b).await.1),
            }
        }
        assert!(got.iter().enumerate().all(|(number, bytes)| *bytes == number.to_string()));
    });
}

#[test]
fn several_addresses_share_one_net() {
    run(async {
        let phones: Vec<SocketAddr> =
            (1..=20).map(|host| SocketAddr::from(([127, 0, 51, host], 0))).collect();
        let mut a = Net::bind(Config { udp: phones, ..Config::new(Clock::start()) }).expect("bound");
        let mut b = Net::bind(config()).expect("bound");
        let locals: Vec<SocketAddr> = a.bound().map(|(_, local)| local).collect();
        let remote = b.local(Transport::Udp).expect("bound");
        for local in &locals {
            a.send(transmit(Flow { transport: Transport::Udp, local: *local, remote }, "hello"));
            let (flow, _) = message(&mut b).await;
            assert_eq!(flow.remote, *local);
            b.send(transmit(flow, "hello"));
            assert_eq!(message(&mut a).await.0.local, *local);
        }
    });
}

#[test]
fn what_cannot_be_sent_is_told() {
    run(async {
        let mut net = Net::bind(config()).expect("bound");
        let local = net.local(Transport::Udp).expect("bound");
        let unbound = SocketAddr::from(([127, 0, 0, 1], 1));
        let check = |flow, bytes: Vec<u8>, kind| (transmit(flow, bytes), kind);
        let closed = SocketAddr::from(([127, 0, 0, 1], 1));
        for (sent, kind) in [
            check(
                Flow { transport: Transport::Udp, local: unbound, remote: local },
                vec![1],
                FlowErrorKind::NoSocket,
            ),
            check(
                Flow { transport: Transport::Udp, local, remote: local },
                vec![1; 65_530],
                FlowErrorKind::TooLarge,
            ),
            check(Flow { transport: Transport::Tcp, local, remote: closed }, vec![1], FlowErrorKind::Refused),
        ] {
            let flow = sent.flow;
            net.send(sent);
            match net.next().await {
                NetEvent::Failed(error) => assert_eq!((error.flow, error.kind), (flow, kind), "{error}"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(net.connections(), 0);
    });
}

/// ICMP port unreachable: what waits for an answer there learns it at once, and only that.
#[test]
#[cfg(target_os = "linux")]
fn a_datagram_to_a_closed_port_is_told_by_its_flow() {
    run(async {
        for host in [IpAddr::from([127, 0, 0, 1]), Ipv6Addr::LOCALHOST.into()] {
            let udp = vec![SocketAddr::new(host, 0)];
            let bind = || Net::bind(Config { udp: udp.clone(), ..Config::new(Clock::start()) });
            let Ok(mut net) = bind() else {
                eprintln!("skipped: this machine has no {host}");
                continue;
            };
            let mut peer = bind().expect("bound");
            let there = flow(Transport::Udp, &net, &peer);
            // Bound and let go: nobody is there, and nobody else takes it so soon.
            let gone = std::net::UdpSocket::bind(SocketAddr::new(host, 0)).expect("bound");
            let closed = Flow { remote: gone.local_addr().expect("bound"), ..there };
            drop(gone);
            net.send(transmit(closed, "is anybody there"));
            // The kernel would tell the error in place of sending these.
            net.send(transmit(there, "one"));
            net.send(transmit(there, "two"));
            match net.next().await {
                NetEvent::Undelivered(error) => {
                    assert_eq!((error.flow, error.kind), (closed, FlowErrorKind::Refused), "{error}");
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(message(&mut peer).await.1, "one");
            assert_eq!(message(&mut peer).await.1, "two");
            // An error that comes while nothing is sent wakes the reader.
            net.send(transmit(closed, "once more"));
            let again = net.next().await;
            assert!(matches!(&again, NetEvent::Undelivered(error) if error.flow == closed), "{again:?}");
        }
    });
}

#[test]
fn a_port_in_use_is_named_with_a_remedy() {
    run(async {
        let net = Net::bind(config()).expect("bound");
        for transport in [Transport::Udp, Transport::Tcp] {
            let taken = net.local(transport).expect("bound");
            let mut again = Config::new(Clock::start());
            if transport == Transport::Udp {
                again.udp = vec![taken]
            } else {
                again.tcp = vec![taken]
            }
            let error = Net::bind(again).err().expect("in use");
            let text = error.to_string();
            assert!(text.contains(&taken.to_string()) && text.contains("another port"), "{text}");
        }
    });
}

#[test]
fn one_connection_carries_both_ways() {
    run(async {
        let mut a = Net::bind(config()).expect("bound");
        let mut b = Net::bind(config()).expect("bound");
        let there = flow(Transport::Tcp, &a, &b);
        for body in ["one", "two", "three"] {
            a.send(transmit(there, options(body)));
        }
        let (back, first) = message(&mut b).await;
        assert_eq!(first, options("one"));
        assert_eq!(back.local, there.remote);
        assert_eq!(message(&mut b).await.1, options("two"));
        assert_eq!(message(&mut b).await.1, options("three"));
        b.send(transmit(back, options("back")));
        assert_eq!(message(&mut a).await, (there, options("back").into()));
        assert_eq!((a.connections(), b.connections()), (1, 1));
        a.close(&there);
        assert!(matches!(b.next().await, NetEvent::Closed(flow) if flow == back));
        assert!(matches!(a.next().await, NetEvent::Closed(flow) if flow == there));
        assert_eq!((a.connections(), b.connections()), (0, 0));
    });
}

#[test]
fn whoever_floods_connections_does_not_keep_datagrams_waiting() {
    run(async {
        let mut net = Net::bind(config()).expect("bound");
        let mut peer = peer_of(&net).await;
        let phone = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
        let at = net.local(Transport::Udp).expect("bound");
        phone.send_to(b"first", at).expect("sent");
        peer.write_all(options("x").repeat(20).as_bytes()).await.expect("written");
        // Until both kinds have been seen: from then on there is more of both.
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let transport = message(&mut net).await.0.transport;
            if !seen.contains(&transport) {
                seen.push(transport);
            }
            peer.write_all(options("x").repeat(2).as_bytes()).await.expect("written");
        }
        (0..4).for_each(|_| assert_eq!(phone.send_to(b"x", at).expect("sent"), 1));
        // Both sides have had their turn when the runtime has had some.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let mut next = vec![message(&mut net).await.0.transport, message(&mut net).await.0.transport];
        let at_hand = std::iter::from_fn(|| match net.try_next()? {
            NetEvent::Message { flow, .. } => Some(flow.transport),
            other => panic!("{other:?}"),
        });
        next.extend(at_hand.take(6));
        assert_eq!(next.iter().filter(|transport| **transport == Transport::Udp).count(), 4, "{next:?}");
        assert_eq!(next.len(), 8, "{next:?}");
    });
}

#[test]
fn a_connection_leaves_from_the_address_of_its_flow() {
    run(async {
        let local = SocketAddr::from(([127, 0, 51, 77], 0));
        let mut a = Net::bind(Config { tcp: vec![local], ..Config::new(Clock::start()) }).expect("bound");
        let mut b = Net::bind(config()).expect("bound");
        a.send(transmit(flow(Transport::Tcp, &a, &b), options("x")));
        assert_eq!(message(&mut b).await.0.remote.ip(), local.ip());
    });
}

#[test]
fn pieces_become_messages_and_pings_are_answered() {
    run(async {
        let mut net = Net::bind(config()).expect("bound");
        let mut peer = peer_of(&net).await;
        let work = async {
            peer.write_all(b"\r\n\r\n").await.expect("written");
            let mut pong = [0; 2];
            peer.read_exact(&mut pong).await.expect("answered");
            assert_eq!(&pong, b"\r\n");
            for byte in options("in pieces").bytes() {
                peer.write_all(&[byte]).await.expect("written");
            }
            let two = options("second") + "\r\n" + &options("third");
            peer.write_all(two.as_bytes()).await.expect("written");
        };
        let (got, ()) = tokio::join!(
            async { [message(&mut net).await.1, message(&mut net).await.1, message(&mut net).await.1] },
            work
        );
        assert_eq!(got, ["in pieces", "second", "third"].map(|body| Bytes::from(options(body))));
    });
}

/// What a peer that sends `bytes` and then only listens makes of the connection.
async fn end_of_rude_peer(limits: Limits, bytes: &[u8]) -> (NetEvent, String) {
    let mut net = Net::bind(Config { limits, ..config() }).expect("bound");
    let mut peer = peer_of(&net).await;
    peer.write_all(bytes).await.expect("written");
    let mut rest = Vec::new();
    // A reset is as good an end as any.
    let (end, _) = tokio::join!(net.next(), peer.read_to_end(&mut rest));
    assert_eq!(net.connections(), 0);
    (end, String::from_utf8(rest).expect("text"))
}

#[test]
fn streams_that_are_no_sip_are_closed() {
    run(async {
        let limits = Limits::default();
        for bytes in [
            "OPTIONS sip:a SIP/2.0\r\nContent-Length: many\r\n\r\n".to_owned(),
            "OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n".to_owned(),
            "x".repeat(70_000),
        ] {
            match end_of_rude_peer(limits, bytes.as_bytes()).await {
                (NetEvent::Failed(error), answer) => {
                    assert_eq!(error.kind, FlowErrorKind::Malformed, "{error}");
                    assert_eq!(answer, "", "without a Via nobody can be answered");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

/// A request that ends its stream with these headers is refused with this status before the close.
async fn check_refusal(headers: &str, status: &str) {
    let request = format!(
        "OPTIONS sip:7001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKrude\r\n\
         From: <sip:7002@127.0.0.1>;tag=f\r\nTo: <sip:7001@127.0.0.1>\r\nCall-ID: rude\r\nCSeq: 1 OPTIONS\r\n{headers}"
    );
    let (end, answer) = end_of_rude_peer(Limits::default(), request.as_bytes()).await;
    assert!(matches!(&end, NetEvent::Failed(error) if error.kind == FlowErrorKind::Malformed), "{end:?}");
    assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
    for line in [
        "\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKrude",
        "\r\nCall-ID: rude\r\n",
        "\r\nTo: <sip:7001@127.0.0.1>;tag=",
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
}

/// RFC 3261 §18.3: a request over a stream without a usable Content-Length is refused with 400, and the
/// stream cannot be read any further; one that is too large is refused with 513 (§21.5.7).
#[test]
fn a_request_that_cannot_be_framed_is_refused_before_the_close() {
    run(async {
        check_refusal("Content-Length: many\r\n\r\n", "400").await;
        check_refusal("Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", "400").await;
        check_refusal("\r\n", "400").await;
        check_refusal("Content-Length: 99999999\r\n\r\n", "513").await;
        check_refusal(&format!("Subject: {}", "x".repeat(40_000)), "513").await;
    });
}

#[test]
fn silent_and_half_messages_time_out() {
    run(async {
        let short = Duration::from_millis(30);
        let limits = Limits { message: short, idle: short, stranger: short, ..Limits::default() };
        for bytes in ["", "OPTIONS sip:a SIP/2.0\r\n", "\r\n"] {
            let (end, answer) = end_of_rude_peer(limits, bytes.as_bytes()).await;
            assert!(matches!(end, NetEvent::Closed(_)) && answer.is_empty(), "{end:?} {answer}");
        }
    });
}

#[test]
fn a_stranger_may_not_stand_idle_and_somebody_known_may() {
    run(async {
        let limits = Limits { stranger: Duration::from_millis(30), ..Limits::default() };
        let mut net = Net::bind(Config { limits, ..config() }).expect("bound");
        let (mut stranger, mut known) = (peer_of(&net).await, peer_of(&net).await);
        known.write_all(options("known").as_bytes()).await.expect("written");
        let (flow, _) = message(&mut net).await;
        net.vouch(&flow, 1);
        stranger.write_all(options("stranger").as_bytes()).await.expect("written");
        let (other, _) = message(&mut net).await;
        // The other's time is over first, the known one's would have been before.
        assert!(matches!(net.next().await, NetEvent::Closed(closed) if closed == other));
        known.write_all(options("again").as_bytes()).await.expect("written");
        assert_eq!(message(&mut net).await, (flow, options("again").into()));
    });
}

#[test]
fn connections_are_bounded_by_source_and_in_all() {
    run(async {
        for limits in [
            Limits { connections_per_source: 2, ..Limits::default() },
            Limits { connections: 2, ..Limits::default() },
        ] {
            let mut net = Net::bind(Config { limits, ..config() }).expect("bound");
            let mut peers = Vec::new();
            for _ in 0..2 {
                let mut peer = peer_of(&net).await;
                peer.write_all(options("known").as_bytes()).await.expect("written");
                let (flow, _) = message(&mut net).await;
                net.vouch(&flow, 1);
                peers.push(peer);
            }
            let _third = peer_of(&net).await;
            assert!(matches!(net.next().await, NetEvent::Refused(_)), "all are known");
            assert_eq!(net.connections(), 2);
            peers.clear();
            for _ in 0..2 {
                assert!(matches!(net.next().await, NetEvent::Closed(_)));
            }
            let mut late = peer_of(&net).await;
            late.write_all(options("again").as_bytes()).await.expect("written");
            assert_eq!(message(&mut net).await.1, options("again"));
        }
    });
}

/// Connects from an address of its own and says something.
async fn peer_from(net: &Net, host: u8) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 51, host], 0))).expect("bound");
    socket.connect(net.local(Transport::Tcp).expect("bound")).await.expect("connected")
}

#[test]
fn strangers_make_room_before_anybody_known_is_refused() {
    run(async {
        let limits = Limits { connections: 8, ..Limits::default() };
        let mut net = Net::bind(Config { limits, ..config() }).expect("bound");
        let mut known = peer_from(&net, 201).await;
        known.write_all(options("known").as_bytes()).await.expect("written");
        let (flow, _) = message(&mut net).await;
        net.vouch(&flow, 1);
        let mut crowd = Vec::new();
        for _ in 0..7 {
            let mut peer = peer_from(&net, 202).await;
            peer.write_all(options("stranger").as_bytes()).await.expect("written");
            crowd.push((message(&mut net).await.0, peer));
        }
        // A phone that comes in spite of the crowd is served, and so is the one that was there.
        for host in 203..206 {
            let mut phone = peer_from(&net, host).await;
            phone.write_all(options("phone").as_bytes()).await.expect("written");
            let (oldest, mut peer) = crowd.remove(0);
            match net.next().await {
                NetEvent::Failed(error) => {
                    assert_eq!((error.flow, error.kind), (oldest, FlowErrorKind::Overloaded));
                }
                other => panic!("{other:?}"),
            }
            let mut rest = Vec::new();
            let _ = peer.read_to_end(&mut rest).await;
            let (flow, bytes) = message(&mut net).await;
            assert_eq!(bytes, options("phone"));
            net.vouch(&flow, 1);
            assert_eq!(net.connections(), 8);
            crowd.push((flow, phone));
        }
        known.write_all(options("again").as_bytes()).await.expect("written");
        assert_eq!(message(&mut net).await, (flow, options("again").into()));
    });
}

#[test]
fn one_account_vouches_for_so_many_connections_from_wherever_they_come() {
    run(async {
        let limits = Limits { connections: 4, connections_per_account: 2, ..Limits::default() };
        let mut net = Net::bind(Config { limits, ..config() }).expect("bound");
        let mut peers = Vec::new();
        for host in 211..215 {
            let mut peer = peer_from(&net, host).await;
            peer.write_all(options("known").as_bytes()).await.expect("written");
            let (flow, _) = message(&mut net).await;
            net.vouch(&flow, 7);
            net.vouch(&flow, 7);
            peers.push((flow, peer));
        }
        // The table is full of one account's connections; the oldest two make room for others.
        for host in 215..217 {
            let mut phone = peer_from(&net, host).await;
            phone.write_all(options("phone").as_bytes()).await.expect("written");
            let NetEvent::Failed(error) = net.next().await else { panic!("one makes room") };
            let evicted = peers.iter().position(|(flow, _)| *flow == error.flow).expect("one of them");
            assert!(evicted < 2 - usize::from(host - 215), "one of the oldest two: {evicted}");
            assert_eq!(error.kind, FlowErrorKind::Overloaded);
            peers.remove(evicted);
            let (flow, _) = message(&mut net).await;
            net.vouch(&flow, u32::from(host));
            peers.push((flow, phone));
        }
        let _late = peer_from(&net, 217).await;
        assert!(matches!(net.next().await, NetEvent::Refused(_)), "two are the account's, two are others'");
        // What has ended counts no more.
        drop(peers.remove(0));
        assert!(matches!(net.next().await, NetEvent::Closed(_)));
        let mut again = peer_from(&net, 211).await;
        again.write_all(options("again").as_bytes()).await.expect("written");
        let (flow, _) = message(&mut net).await;
        net.vouch(&flow, 7);
        let _late = peer_from(&net, 217).await;
        assert!(matches!(net.next().await, NetEvent::Refused(_)), "two are the account's again");
    });
}

/// A request whose stream goes on with what is no message, and one whose sender says no more, are
/// answered before the close; so are several.
#[test]
fn what_was_asked_before_the_end_of_a_stream_is_answered() {
    run(async {
        let via = "Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK";
        let garbage = format!("OPTIONS sip:a SIP/2.0\r\n{via}2\r\nContent-Length: many\r\n\r\n");
        for (rest, last) in [(garbage.as_str(), "400"), ("nonsense\r\n\r\n", "202"), ("", "202")] {
            let mut net = Net::bind(config()).expect("bound");
            let mut peer = peer_of(&net).await;
            let ack = "ACK sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";
            let bytes = [&options("one"), ack, &options("two"), rest].concat();
            peer.write_all(bytes.as_bytes()).await.expect("written");
            peer.shutdown().await.expect("half closed");
            let mut answers = String::new();
            let serve = async {
                let mut flow = None;
                for expected in [options("one"), ack.to_owned(), options("two")] {
                    let (from, bytes) = message(&mut net).await;
                    assert_eq!(bytes, expected);
                    flow = Some(from);
                }
                let flow = flow.expect("a message");
                for status in ["100", "201", "202"] {
                    let text = format!("SIP/2.0 {status} Fine\r\nContent-Length: 0\r\n\r\n");
                    net.send(transmit(flow, text));
                    tokio::task::yield_now().await;
                }
                assert!(matches!(net.next().await, NetEvent::Closed(_) | NetEvent::Failed(_)));
            };
            let (_, _) = tokio::join!(serve, peer.read_to_string(&mut answers));
            let statuses: Vec<&str> = answers.split("SIP/2.0 ").filter_map(|part| part.get(..3)).collect();
            let told = statuses.iter().filter(|status| status.parse::<u16>().is_ok());
            let told: Vec<_> = told.copied().collect();
            assert_eq!(told[..3], ["100", "201", "202"], "{rest:?}: {answers}");
            assert_eq!(told.last(), Some(&last), "{answers}");
        }
    });
}

#[test]
fn a_peer_that_does_not_read_is_cut_off() {
    run(async {
        let limits = Limits { outgoing_messages: 4, ..Limits::default() };
        let mut net = Net::bind(Config { limits, ..config() }).expect("bound");
        let mut peer = peer_of(&net).await;
        peer.write_all(options("hello").as_bytes()).await.expect("written");
        let (flow, _) = message(&mut net).await;
        let large = options(&"x".repeat(60_000));
        let failed = loop {
            net.send(transmit(flow, large.clone()));
            tokio::task::yield_now().await;
            if let Some(event) = net.try_next() {
                break event;
            }
        };
        assert!(matches!(failed, NetEvent::Failed(error) if error.kind == FlowErrorKind::Overloaded));
        assert_eq!(net.connections(), 0);
    });
}

#[test]
fn what_was_sent_leaves_before_the_end() {
    run(async {
        let mut a = Net::bind(config()).expect("bound");
        let mut b = Net::bind(config()).expect("bound");
        a.send(transmit(flow(Transport::Tcp, &a, &b), options("last words")));
        let ((), (_, got)) = tokio::join!(a.finish(Duration::from_secs(5)), message(&mut b));
        assert_eq!(got, options("last words"));
    });
}

/// Everything is bound to the new address at the ports of before; what was open is told as closed.
#[test]
fn the_sockets_go_where_the_machine_goes() {
    run(async {
        let mut a = Net::bind(config()).expect("bound");
        let mut b = Net::bind(config()).expect("bound");
        let old = flow(Transport::Tcp, &a, &b);
        a.send(transmit(old, options("")));
        message(&mut b).await;
        let (moves, addresses) = tokio::sync::mpsc::channel(1);
        a.follow(addresses);
        let (udp, tcp) = (a.local(Transport::Udp), a.local(Transport::Tcp));
        moves.send([127, 12, 9, 9].into()).await.expect("followed");
        assert!(matches!(a.next().await, NetEvent::Moved(ip) if ip.to_string() == "127.12.9.9"));
        assert!(matches!(a.next().await, NetEvent::Closed(flow) if flow == old));
        let ports = |local: Option<SocketAddr>| local.map(|local| local.port());
        assert_eq!(
            (ports(a.local(Transport::Udp)), ports(a.local(Transport::Tcp))),
            (ports(udp), ports(tcp))
        );
        for transport in [Transport::Udp, Transport::Tcp] {
            let there = flow(transport, &a, &b);
            assert_eq!(there.local.ip().to_string(), "127.12.9.9");
            a.send(transmit(there, options("")));
            let (came, _) = message_after_closing(&mut b).await;
            assert!(transport == Transport::Tcp || came.remote == there.local, "{came:?}");
            b.send(transmit(flow(transport, &b, &a), options("")));
            message(&mut a).await;
        }
        moves.send([192, 0, 2, 1].into()).await.expect("followed");
        assert!(matches!(a.next().await, NetEvent::NotMoved(_)), "no address of this machine");
        assert_eq!(
            a.local(Transport::Udp).map(|local| local.ip().to_string()).as_deref(),
            Some("127.12.9.9")
        );
    });
}
