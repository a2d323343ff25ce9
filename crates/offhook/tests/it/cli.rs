//! The program as a person or a script runs it.

use std::process::Output;

use super::program::{Running, offhook, text};

#[track_caller]
fn check_usage(arguments: &[&str], hint: &str) {
    let ended = offhook(arguments, "");
    let told = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains(hint), "{told}");
    assert!(!told.contains("swordfish"), "{told}");
    assert!(ended.stdout.is_empty(), "standard output is for answers");
}

#[test]
fn wrong_usage_is_explained_and_ends_with_2() {
    check_usage(&["phnoe"], "phone");
    check_usage(&["phone", "--account", "7001:swordfish"], "no @ before the host");
    check_usage(&["phone", "--mac", "12"], "0021f222b021");
    check_usage(&["phone", "--model", "FIP99"], "FIP14G");
    check_usage(&["phone", "--audio", "browser"], "file:IN.wav");
    check_usage(&["phone", "--listen", "pbx"], "127.0.50.1");
    check_usage(&["serve", "--extension", "7001"], "7001:a-long-secret-here");
    check_usage(&["serve", "--sips", "127.0.71.9:5061"], "--dir");
    check_usage(&["lab", "basic-cal", "--once"], "basic-call");
    check_usage(&["lab", "basic-call"], "offhook lab basic-call --once");
    check_usage(&["lab", "basic-call", "--real"], "--once");
    check_usage(&["lab", "basic-call", "--once", "--real", "--seed", "7"], "--seed");
}

#[test]
fn what_does_not_work_ends_with_1_and_names_the_place() {
    let check = |arguments: &[&str], place: &str| {
        let ended = offhook(arguments, "");
        assert_eq!(ended.status.code(), Some(1));
        assert!(text(&ended.stderr).contains(place), "{}", text(&ended.stderr));
    };
    check(&["phone", "--stdio", "--config", "/nowhere/a.cfg"], "/nowhere/a.cfg");
    check(&["phone", "--stdio", "--pcap", "/nowhere/a.pcap"], "/nowhere/a.pcap");
    check(&["phone", "--stdio", "--listen", "192.0.2.1:5060"], "192.0.2.1:5060");
    check(&["phone", "--stdio", "--listen", "127.0.71.9", "--ca", "/nowhere/ca.pem"], "/nowhere/ca.pem");
    check(
        &["phone", "--stdio", "--listen", "127.0.71.9", "--audio", "file:/nowhere/a.wav"],
        "/nowhere/a.wav",
    );
    check(&["serve", "--sip", "127.0.71.9:5060", "--pcap", "/nowhere/a.pcap"], "/nowhere/a.pcap");
    check(&["lab", "dnd", "--once", "--pcap", "/nowhere/a.pcap"], "/nowhere/a.pcap");
    let taken = std::net::UdpSocket::bind("127.0.71.10:5060").expect("bound");
    check(&["serve", "--sip", "127.0.71.10:5060"], "`ss -lunp sport = :5060`");
    check(&["phone", "--stdio", "--listen", "127.0.71.10:5060"], "127.0.71.10:5060");
    drop(taken);
}

#[test]
fn a_factory_reset_outlives_the_program_and_leaves_the_command_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().to_string_lossy();
    let account = ["--account", "7001:sixteen-letters-long@127.0.71.1"];
    let arguments =
        [&["phone", "--stdio", "--dir", &folder, "--listen", "127.0.71.7"][..], &account].concat();
    offhook(&arguments, "set account.1.ptime 30 features.dnd.enable 1\nfactory-reset\n");
    let second =
        offhook(&arguments, "get features.dnd.enable\nget account.1.ptime\nget account.1.user_name\n");
    let told = text(&second.stdout);
    for value in ["\"value\":\"0\"", "\"value\":\"20\"", "\"value\":\"7001\""] {
        assert!(told.contains(value), "{value} in {told}");
    }
}

