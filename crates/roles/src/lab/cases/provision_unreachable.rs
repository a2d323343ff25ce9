//! Nobody serves files where the phone asks.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-unreachable",
    title: "Nobody serves files where the phone asks",
    deck: CHECK_THE_URL,
    teaches: "The connection is refused: compare the address in the log with the server's.",
    desks: phone_with_rule!("http://127.0.50.80:8080/"),
    machines: servers!(Files::NONE),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provision_failed", &[], 10_000),
        Step::Log("7001", "refused the connection"),
        Step::Pass(1_000),
    ],
    verdict: &[("prov.no-server", "127.0.50.80")],
    whole: include_str!("ladders/provision-unreachable.txt"),
    ..PROVISIONING
};
