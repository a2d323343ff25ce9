//! `try`: a phone of that model is booted on the simulated wire with what it would be served.

use hyper::Method;
use roles::lab::{Tried, try_out};
use roles::provision::Mac;
use roles::settings::{Model, Severity};
use serde_json::{Value, json};

use super::change::file;
use super::office::Office;
use super::show::{print, text};
use crate::cli::Failure;
use crate::clock::Clock;

/// Any: the same file has the same outcome.
const SEED: u64 = 1;

/// Plays it, and tells what the phone does.
pub(super) async fn play(office: &Office, mac: Mac, is_json: bool) -> Result<(), Failure> {
    let device = office.json(Method::GET, &format!("/api/devices/{mac}"), None).await?;
    let name = device["model"].as_str().unwrap_or_default();
    let model = Model::named(name).unwrap_or_else(Model::usual);
    let served = file(office, mac).await?;
    let tried = try_out(model, mac.0, &served, Clock::start().now(), SEED);
    print(&if is_json { as_json(&tried) } else { words(&tried, model.name, mac) })?;
    if tried.is_good() {
        return Ok(());
    }
    Err(Failure::Failed(format!("a {} with this file does not register", model.name)))
}

fn as_json(tried: &Tried) -> String {
    let faults: Vec<_> = tried.faults.iter().map(ToString::to_string).collect();
    let account =
        |(account, registered): &(u8, bool)| json!({ "account": account, "registered": registered });
    let accounts: Vec<Value> = tried.accounts.iter().map(account).collect();
    let told = json!({
        "good": tried.is_good(), "faults": faults, "accounts": accounts, "events": tried.events,
    });
    format!("{told}\n")
}

fn words(tried: &Tried, model: &str, mac: Mac) -> String {
    let mut out = format!("A {model} with the MAC address {mac} is booted with what it would be served.\n");
    for fault in tried.faults.iter().filter(|fault| fault.severity > Severity::Info) {
        out.push_str(&format!("  {mac}.cfg: {fault}\n"));
    }
    for event in &tried.events {
        let line = match event["event"].as_str().unwrap_or_default() {
            "provisioned" => format!(
                "it applies the file: {} settings change{}",
                event["changed"],
                if event["reboot"] == true { ", and it starts again" } else { "" }
            ),
            "provision_failed" => format!("it does not take the file: {}", text(&event["reason"])),
            "registered" => format!("account {} registers for {} s", event["account"], event["expires_s"]),
            "registration_failed" => {
                format!("account {} does not register: {}", event["account"], text(&event["reason"]))
            }
            "reboot" => format!("it starts again: {}", text(&event["why"])),
            "log" if event["severity"] == "warning" => text(&event["line"]),
            _ => continue,
        };
        out.push_str(&format!("  {line}\n"));
    }
    if tried.accounts.is_empty() {
        out.push_str("  the file switches no account on that could register\n");
    }
    out
}
