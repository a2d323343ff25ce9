//! Downloads by HTTP, HTTPS and TFTP, from servers that are a few lines of text.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::mpsc;
use std::thread;

use offhook::net::dns::Dns;
use offhook::net::fetch::Fetcher;
use offhook::net::tls::Trust;
use roles::role::{Fetch, FetchFaultKind as Kind, FetchId, Fetched, Found, Known, Login, TlsRules};
use roles::settings::Secret;

use crate::net::run;

/// The phone of the deck's trace (deck, Auto Provisioning).
const DECK: &str = "Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21";

/// A server that answers one connection after the other with these texts, and shows what it was asked.
struct Server {
    at: SocketAddr,
    asked: mpsc::Receiver<String>,
}

fn server(answers: &[&str]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let at = listener.local_addr().expect("bound");
    let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
    let (asker, asked) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).expect("a request") == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            asker.send(String::from_utf8_lossy(&head).into_owned()).expect("the test listens");
            stream.write_all(answer.as_bytes()).expect("answered");
        }
    });
    Server { at, asked }
}

fn file(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

fn fetch(url: &str) -> Fetch {
    Fetch {
        id: FetchId(7),
        url: url.to_owned(),
        from: [127, 0, 0, 1].into(),
        user_agent: DECK.to_owned(),
        login: None,
        known: None,
        most_redirects: 3,
        most_bytes: 1_000,
        patience_ms: 10_000,
        tls: TlsRules::default(),
    }
}

fn login(user: &str, allows_basic: bool) -> Option<Login> {
    Some(Login { user: user.to_owned(), password: Secret::new("Circle of Life"), allows_basic })
}

fn fetched(fetch: Fetch) -> Result<Found, (Kind, String)> {
    fetched_by(Trust { system: false, ca_files: Vec::new() }, fetch)
}

fn fetched_by(trust: Trust, fetch: Fetch) -> Result<Found, (Kind, String)> {
    let mut came = None;
    run(async {
        let mut fetcher = Fetcher::new(&Dns::with_servers(&[]), trust);
        fetcher.ask(Box::new(fetch));
        came = Some(fetcher.next().await);
    });
    let Fetched { id, result } = came.expect("an answer");
    assert_eq!(id, FetchId(7));
    result.map_err(|fault| (fault.kind, fault.text))
}

#[test]
fn a_download_asks_as_the_deck_s_phone_does() {
    let server = server(&[&file("#!version:1.0.0.1\n")]);
    let url = format!("http://127.0.0.1:{}/mac.cfg", server.at.port());
    let Ok(Found::File { bytes, known, url: found }) = fetched(fetch(&url)) else { panic!("no file") };
    assert_eq!((&bytes[..], known.etag.as_deref()), (&b"#!version:1.0.0.1\n"[..], Some("\"1\"")));
    assert_eq!(found, url);
    let asked = server.asked.recv().expect("asked");
    let host = format!("127.0.0.1:{}", server.at.port());
    assert_eq!(
        asked,
        format!("GET /mac.cfg HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {DECK}\r\nAccept: */*\r\n\r\n")
    );
    // The deck's own request, with its host, has 119 bytes.
    assert_eq!(asked.len() - host.len() + "192.168.50.208".len(), 119);
}

#[test]
fn a_file_that_is_known_is_not_sent_again() {
    let server = server(&["HTTP/1.1 304 Not Modified\r\n\r\n"]);
    let mut fetch = fetch(&format!("http://{}/mac.cfg", server.at));
    fetch.known = Some(Known { etag: Some("W/\"x\"".to_owned()), modified: None });
    assert_eq!(fetched(fetch), Ok(Found::Unchanged));
    assert!(server.asked.recv().expect("asked").contains("If-None-Match: W/\"x\"\r\n"));
}

#[test]
fn a_server_that_asks_who_we_are_is_told_once() {
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\
                     Content-Length: 0\r\n\r\n";
    let server = server(&[challenge, &file("x"), challenge, challenge]);
    let mut right = fetch(&format!("http://{}/mac.cfg", server.at));
    right.login = login("Mufasa", false);
    assert!(matches!(fetched(right.clone()), Ok(Found::File { .. })));
    assert!(!server.asked.recv().expect("asked").contains("Authorization"));
    let proof = server.asked.recv().expect("asked");
    assert!(
        proof.contains(
            "Authorization: Digest username=\"Mufasa\", realm=\"r\", nonce=\"n\", uri=\"/mac.cfg\""
        )
    );
    let (kind, text) = fetched(right).expect_err("refused");
    assert_eq!(kind, Kind::Denied);
    assert!(text.contains("does not accept user `Mufasa`") && !text.contains("Circle"), "{text}");
}

#[test]
fn a_password_leaves_in_clear_only_where_that_is_set() {
    let challenge =
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"\r\nContent-Length: 0\r\n\r\n";
    let server = server(&[challenge, challenge, &file("x"), challenge, challenge]);
    let url = format!("http://{}/mac.cfg", server.at);
    let by = |allows_basic| Fetch { login: login("Mufasa", allows_basic), ..fetch(&url) };
    let (kind, text) = fetched(by(false)).expect_err("refused");
    assert!(kind == Kind::Denied && text.contains("set HTTP Authentication to Basic"), "{text}");
    assert!(matches!(fetched(by(true)), Ok(Found::File { .. })));
    let asked: Vec<String> = server.asked.try_iter().collect();
    assert!(asked[2].contains("Authorization: Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl\r\n"), "{}", asked[2]);
    assert_eq!(fetched(by(true)).expect_err("a wrong password").0, Kind::Denied);
}

#[test]
fn redirects_are_followed_to_a_limit_and_tell_no_secret() {
    let other = server(&[&file("x")]);
    let moved =
        format!("HTTP/1.1 302 Found\r\nLocation: http://{}/y.cfg\r\nContent-Length: 0\r\n\r\n", other.at);
    let first = server(&[&moved]);
    let mut fetch = fetch(&format!("http://phone:secret@{}/x.cfg", first.at));
    let Ok(Found::File { url, .. }) = fetched(fetch.clone()) else { panic!("no file") };
    assert_eq!(url, format!("http://{}/y.cfg", other.at));
    assert!(!other.asked.recv().expect("asked").contains("Authorization"));

    let circle = server(&["HTTP/1.1 302 Found\r\nLocation: /x.cfg\r\nContent-Length: 0\r\n\r\n"; 5]);
    fetch.url = format!("http://{}/x.cfg", circle.at);
    let (kind, text) = fetched(fetch.clone()).expect_err("a circle");
    assert!(kind == Kind::Redirects && text.contains("more than 3 times"), "{text}");
    assert_eq!(circle.asked.try_iter().count(), 4);

    let elsewhere =
        server(&["HTTP/1.1 302 Found\r\nLocation: tftp://10.0.0.1/\r\nContent-Length: 0\r\n\r\n"; 2]);
    fetch.url = format!("http://{}/mac", elsewhere.at);
    assert_eq!(fetched(fetch.clone()).expect_err("another scheme").0, Kind::Redirects);
    fetch.most_redirects = 0;
    assert_eq!(fetched(fetch), Ok(Found::Elsewhere("tftp://10.0.0.1/".to_owned())));
}

#[test]
fn faults_are_told_by_their_kind() {
    let check = |answer: &str, kind: Kind, words: &str| {
        let server = server(&[answer]);
        let (told, text) = fetched(fetch(&format!("http://{}/mac.cfg", server.at))).expect_err(answer);
        assert!(told == kind && text.contains(words), "{answer:?}: {told:?} {text}");
    };
    check("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Kind::NotFound, "check its name and folder");
    check("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Kind::Denied, "does not give");
    check("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", Kind::Server, "500");
    check("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", Kind::TooLarge, "more than 1000 bytes");
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2_000));
    check(&endless, Kind::TooLarge, "more than 1000 bytes");
    check("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", Kind::Broken, "broke off");
    check("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", Kind::Server, "packed");
    check("SSH-2.0-x\r\n\r\n", Kind::Broken, "broke off");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let told = fetched(fetch(&format!("http://{free}/x"))).expect_err("nobody");
    assert!(told.0 == Kind::Unreachable && told.1.contains("no server listens there"), "{told:?}");
    assert_eq!(fetched(fetch("ftps://h/x")).expect_err("a scheme").0, Kind::BadUrl);
    assert_eq!(fetched(fetch("http://nowhere.invalid/x")).expect_err("a name").0, Kind::UnknownHost);
    let (_, text) = fetched(fetch("http://u:secret@/x y")).expect_err("no address");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn a_server_that_stalls_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}/x", listener.local_addr().expect("bound"));
    let (kind, text) = fetched(Fetch { patience_ms: 50, ..fetch(&url) }).expect_err("a time limit");
    assert!(kind == Kind::TimedOut && text.contains("has not come within 0.05 s"), "{text}");
}

