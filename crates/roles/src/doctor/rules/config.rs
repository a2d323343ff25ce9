//! Configuration and boot files with faults.

use std::collections::BTreeMap;

use proto::Time;

use super::super::finding::{Finding, Severity};
use super::super::proof::Proof;
use super::super::tracks::ConfigFile;
use super::case::{Case, Findings};
use super::explain::Explanation;
use crate::settings::{Fault, FaultKind, Given, Severity as FaultSeverity};

const REFERENCE: &str = "deck, Auto Provisioning-Troubleshooting: make sure the parameter value and format are correct in the configuration file";

const fn explained(
    code: &'static str,
    title: &'static str,
    seen: &'static str,
    example: &'static str,
    remedy: &'static [&'static str],
) -> Explanation {
    Explanation {
        code,
        title,
        seen,
        hurts: "The phone does not take the line, or takes another value than was meant.",
        example,
        remedy,
        reference: REFERENCE,
    }
}

pub(super) const EXPLAINED: &[Explanation] = &[
    explained(
        "cfg.syntax",
        "A line of the configuration file cannot be read",
        "A line has no `=`, or the file has no header.",
        "account.1.user_name 7001",
        &[
            "Write `key=value`, one a line, and begin the file with `#!version:1.0.0.1`. `offhook config check FILE` names each line.",
        ],
    ),
    explained(
        "cfg.unknown-key",
        "The configuration file names a parameter that does not exist",
        "No parameter has this name; the nearest known one is told.",
        "acount.1.user_name=7001",
        &["Correct the spelling; `offhook config list` has all names."],
    ),
    explained(
        "cfg.bad-value",
        "A value is out of range or of the wrong kind",
        "The parameter does not accept this value.",
        "account.1.sip_server.1.port=99999",
        &["`offhook config explain KEY` says what the parameter takes."],
    ),
    explained(
        "cfg.duplicate",
        "A parameter stands in the file twice",
        "Warning with different values, info with equal ones; the later one counts.",
        "account.1.user_name=7001 … account.1.user_name=7002",
        &["Keep one of the lines."],
    ),
    explained(
        "cfg.encoding",
        "The file is not plain UTF-8 text",
        "A byte order mark, typographic quotes or blanks, or bytes of another character set.",
        "account.1.password=“secret”",
        &["Save the file as UTF-8 without BOM in a plain text editor, and type quotes and blanks anew."],
    ),
    explained(
        "cfg.account-disabled",
        "An account has its credentials and is switched off",
        "User name and password are set, `enable` is 0; warning.",
        "account.1.enable=0 · account.1.user_name=7001",
        &["Set `account.N.enable=1`."],
    ),
    explained(
        "cfg.blf-incomplete",
        "A BLF key is not complete",
        "The key has no value, or its line is switched off.",
        "linekey.2.type=16 without linekey.2.value",
        &["Check the BLF settings: type, line and value of the key."],
    ),
    explained(
        "boot.syntax",
        "The boot file cannot be read",
        "The header or an include line is wrong.",
        "include config <a.cfg>",
        &[
            "Begin with `#!version:1.0.0.1` and write `include:config <file>` or `include:config \"file\"`, one a line.",
        ],
    ),
];

pub(super) fn judge(case: &Case<'_>, found: &mut Findings) {
    for config in &case.tracks.configs {
        let place = |line: u32| Proof { at: Time::ZERO, file: config.file, number: line.max(1), offset: 0 };
        for fault in &config.faults {
            tell(case, found, config, fault, place(fault.line.unwrap_or(1)));
        }
        accounts(found, config, &place);
        keys(found, config, &place);
    }
}

fn code_of(kind: FaultKind, is_boot: bool) -> &'static str {
    match kind {
        FaultKind::BootLine | FaultKind::BadInclude => "boot.syntax",
        FaultKind::MissingHeader | FaultKind::MissingEquals if is_boot => "boot.syntax",
        FaultKind::MissingHeader | FaultKind::MissingEquals | FaultKind::Section | FaultKind::TooMuch => {
            "cfg.syntax"
        }
        FaultKind::UnknownKey | FaultKind::OtherGeneration => "cfg.unknown-key",
        FaultKind::BadIndex | FaultKind::BeyondModel | FaultKind::BadValue => "cfg.bad-value",
        FaultKind::TrailingComment | FaultKind::Literal => "cfg.bad-value",
        FaultKind::WebPage | FaultKind::Empty | FaultKind::Binary => "prov.not-a-config",
        FaultKind::Duplicate => "cfg.duplicate",
        FaultKind::ByteOrderMark | FaultKind::SmartQuotes | FaultKind::NotUtf8 => "cfg.encoding",
    }
}

