//! Who is asked about phones: the HTTP API of a running exchange, or the same API over a data folder.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::service::Service as _;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use proto::url::Url;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::Place;
use crate::cli::Failure;
use crate::cli::serve::provisioning::of_folder;
use crate::net::tls::Trust;
use crate::web::exchange::aside;

/// The largest answer that is taken, in bytes: the whole inventory.
const MOST_BYTES: usize = 256 << 20;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The token's name in a data folder.
const TOKEN: &str = "web-token";

/// Who answers the requests of `offhook provision`.
pub(super) enum Office {
    /// A running exchange.
    Running(Running),
    /// A data folder.
    Folder(Box<axum::Router>),
}

/// A running exchange.
pub(super) struct Running {
    url: Url,
    token: String,
    tls: Option<Arc<rustls::ClientConfig>>,
}

/// What a request sends: its type, and itself.
pub(super) type Content = (&'static str, String);

impl Office {
    /// Opens what the arguments name.
    ///
    /// # Errors
    /// They name nothing, a folder that is not one of an exchange, or one on which an exchange runs.
    pub(super) fn open(place: &Place) -> Result<Self, Failure> {
        let Some(server) = &place.server else {
            let dir = place.dir.as_deref().ok_or_else(|| {
                Failure::usage(
                    "say where the phones are kept: --dir DIR, or --server URL for a running exchange",
                )
            })?;
            return Ok(Self::Folder(Box::new(aside(of_folder(dir)?))));
        };
        let url = Url::parse(server)
            .ok()
            .filter(|url| matches!(&*url.scheme, "http" | "https"))
            .ok_or_else(|| Failure::usage("--server: write an address as in http://127.0.50.19:8088"))?;
        let file = place.web_token.clone().or_else(|| place.dir.as_deref().map(|dir| dir.join(TOKEN)));
        let file = file.ok_or_else(|| {
            Failure::usage("--server needs the token of the API: --web-token FILE, or --dir DIR")
        })?;
        let token = token(&file)?;
        let is_tls = url.scheme == "https";
        let trust = Trust { system: true, ca_files: place.ca.clone() };
        let tls = is_tls.then(|| trust.client()).transpose()?;
        Ok(Self::Running(Running { url, token, tls }))
    }

    /// Whether an exchange answers, which alone can tell phones something.
    pub(super) fn needs_running(&self, what: &str) -> Result<(), Failure> {
        match self {
            Self::Running(_) => Ok(()),
            Self::Folder(_) => Err(Failure::usage(format!(
                "{what} needs the running exchange: give its HTTP API by --server URL"
            ))),
        }
    }

    /// Asks; the body of the answer.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a refusal: in its own words.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<Vec<u8>, Failure> {
        let answer = self.answer(method, path, content).await?;
        answer.map_err(|(_, why)| Failure::Failed(why))
    }

    /// As [`Self::ask`]; none where what is asked for is not there.
    pub(super) async fn find(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.answer(Method::GET, path, None).await? {
            Ok(body) => Ok(Some(body)),
            Err((StatusCode::NOT_FOUND, _)) => Ok(None),
            Err((_, why)) => Err(Failure::Failed(why)),
        }
    }

    /// As [`Self::ask`], for JSON.
    pub(super) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let body = body.map(|body| ("application/json", body.to_string()));
        let answer = self.ask(method, path, body).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        let read = serde_json::from_slice(&answer);
        read.map_err(|error| Failure::Failed(format!("the answer of {path} is no JSON: {error}")))
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        content: Option<Content>,
    ) -> Result<Result<Vec<u8>, (StatusCode, String)>, Failure> {
        let asked = async {
            match self {
                Self::Folder(router) => by_folder(router, method, path, content).await,
                Self::Running(running) => running.ask(method, path, content).await,
            }
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the exchange does not answer");
        let (status, body) = tokio::time::timeout(PATIENCE, asked).await.map_err(late)??;
        Ok(if status.is_success() { Ok(body) } else { Err((status, refusal(status, &body))) })
    }
}

/// The words of a refusal (RFC 9457).
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().map(str::to_owned);
    detail.unwrap_or_else(|| format!("the exchange answers {status}"))
}

fn token(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::Failed(format!("--web-token {}: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}

type Answer = io::Result<(StatusCode, Vec<u8>)>;

fn request<B>(
    method: Method,
    path: &str,
    content: Option<Content>,
    of: fn(String) -> B,
) -> io::Result<Request<B>> {
    let request = Request::builder().method(method).uri(path);
    let (request, body) = match content {
        Some((kind, body)) => (request.header(header::CONTENT_TYPE, kind), body),
        None => (request, String::new()),
    };
    request.body(of(body)).map_err(io::Error::other)
}

async fn by_folder(router: &axum::Router, method: Method, path: &str, content: Option<Content>) -> Answer {
    let request = request(method, path, content, Body::from)?;
    // A router answers everything.
    let response = match TowerToHyperService::new(router.clone()).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), MOST_BYTES).await.map_err(io::Error::other)?;
    Ok((status, body.into()))
}

impl Running {
    async fn ask(&self, method: Method, path: &str, content: Option<Content>) -> Answer {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}; does the exchange run there?", self.url))
        };
        let mut request = request(method, path, content, |body| Full::new(Bytes::from(body)))?;
        let headers = request.headers_mut();
        let bearer = format!("Bearer {}", self.token);
        headers.insert(header::HOST, self.url.authority().parse().map_err(io::Error::other)?);
        headers.insert(header::AUTHORIZATION, bearer.parse().map_err(io::Error::other)?);
        let stream = TcpStream::connect((&*self.url.host, self.url.port())).await.map_err(named)?;
        match &self.tls {
            None => send(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(self.url.host.clone()).map_err(io::Error::other)?;
                let connector = tokio_rustls::TlsConnector::from(tls.clone());
                send(connector.connect(name, stream).await.map_err(named)?, request).await
            }
        }
    }
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        // An error of the connection also ends the request below, which tells it.
        let _ = connection.await;
    });
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(io::Error::other)?;
    Ok((status, body.to_bytes().into()))
}