#[test]
fn downloads_wait_for_their_turn_and_are_bounded() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let url = format!("http://{}/x", listener.local_addr().expect("bound"));
        let mut fetcher =
            Fetcher::new(&Dns::with_servers(&[]), Trust { system: false, ca_files: Vec::new() });
        for id in 0..=68 {
            fetcher.ask(Box::new(Fetch { id: FetchId(id), patience_ms: 20, ..fetch(&url) }));
        }
        let refused = fetcher.next().await;
        assert_eq!((refused.id, refused.result.expect_err("too many").kind), (FetchId(68), Kind::Busy));
        for _ in 0..68 {
            assert_eq!(fetcher.next().await.result.expect_err("nobody answers").kind, Kind::TimedOut);
        }
    });
}

/// HTTPS with certificates of our own.
mod https {
    use super::*;
    use offhook::net::tls::server_self_made;
    use std::path::Path;
    use std::sync::Arc;

    /// Serves one file over TLS to each who comes.
    fn tls_server(folder: &Path) -> SocketAddr {
        let now = offhook::clock::Clock::start().now();
        let config = server_self_made(folder, &["localhost".to_owned()], now).expect("a certificate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let at = listener.local_addr().expect("bound");
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
                let mut tls = rustls::Stream::new(&mut tls, &mut stream);
                let mut buffer = [0; 1_024];
                if tls.read(&mut buffer).is_ok() {
                    let _ = tls.write_all(file("x").as_bytes());
                }
            }
        });
        at
    }

    #[test]
    fn a_certificate_is_judged_by_the_rules() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = tls_server(folder.path());
        let trusting = Trust { system: false, ca_files: vec![folder.path().join("ca.pem")] };
        let strangers = || Trust { system: false, ca_files: Vec::new() };
        // The certificate is for localhost, not for the address.
        let by = |trust: Trust, trusted_only, checks_name| {
            let tls = TlsRules { trusted_only, checks_name };
            fetched_by(trust, Fetch { tls, ..fetch(&format!("https://127.0.0.1:{}/x", at.port())) })
        };
        let (kind, text) = by(strangers(), true, true).expect_err("an unknown authority");
        assert!(kind == Kind::Certificate && text.contains("not trusted here"), "{text}");
        let (kind, text) = by(trusting.clone(), true, true).expect_err("another name");
        assert!(
            kind == Kind::Certificate && text.contains("is not for 127.0.0.1 but for localhost"),
            "{text}"
        );
        assert!(by(trusting, true, false).is_ok(), "the name is not looked at");
        assert_eq!(by(strangers(), true, false).expect_err("still unknown").0, Kind::Certificate);
        assert_eq!(by(strangers(), false, true).expect_err("still another name").0, Kind::Certificate);
        assert!(by(strangers(), false, false).is_ok(), "everything is taken");
    }

    #[test]
    fn plain_http_at_the_port_of_https_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let url = format!("https://{}/x", listener.local_addr().expect("bound"));
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            // A ClientHello is no request.
            let mut buffer = [0; 1_024];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        });
        let (_, text) = fetched(fetch(&url)).expect_err("no TLS");
        assert!(text.contains("does not speak TLS at this port"), "{text}");
    }
}

