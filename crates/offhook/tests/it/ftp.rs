//! Phones' files by FTP on real sockets: our server with a client of a few lines, and our phone with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::program::Running;

const PATIENCE: Duration = Duration::from_secs(20);

struct Client {
    read: BufReader<TcpStream>,
    write: TcpStream,
    at: SocketAddr,
}

impl Client {
    fn log_in(at: &str) -> Self {
        let write = TcpStream::connect(at).expect("connected");
        write.set_read_timeout(Some(PATIENCE)).expect("set");
        let (read, at) =
            (BufReader::new(write.try_clone().expect("cloned")), at.parse().expect("an address"));
        let mut client = Self { read, write, at };
        assert!(client.hear().starts_with("220 "));
        client.says("USER anybody", "331");
        client.says("PASS anything", "230");
        client
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.read.read_line(&mut line).expect("an answer");
        line
    }

    #[track_caller]
    fn says(&mut self, command: &str, status: &str) -> String {
        write!(self.write, "{command}\r\n").expect("sent");
        let answer = self.hear();
        assert!(answer.starts_with(status), "{command}: {answer}");
        answer
    }

    /// The data connection that the server's answer to EPSV or PASV names.
    fn passive(&mut self, command: &str) -> TcpStream {
        let answer = self.says(command, "22");
        let inner = answer.split(['(', ')']).nth(1).expect("an address");
        let numbers: Vec<u16> = inner
            .split([',', '|'])
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().expect("a number"))
            .collect();
        let port = match numbers[..] {
            [port] => port,
            [.., high, low] => high << 8 | low,
            [] => panic!("{answer}"),
        };
        TcpStream::connect(SocketAddr::new(self.at.ip(), port)).expect("connected")
    }

    fn get(&mut self, mut data: TcpStream, file: &str) -> Vec<u8> {
        self.says(&format!("RETR {file}"), "150");
        data.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).expect("read");
        assert!(self.hear().starts_with("226 "));
        bytes
    }
}

fn serve(ip: &str, files: &tempfile::TempDir) -> Running {
    let (sip, ftp) = (format!("{ip}:5060"), format!("{ip}:2121"));
    let files = files.path().to_string_lossy();
    let arguments = [
        "serve",
        "--json",
        "--sip",
        &sip,
        "--ftp",
        &ftp,
        "--files",
        &files,
        "--extension",
        "7001:a-long-secret-here",
        "--device",
        "00:21:f2:22:b0:31;number=7001",
    ];
    Running::start(&arguments)
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    #[allow(clippy::disallowed_methods, reason = "a test writes the file that it serves")]
    std::fs::write(dir.path().join("ring.wav"), vec![7; 70_000]).expect("written");
    dir
}

#[test]
fn files_come_by_every_kind_of_data_connection() {
    let files = folder();
    let server = serve("127.0.74.20", &files);
    assert_eq!(server.ready["ftp"], "127.0.74.20:2121");
    let mut client = Client::log_in("127.0.74.20:2121");
    client.says("TYPE I", "200");
    for command in ["EPSV", "PASV"] {
        let data = client.passive(command);
        assert_eq!(client.get(data, "ring.wav"), vec![7; 70_000], "{command}");
    }
    for family in ["PORT", "EPRT"] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let own = client.write.local_addr().expect("connected").ip();
        let port = listener.local_addr().expect("bound").port();
        let command = match family {
            "PORT" => format!("PORT {},{},{}", own.to_string().replace('.', ","), port >> 8, port & 0xff),
            _ => format!("EPRT |1|{own}|{port}|"),
        };
        client.says(&command, "200");
        client.says("RETR ring.wav", "150");
        let (mut data, from) = listener.accept().expect("connected");
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).expect("read");
        assert_eq!((bytes.len(), from.ip().to_string()), (70_000, "127.0.74.20".to_owned()), "{family}");
        assert!(client.hear().starts_with("226 "));
    }
    let data = client.passive("EPSV");
    let file = String::from_utf8(client.get(data, "/0021F222B031.cfg")).expect("text");
    let url = file.lines().find_map(|line| line.split_once("server.url = ftp://")).expect("a folder").1;
    let path = url.split_once('/').expect("a folder").1;
    client.says(&format!("CWD /{path}"), "250");
    let data = client.passive("EPSV");
    assert_eq!(String::from_utf8(client.get(data, "0021f222b031.cfg")).expect("text"), file);
}

/// A server of files connects nobody to anybody else (RFC 2577), lists nothing and takes nothing.
#[test]
fn a_client_gets_nothing_that_is_not_its_own() {
    let files = folder();
    let _server = serve("127.0.74.22", &files);
    let mut client = Client::log_in("127.0.74.22:2121");
    for (command, status) in [
        ("PORT 127,0,0,9,200,1", "501"),
        ("PORT 127,0,0,1,0,22", "501"),
        ("EPRT |1|192.0.2.1|50000|", "501"),
        ("RETR ring.wav", "425"),
        ("STOR x", "550"),
        ("SIZE ring.wav", "502"),
        ("CWD ../..", "550"),
        ("TYPE E", "504"),
        ("XYZZY", "500"),
        ("NOOP", "200"),
    ] {
        client.says(command, status);
    }
    for file in ["../secret", "/etc/passwd", "0021f222b099.cfg", "cfg0021f222b031.xml"] {
        let data = client.passive("EPSV");
        client.says(&format!("RETR {file}"), "550");
        drop(data);
    }
    let mut data = client.passive("EPSV");
    client.says("NLST", "150");
    let mut listed = String::new();
    data.read_to_string(&mut listed).expect("read");
    assert_eq!((listed.as_str(), &client.hear()[..4]), ("", "226 "));
    client.says("EPSV ALL", "200");
    client.says("PASV", "501");
    client.says(&"x".repeat(2_000), "500");
    assert_eq!(client.hear(), "", "whoever writes such lines is left");
    // One source has so many connections: the one that was silent longest makes room.
    let mut held: Vec<Client> = (0..16).map(|_| Client::log_in("127.0.74.22:2121")).collect();
    let _more = Client::log_in("127.0.74.22:2121");
    assert_eq!(held[0].hear(), "");
    held[1].says("NOOP", "200");
    drop(held);
}

#[test]
fn a_phone_fetches_its_settings_by_ftp() {
    let files = folder();
    let _server = serve("127.0.74.24", &files);
    let mut phone = Running::start(&[
        "phone",
        "--stdio",
        "--mac",
        "00:21:f2:22:b0:31",
        "--listen",
        "127.0.74.25",
        "--profile",
        "ftp://127.0.74.24:2121/$(MA).cfg",
    ]);
    assert_eq!(phone.wait("provisioned")["files"][0]["status"], 200);
    phone.wait("registered");
}
