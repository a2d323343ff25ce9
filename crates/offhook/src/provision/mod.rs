//! Auto provisioning on real sockets: files by TFTP, FTP, HTTP and HTTPS, and the answer to PnP.
//!
//! [`Service`] owns the one [`Provision`]; listeners on a thread of their own and the HTTP API ask it by
//! short turns under its lock. What a turn changes is handed to the store before its answer leaves.

mod answering;
mod files;
mod ftp;
mod http;
mod pnp;
mod tftp;
mod transfers;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use roles::exchange::{self, DeviceAccount};
use roles::provision::{Begun, Change, Content, Mac, Provision, Request};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::store::{self, Reader, Store, Table};

/// How long a change may take to become durable before whoever asked for it is told that it does not.
const DURABLE_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked which devices are to be told, and which credentials have ended.
const ROUND: Duration = Duration::from_millis(200);

/// Provisioning, for whoever serves or administers it. Clones are the same.
#[derive(Clone)]
pub struct Service(Arc<Inside>);

struct Inside {
    state: Mutex<State>,
    files: Option<PathBuf>,
    realm: &'static str,
    clock: Clock,
    exchange: mpsc::UnboundedSender<ForExchange>,
}

/// Tells an exchange what it is to know, until either ends.
pub async fn tell(mut all: mpsc::UnboundedReceiver<ForExchange>, commander: mpsc::Sender<exchange::Command>) {
    while let Some(ForExchange { what, queued }) = all.recv().await {
        // Its answer is nobody's.
        if commander.send(exchange::Command { id: 0, what }).await.is_err() {
            return;
        }
        if let Some(queued) = queued {
            // Whoever has given up waiting needs no news.
            let _ = queued.send(());
        }
    }
}

/// Something that the exchange is to know.
#[derive(Debug)]
pub struct ForExchange {
    /// What.
    pub what: exchange::What,
    /// Is told once the exchange has it in its queue, where somebody waits for that.
    pub queued: Option<oneshot::Sender<()>>,
}

/// What a change waits for.
#[derive(Default)]
struct Kept {
    /// The turn of the store.
    turn: Option<u64>,
    /// The exchange has in its queue what it is to know.
    queued: Option<oneshot::Receiver<()>>,
}

struct State {
    provision: Provision,
    store: Box<dyn Store>,
}

/// Where files are served.
#[derive(Debug, Default)]
pub struct Places {
    /// TFTP.
    pub tftp: Option<std::net::UdpSocket>,
    /// FTP.
    pub ftp: Option<std::net::TcpListener>,
    /// HTTP.
    pub http: Option<std::net::TcpListener>,
    /// HTTPS, with its certificate.
    pub https: Option<(std::net::TcpListener, Arc<rustls::ServerConfig>)>,
    /// The interface, by its address, on which PnP is answered.
    pub pnp: Option<IpAddr>,
}

/// Listeners on their thread. Dropping it ends them.
#[derive(Debug)]
pub struct Listeners {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Provisioning that keeps its rows in `store` and tells the exchange of devices' accounts by
    /// `commander`. Files of the folder `files` are served as they are, to everybody.
    pub fn new(
        mut provision: Provision,
        store: Box<dyn Store>,
        files: Option<PathBuf>,
        realm: &'static str,
        clock: Clock,
    ) -> (Self, mpsc::UnboundedReceiver<ForExchange>) {
        provision.serve_files(files.is_some());
        let (exchange, told) = mpsc::unbounded_channel();
        let state = Mutex::new(State { provision, store });
        let service = Self(Arc::new(Inside { state, files, realm, clock, exchange }));
        service.keep(&mut service.lock());
        (service, told)
    }

    /// The present moment.
    pub fn now(&self) -> proto::Time {
        self.0.clock.now()
    }

    /// What the system's clock shows at a moment.
    pub fn date(&self, moment: proto::Time) -> proto::Time {
        self.0.clock.wall().at(moment)
    }

