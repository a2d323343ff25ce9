#![allow(clippy::disallowed_methods, reason = "a test reads and writes the files beside it")]
//! `offhook doctor` as a person runs it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proto::Time;
use proto::pcap::{Transport, Writer, file_header};
use serde_json::Value;

const PHONE: &str = "192.168.80.23:5060";
const SERVER: &str = "192.168.50.19:5060";

fn message(first: &str, call_id: &str, cseq: &str, more: &str) -> String {
    format!(
        "{first}\r\nVia: SIP/2.0/UDP {PHONE};branch=z9hG4bK{call_id}{};rport\r\nFrom: <sip:7001@h>;tag=1\r\n\
         To: <sip:7002@h>\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n{more}Content-Length: 0\r\n\r\n",
        cseq.replace(' ', "")
    )
}

/// A call that was refused, and one that nobody answered.
fn capture() -> Vec<u8> {
    let (mut writer, mut file) = (Writer::new(), file_header().to_vec());
    let mut add = |ms: u64, from: &str, to: &str, text: String| {
        let (from, to): (SocketAddr, SocketAddr) =
            (from.parse().expect("address"), to.parse().expect("address"));
        writer.write(
            Time::from_millis(1_640_000_000_000 + ms),
            from,
            to,
            Transport::Udp,
            text.as_bytes(),
            &mut file,
        );
    };
    add(0, PHONE, SERVER, message("INVITE sip:7002@h SIP/2.0", "one", "1 INVITE", ""));
    add(40, SERVER, PHONE, message("SIP/2.0 486 Busy\u{1b}[31m", "one", "1 INVITE", ""));
    add(45, PHONE, SERVER, message("ACK sip:7002@h SIP/2.0", "one", "1 ACK", ""));
    add(900, PHONE, SERVER, message("INVITE sip:7002@h SIP/2.0", "two", "1 INVITE", ""));
    file
}

fn offhook() -> Command {
    Command::new(env!("CARGO_BIN_EXE_offhook"))
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    offhook().arg("doctor").args(arguments).current_dir(folder).output().expect("it runs")
}

fn text(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&text(output)).expect("JSON")
}

#[test]
fn a_capture_a_folder_a_bundle_gzip_and_a_pipe_tell_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("case")).expect("created");
    std::fs::write(path("case/a.pcap"), capture()).expect("written");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&capture()).expect("packed");
    std::fs::write(path("a.pcap.gz"), packed.finish().expect("packed")).expect("written");
    let mut bundle = zip::ZipWriter::new(std::fs::File::create(path("b.zip")).expect("created"));
    bundle.start_file("a.pcap", zip::write::SimpleFileOptions::default()).expect("begun");
    bundle.write_all(&capture()).expect("written");
    bundle.finish().expect("whole");
    let plain = json(&run(&["case/a.pcap", "--json"], folder.path()));
    assert_eq!(
        (plain["calls"][0]["status"].as_u64(), plain["calls"][1]["status"].as_u64()),
        (Some(486), None)
    );
    assert_eq!((&plain["calls"][0]["by"], &plain["files"][0]["packets"]), (&"callee".into(), &4.into()));
    for other in ["case", "a.pcap.gz", "b.zip"] {
        let told = json(&run(&[other, "--json"], folder.path()));
        assert_eq!((&told["calls"], &told["counts"]), (&plain["calls"], &plain["counts"]), "{other}");
    }
    let mut piped = offhook()
        .args(["doctor", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    piped.stdin.take().expect("a pipe").write_all(&capture()).expect("written");
    let told: Value = serde_json::from_slice(&piped.wait_with_output().expect("ends").stdout).expect("JSON");
    assert_eq!(told["calls"], plain["calls"]);
}

#[test]
fn rows_are_chosen_shown_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.pcap"), capture()).expect("written");
    let calls = text(&run(&["a.pcap", "--calls", "--filter", "status:4xx"], folder.path()));
    assert!(calls.contains(" one\n") && !calls.contains(" two\n"), "{calls}");
    let ladder = text(&run(&["a.pcap", "--ladder", "--call", "one"], folder.path()));
    assert!(
        ladder.contains("#2") && ladder.contains("Status: 486 Busy") && !ladder.contains('\u{1b}'),
        "{ladder}"
    );
    let written = run(&["a.pcap", "--json", "--call", "one", "--out", "one.pcap"], folder.path());
    assert!(String::from_utf8_lossy(&written.stderr).contains("3 packets"));
    let told = json(&run(&["one.pcap", "--json"], folder.path()));
    assert_eq!((told["calls"].as_array().map(Vec::len), &told["calls"][0]["id"]), (Some(1), &"one".into()));
}

