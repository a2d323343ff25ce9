//! HTTP and HTTPS: files, and nothing else.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use roles::provision::{Content, Mac, Request, Transport};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Service;
use super::answering::{Answering, Asked};
use crate::net::tls::subject;
use crate::places::{Limits, Place, Places};

/// Connections at a time, and from one source: an office's phones may all be behind one address.
const LIMITS: Limits = Limits { connections: 1_024, of_one_source: 256 };
/// What a connection gets that finds no room, before it is closed.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// How long a connection may be silent before or within a request's head, and a handshake take.
const SILENCE: Duration = Duration::from_secs(20);
/// How long to wait where the system has no more connections to give.
const NO_MORE_FILES: Duration = Duration::from_millis(100);

/// Serves until the program ends.
pub(super) async fn serve(listener: TcpListener, tls: Option<Arc<ServerConfig>>, service: Service) {
    let places = Places::new(LIMITS);
    let acceptor = tls.map(TlsAcceptor::from);
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(NO_MORE_FILES).await;
            continue;
        };
        let Some(place) = places.take(from.ip()) else {
            if acceptor.is_none() {
                // Whoever takes not even this is closed all the same.
                let _ = stream.try_write(NO_ROOM);
            }
            continue;
        };
        // Small answers leave at once; where that cannot be set they are as right but later.
        let _ = stream.set_nodelay(true);
        let serving = connected(stream, from, acceptor.clone(), service.clone(), place.clone());
        let task = tokio::spawn(serving);
        place.is_served_by(task.abort_handle());
    }
}

/// One connection to its end.
async fn connected(
    stream: TcpStream,
    from: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    service: Service,
    place: Arc<Place>,
) {
    let Some(acceptor) = acceptor else {
        let client = Client { from, transport: Transport::Http, certified: None };
        return talk(stream, client, service, place).await;
    };
    if let Ok(Ok(stream)) = tokio::time::timeout(SILENCE, acceptor.accept(stream)).await {
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certified = shown.and_then(|certificate| subject(certificate)).and_then(mac_in);
        let client = Client { from, transport: Transport::Https, certified };
        talk(stream, client, service, place).await;
    }
}

/// Who speaks over a connection.
#[derive(Clone, Copy)]
struct Client {
    from: SocketAddr,
    transport: Transport,
    /// The phone that its certificate names.
    certified: Option<Mac>,
}

/// The MAC address in the common name of a phone's certificate, as in `0021f222b021` or `FIP14G 00:21:F2:22:B0:21`.
fn mac_in(name: String) -> Option<Mac> {
    name.split([' ', '_', '/']).find_map(Mac::parse).filter(|mac| !mac.is_nobodys())
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    client: Client,
    service: Service,
    place: Arc<Place>,
) {
    let asked = Asked::new(place);
    let stream = Answering::new(stream, asked.clone());
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let (service, asked) = (service.clone(), asked.clone());
        async move {
            asked.begins();
            let (head, _) = request.into_parts();
            let response = answer(&service, &head, client).await;
            asked.is_to_be_written();
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(SILENCE);
    // Whoever speaks no HTTP or goes away has ended the connection; nobody else cares.
    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
}

async fn answer(service: &Service, head: &Parts, client: Client) -> Response {
    let Client { from, transport, certified } = client;
    let is_head = head.method == Method::HEAD;
    if !is_head && head.method != Method::GET {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "files are read here, by GET\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let path = proto::sip::uri::unescape(head.uri.path());
    let user_agent = head.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let request = Request { path: &path, user_agent, from: from.ip(), transport, certified };
    let Some(begun) = service.begin(&request).await else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "nothing can be kept just now; come again\n");
    };
    if begun.answer == Content::Silence {
        service.ended(begun, 0, "throttled");
        let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "come again in a minute\n");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        return response;
    }
    if let Content::Elsewhere(url) = &begun.answer {
        let moved = moved(url);
        service.ended(begun, 0, "redirected");
        return moved;
    }
    let Some(content) = service.content(&begun) else {
        service.ended(begun, 0, "not-found");
        return plain(StatusCode::NOT_FOUND, "there is no such file\n");
    };
    let is_text = matches!(begun.answer, Content::Text(_));
    let tag = tag(&content);
    if is_known(&head.headers, &tag) {
        service.ended(begun, 0, "unchanged");
        return with_tag(plain(StatusCode::NOT_MODIFIED, ""), &tag);
    }
    let length = content.len();
    service.ended(begun, if is_head { 0 } else { length as u64 }, "ok");
    let mut response = Response::new(if is_head { Body::empty() } else { Body::from(content) });
    let kind = if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    with_tag(response, &tag)
}

/// An entity tag (RFC 9110 §8.8.3) of what a file holds.
fn tag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:x}-{:016x}\"", content.len(), hasher.finish())
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|all| all.split(',').any(|one| one.trim().trim_start_matches("W/") == tag))
}

fn with_tag(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Where the phone's files are (RFC 9110 §15.4.3): for this time, since a folder's secret may change.
fn moved(url: &str) -> Response {
    let mut response = plain(StatusCode::FOUND, "your files are elsewhere\n");
    if let Ok(url) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
