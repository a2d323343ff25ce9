//! A server of files for cases that are played on real sockets alone: that of `serve`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use roles::lab::RealCase;
use roles::provision::{Layers, Provision, Renderer, Restored, Site};

use crate::clock::{self, Clock};
use crate::net::tls::server_self_made;
use crate::provision::{Listeners, Places, Service, bind_tcp};
use crate::store::{self, Memory};

/// Where FTP and HTTPS are, as the cases write it.
const FTP_PORT: u16 = 2_121;
const HTTPS_PORT: u16 = 8_443;

/// The server, whether it is on or off. Dropping it removes its folder.
pub(super) struct FileBox {
    case: &'static RealCase,
    ip: IpAddr,
    folder: PathBuf,
    listeners: Option<Listeners>,
}

impl FileBox {
    /// A server at `ip` that is switched off, with a folder of its own.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(super) fn new(case: &'static RealCase, ip: IpAddr) -> io::Result<Self> {
        let name = format!("offhook-lab-{}-{}", std::process::id(), case.case.slug);
        let folder = std::env::temp_dir().join(name);
        store::make_dir(&folder.join("files"))?;
        for (name, text) in case.files {
            store::save(&folder.join("files").join(name), text.as_bytes())?;
        }
        Ok(Self { case, ip, folder, listeners: None })
    }

    /// The authority that its certificate is of.
    pub(super) fn authority(&self) -> PathBuf {
        authority(&self.folder)
    }

    pub(super) fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Switches it on.
    ///
    /// # Errors
    /// A port that another program uses; the text names it.
    pub(super) fn switch_on(&mut self, clock: Clock) -> io::Result<()> {
        let tls = server_self_made(&self.folder, &[self.ip.to_string()], clock.now())?;
        let https = bind_tcp(SocketAddr::new(self.ip, HTTPS_PORT), "HTTPS")?;
        let ftp = bind_tcp(SocketAddr::new(self.ip, FTP_PORT), "FTP")?;
        let places = Places { ftp: Some(ftp), https: Some((https, tls)), ..Places::default() };
        let renderer = Renderer::new(Vec::new(), Layers::default()).map_err(io::Error::other)?;
        let site = Site { sip_host: self.ip.to_string(), sip_port: 5_060, sip_transport: 0 };
        let provision = Provision::new(renderer, site, None, Restored::default(), clock::seed()?);
        let files = Some(self.folder.join("files"));
        let (service, _) =
            Service::new(provision, Box::new(Memory::default()), files, self.case.case.slug, clock);
        self.listeners = Some(Listeners::start(service, places)?);
        Ok(())
    }

    pub(super) fn switch_off(&mut self) {
        self.listeners = None;
    }
}

fn authority(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

impl Drop for FileBox {
    fn drop(&mut self) {
        self.switch_off();
        // A folder for temporary files; where it stays, the system removes it some day.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
