//! `/api/subscriptions`: who watches whom.

use axum::extract::State;
use proto::Time;
use roles::exchange::{Answer, Subscription, What};
use serde_json::{Value, json};

use super::desk::unexpected;
use super::{Of, Shared, listed};
use crate::web::json::{Asked, Told};
use crate::web::problem::Problem;

/// All subscriptions, or those of and to a number.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn list(
    State(shared): State<Shared>,
    Asked(Of { number }): Asked<Of>,
) -> Result<Told<Value>, Problem> {
    match shared.desk.list(What::Subscriptions { number }).await? {
        Answer::Subscriptions(all) => Ok(listed("subscriptions", all.iter().map(shown).collect())),
        _ => Err(unexpected()),
    }
}

/// Without what its dialog is known by: whoever has that can speak in it.
fn shown(subscription: &Subscription) -> Value {
    json!({
        "watcher": subscription.watcher,
        "watched": subscription.watched,
        "transport": subscription.transport,
        "source": subscription.remote,
        "expires_at": Time::from_secs(subscription.expires_at_s).rfc3339(),
        "version": subscription.version,
    })
}
