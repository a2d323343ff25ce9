//! A parameter's name with its indices, in four bytes.

use std::fmt;

use super::model::{MOST_ACCOUNTS, MOST_LINE_KEYS, Model};
use super::row::{Row, RowId, When};
use super::table::{TABLE, find};

/// One concrete parameter: a row and its indices (0 where the row has none).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    row: RowId,
    first: u8,
    second: u8,
}

/// Why a name is not a parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum BadKey {
    /// No row has this name.
    Unknown,
    /// The row exists, and the index is beyond its range.
    Index {
        /// The largest index.
        most: u8,
    },
}

impl RowId {
    /// The row itself.
    pub fn row(self) -> &'static Row {
        // Row ids are made only from positions in the table.
        &TABLE[usize::from(self.0)]
    }

    /// The parameter of this row with these indices; 0 where the row has none.
    pub const fn at(self, first: u8, second: u8) -> Key {
        Key { row: self, first, second }
    }
}

impl Key {
    /// Reads a name as a file writes it, with or without the prefix `static.`.
    ///
    /// # Errors
    /// Unknown name, or an index out of range.
    pub(super) fn parse(name: &str) -> Result<Key, BadKey> {
        let name = without_static(name);
        let id = find(name).ok_or(BadKey::Unknown)?;
        let pairs = id.row().key.split('.').zip(name.split('.'));
        let mut indices = pairs.filter(|(letter, _)| is_letter(letter)).map(|(_, digits)| digits);
        let mut read = |place| match indices.next() {
            None => Ok(0),
            Some(digits) => {
                let most = most_index(id.row().key, place);
                let index = digits.parse::<u8>().ok().filter(|index| (1..=most).contains(index));
                index.ok_or(BadKey::Index { most })
            }
        };
        let first = read(0)?;
        let second = read(1)?;
        Ok(id.at(first, second))
    }

    /// The row that says all about it.
    pub fn row(self) -> &'static Row {
        self.row.row()
    }

    /// The row's place in the table.
    pub fn row_id(self) -> RowId {
        self.row
    }

    /// The first index: account, line key, …; 0 where there is none.
    pub fn index(self) -> u8 {
        self.first
    }

    /// Every parameter of this row that the model has.
    pub(super) fn all_of(row: RowId, model: &Model) -> impl Iterator<Item = Key> {
        let pattern = row.row().key;
        let letters = pattern.split('.').filter(|segment| is_letter(segment)).count();
        let range = |place: usize| {
            if place < letters { 1..=most_index(pattern, place) } else { 0..=0 }
        };
        let second = range(1);
        let keys = range(0).flat_map(move |first| second.clone().map(move |second| row.at(first, second)));
        keys.filter(|key| key.fits(model))
    }

    /// Whether a change of it makes that account register anew.
    pub fn registers_anew(self, account: u8) -> bool {
        let row = self.row();
        let concerns = !is_of_account(row.key) || self.first == account;
        row.acts() && row.when == When::NewRegistration && concerns
    }

    /// Whether that model has this account or line key.
    pub fn fits(self, model: &Model) -> bool {
        let key = self.row().key;
        if is_of_account(key) {
            self.first <= model.accounts
        } else if key.starts_with("linekey.X.") {
            self.first <= model.line_keys
        } else {
            true
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut indices = [self.first, self.second].into_iter();
        for (place, segment) in self.row().key.split('.').enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            match indices.clone().next() {
                Some(index) if is_letter(segment) && index > 0 => {
                    write!(f, "{index}")?;
                    indices.next();
                }
                _ => f.write_str(segment)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// The name without the prefix that some templates put before system parameters.
pub(super) fn without_static(name: &str) -> &str {
    name.strip_prefix("static.").unwrap_or(name)
}

/// The largest index at that place of the pattern (0 the first, 1 the second).
pub(super) fn most_index(pattern: &str, place: usize) -> u8 {
    if place > 0 {
        return 2;
    }
    match pattern.split('.').next().unwrap_or_default() {
        "account" | "voice_mail" => MOST_ACCOUNTS,
        "linekey" => MOST_LINE_KEYS,
        "programablekey" => 14,
        "dialplan" if pattern.starts_with("dialplan.replace.") => 100,
        "dialplan" if pattern.starts_with("dialplan.dialnow.") => 20,
        "dialplan" | "distinctive_ring_tones" => 10,
        "multicast" => 31,
        _ => 5,
    }
}

fn is_of_account(pattern: &str) -> bool {
    pattern.starts_with("account.X.") || pattern.starts_with("voice_mail.number.X")
}

fn is_letter(segment: &str) -> bool {
    matches!(segment, "X" | "N")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, shown: &str) {
        assert_eq!(Key::parse(name).map(|key| key.to_string()).as_deref(), Ok(shown));
    }

    #[test]
    fn names_are_found_with_and_without_the_prefix() {
        check("account.2.sip_server.1.address", "account.2.sip_server.1.address");
        check("static.network.port.min_rtpport", "network.port.min_rtpport");
        check("network.port.min_rtpport", "network.port.min_rtpport");
        check("linekey.74.type", "linekey.74.type");
    }

    #[test]
    fn indices_have_ends() {
        assert_eq!(Key::parse("account.0.enable"), Err(BadKey::Index { most: 16 }));
        assert_eq!(Key::parse("account.17.enable"), Err(BadKey::Index { most: 16 }));
        assert_eq!(Key::parse("account.1.sip_server.3.port"), Err(BadKey::Index { most: 2 }));
        assert_eq!(Key::parse("linekey.999999999999.type"), Err(BadKey::Index { most: 74 }));
        assert_eq!(Key::parse("account.X.enable"), Err(BadKey::Index { most: 16 }));
        assert_eq!(Key::parse("account.enable"), Err(BadKey::Unknown));
        assert_eq!(Key::parse(""), Err(BadKey::Unknown));
    }

    #[test]
    fn a_model_bounds_accounts_and_keys() {
        let key = Key::parse("linekey.22.type").expect("a key of the table");
        assert!(!key.fits(Model::usual()));
        assert!(key.fits(Model::named("FIP15G").expect("a model")));
    }
}