    /// Reads or changes something. What is changed is kept, but not yet durable.
    pub fn with<T>(&self, what: impl FnOnce(&mut Provision) -> T) -> T {
        let mut state = self.lock();
        state.provision.set_wall(self.0.clock.wall());
        let said = what(&mut state.provision);
        self.keep(&mut state);
        said
    }

    /// Changes something, and waits until that is durable and in the queue of the exchange: what is asked of
    /// the exchange from then on is answered by what holds now.
    ///
    /// # Errors
    /// The store cannot be written; the change holds until the program ends.
    pub async fn change<T>(&self, what: impl FnOnce(&mut Provision) -> T) -> io::Result<T> {
        let (said, kept, queued) = {
            let mut state = self.lock();
            state.provision.set_wall(self.0.clock.wall());
            let said = what(&mut state.provision);
            let Kept { turn, queued } = self.keep(&mut state);
            (said, turn.map(|turn| (turn, state.store.progress())), queued)
        };
        if let Some(queued) = queued {
            // There may be no exchange, or it has ended: then there is nobody to wait for.
            let _ = queued.await;
        }
        let Some((turn, mut progress)) = kept else { return Ok(said) };
        let durable = progress.wait_for(|progress| progress.committed >= turn);
        match tokio::time::timeout(DURABLE_WITHIN, durable).await {
            Ok(Ok(_)) => Ok(said),
            _ => Err(io::Error::other("the disk takes nothing; the program says why on standard error")),
        }
    }

    /// What the exchange tells: devices that have registered, and those that have answered check-sync or have
    /// not.
    pub fn hear(&self, event: &exchange::Event) {
        let now = self.now();
        match event {
            exchange::Event::DeviceRegistered { user, contact, call_id, .. } => {
                self.with(|provision| provision.registered(now, user, contact, call_id));
            }
            exchange::Event::CheckSynced { contact, status, .. } => {
                self.with(|provision| provision.check_synced(now, contact, *status));
            }
            _ => {}
        }
    }

    /// Begins to answer a request. An account that a new file names is durable before the file leaves; none
    /// where the disk takes nothing.
    async fn begin(&self, request: &Request<'_>) -> Option<Begun> {
        let now = self.now();
        self.change(|provision| provision.begin(now, request)).await.ok()
    }

    /// Notes how it ended.
    fn ended(&self, begun: Begun, bytes: u64, result: &str) {
        let now = self.now();
        self.with(|provision| provision.ended(now, begun, bytes, result));
    }

    /// What is to be sent, files read; none where there is no such file.
    fn content(&self, begun: &Begun) -> Option<Vec<u8>> {
        match &begun.answer {
            Content::Text(text) => Some(text.clone().into_bytes()),
            Content::File(names) => files::read(self.0.files.as_deref()?, names),
            Content::Elsewhere(_) | Content::NotFound | Content::Silence => None,
        }
    }

