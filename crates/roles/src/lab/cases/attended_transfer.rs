//! Attended transfer.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "attended-transfer",
    title: "Attended transfer",
    deck: "The phone holds, calls the third party, and sends REFER with Replaces, which names the second call.",
    teaches: "The Call-ID and tags in Replaces are those of the second call.",
    desks: THREE,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002", "7007"]),
        Step::Call("7001", "7002"),
        Step::Say("7001", "consult 7007"),
        Step::Event("7007", "incoming", &[], PATIENCE_MS),
        Step::Event("7001", "ringing", &[], PATIENCE_MS),
        Step::Say("7007", "answer"),
        Step::Event("7001", "answered", &[], PATIENCE_MS),
        Step::Hears("7001", &[1000]),
        Step::Say("7001", "complete"),
        Step::Event("7001", "transferred", &[("status", "200")], PATIENCE_MS),
        Step::Hears("7007", &[800]),
        Step::Hears("7002", &[1000]),
        Step::Say("7007", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[("7001", "attended-transfer")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/attended-transfer.txt"),
};