/// A TFTP server for one file that answers one request, as the deck's does: from another port.
fn tftp_server(content: &'static [u8]) -> SocketAddr {
    use proto::Time;
    use proto::tftp::{Code, Packet, Server, Terms, error};
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let at = socket.local_addr().expect("bound");
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        let (length, from) = socket.recv_from(&mut buffer).expect("somebody asks");
        let Some(Packet::Read { file, mode, options }) = Packet::parse(&buffer[..length]) else { panic!() };
        let transfer = UdpSocket::bind("127.0.0.1:0").expect("bound");
        if file != b"a/0021f222b021.cfg" {
            transfer.send_to(&error(Code::NotFound, "File not found"), from).expect("sent");
            return;
        }
        let (mut out, asked) = (Vec::new(), Terms::read(options));
        let mut server = Server::start(Time::ZERO, from, mode, &asked, content.into(), &mut out);
        while server.ended().is_none() {
            for datagram in out.drain(..) {
                transfer.send_to(&datagram.bytes, datagram.to).expect("sent");
            }
            let (length, from) = transfer.recv_from(&mut buffer).expect("acknowledged");
            server.receive(Time::ZERO, from, &buffer[..length], &mut out);
        }
    });
    at
}

#[test]
fn a_file_comes_by_tftp_from_another_port() {
    static CONTENT: [u8; 2_536] = [b'#'; 2_536];
    let url = format!("tftp://{}/a/0021f222b021.cfg", tftp_server(&CONTENT));
    let found = fetched(Fetch { most_bytes: 5_000, ..fetch(&url) }).expect("found");
    let Found::File { bytes, url: from, .. } = found else { panic!("{found:?}") };
    assert_eq!((bytes.as_ref(), from), (&CONTENT[..], url));
    let (kind, _) = fetched(fetch(&format!("tftp://{}/other.cfg", tftp_server(b"")))).expect_err("none");
    assert_eq!(kind, Kind::NotFound);
    let large = fetched(fetch(&format!("tftp://{}/a/0021f222b021.cfg", tftp_server(&CONTENT))));
    assert_eq!(large.expect_err("too large").0, Kind::TooLarge);
}

