//! Transfer to a phone that still rings.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "semi-attended-transfer",
    title: "Transfer to a phone that still rings",
    deck: "The transfer is completed before the third party answers.",
    teaches: "The third phone goes on ringing; who answers it is talking to the second.",
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
        Step::Say("7001", "complete"),
        Step::Pass(1000),
        Step::Say("7007", "answer"),
        Step::Event("7007", "answered", &[], PATIENCE_MS),
        Step::Hears("7007", &[800]),
        Step::Hears("7002", &[1000]),
        Step::Say("7007", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/semi-attended-transfer.txt"),
};
