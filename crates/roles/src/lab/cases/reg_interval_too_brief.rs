//! The registration is too short for the server.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-interval-too-brief",
    title: "The registration is too short for the server",
    deck: "The server answers 423 Interval Too Brief and names the least time in Min-Expires; the phone asks again for that.",
    teaches: "423 needs no person: look whether the REGISTER after it carries the time of Min-Expires.",
    desks: &[Desk::plain("7001", 600)],
    machines: &[],
    exchange: |config, _| config.terms.min_s = 3_600,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::Event("7001", "registered", &[("expires_s", "3600")], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/reg-interval-too-brief.txt"),
};