#[test]
fn an_exchange_takes_its_options_from_a_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("serve.toml");
    std::fs::write(dir.path().join("secret"), "a-long-secret-here\n").expect("written");
    let lines =
        "sip = \"127.0.71.8:5070\"\njson = true\nextension = [{ file = \"secret\", before = \"7001:\" }]\n";
    std::fs::write(&file, lines).expect("written");
    let path = file.to_string_lossy();
    let exchange = Running::start(&["serve", "--config", &path]);
    assert_eq!(exchange.ready["sip"], "127.0.71.8:5070");
    drop(exchange);
    let exchange = Running::start(&["serve", "--config", &path, "--sip", "127.0.71.8:5071"]);
    assert_eq!(exchange.ready["sip"], "127.0.71.8:5071", "the command line counts");
    std::fs::write(&file, "sipp = 1\n").expect("written");
    let ended = offhook(&["serve", "--config", &path], "");
    let told = text(&ended.stderr);
    assert!(ended.status.code() == Some(2) && told.contains("did you mean sip?"), "{told}");
}

#[test]
fn a_phone_redials_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().to_string_lossy();
    let arguments = ["phone", "--stdio", "--dir", &folder, "--listen", "127.0.71.5"];
    let first =
        offhook(&arguments, "redial\nset features.direct_ip_call_enable 1\ndial 127.0.71.6\nhangup\n");
    assert!(text(&first.stdout).contains("nothing was dialled yet"), "{}", text(&first.stdout));
    let second = offhook(&arguments, "redial\nstatus\nquit\n");
    assert!(text(&second.stdout).contains("\"peer\":\"127.0.71.6\""), "{}", text(&second.stdout));
}

#[test]
fn help_is_complete_and_ends_with_0() {
    for arguments in [["--help"].as_slice(), &["phone", "--help"]] {
        let ended = offhook(arguments, "");
        assert_eq!(ended.status.code(), Some(0));
        let help = text(&ended.stdout);
        assert!(help.contains("Usage: offhook") && help.contains("Examples:"), "{help}");
    }
    let help = offhook(&["phone", "--help"], "");
    for (usage, does) in roles::phone::command::COMMANDS {
        assert!(text(&help.stdout).contains(usage) && text(&help.stdout).contains(does), "{usage}");
    }
}

#[test]
fn a_phone_is_driven_by_lines_and_ends_with_its_input() {
    let lines = "@1 status\n@2 dance\n\n@3 get account.1.user_name\n";
    let arguments = ["phone", "--stdio", "--account", "7001:swordfish@127.0.71.1", "--listen", "127.0.71.2"];
    let ended = offhook(&arguments, lines);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let events: Vec<serde_json::Value> =
        text(&ended.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let is = |id: &str, event: &str| events.iter().any(|it| it["id"] == id && it["event"] == event);
    assert_eq!(events[0]["event"], "ready");
    assert!(is("1", "done") && is("2", "error") && is("3", "done"), "{events:?}");
    let ids: Vec<&str> = events.iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"], "answers come in the order of the lines");
    assert!(events.iter().any(|it| it["event"] == "value" && it["value"] == "7001"));
    let warned = text(&ended.stderr);
    assert!(warned.contains("9 characters") && !warned.contains("swordfish"), "{warned}");
    assert!(events.iter().all(|it| it["at"].is_string()), "every event has its moment");
}

#[test]
fn a_file_with_faults_is_taken_as_far_as_it_is_right() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("0021f222b021.cfg");
    std::fs::write(&file, "#!version:1.0.0.1\naccount.1.user_name = 7005\naccount.1.usr_nam = 1\n")
        .expect("written");
    let file = file.to_string_lossy();
    let arguments = ["phone", "--stdio", "--config", &file, "--listen", "127.0.71.3"];
    let ended = offhook(&arguments, "get account.1.user_name\n");
    assert!(text(&ended.stderr).contains("line 3"), "{}", text(&ended.stderr));
    assert!(text(&ended.stdout).contains("\"value\":\"7005\""), "{}", text(&ended.stdout));
}

#[test]
fn a_phone_remembers_what_was_set() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().to_string_lossy();
    let arguments = ["phone", "--stdio", "--dir", &folder, "--listen", "127.0.71.4"];
    let first = offhook(&arguments, "set account.1.display_name Jack\nstatus\n");
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let second = offhook(&arguments, "get account.1.display_name\nstatus\n");
    assert!(text(&second.stdout).contains("\"value\":\"Jack\""), "{}", text(&second.stdout));
    let mac = |output: &Output| {
        let told = text(&output.stdout);
        told.split("\"mac\":\"").nth(1).map(|rest| rest[..12].to_owned()).expect("a MAC address")
    };
    assert_eq!(mac(&first), mac(&second));
}

