#![allow(clippy::disallowed_methods, reason = "a test reads and writes the files beside it")]
//! `--help` as people read it: a change to it is seen and meant.

use std::path::PathBuf;

use super::program::{offhook, text};

/// `UPDATE_HELP=1 cargo test -p offhook help` writes the files anew.
fn check(name: &str, arguments: &[&str]) {
    let ended = offhook(arguments, "");
    let help = text(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0));
    assert!(!help.contains('\u{1b}'), "no colours in a pipe");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/help").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_HELP").is_some() {
        return std::fs::write(&path, help).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(help, expected, "{} differs; UPDATE_HELP=1 writes it anew", path.display());
}

#[test]
fn help_is_as_written() {
    check("offhook", &["--help"]);
    check("config", &["config", "--help"]);
    check("doctor", &["doctor", "--help"]);
    check("lab", &["lab", "--help"]);
    check("phone", &["phone", "--help"]);
    check("provision", &["provision", "--help"]);
    check("serve", &["serve", "--help"]);
}
