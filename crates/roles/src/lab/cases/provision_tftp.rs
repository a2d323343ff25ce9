//! A phone fetches its settings by TFTP.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files {
    files: &[
        ("y000000000000.boot", "#!version:1.0.0.1\ninclude:config <site.cfg>\n"),
        ("site.cfg", "#!version:1.0.0.1\naccount.1.label = Reception\n"),
    ],
    ..Files::NONE
};

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-tftp",
    title: "A phone fetches its settings by TFTP",
    teaches: "A boot file takes the place of the names that would be asked after it; each file has a transfer of its own.",
    desks: &[Desk::with(
        "7001",
        600,
        &[("auto_provision.pnp_enable", "0"), ("auto_provision.server.url", "tftp://127.0.50.80/")],
    )],
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provision_source", &[("source", "profile")], 10_000),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Log("7001", "Update the configuration file successfully"),
        Step::Pass(8_000),
    ],
    whole: include_str!("ladders/provision-tftp.txt"),
    ..PROVISIONING
};
