//! A phone fetches its settings by TFTP.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files {
    files: &[
        ("y000000000000.boot", "#!version:1.0.0.1\ninclude:config <site.cfg>\n"),
        ("site.cfg", "#!version:1.0.0.1\naccount.1.label = Reception\n"),
    ],
    pnp: None,
};

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Auto provisioning",
    slug: "provision-tftp",
    title: "A phone fetches its settings by TFTP",
    deck: "The phones support using FTP, TFTP, HTTP, and HTTPS protocols to download boot files and configuration files.",
    teaches: "A boot file takes the place of the names that would be asked after it; each file has a transfer of its own.",
    desks: &[Desk::with(
        "7001",
        600,
        &[("auto_provision.pnp_enable", "0"), ("auto_provision.server.url", "tftp://127.0.50.80/")],
    )],
    machines: &[Actor {
        name: FILE_SERVER,
        ip: FILE_SERVER_IP,
        make: |ip, seed, _| Box::new(FileServer::new(ip, FILES, seed)),
    }],
    exchange: as_it_comes,
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provision_source", &[("source", "profile")], 10_000),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Log("7001", "Update the configuration file successfully"),
        Step::Pass(8_000),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: "7001",
    whole: include_str!("ladders/provision-tftp.txt"),
};
