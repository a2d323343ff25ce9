//! Line keys as the phone wants them.

use serde::Serialize;

use super::account::{filled, key};
use super::store::Settings;

/// What a line key does; the numbers are those of `linekey.X.type`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Nothing.
    #[default]
    None,
    /// Joins calls.
    Conference,
    /// Switches forward-always.
    Forward,
    /// Transfers the call, to its value where it has one.
    Transfer,
    /// Holds and resumes.
    Hold,
    /// Switches do not disturb.
    Dnd,
    /// Dials the last number.
    Redial,
    /// Dials the last caller.
    CallReturn,
    /// Takes a ringing call of its value.
    DirectedPickup,
    /// Parks the call.
    CallPark,
    /// Sends digits.
    Dtmf,
    /// Dials the voice mail and shows waiting messages.
    VoiceMail,
    /// Dials its value.
    SpeedDial,
    /// Calls its value so that it answers itself.
    Intercom,
    /// An account.
    Line,
    /// Watches an extension.
    Blf,
    /// Takes a ringing call of the group.
    GroupPickup,
    /// Shows the list of calls.
    History,
    /// Shows the directory.
    Directory,
    /// Shows the phone's state.
    Status,
    /// Makes the previous account the default.
    AccountUp,
    /// Makes the next account the default.
    AccountDown,
    /// Takes a parked call.
    RetrievePark,
    /// A type that does nothing on this phone; the number is kept.
    Other(u8),
}

/// One line key.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct KeySettings {
    /// The key, from 1.
    pub number: u8,
    /// What it does.
    pub kind: KeyKind,
    /// The account that it uses, from 1.
    pub account: u8,
    /// The number that it watches, dials or sends.
    pub value: String,
    /// What stands beside it; empty: its value or its account.
    pub label: String,
    /// Its own pickup code.
    pub pickup_code: Option<String>,
}

impl KeySettings {
    /// Reads line key `number`, from 1.
    pub fn read(settings: &Settings, number: u8) -> Self {
        let s = settings;
        let kind = KeyKind::of_number(s.number(key!("linekey.X.type", number)));
        let account = s.number(key!("linekey.X.line", number));
        let pickup = filled(s, key!("linekey.X.pickup_value", number));
        Self {
            number,
            kind,
            account: own_account(account, kind, number, s.model().accounts),
            value: s.string(key!("linekey.X.value", number)),
            label: s.string(key!("linekey.X.label", number)),
            pickup_code: pickup.or_else(|| filled(s, key!("linekey.X.extension", number))),
        }
    }

    /// Reads every line key that the model has.
    pub fn read_all(settings: &Settings) -> Vec<Self> {
        (1..=settings.model().line_keys).map(|number| Self::read(settings, number)).collect()
    }
}

impl KeyKind {
    fn of_number(number: u8) -> Self {
        match number {
            0 => KeyKind::None,
            1 => KeyKind::Conference,
            2 => KeyKind::Forward,
            3 => KeyKind::Transfer,
            4 => KeyKind::Hold,
            5 => KeyKind::Dnd,
            6 => KeyKind::Redial,
            7 => KeyKind::CallReturn,
            9 => KeyKind::DirectedPickup,
            10 => KeyKind::CallPark,
            11 => KeyKind::Dtmf,
            12 => KeyKind::VoiceMail,
            13 => KeyKind::SpeedDial,
            14 => KeyKind::Intercom,
            15 => KeyKind::Line,
            16 => KeyKind::Blf,
            // One hold serves both kinds, for no line is shared.
            19 | 20 => KeyKind::Hold,
            23 => KeyKind::GroupPickup,
            28 => KeyKind::History,
            29 | 43 | 61 => KeyKind::Directory,
            33 => KeyKind::Status,
            48 | 51 => KeyKind::AccountUp,
            49 | 52 => KeyKind::AccountDown,
            56 => KeyKind::RetrievePark,
            other => KeyKind::Other(other),
        }
    }

    /// Why a key of a type that does nothing here does nothing; `None` for all others.
    pub fn why_not(self) -> Option<&'static str> {
        let Self::Other(number) = self else { return None };
        Some(match number {
            8 | 32 => "text messages are not taken",
            17 | 27 | 22 | 47 => "pages of other servers are not fetched",
            18 => "there is one speaker only",
            21 => "shared lines are not supported",
            24 | 66 => "multicast paging is neither sent nor heard",
            25 | 35 => "calls are recorded by --audio",
            30 => "the menu is this list of commands",
            34 | 57 => "the server's hoteling is not supported",
            38 | 44 | 45 | 46 => "the directory is what the keys know by name",
            39 => "BLF lists are not subscribed to; set a BLF key for each extension",
            40 => "numbers come whole and need no prefix key",
            41 => "no redirection service is asked",
            42 | 58 => "call-centre pages of one brand of server are not opened",
            50 => "nobody types at a keypad here",
            55 => "conferences are mixed in the phone",
            60 => "emergency numbers are dialled as others are; set a speed dial key",
            _ => "its type is not known",
        })
    }
}

/// 0 means: for a line key the account of the key's own number where there is one, else the first.
fn own_account(written: u8, kind: KeyKind, number: u8, accounts: u8) -> u8 {
    match written {
        0 if kind == KeyKind::Line && number <= accounts => number,
        0 => 1,
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Source;

    #[track_caller]
    fn check(lines: &[(&str, &str)], number: u8, kind: KeyKind, account: u8, pickup: Option<&str>) {
        let mut settings = Settings::default();
        for (name, value) in lines {
            settings.set(name, value, Source::MacCfg).expect("an accepted value");
        }
        let key = KeySettings::read(&settings, number);
        assert_eq!((key.kind, key.account, key.pickup_code.as_deref()), (kind, account, pickup));
    }

    #[test]
    fn the_first_keys_are_lines_and_the_others_free() {
        check(&[], 2, KeyKind::Line, 2, None);
        check(&[], 9, KeyKind::None, 1, None);
    }

    #[test]
    fn the_deck_s_blf_key_is_read() {
        let lines = [("linekey.5.type", "16"), ("linekey.5.line", "1"), ("linekey.5.extension", "*04")];
        check(&lines, 5, KeyKind::Blf, 1, Some("*04"));
        let both = [lines[0], lines[2], ("linekey.5.pickup_value", "**")];
        check(&both, 5, KeyKind::Blf, 1, Some("**"));
        check(&[("linekey.5.type", "Speed Dial")], 5, KeyKind::SpeedDial, 1, None);
        check(&[("linekey.5.type", "27")], 5, KeyKind::Other(27), 1, None);
    }
}
