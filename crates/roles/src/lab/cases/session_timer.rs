//! A call that notices the other end's power cut.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "session-timer",
    title: "A call that notices the other end's power cut",
    deck: "The deck's phones say timer in Supported: a call is asked now and then whether it still stands (RFC 4028).",
    teaches: "Each leg is asked by itself: every half of Session-Expires an UPDATE goes out, or a re-INVITE where UPDATE is not taken; where it is not answered both legs end.",
    desks: &[
        Desk {
            name: "7001",
            tone_hz: 600,
            settings: &[("account.1.session_timer.enable", "1"), ("account.1.session_timer.expires", "120")],
        },
        Desk::plain("7002", 800),
    ],
    machines: &[],
    exchange: |config, _| config.session_s = Some(120),
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::Call("7001", "7002"),
        Step::Pass(300_000),
        Step::Log("7001", "Session Refreshed, 120s"),
        Step::Hears("7001", &[800]),
        Step::Hears("7002", &[600]),
        Step::Off("7002"),
        Step::Event("7001", "ended", &[("status", "null"), ("by", "remote")], 120_000),
    ],
    ladders: &[("7001", "boot-register")],
    verdict: &[("call.dropped-session-timer", "7002")],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/session-timer.txt"),
};
