//! What is done with phones.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use hyper::Method;
use roles::provision::{Mac, parse_csv};
use serde_json::{Map, Value, json};

use super::office::Office;
use super::show::{array, as_text, print, table, text};
use crate::cli::Failure;

/// Lines of a table that are sent at once: the API takes 64 KiB.
const LINES_AT_ONCE: usize = 200;
/// How often it is asked what has become of a push.
const ROUND: Duration = Duration::from_millis(200);

/// A phone that is approved.
#[derive(Args, Debug)]
pub(super) struct Adopt {
    /// Its MAC address
    #[arg(value_name = "MAC")]
    mac: Mac,
    /// The extension that it registers as
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// Its model
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Which of its accounts registers, from 1
    #[arg(long, value_name = "N")]
    account: Option<u8>,
    /// Its template, where it is not the model's
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
}

/// Phones that are told.
#[derive(Args, Debug)]
pub(super) struct Push {
    /// Their MAC addresses
    #[arg(value_name = "MAC", required_unless_present = "all")]
    macs: Vec<Mac>,
    /// All approved phones
    #[arg(long, conflicts_with = "macs")]
    all: bool,
    /// They are to restart
    #[arg(long)]
    reboot: bool,
    /// How many are told within a minute
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=6_000))]
    per_minute: u32,
    /// After how many that do not answer no further one is told; 0 for never
    #[arg(long, value_name = "K", default_value_t = 3)]
    stop_after: u32,
    /// How long to wait for the phones after the last one was told, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

/// Minutes; 0 closes the window.
pub(super) fn parse_window(text: &str) -> Result<u32, String> {
    let bad = || "write minutes from 1 to 1440, or off".to_owned();
    if text == "off" {
        return Ok(0);
    }
    text.parse().ok().filter(|minutes| (1..=1_440).contains(minutes)).ok_or_else(bad)
}

pub(super) async fn adopt(office: &Office, adopt: &Adopt, is_json: bool) -> Result<(), Failure> {
    let mut edit = Map::from_iter([("approved".to_owned(), Value::Bool(true))]);
    let texts = [
        ("number", &adopt.number),
        ("model", &adopt.model),
        ("label", &adopt.label),
        ("template", &adopt.template),
    ];
    edit.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into()))));
    edit.extend(adopt.account.map(|account| ("account".to_owned(), account.into())));
    let path = format!("/api/devices/{}", adopt.mac);
    let device = office.json(Method::PUT, &path, Some(Value::Object(edit))).await?;
    if is_json {
        return print(&format!("{device}\n"));
    }
    let number = &device["number"];
    let hint = if number.is_null() { "; it is served once it has an extension: --number" } else { "" };
    print(&format!("{} is served as {} {}{hint}\n", adopt.mac, text(&device["model"]), text(number)))
}

pub(super) async fn import(office: &Office, file: &Path, is_json: bool) -> Result<(), Failure> {
    let named = |why: &dyn std::fmt::Display| Failure::Failed(format!("{}: {why}", file.display()));
    let table = read(file).map_err(|error| named(&error))?;
    // All of it is checked before any of it is sent.
    parse_csv(&table).map_err(|fault| named(&fault))?;
    let mut devices = 0;
    for part in parts(&table, office) {
        let answer = office.ask(Method::PUT, "/api/devices.csv", Some(("text/csv", part))).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        devices += answer["devices"].as_u64().unwrap_or_default();
    }
    print(&if is_json {
        format!("{}\n", json!({ "devices": devices }))
    } else {
        format!("{devices} phones set\n")
    })
}

fn read(file: &Path) -> io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(file)
}

/// A running exchange takes the table in parts, each with its head; where a field goes over several lines
/// it is sent whole.
fn parts(table: &str, office: &Office) -> Vec<String> {
    let lines: Vec<&str> = table.split_inclusive('\n').collect();
    let is_one =
        matches!(office, Office::Folder(_)) || lines.len() <= LINES_AT_ONCE || has_long_fields(&lines);
    match lines.split_first() {
        Some((head, rest)) if !is_one => {
            rest.chunks(LINES_AT_ONCE).map(|chunk| format!("{head}{}", chunk.concat())).collect()
        }
        _ => vec![table.to_owned()],
    }
}

