//! What is asked → what is answered, by the catalogue alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proto::Time;

use super::ask::{Asked, OwnFile, Path};
use super::device::Device;
use super::redirect::Redirects;
use crate::mac::Mac;
use crate::settings::Model;

/// How a file travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// TFTP.
    Tftp,
    /// FTP.
    Ftp,
    /// HTTP.
    Http,
    /// HTTPS.
    Https,
}

impl Transport {
    /// As rows name it.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tftp => "tftp",
            Transport::Ftp => "ftp",
            Transport::Http => "http",
            Transport::Https => "https",
        }
    }
}

/// One request for a file.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The path, decoded.
    pub path: &'a str,
    /// Who asks, where the transport says it.
    pub user_agent: Option<&'a str>,
    /// From where.
    pub from: IpAddr,
    /// How.
    pub transport: Transport,
    /// The phone whose certificate the client has shown and proven; none where it showed none.
    pub certified: Option<Mac>,
}

/// The devices, and what holds for all.
#[derive(Debug, Default)]
pub struct Catalogue {
    devices: BTreeMap<Mac, Device>,
    by_token: BTreeMap<String, Mac>,
    by_number: BTreeMap<String, BTreeSet<Mac>>,
    /// Phones that are led to servers of others.
    pub(super) redirects: Redirects,
    /// Until when devices are served by their bare MAC address.
    pub window_until: Option<Time>,
    /// Whether there is a folder of files that are served as they are.
    pub has_files: bool,
}

/// What is answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The configuration of that device.
    Configuration(Mac),
    /// The folder of that device is told.
    Elsewhere(Mac),
    /// A file of the folder, by the names of its path.
    File(Vec<String>),
    /// There is none.
    NotFound,
    /// There is none, and whoever asks may be guessing. It looks the same to him.
    Guess,
    /// There is none, and somebody may want to know who asked.
    Stranger {
        /// Who.
        mac: Mac,
        /// The vendor of his dialect, where it is none of ours.
        foreign: Option<&'static str>,
    },
    /// Nothing.
    Silence,
}

impl Catalogue {
    /// Adds or replaces a device.
    pub fn insert(&mut self, device: Device) {
        self.remove(device.mac);
        self.by_token.insert(device.token.expose().to_owned(), device.mac);
        if let Some(number) = &device.number {
            self.by_number.entry(number.clone()).or_default().insert(device.mac);
        }
        self.devices.insert(device.mac, device);
    }

    /// Takes a device out.
    pub fn remove(&mut self, mac: Mac) -> Option<Device> {
        let device = self.devices.remove(&mac)?;
        self.by_token.remove(device.token.expose());
        if let Some(number) = &device.number
            && let Some(all) = self.by_number.get_mut(number)
        {
            all.remove(&mac);
            if all.is_empty() {
                self.by_number.remove(number);
            }
        }
        Some(device)
    }

    /// One device.
    pub fn device(&self, mac: Mac) -> Option<&Device> {
        self.devices.get(&mac)
    }

    /// The devices of an extension.
    pub fn of_number(&self, number: &str) -> impl Iterator<Item = &Device> {
        self.by_number.get(number).into_iter().flatten().filter_map(|mac| self.device(*mac))
    }

    /// All extensions that have devices.
    pub fn numbers(&self) -> impl Iterator<Item = &String> {
        self.by_number.keys()
    }

    /// One device, to be changed; its MAC address, token and extension stay.
    pub(super) fn device_mut(&mut self, mac: Mac) -> Option<&mut Device> {
        self.devices.get_mut(&mac)
    }

    /// All devices.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }
}

