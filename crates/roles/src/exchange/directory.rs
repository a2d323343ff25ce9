//! Who lives here: extensions, what they may do and where they are reached.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use proto::Time;
use proto::sip::digest::Ha1;
use proto::sip::{Flow, Target, Transport, Uri};
use serde::{Deserialize, Serialize};

use super::ids::ExtensionId;

/// The longest number, and the longest other text of an extension, in bytes.
const MAX_NUMBER_BYTES: usize = 32;
const MAX_TEXT_BYTES: usize = 256;
/// The longest time for which an extension rings, in seconds.
const MAX_RING_S: u16 = 600;
/// The most numbers that may make an extension's phones answer.
const MAX_CALLERS: usize = 1_000;

/// One extension as it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Extension {
    /// What others dial.
    pub number: String,
    /// The name of its digest account; mostly the number.
    pub username: String,
    /// The name shown to others.
    pub display: String,
    /// What is kept instead of its password.
    pub secret: Secret,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// How many devices it may have.
    pub devices: Devices,
    /// How many calls it may have at a time.
    pub max_calls: u8,
    /// Where its calls go instead.
    pub forward: Forward,
    /// Whether its calls are refused.
    pub do_not_disturb: bool,
    /// Extensions of one group answer each other's calls by the code of group pickup.
    pub pickup_group: Option<String>,
    /// Who may watch it and pick up its calls; `None`: every extension.
    pub watchers: Option<Vec<String>>,
    /// Who may make its phones answer by themselves.
    #[serde(default)]
    pub intercom: Intercom,
    /// Whether its calls are encrypted.
    #[serde(default)]
    pub encryption: Encryption,
    /// How many messages wait for it.
    #[serde(default)]
    pub messages: Messages,
}

impl Extension {
    /// An enabled extension whose account bears its number.
    pub fn new(number: &str, realm: &str, password: &str) -> Self {
        Self {
            number: number.to_owned(),
            username: number.to_owned(),
            display: number.to_owned(),
            secret: Secret::from(Ha1::new(number, realm, password)),
            enabled: true,
            devices: Devices::default(),
            max_calls: 8,
            forward: Forward::default(),
            do_not_disturb: false,
            pickup_group: None,
            watchers: None,
            intercom: Intercom::default(),
            encryption: Encryption::default(),
            messages: Messages::default(),
        }
    }

    /// Whether number and texts can stand in the headers of messages.
    ///
    /// # Errors
    /// One of them cannot; which, in words.
    pub fn check(&self) -> Result<(), String> {
        check_number(&self.number)?;
        let forward = &self.forward;
        let targets = [&forward.always, &forward.busy, &forward.no_answer].into_iter().flatten();
        let texts = [&self.username, &self.display].into_iter().chain(&self.pickup_group).chain(targets);
        let callers: &[String] = if let Intercom::Numbers(numbers) = &self.intercom { numbers } else { &[] };
        if callers.len() > MAX_CALLERS {
            return Err(format!(
                "the list of intercom callers of {} has more than {MAX_CALLERS}",
                self.number
            ));
        }
        if self.forward.no_answer_s > MAX_RING_S {
            return Err(format!("extension {} rings for {MAX_RING_S} seconds at most", self.number));
        }
        for text in texts.chain(self.watchers.iter().flatten()).chain(callers) {
            if text.len() > MAX_TEXT_BYTES || text.contains(char::is_control) {
                return Err(format!(
                    "a text of extension {} has more than {MAX_TEXT_BYTES} bytes or control characters",
                    self.number
                ));
            }
        }
        Ok(())
    }

    /// Whether `number` may make its phones answer by themselves by the code of intercom.
    pub fn may_be_opened_by(&self, number: &str) -> bool {
        match &self.intercom {
            Intercom::ByCode => self.may_be_watched_by(number),
            Intercom::Nobody => false,
            Intercom::Everybody => true,
            Intercom::Numbers(numbers) => numbers.iter().any(|known| known == number),
        }
    }

    /// Whether `number` may also do so by headers of its own call, as paging programs and intercom keys do:
    /// only where that is said expressly.
    pub fn may_be_opened_by_headers_of(&self, number: &str) -> bool {
        self.intercom != Intercom::ByCode && self.may_be_opened_by(number)
    }

