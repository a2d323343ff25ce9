#![allow(clippy::disallowed_methods, reason = "a test writes the files that it serves")]
//! Phones' files on real sockets: TFTP, HTTP, PnP, and what the exchange knows of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use proto::Time;
use proto::tftp::{Client, Download, Failure, Plan, Terms};

use super::program::{Running, offhook, text};

const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    running: Running,
    _dir: tempfile::TempDir,
}

fn serve(ip: &str, more: &[&str]) -> Server {
    let dir = tempfile::tempdir().expect("a folder");
    let files = dir.path().join("files");
    std::fs::create_dir_all(&files).expect("made");
    std::fs::write(files.join("ring.wav"), vec![7; 70_000]).expect("written");
    let at = |port: u16| format!("{ip}:{port}");
    let (data, files) = (dir.path().join("data"), files.to_string_lossy().into_owned());
    let (data, sip, tftp, http) = (data.to_string_lossy().into_owned(), at(5_060), at(6_969), at(8_069));
    let mut arguments = vec![
        "serve",
        "--json",
        "--dir",
        &data,
        "--sip",
        &sip,
        "--tftp",
        &tftp,
        "--http",
        &http,
        "--files",
        &files,
        "--extension",
        "7001:a-long-secret-here",
        "--device",
        "00:21:f2:22:b0:21;number=7001",
    ];
    arguments.extend(more);
    Server { running: Running::start(&arguments), _dir: dir }
}

fn get(at: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(at).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\n{headers}Connection: close\r\n\r\n").expect("asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head, answer[end + 4..].to_vec())
}

fn tftp(at: &str, file: &str, terms: Terms) -> Result<Vec<u8>, Failure> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let server: SocketAddr = at.parse().expect("an address");
    let plan = Plan { server, file: file.to_owned(), terms, most_bytes: 100_000 };
    let (mut out, mut buffer) = (Vec::new(), [0; 65_535]);
    let mut client = Client::start(Time::ZERO, plan, &mut out);
    loop {
        for datagram in out.drain(..) {
            socket.send_to(&datagram.bytes, datagram.to).expect("sent");
        }
        let (length, from) = socket.recv_from(&mut buffer).expect("an answer");
        match client.receive(Time::ZERO, from, &buffer[..length], &mut out) {
            Download::Goes => {}
            Download::Whole(bytes) => {
                for datagram in out.drain(..) {
                    socket.send_to(&datagram.bytes, datagram.to).expect("sent");
                }
                return Ok(bytes);
            }
            Download::Failed(failure) => return Err(failure),
        }
    }
}

