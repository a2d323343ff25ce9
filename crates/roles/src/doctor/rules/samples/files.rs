//! Files for phones: TFTP, HTTP, FTP, plug and play, restarts.

use super::Sample;
use super::network::lease;
use super::registration::registers;
use crate::doctor::tape::{ACK, PHONE, RST, SERVER, SYN, Talk, Tape, talk};

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        code: "prov.tftp-not-found",
        faulty: || tftp(&[(0, NOT_FOUND)]),
        healthy: || tftp(&[(0, NOT_FOUND), (100, WHOLE)]),
    },
    Sample {
        code: "prov.tftp-no-answer",
        faulty: || tftp(&[(0, SILENT), (3_000, SILENT), (6_000, SILENT)]),
        healthy: || tftp(&[(0, SILENT), (3_000, WHOLE)]),
    },
    Sample { code: "prov.tftp-stalled", faulty: || tftp(&[(0, STALLED)]), healthy: || tftp(&[(0, WHOLE)]) },
    Sample {
        code: "prov.http-401",
        faulty: || http(&["401 Unauthorized", "401 Unauthorized"]),
        healthy: || http(&["401 Unauthorized", "200 OK"]),
    },
    Sample {
        code: "prov.http-404",
        faulty: || http(&["404 Not Found"]),
        healthy: || http(&["404 Not Found", "200 OK"]),
    },
    Sample {
        code: "prov.http-5xx",
        faulty: || http(&["503 Service Unavailable"]),
        healthy: || http(&["503 Service Unavailable", "200 OK"]),
    },
    Sample {
        code: "prov.ftp-login",
        faulty: || ftp("530 Login incorrect", "550 no"),
        healthy: || ftp("230 welcome", "226 done"),
    },
    Sample {
        code: "prov.ftp-not-found",
        faulty: || ftp("230 welcome", "550 No such file"),
        healthy: || ftp("230 welcome", "226 done"),
    },
    Sample { code: "prov.no-server", faulty: closed, healthy: || http(&["200 OK"]) },
    Sample {
        code: "prov.not-a-config",
        faulty: || page("<!DOCTYPE html><html></html>"),
        healthy: || page("#!version:1.0.0.1\n"),
    },
    Sample {
        code: "prov.pnp-no-answer",
        faulty: || plug_and_play(&[]),
        healthy: || plug_and_play(&[SERVER]),
    },
    Sample {
        code: "prov.pnp-conflict",
        faulty: || plug_and_play(&[SERVER, ANOTHER]),
        healthy: || plug_and_play(&[SERVER]),
    },
    Sample { code: "prov.reboot-loop", faulty: || starts(4), healthy: || starts(1) },
    Sample {
        code: "prov.wrong-server",
        faulty: || led("192.168.50.165:69"),
        healthy: || led("192.168.50.7:69"),
    },
    Sample {
        code: "reboot.check-sync",
        faulty: || asked_to_start("reboot=true"),
        healthy: || asked_to_start("reboot=false"),
    },
    Sample { code: "reboot.provisioning", faulty: || starts_after(30_000), healthy: || starts(1) },
    Sample { code: "reboot.power", faulty: || comes_back(false), healthy: || comes_back(true) },
];

const CLIENT: &str = "192.168.80.23:2000";
const TFTP: &str = "192.168.50.165:69";
const ANOTHER: &str = "192.168.50.20:5060";
const WEB: &str = "192.168.50.165:80";

/// What follows a request by TFTP.
const SILENT: u8 = 0;
const NOT_FOUND: u8 = 1;
const STALLED: u8 = 2;
const WHOLE: u8 = 3;

/// Requests with their times and what follows them.
fn tftp(asked: &[(u64, u8)]) -> Tape {
    let tape = asked.iter().fold(Tape::default(), |tape, (ms, what)| request(tape, *ms, TFTP, *what));
    later(tape, 60_000)
}

fn later(tape: Tape, ms: u64) -> Tape {
    let options = talk("o", "7001", "7001");
    tape.udp(ms, PHONE, SERVER, options.ask("OPTIONS", 1, "")).udp(
        ms + 3,
        SERVER,
        PHONE,
        options.tell(200, "OPTIONS", 1, ""),
    )
}

