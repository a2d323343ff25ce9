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