/// Answers a request. The same question has the same answer whatever the transport.
pub fn resolve(now: Time, request: &Request<'_>, catalogue: &Catalogue) -> Answer {
    let Some(path) = Path::read(request.path) else { return Answer::NotFound };
    if let Some(token) = &path.token {
        return in_folder(token, &path, request, catalogue);
    }
    let file = || if catalogue.has_files { Answer::File(path.names.clone()) } else { Answer::NotFound };
    let is_open =
        request.from.to_canonical().is_loopback() || catalogue.window_until.is_some_and(|until| now < until);
    // Whoever has proven to be a phone is that one everywhere, and no other anywhere.
    let opens = |mac: Mac| request.certified.map_or(is_open, |own| own == mac);
    match path.asked {
        Asked::Own { mac, file: own } => {
            let device = catalogue.device(mac);
            if !opens(mac) {
                // Known or not, the answer and what follows from it are the same.
                return if catalogue.has_files { file() } else { Answer::Guess };
            }
            match device {
                Some(device) if own == OwnFile::Cfg && may_have(device, request) => {
                    Answer::Configuration(mac)
                }
                Some(_) => file(),
                None if catalogue.has_files => file(),
                None => Answer::Stranger { mac, foreign: None },
            }
        }
        Asked::Redirection(mac) => {
            let is_http = matches!(request.transport, Transport::Http | Transport::Https);
            let of_agent = || request.user_agent.and_then(Mac::of_user_agent);
            match mac.or(request.certified).or_else(of_agent).filter(|_| is_http) {
                None => Answer::NotFound,
                // A MAC address alone does not open a secret folder.
                Some(mac) if !opens(mac) => Answer::Guess,
                Some(mac) if catalogue.redirects.url(mac).is_some() => Answer::Elsewhere(mac),
                Some(mac) => match catalogue.device(mac) {
                    Some(device) if may_have(device, request) => Answer::Elsewhere(mac),
                    Some(_) => Answer::NotFound,
                    None => Answer::Stranger { mac, foreign: None },
                },
            }
        }
        Asked::Foreign { vendor, mac: Some(mac) } if is_open && !catalogue.has_files => {
            Answer::Stranger { mac, foreign: Some(vendor) }
        }
        Asked::Foreign { .. } | Asked::Common(_) | Asked::Other => file(),
    }
}

/// What is asked in a secret folder: it has its device's file and what is there for all.
fn in_folder(token: &str, path: &Path, request: &Request<'_>, catalogue: &Catalogue) -> Answer {
    let device = catalogue.by_token.get(token).and_then(|mac| catalogue.device(*mac));
    let Some(device) = device else { return Answer::Guess };
    match path.asked {
        Asked::Own { mac, file } if mac == device.mac => match file {
            OwnFile::Cfg if may_have(device, request) => Answer::Configuration(mac),
            _ => Answer::NotFound,
        },
        // Another device's file is not here.
        Asked::Own { .. } | Asked::Foreign { .. } => Answer::NotFound,
        _ if catalogue.has_files && !path.names.is_empty() => Answer::File(path.names.clone()),
        _ => Answer::NotFound,
    }
}

/// Whether the device is to be served and who asks is not seen to be another vendor's phone, to which its
/// file would be a wrong one.
fn may_have(device: &Device, request: &Request<'_>) -> bool {
    device.is_ready() && request.user_agent.is_none_or(|agent| !is_of_another_vendor(&device.model, agent))
}

/// Vendors by the first word of their User-Agent.
const VENDORS: [&str; 14] = [
    "flyingvoice",
    "yealink",
    "grandstream",
    "snom",
    "cisco",
    "linksys",
    "polycom",
    "poly",
    "fanvil",
    "htek",
    "panasonic",
    "mitel",
    "aastra",
    "gigaset",
];

fn is_of_another_vendor(model: &str, user_agent: &str) -> bool {
    let agent = user_agent.to_ascii_lowercase();
    let Some(vendor) = VENDORS.into_iter().find(|vendor| agent.starts_with(vendor)) else { return false };
    let own = if Model::named(model).is_some() { "flyingvoice" } else { "yealink" };
    let model = model.to_ascii_lowercase();
    vendor != own && !model.starts_with(vendor)
}
