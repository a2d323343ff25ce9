//! The table: one row for each parameter, and the way to a row by its name.

use super::row::{Effect, Row, RowId};

mod account;
mod account_calls;
mod account_sip;
mod calls;
mod codecs;
mod directory;
mod display;
mod keys;
mod media;
mod network;
mod provisioning;
mod sip;
mod words;

/// Writes rows: for each page, lines of key, label, kind, default, when, effect, help.
macro_rules! rows {
    ($name:ident: $([$origin:ident $page:literal]
        $($key:literal $label:literal $kind:tt $default:literal $when:ident $effect:tt $help:literal;)*)*) => {
        pub(super) const $name: &[super::Row] = &[$($(super::Row {
            key: $key,
            kind: $kind,
            default: $default,
            help: $help,
            effect: $effect,
            when: crate::settings::row::When::$when,
            page: $page,
            label: $label,
            origin: crate::settings::row::Origin::$origin,
        },)*)*];
    };
}
use rows;

/// The files of the table, in the order of the web pages.
const PARTS: &[&[Row]] = &[
    account::ROWS,
    account_sip::ROWS,
    account_calls::ROWS,
    codecs::ROWS,
    sip::ROWS,
    calls::ROWS,
    keys::ROWS,
    media::ROWS,
    display::ROWS,
    directory::ROWS,
    network::ROWS,
    provisioning::ROWS,
];

const ROW_COUNT: usize = count();
const SLOT_COUNT: usize = 2_048;
const EMPTY: u16 = u16::MAX;

/// Every parameter that the phone knows.
pub static TABLE: [Row; ROW_COUNT] = {
    let mut rows = [PARTS[0][0]; ROW_COUNT];
    let (mut part, mut filled) = (0, 0);
    while part < PARTS.len() {
        let mut at = 0;
        while at < PARTS[part].len() {
            rows[filled] = PARTS[part][at];
            filled += 1;
            at += 1;
        }
        part += 1;
    }
    rows
};

/// Places of rows by the hash of their name; `EMPTY` where there is none.
static SLOTS: [u16; SLOT_COUNT] = {
    let mut slots = [EMPTY; SLOT_COUNT];
    let mut id = 0;
    while id < ROW_COUNT {
        let mut slot = hash(TABLE[id].key.as_bytes());
        while slots[slot] != EMPTY {
            slot = (slot + 1) % SLOT_COUNT;
        }
        slots[slot] = id as u16;
        id += 1;
    }
    slots
};

/// The row of a name in which numbers, `X` or `N` stand for indices.
pub(super) fn find(name: &str) -> Option<RowId> {
    let mut slot = hash(name.as_bytes());
    loop {
        let id = SLOTS[slot];
        let row = TABLE.get(usize::from(id))?;
        if same_name(name.as_bytes(), row.key.as_bytes()) {
            return Some(RowId(id));
        }
        slot = (slot + 1) % SLOT_COUNT;
    }
}

/// The row of a name that is known to be in the table: evaluated while compiling, so that a view
/// cannot name a parameter that does not exist, nor one that is said to do nothing.
pub(super) const fn row(name: &str) -> RowId {
    let mut slot = hash(name.as_bytes());
    while SLOTS[slot] != EMPTY {
        let id = SLOTS[slot];
        let row = &TABLE[id as usize];
        if same_name(name.as_bytes(), row.key.as_bytes()) {
            assert!(matches!(row.effect, Effect::Acts), "a view reads a row that is said to do nothing");
            return RowId(id);
        }
        slot = (slot + 1) % SLOT_COUNT;
    }
    panic!("no row has this name")
}

const fn count() -> usize {
    let (mut part, mut sum) = (0, 0);
    while part < PARTS.len() {
        sum += PARTS[part].len();
        part += 1;
    }
    sum
}

