//! `/api/extensions`: who lives at the exchange.

use axum::extract::State;
use axum::http::StatusCode;
use roles::exchange::{Answer, Edit, ExtensionView, FEWEST_CHARACTERS, What, check_number, check_secret};
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::unexpected;
use super::{Shared, listed};
use crate::web::json::{Asked, Body, Named, Told, with_whole_numbers};
use crate::web::problem::Problem;

/// The most bytes of any other text.
const MOST_BYTES: usize = 256;
/// Shorter passwords are taken with a warning.
const GOOD_LENGTH: usize = 16;

/// Which extensions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// With numbers after this one alone.
    after: Option<String>,
}

/// All extensions in the order of their numbers, or those after one.
///
/// # Errors
/// The exchange does not answer.
pub(super) async fn list(
    State(shared): State<Shared>,
    Asked(Page { after }): Asked<Page>,
) -> Result<Told<Value>, Problem> {
    match shared.desk.list(What::Extensions { after }).await? {
        Answer::Extensions(all) => Ok(listed("extensions", all.iter().map(shown).collect())),
        _ => Err(unexpected()),
    }
}

/// One extension.
///
/// # Errors
/// There is none of that number, or the exchange does not answer.
pub(super) async fn get(
    State(shared): State<Shared>,
    Named(number): Named<String>,
) -> Result<Told<Value>, Problem> {
    match shared.desk.ask(What::Extension(number), StatusCode::NOT_FOUND).await? {
        Answer::Extensions(found) => found.first().map(|it| Told(shown(it))).ok_or_else(unexpected),
        _ => Err(unexpected()),
    }
}

/// Sets what the body names. Devices, calls and lamps stay.
///
/// # Errors
/// Something in the body cannot be, or the extension is new and has no password.
pub(super) async fn put(
    State(shared): State<Shared>,
    Named(number): Named<String>,
    Body(body): Body<Value>,
) -> Result<Told<Value>, Problem> {
    check_number(&number).map_err(Problem::bad_request)?;
    let body = with_whole_numbers(body);
    check_texts(&body)?;
    let password = body.get("password").and_then(Value::as_str);
    password.map_or(Ok(()), |password| check_password(password, &number))?;
    let warning = password.and_then(warning);
    let edit: Edit = serde_json::from_value(body)
        .map_err(|fault| Problem::bad_request(format!("the body cannot be taken: {fault}")))?;
    let what = What::EditExtension { number: number.clone(), edit: Box::new(edit) };
    shared.desk.ask(what, StatusCode::CONFLICT).await?;
    Ok(Told(json!({ "number": number, "warnings": Vec::from_iter(warning) })))
}

/// Removes an extension with its devices and calls.
///
/// # Errors
/// There is none of that number.
pub(super) async fn delete(
    State(shared): State<Shared>,
    Named(number): Named<String>,
) -> Result<StatusCode, Problem> {
    shared.desk.ask(What::RemoveExtension(number), StatusCode::NOT_FOUND).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An extension by the names under which it is set.
fn shown(extension: &ExtensionView) -> Value {
    // Plain data with text keys, so serialising cannot fail.
    serde_json::to_value(extension).unwrap_or_default()
}

/// Texts stand in headers of messages: they hold no line ends and no other control characters.
fn check_texts(value: &Value) -> Result<(), Problem> {
    match value {
        Value::String(text) if text.len() > MOST_BYTES => {
            Err(Problem::bad_request(format!("a text has {MOST_BYTES} bytes at most")))
        }
        Value::String(text) if text.contains(char::is_control) => {
            Err(Problem::bad_request("a text holds no control characters"))
        }
        Value::Array(all) => all.iter().try_for_each(check_texts),
        Value::Object(fields) => fields.values().try_for_each(check_texts),
        _ => Ok(()),
    }
}

/// A password that is too short is a fault of the body; one that can be guessed is refused as it is.
fn check_password(password: &str, number: &str) -> Result<(), Problem> {
    let is_short = password.chars().count() < FEWEST_CHARACTERS;
    let status = if is_short { StatusCode::BAD_REQUEST } else { StatusCode::CONFLICT };
    check_secret(password, number).map_err(|why| Problem::new(status, why))
}

fn warning(password: &str) -> Option<String> {
    let length = password.chars().count();
    (length < GOOD_LENGTH).then(|| {
        format!("the password has {length} characters and can be guessed; take at least {GOOD_LENGTH}")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use roles::exchange::Extension;

    use super::*;

    #[test]
    fn the_document_names_what_an_extension_has() {
        let document: Value = serde_json::from_str(include_str!("openapi.json")).expect("JSON");
        let described = |schema: &str| -> BTreeSet<String> {
            let properties = document["components"]["schemas"][schema]["properties"].as_object();
            properties.expect("properties").keys().cloned().collect()
        };
        let kept = serde_json::to_value(Extension::new("7001", "offhook", "secret")).expect("plain data");
        let mut names: BTreeSet<String> = kept.as_object().expect("an object").keys().cloned().collect();
        names.remove("secret");
        names.extend(["password", "now"].map(str::to_owned));
        assert_eq!(described("Extension"), names);
        for fixed in ["number", "username", "now"] {
            names.remove(fixed);
        }
        assert_eq!(described("ExtensionEdit"), names);
    }

    #[test]
    fn texts_are_such_as_can_stand_in_messages() {
        assert!(check_texts(&json!({ "display": "Jörg <b> \"x\"" })).is_ok());
        for wrong in [json!({ "display": "a\r\nVia: b" }), json!([["\0"]]), json!("x".repeat(257))] {
            assert!(check_texts(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_short_password_is_warned_of_and_not_shown() {
        let warned = warning("swordfish").unwrap();
        assert!(warned.contains('9') && !warned.contains("swordfish"));
        assert_eq!(warning("sixteen letters!"), None);
    }
}
