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
    /// Its power adapter; none where the maker's papers say nothing of it.
    pub adapter: Option<Adapter>,
}

/// A power adapter (deck, Phone become Slow/Stuck/Reboot).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Adapter {
    /// In volts.
    pub volts: u8,
    /// In amperes.
    pub amperes: u8,
}

impl Adapter {
    const ONE_AMPERE: Option<Self> = Some(Self { volts: 5, amperes: 1 });
    const TWO_AMPERES: Option<Self> = Some(Self { volts: 5, amperes: 2 });

    /// What it gives, in tenths of a watt.
    pub const fn decawatts(self) -> u16 {
        self.volts as u16 * self.amperes as u16 * 10
    }
}

impl std::fmt::Display for Adapter {
    /// As the deck writes it: `5V/1A`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}V/{}A", self.volts, self.amperes)
    }
}

/// Every model, smallest first. Key counts: the vendor's templates; accounts: the deck's web pages
/// ("Line 1" to "Line 4") and its list of small models.
pub static MODELS: &[Model] = &[
    model("FIP10", 2, 2, Adapter::ONE_AMPERE),
    model("FIP10P", 2, 2, Adapter::ONE_AMPERE),
    model("FIP11C", 4, 6, Adapter::ONE_AMPERE),
    model("FIP11CP", 4, 6, Adapter::ONE_AMPERE),
    model("FIP12WP", 2, 2, Adapter::ONE_AMPERE),
    model("FIP13G", 4, 9, Adapter::ONE_AMPERE),
    model("FIP14G", 4, 21, Adapter::ONE_AMPERE),
    model("FIP15G", 4, 74, Adapter::TWO_AMPERES),
    model("FIP15GPlus", 4, 74, None),
    model("FIP16", 2, 0, Adapter::ONE_AMPERE),
    model("FIP16Plus", 2, 0, Adapter::TWO_AMPERES),
];

/// The model that a phone is unless it is told otherwise: FIP14G.
static USUAL: Model = model("FIP14G", 4, 21, Adapter::ONE_AMPERE);

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

const fn model(name: &'static str, accounts: u8, line_keys: u8, adapter: Option<Adapter>) -> Model {
    Model { name, accounts, line_keys, adapter }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deck, Phone become Slow/Stuck/Reboot.
    #[test]
    fn each_model_has_the_deck_s_adapter() {
        let adapter =
            |name: &str| Model::named(name).and_then(|model| model.adapter).map(|it| it.to_string());
        for name in ["FIP10", "FIP10P", "FIP11C", "FIP11CP", "FIP12WP", "FIP13G", "FIP14G", "FIP16"] {
            assert_eq!(adapter(name).as_deref(), Some("5V/1A"), "{name}");
        }
        for name in ["FIP15G", "FIP16Plus"] {
            assert_eq!(adapter(name).as_deref(), Some("5V/2A"), "{name}");
        }
    }

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
