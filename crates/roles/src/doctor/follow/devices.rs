//! Devices by what they say of themselves, and sources that try many numbers.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use proto::sip::Method;

use super::ground::Map;
use super::said::kept;
use crate::doctor::Proof;
use crate::doctor::tracks::{Device, Mac, Scanner, Tracks, Transaction, mac_text};

/// Devices of one case.
pub const LIMIT: usize = 65_536;
/// Hardware addresses of which the IP addresses are counted.
pub const MACS_LIMIT: usize = 65_536;
/// Sources whose requests are counted.
pub const SOURCES_LIMIT: usize = 4_096;
const ACCOUNTS_LIMIT: usize = 32;
const PROOFS_LIMIT: usize = 12;
const USERS_LIMIT: usize = 1_000;
/// So many different users of one source are a scan that is told; what it means is for the rules.
const MANY_USERS: usize = 10;

/// Who is who.
#[derive(Debug, Default)]
pub struct Devices {
    by_address: Map<IpAddr, u32>,
    /// The IP addresses of each hardware address, three at most: with more it is a router's.
    macs: Map<Mac, Vec<IpAddr>>,
    mac_of: Map<IpAddr, (Mac, Option<u16>)>,
    sources: Map<IpAddr, Source>,
    order: Vec<IpAddr>,
}

#[derive(Debug, Default)]
struct Source {
    user_agent: Option<Box<str>>,
    proofs: Vec<Proof>,
    requests: u64,
    users: BTreeSet<u64>,
    refused: u64,
    accepted: u64,
}

impl Devices {
    /// A packet of this address came in a frame of this hardware address.
    pub fn seen(&mut self, mac: Mac, address: IpAddr, vlan: Option<u16>) {
        if let Some((known, _)) = self.mac_of.get(&address)
            && *known == mac
        {
            return;
        }
        if self.mac_of.len() >= MACS_LIMIT || self.macs.len() >= MACS_LIMIT {
            return;
        }
        self.mac_of.insert(address, (mac, vlan));
        let addresses = self.macs.entry(mac).or_default();
        if addresses.len() < 3 && !addresses.contains(&address) {
            addresses.push(address);
        }
    }

    /// Somebody at this address says what it is.
    pub fn named(
        &mut self,
        tracks: &mut Tracks,
        address: IpAddr,
        user_agent: Option<&str>,
        account: Option<&str>,
    ) {
        let index = match self.by_address.get(&address) {
            Some(&index) => index,
            None if tracks.devices.len() >= LIMIT => return tracks.leave_out("devices"),
            None => {
                tracks.devices.push(Device { addresses: vec![address], ..Device::default() });
                let index = tracks.devices.len() as u32 - 1;
                self.by_address.insert(address, index);
                index
            }
        };
        let Some(device) = tracks.devices.get_mut(index as usize) else { return };
        if let Some(user_agent) = user_agent
            && device.user_agent.is_none()
        {
            device.user_agent = Some(user_agent.into());
            (device.model, device.firmware) = model_and_firmware(user_agent);
        }
        if let Some(account) = account
            && !account.is_empty()
            && device.accounts.len() < ACCOUNTS_LIMIT
            && !device.accounts.iter().any(|known| **known == *account)
        {
            device.accounts.push(account.into());
        }
    }

    /// A request to a server has begun or was answered finally.
    pub fn request(&mut self, transaction: &Transaction, proof: Proof, status: Option<u16>) {
        if !matches!(
            transaction.method,
            Method::Register | Method::Invite | Method::Options | Method::Subscribe
        ) {
            return;
        }
        let Some(request) = transaction.request.as_ref().filter(|request| request.to.tag.is_empty()) else {
            return;
        };
        let address = transaction.path.source.ip();
        if !self.sources.contains_key(&address) {
            if self.sources.len() >= SOURCES_LIMIT {
                return;
            }
            self.order.push(address);
        }
        let source = self.sources.entry(address).or_default();
        match status {
            Some(200..300) => source.accepted += 1,
            Some(400..700) if transaction.has_credentials() => source.refused += 1,
            Some(403 | 404 | 604) => source.refused += 1,
            Some(_) => {}
            None => {
                source.requests += 1;
                source.user_agent = source.user_agent.take().or_else(|| request.user_agent.clone());
                if source.proofs.len() < PROOFS_LIMIT {
                    source.proofs.push(proof);
                }
                if source.users.len() < USERS_LIMIT {
                    let mut hasher = DefaultHasher::new();
                    request.to.user.hash(&mut hasher);
                    source.users.insert(hasher.finish());
                }
            }
        }
    }

    /// The case is over.
    pub fn finish(&mut self, tracks: &mut Tracks) {
        self.add_leases(tracks);
        for device in &mut tracks.devices {
            let Some(&address) = device.addresses.first() else { continue };
            let Some(&(mac, vlan)) = self.mac_of.get(&address) else { continue };
            device.vlan = vlan;
            // A hardware address with many IP addresses is a router's.
            let addresses = self.macs.get(&mac).map_or(0, Vec::len);
            if device.mac.is_none() && addresses <= 2 && !is_made_up(mac) {
                device.mac = Some(mac);
            }
        }
        for neighbour in &tracks.neighbours {
            let shown = format!("{} {}", neighbour.name, neighbour.port);
            for device in &mut tracks.devices {
                if !neighbour.is_endpoint && device.neighbour.is_none() && tracks.files.len() == 1 {
                    device.neighbour = Some(kept(shown.trim()));
                }
            }
        }
        for address in std::mem::take(&mut self.order) {
            let Some(source) = self.sources.remove(&address) else { continue };
            if source.users.len() >= MANY_USERS && source.accepted < source.requests {
                tracks.scanners.push(Scanner {
                    address,
                    user_agent: source.user_agent,
                    proofs: source.proofs,
                    requests: source.requests,
                    users: source.users.len() as u32,
                    refused: source.refused,
                    accepted: source.accepted,
                });
            }
        }
    }

