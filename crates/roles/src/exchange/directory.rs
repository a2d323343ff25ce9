//! Who lives here: the extensions and their devices, found by number and by account.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use proto::Time;
use proto::sip::Flow;
use proto::sip::digest::Ha1;

use super::Change;
use super::binding::Binding;
use super::codes::Codes;
use super::extension::{DeviceAccount, Extension, Secret};
use super::ids::ExtensionId;
use super::turn::Turn;

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

/// An extension and its devices as they are kept. Legs, watchers, budgets and timers belong to their owners.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) extension: Extension,
    /// Its devices, the oldest first.
    pub(super) bindings: Vec<Arc<Binding>>,
    /// It is a parking place, not an extension.
    pub(super) is_place: bool,
}

/// An extension that was set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Put {
    /// Which.
    pub(super) id: ExtensionId,
    /// Why its devices and calls must end; none where they go on.
    pub(super) cut_off: Option<&'static str>,
}

/// All extensions.
#[derive(Debug, Default)]
pub(super) struct Directory {
    entries: Vec<Option<Entry>>,
    by_number: HashMap<Arc<str>, ExtensionId>,
    by_username: HashMap<Arc<str>, ExtensionId>,
    /// Accounts of single devices, by their user; and their users by number. The program sets them, also for a
    /// number whose extension is created later.
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

    /// Sets an extension because an administrator wants it, and says what follows from that for others.
    ///
    /// # Errors
    /// The number or the account name means something else already; which, in words.
    pub(super) fn put(
        &mut self,
        turn: &mut Turn,
        codes: &Codes,
        extension: Extension,
    ) -> Result<Put, String> {
        self.check(codes, &extension)?;
        turn.keep(Change::Extension(Box::new(extension.clone())));
        let known = self.find(&extension.number).and_then(|id| self.get(id)).map(|entry| &entry.extension);
        let messages_before = known.map(|before| before.messages).unwrap_or_default();
        let cut_off = known.and_then(|before| why_cut_off(before, &extension));
        let has_other_messages = extension.messages != messages_before;
        let id = self.set(extension);
        turn.changed_lamps.insert(id);
        if has_other_messages {
            turn.changed_messages.insert(id);
        }
        Ok(Put { id, cut_off })
    }

    /// Whether an extension can be set.
    fn check(&self, codes: &Codes, extension: &Extension) -> Result<(), String> {
        let (number, username) = (&*extension.number, &*extension.username);
        let known = self.find(number);
        if known.and_then(|id| self.get(id)).is_some_and(|entry| entry.is_place) {
            return Err(format!("{number} is a parking place"));
        }
        if let Some(fault) = codes.hidden_by(number).filter(|_| known.is_none()) {
            return Err(fault);
        }
        extension.check()?;
        let taken = self.find_by_username(username);
        if taken.is_some_and(|id| self.number(id) != number) {
            return Err(format!("the account name '{username}' belongs to another extension"));
        }
        Ok(())
    }

    /// Changes an extension because its own phone has dialled a code.
    pub(super) fn change(&mut self, turn: &mut Turn, id: ExtensionId, change: impl FnOnce(&mut Extension)) {
        let Some(entry) = self.get_mut(id) else { return };
        change(&mut entry.extension);
        turn.keep(Change::Extension(Box::new(entry.extension.clone())));
    }

    /// The extension of a number; none where that is a parking place.
    pub(super) fn find_person(&self, number: &str) -> Option<ExtensionId> {
        let id = self.find(number)?;
        self.get(id).filter(|entry| !entry.is_place).map(|_| id)
    }

    /// The parking place of a number.
    pub(super) fn find_place(&self, number: &str) -> Option<ExtensionId> {
        let id = self.find(number)?;
        self.get(id).filter(|entry| entry.is_place).map(|_| id)
    }

    /// All but the parking places, in the order in which they came.
    pub(super) fn people(&self) -> impl Iterator<Item = (ExtensionId, &Entry)> {
        self.iter().filter(|(_, entry)| !entry.is_place)
    }

    /// The extensions behind this number, in the order of their numbers.
    pub(super) fn people_after(&self, after: Option<&str>) -> Vec<(ExtensionId, &Entry)> {
        let wanted =
            self.people().filter(|(_, entry)| after.is_none_or(|after| &*entry.extension.number > after));
        let mut wanted: Vec<_> = wanted.collect();
        wanted.sort_unstable_by_key(|(_, entry)| &*entry.extension.number);
        wanted
    }

    /// The devices that are registered at `now`, of one extension or of all.
    pub(super) fn devices(&self, now: Time, number: Option<&str>) -> impl Iterator<Item = &Arc<Binding>> {
        let wanted = self.iter().map(|(_, entry)| entry);
        let wanted = wanted.filter(move |entry| number.is_none_or(|number| entry.extension.number == number));
        wanted.flat_map(|entry| &entry.bindings).filter(move |device| device.is_live(now))
    }

    /// Has all devices kept anew, as after the wall clock was set.
    pub(super) fn keep_devices(&self, turn: &mut Turn) {
        for device in self.iter().flat_map(|(_, entry)| &entry.bindings) {
            turn.keep(Change::Binding(Arc::clone(device)));
        }
    }

    /// Removes an extension with everything about it.
    pub(super) fn remove(&mut self, id: ExtensionId) -> Option<Entry> {
        let entry = self.entries.get_mut(id.0 as usize)?.take()?;
        self.by_number.remove(&*entry.extension.number);
        self.by_username.remove(&*entry.extension.username);
        Some(entry)
    }

    /// Makes a number a parking place, unless it is an extension's. A place can be watched and dialled; it has no
    /// account.
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

/// Why the devices of an extension may not go on after a change.
fn why_cut_off(before: &Extension, after: &Extension) -> Option<&'static str> {
    match (before.enabled && !after.enabled, before.secret != after.secret) {
        (true, _) => Some("the extension was switched off"),
        (false, true) => Some("the password was changed"),
        (false, false) => None,
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
}
