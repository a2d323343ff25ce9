//! `/api/records`: the calls that are over.

use axum::extract::State;
use roles::exchange::{Answer, What};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::desk::unexpected;
use crate::web::json::{Asked, Told};
use crate::web::problem::Problem;

/// Records of one answer where nobody says how many.
const USUAL: usize = 100;
/// The most records of one answer.
const MOST: usize = 1_000;

/// Which records.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Of calls before this one alone.
    before: Option<u64>,
    /// Of calls from or to this number alone.
    number: Option<String>,
    /// How many at most.
    limit: Option<usize>,
}

/// Records, the newest first, and where the next page begins.
///
/// # Errors
/// Too many or none are asked for, or the exchange does not answer.
pub(super) async fn list(
    State(shared): State<Shared>,
    Asked(Page { before, number, limit }): Asked<Page>,
) -> Result<Told<Value>, Problem> {
    let count = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&count) {
        return Err(Problem::bad_request(format!("one answer has 1 to {MOST} records; take such a `limit`")));
    }
    match shared.desk.list(What::Records { before, number, count }).await? {
        Answer::Records(all) => {
            let next = all.last().filter(|_| all.len() == count).map(|record| record.call);
            Ok(Told(json!({ "records": all, "next": next })))
        }
        _ => Err(unexpected()),
    }
}
