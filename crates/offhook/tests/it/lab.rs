//! The lab on real sockets: cases in real time, and the three phones of bare `offhook`.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

use serde_json::Value;

use super::program::{Running, offhook, text};

/// Every lab stands at the same addresses, so one runs at a time on a machine, whoever started it.
fn alone() -> File {
    let path = std::env::temp_dir().join("offhook-lab-test.lock");
    // A file that another user has made can be read, which is enough.
    let file = File::open(&path).or_else(|_| File::create(&path)).expect("a lock file");
    file.lock().expect("locked");
    file
}

/// Plays a case in real time; what it printed as JSON.
fn real(slug: &str, more: &[&str]) -> Value {
    let arguments = [&["lab", slug, "--once", "--real", "--json"], more].concat();
    let ended = offhook(&arguments, "");
    assert_eq!(ended.status.code(), Some(0), "{} {}", text(&ended.stdout), text(&ended.stderr));
    serde_json::from_slice(&ended.stdout).expect("one JSON document")
}

#[test]
fn cases_play_on_loopback_sockets() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    let (pcap, wav) = (dir.path().join("srtp.pcap"), dir.path().join("heard"));
    let (pcap_name, wav_name) = (pcap.to_string_lossy(), wav.to_string_lossy());
    for (slug, more) in [
        ("hold-resume", [].as_slice()),
        ("blf-watch", &[]),
        ("provision-ftp", &[]),
        ("provision-https", &[]),
        ("srtp-call", &["--pcap", &pcap_name, "--wav", &wav_name]),
    ] {
        let played = real(slug, more);
        assert_eq!((&played["as_expected"], &played["real"]), (&true.into(), &true.into()), "{slug}");
        assert!(played["ladder"].as_array().is_some_and(|lines| lines.len() >= 8), "{slug}");
    }
    let packets = std::fs::read(&pcap).expect("captured").len();
    assert!(packets > 100_000, "signalling and sound are in the capture: {packets} bytes");
    let heard = media::wav::Wav::parse(&std::fs::read(wav.join("7001.wav")).expect("recorded"));
    let heard = heard.expect("a WAV file").samples;
    let level = media::detect::level_of_frequency_db(&heard, 8_000, 800.0);
    assert!(level > -6.0, "7001 has heard what 7002 hums: {level} dB");
}

#[test]
fn cases_for_real_sockets_alone_have_the_ladder_that_is_written() {
    let _alone = alone();
    for real in roles::lab::real_cases() {
        let slug = real.case.slug;
        let ended = offhook(&["lab", slug, "--once"], "");
        let told = text(&ended.stdout);
        // The time stands before two blanks.
        let is_time = |time: &str| time.contains('.') && time.parse::<f64>().is_ok();
        let rungs = told.lines().filter_map(|line| line.split_once("  ").filter(|(time, _)| is_time(time)));
        let ladder: String = rungs.map(|(_, rung)| format!("{rung}\n")).collect();
        assert!(!real.case.whole.is_empty(), "{slug}");
        assert_eq!(ladder, real.case.whole, "{slug}: {told}");
    }
}

#[test]
fn a_case_that_waits_for_minutes_says_why_it_is_not_played_real() {
    let ended = offhook(&["lab", "reg-no-answer", "--once", "--real"], "");
    let told = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("s and so needs virtual time"), "{told}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let _alone = alone();
    let _taken = UdpSocket::bind("127.0.70.2:5060").expect("bound");
    for arguments in [["lab", "basic-call", "--once", "--real"].as_slice(), &["lab"]] {
        let ended = offhook(arguments, "quit\n");
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains("127.0.70.2:5060") && told.contains("ss -lunp"), "{told}");
    }
}

/// Servers of files, scripted for the simulated wire, serve the phone's own TFTP and HTTP clients.
#[test]
fn scripted_machines_play_on_loopback_sockets() {
    let _alone = alone();
    if let Err(error) = UdpSocket::bind("127.0.50.80:69") {
        let ended = offhook(&["lab", "provision-not-found", "--once", "--real"], "");
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains("127.0.50.80") && told.contains("without --real"), "{told}");
        eprintln!("skipped: port 69 is not ours ({error})");
        return;
    }
    for (slug, transfer) in
        [("provision-pnp", "TFTP"), ("provision-not-found", "TFTP"), ("provision-rps", "HTTP")]
    {
        let played = real(slug, &[]);
        assert_eq!((&played["as_expected"], &played["real"]), (&true.into(), &true.into()), "{slug}");
        assert!(played["ladder"].to_string().contains(transfer), "{slug}: {}", played["ladder"]);
    }
}

