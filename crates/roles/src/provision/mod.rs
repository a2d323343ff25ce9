//! Auto provisioning, the serving side: which phone is served what, and proof of it.
//!
//! [`resolve`] answers what is asked, whatever the transport; it reads nothing but the [`Catalogue`]. A
//! device's file is served from its secret folder `/p/<token>/`; by its bare MAC address alone, which
//! anybody can read from the phone, only on the loopback or within an approval window that a person
//! opens. Every request leaves a [`Transfer`].

mod ask;
mod csv;
mod device;
mod dhcp;
mod guard;
mod network;
mod pnp;
mod push;
mod redirect;
mod render;
mod resolve;
mod told;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use proto::{Rng, Time, Wall};

pub use crate::mac::{Mac, NoMac};
pub use ask::{Asked, OwnFile, Path};
pub use csv::{CsvFault, export_csv, parse_csv};
pub use device::{Credential, Device, Expiring, Secret, Seen, ServedFile};
pub use dhcp::{DhcpServer, dhcp_lines};
pub use guard::Guesses;
pub use network::Network;
pub use pnp::{PnpAsked, PnpDialog, pnp_asked};
pub use push::{MOST_PER_MINUTE, Push, Row};
pub use redirect::MOST_LED;
pub use render::{Layers, RenderFault, Renderer, Site, Variable, Variables, knows_model};
pub use resolve::{Answer, Catalogue, Request, Transport, resolve};
pub use told::{Begun, Change, Content, DeviceView, Edit, Redirect, Restored, Stranger, Transfer};

/// The most devices of an inventory.
const MOST_DEVICES: usize = 200_000;
/// Devices that have asked and that nobody has approved; the one that asked longest ago makes room.
const MOST_STRANGERS: usize = 256;
/// Transfers that are remembered, and rows of them that are kept.
pub const MOST_TRANSFERS: usize = 10_000;
/// The longest approval window, in minutes.
pub const LONGEST_WINDOW_MIN: u32 = 24 * 60;

/// What provisioning serves and to whom.
#[derive(Debug)]
pub struct Provision {
    catalogue: Catalogue,
    renderer: Renderer,
    site: Site,
    /// Where the secret folders are: `http://192.0.2.1:8069`, without a slash at its end.
    base_url: Option<String>,
    guesses: Guesses,
    strangers: BTreeMap<Mac, Stranger>,
    transfers: VecDeque<Transfer>,
    next_transfer: u64,
    /// How many transfers were ever remembered, and how many of them were handed over.
    noted: u64,
    handed_over: u64,
    /// Transfers that were handed over and are forgotten.
    gone: Vec<u64>,
    /// Devices of which something new was seen.
    seen: BTreeSet<Mac>,
    pushes: push::Pushes,
    /// Where devices have registered, by MAC address and by Contact URI.
    contacts: BTreeMap<Mac, Place>,
    by_contact: BTreeMap<String, Mac>,
    /// From where files are served by TFTP; empty: from everywhere.
    tftp_networks: Vec<Network>,
    /// Devices whose credential before the present one may still hold.
    rotating: BTreeSet<Mac>,
    /// What dates are told and kept by.
    wall: Wall,
    rng: Rng,
    changes: Vec<Change>,
}

/// Where a device has registered.
#[derive(Clone, Debug)]
struct Place {
    contact: String,
    call_id: String,
}

impl Provision {
    /// Provisioning with what was kept.
    pub fn new(
        renderer: Renderer,
        site: Site,
        base_url: Option<String>,
        restored: Restored,
        seed: [u8; 32],
    ) -> Self {
        let mut transfers = restored.transfers;
        transfers.sort_by_key(|transfer| transfer.id);
        let next_transfer = transfers.last().map_or(0, |last| last.id + 1);
        let noted = transfers.len() as u64;
        let mut provision = Self {
            catalogue: Catalogue::default(),
            renderer,
            site,
            base_url,
            guesses: Guesses::default(),
            strangers: BTreeMap::new(),
            transfers: transfers.into(),
            next_transfer,
            noted,
            handed_over: noted,
            gone: Vec::new(),
            seen: BTreeSet::new(),
            pushes: push::Pushes::default(),
            contacts: BTreeMap::new(),
            by_contact: BTreeMap::new(),
            tftp_networks: Vec::new(),
            rotating: BTreeSet::new(),
            wall: Wall::default(),
            rng: Rng::new(seed),
            changes: Vec::new(),
        };
        for device in restored.devices.into_iter().take(MOST_DEVICES) {
            provision.rotating.extend(device.before.is_some().then_some(device.mac));
            provision.catalogue.insert(device);
        }
        restored.redirects.into_iter().for_each(|row| provision.catalogue.redirects.restore(row));
        let mut numbers: BTreeSet<String> = provision.catalogue.numbers().cloned().collect();
        numbers.extend(restored.numbers);
        numbers.into_iter().for_each(|number| provision.tell_accounts(number));
        provision
    }