/// A report shows the ladder of what it is about, with its proofs marked and resends folded.
#[test]
fn a_report_shows_the_ladder_of_what_matters() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut writer, mut file) = (Writer::new(), file_header().to_vec());
    let invite = message("INVITE sip:7002@h SIP/2.0", "one", "1 INVITE", "");
    let said = [
        (0, PHONE, SERVER, invite.clone()),
        (500, PHONE, SERVER, invite),
        (600, SERVER, PHONE, message("SIP/2.0 404 Not Found", "one", "1 INVITE", "")),
        (605, PHONE, SERVER, message("ACK sip:7002@h SIP/2.0", "one", "1 ACK", "")),
        (900, PHONE, SERVER, message("OPTIONS sip:h SIP/2.0", "two", "1 OPTIONS", "")),
    ];
    for (ms, from, to, text) in said {
        let (from, to): (SocketAddr, SocketAddr) =
            (from.parse().expect("address"), to.parse().expect("address"));
        let at = Time::from_millis(1_640_000_000_000 + ms);
        writer.write(at, from, to, Transport::Udp, text.as_bytes(), &mut file);
    }
    std::fs::write(folder.path().join("a.pcap"), &file).expect("written");
    let report = text(&run(&["a.pcap"], folder.path()));
    let line = |number: &str| {
        let found = report.lines().find(|line| line.starts_with(number));
        found.unwrap_or_else(|| panic!("{number}: {report}")).to_owned()
    };
    assert!(line("#1 ").ends_with("(sent 2 times)  <- call.404"), "{report}");
    assert!(line("#3 ").contains("404 Not Found") && line("#3 ").ends_with("<- call.404"), "{report}");
    assert!(
        !line("#4 ").contains("<-") && !report.contains("\n#2 ") && !report.contains("\n#5 "),
        "{report}"
    );
    let mut piped =
        offhook().args(["doctor", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    piped.stdin.take().expect("a pipe").write_all(&file).expect("written");
    let told = piped.wait_with_output().expect("ends").stdout;
    assert!(!String::from_utf8_lossy(&told).contains("\n#1 "), "a pipe cannot be read a second time");
}

#[test]
fn what_cannot_be_done_is_told_with_a_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.pcap"), capture()).expect("written");
    let check = |arguments: &[&str], status: i32, expected: &str| {
        let output = run(arguments, folder.path());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    };
    check(&["nowhere.pcap"], 1, "nowhere.pcap");
    check(&["a.pcap", "--filter", "status:x"], 2, "status:4xx");
    check(&["a.pcap", "--call", "three"], 1, "--calls lists them");
    check(&["-", "--ladder"], 2, "a second time");
    check(&["a.pcap", "--out", "b.pcap"], 2, "--call");
    check(&[], 2, "PATH");
}

#[test]
fn cut_and_foreign_files_are_told_and_the_rest_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = capture();
    std::fs::write(folder.path().join("cut.pcap"), &whole[..whole.len() - 5]).expect("written");
    std::fs::write(folder.path().join("notes.txt"), "see the capture\n").expect("written");
    std::fs::write(
        folder.path().join("sys.log"),
        "<Tue Nov 2 15:28:58 2021> ipphone[1]: 0 Register Fail, Timeout\n",
    )
    .expect("written");
    let ended = run(&[".", "--json"], folder.path());
    let told: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    let finding = &told["findings"][0];
    assert_eq!((ended.status.code(), &finding["code"]), (Some(1), &"reg.timeout".into()), "{told}");
    assert_eq!((&finding["evidence"][0]["line"], &finding["severity"]), (&1.into(), &"error".into()));
    let file = |name: &str| {
        let files = told["files"].as_array().expect("files");
        files
            .iter()
            .find(|file| file["name"].as_str().is_some_and(|full| full.ends_with(name)))
            .expect(name)
            .clone()
    };
    assert_eq!(file("cut.pcap")["packets"], 3);
    assert!(
        file("cut.pcap")["notes"][0].as_str().expect("a note").contains("the file ends within the record")
    );
    assert_eq!(
        (&file("sys.log")["lines"], &file("sys.log")["from"]),
        (&1.into(), &"2021-11-02T15:28:58.000Z".into())
    );
    assert!(file("notes.txt")["notes"][0].as_str().expect("a note").contains("neither"));
    let truncated =
        told["findings"].as_array().expect("findings").iter().find(|it| it["code"] == "capture.truncated");
    let truncated = truncated.unwrap_or_else(|| panic!("{told}"));
    assert_eq!((&truncated["severity"], &truncated["evidence"][0]["packet"]), (&"info".into(), &3.into()));
    let shown = run(&["cut.pcap"], folder.path());
    let verdict = String::from_utf8_lossy(&shown.stdout).lines().next().unwrap_or_default().to_owned();
    let offset = told["files"]
        .as_array()
        .and_then(|files| files.iter().find_map(|file| file["read_to_byte"].as_u64()));
    let offset = offset.expect("an offset");
    assert!(verdict.ends_with(&format!("cut.pcap could be read up to byte {offset} only.")), "{verdict}");
}

