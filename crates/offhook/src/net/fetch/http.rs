//! Downloads by HTTP/1.1 (RFC 9110, 9112), plain or over TLS.
//!
//! The request is the deck's to the byte: `Host`, `User-Agent`, `Accept: */*` and nothing else, unless
//! there is something to add.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use proto::Rng;
use proto::sip::digest::{Attempt, Client, Credentials, Refusal, Secret};
use proto::url::Url;
use roles::role::{Fetch, FetchFault, FetchFaultKind as Kind, Found, Known, Login};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Means, connect, parse};
use crate::clock;
use crate::net::tls::explain_https;

/// The most bytes of a response's head.
const MOST_HEAD_BYTES: usize = 32 * 1_024;

/// Downloads a file.
///
/// # Errors
/// A sentence that says who is at fault.
pub(super) async fn get(fetch: &Fetch, url: Url, means: &Means) -> Result<Found, FetchFault> {
    let mut login = fetch.login.clone();
    if let Some((user, password)) = &url.login {
        let password = roles::settings::Secret::new(password);
        let allows_basic = login.as_ref().is_none_or(|login| login.allows_basic);
        login = Some(Login { user: user.clone(), password, allows_basic });
    }
    let first = url.clone();
    let mut url = url;
    for redirect in 0..=fetch.most_redirects {
        let asked = Asked {
            fetch,
            url: &url,
            // Who we are is told to the server that was meant, and to no other that it names.
            login: login.as_ref().filter(|_| url.is_same_server(&first)),
            known: fetch.known.as_ref().filter(|_| redirect == 0),
        };
        let next = match asked.answer(means).await? {
            Answer::Found(found) => return Ok(found),
            Answer::Moved(location) if fetch.most_redirects == 0 => return Ok(Found::Elsewhere(location)),
            Answer::Moved(location) => location,
        };
        let leads = url.join(&next).map_err(|flaw| {
            let text = format!("{url} redirects to `{}`, which is no address: {flaw}", super::shown(&next));
            FetchFault::new(Kind::Redirects, text)
        })?;
        if !matches!(&*leads.scheme, "http" | "https") || url.scheme == "https" && leads.scheme == "http" {
            let text = format!("{url} redirects to {leads}, away from {}; this is not followed", url.scheme);
            return Err(FetchFault::new(Kind::Redirects, text));
        }
        url = Url { login: None, ..parse(&leads.to_string())? };
    }
    let text = format!("{first} redirects more than {} times; is it a circle?", fetch.most_redirects);
    Err(FetchFault::new(Kind::Redirects, text))
}

enum Answer {
    Found(Found),
    Moved(String),
}

/// One file at one server.
struct Asked<'a> {
    fetch: &'a Fetch,
    url: &'a Url,
    login: Option<&'a Login>,
    known: Option<&'a Known>,
}

impl Asked<'_> {
    async fn answer(&self, means: &Means) -> Result<Answer, FetchFault> {
        let mut connection = self.connect(means).await?;
        let response = self.send(&mut connection, None).await?;
        let Some(login) = self.login.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return self.read(response).await;
        };
        let mut proof = Proof::new(login);
        let mut response = response;
        loop {
            let authorization = proof.answer(self.url, &response)?;
            // The body of a 401 is not read: a new connection costs less than a long apology.
            connection = self.connect(means).await?;
            response = self.send(&mut connection, Some(authorization)).await?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return self.read(response).await;
            }
        }
    }

    async fn connect(&self, means: &Means) -> Result<SendRequest<Empty<Bytes>>, FetchFault> {
        let from: IpAddr = self.fetch.from;
        let places = means.addresses(self.url, from).await?;
        let stream = connect(from, &places).await?;
        let peer = stream.peer_addr().map_err(|error| broken(self.url, &error))?;
        if self.url.scheme == "http" {
            return speak(self.url, stream).await;
        }
        let config = means.tls.config(self.fetch.tls)?;
        let name = ServerName::try_from(self.url.host.clone()).map_err(|_| {
            let text = format!("{:?} is no name that a certificate can bear", self.url.host);
            FetchFault::new(Kind::BadUrl, text)
        })?;
        let connector = tokio_rustls::TlsConnector::from(config);
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => speak(self.url, stream).await,
            Err(error) => Err(explain_https(peer, &name, &error)),
        }
    }

    async fn send(
        &self,
        connection: &mut SendRequest<Empty<Bytes>>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response<Incoming>, FetchFault> {
        let request = self.request(authorization)?;
        connection.send_request(request).await.map_err(|error| broken(self.url, &error))
    }

    fn request(&self, authorization: Option<HeaderValue>) -> Result<Request<Empty<Bytes>>, FetchFault> {
        let bad = |what: &str| {
            let text = format!("{what} has signs that HTTP does not carry");
            FetchFault::new(Kind::BadUrl, text)
        };
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.url.path.parse().map_err(|_| bad("the path"))?;
        let headers = request.headers_mut();
        let mut add = |name: HeaderName, text: &str| {
            let value = HeaderValue::from_str(text).map_err(|_| bad(name.as_str()))?;
            headers.append(name, value);
            Ok(())
        };
        add(header::HOST, &self.url.authority())?;
        add(header::USER_AGENT, &self.fetch.user_agent)?;
        add(header::ACCEPT, "*/*")?;
        let known = self.known.cloned().unwrap_or_default();
        known.etag.iter().try_for_each(|etag| add(header::IF_NONE_MATCH, etag))?;
        known.modified.iter().try_for_each(|moment| add(header::IF_MODIFIED_SINCE, moment))?;
        if let Some(authorization) = authorization {
            headers.append(header::AUTHORIZATION, authorization);
        }
        Ok(request)
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Answer, FetchFault> {
        let (url, status) = (self.url, response.status());
        match status.as_u16() {
            200 => self.body(response).await.map(Answer::Found),
            304 if self.known.is_some() => Ok(Answer::Found(Found::Unchanged)),
            301 | 302 | 303 | 307 | 308 => {
                text_of(&response, header::LOCATION).map(Answer::Moved).ok_or_else(|| {
                    let text = format!("{url} redirects ({status}) and does not say where to");
                    FetchFault::new(Kind::Redirects, text).with_status(status.as_u16())
                })
            }
            _ => Err(refusal(url, status)),
        }
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Found, FetchFault> {
        let (url, most) = (self.url, self.fetch.most_bytes);
        let known = Known {
            etag: text_of(&response, header::ETAG),
            modified: text_of(&response, header::LAST_MODIFIED),
        };
        if response.headers().contains_key(header::CONTENT_ENCODING) {
            let text = format!("{url} comes packed, which was not asked for; switch compression off there");
            return Err(FetchFault::new(Kind::Server, text));
        }
        let too_large = || {
            let text = format!("{url} has more than {most} bytes; is it the right file?");
            FetchFault::new(Kind::TooLarge, text)
        };
        let mut body = response.into_body();
        let announced = hyper::body::Body::size_hint(&body).lower();
        if announced > most as u64 {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(url, &error))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Found::File { bytes: bytes.freeze(), known, url: url.to_string() })
    }
}

/// Begins to speak HTTP over a connection; what drives it ends with it.
async fn speak<S>(url: &Url, stream: S) -> Result<SendRequest<Empty<Bytes>>, FetchFault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.title_case_headers(true).max_buf_size(MOST_HEAD_BYTES);
    let begun = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = begun.map_err(|error| broken(url, &error))?;
    tokio::spawn(async move {
        // What goes wrong here is told to whoever waits for the answer.
        let _ = connection.await;
    });
    Ok(sender)
}

