//! Why an exchange waits.

use std::fmt;

use proto::sip::transaction::Timer;

/// What an exchange's next deadline is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// A transaction: a copy to send, or an answer that does not come.
    Transaction(Timer),
    /// A leg of a call.
    Leg,
    /// A call that nobody answers.
    NoAnswer,
    /// A parked call, or the end of a confirmation tone.
    ServiceOver,
    /// A leg that does not hang up after its call was handed over.
    Leftover,
    /// The end of a registration.
    Expiry,
    /// The end of a subscription.
    Lamp,
    /// A device that is asked whether it answers.
    Qualify,
    /// The end of an overload.
    Careful,
    /// An answer that is held back, so that guessing takes time.
    HeldBack,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Transaction(timer) => return write!(f, "transaction, timer {timer:?}"),
            Self::Leg => "a leg of a call",
            Self::NoAnswer => "no answer",
            Self::ServiceOver => "a parked call, or the end of a confirmation tone",
            Self::Leftover => "a leg without a call",
            Self::Expiry => "the end of a registration",
            Self::Lamp => "the end of a subscription",
            Self::Qualify => "a device to be asked",
            Self::Careful => "the end of an overload",
            Self::HeldBack => "an answer that is held back",
        };
        f.write_str(text)
    }
}
