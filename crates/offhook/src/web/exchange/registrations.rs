//! `/api/registrations`: the devices.

use axum::extract::State;
use proto::Time;
use roles::exchange::{Answer, Binding, What};
use serde_json::{Value, json};

use super::desk::unexpected;
use super::{Of, Shared, listed};
use crate::web::json::{Asked, Told};
use crate::web::problem::Problem;

/// All devices that are registered, or those of a number.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn list(
    State(shared): State<Shared>,
    Asked(Of { number }): Asked<Of>,
) -> Result<Told<Value>, Problem> {
    match shared.desk.list(What::Registrations { number }).await? {
        Answer::Registrations(all) => {
            Ok(listed("registrations", all.iter().map(|binding| shown(binding)).collect()))
        }
        _ => Err(unexpected()),
    }
}

fn shown(binding: &Binding) -> Value {
    json!({
        "number": binding.number,
        "contact": binding.contact,
        "transport": binding.transport,
        "source": binding.remote,
        "expires_at": Time::from_secs(binding.expires_at_s).rfc3339(),
        "user_agent": binding.user_agent,
        "reachable": binding.reachable,
    })
}
