//! The server is away when the phone starts.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-offline",
    title: "The server is away when the phone starts",
    deck: CHECK_THE_URL,
    teaches: "What was downloaded is kept: the phone registers at once and asks again beside it.",
    desks: phone_with_rule!("tftp://127.0.50.80/$(MA).cfg"),
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Event("7001", "registered", &[], 10_000),
        Step::Off(FILE_SERVER),
        Step::Restart("7001"),
        Step::Event("7001", "registered", &[], 1_000),
        Step::Event("7001", "provision_failed", &[], 90_000),
        Step::Say("7001", "get account.1.label"),
        Step::Event("7001", "value", &[("value", "Reception")], 1_000),
        Step::Say("7001", "resync"),
        Step::Event("7001", "provision_failed", &[], 90_000),
        Step::Pass(1_000),
    ],
    verdict: &[("prov.tftp-no-answer", "0021f2000001")],
    whole: include_str!("ladders/provision-offline.txt"),
    ..PROVISIONING
};
