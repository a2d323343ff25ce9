//! `POST /xmlrpc`: the administration of the redirection service, as programs for those of phone makers speak it.

use axum::extract::State;
use axum::response::Response;
use proto::xmlrpc::{Call, answer, fault};

use super::Shared;
use super::devices::service;
use crate::web::json::{Xml, text};
use crate::web::problem::Problem;

/// No such method, or it is not given what it needs (the numbers that XML-RPC programs agree on).
const NO_METHOD: i64 = -32_601;
/// No call.
const NO_CALL: i64 = -32_700;

/// Does what the call says; a call that is none is answered by a fault, as XML-RPC has it.
///
/// # Errors
/// This exchange sets up no phones, or the disk takes nothing.
pub(super) async fn post(State(shared): State<Shared>, Xml(body): Xml) -> Result<Response, Problem> {
    let service = service(&shared)?;
    let said = match Call::parse(&body) {
        Err(flaw) => fault(NO_CALL, &flaw.to_string()),
        Ok(call) => {
            let said = service.change(|provision| provision.administer(&call)).await;
            match said.map_err(|error| Problem::busy(error.to_string()))? {
                Some(value) => answer(&value),
                None => fault(NO_METHOD, &format!("there is no method {} with such parameters", call.method)),
            }
        }
    };
    Ok(text("text/xml; charset=utf-8", said))
}
