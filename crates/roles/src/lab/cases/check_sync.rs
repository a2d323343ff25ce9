//! The exchange tells a phone to fetch its settings.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "check-sync",
    title: "The exchange tells a phone to fetch its settings",
    deck: "Resync from SIP: the server sends NOTIFY with Event: check-sync.",
    teaches: "One NOTIFY with Event: check-sync; the phone answers 200, fetches, and registers anew only if its account has changed.",
    desks: &[Desk::with(
        "7001",
        600,
        &[
            ("auto_provision.pnp_enable", "0"),
            ("auto_provision.server.url", "tftp://127.0.50.80/$(MA).cfg"),
            ("auto_provision.power_on", "0"),
        ],
    )],
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::Up(&["7001"]),
        Step::CheckSync("7001", false),
        Step::Event("7001", "resync", &[("why", "check-sync")], 10_000),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Pass(8_000),
    ],
    whole: include_str!("ladders/check-sync.txt"),
    ..PROVISIONING
};
