//! `/api/codes`: what is dialled for features.

use axum::extract::State;
use axum::http::StatusCode;
use roles::exchange::{Answer, Codes, What};

use super::Shared;
use super::desk::unexpected;
use crate::web::json::{Body, Told};
use crate::web::problem::Problem;

/// The codes in force.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn get(State(shared): State<Shared>) -> Result<Told<Box<Codes>>, Problem> {
    match shared.desk.list(What::Codes).await? {
        Answer::Codes(codes) => Ok(Told(codes)),
        _ => Err(unexpected()),
    }
}

/// Sets all codes; an empty one turns its feature off.
///
/// # Errors
/// Two codes cannot be told apart.
pub(super) async fn put(
    State(shared): State<Shared>,
    Body(codes): Body<Codes>,
) -> Result<StatusCode, Problem> {
    shared.desk.ask(What::SetCodes(Box::new(codes)), StatusCode::CONFLICT).await?;
    Ok(StatusCode::NO_CONTENT)
}
