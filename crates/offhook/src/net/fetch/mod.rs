//! Downloads that a role asks for: HTTP, HTTPS, TFTP and FTP.
//!
//! [`Fetcher`] performs a few at a time and lets the others wait. Each scheme has a room of its own that
//! takes a [`Fetch`] and gives what was found or a sentence that says who is at fault.

mod ftp;
mod http;
mod tftp;

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proto::url::Url;
use roles::role::{Fetch, FetchFault, FetchFaultKind as Kind, Fetched, TlsRules};
use rustls::ClientConfig;
use tokio::task::JoinSet;

use super::dns::{Dns, Names};
use super::tls::{Identity, Trust};

/// Downloads at a time.
const AT_A_TIME: usize = 4;
/// Downloads that wait for their turn; more are refused.
const WAITING: usize = 64;

/// Performs the downloads of one role.
pub struct Fetcher {
    means: Means,
    running: JoinSet<Fetched>,
    waiting: VecDeque<Box<Fetch>>,
    refused: Vec<Fetched>,
}

/// What a download needs.
#[derive(Clone)]
struct Means {
    names: Names,
    tls: Arc<Tls>,
}

impl Fetcher {
    /// Asks `dns` for hosts and believes whom `trust` names.
    pub fn new(dns: &Dns, trust: Trust) -> Self {
        let tls = Tls { trust, identity: None, configs: Mutex::default() };
        let means = Means { names: dns.names(), tls: Arc::new(tls) };
        Self { means, running: JoinSet::new(), waiting: VecDeque::new(), refused: Vec::new() }
    }

    /// Shows this certificate to servers that ask for one, both files PEM.
    #[must_use]
    pub fn with_identity(self, certificate: PathBuf, key: PathBuf) -> Self {
        let trust = self.means.tls.trust.clone();
        let identity = Some(Identity { certificate, key });
        let tls = Arc::new(Tls { trust, identity, configs: Mutex::default() });
        Self { means: Means { names: self.means.names.clone(), tls }, ..self }
    }

    /// Begins a download, or lets it wait; what comes of it comes out of [`Fetcher::next`].
    pub fn ask(&mut self, fetch: Box<Fetch>) {
        if self.running.len() < AT_A_TIME {
            self.begin(*fetch);
        } else if self.waiting.len() < WAITING {
            self.waiting.push_back(fetch);
        } else {
            let text = format!("more than {WAITING} downloads wait already");
            self.refused.push(Fetched { id: fetch.id, result: Err(FetchFault::new(Kind::Busy, text)) });
        }
    }

    /// The next download that is over, in any order; waits for ever while there is none. Safe to cancel.
    pub async fn next(&mut self) -> Fetched {
        if let Some(refused) = self.refused.pop() {
            return refused;
        }
        loop {
            let ended = self.running.join_next().await;
            if let Some(next) = self.waiting.pop_front() {
                self.begin(*next);
            }
            match ended {
                Some(Ok(fetched)) => return fetched,
                // A download that panicked was told where it did; its owner has a time limit.
                Some(Err(_)) => {}
                None => pending().await,
            }
        }
    }

    /// Breaks all downloads off; nothing is told of them.
    pub fn forget_all(&mut self) {
        self.running = JoinSet::new();
        self.waiting.clear();
        self.refused.clear();
    }

    fn begin(&mut self, fetch: Fetch) {
        let means = self.means.clone();
        self.running.spawn(async move {
            let patience = Duration::from_millis(u64::from(fetch.patience_ms));
            let result = tokio::time::timeout(patience, perform(&fetch, &means)).await;
            let late = || {
                let seconds = patience.as_secs_f32();
                let text = format!("{} has not come within {seconds} s", shown(&fetch.url));
                Err(FetchFault::new(Kind::TimedOut, text))
            };
            Fetched { id: fetch.id, result: result.unwrap_or_else(|_| late()) }
        });
    }
}

async fn perform(fetch: &Fetch, means: &Means) -> Result<roles::role::Found, FetchFault> {
    let url = parse(&fetch.url)?;
    match &*url.scheme {
        "http" | "https" => http::get(fetch, url, means).await,
        "tftp" => tftp::get(fetch, url, means).await,
        "ftp" => ftp::get(fetch, url, means).await,
        other => {
            let text = format!("{url}: {other} is none of http, https, tftp and ftp; check the address");
            Err(FetchFault::new(Kind::BadUrl, text))
        }
    }
}

fn parse(text: &str) -> Result<Url, FetchFault> {
    let bad = |flaw| {
        let text = format!("`{}` is no address of a file: {flaw}", shown(text));
        FetchFault::new(Kind::BadUrl, text)
    };
    Url::parse(text).map_err(bad)
}

/// An address as it may be shown: without a password in it.
fn shown(text: &str) -> String {
    let hide = |_| match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    };
    let shown = Url::parse(text).map_or_else(hide, |url| url.to_string());
    shown.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// What HTTPS needs, made when it is first needed: the system's authorities are many.
struct Tls {
    trust: Trust,
    identity: Option<Identity>,
    configs: Mutex<BTreeMap<(bool, bool), Arc<ClientConfig>>>,
}

impl Tls {
    fn config(&self, rules: TlsRules) -> Result<Arc<ClientConfig>, FetchFault> {
        let key = (rules.trusted_only, rules.checks_name);
        // A panic elsewhere leaves whole entries.
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(&key) {
            return Ok(config.clone());
        }
        let made = self.trust.client_by(rules, self.identity.as_ref());
        let config = made.map_err(|error| FetchFault::new(Kind::Certificate, error.to_string()))?;
        configs.insert(key, config.clone());
        Ok(config)
    }
}

impl Means {
    /// The addresses of a host, those of the asker's own family first.
    async fn addresses(&self, url: &Url, from: IpAddr) -> Result<Vec<SocketAddr>, FetchFault> {
        let ips = match url.host.parse::<IpAddr>() {
            Ok(ip) => vec![ip],
            Err(_) => self.names.addresses(&url.host).await.map_err(|failed| {
                let host = &url.host;
                let text = if failed {
                    format!("no DNS server told an address of {host}: check the DNS servers of this network")
                } else {
                    format!("the DNS knows no address of {host}: check the spelling of the server's name")
                };
                FetchFault::new(Kind::UnknownHost, text)
            })?,
        };
        let mut all: Vec<_> = ips.into_iter().map(|ip| SocketAddr::new(ip, url.port())).collect();
        all.sort_by_key(|at| at.is_ipv4() != from.is_ipv4());
        Ok(all)
    }
}

/// Opens a connection from the asker's own address to the first address that takes it.
async fn connect(from: IpAddr, places: &[SocketAddr]) -> Result<tokio::net::TcpStream, FetchFault> {
    let mut fault = FetchFault::new(Kind::UnknownHost, "the server's name has no address");
    for &at in places {
        match connect_to(from, at).await {
            Ok(stream) => return Ok(stream),
            Err(error) => fault = unreachable(at, &error),
        }
    }
    Err(fault)
}

async fn connect_to(from: IpAddr, at: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    use tokio::net::TcpSocket;
    let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !from.is_unspecified() && from.is_ipv4() == at.is_ipv4() {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.connect(at).await
}

fn unreachable(at: SocketAddr, error: &io::Error) -> FetchFault {
    let text = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{at} refused the connection: no server listens there; check its address and port")
        }
        io::ErrorKind::TimedOut => {
            format!("{at} does not answer; check its address and the firewalls between")
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            format!("there is no route to {at}; check the network settings of this machine")
        }
        _ => format!("no connection with {at}: {error}"),
    };
    FetchFault::new(Kind::Unreachable, text)
}
