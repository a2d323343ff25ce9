//! JSON in and out.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use roles::object::Object;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;

/// A request's body, read as a JSON object.
///
/// Its type must be said: forms of other sites can send text, but not `application/json` without the
/// browser asking first.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_type(&request, "application/json") {
            let detail = "send JSON, with the header `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = body(request, state).await?;
        let as_written = serde_json::from_slice(&bytes).map(|Object(body)| body);
        let read = as_written.or_else(|fault| read_with_whole_numbers(&bytes).ok_or(fault));
        read.map(Self).map_err(|fault| Problem::bad_request(format!("the body cannot be taken: {fault}")))
    }
}

fn read_with_whole_numbers<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let Object(body) = serde_json::from_slice::<Object<Value>>(bytes).ok()?;
    serde_json::from_value(with_whole_numbers(body)).ok()
}

/// The same value with whole numbers written as such.
///
/// JSON has one kind of number (RFC 8259 §6), of which some programs write 5 as 5.0.
pub(super) fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|it| number.is_f64() && it.fract() == 0.0);
            let whole = whole.filter(|it| (0.0..=f64::from(u32::MAX)).contains(it));
            whole.map_or(Value::Number(number), |whole| Value::from(whole as u32))
        }
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, with_whole_numbers(value))).collect())
        }
        other => other,
    }
}

/// A request's body, a table (RFC 4180). Forms of other sites cannot send its type unasked either.
#[derive(Debug)]
pub(super) struct Csv(pub(super) String);

impl Csv {
    /// How such bodies are marked.
    pub(super) const TYPE: &'static str = "text/csv; charset=utf-8";
}

impl<S: Send + Sync> FromRequest<S> for Csv {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_type(&request, "text/csv") {
            let detail = "send a table, with the header `Content-Type: text/csv`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = body(request, state).await?;
        let read = String::from_utf8(bytes.into());
        read.map(Self).map_err(|_| Problem::bad_request("the table is not in UTF-8; save it as such"))
    }
}

/// A request's body, a call of XML-RPC. Forms of other sites cannot send its type unasked either.
#[derive(Debug)]
pub(super) struct Xml(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Xml {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_type(&request, "text/xml") {
            let detail = "send a call, with the header `Content-Type: text/xml`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = body(request, state).await?;
        let read = String::from_utf8(bytes.into());
        read.map(Self).map_err(|_| Problem::bad_request("the call is not in UTF-8"))
    }
}

/// What a path names.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::from_request_parts(parts, state).await;
        read.map(|Path(named)| Self(named)).map_err(|fault| Problem::bad_request(fault.body_text()))
    }
}

/// What stands after the question mark.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::from_request_parts(parts, state).await;
        read.map(|Query(asked)| Self(asked)).map_err(|fault| Problem::bad_request(fault.body_text()))
    }
}

/// A request's body, read as text.
#[derive(Debug)]
pub(super) struct Text(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = body(request, state).await?;
        let text = String::from_utf8(bytes.into()).map_err(|_| Problem::bad_request("the body is not UTF-8"));
        text.map(Self)
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))
}

fn is_type(request: &Request, expected: &str) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(expected)
}

/// An answer as JSON, in which no markup can hide.
#[derive(Debug)]
pub(super) struct Told<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Told<T> {
    fn into_response(self) -> Response {
        match serde_json::to_string(&self.0) {
            Ok(json) => text("application/json", unmarked(json)),
            Err(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written")
                .into_response(),
        }
    }
}

/// JSON lines in which no markup can hide.
pub(super) fn lines(lines: impl IntoIterator<Item = String>) -> Response {
    let mut body = String::new();
    for line in lines {
        body.push_str(&line);
        body.push('\n');
    }
    text("application/x-ndjson", unmarked(body))
}

/// A body of some type.
pub(super) fn text(kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The same JSON without the sign that begins a tag. It stands in strings alone.
pub(super) fn unmarked(json: String) -> String {
    if json.contains('<') { json.replace('<', "\\u003c") } else { json }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn markup_is_escaped_and_means_the_same() {
        let name = "\"</script><img src=x onerror=alert(1)>\u{202e}ü";
        let json = unmarked(serde_json::to_string(name).unwrap());
        assert!(!json.contains('<'), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), name);
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let body = json!({ "max_calls": 5.0, "messages": { "new": 1e3, "old": 0.5 }, "devices": -1.0 });
        let told = json!({ "max_calls": 5, "messages": { "new": 1_000, "old": 0.5 }, "devices": -1.0 });
        assert_eq!(with_whole_numbers(body), told);
    }
}