#[test]
fn three_phones_call_each_other_and_their_lamps_tell() {
    let _alone = alone();
    let mut lab = Running::start(&["lab", "--json"]);
    // The exchange tells of each phone before that phone knows it.
    let knows = |event: &Value| event["event"] == "registered" && event["who"] != "exchange";
    (0..3).for_each(|_| drop(lab.wait_for("a phone is registered", knows)));
    lab.say("7001 dial 7002");
    assert_eq!(lab.wait("incoming")["who"], "7002");
    lab.say("7002 answer");
    lab.wait_for("7007 sees the called phone busy", |event| {
        event["who"] == "7007" && event["key"] == 3 && event["colour"] == "red" && event["meaning"] == "busy"
    });
    lab.say("7001 dance");
    assert!(lab.wait("error")["message"].as_str().is_some_and(|text| text.contains("dance")));
    lab.say("7001 hangup");
    assert!(lab.wait("ended")["rtp"]["rx_packets"].as_u64().is_some());
    lab.say("quit");
    (0..3).for_each(|_| drop(lab.wait("unregistered")));
    assert!(lab.child.wait().expect("ended").success());
}

#[test]
fn phones_out_of_their_box_are_set_up_by_pnp_each_by_its_own_lab() {
    let _alone = alone();
    let mut labs = [
        (Running::start(&["lab", "--json"]), "127.0"),
        (Running::start(&["lab", "--json", "--net", "127.2.0.0/16"]), "127.2"),
    ];
    for (lab, network) in &mut labs {
        let mut sources = Vec::new();
        (0..3).for_each(|_| {
            lab.wait_for("a phone is registered", |event| {
                if event["event"] == "provision_source" {
                    let url = event["url"].as_str().expect("an address").to_owned();
                    sources.push((event["who"].to_string(), event["source"].to_string(), url));
                }
                event["event"] == "registered" && event["who"] != "exchange"
            });
        });
        assert_eq!(sources.len(), 3, "{sources:?}");
        for (who, source, url) in &sources {
            let is_own = url.starts_with(&format!("http://{network}.50.19:"));
            assert!(source == "\"pnp\"" && is_own && url.contains("/p/"), "{who} {source} {url}");
        }
        lab.say("quit");
    }
}

#[test]
fn another_lab_takes_another_network_and_each_machine_has_its_api() {
    let _alone = alone();
    let first = Running::start(&["lab", "--json"]);
    let second = Running::start(&["lab", "--json", "--net", "127.2.0.0/16"]);
    for (lab, network) in [(&first, "127.0"), (&second, "127.2")] {
        let phones = lab.ready["phones"].as_array().expect("phones");
        assert_eq!(phones.len(), 3);
        for machine in phones.iter().chain([&lab.ready]) {
            let (sip, web) = (machine["sip"].as_str().expect("SIP"), machine["web"].as_str().expect("HTTP"));
            let place = web.trim_start_matches("http://").trim_end_matches('/');
            let host = sip.split(':').next().expect("a host");
            assert!(host.starts_with(network) && place.starts_with(host), "{machine}");
            let mut api = TcpStream::connect(place).expect("connected");
            write!(api, "GET /api/openapi.json HTTP/1.0\r\nHost: {place}\r\n\r\n").expect("asked");
            let mut answer = String::new();
            api.read_to_string(&mut answer).expect("answered");
            assert!(
                answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"),
                "{answer:.200}"
            );
        }
    }
}

#[test]
fn a_network_that_is_none_of_the_loopback_is_refused() {
    let ended = offhook(&["lab", "--net", "10.0.0.0/16"], "");
    let told = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("127.1.0.0/16"), "{told}");
}

#[test]
fn a_person_reads_words() {
    let _alone = alone();
    let ended = offhook(&[], "7003 dial 7001\nhelp\nquit\n");
    let told = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{told}{}", text(&ended.stderr));
    for words in [
        "7001      127.0.70.1:5060",
        "http://127.0.70.1:8088/",
        "7001 dial 7002",
        "`7003` is no phone",
        "consult NUMBER",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains('\u{1b}'), "no colours in a pipe");
}