    /// Whether `number` may watch this extension and pick up its calls.
    pub fn may_be_watched_by(&self, number: &str) -> bool {
        number == self.number || self.watchers.as_ref().is_none_or(|list| list.iter().any(|n| n == number))
    }
}

/// Who may make the phones of an extension answer by themselves, which opens a microphone there.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Intercom {
    /// Whoever may watch it, by dialling the code of intercom alone: what a caller's own headers ask for is
    /// left out.
    #[default]
    ByCode,
    /// Nobody.
    Nobody,
    /// Every extension, by the code or by headers of its own.
    Everybody,
    /// These extensions, by the code or by headers of their own.
    Numbers(Vec<String>),
}

/// A number stands in URIs and is dialled: it holds nothing that would have to be escaped. `.` and `..` are
/// none, since in the path of a URL they mean something else (RFC 3986 §5.2.4).
///
/// # Errors
/// It does; says what a number is.
pub fn check_number(number: &str) -> Result<(), &'static str> {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '+' | '-' | '.' | '_');
    let is_path = matches!(number, "." | "..");
    let fits =
        !number.is_empty() && number.len() <= MAX_NUMBER_BYTES && number.chars().all(sound) && !is_path;
    if fits {
        Ok(())
    } else {
        Err("a number has 1 to 32 letters, digits and signs of *+-._, and is not . or ..")
    }
}

/// How many messages wait in somebody's mailbox (RFC 3842).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// Not heard yet.
    pub new: u32,
    /// Heard and kept.
    pub old: u32,
}

/// Whether the sound of an extension's calls is encrypted between its devices and the exchange (deck,
/// "check whether the account set SRTP on the PBX server").
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// Its devices are offered what the caller offers, and may call as they like.
    #[default]
    AsOffered,
    /// Its devices are offered no keys.
    Never,
    /// Its devices are offered encryption alone, and refused with 488 where they call without.
    Always,
}

/// The hashes of one account (RFC 7616 §3.4.2). As good as the password, so never shown.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize)]
pub struct Secret {
    md5: [u8; 16],
    sha256: [u8; 32],
}

impl From<Ha1> for Secret {
    fn from(ha1: Ha1) -> Self {
        Self { md5: ha1.md5, sha256: ha1.sha256 }
    }
}

impl From<Secret> for Ha1 {
    fn from(secret: Secret) -> Self {
        Self { md5: secret.md5, sha256: secret.sha256 }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How many devices may register for one extension.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// The most contacts at a time.
    pub most: u8,
    /// What happens to one more: the oldest makes room, or it is refused with 403.
    pub replace_oldest: bool,
}

impl Default for Devices {
    fn default() -> Self {
        Self { most: 8, replace_oldest: true }
    }
}

/// Where calls of an extension go, by reason.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// All calls.
    pub always: Option<String>,
    /// While it is on a call; wins over call waiting.
    pub busy: Option<String>,
    /// After it rang for `no_answer_s`, or where no device is registered.
    pub no_answer: Option<String>,
    /// How long it rings, in seconds; 0 takes the exchange's own time.
    pub no_answer_s: u16,
}

/// The account that one device has at an extension beside the extension's own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct DeviceAccount {
    /// The user of its digest, nobody else's.
    pub user: String,
    /// What is kept instead of its password.
    pub secret: Secret,
}

impl DeviceAccount {
    /// An account with that password.
    pub fn new(user: &str, realm: &str, password: &str) -> Self {
        Self { user: user.to_owned(), secret: Secret::from(Ha1::new(user, realm, password)) }
    }
}

/// One device of an extension as it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Binding {
    /// Whose.
    pub number: String,
    /// The Contact URI as it came.
    pub contact: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// Our address that it registered at.
    pub local: SocketAddr,
    /// Where its packets come from; calls go there, whatever its Contact says.
    pub remote: SocketAddr,
    /// The proxies between, as Route values in the order to be visited (RFC 3327).
    #[serde(default)]
    pub path: Vec<String>,
    /// Seconds since 1970 until which it stands.
    #[serde(rename = "expires_at", alias = "expires_at_s", with = "crate::stamp::s")]
    pub expires_at_s: u64,
    /// The Call-ID of its REGISTERs.
    pub call_id: String,
    /// The CSeq of the last one.
    pub cseq: u32,
    /// Preference in thousandths.
    pub q: u16,
    /// Its User-Agent, cut at 64 bytes.
    pub user_agent: String,
    /// The user of the account of its own with which it registered; none for the extension's account.
    #[serde(default)]
    pub user: Option<String>,
    /// Whether it answers the OPTIONS that it is sent now and then.
    pub reachable: bool,
}

