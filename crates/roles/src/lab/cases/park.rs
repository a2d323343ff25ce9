//! A call is parked and taken elsewhere.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "park",
    title: "A call is parked and taken elsewhere",
    deck: "A call is transferred to the park code; the lamp of the parking place shows it, and its key takes it.",
    teaches: "A parked call belongs to nobody: whoever dials the place has it, and after a while the phone that parked it rings.",
    desks: &[
        Desk::plain("7001", 600),
        Desk::plain("7002", 800),
        Desk::with(
            "7007",
            1000,
            &[("linekey.2.type", "16"), ("linekey.2.line", "1"), ("linekey.2.value", "800")],
        ),
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::On("7007"),
        Step::Lamp("7007", "idle"),
        Step::Call("7001", "7002"),
        Step::Say("7001", "transfer *5"),
        Step::Event("7001", "transferred", &[("status", "200")], PATIENCE_MS),
        Step::Event("7007", "lamp", &[("key", "2"), ("meaning", "parked")], PATIENCE_MS),
        Step::Event("7001", "ended", &[], 15_000),
        Step::Say("7007", "key 2"),
        Step::Event("7007", "answered", &[], PATIENCE_MS),
        Step::Hears("7007", &[800]),
        Step::Hears("7002", &[1000]),
        Step::Say("7007", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/park.txt"),
};
