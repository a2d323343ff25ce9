//! The server has no file for this phone.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[], pnp: None };

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Auto provisioning",
    slug: "provision-not-found",
    title: "The server has no file for this phone",
    deck: "Check auto provisioning URL and network environment.",
    teaches: "Four names are asked for in vain; the phone keeps what it has, and tries again after the error retry delay.",
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
        Step::Event("7001", "provision_failed", &[], 10_000),
        Step::Log("7001", "File does not exist or server is unreachable..."),
        Step::Pass(1_000),
    ],
    ladders: &[],
    verdict: &[("prov.tftp-not-found", "0021f2000001")],
    capture_at: "7001",
    whole: include_str!("ladders/provision-not-found.txt"),
};
