//! TLS between two `Net`s: who is believed, and what is said when not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use offhook::clock::Clock;
use offhook::net::tls::{Trust, server_from_files, server_self_made};
use offhook::net::{Config, FlowErrorKind, Limits, Net, NetEvent};
use proto::Time;
use proto::sip::{Transmit, Transport};
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;

use crate::net::{any_port, flow, run};

const OPTIONS: &str = "OPTIONS sip:7001@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n";

fn names() -> Vec<String> {
    vec!["sip.example".to_owned(), "127.0.0.1".to_owned()]
}

fn server(config: Arc<ServerConfig>) -> Net {
    Net::bind(Config { tls: vec![any_port()], server: Some(config), ..Config::new(Clock::start()) })
        .expect("bound")
}

fn client(ca: Option<PathBuf>) -> Net {
    let own = tempfile::tempdir().expect("a folder");
    let server = server_self_made(own.path(), &names(), Clock::start().now()).expect("made");
    let trust = Trust { system: false, ca_files: ca.into_iter().collect() };
    Net::bind(Config { tls: vec![any_port()], server: Some(server), trust, ..Config::new(Clock::start()) })
        .expect("bound")
}

/// Sends one message under a name; returns what the client hears if not an answer.
async fn try_name(server: &mut Net, client: &mut Net, name: Option<&str>) -> Result<(), NetEvent> {
    let flow = flow(Transport::Tls, client, server);
    client.send(Transmit { flow, name: name.map(Into::into), bytes: OPTIONS.into() });
    loop {
        tokio::select! {
            event = server.next() => match event {
                NetEvent::Message { flow, bytes, .. } => server.send(Transmit { flow, name: None, bytes }),
                NetEvent::Refused(_) | NetEvent::Closed(_) => {}
                other => panic!("{other:?}"),
            },
            event = client.next() => match event {
                NetEvent::Message { bytes, .. } => {
                    assert_eq!(bytes, OPTIONS);
                    return Ok(());
                }
                other => return Err(other),
            },
        }
    }
}

async fn check_fails(
    server: &mut Net,
    client: &mut Net,
    name: Option<&str>,
    kind: FlowErrorKind,
    words: &str,
) {
    match try_name(server, client, name).await {
        Err(NetEvent::Failed(error)) => {
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.text.contains(words), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

fn made_in(dir: &Path, now: Time) -> Arc<ServerConfig> {
    server_self_made(dir, &names(), now).expect("made")
}

#[test]
fn the_authority_file_is_all_a_client_needs() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        let mut server = server(made_in(dir.path(), Clock::start().now()));
        let mut client = client(Some(dir.path().join("ca.pem")));
        for name in [Some("sip.example"), None] {
            try_name(&mut server, &mut client, name).await.expect("believed");
            let flow = flow(Transport::Tls, &client, &server);
            client.close(&flow);
            assert!(matches!(client.next().await, NetEvent::Closed(_)));
        }
    });
}

#[test]
fn an_unknown_authority_is_told_with_the_file_to_give() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        let mut server = server(made_in(dir.path(), Clock::start().now()));
        check_fails(
            &mut server,
            &mut client(None),
            Some("sip.example"),
            FlowErrorKind::UnknownCa,
            "--ca FILE",
        )
        .await;
    });
}

#[test]
fn the_server_hears_that_its_client_does_not_believe_it() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        let mut server = server(made_in(dir.path(), Clock::start().now()));
        let mut client = client(None);
        let flow = flow(Transport::Tls, &client, &server);
        client.send(Transmit { flow, name: None, bytes: OPTIONS.into() });
        let (_, event) = tokio::join!(client.next(), server.next());
        assert!(matches!(&event, NetEvent::Refused(refusal) if refusal.text.contains("ca.pem")), "{event:?}");
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn another_name_is_told_with_the_names_of_the_certificate() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        let mut server = server(made_in(dir.path(), Clock::start().now()));
        let mut client = client(Some(dir.path().join("ca.pem")));
        let kind = FlowErrorKind::NameMismatch;
        check_fails(&mut server, &mut client, Some("other.example"), kind, "sip.example, 127.0.0.1").await;
        check_fails(&mut server, &mut client, Some("no name"), kind, "\"no name\"").await;
    });
}

/// A certificate that signed itself and calls itself an authority, as `openssl req -x509` makes it; where it
/// is kept, and the server that has it.
fn self_signed(dir: &Path, names: &[&str], common_name: &str, year: i32) -> (PathBuf, Arc<ServerConfig>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2_000, 1, 1), rcgen::date_time_ymd(year, 1, 1));
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signed");
    let [certificate_file, key_file] = ["own.pem", "own-key.pem"].map(|file| dir.join(file));
    std::fs::write(&certificate_file, certificate.pem()).expect("written");
    std::fs::write(&key_file, key.serialize_pem()).expect("written");
    let config = server_from_files(&certificate_file, &key_file).expect("made");
    (certificate_file, config)
}

#[test]
fn a_certificate_that_the_user_named_is_the_servers_own() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        for (names, common_name) in [(&["sip.example"][..], "whatever"), (&[], "SIP.example")] {
            let (file, config) = self_signed(dir.path(), names, common_name, 2_100);
            let (mut server, mut client) = (server(config), client(Some(file)));
            try_name(&mut server, &mut client, Some("sip.example")).await.expect("believed");
        }
    });
}

