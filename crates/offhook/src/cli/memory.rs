//! What a phone keeps in its data folder: settings made at the phone, its MAC address, its calls.

use std::io;

use proto::Rng;
use proto::text::hex;
use roles::phone::{
    Change, Downloads, Firmware, HistoryEntry, KeptLease, MOST_CALLS, NamedFiles, PhoneSecret, Restored,
};
use roles::settings::{Key, OUI, Secret, Settings, Source, parse_cfg};
use serde::{Deserialize, Serialize};

use super::hardware::parse_mac;
use crate::store::{self, Store, Table};

/// A parameter as it is kept.
#[derive(Deserialize, Serialize)]
struct Kept {
    value: String,
    by: By,
}

/// Who set it; files and command lines say it anew at each start.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Web,
    Api,
}

/// The row that holds what the file of `--config` said last; no parameter has this name.
const FILE: &str = "--config";

/// Puts back what was set at the phone and, where a file is given again, what that file said last.
///
/// # Errors
/// The store cannot be read. A row that is no parameter of this model is told and left out.
pub(super) fn recall(settings: &mut Settings, store: &dyn Store, has_file: bool) -> io::Result<()> {
    named_files(store)?.restore(settings);
    if let Some(downloads) = downloads(store)? {
        downloads.restore(settings);
    }
    for row in store.reader().load(Table::Setting)? {
        if [DOWNLOADED, FIRMWARE, LEASE, NAMED].contains(&row.key.as_str()) {
            continue;
        }
        if row.key == FILE {
            if has_file {
                settings.apply(&parse_cfg(&row.value, Source::MacCfg).0);
            }
            continue;
        }
        if let Err(fault) = put_back(settings, &row.key, &row.value) {
            complain!("offhook: warning: what was set for {} is left out: {fault}", row.key);
        }
    }
    Ok(())
}

fn put_back(settings: &mut Settings, key: &str, value: &str) -> Result<(), String> {
    let kept: Kept = serde_json::from_str(value).map_err(|error| error.to_string())?;
    let source = match kept.by {
        By::Web => Source::Web,
        By::Api => Source::Api,
    };
    settings.set(key, &kept.value, source).map(|_| ()).map_err(|fault| fault.to_string())
}

/// What a file said, so that the next start knows what is news in it, without the rows of which it took
/// the place.
pub(super) fn file_rows(settings: &Settings, dropped: &[Key]) -> Vec<store::Change> {
    let keep = store::Change::set(Table::Setting, FILE, settings.layer_to_cfg(Source::MacCfg));
    let remove = dropped.iter().map(|key| store::Change::remove(Table::Setting, key.to_string()));
    remove.chain([keep]).collect()
}

/// The row that holds what was downloaded; no parameter has this name.
const DOWNLOADED: &str = "(downloaded)";
/// The row of the address that DHCP gave last.
const LEASE: &str = "(lease)";
/// The row of the firmware.
const FIRMWARE: &str = "(firmware)";
/// The row of files that settings name.
const NAMED: &str = "(named files)";

/// What is kept of files that settings name.
#[derive(Default, Deserialize, Serialize)]
struct KeptNamed {
    whole: Option<String>,
    reset: String,
    factory: String,
}

fn named(files: &NamedFiles) -> store::Change {
    if *files == NamedFiles::default() {
        return store::Change::remove(Table::Setting, NAMED);
    }
    let text = |secret: &Secret| secret.expose().to_owned();
    let NamedFiles { whole, reset, factory } = files;
    let kept = KeptNamed { whole: whole.clone(), reset: text(reset), factory: text(factory) };
    store::Change::set(Table::Setting, NAMED, to_json(&kept))
}

/// What was kept of files that settings name.
///
/// # Errors
/// The store cannot be read. A row that is none is told and left out.
fn named_files(store: &dyn Store) -> io::Result<NamedFiles> {
    let rows = store.reader().load(Table::Setting)?;
    let Some(row) = rows.into_iter().find(|row| row.key == NAMED) else { return Ok(NamedFiles::default()) };
    let kept = serde_json::from_str(&row.value).unwrap_or_else(|fault| {
        complain!("offhook: warning: the file of the factory reset is left out: {fault}");
        KeptNamed::default()
    });
    let KeptNamed { whole, reset, factory } = kept;
    Ok(NamedFiles { whole, reset: Secret::new(&reset), factory: Secret::new(&factory) })
}