/// A phone proves to the exchange by its certificate who it is, and gets its own file alone.
mod certificates {
    use std::path::Path;

    use super::*;
    use crate::program::Running;

    /// A maker's authority, and certificates of phones of it by their names; where they are kept.
    fn make(dir: &Path, maker: &str, phones: &[(&str, &str)]) {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(rcgen::DnType::CommonName, maker);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        save(dir, &format!("{maker}.pem"), &params.self_signed(&key).expect("signed").pem());
        let maker = rcgen::Issuer::new(params, key);
        for (file, name) in phones {
            let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(rcgen::DnType::CommonName, *name);
            let key = rcgen::KeyPair::generate().expect("a key");
            save(dir, &format!("{file}.pem"), &params.signed_by(&key, &maker).expect("signed").pem());
            save(dir, &format!("{file}-key.pem"), &key.serialize_pem());
        }
    }

    fn save(dir: &Path, name: &str, text: &str) {
        offhook::store::save(&dir.join(name), text.as_bytes()).expect("written");
    }

    fn fetched_as(dir: &Path, phone: Option<&str>, url: &str) -> Result<Found, (Kind, String)> {
        let mut came = None;
        run(async {
            let trust = Trust { system: false, ca_files: vec![dir.join("data/ca.pem")] };
            let mut fetcher = Fetcher::new(&Dns::with_servers(&[]), trust);
            if let Some(phone) = phone {
                let [certificate, key] = ["", "-key"].map(|kind| dir.join(format!("{phone}{kind}.pem")));
                fetcher = fetcher.with_identity(certificate, key);
            }
            let tls = TlsRules { trusted_only: true, checks_name: true };
            let user_agent = "any".to_owned();
            fetcher.ask(Box::new(Fetch { most_redirects: 0, user_agent, tls, ..fetch(url) }));
            came = Some(fetcher.next().await);
        });
        came.expect("an answer").result.map_err(|fault| (fault.kind, fault.text))
    }

    #[test]
    fn a_certificate_names_the_phone_and_opens_its_folder_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        make(dir, "maker", &[("reception", "FIP14G 00:21:F2:22:B0:21"), ("nobody", "printer")]);
        make(dir, "forger", &[("forged", "0021f222b021")]);
        let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let (data, authority) = (path("data"), path("maker.pem"));
        let devices = ["0021f222b021;number=7001", "0021f222b022;number=7002"];
        let _exchange = Running::start(&[
            "serve",
            "--json",
            "--dir",
            &data,
            "--sip",
            "127.0.74.20:5060",
            "--https",
            "127.0.74.20:8443",
            "--device-ca",
            &authority,
            "--extension",
            "7001:a-long-secret-here",
            "--extension",
            "7002:another-long-secret",
            "--device",
            devices[0],
            "--device",
            devices[1],
        ]);
        let ask = |phone, path: &str| fetched_as(dir, phone, &format!("https://127.0.74.20:8443/{path}"));
        let Ok(Found::Elsewhere(folder)) = ask(Some("reception"), "rps/") else { panic!("not led") };
        assert!(folder.starts_with("https://127.0.74.20:8443/p/"), "{folder}");
        let Ok(Found::File { bytes, .. }) = ask(Some("reception"), "0021f222b021.cfg") else {
            panic!("no file")
        };
        assert!(String::from_utf8_lossy(&bytes).contains("user_name = 7001"));
        for (phone, path) in [
            (Some("reception"), "0021f222b022.cfg"),
            (Some("reception"), "rps/0021f222b022"),
            (Some("nobody"), "rps/"),
            (None, "rps/"),
        ] {
            let told = ask(phone, path).expect_err(path);
            assert_eq!(told.0, Kind::NotFound, "{phone:?} {path} {told:?}");
        }
        let told = ask(Some("forged"), "rps/").expect_err("a certificate of nobody");
        assert_ne!(told.0, Kind::NotFound, "{told:?}");
        assert!(matches!(ask(None, "0021f222b022.cfg"), Ok(Found::File { .. })), "on the loopback as before");
    }
}