fn request(tape: Tape, ms: u64, server: &str, what: u8) -> Tape {
    let data = server.replace(":69", ":49000");
    let name = if what == NOT_FOUND { "y000000000000.cfg" } else { "0021f222b021.cfg" };
    let asked = [b"\0\x01", name.as_bytes(), b"\0octet\0"].concat();
    let block = |number: u8, bytes: &[u8]| [&[0, 3, 0, number][..], bytes].concat();
    let first = [&b"#!version:1.0.0.1\n"[..], &[b'#'; 494]].concat();
    let tape = tape.udp(ms, CLIENT, server, asked);
    match what {
        NOT_FOUND => tape.udp(ms + 5, &data, CLIENT, b"\0\x05\0\x01File not found\0"),
        STALLED => tape.udp(ms + 5, &data, CLIENT, block(1, &first)).udp(ms + 6, CLIENT, &data, [0, 4, 0, 1]),
        WHOLE => tape
            .udp(ms + 5, &data, CLIENT, block(1, &first))
            .udp(ms + 6, CLIENT, &data, [0, 4, 0, 1])
            .udp(ms + 7, &data, CLIENT, block(2, b"\n"))
            .udp(ms + 8, CLIENT, &data, [0, 4, 0, 2]),
        _ => tape,
    }
}

