#![allow(clippy::disallowed_methods, reason = "a test writes the files that it serves")]
//! Crowds of silent connections and of requests in others' names lock nobody out of the phones' files.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use super::program::Running;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server of files at one address, by every transport.
fn serve(ip: &str) -> (Running, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let files = dir.path().join("files");
    std::fs::create_dir_all(&files).expect("made");
    std::fs::write(files.join("ring.wav"), vec![7; 70_000]).expect("written");
    let at = |port: u16| format!("{ip}:{port}");
    let (data, files) = (dir.path().join("data"), files.to_string_lossy().into_owned());
    let data = data.to_string_lossy().into_owned();
    let arguments = [
        "serve",
        "--json",
        "--dir",
        &data,
        "--sip",
        &at(5_060),
        "--tftp",
        &at(6_969),
        "--http",
        &at(8_069),
        "--https",
        &at(8_443),
        "--ftp",
        &at(2_121),
        "--files",
        &files,
        "--extension",
        "7001:a-long-secret-here",
    ];
    (Running::start(&arguments), dir)
}

/// Whether the system lets this test hold so many connections.
fn may_hold(files: u64) -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let may = maximum.is_none_or(|most| most >= files);
    if !may {
        eprintln!("skipped: the system gives this test fewer than {files} files");
    }
    may
}

fn connect(from: &str, to: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("made");
    let from: IpAddr = from.parse().expect("an address");
    socket.bind(&SocketAddr::new(from, 0).into()).expect("bound");
    let to: SocketAddr = to.parse().expect("an address");
    socket.connect_timeout(&to.into(), PATIENCE).expect("connected");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream
}

fn first_bytes(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 64];
    let length = stream.read(&mut buffer).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn silent_connections_lock_nobody_out_of_the_files_by_http_and_https() {
    if !may_hold(3_000) {
        return;
    }
    let (_server, _dir) = serve("127.0.74.50");
    let _silent: Vec<TcpStream> = (0..1_100).map(|_| connect("127.0.74.51", "127.0.74.50:8069")).collect();
    for from in ["127.0.74.52", "127.0.74.51"] {
        let mut phone = connect(from, "127.0.74.50:8069");
        phone.write_all(b"GET /ring.wav HTTP/1.1\r\nHost: x\r\n\r\n").expect("asked");
        assert!(first_bytes(&mut phone).starts_with("HTTP/1.1 200"), "{from}");
    }
    let _silent: Vec<TcpStream> = (0..1_100).map(|_| connect("127.0.74.51", "127.0.74.50:8443")).collect();
    let mut phone = connect("127.0.74.52", "127.0.74.50:8443");
    // A ClientHello of TLS 1.2 with no suite that anybody offers: it is answered at once, by an alert.
    let hello = [&[0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3][..], &[7; 32], &[0, 0, 2, 0, 0, 1, 0]].concat();
    phone.write_all(&hello).expect("sent");
    assert_eq!(first_bytes(&mut phone).as_bytes().first(), Some(&0x15));
}

#[test]
fn silent_connections_lock_nobody_out_of_the_files_by_ftp() {
    if !may_hold(1_500) {
        return;
    }
    let (_server, _dir) = serve("127.0.74.55");
    let from = |last: u32| format!("127.0.75.{last}");
    let silent = (1..=34).flat_map(|last| (0..16).map(move |_| last));
    let silent: Vec<TcpStream> = silent.map(|last| connect(&from(last), "127.0.74.55:2121")).collect();
    let mut phone = connect("127.0.74.56", "127.0.74.55:2121");
    assert!(first_bytes(&mut phone).starts_with("220 "));
    drop(silent);
    // One source has so many files sent at a time; the next hears why it must wait.
    let busy = |_| {
        let mut client = connect("127.0.74.57", "127.0.74.55:2121");
        assert!(first_bytes(&mut client).starts_with("220 "));
        client.write_all(b"EPSV\r\n").expect("asked");
        assert!(first_bytes(&mut client).starts_with("229 "));
        client.write_all(b"RETR ring.wav\r\n").expect("asked");
        assert!(first_bytes(&mut client).starts_with("150 "));
        client
    };
    let _busy: Vec<TcpStream> = (0..16).map(busy).collect();
    assert!(first_bytes(&mut connect("127.0.74.57", "127.0.74.55:2121")).starts_with("421 "));
    assert!(first_bytes(&mut connect("127.0.74.56", "127.0.74.55:2121")).starts_with("220 "));
}

#[test]
fn requests_in_the_names_of_others_lock_nobody_out_of_the_files_by_tftp() {
    let (_server, _dir) = serve("127.0.74.60");
    let ask = |from: &str| {
        let socket = UdpSocket::bind(format!("{from}:0")).expect("bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket.send_to(b"\0\x01ring.wav\0octet\0", "127.0.74.60:6969").expect("asked");
        socket
    };
    for last in 1..=70 {
        for _ in 0..16 {
            // Each hears the first block, as somebody does in whose name another asks, and acknowledges nothing.
            ask(&format!("127.0.76.{last}")).recv(&mut [0; 1_024]).expect("the first block");
        }
    }
    let phone = ask("127.0.74.61");
    let mut block = [0; 1_024];
    let length = phone.recv(&mut block).expect("the first block");
    assert_eq!((length, &block[..4]), (516, &[0, 3, 0, 1][..]));
}