fn tell(case: &Case<'_>, found: &mut Findings, config: &ConfigFile, fault: &Fault, proof: Proof) {
    let code = code_of(fault.kind, config.is_boot);
    let severity = match fault.severity {
        FaultSeverity::Error => Severity::Error,
        FaultSeverity::Warning => Severity::Warning,
        _ => Severity::Info,
    };
    let severity = match fault.kind {
        FaultKind::Duplicate if are_equal(config, fault) => Severity::Info,
        FaultKind::Duplicate => Severity::Warning,
        _ => severity,
    };
    let name = case.tracks.file_name(proof).rsplit('/').next().unwrap_or_default().to_owned();
    let subject = fault.key.clone().unwrap_or(name);
    let hint = fault.hint.as_ref().map_or_else(String::new, |hint| format!(" {hint}."));
    let nearest = fault
        .nearest
        .as_ref()
        .map_or_else(String::new, |nearest| format!(" The nearest known name is `{nearest}`."));
    let cause = format!("{}.{hint}{nearest}", fault.message.trim_end_matches('.'));
    found.add(Finding::new(code, severity, subject).cause(cause).proof(Some(proof), fault.message.clone()));
}

/// Whether a parameter that is set twice is set to the same both times.
fn are_equal(config: &ConfigFile, fault: &Fault) -> bool {
    let Some(key) = &fault.key else { return false };
    let mut values = config.assignments.iter().filter(|it| it.key.to_string() == *key).map(|it| &it.given);
    let first = values.next();
    first.is_some() && values.all(|value| Some(value) == first)
}

/// The values of a file with their lines; the later of two counts.
fn values(config: &ConfigFile) -> BTreeMap<String, (String, u32)> {
    let text = |given: &Given| match given {
        Given::Text(text) => text.to_string(),
        _ => String::new(),
    };
    config.assignments.iter().map(|it| (it.key.to_string(), (text(&it.given), it.line))).collect()
}

/// `account.N.rest` as number and rest.
fn numbered<'a>(key: &'a str, head: &str) -> Option<(&'a str, &'a str)> {
    key.strip_prefix(head)?.split_once('.')
}

fn accounts(found: &mut Findings, config: &ConfigFile, place: &dyn Fn(u32) -> Proof) {
    let values = values(config);
    for (key, (value, line)) in &values {
        let Some((number, "enable")) = numbered(key, "account.") else { continue };
        let get = |name: &str| {
            values.get(&format!("account.{number}.{name}")).filter(|(value, _)| !value.is_empty())
        };
        let (Some((user, at)), Some(_)) = (get("user_name"), get("password")) else { continue };
        if value == "0" {
            let cause = format!("Account {number} has user name and password, and `enable` is 0.");
            let finding = Finding::new("cfg.account-disabled", Severity::Warning, user.clone()).cause(cause);
            found.add(
                finding.proof(Some(place(*line)), "enable is 0").proof(Some(place(*at)), "the user name"),
            );
        }
    }
}

/// The type of a key that watches an extension (deck, Line Key).
const BLF: &str = "16";

fn keys(found: &mut Findings, config: &ConfigFile, place: &dyn Fn(u32) -> Proof) {
    let values = values(config);
    for (key, (value, line)) in &values {
        let Some((number, "type")) = numbered(key, "linekey.") else { continue };
        if value != BLF {
            continue;
        }
        let get = |name: &str| {
            values
                .get(&format!("linekey.{number}.{name}"))
                .map(|(value, _)| value.as_str())
                .filter(|value| !value.is_empty())
        };
        let account = get("line").unwrap_or("1");
        let is_off = values.get(&format!("account.{account}.enable")).is_some_and(|(value, _)| value == "0");
        let why = match get("value") {
            None => "it watches nobody: the value is missing".to_owned(),
            Some(_) if is_off => format!("its line, account {account}, is switched off"),
            Some(_) => continue,
        };
        let finding = Finding::new("cfg.blf-incomplete", Severity::Warning, format!("linekey.{number}"))
            .cause(format!("Key {number} is a BLF key, and {why}."));
        found.add(finding.proof(Some(place(*line)), why));
    }
}
