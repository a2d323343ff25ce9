//! The names by which the parts of an exchange know each other's things.

use super::why::Why;

/// Names an extension for as long as the exchange runs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct ExtensionId(pub(super) u32);

impl ExtensionId {
    /// As a number for others, who need not know what an extension is.
    pub(super) const fn number(self) -> u32 {
        self.0
    }
}

/// Names a call of this exchange.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct CallId(pub(super) u64);

/// Names a leg of a call.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct LegId(pub(super) u64);

/// Names a subscription.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct SubscriptionId(pub(super) u64);

/// Whose a request of ours is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Owner {
    Leg(LegId),
    Lamp(SubscriptionId),
    Qualify(ExtensionId),
    CheckSync,
}

/// Why the exchange waits, by whom.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Alarm {
    Leg(LegId),
    /// Nobody answers.
    NoAnswer(CallId),
    /// A confirmation has sounded, or a call has been parked for long.
    ServiceOver(CallId),
    /// A leg that has handed its call over does not hang up.
    Leftover(LegId),
    Expiry(ExtensionId),
    Lamp(SubscriptionId),
    Qualify(ExtensionId),
    Careful,
    HeldBack,
}

impl Alarm {
    pub(super) const fn why(self) -> Why {
        match self {
            Self::Leg(_) => Why::Leg,
            Self::NoAnswer(_) => Why::NoAnswer,
            Self::ServiceOver(_) => Why::ServiceOver,
            Self::Leftover(_) => Why::Leftover,
            Self::Expiry(_) => Why::Expiry,
            Self::Lamp(_) => Why::Lamp,
            Self::Qualify(_) => Why::Qualify,
            Self::Careful => Why::Careful,
            Self::HeldBack => Why::HeldBack,
        }
    }
}

/// How far a request inside a dialog has shown that it is the other party's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Claim {
    /// It comes from where the other party is.
    Own,
    /// It comes from elsewhere: it must show the password of this extension.
    Unproven(ExtensionId),
    /// It belongs to no such dialog.
    Foreign,
}