fn has_long_fields(lines: &[&str]) -> bool {
    lines.iter().any(|line| line.matches('"').count() % 2 == 1)
}

pub(super) async fn rotate(office: &Office, mac: Mac) -> Result<(), Failure> {
    office.ask(Method::POST, &format!("/api/devices/{mac}/rotate"), None).await?;
    print(&format!(
        "{mac} has a new account; the old one holds until the new one has registered, a day at most\n"
    ))
}

pub(super) async fn remove(office: &Office, mac: Mac) -> Result<(), Failure> {
    office.ask(Method::DELETE, &format!("/api/devices/{mac}"), None).await?;
    print(&format!("{mac} is removed, and its account with it\n"))
}

pub(super) async fn window(office: &Office, minutes: u32, is_json: bool) -> Result<(), Failure> {
    office.needs_running("window")?;
    if minutes == 0 {
        office.ask(Method::DELETE, "/api/window", None).await?;
        return print(if is_json { "{\"until\":null}\n" } else { "the approval window is closed\n" });
    }
    let opened = office.json(Method::PUT, "/api/window", Some(json!({ "minutes": minutes }))).await?;
    print(&if is_json {
        format!("{opened}\n")
    } else {
        format!("the approval window is open until {}\n", text(&opened["until"]))
    })
}

pub(super) async fn push(office: &Office, push: &Push, is_json: bool) -> Result<(), Failure> {
    office.needs_running("push")?;
    let devices = if push.all { json!("all") } else { json!(push.macs) };
    let (reboot, per_minute, stop_after) = (push.reboot, push.per_minute, push.stop_after);
    let body =
        json!({ "devices": devices, "reboot": reboot, "per_minute": per_minute, "stop_after": stop_after });
    let begun = office.json(Method::POST, "/api/push", Some(body)).await?;
    let path = format!("/api/push/{}", begun["push"]);
    let mut end: Option<Instant> = None;
    let rows = loop {
        let told = office.json(Method::GET, &path, None).await?;
        let rows = array(&told["rows"]);
        let is_told = told["stopped"] == true || rows.iter().all(|row| !row["sent"].is_null());
        if is_told && end.is_none() {
            end = Some(Instant::now() + Duration::from_secs(push.wait));
        }
        if is_told
            && (rows.iter().all(|row| is_over(row, reboot)) || end.is_some_and(|end| end < Instant::now()))
        {
            break told;
        }
        tokio::time::sleep(ROUND).await;
    };
    print(&if is_json { format!("{rows}\n") } else { push_words(&rows) })?;
    let silent = array(&rows["rows"]).iter().filter(|row| row["answered"].is_null()).count();
    if silent == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!("{silent} phones have not taken it")))
}

/// Whether nothing more is to be expected of a phone.
fn is_over(row: &Value, reboot: bool) -> bool {
    let is_there = |name: &str| !row[name].is_null();
    let is_refused = !is_there("answered") && (is_there("status") || !is_there("sent"));
    is_refused || is_there("applied") && (!reboot || is_there("rebooted"))
}

fn push_words(push: &Value) -> String {
    let names = ["sent", "answered", "fetched", "applied", "registered", "rebooted"];
    let rows = array(&push["rows"]).iter().map(|row| {
        let times = names.map(|name| text(&row[name]).get(11..19).unwrap_or("-").to_owned());
        [text(&row["mac"]), text(&row["status"])].into_iter().chain(times).collect()
    });
    let head = ["MAC", "STATUS", "SENT", "ANSWERED", "FETCHED", "APPLIED", "REGISTERED", "REBOOTED"];
    let mut out = table(&head, rows.collect());
    if push["stopped"] == true {
        out.push_str("Too many did not answer: the others were not told.\n");
    }
    out
}

/// The file that a phone would be served, for `offhook provision try`.
pub(super) async fn file(office: &Office, mac: Mac) -> Result<String, Failure> {
    Ok(as_text(office.ask(Method::GET, &format!("/api/devices/{mac}/files/{mac}.cfg"), None).await?))
}
