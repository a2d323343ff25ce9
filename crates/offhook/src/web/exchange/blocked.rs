//! `/api/blocked`: rules against devices, and whom they hit.

use axum::extract::State;
use roles::exchange::{Answer, What};
use serde_json::{Value, json};

use super::Shared;
use super::desk::unexpected;
use crate::web::json::Told;
use crate::web::problem::Problem;

/// The rules, and the devices that were hit of late, the newest first, each with its rule. The exchange
/// remembers some hundred of them.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn list(State(shared): State<Shared>) -> Result<Told<Value>, Problem> {
    let Answer::Blocks(rules) = shared.desk.list(What::Blocks).await? else { return Err(unexpected()) };
    match shared.desk.list(What::Blocked).await? {
        Answer::Blocked(all) => Ok(Told(json!({ "rules": rules, "blocked": all }))),
        _ => Err(unexpected()),
    }
}