/// Nothing that was read is no clean bill of health.
#[test]
fn what_cannot_be_read_at_all_is_no_success() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("noise.pcap"), [7, 6, 5, 4, 3, 2, 1, 0].repeat(9)).expect("written");
    std::fs::write(folder.path().join("empty.pcap"), "").expect("written");
    for name in ["noise.pcap", "empty.pcap"] {
        for arguments in [&[name][..], &[name, "--json"]] {
            let output = run(arguments, folder.path());
            assert_eq!(output.status.code(), Some(1), "{name}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("nothing could be read"), "{name}");
        }
        let report = String::from_utf8_lossy(&run(&[name], folder.path()).stdout).into_owned();
        assert!(report.starts_with(&format!("Nothing could be read. {name}: ")), "{report}");
    }
}

/// A trace that works and one that fails.
#[test]
fn two_traces_are_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, call_id: &str, status: &str| {
        let (mut writer, mut file) = (Writer::new(), file_header().to_vec());
        let said = [
            (0, PHONE, SERVER, message("INVITE sip:7002@h SIP/2.0", call_id, "1 INVITE", "")),
            (40, SERVER, PHONE, message(&format!("SIP/2.0 {status}"), call_id, "1 INVITE", "")),
            (45, PHONE, SERVER, message("ACK sip:7002@h SIP/2.0", call_id, "1 ACK", "")),
        ];
        for (ms, from, to, text) in said {
            let (from, to): (SocketAddr, SocketAddr) =
                (from.parse().expect("address"), to.parse().expect("address"));
            let at = Time::from_millis(1_640_000_000_000 + ms);
            writer.write(at, from, to, Transport::Udp, text.as_bytes(), &mut file);
        }
        std::fs::write(folder.path().join(name), file).expect("written");
    };
    write("ok.pcap", "one", "200 OK");
    write("nok.pcap", "two", "403 For\u{1b}[31mbidden");
    let shown = text(&run(&["--compare", "ok.pcap", "nok.pcap"], folder.path()));
    assert!(shown.starts_with("The first difference that matters: call from 7001 to 7002: 403"), "{shown}");
    assert!(
        shown.contains("working  ok.pcap packet 2  200 OK to INVITE") && !shown.contains('\u{1b}'),
        "{shown}"
    );
    let told = json(&run(&["--compare", "ok.pcap", "nok.pcap", "--json"], folder.path()));
    assert_eq!((&told["first"]["kind"], &told["first"]["failing"]["packet"]), (&"outcome".into(), &2.into()));
    assert_eq!(told["findings"]["failing"][0]["code"], "call.403");
    let same = text(&run(&["--compare", "ok.pcap", "ok.pcap"], folder.path()));
    assert!(same.starts_with("No difference matters."), "{same}");
    std::fs::write(folder.path().join("empty.pcap"), file_header()).expect("written");
    let empty = run(&["--compare", "ok.pcap", "empty.pcap"], folder.path());
    assert!(String::from_utf8_lossy(&empty.stderr).contains("empty.pcap: there is no SIP message in it"));
    assert_eq!(empty.status.code(), Some(1));
    assert_eq!(run(&["--compare", "ok.pcap"], folder.path()).status.code(), Some(2));
    assert_eq!(run(&["--compare", "ok.pcap", "nok.pcap", "--calls"], folder.path()).status.code(), Some(2));
}

/// Findings as a person, a script and a build server get them.
#[test]
fn findings_are_told_explained_accepted_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = "<Tue Nov 2 15:28:58 2021> ipphone[1]: 0 Registering To:< sip:6618@192.168.50.19\n\
               <Tue Nov 2 15:28:58 2021> ipphone[1]: 0 Register Fail, 403 Forbidden\n";
    std::fs::write(folder.path().join("sys.log"), log).expect("written");
    std::fs::write(folder.path().join("known.txt"), "reg.403 6618 # since May\n").expect("written");
    let refused = run(&["sys.log", "--junit", "out.xml"], folder.path());
    let report = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{report}");
    assert!(report.starts_with("6618: the server refuses the registration."), "{report}");
    assert!(
        report.contains("sys.log line 2") && report.contains("remedy  1. Double check the account"),
        "{report}"
    );
    let junit = std::fs::read_to_string(folder.path().join("out.xml")).expect("written");
    assert!(junit.contains("failures=\"1\"") && junit.contains("name=\"reg.403 6618\""), "{junit}");
    let accepted = run(&["sys.log", "--accept", "known.txt"], folder.path());
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted));
    let explained = text(&run(&["--explain", "call.404"], folder.path()));
    assert!(explained.starts_with("call.NNN: ") && explained.contains("\nRemedy\n1. "), "{explained}");
    let unknown = run(&["--explain", "call.nothing"], folder.path());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("reg.403"));
    assert_eq!(unknown.status.code(), Some(2));
}
