//! A configuration with which no account registers is taken back.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files {
    files: &[("0021f2000001.cfg", "#!version:1.0.0.1\naccount.1.sip_server.1.address = 127.0.50.99\n")],
    ..Files::NONE
};

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-rollback",
    title: "A configuration that does not work is taken back",
    deck: CHECK_THE_URL,
    teaches: "The file names a server that is not there; after the time of Rollback the settings before it hold again.",
    desks: &[Desk::with(
        "7001",
        600,
        &[("auto_provision.pnp_enable", "0"), ("auto_provision.advanced.rollback_s", "60")],
    )],
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "registered", &[], 10_000),
        Step::Say("7001", "set auto_provision.server.url tftp://127.0.50.80/$(MA).cfg"),
        Step::Event("7001", "provisioned", &[], 10_000),
        Step::Event("7001", "provision_failed", &[], 90_000),
        Step::Event("7001", "registered", &[], 10_000),
        Step::Pass(1_000),
    ],
    verdict: &[("reg.timeout", "7001")],
    whole: include_str!("ladders/provision-rollback.txt"),
    ..PROVISIONING
};