#[test]
fn a_script_of_lines_waits_as_a_person_would() {
    let secret = "a-secret-that-is-long-enough";
    let (one, seven) = (format!("7001:{secret}"), format!("7007:{secret}"));
    let arguments =
        ["serve", "--json", "--sip", "127.0.74.1:5070", "--extension", &one, "--extension", &seven];
    let _exchange = Running::start(&arguments);
    let account = |extension: &str| format!("{extension}@127.0.74.1:5070");
    let seven = account(&seven);
    let mut called = Running::start(&["phone", "--stdio", "--listen", "127.0.74.3", "--account", &seven]);
    called.say("wait registered");
    called.wait("done");
    let answerer = std::thread::spawn(move || {
        called.wait("incoming");
        called.say("answer");
        called.wait("answered");
        called.wait("ended");
    });
    // The call waits for the registration, the rest for the call; the end of the input for its end.
    let lines = "@1 dial 7007\n@2 wait answered 20\n@3 dtmf 1\n@4 hangup\n@5 wait incoming 1\n@6 wait tea\n";
    let one = account(&one);
    let ended = offhook(&["phone", "--stdio", "--listen", "127.0.74.2", "--account", &one], lines);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    answerer.join().expect("called and hung up");
    let events: Vec<serde_json::Value> =
        text(&ended.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = events
        .iter()
        .filter(|event| {
            event["id"].is_string()
                || ["registered", "answered", "ended"].iter().any(|it| event["event"] == *it)
        })
        .map(|event| {
            format!("{} {}", event["event"].as_str().unwrap_or_default(), event["id"].as_str().unwrap_or("-"))
        })
        .collect();
    let expected = ["registered -", "done 1", "answered -", "done 2", "done 3"];
    assert_eq!(told[..5], expected, "{told:?}");
    assert!(told.contains(&"done 4".to_owned()) && told.contains(&"error 5".to_owned()), "{told:?}");
    assert!(told.contains(&"error 6".to_owned()), "{told:?}");
}

#[test]
fn a_secret_is_in_no_usage_error_and_may_come_from_a_file() {
    check_usage(&["serve", "--extension", "70 01:swordfish"], "70 01:…");
    check_usage(&["serve", "--extension=70 01:swordfish"], "70 01:…");
    check_usage(&["serve", "7001:swordfish"], "7001:…");
    check_usage(&["serve", "--extension", "7001:swordfish", "--extension", "7001:swordfish2"], "given twice");
    check_usage(&["serve", "--session", "30"], "90");
    check_usage(&["phone", "--account", "7001@pbx"], "--secret-file");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("secrets");
    std::fs::write(&file, "7001:swordfish-of-7001\n").expect("written");
    let path = file.to_string_lossy();
    let arguments = [
        "phone",
        "--stdio",
        "--account",
        "7001@127.0.71.1",
        "--secret-file",
        &path,
        "--listen",
        "127.0.71.12",
    ];
    let ended = offhook(&arguments, "get account.1.user_name\nquit\n");
    assert!(text(&ended.stdout).contains("\"value\":\"7001\""), "{}", text(&ended.stdout));
    assert!(!text(&ended.stdout).contains("swordfish"));
}

#[test]
fn an_export_of_nothing_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let (missing, backup) = (dir.path().join("none"), dir.path().join("backup"));
    let arguments = ["serve", "--dir", &missing.to_string_lossy(), "--export", &backup.to_string_lossy()];
    let ended = offhook(&arguments, "");
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(&ended.stderr).contains("holds no database"), "{}", text(&ended.stderr));
    assert!(!missing.exists() && !backup.exists(), "nothing is made");
}

#[test]
fn two_phones_talk_through_the_exchange() {
    two_phones_talk("127.0.72.1:5070", ["127.0.72.2", "127.0.72.3"]);
}

/// RFC 6157: the same where there is no IPv4 at all; all three share the only address that a loopback has.
#[test]
fn two_phones_talk_over_ip_version_6() {
    if std::net::UdpSocket::bind("[::1]:0").is_ok() {
        two_phones_talk("[::1]:0", ["::1", "::1"]);
    }
}

