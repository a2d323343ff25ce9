//! What is told of phones.

use std::collections::BTreeMap;
use std::io::{self, Write};

use hyper::Method;
use roles::provision::Mac;
use serde_json::Value;

use super::office::Office;
use crate::cli::{Failure, if_read};

/// Phones on one page of the list.
const NOTHING: &str = "-";

/// The phones and the strangers.
pub(super) async fn list(office: &Office, json: bool) -> Result<(), Failure> {
    let all = office.json(Method::GET, "/api/devices", None).await?;
    if json {
        return print(&format!("{all}\n"));
    }
    let head = ["MAC", "MODEL", "NUMBER", "LABEL", "ASKED", "APPLIED", "REGISTERED", "ADDRESS"];
    let rows = array(&all["devices"]).iter().map(|it| {
        let now = &it["now"];
        let model = text(&it["model"]);
        let model = if it["approved"] == false { format!("{model} (not approved)") } else { model };
        let times = ["asked", "applied", "registered"].map(|name| text(&now[name]));
        let [asked, applied, registered] = times;
        let (number, label, address) = (text(&it["number"]), text(&it["label"]), text(&now["address"]));
        vec![text(&it["mac"]), model, number, label, asked, applied, registered, address]
    });
    let mut out = table(&head, rows.collect());
    if all["complete"] == false {
        out.push_str("There are more; `export` prints all of them.\n");
    }
    let strangers = array(&all["strangers"]);
    if !strangers.is_empty() {
        let rows = strangers.iter().map(|it| {
            let who = it["foreign"].as_str().or(it["user_agent"].as_str()).unwrap_or(NOTHING);
            vec![text(&it["mac"]), text(&it["asked"]), text(&it["address"]), plain(who)]
        });
        out.push_str("\nAsked, and nobody has approved them (`adopt` does):\n");
        out.push_str(&table(&["MAC", "ASKED", "ADDRESS", "WHO"], rows.collect()));
    }
    if let Some(until) = all["window_until"].as_str() {
        out.push_str(&format!("\nThe approval window is open until {until}.\n"));
    }
    print(&out)
}

/// All about one phone.
pub(super) async fn one(office: &Office, mac: Mac, json: bool) -> Result<(), Failure> {
    let device = office.json(Method::GET, &format!("/api/devices/{mac}"), None).await?;
    if json {
        return print(&format!("{device}\n"));
    }
    let mut out = String::new();
    for name in ["mac", "model", "number", "account", "label", "template", "approved", "rotating"] {
        out.push_str(&format!("{name:<11} {}\n", text(&device[name])));
    }
    let now = &device["now"];
    for name in ["firmware", "user_agent", "address"] {
        out.push_str(&format!("{name:<11} {}\n", text(&now[name])));
    }
    for name in ["asked", "applied", "registered", "last_seen"] {
        out.push_str(&format!("{name:<11} {}\n", text(&now[name])));
    }
    let settings = device["settings"].as_object();
    for (key, value) in settings.into_iter().flatten() {
        out.push_str(&format!("setting     {} = {}\n", plain(key), text(value)));
    }
    for file in array(&now["served"]) {
        let (name, how) = (text(&file["file"]), text(&file["transport"]));
        let (bytes, status) = (text(&file["bytes"]), text(&file["status"]));
        out.push_str(&format!(
            "served      {} {name} by {how}, {bytes} bytes: {status}\n",
            text(&file["at"])
        ));
    }
    print(&out)
}

/// What a phone would be served.
pub(super) async fn render(office: &Office, mac: Mac, file: Option<&str>) -> Result<(), Failure> {
    let name = file.map_or_else(|| format!("{mac}.cfg"), str::to_owned);
    if name.contains(['/', '?', '#', '%', ' ']) {
        return Err(Failure::usage(format!(
            "{name} is no name of a file; the one of this phone is {mac}.cfg"
        )));
    }
    print(&as_text(office.ask(Method::GET, &format!("/api/devices/{mac}/files/{name}"), None).await?))
}

/// What differs from what it was served last.
pub(super) async fn diff(office: &Office, mac: Mac) -> Result<(), Failure> {
    let now = as_text(office.ask(Method::GET, &format!("/api/devices/{mac}/files/{mac}.cfg"), None).await?);
    let Some(before) = office.find(&format!("/api/devices/{mac}/served/{mac}.cfg")).await? else {
        return print(&format!(
            "{mac} was served nothing yet; `render {mac}` prints what it would be served\n"
        ));
    };
    let lines = differences(&as_text(before), &now);
    print(&if lines.is_empty() { "nothing differs\n".to_owned() } else { lines })
}

/// Lines that only one of two files has, in the order of each: `-` the first, `+` the second.
fn differences(before: &str, after: &str) -> String {
    let count = |text: &str| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        text.lines().for_each(|line| *counts.entry(line.to_owned()).or_default() += 1);
        counts
    };
    let alone = |text: &str, other: &str, sign: char| {
        let mut left = count(other);
        let is_alone = |line: &&str| match left.get_mut(*line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        text.lines().filter(is_alone).map(|line| format!("{sign}{line}\n")).collect::<String>()
    };
    alone(before, after, '-') + &alone(after, before, '+')
}

/// The table of all phones.
pub(super) async fn export(office: &Office) -> Result<(), Failure> {
    print(&as_text(office.ask(Method::GET, "/api/devices.csv", None).await?))
}

/// What was served.
pub(super) async fn transfers(office: &Office, count: u16, json: bool) -> Result<(), Failure> {
    let all = office.json(Method::GET, &format!("/api/transfers?limit={count}"), None).await?;
    if json {
        return print(&format!("{all}\n"));
    }
    let rows = array(&all["transfers"]).iter().map(|it| {
        let names = ["peer", "transport", "file", "bytes", "ms", "result"];
        std::iter::once(text(&it["at"])).chain(names.map(|name| text(&it[name]))).collect()
    });
    print(&table(&["AT", "PEER", "BY", "FILE", "BYTES", "MS", "RESULT"], rows.collect()))
}

/// Columns as wide as their widest field.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let fields = row.iter().zip(&widths).map(|(field, width)| format!("{field:<width$}"));
        fields.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A field in words.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::String(text) if text.is_empty() => NOTHING.to_owned(),
        Value::String(text) => plain(text),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// A text of a stranger, as a terminal may show it.
fn plain(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}

pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn as_text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes the answer.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    Ok(if_read(io::stdout().lock().write_all(text.as_bytes()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_those_of_lines() {
        assert_eq!(differences("a\nb\nb\nc\n", "a\nb\nd\n"), "-b\n-c\n+d\n");
        assert_eq!(differences("a\n", "a\n"), "");
    }

    #[test]
    fn columns_are_as_wide_as_their_fields() {
        let rows = vec![vec!["0021f222b021".to_owned(), "7001".to_owned()]];
        assert_eq!(table(&["MAC", "NUMBER"], rows), "MAC           NUMBER\n0021f222b021  7001\n");
        assert_eq!(text(&Value::from("a\u{1b}[2J")), "a?[2J");
    }
}
