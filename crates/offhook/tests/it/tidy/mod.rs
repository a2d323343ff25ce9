//! Laws that a machine keeps: walls between crates and rooms, licences, banned crates, sizes, units, promises.

mod modules;
mod seams;
mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use roles::settings::TABLE;
use serde_json::Value;

use super::program::offhook;

/// Terms under which a dependency may be used. One term of an `OR` is enough.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "Unicode-3.0",
    "BSL-1.0",
    "MIT-0",
    "Apache-2.0 WITH LLVM-exception",
    "CDLA-Permissive-2.0",
];

/// Crates that must not come in, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
    ("aws-lc-sys", "one TLS provider: ring"),
    ("async-std", "one runtime: tokio"),
];

/// Which of our crates may use which.
const WALLS: &[(&str, &[&str])] =
    &[("proto", &[]), ("media", &[]), ("roles", &["proto"]), ("offhook", &["media", "proto", "roles"])];

/// The longest file, in lines. `clippy.toml` has the same for functions.
const MOST_LINES: usize = 650;

#[test]
fn the_walls_between_the_crates_stand() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    for (name, allowed) in WALLS {
        let package = packages.iter().find(|p| p["name"] == *name && p["source"].is_null());
        let package = package.unwrap_or_else(|| panic!("no crate {name}"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("name");
            let ours = WALLS.iter().any(|(name, _)| *name == used);
            assert!(!ours || allowed.contains(&used), "{name} must not use {used}");
        }
    }
}

#[test]
fn every_dependency_has_a_free_licence_and_none_is_banned() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name");
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            panic!("{name} is banned: {why}");
        }
        if package["source"].is_null() {
            continue;
        }
        let licence = package["license"].as_str().unwrap_or_default();
        let free = licence.replace('/', " OR ").split(" OR ").any(|alternative| {
            let terms = alternative.trim_matches(|c| matches!(c, '(' | ')' | ' '));
            LICENCES.contains(&terms)
                || terms
                    .split(" AND ")
                    .all(|term| LICENCES.contains(&term.trim_matches(|c| matches!(c, '(' | ')' | ' '))))
        });
        assert!(free, "{name} has the licence {licence:?}");
    }
}

#[test]
fn pure_crates_are_pure() {
    const FORBIDDEN: &[&str] = &["Instant::now", "SystemTime::now", "tokio::", "thread::spawn", "rand::rng"];
    for path in sources().filter(|p| !p.components().any(|c| c.as_os_str() == "offhook")) {
        let text = text_of(&path);
        for word in FORBIDDEN {
            let found = text.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert!(!found, "{} uses {word}", path.display());
        }
        if path.ends_with("src/lib.rs") {
            assert!(text.contains("#![forbid(unsafe_code)]"), "{} allows unsafe code", path.display());
        }
    }
}

#[test]
fn files_can_be_seen_at_once_and_promise_nothing() {
    let promises = ["FIX", "XX"].map(|head| format!("{head}{}", if head == "FIX" { "ME" } else { "X" }));
    for path in sources() {
        let text = text_of(&path);
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines: split it at a seam", path.display());
        for promise in promises.iter().map(String::as_str).chain(["todo!(", "unimplemented!("]) {
            let own = path.ends_with("tidy/mod.rs");
            assert!(own || !text.contains(promise), "{} holds {promise}", path.display());
        }
    }
}

#[test]
fn the_readme_counts_right() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let listed = offhook(&["lab", "--list", "--json"], "").stdout;
    let cases: Vec<Value> = serde_json::from_slice(&listed).expect("a list");
    let acts = TABLE.iter().filter(|row| row.acts()).count();
    for words in [
        format!("lists the {} cases", cases.len()),
        format!("one table of {} keys", TABLE.len()),
        format!("{acts} of them act; the other {} are kept", TABLE.len() - acts),
    ] {
        assert!(text.contains(&words), "README.md should say: {words}");
    }
}

#[test]
fn the_architecture_names_every_room() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut rooms = BTreeMap::new();
    for path in sources() {
        let relative = path.strip_prefix(root().join("crates")).expect("below crates");
        let parts: Vec<_> =
            relative.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
        if let [_, src, room, _, ..] = &parts[..]
            && src == "src"
        {
            rooms.insert(room.clone(), relative.to_owned());
        }
    }
    for (room, path) in rooms {
        assert!(
            text.contains(&format!("{room}/")),
            "ARCHITECTURE.md does not name {room}/ ({})",
            path.display()
        );
    }
}

#[test]
fn the_walks_are_those_of_the_code() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let walks =
        text.split("## Three walks").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("walks");
    let steps: Vec<_> = walks.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert!(steps.len() > 20, "{steps:?}");
    for step in steps {
        let mut quoted = step.split('`').skip(1).step_by(2);
        let (krate, file) = quoted.next().and_then(|path| path.split_once('/')).expect("a path");
        let path = root().join("crates").join(krate).join("src").join(file);
        let code = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{step}: {error}"));
        let is_function = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        for name in quoted.filter(is_function) {
            let defined = ["(", "<"].iter().any(|next| code.contains(&format!("fn {name}{next}")));
            assert!(defined, "{step}: no fn {name} in {}", path.display());
        }
    }
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).expect("readable")
}

/// A source below `crates`, as `roles/src/phone/desk.rs`.
fn relative(path: &Path) -> String {
    path.strip_prefix(root().join("crates")).expect("below crates").to_string_lossy().into_owned()
}

fn sources() -> impl Iterator<Item = PathBuf> {
    let mut folders = vec![root().join("crates")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("entry").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files.into_iter()
}
