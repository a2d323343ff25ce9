//! `GET /api/events`: what the role tells, as server-sent events (WHATWG HTML §9.2).

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::json::unmarked;
use super::problem::Problem;
use super::{Bus, Piece, Reader};

/// How often a stream says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);
/// How soon a reader should come back.
const RETRY: Duration = Duration::from_secs(2);

/// A stream of events from now on, or from the mark in `Last-Event-ID`; `place` is given back at its
/// end.
pub(super) fn stream(bus: &Bus, headers: &HeaderMap, place: Option<OwnedSemaphorePermit>) -> Response {
    let Some(place) = place else {
        return Problem::busy("too many streams of events are open; close one").into_response();
    };
    let mark = headers.get("last-event-id").map(|mark| mark.to_str().unwrap_or_default());
    let reader = mark.map_or_else(|| bus.reader(), |mark| bus.reader_after(mark));
    let first = Event::default().comment("events follow").retry(RETRY);
    let state = (Some(first), reader, place);
    let stream = stream::unfold(state, |(first, mut reader, place)| async move {
        let event = match first {
            Some(first) => first,
            None => next(&mut reader).await,
        };
        Some((Ok::<_, Infallible>(event), (None, reader, place)))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}

async fn next(reader: &mut Reader) -> Event {
    match reader.next().await {
        Piece::Event { mark, json } => Event::default().id(mark).data(unmarked(json.to_string())),
        Piece::Missed(missed) => {
            Event::default().data(json!({ "event": "lagged", "missed": missed }).to_string())
        }
    }
}
