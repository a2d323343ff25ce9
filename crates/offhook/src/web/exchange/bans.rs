//! `/api/bans`: sources of which nothing is read.

use std::net::IpAddr;

use axum::extract::State;
use axum::http::StatusCode;
use roles::exchange::{Answer, What};
use serde_json::{Value, json};

use super::desk::unexpected;
use super::{Shared, listed};
use crate::web::json::{Named, Told};
use crate::web::problem::Problem;

/// The bans in force.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn list(State(shared): State<Shared>) -> Result<Told<Value>, Problem> {
    match shared.desk.list(What::Bans).await? {
        Answer::Bans(all) => Ok(listed("bans", all.iter().map(|ban| json!(ban)).collect())),
        _ => Err(unexpected()),
    }
}

/// Bans a source.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn put(
    State(shared): State<Shared>,
    Named(source): Named<IpAddr>,
) -> Result<StatusCode, Problem> {
    shared.desk.ask(What::Ban(source), StatusCode::CONFLICT).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lifts a ban.
///
/// # Errors
/// The source is not banned.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Named(source): Named<IpAddr>,
) -> Result<StatusCode, Problem> {
    shared.desk.ask(What::Pardon(source), StatusCode::NOT_FOUND).await?;
    Ok(StatusCode::NO_CONTENT)
}
