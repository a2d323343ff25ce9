//! `docs/conformance.md` held against the code: the tests it names exist, and what it says of tags is
//! what the phone sends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::sip::flow::{Flow, Transport};
use proto::sip::message::{Message, Name};
use proto::{Rng, Time};
use roles::phone::{Phone, Place};
use roles::role::{Input, Output, Role};
use roles::settings::{Model, Settings, Source};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn table() -> String {
    std::fs::read_to_string(root().join("docs/conformance.md")).expect("the table")
}

/// The rows of the tables whose header begins with `first`.
pub(crate) fn rows(text: &str, first: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let from = text.lines().skip_while(|line| !line.starts_with(&format!("| {first} |")));
    from.skip(2).take_while(|line| line.starts_with('|')).map(cells).collect()
}

pub(crate) fn named(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names of all functions in our sources that are tests.
pub(crate) fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(tests_of(&std::fs::read_to_string(path).expect("text")));
            }
        }
    }
    names
}

/// The functions behind `#[test]` or `#[tokio::test…]`.
fn tests_of(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        let function = line.split_once("fn ").filter(|_| is_test && !line.starts_with("//"));
        if let Some((_, rest)) = function {
            names.extend(rest.split('(').next().map(str::to_owned));
            is_test = false;
        }
    }
    names
}

#[test]
fn every_claim_has_a_test_that_exists() {
    let (text, tests) = (table(), tests());
    let rfcs = rows(&text, "RFC");
    assert!(rfcs.len() > 60, "{} rows", rfcs.len());
    for row in &rfcs {
        let [rfc, _, level, state, proof, _] = &row[..] else { panic!("a row of another width: {row:?}") };
        let is_known = rfc.parse::<u16>().is_ok() || rfc == "802.1AB";
        assert!(is_known, "{rfc} is neither an RFC nor LLDP's standard");
        assert!(["must", "should", "may"].contains(&level.as_str()), "RFC {rfc}: {level}");
        match state.as_str() {
            "done" | "part" => assert!(!named(proof).is_empty(), "RFC {rfc} is claimed and has no test"),
            "later" => assert!(named(proof).is_empty(), "RFC {rfc} is later work and has tests"),
            other => panic!("RFC {rfc}: {other} is no state"),
        }
    }
    let proofs = rfcs
        .iter()
        .map(|row| &row[4])
        .chain(&rows(&text, "tag").into_iter().map(|row| row[1].clone()).collect::<Vec<_>>())
        .flat_map(|cell| named(cell))
        .collect::<Vec<_>>();
    let missing: Vec<_> = proofs.iter().filter(|name| !tests.contains(*name)).collect();
    assert!(missing.is_empty(), "no test is called {missing:?}");
}

/// What a phone sends when it is switched on and then asked what it can do.
fn sent(reliable: &str) -> Vec<Vec<u8>> {
    let mut settings = Settings::new(Model::usual());
    for (key, value) in [
        ("account.1.enable", "1"),
        ("account.1.user_name", "7002"),
        ("account.1.sip_server.1.address", "192.0.2.19"),
        ("account.1.100rel_enable", reliable),
    ] {
        settings.set(key, value, Source::MacCfg).expect("an accepted value");
    }
    let now = Time::from_secs(1_641_377_386);
    let mut phone = Phone::new(settings, Place::new([192, 0, 2, 20].into()), Rng::from_number(1).fork(), now);
    let mut out = Vec::new();
    phone.handle(now, Input::Start, &mut out);
    let options =
        b"OPTIONS sip:7002@192.0.2.20 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.19:5060;branch=z9hG4bK1\r\n\
        Max-Forwards: 70\r\nFrom: <sip:a@192.0.2.19>;tag=1\r\nTo: <sip:7002@192.0.2.20>\r\nCall-ID: o\r\n\
        CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let (local, remote) = (([192, 0, 2, 20], 5_060).into(), ([192, 0, 2, 19], 5_060).into());
    let flow = Flow { transport: Transport::Udp, local, remote };
    phone.handle(now, Input::Message { flow, bytes: options, waited: Duration::ZERO }, &mut out);
    let transmits = out.into_iter().filter_map(|output| match output {
        Output::Transmit(transmit) => Some(transmit.bytes.to_vec()),
        _ => None,
    });
    transmits.collect()
}

#[test]
fn the_tags_are_those_that_the_phone_sends() {
    let text = table();
    let values = rows(&text, "header");
    let said = |header: &str| -> BTreeSet<String> {
        let row = values.iter().find(|row| row[0] == header).unwrap_or_else(|| panic!("no row {header}"));
        row[1].split(',').map(|tag| tag.trim().to_owned()).collect()
    };
    let check = |messages: &[Vec<u8>], name: Name, header: &str| {
        let mut seen = 0;
        for message in messages {
            let message = Message::parse(message).expect("sound");
            let tags: BTreeSet<String> =
                message.values(name).map(|tag| String::from_utf8_lossy(tag).into_owned()).collect();
            assert!(tags.is_empty() || tags == said(header), "{header}: {tags:?}");
            seen += usize::from(!tags.is_empty());
        }
        assert!(seen > 0, "no message carries {header}");
    };
    let usual = sent("0");
    check(&usual, Name::Allow, "Allow");
    check(&usual, Name::Supported, "Supported");
    check(&usual, Name::AllowEvents, "Allow-Events");
    check(&sent("1"), Name::Supported, "Supported with 100rel on");
    let proven: BTreeSet<String> = rows(&text, "tag").into_iter().map(|row| row[0].clone()).collect();
    let offered: BTreeSet<String> =
        said("Supported with 100rel on").union(&said("Allow-Events")).cloned().collect();
    assert_eq!(proven, offered, "a tag is offered without a test, or has one and is not offered");
}
