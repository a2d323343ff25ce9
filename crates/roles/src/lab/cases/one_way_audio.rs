//! One side hears nothing.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "one-way-audio",
    title: "One side hears nothing",
    deck: "A calls B, B answers, both are in talking status, A can hear B but B can't hear A.",
    teaches: "SIP is sound, so look at RTP: who sends, and where do the packets end? Here a firewall is open for port 5060 alone.",
    desks: &[Desk::plain("7001", 600), Desk::plain("7002", 800)],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::DropSound(EXCHANGE, "7002"),
        Step::Call("7001", "7002"),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[("rtp.rx_packets", "0")], PATIENCE_MS),
    ],
    ladders: &[("7002", "incoming-call")],
    verdict: &[("audio.oneway", "7002")],
    capture_at: "7002",
    whole: include_str!("ladders/one-way-audio.txt"),
};