#[test]
fn a_phone_gets_the_same_file_by_tftp_and_http() {
    let server = serve("127.0.74.1", &[]);
    let (status, head, body) = get("127.0.74.1:8069", "/0021F222B021.cfg", "");
    assert_eq!(status, 200, "{head}");
    let text = String::from_utf8(body).expect("text");
    assert!(
        text.contains("account.1.user_name = 7001\n")
            && text.contains("server.url = http://127.0.74.1:8069/p/")
    );
    assert_eq!(
        tftp("127.0.74.1:6969", "0021f222b021.cfg", Terms::of_the_deck()),
        Ok(text.clone().into_bytes())
    );
    let folder = text.lines().find_map(|line| line.split_once(":8069")).expect("a folder").1;
    assert_eq!(get("127.0.74.1:8069", &format!("{folder}0021f222b021.cfg"), "").2, text.into_bytes());
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an entity tag");
    let (status, ..) = get("127.0.74.1:8069", "/0021f222b021.cfg", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(status, 304);
    let terms = Terms { block_bytes: Some(1_400), window_blocks: Some(8), ..Terms::default() };
    assert_eq!(tftp("127.0.74.1:6969", "ring.wav", terms), Ok(vec![7; 70_000]));
    for path in [
        "/0021f222b022.cfg",
        "/cfg0021f222b021.xml",
        "/../data/web-token",
        "/%2e%2e/data/web-token",
        "/p/x/a.cfg",
    ] {
        assert_eq!(get("127.0.74.1:8069", path, "").0, 404, "{path}");
    }
    assert!(matches!(
        tftp("127.0.74.1:6969", "../data/web-token", Terms::default()),
        Err(Failure::Refused { code: 1, .. })
    ));
    drop(server);
}

/// The phone of the deck asks from a port of its own and has no account: one NOTIFY tells its folder.
#[test]
fn a_phone_that_asks_by_pnp_is_told_its_folder() {
    let server = serve("127.0.74.2", &["--pnp", "127.0.0.1", "--device", "0021f222b022;number=7001"]);
    assert_eq!(server.running.ready["pnp"], "127.0.0.1");
    let phone = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).expect("a socket");
    phone.bind(&SocketAddr::from(([127, 0, 74, 3], 0)).into()).expect("bound");
    phone.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).expect("set");
    let phone = UdpSocket::from(phone);
    phone.set_read_timeout(Some(PATIENCE)).expect("set");
    let at = phone.local_addr().expect("bound");
    let ask = |mac: &str| {
        let uri = format!("sip:MAC{mac}@224.0.1.75");
        let text = format!(
            "SUBSCRIBE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{mac}\r\nFrom: <{uri}>;tag=1\r\n\
             To: <{uri}>\r\nCall-ID: {mac}\r\nCSeq: 1 SUBSCRIBE\r\nMax-Forwards: 70\r\nContact: <sip:{at}>\r\n\
             Event: ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\";model=\"FIP14G\";version=\"V0.7.3.1\"\r\n\
             Expires: 0\r\nAccept: application/url\r\nContent-Length: 0\r\n\r\n"
        );
        phone.send_to(text.as_bytes(), "224.0.1.75:5060").expect("sent");
    };
    let hear = || {
        let mut buffer = [0; 4_096];
        let (length, from) = phone.recv_from(&mut buffer).expect("an answer");
        (String::from_utf8_lossy(&buffer[..length]).into_owned(), from)
    };
    // Nobody knows the first one: what comes is for the second.
    ask("0021f222b099");
    ask("0021f222b022");
    let (ok, _) = hear();
    assert!(ok.starts_with("SIP/2.0 200 OK\r\n") && ok.contains("Call-ID: 0021f222b022\r\n"), "{ok}");
    let (notify, from) = hear();
    let url = notify.rsplit("\r\n\r\n").next().expect("a body");
    assert!(notify.starts_with("NOTIFY ") && url.starts_with("http://127.0.74.2:8069/p/"), "{notify}");
    let head: Vec<&str> = notify.lines().collect();
    let of = |name: &str| head.iter().find(|line| line.starts_with(name)).expect(name).to_string();
    let answer = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].map(of).join("\r\n");
    let answer = format!("SIP/2.0 200 OK\r\n{answer}\r\nContent-Length: 0\r\n\r\n");
    phone.send_to(answer.as_bytes(), from).expect("answered");
    let path = url.strip_prefix("http://127.0.74.2:8069").expect("a folder here");
    assert_eq!(get("127.0.74.2:8069", &format!("{path}0021f222b022.cfg"), "").0, 200);
}

