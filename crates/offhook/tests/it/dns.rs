//! Names asked of a server on the loopback.

use std::net::SocketAddr;
use std::str::FromStr;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record as Rr, RecordType};
use offhook::net::dns::Dns;
use proto::sip::locate::{Answer, Query, QueryKind, Record};
use tokio::net::UdpSocket;

use crate::net::run;

fn name(text: &str) -> Name {
    Name::from_str(text).expect("a name")
}

/// What the server's zone says.
fn zone(asked: &str, kind: RecordType) -> Vec<(&'static str, RData)> {
    let srv = |priority, target| RData::SRV(SRV::new(priority, 5, 5062, name(target)));
    let service = |service: &str, flags: &str, replacement| {
        RData::NAPTR(NAPTR::new(
            10,
            50,
            flags.as_bytes().into(),
            service.as_bytes().into(),
            Box::new([]),
            name(replacement),
        ))
    };
    match (asked, kind) {
        ("sip.example.", RecordType::NAPTR) => {
            vec![("sip.example.", service("SIP+D2T", "S", "_sip._tcp.sip.example."))]
        }
        ("_sip._udp.sip.example.", RecordType::SRV) => {
            vec![(".", srv(1, "One.sip.example.")), (".", srv(2, "."))]
        }
        ("alias.example.", RecordType::A) => vec![
            ("alias.example.", RData::CNAME(CNAME(name("one.sip.example.")))),
            ("one.sip.example.", RData::A(A::new(127, 0, 50, 19))),
        ],
        _ => Vec::new(),
    }
}

async fn serve(socket: UdpSocket) {
    let mut buffer = [0; 1_500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.expect("a question");
        let mut message = Message::from_vec(&buffer[..length]).expect("a question");
        let (asked, kind) = (message.queries[0].name().to_lowercase(), message.queries[0].query_type());
        let text = asked.to_ascii();
        if text.starts_with("broken") {
            message.metadata.response_code = ResponseCode::ServFail;
        } else if text.starts_with("missing") {
            message.metadata.response_code = ResponseCode::NXDomain;
        }
        for (owner, data) in zone(&text, kind) {
            let owner = if owner == "." { asked.clone() } else { name(owner) };
            message.add_answer(Rr::from_rdata(owner, 300, data));
        }
        let answer = message.into_response().to_vec().expect("an answer");
        socket.send_to(&answer, from).await.expect("sent");
    }
}

async fn server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
    let at = socket.local_addr().expect("bound");
    tokio::spawn(serve(socket));
    at
}

async fn check(dns: &mut Dns, kind: QueryKind, name: &str, wanted: Answer) {
    let query = Query { kind, name: name.to_owned() };
    dns.ask(query.clone());
    assert_eq!(dns.next().await, (query, wanted));
}

#[test]
fn each_kind_of_record_comes_out_plain() {
    run(async {
        let mut dns = Dns::with_servers(&[server().await]);
        let naptr = Record::Naptr {
            order: 10,
            preference: 50,
            flags: "s".into(),
            service: "SIP+D2T".into(),
            replacement: "_sip._tcp.sip.example".into(),
        };
        let srv =
            |priority, target: &str| Record::Srv { priority, weight: 5, port: 5_062, target: target.into() };
        check(&mut dns, QueryKind::Naptr, "sip.example", Answer::Records(vec![(naptr, 300)])).await;
        let both = vec![(srv(1, "one.sip.example"), 300), (srv(2, "."), 300)];
        check(&mut dns, QueryKind::Srv, "_sip._udp.sip.example", Answer::Records(both)).await;
        let address = Record::A([127, 0, 50, 19].into());
        check(&mut dns, QueryKind::A, "alias.example", Answer::Records(vec![(address, 300)])).await;
    });
}

#[test]
fn nothing_is_not_the_same_as_failure() {
    run(async {
        let mut dns = Dns::with_servers(&[server().await]);
        check(&mut dns, QueryKind::Aaaa, "alias.example", Answer::Records(Vec::new())).await;
        check(&mut dns, QueryKind::A, "missing.example", Answer::Records(Vec::new())).await;
        check(&mut dns, QueryKind::A, "no name..example", Answer::Records(Vec::new())).await;
        check(&mut dns, QueryKind::A, "broken.example", Answer::Failed).await;
    });
}

#[test]
fn questions_are_bounded_and_all_are_answered() {
    run(async {
        let mut dns = Dns::with_servers(&[server().await]);
        for number in 0..300 {
            dns.ask(Query { kind: QueryKind::A, name: format!("missing{number}.example") });
        }
        let mut failed = 0;
        for _ in 0..300 {
            failed += usize::from(dns.next().await.1 == Answer::Failed);
        }
        assert!(failed >= 300 - 256, "{failed} failed");
    });
}
