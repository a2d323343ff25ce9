//! `/api/devices`, `/api/window`, `/api/transfers`: phones that are set up, and what they were served.

use std::fmt::Display;
use std::ops::RangeInclusive;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use roles::provision::{Edit, LONGEST_WINDOW_MIN, MOST_PER_MINUTE, Mac, Provision, export_csv, parse_csv};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MOST_ROWS, Shared};
use crate::provision::Service;
use crate::web::json::{Asked, Body, Csv, Named, Told, text};
use crate::web::problem::Problem;

/// The rows of `/api/transfers` where nobody asks for another number.
const USUAL_TRANSFERS: usize = 100;

/// How long the approval window is to be open.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    #[serde(default = "ten")]
    minutes: u32,
}

fn ten() -> u32 {
    10
}

/// How many rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    limit: Option<usize>,
}

/// The devices by MAC address, and the phones that asked and that nobody has approved.
///
/// # Errors
/// This exchange sets up no phones.
pub(super) async fn list(State(shared): State<Shared>) -> Result<Told<Value>, Problem> {
    let service = service(&shared)?;
    let now = service.now();
    let told = service.with(|provision| {
        let devices: Vec<Value> = provision.devices().take(MOST_ROWS).map(|device| json!(device)).collect();
        let complete = devices.len() < MOST_ROWS;
        let strangers: Vec<_> = provision.strangers().collect();
        let window = provision.window(now).map(|until| service.date(until).rfc3339());
        json!({ "devices": devices, "complete": complete, "strangers": strangers, "window_until": window })
    });
    Ok(Told(told))
}

/// One device.
///
/// # Errors
/// There is none of that MAC address.
pub(super) async fn get(
    State(shared): State<Shared>,
    Named(mac): Named<String>,
) -> Result<Told<Value>, Problem> {
    let (service, mac) = (service(&shared)?, mac_of(&mac)?);
    service.with(|provision| view(provision, mac)).map(Told)
}

/// Sets what the body names; a new device gets a secret folder and a credential.
///
/// # Errors
/// Something in the body cannot be.
pub(super) async fn put(
    State(shared): State<Shared>,
    Named(mac): Named<String>,
    Body(edit): Body<Edit>,
) -> Result<Told<Value>, Problem> {
    let (service, mac) = (service(&shared)?, mac_of(&mac)?);
    let set = change(service, |provision| provision.edit(mac, edit)).await?;
    set.map_err(|why| Problem::new(StatusCode::CONFLICT, why))?;
    service.with(|provision| view(provision, mac)).map(Told)
}

/// Removes a device with its credential.
///
/// # Errors
/// There is none of that MAC address.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Named(mac): Named<String>,
) -> Result<StatusCode, Problem> {
    let (service, mac) = (service(&shared)?, mac_of(&mac)?);
    match change(service, |provision| provision.remove(mac)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_device(mac)),
    }
}

/// Gives a device a new credential; the old one holds until the new one has registered, a day at most.
///
/// # Errors
/// There is none of that MAC address.
pub(super) async fn rotate(
    State(shared): State<Shared>,
    Named(mac): Named<String>,
) -> Result<StatusCode, Problem> {
    let (service, mac) = (service(&shared)?, mac_of(&mac)?);
    let now = service.now();
    match change(service, |provision| provision.rotate(now, mac)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_device(mac)),
    }
}

/// Whether a device is to restart.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sync {
    #[serde(default)]
    reboot: bool,
}

/// Which devices are to be told, and how fast.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    devices: Which,
    #[serde(default)]
    reboot: bool,
    #[serde(default = "sixty")]
    per_minute: u32,
    #[serde(default = "three")]
    stop_after: u32,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Which {
    Named(Vec<Mac>),
    All(All),
}

#[derive(Debug, Deserialize)]
enum All {
    #[serde(rename = "all")]
    All,
}

fn sixty() -> u32 {
    60
}

fn three() -> u32 {
    3
}

/// Tells one device to fetch its configuration.
///
/// # Errors
/// There is none of that MAC address.
pub(super) async fn check_sync(
    State(shared): State<Shared>,
    Named(mac): Named<String>,
    Body(Sync { reboot }): Body<Sync>,
) -> Result<Told<Value>, Problem> {
    let (service, mac) = (service(&shared)?, mac_of(&mac)?);
    let now = service.now();
    let begun = service.with(|provision| provision.push(now, Some(vec![mac]), reboot, 60, 0));
    begun.map(|push| Told(json!({ "push": push }))).map_err(|why| Problem::new(StatusCode::NOT_FOUND, why))
}

/// Tells many devices, one after the other.
///
/// # Errors
/// One of them is not there.
pub(super) async fn push(
    State(shared): State<Shared>,
    Body(Wanted { devices, reboot, per_minute, stop_after }): Body<Wanted>,
) -> Result<Told<Value>, Problem> {
    let service = service(&shared)?;
    check_range("per_minute", per_minute, 1..=MOST_PER_MINUTE)?;
    let devices = match devices {
        Which::Named(devices) => Some(devices),
        Which::All(All::All) => None,
    };
    let now = service.now();
    let begun = service.with(|provision| provision.push(now, devices, reboot, per_minute, stop_after));
    begun.map(|push| Told(json!({ "push": push }))).map_err(|why| Problem::new(StatusCode::NOT_FOUND, why))
}

