//! One row of the table, and the words it is made of.

use super::kind::Kind;

/// All that is known about one parameter.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name, with `X` (and `N` for the second) where an index stands: `account.X.sip_server.N.port`.
    pub key: &'static str,
    /// Which values are accepted.
    pub kind: Kind,
    /// The value from the factory. Empty means empty.
    pub default: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// Whether the phone does something about it.
    pub effect: Effect,
    /// From which moment a change holds.
    pub when: When,
    /// The web page that shows it, in the deck's words where the deck shows that page.
    pub page: &'static str,
    /// The field's label on that page.
    pub label: &'static str,
    /// Where the name comes from.
    pub origin: Origin,
}

/// Whether a parameter does something here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// The phone reads it, by one of the typed views.
    Acts,
    /// It is checked, kept and given back, and does nothing.
    Kept {
        /// A sentence that says why.
        why: &'static str,
    },
}

/// From which moment a changed value holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// For the next thing that happens.
    AtOnce,
    /// The account registers anew with it.
    NewRegistration,
    /// After the phone has been started again.
    Restart,
}

impl When {
    /// In words, as the end of the sentence "A change holds …".
    pub fn words(self) -> &'static str {
        match self {
            When::AtOnce => "at once",
            When::NewRegistration => "with a new registration",
            When::Restart => "after a restart",
        }
    }
}

/// Where the name of a parameter comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The vendor's templates for FIP14G and FIP15G.
    Template,
    /// The configuration dialect that the vendor's phones took over, where their templates are silent.
    Relative,
    /// Ours: the deck shows the field on a web page and no public document names it for files.
    Ours,
}

impl Row {
    /// Whether the value must be hidden from people.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// Whether the phone reads it.
    pub fn acts(&self) -> bool {
        self.effect == Effect::Acts
    }
}

/// The place of a row in [`TABLE`](super::TABLE).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RowId(pub(super) u16);
