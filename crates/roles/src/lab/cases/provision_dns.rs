//! The name of the server is misspelt.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { pnp: Some("http://files.lab.exmaple/"), ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-dns",
    title: "The name of the server is misspelt",
    deck: CHECK_THE_URL,
    teaches: "The DNS knows no such name: the phone asks for no file at all, and the log names the host.",
    desks: &[Desk::with("7001", 600, &[])],
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provision_source", &[("source", "pnp")], 10_000),
        Step::Event("7001", "provision_failed", &[], 10_000),
        Step::Log("7001", "files.lab.exmaple"),
        Step::Pass(8_000),
    ],
    verdict: &[("prov.dns", "files.lab.exmaple")],
    whole: include_str!("ladders/provision-dns.txt"),
    ..PROVISIONING
};
