//! What a phone keeps in its data folder: settings made at the phone, its MAC address, its calls.

use std::io;

use proto::Rng;
use roles::phone::Change;
use roles::settings::{OUI, Settings, Source};
use serde::{Deserialize, Serialize};

use super::settings::parse_mac;
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

/// Puts back what was set at the phone.
///
/// # Errors
/// The store cannot be read. A row that is no parameter of this model is told and left out.
pub(in crate::cli) fn recall(settings: &mut Settings, store: &dyn Store) -> io::Result<()> {
    for row in store.reader().load(Table::Setting)? {
        if let Err(fault) = put_back(settings, &row.key, &row.value) {
            eprintln!("offhook: warning: what was set for {} is left out: {fault}", row.key);
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

/// What is to be kept, as a row.
pub(in crate::cli) fn row(change: Change) -> Option<store::Change> {
    match change {
        Change::Setting { key, value, source } => {
            let by = match source {
                Source::Web => By::Web,
                Source::Api => By::Api,
                _ => return None,
            };
            let kept = Kept { value: value.expose().to_owned(), by };
            Some(store::Change::set(Table::Setting, key, to_json(&kept)))
        }
        Change::Call(entry) => {
            let key = format!("{:020} {} {}", entry.at_s, entry.account, entry.number);
            Some(store::Change::set(Table::CallRecord, key, to_json(&entry)))
        }
    }
}

fn to_json(value: &impl Serialize) -> String {
    // Plain data with text keys, so serialising cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// The phone's MAC address: the one that is asked for, the one it had, or a new one by chance.
///
/// # Errors
/// The store cannot be read.
pub(super) fn mac(asked: Option<[u8; 6]>, store: &mut dyn Store, rng: &mut Rng) -> io::Result<[u8; 6]> {
    let had = store.reader().load(Table::Device)?;
    let had = had.first().and_then(|row| parse_mac(&row.key).ok());
    let mac = asked.or(had).unwrap_or_else(|| {
        let [a, b, c] = OUI;
        let [.., d, e, f] = rng.u32().to_be_bytes();
        [a, b, c, d, e, f]
    });
    if had != Some(mac) {
        let remove = had.map(|had| store::Change::remove(Table::Device, text(had)));
        let keep = store::Change::set(Table::Device, text(mac), "{}");
        store.commit(remove.into_iter().chain([keep]).collect());
    }
    Ok(mac)
}

fn text(mac: [u8; 6]) -> String {
    mac.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;
    use roles::settings::Secret;

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
        store.commit(changes.into_iter().filter_map(row).collect());
        let mut settings = Settings::default();
        recall(&mut settings, &store).unwrap();
        let user = settings.get("account.1.user_name").unwrap();
        assert_eq!((user.expose(), user.source()), ("7001", Source::Api));
        assert_eq!(settings.get("account.1.display_name").unwrap().expose(), "", "files say it anew");
    }

    #[test]
    fn a_phone_keeps_its_mac_address() {
        let mut store = Memory::default();
        let mut rng = Rng::from_number(1);
        let first = mac(None, &mut store, &mut rng).unwrap();
        assert_eq!(first[..3], OUI);
        assert_eq!(mac(None, &mut store, &mut rng).unwrap(), first);
        assert_eq!(mac(Some([2; 6]), &mut store, &mut rng).unwrap(), [2; 6]);
        assert_eq!(mac(None, &mut store, &mut rng).unwrap(), [2; 6]);
    }
}
