//! The server blocks this network.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "blocked-network",
    title: "The server blocks this network",
    deck: "The server refuses phones of a network or an area.",
    teaches: "A 403 that follows the place and not the phone is a rule about addresses.",
    desks: &[Desk::plain("7001", 600)],
    machines: &[],
    exchange: |config, _| {
        config.terms.blocks.push(Block::Network { network: [127, 0, 70, 0].into(), bits: 24 })
    },
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "403")], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("reg.403", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/blocked-network.txt"),
};
