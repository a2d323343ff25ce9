//! A person enters the Profile Rule at the phone's page.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-static",
    title: "A person enters the Profile Rule at the phone's page",
    deck: "Static Provisioning Server: the Profile Rule of the page Provision.",
    teaches: "A rule that is entered is followed at once: nobody else is asked, and the phone registers meanwhile.",
    desks: &[Desk::with("7001", 600, &[("auto_provision.pnp_enable", "0")])],
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "registered", &[], 10_000),
        Step::Say("7001", "set auto_provision.server.url tftp://127.0.50.80/$(MA).cfg"),
        Step::Event("7001", "resync", &[("why", "page")], 10_000),
        Step::Event("7001", "provision_source", &[("source", "profile")], 10_000),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Pass(8_000),
    ],
    whole: include_str!("ladders/provision-static.txt"),
    ..PROVISIONING
};