#[test]
fn a_certificate_that_the_user_named_is_checked_for_dates_and_name() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        let (file, config) = self_signed(dir.path(), &["sip.example"], "sip.example", 2_011);
        let (mut old, mut phone) = (server(config), client(Some(file)));
        let name = Some("sip.example");
        check_fails(&mut old, &mut phone, name, FlowErrorKind::Expired, "2011-01-01").await;

        // Where there are alternative names the common name is none.
        let kind = FlowErrorKind::NameMismatch;
        let (file, config) = self_signed(dir.path(), &["other.example"], "sip.example", 2_100);
        let (mut other, mut phone) = (server(config), client(Some(file)));
        check_fails(&mut other, &mut phone, name, kind, "other.example").await;
        let (file, config) = self_signed(dir.path(), &[], "pbx.example", 2_100);
        let (mut other, mut phone) = (server(config), client(Some(file)));
        check_fails(&mut other, &mut phone, name, kind, "pbx.example").await;
    });
}

#[test]
fn a_certificate_that_signed_itself_and_was_not_named_is_told_with_the_remedy() {
    run(async {
        let (dir, others) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        made_in(others.path(), Clock::start().now());
        let (_, config) = self_signed(dir.path(), &["sip.example"], "sip.example", 2_100);
        let (mut own, mut phone) = (server(config), client(Some(others.path().join("ca.pem"))));
        let kind = FlowErrorKind::UnknownCa;
        check_fails(
            &mut own,
            &mut phone,
            Some("sip.example"),
            kind,
            "give that very certificate by --ca FILE",
        )
        .await;
    });
}

#[test]
fn an_expired_certificate_is_told_with_its_day() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        // Ten years after 2001, so long over.
        let mut server = server(made_in(dir.path(), Time::from_secs(1_000_000_000)));
        let mut client = client(Some(dir.path().join("ca.pem")));
        check_fails(&mut server, &mut client, Some("sip.example"), FlowErrorKind::Expired, "2011-01-01")
            .await;
    });
}

#[test]
fn plain_sip_at_the_tls_port_is_refused_in_words() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        let mut server = server(made_in(dir.path(), Clock::start().now()));
        let local = server.local(Transport::Tls).expect("bound");
        let mut peer = tokio::net::TcpStream::connect(local).await.expect("connected");
        peer.write_all(OPTIONS.as_bytes()).await.expect("written");
        let event = server.next().await;
        assert!(
            matches!(&event, NetEvent::Refused(refusal) if refusal.text.contains("does not speak TLS")),
            "{event:?}"
        );
    });
}

#[test]
fn a_handshake_that_stands_still_is_given_up() {
    run(async {
        let dir = tempfile::tempdir().expect("a folder");
        let server = Some(made_in(dir.path(), Clock::start().now()));
        let limits = Limits { connect: std::time::Duration::from_millis(30), ..Limits::default() };
        let config = Config { tls: vec![any_port()], server, limits, ..Config::new(Clock::start()) };
        let mut server = Net::bind(config).expect("bound");
        let local = server.local(Transport::Tls).expect("bound");
        for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
            let mut peer = tokio::net::TcpStream::connect(local).await.expect("connected");
            peer.write_all(begun).await.expect("written");
            assert!(matches!(server.next().await, NetEvent::Refused(_)));
            assert_eq!(server.connections(), 0);
        }
    });
}

#[test]
fn a_second_start_keeps_the_authority_and_adds_names() {
    let dir = tempfile::tempdir().expect("a folder");
    let now = Clock::start().now();
    let read = |file: &str| std::fs::read(dir.path().join(file)).expect("there");
    made_in(dir.path(), now);
    let (ca, certificate) = (read("ca.pem"), read("cert.pem"));
    made_in(dir.path(), now);
    assert_eq!((&ca, &certificate), (&read("ca.pem"), &read("cert.pem")));
    let more = [names(), vec!["pbx.example".to_owned()]].concat();
    server_self_made(dir.path(), &more, now).expect("made");
    assert_eq!(ca, read("ca.pem"));
    assert_ne!(certificate, read("cert.pem"));
    run(async {
        let mut server = server(server_self_made(dir.path(), &more, now).expect("made"));
        let mut client = client(Some(dir.path().join("ca.pem")));
        try_name(&mut server, &mut client, Some("pbx.example")).await.expect("believed");
    });
}

#[test]
fn bad_files_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    made_in(dir.path(), Clock::start().now());
    let file = |name: &str| dir.path().join(name);
    std::fs::write(file("junk.pem"), "junk").expect("written");
    let check = |made: std::io::Result<Arc<ServerConfig>>, word: &str| {
        let text = made.expect_err("bad").to_string();
        assert!(text.contains(word), "{text}");
    };
    check(server_from_files(&file("missing.pem"), &file("key.pem")), "missing.pem cannot be read");
    check(server_from_files(&file("junk.pem"), &file("key.pem")), "junk.pem holds no certificate");
    check(server_from_files(&file("cert.pem"), &file("junk.pem")), "junk.pem holds no private key");
    check(server_from_files(&file("cert.pem"), &file("ca-key.pem")), "does not fit the certificate");
}

#[cfg(unix)]
#[test]
fn keys_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    made_in(dir.path(), Clock::start().now());
    for file in ["key.pem", "ca-key.pem"] {
        let mode = std::fs::metadata(dir.path().join(file)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
