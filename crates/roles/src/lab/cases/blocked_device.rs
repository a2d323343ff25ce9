//! The server blocks this make of phone.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "blocked-device",
    title: "The server blocks this make of phone",
    deck: "Third-party devices are blocked by their User-Agent.",
    teaches: "A 403 that only one make of phone gets is a rule about its User-Agent.",
    desks: &[Desk::plain("7001", 600)],
    machines: &[],
    exchange: |config, _| config.terms.blocks.push(Block::UserAgent("Offhook".to_owned())),
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "403")], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("reg.403", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/blocked-device.txt"),
};