    /// What a device was served last, without secrets; none where it was served nothing yet.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn served(&self, mac: Mac) -> io::Result<Option<String>> {
        let (key, reader) = (mac.to_string(), self.lock().store.reader());
        let row = reader.latest(Table::Served, 1, Some(&format!("{key}~")))?.pop();
        Ok(row.filter(|row| row.key == key).and_then(|row| serde_json::from_str(&row.value).ok()))
    }

    /// Whether files are served as they are.
    pub fn has_files(&self) -> bool {
        self.0.files.is_some()
    }

    /// Hands what was seen to the store: many rows at a time, for thousands of phones may fetch at once.
    pub fn keep_notes(&self) {
        let mut state = self.lock();
        if state.store.is_saturated() {
            return;
        }
        let rows: Vec<store::Change> = state.provision.take_notes().into_iter().flat_map(row).collect();
        if !rows.is_empty() {
            state.store.commit(rows);
        }
    }

    /// Hands changes to the store and the exchange.
    fn keep(&self, state: &mut State) -> Kept {
        let mut rows = Vec::new();
        let mut kept = Kept::default();
        for change in state.provision.take_changes() {
            match change {
                Change::Accounts { number, credentials } => {
                    let account = |it: roles::provision::Credential| {
                        DeviceAccount::new(&it.user, self.0.realm, it.password.expose())
                    };
                    let accounts = credentials.into_iter().map(account).collect();
                    let (told, queued) = oneshot::channel();
                    let what = exchange::What::SetDeviceAccounts { number, accounts };
                    // Nobody is there to be told once the exchange has ended.
                    let _ = self.0.exchange.send(ForExchange { what, queued: Some(told) });
                    kept.queued = Some(queued);
                }
                Change::CheckSync { number, contact, reboot } => {
                    let contact = Some(contact);
                    let what = exchange::What::CheckSync { number, contact, reboot };
                    let _ = self.0.exchange.send(ForExchange { what, queued: None });
                }
                change => rows.extend(row(change)),
            }
        }
        kept.turn = (!rows.is_empty()).then(|| state.store.commit(rows));
        kept
    }

    /// A panic elsewhere leaves whole devices.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

/// A change as rows.
fn row(change: Change) -> Vec<store::Change> {
    // Plain data with text keys, so serialising cannot fail.
    fn json(value: &impl serde::Serialize) -> String {
        serde_json::to_string(value).unwrap_or_default()
    }
    match change {
        Change::Device(device) => {
            vec![store::Change::set(Table::Device, device.mac.to_string(), json(&device))]
        }
        Change::DeviceRemoved(mac) => {
            let tables = [Table::Device, Table::Served];
            tables.map(|table| store::Change::remove(table, mac.to_string())).into()
        }
        Change::Served { mac, text } => {
            vec![store::Change::set(Table::Served, mac.to_string(), json(&text))]
        }
        Change::Transfer(transfer) => {
            vec![store::Change::set(Table::Transfer, transfer_key(transfer.id), json(&transfer))]
        }
        Change::TransferGone(id) => vec![store::Change::remove(Table::Transfer, transfer_key(id))],
        Change::Redirect { key, row } => {
            let key = format!("{REDIRECT}{key}");
            vec![match row {
                Some(row) => store::Change::set(Table::Setting, key, json(&row)),
                None => store::Change::remove(Table::Setting, key),
            }]
        }
        Change::Accounts { .. } | Change::CheckSync { .. } => Vec::new(),
    }
}

fn transfer_key(id: u64) -> String {
    format!("{id:020}")
}

/// Begins the keys of the redirection service's rows among the settings.
const REDIRECT: &str = "(rps) ";

/// What was kept. A row that cannot be read is told and left out.
///
/// # Errors
/// The store cannot be read.
pub fn restore(reader: &dyn Reader) -> io::Result<roles::provision::Restored> {
    fn all<T: serde::de::DeserializeOwned>(
        reader: &dyn Reader,
        table: Table,
        begin: &str,
    ) -> io::Result<Vec<T>> {
        let read = |row: store::Row| {
            let value = serde_json::from_str(&row.value);
            let tell = |error: &serde_json::Error| {
                complain!("offhook: warning: {} {} is left out: {error}", table.name(), row.key);
            };
            value.inspect_err(tell).ok()
        };
        let rows = reader.load(table)?.into_iter().filter(|row| row.key.starts_with(begin));
        Ok(rows.filter_map(read).collect())
    }
    Ok(roles::provision::Restored {
        devices: all(reader, Table::Device, "")?,
        transfers: all(reader, Table::Transfer, "")?,
        numbers: Vec::new(),
        redirects: all(reader, Table::Setting, REDIRECT)?,
    })
}