impl Binding {
    /// The flow to it.
    pub fn flow(&self) -> Flow {
        let transport = Transport::from_name(&self.transport).unwrap_or_default();
        Flow { transport, local: self.local, remote: self.remote }
    }

    /// Where its requests go.
    pub fn targets(&self) -> Vec<Target> {
        ways_to(self.flow(), &self.contact)
    }

    /// Whether it stands at `now`.
    pub fn is_live(&self, now: Time) -> bool {
        self.expires_at_s > now.as_secs()
    }
}

/// How near a sender is to the devices of an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nearness {
    /// It speaks as one of them registered: same transport, address and port.
    Device,
    /// One of them is registered at its address.
    Home,
    /// None of them is.
    Away,
}

/// The ways to a device: where its packets come from; and where that was a connection which may be gone,
/// by one of our own to where it says that it listens. That only at the address which it has shown to be its
/// own, so that a faked Contact leads nothing to a victim.
pub(super) fn ways_to(flow: Flow, contact: &str) -> Vec<Target> {
    let way = |remote| Target { transport: flow.transport, remote, name: None };
    let listens = Uri::parse(contact).filter(|_| flow.transport.is_reliable()).and_then(|uri| {
        let ip = uri.ip().filter(|ip| ip.to_canonical() == flow.remote.ip().to_canonical())?;
        let is_same = uri.transport().is_none_or(|transport| transport == flow.transport);
        let port = uri.port.unwrap_or(flow.transport.default_port());
        is_same.then(|| SocketAddr::new(ip, port)).filter(|at| *at != flow.remote)
    });
    std::iter::once(flow.remote).chain(listens).map(way).collect()
}

/// An extension and its devices: what is kept. What goes on with it belongs to those who do it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) extension: Extension,
    /// Its devices, the oldest first.
    pub(super) bindings: Vec<Arc<Binding>>,
    /// Nobody lives here: calls are parked at this number.
    pub(super) is_place: bool,
}

/// All extensions.
#[derive(Debug, Default)]
pub(super) struct Directory {
    entries: Vec<Option<Entry>>,
    by_number: HashMap<Arc<str>, ExtensionId>,
    by_username: HashMap<Arc<str>, ExtensionId>,
    /// Accounts of single devices, by their user; and their users by number. Whoever administers devices
    /// tells them, whether the extension is there yet or not.
    of_devices: HashMap<String, (Arc<str>, Secret)>,
    device_users: BTreeMap<Arc<str>, Vec<String>>,
}

impl Directory {
    /// Sets the accounts that devices have at a number, all of them.
    pub(super) fn set_device_accounts(&mut self, number: &str, accounts: Vec<DeviceAccount>) {
        let number: Arc<str> = number.into();
        for user in self.device_users.remove(&number).unwrap_or_default() {
            self.of_devices.remove(&user);
        }
        if accounts.is_empty() {
            return;
        }
        let users = accounts.iter().map(|account| account.user.clone()).collect();
        self.device_users.insert(number.clone(), users);
        let all = accounts.into_iter().map(|account| (account.user, (number.clone(), account.secret)));
        self.of_devices.extend(all);
    }

    /// The number of a device's account; none for any other user.
    pub(super) fn number_of_device(&self, user: &str) -> Option<&str> {
        self.of_devices.get(user).map(|(number, _)| &**number)
    }

