//! The API of one phone: the commands and events of `--stdio`, and its screen.

mod commands;
mod configuration;
mod desk;
mod view;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::sync::Semaphore;

use super::routes::Routes;
use super::{Server, Site, events, json};

pub use desk::{Desk, Ear};

/// The description of the API (OpenAPI 3.1).
pub const OPENAPI: &str = include_str!("openapi.json");

/// Paths that need no token.
const OPEN: &[&str] = &["/", "/api/openapi.json"];

/// What the page at `/` says.
const INDEX: &str = "\
Offhook: a desk phone.

POST /api/commands      commands as lines of text, as --stdio takes them
GET  /api/events        what the phone tells, as server-sent events
GET  /api/view          what its screen shows, as JSON
GET  /api/configuration the whole configuration as a file, without secrets
PUT  /api/configuration takes a whole configuration; what it does not name stays
GET  /api/openapi.json  all this for programs

All but this page and the last need the header `Authorization: Bearer TOKEN`;
the program said at its start where the token is.
";

/// What the pages share.
#[derive(Clone, Debug)]
struct Shared {
    desk: Desk,
    streams: Arc<Semaphore>,
}

/// Serves the API of the phone at `desk`.
///
/// # Errors
/// The system gives no thread.
pub fn serve(listener: TcpListener, site: Site, desk: Desk) -> io::Result<Server> {
    let shared = Shared { desk, streams: Arc::new(Semaphore::new(site.limits.streams)) };
    Server::start(listener, site, OPEN, routes(), shared)
}

/// Every route as method and path.
pub fn list() -> Vec<(&'static str, &'static str)> {
    routes().list().to_vec()
}

fn routes() -> Routes<Shared> {
    Routes::new()
        .get("/", async || json::text("text/plain; charset=utf-8", INDEX))
        .get("/api/openapi.json", async || json::text("application/json", OPENAPI))
        .post("/api/commands", commands::post)
        .get("/api/events", stream)
        .get("/api/view", view::get)
        .get("/api/configuration", configuration::get)
        .put("/api/configuration", configuration::put)
}

async fn stream(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    events::stream(shared.desk.bus(), &headers, shared.streams.try_acquire_owned().ok())
}
