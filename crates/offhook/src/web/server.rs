//! The server: one thread, its own runtime, a bounded number of connections.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::gate::{Gate, guard};
use super::routes::Routes;
use super::{Limits, Token};
use crate::places::{self, Place, Places};

/// How long answers that are under way may take at the end.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// What the system may keep unsent for a reader that takes nothing, until the connection ends.
#[cfg(target_os = "linux")]
const UNSENT: Duration = Duration::from_secs(60);
/// How long to wait where the system has no more connections to give.
const NO_MORE_FILES: Duration = Duration::from_millis(100);

/// What is served, to whom and how much of it.
#[derive(Debug)]
pub struct Site {
    /// Who knows it may ask.
    pub token: Token,
    /// Names by which the server is called, besides its addresses and `localhost`.
    pub names: Vec<String>,
    /// How much of everything.
    pub limits: Limits,
}

/// A running server. Dropping it ends its answers within 200 ms.
#[derive(Debug)]
pub struct Server {
    at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `routes` at a listener that stands already; the `open` paths without a token.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start<S: Clone + Send + Sync + 'static>(
        listener: TcpListener,
        site: Site,
        open: &'static [&'static str],
        routes: Routes<S>,
        state: S,
    ) -> io::Result<Self> {
        let at = listener.local_addr()?;
        let limits = site.limits;
        let gate = Arc::new(Gate { token: site.token, names: site.names, open, limits });
        let router = routes
            .into_router(state)
            .layer(DefaultBodyLimit::max(limits.body_bytes))
            .layer(axum::middleware::from_fn_with_state(gate, guard));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _within = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let serve = move || runtime.block_on(serve(listener, router, limits, stopped));
        let thread = thread::Builder::new().name("web".to_owned()).spawn(serve)?;
        Ok(Self { at, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    limits: Limits,
    stopped: oneshot::Receiver<()>,
) {
    let places = Places::new(places::Limits {
        connections: limits.connections,
        of_one_source: limits.strangers_per_source,
    });
    let ending = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let accept = async {
        loop {
            places.may_accept().await;
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(NO_MORE_FILES).await;
                    continue;
                }
            };
            prepare(&stream);
            let Some(place) = places.take(from.ip()) else { continue };
            let service = Placed { inner: TowerToHyperService::new(router.clone()), place: place.clone() };
            let connection = ending.watch(http.serve_connection(TokioIo::new(stream), service));
            let task = tokio::spawn(async move {
                // Whoever speaks no HTTP or goes away has ended the connection; nobody else cares.
                let _ = connection.await;
            });
            place.is_served_by(task.abort_handle());
        }
    };
    tokio::select! {
        () = accept => {}
        _ = stopped => {}
    }
    let _ = tokio::time::timeout(LAST_WORDS, ending.shutdown()).await;
}

/// Answers the requests of one connection; the gate finds its place among them.
struct Placed {
    inner: TowerToHyperService<Router>,
    place: Arc<Place>,
}

impl Service<Request<Incoming>> for Placed {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.place.clone());
        Box::pin(self.inner.call(request))
    }
}

/// Small answers leave at once, and a reader that takes nothing is given up by the system. Where these
/// cannot be set, answers are as right but later.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNSENT));
}