/// FNV-1a over the name, each index counting as `X`.
const fn hash(name: &[u8]) -> usize {
    let (mut hash, mut at) = (0x811c_9dc5_u32, 0);
    while at < name.len() {
        let (next, byte) = step(name, at);
        hash = (hash ^ byte as u32).wrapping_mul(0x0100_0193);
        at = next;
    }
    (hash ^ (hash >> 16)) as usize % SLOT_COUNT
}

const fn same_name(one: &[u8], other: &[u8]) -> bool {
    let (mut at, mut other_at) = (0, 0);
    while at < one.len() && other_at < other.len() {
        let (next, byte) = step(one, at);
        let (other_next, other_byte) = step(other, other_at);
        if byte != other_byte {
            return false;
        }
        (at, other_at) = (next, other_next);
    }
    at == one.len() && other_at == other.len()
}

/// The byte at `at` and the place after it; a segment that is an index counts as one `X`.
const fn step(name: &[u8], at: usize) -> (usize, u8) {
    let begins = at == 0 || name[at - 1] == b'.';
    let end = if begins { index_end(name, at) } else { at };
    if end > at { (end, b'X') } else { (at + 1, name[at]) }
}

/// The end of the segment at `at` if it is a number, `X` or `N`; else `at`.
const fn index_end(name: &[u8], at: usize) -> usize {
    let mut end = at;
    while end < name.len() && name[end].is_ascii_digit() {
        end += 1;
    }
    if end == at && matches!(name[at], b'X' | b'N') {
        end += 1;
    }
    if end == name.len() || name[end] == b'.' { end } else { at }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::settings::key::Key;
    use crate::settings::row::Origin;

    #[test]
    fn each_name_stands_once_and_is_found() {
        let names: BTreeSet<&str> = TABLE.iter().map(|row| row.key).collect();
        assert_eq!(names.len(), ROW_COUNT);
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(find(row.key).map(|id| usize::from(id.0)), Some(at), "{}", row.key);
            assert!(!row.key.starts_with("static."), "{}", row.key);
        }
    }

    #[test]
    fn each_default_is_a_value_that_its_row_accepts() {
        for row in &TABLE {
            let stored = row.kind.check(row.default);
            assert_eq!(stored.as_deref(), Ok(row.default), "{}", row.key);
            assert!(!row.default.is_empty() || row.kind.may_be_empty(), "{} needs a default", row.key);
        }
    }

    #[test]
    fn each_row_tells_people_what_it_is() {
        for row in &TABLE {
            assert!(row.help.ends_with('.') && row.help.len() > 15, "{}: {}", row.key, row.help);
            assert!(!row.label.is_empty() && !row.page.is_empty(), "{}", row.key);
            if let Effect::Kept { why } = row.effect {
                assert!(why.ends_with('.'), "{}: {why}", row.key);
            }
        }
    }

    #[test]
    fn every_name_of_the_vendor_s_templates_is_here_and_is_said_to_be() {
        let names: BTreeSet<&str> = include_str!("template_names.txt").lines().collect();
        assert_eq!(names.len(), 688);
        let mut rows = BTreeSet::new();
        for name in &names {
            let bare = name.strip_prefix("static.").unwrap_or(name);
            let id = find(bare).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(id.row().origin, Origin::Template, "{name}");
            let first = bare.replace(".X", ".1");
            assert_eq!(Key::parse(&first).map(Key::row_id), Ok(id), "{name}");
            assert_eq!(Key::parse(&format!("static.{first}")).map(Key::row_id), Ok(id), "{name}");
            assert!(rows.insert(id), "{name} shares a row");
        }
        let others = TABLE.iter().filter(|row| row.origin == Origin::Template).count();
        assert_eq!(others, 688, "a row claims to be in the templates and is not");
    }

    #[test]
    fn a_number_is_an_index_only_as_a_whole_segment() {
        assert!(same_name(b"account.12.100rel_enable", b"account.X.100rel_enable"));
        assert!(!same_name(b"account.1x.enable", b"account.X.enable"));
        assert!(!same_name(b"account..enable", b"account.X.enable"));
        assert_eq!(find("network.802_1x.mode.1"), None);
    }
}
