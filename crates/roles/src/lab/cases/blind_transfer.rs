//! Blind transfer.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "blind-transfer",
    title: "Blind transfer",
    deck: "The phone holds, sends REFER, is told the progress by NOTIFY (100, 180, 200) and ends its call.",
    teaches: "The outcome of a transfer stands in the NOTIFYs and not in the 202.",
    desks: THREE,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002", "7007"]),
        Step::Call("7001", "7002"),
        Step::Say("7001", "transfer 7007"),
        Step::Event("7007", "incoming", &[], PATIENCE_MS),
        Step::Pass(1000),
        Step::Say("7007", "answer"),
        Step::Event("7001", "transferred", &[("status", "200")], PATIENCE_MS),
        Step::Event("7001", "ended", &[], PATIENCE_MS),
        Step::Hears("7007", &[800]),
        Step::Hears("7002", &[1000]),
        Step::Say("7007", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[("7001", "blind-transfer")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/blind-transfer.txt"),
};
