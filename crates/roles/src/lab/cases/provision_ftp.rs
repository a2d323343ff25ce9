//! A phone fetches its settings by FTP; on real sockets alone.

use super::prelude::*;
use crate::lab::RealCase;

/// The case.
pub(super) const CASE: RealCase = RealCase {
    case: Case {
        slug: "provision-ftp",
        title: "A phone fetches its settings by FTP",
        teaches: "One connection for commands, one more for each file: EPSV first, as firewalls like it.",
        desks: &[Desk::with(
            "7001",
            600,
            &[
                ("auto_provision.pnp_enable", "0"),
                ("auto_provision.server.url", "ftp://127.0.50.80:2121/$(MA).cfg"),
            ],
        )],
        steps: &[
            Step::On(EXCHANGE),
            Step::On(FILE_SERVER),
            Step::On("7001"),
            Step::Event("7001", "provision_source", &[("source", "profile")], 10_000),
            Step::Event("7001", "provisioned", &[("changed", "1"), ("reboot", "false")], 10_000),
            Step::Log("7001", "Update the configuration file successfully"),
            Step::Pass(500),
        ],
        ..PROVISIONING
    },
    files: &[RECEPTION],
};
