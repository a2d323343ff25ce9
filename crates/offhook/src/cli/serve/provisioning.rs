//! The part of `serve` that sets phones up: its arguments, and what stands because of them.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use roles::exchange::Command;
use roles::provision::{
    DeviceView, DhcpServer, Edit, Layers, Mac, Network, Provision, Renderer, Restored, Site, dhcp_lines,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{REALM, certificate, reachable};
use crate::cli::Failure;
use crate::clock::{self, Clock};
use crate::provision::{
    self, ForExchange, Listeners, Places, Service, bind_tcp, bind_udp, parse_device, restore,
};
use crate::store::{self, Reader, Shared, Store, Table};

/// Names of listeners with their addresses, as `serve` tells them at the start.
type Told = Vec<(&'static str, String)>;

/// The row among the settings that says how phones are served.
const MANNER: &str = "provisioning";
/// The file of variables in a folder of templates.
const VARIABLES: &str = "variables.json";
/// The most templates of a folder.
const MOST_TEMPLATES: usize = 1_000;

/// Auto provisioning. A service that is not named is not started.
#[derive(Args, Debug)]
#[group(skip)]
pub(super) struct Arguments {
    /// Files for phones by TFTP
    #[arg(long, value_name = "IP:PORT")]
    tftp: Option<SocketAddr>,
    /// Serve files by TFTP to this network alone, as in 192.168.50.0/24; may be given several times
    #[arg(long = "tftp-network", value_name = "NETWORK", requires = "tftp")]
    tftp_networks: Vec<Network>,
    /// Files for phones by FTP, active and passive, for any user
    #[arg(long, value_name = "IP:PORT")]
    ftp: Option<SocketAddr>,
    /// Files for phones by HTTP
    #[arg(long, value_name = "IP:PORT")]
    http: Option<SocketAddr>,
    /// Files for phones by HTTPS; needs --dir, where the certificate is made: give phones DIR/ca.pem
    #[arg(long, value_name = "IP:PORT", requires = "dir")]
    https: Option<SocketAddr>,
    /// Ask phones for a certificate of this authority by HTTPS, PEM; one whose common name is a phone's MAC address
    /// opens that phone's folder from everywhere; may be given several times
    #[arg(long = "device-ca", value_name = "FILE", requires = "https")]
    device_cas: Vec<PathBuf>,
    /// Answer phones that ask by PnP who serves their settings, on the interface of this IPv4 address
    #[arg(long, value_name = "IP")]
    pnp: Option<IpAddr>,
    /// Folder of files that are served as they are, to everybody who reaches a listener
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Folder of templates that take the place of those built in, with their variables.json
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// A phone that is to be served, where it does not exist yet; may be given several times
    #[arg(long = "device", value_name = "MAC[;model=M][;number=N][;label=L]", value_parser = parse_device)]
    devices: Vec<(Mac, Edit)>,
    /// Give phones that exist already what --device says; else they keep their own
    #[arg(long)]
    device_wins: bool,
    /// How phones are told to speak SIP [default: udp; tls where --sips is reachable from outside and --sip is not]
    #[arg(long, value_name = "TRANSPORT")]
    device_transport: Option<DeviceTransport>,
    /// Print what a DHCP server is to be told, so that each phone finds its folder, and end
    #[arg(long, value_name = "SERVER")]
    print_dhcp: Option<Dhcp>,
}

/// A DHCP server.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dhcp {
    Dnsmasq,
    Kea,
    Isc,
}

/// How a phone speaks SIP.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum DeviceTransport {
    Udp,
    Tcp,
    Tls,
}

/// Where the exchange is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// By UDP and TCP.
    pub(super) sip: SocketAddr,
    /// By TLS, where it is offered.
    pub(super) sips: Option<SocketAddr>,
}

/// Provisioning that stands and is not served yet.
pub(super) struct Open {
    pub(super) service: Service,
    accounts: mpsc::UnboundedReceiver<ForExchange>,
    places: Places,
    told: Told,
    dhcp: Option<Dhcp>,
}

impl Arguments {
    /// Opens all places, with what the store has kept.
    ///
    /// # Errors
    /// A place that cannot be had, a template that cannot be read, a device that cannot be.
    pub(super) fn open(
        &self,
        exchange: Exchange,
        dir: Option<&Path>,
        store: &Shared,
        clock: Clock,
        numbers: Vec<String>,
    ) -> Result<Open, Failure> {
        let (places, told) = self.places(dir, clock)?;
        let base = base_url(&places)?;
        let site = self.site(exchange)?;
        let restored = Restored { numbers, ..restore(&*store.reader())? };
        let manner = Manner { site, base_url: base, templates: self.templates.clone() };
        manner.keep(&mut store.clone());
        let mut provision = manner.provision(restored)?;
        provision.limit_tftp(self.tftp_networks.clone());
        self.set_devices(&mut provision)?;
        if let Some(folder) = &self.files {
            if !folder.is_dir() {
                return Err(Failure::usage(format!("--files: {} is no folder", folder.display())));
            }
            complain!(
                "offhook: note: what lies in {} is open to whoever reaches a listener of files",
                folder.display()
            );
        }
        let store = Box::new(store.clone());
        let (service, accounts) = Service::new(provision, store, self.files.clone(), REALM, clock);
        Ok(Open { service, accounts, places, told, dhcp: self.print_dhcp })
    }

