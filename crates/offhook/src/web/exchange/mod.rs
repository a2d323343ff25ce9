//! The API of the exchange: one file for each resource.

mod bans;
mod blocked;
mod calls;
mod codes;
mod desk;
mod devices;
mod extensions;
mod metrics;
mod records;
mod registrations;
mod subscriptions;
mod xmlrpc;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::json::Told;
use super::routes::Routes;
use super::{Server, Site, events, json as body};

use crate::provision::Service;

pub use desk::Desk;

/// The description of the API (OpenAPI 3.1).
pub const OPENAPI: &str = include_str!("openapi.json");

/// Paths that need no token.
const OPEN: &[&str] = &["/", "/api/openapi.json"];

/// The most rows of one answer of the exchange.
const MOST_ROWS: usize = 10_000;

/// What the page at `/` says.
const INDEX: &str = "\
Offhook: an exchange.

GET    /api/extensions               who lives here
GET    /api/extensions/{number}      one of them
PUT    /api/extensions/{number}      sets what is named; a new one needs `password`
DELETE /api/extensions/{number}      removes it with its devices and calls
GET    /api/registrations            the devices
GET    /api/calls                    the calls under way
POST   /api/calls                    rings `from` and connects it with `to`
DELETE /api/calls/{call}             hangs up
POST   /api/calls/{call}/transfer    leads `party` (caller or callee) to `to`
GET    /api/records                  the calls that are over, the newest first
GET    /api/subscriptions            who watches whom
GET    /api/bans                     sources of which nothing is read
PUT    /api/bans/{source}            bans an address
DELETE /api/bans/{source}            lifts a ban
GET    /api/blocked                  the rules against devices, and whom they hit
GET    /api/codes                    what is dialled for features
PUT    /api/codes                    sets it
GET    /api/devices                  the phones that are set up, and those that asked
GET    /api/devices/{mac}            one of them
PUT    /api/devices/{mac}            sets what is named
DELETE /api/devices/{mac}            removes it with its credential
POST   /api/devices/{mac}/rotate     gives it a new credential
POST   /api/devices/{mac}/check-sync tells it to fetch its configuration
POST   /api/push                     tells many
GET    /api/push/{number}            what became of each
GET    /api/devices/{mac}/files/{mac}.cfg
                                     what it would be served, without secrets
GET    /api/devices/{mac}/served/{mac}.cfg
                                     what it was served last, without secrets
GET    /api/devices.csv              the devices as a table
PUT    /api/devices.csv              sets the devices of a table
PUT    /api/window                   opens the approval window
DELETE /api/window                   closes it
GET    /api/transfers                what was served, the newest first
POST   /xmlrpc                       the redirection service's table, by XML-RPC
GET    /api/events                   what happens, as server-sent events
GET    /metrics                      figures for Prometheus
GET    /api/openapi.json             all this for programs

All but this page and the last need the header `Authorization: Bearer TOKEN`;
the program said at its start where the token is.
";

/// Of whom the rows of a list are to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    /// Of this number alone.
    number: Option<String>,
}

/// What the pages share.
#[derive(Clone, Debug)]
struct Shared {
    desk: Desk,
    streams: Arc<Semaphore>,
    /// Who sets phones up; none where nobody does.
    provisioning: Option<Service>,
}

/// Serves the API of the exchange at `desk`, and of who sets its phones up.
///
/// # Errors
/// The system gives no thread.
pub fn serve(
    listener: TcpListener,
    site: Site,
    desk: Desk,
    provisioning: Option<Service>,
) -> io::Result<Server> {
    let shared = Shared { desk, streams: Arc::new(Semaphore::new(site.limits.streams)), provisioning };
    Server::start(listener, site, OPEN, routes(), shared)
}

/// The API without a listener, for `offhook provision --dir` while no exchange runs on that data folder. It answers
/// what concerns devices; requests to the exchange itself fail.
pub fn aside(provisioning: Service) -> axum::Router {
    let (commands, _) = tokio::sync::mpsc::channel(1);
    let (desk, streams) = (Desk::new(commands, 0), Arc::new(Semaphore::new(0)));
    let shared = Shared { desk, streams, provisioning: Some(provisioning) };
    // No limit: the caller owns the folder and could write it directly.
    routes().into_router(shared).layer(axum::extract::DefaultBodyLimit::disable())
}

/// Every route as method and path.
pub fn list() -> Vec<(&'static str, &'static str)> {
    routes().list().to_vec()
}

fn routes() -> Routes<Shared> {
    Routes::new()
        .get("/", async || body::text("text/plain; charset=utf-8", INDEX))
        .get("/api/openapi.json", async || body::text("application/json", OPENAPI))
        .get("/api/extensions", extensions::list)
        .get("/api/extensions/{number}", extensions::get)
        .put("/api/extensions/{number}", extensions::put)
        .delete("/api/extensions/{number}", extensions::delete)
        .get("/api/registrations", registrations::list)
        .get("/api/calls", calls::list)
        .post("/api/calls", calls::post)
        .delete("/api/calls/{call}", calls::delete)
        .post("/api/calls/{call}/transfer", calls::transfer)
        .get("/api/records", records::list)
        .get("/api/subscriptions", subscriptions::list)
        .get("/api/bans", bans::list)
        .put("/api/bans/{source}", bans::put)
        .delete("/api/bans/{source}", bans::delete)
        .get("/api/blocked", blocked::list)
        .get("/api/codes", codes::get)
        .put("/api/codes", codes::put)
        .get("/api/devices", devices::list)
        .get("/api/devices/{mac}", devices::get)
        .put("/api/devices/{mac}", devices::put)
        .delete("/api/devices/{mac}", devices::delete)
        .post("/api/devices/{mac}/rotate", devices::rotate)
        .post("/api/devices/{mac}/check-sync", devices::check_sync)
        .post("/api/push", devices::push)
        .get("/api/push/{number}", devices::push_rows)
        .get("/api/devices/{mac}/files/{name}", devices::file)
        .get("/api/devices/{mac}/served/{name}", devices::served)
        .get("/api/devices.csv", devices::export)
        .put("/api/devices.csv", devices::import)
        .put("/api/window", devices::open_window)
        .delete("/api/window", devices::close_window)
        .get("/api/transfers", devices::transfers)
        .post(super::gate::XML_RPC, xmlrpc::post)
        .get("/api/events", stream)
        .get("/metrics", metrics::get)
}

async fn stream(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    events::stream(shared.desk.bus(), &headers, shared.streams.try_acquire_owned().ok())
}

/// Rows under their name, and whether they are all.
fn listed(name: &str, rows: Vec<Value>) -> Told<Value> {
    Told(json!({ name: rows, "complete": rows.len() < MOST_ROWS }))
}
