//! The account speaks by a transport that the server does not have.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Account registration",
    slug: "reg-wrong-transport",
    title: "The account speaks by a transport that the server does not have",
    deck: "Incorrect registration information (wrong username/password/server address/port/transport type).",
    teaches: "The connection is refused before any REGISTER leaves, so the trace shows none until Transport is set right; then it shows a healthy registration. The phone's log tells the refusal: compare Transport with what the server listens on.",
    desks: &[Desk {
        name: "7001",
        tone_hz: 600,
        settings: &[("account.1.sip_server.1.transport_type", "1")],
    }],
    machines: &[],
    exchange: |config, _| config.answers.udp_only = true,
    steps: &[
        Step::On(EXCHANGE),
        Step::On("7001"),
        Step::Event("7001", "registration_failed", &[("status", "null")], 40_000),
        Step::Log("7001", "refused the connection"),
        Step::Say("7001", "set account.1.sip_server.1.transport_type 0"),
        Step::Event("7001", "registered", &[], PATIENCE_MS),
    ],
    ladders: &[("7001", "register")],
    verdict: &[("transport.tcp-refused", "7001")],
    capture_at: "7001",
    whole: include_str!("ladders/reg-wrong-transport.txt"),
};