    /// What was seen since this was asked last: transfers, and what devices did. It may be kept a little later,
    /// many at a time.
    pub fn take_notes(&mut self) -> Vec<Change> {
        let first = self.noted - self.transfers.len() as u64;
        let skipped = usize::try_from(self.handed_over.saturating_sub(first)).unwrap_or(usize::MAX);
        self.handed_over = self.noted;
        let gone = std::mem::take(&mut self.gone).into_iter().map(Change::TransferGone);
        let new = self.transfers.iter().skip(skipped).map(|it| Change::Transfer(Box::new(it.clone())));
        let mut notes: Vec<Change> = gone.chain(new).collect();
        let seen = std::mem::take(&mut self.seen).into_iter().filter_map(|mac| self.catalogue.device(mac));
        notes.extend(seen.map(|device| Change::Device(Box::new(device.clone()))));
        notes
    }

    /// What is to be kept and told at once since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Whether files of the folder that is served as it is are there: without it none is looked for.
    pub fn serve_files(&mut self, on: bool) {
        self.catalogue.has_files = on;
    }

    /// Serves files by TFTP, which knows neither secrets nor users, to these networks alone.
    pub fn limit_tftp(&mut self, networks: Vec<Network>) {
        self.tftp_networks = networks;
    }

    fn is_refused(&self, request: &Request<'_>) -> bool {
        let all = &self.tftp_networks;
        request.transport == Transport::Tftp
            && !all.is_empty()
            && !all.iter().any(|network| network.has(request.from))
    }

    /// The wall clock is where it is: what is told and kept as a date follows it, deadlines do not.
    pub fn set_wall(&mut self, wall: Wall) {
        self.wall = wall;
    }

    /// Opens the approval window: unknown phones are listed and devices are served by their bare MAC
    /// address for that long. Returns when it closes.
    pub fn open_window(&mut self, now: Time, minutes: u32) -> Time {
        let minutes = u64::from(minutes.clamp(1, LONGEST_WINDOW_MIN));
        let until = now + Duration::from_secs(60 * minutes);
        self.catalogue.window_until = Some(until);
        until
    }

    /// Closes it.
    pub fn close_window(&mut self) {
        self.catalogue.window_until = None;
    }

    /// When the approval window closes, where it is open.
    pub fn window(&self, now: Time) -> Option<Time> {
        self.catalogue.window_until.filter(|until| now < *until)
    }

    /// Answers a request; [`Self::ended`] is to follow.
    pub fn begin(&mut self, now: Time, request: &Request<'_>) -> Begun {
        let (throttled, refused) = (self.guesses.is_throttled(now, request.from), self.is_refused(request));
        let answer =
            if throttled || refused { Answer::Silence } else { resolve(now, request, &self.catalogue) };
        let mut transfer = self.transfer(now, request);
        let content = match answer {
            Answer::Configuration(mac) => {
                transfer.mac = Some(mac);
                self.configuration(mac, &mut transfer)
            }
            Answer::Elsewhere(mac) => {
                transfer.mac = Some(mac);
                let led = self.catalogue.redirects.url(mac).map(str::to_owned);
                led.or_else(|| self.url_of(mac)).map_or(Content::NotFound, Content::Elsewhere)
            }
            Answer::File(names) => Content::File(names),
            Answer::NotFound => Content::NotFound,
            Answer::Guess => {
                self.guesses.note(now, request.from);
                Content::NotFound
            }
            Answer::Stranger { mac, foreign } => {
                self.note_stranger(now, mac, request.from, request.user_agent, foreign);
                Content::NotFound
            }
            Answer::Silence => Content::Silence,
        };
        match content {
            Content::NotFound if transfer.result.is_empty() => "not-found".clone_into(&mut transfer.result),
            Content::Silence if refused => "refused".clone_into(&mut transfer.result),
            Content::Silence => "throttled".clone_into(&mut transfer.result),
            _ => {}
        }
        self.note_asked(now, &transfer, request.user_agent);
        Begun { answer: content, transfer }
    }