/// What was downloaded, as it is kept.
#[derive(Deserialize, Serialize)]
struct KeptDownloads {
    common: String,
    own: String,
    /// What held when an account was last registered, where that is not this.
    before: Option<(String, String)>,
}

fn downloaded(downloads: &Downloads) -> store::Change {
    let text = |secret: &Secret| secret.expose().to_owned();
    let before = downloads.before.as_deref().map(|(common, own)| (text(common), text(own)));
    let kept = KeptDownloads { common: text(&downloads.common), own: text(&downloads.own), before };
    store::Change::set(Table::Setting, DOWNLOADED, to_json(&kept))
}

/// What was downloaded before the program started; `None` where nothing was.
///
/// # Errors
/// The store cannot be read. A row that is none is told and left out.
fn downloads(store: &dyn Store) -> io::Result<Option<Downloads>> {
    let rows = store.reader().load(Table::Setting)?;
    let row = rows.into_iter().find(|row| row.key == DOWNLOADED);
    let kept = row.map(|row| serde_json::from_str::<KeptDownloads>(&row.value)).transpose();
    let kept = kept.unwrap_or_else(|fault| {
        complain!("offhook: warning: what was downloaded is left out: {fault}");
        None
    });
    let secret = |text: String| Secret::new(&text);
    let downloads = |kept: KeptDownloads| Downloads {
        common: secret(kept.common),
        own: secret(kept.own),
        before: kept.before.map(|(common, own)| Box::new((secret(common), secret(own)))),
    };
    Ok(kept.map(downloads))
}

/// The firmware that was downloaded last.
///
/// # Errors
/// The store cannot be read. A row that is none is left out.
fn firmware(store: &dyn Store) -> io::Result<Option<Firmware>> {
    let rows = store.reader().load(Table::Setting)?;
    let row = rows.into_iter().find(|row| row.key == FIRMWARE);
    Ok(row.and_then(|row| serde_json::from_str(&row.value).ok()))
}

/// What a phone finds again, beside its settings.
///
/// # Errors
/// The store cannot be read.
pub(super) fn restored(store: &dyn Store, history: Vec<HistoryEntry>) -> io::Result<Restored> {
    Ok(Restored {
        history,
        downloads: downloads(store)?.unwrap_or_default(),
        named_files: named_files(store)?,
        lease: lease(store)?,
        firmware: firmware(store)?,
    })
}

/// The address that the phone had last by DHCP.
///
/// # Errors
/// The store cannot be read. A row that is none is left out.
fn lease(store: &dyn Store) -> io::Result<Option<KeptLease>> {
    let rows = store.reader().load(Table::Setting)?;
    let row = rows.into_iter().find(|row| row.key == LEASE);
    Ok(row.and_then(|row| serde_json::from_str(&row.value).ok()))
}

/// Makes rows of what is to be kept. Calls take turns in as many rows as a phone remembers calls, so that
/// whoever calls often does not fill the disk.
#[derive(Default)]
pub(super) struct Rows {
    next_call: u64,
}

/// A past call as it is kept.
#[derive(Deserialize, Serialize)]
struct KeptCall {
    /// Rises with each call.
    order: u64,
    #[serde(flatten)]
    entry: HistoryEntry,
}

impl Rows {
    /// The past calls, the newest first, and rows for those to come.
    ///
    /// # Errors
    /// The store cannot be read. A row that is no call is told and left out.
    pub(super) fn recall(store: &dyn Store) -> io::Result<(Self, Vec<HistoryEntry>)> {
        let mut calls: Vec<KeptCall> = Vec::new();
        for row in store.reader().load(Table::CallRecord)? {
            match serde_json::from_str(&row.value) {
                Ok(call) => calls.push(call),
                Err(fault) => complain!("offhook: warning: a past call is left out: {fault}"),
            }
        }
        calls.sort_by_key(|call| std::cmp::Reverse(call.order));
        let next_call = calls.first().map_or(0, |newest| newest.order + 1);
        Ok((Self { next_call }, calls.into_iter().map(|call| call.entry).collect()))
    }