/// One request after the other for the same file, each with that answer.
fn http(answers: &[&str]) -> Tape {
    let tape = (0_u64..).zip(answers).fold(Tape::default(), |tape, (number, answer)| {
        let name = if answer.starts_with("404") && answers.len() > 1 { "y000000000000.cfg" } else { "0021f222b021.cfg" };
        let asked = format!("GET /{name} HTTP/1.1\r\nHost: h\r\nUser-Agent: Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21\r\n\r\n");
        let body = if answer.starts_with("200") { "#!version:1.0.0.1\n" } else { "" };
        let told = format!("HTTP/1.1 {answer}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let client = format!("192.168.80.23:{}", 2_000 + number);
        tape.stream(number * 500, &client, WEB, &[(true, asked.as_bytes()), (false, told.as_bytes())])
    });
    later(tape, 60_000)
}

fn page(body: &str) -> Tape {
    let asked =
        "GET /0021f222b021.cfg HTTP/1.1\r\nHost: h\r\nUser-Agent: Flyingvoice FIP14G V0.7.3.1\r\n\r\n";
    let told = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    later(
        Tape::default().stream(0, CLIENT, WEB, &[(true, asked.as_bytes()), (false, told.as_bytes())]),
        9_000,
    )
}

fn ftp(login: &str, file: &str) -> Tape {
    let (login, file) = (format!("{login}\r\n"), format!("150 here\r\n{file}\r\n"));
    let missing = format!("{}\r\n", file.trim_start_matches("150 here\r\n").trim_end());
    let is_there = file.contains("226");
    let mut said: Vec<(bool, &[u8])> = vec![
        (false, b"220 ready\r\n"),
        (true, b"USER phone\r\n"),
        (false, b"331 password\r\n"),
        (true, b"PASS secret\r\n"),
        (false, login.as_bytes()),
    ];
    if login.starts_with("230") {
        said.extend([
            (true, &b"PASV\r\n"[..]),
            (false, b"227 Entering Passive Mode (192,168,50,165,19,137).\r\n"),
            (true, b"RETR 0021f222b021.cfg\r\n"),
            (false, if is_there { file.as_bytes() } else { missing.as_bytes() }),
        ]);
    }
    let mut tape = Tape::default().stream(0, CLIENT, "192.168.50.165:21", &said);
    if is_there {
        tape =
            tape.stream(47, "192.168.80.23:2001", "192.168.50.165:5001", &[(false, b"#!version:1.0.0.1\n")]);
    }
    registers(later(tape.sorted(), 60_000), 61_000, 1)
}

fn closed() -> Tape {
    registers(Tape::default(), 0, 1).tcp(500, (CLIENT, WEB), SYN, (0, 0), "").tcp(
        502,
        (WEB, CLIENT),
        RST | ACK,
        (0, 1),
        "",
    )
}

const PNP: Talk = talk("pnp", "MAC0021f222b021", "MAC0021f222b021");
const EVENT: &str = "Event: ua-profile;profile-type=\"device\";vendor=\"Flyingvoice\";model=\"FIP14G\"\n";
const EVERYBODY: &str = "224.0.1.75:5060";

fn asks_everybody(tape: Tape, ms: u64, cseq: u32) -> Tape {
    tape.udp(ms, PHONE, EVERYBODY, PNP.uri("sip:MAC0021f222b021@224.0.1.75").ask("SUBSCRIBE", cseq, EVENT))
}

fn is_told(tape: Tape, ms: u64, cseq: u32, by: &str) -> Tape {
    let host = by.split(':').next().unwrap_or_default();
    let more = format!("Event: ua-profile\nContent-Type: application/url\n\ntftp://{host}");
    let back = PNP.inside().back();
    tape.udp(ms, by, PHONE, back.ask("NOTIFY", cseq, &more)).udp(
        ms + 2,
        PHONE,
        by,
        back.tell(200, "NOTIFY", cseq, ""),
    )
}

fn plug_and_play(servers: &[&str]) -> Tape {
    let asked = asks_everybody(Tape::default(), 0, 1);
    let tape = (0..)
        .zip(servers)
        .fold(asked, |tape, (number, by)| is_told(tape, 20 + u64::from(number), number + 1, by));
    tape.udp(30_000, PHONE, SERVER, "\r\n\r\n")
}

/// The machine of a softphone fetches other things too.
#[test]
fn a_file_that_is_no_phones_is_left_alone() {
    let said: [(bool, &[u8]); 9] = [
        (false, b"220 ready\r\n"),
        (true, b"USER anonymous\r\n"),
        (false, b"331 password\r\n"),
        (true, b"PASS a@b\r\n"),
        (false, b"230 welcome\r\n"),
        (true, b"PASV\r\n"),
        (false, b"227 Entering Passive Mode (192,168,50,165,19,137).\r\n"),
        (true, b"RETR stations.xml\r\n"),
        (false, b"550 No such file\r\n"),
    ];
    let tape = Tape::default().stream(0, CLIENT, "192.168.50.165:21", &said);
    assert!(super::above_info(registers(tape, 61_000, 1)).is_empty());
}

/// So many starts, each with its download, 90 s apart.
fn starts(count: u32) -> Tape {
    let tape = (0..count).fold(Tape::default(), |tape, number| {
        let ms = u64::from(number) * 90_000;
        request(
            is_told(asks_everybody(tape, ms, number + 1), ms + 20, number + 1, "192.168.50.165:5060"),
            ms + 100,
            TFTP,
            WHOLE,
        )
    });
    tape.udp(u64::from(count) * 90_000, PHONE, SERVER, "\r\n\r\n")
}

/// A phone that has registered fetches a file at that time, and starts at 45 s.
fn starts_after(ms: u64) -> Tape {
    let tape = request(registers(Tape::default(), 0, 1), ms, TFTP, WHOLE);
    request(is_told(asks_everybody(tape, 45_000, 1), 45_020, 1, "192.168.50.165:5060"), 45_100, TFTP, WHOLE)
}

/// DHCP names one server; the file comes from that.
fn led(from: &str) -> Tape {
    later(request(lease(Tape::default(), b"\x42\x13tftp://192.168.50.7"), 200, from, WHOLE), 9_000)
}

/// A check-sync, and afterwards plug and play.
fn asked_to_start(how: &str) -> Tape {
    let order = talk("1234", "pbx", "7001").via(SERVER);
    let tape = registers(Tape::default(), 0, 1)
        .udp(5_000, SERVER, PHONE, order.ask("NOTIFY", 10, &format!("Event: check-sync;{how}\n")))
        .udp(5_030, PHONE, SERVER, order.tell(200, "NOTIFY", 10, ""));
    if how.ends_with("false") {
        return request(tape, 6_000, TFTP, WHOLE);
    }
    request(is_told(asks_everybody(tape, 45_000, 1), 45_020, 1, "192.168.50.165:5060"), 45_100, TFTP, WHOLE)
}

/// A phone that falls silent and starts anew; it had said farewell or not.
fn comes_back(said_farewell: bool) -> Tape {
    let own = talk("r", "7001", "7001");
    let mut tape = registers(Tape::default(), 0, 1);
    if said_farewell {
        let away = format!("Contact: *\nExpires: 0\n{}", crate::doctor::tape::CREDENTIALS);
        tape = tape.udp(5_000, PHONE, SERVER, own.ask("REGISTER", 3, &away)).udp(
            5_003,
            SERVER,
            PHONE,
            own.tell(200, "REGISTER", 3, ""),
        );
    }
    let tape = is_told(asks_everybody(tape, 60_000, 1), 60_020, 1, "192.168.50.165:5060");
    let anew = talk("fresh", "7001", "7001");
    let contact = format!(
        "Contact: <sip:7001@192.168.80.23:5060>\nExpires: 1800\n{}",
        crate::doctor::tape::CREDENTIALS
    );
    tape.udp(65_000, PHONE, SERVER, anew.ask("REGISTER", 1, &contact)).udp(
        65_003,
        SERVER,
        PHONE,
        anew.tell(200, "REGISTER", 1, &contact),
    )
}
