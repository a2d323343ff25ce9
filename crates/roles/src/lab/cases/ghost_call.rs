//! What a scanner's INVITE does to a desk phone, and the settings that decide it.

use super::prelude::*;

/// A phone without an account, whose second key asks the desk phone to answer by itself.
const SCANNER: &[(&str, &str)] = &[
    ("features.direct_ip_call_enable", "1"),
    ("account.1.enable", "0"),
    ("linekey.2.type", "14"),
    ("linekey.2.line", "1"),
    ("linekey.2.value", "sip:7001@127.0.70.1"),
];
/// Even a phone that answers its account's calls by itself.
const ANSWERS: &[(&str, &str)] = &[("account.1.auto_answer", "1")];

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "ghost-call",
    title: "A scanner calls a desk phone",
    deck: "Make sure the phone is disabled Allow IP Calls when he registers to the PBX server.",
    teaches: "Only Recv Request From Server refuses strangers with 403, or by Answer to Others in silence; with Allow IP Calls, or without the rule, they ring, but no setting lets them make the phone answer.",
    desks: &[Desk::with("7001", 600, ANSWERS), Desk::plain("7002", 800), Desk::with("7007", 1000, SCANNER)],
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        Step::On("7007"),
        Step::Say("7007", "key 2"),
        Step::Event("7007", "ended", &[("status", "403")], PATIENCE_MS),
        // Whatever a stranger asks for, the phone only rings.
        Step::Say("7001", "set features.direct_ip_call_enable 1"),
        Step::Say("7007", "key 2"),
        Step::Event("7001", "incoming", &[("account", "0")], PATIENCE_MS),
        Step::Log("7001", "asks to be answered by itself and rings: it does not come from the server"),
        Step::Pass(5_000),
        Step::Hears("7007", &[]),
        Step::Say("7007", "hangup"),
        Step::Event("7001", "ended", &[("status", "487")], PATIENCE_MS),
        Step::Say("7001", "set features.direct_ip_call_enable 0"),
        Step::Say("7001", "set account.1.advanced.only_recv_request_from_server 0"),
        Step::Say("7007", "key 2"),
        Step::Event("7001", "incoming", &[("account", "1")], PATIENCE_MS),
        Step::Say("7001", "reject"),
        Step::Event("7007", "ended", &[("status", "486")], PATIENCE_MS),
        // In silence nobody learns that there is a phone.
        Step::Say("7001", "set account.1.advanced.only_recv_request_from_server 1"),
        Step::Say("7001", "set account.1.advanced.only_recv_silence 1"),
        Step::Say("7007", "key 2"),
        Step::Event("7007", "ended", &[("status", "null")], 40_000),
        // The server's calls come through, and answer themselves.
        Step::Say("7002", "dial 7001"),
        Step::Event("7002", "answered", &[], PATIENCE_MS),
        Step::Hears("7002", &[600]),
        Step::Hears("7001", &[800]),
        Step::Say("7002", "hangup"),
        Step::Event("7001", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[],
    verdict: &[("sec.scanner", "127.0.70.7")],
    capture_at: "7001",
    whole: include_str!("ladders/ghost-call.txt"),
};