/// What became of each device of a push.
///
/// # Errors
/// There is no push of that number any more.
pub(super) async fn push_rows(
    State(shared): State<Shared>,
    Named(number): Named<u64>,
) -> Result<Told<Value>, Problem> {
    let rows = service(&shared)?.with(|provision| provision.push_rows(number).map(|push| json!(push)));
    rows.map(Told).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("there is no push {number}")))
}

/// What the device would be served now, its secrets left out.
///
/// # Errors
/// There is no such device or file, or the template has a fault: where, in words.
pub(super) async fn file(
    State(shared): State<Shared>,
    Named((mac, name)): Named<(String, String)>,
) -> Result<Response, Problem> {
    let (service, mac) = (service(&shared)?, mac_of(&mac)?);
    is_own_file(mac, &name)?;
    let made = service.with(|provision| provision.device(mac).map(|_| provision.preview(mac)));
    let made = made.ok_or_else(|| no_device(mac))?;
    made.map(|made| text("text/plain; charset=utf-8", made))
        .map_err(|why| Problem::new(StatusCode::CONFLICT, why))
}

/// What the device was served last, its secrets left out.
///
/// # Errors
/// There is no such device or file, or it was served nothing yet.
pub(super) async fn served(
    State(shared): State<Shared>,
    Named((mac, name)): Named<(String, String)>,
) -> Result<Response, Problem> {
    let (service, mac) = (service(&shared)?, mac_of(&mac)?);
    is_own_file(mac, &name)?;
    let text_of = service.served(mac).map_err(|error| Problem::busy(error.to_string()))?;
    text_of.map(|served| text("text/plain; charset=utf-8", served)).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, format!("the device {mac} was served nothing yet"))
    })
}

/// The inventory as a table, one device a line; secrets are not in it.
///
/// # Errors
/// This exchange sets up no phones.
pub(super) async fn export(State(shared): State<Shared>) -> Result<Response, Problem> {
    let table = service(&shared)?.with(|provision| export_csv(provision.devices()));
    Ok(text(Csv::TYPE, table))
}

/// Sets the devices of a table, all or none.
///
/// # Errors
/// The first line that cannot be taken.
pub(super) async fn import(State(shared): State<Shared>, Csv(table): Csv) -> Result<Told<Value>, Problem> {
    let service = service(&shared)?;
    let rows = parse_csv(&table).map_err(|fault| Problem::new(StatusCode::CONFLICT, fault.to_string()))?;
    let set = change(service, |provision| provision.import(rows)).await?;
    set.map(|devices| Told(json!({ "devices": devices })))
        .map_err(|why| Problem::new(StatusCode::CONFLICT, why))
}

/// Opens the approval window.
///
/// # Errors
/// This exchange sets up no phones.
pub(super) async fn open_window(
    State(shared): State<Shared>,
    Body(Window { minutes }): Body<Window>,
) -> Result<Told<Value>, Problem> {
    let service = service(&shared)?;
    check_range("minutes", minutes, 1..=LONGEST_WINDOW_MIN)?;
    let now = service.now();
    let until = service.with(|provision| provision.open_window(now, minutes));
    Ok(Told(json!({ "until": service.date(until).rfc3339() })))
}

/// Closes it.
///
/// # Errors
/// This exchange sets up no phones.
pub(super) async fn close_window(State(shared): State<Shared>) -> Result<StatusCode, Problem> {
    service(&shared)?.with(Provision::close_window);
    Ok(StatusCode::NO_CONTENT)
}

/// What was served, the newest first.
///
/// # Errors
/// This exchange sets up no phones.
pub(super) async fn transfers(
    State(shared): State<Shared>,
    Asked(Limit { limit }): Asked<Limit>,
) -> Result<Told<Value>, Problem> {
    let service = service(&shared)?;
    let most = limit.unwrap_or(USUAL_TRANSFERS);
    check_range("limit", most, 1..=MOST_ROWS)?;
    let rows = |provision: &mut Provision| json!(provision.transfers(most).collect::<Vec<_>>());
    Ok(Told(json!({ "transfers": service.with(rows) })))
}

pub(super) fn service(shared: &Shared) -> Result<&Service, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "this exchange sets up no phones");
    shared.provisioning.as_ref().ok_or_else(none)
}

fn check_range<T: PartialOrd + Display>(
    name: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), Problem> {
    let (least, most) = (range.start(), range.end());
    let refused = || Problem::bad_request(format!("`{name}` is {value}; take {least} to {most}"));
    range.contains(&value).then_some(()).ok_or_else(refused)
}

fn mac_of(text: &str) -> Result<Mac, Problem> {
    Mac::parse(text).ok_or_else(|| {
        Problem::bad_request("write a MAC address as twelve hexadecimal digits, as in 0021f222b021")
    })
}

fn is_own_file(mac: Mac, name: &str) -> Result<(), Problem> {
    if name == format!("{mac}.cfg") {
        return Ok(());
    }
    Err(Problem::new(StatusCode::NOT_FOUND, format!("the one file of this device is {mac}.cfg")))
}

fn view(provision: &Provision, mac: Mac) -> Result<Value, Problem> {
    provision.device(mac).map(|device| json!(device)).ok_or_else(|| no_device(mac))
}

fn no_device(mac: Mac) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no device {mac}"))
}

async fn change<T>(service: &Service, what: impl FnOnce(&mut Provision) -> T) -> Result<T, Problem> {
    service.change(what).await.map_err(|error| Problem::busy(error.to_string()))
}