    /// What is to be kept, as a row.
    pub(super) fn row(&mut self, change: Change) -> Option<store::Change> {
        match change {
            Change::Setting { key, value, source } => setting(key, &value, source),
            Change::SettingForgotten { key } => Some(store::Change::remove(Table::Setting, key)),
            Change::FilesForgotten => Some(store::Change::remove(Table::Setting, FILE)),
            Change::NamedFiles(files) => Some(named(&files)),
            Change::Downloaded(downloads) => Some(downloaded(&downloads)),
            Change::Firmware(firmware) => {
                // Plain data with text keys, so serialising cannot fail.
                let value = serde_json::to_string(&firmware).unwrap_or_default();
                Some(store::Change::set(Table::Setting, FIRMWARE, value))
            }
            Change::Lease(lease) => Some(store::Change::set(Table::Setting, LEASE, to_json(&lease))),
            Change::Call(entry) => {
                let order = self.next_call;
                self.next_call += 1;
                let key = format!("{:03}", order % MOST_CALLS as u64);
                Some(store::Change::set(Table::CallRecord, key, to_json(&KeptCall { order, entry })))
            }
        }
    }
}

fn setting(key: String, value: &Secret, source: Source) -> Option<store::Change> {
    let by = match source {
        Source::Web => By::Web,
        Source::Api => By::Api,
        _ => return None,
    };
    let kept = Kept { value: value.expose().to_owned(), by };
    Some(store::Change::set(Table::Setting, key, to_json(&kept)))
}

fn to_json(value: &impl Serialize) -> String {
    // Plain data with text keys, so serialising cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// What a phone is: its MAC address, and a secret of its own where it keeps one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Own {
    pub(super) mac: [u8; 6],
    pub(super) secret: Option<PhoneSecret>,
}

/// A device as it is kept; the row's key is its MAC address.
#[derive(Default, Deserialize, Serialize)]
struct KeptDevice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// The MAC address that is asked for, the one that the phone had, or a new one by chance; with `keeps` also
/// the secret that it had, or a new one.
///
/// # Errors
/// The store cannot be read.
pub(super) fn own(
    asked: Option<[u8; 6]>,
    keeps: bool,
    store: &mut dyn Store,
    rng: &mut Rng,
) -> io::Result<Own> {
    let rows = store.reader().load(Table::Device)?;
    let had = rows.first().and_then(|row| Some((parse_mac(&row.key).ok()?, &row.value)));
    let kept = had.and_then(|(_, value)| serde_json::from_str::<KeptDevice>(value).ok());
    let had_secret = kept.and_then(|device| device.secret).as_deref().and_then(parse_secret);
    let had_mac = had.map(|(mac, _)| mac);
    let mac = asked.or(had_mac).unwrap_or_else(|| {
        let [a, b, c] = OUI;
        let [.., d, e, f] = rng.u32().to_be_bytes();
        [a, b, c, d, e, f]
    });
    let secret = had_secret.or_else(|| keeps.then(|| PhoneSecret(rng.fork())));
    if had_mac != Some(mac) || had_secret != secret {
        let remove =
            had_mac.filter(|had| *had != mac).map(|had| store::Change::remove(Table::Device, text(had)));
        let device = KeptDevice { secret: secret.map(|secret| hex(&secret.0)) };
        let keep = store::Change::set(Table::Device, text(mac), to_json(&device));
        store.commit(remove.into_iter().chain([keep]).collect());
    }
    Ok(Own { mac, secret })
}

fn parse_secret(text: &str) -> Option<PhoneSecret> {
    let mut secret = [0; 32];
    let digits = text.as_bytes().as_chunks::<2>().0;
    if text.len() != 2 * secret.len() {
        return None;
    }
    for (byte, pair) in secret.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(PhoneSecret(secret))
}

