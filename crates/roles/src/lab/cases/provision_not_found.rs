//! The server has no file for this phone.

use super::prelude::*;

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-not-found",
    title: "The server has no file for this phone",
    deck: CHECK_THE_URL,
    teaches: "Four names are asked for in vain; the phone keeps what it has, and tries again after the error retry delay.",
    desks: phone_with_rule!("tftp://127.0.50.80/"),
    machines: servers!(Files::NONE),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provision_failed", &[], 10_000),
        Step::Log("7001", "File does not exist or server is unreachable..."),
        Step::Pass(1_000),
    ],
    verdict: &[("prov.tftp-not-found", "0021f2000001")],
    whole: include_str!("ladders/provision-not-found.txt"),
    ..PROVISIONING
};