    /// Sets the phones of the command line. One that exists already and differs stays as it is kept, and that is
    /// said, unless the command line is to win.
    fn set_devices(&self, provision: &mut Provision) -> Result<(), Failure> {
        for (at, (mac, edit)) in self.devices.iter().enumerate() {
            if self.devices.iter().take(at).any(|(other, _)| other == mac) {
                return Err(Failure::usage(format!("--device {mac} is given twice; leave one")));
            }
            if let Some(kept) = provision.device(*mac).filter(|_| !self.device_wins) {
                if let Some(how) = differs(&kept, edit) {
                    complain!(
                        "offhook: device {mac} has another {how} than --device gives: it stays as it is kept; \
                         --device-wins changes it"
                    );
                }
                continue;
            }
            let set = provision.edit(*mac, edit.clone());
            set.map_err(|why| Failure::usage(format!("--device {mac}: {why}")))?;
        }
        Ok(())
    }

    /// Where phones are told that the exchange is.
    fn site(&self, exchange: Exchange) -> Result<Site, Failure> {
        let Exchange { sip, sips } = exchange;
        let is_outside = |at: SocketAddr| !at.ip().to_canonical().is_loopback();
        let is_by_tls = sips.is_some_and(is_outside) && !is_outside(sip);
        let usual = if is_by_tls { DeviceTransport::Tls } else { DeviceTransport::Udp };
        let transport = self.device_transport.unwrap_or(usual);
        let at = match (transport, sips) {
            (DeviceTransport::Tls, Some(sips)) => sips,
            (DeviceTransport::Tls, None) => {
                return Err(Failure::usage(
                    "--device-transport tls: nobody listens for TLS; give --sips IP:PORT".to_owned(),
                ));
            }
            _ => sip,
        };
        let sip_transport = match transport {
            DeviceTransport::Udp => 0,
            DeviceTransport::Tcp => 1,
            DeviceTransport::Tls => 2,
        };
        Ok(Site { sip_host: reachable(at.ip())?.to_string(), sip_port: at.port(), sip_transport })
    }

    fn places(&self, dir: Option<&Path>, clock: Clock) -> Result<(Places, Told), Failure> {
        let mut told = Vec::new();
        let tftp = self.tftp.map(|at| bind_udp(at, "--tftp")).transpose()?;
        if let Some(socket) = &tftp {
            told.push(("tftp", socket.local_addr()?.to_string()));
        }
        let ftp = self.ftp.map(|at| bind_tcp(at, "--ftp")).transpose()?;
        if let Some(listener) = &ftp {
            told.push(("ftp", listener.local_addr()?.to_string()));
        }
        let http = self.http.map(|at| bind_tcp(at, "--http")).transpose()?;
        if let Some(listener) = &http {
            told.push(("http", listener.local_addr()?.to_string()));
        }
        let https = match (self.https, dir) {
            (Some(at), Some(dir)) => {
                let listener = bind_tcp(at, "--https")?;
                told.push(("https", listener.local_addr()?.to_string()));
                Some((listener, certificate(at, dir, clock, &self.device_cas)?))
            }
            _ => None,
        };
        told.extend(self.pnp.map(|ip| ("pnp", ip.to_string())));
        Ok((Places { tftp, ftp, http, https, pnp: self.pnp }, told))
    }
}