fn text(mac: [u8; 6]) -> String {
    hex(&mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;
    use roles::phone::HistoryKind;

    #[test]
    fn what_was_set_at_the_phone_comes_back() {
        let mut store = Memory::default();
        let set = |key: &str, value: &str, source| Change::Setting {
            key: key.to_owned(),
            value: Secret::new(value),
            source,
        };
        let changes = [
            set("account.1.user_name", "7001", Source::Api),
            set("account.1.display_name", "Jack", Source::MacCfg),
        ];
        store.commit(changes.into_iter().filter_map(|change| Rows::default().row(change)).collect());
        let mut settings = Settings::default();
        recall(&mut settings, &store, false).unwrap();
        let user = settings.get("account.1.user_name").unwrap();
        assert_eq!((user.expose(), user.source()), ("7001", Source::Api));
        assert_eq!(settings.get("account.1.display_name").unwrap().expose(), "", "files say it anew");
    }

    #[test]
    fn what_was_set_at_the_phone_outlives_a_file_that_says_nothing_new() {
        let mut store = Memory::default();
        let mut rows = Rows::default();
        let mut start = |file: &str, set: Option<&str>| {
            let mut settings = Settings::default();
            recall(&mut settings, &store, true).unwrap();
            let file = format!("#!version:1.0.0.1\naccount.1.label = {file}\n");
            let applied = settings.replace(Source::MacCfg, &parse_cfg(&file, Source::MacCfg).0);
            store.commit(file_rows(&settings, &applied.dropped));
            let set = set.map(|text| Change::Setting {
                key: "account.1.label".to_owned(),
                value: Secret::new(text),
                source: Source::Api,
            });
            store.commit(set.into_iter().filter_map(|change| rows.row(change)).collect());
            settings.get("account.1.label").unwrap().expose().to_owned()
        };
        assert_eq!(start("A", Some("page")), "A");
        assert_eq!(start("A", None), "page", "the file says nothing new");
        assert_eq!(start("B", None), "B", "it does now");
        assert_eq!(start("B", None), "B", "and what was set is forgotten");
    }

    #[test]
    fn what_was_downloaded_comes_back_below_what_was_set_at_the_phone() {
        let mut store = Memory::default();
        let downloads = Downloads {
            common: Secret::new(
                "#!version:1.0.0.1\naccount.1.label = Common\naccount.1.display_name = Desk\n",
            ),
            own: Secret::new("#!version:1.0.0.1\naccount.1.label = Own\n"),
            before: Some(Box::new((Secret::new("a"), Secret::new("b")))),
        };
        let label = Change::Setting {
            key: "account.1.display_name".to_owned(),
            value: Secret::new("Lobby"),
            source: Source::Web,
        };
        let changes = [Change::Downloaded(Box::new(downloads.clone())), label];
        store.commit(changes.into_iter().filter_map(|change| Rows::default().row(change)).collect());
        let mut settings = Settings::default();
        recall(&mut settings, &store, false).unwrap();
        let value = |key: &str| settings.get(key).unwrap().expose().to_owned();
        assert_eq!(
            (value("account.1.label"), value("account.1.display_name")),
            ("Own".into(), "Lobby".into())
        );
        assert_eq!(super::downloads(&store).unwrap(), Some(downloads));
        let gone = Change::SettingForgotten { key: "account.1.display_name".to_owned() };
        store.commit(Rows::default().row(gone).into_iter().collect());
        let mut settings = Settings::default();
        recall(&mut settings, &store, false).unwrap();
        assert_eq!(settings.get("account.1.display_name").unwrap().expose(), "Desk");
    }

    #[test]
    fn past_calls_come_back_newest_first_and_take_no_more_than_their_rows() {
        let mut store = Memory::default();
        for start in 0..3_u64 {
            let (mut rows, _) = Rows::recall(&store).unwrap();
            let call = |number: u64| HistoryEntry {
                kind: HistoryKind::Missed,
                account: 1,
                number: number.to_string(),
                name: "Jack".to_owned(),
                at_s: 7,
                duration_s: 0,
            };
            let numbers = (start * 50)..(start + 1) * 50;
            store.commit(numbers.filter_map(|number| rows.row(Change::Call(call(number)))).collect());
        }
        let (_, calls) = Rows::recall(&store).unwrap();
        let numbers: Vec<_> = calls.into_iter().map(|call| call.number).collect();
        assert_eq!(numbers, (50..150).rev().map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn a_phone_keeps_its_mac_address() {
        let mut store = Memory::default();
        let mut rng = Rng::from_number(1);
        let mut mac = |asked| own(asked, false, &mut store, &mut rng).unwrap().mac;
        let first = mac(None);
        assert_eq!(first[..3], OUI);
        assert_eq!(mac(None), first);
        assert_eq!(mac(Some([2; 6])), [2; 6]);
        assert_eq!(mac(None), [2; 6]);
    }

    #[test]
    fn a_phone_keeps_its_secret_only_where_it_keeps_anything() {
        let mut store = Memory::default();
        let mut rng = Rng::from_number(1);
        let mut secret = |asked, keeps| own(asked, keeps, &mut store, &mut rng).unwrap().secret;
        assert_eq!(secret(None, false), None);
        let first = secret(None, true);
        assert!(first.is_some());
        assert_eq!(secret(None, true), first);
        assert_eq!(secret(Some([2; 6]), true), first, "whatever its MAC address is said to be");
        assert_eq!(secret(None, true), first);
    }
}
