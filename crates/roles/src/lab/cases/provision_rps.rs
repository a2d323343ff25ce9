//! A redirection service leads the phone to its server.

use super::prelude::*;

/// What the server has.
const FILES: Files = Files { files: &[RECEPTION], ..Files::NONE };

/// What the service says.
const SERVICE: Files = Files { moved: &[("0021f2000001", "http://127.0.50.80/$(MA).cfg")], ..Files::NONE };

/// The case.
pub(super) const CASE: Case = Case {
    slug: "provision-rps",
    title: "A redirection service leads the phone to its server",
    deck: "Redirection and Provisioning Service: a phone out of its box is sent to its buyer's server.",
    teaches: "The service knows the phone by its MAC address and answers with another address; the files come from there.",
    desks: &[Desk::with(
        "7001",
        600,
        &[
            ("auto_provision.pnp_enable", "0"),
            ("auto_provision.advanced.redirect_url", "http://127.0.50.81/$(MA)"),
        ],
    )],
    machines: servers!(FILE_SERVER, FILE_SERVER_IP, FILES; "service", OTHER_IP, SERVICE),
    steps: &[
        Step::On(EXCHANGE),
        Step::On(FILE_SERVER),
        Step::On("service"),
        Step::On("7001"),
        Step::Event("7001", "provision_source", &[("source", "rps")], 10_000),
        Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
        Step::Pass(1_000),
    ],
    whole: include_str!("ladders/provision-rps.txt"),
    ..PROVISIONING
};