/// What a device was given lets it register, and the exchange knows which one did.
#[test]
fn a_device_registers_with_an_account_of_its_own() {
    let mut server = serve("127.0.74.4", &[]);
    let (_, _, body) = get("127.0.74.4:8069", "/0021f222b021.cfg", "");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("0021f222b021.cfg");
    std::fs::write(&file, body).expect("written");
    let file = file.to_string_lossy();
    let mut phone = Running::start(&["phone", "--stdio", "--config", &file, "--listen", "127.0.74.5"]);
    phone.wait("registered");
    let known = server.running.wait("device_registered");
    assert_eq!(known["number"], "7001");
    assert!(known["user"].as_str().is_some_and(|user| user.starts_with("0021f222b021-")), "{known}");

    // The phone believes a check-sync from its exchange, and the exchange knows that it has it.
    let web =
        server.running.ready["web"].as_str().expect("a page").trim_start_matches("http://").trim_matches('/');
    let token = std::fs::read_to_string(server._dir.path().join("data/web-token")).expect("a token");
    let body = r#"{"devices":"all","reboot":false}"#;
    let head = format!("Authorization: Bearer {}\r\nContent-Type: application/json", token.trim());
    let mut stream = TcpStream::connect(web).expect("connected");
    let length = body.len();
    let request =
        format!("POST /api/push HTTP/1.1\r\nHost: {web}\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("asked");
    phone.wait("resync");
    let synced = server.running.wait("check_synced");
    assert_eq!((&synced["number"], &synced["status"]), (&"7001".into(), &200.into()));
}

impl Server {
    /// Asks the API; the answer's body.
    fn ask(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let web = self.running.ready["web"].as_str().expect("a page");
        let web = web.trim_start_matches("http://").trim_matches('/');
        let token = std::fs::read_to_string(self._dir.path().join("data/web-token")).expect("a token");
        let mut stream = TcpStream::connect(web).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let (token, length) = (token.trim(), body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {web}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }
}

/// A phone out of its box: it finds its server by PnP, fetches its account and registers. With its data
/// folder it registers at once when the exchange alone is back.
#[test]
fn a_phone_out_of_its_box_works_and_again_when_the_exchange_alone_is_back() {
    let mut server = serve("127.0.74.6", &["--pnp", "127.0.0.1", "--device", "0021f222b026;number=7001"]);
    let phone_dir = tempfile::tempdir().expect("a folder");
    let dir = phone_dir.path().to_string_lossy().into_owned();
    let start = || {
        Running::start(&[
            "phone",
            "--stdio",
            "--mac",
            "00:21:f2:22:b0:26",
            "--listen",
            "127.0.74.7",
            "--pnp",
            "--dir",
            &dir,
        ])
    };
    let mut phone = start();
    assert_eq!(phone.wait("provision_source")["source"], "pnp");
    assert_eq!(phone.wait("provisioned")["reboot"], false);
    phone.wait("registered");
    server.running.wait("device_registered");
    let now = server.ask("GET", "/api/devices/0021f222b026", "")["now"].take();
    for sign in ["asked", "applied", "registered", "firmware", "address", "last_seen"] {
        assert!(!now[sign].is_null(), "{sign}: {now}");
    }
    phone.say("quit");
    phone.wait("unregistered");
    drop(phone);

    let data = server._dir.path().join("data").to_string_lossy().into_owned();
    let _ = server.running.child.kill();
    server.running.child.wait().expect("ended");
    server.running = Running::start(&["serve", "--json", "--dir", &data, "--sip", "127.0.74.6:5060"]);
    let mut phone = start();
    let first = phone.wait_for("registered or a source", |event| {
        event["event"] == "registered" || event["event"] == "provision_source"
    });
    assert_eq!(first["event"], "registered");
}

/// A push proves that what was changed has arrived, and a device that is removed is out at once.
#[test]
fn a_push_proves_that_it_arrived_and_a_removed_device_is_out() {
    let server = serve("127.0.74.8", &["--pnp", "127.0.0.1", "--device", "0021f222b028;number=7001"]);
    let mut phone = Running::start(&[
        "phone",
        "--stdio",
        "--mac",
        "00:21:f2:22:b0:28",
        "--listen",
        "127.0.74.9",
        "--pnp",
    ]);
    phone.wait("registered");
    server.ask("PUT", "/api/devices/0021f222b028", r#"{"label":"Reception"}"#);
    let row = |server: &Server, reboot: bool, sign: &str| {
        let body = format!(r#"{{"devices":["0021f222b028"],"reboot":{reboot}}}"#);
        let number = server.ask("POST", "/api/push", &body)["push"].clone();
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let row = server.ask("GET", &format!("/api/push/{number}"), "")["rows"][0].take();
            if !row[sign].is_null() && !row["registered"].is_null() {
                return row;
            }
            assert!(std::time::Instant::now() < end, "no {sign}: {row}");
        }
    };
    let pushed = row(&server, false, "applied");
    assert!(!pushed["answered"].is_null() && !pushed["fetched"].is_null(), "{pushed}");
    assert!(pushed["rebooted"].is_null(), "{pushed}");
    row(&server, true, "rebooted");
    server.ask("DELETE", "/api/devices/0021f222b028", "");
    let listed = server.ask("GET", "/api/registrations", "");
    assert_eq!(listed["registrations"].as_array().map(Vec::len), Some(0), "{listed}");
}

/// Works on the inventory as a person does.
fn provision(place: &[&str], arguments: &[&str]) -> (Option<i32>, String, String) {
    let all: Vec<&str> = ["provision"].iter().chain(arguments).chain(place).copied().collect();
    let ended = offhook(&all, "");
    (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
}

#[test]
fn the_inventory_is_worked_on_beside_a_running_exchange_and_without_one() {
    let mut server = serve("127.0.74.10", &[]);
    let data = server._dir.path().join("data").to_string_lossy().into_owned();
    let web = server.running.ready["web"].as_str().expect("a page").to_owned();
    let running = ["--server", &web, "--dir", &data];
    let done = |place: &[&str], arguments: &[&str]| {
        let (status, out, told) = provision(place, arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {out}{told}");
        out
    };
    let table = server._dir.path().join("phones.csv").to_string_lossy().into_owned();
    let rows: String = (0..450).map(|row| format!("0021f2300{row:03x},7001,\"Desk; {row}\"\n")).collect();
    std::fs::write(&table, format!("mac,number,label\n{rows}")).expect("written");
    assert_eq!(done(&running, &["import", &table]), "450 phones set\n");
    done(
        &running,
        &["adopt", "00:21:f2:22:b0:50", "--number", "7001", "--model", "FIP16", "--label", "Hall"],
    );
    let listed = done(&running, &["list"]);
    assert!(listed.contains("0021f222b050  FIP16"), "{listed}");
    assert!(done(&running, &["diff", "0021f222b050"]).contains("was served nothing yet"));
    get("127.0.74.10:8069", "/0021f222b050.cfg", "");
    assert_eq!(done(&running, &["diff", "0021f222b050"]), "nothing differs\n");
    done(&running, &["adopt", "0021f222b050", "--label", "Cellar"]);
    let differs = done(&running, &["diff", "0021f222b050"]);
    assert!(
        differs.contains("-account.1.label = Hall\n+") || differs.contains("+account.1.label = Cellar\n")
    );
    assert!(done(&running, &["window", "5"]).contains("open until"));
    let (status, out, _) = provision(&running, &["push", "0021f222b050", "--wait", "0"]);
    assert_eq!(status, Some(1), "it is not registered: {out}");
    let (status, _, told) = provision(&["--dir", &data], &["list"]);
    assert!(status == Some(1) && told.contains("--server"), "{told}");

    let _ = server.running.child.kill();
    server.running.child.wait().expect("ended");
    let folder = ["--dir", &*data];
    let exported = done(&folder, &["export"]);
    assert_eq!(exported.lines().count(), 1 + 2 + 450, "{exported}");
    assert!(exported.contains("0021f2300000,FIP14G,7001,1,Desk; 0,\r\n") || exported.contains("\"Desk; 0\""));
    let tried = done(&folder, &["try", "0021f222b050"]);
    assert!(tried.contains("A FIP16 with") && tried.contains("account 1 registers"), "{tried}");
    let shown = done(&folder, &["render", "0021f222b050"]);
    assert!(shown.contains("account.1.password = (hidden)\n"), "{shown}");
    done(&folder, &["remove", "0021f222b050"]);
    let (status, _, told) = provision(&folder, &["show", "0021f222b050"]);
    assert!(status == Some(1) && told.contains("there is no device 0021f222b050"), "{told}");
    for refused in [["push", "--all"], ["window", "off"]] {
        let (status, _, told) = provision(&folder, &refused);
        assert!(status == Some(2) && told.contains("--server"), "{told}");
    }
    std::fs::write(&table, "mac,number\n0021f2300001,7001\nx,7001\n").expect("written");
    let (status, _, told) = provision(&folder, &["import", &table]);
    assert!(status == Some(1) && told.contains("line 3"), "{told}");
}

/// Firmware is downloaded, told from then on, and known again after the program was ended.
#[test]
fn a_phone_is_upgraded_and_knows_it_at_its_next_start() {
    let server = serve("127.0.74.12", &[]);
    let firmware = server._dir.path().join("files/FIP14G-FVUI_V0.8.0.1_202105111814_RC.bin");
    std::fs::write(firmware, vec![7; 2_000_000]).expect("written");
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path().to_string_lossy();
    let profile = "http://127.0.74.12:8069/$(MA).cfg";
    let start = || {
        Running::start(&[
            "phone",
            "--stdio",
            "--mac",
            "0021f222b021",
            "--listen",
            "127.0.74.13",
            "--profile",
            profile,
            "--dir",
            &dir,
        ])
    };
    let mut phone = start();
    phone.wait("registered");
    phone.say("upgrade http://127.0.74.12:8069/FIP14G-FVUI_V0.8.0.1_202105111814_RC.bin");
    assert_eq!(phone.wait("reboot")["why"], "upgrade");
    assert_eq!(phone.wait("resync")["why"], "upgrade");
    phone.wait("registered");
    phone.say("status");
    assert_eq!(phone.wait("status")["network"]["version"], "V0.8.0.1");
    drop(phone);
    let mut phone = start();
    assert_eq!(phone.wait("resync")["why"], "start");
    phone.say("status");
    assert_eq!(phone.wait("status")["network"]["version"], "V0.8.0.1");
}

/// A phone whose redirection service is our exchange is led to its folder.
#[test]
fn a_phone_is_led_to_its_folder_by_the_redirection_service() {
    let _server = serve("127.0.74.14", &[]);
    let (status, head, _) = get("127.0.74.14:8069", "/rps/0021f222b021", "");
    assert!(status == 302 && head.contains("location: http://127.0.74.14:8069/p/"), "{head}");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("box.cfg");
    let settings = "#!version:1.0.0.1\nauto_provision.pnp_enable = 0\n\
                    auto_provision.advanced.redirect_url = http://127.0.74.14:8069/rps/$(MA)\n";
    std::fs::write(&file, settings).expect("written");
    let file = file.to_string_lossy();
    let mut phone = Running::start(&[
        "phone",
        "--stdio",
        "--mac",
        "0021f222b021",
        "--listen",
        "127.0.74.15",
        "--config",
        &file,
    ]);
    assert_eq!(phone.wait("provision_source")["source"], "rps");
    phone.wait("registered");
}

#[test]
fn the_redirection_service_is_administered_by_xml_rpc() {
    let server = serve("127.0.74.16", &[]);
    let web = server.running.ready["web"].as_str().expect("HTTP").to_owned();
    let at = web.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let file = server.running.ready["token_file"].as_str().expect("a file");
    let token = std::fs::read_to_string(file).expect("a token").trim().to_owned();
    let call = |password: &str, kind: &str, method: &str, params: &[&str]| {
        let params: String = params.iter().map(|it| format!("<param><value>{it}</value></param>")).collect();
        let body = format!(
            "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
        );
        let proof = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("admin:{password}"));
        let mut stream = TcpStream::connect(&at).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let head = format!(
            "POST /xmlrpc HTTP/1.0\r\nHost: {at}\r\nAuthorization: Basic {proof}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        write!(stream, "{head}{body}").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    };
    let office = ["office", "http://192.0.2.80/office/"];
    for (password, kind, status) in [("guess", "text/xml", " 401 "), (&token, "text/plain", " 415 ")] {
        let answer = call(password, kind, "redirect.addServer", &office);
        assert!(answer.lines().next().expect("a line").contains(status), "{answer}");
    }
    let ok = |method: &str, params: &[&str]| {
        let answer = call(&token, "text/xml", method, params);
        assert!(
            answer.contains("<boolean>1</boolean>") && answer.contains("<string>OK</string>"),
            "{answer}"
        );
        assert!(answer.contains("content-type: text/xml"), "{answer}");
    };
    ok("redirect.addServer", &office);
    ok("redirect.registerDevice", &["00:15:65:aa:bb:cc", "<string>office</string>"]);
    let again = call(&token, "text/xml", "redirect.registerDevice", &["001565aabbcc", "office"]);
    assert!(
        again.contains("<boolean>0</boolean>") && again.contains("Error:Existing MAC(s):001565aabbcc"),
        "{again}"
    );
    let (status, head, _) = get("127.0.74.16:8069", "/rps/001565aabbcc", "");
    assert!(status == 302 && head.contains("location: http://192.0.2.80/office/"), "{head}");
    let unknown = call(&token, "text/xml", "redirect.dance", &[]);
    assert!(unknown.contains("<int>-32601</int>"), "{unknown}");
}

/// What the API or the page changed of a phone stays, as with extensions.
#[test]
fn a_device_of_the_command_line_undoes_nothing_that_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data").to_string_lossy().into_owned();
    let run = |more: &[&str]| {
        let serve = ["serve", "--dir", &data, "--sip", "127.0.74.66:5060", "--http", "127.0.74.66:8069"];
        let ended = offhook(&[&serve[..], &["--print-dhcp", "dnsmasq"], more].concat(), "");
        (ended.status.code(), text(&ended.stderr))
    };
    let label = || {
        let shown = offhook(&["provision", "--dir", &data, "--json", "show", "0021f222b021"], "");
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        shown["label"].as_str().expect("a label").to_owned()
    };
    let (status, said) = run(&["--device", "0021f222b021;label=Front"]);
    assert_eq!(
        (status, said.contains("device-wins"), label()),
        (Some(0), false, "Front".to_owned()),
        "{said}"
    );
    let (status, said) = run(&["--device", "0021f222b021;label=Back"]);
    assert!(said.contains("another label than --device gives") && said.contains("--device-wins"), "{said}");
    assert_eq!((status, label()), (Some(0), "Front".to_owned()));
    let (_, said) = run(&["--device", "0021f222b021;label=Front"]);
    assert!(!said.contains("device-wins"), "{said}");
    run(&["--device", "0021f222b021;label=Back", "--device-wins"]);
    assert_eq!(label(), "Back");
    let (status, said) = run(&["--device", "0021f222b021;label=a", "--device", "00:21:f2:22:b0:21;label=b"]);
    assert!(status == Some(2) && said.contains("given twice"), "{said}");
}
