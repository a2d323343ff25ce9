//! The server forgets the subscription.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "BLF",
    slug: "blf-481",
    title: "The server forgets the subscription",
    deck: "481 – Subscription does not exist.",
    teaches: "A server that restarted without what it kept answers the refresh with 481; the phone subscribes anew.",
    desks: &[
        Desk::plain("7002", 800),
        Desk {
            name: "7007",
            tone_hz: 1000,
            settings: &[
                ("linekey.2.type", "16"),
                ("linekey.2.line", "1"),
                ("linekey.2.value", "7002"),
                ("account.1.blf.subscribe_period", "120"),
            ],
        },
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7002"]),
        Step::On("7007"),
        Step::Lamp("7007", "idle"),
        Step::Forget(EXCHANGE),
        // Until the phone asks again it can know of nothing; then the lamp tells what is true: nobody
        // has registered at the exchange that forgot all.
        Step::Event("7007", "lamp", &[("key", "2"), ("meaning", "unregistered")], 120_000),
        Step::Log("7007", "BLF 7002 Fail, 481 "),
        Step::Event("7002", "registered", &[], 1_800_000),
        Step::Lamp("7007", "idle"),
    ],
    ladders: &[("7007", "blf")],
    verdict: &[],
    capture_at: "7007",
    whole: include_str!("ladders/blf-481.txt"),
};
