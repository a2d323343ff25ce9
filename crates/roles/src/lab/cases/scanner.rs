//! A scanner looks for extensions.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Exchange",
    slug: "scanner",
    title: "A scanner looks for extensions",
    deck: "Firewall settings of the server: who only tries numbers is shut out.",
    teaches: "A banned address gets no answer at all, which looks like a dead network; the list of bans tells. A stranger who calls a phone past the exchange gets 403.",
    desks: &[
        Desk::plain("7001", 600),
        Desk::plain("7002", 800),
        Desk::with("7007", 1000, &[("account.1.custom_ua", "friendly-scanner")]),
        Desk::with("7008", 900, &[("features.direct_ip_call_enable", "1"), ("account.1.enable", "0")]),
    ],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::On("7007"),
        Step::Event(EXCHANGE, "banned", &[("reason", "a scanner by its User-Agent")], PATIENCE_MS),
        Step::Event("7007", "registration_failed", &[("status", "null")], 40_000),
        // Scanners try the phones too.
        Step::On("7008"),
        Step::Say("7008", "dial sip:7001@127.0.70.1"),
        Step::Event("7008", "ended", &[("status", "403")], PATIENCE_MS),
        Step::Call("7001", "7002"),
        Step::Hears("7001", &[800]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("sec.scanner", "127.0.70.7")],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/scanner.txt"),
};