    /// A transfer is over; `result` is `ok` or why not.
    pub fn ended(&mut self, now: Time, begun: Begun, bytes: u64, result: &str) {
        let mut transfer = begun.transfer;
        transfer.ms = self.wall.at(now).as_millis().saturating_sub(transfer.at);
        transfer.bytes = bytes;
        if transfer.result.is_empty() {
            result.clone_into(&mut transfer.result);
        }
        let device = transfer.mac.and_then(|mac| self.catalogue.device_mut(mac));
        if let Some(device) = device.filter(|_| matches!(begun.answer, Content::Text(_))) {
            device.now.note(ServedFile {
                file: transfer.file.clone(),
                at: transfer.at,
                bytes,
                transport: transfer.transport.clone(),
                status: transfer.result.clone(),
            });
            let (mac, has_come) = (device.mac, matches!(&*transfer.result, "ok" | "unchanged"));
            let is_applied = has_come && device.is_applied;
            device.now.applied =
                if is_applied { Some(self.wall.at(now).as_millis()) } else { device.now.applied };
            self.seen.insert(mac);
            if has_come {
                self.pushes.seen(self.wall.at(now), mac, push::Sign::Fetched);
            }
            if is_applied {
                self.pushes.seen(self.wall.at(now), mac, push::Sign::Applied);
            }
        }
        self.keep_transfer(transfer);
    }

    /// Where a phone that asks by PnP finds its files: none for one that is not to be answered. One that
    /// nobody knows is listed within the approval window.
    pub fn pnp(&mut self, now: Time, asked: &PnpAsked, from: IpAddr) -> Option<String> {
        let ready = self.catalogue.device(asked.mac).is_some_and(Device::is_ready);
        if !ready {
            if self.window(now).is_some() {
                self.note_stranger(now, asked.mac, from, Some(&asked.words()), None);
            }
            return None;
        }
        let url = self.url_of(asked.mac)?;
        if let Some(device) = self.catalogue.device_mut(asked.mac) {
            device.now.asked = Some(self.wall.at(now).as_millis());
            (device.now.last_seen, device.now.address) = (Some(self.wall.at(now).as_millis()), Some(from));
            device.now.firmware = asked.version.clone().or(device.now.firmware.take());
            self.seen.insert(asked.mac);
            self.pushes.seen(self.wall.at(now), asked.mac, push::Sign::Started);
        }
        Some(url)
    }

    /// The devices that are served, each with its folder.
    pub fn folders(&self) -> Vec<(Mac, String)> {
        let ready = self.catalogue.devices().filter(|device| device.is_ready());
        ready.filter_map(|device| Some((device.mac, self.url_of(device.mac)?))).collect()
    }

    /// The folder of a device, where folders can be reached.
    pub fn url_of(&self, mac: Mac) -> Option<String> {
        let (base, device) = (self.base_url.as_ref()?, self.catalogue.device(mac)?);
        Some(format!("{base}/p/{}/", device.token.expose()))
    }

    /// A device has registered with that digest user, that Contact URI and that Call-ID. With the newest
    /// user it has applied its newest file, and its older accounts end.
    pub fn registered(&mut self, now: Time, user: &str, contact: &str, call_id: &str) {
        let Some(mac) = user.split_once('-').and_then(|(mac, _)| Mac::parse(mac)) else { return };
        let Some(device) = self.catalogue.device_mut(mac) else { return };
        let was_applied = device.is_applied;
        let Some(older_end) = device.registered(user) else { return };
        let at = Some(self.wall.at(now).as_millis());
        (device.now.registered, device.now.last_seen) = (at, at);
        let has_applied = device.is_applied && !was_applied;
        device.now.applied = if has_applied { at } else { device.now.applied };
        let number = device.number.clone();
        if older_end {
            self.changes.push(Change::Device(Box::new(device.clone())));
        }
        self.seen.insert(mac);
        if has_applied {
            self.pushes.seen(self.wall.at(now), mac, push::Sign::Applied);
        }
        self.pushes.seen(self.wall.at(now), mac, push::Sign::Registered);
        self.note_place(now, mac, Place { contact: contact.to_owned(), call_id: call_id.to_owned() });
        if let Some(number) = number.filter(|_| older_end) {
            self.tell_accounts(number);
        }
    }

