//! A phone fetches its settings by HTTP.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-http",
    title: "A phone fetches its settings by HTTP",
    teaches: "A full address of a file is fetched alone, by one GET with Host, User-Agent and Accept.",
    desks: &[Desk::with(
        "7001",
        600,
        &[("auto_provision.pnp_enable", "0"), ("auto_provision.server.url", "http://127.0.50.80/$(MA).cfg")],
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
    whole: include_str!("ladders/provision-http.txt"),
    ..PROVISIONING
};
