//! `/api/calls`: the calls under way.

use axum::extract::State;
use axum::http::StatusCode;
use roles::exchange::{Answer, Party, What};
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::unexpected;
use super::{Of, Shared, listed};
use crate::web::json::{Asked, Body, Named, Told};
use crate::web::problem::Problem;

/// Who is to be connected.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The extension that is rung first.
    from: String,
    /// Whom it is then connected with.
    to: String,
}

/// Who is to be led where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Led {
    /// Who is led; the other one is hung up once the target has answered.
    party: Party,
    /// The extension.
    to: String,
}

/// All calls, or those of a number.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn list(
    State(shared): State<Shared>,
    Asked(Of { number }): Asked<Of>,
) -> Result<Told<Value>, Problem> {
    match shared.desk.list(What::Calls { number }).await? {
        Answer::Calls(all) => Ok(listed("calls", all.iter().map(|call| json!(call)).collect())),
        _ => Err(unexpected()),
    }
}

/// Makes a call.
///
/// # Errors
/// Nobody can be rung.
pub(super) async fn post(
    State(shared): State<Shared>,
    Body(Wanted { from, to }): Body<Wanted>,
) -> Result<(StatusCode, Told<Value>), Problem> {
    started(&shared, What::Originate { from, to }).await
}

/// Leads one party elsewhere.
///
/// # Errors
/// There is no such call, or it is not answered, or there is no such extension.
pub(super) async fn transfer(
    State(shared): State<Shared>,
    Named(call): Named<u64>,
    Body(Led { party, to }): Body<Led>,
) -> Result<(StatusCode, Told<Value>), Problem> {
    started(&shared, What::Transfer { call, party, to }).await
}

/// Hangs up.
///
/// # Errors
/// There is no such call.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Named(call): Named<u64>,
) -> Result<StatusCode, Problem> {
    shared.desk.ask(What::HangUp(call), StatusCode::NOT_FOUND).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn started(shared: &Shared, what: What) -> Result<(StatusCode, Told<Value>), Problem> {
    match shared.desk.ask(what, StatusCode::CONFLICT).await? {
        Answer::Started(call) => Ok((StatusCode::ACCEPTED, Told(json!({ "call": call })))),
        _ => Err(unexpected()),
    }
}