    /// DHCP clients are devices too, and know their hardware address best.
    fn add_leases(&mut self, tracks: &mut Tracks) {
        for index in 0..tracks.leases.len() {
            let lease = &tracks.leases[index];
            let (mac, address, vendor) = (lease.mac, lease.address, lease.vendor.clone());
            let Some(address) = address else { continue };
            if !self.by_address.contains_key(&address) && vendor.is_none() {
                continue;
            }
            self.named(tracks, address, vendor.as_deref(), None);
            let device =
                self.by_address.get(&address).and_then(|&index| tracks.devices.get_mut(index as usize));
            if let Some(device) = device {
                device.mac = Some(mac);
            }
        }
    }
}

/// Addresses that our own writer makes out of IP addresses tell nothing of hardware.
fn is_made_up(mac: Mac) -> bool {
    mac[..2] == [0x02, 0x00] || mac == [0; 6]
}

/// The model and the firmware out of a User-Agent: `FLYINGVOICE FIP13G SV0.6.59(…) …`,
/// `Yealink SIP-T46S 66.84.0.15`, `snomD385/10.1.54.13`, `Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21`.
pub fn model_and_firmware(user_agent: &str) -> (Option<Box<str>>, Option<Box<str>>) {
    let words = || user_agent.split([' ', '/', '(', ')', ',']).filter(|word| !word.is_empty());
    let has_digit = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    let is_version = |word: &str| {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        word.len() - digits.len() <= 2
            && digits.split('.').count() >= 2
            && digits.bytes().next().is_some_and(|b| b.is_ascii_digit())
    };
    let is_mac = |word: &str| word.len() >= 12 && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    let firmware = words().find(|word| is_version(word));
    let model = words().find(|word| {
        has_digit(word)
            && !is_version(word)
            && !is_mac(word)
            && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    });
    (model.map(kept), firmware.map(kept))
}

/// The hardware address in a User-Agent or a URI, as twelve hex digits in lower case.
pub fn mac_in(text: &str) -> Option<Box<str>> {
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() || c == ':' || c == '-'));
    words.map(|word| (word.contains([':', '-']), word.replace([':', '-'], "").to_ascii_lowercase())).find_map(
        |(divided, word)| {
            // `MAC0021f222abd9` begins with letters that are hex digits too.
            let tail = word.get(word.len().checked_sub(12)?..)?;
            // `y000000000046.cfg` is the file of all phones of a model.
            let is_model = tail.starts_with("0000000000");
            let plausible = !is_model && (word.len() == 12 || (word.len() < 16 && !divided));
            (plausible && tail.bytes().any(|byte| byte.is_ascii_digit())).then(|| tail.into())
        },
    )
}

/// The hardware address of a device as the report writes it.
pub fn device_mac(device: &Device) -> Option<String> {
    device.mac.map(mac_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_user_agents_say() {
        let check = |text: &str, model: Option<&str>, firmware: Option<&str>| {
            let (m, f) = model_and_firmware(text);
            assert_eq!((m.as_deref(), f.as_deref()), (model, firmware), "{text}");
        };
        check("FLYINGVOICE FIP13G SV0.6.59(202112251856) 202112251856", Some("FIP13G"), Some("SV0.6.59"));
        check("Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21", Some("FIP14G"), Some("V0.7.3.1"));
        check("Yealink SIP-T46S 66.84.0.15", Some("SIP-T46S"), Some("66.84.0.15"));
        check("snomD385/10.1.54.13", Some("snomD385"), Some("10.1.54.13"));
        check("Asterisk PBX", None, None);
        check("Yeastar P550", Some("P550"), None);
    }

    #[test]
    fn hardware_addresses_in_text() {
        let check = |text: &str, mac: Option<&str>| assert_eq!(mac_in(text).as_deref(), mac, "{text}");
        check("Flyingvoice FIP14G V0.7.3.1 00:21:F2:22:B0:21", Some("0021f222b021"));
        check("MAC0021f222abd9", Some("0021f222abd9"));
        check("0021f222b021.cfg", Some("0021f222b021"));
        check("Yealink SIP-T46S 66.84.0.15", None);
    }

    #[test]
    fn one_address_with_many_ip_addresses_is_a_routers() {
        let (mut devices, mut tracks) = (Devices::default(), Tracks::default());
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        for last in 1..5 {
            devices.seen([0, 0x21, 0xf2, 0, 0, 1], ip(last), None);
        }
        devices.seen([0, 0x21, 0xf2, 0, 0, 2], ip(9), Some(50));
        devices.named(&mut tracks, ip(1), Some("a"), None);
        devices.named(&mut tracks, ip(9), Some("b"), Some("7001"));
        devices.finish(&mut tracks);
        assert_eq!((tracks.devices[0].mac, tracks.devices[1].mac.map(|mac| mac[5])), (None, Some(2)));
        assert_eq!(tracks.devices[1].vlan, Some(50));
    }

    #[test]
    fn the_file_of_a_model_names_no_device() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(mac_in(text).as_deref(), expected, "{text}");
        check("/y000000000000.boot", None);
        check("y000000000046.cfg", None);
        check("/0021f222b021.cfg", Some("0021f222b021"));
        check("MAC0021F222ABD9", Some("0021f222abd9"));
        check("00:00:00:12:34:56", Some("000000123456"));
    }
}
