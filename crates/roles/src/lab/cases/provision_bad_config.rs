//! A web page stands where a configuration should be.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files {
    files: &[("0021f2000001.cfg", "<!DOCTYPE html><html><body>Please log in</body></html>")],
    ..Files::NONE
};

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-bad-config",
    title: "A web page stands where a configuration should be",
    deck: CHECK_THE_URL,
    teaches: "A login page is no configuration: nothing of it is taken, and the old settings stay whole.",
    desks: phone_with_rule!("http://127.0.50.80/$(MA).cfg"),
    machines: servers!(FILES),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("7001"),
        Step::Event("7001", "provision_failed", &[], 10_000),
        Step::Pass(1_000),
    ],
    verdict: &[("prov.not-a-config", "0021f2000001")],
    whole: include_str!("ladders/provision-bad-config.txt"),
    ..PROVISIONING
};