/// In what a device that is kept differs from what the command line says of it; none where in nothing.
fn differs(kept: &DeviceView<'_>, given: &Edit) -> Option<String> {
    let differing = [
        ("model", given.model.as_ref().is_some_and(|model| model != kept.model)),
        ("number", given.number.as_ref().is_some_and(|number| number.as_deref() != kept.number)),
        ("account", given.account.is_some_and(|account| account != kept.account)),
        ("label", given.label.as_ref().is_some_and(|label| label != kept.label)),
        ("template", given.template.as_ref().is_some_and(|template| template.as_deref() != kept.template)),
        ("approval", given.approved.is_some_and(|approved| approved != kept.approved)),
    ];
    let names: Vec<&str> = differing.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// How phones are served. It is kept in the data folder, so that `offhook provision --dir` serves them the same way
/// while no exchange runs.
#[derive(Debug, Deserialize, Serialize)]
struct Manner {
    site: Site,
    base_url: Option<String>,
    templates: Option<PathBuf>,
}

impl Manner {
    fn keep(&self, store: &mut Shared) {
        // Plain data with text keys, so serialising cannot fail.
        let value = serde_json::to_string(self).unwrap_or_default();
        store.commit(vec![store::Change::set(Table::Setting, MANNER, value)]);
    }

    fn restore(reader: &dyn Reader) -> io::Result<Option<Self>> {
        let rows = reader.load(Table::Setting)?.into_iter();
        let row = rows.into_iter().find(|row| row.key == MANNER);
        Ok(row.and_then(|row| serde_json::from_str(&row.value).ok()))
    }

    fn provision(self, restored: Restored) -> Result<Provision, Failure> {
        let renderer = renderer(self.templates.as_deref())?;
        Ok(Provision::new(renderer, self.site, self.base_url, restored, clock::seed()?))
    }
}

/// The phones of a data folder on which no exchange runs.
///
/// # Errors
/// The folder has no database, or an exchange runs on it; the text names the remedy.
pub(in crate::cli) fn of_folder(dir: &Path) -> Result<Service, Failure> {
    if !store::exists(dir) {
        let dir = dir.display();
        return Err(Failure::Failed(format!("{dir} holds no database; give the folder of `serve --dir`")));
    }
    let in_use = |error: io::Error| {
        Failure::Failed(format!("{error}; for a running exchange give its HTTP API by --server URL"))
    };
    let store = store::open(Some(dir)).map_err(in_use)?;
    let reader = store.reader();
    let unknown = "no exchange has run on this folder yet: start `offhook serve --dir` once";
    let manner = Manner::restore(&*reader)?.ok_or_else(|| Failure::Failed(unknown.to_owned()))?;
    let provision = manner.provision(restore(&*reader)?)?;
    Ok(Service::new(provision, store, None, REALM, Clock::start()).0)
}

/// Makes files, by the templates of a folder where there is one.
fn renderer(templates: Option<&Path>) -> Result<Renderer, Failure> {
    let Some(folder) = templates else {
        return Renderer::new(Vec::new(), Layers::default())
            .map_err(|fault| Failure::Failed(fault.to_string()));
    };
    let named = |path: &Path, why: &dyn std::fmt::Display| {
        Failure::Failed(format!("--templates: {}: {why}", path.display()))
    };
    let (mut templates, mut layers) = (Vec::new(), Layers::default());
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|error| named(folder, &error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    for path in paths.into_iter().take(MOST_TEMPLATES) {
        let text = fs::read_to_string(&path).map_err(|error| named(&path, &error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == VARIABLES {
            layers = serde_json::from_str(&text).map_err(|error| named(&path, &error))?;
        } else {
            templates.push((name, text));
        }
    }
    Renderer::new(templates, layers).map_err(|fault| named(folder, &fault))
}

/// Where the secret folders are: by HTTP where that is served, else by HTTPS, TFTP or FTP.
fn base_url(places: &Places) -> io::Result<Option<String>> {
    let of_tcp = |listener: &std::net::TcpListener| listener.local_addr();
    let (scheme, at) = if let Some(listener) = &places.http {
        ("http", of_tcp(listener)?)
    } else if let Some((listener, _)) = &places.https {
        ("https", of_tcp(listener)?)
    } else if let Some(socket) = &places.tftp {
        ("tftp", socket.local_addr()?)
    } else if let Some(listener) = &places.ftp {
        ("ftp", of_tcp(listener)?)
    } else {
        return Ok(None);
    };
    Ok(Some(format!("{scheme}://{}", SocketAddr::new(reachable(at.ip())?, at.port()))))
}

impl Open {
    /// What a DHCP server is to be told, where that was asked for.
    pub(super) fn dhcp(&self) -> Option<String> {
        let server = match self.dhcp? {
            Dhcp::Dnsmasq => DhcpServer::Dnsmasq,
            Dhcp::Kea => DhcpServer::Kea,
            Dhcp::Isc => DhcpServer::Isc,
        };
        Some(dhcp_lines(server, &self.service.with(|provision| provision.folders())))
    }

    /// The places by their names.
    pub(super) fn told(&self) -> Told {
        self.told.clone()
    }

    /// Serves at all places; and a task that tells the exchange of devices' accounts.
    ///
    /// # Errors
    /// The system gives no thread, or a place cannot be had.
    pub(super) fn start(
        self,
        commander: mpsc::Sender<Command>,
    ) -> io::Result<(Listeners, impl Future<Output = ()> + Send + 'static)> {
        let Self { service, accounts, places, .. } = self;
        let listeners = Listeners::start(service, places)?;
        Ok((listeners, provision::tell(accounts, commander)))
    }
}
