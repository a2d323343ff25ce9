//! The models: how many accounts and line keys each has.

/// The first three bytes of the MAC address of every phone in the deck (Easy3Call).
pub const OUI: [u8; 3] = [0x00, 0x21, 0xF2];

/// The most accounts that any file may name; the model narrows it.
pub(super) const MOST_ACCOUNTS: u8 = 16;
/// The most line keys that any file may name; the model narrows it.
pub(super) const MOST_LINE_KEYS: u8 = 74;

/// One model of desk phone.
#[derive(Debug, Eq, PartialEq)]
pub struct Model {
    /// The name as the phone gives it in its User-Agent.
    pub name: &'static str,
    /// How many accounts its web page shows.
    pub accounts: u8,
    /// How many line keys it has, with all its pages of keys.
    pub line_keys: u8,
}

/// Every model, smallest first. Key counts: the vendor's templates; accounts: the deck's web pages
/// ("Line 1" to "Line 4") and its list of small models.
pub static MODELS: &[Model] = &[
    model("FIP10", 2, 2),
    model("FIP10P", 2, 2),
    model("FIP11C", 4, 6),
    model("FIP11CP", 4, 6),
    model("FIP12WP", 2, 2),
    model("FIP13G", 4, 9),
    model("FIP14G", 4, 21),
    model("FIP15G", 4, 74),
    model("FIP15GPlus", 4, 74),
    model("FIP16", 2, 0),
    model("FIP16Plus", 2, 0),
];

/// The model that a phone is unless it is told otherwise: FIP14G.
static USUAL: Model = model("FIP14G", 4, 21);

impl Model {
    /// The model of that name, in any case.
    pub fn named(name: &str) -> Option<&'static Model> {
        MODELS.iter().find(|model| model.name.eq_ignore_ascii_case(name))
    }

    /// FIP14G, the deck's phone.
    pub fn usual() -> &'static Model {
        &USUAL
    }
}

const fn model(name: &'static str, accounts: u8, line_keys: u8) -> Model {
    Model { name, accounts, line_keys }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_found_and_bounded() {
        assert_eq!(Model::named("fip15g").map(|model| model.line_keys), Some(74));
        assert_eq!(Model::named("FIP14G"), Some(Model::usual()));
        assert_eq!(Model::named("T46"), None);
        for model in MODELS {
            assert!(model.accounts <= MOST_ACCOUNTS && model.line_keys <= MOST_LINE_KEYS, "{}", model.name);
        }
    }
}