    fn note_place(&mut self, now: Time, mac: Mac, place: Place) {
        let (contact, call_id) = (place.contact.clone(), place.call_id.clone());
        if let Some(old) = self.contacts.insert(mac, place) {
            self.by_contact.remove(&old.contact);
            if old.call_id != call_id {
                self.pushes.seen(self.wall.at(now), mac, push::Sign::Anew);
            }
        }
        self.by_contact.insert(contact, mac);
    }

    /// Tells devices to fetch their configuration, at most so many in a minute; after `stop_after` that do
    /// not answer no further one is told. Returns the number by which the push is asked about.
    ///
    /// # Errors
    /// One of the devices is not there.
    pub fn push(
        &mut self,
        now: Time,
        devices: Option<Vec<Mac>>,
        reboot: bool,
        per_minute: u32,
        stop_after: u32,
    ) -> Result<u64, String> {
        let all = || self.catalogue.devices().filter(|it| it.approved).map(|it| it.mac).collect();
        let devices: Vec<Mac> = devices.unwrap_or_else(all);
        if let Some(unknown) = devices.iter().find(|mac| self.catalogue.device(**mac).is_none()) {
            return Err(format!("there is no device {unknown}"));
        }
        Ok(self.pushes.begin(now, devices, reboot, per_minute, stop_after))
    }

    /// What has become of a push so far.
    pub fn push_rows(&self, number: u64) -> Option<&Push> {
        self.pushes.get(number)
    }

    /// The device at a Contact URI has answered check-sync with that status, or has not.
    pub fn check_synced(&mut self, now: Time, contact: &str, status: Option<u16>) {
        if let Some(mac) = self.by_contact.get(contact) {
            self.pushes.answered(self.wall.at(now), *mac, status);
        }
    }

    /// Tells the devices whose turn it is, and ends older credentials whose time is over.
    pub fn advance(&mut self, now: Time) {
        for (_, mac, reboot) in self.pushes.due(now, self.wall) {
            let number = self.catalogue.device(mac).and_then(|device| device.number.clone());
            match number.zip(self.contacts.get(&mac).map(|place| place.contact.clone())) {
                Some((number, contact)) => self.changes.push(Change::CheckSync { number, contact, reboot }),
                None => self.pushes.answered(self.wall.at(now), mac, None),
            }
        }
        self.end_credentials(now);
    }

    fn end_credentials(&mut self, now: Time) {
        let until_s = |mac: &Mac| self.catalogue.device(*mac)?.before.as_ref().map(|before| before.until_s);
        let over = |mac: &Mac| until_s(mac).is_none_or(|until_s| until_s <= now.as_secs());
        let all: Vec<Mac> = self.rotating.iter().copied().filter(over).collect();
        for mac in all {
            self.rotating.remove(&mac);
            if self.catalogue.device(mac).is_some_and(|device| device.before.is_some()) {
                self.change(mac, |device| device.before = None);
            }
        }
    }