    /// Takes the devices of a number out that registered with an account which is no longer theirs.
    pub(super) fn take_orphans(&mut self, number: &str) -> Vec<Arc<Binding>> {
        let of_devices = &self.of_devices;
        let is_orphan = |binding: &Arc<Binding>| {
            let user = binding.user.as_ref();
            user.is_some_and(|user| of_devices.get(user).is_none_or(|(of, _)| **of != *number))
        };
        let id = self.by_number.get(number).copied();
        let entry = id.and_then(|id| self.entries.get_mut(id.0 as usize)).and_then(Option::as_mut);
        let Some(entry) = entry else { return Vec::new() };
        let (orphans, others) = std::mem::take(&mut entry.bindings).into_iter().partition(is_orphan);
        entry.bindings = others;
        orphans
    }

    /// Sets an extension, new or not; its devices and calls stay.
    pub(super) fn set(&mut self, extension: Extension) -> ExtensionId {
        let (number, username) = (Arc::from(&*extension.number), Arc::from(&*extension.username));
        if let Some(id) = self.find(&extension.number) {
            if let Some(entry) = self.get_mut(id) {
                let old = std::mem::replace(&mut entry.extension, extension);
                self.by_username.remove(&*old.username);
            }
            self.by_username.insert(username, id);
            return id;
        }
        let id = ExtensionId(self.entries.len() as u32);
        self.entries.push(Some(Entry { extension, bindings: Vec::new(), is_place: false }));
        self.by_number.insert(number, id);
        self.by_username.insert(username, id);
        id
    }

    /// Removes an extension with everything about it.
    pub(super) fn remove(&mut self, id: ExtensionId) -> Option<Entry> {
        let entry = self.entries.get_mut(id.0 as usize)?.take()?;
        self.by_number.remove(&*entry.extension.number);
        self.by_username.remove(&*entry.extension.username);
        Some(entry)
    }

    /// Makes a number a parking place, unless somebody has it. A place can be watched and dialled; it has
    /// no account.
    pub(super) fn set_place(&mut self, number: &str, realm: &str, password: &str) {
        if self.find(number).is_some() {
            return;
        }
        let extension = Extension { enabled: false, ..Extension::new(number, realm, password) };
        let username = extension.username.clone();
        let id = self.set(extension);
        self.by_username.remove(&*username);
        if let Some(entry) = self.get_mut(id) {
            entry.is_place = true;
        }
    }

    /// The parking places, the lowest number first.
    pub(super) fn places(&self) -> impl Iterator<Item = ExtensionId> {
        self.iter().filter(|(_, entry)| entry.is_place).map(|(id, _)| id)
    }

    /// By number.
    pub(super) fn find(&self, number: &str) -> Option<ExtensionId> {
        self.by_number.get(number).copied()
    }

    /// By the name of its account.
    pub(super) fn find_by_username(&self, username: &str) -> Option<ExtensionId> {
        let own = self.by_username.get(username).copied();
        own.or_else(|| self.find(self.number_of_device(username)?))
    }

    /// What is kept of an account.
    pub(super) fn secret(&self, username: &str) -> Option<Ha1> {
        if let Some((_, secret)) = self.of_devices.get(username) {
            return Some((*secret).into());
        }
        let entry = self.get(self.find_by_username(username)?)?;
        Some(entry.extension.secret.into())
    }

    /// How near a sender is to the devices of an account.
    pub(super) fn nearness(&self, now: Time, account: Option<ExtensionId>, flow: Flow) -> Nearness {
        let bindings = account.and_then(|id| self.get(id)).map(|entry| &*entry.bindings).unwrap_or_default();
        let source = flow.remote.ip().to_canonical();
        let near = |device: &Binding| match device.flow() {
            known if known.transport == flow.transport && known.remote == flow.remote => Nearness::Device,
            known if known.remote.ip().to_canonical() == source => Nearness::Home,
            _ => Nearness::Away,
        };
        let live = bindings.iter().filter(|device| device.is_live(now));
        live.map(|device| near(device)).min_by_key(|nearness| *nearness as u8).unwrap_or(Nearness::Away)
    }

    pub(super) fn get(&self, id: ExtensionId) -> Option<&Entry> {
        self.entries.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: ExtensionId) -> Option<&mut Entry> {
        self.entries.get_mut(id.0 as usize)?.as_mut()
    }

    /// The number; empty where the extension is gone.
    pub(super) fn number(&self, id: ExtensionId) -> String {
        self.get(id).map(|entry| entry.extension.number.clone()).unwrap_or_default()
    }

