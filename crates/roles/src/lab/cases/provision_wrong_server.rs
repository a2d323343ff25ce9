//! A forgotten server answers PnP and takes a phone away from its own.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], ..Files::NONE };

/// What the forgotten server has.
const FORGOTTEN: Files = Files {
    files: &[("0021f2000001.cfg", "#!version:1.0.0.1\naccount.1.label = Old Office\n")],
    pnp: Some("tftp://127.0.50.81/$(MA).cfg"),
    ..Files::NONE
};

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-wrong-server",
    title: "A forgotten server answers PnP and takes a phone away",
    deck: CHECK_THE_URL,
    teaches: "PnP is asked before the Profile Rule: the server that answers first configures the phone.",
    desks: &[Desk::with("7001", 600, &[("auto_provision.server.url", "tftp://127.0.50.80/$(MA).cfg")])],
    machines: servers!(FILE_SERVER, FILE_SERVER_IP, FILES; "forgotten", OTHER_IP, FORGOTTEN),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provision_source", &[("source", "profile")], 10_000),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Pass(150_000),
        Step::On("forgotten"),
        Step::Restart("7001"),
        Step::Event("7001", "provision_source", &[("source", "pnp")], 10_000),
        Step::Event("7001", "provisioned", &[], 10_000),
        Step::Pass(1_000),
    ],
    verdict: &[("prov.wrong-server", "0021f2000001")],
    whole: include_str!("ladders/provision-wrong-server.txt"),
    ..PROVISIONING
};