impl Listeners {
    /// Serves at all places on a thread of its own.
    ///
    /// # Errors
    /// The system gives no thread, or the group of PnP cannot be joined; the text names the remedy.
    pub fn start(service: Service, places: Places) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let within = runtime.enter();
        let tftp = places.tftp.map(tokio::net::UdpSocket::from_std).transpose()?;
        let ftp = places.ftp.map(tokio::net::TcpListener::from_std).transpose()?;
        let http = places.http.map(tokio::net::TcpListener::from_std).transpose()?;
        let https = match places.https {
            Some((listener, config)) => Some((tokio::net::TcpListener::from_std(listener)?, config)),
            None => None,
        };
        let pnp = places.pnp.map(pnp::Sockets::open).transpose()?;
        drop(within);
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            runtime.block_on(async move {
                let all = async {
                    tokio::join!(
                        maybe(tftp.map(|socket| tftp::serve(socket, service.clone()))),
                        maybe(ftp.map(|listener| ftp::serve(listener, service.clone()))),
                        maybe(http.map(|listener| http::serve(listener, None, service.clone()))),
                        maybe(https.map(|(listener, tls)| http::serve(listener, Some(tls), service.clone()))),
                        maybe(pnp.map(|sockets| pnp::serve(sockets, service.clone()))),
                        rounds(service.clone()),
                    );
                };
                tokio::select! {
                    () = all => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("provision".to_owned()).spawn(serve)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// Serves where there is something to serve.
async fn maybe(serve: Option<impl Future<Output = ()>>) {
    if let Some(serve) = serve {
        serve.await;
    }
}

async fn rounds(service: Service) {
    loop {
        tokio::time::sleep(ROUND).await;
        let now = service.now();
        service.with(|provision| provision.advance(now));
        service.keep_notes();
    }
}

/// Listens at a place of a service.
///
/// # Errors
/// The address is in use or none of this machine's; the text names it, and the option to change.
pub fn bind_tcp(at: SocketAddr, option: &str) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(at).map_err(|error| explain(at, option, &error))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// As [`bind_tcp`], for datagrams.
///
/// # Errors
/// As there.
pub fn bind_udp(at: SocketAddr, option: &str) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(at).map_err(|error| explain(at, option, &error))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn explain(at: SocketAddr, option: &str, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; give another port",
        io::ErrorKind::AddrNotAvailable => "it is no address of this machine; give another",
        io::ErrorKind::PermissionDenied => "ports below 1024 need more rights; give another port",
        _ => "give another",
    };
    io::Error::new(error.kind(), format!("{option} {at}: {error}: {remedy}"))
}

/// What `--device` says.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn parse_device(text: &str) -> Result<(Mac, roles::provision::Edit), String> {
    const FORM: &str = "write MAC[;model=FIP14G][;number=7001][;label=Reception]";
    let mut parts = text.split(';').map(str::trim);
    let mac = parts.next().and_then(Mac::parse).ok_or_else(|| format!("no MAC address; {FORM}"))?;
    let mut edit = roles::provision::Edit { approved: Some(true), ..Default::default() };
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` has no value; {FORM}"))?;
        let value = value.trim().to_owned();
        match name.trim() {
            "model" => edit.model = Some(value),
            "number" => edit.number = Some(Some(value)),
            "label" => edit.label = Some(value),
            "account" => {
                edit.account = Some(value.parse().map_err(|_| format!("an account is a number; {FORM}"))?);
            }
            "template" => edit.template = Some(Some(value)),
            other => return Err(format!("`{other}` is nothing of a device; {FORM}")),
        }
    }
    Ok((mac, edit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read() {
        let (mac, edit) = parse_device("00:21:f2:22:b0:21;number=7001; label=Front Desk").unwrap();
        assert_eq!(mac.to_string(), "0021f222b021");
        assert_eq!((edit.number, edit.label), (Some(Some("7001".into())), Some("Front Desk".into())));
        for text in ["", "7001", "0021f222b021;number", "0021f222b021;colour=red", "0021f222b021;account=x"] {
            assert!(parse_device(text).unwrap_err().contains("write MAC"), "{text}");
        }
    }
}
