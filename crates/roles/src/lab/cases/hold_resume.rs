//! Hold and resume.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    topic: "SIP call",
    slug: "hold-resume",
    title: "Hold and resume",
    deck: "Hold is a re-INVITE with sendonly and c=0.0.0.0, resume one with sendrecv.",
    teaches: "Who holds is the one whose SDP says sendonly.",
    desks: TWO,
    machines: &[],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::Up(&["7001", "7002"]),
        // The deck's phone has no nonce of this server; a restart makes those of before unknown.
        Step::Restart(EXCHANGE),
        Step::Call("7001", "7002"),
        Step::Say("7001", "hold"),
        Step::Event("7001", "held", &[], PATIENCE_MS),
        Step::Event("7002", "remote_hold", &[], PATIENCE_MS),
        Step::Hears("7002", &[]),
        Step::Say("7001", "resume"),
        Step::Event("7001", "resumed", &[], PATIENCE_MS),
        Step::Event("7002", "remote_resume", &[], PATIENCE_MS),
        Step::Hears("7002", &[600]),
        Step::Hears("7001", &[800]),
        Step::Say("7001", "hangup"),
        Step::Event("7002", "ended", &[], PATIENCE_MS),
    ],
    ladders: &[("7001", "hold")],
    verdict: &[],
    capture_at: EXCHANGE,
    whole: include_str!("ladders/hold-resume.txt"),
};