fn two_phones_talk(exchange: &str, [one_at, seven_at]: [&str; 2]) {
    let secret = "a-secret-that-is-long-enough";
    let extension = |number: &str| format!("{number}:{secret}");
    let dir = tempfile::tempdir().expect("a folder");
    let heard = dir.path().join("heard.wav");
    let (one, seven) = (extension("7001"), extension("7007"));
    let arguments = ["serve", "--json", "--sip", exchange, "--extension", &one, "--extension", &seven];
    let exchange = Running::start(&arguments);
    let server = exchange.ready["sip"].as_str().expect("an address").to_owned();
    let phone = |number: &str, ip: &str, audio: &str| {
        let account = format!("{number}:{secret}@{server}");
        let arguments = ["phone", "--stdio", "--account", &account, "--listen", ip, "--audio", audio];
        let mut phone = Running::start(&arguments);
        phone.wait("registered");
        phone
    };
    let mut caller = phone("7001", one_at, "tone:440");
    let mut called = phone("7007", seven_at, &format!("silent,{}", heard.display()));
    caller.say("dial 7007");
    assert_eq!(called.wait("incoming")["peer"], "7001");
    caller.wait("ringing");
    called.say("answer");
    assert_eq!(caller.wait("answered")["codec"], "PCMA");
    called.say("dtmf 123456");
    (0..6).for_each(|_| drop(caller.wait("dtmf")));
    caller.say("hold");
    called.wait("remote_hold");
    caller.say("resume");
    called.wait("remote_resume");
    caller.say("hangup");
    let ended = called.wait("ended");
    assert_eq!(ended["by"], "remote");
    assert!(ended["rtp"]["rx_packets"].as_u64().is_some_and(|packets| packets > 20), "{ended}");
    called.say("quit");
    called.child.wait().expect("ended");
    let wav = media::wav::Wav::parse(&std::fs::read(&heard).expect("recorded")).expect("a WAV file");
    let loud = wav.samples.iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
    assert!(loud > 2_000, "the caller's tone is in the recording: {loud} loud samples");
}

#[test]
fn a_bundle_is_written_on_command_and_logs_are_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, file) = (dir.path().join("phone"), dir.path().join("case.zip"));
    let (data, path) = (data.to_string_lossy().into_owned(), file.to_string_lossy().into_owned());
    let lines = format!("@1 bundle {path} blf\n@2 bundle {path}\n@3 bundle {path}.tar\n");
    let account = "7001:swordfish-of-7001@127.0.71.1";
    let arguments = ["phone", "--stdio", "--dir", &data, "--account", account, "--listen", "127.0.71.9"];
    let ended = offhook(&arguments, &lines);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let events: Vec<serde_json::Value> =
        text(&ended.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let is = |id: &str, event: &str| events.iter().any(|it| it["id"] == id && it["event"] == event);
    assert!(is("1", "done") && is("2", "error") && is("3", "error"), "{events:?}");
    let bundle = std::fs::read(&file).expect("a bundle");
    assert!(bundle.starts_with(b"PK") && bundle.windows(7).any(|name| name == b"case.md"));
    let log = std::fs::read_to_string(std::path::Path::new(&data).join("system.log")).expect("a log");
    assert!(log.contains("***system booting***") && !log.contains("swordfish"), "{log}");
}

/// On a machine that has no network, as a container may be.
#[test]
#[cfg(target_os = "linux")]
fn without_a_way_out_all_addresses_are_refused_with_an_option_that_helps() {
    let alone = |arguments: &[&str]| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--map-root-user", "--net"]).args(arguments);
        command.stdin(std::process::Stdio::null()).output()
    };
    if !alone(&["true"]).is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: no network namespace can be made here");
    }
    let program = env!("CARGO_BIN_EXE_offhook");
    let serve = alone(&[program, "serve", "--sip", "0.0.0.0:5060"]).expect("run");
    let said = text(&serve.stderr);
    assert!(!serve.status.success() && said.contains("--sip 0.0.0.0: this machine has no way out"), "{said}");
    assert!(said.contains("as in --sip 192.168.1.10:5060"), "{said}");
    let phone = alone(&[program, "phone", "--stdio", "--listen", "0.0.0.0"]).expect("run");
    let said = text(&phone.stderr);
    assert!(!phone.status.success() && said.contains("as in --listen 192.168.1.20"), "{said}");
}
