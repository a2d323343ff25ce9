//! A phone asks by multicast who serves its settings.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], pnp: Some("tftp://127.0.50.80/"), ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-pnp",
    title: "A phone asks by multicast who serves its settings",
    deck: "The phone sends the PnP SUBSCRIBE message to the broadcast address 224.0.1.75 to obtain the provisioning server address during startup.",
    teaches: "One SUBSCRIBE to the group, one NOTIFY with the address, then boot files before configurations.",
    desks: &[Desk::with("7001", 600, &[])],
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provision_source", &[("source", "pnp")], 10_000),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Log("7001", "Update the configuration file successfully"),
        Step::Pass(8_000),
    ],
    whole: include_str!("ladders/provision-pnp.txt"),
    ..PROVISIONING
};
