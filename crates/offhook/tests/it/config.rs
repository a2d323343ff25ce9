#![allow(clippy::disallowed_methods, reason = "a test writes the files that it checks")]
//! `offhook config`: files checked, explained, compared and converted.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::program::{offhook, text};

fn file(dir: &Path, name: &str, lines: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!version:1.0.0.1\n{lines}")).expect("written");
    path
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let ended = offhook(&[&["config"], arguments].concat(), "");
    (ended.status.code().unwrap_or(-1), text(&ended.stdout), text(&ended.stderr))
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&run(arguments).1).expect("one document")
}

#[test]
fn a_check_names_line_key_and_nearest_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let bad = file(dir.path(), "a.cfg", "account.1.label = x\nacount.1.pasword = y\naccount.1.ptime = 25\n");
    let good = file(dir.path(), "b.cfg", "account.1.label = x\n");
    let (bad, good) = (bad.to_string_lossy(), good.to_string_lossy());
    let (status, out, _) = run(&["check", &bad, &good]);
    assert_eq!(status, 1, "{out}");
    assert!(out.contains("a.cfg: warning: line 3: ") && out.contains("a.cfg: error: line 4: "), "{out}");
    let told = json(&["check", "--json", &bad, &good]);
    let faults = told["faults"].as_array().expect("a list");
    assert_eq!(faults.len(), 2, "{told}");
    assert_eq!(faults[0]["nearest"], "account.1.password");
    assert_eq!((&faults[1]["line"], &faults[1]["severity"]), (&4.into(), &"error".into()));
    assert_eq!(faults[1]["key"], "account.1.ptime");
    assert!(faults[1]["message"].as_str().is_some_and(|it| it.contains("expected one of")), "{told}");
    assert_eq!(run(&["check", &good]).0, 0);
    assert_eq!(run(&["check", "/nowhere/at-all.cfg"]).0, 1);
}

#[test]
fn a_boot_file_is_checked_with_what_it_includes() {
    let dir = tempfile::tempdir().expect("a folder");
    file(dir.path(), "all.cfg", "account.1.ptime = 25\n");
    let lines = "include:config <all.cfg>\ninclude:config \"gone.cfg\"\ninclude:config <x.boot>\n";
    let boot = file(dir.path(), "x.boot", lines);
    let (status, out, _) = run(&["check", &boot.to_string_lossy()]);
    assert_eq!(status, 1);
    for part in [
        "all.cfg: error: line 2: ",
        "gone.cfg cannot be read",
        "x.boot: error: line 4: x.boot includes itself",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
}

#[test]
fn a_page_in_place_of_a_file_is_one_fault() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.cfg");
    std::fs::write(&path, "<html>\n<body>\nLogin\n</body>\n</html>\n").expect("written");
    let told = json(&["check", "--json", &path.to_string_lossy()]);
    assert_eq!(told["faults"].as_array().map(Vec::len), Some(1), "{told}");
}

#[test]
fn a_parameter_is_explained_and_listed() {
    let (status, out, _) = run(&["explain", "account.2.blf.subscribe_period"]);
    assert!(status == 0 && out.contains("3600") && out.contains("with a new registration"), "{out}");
    let (status, _, err) = run(&["explain", "acount.1.label"]);
    assert!(status == 1 && err.contains("did you mean account.1.label?"), "{err}");
    let all = json(&["list", "--json"]);
    let of = |flag| json(&["list", flag, "--json"]).as_array().map(Vec::len);
    let all = all.as_array().expect("a list");
    assert_eq!(of("--acts").zip(of("--kept")).map(|(acts, kept)| acts + kept), Some(all.len()));
    assert!(all.iter().all(|row| row["acts"] == row["kept"].is_null()), "a reason for each kept one");
    let page = json(&["list", "--page", "administration > provision", "--json"]);
    assert!(page.as_array().is_some_and(|rows| rows.len() > 10), "{page}");
    let (status, _, err) = run(&["list", "--page", "Kitchen"]);
    assert!(status == 2 && err.contains("Administration > Provision"), "{err}");
}

#[test]
fn files_are_compared_and_converted_there_and_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let one = file(dir.path(), "a.cfg", "account.1.label = a = b\naccount.1.password = swordfish\n");
    let two = file(dir.path(), "b.cfg", "account.1.label = a = b\naccount.1.password = other\n");
    let (one, two) = (one.to_string_lossy(), two.to_string_lossy());
    let (status, out, _) = run(&["diff", &one, &two]);
    assert_eq!((status, out.as_str()), (0, "account.1.password: (hidden) -> (hidden)\n"));
    let (_, made, _) = run(&["convert", &one, "--to", "json"]);
    assert!(made.contains("\"account.1.password\": \"swordfish\""), "{made}");
    let path = dir.path().join("c.json");
    std::fs::write(&path, made).expect("written");
    let third = path.to_string_lossy();
    assert_eq!(run(&["diff", &one, &third]).1, "");
    let (status, cfg, _) = run(&["convert", &third, "--to", "cfg"]);
    assert!(status == 0 && cfg.contains("account.1.label = a = b\n"), "{cfg}");
}

#[test]
fn a_whole_phone_is_taken_to_another_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let phone = |folder: &str, lines: &str| {
        let ended = offhook(&["phone", "--stdio", "--dir", folder, "--listen", "127.0.71.21"], lines);
        text(&ended.stdout)
    };
    let (one, other, file) = (path("one"), path("other"), path("all.cfg"));
    let lines = format!(
        "set auto_provision.pnp_enable 0 account.1.user_name 7001 account.1.password a-secret-of-16-signs\n\
         @e export {file}\n@again export {file}\nexport\n"
    );
    let told = phone(&one, &lines);
    assert!(told.contains(r#""event":"done","id":"e""#) && told.contains("cannot be written"), "{told}");
    let configuration = told.lines().find(|line| line.contains(r#""event":"configuration""#)).expect("told");
    assert!(configuration.contains("account.1.password is a secret"), "{configuration}");
    assert!(!told.contains("a-secret-of-16"), "{told}");
    let written = std::fs::read_to_string(&file).expect("written");
    assert!(written.contains("account.1.password = a-secret-of-16-signs"), "{written}");
    #[cfg(unix)]
    {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    let (status, exported, _) = run(&["export", "--dir", &one]);
    assert_eq!((status, &exported), (0, &written));
    let told =
        phone(&other, &format!("@i import {file}\n@n import {}\nget account.1.user_name\n", path("no.cfg")));
    assert!(told.contains(r#""event":"imported","changed":3"#), "{told}");
    assert!(told.contains("no.cfg cannot be read") && told.contains(r#""value":"7001""#), "{told}");
    let edited = path("edited.cfg");
    std::fs::write(&edited, "#!version:1.0.0.1\naccount.1.label = Lobby\naccount.1.ptime = 25\n")
        .expect("written");
    let (status, out, err) = run(&["import", &edited, "--dir", &other]);
    assert!(status == 1 && out.starts_with("1 parameter") && err.contains("line 3"), "{status} {out} {err}");
    let told = phone(&other, "get account.1.label\nget account.1.user_name\n");
    assert!(told.contains(r#""value":"Lobby""#) && told.contains(r#""value":"7001""#), "{told}");
    let (status, _, err) = run(&["export", "--dir", &path("nowhere")]);
    assert!(status == 1 && err.contains("no folder"), "{err}");
}
