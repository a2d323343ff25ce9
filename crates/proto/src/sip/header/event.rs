//! Event and Subscription-State (RFC 6665 §8.4).

use crate::sip::grammar::{Params, saturating_number};

/// An event package with its parameters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event<'a> {
    /// The package: `dialog`, `message-summary`, `refer`, `check-sync`, …
    pub package: &'a str,
    /// The parameters; `id` tells subscriptions of one dialog apart.
    pub params: Params<'a>,
}

impl<'a> Event<'a> {
    /// Reads the value.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (package, params) = value.split_once(';').unwrap_or((value, ""));
        let package = package.trim();
        (!package.is_empty()).then_some(Self { package, params: Params(params) })
    }
}

/// The state of a subscription as its notifier tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubscriptionState<'a> {
    /// Whether it lives.
    pub state: SubState,
    /// Seconds left.
    pub expires_s: Option<u32>,
    /// Why it ended.
    pub reason: Option<&'a str>,
    /// Seconds to wait before subscribing anew.
    pub retry_after_s: Option<u32>,
}

/// Whether a subscription lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubState {
    /// Accepted.
    Active,
    /// Not yet decided.
    Pending,
    /// Over.
    Terminated,
}

/// Why a notifier ends a subscription (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Termination {
    /// The subscriber is to subscribe anew at once.
    Deactivated,
    /// The subscriber is to try again later.
    Probation,
    /// The subscriber may not watch this.
    Rejected,
    /// Nobody has refreshed it.
    Timeout,
    /// The notifier could not get a decision in time.
    GiveUp,
    /// What was watched exists no longer.
    NoResource,
    /// What was watched will not change any more.
    Invariant,
    /// Another reason, or none.
    Other,
}

impl Termination {
    /// As Subscription-State writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Invariant => "invariant",
            Self::Other => "terminated",
        }
    }

    /// Reads the reason of Subscription-State.
    pub fn from_name(name: &str) -> Self {
        let known = [
            Self::Deactivated,
            Self::Probation,
            Self::Rejected,
            Self::Timeout,
            Self::GiveUp,
            Self::NoResource,
            Self::Invariant,
        ];
        known.into_iter().find(|it| it.name().eq_ignore_ascii_case(name)).unwrap_or(Self::Other)
    }
}

impl<'a> SubscriptionState<'a> {
    /// Reads the value; an unknown state counts as active (RFC 6665 §4.1.3).
    pub fn parse(value: &'a str) -> Self {
        let (state, params) = value.split_once(';').unwrap_or((value, ""));
        let params = Params(params);
        let state = match state.trim() {
            s if s.eq_ignore_ascii_case("terminated") => SubState::Terminated,
            s if s.eq_ignore_ascii_case("pending") => SubState::Pending,
            _ => SubState::Active,
        };
        Self {
            state,
            expires_s: params.number("expires"),
            reason: params.get("reason"),
            retry_after_s: params.get("retry-after").and_then(|text| saturating_number(text.as_bytes())),
        }
    }
}
