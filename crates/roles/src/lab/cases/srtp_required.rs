//! Encryption is required by one side alone.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "srtp-required",
    title: "Encryption is required by one side alone",
    deck: "A phone that insists on encryption refuses a call without it by 488.",
    teaches: "488 with RTP/SAVP on one side and RTP/AVP on the other is a matter of RTP Encrypt Type.",
    desks: &[Desk::plain("7001", 600), Desk::with("7002", 800, &[("account.1.srtp_encryption", "2")])],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Say("7001", "dial 7002"),
        Step::Event("7001", "ended", &[("status", "488")], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("srtp.required", "7002")],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/srtp-required.txt"),
};
