//! What a lamp shows (deck, BLF).

use proto::event::dialog_info::LampState;
use serde::Serialize;

/// The colour of a lamp.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Dark.
    #[default]
    Off,
    /// The key cannot do anything.
    Grey,
    /// Green.
    Green,
    /// Red.
    Red,
    /// Amber.
    Amber,
}

/// The rhythm of a lamp.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rhythm {
    /// Dark.
    #[default]
    Off,
    /// Always lit.
    Steady,
    /// Five times in two seconds.
    Flashing,
    /// Once in two seconds.
    FlashingSlow,
}

/// What a lamp means.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Nothing goes on.
    Idle,
    /// It rings.
    Ringing,
    /// On a call, or switched on.
    Busy,
    /// On hold.
    Held,
    /// A call is parked.
    Parked,
    /// Not registered.
    Unregistered,
    /// The server does not let this phone watch.
    Refused,
    /// Nothing is known.
    #[default]
    Unknown,
}

/// What a lamp shows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Lamp {
    /// Its colour.
    pub colour: Colour,
    /// Its rhythm.
    pub rhythm: Rhythm,
    /// What it means.
    pub meaning: Meaning,
}

impl Lamp {
    pub(super) const fn new(colour: Colour, rhythm: Rhythm, meaning: Meaning) -> Self {
        Self { colour, rhythm, meaning }
    }

    pub(super) const fn dark(meaning: Meaning) -> Self {
        Self::new(Colour::Off, Rhythm::Off, meaning)
    }

    /// A key that lacks its number or its account.
    pub(super) const INCOMPLETE: Self = Self::new(Colour::Grey, Rhythm::Steady, Meaning::Unknown);

    /// The deck's table (BLF): available steady green, ringing flashing red, busy steady red.
    pub(super) fn of_watched(state: &LampState, registered: Option<bool>, refused: bool) -> Self {
        match state {
            _ if refused => Self::new(Colour::Grey, Rhythm::Steady, Meaning::Refused),
            LampState::Unknown => Self::dark(Meaning::Unknown),
            LampState::Idle if registered == Some(false) => Self::dark(Meaning::Unregistered),
            LampState::Idle => Self::new(Colour::Green, Rhythm::Steady, Meaning::Idle),
            LampState::Ringing { .. } => Self::new(Colour::Red, Rhythm::Flashing, Meaning::Ringing),
            LampState::Busy => Self::new(Colour::Red, Rhythm::Steady, Meaning::Busy),
            LampState::Held => Self::new(Colour::Red, Rhythm::Steady, Meaning::Held),
            LampState::Parked => Self::new(Colour::Red, Rhythm::FlashingSlow, Meaning::Parked),
        }
    }

    /// A switch: lit while it is on.
    pub(super) const fn of_switch(on: bool) -> Self {
        if on { Self::new(Colour::Red, Rhythm::Steady, Meaning::Busy) } else { Self::dark(Meaning::Idle) }
    }
}
