//! Nobody serves files where the phone asks.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[], pnp: None };

/// The case.
pub(super) const CASE: Case = Case {
    topic: "Auto provisioning",
    slug: "provision-unreachable",
    title: "Nobody serves files where the phone asks",
    deck: "Check auto provisioning URL and network environment.",
    teaches: "The connection is refused: compare the address in the log with the server's.",
    desks: &[Desk::with(
        "7001",
        600,
        &[("auto_provision.pnp_enable", "0"), ("auto_provision.server.url", "http://127.0.50.80:8080/")],
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
        Step::Log("7001", "refused the connection"),
        Step::Pass(1_000),
    ],
    ladders: &[],
    verdict: &[],
    capture_at: "7001",
    whole: include_str!("ladders/provision-unreachable.txt"),
};
