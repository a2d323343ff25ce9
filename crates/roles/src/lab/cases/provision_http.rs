//! A phone fetches its settings by HTTP.

use super::prelude::*;

/// What the server has.
const FILES: Files =
    Files { files: &[("0021f2000001.cfg", "#!version:1.0.0.1\naccount.1.label = Reception\n")], pnp: None };

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Auto provisioning",
    slug: "provision-http",
    title: "A phone fetches its settings by HTTP",
    deck: "The phones support using FTP, TFTP, HTTP, and HTTPS protocols to download boot files and configuration files.",
    teaches: "A full address of a file is fetched alone, by one GET with Host, User-Agent and Accept.",
    desks: &[Desk::with(
        "7001",
        600,
        &[("auto_provision.pnp_enable", "0"), ("auto_provision.server.url", "http://127.0.50.80/$(MA).cfg")],
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
    whole: include_str!("ladders/provision-http.txt"),
};
