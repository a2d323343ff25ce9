//! A call with encrypted sound.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "srtp-call",
    title: "A call with encrypted sound",
    deck: "With RTP Encrypt Type set to Compulsory the SDP says RTP/SAVP and brings a key.",
    teaches: "Both sides need the same profile and suite; whether sound is encrypted stands in m= and a=crypto.",
    desks: &[
        Desk::with("7001", 600, &[("account.1.srtp_encryption", "2")]),
        Desk::with("7002", 800, &[("account.1.srtp_encryption", "2")]),
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Say("7001", "dial 7002"),
        Step::Event("7002", "incoming", &[], PATIENCE_MS),
        Step::Say("7002", "answer"),
        Step::Event("7001", "answered", &[("secure", "true")], PATIENCE_MS),
        Step::Event("7002", "answered", &[("secure", "true")], PATIENCE_MS),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[600]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/srtp-call.txt"),
};
