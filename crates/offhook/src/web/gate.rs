//! Who may ask at all, and in what time: checked before any page sees a request.
//!
//! Pages of other sites run in the same browsers as ours. They may not guess the token, but they can
//! make a browser send requests (RFC 9110 §15.4 leaves that to servers), and by a name of theirs that
//! turns into our address even read the answers. Therefore `Host` must be an address or a name that
//! was given to this server, and `Origin`, where a browser sends one, must be this server.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::problem::Problem;
use super::{Limits, Token};
use crate::places::Place;

/// Where the token may come as the password of Basic.
pub(super) const XML_RPC: &str = "/xmlrpc";

/// What every answer bears: it is data, not to be kept, framed, guessed at or fetched by other sites.
const ALWAYS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What the gate knows.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) token: Token,
    /// Names of this server besides its addresses.
    pub(super) names: Vec<String>,
    /// Paths that need no token.
    pub(super) open: &'static [&'static str],
    pub(super) limits: Limits,
}

/// Lets a request through, or answers it.
pub(super) async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let mut response = match gate.admit(&request) {
        Ok(()) => match tokio::time::timeout(gate.limits.request, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long").into_response(),
        },
        Err(problem) => problem.into_response(),
    };
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("a body has at most {} bytes", gate.limits.body_bytes);
        response = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response();
    }
    for (name, value) in ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Gate {
    fn admit(&self, request: &Request) -> Result<(), Problem> {
        let headers = request.headers();
        let host = self.host(headers)?;
        check_origin(headers, host)?;
        if self.open.contains(&request.uri().path()) {
            return Ok(());
        }
        let presented = match bearer(headers) {
            Some(token) => Some(token.to_owned()),
            None if request.uri().path() == XML_RPC => basic_password(headers),
            None => None,
        };
        match presented {
            Some(presented) if self.token.is(&presented) => {
                if let Some(place) = request.extensions().get::<Arc<Place>>() {
                    place.is_known();
                }
                Ok(())
            }
            Some(_) => Err(unauthorized("this is not the token of this server")),
            None => Err(unauthorized("send the header `Authorization: Bearer TOKEN`")),
        }
    }

    /// The server as the client calls it, where that is one of its names.
    fn host<'h>(&self, headers: &'h HeaderMap) -> Result<&'h str, Problem> {
        let mut all = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (all.next().and_then(|host| host.to_str().ok()), all.next()) else {
            return Err(Problem::bad_request("a request has one Host header"));
        };
        let authority: Authority =
            host.parse().map_err(|_| Problem::bad_request("the Host header cannot be read"))?;
        match self.is_own(authority.host()) {
            true => Ok(host),
            false => Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "this server does not have that name; use its address, or start it with --web-name NAME",
            )),
        }
    }

    /// An address cannot be turned into another by whoever owns a name.
    fn is_own(&self, name: &str) -> bool {
        name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let elsewhere = || Problem::new(StatusCode::FORBIDDEN, "pages of other sites may not use this server");
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().map_err(|_| elsewhere())?;
        let authority = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
        if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)) {
            return Err(elsewhere());
        }
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    match site {
        Some(b"cross-site" | b"same-site") => Err(elsewhere()),
        _ => Ok(()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The password of Basic (RFC 7617): programs that speak XML-RPC know no other way. Any user name will do.
fn basic_password(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = BASE64.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use proto::Rng;

    fn gate() -> Gate {
        let token = Token::generate(&mut Rng::from_number(1));
        Gate { token, names: vec!["pbx.example".to_owned()], open: &["/"], limits: Limits::default() }
    }

    fn status(gate: &Gate, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = axum::http::Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        gate.admit(&request).map_or_else(|problem| problem.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn a_name_of_somebody_else_is_refused() {
        let gate = gate();
        let check =
            |host: &str, expected| assert_eq!(status(&gate, "/", &[("host", host)]), expected, "{host}");
        for own in ["127.0.0.1:8088", "127.0.0.1", "[::1]:8088", "localhost:8088", "LOCALHOST", "pbx.example"]
        {
            check(own, 200);
        }
        for other in
            ["evil.example", "127.0.0.1.evil.example:8088", "localhost.evil.example", "x.pbx.example"]
        {
            check(other, 421);
        }
        for none in ["", "a b", "127.0.0.1:port:8088"] {
            check(none, 400);
        }
        assert_eq!(status(&gate, "/", &[]), 400);
        assert_eq!(status(&gate, "/", &[("host", "127.0.0.1"), ("host", "evil.example")]), 400);
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let gate = gate();
        let check = |name: &str, value: &str, expected| {
            let headers = [("host", "127.0.0.1:8088"), (name, value)];
            assert_eq!(status(&gate, "/", &headers), expected, "{name}: {value}");
        };
        check("origin", "http://127.0.0.1:8088", 200);
        check("sec-fetch-site", "same-origin", 200);
        check("sec-fetch-site", "none", 200);
        for other in ["http://127.0.0.1:8089", "http://evil.example", "null", "", "127.0.0.1:8088"] {
            check("origin", other, 403);
        }
        check("sec-fetch-site", "cross-site", 403);
    }

    #[test]
    fn only_the_token_opens_what_is_closed() {
        let gate = gate();
        let check = |path: &str, authorization: &str, expected| {
            let headers = [("host", "127.0.0.1"), ("authorization", authorization)];
            assert_eq!(status(&gate, path, &headers), expected, "{path} {authorization}");
        };
        let token = gate.token.expose().to_owned();
        check("/api/calls", &format!("Bearer {token}"), 200);
        check("/api/calls", &format!("bearer  {token} "), 200);
        check("/", "", 200);
        for wrong in ["", "Bearer", "Bearer ", "Bearer x", &token, &format!("Basic {token}")] {
            check("/api/calls", wrong, 401);
        }
        check("//", &format!("Bearer x{token}"), 401);
    }
}