    /// The devices, by MAC address.
    pub fn devices(&self) -> impl Iterator<Item = DeviceView<'_>> {
        self.catalogue.devices().map(DeviceView::of)
    }

    /// One device.
    pub fn device(&self, mac: Mac) -> Option<DeviceView<'_>> {
        self.catalogue.device(mac).map(DeviceView::of)
    }

    /// Phones that asked and that nobody has approved.
    pub fn strangers(&self) -> impl Iterator<Item = &Stranger> {
        self.strangers.values()
    }

    /// The newest transfers, the newest first.
    pub fn transfers(&self, most: usize) -> impl Iterator<Item = &Transfer> {
        self.transfers.iter().rev().take(most)
    }

    /// Sets what is named of a device, which is new where there is none of that MAC address.
    ///
    /// # Errors
    /// What cannot be, in words.
    pub fn edit(&mut self, mac: Mac, edit: Edit) -> Result<(), String> {
        let known = self.catalogue.device(mac);
        if known.is_none() && self.catalogue.len() >= MOST_DEVICES {
            return Err(format!("there are {MOST_DEVICES} devices already"));
        }
        let device = self.edited(mac, edit)?;
        self.set(device);
        Ok(())
    }

    /// Sets what is named of many devices: of all or of none.
    ///
    /// # Errors
    /// The first that cannot be, in words.
    pub fn import(&mut self, rows: Vec<(Mac, Edit)>) -> Result<usize, String> {
        let new = rows.iter().filter(|(mac, _)| self.catalogue.device(*mac).is_none()).count();
        if self.catalogue.len() + new > MOST_DEVICES {
            return Err(format!("there would be more than {MOST_DEVICES} devices"));
        }
        let edited = rows.into_iter().map(|(mac, edit)| self.edited(mac, edit));
        let devices = edited.collect::<Result<Vec<Device>, String>>()?;
        let count = devices.len();
        devices.into_iter().for_each(|device| self.set(device));
        Ok(count)
    }

    /// The device as it would be.
    fn edited(&mut self, mac: Mac, edit: Edit) -> Result<Device, String> {
        let known = self.catalogue.device(mac).cloned();
        let mut device = known.unwrap_or_else(|| Device::new(mac, Model::usual().name, &mut self.rng));
        edit.apply(&mut device);
        device.check()?;
        if let Some(template) = device.template.as_ref().filter(|name| !self.renderer.has(name)) {
            return Err(format!("there is no template {template}"));
        }
        if device.template.is_none() && !knows_model(&device.model) {
            return Err(format!(
                "no template is known for the model {}; name one by `template`",
                device.model
            ));
        }
        Ok(device)
    }

    fn set(&mut self, device: Device) {
        let before = self.catalogue.device(device.mac).and_then(|known| known.number.clone());
        let after = device.number.clone();
        self.strangers.remove(&device.mac);
        self.changes.push(Change::Device(Box::new(device.clone())));
        self.catalogue.insert(device);
        for number in [before, after].into_iter().flatten().collect::<BTreeSet<_>>() {
            self.tell_accounts(number);
        }
    }

    /// Removes a device with its credential; false where there is none.
    pub fn remove(&mut self, mac: Mac) -> bool {
        let Some(device) = self.catalogue.remove(mac) else { return false };
        if let Some(place) = self.contacts.remove(&mac) {
            self.by_contact.remove(&place.contact);
        }
        self.changes.push(Change::DeviceRemoved(mac));
        if let Some(number) = device.number {
            self.tell_accounts(number);
        }
        true
    }

    /// Gives a device a new credential; false where there is none. The old one holds until the new one
    /// has registered, 24 hours at most.
    pub fn rotate(&mut self, now: Time, mac: Mac) -> bool {
        let Self { catalogue, rng, .. } = self;
        let Some(device) = catalogue.device_mut(mac) else { return false };
        device.rotate(now, rng);
        self.rotating.insert(mac);
        let (number, changed) = (device.number.clone(), device.clone());
        self.changes.push(Change::Device(Box::new(changed)));
        if let Some(number) = number {
            self.tell_accounts(number);
        }
        true
    }

    /// What the device would be served, for an administrator; its secrets are not in it.
    ///
    /// # Errors
    /// There is no such device, or its template has a fault.
    pub fn preview(&self, mac: Mac) -> Result<String, String> {
        let device = self.catalogue.device(mac).ok_or_else(|| format!("there is no device {mac}"))?;
        let text = self.render(device).map_err(|fault| fault.to_string())?;
        Ok(device.without_secrets(text))
    }

    fn render(&self, device: &Device) -> Result<String, RenderFault> {
        let url = self.url_of(device.mac);
        self.renderer.configuration(device, None, &self.site, url.as_deref())
    }

    fn configuration(&mut self, mac: Mac, transfer: &mut Transfer) -> Content {
        match self.make(mac) {
            Ok(Some(text)) => Content::Text(text),
            Ok(None) => Content::NotFound,
            Err(fault) => {
                transfer.result = fault.to_string();
                Content::NotFound
            }
        }
    }

    /// Makes the file of a device; one that says something new names an account with another user.
    fn make(&mut self, mac: Mac) -> Result<Option<String>, RenderFault> {
        let Some(device) = self.catalogue.device(mac) else { return Ok(None) };
        let text = self.render(device)?;
        let Self { catalogue, rng, changes, .. } = self;
        let Some(device) = catalogue.device_mut(mac) else { return Ok(None) };
        if !device.serve(&text, rng) {
            return Ok(Some(text));
        }
        changes.push(Change::Device(Box::new(device.clone())));
        if let Some(number) = device.number.clone() {
            self.tell_accounts(number);
        }
        let Some(device) = self.catalogue.device(mac) else { return Ok(None) };
        let text = self.render(device)?;
        let shown = device.without_secrets(text.clone());
        self.changes.push(Change::Served { mac, text: shown });
        Ok(Some(text))
    }

    fn change(&mut self, mac: Mac, what: impl FnOnce(&mut Device)) {
        let Some(device) = self.catalogue.device_mut(mac) else { return };
        what(device);
        let (number, changed) = (device.number.clone(), device.clone());
        self.changes.push(Change::Device(Box::new(changed)));
        if let Some(number) = number {
            self.tell_accounts(number);
        }
    }

    fn tell_accounts(&mut self, number: String) {
        let approved = self.catalogue.of_number(&number).filter(|device| device.approved);
        let credentials = approved.flat_map(Device::credentials).flat_map(accounts).collect();
        self.changes.push(Change::Accounts { number, credentials });
    }

    fn note_stranger(
        &mut self,
        now: Time,
        mac: Mac,
        address: IpAddr,
        user_agent: Option<&str>,
        foreign: Option<&'static str>,
    ) {
        if self.catalogue.device(mac).is_some() {
            return;
        }
        if !self.strangers.contains_key(&mac) && self.strangers.len() >= MOST_STRANGERS {
            let oldest = self.strangers.values().min_by_key(|it| it.asked).map(|it| it.mac);
            oldest.map(|mac| self.strangers.remove(&mac));
        }
        let user_agent = user_agent.map(short);
        let stranger = Stranger { mac, asked: self.wall.at(now).as_millis(), address, user_agent, foreign };
        self.strangers.insert(mac, stranger);
    }

    fn note_asked(&mut self, now: Time, transfer: &Transfer, user_agent: Option<&str>) {
        // Whoever only names a device is not the device: what he says of himself is not noted.
        let is_served = transfer.result.is_empty();
        let device = transfer.mac.filter(|_| is_served).and_then(|mac| self.catalogue.device_mut(mac));
        let Some(device) = device else { return };
        let now = Some(self.wall.at(now).as_millis());
        (device.now.asked, device.now.last_seen, device.now.address) = (now, now, Some(transfer.peer));
        if let Some(user_agent) = user_agent {
            let words: Vec<&str> = user_agent.split_whitespace().collect();
            device.now.firmware = words.get(2).map(|word| short(word)).or(device.now.firmware.take());
            device.now.user_agent = Some(short(user_agent));
        }
    }

    fn transfer(&mut self, now: Time, request: &Request<'_>) -> Transfer {
        let id = self.next_transfer;
        self.next_transfer += 1;
        let path = Path::read(request.path);
        let mac = match path.as_ref().map(|path| path.asked) {
            Some(Asked::Own { mac, .. }) => Some(mac),
            _ => None,
        };
        let names = path.map(|path| path.names.join("/"));
        Transfer {
            id,
            at: self.wall.at(now).as_millis(),
            peer: request.from,
            transport: request.transport.name().to_owned(),
            file: names.unwrap_or_else(|| short(request.path)),
            mac,
            bytes: 0,
            ms: 0,
            result: String::new(),
        }
    }

    fn keep_transfer(&mut self, transfer: Transfer) {
        if self.transfers.len() >= MOST_TRANSFERS {
            // What was never handed over need not be taken back.
            let was_handed_over = self.noted - (self.transfers.len() as u64) < self.handed_over;
            let oldest = self.transfers.pop_front().filter(|_| was_handed_over);
            self.gone.extend(oldest.map(|oldest| oldest.id));
        }
        self.noted += 1;
        self.transfers.push_back(transfer);
    }
}

use crate::settings::Model;

/// One credential for each of its users.
fn accounts(all: &Credential) -> impl Iterator<Item = Credential> {
    let of = |user: &String| Credential { user: user.clone(), earlier: Vec::new(), ..all.clone() };
    all.users().map(of)
}

/// A text of a stranger as it may be kept and shown.
fn short(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).take(96).collect()
}