fn text_of(response: &Response<Incoming>, name: HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn refusal(url: &Url, status: StatusCode) -> FetchFault {
    let (kind, text) = match status.as_u16() {
        404 | 410 => (Kind::NotFound, format!("{url} is not there ({status}); check its name and folder")),
        401 => (
            Kind::Denied,
            format!(
                "{url} needs a user and password ({status}); set them for provisioning, or write them into the address"
            ),
        ),
        403 => (Kind::Denied, format!("the server does not give {url} to us ({status})")),
        _ => (Kind::Server, format!("{url} was answered {status}, which is no file")),
    };
    FetchFault::new(kind, text).with_status(status.as_u16())
}

fn broken(url: &Url, error: &dyn std::error::Error) -> FetchFault {
    let mut cause = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        cause = inner.to_string();
        source = inner.source();
    }
    FetchFault::new(Kind::Broken, format!("{url}: the transfer broke off: {cause}"))
}

/// Proves who asks.
struct Proof<'a> {
    login: &'a Login,
    digest: Client,
    attempt: Attempt,
    basic_was_sent: bool,
}

impl<'a> Proof<'a> {
    fn new(login: &'a Login) -> Self {
        let secret = Secret::Password(login.password.expose().to_owned());
        let credentials = Credentials { username: login.user.clone(), secret, realm: None };
        Self {
            login,
            digest: Client::new(credentials, false),
            attempt: Attempt::default(),
            basic_was_sent: false,
        }
    }

    /// The `Authorization` for another try.
    fn answer(&mut self, url: &Url, response: &Response<Incoming>) -> Result<HeaderValue, FetchFault> {
        let asked = || response.headers().get_all(header::WWW_AUTHENTICATE).iter().map(HeaderValue::as_bytes);
        let denied = |text: String| FetchFault::new(Kind::Denied, text).with_status(401);
        let wrong = || {
            denied(format!("{url}: the server does not accept user `{}` with this password", self.login.user))
        };
        let is_basic =
            |value: &[u8]| value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"));
        let value = match self.digest.challenged_by(&mut self.attempt, asked()) {
            Ok(()) => {
                let seed = clock::seed().map_err(|error| FetchFault::new(Kind::Broken, error.to_string()))?;
                let headers = self.digest.headers("GET", &url.path, &[], &mut Rng::new(seed));
                headers.into_iter().next().map(|(_, value)| value).unwrap_or_default()
            }
            Err(Refusal::Unknown) if asked().any(is_basic) => {
                if self.basic_was_sent {
                    return Err(wrong());
                }
                if !self.login.allows_basic {
                    return Err(denied(format!(
                        "{url} asks for the password in clear (Basic), and Digest is set; \
                         set HTTP Authentication to Basic if that is meant"
                    )));
                }
                self.basic_was_sent = true;
                let plain = format!("{}:{}", self.login.user, self.login.password.expose());
                format!("Basic {}", STANDARD.encode(plain))
            }
            Err(Refusal::WrongPassword) => return Err(wrong()),
            Err(other) => return Err(denied(format!("{url}: {other}"))),
        };
        let bad = |_| denied(format!("{url}: user and password have signs that HTTP does not carry"));
        let mut value = HeaderValue::from_str(&value).map_err(bad)?;
        value.set_sensitive(true);
        Ok(value)
    }
}