    /// All in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ExtensionId, &Entry)> {
        (0..).map(ExtensionId).zip(&self.entries).filter_map(|(id, entry)| Some((id, entry.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_found_by_number_and_account() {
        let mut directory = Directory::default();
        let mut extension = Extension::new("7001", "offhook", "secret");
        let id = directory.set(extension.clone());
        assert_eq!(directory.find("7001"), Some(id));
        extension.username = "desk-1".into();
        assert_eq!(directory.set(extension), id);
        assert_eq!(directory.find_by_username("7001"), None);
        assert_eq!(directory.find_by_username("desk-1"), Some(id));
        directory.remove(id);
        assert_eq!(directory.iter().count(), 0);
        assert_eq!(directory.find("7001"), None);
    }

    #[test]
    fn a_device_has_an_account_of_its_own_until_it_is_taken() {
        let mut directory = Directory::default();
        let account = |user: &str| DeviceAccount::new(user, "offhook", "its password");
        directory.set_device_accounts("7001", vec![account("a-1"), account("b-1")]);
        assert_eq!(directory.find_by_username("a-1"), None, "the extension is not there yet");
        let id = directory.set(Extension::new("7001", "offhook", "secret"));
        assert_eq!(directory.find_by_username("a-1"), Some(id));
        assert_eq!(
            directory.secret("a-1").map(|it| it.md5),
            Some(Ha1::new("a-1", "offhook", "its password").md5)
        );
        assert_eq!(directory.number_of_device("7001"), None);
        directory.set_device_accounts("7001", vec![account("b-1")]);
        assert!(directory.secret("a-1").is_none() && directory.secret("b-1").is_some());
        directory.remove(id);
        assert_eq!(directory.find_by_username("b-1"), None);
        directory.set_device_accounts("7001", Vec::new());
        assert!(directory.of_devices.is_empty() && directory.device_users.is_empty());
    }

    #[test]
    fn numbers_and_texts_are_such_as_can_stand_in_messages() {
        assert!(["7001", "*04", "+49-30.1", "lobby_1"].iter().all(|number| check_number(number).is_ok()));
        let long = "7".repeat(33);
        for wrong in ["", ".", "..", "70 01", "7001@x", "7001;x", "ü", "#1", "<b>", &long] {
            assert!(check_number(wrong).is_err(), "{wrong}");
        }
        let mut extension = Extension::new("7001", "offhook", "secret");
        extension.display = "Jörg <b> \"x\"".into();
        assert_eq!(extension.check(), Ok(()));
        extension.forward.busy = Some("7002\r\nVia: x".into());
        assert!(extension.check().is_err_and(|fault| fault.contains("7001")));
    }

    #[test]
    fn a_device_whose_connection_is_gone_is_reached_where_it_listens() {
        let flow = |transport| Flow {
            transport,
            local: "192.0.2.100:5060".parse().expect("sound"),
            remote: "192.0.2.1:40000".parse().expect("sound"),
        };
        let ways = |transport, contact: &str| {
            let ways = ways_to(flow(transport), contact).into_iter();
            ways.map(|way| way.remote.to_string()).collect::<Vec<_>>().join(" ")
        };
        let own = "192.0.2.1:40000";
        assert_eq!(ways(Transport::Tcp, "sip:7001@192.0.2.1;transport=tcp"), format!("{own} 192.0.2.1:5060"));
        assert_eq!(
            ways(Transport::Tls, "sip:7001@192.0.2.1:5081;transport=tls"),
            format!("{own} 192.0.2.1:5081")
        );
        for contact in [
            "sip:7001@203.0.113.9:5060;transport=tcp",
            "sip:7001@192.0.2.1:40000",
            "sip:7001@a.example",
            "sip:7001@192.0.2.1;transport=udp",
        ] {
            assert_eq!(ways(Transport::Tcp, contact), own, "{contact}");
        }
        assert_eq!(ways(Transport::Udp, "sip:7001@192.0.2.1:5062"), own, "a NAT is in between");
    }

    #[test]
    fn a_secret_does_not_show() {
        let extension = Extension::new("7001", "offhook", "secret");
        assert!(!format!("{extension:?}").contains(&format!("{:?}", extension.secret.md5)));
    }
}
