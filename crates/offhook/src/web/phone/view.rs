//! `GET /api/view`: what the phone's screen shows.

use axum::extract::State;
use roles::phone::{EventKind, View};

use super::Shared;
use super::desk::STATUS;
use crate::web::json::Told;
use crate::web::problem::Problem;

/// The phone's screen as it is now.
///
/// # Errors
/// The phone does not answer.
pub(super) async fn get(State(shared): State<Shared>) -> Result<Told<Box<View>>, Problem> {
    let answers = shared.desk.ask(STATUS).await?;
    let view = answers.into_iter().find_map(|event| match event.what {
        EventKind::Status(view) => Some(view),
        _ => None,
    });
    view.map(Told).ok_or_else(|| Problem::busy("the phone says nothing of itself"))
}
