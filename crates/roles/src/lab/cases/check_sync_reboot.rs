//! The exchange tells a phone to restart.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "check-sync-reboot",
    title: "The exchange tells a phone to restart",
    deck: "Resync from SIP: the server sends NOTIFY with Event: check-sync.",
    teaches: "reboot=true restarts the phone, which unregisters, starts, fetches and registers under another Call-ID.",
    desks: phone_with_rule!("tftp://127.0.50.80/$(MA).cfg"),
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::Up(&["7001"]),
        Step::Pass(1_000),
        Step::CheckSync("7001", true),
        Step::Event("7001", "reboot", &[], 10_000),
        Step::Event("7001", "resync", &[("why", "start")], 10_000),
        Step::Event("7001", "registered", &[], 10_000),
        Step::Pass(8_000),
    ],
    whole: include_str!("ladders/check-sync-reboot.txt"),
    ..PROVISIONING
};
