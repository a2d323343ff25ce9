//! The subscription is refused with 403.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "BLF",
    slug: "blf-403",
    title: "The subscription is refused with 403",
    deck: "The server does not allow the watching.",
    teaches: "The lamp says unknown or refused and never shows a state that nobody told.",
    desks: &[Desk::plain("7002", 800), Desk::with("7007", 1000, WATCHES_7002)],
    machines: &[],
    exchange: |config, _| config.answers.subscribe = Some(403),
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7002"]),
        Step::On("7007"),
        Step::Event("7007", "lamp", &[("key", "2"), ("meaning", "refused")], PATIENCE_MS),
        Step::Log("7007", "BLF 7002 Fail, 403 Forbidden"),
    ],
    ladders: &[],
    verdict: &[("blf.403", "7007")],
    capture_at: "7007",
    whole: include_str!("ladders/blf-403.txt"),
};
