//! What an exchange keeps: rows of JSON in the store.

use std::io;

use roles::exchange::{Change, Extension, Restored};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{self, Reader, Row, Table};

/// The row of the feature codes among the settings.
const CODES: &str = "codes";

/// An extension as a row.
pub(in crate::cli) fn extension(extension: &Extension) -> store::Change {
    store::Change::set(Table::Extension, &extension.number, to_json(extension))
}

/// Whether only the next start reads what this change keeps.
pub(super) fn is_for_next_start(change: &Change) -> bool {
    use Change::{Binding, BindingRemoved, Subscription, SubscriptionRemoved};
    matches!(change, Binding(_) | BindingRemoved { .. } | Subscription(_) | SubscriptionRemoved { .. })
}

/// A change as a row.
pub(in crate::cli) fn row(change: Change) -> store::Change {
    use store::Change as Row;
    match change {
        Change::Extension(new) => extension(&new),
        Change::ExtensionRemoved { number } => Row::remove(Table::Extension, number),
        Change::Binding(binding) => {
            Row::set(Table::Binding, binding_key(&binding.number, &binding.contact), to_json(&*binding))
        }
        Change::BindingRemoved { number, contact } => {
            Row::remove(Table::Binding, binding_key(&number, &contact))
        }
        Change::Subscription(subscription) => {
            Row::set(Table::Subscription, subscription.local_tag.clone(), to_json(&*subscription))
        }
        Change::SubscriptionRemoved { local_tag } => Row::remove(Table::Subscription, local_tag),
        Change::CallRecord(record) => {
            Row::set(Table::CallRecord, record_key(record.started_at_ms, record.call), to_json(&record))
        }
        Change::CallRecordRemoved { call, started_at_ms } => {
            Row::remove(Table::CallRecord, record_key(started_at_ms, call))
        }
        Change::Codes(codes) => Row::set(Table::Setting, CODES, to_json(&codes)),
        Change::Ban(ban) => Row::set(Table::Ban, ban_key(ban.source, ban.account.as_deref()), to_json(&ban)),
        Change::BanRemoved { source, account } => {
            Row::remove(Table::Ban, ban_key(source, account.as_deref()))
        }
    }
}

/// Rises with time.
fn record_key(started_at_ms: u64, call: u64) -> String {
    format!("{started_at_ms:020} {call}")
}

/// The source, and where it is barred from one account alone, that.
fn ban_key(source: std::net::IpAddr, account: Option<&str>) -> String {
    match account {
        Some(account) => format!("{source} {account}"),
        None => source.to_string(),
    }
}

/// Neither part can hold a blank.
fn binding_key(number: &str, contact: &str) -> String {
    format!("{number} {contact}")
}

/// What the exchange finds again. A row that cannot be read is told and left out.
///
/// # Errors
/// The store cannot be read.
pub(in crate::cli) fn restore(reader: &dyn Reader) -> io::Result<Restored> {
    Ok(Restored {
        extensions: load(reader, Table::Extension)?,
        bindings: load(reader, Table::Binding)?,
        subscriptions: load(reader, Table::Subscription)?,
        bans: load(reader, Table::Ban)?,
        records: load(reader, Table::CallRecord)?,
        codes: setting(reader, CODES)?,
    })
}

/// One row of the settings.
fn setting<T: DeserializeOwned>(reader: &dyn Reader, key: &str) -> io::Result<Option<T>> {
    let rows = reader.load(Table::Setting)?;
    Ok(rows.into_iter().filter(|row| row.key == key).find_map(|row| read(Table::Setting, &row)))
}

fn load<T: DeserializeOwned>(reader: &dyn Reader, table: Table) -> io::Result<Vec<T>> {
    Ok(reader.load(table)?.iter().filter_map(|row| read(table, row)).collect())
}

fn read<T: DeserializeOwned>(table: Table, row: &Row) -> Option<T> {
    let value = serde_json::from_str(&row.value);
    value
        .inspect_err(|error| {
            complain!("offhook: warning: {} {} is left out: {error}", table.name(), row.key);
        })
        .ok()
}

fn to_json(value: &impl Serialize) -> String {
    // Plain data with text keys, so serialising cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}
